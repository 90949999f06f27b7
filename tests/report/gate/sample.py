"""Decisions as the gate makes them, of one release story: learning, a good release, a drifted one, a registry that lies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from eightysix.gate.baseline import LEARNING_RUNS
from eightysix.gate.decide import Facts, decide, lesson
from eightysix.gate.policy.form import DEFAULT, Mode, Policy
from eightysix.gate.policy.predicates import evaluate
from eightysix.gate.references import parse_reference
from eightysix.model.finding import Severity
from eightysix.model.gate import BaselineEntry, ContentVerdict, Decision, GateFinding, Reference
from eightysix.report.gate.interface import get_decision_format
from eightysix.report.interface import RenderOptions
from tests.gate.signers import REPOSITORY, signed

__all__ = ["DECISIONS", "HELD", "REFERENCE", "entries", "facts", "rendered"]

REFERENCE = parse_reference("acme.azurecr.io/ml/llm:prod")
NOW = 1_795_500_000 * 10**9
GOOD, BAD = "sha256:" + "1d" * 32, "sha256:" + "e5" * 32
POLICY = replace(DEFAULT, digest="sha256:" + "ab" * 32)
CLEAN = ContentVerdict(
    path="model.safetensors", digest="sha256:" + "c1" * 32, verdict="clean", formats=("safetensors",)
)
PICKLE = ContentVerdict(
    path="extra.pkl",
    digest="sha256:" + "c2" * 32,
    verdict="malicious",
    formats=("pickle",),
    why="The pickle calls something that acts: calls posix.system('id')",
)


def facts(**changes: Any) -> Facts:
    base = Facts(
        reference=REFERENCE,
        digest=GOOD,
        now_ns=NOW,
        signatures=(signed(run=9),),
        content=(CLEAN,),
        scanned=True,
    )
    return replace(base, **changes)


def decided(given: Facts, policy: Policy = POLICY) -> Decision:
    return decide(given, policy, lambda rules, seen: [evaluate(rule.when, seen) for rule in rules])


def entries() -> tuple[BaselineEntry, ...]:
    known: tuple[BaselineEntry, ...] = ()
    for run in range(1, LEARNING_RUNS + 1):
        given = facts(signatures=(signed(run=run),), entries=known)
        known = lesson(given, decided(given), POLICY).entries
    return known


def _held() -> Facts:
    hotfix = f"{REPOSITORY}/.github/workflows/hotfix.yml"
    drifted = signed(run=10, workflow=hotfix, runner="self-hosted", trigger="workflow_dispatch")
    moved = GateFinding(
        rule="tag-moved",
        severity=Severity.LOW,
        holds=False,
        title="The tag points to another artifact than before",
        why=f"prod pointed to {GOOD[:19]} and now points to {BAD[:19]}",
        techniques=("T1195.002",),
    )
    return facts(
        digest=BAD,
        previous=GOOD,
        signatures=(drifted,),
        content=(CLEAN, PICKLE),
        entries=entries(),
        found=(moved,),
    )


def _lying() -> Facts:
    lies = GateFinding(
        rule="registry-lies",
        severity=Severity.CRITICAL,
        holds=True,
        title="The registry answers what cannot be true",
        why="127.0.0.1:5000 gave a manifest whose bytes have another digest than it says",
    )
    return facts(digest="", signatures=(), content=(), entries=entries(), found=(lies,))


def _path() -> Decision:
    given = facts(
        reference=Reference("file", "model"),
        signatures=(),
        content=(CLEAN,),
        not_seen=("no history was given: what this tag was before, and who signed it, is unknown",),
    )
    return decided(given, replace(POLICY, digest=""))


HELD = decided(_held())
DECISIONS: dict[str, Decision] = {
    "allow": decided(facts(entries=entries())),
    "hold-drift": HELD,
    "learning": decided(facts()),
    "lying": decided(_lying()),
    "audit": decided(_held(), replace(POLICY, mode=Mode.AUDIT)),
    "path": _path(),
}


def rendered(
    decisions: Sequence[Decision],
    name: str = "plain",
    *,
    width: int = 80,
    colour: bool = False,
    verbose: int = 0,
) -> str:
    options = RenderOptions(width=width, colour=colour, verbose=verbose)
    return "".join(get_decision_format(name).write(decisions, options, "0.0.0"))
