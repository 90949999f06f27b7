"""The Kubernetes audit log as rows of AKSAudit and AKSAuditAdmin, whichever way it was exported.

A plain event, one in an Azure resource log, one as text in AzureDiagnostics and a row of AKSAudit say the same and give
the same columns. What detection understands of each is asked of its own decoder, which also keeps the account.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from eightysix.context.addresses import Learnt
from eightysix.model.words import Source
from eightysix.sources.interface import Batch
from eightysix.sources.json_text import read_value
from eightysix.sources.kubernetes_audit import KubernetesAuditDecoder
from eightysix.sources.tables.interface import Made
from eightysix.sources.tables.shape import Shaper

__all__ = ["AuditTables"]

AUDIT, ADMIN = "AKSAudit", "AKSAuditAdmin"

_READS = frozenset({"get", "list", "watch"})
"""Verbs that `kube-audit-admin` leaves out. NOTE: `get` on `pods/exec` is how kubectl 1.31 and later executes commands
(by WebSocket), so such a command is in AKSAudit alone."""

_COLUMNS: Mapping[str, str] = {
    "level": "Level",
    "auditID": "AuditId",
    "stage": "Stage",
    "requestURI": "RequestUri",
    "verb": "Verb",
    "user": "User",
    "sourceIPs": "SourceIps",
    "userAgent": "UserAgent",
    "objectRef": "ObjectRef",
    "responseStatus": "ResponseStatus",
    "requestObject": "RequestObject",
    "responseObject": "ResponseObject",
    "requestReceivedTimestamp": "RequestReceivedTime",
    "stageTimestamp": "StageReceivedTime",
    "annotations": "Annotations",
}
_CATEGORIES: Mapping[str, str] = {"kube-audit": AUDIT, "kube-audit-admin": ADMIN}

_decode = msgspec.json.Decoder().decode


class AuditTables:
    """Decodes blocks of audit records into rows."""

    source = Source.KUBERNETES_AUDIT

    def __init__(self, made: Made, shaper: Shaper) -> None:
        self._made = made
        self._shaper = shaper
        self._events = KubernetesAuditDecoder(Learnt())

    def recognises(self, record: Mapping[str, object]) -> bool:
        """See `KubernetesAuditDecoder.recognises`."""
        return self._events.recognises(record)

    def decode(self, block: bytes, file: str, first_line: int, newlines: Sequence[int] = ()) -> Batch:
        """See `Decoder.decode`. The events are in the rows."""
        batch = self._events.decode(block, file, first_line, newlines)
        self._made.events += batch.events
        batch.events = []
        left = {problem.line for problem in batch.problems} | {line for line, _ in batch.leftover}
        for line, text in enumerate(block.split(b"\n"), first_line):
            if not text.strip():
                continue
            if line not in left:
                try:
                    self._tell(_decode(text))
                except (ValueError, RecursionError):
                    continue
            else:
                self._tell_rest(text)
        return batch

    def _tell_rest(self, text: bytes) -> None:
        """Of a line that had a problem, or that was left over in part, the records of its list that are whole."""
        try:
            value = read_value(text)
        except ValueError:
            return
        if isinstance(value, dict):
            items = value.get("records") or value.get("items")
            if isinstance(items, list):
                for item in items:
                    self._tell(item)

    def _tell(self, value: object) -> None:
        for event, table, beside in _events(value, 0):
            self._add(event, table, beside)

    def _add(self, event: Mapping[str, object], table: str, beside: Mapping[str, object]) -> None:
        """The row of one audit event. `beside` is what the wrapping told; `table` is empty for an event without one."""
        values = {_COLUMNS[name]: value for name, value in event.items() if name in _COLUMNS}
        values.update(beside)
        values.setdefault(
            "TimeGenerated", event.get("stageTimestamp") or event.get("requestReceivedTimestamp")
        )
        shaper = self._shaper
        if table:
            if table in shaper:
                self._made.rows.append((table, shaper.row(table, values)))
            return
        if AUDIT not in shaper:
            return
        row = shaper.row(AUDIT, values)
        self._made.rows.append((AUDIT, row))
        if ADMIN in shaper and row.get("Verb") not in _READS:
            self._made.rows.append((ADMIN, row))


def _events(value: object, depth: int) -> Iterator[tuple[Mapping[str, object], str, Mapping[str, object]]]:
    """Each audit event of a record: its members, the table that it is of (empty: as the API server writes it), and columns
    that the wrapping tells."""
    if not isinstance(value, dict):
        return
    if "auditID" in value and "stage" in value:
        yield value, "", {}
        return
    category = value.get("category")
    if isinstance(category, str) and category in _CATEGORIES:
        yield from _of_resource_log(value, category)
        return
    listed = value.get("records") if isinstance(value.get("records"), list) else value.get("items")
    if isinstance(listed, list) and not depth:
        for item in listed:
            yield from _events(item, depth + 1)
        return
    category = value.get("Category")
    if isinstance(category, str) and category in _CATEGORIES:
        event = _object(value.get("log_s"))
        if event is not None:
            yield (
                event,
                _table_of(category),
                _beside(value, "TimeGenerated", "pod_s", value.get("_ResourceId")),
            )
        return
    if "AuditId" in value and "Stage" in value:
        named = value.get("Type")
        yield {}, named if named in (AUDIT, ADMIN) else AUDIT, value


def _of_resource_log(
    record: Mapping[str, object], category: str
) -> Iterator[tuple[Mapping[str, object], str, Mapping[str, object]]]:
    properties = _object(record.get("properties"))
    event = _object(properties.get("log")) if properties is not None else None
    if properties is not None and event is not None:
        beside = _beside(
            {"TimeGenerated": record.get("time"), "pod_s": properties.get("pod")},
            "TimeGenerated",
            "pod_s",
            record.get("resourceId"),
        )
        yield event, _table_of(category), beside


def _table_of(category: str) -> str:
    """Of `kube-audit` both tables: what only `kube-audit` exports would be, had the other category been switched on."""
    return "" if category == "kube-audit" else ADMIN


def _beside(record: Mapping[str, object], time: str, pod: str, resource: object) -> dict[str, object]:
    """Columns that the event itself does not have. NOTE: `PodName` is the API server's pod, not the caller's."""
    found = {"TimeGenerated": record.get(time), "PodName": record.get(pod), "_ResourceId": resource}
    return {
        name: value.lower() if name == "_ResourceId" else value
        for name, value in found.items()
        if isinstance(value, str) and value
    }


def _object(value: object) -> dict[str, object] | None:
    """An object, or text of one."""
    if isinstance(value, str):
        try:
            value = _decode(value)
        except (ValueError, RecursionError):
            return None
    return value if isinstance(value, dict) else None
