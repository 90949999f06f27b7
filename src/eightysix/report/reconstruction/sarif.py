"""SARIF 2.1.0: one result a story, its steps as code flows, its graph, and ATT&CK as a taxonomy.

The first code flow is the whole story in one thread, as every viewer can step through it; the others are its stages, with
a thread for each lane, and `executionOrder` orders steps over all threads. Limits of GitHub (docs.github.com, SARIF
support: 25,000 results and 20 runs a file, of each result 1,000 thread flow locations and 100 locations shown, 10 tags of
a rule) are kept: what is left out is counted in `properties`. Strings of ours escape what a log of a CI system could take
for a command.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from eightysix import __version__
from eightysix.context.techniques import ATTACK_VERSION, NAMES, technique_url
from eightysix.model.incident import Evidence
from eightysix.model.story import Lane, Mark, Reconstruction, Story
from eightysix.model.words import Outcome, Stage, Verdict
from eightysix.report.interface import RenderOptions
from eightysix.report.json_text import indented
from eightysix.report.reconstruction.telling import (
    LANES,
    at_ns,
    identity_name,
    iso,
    owner,
    place,
    sighted,
    stories_of,
    sure,
)
from eightysix.report.sarif_text import SARIF_SCHEMA, message, unlogged_json, uri
from eightysix.report.story import offset

__all__ = ["FORMAT", "MAX_LOCATIONS", "MAX_RESULTS", "SarifFormat"]

MAX_LOCATIONS = 1_000
"""Thread flow locations of one result that GitHub shows."""
MAX_RESULTS = 5_000
"""Results of one run that GitHub shows."""
_PLACES = 100
_NODES = 500
_EVIDENCE = 20
_RULES = {
    Verdict.CONTAIN: (
        "story-contain",
        "error",
        "9.5",
        "A breach: credentials of two domains were taken and used",
    ),
    Verdict.SUSPECT: ("story-suspect", "error", "8.0", "A chain that looks like a breach"),
    Verdict.WATCH: ("story-watch", "warning", "5.0", "The beginning of a chain"),
    None: ("story-asked", "note", "2.0", "What the records tell of something that was asked for"),
}
_KINDS = {
    Stage.LAND: "taint",
    Stage.RUN: "call",
    Stage.REACH: "acquire",
    Stage.PIVOT: "acquire",
    Stage.LEAVE: "danger",
    Stage.USE: "danger",
}
"""The standard's own words for a step (3.38.8)."""
_ATTACK = {"name": "MITRE ATT&CK", "index": 0}

Json = dict[str, object]


class SarifFormat:
    """One run, a result a story, worst first."""

    name = "sarif"

    def write(self, reconstruction: Reconstruction, options: RenderOptions) -> Iterator[str]:
        """One piece, because the encoder needs the whole document."""
        stories = stories_of(reconstruction)
        told = stories[:MAX_RESULTS]
        taxa = sorted(
            {item for story in told for mark in story.marks for item in mark.techniques if item in NAMES}
        )
        verdicts = [verdict for verdict in _RULES if any(story.verdict is verdict for story in told)]
        run: Json = {
            "tool": {
                "driver": {
                    "name": "eightysix",
                    "version": __version__,
                    "rules": [_rule(verdict) for verdict in verdicts],
                    "supportedTaxonomies": [_ATTACK],
                }
            },
            "taxonomies": [_taxonomy(taxa)],
            "columnKind": "unicodeCodePoints",
            "invocations": [{"executionSuccessful": True}],
            "results": [_result(story, verdicts, taxa) for story in told],
            "properties": {"leftOut": len(stories) - len(told), "schema": reconstruction.schema},
        }
        yield unlogged_json(indented({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}))


FORMAT = SarifFormat()


def _rule(verdict: Verdict | None) -> Json:
    name, level, severity, title = _RULES[verdict]
    return {
        "id": name,
        "shortDescription": {"text": title},
        "help": {
            "text": "Follow the code flow, then take back the identities in the order of the remediation."
        },
        "defaultConfiguration": {"level": level},
        "properties": {"security-severity": severity, "tags": ["security"]},
    }


def _taxonomy(taxa: Sequence[str]) -> Json:
    return {
        "name": _ATTACK["name"],
        "version": ATTACK_VERSION,
        "organization": "MITRE",
        "informationUri": "https://attack.mitre.org/",
        "shortDescription": {"text": "Tactics and techniques of adversaries, for Enterprise"},
        "isComprehensive": False,
        "taxa": [{"id": item, "name": NAMES[item], "helpUri": technique_url(item)} for item in taxa],
    }


def _taxa(techniques: Sequence[str], taxa: Sequence[str]) -> list[Json]:
    return [
        {"id": item, "index": taxa.index(item), "toolComponent": _ATTACK}
        for item in techniques
        if item in taxa
    ]


def _result(story: Story, verdicts: Sequence[Verdict | None], taxa: Sequence[str]) -> Json:
    name, level, _, _ = _RULES[story.verdict]
    marks, left = _kept(story.marks)
    chain = [mark for mark in marks if mark.stage is not None]
    techniques = sorted({item for mark in story.marks for item in mark.techniques})
    result: Json = {
        "ruleId": name,
        "ruleIndex": verdicts.index(story.verdict),
        "level": level,
        "kind": "fail" if story.verdict else "informational",
        "message": message(_message(story)),
        "locations": [_location(item) for item in _first(story)],
        "fingerprints": {"story/v1": story.id},
        "partialFingerprints": {"story/v1": story.id},
        "taxa": _taxa(techniques, taxa),
        "properties": _properties(story, left + max(story.left_out, 0)),
    }
    if story.suppressed_by:
        result["suppressions"] = [{"kind": "external", "justification": f"exception {story.suppressed_by}"}]
    if story.verdict is None:
        result["level"] = "none"  # 3.27.9: what is no failure has no level
    flows = [_whole(marks, taxa)] if marks else []
    for stage in Stage:
        of_stage = [mark for mark in chain if mark.stage is stage]
        if of_stage:
            flows.append(_flow(f"stage {stage}", of_stage, marks, taxa))
    if flows:
        result["codeFlows"] = flows
    related = [
        _location(
            item.evidence[0], f"{item.artifact} in {item.namespace}/{item.pod}: {sighted(item)}", number
        )
        for number, item in enumerate(story.elsewhere[:_PLACES], 1)
        if item.evidence
    ]
    if related:
        result["relatedLocations"] = related
    if story.entities:
        result["graphs"] = [_graph(story)]
    return result


def _kept(marks: Sequence[Mark]) -> tuple[list[Mark], int]:
    """What fits twice (the whole and the stages): steps of the chain before what surrounds it, the first and the last."""
    room = MAX_LOCATIONS // 2
    if len(marks) <= room:
        return list(marks), 0
    chain = [index for index, mark in enumerate(marks) if mark.stage is not None]
    around = [index for index, mark in enumerate(marks) if mark.stage is None]
    chosen = chain + around[: room - len(chain)] if len(chain) <= room else _ends(chain, room)
    return [marks[index] for index in sorted(chosen)], len(marks) - room


def _ends(chosen: list[int], room: int) -> list[int]:
    return chosen[: room // 2] + chosen[-(room - room // 2) :]


def _message(story: Story) -> str:
    parts = [f"{story.title or owner(story)} ({owner(story)})", *story.summary]
    if story.domains:
        parts.append(f"Domains taken: {', '.join(story.domains)}.")
    if story.identities:
        named = [f"{item.state} {identity_name(item)}" for item in story.identities[:_EVIDENCE]]
        parts.append(f"Identities: {'; '.join(named)}.")
    if story.rotate:
        named = [f"{number}. {item.what}" for number, item in enumerate(story.rotate[:_EVIDENCE], 1)]
        parts.append(f"What to do: {' '.join(named)}")
    return "\n".join(parts)


def _first(story: Story) -> list[Evidence]:
    """Where a viewer puts the result: the record of what landed, else the first that there is."""
    landed = [mark for mark in story.marks if mark.stage is Stage.LAND and mark.evidence]
    some = landed or [mark for mark in story.marks if mark.evidence]
    found = some[0].evidence[0] if some else Evidence("", "unknown", 0)
    return [found]


def _location(evidence: Evidence, text: str = "", number: int = 0, logical: Sequence[Json] = ()) -> Json:
    location: Json = {
        "physicalLocation": {
            "artifactLocation": {"uri": uri(evidence.file or evidence.source)},
            "region": {"startLine": max(evidence.line, 1)},
        }
    }
    if number:
        location["id"] = number
    if text:
        location["message"] = message(text)
    if logical:
        location["logicalLocations"] = list(logical)
    return location


def _whole(marks: Sequence[Mark], taxa: Sequence[str]) -> Json:
    steps = [_step(mark, order, taxa) for order, mark in enumerate(marks, 1)]
    return {"message": message("the whole story"), "threadFlows": [{"id": "all", "locations": steps}]}


def _flow(text: str, marks: Sequence[Mark], every: Sequence[Mark], taxa: Sequence[str]) -> Json:
    order = {id(mark): number for number, mark in enumerate(every, 1)}
    threads: list[Json] = []
    for lane in Lane:
        steps = [_step(mark, order[id(mark)], taxa) for mark in marks if mark.lane is lane]
        if steps:
            threads.append({"id": str(lane), "message": message(LANES[lane]), "locations": steps})
    return {"message": message(text), "threadFlows": threads}


def _step(mark: Mark, order: int, taxa: Sequence[str]) -> Json:
    text = f"{offset(mark.offset_s)} {mark.title}" + (f": {mark.detail}" if mark.detail else "")
    logical: list[Json] = [{"name": mark.pod, "kind": "pod"}] if mark.pod else []
    first = mark.evidence[0] if mark.evidence else Evidence("", "unknown", 0)
    step: Json = {
        "location": _location(first, text, logical=logical),
        "executionOrder": order,
        "importance": _importance(mark),
        "nestingLevel": 0 if mark.stage is not None else 1,
        "properties": {
            "mark": mark.id,
            "grade": mark.grade,
            "origin": mark.origin,
            "outcome": mark.outcome,
            "count": mark.count,
            "evidence": [place(item) for item in mark.evidence[:_EVIDENCE]],
        },
    }
    time_ns = at_ns(mark.at)
    if time_ns is not None:
        step["executionTimeUtc"] = iso(time_ns)
    if mark.stage is not None:
        step["kinds"] = [_KINDS[mark.stage], str(mark.stage)]
    told = _taxa(mark.techniques, taxa)
    if told:
        step["taxa"] = told
    return step


def _importance(mark: Mark) -> str:
    if mark.stage is None:
        return "unimportant"
    return "important" if mark.outcome is Outcome.DENIED or mark.grade > "C" else "essential"


def _graph(story: Story) -> Json:
    """The entities and links; a link whose ends are left out is left out too."""
    entities = {item.id: item for item in story.entities[:_NODES]}
    nodes: list[Json] = [
        {"id": item.id, "label": message(f"{item.kind} {item.name}"), "properties": {"state": item.state}}
        for item in entities.values()
    ]
    edges: list[Json] = [
        {
            "id": f"e{number}",
            "sourceNodeId": link.source,
            "targetNodeId": link.target,
            "label": message(f"{link.kind} ({link.grade} {link.origin})"),
        }
        for number, link in enumerate(story.links)
        if link.source in entities and link.target in entities
    ]
    return {"description": message("who did what to what"), "nodes": nodes, "edges": edges[: 2 * _NODES]}


def _properties(story: Story, left_out: int) -> Json:
    return {
        "verdict": story.verdict,
        "score": story.score,
        "revision": story.revision,
        "incidents": list(story.incidents),
        "t0": story.t0,
        "domains": list(story.domains),
        "identities": [
            {
                "name": identity_name(item),
                "state": item.state,
                "grade": sure(item),
                "revocable": item.revocation.possible,
            }
            for item in story.identities[:_PLACES]
        ],
        "gaps": [item.text for item in story.gaps[:_PLACES]],
        "remediation": [
            {"what": item.what, "why": item.why, "commands": list(item.commands)}
            for item in story.rotate[:_PLACES]
        ],
        "leftOut": left_out,
    }
