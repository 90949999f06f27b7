"""Reading of what attackers may have written: bounded, and never in two ways.

Whatever is refused here is a signature that is there and is not valid: it never becomes none.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Final, NoReturn

from eightysix.model.gate import SignatureState

__all__ = [
    "MAX_BYTES",
    "MAX_VALUES",
    "Refusal",
    "as_list",
    "as_map",
    "as_text",
    "base64_of",
    "is_hex",
    "load_json",
    "shown",
    "unverifiable",
    "wrong",
]

MAX_BYTES: Final = 16 << 20
"""One bundle, envelope or statement. A model of 100,000 files signs 12 MB of names and digests; others are some kB."""

MAX_VALUES: Final = 600_000
"""Commas and brackets of one JSON text, those in strings too: what bounds the memory that it takes as objects."""

_MAX_DEPTH: Final = 64
_SHOWN: Final = 160


class Refusal(Exception):  # noqa: N818 - an answer about a signature, and no failure of ours
    """Why a signature is not valid: it is wrong, or it cannot be judged here."""

    def __init__(self, state: SignatureState, why: str) -> None:
        super().__init__(why)
        self.state = state
        self.why = why


def wrong(why: str) -> Refusal:
    """The signature is broken, forged, or about something else."""
    return Refusal(SignatureState.INVALID, why)


def unverifiable(why: str) -> Refusal:
    """The signature may be right, and nobody here can tell."""
    return Refusal(SignatureState.UNVERIFIABLE, why)


def shown(text: object) -> str:
    """Foreign text for a sentence: short, without controls, in quotes."""
    plain = "".join(c if c.isprintable() else "?" for c in str(text)[: _SHOWN + 1])
    return f"“{plain[:_SHOWN]}…”" if len(plain) > _SHOWN else f"“{plain}”"


def load_json(data: bytes, what: str, *, max_bytes: int = MAX_BYTES) -> object:
    """The value of a JSON text, in which no name stands twice; `what` names it in a refusal."""
    if len(data) > max_bytes:
        raise wrong(f"{what} has {len(data):,} bytes, more than {max_bytes:,}")
    if data.count(b",") + data.count(b"[") + data.count(b"{") > MAX_VALUES:
        raise wrong(f"{what} has more than {MAX_VALUES:,} values")
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise wrong(f"{what} is not UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise wrong(f"{what} cannot be read as JSON: {shown(error)}") from None
    if _deeper_than(value, _MAX_DEPTH):
        raise wrong(f"{what} nests deeper than {_MAX_DEPTH}")
    return value


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the name {shown(max(names, key=names.count))} stands twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _deeper_than(value: object, levels: int) -> bool:
    level = [value]
    for _ in range(levels):
        below: list[object] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(v for v in item.values() if isinstance(v, dict | list))
            elif isinstance(item, list):
                below.extend(v for v in item if isinstance(v, dict | list))
        if not below:
            return False
        level = below
    return True


def as_map(value: object, what: str) -> Mapping[str, object]:
    """`value` as a JSON object."""
    if not isinstance(value, dict):
        raise wrong(f"{what} is no object")
    return value


def as_list(value: object, what: str, *, most: int) -> list[object]:
    """`value` as a JSON array of at most `most` items."""
    if not isinstance(value, list):
        raise wrong(f"{what} is no list")
    if len(value) > most:
        raise wrong(f"{what} has {len(value):,} items, more than {most:,}")
    return value


def as_text(value: object, what: str) -> str:
    """`value` as a JSON string."""
    if not isinstance(value, str):
        raise wrong(f"{what} is no text")
    return value


def base64_of(value: object, what: str) -> bytes:
    """The bytes of standard base64, padded, without other characters."""
    try:
        return base64.b64decode(as_text(value, what).encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise wrong(f"{what} is no base64") from None


def is_hex(text: str, digits: int) -> bool:
    """Whether `text` is so many hexadecimal digits in lower case."""
    return len(text) == digits and not text.strip("0123456789abcdef")
