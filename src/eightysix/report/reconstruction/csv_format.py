"""CSV of marks and uses (RFC 4180, every cell quoted), safe to open in a spreadsheet and reversible.

A spreadsheet runs a cell that begins with `=`, `+`, `-`, `@`, a tab or a line break, or one of their full-width forms
(owasp.org, CSV injection), and one that splits at semicolons finds such a cell inside of another. So a text that begins
like one, or with an apostrophe, gets an apostrophe before it, and such a character after a semicolon is written as an
escape; what is not harmless on a terminal is escaped too, and backslashes are doubled. `plain_text` takes all that back.
"""

from __future__ import annotations

from collections.abc import Iterator

from eightysix.model.story import Reconstruction
from eightysix.report.inert import is_harmless
from eightysix.report.interface import RenderOptions
from eightysix.report.reconstruction.rows import Row, rows
from eightysix.report.reconstruction.telling import stories_of

__all__ = ["FORMAT", "CsvFormat", "plain_text", "safe_text"]

_STARTS = frozenset("=+-@'＝＋－＠")  # noqa: RUF001 - the full-width forms are what it is about
_SKIPPED = frozenset("\"' ")
_COLUMNS = tuple(name for name in Row.__struct_fields__ if name != "at_ns")
"""As they are in `Row`: a column that is new comes last."""


class CsvFormat:
    """A header and one line a mark or use, stories worst first, each by time."""

    name = "csv"

    def write(self, reconstruction: Reconstruction, options: RenderOptions) -> Iterator[str]:
        """One piece a line."""
        yield _line(_COLUMNS)
        for row in rows(stories_of(reconstruction)):
            yield _line([_cell(getattr(row, name)) for name in _COLUMNS])


FORMAT = CsvFormat()


def _line(cells: tuple[str, ...] | list[str]) -> str:
    quoted = ('"' + text.replace('"', '""') + '"' for text in cells)
    return ",".join(quoted) + "\r\n"


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return str(value) if abs(value) < float("inf") else ""  # `-inf` would be a formula
    return safe_text(str(value))


def safe_text(text: str) -> str:
    """`text` as a cell: no formula, nothing that acts on a terminal or in the log of a CI system."""
    told: list[str] = []
    after_semicolon = False
    before = ""
    for character in text:
        if character == "\\":
            told.append("\\\\")
        elif (
            not is_harmless(character)
            or (after_semicolon and character in _STARTS and character not in _SKIPPED)
            or (character == before == "#")
        ):
            told.append(_escape(character))
        else:
            told.append(character)
        after_semicolon = character == ";" or (after_semicolon and character in _SKIPPED)
        before = character
    safe = "".join(told)
    return "'" + safe if safe.lstrip(' "')[:1] in _STARTS and safe else safe


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def plain_text(cell: str) -> str:
    """The text that `safe_text` made `cell` of."""
    text = cell.removeprefix("'")
    told: list[str] = []
    at = 0
    while at < len(text):
        size = {"u": 4, "U": 8}.get(text[at + 1 : at + 2], 0) if text[at] == "\\" else -1
        if size > 0:
            told.append(chr(int(text[at + 2 : at + 2 + size], 16)))
            at += 2 + size
        else:
            told.append(text[at + 1 : at + 2] if size == 0 else text[at])
            at += 2 if size == 0 else 1
    return "".join(told)
