"""One value as a column of a type takes it: what exports write as text becomes what it is, and nothing is guessed.

Log Analytics and Event Hub write numbers, truths and objects as text in places, and moments with seven decimals.
A value that is not of its column's type in any such form is `MISFIT`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from eightysix.model.table import ScalarType
from eightysix.model.timestamps import to_ns

__all__ = ["LONGEST_TEXT", "MISFIT", "fit"]

MISFIT: Final = object()
"""Stands for a value that its column cannot hold: counted, and left out of the row."""

LONGEST_TEXT = 65_536
"""Characters of a text that are kept. Log Analytics cuts values at 64 KB (learn.microsoft.com/azure/azure-monitor/
fundamentals/service-limits, data collection)."""

_EARLIEST_NS = 1_000_000_000_000_000_000
"""A number is a moment in nanoseconds from 2001 on; a smaller one may be milliseconds or seconds, and is none."""

_LATEST_NS = (1 << 63) - 1
_LONGEST_NUMBER = 40
_HEX = frozenset("0123456789abcdefABCDEF-")
_TRUTHS: Mapping[object, bool] = {"true": True, "false": False, "1": True, "0": False}

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def fit(value: object, kind: ScalarType) -> object:
    """`value` as a column of `kind` holds it: None where it is nothing (null, empty text), `MISFIT` where it does not fit."""
    if value is None or value == "":
        return None
    return _FITS[kind](value)


def _text(value: object) -> object:
    if isinstance(value, str):
        return value if len(value) <= LONGEST_TEXT else value[:LONGEST_TEXT]
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, dict | list):
        try:
            return _encode(value).decode()[:LONGEST_TEXT]
        except (TypeError, ValueError, RecursionError):
            return MISFIT
    return MISFIT


def _whole(bits: int) -> Callable[[object], object]:
    least, most = -(1 << bits), (1 << bits) - 1

    def fit_whole(value: object) -> object:
        if isinstance(value, str):
            text = value.strip()
            digits = text.removeprefix("-").removesuffix(".0")
            if not (digits.isdigit() and digits.isascii() and len(digits) <= _LONGEST_NUMBER):
                return MISFIT
            value = int(text.removesuffix(".0"))
        elif isinstance(value, float):
            if not value.is_integer():
                return MISFIT
            value = int(value)
        elif isinstance(value, bool) or not isinstance(value, int):
            return MISFIT
        return value if least <= value <= most else MISFIT

    return fit_whole


def _real(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return MISFIT
    if isinstance(value, str) and len(value) > _LONGEST_NUMBER:
        return MISFIT
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return MISFIT
    return number if number - number == 0 else MISFIT  # neither infinite nor no number


def _truth(value: object) -> object:
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return bool(value) if value in (0, 1) else MISFIT
    found = _TRUTHS.get(value.strip().lower()) if isinstance(value, str) else None
    return MISFIT if found is None else found


def _moment(value: object) -> object:
    if isinstance(value, str):
        try:
            return to_ns(value)
        except ValueError:
            return MISFIT
    if isinstance(value, int) and not isinstance(value, bool) and _EARLIEST_NS <= value <= _LATEST_NS:
        return value
    return MISFIT


def _guid(value: object) -> object:
    if isinstance(value, str) and len(value) == 36 and value.count("-") == 4 and _HEX.issuperset(value):
        return value
    return MISFIT


def _dynamic(value: object) -> object:
    """JSON, or text of JSON: exports write a dynamic column as text in places. Other text is a text."""
    if isinstance(value, str):
        if value[:1] in ("{", "["):
            try:
                return _decode(value)
            except (ValueError, RecursionError):
                pass
        return value if len(value) <= LONGEST_TEXT else value[:LONGEST_TEXT]
    return value


def _timespan(value: object) -> object:
    return value if isinstance(value, str) and len(value) <= _LONGEST_NUMBER else MISFIT


_FITS: Mapping[ScalarType, Callable[[object], object]] = {
    ScalarType.STRING: _text,
    ScalarType.LONG: _whole(63),
    ScalarType.INT: _whole(31),
    ScalarType.REAL: _real,
    ScalarType.BOOL: _truth,
    ScalarType.DATETIME: _moment,
    ScalarType.TIMESPAN: _timespan,
    ScalarType.GUID: _guid,
    ScalarType.DYNAMIC: _dynamic,
}
