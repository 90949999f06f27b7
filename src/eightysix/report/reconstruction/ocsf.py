"""OCSF: each story as a Detection Finding (class 2004), JSON Lines; version and parts are those of `report.ocsf`.

Marks are evidences, the graph of entities is `finding_info.attack_graph`, incidents and marks of the control plane are
`related_events`, what to rotate is `remediation`, in its order. What has no place in the schema (identities with their
uses, gaps, sightings) is in `unmapped.eightysix`. Texts are unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator

from eightysix.context.destinations import address
from eightysix.context.techniques import ATTACK_VERSION, NAMES, technique_url
from eightysix.model.story import Mark, Reconstruction, Sighting, Story
from eightysix.model.words import Stage, Verdict
from eightysix.report.interface import RenderOptions
from eightysix.report.json_text import one_line
from eightysix.report.ocsf import (
    HOSTNAME,
    IP_ADDRESS,
    OCSF_VERSION,
    PRODUCT,
    SEVERITIES,
    detection_finding,
    endpoint_of,
)
from eightysix.report.reconstruction.telling import at_ms, owner, stories_of
from eightysix.report.sarif_text import unlogged_json
from eightysix.report.story import offset

__all__ = ["FORMAT", "OcsfFormat", "story_finding"]

_ASKED = (1, "Informational")
_MARKS = 2_000
_RELATED = 200

Json = dict[str, object]


class OcsfFormat:
    """One line a story, worst first."""

    name = "ocsf"

    def write(self, reconstruction: Reconstruction, options: RenderOptions) -> Iterator[str]:
        """One piece a line; nothing where there is no story."""
        for story in stories_of(reconstruction):
            yield unlogged_json(one_line(story_finding(story))) + "\n"


FORMAT = OcsfFormat()


def story_finding(story: Story) -> Json:
    """The Detection Finding of `story`. A later revision is a new event with the same `finding_info.uid`."""
    severity_id, severity = SEVERITIES[story.verdict] if story.verdict else _ASKED
    marks = story.marks[:_MARKS]
    times = sorted(time for time in (at_ms(text) for text in (story.first, story.last)) if time is not None)
    event: Json = {
        **detection_finding(),
        "time": times[-1] if times else at_ms(story.t0) or 0,
        "severity_id": severity_id,
        "severity": severity,
        "status_id": 3 if story.suppressed_by else 1,
        "status": "Suppressed" if story.suppressed_by else "New",
        "is_alert": not story.suppressed_by and story.verdict in (Verdict.SUSPECT, Verdict.CONTAIN),
        "risk_score": story.score,
        "message": f"{story.verdict or 'asked'}: {story.title or owner(story)}: {owner(story)}",
        "metadata": {
            "version": OCSF_VERSION,
            "product": PRODUCT,
            "uid": f"{story.id}/{story.revision}",
            "correlation_uid": story.id,
            "event_code": "reconstruction",
        },
        "finding_info": _info(story, times),
        "evidences": [_evidence(mark) for mark in marks],
        "resources": [_pod(story), *(_sighted(item) for item in story.elsewhere[:_RELATED])],
        "observables": _observables(story),
        "remediation": _remediation(story),
        "unmapped": {"eightysix": _unmapped(story)},
    }
    if times:
        event |= {"start_time": times[0], "end_time": times[-1]}
    return {key: value for key, value in event.items() if value not in ([], {})}


def _info(story: Story, times: list[int]) -> Json:
    techniques = sorted({item for mark in story.marks for item in mark.techniques})
    info: Json = {
        "uid": story.id or "unknown",
        "title": story.title or owner(story),
        "desc": "\n".join(story.summary) or "; ".join(reason.text for reason in story.why),
        "types": [str(story.verdict or "asked")],
        "analytic": {"name": "reconstruction", "uid": "reconstruction", "type": "Rule", "type_id": 1},
        "data_sources": sorted({item.source for mark in story.marks for item in mark.evidence}),
        "attacks": [_attack(item) for item in techniques],
        "related_events": [{"uid": item} for item in story.incidents if item] + _related(story),
    }
    if times:
        info |= {"first_seen_time": times[0], "last_seen_time": times[-1]}
    if story.entities:
        info["attack_graph"] = _graph(story)
    return {key: value for key, value in info.items() if value not in ([], "")}


def _attack(technique: str) -> Json:
    parent = technique.partition(".")[0]
    told: Json = {"uid": technique, "src_url": technique_url(technique)}
    if technique in NAMES:
        told["name"] = NAMES[technique]
    key = "sub_technique" if parent != technique else "technique"
    return {
        "version": ATTACK_VERSION,
        "technique": {"uid": parent, "src_url": technique_url(parent)},
        key: told,
    }


def _related(story: Story) -> list[Json]:
    """Uses of the taken identities, as the events of a control plane that they are."""
    related: list[Json] = []
    for identity in story.identities:
        for number, use in enumerate(identity.uses):
            if not use.after or len(related) == _RELATED:
                continue
            told: Json = {
                "uid": f"{identity.entity}/{number}",
                "title": f"{use.service}: {use.operation} {use.target}".strip(" "),
                "type": use.service,
                "count": max(use.count, 1),
                "status": str(use.outcome),
            }
            time = at_ms(use.at)
            if time is not None:
                told["first_seen_time"] = time
            ip = address(use.source_ip)
            if ip:
                told["observables"] = [_observable("src_endpoint.ip", IP_ADDRESS, ip)]
            related.append(told)
    return related


def _graph(story: Story) -> Json:
    known = {item.id for item in story.entities}
    return {
        "uid": story.id,
        "name": "entities and what they did",
        "is_directed": True,
        "nodes": [
            {
                "uid": item.id,
                "name": item.name,
                "type": str(item.kind),
                "data": {"state": item.state, **item.facts},
            }
            for item in story.entities
        ],
        "edges": [
            {
                "uid": f"e{number}",
                "source": link.source,
                "target": link.target,
                "relation": str(link.kind),
                "is_directed": True,
                "data": {
                    "at": link.at,
                    "grade": link.grade,
                    "origin": link.origin,
                    "join_key": link.join_key,
                },
            }
            for number, link in enumerate(story.links)
            if link.source in known and link.target in known
        ],
    }


def _evidence(mark: Mark) -> Json:
    told: Json = {"uid": mark.id, "name": f"{offset(mark.offset_s)} {mark.title}", "data": mark}
    endpoint = endpoint_of(_destination(mark))
    if endpoint:
        told["dst_endpoint"] = endpoint
    return told


def _destination(mark: Mark) -> str:
    """What stands behind the arrow of a mark's detail."""
    return mark.detail.rpartition("→ ")[2] if "→ " in mark.detail else ""


def _pod(story: Story) -> Json:
    pod = story.pod
    data: Json = {"workload": story.workload, "image": story.image, "service_account": story.service_account}
    if pod is None:
        return {"type": "Workload", "name": story.workload or story.asked or "unknown", "data": data}
    told: Json = {"type": "Pod", "name": pod.name or "unknown", "role_id": 1, "role": "Target"}
    told["data"] = {"cluster": pod.cluster, "node": pod.node, **data}
    return told | {key: text for key, text in (("uid", pod.uid), ("namespace", pod.namespace)) if text}


def _sighted(sighting: Sighting) -> Json:
    told: Json = {
        "type": "Pod",
        "name": sighting.pod or sighting.node or "unknown",
        "role_id": 3 if sighting.identity_taken else 2,
        "role": "Affected" if sighting.identity_taken else "Related",
        "data": sighting,
    }
    return told | {
        key: text for key, text in (("uid", sighting.uid), ("namespace", sighting.namespace)) if text
    }


def _observables(story: Story) -> list[Json]:
    """Addresses and host names of the chain and of uses, each once."""
    found: dict[tuple[str, str], Json] = {}
    for mark in story.marks[:_MARKS]:
        endpoint = (
            endpoint_of(_destination(mark)) if mark.stage in (Stage.LEAVE, Stage.USE, Stage.REACH) else {}
        )
        for key, kind in (("ip", IP_ADDRESS), ("hostname", HOSTNAME)):
            if key in endpoint:
                value = str(endpoint[key])
                found[key, value] = _observable(f"evidences[].dst_endpoint.{key}", kind, value)
    for identity in story.identities:
        for use in identity.uses:
            ip = address(use.source_ip)
            if ip and use.after:
                found.setdefault(
                    ("ip", ip), _observable("unmapped.eightysix.identities.uses.source_ip", IP_ADDRESS, ip)
                )
    return [found[key] for key in sorted(found)]


def _observable(name: str, kind: tuple[int, str], value: str) -> Json:
    return {"name": name, "type_id": kind[0], "type": kind[1], "value": value}


def _remediation(story: Story) -> Json:
    """What to rotate, in its order, with the commands."""
    lines: list[str] = []
    for number, item in enumerate(story.rotate, 1):
        lines.append(f"{number}. {item.what}" + (f" ({item.why})" if item.why else ""))
        lines += [f"   {command}" for command in item.commands]
    sources = sorted({item.revocation.source for item in story.identities if item.revocation.source})
    told: Json = {"desc": "\n".join(lines)} if lines else {}
    return told | ({"references": sources} if sources and lines else {})


def _unmapped(story: Story) -> Json:
    return {
        "verdict": story.verdict,
        "asked": story.asked,
        "t0": story.t0,
        "domains": story.domains,
        "identities": story.identities,
        "exposed": story.exposed,
        "why": story.why,
        "gaps": story.gaps,
        "left_out": max(story.left_out, 0) + max(len(story.marks) - _MARKS, 0),
    }
