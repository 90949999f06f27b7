"""What a move is judged with, and the rows brought into the form that the rules read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise

from msgspec import Struct, field

from eightysix.gate.references import format_reference
from eightysix.gate.scopes import tag_class
from eightysix.gate.signing import approval
from eightysix.model.finding import Severity
from eightysix.model.gate import Artifact, Channel, GateFinding, Reference, Stray, TagMove

__all__ = [
    "ANY_TAG",
    "FOUND",
    "Case",
    "MoveContext",
    "Promotion",
    "case_of",
    "finding",
    "moves_by_itself",
    "short",
]

ANY_TAG = "*"
FOUND = frozenset({Channel.RECONCILER, Channel.CHECK, Channel.IMPORT})
"""Rows that we found ourselves: their time is when we looked."""

_SUPPLY = ("T1195.002", "MS-TA9002")
"""Supply chain compromise of software; compromised image in registry (MITRE ATT&CK, Microsoft's matrix for Kubernetes)."""
_SHOWN = 19
"""Characters of a digest in a sentence: the algorithm and twelve digits, as docker shows it."""


class Promotion(Struct, frozen=True):
    """What lands in `production` was in `staging` before, with the same digest. Both are references without a digest; the tag `*`
    stands for any tag of the repository."""

    staging: Reference
    production: Reference


class MoveContext(Struct, frozen=True, kw_only=True):
    """What is judged, and what else is known.

    `reference` is the tag; its last row is judged, or the one with the sequence `subject`. `artifacts` are what is known of
    digests, `read` those of them whose manifest was read, so that a missing annotation is missing and not unknown. `strays`
    are what was told of the tags and did not count. `sources` are where the artifact's workload loads models from when it
    starts. `allowed` says when a decision let a digest land (by our clock), of those that no later decision held: what is
    known of a scope grows by these alone, once it is known, so that whoever is held once is not known the second time.
    `held` are the digests whose last decision about this very tag kept them out.
    """

    reference: Reference
    subject: int = 0
    promotions: tuple[Promotion, ...] = ()
    artifacts: Mapping[str, Artifact] = field(default_factory=dict)
    read: frozenset[str] = frozenset()
    strays: tuple[Stray, ...] = ()
    sources: tuple[str, ...] = ()
    allowed: Mapping[str, int] = field(default_factory=dict)
    held: frozenset[str] = frozenset()


class Case(Struct, frozen=True, kw_only=True):
    """One move to judge. `rows` are all until it, by sequence, without those that an answer of the registry overruled;
    `own` are those of its tag, the move itself last; `before` is the digest that the tag had, also if it was deleted in
    between."""

    move: TagMove
    name: str
    rows: tuple[TagMove, ...]
    later: tuple[TagMove, ...]
    own: tuple[TagMove, ...]
    before: str
    overruled: tuple[TagMove, ...]
    context: MoveContext

    def accepted(self, move: TagMove) -> bool:
        """Whether a decision let this very move land: one from before says nothing of it."""
        return self.context.allowed.get(move.digest, -1) >= move.seen_ns


def case_of(moves: Iterable[TagMove], context: MoveContext) -> Case | None:
    """The move that the context names; None where it has no row, or the tag points to nothing."""
    by_sequence: dict[int, TagMove] = {}
    for move in moves:
        known = by_sequence.get(move.sequence)
        if known is None or move.confirmed:
            by_sequence[move.sequence] = move
    ordered = [by_sequence[sequence] for sequence in sorted(by_sequence)]
    here = [move for move in ordered if _same_tag(move, context.reference)]
    if context.subject:
        here = [move for move in here if move.sequence <= context.subject]
    if not here or not here[-1].digest or (context.subject and here[-1].sequence != context.subject):
        return None
    subject = here[-1]
    overruled = tuple(move for move, after in pairwise(here) if _is_overruled(move, after))
    gone = {move.sequence for move in overruled}
    own = tuple(move for move in here if move.sequence not in gone)
    before = next((move.digest for move in reversed(own[:-1]) if move.digest), "")
    reference = Reference(subject.registry, subject.repository, subject.tag, subject.digest)
    return Case(
        move=subject,
        name=format_reference(reference),
        rows=tuple(m for m in ordered if m.sequence <= subject.sequence and m.sequence not in gone),
        later=tuple(m for m in ordered if m.sequence > subject.sequence),
        own=own,
        before=before,
        overruled=overruled,
        context=context,
    )


def moves_by_itself(tag: str) -> bool:
    """Whether a tag is made to be moved (`prod`, `latest`); versions, dates and commits name one thing for ever."""
    kind = tag_class(tag)
    return kind != "version" and not kind.endswith("-*")


def finding(
    case: Case,
    rule: str,
    severity: Severity,
    title: str,
    why: str,
    *,
    holds: bool = False,
    techniques: tuple[str, ...] = (),
) -> GateFinding:
    """A finding about the case. One that holds says which command would let it pass."""
    return GateFinding(
        rule=rule,
        severity=severity,
        holds=holds,
        title=title,
        why=why,
        approval=approval(case.name, rule) if holds else "",
        techniques=(*_SUPPLY, *techniques),
    )


def short(digest: str) -> str:
    """A digest in a sentence."""
    return digest[:_SHOWN]


def _same_tag(move: TagMove, reference: Reference) -> bool:
    return (move.registry, move.repository, move.tag) == (
        reference.registry,
        reference.repository,
        reference.tag,
    )


def _is_overruled(move: TagMove, after: TagMove) -> bool:
    """A hint that no answer ever confirmed, and that the next answer contradicted."""
    return (
        not move.confirmed
        and after.confirmed
        and after.channel
        in FOUND  # a later hint that was borne out follows this one, and does not contradict it
        and after.digest != move.digest
    )
