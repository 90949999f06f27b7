"""How a gap is put together, and what the words of a number are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from eightysix.model.visibility import Certainty, Fix, Gap, Importance
from eightysix.model.words import Stage

__all__ = ["ALL", "counted", "gap", "listed", "share"]

ALL = tuple(Stage)
MOST_PLACES = 1_000
"""Places that a gap lists; how many there are more is in its text."""


def gap(
    name: str,
    importance: Importance,
    certainty: Certainty,
    cluster: str,
    title: str,
    detail: str,
    *,
    fix: Fix,
    stages: Sequence[Stage] = ALL,
    places: Iterable[str] = (),
) -> Gap:
    """A gap; which rules need what it lacks is found later (`reconstruct.coverage.view`)."""
    return Gap(
        id=name,
        importance=importance,
        certainty=certainty,
        cluster=cluster,
        title=title,
        detail=detail,
        stages=tuple(stages),
        fix=fix,
        places=tuple(sorted(places)[:MOST_PLACES]),
    )


def counted(number: int, one: str, many: str = "") -> str:
    """`1 node`, `2 nodes`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def share(part: int, whole: int) -> str:
    """A percentage that is never rounded to nothing or to all."""
    percent = 100 * part / max(whole, 1)
    if 0 < percent < 0.1:
        return "under 0.1 %"
    return "over 99.9 %" if 99.9 < percent < 100 else f"{percent:.1f} %"


def listed(names: Iterable[str], most: int = 3) -> str:
    """Some names, and how many more there are."""
    ordered = sorted(names)
    more = f" and {len(ordered) - most:,} more" if len(ordered) > most else ""
    return ", ".join(ordered[:most]) + more
