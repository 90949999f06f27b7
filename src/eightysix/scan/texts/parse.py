"""Parses JSON for the judges, and tells without parsing which texts hold nothing for them."""

from __future__ import annotations

import json
from typing import Any

from eightysix.scan.texts.judge import NEEDLES
from eightysix.scan.texts.tree import Doubled

__all__ = ["ESCAPES", "INNER", "is_worth", "parse"]

ESCAPES = tuple(f"\\u00{digit}".encode() for digit in "234567")
"""Escaped printable ASCII: no writer of JSON needs it, and it hides a key from a search for its letters."""


INNER = (b'\\"lc\\', b'\\"py/reduce\\', b'\\"py/object\\', b'\\"_target_\\', b'\\"auto_map\\')
"""Keys of JSON that is written as a text inside of JSON, as stores do that know columns of text alone."""


def is_worth(body: bytes) -> bool:
    """Whether JSON text holds anything that a judge would look at, by its bytes alone."""
    return any(needle in body for needle in (*NEEDLES, *INNER, *ESCAPES))


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    return made if len(made) == len(pairs) else Doubled(pairs)


def parse(body: bytes) -> Any:
    """The document in UTF-8 text. Raises `ValueError`, and `RecursionError` where it nests too deep."""
    # NOTE: the standard library's parser, because it alone tells of keys that were written twice.
    return json.loads(body, object_pairs_hook=_pairs)
