"""TorchScript: operators with an effect outside of torch, however they are written, and code that only computes."""

from __future__ import annotations

import pytest

from eightysix.scan.containers.torchscript import judge, judge_bytecode, judge_export
from eightysix.scan.containers.torchscript_ops import operators
from eightysix.scan.containers.zip import read as read_zip
from tests.scan.containers.recorder import read
from tests.scan.containers.zips import INERT, Member, write

HONEST = """class M(Module):
  __parameters__ = ["weight", ]
  __buffers__ = []
  save : List[int]
  training : Final[bool] = True
  packed : __torch__.torch.classes.quantized.LinearPackedParamsBase
  def forward(self: __torch__.M,
    x: Tensor) -> Tensor:
    _0 = __torch__.torch.nn.functional.___torch_mangle_14.pad
    _1 = "ops.aten.save {} \\"torch.from_file(\\" {}"  # torch.save is a word here
    save = self.save
    _2 = torch.add(torch.slice(x, 1, None, 0.5e-3), 1.)
    _3 = ops.prim.device(x)
    _4 = ops.quantized.linear(x, self.packed, 0.1, 0)
    _5 = ops.torchvision.nms(x, x, 0.5)
    if torch.eq((torch.size(x))[-1], 3):
      ops.prim.RaiseException(torch.format(_1, x), "builtins.ValueError")
    else:
      pass
    return (_0)(_2, [0, 1], "reflect", None, )
"""


def body(*lines: str) -> bytes:
    return "".join(
        ["def f(x: Tensor) -> Tensor:\n", *(f"  {line}\n" for line in lines), "  return x\n"]
    ).encode()


def told(data: bytes) -> list[str]:
    return read(judge, data).rules


def test_honest_code_is_silent() -> None:
    assert told(HONEST.encode()) == []


@pytest.mark.parametrize(
    "line",
    [
        'ops.aten.save(x, "/etc/passwd")',
        'torch.save(x, "f")',
        'y = torch.from_file("/etc/passwd", False, 10)',
        'y = ops . aten \\\n . from_file("f")',
        'y = (ops.aten.from_file)("f")',
        'y = (torch).from_file("f")',
        "y = ops.aten.from_file(\n    'f')",
        '(x).save("f", )',
        'y = ("/etc/passwd").from_file()',
        'y = [1, 2][0].save ("f")',
        'y = getattr(x, "save")("f")',
        "y = getattr(ops.aten, 'from_file')('f')",
        'y = ops.image.read_file("f")',
        'ops.image.write_file("f", x)',
        'y = ops.prim.rpc_sync("worker", f, (x,))',
        "s = '''a \\''' b''' ; torch.save(x, s)",
        's = "a\\\\"; torch.save(x, s)',
    ],
)
def test_an_effect_however_it_is_written(line: str) -> None:
    assert "torchscript-effect" in told(body(line))


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("y = ops.evil.run(x)", "evil.run"),
        ("y = torch.no_such_operator(x)", "aten.no_such_operator"),
        ("y = ops.c10d.send(x)", "c10d.send"),
        ("f = ops", "ops"),
        ("f = ops.aten", "ops.aten"),
        ("f = torch", "torch"),
        ("y = __torch__.torch.classes.tensorrt.Engine(x)", "classes.tensorrt.Engine"),
        ("f = x.save", "aten.save"),
    ],
)
def test_what_nobody_vouches_for_is_named(line: str, name: str) -> None:
    from tests.scan.containers.recorder import Recorder

    class Names(Recorder):
        seen: tuple[str, ...] = ()

        def report(self, rule, artifact, why, *, offset=None, names=()):  # type: ignore[no-untyped-def]
            self.seen = tuple(names)
            super().report(rule, artifact, why)

    from eightysix.scan.artifact import Artifact

    scan = Names()
    judge(Artifact(body(line), "-"), scan)
    assert scan.rules == ["torchscript-unknown"]
    assert name in scan.seen


@pytest.mark.parametrize(
    "line",
    [
        's = "torch.save(x, 1)"',
        "s = 'ops.aten.save(x)'  # ops.aten.save(x)",
        "# getattr(x, 'save')",
        's = "\\\\" + "torch.save("',
        "y = 1.5e3 + torch.neg(x)",
        "y = __torch__.saver.save(x, )",
    ],
)
def test_words_in_literals_and_comments_and_own_functions_are_none(line: str) -> None:
    assert told(body(line)) == []


def test_a_method_of_its_own_with_such_a_name_is_in_doubt() -> None:
    code = b"class M(Module):\n  def save(self, x: Tensor) -> Tensor:\n    return x\n  def forward(self, x: Tensor):\n"
    assert told(code + b"    return (self).save(x, )\n") == ["torchscript-unknown"]


def test_what_cannot_be_read_is_told() -> None:
    assert told(b"\xff\xfe code") == ["torchscript-unread"]
    assert told(b"#" * ((32 << 20) + 1)) == ["torchscript-unread"]


def test_odd_text_costs_little() -> None:
    for text in (
        "'" * 300_000,
        '"""' * 100_000,
        "\\" * 300_000 + "'",
        "." * 300_000,
        "a." * 150_000,
        "# '\n" * 80_000,
    ):
        told(text.encode())


def text(value: str) -> bytes:
    return b"X" + len(value).to_bytes(4, "little") + value.encode() + b"q\x01"


def test_bytecode_of_mobile_models() -> None:
    honest = b"\x80\x02(" + text("aten::conv2d") + text("") + text("prim::ListConstruct") + b"t."
    assert "torchscript-effect" not in read(judge_bytecode, honest).rules
    assert (
        read(
            judge_bytecode, b"\x80\x02(" + text("aten::relu") + text("std::string, no operator") + b"t."
        ).rules
        == []
    )
    assert read(judge_bytecode, b"\x80\x02(" + text("aten::save") + b"t.").rules == ["torchscript-effect"]
    short = b"\x80\x04\x8c\x0faten::from_file\x94."
    assert read(judge_bytecode, short).rules == ["torchscript-effect"]


def test_exported_programs() -> None:
    honest = b'{"target": "torch.ops.aten.linear.default", "x": "torch.ops.aten.relu.default"}'
    assert read(judge_export, honest).rules == []
    assert read(judge_export, honest.replace(b"relu", b"from_file")).rules == ["torchscript-effect"]
    assert read(judge_export, honest.replace(b"aten.relu", b"evil.run")).rules == ["torchscript-unknown"]


def test_code_is_found_in_an_archive_and_other_source_is_not_taken_for_it() -> None:
    evil = body('torch.save(x, "f")')
    members = (
        Member(name=b"m/data.pkl"),
        Member(name=b"m/constants.pkl"),
        Member(name=b"m/version", data=b"3"),
    )
    scan = read(read_zip, write(*members, Member(name=b"m/code/__torch__.py", data=evil)))
    assert scan.rules == ["torchscript-effect"]
    assert {part.context for part in scan.parts if part.member.endswith("pkl")} == {"torchscript"}
    assert (
        read(read_zip, write(*members, Member(name=b"m/code/__torch__.py", data=HONEST.encode()))).rules == []
    )
    assert read(read_zip, write(*members, Member(name=b"m/extra/x.py", data=evil))).rules == [
        "archive-source"
    ]


def test_a_pickle_that_calls_itself_code_is_read_as_a_pickle() -> None:
    members = (Member(name=b"m/constants.pkl"), Member(name=b"m/code/x.py", data=INERT))
    assert read(read_zip, write(*members)).contents["m/code/x.py"] == INERT


def test_the_packaged_list_is_whole() -> None:
    table = operators()
    assert ("aten", "conv2d") in table.known
    assert ("torchvision", "nms") in table.known
    assert table.effects["aten", "from_file"] == "file"
    assert table.effects["prim", "rpc_sync"] == "remote"
    assert not table.effects.keys() & table.known


def test_code_that_does_not_look_like_text_is_judged_all_the_same() -> None:
    evil = b"# \x00\x01\x02\n" + body('torch.save(x, "f")')
    members = (
        Member(name=b"m/data.pkl"),
        Member(name=b"m/constants.pkl"),
        Member(name=b"m/code/x.py", data=evil),
    )
    assert "torchscript-effect" in read(read_zip, write(*members)).rules
