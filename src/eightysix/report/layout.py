"""Lines of spans for the plain format: two gutters, hanging indents, colour that adds nothing but colour.

Everything here expects text that `inert` has made harmless, and keeps lines within the width that it is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum

from eightysix.report.inert import columns, shorten, wrap

__all__ = ["Ink", "Line", "Span", "flow", "measure", "paint", "row"]

_GAP = 2
_TOO_NARROW = 12
_FALLBACK_INDENT = 4


class Ink(Enum):
    """What a span is drawn with; the value is the parameter of ANSI's SGR sequence."""

    PLAIN = ""
    BOLD = "1"
    DIM = "2"
    RED = "1;31"
    YELLOW = "1;33"
    BLUE = "1;34"
    CYAN = "36"


Span = tuple[str, Ink]
Line = tuple[Span, ...]


def measure(line: Line) -> int:
    """Columns that `line` takes."""
    return sum(columns(text) for text, _ in line)


def paint(line: Line, colour: bool) -> str:
    """`line` as text without spaces at its end, with ANSI sequences only if `colour`."""
    if not colour:
        return "".join(text for text, _ in line).rstrip(" ")
    return "".join(_span(text, ink) for text, ink in line).rstrip(" ")


def _span(text: str, ink: Ink) -> str:
    return f"\x1b[{ink.value}m{text}\x1b[0m" if ink.value and text.strip(" ") else text


def row(
    prefix: Line, text: str, width: int, ink: Ink = Ink.PLAIN, right: str = "", right_ink: Ink = Ink.DIM
) -> Iterator[Line]:
    """`text` after `prefix` with a hanging indent, and `right` at the right margin of its first line.

    `right` never takes more than half of what `prefix` leaves, unless it is alone; `text` wraps before it. A prefix
    that leaves no room gets a line of its own. Without `text` and `right` there is only the prefix.
    """
    indent = measure(prefix)
    if width - indent < _TOO_NARROW:
        yield ((shorten("".join(part for part, _ in prefix).rstrip(" "), width), Ink.PLAIN),)
        prefix, indent = ((" " * _FALLBACK_INDENT, Ink.PLAIN),), _FALLBACK_INDENT
    room = width - indent
    right = shorten(right, room // 2 if text else room)
    taken = columns(right) + _GAP if right else 0
    for index, piece in enumerate(wrap(text, room - taken)):
        start: Line = prefix if index == 0 else ((" " * indent, Ink.PLAIN),)
        line: Line = (*start, (piece, ink))
        if index == 0 and right:
            line = (*line, (" " * (width - measure(line) - columns(right)), Ink.PLAIN), (right, right_ink))
        yield line


def flow(
    items: Iterable[str], width: int, indent: int = 0, ink: Ink = Ink.PLAIN, separator: str = " · "
) -> Iterator[Line]:
    """`items` one after another, broken between items where it can be. Empty items are left out."""
    margin: Line = ((" " * indent, Ink.PLAIN),)
    room = width - indent
    line = ""
    for item in filter(None, items):
        joined = f"{line}{separator}{item}" if line else item
        if columns(joined) <= room:
            line = joined
            continue
        if line:
            yield (*margin, (line, ink))
        *full, line = wrap(item, room)
        for piece in full:
            yield (*margin, (piece, ink))
    if line:
        yield (*margin, (line, ink))
