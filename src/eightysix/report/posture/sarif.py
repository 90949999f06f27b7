"""SARIF 2.1.0: what of a posture a team acts on, each way to a sink as a code flow, ATT&CK and the threat matrix as taxonomies.

Places are the files and lines of manifests where objects were read from files. Of a live cluster there are none: the object's
own name stands as a path then (`cluster/Deployment/ml/vllm`), as GitHub shows no result without a place. Limits of GitHub
(docs.github.com, SARIF support: 25,000 results of which 5,000 are shown, 1,000 thread flow locations and 100 locations a
result, 10 tags a rule) are kept: what is left out is counted in `properties`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from eightysix import __version__
from eightysix.context.techniques import ATTACK_VERSION
from eightysix.context.threats import NAMES, split, url
from eightysix.model.posture import Path, Posture, Step
from eightysix.report.interface import RenderOptions
from eightysix.report.json_text import indented
from eightysix.report.posture.findings import Finding, findings
from eightysix.report.posture.words import sink_word
from eightysix.report.sarif_text import SARIF_SCHEMA, message, unlogged_json, uri

__all__ = ["FORMAT", "MAX_FLOWS", "MAX_RESULTS", "SarifFormat"]

MAX_RESULTS = 5_000
MAX_FLOWS = 3
"""Ways of one result that are told step by step; a member of a family more is one more of its kind. A step is 1 KB."""
_STEPS = 1_000
_TAGS = 10
_PLACES = 100

_ATTACK, _MATRIX = "MITRE ATT&CK", "Microsoft Threat Matrix for Kubernetes"

Json = dict[str, object]

_SEVERITY: Mapping[str, str] = {
    "cluster-admin": "9.5",
    "sub-owner": "9.5",
    "node": "8.5",
    "acr-write": "8.5",
    "model-store-write": "8.5",
    "kv-secrets": "7.5",
    "ns-admin": "7.5",
    "data-read": "5.5",
    "llm-spend": "4.5",
    "registry-read": "3.5",
}
_OTHERS: Mapping[str, tuple[str, str, str, str]] = {
    "choke-point": (
        "Few changes protect many pods",
        "warning",
        "7.0",
        "Make the change that the result names. Its count is after the changes before it, so begin with the first.",
    ),
    "unused-identity": (
        "An identity that nobody uses is within a pod's reach",
        "warning",
        "6.0",
        "Remove the identity, or what lets the pod reach it: nobody will miss it.",
    ),
    "gpu-operand": (
        "GPU operands are privileged because they must be",
        "note",
        "3.0",
        "Nothing removes this. Keep other workloads and strong identities off GPU nodes, and restrict the metadata service.",
    ),
}


class SarifFormat:
    """One run; choke points first, then workloads, the worst first, then identities. `options` change nothing."""

    name = "sarif"

    def write(self, posture: Posture, options: RenderOptions) -> Iterator[str]:
        """One piece, because the encoder needs the whole document."""
        found = list(findings(posture))
        told = found[:MAX_RESULTS]
        scene = _Scene(posture, told)
        run: Json = {
            "tool": {
                "driver": {
                    "name": "eightysix",
                    "version": __version__,
                    "rules": [scene.rule(name) for name in scene.rules],
                    "supportedTaxonomies": [{"name": name, "index": at} for at, name in enumerate(scene.ids)],
                }
            },
            "taxonomies": [_taxonomy(name, ids) for name, ids in scene.ids.items()],
            "columnKind": "unicodeCodePoints",
            "invocations": [{"executionSuccessful": True}],
            "results": [scene.result(one) for one in told],
            "properties": {
                "leftOut": len(found) - len(told),
                "schema": posture.schema,
                "cluster": posture.cluster,
                "takenAt": posture.taken_at,
                "notSeen": [f"{one.what}: {one.why}" for one in posture.not_seen[:_PLACES]],
            },
        }
        document = {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}
        yield unlogged_json(indented(document))


FORMAT = SarifFormat()


def _taxonomy(name: str, ids: Sequence[str]) -> Json:
    attack = name == _ATTACK
    told: Json = {
        "name": name,
        "organization": "MITRE" if attack else "Microsoft",
        "informationUri": "https://attack.mitre.org/"
        if attack
        else "https://microsoft.github.io/Threat-Matrix-for-Kubernetes/",
        "shortDescription": {
            "text": "Tactics and techniques of adversaries" + (", for Enterprise" if attack else "")
        },
        "isComprehensive": False,
        "taxa": [{"id": one, "name": NAMES[one], "helpUri": url(one)} for one in ids],
    }
    if attack:
        told["version"] = ATTACK_VERSION
    return told


class _Scene:
    """What all results share: places of objects, rules and techniques by number."""

    def __init__(self, posture: Posture, told: Sequence[Finding]) -> None:
        self.places = {place.object: (place.file, place.line) for place in posture.places}
        self.techniques = {(edge.type, edge.source, edge.target): edge.techniques for edge in posture.edges}
        self.rules = list(dict.fromkeys(one.rule for one in told))
        self.of_rule: dict[str, dict[str, None]] = {}
        for one in told:
            self.of_rule.setdefault(one.rule, {}).update(dict.fromkeys(one.techniques))
        every = {one for ids in self.of_rule.values() for one in ids}
        for finding in told:
            for path in finding.paths[:MAX_FLOWS]:
                for step in path.steps:
                    every.update(self.techniques.get((step.type, step.source, step.target), ()))
        attack, matrix = split(sorted(one for one in every if one in NAMES))
        self.ids = {_ATTACK: attack, _MATRIX: matrix}

    def rule(self, name: str) -> Json:
        """A rule, with what to do about it, and the techniques of its results."""
        if name in _OTHERS:
            title, level, severity, text = _OTHERS[name]
        else:
            sink = name.removeprefix("reaches-")
            title = f"A compromised pod reaches {sink_word(sink)}" + (
                " of others" if sink == "ns-admin" else ""
            )
            level, severity = "warning", _SEVERITY.get(sink, "5.0")
            text = "Follow the code flow: each step names the object that proves it. Cut the step that costs the least."
        attack = [one for one in self.of_rule[name] if one.startswith("T")]
        tags = ["security", *sorted(f"external/attack/{one.lower()}" for one in attack)]
        return {
            "id": f"posture-{name}",
            "shortDescription": {"text": title},
            "fullDescription": {"text": f"{title}. {text}"},
            "help": {
                "text": f"{text} Try a cut first: eightysix posture simulate --without TYPE:SOURCE:TARGET",
                "markdown": f"{text}\n\nTry a cut first: `eightysix posture simulate --without TYPE:SOURCE:TARGET`",
            },
            "defaultConfiguration": {"level": level},
            "properties": {"security-severity": severity, "precision": "high", "tags": tags[:_TAGS]},
        }

    def result(self, one: Finding) -> Json:
        """A finding. Its fingerprint stays while its subject does."""
        # what was read from a file can be shown
        objects = sorted(one.objects, key=lambda thing: thing not in self.places) or ["unknown"]
        told: Json = {
            "ruleId": f"posture-{one.rule}",
            "ruleIndex": self.rules.index(one.rule),
            "level": one.level,
            "kind": "fail",
            "message": message(one.text),
            "locations": [self._location(objects[0])],
            "fingerprints": {"posture/v1": one.id},
            "partialFingerprints": {"posture/v1": one.id},
            "properties": dict(one.properties),
        }
        if len(objects) > 1:
            told["relatedLocations"] = [
                {"id": number, **self._location(thing, thing)}
                for number, thing in enumerate(objects[1:_PLACES], 1)
            ]
        taxa = self._taxa(one.techniques)
        if taxa:
            told["taxa"] = taxa
        if one.paths:
            told["codeFlows"] = self._flows(one.paths)
        return told

    def _taxa(self, ids: Sequence[str]) -> list[Json]:
        return [
            {"id": one, "index": told.index(one), "toolComponent": {"name": name, "index": at}}
            for at, (name, told) in enumerate(self.ids.items())
            for one in ids
            if one in told
        ]

    def _location(self, thing: str, text: str = "") -> Json:
        file, line = self.places.get(thing, (f"cluster/{thing}", 1))
        location: Json = {
            "physicalLocation": {
                "artifactLocation": {"uri": uri(file)},
                "region": {"startLine": max(line, 1)},
            },
            "logicalLocations": [{"fullyQualifiedName": thing, "kind": "object"}],
        }
        if text:
            location["message"] = message(text)
        return location

    def _flows(self, paths: Sequence[Path]) -> list[Json]:
        """The best first; each way is one thread."""
        flows: list[Json] = []
        room = _STEPS
        for path in sorted(paths, key=lambda one: -one.probability)[:MAX_FLOWS]:
            if len(path.steps) > room or not path.steps:
                continue
            room -= len(path.steps)
            steps = [self._step(step, order) for order, step in enumerate(path.steps, 1)]
            text = f"to {path.sink.removeprefix('sink:')}, probability {path.probability:.2f}"
            flows.append({"message": message(text), "threadFlows": [{"locations": steps}]})
        return flows

    def _step(self, step: Step, order: int) -> Json:
        thing = step.evidence[0][0] if step.evidence else "unknown"
        told: Json = {
            "location": self._location(thing, step.text),
            "executionOrder": order,
            "importance": "essential",
            "properties": {
                "type": step.type,
                "source": step.source,
                "target": step.target,
                "confidence": step.confidence,
                "evidence": [f"{name} {path}" for name, path in step.evidence],
            },
        }
        taxa = self._taxa(self.techniques.get((step.type, step.source, step.target), ()))
        if taxa:
            told["taxa"] = taxa
        return told
