"""May this land? All that is known about one artifact, put together into one answer with its reasons.

Pure: what was asked of registries, read, verified and scanned comes in as `Facts`. Nothing here can turn a missing fact into an
"allow": what nobody could look at is told, and where a rule needs it, it holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from eightysix.gate.approvals import declare, waived
from eightysix.gate.baseline import Lesson, Standing, judge, learn
from eightysix.gate.neighbours import neighbour_findings
from eightysix.gate.policy.form import Mode, Policy, Predicate
from eightysix.gate.policy.predicates import Outcome
from eightysix.gate.rebuilds import known_rebuild
from eightysix.gate.references import format_reference
from eightysix.gate.scanned import content_findings
from eightysix.gate.scopes import scope_of
from eightysix.gate.signing import approval, replays, signing_findings
from eightysix.model.finding import Severity
from eightysix.model.gate import (
    BaselineEntry,
    ContentVerdict,
    Decision,
    GateFinding,
    Reference,
    Ruling,
    Signature,
    SignatureState,
    Signer,
)

__all__ = [
    "FACT_NAMES",
    "MAX_FACTS",
    "Evaluate",
    "Facts",
    "decide",
    "declared_entries",
    "lesson",
    "predicate_facts",
]

MAX_FACTS = 256
"""Items of each list that a predicate sees; what is beyond is an error of the predicate, so that it holds."""

_MAX_TEXT = 1024

Evaluate = Callable[[Sequence[Predicate], Mapping[str, object]], Sequence[Outcome]]
"""Evaluates predicates against facts, each within a deadline; one outcome for each."""

FACT_NAMES = frozenset(
    {
        "registry",
        "repository",
        "tag",
        "digest",
        "previous",
        "scope",
        "signatures",
        "drift",
        "findings",
        "content",
        "pushers",
        "learning",
    }
)


class Facts(Struct, frozen=True, kw_only=True):
    """What is known about one artifact when it is judged.

    `entries` are all of its scope's and repository's baseline, `neighbours`
    those that count of the repository's other scopes, `seen_runs` maps runs of signers to the digest that they signed
    first in this scope, `found` are findings from elsewhere (moves of the tag, the registry's honesty, promotion), `pushers` the
    actors that had a hand in it. `scanned` says that every file and layer was given to a scan, `not_seen` what was not.
    """

    reference: Reference
    digest: str
    previous: str = ""
    now_ns: int
    signatures: tuple[Signature, ...] = ()
    entries: tuple[BaselineEntry, ...] = ()
    neighbours: tuple[BaselineEntry, ...] = ()
    seen_runs: dict[str, str] = msgspec.field(default_factory=dict)
    found: tuple[GateFinding, ...] = ()
    content: tuple[ContentVerdict, ...] = ()
    scanned: bool = False
    pushers: tuple[str, ...] = ()
    not_seen: tuple[str, ...] = ()
    against: str = ""

    @property
    def scope(self) -> str:
        """The scope that it is held against: `against`, else its reference's."""
        return self.against or scope_of(self.reference)

    @property
    def name(self) -> str:
        """The artifact by name and digest, as commands take it."""
        return format_reference(replace(self.reference, digest=self.digest))


def decide(facts: Facts, policy: Policy, evaluate: Evaluate) -> Decision:
    """Judge one artifact. Findings come in order of weight; those that an approval lets pass are told and hold nothing."""
    entries = declared_entries(facts.entries, policy, facts.scope, facts.now_ns)
    standing = judge(facts.signatures, entries, facts.scope, facts.now_ns)
    found = [
        *facts.found,
        *signing_findings(facts.signatures, standing, facts.name),
        *replays(facts.signatures, facts.seen_runs, facts.digest, facts.name),
        *content_findings(facts.content, facts.name),
        *_required(facts, policy, standing),
    ]
    if not standing.active:
        found += neighbour_findings(
            facts.signatures, _neighbours(facts, policy), facts.scope, facts.name, facts.now_ns
        )
    found = [known_rebuild(each, facts.signatures, entries, facts.scope, facts.now_ns) for each in found]
    found += _by_predicates(facts, policy, standing, found, evaluate)
    settled = tuple(sorted((_after_approval(each, facts, entries) for each in found), key=_weight))
    ruling = Ruling.HOLD if any(each.holds for each in settled) else Ruling.ALLOW
    drift = tuple(drift for _, _, near in standing.unknown for drift in near.drift)
    return Decision(
        id=_name(facts, settled, policy),
        at_ns=facts.now_ns,
        reference=facts.reference,
        digest=facts.digest,
        previous=facts.previous,
        ruling=ruling,
        mode=policy.mode.value,
        findings=settled,
        signatures=facts.signatures,
        drift=drift,
        content=facts.content,
        not_seen=facts.not_seen,
        policy=policy.digest,
    )


def lesson(facts: Facts, decision: Decision, policy: Policy) -> Lesson:
    """What the baseline learns of an artifact: one run where nothing held it and no approval had to let it pass."""
    entries = declared_entries(facts.entries, policy, facts.scope, facts.now_ns)
    if decision.ruling is Ruling.HOLD or any(
        each.severity.rank >= Severity.MEDIUM.rank for each in decision.findings
    ):
        return Lesson(entries=facts.entries)
    learned = learn(facts.signatures, entries, facts.scope, facts.now_ns)
    return learned if learned.changes else Lesson(entries=facts.entries)


def declared_entries(
    entries: Iterable[BaselineEntry], policy: Policy, scope: str, now_ns: int
) -> tuple[BaselineEntry, ...]:
    """The entries with those that the policy declares for this scope, by its own name or by a pattern that ends in `*`."""
    known = tuple(entries)
    for each in policy.signers:
        if _covers(each.scope, scope):
            added = declare(known, scope, each.of, each.profile, by="policy", now_ns=now_ns).entries
            known = tuple(
                replace(e, expires_ns=each.expires_ns)
                if e.scope == scope
                and e.of == each.of
                and e.profile == each.profile
                and e.approved_by == "policy"
                else e
                for e in added
            )
    return known


def _neighbours(facts: Facts, policy: Policy) -> tuple[BaselineEntry, ...]:
    """What is known of the repository's other tags, learned, approved or declared."""
    known = facts.neighbours
    beginning = facts.scope.rpartition(":")[0] + ":"
    for each in policy.signers:
        if each.scope.startswith(beginning) and not _covers(each.scope, facts.scope):
            (entry,) = declare(
                (), each.scope, each.of, each.profile, by="policy", now_ns=facts.now_ns
            ).entries
            known = (*known, replace(entry, expires_ns=each.expires_ns))
    return known


def _covers(pattern: str, scope: str) -> bool:
    return scope.startswith(pattern[:-1]) if pattern.endswith("*") else pattern == scope


def _required(facts: Facts, policy: Policy, standing: Standing) -> list[GateFinding]:
    """What the policy requires and is not there."""
    found = []
    wanted = [each for each in policy.require if _covers(each.scope, facts.scope)]
    valid = [s for s in facts.signatures if s.state is SignatureState.VALID]
    if any(each.signed for each in wanted) and not any(
        s.kind.value not in {"attestation", "provenance"} for s in valid
    ):
        found.append(
            _lacking(
                "required-signature", "Not signed, and the policy requires it", "no signature holds", facts
            )
        )
    present = {s.predicate_type for s in valid}
    found.extend(
        _lacking(
            "required-attestation", "Not attested, and the policy requires it", f"no {predicate} holds", facts
        )
        for predicate in sorted({p for each in wanted for p in each.attested} - present)
    )
    if any(each.scanned for each in wanted) and not facts.scanned:
        found.append(
            _lacking(
                "required-scan",
                "Not scanned, and the policy requires it",
                "not all of it was given to a scan",
                facts,
            )
        )
    if any(each.signed for each in wanted) and not standing.active:
        why = "a signature is required here, and nobody said whose: declare the scope's signers in the policy"
        found.append(
            GateFinding(
                rule="signers-undeclared",
                severity=Severity.LOW,
                holds=False,
                title="Any signer would do",
                why=why,
            )
        )
    return found


def _lacking(rule: str, title: str, why: str, facts: Facts) -> GateFinding:
    return GateFinding(
        rule=rule,
        severity=Severity.HIGH,
        holds=True,
        title=title,
        why=why,
        approval=approval(facts.name, rule),
    )


def _by_predicates(
    facts: Facts, policy: Policy, standing: Standing, found: Sequence[GateFinding], evaluate: Evaluate
) -> list[GateFinding]:
    """Findings of the operator's own rules. One that cannot be evaluated holds in `enforce` and is told in `audit`."""
    if not policy.rules:
        return []
    seen = predicate_facts(facts, standing, found)
    outcomes = (
        list(evaluate(policy.rules, seen))
        if isinstance(seen, dict)
        else [Outcome(None, seen)] * len(policy.rules)
    )
    outcomes += [Outcome(None, "it was not evaluated")] * (len(policy.rules) - len(outcomes))
    told = []
    for rule, outcome in zip(policy.rules, outcomes, strict=False):
        name = f"policy-{rule.id}"
        if outcome.value is None:
            told.append(
                GateFinding(
                    rule=name,
                    severity=Severity.HIGH,
                    holds=policy.mode is Mode.ENFORCE,
                    title="A rule of the policy could not be evaluated",
                    why=f"{rule.id}: {outcome.error}; `eightysix gate lint` says where",
                    approval=approval(facts.name, name),
                )
            )
        elif outcome.value:
            told.append(
                GateFinding(
                    rule=name,
                    severity=rule.severity,
                    holds=rule.holds,
                    title="A rule of the policy applies",
                    why=rule.why,
                    approval=approval(facts.name, name) if rule.holds else "",
                )
            )
    return told


def predicate_facts(
    facts: Facts, standing: Standing, found: Sequence[GateFinding]
) -> dict[str, object] | str:
    """What a predicate sees, as CEL's maps, lists and texts; a sentence where that would be more than it may see."""
    lists: dict[str, list[dict[str, object]]] = {
        "signatures": [_signature_facts(s) for s in facts.signatures],
        "drift": [
            {"level": d.level.value, "field": d.field, "was": list(d.was), "now": d.now, "of": of}
            for of, _, near in standing.unknown
            for d in near.drift
        ],
        "findings": [{"rule": f.rule, "severity": f.severity.value, "holds": f.holds} for f in found],
        "content": [
            {"path": _cut(c.path), "verdict": c.verdict, "formats": list(c.formats[:16])}
            for c in facts.content
        ],
    }
    for name, items in lists.items():
        if len(items) > MAX_FACTS:
            return f"{len(items)} {name}, more than the {MAX_FACTS} that a predicate may see"
    reference = facts.reference
    return {
        "registry": reference.registry,
        "repository": reference.repository,
        "tag": reference.tag,
        "digest": facts.digest,
        "previous": facts.previous,
        "scope": facts.scope,
        "pushers": [_cut(name) for name in facts.pushers[:MAX_FACTS]],
        "learning": not standing.active,
        **lists,
    }


def _signature_facts(signature: Signature) -> dict[str, object]:
    """One signature as a predicate sees it; every field of a signer is there, empty where it has none."""
    signer = signature.signer
    fields = Signer.__struct_fields__
    return {
        "kind": signature.kind.value,
        "state": signature.state.value,
        "predicate_type": _cut(signature.predicate_type),
        "claims": {_cut(k): _cut(v) for k, v in sorted(signature.claims.items())[:64]},
        "at": signature.at_ns // 1_000_000_000,
        "signer": {name: _cut(str(getattr(signer, name))) if signer is not None else "" for name in fields},
    }


def _cut(text: str) -> str:
    return text[:_MAX_TEXT]


def _after_approval(finding: GateFinding, facts: Facts, entries: Iterable[BaselineEntry]) -> GateFinding:
    """The finding, not holding any more where a person let it pass for this digest."""
    if not finding.holds or not finding.approval:
        return finding
    scope, tag = scope_of(facts.reference), facts.reference.tag
    entry = waived(entries, scope, facts.digest, finding.rule, facts.now_ns, tag=tag)
    if entry is None:
        return finding
    return replace(
        finding, holds=False, approval="", why=f"{finding.why}; approved by {entry.approved_by}: {entry.why}"
    )


def _weight(finding: GateFinding) -> tuple[object, ...]:
    return (not finding.holds, -finding.severity.rank, finding.rule, finding.why)


def _name(facts: Facts, findings: Sequence[GateFinding], policy: Policy) -> str:
    """The decision's id: 16 hexadecimal digits of what was judged and found, never of the time."""
    parts = [facts.name, policy.digest, *(f"{f.rule}\0{f.holds}\0{f.why}" for f in findings)]
    return sha256("\1".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]
