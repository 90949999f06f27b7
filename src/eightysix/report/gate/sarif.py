"""Decisions as SARIF 2.1.0 (OASIS Standard, errata 01), as code scanning of GitHub and Azure DevOps read it.

An artifact in a registry has no file in the repository: its name stands as a path (`acme.azurecr.io/ml/llm:prod`), because code
scanning shows no result without a place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b

from eightysix.model.finding import Severity
from eightysix.model.gate import Decision, GateFinding
from eightysix.model.stored import as_json
from eightysix.report.gate.interface import named
from eightysix.report.interface import RenderOptions
from eightysix.report.json_text import indented
from eightysix.report.sarif_text import SARIF_SCHEMA, message, unlogged_json, uri

__all__ = ["FORMAT", "SarifFormat"]

_LEVEL = {
    Severity.LOW: "note",
    Severity.MEDIUM: "warning",
    Severity.HIGH: "error",
    Severity.CRITICAL: "error",
}
_NUMBER = {Severity.LOW: "2.0", Severity.MEDIUM: "5.0", Severity.HIGH: "8.0", Severity.CRITICAL: "9.5"}
"""GitHub sorts by this number: over 9.0 critical, from 7.0 high, from 4.0 medium, below low."""

Json = dict[str, object]


class SarifFormat:
    """One run, a result for each finding of each decision."""

    def write(self, decisions: Sequence[Decision], options: RenderOptions, version: str) -> Iterator[str]:
        """One piece, because the encoder needs the whole document."""
        del options
        pairs = [(decision, finding) for decision in decisions for finding in decision.findings]
        worst: dict[str, GateFinding] = {}
        for _, finding in pairs:
            known = worst.get(finding.rule)
            if known is None or finding.severity.rank > known.severity.rank:
                worst[finding.rule] = finding
        names = sorted(worst)
        index = {name: at for at, name in enumerate(names)}
        run: Json = {
            "tool": {
                "driver": {
                    "name": "eightysix gate",
                    "semanticVersion": version,
                    "rules": [_rule(worst[name]) for name in names],
                }
            },
            "columnKind": "unicodeCodePoints",
            "invocations": [
                {
                    "executionSuccessful": True,
                    "properties": {
                        "decisions": [
                            {
                                "id": d.id,
                                "artifact": named(d),
                                "digest": d.digest,
                                "ruling": d.ruling.value,
                                "mode": d.mode,
                            }
                            for d in decisions
                        ]
                    },
                }
            ],
            "results": [_result(decision, finding, index[finding.rule]) for decision, finding in pairs],
        }
        yield unlogged_json(indented({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}))


def _rule(finding: GateFinding) -> Json:
    return {
        "id": finding.rule,
        "shortDescription": {"text": finding.title},
        "defaultConfiguration": {"level": _LEVEL[finding.severity]},
        "properties": {
            "security-severity": _NUMBER[finding.severity],
            "tags": list(dict.fromkeys(("security", *finding.techniques)))[:10],
        },
    }


def _result(decision: Decision, finding: GateFinding, at: int) -> Json:
    text = f"{finding.title}: {finding.why}"
    return {
        "ruleId": finding.rule,
        "ruleIndex": at,
        "level": _LEVEL[finding.severity],
        "message": message(text),
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": uri(named(decision))},
                    "region": {"startLine": 1},
                }
            }
        ],
        "partialFingerprints": {"gate/v1": _fingerprint(decision, finding)},
        "properties": {
            "digest": decision.digest,
            "decision": decision.id,
            "holds": finding.holds,
            **({"approval": finding.approval} if finding.approval else {}),
        },
    }


def _fingerprint(decision: Decision, finding: GateFinding) -> str:
    parts = (finding.rule, named(decision), decision.digest, finding.why)
    return blake2b(as_json(parts), digest_size=16).hexdigest()


FORMAT = SarifFormat()
