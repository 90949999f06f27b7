"""OCSF: each incident as a Detection Finding (class 2004), JSON Lines, validated by the tests against the schema itself.

Version 1.8.0 (schema.ocsf.io, github.com/ocsf/ocsf-schema). A pod has no object of its own there: it is a resource of
type `Pod`. Each step of the chain is an evidence, with its grade, origin and records in `data`; what has no place in the
schema (points, gaps, identities) is in `unmapped.eightysix`. Texts are those of `incidents/v1`, unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator

from eightysix import __version__
from eightysix.context.destinations import address
from eightysix.model.incident import Incident, Report, StageEntry
from eightysix.model.timestamps import to_ns
from eightysix.model.words import Verdict
from eightysix.report.brief import last_at, origin_of
from eightysix.report.interface import RenderOptions, worst_first
from eightysix.report.json_text import one_line

__all__ = [
    "FORMAT",
    "HOSTNAME",
    "IP_ADDRESS",
    "OCSF_VERSION",
    "PRODUCT",
    "SEVERITIES",
    "OcsfFormat",
    "detection_finding",
    "endpoint_of",
    "finding",
    "finding_line",
]

OCSF_VERSION = "1.8.0"
_CLASS, _CATEGORY, _CREATE = 2004, 2, 1
SEVERITIES = {Verdict.WATCH: (2, "Low"), Verdict.SUSPECT: (4, "High"), Verdict.CONTAIN: (5, "Critical")}
_NEW, _SUPPRESSED = (1, "New"), (3, "Suppressed")
HOSTNAME, IP_ADDRESS = (1, "Hostname"), (2, "IP Address")
PRODUCT = {"name": "eightysix", "vendor_name": "eightysix", "version": __version__}

Json = dict[str, object]


class OcsfFormat:
    """One line an incident, worst first. Coverage has no place in it: ask `--format json` for that."""

    name = "ocsf"

    def write(self, report: Report, options: RenderOptions) -> Iterator[str]:
        """One piece a line; nothing where nothing reached a verdict."""
        for incident in worst_first(report.incidents):
            yield finding_line(incident) + "\n"


FORMAT = OcsfFormat()


def finding_line(incident: Incident) -> str:
    """The Detection Finding of `incident` on one line, without a line break."""
    return one_line(finding(incident))


def finding(incident: Incident) -> Json:
    """The Detection Finding of `incident`. A later revision is a new event with the same `finding_info.uid`."""
    severity_id, severity = SEVERITIES[incident.verdict]
    silenced = bool(incident.suppressed_by) and incident.verdict is not Verdict.CONTAIN
    status_id, status = _SUPPRESSED if silenced else _NEW
    times = sorted(filter(None, map(_ms, [incident.t0, *(step.at for step in incident.stages)])))
    event: Json = {
        **detection_finding(),
        "time": _ms(last_at(incident)),
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status_id,
        "status": status,
        "is_alert": incident.verdict is not Verdict.WATCH and not silenced,
        "risk_score": incident.score,
        "message": f"{incident.verdict}[{incident.rule}]: {incident.title}: {origin_of(incident)}",
        "metadata": {
            "version": OCSF_VERSION,
            "product": PRODUCT,
            "uid": f"{incident.id}/{incident.revision}",
            "correlation_uid": incident.id,
            "event_code": incident.rule,
        },
        "finding_info": _info(incident, times),
        "evidences": [_evidence(step) for step in incident.stages],
        "resources": [_resource(incident)],
        "observables": _observables(incident),
        "remediation": {"desc": "\n".join(incident.next_steps)},
        "unmapped": {"eightysix": _unmapped(incident)},
    }
    if times:
        event |= {"start_time": times[0], "end_time": times[-1]}
    return {key: value for key, value in event.items() if value not in ([], {"desc": ""})}


def detection_finding() -> Json:
    """What says that an event is a new Detection Finding."""
    return {
        "activity_id": _CREATE,
        "activity_name": "Create",
        "category_uid": _CATEGORY,
        "category_name": "Findings",
        "class_uid": _CLASS,
        "class_name": "Detection Finding",
        "type_uid": _CLASS * 100 + _CREATE,
        "type_name": "Detection Finding: Create",
    }


def _info(incident: Incident, times: list[int]) -> Json:
    info: Json = {
        "uid": incident.id,
        "title": incident.title or incident.rule,
        "desc": "; ".join(reason.text for reason in incident.why),
        "types": [str(incident.verdict)],
        "analytic": {"name": incident.rule, "uid": incident.rule, "type": "Rule", "type_id": 1},
        "data_sources": sorted({item.source for step in incident.stages for item in step.evidence}),
    }
    if times:
        info |= {"first_seen_time": times[0], "last_seen_time": times[-1]}
    if incident.aliases:
        info["related_events"] = [{"uid": alias} for alias in incident.aliases]
    return info


def _evidence(step: StageEntry) -> Json:
    told: Json = {"name": step.title, "data": step}
    endpoint = endpoint_of(step.destination)
    if endpoint:
        told["dst_endpoint"] = endpoint
    return told


def endpoint_of(destination: str) -> Json:
    """`203.0.113.10:443 (host.example)` as OCSF's network endpoint; empty where it is no address or host with port."""
    place, _, name = destination.partition(" (")
    host, _, port = place.rpartition(":")
    if not host or not (port.isdigit() and port.isascii() and len(port) < 6) or "/" in host or " " in host:
        return {}
    ip = address(host)
    endpoint: Json = {"ip": ip} if ip else {"hostname": host}
    if name.removesuffix(")"):
        endpoint["hostname"] = name.removesuffix(")")
    if 0 < int(port) < 65_536:
        endpoint["port"] = int(port)
    return endpoint


def _resource(incident: Incident) -> Json:
    pod = incident.pod
    if pod is None:
        return {"type": "Workload", "name": incident.workload or "unknown", "data": {"image": incident.image}}
    told: Json = {
        "type": "Pod",
        "name": pod.name or "unknown",
        "data": {
            "cluster": pod.cluster,
            "node": pod.node,
            "workload": incident.workload,
            "image": incident.image,
        },
    }
    return told | {key: text for key, text in (("uid", pod.uid), ("namespace", pod.namespace)) if text}


def _observables(incident: Incident) -> list[Json]:
    """Addresses and host names of the chain, each once."""
    found: dict[tuple[str, str], Json] = {}
    for step in incident.stages:
        endpoint = endpoint_of(step.destination)
        for key, (type_id, kind) in (("ip", IP_ADDRESS), ("hostname", HOSTNAME)):
            if key in endpoint:
                name = f"evidences[].dst_endpoint.{key}"
                value = str(endpoint[key])
                found[key, value] = {"name": name, "type_id": type_id, "type": kind, "value": value}
    return [found[key] for key in sorted(found)]


def _unmapped(incident: Incident) -> Json:
    return {
        "verdict": incident.verdict,
        "t0": incident.t0,
        "why": incident.why,
        "identities": incident.identities,
        "gaps": incident.gaps,
        "suppressed_by": incident.suppressed_by,
    }


def _ms(text: str) -> int:
    """Milliseconds since 1970, 0 where `text` is no time."""
    try:
        return to_ns(text) // 1_000_000
    except ValueError:
        return 0
