"""A baseline is learned once and never widens by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from eightysix.gate.approvals import DAY_NS, Approval, approve_signer, declare, revoke, waive, waived
from eightysix.gate.baseline import LEARNING_RUNS, MAX_LEARNING, judge, learn
from eightysix.gate.profiles import profile_of
from eightysix.gate.signing import replays, signing_findings
from eightysix.model.errors import UsageError
from eightysix.model.gate import (
    BaselineEntry,
    BaselineState,
    GateFinding,
    Signature,
    SignatureKind,
    SignatureState,
)
from tests.gate.signers import REPOSITORY, SCOPE, attested, signed

NAME = "acme.azurecr.io/ml/llm:prod@sha256:" + "0" * 64
HOTFIX: dict[str, Any] = {"workflow": f"{REPOSITORY}/.github/workflows/hotfix.yml", "runner": "self-hosted"}


def taught(
    runs: Sequence[Sequence[Signature]], entries: tuple[BaselineEntry, ...] = ()
) -> tuple[BaselineEntry, ...]:
    for at, signatures in enumerate(runs, start=1):
        entries = learn(signatures, entries, SCOPE, at * DAY_NS).entries
    return entries


def usual() -> tuple[BaselineEntry, ...]:
    return taught([[signed(run=n), attested(run=n)] for n in range(1, LEARNING_RUNS + 1)])


def held(
    signatures: Sequence[Signature], entries: Sequence[BaselineEntry], now_ns: int = 10 * DAY_NS
) -> list[str]:
    findings = signing_findings(signatures, judge(signatures, entries, SCOPE, now_ns), NAME)
    return [
        f"{finding.rule} {finding.why[:2]}" if finding.rule == "signer-drift" else finding.rule
        for finding in findings
        if finding.holds
    ]


def test_three_runs_make_a_baseline_and_two_do_not() -> None:
    two = taught([[signed(run=1)], [signed(run=2)]])
    assert not judge([signed(run=3)], two, SCOPE, 0).active
    assert judge([signed(run=3)], two, SCOPE, 0).runs == 2
    assert judge([signed(run=4)], taught([[signed(run=3)]], two), SCOPE, 0).known == ("signature",)


def test_one_run_told_three_times_is_one() -> None:
    assert not judge([signed()], taught([[signed()]] * 9), SCOPE, 0).active


def test_the_usual_release_is_not_held() -> None:
    assert held([signed(run=9), attested(run=9)], usual()) == []


def test_three_quiet_runs_do_not_teach_what_is_not_known() -> None:
    entries = usual()
    for n in range(20, 40):
        entries = learn(
            [signed(run=n, **HOTFIX), attested(run=n, **HOTFIX)], entries, SCOPE, n * DAY_NS
        ).entries
    assert entries == usual()
    assert held([signed(run=50, **HOTFIX)], entries) == ["signer-drift L2", "attestation-missing"]


def test_a_slow_ratchet_field_by_field_teaches_nothing() -> None:
    entries = usual()
    steps = [
        {"runner": "self-hosted"},
        {"runner": "self-hosted", "trigger": "workflow_dispatch"},
        {**HOTFIX, "ref": "refs/heads/dev"},
    ]
    for n, changes in enumerate(steps * 5, start=10):
        assert held([signed(run=n, **changes), attested(run=n)], entries) != []
        entries = learn([signed(run=n, **changes)], entries, SCOPE, n * DAY_NS).entries
    assert entries == usual()


def test_unsigned_invalid_and_unattested_are_different_things() -> None:
    unsigned = [Signature(kind=SignatureKind.RAW, state=SignatureState.UNSIGNED)]
    corrupt = [
        Signature(kind=SignatureKind.COSIGN, state=SignatureState.INVALID, why="the payload was changed")
    ]
    unreadable = [
        Signature(kind=SignatureKind.NOTATION, state=SignatureState.UNVERIFIABLE, why="no reader yet")
    ]
    assert held(unsigned, usual()) == ["signature-missing", "attestation-missing"]
    assert held(corrupt, usual()) == ["signature-invalid", "signature-missing", "attestation-missing"]
    assert held(unreadable, usual()) == ["signature-unverifiable", "signature-missing", "attestation-missing"]
    assert held([signed(run=9)], usual()) == ["attestation-missing"]
    assert held(corrupt, ()) == ["signature-invalid"]
    assert held(unsigned, ()) == held(unreadable, ()) == []


def test_a_broken_signature_beside_a_good_one_is_told_and_keeps_nothing_out() -> None:
    corrupt = Signature(kind=SignatureKind.COSIGN, state=SignatureState.INVALID, why="not base64")
    signatures = [signed(run=9), attested(run=9), corrupt]
    findings = signing_findings(signatures, judge(signatures, usual(), SCOPE, 0), NAME)
    assert [(f.rule, f.holds) for f in findings] == [("signature-invalid", False)]


def test_an_unknown_signer_beside_the_known_one_keeps_nothing_out() -> None:
    assert held([signed(run=9), signed(run=9, **HOTFIX), attested(run=9)], usual()) == []


def test_other_scopes_neither_teach_nor_excuse() -> None:
    other = SCOPE.replace(":prod", ":dev")
    assert not judge([signed()], usual(), other, 0).active
    assert learn([signed(run=50)], usual(), other, 0).changes[0].scope == other


def test_what_is_declared_for_all_tags_is_active_at_once_in_each() -> None:
    everywhere = SCOPE.replace(":prod", ":*")
    entries = declare((), everywhere, "signature", profile_of(signed()), by="policy", now_ns=1).entries
    assert held([signed(run=5)], entries) == []
    assert held([signed(run=5, **HOTFIX)], entries) == ["signer-drift L2"]
    assert learn([signed(run=6, **HOTFIX)], entries, SCOPE, 7).changes == ()
    assert (
        declare(entries, everywhere, "signature", profile_of(signed()), by="policy", now_ns=2).changes == ()
    )


def test_a_baseline_that_ran_out_is_not_taught_anew() -> None:
    entries = revoked = usual()
    for each in usual():
        revoked = revoke(revoked, each.id, by="ana", why="left the company", now_ns=5).entries
    assert held([signed(run=9), attested(run=9)], revoked) == ["signer-drift L0", "signer-drift L0"]
    assert learn([signed(run=10, **HOTFIX)], revoked, SCOPE, 6).changes == ()
    assert len(revoked) == len(entries)


def test_strangers_do_not_fill_the_store() -> None:
    entries = taught([[signed(run=n, runner=f"runner {n}")] for n in range(1, 3 * MAX_LEARNING)])
    assert len(entries) == MAX_LEARNING


def test_a_run_that_signs_a_second_artifact_is_held() -> None:
    seen = {signed(run=4).signer.run: signed(run=4).subject}  # type: ignore[union-attr]
    again = signed(run=4, digest="sha256:" + "b" * 64)
    assert [f.rule for f in replays([again], seen, "sha256:" + "b" * 64, NAME)] == ["run-replayed"]
    assert replays([signed(run=4)], seen, signed(run=4).subject, NAME) == ()
    assert replays([signed(run=5)], seen, "sha256:" + "c" * 64, NAME) == ()


def approval(**changes: object) -> Approval:
    usual = Approval(
        by="ana",
        why="CHG-17: hotfix runs by its own workflow",
        days=30,
        now_ns=10 * DAY_NS,
        approvers=("ana", "bo"),
    )
    return replace(usual, **changes)


def test_an_approval_lets_one_way_of_signing_pass_until_it_expires() -> None:
    hotfix, proof = signed(run=9, **HOTFIX), attested(run=9)
    lesson = approve_signer(usual(), SCOPE, hotfix, approval())
    assert held([hotfix, proof], lesson.entries, 11 * DAY_NS) == []
    assert held([signed(run=10, **HOTFIX), proof], lesson.entries, 39 * DAY_NS) == []
    assert held([signed(run=11, **HOTFIX), proof], lesson.entries, 40 * DAY_NS) == ["signer-drift L2"]
    assert held(
        [signed(run=9, **HOTFIX, trigger="workflow_dispatch"), proof], lesson.entries, 11 * DAY_NS
    ) == ["signer-drift L3"]
    (change,) = lesson.changes
    assert (change.action, change.by, change.why) == (
        "approve",
        "ana",
        "CHG-17: hotfix runs by its own workflow",
    )


def test_a_waiver_lets_one_finding_of_one_digest_pass() -> None:
    finding = next(
        f for f in signing_findings([], judge([], usual(), SCOPE, 0), NAME) if f.rule == "signature-missing"
    )
    entries = waive(usual(), SCOPE, "sha256:1", finding, approval()).entries
    assert waived(entries, SCOPE, "sha256:1", "signature-missing", 11 * DAY_NS) is not None
    assert waived(entries, SCOPE, "sha256:2", "signature-missing", 11 * DAY_NS) is None
    assert waived(entries, SCOPE, "sha256:1", "signer-drift", 11 * DAY_NS) is None
    assert waived(entries, SCOPE, "sha256:1", "signature-missing", 40 * DAY_NS) is None
    assert held([signed(run=9), attested(run=9)], entries) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"pushers": ("ANA ",)}, "pushed or signed"),
        ({"by": "eve"}, "not one of the policy's approvers"),
        ({"by": "  "}, "without who or why"),
        ({"why": ""}, "without who or why"),
        ({"days": -1}, "-1 days"),
        ({"days": 398}, "398 days"),
        ({"by": "a" * 2000}, "more than"),
    ],
)
def test_who_pushes_or_is_not_listed_or_gives_no_reason_does_not_approve(
    changes: dict[str, object], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        approve_signer(usual(), SCOPE, signed(run=9, **HOTFIX), approval(**changes))


def test_a_waiver_is_never_for_ever_and_what_is_broken_has_none() -> None:
    broken = GateFinding(rule="signature-invalid", severity="critical", holds=True, title="t", why="w")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="cannot be approved"):
        waive((), SCOPE, "sha256:1", broken, approval())
    with pytest.raises(UsageError, match="0 days"):
        waive((), SCOPE, "sha256:1", replace(broken, approval="x"), approval(days=0))
    with pytest.raises(UsageError, match="no signer"):
        approve_signer((), SCOPE, Signature(kind=SignatureKind.RAW, state=SignatureState.INVALID), approval())


SIGNATURES = st.builds(
    lambda run, runner, trigger, state, kind: replace(
        (signed if kind else attested)(run=run, runner=runner, trigger=trigger), state=state
    ),
    st.integers(1, 12),
    st.sampled_from(["github-hosted", "self-hosted"]),
    st.sampled_from(["push", "workflow_dispatch"]),
    st.sampled_from(list(SignatureState)),
    st.booleans(),
)


@given(st.lists(st.lists(SIGNATURES, max_size=3), max_size=12))
def test_once_active_nothing_that_signs_changes_what_counts(runs: list[list[Signature]]) -> None:
    entries: tuple[BaselineEntry, ...] = ()
    counted: set[str] = set()
    for at, signatures in enumerate(runs):
        entries = learn(signatures, entries, SCOPE, at).entries
        active = {entry.id for entry in entries if entry.state is not BaselineState.LEARNING}
        assert not counted or active == counted
        counted = active


@given(st.lists(SIGNATURES, max_size=4))
def test_an_active_baseline_never_lets_an_unknown_signer_alone_pass(signatures: list[Signature]) -> None:
    entries = usual()
    agreeing = {profile_of(signed())["runner"]}
    known = [
        s
        for s in signatures
        if s.state is SignatureState.VALID
        and s.signer
        and s.signer.runner in agreeing
        and s.signer.trigger == "push"
    ]
    both = {s.kind for s in known} == {SignatureKind.SIGSTORE_BUNDLE, SignatureKind.PROVENANCE}
    assert (held(signatures, entries) == []) is both
