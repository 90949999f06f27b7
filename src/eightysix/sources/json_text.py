"""One line of text to a JSON value of any shape, for telling what it is and why it cannot be used."""

from __future__ import annotations

import msgspec

__all__ = ["read_value", "why"]

_decode = msgspec.json.Decoder().decode
_decode_shallow = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_LONGEST_REASON = 160
_SMALL = 256


def read_value(line: bytes) -> object:
    """The value of `line`; raises `ValueError` with a reason that repeats no content if it is no JSON.

    More lenient than the decoders, because it only serves to tell whose record this is: bytes that are no UTF-8 are
    replaced, and of an object with numbers that no machine type holds only the small members are read.
    """
    try:
        return _decode(line)
    except UnicodeDecodeError:
        text = line.decode(errors="replace")
    except (msgspec.MsgspecError, RecursionError) as error:
        if not isinstance(error, msgspec.ValidationError):
            raise ValueError(why(error)) from None
        return _shallow(line)
    try:
        return _decode(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(why(error)) from None


def _shallow(line: bytes) -> dict[str, object]:
    try:
        members = _decode_shallow(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(why(error)) from None
    value: dict[str, object] = {}
    for key, raw in members.items():
        value[key] = None
        if len(memoryview(raw)) <= _SMALL:
            try:
                value[key] = _decode(raw)
            except (ValueError, RecursionError):
                continue
    return value


def why(error: BaseException) -> str:
    """What `error` says about a record, short and without any of the record's content.

    msgspec's messages name types, byte offsets and the members of our own Structs.
    """
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8: byte 0x{error.object[error.start]:02x}"
    if isinstance(error, msgspec.ValidationError):
        return f"wrongly typed: {error}"[:_LONGEST_REASON]
    return f"not JSON: {error}"[:_LONGEST_REASON]
