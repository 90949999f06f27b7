"""A fresh tag in a repository where signers are known, and a nightly build of an old commit."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from eightysix.gate.approvals import Approval, approve_signer
from eightysix.gate.decide import Facts, decide
from eightysix.gate.neighbours import neighbour_findings
from eightysix.gate.policy.form import DEFAULT, Declared, Policy
from eightysix.gate.profiles import entry_id, profile_of
from eightysix.gate.rebuilds import known_rebuild
from eightysix.model.finding import Severity
from eightysix.model.gate import (
    BaselineEntry,
    BaselineState,
    GateFinding,
    Reference,
    Ruling,
    Signature,
    SignatureKind,
    SignatureState,
)
from tests.gate.signers import SCOPE, attested, signed

FRESH = "acme.azurecr.io/ml/llm:prod2"
NONE = Signature(kind=SignatureKind.RAW, state=SignatureState.UNSIGNED)
BROKEN = Signature(kind=SignatureKind.SIGSTORE_BUNDLE, state=SignatureState.INVALID)


def entry(
    state: BaselineState = BaselineState.ACTIVE, scope: str = SCOPE, expires_ns: int = 0, **changes: Any
) -> BaselineEntry:
    profile = profile_of(signed(**changes))
    name = entry_id(scope, "signature", profile)
    return BaselineEntry(
        id=name, scope=scope, of="signature", profile=profile, state=state, expires_ns=expires_ns
    )


def rules(*signatures: Signature, entries: tuple[BaselineEntry, ...] = (entry(),)) -> list[str]:
    found = neighbour_findings(signatures, entries, FRESH, "name", 10)
    assert all(each.holds and each.approval for each in found)
    return [each.rule for each in found]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"ref": "refs/tags/v1", "environment": ""},
        {"ref": "refs/heads/next"},
        {"trigger": "release"},
        {"run": 17},
    ],
)
def test_who_signs_the_other_tags_may_begin_one(changes: dict[str, Any]) -> None:
    assert rules(signed(**changes)) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://gitlab.com"},
        {"owner_id": "100"},
        {"repository_id": "5"},
        {"workflow": "https://github.com/acme/ml/.github/workflows/fast.yml"},
        {"runner": "self-hosted"},
        {"trigger": "workflow_dispatch"},
        {"trigger": "pull_request_target"},
        {"visibility": "public"},
    ],
)
def test_a_stranger_may_not(changes: dict[str, Any]) -> None:
    assert rules(signed(**changes)) == ["signer-new-here"]
    assert rules(signed(**changes), signed()) == []  # one of the known ones beside it suffices


@pytest.mark.parametrize("signature", [NONE, BROKEN, attested()])
def test_nobody_is_no_beginning_either(signature: Signature) -> None:
    assert rules(signature) == ["signature-new-here"]


def test_only_what_counts_of_other_tags_counts() -> None:
    stranger = signed(runner="self-hosted")
    assert rules(stranger, entries=()) == []
    assert rules(stranger, entries=(entry(BaselineState.LEARNING), entry(BaselineState.REVOKED))) == []
    assert rules(stranger, entries=(entry(expires_ns=10),)) == []
    assert rules(stranger, entries=(entry(expires_ns=11),)) == ["signer-new-here"]
    assert rules(stranger, entries=(entry(scope=FRESH),)) == []
    assert rules(stranger, entries=(entry(), entry(BaselineState.APPROVED, runner="self-hosted"))) == []


def facts(**changes: Any) -> Facts:
    base = Facts(
        reference=Reference("acme.azurecr.io", "ml/llm", "prod2"), digest="sha256:" + "d" * 64, now_ns=10
    )
    return replace(base, **changes)


def test_the_approval_begins_the_baseline() -> None:
    stranger = signed(runner="self-hosted")
    held = decide(facts(signatures=(stranger,), neighbours=(entry(),)), DEFAULT, lambda *_: [])
    assert held.ruling is Ruling.HOLD
    (command,) = [each.approval for each in held.findings if each.rule == "signer-new-here"]
    assert "--remember" in command
    approval = Approval(by="ana", why="CHG-1", days=1, now_ns=10)
    own = approve_signer((), FRESH, stranger, approval).entries
    again = decide(facts(signatures=(stranger,), neighbours=(entry(),), entries=own), DEFAULT, lambda *_: [])
    assert (again.ruling, again.findings) == (Ruling.ALLOW, ())


def test_what_the_policy_declares_of_other_tags_counts() -> None:
    declared = Policy(signers=(Declared(scope=SCOPE, of="signature", profile=profile_of(signed())),))
    for runner, ruling in (("github-hosted", Ruling.ALLOW), ("self-hosted", Ruling.HOLD)):
        decision = decide(facts(signatures=(signed(runner=runner),)), declared, lambda *_: [])
        assert decision.ruling is ruling


MOVED = GateFinding(
    rule="no-new-commit", severity=Severity.MEDIUM, holds=True, title="t", why="w", approval="a command"
)


def test_a_rebuild_by_a_signer_who_is_known_to_run_by_schedule_is_told() -> None:
    nightly = entry(trigger="schedule")

    def judged(signature: Signature, *known: BaselineEntry, finding: GateFinding = MOVED) -> GateFinding:
        return known_rebuild(finding, [signature], known, SCOPE, 10)

    by_schedule = signed(trigger="schedule")
    told = judged(by_schedule, entry(), nightly)
    assert (told.holds, told.approval, told.severity) == (False, "", Severity.LOW)
    assert judged(by_schedule, entry()) == MOVED
    assert judged(signed(), entry(), nightly) == MOVED
    assert judged(signed(trigger="schedule", runner="self-hosted"), nightly) == MOVED
    assert judged(by_schedule, replace(nightly, state=BaselineState.LEARNING)) == MOVED
    assert judged(by_schedule, replace(nightly, scope=FRESH)) == MOVED
    assert judged(replace(by_schedule, state=SignatureState.INVALID), nightly) == MOVED
    other = replace(MOVED, rule="tag-rollback")
    assert judged(by_schedule, nightly, finding=other) == other
