"""Headers of safetensors against the length of the file."""

from __future__ import annotations

import json
import mmap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.model.finding import FileVerdict
from eightysix.scan.scanner import scan_bytes, scan_file
from tests.scan.weights.assembled import PICKLE, safetensors

W = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def rules(data: bytes) -> set[str]:
    result = scan_bytes(data)
    assert result.file.format == "safetensors"
    return {finding.rule for finding in result.findings}


@pytest.mark.parametrize(
    ("header", "data"),
    [
        ({"w": W}, bytes(8)),
        ({}, b""),
        ({"__metadata__": {"format": "pt"}, "w": W}, bytes(8)),
        ({"b": {"dtype": "BF16", "shape": [2], "data_offsets": [8, 12]}, "a": W}, bytes(12)),
        ({"none": {"dtype": "I64", "shape": [0, 5], "data_offsets": [0, 0]}, "w": W}, bytes(8)),
        ({"scalar": {"dtype": "U8", "shape": [], "data_offsets": [0, 1]}}, bytes(1)),
        ({"four": {"dtype": "F4", "shape": [3, 2], "data_offsets": [0, 3]}}, bytes(3)),
        (b'  {"w": {"shape":[2],"dtype":"F32","data_offsets":[0,8]} }  \n ', bytes(8)),
    ],
)
def test_whole_files_are_clean(header: object, data: bytes) -> None:
    assert rules(safetensors(header, data)) == set()


@pytest.mark.parametrize(
    ("expected", "data"),
    [
        ("tensor-bounds", safetensors({"w": {**W, "data_offsets": [-8, 8]}}, bytes(8))),
        ("tensor-bounds", safetensors({"w": {**W, "data_offsets": [8, 0]}}, bytes(8))),
        ("tensor-bounds", safetensors({"w": {**W, "shape": [1 << 40, 1 << 40]}}, bytes(8))),
        ("tensor-bounds", safetensors({"w": {**W, "shape": [10**30]}}, bytes(8))),
        ("tensor-bounds", safetensors({"a": W, "b": W}, bytes(8))),
        ("tensor-bounds", safetensors({"w": {**W, "shape": [1] * 100, "data_offsets": [0, 4]}}, bytes(4))),
        ("tensor-bounds", safetensors({"w": W}, bytes(8), length=100_000_001)),
        (
            "tensor-bounds",
            safetensors({"a": W, "b": {**W, "data_offsets": [1 << 40, (1 << 40) + 8]}}, bytes(8)),
        ),
        ("tensor-bounds", safetensors({"w": {**W, "shape": [3]}}, bytes(8))),
        ("tensor-layout", safetensors({"w": {**W, "shape": [100], "data_offsets": [0, 400]}}, bytes(8))),
        ("tensor-layout", safetensors({"w": {**W, "shape": [1]}}, bytes(8))),
        ("tensor-layout", safetensors({"a": W, "b": {**W, "data_offsets": [16, 24]}}, bytes(24))),
        ("tensor-layout", safetensors({"w": W}, bytes(8), length=4_000)),
        (
            "weights-header",
            safetensors(b'{"w": {"dtype": "F32", "dtype": "U8", "shape": [], "data_offsets": [0, 4]}}'),
        ),
        ("weights-header", safetensors(f'{{"w": {json.dumps(W)}, "w": {json.dumps(W)}}}'.encode(), bytes(8))),
        ("weights-header", safetensors({"__metadata__": {"a": 1}})),
        ("weights-header", safetensors({"__metadata__": ["a"]})),
        ("weights-header", safetensors(b'[{"w": 1}]')),
        ("weights-header", safetensors(b'{"w": NaN}')),
        ("weights-header", safetensors({"w": {**W, "extra": 1}}, bytes(8))),
        ("weights-header", safetensors({"w": {**W, "shape": [True]}}, bytes(8))),
        ("weights-header", safetensors({"w": {**W, "shape": [2.0]}}, bytes(8))),
        ("weights-header", safetensors({"w": {**W, "dtype": "F99"}}, bytes(8))),
        ("weights-header", safetensors(b'{"w": 1} and more')),
        ("weights-header", safetensors(b'{"\xff": 1}')),
        ("hidden-data", safetensors({"w": W}, bytes(8) + PICKLE)),
        (
            "hidden-data",
            safetensors({"a": W, "b": {**W, "data_offsets": [64, 72]}}, bytes(8) + b"#" * 56 + bytes(8)),
        ),
        ("bomb", safetensors(b"[" * 100_000)),
        ("bomb", safetensors(b'{"w": ' + b"[" * 100_000)),
    ],
)
def test_broken_in_one_place(expected: str, data: bytes) -> None:
    assert expected in rules(data)


def test_zeros_behind_the_tensors_hide_nothing() -> None:
    found = rules(safetensors({"w": W}, bytes(80)))
    assert "tensor-layout" in found
    assert "hidden-data" not in found


def test_text_that_reads_like_code_only_informs() -> None:
    header = {"__metadata__": {"note": "__import__('x').y()"}, "w": W}
    result = scan_bytes(safetensors(header, bytes(8)))
    assert [finding.rule for finding in result.findings] == ["code-in-metadata"]
    assert result.file.verdict is FileVerdict.CLEAN


def test_the_numbers_are_never_touched(tmp_path: Path) -> None:
    # 64 GB that exist only as a hole: reading them would take minutes.
    size = 64 << 30
    path = tmp_path / "x"
    with path.open("wb") as stream:
        head = safetensors({"w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}})
        stream.write(head)
        stream.truncate(len(head) + size)
    assert scan_file(str(path)).file.verdict is FileVerdict.CLEAN


def test_what_hides_behind_the_tensors_is_read_for_what_it_is() -> None:
    inner = safetensors({"w": {**W, "data_offsets": [-8, 8]}}, bytes(8))
    result = scan_bytes(safetensors({"w": W}, bytes(8) + inner))
    assert any(
        finding.rule == "tensor-bounds" and finding.member.startswith("bytes at")
        for finding in result.findings
    )


@given(st.data())
def test_mutations_give_a_verdict(data: st.DataObject) -> None:
    raw = bytearray(
        safetensors({"__metadata__": {"a": "b"}, "w": W, "v": {**W, "data_offsets": [8, 16]}}, bytes(16))
    )
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    result = scan_bytes(bytes(raw))
    assert "reader-failed" not in {finding.rule for finding in result.findings}


def test_a_map_is_read_like_bytes(tmp_path: Path) -> None:
    raw = safetensors({"w": W}, bytes(8) + PICKLE)
    path = tmp_path / "x"
    path.write_bytes(raw)
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        names = [finding.rule for finding in scan_bytes(mapped).findings]
    assert names == [finding.rule for finding in scan_bytes(raw).findings]
