"""A class of tags without a baseline, in a repository whose other tags have one.

Whoever pushes chooses the tag, and so its class: `prod2` would begin anew, with nobody to say who signs there. What is known of
the repository's other tags is no baseline of this one, which may be built from another branch; but somebody who is known
nowhere in the repository, or nobody at all, does not begin one without a person who says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from eightysix.gate.baseline import expired
from eightysix.gate.drift import differences
from eightysix.gate.profiles import of_signature, profile_of
from eightysix.gate.signing import approval
from eightysix.model.finding import Severity
from eightysix.model.gate import BaselineEntry, BaselineState, Drift, GateFinding, Signature, SignatureState

__all__ = ["neighbour_findings"]

_OWN = frozenset({"ref", "environment"})
"""What another class of tags has of its own: `prod` comes from a branch and its environment, `1.2.3` from a tag."""

_TRIGGERS = frozenset({"push", "release", "schedule"})
"""What starts a release in one class or the other. By hand, or by a stranger's pull request, is none of them."""

_TECHNIQUES = ("T1195.002", "T1553", "MS-TA9002")
_SIGNATURE = "signature"
_MAX_TOLD = 4


def neighbour_findings(
    signatures: Sequence[Signature], entries: Iterable[BaselineEntry], scope: str, name: str, now_ns: int
) -> tuple[GateFinding, ...]:
    """What is to be said of an artifact in a scope that has no baseline. `entries` are those of its repository."""
    known = [
        entry
        for entry in entries
        if entry.scope != scope
        and entry.of == _SIGNATURE
        and entry.state in {BaselineState.ACTIVE, BaselineState.APPROVED}
        and not expired(entry, now_ns)
    ]
    if not known:
        return ()
    valid = [
        each
        for each in signatures
        if each.state is SignatureState.VALID and of_signature(each) == _SIGNATURE and profile_of(each)
    ]
    where = ", ".join(sorted({entry.scope.rpartition(":")[2] for entry in known})[:_MAX_TOLD])
    if not valid:
        return (
            _finding(
                "signature-new-here",
                "A tag without a past, and without a signature",
                f"this repository's other tags are signed ({where}), and nothing that holds is attached here",
                approval(name, "signature-new-here"),
            ),
        )
    nearest = min((_differences(profile_of(s), e) for s in valid for e in known), key=_weight)
    if not nearest:
        return ()
    told = "; ".join(dict.fromkeys(each.text for each in nearest[:_MAX_TOLD]))
    return (
        _finding(
            "signer-new-here",
            "A tag without a past, by somebody who signs nowhere else in this repository",
            f"held against its other tags ({where}): {told}",
            approval(name, "signer-new-here", remember=True),
        ),
    )


def _differences(profile: Mapping[str, str], entry: BaselineEntry) -> tuple[Drift, ...]:
    return tuple(
        each
        for each in differences(profile, entry.profile, patterns=bool(entry.approved_by))
        if each.field not in _OWN and not (each.field == "trigger" and each.now in _TRIGGERS)
    )


def _weight(found: tuple[Drift, ...]) -> tuple[object, ...]:
    return tuple(sum(each.level.value == level for each in found) for level in ("L0", "L1", "L2", "L3"))


def _finding(rule: str, title: str, why: str, command: str) -> GateFinding:
    return GateFinding(
        rule=rule,
        severity=Severity.HIGH,
        holds=True,
        title=title,
        why=why,
        approval=command,
        techniques=_TECHNIQUES,
    )
