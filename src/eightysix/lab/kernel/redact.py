"""Tokens in arguments never reach a file: JSON Web Tokens are replaced as Tetragon's `redactionFilters` replace them."""

from __future__ import annotations

__all__ = ["REDACTED", "redact"]

REDACTED = "*****"

_BEGINS = "eyJ"
"""`{"` in base64: every header of a JSON Web Token begins so (RFC 7519)."""
_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")
_SHORTEST = 32


def redact(text: str) -> str:
    """`text` without what looks like a JSON Web Token."""
    at = text.find(_BEGINS)
    if at < 0:
        return text
    kept: list[str] = []
    done = 0
    while at >= 0:
        end = at
        while end < len(text) and text[end] in _LETTERS:
            end += 1
        if end - at >= _SHORTEST and "." in text[at:end]:
            kept += [text[done:at], REDACTED]
            done = end
        at = text.find(_BEGINS, max(end, at + 1))
    return "".join([*kept, text[done:]])
