"""Counts the audit log of an API server: which export it is, what it leaves out, and how late it comes."""

from __future__ import annotations

from eightysix.model.timestamps import to_ns
from eightysix.model.visibility import Witness
from eightysix.sources.kubernetes_audit import KubernetesAuditDecoder
from eightysix.sources.kubernetes_audit_records import AuditEvent, Record
from eightysix.sources.survey.census import Census, Place, Tally, count, short

__all__ = ["ADMIN", "DEFENDER_AUDIT", "FULL", "PLAIN", "audit_survey", "note_request"]

PLAIN, FULL, ADMIN = "kubernetes-audit", "kube-audit", "kube-audit-admin"
"""Where the events come from: an API server's own log, and the two categories of AKS."""

DEFENDER_AUDIT = "CloudAuditEvents"
"""The same events as Defender has them."""

_FEEDS = {"kube-audit": FULL, "AKSAudit": FULL, "kube-audit-admin": ADMIN, "AKSAuditAdmin": ADMIN}
_VERBS = frozenset("get list watch create update patch delete deletecollection connect proxy".split())
_LEVELS = frozenset(("Metadata", "Request", "RequestResponse"))
_NODE = "system:node:"
_SERVICE_ACCOUNT = "system:serviceaccount:"
_PLATFORM = "system:serviceaccount:kube-system:"
"""The control plane's own controllers are no pods: their tokens name none."""


def audit_survey(census: Census) -> KubernetesAuditDecoder:
    """A decoder that counts into `census` and gives no events."""

    def on_request(record: Record, audit: AuditEvent, cluster: str, time_ns: int) -> None:
        category = record.category or record.row_category or record.row_type or ""
        place = Place(_FEEDS.get(category, PLAIN), short(cluster), "")
        tally = census.tally(place, Witness.AUDIT, "kubernetes-audit")
        # The time too: an Audit-ID is the client's to choose, and may come again for another request. The log too: two
        # exports of one cluster both arrive, and which of them was read first says nothing.
        if not census.is_new(hash((place, audit.audit_id, audit.stage, time_ns))):
            tally.duplicates += 1
            return
        tally.records += 1
        tally.at(time_ns)
        _note_arrival(tally, record, audit)
        if audit.stage == "RequestReceived":
            count(tally.kinds, "request-received")
            return
        count(tally.kinds, "api")
        note_request(census, tally, audit, place.cluster, time_ns)

    return KubernetesAuditDecoder(on_request=on_request)


def _note_arrival(tally: Tally, record: Record, audit: AuditEvent) -> None:
    """The envelope's time is when the API server handed the event on, not when it got here: that is said beside it."""
    try:
        staged = to_ns(audit.staged or "")
    except ValueError:
        return
    if record.row_arrived:
        tally.arrived(staged, record.row_arrived, "the event and its arrival in Log Analytics")
    elif record.time:
        tally.arrived(staged, record.time, "the event and its export")


def note_request(census: Census, tally: Tally, audit: AuditEvent, cluster: str, time_ns: int) -> None:
    """Count what a request shows of how the log is configured."""
    facts, target = tally.facts, audit.target
    verb = audit.verb if audit.verb in _VERBS else "other"
    count(facts, f"verb {verb}")
    count(facts, f"level {audit.level if audit.level in _LEVELS else 'untold'}")
    if audit.request or audit.response:
        count(facts, "bodies")
    if target is not None and target.resource == "secrets" and verb in ("get", "list", "watch"):
        count(facts, "secret reads")
    user = audit.user
    name = user.username or "" if user is not None else ""
    if name.startswith(_NODE):
        census.heard(cluster, short(name[len(_NODE) :]), time_ns)
    elif user is not None and name.startswith(_SERVICE_ACCOUNT) and not name.startswith(_PLATFORM):
        extra = user.extra
        tally.of += 1
        if extra is None or not extra.pod_name:
            tally.unattributed += 1
        if extra is not None and extra.credential_id:
            count(facts, "token ids")
        if extra is not None and extra.node_name:
            count(facts, "token nodes")
