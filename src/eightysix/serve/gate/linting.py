"""`gate lint`: what can be said of a policy before it judges anything."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

from msgspec import Struct

from eightysix.gate.attest import Trust
from eightysix.gate.baseline import Standing
from eightysix.gate.decide import Evaluate, Facts, predicate_facts
from eightysix.gate.policy.form import Mode, Policy
from eightysix.model.gate import (
    ContentVerdict,
    Reference,
    Signature,
    SignatureKind,
    SignatureState,
    Signer,
    SigningMethod,
)
from eightysix.rules.yamlfile import Listing, Node, Table, parse_yaml

__all__ = ["Linted", "Remark", "lint", "placed"]

_SOON_S = 30 * 86_400


class Remark(Struct, frozen=True):
    """One sentence about a policy, and what of it: a key of the file, and the number of the line in its list (-1: the key)."""

    text: str
    key: str = ""
    item: int = -1


class Linted(Struct, frozen=True):
    """`remarks` in the order of the checks, `wrong` says that one of them is an error, `summary` counts what the policy has."""

    remarks: tuple[Remark, ...]
    wrong: bool
    summary: str


def lint(policy: Policy, trust: Trust, evaluate: Evaluate, *, today: date) -> Linted:
    """Evaluate each rule on samples (nothing attached; signed and attested; scanned), and say what a policy leaves open."""
    remarks: list[Remark] = []
    wrong = False
    for rule_remarks in _rules(policy, evaluate):
        remarks.append(rule_remarks)
        wrong = True
    if not (trust.roots or trust.keys or trust.authorities):
        remarks.append(
            Remark(
                "nothing is trusted: every signature will be unverifiable (trust: sigstore, keys or authorities)",
                "trust",
            )
        )
    if not policy.approvers:
        remarks.append(
            Remark(
                "no approvers are listed: anybody with the history file who did not push may approve",
                "approvers",
            )
        )
    if policy.mode is Mode.AUDIT:
        remarks.append(Remark("mode is audit: nothing is held", "mode"))
    now = datetime(today.year, today.month, today.day, tzinfo=UTC).timestamp()
    for number, each in enumerate(policy.signers):
        left = each.expires_ns / 10**9 - now
        if each.expires_ns and left <= 0:
            text = f"the signer of {each.scope} has expired: its scope has nobody who may sign"
            remarks.append(Remark(text, "signers", number))
        elif each.expires_ns and left < _SOON_S:
            text = f"the signer of {each.scope} expires in {int(left // 86_400)} days"
            remarks.append(Remark(text, "signers", number))
    counts = [
        f"{len(policy.watch)} watched",
        _many(len(policy.signers), "signer"),
        _many(len(policy.require), "requirement"),
        _many(len(policy.rules), "rule"),
        _many(len(policy.promotions), "promotion"),
    ]
    return Linted(tuple(remarks), wrong, f"{policy.mode.value}, {', '.join(counts)}")


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def placed(remark: Remark, data: bytes) -> str:
    """The remark behind its line and column in the policy's file, where the file says what it is about."""
    root = parse_yaml(data, [])
    node: Node | None = root.get(remark.key) if isinstance(root, Table) else None
    if isinstance(node, Listing) and 0 <= remark.item < len(node.items):
        node = node.items[remark.item]
    return f"line {node.line}, column {node.column}: {remark.text}" if node is not None else remark.text


def _rules(policy: Policy, evaluate: Evaluate) -> Sequence[Remark]:
    told = []
    for name, facts in _samples().items():
        for number, outcome in enumerate(evaluate(policy.rules, facts)):
            if outcome.value is None:
                text = f"the rule {policy.rules[number].id} cannot be evaluated on {name}: {outcome.error}"
                told.append(Remark(text, "rules", number))
    return list(dict.fromkeys(told))


def _samples() -> dict[str, dict[str, object]]:
    signer = Signer(method=SigningMethod.KEYLESS, issuer="https://issuer.example", workflow="./release.yml")
    signed = (
        Signature(kind=SignatureKind.SIGSTORE_BUNDLE, state=SignatureState.VALID, signer=signer),
        Signature(kind=SignatureKind.COSIGN, state=SignatureState.INVALID, why="a sample"),
    )
    bare = Facts(
        reference=Reference("registry.example", "ml/llm", "prod"), digest="sha256:" + "0" * 64, now_ns=0
    )
    content = (ContentVerdict(path="model.safetensors", digest="", verdict="clean"),)
    whole = Facts(reference=bare.reference, digest=bare.digest, now_ns=0, signatures=signed, content=content)
    standing = Standing(active=True, runs=0, known=("signature",), unknown=(), missing=())
    samples: dict[str, dict[str, object]] = {}
    for name, facts in (("an artifact without signatures", bare), ("a signed artifact", whole)):
        seen = predicate_facts(facts, standing, ())
        if isinstance(seen, dict):
            samples[name] = seen
    return samples
