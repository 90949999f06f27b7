"""What is left of a result when what the operator vouches for, and what was known before, is taken off."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from datetime import date

import msgspec
from msgspec import Struct, structs

from eightysix.model.errors import UsageError
from eightysix.model.finding import SCHEMA
from eightysix.scan.policy import Policy
from eightysix.scan.scanner import Result
from eightysix.scan.verdict import verdict_of

__all__ = ["Known", "read_known", "settle"]

Known = AbstractSet[tuple[str, str, str, str]]
"""Findings of an earlier scan: digest, rule, member, why. A path is no part of it: a file may move."""


class _Finding(Struct):
    rule: str
    path: str
    why: str
    member: str = ""


class _File(Struct):
    path: str
    digest: str = ""


class _Earlier(Struct):
    schema: str
    findings: list[_Finding]
    files: list[_File]


def read_known(data: bytes, file: str) -> Known:
    """The findings in the JSON of an earlier scan. Raises `UsageError` for anything else."""
    try:
        earlier = msgspec.json.decode(data, type=_Earlier)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(
            f"the baseline {file} is not the JSON of a scan ({error})",
            "write one: eightysix scan PATH --format json",
        ) from error
    if earlier.schema != SCHEMA:
        raise UsageError(f"the baseline {file} has the schema {earlier.schema!r}", f"write one with {SCHEMA}")
    digests = {one.path: one.digest for one in earlier.files}
    return {
        (digests[one.path], one.rule, one.member, one.why)
        for one in earlier.findings
        if digests.get(one.path)
    }


def settle(result: Result, policy: Policy, known: Known, today: date) -> Result:
    """`result` without what is accepted or known, its verdict judged anew; what was taken off is told in `accepted`."""
    digest = result.file.digest
    left = []
    accepted: list[str] = []
    for finding in result.findings:
        if digest and (digest, finding.rule, finding.member, finding.why) in known:
            accepted.append(f"known: {finding.rule}")
        elif policy.accepted(finding, digest, today):
            accepted.extend(finding.names or (finding.rule,))
        else:
            left.append(finding)
    if not accepted:
        return result
    file = structs.replace(result.file, verdict=verdict_of(left), accepted=tuple(sorted(set(accepted))))
    return structs.replace(result, file=file, findings=tuple(left))
