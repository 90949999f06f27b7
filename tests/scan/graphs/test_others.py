"""What is no model, what only pretends to be one, and models that nothing here reads."""

from __future__ import annotations

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.model.finding import FileVerdict
from eightysix.scan.artifact import Artifact
from eightysix.scan.graphs.crc import crc32c, masked
from eightysix.scan.kinds import others
from eightysix.scan.kinds.magic import HARMLESS, PROGRAMS, UNREAD
from eightysix.scan.recognise import recognise
from eightysix.scan.scanner import scan_bytes
from tests.scan.graphs.assembled import f, message
from tests.scan.weights.assembled import gguf, gguf_tensor

ELF = b"\x7fELF\x02\x01\x01" + bytes(57)
PE = b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\0\0" + bytes(60)
SCRIPT = b"#!/bin/sh\necho hello\n"


def record(data: bytes) -> bytes:
    """One record of a TFRecord file."""
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked(crc32c(length))) + data + bytes(4)


def ubj(value: object) -> bytes:
    """UBJSON as XGBoost writes it: lengths of eight bytes."""
    if isinstance(value, dict):
        return b"{" + b"".join(size(key) + ubj(one) for key, one in value.items()) + b"}"
    if isinstance(value, list):
        return b"[" + b"".join(map(ubj, value)) + b"]"
    if isinstance(value, str):
        return b"S" + size(value)
    if isinstance(value, bytes):
        return b"[$U#L" + struct.pack(">q", len(value)) + value
    return b"l" + struct.pack(">i", value)


def size(text: str) -> bytes:
    return b"L" + struct.pack(">q", len(text.encode())) + text.encode()


def found(data: bytes, name: str = "-") -> tuple[str, set[str]]:
    result = scan_bytes(data, name)
    return result.file.format, {finding.rule for finding in result.findings}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("empty", b""),
        ("text", b"hello\n"),
        ("text", "größer als ein Wort\n".encode()),
        ("text", "ein größeres Wort ".encode("latin-1") * 20),
        ("text", "мир\n".encode() * 40_000),
        ("text", "hello".encode("utf-16")),
        ("text", b"tree\nversion=v4\nnum_class=1\n"),
        ("pmml", b"<?xml version='1.0'?>\n<PMML version='4.4'/>"),
        ("openvino-ir", b'<?xml version="1.0"?><net name="x" version="11"><layers/></net>'),
        (
            "xml",
            b'<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://w3.org/x.dtd"><svg/>',
        ),
        ("xml", "<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>".encode("utf-16")),
        ("text", b"<html><body>hello</body></html>"),
        ("script", SCRIPT),
        ("elf", ELF),
        ("pe", PE),
        ("python-bytecode", struct.pack("<H", 3495) + b"\r\n" + bytes(12) + b"\xe3" + bytes(30)),
        ("bitmap", b"BM" + struct.pack("<I", 30) + bytes(24)),
        ("tensorflow-records", record(b"\x08\x01")),
        ("sorted-table", b"\x01\x02" * 40 + struct.pack("<Q", 0xDB4775248B80FB57)),
        ("tensorflow-fingerprint", message(*(f(n, 0xFEDCBA9876543210) for n in range(1, 6)), f(6, f(1, 1)))),
        ("ubjson", ubj({"learner": {"name": "x", "weights": [1, 2, b"\1\2\3"]}, "version": [2, 1]})),
    ],
)
def test_what_is_no_model_is_clean_by_name(name: str, data: bytes) -> None:
    assert found(data) == (name, set())


@pytest.mark.parametrize(("name", "offset", "magic"), [*HARMLESS, *PROGRAMS], ids=str)
def test_magic_of_harmless_formats(name: str, offset: int, magic: bytes) -> None:
    data = bytes([1]) * offset + magic + bytes(600)
    assert found(data) == (name, set())


@pytest.mark.parametrize(("name", "offset", "magic"), UNREAD, ids=str)
def test_magic_of_formats_without_a_reader(name: str, offset: int, magic: bytes) -> None:
    data = bytes([1]) * offset + magic + bytes(600)
    assert found(data) == (name, {"no-reader"})


@pytest.mark.parametrize("data", [ELF, PE, SCRIPT], ids=["elf", "pe", "script"])
@pytest.mark.parametrize("name", ["m.bin", "m.PT", "dir/m.safetensors", "a.tar!m.gguf"])
def test_programs_under_the_name_of_a_model(data: bytes, name: str) -> None:
    assert found(data, name)[1] == {"disguised-program" if name == "m.bin" else "program-as-model"}


@pytest.mark.parametrize("name", ["tool", "lib.so.1", "run.sh", "a.exe", "bin/tool"])
def test_programs_under_their_own_names(name: str) -> None:
    assert not found(ELF, name)[1] | found(PE, name)[1] | found(SCRIPT, name)[1]


def test_a_llamafile_is_a_program_and_its_model_is_read() -> None:
    inner = gguf([], [gguf_tensor(offset=1 << 40)], bytes(32))
    name, rules = found(b"MZqFpD='\n" + bytes(503) + inner)
    assert name == "pe"
    assert {"disguised-program", "tensor-bounds"} <= rules


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (struct.pack("<II", 6, 1) + b"\x1bLua" + bytes(9), "foreign-code"),
        (struct.pack("<III", 4, 1, 3) + b"V 1" + bytes(9), "no-reader"),
        (struct.pack("<III", 4, 1, 3) + b"V 1" + bytes(90) + b"\x1bLJ\x02", "foreign-code"),
    ],
)
def test_torch_7(data: bytes, expected: str) -> None:
    assert found(data) == ("torch7", {expected})


def test_mxnet_and_paddle_that_call_python() -> None:
    symbol = {"nodes": [{"op": "Custom", "name": "x"}], "arg_nodes": [], "heads": [[0, 0, 0]]}
    assert found(json.dumps(symbol).encode()) == ("mxnet-symbol", {"graph-python", "no-reader"})
    symbol["nodes"] = [{"op": "FullyConnected", "name": "x"}]
    assert found(json.dumps(symbol).encode())[1] == {"no-reader"}
    for kind, rules in (("py_func", {"graph-python", "no-reader"}), ("matmul", {"no-reader"})):
        block = message(f(1, 0), f(2, 0), f(3, f(1, "x")), f(4, message(f(1, f(1, "X")), f(3, kind))))
        assert found(f(1, block)) == ("paddle", rules)


ENTITIES = "".join(f"<!ENTITY e{n + 1} '> {f'&e{n};' * 10}'>" for n in range(9))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    ("declared", "rule"),
    [
        ("<!ENTITY x SYSTEM 'file:///etc/passwd'>", "xml-entity"),
        ("<!ENTITY % x PUBLIC 'a' 'http://host/x'>", "xml-entity"),
        ("<!ENTITY e0 'lol'>" + ENTITIES, "bomb"),
    ],
)
def test_entities_of_xml(declared: str, rule: str, encoding: str) -> None:
    text = f"<?xml version='1.0'?><!DOCTYPE PMML [{declared}]><PMML>&x;</PMML>"
    assert found(text.encode(encoding)) == ("pmml", {rule})


def test_ubjson_must_be_whole() -> None:
    data = ubj({"learner": [1, 2, 3]})
    assert found(data[:-2])[1] == {"graph-broken"}
    assert "hidden-data" in found(data + b"\x80\x04.")[1]
    assert found(b"{L" + struct.pack(">q", 1) + b"a" + b"[" * 500)[1] == {"graph-broken"}
    assert found(b"{L" + struct.pack(">q", 1) + b"a[$U#L" + struct.pack(">q", 1 << 60))[1] == {"graph-broken"}


@pytest.mark.parametrize("data", [b"\x07\x99\0\1" * 100, bytes(range(256)) * 4, b"text\0with a null"])
def test_unknown_binary_is_no_text(data: bytes) -> None:
    assert found(data)[1] == {"unknown-format"}


def test_text_with_binary_behind_it_is_no_text() -> None:
    assert found(b"hello\n" * 100_000 + b"\0\1\2")[1] == {"text-broken"}


@given(st.sampled_from([record(b"ab"), ubj({"a": [1, b"xy", "z"]}), ELF, PE]), st.data())
def test_mutations_give_a_verdict(whole: bytes, data: st.DataObject) -> None:
    raw = bytearray(whole)
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    result = scan_bytes(bytes(raw))
    assert "reader-failed" not in {finding.rule for finding in result.findings}
    assert result.file.verdict in set(FileVerdict)


def test_every_sniffer_bears_every_length() -> None:
    for magic in (
        b"",
        b"{",
        b"MZ",
        b"BM",
        b"\xff\xfb",
        b"{L",
        b"\x04\0\0\0",
        b"\x08\x07:",
        b"\n\x0b",
        b"\xff\xfe",
    ):
        for length in range(40):
            recognise(Artifact((magic + bytes(range(1, 41)))[:length], "-"))
    assert others.KINDS
