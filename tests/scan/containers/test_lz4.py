"""LZ4 frames, as the lz4 project's library wrote them."""

from __future__ import annotations

import base64

import pytest

from eightysix.scan.budget import Limits
from eightysix.scan.containers.lz4 import read as read_lz4
from tests.scan.containers.recorder import read
from tests.scan.containers.test_mutated import LZ4

CONTENT = b"to be or not to be, that is the question: " * 40 + bytes(range(256))


def test_matches_literals_and_linked_blocks() -> None:
    scan = read(read_lz4, base64.b85decode(LZ4))
    assert [part.head(len(part)) for part in scan.parts] == [CONTENT]


def test_frames_follow_each_other_over_what_may_be_skipped() -> None:
    one = base64.b85decode(LZ4)
    skipped = b"\x50\x2a\x4d\x18" + (3).to_bytes(4, "little") + b"abc"
    scan = read(read_lz4, one + skipped + one)
    assert [part.head(len(part)) for part in scan.parts] == [CONTENT * 2]


@pytest.mark.parametrize("length", [5, 12, 30, 100])
def test_a_frame_that_is_cut_off(length: int) -> None:
    assert "stream-broken" in read(read_lz4, base64.b85decode(LZ4)[:length]).rules


def test_long_matches_stop_at_the_budget() -> None:
    """One literal and a match of four million bytes, again and again: 250 bytes out for each byte in."""
    block = (
        bytes([0x1F]) + b"a" + (1).to_bytes(2, "little") + b"\xff" * 16_000 + b"\x00" + bytes([0x10]) + b"b"
    )
    head = b"\x04\x22\x4d\x18\x60\x70\x73"
    bomb = head + (len(block).to_bytes(4, "little") + block) * 50 + bytes(4)
    scan = read(read_lz4, bomb, Limits(unpacked=8 << 20))
    assert "too-much" in scan.rules
    assert len(scan.parts[0]) <= 8 << 20


def test_short_matches_stop_at_the_budget_of_steps() -> None:
    block = (bytes([0x10]) + b"a" + (1).to_bytes(2, "little")) * 15_000 + bytes([0x10]) + b"b"
    head = b"\x04\x22\x4d\x18\x60\x70\x73"
    slow = head + (len(block).to_bytes(4, "little") + block) * 4 + bytes(4)
    assert "too-much" in read(read_lz4, slow, Limits(steps=200_000)).rules
