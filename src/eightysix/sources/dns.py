"""Names for destinations: network flows with DNS answers, and CoreDNS's query log.

- Hubble flows (github.com/cilium/cilium, api/v1/flow/flow.proto) as its exporter and `hubble observe -o json` write them,
  and rows of AKS container network logs (ContainerNetworkLogs, before RetinaNetworkFlowLogs): who asked, for what, and
  the addresses that came back. The best source.
- CoreDNS's `log` plugin (coredns.io/plugins/log), as text or in a container's log record: who asked, by address, and for
  what. It has no answers: it can say what a pod asked for shortly before a connection, not where that went.

Only answers of the cluster's own resolver become names. A pod may ask a resolver of its own, and what that answers says
nothing; such answers are counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eightysix.model.incident import Problem
from eightysix.model.timestamps import to_ns
from eightysix.model.words import Source
from eightysix.sources.coredns import Question, asks_for_address, question_of, question_parts
from eightysix.sources.dns_events import answer_events, question_event
from eightysix.sources.dns_flows import flow_of, is_flow
from eightysix.sources.interface import Batch
from eightysix.sources.json_text import read_value

__all__ = ["DnsDecoder"]

_TEXTS = ("log", "LogMessage", "LogEntry", "message")
"""Members that hold a line in container log records: Docker and CRI agents, ContainerLogV2, ContainerLog."""

_TIMES = ("time", "TimeGenerated", "@timestamp", "timestamp")
_OTHER_LEVELS = (b"[INFO]", b"[WARNING]", b"[ERROR]", b"[DEBUG]", b"[FATAL]", b".:", b"CoreDNS-", b"linux/")


class DnsDecoder:
    """Decodes blocks of flows and of CoreDNS's log, line by line; keeps no state."""

    source = Source.DNS

    def recognises(self, record: Mapping[str, object]) -> bool:
        """A flow, a row of one, or a container log record with a query in CoreDNS's form."""
        return is_flow(record) or _wrapped(record) is not None

    def recognises_text(self, line: bytes) -> bool:
        """A query in CoreDNS's form, whatever stands before it."""
        return question_of(line) is not None

    def decode(self, block: bytes, file: str, first_line: int, newlines: Sequence[int] = ()) -> Batch:
        """See `Decoder.decode`."""
        batch = Batch()
        for line, text in enumerate(block.split(b"\n"), first_line):
            if text.strip():
                batch.records += 1
                self._add(text, (file, line), batch)
        return batch

    def _add(self, text: bytes, place: tuple[str, int], batch: Batch) -> None:
        question = question_of(text)
        if question is not None:
            _ask(question, 0, place, batch)
            return
        try:
            value = read_value(text)
        except ValueError:
            if _is_message(text):
                _count(batch, "message", 0)
            else:
                batch.leftover.append((place[1], text))
            return
        if not isinstance(value, dict) or not self.recognises(value):
            batch.leftover.append((place[1], text))
            return
        wrapped = _wrapped(value)
        if wrapped is not None:
            _ask(wrapped, _time_of(value), place, batch)
            return
        try:
            flow = flow_of(value)
        except ValueError as reason:
            batch.problems.append(Problem(*place, "malformed", str(reason)))
            return
        _count(batch, flow.kind, flow.time_ns)
        batch.events += answer_events(flow, place)


def _ask(question: Question, time_ns: int, place: tuple[str, int], batch: Batch) -> None:
    """One query of CoreDNS's log. Without a time it cannot be joined to anything."""
    time_ns = question.time_ns or time_ns
    if not time_ns:
        reason = "a CoreDNS query without a time: export it with one (kubectl logs --timestamps)"
        batch.problems.append(Problem(*place, "unrecognised", reason))
        return
    _count(batch, "question", time_ns)
    if asks_for_address(question):
        batch.events.append(question_event(question, time_ns, place))


def _wrapped(record: Mapping[str, object]) -> Question | None:
    """The query in a container's log record. A record that names another container is none: anybody can print such a line."""
    for key in _TEXTS:
        text = record.get(key)
        if isinstance(text, str) and " IN " in text[:512]:
            question = question_parts(text)
            if question is not None and _may_be_coredns(record):
                return question
    return None


def _may_be_coredns(record: Mapping[str, object]) -> bool:
    kubernetes = record.get("kubernetes")
    told = kubernetes if isinstance(kubernetes, dict) else record
    for key in ("container_name", "ContainerName"):
        name = told.get(key)
        if isinstance(name, str) and name.rpartition("/")[2] != "coredns":
            return False
    for key in ("namespace_name", "PodNamespace"):
        name = told.get(key)
        if isinstance(name, str) and name != "kube-system":
            return False
    return True


def _time_of(record: Mapping[str, object]) -> int:
    for key in _TIMES:
        text = record.get(key)
        if isinstance(text, str):
            try:
                return to_ns(text)
            except ValueError:
                continue
    return 0


def _is_message(text: bytes) -> bool:
    """Whether CoreDNS says something else: its start, reloads, errors."""
    return any(start in text[:160] for start in _OTHER_LEVELS) and b"{" not in text[:1]


def _count(batch: Batch, kind: str, time_ns: int) -> None:
    batch.recognised += 1
    batch.kinds[kind] = batch.kinds.get(kind, 0) + 1
    if time_ns:
        batch.first_ns = min(batch.first_ns or time_ns, time_ns)
        batch.last_ns = max(batch.last_ns, time_ns)
