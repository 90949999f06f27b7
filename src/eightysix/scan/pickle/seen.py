"""What was seen in a stream: observations, and bytes in it that may be a pickle of their own."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["Encoded", "Observation"]


class Observation(Struct, frozen=True):
    """One thing that a stream does, by the rule that it falls under. `place` counts from the start of the artifact."""

    rule: str
    why: str
    place: int
    names: tuple[str, ...] = ()


class Encoded(Struct, frozen=True):
    """Bytes or text inside of the stream that may be a pickle: where, and how encoded (`raw`, `base64`, `hex`)."""

    start: int
    length: int
    coding: str
