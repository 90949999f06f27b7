"""Compressed streams: one content from one or several streams, what lies behind them, and how far unpacking goes."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
import subprocess
import sys
import zlib
from collections.abc import Callable

import pytest

from eightysix.scan.artifact import Artifact
from eightysix.scan.budget import Limits
from eightysix.scan.containers import lz4, streams, unread
from eightysix.scan.interface import Reader
from eightysix.scan.kinds.containers import KINDS
from eightysix.scan.recognise import reader_of
from tests.scan.containers.recorder import Recorder, read
from tests.scan.containers.zips import INERT


def zf(data: bytes) -> bytes:
    return b"ZF" + hex(len(data)).encode().ljust(19) + zlib.compress(data)


def lz4_frame(data: bytes, *, stored: bool = False) -> bytes:
    """One block: literals only, or bytes that are not packed at all."""
    length = len(data)
    token = bytes([0xF0]) + b"\xff" * ((length - 15) // 255) + bytes([(length - 15) % 255])
    block = data if stored else token + data
    size = len(block) | (1 << 31 if stored else 0)
    return b"\x04\x22\x4d\x18\x60\x40\x82" + size.to_bytes(4, "little") + block + bytes(4)


FORMATS: dict[str, tuple[Callable[[bytes], bytes], Reader]] = {
    "gzip": (gzip.compress, streams.read_gzip),
    "bzip2": (bz2.compress, streams.read_bzip2),
    "xz": (lzma.compress, streams.read_xz),
    "lzma": (lambda data: lzma.compress(data, lzma.FORMAT_ALONE), streams.read_lzma),
    "zlib": (zlib.compress, streams.read_zlib),
    "joblib-zf": (zf, streams.read_zf),
    "lz4": (lz4_frame, lz4.read),
}


def known(data: bytes) -> list[str]:
    artifact = Artifact(data, "-")
    return [kind.name for kind in KINDS if kind.sniff(artifact, data[:512])]


@pytest.mark.parametrize("name", FORMATS)
def test_recognised_by_content_and_read_as_joblib(name: str) -> None:
    packed = FORMATS[name][0](INERT)
    assert known(packed) == [name]
    (kind,) = (kind for kind in KINDS if kind.name == name)
    assert reader_of(kind) is FORMATS[name][1]
    scan = read(FORMATS[name][1], packed)
    assert [part.head(99) for part in scan.parts] == [INERT]
    assert scan.parts[0].context == "joblib"


def test_the_context_of_the_container_is_kept() -> None:
    scan = Recorder()
    streams.read_gzip(Artifact(gzip.compress(INERT), "-", context="nemo"), scan)
    assert scan.parts[0].context == "nemo"


@pytest.mark.parametrize("name", ["gzip", "bzip2", "xz"])
def test_several_streams_are_one_content(name: str) -> None:
    pack, reader = FORMATS[name]
    padding = b"" if name == "bzip2" else bytes(8)
    scan = read(reader, pack(INERT[:9]) + padding + pack(INERT[9:]))
    assert [part.head(99) for part in scan.parts] == [INERT]
    assert "stream-trailing" not in scan.rules


@pytest.mark.parametrize("name", ["gzip", "bzip2", "xz", "zlib", "joblib-zf"])
def test_what_lies_behind_the_end(name: str) -> None:
    pack, reader = FORMATS[name]
    scan = read(reader, pack(INERT) + INERT)
    assert "stream-trailing" in scan.rules
    assert [part.head(99) for part in scan.parts] == [INERT, INERT]
    assert "stream-trailing" not in read(reader, pack(INERT) + b"just words").rules


@pytest.mark.parametrize("name", FORMATS)
def test_a_stream_that_is_cut_off_is_judged_as_far_as_it_goes(name: str) -> None:
    pack, reader = FORMATS[name]
    whole = pack(INERT + random.Random(86).randbytes(400_000))
    scan = read(reader, whole[: len(whole) - 20])
    assert "stream-broken" in scan.rules
    if name not in {"lz4", "bzip2"}:  # these give back whole blocks only, and none is whole
        assert scan.parts[0].head(len(INERT)) == INERT


@pytest.mark.parametrize("name", FORMATS)
def test_damage_is_told(name: str) -> None:
    pack, reader = FORMATS[name]
    packed = pack(INERT)
    data = packed[:14] + b"\xff" * 12 + packed[26:] if name == "lz4" else packed[:22] + b"\xff" * 12
    assert {"stream-broken", "unknown-format"} & set(read(reader, data).rules)


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "lz4"])
def test_unpacking_stops_at_the_budget(name: str) -> None:
    pack, reader = FORMATS[name]
    scan = read(reader, pack(INERT + bytes(8 << 20)), Limits(unpacked=1 << 20))
    assert "too-much" in scan.rules
    assert scan.parts[0].head(len(INERT)) == INERT
    assert len(scan.parts[0]) <= 1 << 20


def test_an_absurd_ratio_is_a_bomb() -> None:
    packed = bz2.compress(bytes(32 << 20))
    assert "expansion" in read(streams.read_bzip2, packed, Limits(ratio_from=1 << 20)).rules
    assert (
        "expansion"
        not in read(streams.read_gzip, gzip.compress(bytes(4 << 20)), Limits(ratio_from=1 << 20)).rules
    )


def test_large_content_goes_to_a_file_and_is_the_same() -> None:
    data = INERT + random.Random(7).randbytes(1 << 20) * 12
    scan = read(streams.read_gzip, gzip.compress(data, 1))
    part = scan.parts[0]
    assert not isinstance(part.raw, bytes)
    assert part.head(len(part)) == data


def test_a_dictionary_that_would_take_all_memory_is_refused() -> None:
    alone = bytearray(lzma.compress(INERT, lzma.FORMAT_ALONE))
    alone[1:5] = b"\xff\xff\xff\xff"
    assert known(bytes(alone)) == ["lzma"]
    assert {"stream-broken", "too-much"} & set(read(streams.read_lzma, bytes(alone)).rules)


def test_noise_is_hardly_taken_for_a_stream() -> None:
    chance = random.Random(86)
    taken = sum(bool(known(chance.randbytes(600))) for _ in range(20_000))
    assert taken <= 20


@pytest.mark.parametrize("data", ["zip", "gz", "xz"])
def test_a_bomb_within_little_memory(data: str) -> None:
    """64 MiB of address space beyond the start and the map of the temporary file that 96 MiB of content go to."""
    code = f"""
import gzip, io, lzma, random, resource, zipfile
from eightysix.scan.artifact import Artifact
from eightysix.scan.budget import Limits
from tests.scan.containers.recorder import Recorder
from eightysix.scan.containers import streams, zip
size = 96 << 20
chance = random.Random(86)
pieces = (chance.randbytes(2048) + bytes((1 << 20) - 2048) for _ in range(96))
buffer = io.BytesIO()
if {data!r} == "zip":
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made, made.open("a", "w") as member:
        for piece in pieces:
            member.write(piece)
else:
    opener = gzip.open if {data!r} == "gz" else lzma.open
    with opener(buffer, "wb") as made:
        for piece in pieces:
            made.write(piece)
packed = buffer.getvalue()
with open("/proc/self/statm") as statm:
    now = int(statm.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + size + (64 << 20),) * 2)
read = {{"zip": zip.read, "gz": streams.read_gzip, "xz": streams.read_xz}}[{data!r}]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
scan = Recorder(Limits(unpacked=1 << 30))
read(Artifact(packed, "-"), scan)
assert len(scan.parts) == 1 and len(scan.parts[0]) == size, scan.told
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) < 60_000  # kilobytes


def test_zstd_of_several_frames() -> None:
    try:
        from backports import zstd
    except ImportError:
        pytest.skip("the extra zstd is not installed")
    skipped = b"\x50\x2a\x4d\x18" + (3).to_bytes(4, "little") + b"abc"
    packed = zstd.compress(INERT[:9]) + skipped + zstd.compress(INERT[9:])
    assert known(packed) == ["zstd"]
    assert known(skipped + packed) == ["zstd"]
    assert [part.head(99) for part in read(streams.read_zstd, packed).parts] == [INERT]
    assert [part.head(99) for part in read(streams.read_zstd, skipped + packed).parts] == [INERT]
    assert "stream-broken" in read(streams.read_zstd, packed[:-5]).rules


@pytest.mark.parametrize(("name", "magic"), unread.UNREAD)
def test_what_has_no_reader_is_said_by_name(name: str, magic: bytes) -> None:
    data = magic + bytes(600)
    assert known(data) == [name]
    (told,) = read(unread.read, data).told
    assert told[0] == "no-reader"
    assert name in told[2]
