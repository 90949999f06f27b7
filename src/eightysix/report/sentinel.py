"""An incident as a row of a custom table in Log Analytics, where Microsoft Sentinel reads it.

`COLUMNS` is what the data collection rule declares for the stream (docs/deliver.md). One call of the Logs Ingestion API
takes 1 MB, and a column keeps 64 KB (learn.microsoft.com, Azure Monitor service limits): a row that is larger says
`Truncated` and points to the incident by its id.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from eightysix.model.incident import Incident
from eightysix.report.brief import last_at
from eightysix.report.json_text import one_line

__all__ = ["COLUMNS", "MAX_COLUMN", "sentinel_row"]

MAX_COLUMN = 32_000
"""Characters of one dynamic column: half of what a column keeps, as it counts bytes of UTF-16."""
MAX_TEXT = 4_000
"""Characters of one text: no name of Kubernetes or of an image is longer."""

COLUMNS = {
    "TimeGenerated": "datetime",
    "IncidentId": "string",
    "Revision": "string",
    "Rule": "string",
    "Title": "string",
    "Verdict": "string",
    "Score": "int",
    "Cluster": "string",
    "Node": "string",
    "Namespace": "string",
    "Pod": "string",
    "PodUid": "string",
    "Workload": "string",
    "Image": "string",
    "T0": "datetime",
    "Stages": "dynamic",
    "Identities": "dynamic",
    "Why": "dynamic",
    "Gaps": "dynamic",
    "NextSteps": "dynamic",
    "Aliases": "dynamic",
    "SuppressedBy": "string",
    "Truncated": "boolean",
}
"""Name and type of each column."""


def sentinel_row(incident: Incident) -> str:
    """One row as JSON. `TimeGenerated` is the chain's last step, so that the same revision gives the same row."""
    pod = incident.pod
    small = _fitting(incident)
    values = (
        last_at(incident) or None,
        incident.id,
        incident.revision,
        incident.rule,
        incident.title,
        str(incident.verdict),
        incident.score,
        pod.cluster if pod else "",
        pod.node if pod else "",
        pod.namespace if pod else "",
        pod.name if pod else "",
        pod.uid if pod else "",
        incident.workload,
        incident.image,
        incident.t0 or None,
        small.stages,
        small.identities,
        small.why,
        small.gaps,
        small.next_steps,
        small.aliases,
        incident.suppressed_by,
        small is not incident,
    )
    row = dict(zip(COLUMNS, values, strict=True))
    return one_line(
        {name: value[:MAX_TEXT] if isinstance(value, str) else value for name, value in row.items()}
    )


def _fitting(incident: Incident) -> Incident:
    """`incident` itself, or a copy with the middle of what is too long left out of each column."""
    kept: dict[str, Sequence[object]] = {}
    for name in ("stages", "identities", "why", "gaps", "next_steps", "aliases"):
        whole: tuple[object, ...] = getattr(incident, name)
        items = whole
        while len(items) and len(one_line(items)) > MAX_COLUMN:
            half = len(items) // 2
            items = items[: half // 2 + half % 2] + items[len(items) - half // 2 :]
        if items is not whole:
            kept[name] = items
    return replace(incident, **kept) if kept else incident
