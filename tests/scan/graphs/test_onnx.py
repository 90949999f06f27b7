"""Operators, external data and bounds in ONNX."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.scan.scanner import scan_bytes
from tests.scan.graphs.assembled import f, message, node, onnx
from tests.scan.weights.assembled import safetensors


def rules(data: bytes) -> set[str]:
    result = scan_bytes(data)
    assert result.file.format == "onnx"
    return {finding.rule for finding in result.findings}


def tensor(*more: bytes, dims: bytes = f(1, 2), kind: int = 1) -> bytes:
    return message(dims, f(2, kind), f(8, "w"), *more)


def external(location: str, *more: tuple[str, str]) -> bytes:
    pairs = [("location", location), *more]
    return tensor(*(f(13, message(f(1, key), f(2, value))) for key, value in pairs), f(14, 1))


def branch(inner: bytes) -> bytes:
    """A node with a graph in an attribute."""
    return node("If", "", f(5, message(f(1, "then_branch"), f(6, inner))))


def settings(**texts: str | int) -> bytes:
    """Attributes of a node."""
    told = [
        message(f(1, key), f(3, one) if isinstance(one, int) else f(4, one)) for key, one in texts.items()
    ]
    return b"".join(f(5, one) for one in told)


@pytest.mark.parametrize(
    "data",
    [
        onnx([node("Relu"), node("Scaler", "ai.onnx.ml"), node("FusedConv", "com.microsoft")]),
        onnx([node("Relu")], [tensor(f(9, bytes(8)))]),
        onnx([node("Relu")], [tensor(f(9, bytes(8)), dims=f(1, b"\x02\x01"))]),
        onnx([node("Relu")], [external("model.onnx.data", ("offset", "0"), ("length", "8"))]),
        onnx([node("Relu")], [external("./weights/part-1.bin")]),
        onnx(
            [node("Mine", "pkg.mine")],
            (),
            f(25, message(f(1, "Mine"), f(10, "pkg.mine"), f(7, node("Relu")))),
        ),
        onnx([branch(message(f(1, node("Relu")), f(2, "inner")))]),
        onnx([node("EPContext", "com.microsoft", settings(embed_mode=1, ep_cache_context="/\0binary"))]),
        onnx([node("Relu")], (), f(14, message(f(1, "author"), f(2, "somebody")))),
    ],
)
def test_whole_models_are_clean(data: bytes) -> None:
    assert rules(data) == set()


@pytest.mark.parametrize(
    ("expected", "data"),
    [
        ("unknown-operator", onnx([node("Op", "com.evil.ops")])),
        ("unknown-operator", onnx([node("Relu", "ai.onnx.ml.extra")])),
        ("unknown-operator", onnx([branch(message(f(1, node("Op", "x.y")), f(2, "inner")))])),
        (
            "unknown-operator",
            onnx([node("A", "m")], (), f(25, message(f(1, "A"), f(10, "m"), f(7, node("B", "n"))))),
        ),
        ("graph-python", onnx([node("PyOp", "ai.onnx.contrib")])),
        ("graph-python", onnx([node("PythonOp", "com.microsoft")])),
        ("outside-path", onnx([node("Relu")], [external("../w")])),
        ("outside-path", onnx([node("Relu")], [external("./a/./../../w")])),
        ("outside-path", onnx([node("Relu")], [external("a\\..\\..\\w")])),
        ("outside-path", onnx([node("Relu")], [external("/etc/passwd")])),
        ("outside-path", onnx([node("Relu")], [external("C:\\w")])),
        ("outside-path", onnx([node("Relu")], [external("~/.ssh/id")])),
        ("outside-path", onnx([node("Relu")], [external("https://host/w")])),
        ("outside-path", onnx([node("Relu")], [external("w\0/x")])),
        ("outside-path", onnx([node("Constant", "", f(5, message(f(1, "value"), f(5, external("../w")))))])),
        ("outside-path", onnx([node("Relu")], (), f(20, f(1, message(f(2, "t"), f(5, external("../w"))))))),
        (
            "outside-path",
            onnx([node("EPContext", "com.microsoft", settings(embed_mode=0, ep_cache_context="/lib/x.so"))]),
        ),
        ("odd-path", onnx([node("Relu")], [external("a/../w")])),
        ("odd-path", onnx([node("Relu")], [external("$HOME/w")])),
        ("runtime-settings", onnx([node("Relu")], (), f(14, message(f(1, "ort_config"), f(2, "{}"))))),
        ("tensor-bounds", onnx([node("Relu")], [external("w", ("offset", "-1"))])),
        ("tensor-bounds", onnx([node("Relu")], [tensor(dims=f(1, -1))])),
        ("tensor-bounds", onnx([node("Relu")], [tensor(dims=f(1, 1 << 40) + f(1, 1 << 40))])),
        ("tensor-bounds", onnx([node("Relu")], [tensor(f(9, bytes(7)))])),
        ("tensor-layout", onnx([node("Relu")], [tensor(f(9, bytes(9)))])),
        ("graph-broken", onnx([node("Relu")])[:-2]),
        ("graph-broken", onnx([node("Relu")]) + b"\x07\x07"),
    ],
)
def test_broken_in_one_place(expected: str, data: bytes) -> None:
    assert expected in rules(data)


def test_unknown_fields_and_their_order_hide_nothing() -> None:
    plain = onnx([node("Op", "com.evil.ops")])
    assert "unknown-operator" in rules(f(900, "x" * 50) * 100 + plain)


def test_what_lies_behind_a_model_is_read_for_what_it_is() -> None:
    inner = safetensors({"w": {"dtype": "F32", "shape": [2], "data_offsets": [-8, 0]}}, bytes(8))
    seen = scan_bytes(onnx([node("Relu")]) + inner).findings
    assert {"graph-broken", "tensor-bounds"} <= {finding.rule for finding in seen}


def test_graphs_in_graphs_end_at_a_depth() -> None:
    inner = message(f(1, node("Relu")), f(2, "g"))
    for _ in range(60):
        inner = message(f(1, branch(inner)), f(2, "g"))
    assert rules(message(f(1, 8), f(7, inner))) == {"bomb"}


def test_the_names_are_told_for_a_policy() -> None:
    (finding,) = scan_bytes(onnx([node("B", "x"), node("A", "x"), node("B", "x")])).findings
    assert finding.names == ("x.A", "x.B")


@given(st.data())
def test_mutations_give_a_verdict(data: st.DataObject) -> None:
    raw = bytearray(
        onnx([node("If"), branch(message(f(1, node("Op", "x"))))], [external("w"), tensor(f(9, bytes(8)))])
    )
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    assert "reader-failed" not in {finding.rule for finding in scan_bytes(bytes(raw)).findings}
