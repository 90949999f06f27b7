"""Parquet: values of columns of bytes are handed on, whatever they are packed in."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.scan.corpus.others import parquet
from eightysix.scan import recognise
from eightysix.scan.artifact import Artifact
from eightysix.scan.interface import Kind
from eightysix.scan.texts.blocks import BrokenBlockError, lz4, snappy
from tests.scan.told import Recorder, found, rules, verdict

FIXTURES = Path(__file__).parent / "fixtures"
PICKLE = Kind("pickle", lambda _artifact, head: head[:1] == b"\x80", "eightysix.scan.kinds.nothing:read")


def parts(data: bytes, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The columns of the values that were handed on, with pickles known by their first byte alone."""
    known = (PICKLE, *recognise.kinds())
    monkeypatch.setattr(recognise, "kinds", lambda: known)
    scan = Recorder()
    scan.read(Artifact(data, "file"))
    return sorted(member.split("@")[0] for member, _data in scan.parts)


@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "zstd", "lz4"])
@pytest.mark.parametrize("version", [1, 2])
def test_a_pickle_is_found_in_every_codec_and_page(
    codec: str, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = (FIXTURES / f"rows-{codec}-{version}.parquet").read_bytes()
    assert parts(data, monkeypatch) == ["l.list.element", "o"]


def test_lengths_as_differences(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parts((FIXTURES / "rows-delta.parquet").read_bytes(), monkeypatch) == ["o"]


def test_bytes_that_are_nothing_are_clean() -> None:
    assert verdict((FIXTURES / "plain.parquet").read_bytes()) == "clean"


def test_what_cannot_be_unpacked_is_told() -> None:
    assert rules((FIXTURES / "rows-brotli-1.parquet").read_bytes()) == {"parquet-unread"}
    assert rules(b"PAR1" + b"\0" * 40 + b"\x10\0\0\0PARE") == {"parquet-unread"}


@pytest.mark.parametrize(
    "data", [b"PAR1", b"PAR1\xff\xff\xff\x7fPAR1", b"PAR1" + b"\x15" * 40 + b"\x20\0\0\0PAR1"]
)
def test_a_broken_footer_is_malformed(data: bytes) -> None:
    assert rules(data) == {"parquet-broken"}


REAL = (FIXTURES / "rows-snappy-1.parquet").read_bytes()


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(4, len(REAL) - 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_damage_never_breaks_the_reader(changes: list[tuple[int, int]]) -> None:
    data = bytearray(REAL)
    for place, value in changes:
        data[place] = value
    assert "reader-failed" not in {one.rule for one in found(bytes(data)).findings}


def literal(data: bytes) -> bytes:
    return bytes([(len(data) - 1) << 2]) + data


def test_blocks_repeat_what_overlaps() -> None:
    assert snappy(bytes([12]) + literal(b"ab") + bytes([(9 << 2) | 2, 2, 0]), 100) == b"ab" * 6
    assert lz4(b"\x26ab\x02\x00", 100) == b"ab" * 6


@given(st.binary(max_size=100))
def test_blocks_never_hold_more_than_allowed(data: bytes) -> None:
    for unpack in (snappy, lz4):
        with contextlib.suppress(BrokenBlockError):
            assert len(unpack(data, 50)) <= 50


def test_parquet_metadata_are_read_too() -> None:
    data = parquet(
        (b"a",), metadata=((b"petastorm.unischema.v1", b"\x80\x02cos\nsystem\nX\x04\0\0\0true\x85R."),)
    )
    assert verdict(data) == "malicious"
    plain = parquet((b"a",), metadata=((b"pandas", b'{"columns": []}'),))
    assert verdict(plain) == "clean"
