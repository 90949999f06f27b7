"""Lines that are nearly as Tetragon writes them: several records on one, or rewritten by an exporter on the way."""

from __future__ import annotations

import msgspec

from eightysix.sources.tetragon_records import Glance, Record

__all__ = ["FAILURES", "KEYS", "decode_leniently", "is_of_another_kind", "records_of", "rewrite"]

KEYS = frozenset(name for name in Glance.__struct_fields__ if name != "time")
"""Members of a record that say what it is."""

FAILURES = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoding a line can end in."""

_decode = msgspec.json.Decoder(Record).decode
_decode_anything = msgspec.json.Decoder().decode
_split = msgspec.json.Decoder(msgspec.Raw).decode_lines
_encode = msgspec.json.Encoder().encode
_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def records_of(line: bytes) -> list[bytes]:
    """The records on one line: one, unless files were put together of which one lacks its last newline."""
    if not line.strip():
        return []
    if b"}{" not in line and b"} {" not in line:
        return [line]
    try:
        return [bytes(raw) for raw in _split(line)]
    except FAILURES:
        return [line]


def rewrite(text: bytes) -> bytes:
    """A record that another exporter wrote on the way, as Tetragon writes it: numbers that became text, and nulls where
    nothing should be. Empty when it cannot be read so either, or is not Tetragon's."""
    try:
        value = _without_nulls(_decode_anything(text))
        if not isinstance(value, dict) or not any(key in KEYS for key in value):
            return b""
        return _encode(msgspec.convert(value, Record, strict=False))
    except FAILURES:
        return b""


def decode_leniently(text: bytes) -> Record:
    """A record in full; where only a field that a first look does not need is written oddly, as Tetragon would write it."""
    try:
        return _decode(text)
    except FAILURES:
        rewritten = rewrite(text)
        if not rewritten:
            raise
        return _decode(rewritten)


def _without_nulls(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def is_of_another_kind(text: bytes) -> bool:
    """A line that fails as Tetragon's but is JSON without any of its keys belongs to somebody else."""
    try:
        members = _decode_object(text)
    except msgspec.ValidationError:
        return True  # no object
    except FAILURES:
        return False
    return not any(key in KEYS for key in members)
