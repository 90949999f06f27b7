"""Uses of identities, gathered while records are read, and how far back those records reach.

What counts as use: a sign-in, or anything that an identity did in the cloud; for a service account any request to the API
that was not refused (401, 403), also one that somebody else made in its name. A token that is minted for it is no use,
whoever asks: the kubelet does that for every pod that may never speak to the API.

Nobody is called unused because a log is missing. For each log the hours with a record are kept; what is older than a long
silence proves nothing. `kube-audit-admin` leaves reads out, so only hours in which somebody read count for accounts.
Any order and any repetition of the same records gives the same, while no bound is hit (`full`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Final

from msgspec import Struct

from eightysix.context.sameprincipal import Principals
from eightysix.detect.wording import rfc3339
from eightysix.model.event import Event
from eightysix.model.words import Kind, Outcome
from eightysix.posture.identities import Use
from eightysix.sources.kubernetes_audit import outcome_of, peer_of
from eightysix.sources.kubernetes_audit_records import AuditEvent, Record

__all__ = ["MAX_CALLERS", "MAX_IDENTITIES", "SILENCE_NS", "Feed", "Reach", "UseLog"]

MAX_CALLERS: Final = 262_144
"""Callers of all identities that are told apart; of further ones only the time is kept."""

MAX_IDENTITIES: Final = 1_048_576
"""Identities that are told apart: twenty times the service accounts of the largest clusters."""

MAX_HOURS: Final = 100_000
"""Hours of one log, eleven years of them."""

_HOUR_NS: Final = 3_600_000_000_000
_DAY_NS: Final = 24 * _HOUR_NS
_LONGEST: Final = 512
_ACCOUNT: Final = "system:serviceaccount:"
_READS: Final = frozenset({"get", "list"})
"""What `kube-audit-admin` leaves out (learn.microsoft.com/azure/aks/monitor-aks)."""
_SELF_REVIEWS: Final = frozenset(
    {"selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"}
)
_MANAGED: Final = "managed-identity"


class Feed(StrEnum):
    """A log that shows uses of one kind of identity completely."""

    MANAGED = "sign-ins of managed identities"
    PRINCIPALS = "sign-ins of service principals"
    AUDIT = "the audit log with reads"
    CHANGES = "the audit log"


SILENCE_NS: Final = {
    Feed.MANAGED: 2 * _DAY_NS,
    Feed.PRINCIPALS: 2 * _DAY_NS,
    Feed.AUDIT: _DAY_NS,
    Feed.CHANGES: _DAY_NS,
}
"""Silence after which a log is taken as interrupted. Judged: tokens of managed identities last up to 24 hours
(learn.microsoft.com/entra/identity/managed-identities-azure-resources/managed-identities-faq), and every node pool's
identity asks again; an API server is read many times a minute, but a cluster may be stopped over night."""


class Reach(Struct, frozen=True):
    """How far a log reaches: from when on it is whole up to the end (0 where nothing is), its first and its last record."""

    since_ns: int = 0
    first_ns: int = 0
    last_ns: int = 0


class UseLog:
    """What sources tell of uses. Feed it with `on_request` (see `KubernetesAuditDecoder`) and `take`."""

    def __init__(self) -> None:
        self._lives: dict[tuple[str, tuple[str, ...], str, str], int] = {}
        self._identities: set[tuple[str, tuple[str, ...]]] = set()
        self._same = Principals()
        self._hours: dict[tuple[Feed, str], dict[int, tuple[int, int]]] = {}
        self.full = False

    def on_request(self, record: Record, audit: AuditEvent, cluster: str, time_ns: int) -> None:
        """Take one request to a cluster's API."""
        self.seen(Feed.CHANGES, cluster, time_ns, time_ns)
        if audit.verb in _READS:
            self.seen(Feed.AUDIT, cluster, time_ns, time_ns)
        user = (audit.user.username if audit.user is not None else None) or ""
        other = (audit.impersonated.username if audit.impersonated is not None else None) or ""
        if not (user.startswith(_ACCOUNT) or other.startswith(_ACCOUNT)):
            return
        if outcome_of(audit) is Outcome.DENIED:
            return
        if user.startswith(_ACCOUNT) and not _mints_own(audit, user):
            extra = audit.user.extra if audit.user is not None else None
            pods = (extra.pod_name if extra is not None else None) or ("",)
            namespace = user.removeprefix(_ACCOUNT).partition(":")[0]
            pod = f"{namespace}/{pods[0]}"[:_LONGEST] if pods[0] else ""
            self._note(cluster, (user[:_LONGEST],), pod, "" if pod else peer_of(audit.source_ips), time_ns)
        if other.startswith(_ACCOUNT) and not _asks_what_it_may(audit):
            self._note(cluster, (other[:_LONGEST],), "", f"{user[:_LONGEST]} in its name", time_ns)

    def take(self, events: Iterable[Event]) -> None:
        """Take what clouds tell."""
        for event in events:
            if event.kind is not Kind.CLOUD or not event.principals:
                continue
            if event.resource == "sign-in":
                feed = Feed.MANAGED if event.activity == _MANAGED else Feed.PRINCIPALS
                self.seen(feed, "", event.time_ns, event.time_ns)
                # NOTE: of sign-ins alone: a row of a service names whose token it was and the program that asked for
                # it, which for people are two.
                self._same.join(event.principals)
            if event.outcome is not Outcome.DENIED:
                self._note("", event.principals, "", event.source_ip, event.time_ns)

    def seen(self, feed: Feed, cluster: str, first_ns: int, last_ns: int) -> None:
        """Note that a log has records of an hour, the first and the last of them at these times."""
        hours = self._hours.setdefault((feed, cluster), {})
        hour = first_ns // _HOUR_NS
        before = hours.get(hour)
        if before is not None:
            if first_ns < before[0] or last_ns > before[1]:
                hours[hour] = min(first_ns, before[0]), max(last_ns, before[1])
        elif len(hours) < MAX_HOURS:
            hours[hour] = first_ns, last_ns
        else:
            self.full = True

    def _note(self, cluster: str, ids: tuple[str, ...], pod: str, caller: str, time_ns: int) -> None:
        who = (cluster, ids)
        if who not in self._identities:
            if len(self._identities) >= MAX_IDENTITIES:
                self.full = True
                return
            self._identities.add(who)
        key = (cluster, ids, pod, caller)
        known = self._lives.get(key)
        if known is None and len(self._lives) >= MAX_CALLERS:
            key = (cluster, ids, "", "")
            known = self._lives.get(key)
        if known is None or time_ns > known:
            self._lives[key] = time_ns

    @property
    def clusters(self) -> tuple[str, ...]:
        """Clusters that audit records name."""
        return tuple(sorted({cluster for _, cluster in self._hours if cluster}))

    def is_of(self, told: str, cluster: str) -> bool:
        """Whether records of the cluster that logs call `told` are of the one that is looked at: those that name none, of the
        same name, and all where only one is named and nobody says what the cluster is called."""
        if not told or told.casefold() == cluster.casefold():
            return True
        return not cluster and len(self.clusters) == 1

    def uses(self, cluster: str) -> Iterator[Use]:
        """Uses of the identities of one cluster and of the cloud. Records of other clusters are left out: service accounts of
        the same name are others' there."""
        for (where, ids, pod, caller), time_ns in sorted(self._lives.items()):
            if self.is_of(where, cluster):
                every = ids if ids[0].startswith(_ACCOUNT) else self._same.of(ids)
                yield Use(every, rfc3339(time_ns), pod, caller=caller)

    def reach(self, feed: Feed, cluster: str, now_ns: int) -> Reach:
        """How far a log reaches back from `now_ns` (its own end where that is later, or 0)."""
        hours: dict[int, tuple[int, int]] = {}
        for (one, where), found in self._hours.items():
            if one is feed and self.is_of(where, cluster):
                for hour, (first, last) in found.items():
                    before = hours.get(hour, (first, last))
                    hours[hour] = min(first, before[0]), max(last, before[1])
        if not hours:
            return Reach()
        spans = sorted(hours.values(), reverse=True)
        begin, end = max(now_ns, spans[0][1]), spans[0][1]
        since = 0
        for first, last in spans:
            if begin - last > SILENCE_NS[feed]:
                break
            since = begin = first
        return Reach(0 if self.full else since, spans[-1][0], end)


def _asks_what_it_may(audit: AuditEvent) -> bool:
    """`kubectl auth can-i --as`: somebody asks what an account may do, and does nothing with it."""
    return audit.target is not None and audit.target.resource in _SELF_REVIEWS


def _mints_own(audit: AuditEvent, user: str) -> bool:
    """Whether an account asks for a token of its own."""
    target = audit.target
    if target is None or target.subresource != "token" or target.resource != "serviceaccounts":
        return False
    return audit.verb == "create" and user == f"{_ACCOUNT}{target.namespace}:{target.name}"
