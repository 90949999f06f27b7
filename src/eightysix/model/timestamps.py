"""RFC 3339 text to nanoseconds since 1970, fast enough for every record of a busy node.

`datetime` keeps microseconds only and costs twice as much; kernel telemetry needs nanoseconds. Both Go's
`time.RFC3339Nano` (Tetragon, kube-apiserver) and the forms of Azure exports (seven digits, a blank instead of `T`, no
zone) are read.
"""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["to_ns"]

_LONGEST = 64
_MEMO_SIZE = 2048
_SCALE = tuple(10 ** (11 - digits) if 2 <= digits <= 11 else 0 for digits in range(12))
"""By the number of digits in `SSfffffffff`: what one unit of the last digit is in nanoseconds."""

_minutes: dict[str, int] = {}
"""`YYYY-MM-DDTHH:MM:` to its nanoseconds: telemetry comes in time order, so nearly every look-up hits. Only text that
`_minute` has checked gets in; emptied when full, so clocks far off or hostile text cost time but no memory."""


def to_ns(text: str) -> int:
    """Nanoseconds since 1970 (UTC) of `YYYY-MM-DDTHH:MM:SS[.fraction][zone]`.

    `T` may be `t` or a blank; the zone is `Z`, `z`, `±HH:MM`, `±HHMM` or `±HH`, and UTC where absent (Azure exports
    leave it out). Digits of the fraction after the ninth are cut off. Raises `ValueError` on anything else, on leap
    seconds, and outside the years 1970 to 2261 (what fits in a signed 64-bit integer); its message never repeats the text.
    """
    size = len(text)
    if 20 <= size <= 30 and text[-1] == "Z" and (minute := _minutes.get(text[:17])) is not None:
        digits = text[17:19] + text[20:-1]
        if (
            digits < "6"
            and digits.isdigit()
            and digits.isascii()
            and (size == 20 or text[19] == "." and size > 21)
        ):
            return minute + int(digits) * _SCALE[len(digits)]
    return _slow(text)


def _slow(text: str) -> int:
    if not 19 <= len(text) <= _LONGEST:
        raise ValueError("not a time: wrong length")
    minute = _minutes.get(text[:17])
    if minute is None:
        minute = _minute(text[:17])
    seconds, rest = _digits(text[17:19]), text[19:]
    if seconds > 59:
        raise ValueError("not a time: seconds out of range")
    fraction = 0
    if rest[:1] == ".":
        rest = rest[1:]
        body = rest.rstrip("Zz") if rest[-1:] in "Zz" else rest.partition("+")[0].partition("-")[0]
        rest = rest[len(body) :]
        _digits(body)
        fraction = int(body[:9].ljust(9, "0"))
    result = minute + seconds * 1_000_000_000 + fraction - _offset(rest)
    if not 0 <= result < _END:
        raise ValueError("not a time: outside the years 1970 to 2261")
    return result


def _minute(prefix: str) -> int:
    """Check `YYYY-MM-DDTHH:MM:` and remember it."""
    if (
        prefix[4] != "-"
        or prefix[7] != "-"
        or prefix[10] not in "Tt "
        or prefix[13] != ":"
        or prefix[16] != ":"
    ):
        raise ValueError("not a time: not in the form YYYY-MM-DDTHH:MM:SS")
    parts = [_digits(prefix[a:b]) for a, b in ((0, 4), (5, 7), (8, 10), (11, 13), (14, 16))]
    year, month, day, hour, minute = parts
    when = datetime(year, month, day, hour, minute, tzinfo=UTC) - _EPOCH
    result = (when.days * 86_400 + when.seconds) * 1_000_000_000
    if 1970 <= year <= 2261:
        if len(_minutes) >= _MEMO_SIZE:
            _minutes.clear()
        _minutes[prefix] = result
    return result


def _offset(zone: str) -> int:
    """Nanoseconds east of UTC."""
    if zone in ("", "Z", "z"):
        return 0
    hours, minutes = zone[1:3], zone[-2:] if len(zone) > 3 else "00"
    if zone[0] not in "+-" or len(zone) not in (3, 5, 6) or (len(zone) == 6 and zone[3] != ":"):
        raise ValueError("not a time: unknown zone")
    east = _digits(hours) * 3600 + _digits(minutes) * 60
    if east >= 86_400 or int(minutes) > 59:
        raise ValueError("not a time: zone out of range")
    return (east if zone[0] == "+" else -east) * 1_000_000_000


def _digits(text: str) -> int:
    if not (text.isdigit() and text.isascii()):
        raise ValueError("not a time: a digit is missing")
    return int(text)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_END = (datetime(2262, 1, 1, tzinfo=UTC) - _EPOCH).days * 86_400 * 1_000_000_000
