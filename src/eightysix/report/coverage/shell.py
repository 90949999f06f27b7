"""Commands that wrap: each line but the last ends so that the shell goes on, and pasting them gives the same command."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["folded"]


def folded(command: str, width: int, indent: str = "    ") -> Iterator[str]:
    """`command` in lines of at most `width` columns where it can be broken.

    It is broken at blanks: outside of quotes with a backslash, and inside of single quotes as it is, since what stands there
    is JSON, to which a line break is a blank. What is in double quotes stays whole.
    """
    line, further = "", ""
    for piece, quoted in _glued(command, width - len(indent) - 2):
        joined = f"{line} {piece}" if line else piece
        if line.strip() and len(joined) > width - 2:
            yield line if quoted else f"{line} \\"
            line = further = indent
            line = further + piece
        else:
            line = joined
    yield line


def _glued(command: str, room: int) -> Iterator[tuple[str, bool]]:
    """Words, each option with its values: they stay on one line where there is room."""
    held = ""
    for piece, quoted in _pieces(command):
        if held and (quoted or piece.startswith("-") or len(held) + 1 + len(piece) > room):
            yield held, False
            held = ""
        if quoted:
            yield piece, True
        else:
            held = f"{held} {piece}" if held else piece
        if held and held.count("'") % 2:  # what follows is inside of quotes
            yield held, False
            held = ""
    if held:
        yield held, False


def _pieces(command: str) -> Iterator[tuple[str, bool]]:
    """Words with whether the blank before them is inside of single quotes."""
    quote, word, inside = "", "", False
    for character in command:
        if character == " " and quote != '"':
            yield word, inside
            word, inside = "", quote == "'"
            continue
        if character in "'\"" and quote in ("", character):
            quote = "" if quote else character
        word += character
    yield word, inside
