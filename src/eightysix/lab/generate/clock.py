"""Time in written streams: seconds from one fixed base, so that every stream has the same bytes every day."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["BASE_NS", "SECOND", "epoch_ns", "rfc3339"]

SECOND = 1_000_000_000
BASE_NS = 1_795_510_800 * SECOND
"""2026-11-24T09:00:00Z, offset 0 of every scenario."""


def epoch_ns(offset_s: float) -> int:
    """Nanoseconds since 1970 of `offset_s` seconds after the base, exact to the microsecond."""
    return BASE_NS + round(offset_s * 1_000_000) * 1_000


def rfc3339(time_ns: int, digits: int) -> str:
    """UTC text with 0, 3, 6 or 9 fractional digits, as protojson and Kubernetes write it."""
    seconds, rest = divmod(time_ns, SECOND)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f".{rest:09d}"[: digits + 1] if digits else ""
    return f"{text}{fraction}Z"
