"""One answer from what is known about an artifact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from eightysix.gate.approvals import DAY_NS, Approval, approve_signer, waive
from eightysix.gate.baseline import LEARNING_RUNS
from eightysix.gate.decide import FACT_NAMES, MAX_FACTS, Facts, decide, lesson, predicate_facts
from eightysix.gate.policy.form import DEFAULT, Declared, Mode, Policy, Predicate, Requirement
from eightysix.gate.policy.predicates import Outcome, evaluate
from eightysix.gate.profiles import profile_of
from eightysix.model.finding import Severity
from eightysix.model.gate import BaselineEntry, ContentVerdict, Decision, GateFinding, Reference, Ruling
from tests.gate.signers import REPOSITORY, SCOPE, attested, signed

REFERENCE = Reference("acme.azurecr.io", "ml/llm", "prod")
DIGEST = "sha256:" + "d" * 64
HOTFIX: dict[str, Any] = {"workflow": f"{REPOSITORY}/.github/workflows/hotfix.yml", "runner": "self-hosted"}


def here(predicates: Sequence[Predicate], facts: Mapping[str, object]) -> list[Outcome]:
    return [evaluate(each.when, facts) for each in predicates]


def known(**changes: Any) -> Facts:
    base = Facts(
        reference=REFERENCE, digest=DIGEST, now_ns=10 * DAY_NS, signatures=(signed(run=9), attested(run=9))
    )
    return replace(base, **changes)


def history() -> tuple[BaselineEntry, ...]:
    """What a scope learned from its first runs, by the way that a user's checks teach it."""
    entries: tuple[BaselineEntry, ...] = ()
    for run in range(1, LEARNING_RUNS + 1):
        facts = known(signatures=(signed(run=run), attested(run=run)), entries=entries, now_ns=run * DAY_NS)
        entries = lesson(facts, decide(facts, DEFAULT, here), DEFAULT).entries
    return entries


def rules(decision: Decision) -> list[str]:
    return [each.rule for each in decision.findings if each.holds]


def test_the_usual_release_is_allowed_and_says_nothing() -> None:
    decision = decide(known(entries=history()), DEFAULT, here)
    assert (decision.ruling, decision.findings) == (Ruling.ALLOW, ())


def test_the_same_tag_with_a_valid_signature_of_the_wrong_signer_is_held() -> None:
    facts = known(entries=history(), signatures=(signed(run=9, **HOTFIX), attested(run=9, **HOTFIX)))
    decision = decide(facts, DEFAULT, here)
    assert decision.ruling is Ruling.HOLD
    assert rules(decision) == ["signer-drift", "signer-drift"]
    assert decision.findings[0].why == (
        "L2: workflow was ./.github/workflows/release.yml and is ./.github/workflows/hotfix.yml; runner was github-hosted and is"
        " self-hosted (known from 3 runs); run https://github.com/acme/ml/actions/runs/9/attempts/1"
    )
    assert decision.findings[0].approval == (
        f"eightysix gate approve acme.azurecr.io/ml/llm:prod@{DIGEST} --rule signer-drift --remember --by NAME --why REASON"
    )


def test_what_was_held_or_approved_teaches_nothing() -> None:
    facts = known(content=(ContentVerdict(path="m.pkl", digest="", verdict="malicious"),))
    assert lesson(facts, decide(facts, DEFAULT, here), DEFAULT).changes == ()
    finding = decide(facts, DEFAULT, here).findings[0]
    person = Approval(by="ana", why="a test model", days=3, now_ns=facts.now_ns)
    passed = replace(facts, entries=waive((), SCOPE, DIGEST, finding, person).entries)
    assert decide(passed, DEFAULT, here).ruling is Ruling.ALLOW
    assert lesson(passed, decide(passed, DEFAULT, here), DEFAULT).changes == ()


@pytest.mark.parametrize("verdict", ["malicious", "suspicious", "unscannable", "malformed"])
def test_every_verdict_but_clean_holds_until_a_person_says_otherwise(verdict: str) -> None:
    facts = known(entries=history(), content=(ContentVerdict(path="a", digest="", verdict=verdict, why="w"),))
    assert rules(decide(facts, DEFAULT, here)) == [f"content-{verdict}"]
    clean = replace(facts, content=(ContentVerdict(path="a", digest="", verdict="clean"),))
    assert decide(clean, DEFAULT, here).ruling is Ruling.ALLOW


def test_an_approval_of_a_signer_is_for_its_scope_and_of_a_finding_for_its_digest() -> None:
    facts = known(entries=history(), signatures=(signed(run=9, **HOTFIX), attested(run=9)))
    person = Approval(by="ana", why="CHG-17", days=30, now_ns=facts.now_ns)
    approved = replace(
        facts, entries=approve_signer(facts.entries, SCOPE, facts.signatures[0], person).entries
    )
    assert decide(approved, DEFAULT, here).ruling is Ruling.ALLOW
    held = decide(facts, DEFAULT, here).findings[0]
    once = replace(facts, entries=waive(facts.entries, SCOPE, DIGEST, held, person).entries)
    decision = decide(once, DEFAULT, here)
    assert decision.ruling is Ruling.ALLOW
    assert decision.findings[0].why.endswith("; approved by ana: CHG-17")
    assert decide(replace(once, digest="sha256:" + "e" * 64), DEFAULT, here).ruling is Ruling.HOLD


def test_what_cannot_be_approved_is_not_let_pass_by_an_entry_in_the_store() -> None:
    lying = GateFinding(rule="registry-lies", severity=Severity.CRITICAL, holds=True, title="t", why="w")
    entry = replace(history()[0], of="waiver", profile={"digest": DIGEST, "rule": "registry-lies"})
    assert rules(decide(known(entries=(*history(), entry), found=(lying,)), DEFAULT, here)) == [
        "registry-lies"
    ]


def test_a_declared_signer_is_judged_by_from_the_first_artifact_on_and_until_its_day() -> None:
    profile = profile_of(signed())
    policy = Policy(signers=(Declared("acme.azurecr.io/ml/*", "signature", profile, expires_ns=20 * DAY_NS),))
    assert decide(known(), policy, here).ruling is Ruling.ALLOW
    assert rules(decide(known(signatures=(signed(run=2, **HOTFIX),)), policy, here)) == ["signer-drift"]
    late = known(now_ns=20 * DAY_NS)
    assert rules(decide(late, policy, here)) == ["signer-drift"]
    elsewhere = replace(known(), reference=Reference("acme.azurecr.io", "web/front", "prod"))
    assert [f.rule for f in decide(elsewhere, policy, here).findings] == ["baseline-learning"]


def test_a_declared_signer_says_nothing_of_the_fields_that_it_leaves_out() -> None:
    some = {
        "method": "keyless",
        "issuer": "https://token.actions.githubusercontent.com",
        "repository": REPOSITORY,
        "runner": "github-hosted",
    }
    policy = Policy(signers=(Declared("acme.azurecr.io/ml/*", "signature", some),))
    branch: dict[str, Any] = {"ref": "refs/heads/any", "trigger": "workflow_dispatch"}
    assert decide(known(signatures=(signed(run=2, **branch),)), policy, here).ruling is Ruling.ALLOW
    others: tuple[dict[str, Any], ...] = (
        {"runner": "self-hosted"},
        {"runner": ""},
        {"repository": "https://github.com/acme/other"},
        {"issuer": "https://gitlab.com"},
    )
    for wrong in others:
        assert rules(decide(known(signatures=(signed(run=2, **wrong),)), policy, here)) == ["signer-drift"]


def test_what_a_policy_requires_holds_without_any_history() -> None:
    policy = Policy(
        require=(
            Requirement(
                "acme.azurecr.io/*", signed=True, attested=("https://slsa.dev/provenance/v1",), scanned=True
            ),
        )
    )
    assert rules(decide(known(signatures=()), policy, here)) == [
        "required-attestation",
        "required-scan",
        "required-signature",
    ]
    assert rules(decide(known(signatures=(attested(run=1),)), policy, here)) == [
        "required-scan",
        "required-signature",
    ]
    met = decide(known(scanned=True), policy, here)
    assert rules(met) == []
    assert "signers-undeclared" in [each.rule for each in met.findings]


def test_predicates_hold_or_tell_and_an_error_holds_only_where_the_policy_enforces() -> None:
    def policy(when: str, *, holds: bool = True, mode: Mode = Mode.ENFORCE) -> Policy:
        return Policy(mode=mode, rules=(Predicate("own", when, holds, "we said so"),))

    facts = known(entries=history())
    assert rules(decide(facts, policy("tag == 'prod'"), here)) == ["policy-own"]
    assert rules(decide(facts, policy("tag == 'dev'"), here)) == []
    told = decide(facts, policy("tag == 'prod'", holds=False), here)
    assert (told.ruling, [each.rule for each in told.findings]) == (Ruling.ALLOW, ["policy-own"])
    for wrong in ("signatures[9].kind == 'x'", "1 / 0 == 1", "tag", "nothing.at.all", "tag =="):
        assert rules(decide(facts, policy(wrong), here)) == ["policy-own"]
        audit = decide(facts, policy(wrong, mode=Mode.AUDIT), here)
        assert (audit.ruling, [each.rule for each in audit.findings]) == (Ruling.ALLOW, ["policy-own"])


def test_a_predicate_sees_all_or_is_an_error() -> None:
    policy = Policy(
        rules=(Predicate("own", "content.exists(c, c.verdict == 'malicious')", holds=True, why="w"),)
    )
    many = tuple(ContentVerdict(path=str(n), digest="", verdict="clean") for n in range(MAX_FACTS + 1))
    decision = decide(known(entries=history(), content=many), policy, here)
    assert rules(decision) == ["policy-own"]
    assert "more than the 256" in decision.findings[0].why


def test_an_evaluator_that_gives_up_is_an_error_for_each_rule() -> None:
    policy = Policy(rules=tuple(Predicate(str(n), "true", holds=False, why="w") for n in range(3)))
    decision = decide(known(entries=history()), policy, lambda _rules, _facts: [Outcome(value=False)])
    assert rules(decision) == ["policy-1", "policy-2"]


def test_the_facts_are_those_that_are_declared() -> None:
    from eightysix.gate.baseline import judge

    facts = known(entries=history())
    seen = predicate_facts(facts, judge(facts.signatures, facts.entries, SCOPE, facts.now_ns), ())
    assert isinstance(seen, dict)
    assert seen.keys() == FACT_NAMES


def test_a_decision_has_the_same_name_at_another_time_and_another_for_other_findings() -> None:
    facts = known(entries=history())
    assert (
        decide(facts, DEFAULT, here).id == decide(replace(facts, now_ns=facts.now_ns + 5), DEFAULT, here).id
    )
    assert (
        decide(facts, DEFAULT, here).id
        != decide(replace(facts, digest="sha256:" + "e" * 64), DEFAULT, here).id
    )


FINDINGS = st.builds(
    GateFinding,
    rule=st.sampled_from(["a", "b"]),
    severity=st.sampled_from(list(Severity)),
    holds=st.booleans(),
    title=st.just("t"),
    why=st.sampled_from(["x", "y"]),
)


@given(st.lists(FINDINGS, max_size=4), st.lists(FINDINGS, max_size=3), st.randoms())
def test_more_findings_never_let_pass_and_their_order_does_not_matter(
    some: list[GateFinding], more: list[GateFinding], chance: Any
) -> None:
    entries = history()
    before = decide(known(entries=entries, found=tuple(some)), DEFAULT, here)
    both = [*some, *more]
    chance.shuffle(both)
    after = decide(known(entries=entries, found=tuple(both)), DEFAULT, here)
    assert before.ruling is Ruling.ALLOW or after.ruling is Ruling.HOLD
    assert after == decide(known(entries=entries, found=tuple(sorted(both, key=repr))), DEFAULT, here)
