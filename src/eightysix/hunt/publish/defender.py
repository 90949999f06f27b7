"""Custom detections of Microsoft Defender as JSON: the body of `POST /security/rules/detectionRules` of Microsoft Graph.

The shape is that of the beta since May 2026: `entityMappings` and `tactics`, without the properties that went on
2026-10-01 (learn.microsoft.com/graph/api/resources/security-detectionrule). A rule must give `Timestamp` and an entity, the
service looks back by itself, further than the rule runs (learn.microsoft.com/defender-xdr/custom-detection-rules).
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from eightysix.hunt.binder import Binder
from eightysix.hunt.interface import Query, QueryKind
from eightysix.hunt.publish import Published, Ready, Refusal, line, ready
from eightysix.hunt.publish.attack import TECHNIQUES, of_enterprise, parent, tactics
from eightysix.hunt.publish.entities import faults, for_defender
from eightysix.hunt.publish.recent import covering
from eightysix.model.errors import QueryError
from eightysix.model.table import Environment, ScalarType

__all__ = ["FREQUENCIES", "publish", "rule"]

FREQUENCIES = (
    (60, "PT1H", 4 * 60),
    (180, "PT3H", 12 * 60),
    (720, "PT12H", 48 * 60),
    (1440, "P1D", 30 * 1440),
)
"""Minutes between two runs, as Graph writes them, and the minutes of data that such a run is given."""

SEVERITIES = ("informational", "low", "medium", "high")


def publish(queries: Sequence[Query], binder: Binder) -> Published:
    """A file for each analytics rule that Defender can run."""
    files: dict[str, bytes] = {}
    left_out = []
    for query in queries:
        if query.kind is not QueryKind.ANALYTICS:
            continue
        try:
            made = rule(ready(query, Environment.DEFENDER, binder))
        except QueryError as error:
            left_out.append(Refusal(query.id, error.what))
            continue
        files[f"{query.id}.json"] = json.dumps(made, indent=2, ensure_ascii=False).encode() + b"\n"
    return Published(files, tuple(left_out))


def rule(found: Ready) -> dict[str, object]:
    """A custom detection. Raises `QueryError` where Defender would not take it."""
    query = found.query
    analytics = query.analytics
    if analytics is None:
        raise QueryError("it has no schedule")
    columns = {one.name for one in found.bound.columns}
    wrong = faults(analytics.entities, columns)
    text = _timed(found)
    if not text:
        wrong.append("it gives no time")
    entities = for_defender(analytics.entities)
    if not entities:
        wrong.append("it gives no entity that Defender knows")
    severity = analytics.severity.lower()
    if severity not in SEVERITIES:
        wrong.append(f"there is no severity {severity}")
    waits, frequency = next(
        (
            (every, name)
            for every, name, back in FREQUENCIES
            if every >= analytics.every and back >= analytics.over
        ),
        (0, ""),
    )
    if not frequency:
        wrong.append("it looks back further than any custom detection does, 30 days")
    text = covering(text, waits + analytics.late)
    if wrong:
        raise QueryError("; ".join(wrong))
    title, question = line(query.title, 256), line(query.question, 1_000)
    return {
        "@odata.type": "#microsoft.graph.security.detectionRule",
        "id": f"eightysix-{query.id}",
        "displayName": title,
        "description": question,
        "status": "disabled",
        "queryCondition": {"queryText": text},
        "schedule": {"frequency": frequency},
        "detectionAction": {
            "alertTemplate": {
                "title": title,
                "description": question,
                "severity": severity,
                "recommendedActions": line(" ".join(query.next), 4_000),
                "entityMappings": entities,
                "tactics": [_tactic(query)],
            }
        },
    }


def _timed(found: Ready) -> str:
    """The text with a `Timestamp`, which sets the time of the alert: the latest time of a row where it has others; empty
    where it has none."""
    text = found.text.rstrip()
    times = [one.name for one in found.bound.columns if one.type is ScalarType.DATETIME]
    if "Timestamp" in times:
        return text
    if "TimeGenerated" in times:
        return f"{text}\n| extend Timestamp = TimeGenerated"
    if len(times) == 1:
        return f"{text}\n| extend Timestamp = {times[0]}"
    return f"{text}\n| extend Timestamp = max_of({', '.join(times)})" if times else ""


def _tactic(query: Query) -> dict[str, object]:
    """The furthest tactic, with all techniques: the property is a collection, and the service takes one of it."""
    techniques = of_enterprise(query.attack)
    unknown = [one for one in techniques if parent(one) not in TECHNIQUES]
    if unknown:
        raise QueryError(f"no tactic is known for {', '.join(unknown)}")
    served = tactics(techniques)
    if not served:
        raise QueryError("it names no technique of ATT&CK")
    subs: dict[str, list[str]] = {}
    for one in techniques:
        below = subs.setdefault(parent(one), [])
        if one != parent(one):
            below.append(one)
    return {
        "tactic": served[-1],
        "techniques": [{"technique": one, "subTechniques": below} for one, below in subs.items()],
    }
