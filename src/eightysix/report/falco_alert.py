"""An incident in the shape of a Falco alert, as falcosidekick's input takes it.

falcosidekick (falcosecurity/falcosidekick, types/types.go and handlers.go) wants a known priority, a rule, a time and
at least one output field, and reads every field as text. Its outputs paste these texts into Slack, Teams, mail and
dozens more, some without escaping, so they are made as harmless as for a chat.
"""

from __future__ import annotations

from datetime import datetime

from eightysix.model.incident import Incident
from eightysix.model.words import Verdict
from eightysix.report.brief import brief, chat_safe, last_at
from eightysix.report.inert import inert
from eightysix.report.json_text import one_line

__all__ = ["PRIORITIES", "alert_line"]

PRIORITIES = {Verdict.CONTAIN: "Critical", Verdict.SUSPECT: "Warning", Verdict.WATCH: "Notice"}
_FIELD = 240
_NO_TIME = "1970-01-01T00:00:00Z"


def alert_line(incident: Incident) -> str:
    """The body of the request."""
    told = brief(incident)
    pod = incident.pod
    fields = {
        "eightysix.id": incident.id,
        "eightysix.revision": incident.revision,
        "eightysix.verdict": str(incident.verdict),
        "eightysix.score": str(incident.score),
        "eightysix.t0": incident.t0,
        "eightysix.workload": incident.workload,
        "eightysix.stages": "; ".join(told.steps),
        "eightysix.identities": "; ".join(told.identities),
        "eightysix.next_steps": "; ".join(told.next_steps),
        "container.image.repository": incident.image,
        "k8s.cluster": pod.cluster if pod else "",
        "k8s.ns.name": pod.namespace if pod else "",
        "k8s.pod.name": pod.name if pod else "",
        "k8s.pod.uid": pod.uid if pod else "",
        "k8s.node.name": pod.node if pod else "",
    }
    return one_line(
        {
            "output": f"{told.headline} · {told.who} · {told.footer}",
            "priority": PRIORITIES[incident.verdict],
            "rule": _text(incident.rule) or "eightysix",
            "source": "eightysix",
            "time": _time(last_at(incident)),
            "hostname": _text(pod.node) if pod else "",
            "tags": sorted(
                {"eightysix", str(incident.verdict), *(str(step.stage) for step in incident.stages)}
            ),
            "output_fields": {name: _text(text, 4 * _FIELD) for name, text in fields.items() if text},
        }
    )


def _text(text: str, most: int = _FIELD) -> str:
    return chat_safe(inert(text, most))


def _time(text: str) -> str:
    """`text` where Go would read it as a time; falcosidekick refuses an alert without one."""
    try:
        valid = datetime.fromisoformat(text).tzinfo is not None and "T" in text
    except ValueError:
        valid = False
    return text if valid else _NO_TIME
