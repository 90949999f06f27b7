"""Words for a shell: a command line in which whatever telemetry told stands as data.

A word is POSIX single-quoted (POSIX.1-2024, 2.2.2) unless it is plainly harmless. One with a single quote, or with characters
that a terminal or a reader could be deceived by (controls, anything beyond ASCII), becomes `$'...'` with three-digit octal
escapes (2.2.4; bash, zsh, ksh and busybox read it alike, in any locale).
"""

from __future__ import annotations

__all__ = ["line", "quoted"]

_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./:@,+=")
"""Characters that no shell does anything with, but for `=` at the beginning (zsh)."""

_NEVER = {0: "\N{REPLACEMENT CHARACTER}"}
"""No argument of a program can hold a NUL."""


def line(*words: str) -> str:
    """One line for a shell that runs the program `words[0]` with exactly the other words as its arguments. A NUL or half of
    a surrogate pair, which no argument can hold, becomes a replacement character."""
    return " ".join(map(quoted, words))


def quoted(word: str) -> str:
    """One word of a command line."""
    if word and _PLAIN.issuperset(word) and word[0] != "=":
        return word
    if word.isascii() and word.isprintable() and "'" not in word:
        return f"'{word}'"
    data = word.translate(_NEVER).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return "$'" + "".join(map(_escaped, data.encode())) + "'"


def _escaped(byte: int) -> str:
    return chr(byte) if 0x20 <= byte < 0x7F and byte not in b"'\\!" else f"\\{byte:03o}"
