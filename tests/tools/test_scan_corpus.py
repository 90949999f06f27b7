"""The corpus that scan is measured on: the same by seed, true to its labels, counted fairly. Nothing of it is loaded."""

from __future__ import annotations

import csv
import io
import json
import lzma
import pickletools
import tarfile
import zipfile
from pathlib import Path
from random import Random

import pytest

from bench.scan.corpus import archives, assembler, evasions, everyday, gadgets, mixed, weights
from bench.scan.corpus.__main__ import malicious
from bench.scan.corpus.mine import gadgets as mined
from bench.scan.corpus.mine import read as read_sources
from bench.scan.corpus.pickles.naming import names
from bench.scan.corpus.sample import Sample, chance_of, write, write_manifest
from bench.scan.peers import Item, read, sampled, summary
from tools.readme_output import scan_table

# Opcodes that only exist inside text written by hand (`i` of INST) are told apart by their functions.
BY_FUNCTION = {
    "INT": assembler.int_(1),
    "LONG": assembler.long_(1),
    "FLOAT": assembler.float_("1"),
    "STRING": assembler.string("a"),
    "UNICODE": assembler.unicode_("a"),
    "PUT": assembler.put(1),
    "GET": assembler.get(1),
    "PERSID": assembler.persid("a"),
    "GLOBAL": assembler.global_("a", "b"),
    "PROTO": assembler.proto(4),
    "FRAME": assembler.frame(b""),
    "BINSTRING": assembler.binstring("a"),
    "SHORT_BINSTRING": assembler.short_binstring("a"),
    "BINUNICODE": assembler.binunicode("a"),
    "SHORT_BINUNICODE": assembler.short("a"),
    "BINUNICODE8": assembler.binunicode8("a"),
    "BINBYTES": assembler.binbytes(b""),
    "SHORT_BINBYTES": assembler.short_binbytes(b""),
    "BINBYTES8": assembler.binbytes8(b""),
    "BYTEARRAY8": assembler.bytearray8(b""),
    "BININT": assembler.binint(1),
    "BININT1": assembler.binint1(1),
    "BININT2": assembler.binint2(1),
    "LONG1": assembler.long1(b""),
    "LONG4": assembler.long4(b""),
    "BINFLOAT": assembler.binfloat(1.0),
    "BINPUT": assembler.binput(1),
    "BINGET": assembler.binget(1),
    "LONG_BINPUT": assembler.long_binput(1),
    "LONG_BINGET": assembler.long_binget(1),
    "EXT1": assembler.ext1(1),
    "EXT2": assembler.ext2(1),
    "EXT4": assembler.ext4(1),
}


def test_every_opcode_can_be_written() -> None:
    constants = {value for value in vars(assembler).values() if isinstance(value, bytes)}
    for opcode in pickletools.opcodes:
        code = opcode.code.encode("latin-1")
        if opcode.name == "INST":
            assert assembler.inst("a", "b").endswith(b"ia\nb\n")
        elif opcode.name in BY_FUNCTION:
            written = BY_FUNCTION[opcode.name]
            assert written.startswith(code)
            told = next(iter(pickletools.genops(written + assembler.STOP)))
            assert told[0].name == opcode.name
        else:
            assert code in constants, opcode.name


def test_the_same_seed_gives_the_same_bytes_and_another_gives_others() -> None:
    for module in (evasions, mixed, weights):
        first, again = list(module.samples(1)), list(module.samples(1))
        assert first == again
        assert first != list(module.samples(2))


def test_no_two_samples_have_one_path_or_one_technique() -> None:
    made = [(one.path, one.technique) for one in malicious(86)]
    assert len({path for path, _ in made}) == len({technique for _, technique in made}) == len(made) > 2000
    good = [one.path for one in everyday.samples(86)]
    assert len(set(good)) == len(good)
    assert not [
        path
        for path in (*good, *(path for path, _ in made))
        if path.startswith("/") or ".." in path.split("/")
    ]


def test_names_are_written_in_other_ways_and_are_still_those_names() -> None:
    made = {one[0]: one[1] for one in names(chance_of(86, "any"))}
    plain = made["name-as-binunicode"]
    told = [argument for opcode, argument, _ in pickletools.genops(plain) if isinstance(argument, str)]
    for way in ("unicode-escapes", "unicode", "binunicode8", "short-binstring"):
        other = [a for o, a, _ in pickletools.genops(made[f"name-as-{way}"]) if isinstance(a, str)]
        assert other[:2] == told[:2], way


def test_gadgets_are_called_at_every_protocol() -> None:
    versions = {one.data[1] if one.data[:1] == b"\x80" else 0 for one in gadgets.samples(86)}
    assert versions >= {0, 2, 3, 4, 5}


def test_archives_say_what_they_were_told() -> None:
    members = [archives.Member("a/data.pkl", b"x" * 50, method) for method in (0, 8, 12, 14)]
    for member in members:
        with zipfile.ZipFile(io.BytesIO(archives.zip_([member]))) as made:
            assert made.read("a/data.pkl") == b"x" * 50
    lying = archives.zip_([archives.Member("a.txt", b"x", local_name="b.pkl", crc=1)])
    with zipfile.ZipFile(io.BytesIO(lying)) as made:
        assert made.namelist() == ["a.txt"]
    assert b"b.pkl" in lying
    with tarfile.open(fileobj=io.BytesIO(archives.tar([("a", b"1")], "w:gz"))) as tar:
        assert tar.getnames() == ["a"]
    assert archives.tar([("a", b"1")], "w:gz") == archives.tar([("a", b"1")], "w:gz")
    assert lzma.decompress(lzma.compress(archives.zstd(b"x"))).startswith(b"\x28\xb5\x2f\xfd")
    assert archives.xxh32(b"") == 0x02CC5D05  # from the reference implementation's tests


def test_mining_finds_what_flows_into_a_sink_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(
        "import os\nfrom subprocess import run\n"
        "def direct(x): os.system(x)\n"
        "def passed(a, b='y'):\n    c = b + 'z'\n    helper(c)\n"
        "def helper(word): run(word, shell=True)\n"
        "def fixed(x): os.system('ls')\n"
        "def reads(path): return open(path).read()\n"
        "def writes(path): return open(path, 'w')\n"
        "class Tool:\n    def __init__(self, name): os.popen(name)\n    def go(self, word): helper(word)\n"
    )
    found = {
        name: (position, effect)
        for (_, name), (position, _, effect, _) in mined(list(read_sources(tmp_path))).items()
    }
    assert found == {
        "direct": (0, "command"),
        "helper": (0, "command"),
        "passed": (1, "command"),
        "writes": (0, "write"),
        "Tool": (0, "command"),
        "Tool.go": (1, "command"),
    }


def test_a_corpus_is_read_without_what_no_rate_counts(tmp_path: Path) -> None:
    rows = write(
        tmp_path,
        [
            Sample("a", b"1", "t", "pickle"),
            Sample("b", b"2", "u", "pickle", "gray"),
            Sample("c", b"3", "v", "misc", label="benign"),
        ],
    )
    write_manifest(tmp_path, rows)
    with (tmp_path / "manifest.csv").open("a") as file:
        csv.writer(file).writerow(("malicious/a", "malicious", "s", "x", "evasion:x", "pickle"))
    assert [(item.label, item.family) for item in read(tmp_path)] == [
        ("benign", "misc"),
        ("malicious", "pickle"),
        ("malicious", "pickle"),
    ]


def test_a_sample_is_the_same_in_every_order() -> None:
    items = [Item(Path(f"/x/{n}"), "benign", "misc", str(n)) for n in range(50)]
    shuffled = [*items]
    Random(1).shuffle(shuffled)
    assert sampled(items, 7) == sampled(shuffled, 7)
    assert len(sampled(items, 99)) == 50


@pytest.fixture
def row() -> dict[str, object]:
    def answer(default: str, other: str) -> dict[str, object]:
        return {"default": default, "other": other, "said": "", "cpu": 0.5, "peak_kb": 1}

    bad, good = Item(Path("a"), "malicious", "pickle", "t"), Item(Path("b"), "benign", "misc", "u")
    made = summary(
        "hayward",
        [
            (bad, answer("told", "told")),
            (bad, answer("error", "error")),
            (good, answer("clean", "told")),
            (good, answer("timeout", "timeout")),
        ],
    )
    return {**made, "version": "1", "peak_mb": 3.0}


def test_what_was_told_is_counted_by_label(row: dict[str, object]) -> None:
    told = row["all"]
    assert isinstance(told, dict)
    assert (told["malicious"]["default_pct"], told["malicious"]["other_pct"]) == (50.0, 50.0)
    assert (told["benign"]["default_pct"], told["benign"]["other_pct"]) == (0.0, 50.0)
    assert (row["error"], row["timeout"], row["cpu_seconds"]) == (1, 1, 2.0)


def test_the_readme_shows_what_was_measured(tmp_path: Path, row: dict[str, object]) -> None:
    assert scan_table(tmp_path) == ""
    measured = {"generated": {"files": 4, "labels": {"malicious": 2, "benign": 2}, "tools": [row]}}
    (tmp_path / "scan.json").write_text(json.dumps(measured))
    assert (
        "| hayward 1 (--fail-on medium) | 50.0 % (50.0 %) | 0.0 % (50.0 %) | 1, 0, 1 | 500.0 ms | 3 MB |"
        in scan_table(tmp_path)
    )
