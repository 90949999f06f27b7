"""JSON that every reader reads in the same way, or an error.

Registries, containerd and cosign are written in Go, whose decoder takes the last of two equal keys and ignores upper and lower
case in names of fields; others take the first, or distinguish. A manifest that is two manifests passes a gate as one and
runs as the other. So duplicate keys, names that differ from a known one by case alone, lone surrogates, bytes that are no
UTF-8, `NaN` and numbers that are no integers of 64 bits where one is expected are errors, not choices.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

__all__ = ["MAX_DEPTH", "MAX_NODES", "StrictError", "check_names", "load"]

MAX_DEPTH = 32
"""Objects and lists within each other. A manifest has 4; an attestation's statement up to 12."""

MAX_NODES = 200_000
"""Brackets and braces of a document, counted before it is decoded, as each becomes an object of 64 bytes and more. An index of
a thousand images with annotations has 3,000."""


class StrictError(ValueError):
    """The text is no JSON, or one that two readers would read differently; the message says why."""


def load(data: bytes, *, max_depth: int = MAX_DEPTH, max_nodes: int = MAX_NODES) -> object:
    """The value of a JSON text, of at most as many bytes as the caller allowed. Raises `StrictError`."""
    if data.count(b"{") + data.count(b"[") > max_nodes:
        raise StrictError(f"it has more than {max_nodes:,} objects and lists")
    try:
        # Decoded by UTF-8 alone: json.loads would guess UTF-16 and UTF-32 from bytes, and no registry does.
        text = data.decode("utf-8")
        value: object = json.loads(text, object_pairs_hook=_pairs, parse_constant=_constant)
    except UnicodeDecodeError:
        raise StrictError("it is no UTF-8") from None
    except RecursionError:
        raise StrictError(f"it is nested deeper than {max_depth}") from None
    except json.JSONDecodeError as error:
        raise StrictError(f"it is no JSON: {error.msg}, at character {error.pos:,}") from None
    except ValueError as error:
        raise StrictError(str(error)[:120]) from None
    _walk(value, max_depth)
    return value


def check_names(fields: Mapping[str, object], known: Iterable[str]) -> None:
    """Raise `StrictError` where a key is a known name in another case: readers in Go take it for that name."""
    names = frozenset(known)
    folded = {name.casefold() for name in names}
    for key in fields:
        if key not in names and key.casefold() in folded:
            raise StrictError(f"the key {key[:40]!a} differs from a known one by upper and lower case alone")


def _pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise StrictError(f"the key {key[:40]!a} is there twice")
            seen.add(key)
    return made


def _constant(name: str) -> object:
    raise StrictError(f"{name} is no value of JSON")


def _walk(value: object, max_depth: int) -> None:
    level: list[object] = [value]
    for _ in range(max_depth + 1):
        below: list[object] = []
        for each in level:
            if isinstance(each, dict):
                below.extend(each)
                below.extend(each.values())
            elif isinstance(each, list):
                below.extend(each)
            elif isinstance(each, str) and not each.isascii():
                _check_text(each)
        if not below:
            return
        level = below
    raise StrictError(f"it is nested deeper than {max_depth}")


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise StrictError("a text in it has half of a surrogate pair") from None
