"""Makes text from artifacts fit to be shown in a finding: it is data, and its author may be an attacker."""

from __future__ import annotations

__all__ = ["shown"]

_LONGEST = 80


def shown(text: str | bytes, longest: int = _LONGEST) -> str:
    """`text` in one line, without control characters, cut after `longest` characters."""
    if isinstance(text, bytes):
        text = text[: longest * 4].decode("utf-8", "replace")
    cut = text[:longest]
    clean = "".join(letter if letter.isprintable() else "?" for letter in cut)
    return f"{clean}..." if len(text) > longest else clean
