"""7z archives, as py7zr wrote them and damaged."""

from __future__ import annotations

import base64
import random
import struct

import pytest

from eightysix.scan.containers.sevenzip import read as read_sevenzip
from tests.scan.containers.recorder import read
from tests.scan.containers.sevenzips import ENCRYPTED, ENCRYPTED_HEADER, READ, UNREAD
from tests.scan.containers.zips import INERT

CONTENT = {"a.pkl": INERT, "d/b.txt": b"hello " * 20}


@pytest.mark.parametrize("name", READ)
def test_each_coder(name: str) -> None:
    scan = read(read_sevenzip, base64.b85decode(READ[name]))
    assert scan.rules == []
    assert scan.contents == CONTENT


def test_what_needs_a_password() -> None:
    assert read(read_sevenzip, base64.b85decode(ENCRYPTED)).rules == ["encrypted-member"]
    assert read(read_sevenzip, base64.b85decode(ENCRYPTED_HEADER)).rules == ["encrypted-member"]


def test_what_has_no_decoder_is_said_by_name() -> None:
    scan = read(read_sevenzip, base64.b85decode(UNREAD))
    assert scan.told == [("packing-unknown", "a.pkl", "it is packed by PPMd")]


def test_a_name_that_climbs_out() -> None:
    data = base64.b85decode(READ["none"])
    names = "a.pkl".encode("utf-16-le")
    if names not in data:  # the header is packed: write it plain
        data = plain_header(data)
    assert "archive-escape" in read(read_sevenzip, data.replace(names, "../ab".encode("utf-16-le"))).rules


def plain_header(data: bytes) -> bytes:
    """The same archive with its header unpacked."""
    from eightysix.scan.artifact import Artifact
    from eightysix.scan.containers import sevenzip
    from eightysix.scan.containers.sevenzip_records import Parser
    from tests.scan.containers.recorder import Recorder

    artifact = Artifact(data, "-")
    offset, size = struct.unpack("<QQ", data[12:28])
    parser = Parser(data[32 + offset : 32 + offset + size], 1000)
    assert parser.byte() == 0x17
    streams = parser.streams()
    ((place, length),) = sevenzip._places(streams)
    header = bytes(sevenzip._unpacked(artifact, Recorder(), streams.folders[0], place, length).data)
    body = data[32:place]
    return data[:12] + struct.pack("<QQ", len(body), len(header)) + data[28:32] + body + header


def test_a_cut_archive_is_told() -> None:
    data = base64.b85decode(READ["LZMA2"])
    for length in (8, 31, 40, len(data) - 1):
        assert read(read_sevenzip, data[:length]).rules == ["zip-broken"]


@pytest.mark.parametrize("name", ["LZMA2", "none", "BZip2"])
def test_damage_is_never_a_crash(name: str) -> None:
    data = plain_header(base64.b85decode(READ[name]))
    chance = random.Random(86)
    for _ in range(1_500):
        hurt = bytearray(data)
        for _ in range(chance.randrange(1, 4)):
            hurt[chance.randrange(32, len(hurt))] = chance.choice(
                (0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256))
            )
        read(read_sevenzip, bytes(hurt))
