"""Changes bytes at random, opcode by opcode where they can be told apart, and puts pickles into containers."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickletools
import random
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable

from bench.fuzz.grammar import SIZES_THAT_LIE, random_pickle

__all__ = ["mutated", "wrapped"]

LONGEST = 64 << 10
"""Bytes that one input may grow to: many small ones find more than a few large ones."""


def _pieces(data: bytes) -> list[bytes]:
    """The opcodes of a pickle, as far as they can be read, and the rest."""
    places = []
    try:
        for _, _, place in pickletools.genops(data):
            places.append(place or 0)
    except Exception:  # noqa: BLE001, S110 - most inputs are broken on purpose
        pass
    if not places:
        return [data]
    return [data[start:end] for start, end in zip(places, [*places[1:], len(data)], strict=True)]


def _flip(chance: random.Random, data: bytes) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :]


def _set(chance: random.Random, data: bytes) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]


def _cut(chance: random.Random, data: bytes) -> bytes:
    return data[: chance.randrange(len(data))]


def _without(chance: random.Random, data: bytes) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + data[at + chance.randint(1, 16) :]


def _twice(chance: random.Random, data: bytes) -> bytes:
    at = chance.randrange(len(data))
    end = at + chance.randint(1, 32)
    return data[:end] + data[at:end] * chance.choice((1, 1, 2, 50)) + data[end:]


def _lie(chance: random.Random, data: bytes) -> bytes:
    at = chance.randrange(len(data))
    size = struct.pack(chance.choice("<B <H <I <Q >I".split()), 0)
    number = chance.choice(SIZES_THAT_LIE) & ((1 << 8 * len(size)) - 1)
    return data[:at] + number.to_bytes(len(size), "little") + data[at + len(size) :]


def _shuffled(chance: random.Random, data: bytes) -> bytes:
    pieces = _pieces(data)
    if len(pieces) < 3:
        return data
    one, other = chance.randrange(len(pieces)), chance.randrange(len(pieces))
    pieces[one], pieces[other] = pieces[other], pieces[one]
    return b"".join(pieces)


def _dropped(chance: random.Random, data: bytes) -> bytes:
    pieces = _pieces(data)
    del pieces[chance.randrange(len(pieces))]
    return b"".join(pieces)


def _grafted(chance: random.Random, data: bytes) -> bytes:
    pieces, other = _pieces(data), _pieces(random_pickle(chance))
    at, start = chance.randrange(len(pieces) + 1), chance.randrange(len(other))
    pieces[at:at] = other[start : start + chance.randint(1, 12)]
    return b"".join(pieces)


def _followed(chance: random.Random, data: bytes) -> bytes:
    between = chance.choice((b"", b"\n", b"\x00" * 7, b"junk", b"."))
    return data + between + random_pickle(chance)


def _preceded(chance: random.Random, data: bytes) -> bytes:
    return (
        chance.choice(
            (b"\n", b"\x00", b"N0", b"\xef\xbb\xbf", b"#!/bin/sh\n", b"N.", b"PK\x03\x04", b"\x1f\x8b")
        )
        + data
    )


WAYS: tuple[tuple[int, Callable[[random.Random, bytes], bytes]], ...] = (
    (3, _flip),
    (3, _set),
    (2, _cut),
    (3, _without),
    (3, _twice),
    (3, _lie),
    (4, _shuffled),
    (4, _dropped),
    (6, _grafted),
    (2, _followed),
    (1, _preceded),
)


def mutated(chance: random.Random, data: bytes) -> bytes:
    """`data` after one to four changes."""
    for _ in range(chance.choice((1, 1, 2, 4))):
        if not data:
            break
        way = chance.choices([way for _, way in WAYS], [weight for weight, _ in WAYS])[0]
        data = way(chance, data)[:LONGEST]
    return data


# --- containers ------------------------------------------------------------------------------------------------------


def _zip(chance: random.Random, data: bytes) -> bytes:
    out = io.BytesIO()
    name = chance.choice(
        ("archive/data.pkl", "data.pkl", "x/y.bin", "model", "archive/constants.pkl", "a.npy")
    )
    method = chance.choice(
        (zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    )
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr(name, data)
        archive.writestr("archive/version", "3\n")
    return out.getvalue()


def _tar(_chance: random.Random, data: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        entry = tarfile.TarInfo("model.pkl")
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def _npy(chance: random.Random, data: bytes) -> bytes:
    head = b"{'descr': '|O', 'fortran_order': False, 'shape': (%d,), }" % chance.choice((0, 1, 2))
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + data


CONTAINERS: tuple[Callable[[random.Random, bytes], bytes], ...] = (
    _zip,
    _zip,
    _tar,
    _npy,
    lambda _, data: gzip.compress(data),
    lambda _, data: bz2.compress(data),
    lambda _, data: lzma.compress(data),
    lambda _, data: zlib.compress(data),
)


def wrapped(chance: random.Random, data: bytes) -> bytes:
    """`data` in one to three containers."""
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        data = chance.choice(CONTAINERS)(chance, data)
    return data
