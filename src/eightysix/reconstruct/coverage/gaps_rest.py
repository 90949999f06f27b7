"""Gaps in time, of the operator's own, and of what could not be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from eightysix.model.incident import Counts, Problem
from eightysix.model.visibility import Certainty, ClusterSight, Feed, Fix, Gap, Importance, Silence, Witness
from eightysix.model.words import Stage
from eightysix.reconstruct.coverage import fixes
from eightysix.reconstruct.coverage.gap import ALL, counted, gap, listed
from eightysix.sources.survey.audit import ADMIN, FULL, PLAIN
from eightysix.sources.survey.metrics import NOT_LOADED

__all__ = ["agent_gaps", "late_gaps", "operator_gaps", "silent_gaps", "unread_gaps"]

LATE_S = 1800.0
"""Half an hour for more than one record in twenty: later than Azure documents for any of these logs (minutes; sign-ins up to
half an hour by what users report)."""

_KERNEL_STAGES = (Stage.LAND, Stage.RUN, Stage.REACH, Stage.PIVOT, Stage.LEAVE)
_REPAIR = Fix("read those files again, whole; -v names each record", "", ("eightysix coverage PATH... -v",))


def silent_gaps(sight: ClusterSight) -> Iterator[Gap]:
    """One gap for each log that fell silent, with the longest silence in words."""
    by_feed: dict[str, list[Feed]] = {}
    for feed in sight.feeds:
        if feed.silences:
            by_feed.setdefault(feed.name, []).append(feed)
    for name, feeds in sorted(by_feed.items()):
        found = [
            (_proves(name, one), one.seconds, feed.node, feed, one) for feed in feeds for one in feed.silences
        ]
        proven, _, _, worst, one = max(found, key=lambda item: item[:3])
        where = f" from {worst.node}" if worst.node else ""
        yield gap(
            "silence",
            Importance.PART if proven else Importance.NOTE,
            Certainty.SHOWN if proven else Certainty.OPEN,
            sight.name,
            f"{name} fell silent",
            f"{_span(one.seconds)}{where} until {one.end[:19]}Z, where pauses end within {_span(max(one.usual_s, 10))}."
            f" {_known(one, proven=proven)}",
            stages=ALL,
            fix=_look(worst),
            places={feed.node for feed in feeds} - {""},
        )


def _proves(name: str, one: Silence) -> bool:
    """Whether what others told meanwhile shows that this log should have told something: an API server hears its own nodes all
    day, and what Falco or a sensor tells of a node, its kernel's hooks see too. That a kubelet is heard says nothing of
    pods, and a sensor, a resolver or Falco may have nothing to tell while others do."""
    if name in (PLAIN, FULL, ADMIN):
        return bool(one.meanwhile)
    return name == "tetragon" and one.meanwhile in ("falco", "sensor")


def _known(one: Silence, *, proven: bool) -> str:
    if not one.meanwhile:
        return "Nobody else told of it meanwhile: whether it was quiet or broken is not known."
    told = f"{one.meanwhile} told {counted(one.told, 'record')} meanwhile"
    if proven:
        return f"It was not quiet there: {told}."
    return f"The place was there, as {told}; whether there was anything to tell is not known."


def _look(feed: Feed) -> Fix:
    """Where to look."""
    match feed.witness:
        case Witness.KERNEL:
            return fixes.look_at_node(feed.node, feed.name == "falco")
        case Witness.SENSOR:
            return fixes.look_at_receiver(feed.node)
        case Witness.NAMES:
            return fixes.names()
        case _:
            return fixes.own_audit() if feed.name == PLAIN else fixes.cloud("aks-audit")


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
            fix=fixes.sooner(),
            places={feed.name for feed in late},
        )


def agent_gaps(agents: Mapping[str, int]) -> Iterator[Gap]:
    """What Tetragon's agents say of themselves in their metrics, which name neither node nor cluster."""
    lost = {what: number for what, number in agents.items() if number and what != NOT_LOADED}
    if lost:
        told = ", ".join(f"{what} {number:,}" for what, number in sorted(lost.items()))
        yield gap(
            "agents-lost",
            Importance.PART,
            Certainty.SHOWN,
            "",
            f"an agent of Tetragon lost {counted(sum(lost.values()), 'event')}",
            f"By its metrics, since it started: {told}. Nothing in the export says so.",
            stages=_KERNEL_STAGES,
            fix=fixes.tetragon_values(
                "larger buffers (tetragon.extraArgs: rb-size, rb-queue-size), fewer hooks, no rate limit"
            ),
        )
    failed = agents.get(NOT_LOADED, 0)
    if failed:
        yield gap(
            "policies-failed",
            Importance.PART,
            Certainty.SHOWN,
            "",
            f"{counted(failed, 'policy', 'policies')} of Tetragon did not load",
            "By its metrics. What they ask for is told by nobody on that node; the agent's log says why.",
            stages=_KERNEL_STAGES,
            fix=fixes.policies(),
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
