"""Makes text from telemetry harmless to show: no control sequence, no hidden or reordering character, bounded.

What is left is one line in which every character takes the columns that `columns` says and stands where its code
point stands. Characters that could lie about that become visible escapes (`\\x1b`, `\\u202e`). The text is for eyes:
a backslash stays as it is, so the original cannot be told from the escape; machine formats carry the original.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from enum import Enum
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from msgspec import Struct, structs

__all__ = ["LIMIT", "columns", "inert", "inert_copy", "is_harmless", "shorten", "shorten_path", "wrap"]

LIMIT = 480
"""Columns of one string before its middle is left out: six lines of a terminal."""

ELLIPSIS = "…"

_MARKS = ("Mn", "Me", "Mc")
_WIDEST_CELL = 4  # a wide base and two spacing marks
_MARKS_PER_BASE = 2  # NOTE: Vietnamese and Thai need two; floods of them ("zalgo") overwrite the lines around
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})
# NOTE: letters of right-to-left scripts reorder digits and punctuation beside them (`file:12`, `T+3.0`) in terminals
# that implement bidi, without any control character; what is shown here must stay in the order of its bytes.
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # letters and symbols that draw nothing
_INVISIBLE_MARKS = frozenset("\u034f\u17b4\u17b5\u180b\u180c\u180d\u180f")
_NAMED_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_BREAK_AFTER = frozenset("/,;:=&?@-_.")

T = TypeVar("T")


class _Cell(NamedTuple):
    """What must stay together: a character with its marks, or an escape."""

    text: str
    width: int


@lru_cache(maxsize=4096)
def is_harmless(character: str) -> bool:
    """Whether `character` may be shown as it is. A combining mark may be, after a base and not in a flood."""
    if " " <= character <= "~":
        return True
    code = ord(character)
    return not (
        unicodedata.category(character) in _HIDDEN_CATEGORIES
        or unicodedata.bidirectional(character) in _RIGHT_TO_LEFT
        or character in _BLANK
        or character in _INVISIBLE_MARKS
        or 0xFE00 <= code <= 0xFE0F  # variation selectors
        or 0xE0100 <= code <= 0xE01EF
    )


@lru_cache(maxsize=4096)
def _character_columns(character: str) -> int:
    if " " <= character <= "~":
        return 1
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    # NOTE: half a flag is narrow by the standard and wide in most terminals. Too wide a guess only wraps earlier.
    wide = unicodedata.east_asian_width(character) in "WF" or 0x1F1E6 <= ord(character) <= 0x1F1FF
    return 2 if wide else 1


def columns(text: str) -> int:
    """Terminal columns that harmless `text` takes; characters of ambiguous width count as one, as outside East Asia."""
    return len(text) if text.isascii() else sum(map(_character_columns, text))


def _escape(character: str) -> str:
    code = ord(character)
    if code < 0x100:
        return _NAMED_ESCAPES.get(character, f"\\x{code:02x}")
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _cells(text: str) -> Iterator[_Cell]:
    """Cells of hostile text, made harmless. A space at an end or after a space is escaped: it would forge columns."""
    base, marks = "", 0
    last = len(text) - 1
    for index, character in enumerate(text):
        if (
            base
            and marks < _MARKS_PER_BASE
            and unicodedata.category(character) in _MARKS
            and is_harmless(character)
        ):
            base, marks = base + character, marks + 1
            continue
        if base:
            yield _Cell(base, columns(base))
        base, marks = "", 0
        lone_mark = unicodedata.category(character) in _MARKS
        forging = character == " " and (index in (0, last) or text[index - 1] == " ")
        if lone_mark or forging or not is_harmless(character):
            yield _Cell(_escape(character), len(_escape(character)))
        elif character == " ":
            yield _Cell(" ", 1)
        else:
            base = character
    if base:
        yield _Cell(base, columns(base))


def inert(text: str, limit: int = LIMIT) -> str:
    """`text` as one harmless line of at most `limit` columns; what is too long loses its middle to an ellipsis.

    The work is bounded by `limit`, not by the length of `text`.
    """
    plain = len(text) <= limit and text.isascii() and text.isprintable()
    if plain and "  " not in text and text == text.strip(" "):
        return text
    reach = limit * (1 + _MARKS_PER_BASE)  # no cell has more characters than that for a column
    if len(text) <= 2 * reach:
        cells = list(_cells(text))
        if sum(cell.width for cell in cells) <= limit:
            return "".join(cell.text for cell in cells)
        return _without_middle(cells, cells, limit)
    return _without_middle(list(_cells(text[:reach])), list(_cells(text[-reach:])), limit)


def _take(cells: list[_Cell], room: int) -> list[str]:
    taken: list[str] = []
    for cell in cells:
        room -= cell.width
        if room < 0:
            break
        taken.append(cell.text)
    return taken


def _without_middle(start: list[_Cell], end: list[_Cell], limit: int) -> str:
    room = max(limit - 1, 0)
    head = _take(start, room - room // 2)
    tail = _take(end[::-1], room // 2)
    return "".join(head) + ELLIPSIS + "".join(reversed(tail))


def _split(text: str) -> list[_Cell]:
    """Cells of text that is already harmless."""
    if text.isascii():
        return [_Cell(character, 1) for character in text]
    cells: list[_Cell] = []
    for character in text:
        if cells and unicodedata.category(character) in _MARKS:
            joined = cells[-1].text + character
            cells[-1] = _Cell(joined, columns(joined))
        else:
            cells.append(_Cell(character, columns(character)))
    return cells


def shorten(text: str, limit: int) -> str:
    """Harmless `text` in at most `limit` columns, with its middle left out where it is too long."""
    if columns(text) <= limit:
        return text
    cells = _split(text)
    return _without_middle(cells, cells, limit)


def shorten_path(text: str, limit: int) -> str:
    """Harmless `text` in at most `limit` columns; the start goes first, because the end of a path tells more."""
    if columns(text) <= limit:
        return text
    tail = "".join(reversed(_take(_split(text)[::-1], max(limit - 1, 0))))
    slash = tail.find("/")
    if 0 < slash < len(tail) // 2:
        tail = tail[slash:]
    return ELLIPSIS + tail


def wrap(text: str, width: int) -> list[str]:
    """Harmless `text` in lines of at most `width` columns (never less than 4), at least one line.

    Breaks at spaces; a word longer than a line breaks after punctuation where it can.
    """
    width = max(width, _WIDEST_CELL)
    lines: list[str] = []
    line, used = "", 0
    for word in text.split(" "):
        size = columns(word)
        if line and used + 1 + size <= width:
            line, used = f"{line} {word}", used + 1 + size
            continue
        if line:
            lines.append(line)
        while size > width:
            piece = _break(word, width)
            lines.append(piece)
            word = word[len(piece) :]
            size = columns(word)
        line, used = word, size
    if line or not lines:
        lines.append(line)
    return lines


def _break(word: str, width: int) -> str:
    """The start of `word` that goes on one line of `width` columns."""
    pieces = _take(_split(word), width)
    for index in range(len(pieces) - 1, len(pieces) // 2, -1):
        if pieces[index] in _BREAK_AFTER:
            return "".join(pieces[: index + 1])
    return "".join(pieces)


def inert_copy(value: T, limit: int = LIMIT) -> T:
    """`value` with every text in it made inert, through Structs, tuples and dictionaries: no field is forgotten.

    Members of enums are ours and stay.
    """
    copied: Any = value
    if isinstance(value, Enum):
        return value
    if isinstance(value, str):
        copied = inert(value, limit)
    elif isinstance(value, tuple):
        copied = tuple(inert_copy(item, limit) for item in value)
    elif isinstance(value, dict):
        copied = {inert_copy(key, limit): inert_copy(item, limit) for key, item in value.items()}
    elif isinstance(value, Struct):
        fields = {name: inert_copy(getattr(value, name), limit) for name in value.__struct_fields__}
        copied = structs.replace(value, **fields)
    return copied  # type: ignore[no-any-return]
