"""Identities with what logs tell of their use, and which log is missing where nobody can say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from eightysix.detect.wording import rfc3339
from eightysix.model.posture import IdentityUse, NotSeen
from eightysix.model.timestamps import to_ns
from eightysix.posture.identities import UNUSED_DAYS, identities
from eightysix.posture.snapshot import Snapshot, Template
from eightysix.posture.uselog import SILENCE_NS, Feed, Reach, UseLog

__all__ = ["used_identities"]

_DAY_NS: Final = 86_400_000_000_000
_HOUR_NS: Final = 3_600_000_000_000

_CLOSE: Final = {
    Feed.MANAGED: "--logs with ManagedIdentitySignInLogs of Entra (deploy/azure/sign-ins.bicep)",
    Feed.PRINCIPALS: "--logs with ServicePrincipalSignInLogs of Entra (deploy/azure/sign-ins.bicep)",
    Feed.AUDIT: "--logs with kube-audit, as -admin has no reads (deploy/azure/aks-audit.bicep)",
}
"""By log, the setting that brings it."""

_OLDER: Final = "give older files with --logs, or keep the log for longer"


def used_identities(
    snapshot: Snapshot, templates: Sequence[Template], log: UseLog, *, days: int = UNUSED_DAYS
) -> tuple[tuple[IdentityUse, ...], tuple[NotSeen, ...]]:
    """All identities with what `log` tells of their use, and what it could not show."""
    now = _ns(snapshot.taken_at)
    reach = {feed: log.reach(feed, snapshot.cluster, now) for feed in _CLOSE}
    since = {feed: rfc3339(one.since_ns) if one.since_ns else "" for feed, one in reach.items()}
    found = identities(
        snapshot,
        templates,
        log.uses(snapshot.cluster),
        cloud_since=since[Feed.MANAGED],
        principals_since=since[Feed.PRINCIPALS],
        cluster_since=since[Feed.AUDIT],
        days=days,
    )
    return found, tuple(_gaps(found, log, reach, snapshot.cluster, now, days))


def _ns(text: str) -> int:
    try:
        return to_ns(text) if text else 0
    except ValueError:
        return 0


def _gaps(
    found: Sequence[IdentityUse],
    log: UseLog,
    reach: dict[Feed, Reach],
    cluster: str,
    now_ns: int,
    days: int,
) -> Iterator[NotSeen]:
    """What is missing for identities of whose use nobody can say."""
    unknown = [one for one in found if one.unused is None]
    accounts = sum(one.kind == "service-account" for one in unknown)
    managed = sum(one.kind.endswith("-assigned") for one in unknown)
    either = sum(one.kind == "unlisted" for one in unknown)
    others = len(unknown) - accounts - managed - either
    strangers = [name for name in log.clusters if not log.is_of(name, cluster)]
    if strangers:
        told = ", ".join(strangers[:5])
        yield NotSeen(
            f"audit records of {told}",
            f"the cluster is called {cluster} here: they are taken as another's"
            if cluster
            else "nobody says which of them this cluster is: none is used",
            "say what the logs call it with --cluster",
        )
    for feed, count, whose in (
        (Feed.MANAGED, managed + either, ("cloud identities are", "cloud identity is")),
        (Feed.PRINCIPALS, others + either, ("service principals are", "service principal is")),
        (Feed.AUDIT, accounts, ("service accounts are", "service account is")),
    ):
        if count:
            yield _gap(feed, reach[feed], f"{count:,} {whose[count == 1]}", now_ns, days)
    if log.full:
        yield NotSeen(
            "a part of the logs", "they name more identities or hours than are kept: none is told as unused"
        )


def _gap(feed: Feed, reach: Reach, whose: str, now_ns: int, days: int) -> NotSeen:
    why = f"whether {whose} used is unknown"
    if not reach.last_ns:
        return NotSeen(str(feed), why, _CLOSE[feed])
    if not reach.since_ns:
        return NotSeen(
            f"{feed} after {_day(reach.last_ns)}",
            f"{why}: they end before the objects were collected",
            _OLDER.replace("older", "newer"),
        )
    length = (max(now_ns, reach.last_ns) - reach.since_ns) // _DAY_NS
    silent = reach.first_ns < reach.since_ns
    begin = f"{feed} before {_day(reach.since_ns)}"
    said = f"{why}: what is there is {length} days long, and {days} days without use count as unused"
    if silent:
        said += f"; before it nothing is there for more than {SILENCE_NS[feed] // _HOUR_NS} hours"
    return NotSeen(begin, said, _OLDER)


def _day(time_ns: int) -> str:
    return rfc3339(time_ns)[:10]
