"""The words and numbers that the plain format and Markdown share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from eightysix.model.visibility import Certainty, Feed, Sight, Visibility, Witness

__all__ = ["CERTAINTY", "LEGEND", "SIGHT", "WITNESS", "Row", "latest", "plural", "rows", "span", "summary"]

WITNESS = {
    Witness.KERNEL: "kernel",
    Witness.SENSOR: "sensor",
    Witness.AUDIT: "audit log",
    Witness.PROVIDER: "cloud logs",
    Witness.NAMES: "names",
    Witness.LEDGER: "scans",
}

SIGHT = {
    Sight.WHOLE: "sees",
    Sight.PART: "part",
    Sight.BLIND: "blind",
    Sight.ABSENT: "none",
    Sight.NEVER: "·",
}

LEGEND = (
    ("sees", "its records show what the stage needs"),
    ("part", "of some places or acts"),
    ("blind", "it arrives and no record shows the stage"),
    ("none", "nothing of it arrives"),
    ("·", "not to be seen there"),
)

CERTAINTY = {
    Certainty.SHOWN: "the records show it",
    Certainty.ABSENT: "nothing arrived",
    Certainty.OPEN: "quiet or off: not known",
}


def plural(number: int, noun: str) -> str:
    """`1 node`, `2 nodes`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def span(seconds: float | None) -> str:
    """A time as a person says it; None is more than a day."""
    if seconds is None:
        return "> 1 day"
    for size, unit in ((86400.0, "days"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:g} s" if seconds < 10 else f"{seconds:.0f} s"


def latest(at: str) -> str:
    """A moment to the minute, as a person reads it."""
    return f"{at[:10]} {at[11:16]}" if at else "-"


class Row(Struct, frozen=True):
    """One log of one cluster, all its places together."""

    name: str
    places: int
    records: int
    last: str
    late: str
    lost: str
    unattributed: str


def rows(feeds: Sequence[Feed]) -> list[Row]:
    """A row for each log."""
    by_name: dict[str, list[Feed]] = {}
    for feed in feeds:
        by_name.setdefault(feed.name, []).append(feed)
    return [_row(name, several) for name, several in sorted(by_name.items())]


def _row(name: str, feeds: Sequence[Feed]) -> Row:
    of, without = sum(feed.of for feed in feeds), sum(feed.unattributed for feed in feeds)
    bounds = [feed.lateness for feed in feeds if feed.lateness is not None]
    worst = (
        None
        if any(late.p95_s is None for late in bounds)
        else max((late.p95_s or 0 for late in bounds), default=0)
    )
    return Row(
        name=name,
        places=len({feed.node for feed in feeds} - {""}),
        records=sum(feed.records for feed in feeds),
        last=max((feed.last for feed in feeds), default=""),
        late=f"≤ {span(worst)}" if bounds and worst is not None else span(worst) if bounds else "untold",
        lost=f"{sum(sum(feed.lost.values()) for feed in feeds):,}",
        unattributed=_share(without, of) if of else "-",
    )


def _share(part: int, whole: int) -> str:
    percent = 100 * part / whole
    return "< 1 %" if 0 < percent < 1 else "> 99 %" if 99 < percent < 100 else f"{percent:.0f} %"


def summary(visibility: Visibility) -> list[str]:
    """What was looked at, in few words."""
    nodes = sum(len(one.nodes) for one in visibility.clusters)
    python = sum(one.python_pods for one in visibility.clusters)
    told = [
        f"{plural(visibility.counts.events, 'record')}{_over(visibility)}",
        plural(sum(bool(one.name or one.feeds) for one in visibility.clusters), "cluster"),
        plural(nodes, "node"),
        f"{plural(python, 'pod')} with Python",
    ]
    if visibility.counts.duplicate:
        told.append(f"{visibility.counts.duplicate:,} came twice")
    return told


def _over(visibility: Visibility) -> str:
    feeds = [*visibility.cloud, *(feed for one in visibility.clusters for feed in one.feeds)]
    try:
        first = min(datetime.fromisoformat(feed.first) for feed in feeds if feed.first)
        last = max(datetime.fromisoformat(feed.last) for feed in feeds if feed.last)
    except ValueError:
        return ""
    return f" over {span((last - first).total_seconds())}"
