"""Tetragon's export as rows: every start of a program, and every event that detection could make of the rest.

Detection leaves out what no chain is made of; a hunter asks about all of it. So each record is decoded in full, by the
same records and the same functions: what a row says is what an event of the same record says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from eightysix.model.event import Event
from eightysix.model.incident import Problem
from eightysix.model.words import Kind, Source
from eightysix.sources.interface import Batch
from eightysix.sources.json_text import why
from eightysix.sources.tables.events import POD_INVENTORY, pod_row
from eightysix.sources.tables.interface import Made, Seen
from eightysix.sources.tetragon_events import event_of
from eightysix.sources.tetragon_lenient import FAILURES, KEYS, is_of_another_kind, records_of, rewrite
from eightysix.sources.tetragon_records import Record

__all__ = ["TetragonTables"]

_decode = msgspec.json.Decoder(Record).decode


class TetragonTables:
    """Decodes blocks of Tetragon's export into rows."""

    source = Source.TETRAGON

    def __init__(self, made: Made) -> None:
        self._made = made
        self._pods = Seen()

    def recognises(self, record: Mapping[str, object]) -> bool:
        """See `TetragonDecoder.recognises`."""
        return any(key in KEYS for key in record)

    def decode(self, block: bytes, file: str, first_line: int, newlines: Sequence[int] = ()) -> Batch:
        """See `Decoder.decode`. The events are in the rows."""
        batch = Batch()
        for line, text in enumerate(block.split(b"\n"), first_line):
            if not text:
                continue
            try:
                record = _decode(text)
            except FAILURES:
                for part in records_of(text):
                    self._again(part, file, line, batch)
                continue
            batch.records += 1
            self._take(record, text, file, line, batch)
        return batch

    def _again(self, text: bytes, file: str, line: int, batch: Batch) -> None:
        """One of several records on a line, or one that another exporter wrote."""
        batch.records += 1
        try:
            record = _decode(text)
        except FAILURES as error:
            rewritten = rewrite(text)
            if rewritten:
                record = _decode(rewritten)
            elif is_of_another_kind(text):
                batch.leftover.append((line, text))
                return
            else:
                batch.problems.append(Problem(file, line, "malformed", why(error)))
                return
        self._take(record, text, file, line, batch)

    def _take(self, record: Record, text: bytes, file: str, line: int, batch: Batch) -> None:
        kind = _kind(record)
        if not kind:
            batch.leftover.append((line, text))
            return
        try:
            event = event_of(record, file, line)
        except ValueError as error:
            batch.problems.append(Problem(file, line, "malformed", f"time: {error}"))
            return
        batch.recognised += 1
        batch.kinds[kind] = batch.kinds.get(kind, 0) + 1
        if event is not None:
            self._add(record, event, batch)

    def _add(self, record: Record, event: Event, batch: Batch) -> None:
        time = event.time_ns
        batch.first_ns = min(batch.first_ns or time, time)
        batch.last_ns = max(batch.last_ns, time)
        made = self._made
        made.events.append(event)
        if event.kind is Kind.EXEC:
            parent = record.process_exec.parent if record.process_exec is not None else None
            made.starts.append((event, str(parent.pid) if parent is not None and parent.pid else ""))
        if event.pod and self._pods.is_new((event.pod_uid or event.pod, event.container_id, event.node)):
            pod = pod_row(event)
            if pod is not None:
                made.rows.append((POD_INVENTORY, pod))


def _kind(record: Record) -> str:
    """What is counted; empty for what is none of Tetragon's."""
    if record.process_exec is not None:
        return "exec"
    if record.process_exit is not None:
        return "exit"
    probe = record.process_kprobe or record.process_lsm or record.process_tracepoint
    if probe is not None:
        connects = any(a.sock_arg is not None or a.sockaddr_arg is not None for a in probe.args)
        return "connect" if connects else "probe"
    if record.process_connect is not None:
        return "connect"
    if record.process_loader is not None:
        return "load"
    if record.rate_limit_info is not None:
        return "dropped"
    return "other" if any(getattr(record, key) is not None for key in KEYS) else ""
