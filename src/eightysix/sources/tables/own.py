"""What this project wrote itself, as rows of its own tables: findings of scans, incidents, and the scan ledger.

`eightysix/findings/v1` and `eightysix/ledger/v1` become EightySixFindings_CL, `eightysix/incidents/v1` becomes
EightySixIncidents_CL. A document of findings has no time: the caller says what stands for it.

The ledger tells of files and of bytes in lines of their own, and a hunter asks for both in one row. So a file's line waits
for the verdict about its bytes, in whatever order they come, until the end of the input.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec
from msgspec import Struct

from eightysix.model.finding import SCHEMA as FINDINGS_SCHEMA
from eightysix.model.finding import Finding, ScannedFile
from eightysix.model.incident import SCHEMA as INCIDENTS_SCHEMA
from eightysix.model.incident import Incident, Problem
from eightysix.model.table import Row
from eightysix.model.timestamps import to_ns
from eightysix.model.words import Source
from eightysix.sources.interface import Batch
from eightysix.sources.json_text import why
from eightysix.sources.ledger import LedgerDecoder
from eightysix.sources.tables.interface import Made, objects_of
from eightysix.sources.tables.shape import Shaper

__all__ = ["LedgerTables", "ReportTables"]

FINDINGS, INCIDENTS = "EightySixFindings_CL", "EightySixIncidents_CL"
MOST_WAITING = 50_000
"""Files that wait for a verdict, and verdicts that are remembered: as many as `context.ledger` keeps."""

_S = 1_000_000_000
_decode = msgspec.json.Decoder().decode


class _Findings(Struct):
    findings: list[Finding]
    files: list[ScannedFile]


class _Incidents(Struct):
    incidents: list[Incident]


class ReportTables:
    """Decodes documents of findings and of incidents into rows.

    `undated_ns` stands for the time of records that have none, 0 for nothing: rows without a time are of little use.
    """

    source = Source.LEDGER

    def __init__(self, made: Made, shaper: Shaper, undated_ns: int) -> None:
        self._made = made
        self._shaper = shaper
        self._undated_ns = undated_ns

    def recognises(self, record: Mapping[str, object]) -> bool:
        """By the schema."""
        return record.get("schema") in (FINDINGS_SCHEMA, INCIDENTS_SCHEMA)

    def decode(self, block: bytes, file: str, first_line: int, newlines: Sequence[int] = ()) -> Batch:
        """See `Decoder.decode`."""
        batch = Batch()
        for line, text, value in objects_of(block, file, first_line, batch):
            if not self.recognises(value):
                batch.leftover.append((line, text))
                continue
            try:
                kind, made = self._rows_of(value)
            except (ValueError, RecursionError) as error:
                batch.problems.append(Problem(file, line, "malformed", why(error)))
                continue
            batch.recognised += 1
            batch.kinds[kind] = batch.kinds.get(kind, 0) + 1
            self._made.rows += made
        return batch

    def _rows_of(self, value: Mapping[str, object]) -> tuple[str, list[tuple[str, Row]]]:
        shaper = self._shaper
        if value["schema"] == FINDINGS_SCHEMA:
            if FINDINGS not in shaper:
                return "findings", []
            told = list(_of_findings(msgspec.convert(value, _Findings), self._undated_ns))
            return "findings", [(FINDINGS, shaper.row(FINDINGS, one)) for one in told]
        if INCIDENTS not in shaper:
            return "incidents", []
        incidents = msgspec.convert(value, _Incidents).incidents
        return "incidents", [(INCIDENTS, shaper.row(INCIDENTS, _of_incident(one))) for one in incidents]


def _of_findings(document: _Findings, undated_ns: int) -> Iterator[dict[str, object]]:
    """A row for each finding, and one for each file without any."""
    files = {file.path: file for file in document.files}
    found = set()
    time = {"TimeGenerated": undated_ns or None}
    for finding in document.findings:
        found.add(finding.path)
        yield {
            **time,
            **_of_file(files.get(finding.path)),
            "Path": finding.path,
            "Rule": finding.rule,
            "Severity": finding.severity.value,
            "RuleTitle": finding.title,
            "Why": finding.why,
            "Member": finding.member,
            "Offset": finding.offset,
            "Names": list(finding.names) or None,
        }
    for file in document.files:
        if file.path not in found:
            yield {**time, **_of_file(file)}


def _of_file(file: ScannedFile | None) -> dict[str, object]:
    if file is None:
        return {}
    return {
        "Path": file.path,
        "Digest": file.digest,
        "Size": file.size,
        "Format": file.format,
        "Verdict": file.verdict.value,
        "Second": file.second,
        "Accepted": list(file.accepted) or None,
    }


def _of_incident(incident: Incident) -> dict[str, object]:
    """A revision. Its time is that of its latest evidence: the same evidence makes the same row."""
    times = sorted(time for time in (_moment(stage.at) for stage in incident.stages) if time)
    known = _moment(incident.t0)
    pod = incident.pod
    return {
        "TimeGenerated": times[-1] if times else known or None,
        "IncidentId": incident.id,
        "Revision": incident.revision,
        "Aliases": list(incident.aliases) or None,
        "Rule": incident.rule,
        "IncidentTitle": incident.title,
        "Verdict": incident.verdict.value,
        "Score": incident.score,
        "Cluster": pod.cluster if pod is not None else "",
        "Node": pod.node if pod is not None else "",
        "Namespace": pod.namespace if pod is not None else "",
        "PodName": pod.name if pod is not None else "",
        "PodUid": pod.uid if pod is not None else "",
        "Workload": incident.workload,
        "Image": incident.image,
        "FirstSeen": times[0] if times else known or None,
        "Stages": _plain(incident.stages) or None,
        "Identities": _plain(incident.identities) or None,
        "Why": _plain(incident.why) or None,
        "Gaps": list(incident.gaps) or None,
        "NextSteps": list(incident.next_steps) or None,
        "SuppressedBy": incident.suppressed_by,
    }


def _plain(told: object) -> object:
    return _decode(msgspec.json.encode(told))


def _moment(text: str) -> int:
    try:
        return to_ns(text) if text else 0
    except ValueError:
        return 0


class LedgerTables:
    """Decodes lines of the ledger into rows: findings, and the events of detection."""

    source = Source.LEDGER

    def __init__(self, made: Made, shaper: Shaper) -> None:
        self._made = made
        self._shaper = shaper
        self._decoder = LedgerDecoder()
        self._verdicts: dict[str, dict[str, object]] = {}
        self._waiting: dict[str, list[dict[str, object]]] = {}
        self._number = 0

    def recognises(self, record: Mapping[str, object]) -> bool:
        """See `LedgerDecoder.recognises`."""
        return self._decoder.recognises(record)

    def decode(self, block: bytes, file: str, first_line: int, newlines: Sequence[int] = ()) -> Batch:
        """See `Decoder.decode`. The events are in the rows."""
        batch = self._decoder.decode(block, file, first_line, newlines)
        self._made.events += batch.events
        if FINDINGS in self._shaper:
            lines = {event.line for event in batch.events}
            for line, text in enumerate(block.split(b"\n"), first_line):
                if line in lines:
                    self._take(_decode(text))
        batch.events = []
        return batch

    def flush(self) -> None:
        """Tell of the files that still wait."""
        for values in self._waiting.values():
            for one in values:
                self._tell(one)
        self._waiting.clear()
        self._number = 0

    def _take(self, told: dict[str, object]) -> None:
        digest, at = str(told["digest"]).lower(), told["at"]
        values: dict[str, object] = {"Digest": digest, "Size": told["size"]}
        values["TimeGenerated"] = at * _S if isinstance(at, int) else None
        if told.get("host") is None:
            about = {"Verdict": told.get("verdict"), "RulesVersion": told.get("rules_version")}
            if len(self._verdicts) >= MOST_WAITING:
                self._verdicts.clear()
            self._verdicts[digest] = about
            self._tell({**values, **about})
            for one in self._waiting.pop(digest, ()):
                self._number -= 1
                self._tell({**one, **about})
            return
        values |= {"Host": told["host"], "Dev": told.get("dev"), "Ino": told.get("ino")}
        values["MtimeNs"] = told.get("mtime_ns")
        about = self._verdicts.get(digest, {})
        if about:
            self._tell({**values, **about})
            return
        if self._number >= MOST_WAITING:
            self.flush()
        self._waiting.setdefault(digest, []).append(values)
        self._number += 1

    def _tell(self, values: Mapping[str, object]) -> None:
        self._made.rows.append((FINDINGS, self._shaper.row(FINDINGS, values)))
