"""Reads safetensors: a header of JSON in front of raw numbers. The numbers themselves are never touched.

What the reference implementation checks (huggingface/safetensors, `Metadata::validate`): the header is at most 100 MB,
offsets follow each other without hole or overlap, shape and type agree with them, and the last one ends the file. What
it lets pass is asked here too: names that occur twice, and metadata that is no text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

from eightysix.scan.artifact import Artifact
from eightysix.scan.interface import Scan
from eightysix.scan.weights.code import looks_like_code
from eightysix.scan.weights.places import hidden, holes, overlaps
from eightysix.scan.weights.shown import shown

__all__ = ["HEADER_CAP", "read"]

HEADER_CAP = 100_000_000
"""The reference's MAX_HEADER_SIZE: loaders refuse more."""

HEADER_READ = 48 << 20
"""Headers up to this many bytes are read here; the largest in public models have a few MB. Memory is bounded by it."""

_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32, "I64": 64, "U64": 64, "F64": 64,
    "C64": 64, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip
"""Bits of one element, as in the reference's `Dtype::bitsize`."""

_MOST = (1 << 63) - 1
_SPACE = " \t\n\r"
_RANK = 64
"""More dimensions than any framework has (numpy 64, PyTorch 64)."""


class _BrokenError(Exception):
    """The header is not what the format asks for."""


class _BombError(Exception):
    """The header nests deeper than any header does."""


def read(artifact: Artifact, scan: Scan) -> None:
    """Judge the header against the file's length, and look into bytes that no tensor owns."""
    length = int.from_bytes(artifact.head(8), "little")
    if length > HEADER_CAP:
        scan.report(
            "tensor-bounds", artifact, f"the header claims {length:,} bytes, loaders take 100,000,000"
        )
        return
    if length > len(artifact) - 8:
        scan.report("tensor-layout", artifact, "the header is longer than the file")
        return
    if length > HEADER_READ:
        scan.report("too-much", artifact, f"a header of {length:,} bytes; {HEADER_READ:,} are read")
        return
    try:
        text = str(artifact.view()[8 : 8 + length], "utf-8")
    except UnicodeDecodeError:
        scan.report("weights-header", artifact, "the header is no UTF-8")
        return
    _judge(artifact, scan, text, length + 8)


def _judge(artifact: Artifact, scan: Scan, text: str, start: int) -> None:
    spans: list[tuple[int, int]] = []
    seen: set[str] = set()
    try:
        for number, (name, value) in enumerate(_entries(text)):
            if not number % 1_000:
                scan.budget.step(1_000)
            if name in seen:
                scan.report("weights-header", artifact, f"the name {shown(name)} occurs twice")
            seen.add(name)
            if name == "__metadata__":
                _metadata(artifact, scan, value)
            else:
                span = _tensor(artifact, scan, name, value)
                if span is not None:
                    spans.append(span)
    except _BombError:
        scan.report("bomb", artifact, "the header nests deeper than any header does", offset=8)
        return
    except _BrokenError as error:
        scan.report("weights-header", artifact, str(error), offset=8)
        return
    _layout(artifact, scan, spans, start)


def _layout(artifact: Artifact, scan: Scan, spans: list[tuple[int, int]], start: int) -> None:
    spans.sort()
    size = len(artifact) - start
    end = max((last for _, last in spans), default=0)
    if end > size:
        scan.report("tensor-layout", artifact, f"the tensors end {end - size:,} bytes behind the file")
        # A cut file still has its tensors one behind the other: a jump to behind the end was written so.
        if any(last > size for _, last in holes(spans, end, 0)):
            scan.report("tensor-bounds", artifact, "a tensor lies far behind the end of the file")
    place = overlaps(spans)
    if place is not None:
        scan.report("tensor-bounds", artifact, "two tensors share bytes", offset=start + place)
    gaps = list(holes(spans, size))
    if gaps:
        scan.report(
            "tensor-layout", artifact, "there are bytes that no tensor owns", offset=start + gaps[0][0]
        )
    hidden(scan, artifact, ((start + first, start + last) for first, last in gaps), "in the data")


def _entries(text: str) -> Iterator[tuple[str, Any]]:
    """The pairs of the outermost object one by one: a header of a million tensors is never one tree in memory."""
    decode = json.JSONDecoder(
        object_pairs_hook=_pairs, parse_constant=_constant, parse_int=_number
    ).raw_decode
    place = _skip(text, 0)
    if text[place : place + 1] != "{":
        if text[place : place + 1] == "[" and text[place : place + 1_000].count("[") > 100:
            raise _BombError
        raise _BrokenError("the header is no JSON object")
    place = _skip(text, place + 1)
    if text[place : place + 1] == "}":
        _only_space(text, place + 1)
        return
    while True:
        if text[place : place + 1] != '"':
            raise _BrokenError("the header is no JSON")
        try:
            name, place = scanstring(text, place + 1, True)
            place = _skip(text, place)
            if text[place : place + 1] != ":":
                raise _BrokenError("the header is no JSON")
            value, place = decode(text, _skip(text, place + 1))
        except RecursionError:
            raise _BombError from None
        except ValueError:
            raise _BrokenError("the header is no JSON") from None
        yield name, value
        place = _skip(text, place)
        mark = text[place : place + 1]
        if mark == "}":
            _only_space(text, place + 1)
            return
        if mark != ",":
            raise _BrokenError("the header is no JSON")
        place = _skip(text, place + 1)


def _skip(text: str, place: int) -> int:
    while text[place : place + 1] and text[place] in _SPACE:
        place += 1
    return place


def _only_space(text: str, place: int) -> None:
    if text[place:].strip(_SPACE):
        raise _BrokenError("something follows the header's object")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise _BrokenError("a field occurs twice")
    return table


def _constant(word: str) -> None:
    raise _BrokenError(f"{word} is no JSON")


def _number(digits: str) -> int:
    return int(digits) if len(digits) < 25 else (-_MOST - 1 if digits.startswith("-") else _MOST + 1)


def _metadata(artifact: Artifact, scan: Scan, value: object) -> None:
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
        scan.report("weights-header", artifact, "__metadata__ is no table of texts")
        return
    for key, text in value.items():
        if looks_like_code(text):
            scan.report("code-in-metadata", artifact, f"the text under {shown(key)} reads like program code")


def _tensor(artifact: Artifact, scan: Scan, name: str, value: object) -> tuple[int, int] | None:
    """The place of one tensor; None where nothing can be said about it."""
    if not isinstance(value, dict) or value.keys() != {"dtype", "shape", "data_offsets"}:
        raise _BrokenError(f"the entry of {shown(name)} is not dtype, shape and data_offsets")
    shape, offsets = value["shape"], value["data_offsets"]
    if not _numbers(shape) or not _numbers(offsets) or len(offsets) != 2:
        raise _BrokenError(f"shape or data_offsets of {shown(name)} are no whole numbers")
    first, last = offsets
    if min(first, last, *shape, 0) < 0 or max(first, last, *shape, 0) > _MOST or last < first:
        scan.report("tensor-bounds", artifact, f"{shown(name)} has a negative or impossible place or shape")
        return None
    bits = _BITS.get(value["dtype"]) if isinstance(value["dtype"], str) else None
    if bits is None:
        scan.report("weights-header", artifact, f"{shown(name)} has a type that the format does not know")
        return first, last
    if len(shape) > _RANK:
        scan.report("tensor-bounds", artifact, f"{shown(name)} has {len(shape):,} dimensions")
        return first, last
    count = bits
    for dimension in shape:
        count *= dimension
    if count >> 3 > _MOST:
        scan.report("tensor-bounds", artifact, f"the size of {shown(name)} does not fit in 64 bits")
    elif count >> 3 > last - first:
        # No cut does that: both numbers stand in the header. A loader that trusts the shape reads what is not there.
        scan.report("tensor-bounds", artifact, f"{shown(name)} has a shape that is larger than its place")
    elif count & 7 or count >> 3 != last - first:
        scan.report("tensor-layout", artifact, f"shape and type of {shown(name)} disagree with its place")
    return first, last


def _numbers(value: object) -> bool:
    return isinstance(value, list) and all(type(one) is int for one in value)
