"""How large a query may be. Checked on tokens, before anything slow or recursive sees the text."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from eightysix.hunt.lexer import Token, tokens
from eightysix.model.errors import QueryError

__all__ = ["MAX_BYTES", "MAX_DEPTH", "MAX_TOKENS", "checked"]

MAX_BYTES = 64 << 10
"""Longest query. Sentinel's rules may have 10,000 characters (learn.microsoft.com/azure/sentinel/sentinel-service-limits)."""
MAX_TOKENS = 8_000
"""Words, texts and signs. The translator takes about 0.1 ms for each."""
MAX_DEPTH = 60
"""Nested parentheses, brackets and braces: the translator descends by recursion."""


def checked(query: str) -> list[Token]:
    """The tokens of `query`; raises `QueryError` where it is too large, too deep, or commands instead of asks."""
    return list(_checked(query))


@lru_cache(maxsize=64)
def _checked(query: str) -> tuple[Token, ...]:
    """Kept for the last texts: a store is asked the same again and again, each time over other rows."""
    if len(query.encode("utf-8", "replace")) > MAX_BYTES:
        raise QueryError(
            f"the query is longer than {MAX_BYTES:,} bytes", "Split it, or move lists into a table."
        )
    found = tokens(query)
    code = [one for one in found if one.kind != "space"]
    if not code:
        raise QueryError("the query is empty", "Write a table and what to do with it: `AKSAudit | take 5`.")
    if len(code) > MAX_TOKENS:
        raise QueryError(
            f"the query has more than {MAX_TOKENS:,} words", "Split it, or move lists into a table."
        )
    depth = 0
    for one in code:
        if one.kind == "sign" and one.text in "([{":
            depth += 1
            if depth > MAX_DEPTH:
                raise QueryError(f"the query is nested deeper than {MAX_DEPTH}", "Use `let` for its parts.")
        elif one.kind == "sign" and one.text in ")]}":
            depth = max(0, depth - 1)
    for one, first in zip(code, _starts(code), strict=True):
        if first and one.text == ".":
            raise QueryError(
                "the query holds a control command",
                "Only queries run here; nothing is written.",
                construct=".",
            )
    return tuple(found)


def _starts(code: list[Token]) -> Iterator[bool]:
    """For each token whether it begins a statement."""
    first = True
    for one in code:
        yield first
        first = one.kind == "sign" and one.text == ";"
