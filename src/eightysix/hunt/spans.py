"""Spans of time divided by numbers: `5m / 2`. The translator takes both sides of a division with a span for spans."""

from __future__ import annotations

from eightysix.hunt.sqltext import closing, find_code

__all__ = ["divided"]

_DIVISION = "(epoch("
_MIDDLE = " / epoch("
_WHOLE = "CAST("
_WHOLE_END = " AS BIGINT)"


def divided(sql: str) -> str:
    """`sql` in which a span over a number is a span. Over anything but a written number it stays: what a column holds is
    not known here, and DuckDB refuses what does not fit."""
    at = 0
    while True:
        start = find_code(sql, _DIVISION, at)
        if start < 0:
            return sql
        at = first = start + len(_DIVISION)
        end = closing(sql, first)
        if end < 0 or not sql.startswith(_MIDDLE, end + 1):
            continue
        second = end + 1 + len(_MIDDLE)
        stop = closing(sql, second)
        if stop < 0 or not sql.startswith(")", stop + 1):
            continue
        number = _number(sql[second:stop])
        if number:
            sql = f"{sql[:start]}({sql[first:end]} / {number}){sql[stop + 2 :]}"
            at = start + 1  # what is divided may hold another


def _number(text: str) -> str:
    """The number that `text` writes; empty where it is something else, or 0, by which nothing is divided."""
    if text.startswith(_WHOLE) and text.endswith(_WHOLE_END):
        text = text[len(_WHOLE) : -len(_WHOLE_END)]
    elif text.startswith(_WHOLE) and text.endswith(" AS DOUBLE)"):
        text = text[len(_WHOLE) : -len(" AS DOUBLE)")]
    plain = text.strip("'")
    digits = plain.removeprefix("-").replace(".", "", 1)
    return plain if digits.isascii() and digits.isdecimal() and digits.strip("0") else ""
