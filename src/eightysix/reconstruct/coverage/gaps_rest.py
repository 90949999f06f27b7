"""Gaps in time, of the operator's own, and of what could not be read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from eightysix.model.incident import Counts, Problem
from eightysix.model.visibility import Certainty, ClusterSight, Feed, Fix, Gap, Importance, Witness
from eightysix.model.words import Stage
from eightysix.reconstruct.coverage import fixes
from eightysix.reconstruct.coverage.gap import ALL, counted, gap, listed

__all__ = ["late_gaps", "operator_gaps", "silent_gaps", "unread_gaps"]

LATE_S = 1800.0
"""Half an hour for more than one record in twenty: later than Azure documents for any of these logs (minutes; sign-ins up to
half an hour by what users report)."""

_REPAIR = Fix("read those files again, whole; -v names each record", "", ("eightysix coverage PATH... -v",))


def silent_gaps(sight: ClusterSight) -> Iterator[Gap]:
    """One gap for each log that fell silent, with the longest silence in words."""
    by_feed: dict[str, list[Feed]] = {}
    for feed in sight.feeds:
        if feed.silences:
            by_feed.setdefault(feed.name, []).append(feed)
    for name, feeds in sorted(by_feed.items()):
        alive = [feed for feed in feeds if any(one.meanwhile for one in feed.silences)]
        worst = max(alive or feeds, key=lambda feed: (feed.silences[0].seconds, feed.node))
        one = next((s for s in worst.silences if s.meanwhile), worst.silences[0])
        where = f" from {worst.node}" if worst.node else ""
        known = (
            f"It was not quiet there: {one.meanwhile} told {counted(one.told, 'record')} meanwhile."
            if one.meanwhile
            else "Nobody else told of it meanwhile: whether it was quiet or broken is not known."
        )
        falco = name == "falco"
        kernel = worst.witness is Witness.KERNEL
        fix = (
            fixes.look_at_node(worst.node, falco)
            if kernel
            else fixes.look_at_receiver(worst.node)
            if worst.witness is Witness.SENSOR
            else fixes.names()
            if worst.witness is Witness.NAMES
            else fixes.cloud("aks-audit")
        )
        yield gap(
            "silence",
            Importance.PART if alive else Importance.NOTE,
            Certainty.SHOWN if alive else Certainty.OPEN,
            sight.name,
            f"{name} fell silent",
            f"{_span(one.seconds)}{where} until {one.end[:19]}Z, where pauses end within {_span(max(one.usual_s, 10))}. {known}",
            stages=ALL,
            fix=fix,
            places={feed.node for feed in feeds} - {""},
        )


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def late_gaps(feeds: Sequence[Feed]) -> Iterator[Gap]:
    """Logs that come later than they should."""
    late = [
        feed
        for feed in feeds
        if feed.lateness is not None and (feed.lateness.p95_s is None or feed.lateness.p95_s > LATE_S)
    ]
    if late:
        yield gap(
            "late",
            Importance.NOTE,
            Certainty.SHOWN,
            "",
            f"{listed({feed.name for feed in late})}: later than half an hour",
            "One record in twenty or more. It confirms and extends what is known; nothing waits for it, and an incident grows"
            " for a day.",
            stages=(),
            fix=fixes.cloud("activity" if any(feed.name == "activity" for feed in late) else "sign-ins"),
            places={feed.name for feed in late},
        )


def operator_gaps(*, baseline: bool, ledger: bool) -> Iterator[Gap]:
    """What the operator has not."""
    if not baseline:
        yield gap(
            "baseline-absent",
            Importance.PART,
            Certainty.ABSENT,
            "",
            "no baseline",
            "What is new to a workload cannot be told from what it always did: novelty earns no points.",
            stages=ALL,
            fix=fixes.baseline(),
        )
    if not ledger:
        yield gap(
            "ledger-absent",
            Importance.NOTE,
            Certainty.ABSENT,
            "",
            "no ledger of scans",
            "Which bytes a model load read, and whether they were scanned, is then not known.",
            stages=(Stage.LAND, Stage.RUN),
            fix=fixes.ledger(),
        )


def unread_gaps(counts: Counts, problems: Sequence[Problem]) -> Iterator[Gap]:
    """What could not be read."""
    unread = counts.malformed + counts.oversized
    broken = sorted({one.file for one in problems if one.kind == "unreadable"})
    if unread or broken:
        yield gap(
            "unread",
            Importance.PART,
            Certainty.SHOWN,
            "",
            f"{counted(unread, 'record')} and {counted(len(broken), 'file')} that cannot be read",
            "What they would have told is counted nowhere." + (f" {listed(broken)}." if broken else ""),
            stages=(),
            fix=_REPAIR,
            places=broken,
        )
