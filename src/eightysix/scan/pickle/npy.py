"""Reads numpy's npy files: the header, whether the array fits, and the pickle that an array of objects is.

Format: numpy/lib/format.py; versions 1.0, 2.0 and 3.0. Several arrays may stand behind each other in one file.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from eightysix.scan.artifact import Artifact
from eightysix.scan.interface import Scan
from eightysix.scan.pickle.dtypes import OVERFLOW, dtype_of, elements, record
from eightysix.scan.pickle.literal import Literal, LiteralError, read_literal
from eightysix.scan.pickle.reader import role_for
from eightysix.scan.pickle.streams import Streams
from eightysix.scan.pickle.values import Dtype
from eightysix.scan.pickle.words import escaped

__all__ = ["MAGIC", "read"]

MAGIC: Final = b"\x93NUMPY"

LONGEST_HEADER: Final = 10_000
"""numpy refuses longer ones (`max_header_size`), because a long literal can crash the interpreter that evaluates it."""

MOST_ARRAYS: Final = 100_000

BOMB_HEADER: Final = 100_000
"""A header beyond this is no record with many fields: older releases of numpy evaluate it whole."""

BOMB: Final = 1 << 40
"""Bytes that an array may ask for and not bring before that is meant to exhaust memory: numpy allocates first."""


class _Header(Struct, frozen=True):
    kind: Dtype
    shape: tuple[int, ...]
    data: int


def read(artifact: Artifact, scan: Scan) -> None:
    """Read all arrays of the artifact."""
    offset = 0
    for _ in range(MOST_ARRAYS):
        end = _array(artifact, scan, offset)
        if end is None or end >= len(artifact):
            return
        offset = end
        if artifact.at(offset, len(MAGIC)) != MAGIC:
            why = f"{len(artifact) - offset:,} bytes follow the array"
            scan.report("pickle-trailing", artifact, why, offset=offset)
            scan.descend(artifact.window("behind the array", offset, len(artifact)))
            return


def _array(artifact: Artifact, scan: Scan, offset: int) -> int | None:
    try:
        header = _header(artifact, offset)
    except LiteralError as wrong:
        scan.report("bomb" if wrong.bomb else "npy-header", artifact, str(wrong), offset=offset)
        return None
    if header.kind.objects is not False:
        return _objects(artifact, scan, header)
    count = elements(header.shape)
    if count < 0 or header.kind.size is None:
        scan.report("npy-header", artifact, "the shape holds a negative length", offset=offset)
        return None
    wanted = min(OVERFLOW, count * header.kind.size)
    there = len(artifact) - header.data
    if wanted > there:
        why = f"the array takes {wanted:,} bytes and {there:,} are there"
        scan.report("bomb" if wanted - there > BOMB else "npy-header", artifact, why, offset=offset)
        return None
    return header.data + wanted


def _objects(artifact: Artifact, scan: Scan, header: _Header) -> int | None:
    """An array of objects is one pickle; one of a type that is not understood is read as if it were."""
    if header.kind.objects is None:
        why = f"its type {escaped(header.kind.text)} is not understood: it is read as a pickle as well"
        scan.report("npy-header", artifact, why, offset=header.data)
        scan.descend(artifact.window("array", header.data, len(artifact)))
        return None
    end = Streams(artifact, scan, role_for(artifact)).read_one(header.data)
    if end is None:  # it broke: what lies behind the break may be there for a reader that begins later
        scan.descend(artifact.window("", header.data, len(artifact)))
    return end


def _header(artifact: Artifact, offset: int) -> _Header:
    head = artifact.at(offset, 12)
    version = head[6] if len(head) == 12 else 0
    if version not in (1, 2, 3):
        raise LiteralError(f"version {version} of the format does not exist")
    width = 2 if version == 1 else 4
    length = int.from_bytes(head[8 : 8 + width], "little")
    begin = offset + 8 + width
    if length > LONGEST_HEADER:
        why = f"the header takes {length:,} bytes; numpy refuses more than {LONGEST_HEADER:,}"
        raise LiteralError(why, bomb=length > BOMB_HEADER)
    text = artifact.at(begin, length)
    if len(text) < length:
        raise LiteralError("the file ends inside the header")
    value = read_literal(text.decode("utf-8" if version == 3 else "latin-1", "replace"))
    if not isinstance(value, dict) or set(value) != {"descr", "fortran_order", "shape"}:
        raise LiteralError("the header is no dictionary of descr, fortran_order and shape")
    shape = value["shape"]
    if not isinstance(shape, tuple):
        raise LiteralError("the shape is no tuple")
    lengths = tuple(one for one in shape if isinstance(one, int))
    if len(lengths) != len(shape):
        raise LiteralError("the shape holds something that is no number")
    return _Header(_kind(value["descr"], 0), lengths, begin + length)


def _kind(descr: Literal, depth: int) -> Dtype:
    """The dtype of `descr`: a text, or a list of fields (name, descr) or (name, descr, shape)."""
    if isinstance(descr, str):
        return dtype_of(descr)
    if isinstance(descr, tuple) and len(descr) == 2 and isinstance(descr[1], tuple):
        base = _kind(descr[0], depth + 1)
        return record([(base, elements([one for one in descr[1] if isinstance(one, int)]))])
    if not isinstance(descr, list) or depth > 16:
        return Dtype("?", None, None)
    fields: list[tuple[Dtype, int]] = []
    for field in descr:
        if not isinstance(field, tuple) or len(field) < 2:
            return Dtype("?", None, None)
        shape = field[2] if len(field) > 2 else ()
        lengths = shape if isinstance(shape, tuple) else (shape,)
        fields.append(
            (_kind(field[1], depth + 1), elements([one for one in lengths if isinstance(one, int)]))
        )
    return record(fields)
