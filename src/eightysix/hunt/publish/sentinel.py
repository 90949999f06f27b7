"""Analytics rules and hunting queries of Microsoft Sentinel as YAML, in the form of Azure/Azure-Sentinel's content.

Fields and limits: learn.microsoft.com/azure/sentinel/scheduled-rules-overview and
learn.microsoft.com/azure/sentinel/sentinel-analytic-rules-creation.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from eightysix.hunt.binder import Binder
from eightysix.hunt.interface import Analytics, Query, QueryKind
from eightysix.hunt.publish import Published, Ready, Refusal, line, ready
from eightysix.hunt.publish.attack import TECHNIQUES, of_enterprise, parent, tactics
from eightysix.hunt.publish.entities import faults, for_sentinel
from eightysix.hunt.publish.late import LONGEST, MAX_TEXT, overlapped
from eightysix.model.errors import QueryError
from eightysix.model.table import Environment

__all__ = ["CONNECTORS", "MAX_TEXT", "SEVERITIES", "hunting", "publish", "rule"]

SEVERITIES = ("Informational", "Low", "Medium", "High")
SHORTEST = 5
"""Minutes between two runs of a rule, at least."""
_LONG = 2 * 24 * 60
"""Minutes of looking back from which a rule may run hourly at most (github.com/Azure/Azure-Sentinel/wiki/Query-Style-Guide)."""
_GROUPED_DAYS = 7

_NAMESPACE = uuid.UUID("86868686-8686-5686-8686-868686868686")
"""Ids of rules are made from ours, so that a second deployment changes the first one's."""

CONNECTORS: Mapping[str, str] = {
    "AADManagedIdentitySignInLogs": "AzureActiveDirectory",
    "AADServicePrincipalSignInLogs": "AzureActiveDirectory",
    "AuditLogs": "AzureActiveDirectory",
    "AzureActivity": "AzureActivity",
    "AZKVAuditLogs": "AzureKeyVault",
    "DeviceProcessEvents": "MicrosoftThreatProtection",
    "StorageBlobLogs": "AzureStorageAccount",
}
"""Table -> id of the data connector that fills it (learn.microsoft.com/azure/sentinel/data-connectors-reference). Others
come by a diagnostic setting, or from us: they have none."""


def publish(queries: Sequence[Query], binder: Binder) -> Published:
    """A file for each query that Log Analytics can run."""
    files: dict[str, bytes] = {}
    left_out = []
    for query in queries:
        try:
            found = ready(query, Environment.LOG_ANALYTICS, binder)
            if query.kind is QueryKind.ANALYTICS:
                files[f"rules/{query.id}.yaml"] = _yaml(rule(found, binder))
            else:
                files[f"hunting/{query.id}.yaml"] = _yaml(hunting(found))
        except QueryError as error:
            left_out.append(Refusal(query.id, error.what))
    return Published(files, tuple(left_out))


def rule(found: Ready, binder: Binder) -> dict[str, object]:
    """A scheduled analytics rule. Raises `QueryError` where Sentinel would not take it."""
    query = found.query
    analytics = query.analytics
    if analytics is None:
        raise QueryError("it has no schedule")
    window = overlapped(found.text, analytics)
    wrong = _schedule_faults(analytics, window.period)
    wrong += faults(analytics.entities, (one.name for one in found.bound.columns))
    if len(window.text) > MAX_TEXT:
        wrong.append(f"its text has {len(window.text):,} characters, and a rule may have {MAX_TEXT:,}")
    if analytics.severity.capitalize() not in SEVERITIES:
        wrong.append(f"there is no severity {analytics.severity}")
    if window.text != found.text and not binder.bind(window.text, Environment.LOG_ANALYTICS).ok:
        wrong.append("it does not bind with what was added for late rows")
    if wrong:
        raise QueryError("; ".join(wrong))
    return {
        **_head(query),
        "severity": analytics.severity.capitalize(),
        "requiredDataConnectors": _connectors(query),
        "queryFrequency": _span(analytics.every),
        "queryPeriod": _span(window.period),
        "triggerOperator": "gt",
        "triggerThreshold": 0,
        **_attack(query),
        "query": window.text.rstrip() + "\n",
        "entityMappings": for_sentinel(analytics.entities),
        "eventGroupingSettings": {"aggregationKind": "AlertPerResult"},
        "incidentConfiguration": {
            "createIncident": True,
            "groupingConfiguration": {
                "enabled": True,
                "reopenClosedIncident": False,
                "lookbackDuration": _iso(min(window.period, _GROUPED_DAYS * 1440)),
                "matchingMethod": "AllEntities" if analytics.entities else "Selected",
                "groupByEntities": [],
                "groupByAlertDetails": [] if analytics.entities else ["DisplayName"],
                "groupByCustomDetails": [],
            },
        },
        "version": "1.0.0",
        "kind": "Scheduled",
    }


def hunting(found: Ready) -> dict[str, object]:
    """A hunting query."""
    query = found.query
    return {
        **_head(query),
        "requiredDataConnectors": _connectors(query),
        **_attack(query),
        "query": found.text.rstrip() + "\n",
        "version": "1.0.0",
    }


def _head(query: Query) -> dict[str, object]:
    return {
        "id": str(uuid.uuid5(_NAMESPACE, query.id)),
        "name": line(query.title, 256),
        "description": line(query.question, 5_000),
    }


def _attack(query: Query) -> dict[str, object]:
    techniques = of_enterprise(query.attack)
    unknown = [one for one in techniques if parent(one) not in TECHNIQUES]
    if unknown:
        raise QueryError(f"no tactic is known for {', '.join(unknown)}")
    if not techniques:
        raise QueryError("it names no technique of ATT&CK")
    return {"tactics": list(tactics(techniques)), "relevantTechniques": list(techniques)}


def _connectors(query: Query) -> list[dict[str, object]]:
    found: dict[str, list[str]] = {}
    for table in query.tables:
        if table in CONNECTORS:
            found.setdefault(CONNECTORS[table], []).append(table)
    return [{"connectorId": name, "dataTypes": tables} for name, tables in sorted(found.items())]


def _schedule_faults(analytics: Analytics, period: int) -> list[str]:
    found = []
    if not SHORTEST <= analytics.every <= LONGEST:
        found.append(f"it runs every {analytics.every} minutes, and {SHORTEST} to {LONGEST:,} are taken")
    if not SHORTEST <= analytics.over <= LONGEST:
        found.append(f"it looks back {analytics.over} minutes, and {SHORTEST} to {LONGEST:,} are taken")
    elif analytics.over < analytics.every:
        found.append("it looks back less than it waits between two runs")
    if period >= _LONG and analytics.every < 60:
        found.append("it looks back two days or more, and runs more than hourly")
    if analytics.late < 0:
        found.append("its delay is negative")
    return found


def _span(minutes: int) -> str:
    """As the templates of Sentinel write a duration."""
    for size, unit in ((1440, "d"), (60, "h")):
        if minutes % size == 0:
            return f"{minutes // size}{unit}"
    return f"{minutes}m"


def _iso(minutes: int) -> str:
    """As ISO 8601 writes it."""
    for size, form in ((1440, "P{}D"), (60, "PT{}H")):
        if minutes % size == 0:
            return form.format(minutes // size)
    return f"PT{minutes}M"


class _Dumper(yaml.SafeDumper):
    """Safe, with texts of several lines as blocks, and every list in its own lines."""

    def ignore_aliases(self, data: object) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        return super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, text: str) -> Any:
    # NOTE: outside of double quotes NEL, LS and PS are line breaks too, and come back as line feeds or spaces. In KQL that
    # would be the end of a comment.
    style = None
    if not all(one.isprintable() or one == "\n" for one in text):
        style = '"'
    elif "\n" in text:
        style = "|"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def _yaml(data: Mapping[str, object]) -> bytes:
    text: str = yaml.dump(dict(data), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)
    return text.encode()
