"""Answers and questions of the cluster's resolver as rows of CloudDnsEvents, beside the events of detection.

What Defender's table has and these logs have not (processes, containers) is left out. A question of CoreDNS's log names
its client by an address, for which the table has no column: it stands in `AdditionalFields`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eightysix.model.event import Event
from eightysix.model.table import Row
from eightysix.model.words import Grade
from eightysix.sources.dns import DnsDecoder
from eightysix.sources.interface import Batch
from eightysix.sources.tables.interface import Made

__all__ = ["DnsTables"]

DNS = "CloudDnsEvents"
_ANSWER, _QUESTION = "DnsResponse", "DnsQuery"


class DnsTables:
    """Decodes blocks of flows and of CoreDNS's log into rows."""

    def __init__(self, made: Made) -> None:
        self._made = made
        self._decoder = DnsDecoder()
        self.source = self._decoder.source

    def recognises(self, record: Mapping[str, object]) -> bool:
        """See `DnsDecoder.recognises`."""
        return self._decoder.recognises(record)

    def recognises_text(self, line: bytes) -> bool:
        """See `DnsDecoder.recognises_text`."""
        return self._decoder.recognises_text(line)

    def decode(self, block: bytes, file: str, first_line: int, newlines: Sequence[int] = ()) -> Batch:
        """See `Decoder.decode`. The events are in the rows."""
        batch = self._decoder.decode(block, file, first_line, newlines)
        told: tuple[int, int, str] | None = None
        for event in batch.events:
            self._made.events.append(event)
            row, key = _row(event), (event.line, event.time_ns, event.dst_name)
            # One answer with several addresses is several events and one row.
            if row is not None and key != told:
                self._made.rows.append((DNS, row))
                told = key
        batch.events = []
        return batch


def _row(event: Event) -> Row | None:
    """The row of a look-up; None for a name that an agent put beside a connection, which is none."""
    answered = event.grade is not Grade.F
    if not answered and event.dst_ip:
        return None
    row: dict[str, object] = {
        "TimeGenerated": event.time_ns,
        "Timestamp": event.time_ns,
        "ReportId": event.event_id,
        "ActionType": _ANSWER if answered else _QUESTION,
        "DnsQuery": event.dst_name,
    }
    for column, value in (
        ("AzureResourceId", event.cluster),
        ("HostName", event.node),
        ("KubernetesNamespace", event.namespace),
        ("KubernetesPodName", event.pod),
    ):
        if value:
            row.setdefault(column, value)
    beside: dict[str, object] = {"SourceIp": event.source_ip} if event.source_ip else {}
    if answered:
        row["DnsQueryTypeName"] = "AAAA" if ":" in event.dst_ip else "A"
        row["DnsResponseCodeName"] = "NOERROR"
        beside |= {"TtlSeconds": event.ttl_s} if event.ttl_s else {}
    if beside:
        row["AdditionalFields"] = beside
    return row
