"""Findings as SARIF 2.1.0 (OASIS Standard, March 2020), as code scanning of GitHub and others reads it."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b

from eightysix.model.finding import FileVerdict, Finding, ScanReport, Severity
from eightysix.model.stored import as_json
from eightysix.report.findings.interface import RuleText, Setting, by_path, place
from eightysix.report.json_text import indented
from eightysix.report.sarif_text import SARIF_SCHEMA, uri

__all__ = ["FORMAT", "SarifFormat"]

_LEVEL = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
}
_SECURITY_SEVERITY = {
    Severity.CRITICAL: "9.5",
    Severity.HIGH: "8.0",
    Severity.MEDIUM: "5.0",
    Severity.LOW: "2.0",
}
"""GitHub sorts by this number: over 9.0 critical, from 7.0 high, from 4.0 medium, below low
(docs.github.com/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning)."""

Json = dict[str, object]


class SarifFormat:
    """One run with the rules that found something, a result a finding, and the files that could not be read."""

    def write(self, report: ScanReport, setting: Setting) -> Iterator[str]:
        """One piece, because the encoder needs the whole document."""
        found = by_path(report.findings)
        findings = [finding for file in report.files for finding in found.get(file.path, ())]
        used = sorted({finding.rule for finding in findings})
        index = {name: number for number, name in enumerate(used)}
        unread = any(
            file.verdict in (FileVerdict.UNSCANNABLE, FileVerdict.MALFORMED) for file in report.files
        )
        run: Json = {
            "tool": {
                "driver": {
                    "name": "eightysix",
                    "version": setting.version,
                    "rules": [_rule(name, setting.rules.get(name)) for name in used],
                }
            },
            "columnKind": "unicodeCodePoints",
            "invocations": [{"executionSuccessful": True, "properties": {"incomplete": unread}}],
            "results": [_result(finding, index[finding.rule]) for finding in findings],
        }
        document = {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}
        yield indented(document)


def _rule(name: str, text: RuleText | None) -> Json:
    if text is None:
        return {"id": name}
    return {
        "id": name,
        "shortDescription": {"text": text.title},
        "fullDescription": {"text": f"{text.what} {text.why}"},
        "help": {"text": text.fix},
        "defaultConfiguration": {"level": _LEVEL[text.severity]},
        "properties": {"security-severity": _SECURITY_SEVERITY[text.severity], "tags": ["security"]},
    }


def _result(finding: Finding, rule_index: int) -> Json:
    where = place(finding)
    location: Json = {
        "physicalLocation": {
            "artifactLocation": {"uri": uri(finding.path)},
            "region": {
                "startLine": 1
            },  # code scanning shows no result without a line, and binary files have none
        }
    }
    if finding.member:
        location["logicalLocations"] = [{"fullyQualifiedName": finding.member, "kind": "member"}]
    result: Json = {
        "ruleId": finding.rule,
        "ruleIndex": rule_index,
        "level": _LEVEL[finding.severity],
        "message": {"text": f"{finding.why} ({where})" if where else finding.why},
        "locations": [location],
        "partialFingerprints": {"finding/v1": _fingerprint(finding)},
    }
    extra: Json = {}
    if finding.offset is not None:
        extra["byteOffset"] = finding.offset
    if finding.names:
        extra["names"] = list(finding.names)
    if extra:
        result["properties"] = extra
    return result


def _fingerprint(finding: Finding) -> str:
    """Stays the same when the same thing is found at another offset."""
    parts = (finding.rule, finding.path, finding.member, finding.why)
    return blake2b(as_json(parts), digest_size=16).hexdigest()


FORMAT = SarifFormat()
