"""Who signs here: learned from runs or declared, and once it is active it never widens by itself.

A scope begins without a baseline. Each run that nothing else held adds to an entry that is `learning`; with the third distinct
run an entry is `active`, and from then on the scope learns nothing more: a signer that comes later, however often and however
quietly, stays unknown until a person approves it. Only what was declared, learned before, or approved counts; entries expire and
are revoked, and each of these is a `Change` with who and why.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from eightysix.gate.drift import Nearest, nearest
from eightysix.gate.profiles import entry_id, of_signature, profile_of, run_of
from eightysix.gate.scopes import ANY
from eightysix.model.gate import BaselineEntry, BaselineState, Change, Signature, SignatureState

__all__ = [
    "LEARNING_RUNS",
    "MAX_LEARNING",
    "WAIVER",
    "Lesson",
    "Standing",
    "counting",
    "expired",
    "judge",
    "learn",
    "scopes_for",
]

LEARNING_RUNS = 3
"""Distinct runs after which an entry is active. Judged: fewer would take one lucky guess for a habit, more would leave a monthly
release without a baseline for a quarter."""

MAX_LEARNING = 64
"""Entries that a scope may be learning at once; more signers than that are no habit, and a stranger must not fill the store."""

WAIVER = "waiver"
"""`of` of an entry that lets one finding about one digest pass."""


class Standing(Struct, frozen=True):
    """What a scope's baseline says of an artifact's signatures.

    `active` says that there is a baseline to judge by; `runs` how many the most counted learning entry has, where there is
    none. `known` are what agree (by `of`), `unknown` the nearest entry and differences for each kind of signature where none
    agrees, `missing` the kinds that this scope always has and this artifact has not.
    """

    active: bool
    runs: int
    known: tuple[str, ...]
    unknown: tuple[tuple[str, Signature, Nearest], ...]
    missing: tuple[str, ...]


class Lesson(Struct, frozen=True):
    """Entries as they are after a run, and what changed. Equal to what was before where nothing was learned."""

    entries: tuple[BaselineEntry, ...]
    changes: tuple[Change, ...] = ()


def scopes_for(scope: str) -> tuple[str, str]:
    """The scopes whose entries count for an artifact: its own, and what was declared for all tags of its repository."""
    repository, _, _ = scope.rpartition(":")
    return scope, f"{repository}:{ANY}"


def counting(entries: Iterable[BaselineEntry], scope: str, now_ns: int) -> tuple[BaselineEntry, ...]:
    """The entries that count for a scope now: active or approved, not expired, no waivers."""
    scopes = scopes_for(scope)
    return tuple(
        entry
        for entry in entries
        if entry.scope in scopes
        and entry.of != WAIVER
        and entry.state in {BaselineState.ACTIVE, BaselineState.APPROVED}
        and not expired(entry, now_ns)
    )


def expired(entry: BaselineEntry, now_ns: int) -> bool:
    """Whether an entry's time is over. At the very nanosecond it is."""
    return bool(entry.expires_ns) and now_ns >= entry.expires_ns


def judge(
    signatures: Sequence[Signature], entries: Iterable[BaselineEntry], scope: str, now_ns: int
) -> Standing:
    """Hold an artifact's signatures against its scope's baseline. One that agrees suffices for its kind; an invalid one never
    counts, and neither does one without a signer."""
    entries = tuple(entries)
    judged_by = counting(entries, scope, now_ns)
    valid = [s for s in signatures if s.state is SignatureState.VALID and profile_of(s)]
    by_kind: dict[str, list[Signature]] = {}
    for signature in valid:
        by_kind.setdefault(of_signature(signature), []).append(signature)
    if not _has_baseline(entries, scope):
        learning = [e.runs for e in entries if e.scope == scope and e.state is BaselineState.LEARNING]
        return Standing(active=False, runs=max(learning, default=0), known=(), unknown=(), missing=())
    known: list[str] = []
    unknown: list[tuple[str, Signature, Nearest]] = []
    expected = sorted(
        {entry.of for entry in judged_by} or _once_expected(entries, scope), key=_signature_first
    )
    for of in expected:
        candidates = by_kind.get(of, [])
        near = [(nearest(profile_of(s), (e for e in judged_by if e.of == of)), s) for s in candidates]
        if any(found.entry is not None and not found.drift for found, _ in near):
            known.append(of)
        elif near:
            found, signature = min(near, key=_distance)
            unknown.append((of, signature, found))
    missing = tuple(of for of in expected if of not in by_kind)
    return Standing(active=True, runs=0, known=tuple(known), unknown=tuple(unknown), missing=missing)


def learn(
    signatures: Sequence[Signature], entries: Sequence[BaselineEntry], scope: str, now_ns: int
) -> Lesson:
    """Count one run for a scope that has no baseline yet; the caller has made sure that nothing held it.

    A scope that ever had an active or approved entry learns nothing, also when all of them expired or were revoked: a baseline
    that runs out must not be taught anew by whoever signs next.
    """
    if _has_baseline(entries, scope):
        return Lesson(entries=tuple(entries))
    by_id = {entry.id: entry for entry in entries}
    counted: list[BaselineEntry] = []
    for signature in sorted(signatures, key=lambda s: (s.kind, s.digest, s.subject)):
        profile = profile_of(signature) if signature.state is SignatureState.VALID else {}
        if not profile:
            continue
        of = of_signature(signature)
        name = entry_id(scope, of, profile)
        before = by_id.get(name)
        if before is None:
            if sum(e.scope == scope for e in by_id.values()) >= MAX_LEARNING:
                continue
            before = BaselineEntry(
                id=name, scope=scope, of=of, profile=profile, state=BaselineState.LEARNING, first_ns=now_ns
            )
        after = _counted(before, run_of(signature), now_ns)
        if after is not before:
            by_id[name] = after
            counted.append(after)
    ready = [e for e in by_id.values() if e.scope == scope and e.runs >= LEARNING_RUNS]
    changes = [_change("learn", entry, now_ns) for entry in counted]
    for entry in sorted(ready, key=lambda e: e.id):
        by_id[entry.id] = replace(entry, state=BaselineState.ACTIVE)
        changes.append(_change("activate", entry, now_ns))
    return Lesson(entries=tuple(by_id.values()), changes=tuple(changes))


def _counted(entry: BaselineEntry, run: str, now_ns: int) -> BaselineEntry:
    """The entry with one more run; the same object where this run was counted before."""
    if run in entry.run_ids or entry.runs >= LEARNING_RUNS:
        return entry
    return replace(entry, runs=entry.runs + 1, run_ids=(*entry.run_ids, run), last_ns=now_ns)


def _has_baseline(entries: Iterable[BaselineEntry], scope: str) -> bool:
    """Whether a scope is or was judged by a baseline: expiry and revocation leave it without signers, not without a baseline."""
    scopes = scopes_for(scope)
    return any(
        entry.scope in scopes and entry.of != WAIVER and entry.state is not BaselineState.LEARNING
        for entry in entries
    )


def _once_expected(entries: Iterable[BaselineEntry], scope: str) -> set[str]:
    """What a scope expected while its entries counted."""
    scopes = scopes_for(scope)
    return {
        e.of
        for e in entries
        if e.scope in scopes and e.of != WAIVER and e.state is not BaselineState.LEARNING
    }


def _signature_first(of: str) -> tuple[bool, str]:
    return of != "signature", of


def _distance(pair: tuple[Nearest, Signature]) -> tuple[object, ...]:
    found, signature = pair
    counts = tuple(sum(d.level.value == level for d in found.drift) for level in ("L0", "L1", "L2", "L3"))
    return (found.entry is None, *counts, signature.digest)


def _change(action: str, entry: BaselineEntry, now_ns: int) -> Change:
    detail = {"entry": entry.id, "of": entry.of, "runs": str(entry.runs), **entry.profile}
    return Change(
        sequence=0, at_ns=now_ns, scope=entry.scope, action=action, by="eightysix", why="", detail=detail
    )
