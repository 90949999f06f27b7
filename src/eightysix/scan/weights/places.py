"""Where the tensors of a file lie: overlaps, holes and bytes that belong to none of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from eightysix.scan.artifact import Artifact
from eightysix.scan.interface import Scan

__all__ = ["PROBED", "hidden", "holes", "overlaps"]

PROBED = 64
"""So many stretches of ownerless bytes are looked into, the first ones; a file of a real writer has none."""

_ZEROS = bytes(1 << 16)


def holes(spans: Iterable[tuple[int, int]], end: int, slack: int = 0) -> Iterator[tuple[int, int]]:
    """The stretches from 0 to `end` longer than `slack` that none of the sorted `spans` (first, last) covers."""
    reached = 0
    for first, last in spans:
        if first - reached > slack:
            yield reached, first
        reached = max(reached, last)
    if end - reached > slack:
        yield reached, end


def overlaps(spans: Iterable[tuple[int, int]]) -> int | None:
    """Where the first of the sorted `spans` starts before the one in front of it ended; None where none does."""
    reached = 0
    for first, last in spans:
        if first < reached and last > first:
            return first
        reached = max(reached, last)
    return None


def hidden(scan: Scan, artifact: Artifact, stretches: Iterable[tuple[int, int]], where: str) -> None:
    """Report bytes that no tensor owns, unless they are all zero, and have them read for what they are."""
    probed = 0
    for first, last in stretches:
        if _all_zero(artifact, first, last):
            continue  # padding
        probed += 1
        if probed > PROBED:
            return
        scan.report(
            "hidden-data", artifact, f"{last - first:,} bytes {where} belong to no tensor", offset=first
        )
        scan.descend(artifact.window(f"bytes at {first}", first, last - first))


def _all_zero(artifact: Artifact, first: int, last: int) -> bool:
    place = first
    while place < last:
        piece = artifact.at(place, min(len(_ZEROS), last - place))
        if piece != _ZEROS[: len(piece)]:
            return False
        place += len(piece) or last
    return True
