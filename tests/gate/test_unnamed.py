"""A digest alone has its repository's baseline, and an approval is for what it names."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from eightysix.gate.approvals import DAY_NS, Approval, waive
from eightysix.gate.decide import Facts, decide
from eightysix.gate.policy.form import DEFAULT, Declared, Policy
from eightysix.gate.profiles import profile_of
from eightysix.gate.scopes import scope_of, tag_class
from eightysix.gate.unnamed import scope_for_digest
from eightysix.model.finding import Severity
from eightysix.model.gate import BaselineEntry, BaselineState, GateFinding, Reference, Ruling
from tests.gate.signers import SCOPE, signed

REPO = "acme.azurecr.io/ml/llm"
ALONE = Reference("acme.azurecr.io", "ml/llm", "", "sha256:" + "d" * 64)
OTHER: dict[str, Any] = {
    "workflow": "https://github.com/acme/ml/.github/workflows/pr.yml",
    "trigger": "pull_request",
}


def entry(scope: str, **changes: Any) -> BaselineEntry:
    profile = profile_of(signed(run=1, **changes))
    return BaselineEntry(id=scope, scope=scope, of="signature", profile=profile, state=BaselineState.ACTIVE)


def chosen(
    *entries: BaselineEntry, policy: Policy = DEFAULT, seen: tuple[str, ...] = (), **signer: Any
) -> str:
    return scope_for_digest(ALONE, [signed(run=9, **signer)], entries, policy, seen, DAY_NS)


def test_a_repository_without_a_baseline_has_none_for_its_digests() -> None:
    assert chosen() == f"{REPO}:by-digest" == chosen(entry("acme.azurecr.io/ml/llm-2:prod"))
    assert chosen(replace(entry(SCOPE), state=BaselineState.LEARNING)) == f"{REPO}:by-digest"


def test_a_digest_is_held_against_the_class_that_it_agrees_with() -> None:
    both = entry(SCOPE), entry(f"{REPO}:pr-*", **OTHER)
    assert chosen(*both) == SCOPE
    assert chosen(*both, **OTHER) == f"{REPO}:pr-*"
    assert chosen(*both, runner="self-hosted") in {SCOPE, f"{REPO}:pr-*"}


def test_where_its_tag_is_known_that_class_counts_alone() -> None:
    both = entry(SCOPE), entry(f"{REPO}:pr-*", **OTHER)
    assert chosen(*both, seen=(SCOPE,), **OTHER) == SCOPE
    assert chosen(*both, seen=(f"{REPO}:made-up",), **OTHER) == f"{REPO}:pr-*"


def test_what_was_revoked_expired_or_declared_is_a_baseline_too() -> None:
    gone = replace(entry(SCOPE), state=BaselineState.REVOKED)
    assert chosen(gone) == SCOPE
    policy = Policy(signers=(Declared(SCOPE, "signature", profile_of(signed())),))
    assert chosen(policy=policy, **OTHER) == SCOPE


def test_a_tag_that_is_called_like_a_class_is_not_of_it() -> None:
    assert {tag_class("version"), tag_class("by-digest")} == {"=version", "=by-digest"}
    assert tag_class("1.2.3") == "version"
    assert scope_of(replace(ALONE, tag="by-digest")) != scope_of(ALONE)


def test_an_approval_for_one_tag_lets_no_other_of_its_class_move_there() -> None:
    moved = GateFinding(
        rule="version-moved", severity=Severity.HIGH, holds=True, title="t", why="w", approval="a command"
    )
    person = Approval(by="ana", why="CHG-1", days=30, now_ns=DAY_NS)
    digest = ALONE.digest
    entries = waive((), f"{REPO}:version", digest, moved, person, tag="1.2.3").entries
    for tag, ruling in (("1.2.3", Ruling.ALLOW), ("1.2.4", Ruling.HOLD), ("prod", Ruling.HOLD)):
        reference = Reference("acme.azurecr.io", "ml/llm", tag)
        facts = Facts(reference=reference, digest=digest, now_ns=2 * DAY_NS, found=(moved,), entries=entries)
        assert decide(facts, DEFAULT, lambda *_: []).ruling is ruling
