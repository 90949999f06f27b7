"""What a person may add to a baseline, and what nobody may: whoever pushes or signs does not approve.

An approval names who, why and until when, and becomes a `Change` beside the entry. It never happens by itself. What keeps the
one who signs from approving is the list of approvers, which the operator's policy has, and the rights on the gate's own
database; a name alone proves nothing (docs/gate-drift.md says what does).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from eightysix.gate.baseline import WAIVER, Lesson, expired
from eightysix.gate.drift import DECLARED
from eightysix.gate.profiles import entry_id, of_signature, profile_of
from eightysix.model.errors import UsageError
from eightysix.model.gate import BaselineEntry, BaselineState, Change, GateFinding, Signature

__all__ = ["DAY_NS", "MAX_DAYS", "Approval", "approve_signer", "declare", "revoke", "waive", "waived"]

DAY_NS = 86_400 * 10**9
MAX_DAYS = 397
"""Longest approval, in days: thirteen months, so that what is done once a year does not lapse in between."""

_MAX_TEXT = 1024


class Approval(Struct, frozen=True, kw_only=True):
    """Who lets something pass, why, and for how many days (0: for ever, only for a signer). `approvers` are the names that the
    policy lists, none meaning that it lists nobody and anybody but the pushers may; `pushers` are the actors and signers that had
    a hand in the artifact."""

    by: str
    why: str
    days: int
    now_ns: int
    approvers: tuple[str, ...] = ()
    pushers: tuple[str, ...] = ()


def approve_signer(
    entries: Sequence[BaselineEntry], scope: str, signature: Signature, approval: Approval
) -> Lesson:
    """Add a signature's way of signing to a scope's baseline."""
    _check(approval, for_ever=True)
    profile = profile_of(signature)
    if not profile:
        raise UsageError(
            "this signature has no signer that could be approved",
            "only a valid signature has one: let this artifact alone pass by its rule, without --remember",
        )
    of = of_signature(signature)
    return _added(entries, scope, of, profile, "approve", approval)


def waive(
    entries: Sequence[BaselineEntry],
    scope: str,
    digest: str,
    finding: GateFinding,
    approval: Approval,
    *,
    tag: str = "",
) -> Lesson:
    """Let one finding about one digest pass, for a time; under `tag` alone where one is given, because a scope may have many and
    what is right for one (a rollback, a version that moves) is not for the next."""
    _check(approval, for_ever=False)
    if not finding.approval:
        raise UsageError(
            f"{finding.rule} cannot be approved: {finding.why}",
            "mend what it says and push again; what is broken or lies does not pass by anybody's word",
        )
    profile = {"digest": digest, "rule": finding.rule} | ({"tag": tag} if tag else {})
    return _added(entries, scope, WAIVER, profile, "approve", approval)


def waived(
    entries: Iterable[BaselineEntry], scope: str, digest: str, rule: str, now_ns: int, *, tag: str = ""
) -> BaselineEntry | None:
    """The approval that lets a finding about a digest under a tag pass in this scope now, if there is one."""
    profile = {"digest": digest, "rule": rule}
    for entry in entries:
        if (
            entry.of == WAIVER
            and entry.scope == scope
            and entry.state is BaselineState.APPROVED
            and entry.profile in (profile, profile | {"tag": tag})
            and not expired(entry, now_ns)
        ):
            return entry
    return None


def revoke(entries: Sequence[BaselineEntry], entry: str, *, by: str, why: str, now_ns: int) -> Lesson:
    """Take an entry out of what counts. It stays in the store, and its scope stays one that has a baseline."""
    found = next((e for e in entries if e.id == entry), None)
    if found is None:
        raise UsageError(
            f"no entry {entry}", "eightysix gate history REPOSITORY:TAG lists the entries of its scope"
        )
    _named(by, why)
    gone = replace(found, state=BaselineState.REVOKED, last_ns=now_ns)
    change = Change(
        sequence=0, at_ns=now_ns, scope=found.scope, action="revoke", by=by, why=why, detail={"entry": entry}
    )
    return Lesson(entries=tuple(gone if e.id == entry else e for e in entries), changes=(change,))


def declare(
    entries: Sequence[BaselineEntry], scope: str, of: str, profile: dict[str, str], *, by: str, now_ns: int
) -> Lesson:
    """Enter a way of signing that the operator's policy declares; nothing where it is there already."""
    name = entry_id(scope, of, profile)
    if any(e.id == name and e.state is BaselineState.ACTIVE and e.approved_by == by for e in entries):
        return Lesson(entries=tuple(entries))
    entry = BaselineEntry(
        id=name,
        scope=scope,
        of=of,
        profile=profile,
        state=BaselineState.ACTIVE,
        first_ns=now_ns,
        last_ns=now_ns,
        approved_by=by,
        why=DECLARED,
    )
    change = Change(
        sequence=0,
        at_ns=now_ns,
        scope=scope,
        action="declare",
        by=by,
        why=DECLARED,
        detail={"entry": name, **profile},
    )
    return Lesson(entries=(*(e for e in entries if e.id != name), entry), changes=(change,))


def _added(
    entries: Sequence[BaselineEntry],
    scope: str,
    of: str,
    profile: dict[str, str],
    action: str,
    approval: Approval,
) -> Lesson:
    name = entry_id(scope, of, profile)
    before = next((e for e in entries if e.id == name), None)
    expires = approval.now_ns + approval.days * DAY_NS if approval.days else 0
    entry = BaselineEntry(
        id=name,
        scope=scope,
        of=of,
        profile=profile,
        state=BaselineState.APPROVED,
        runs=before.runs if before is not None else 0,
        run_ids=before.run_ids if before is not None else (),
        first_ns=before.first_ns if before is not None else approval.now_ns,
        last_ns=approval.now_ns,
        approved_by=approval.by,
        why=approval.why,
        expires_ns=expires,
    )
    change = Change(
        sequence=0,
        at_ns=approval.now_ns,
        scope=scope,
        action=action,
        by=approval.by,
        why=approval.why,
        detail={"entry": name, "of": of, "expires_ns": str(expires), **profile},
    )
    return Lesson(entries=(*(e for e in entries if e.id != name), entry), changes=(change,))


def _check(approval: Approval, *, for_ever: bool) -> None:
    _named(approval.by, approval.why)
    by = _folded(approval.by)
    if by in {_folded(name) for name in approval.pushers}:
        raise UsageError(
            f"{approval.by} pushed or signed this artifact and cannot approve it",
            "ask somebody else of the policy's approvers",
        )
    if approval.approvers and by not in {_folded(name) for name in approval.approvers}:
        raise UsageError(
            f"{approval.by} is not one of the policy's approvers",
            "the operator lists them under `approvers` in the gate's policy",
        )
    if approval.days < 0 or approval.days > MAX_DAYS or (approval.days == 0 and not for_ever):
        raise UsageError(
            f"an approval of {approval.days} days",
            f"give 1 to {MAX_DAYS} days" + (", or 0 for ever" if for_ever else ""),
        )


def _named(by: str, why: str) -> None:
    if not by.strip() or not why.strip():
        raise UsageError("an approval without who or why", "give --by NAME and --why REASON: both are kept")
    if len(by) > _MAX_TEXT or len(why) > _MAX_TEXT:
        raise UsageError(
            f"more than {_MAX_TEXT} letters of who or why", "a sentence and a ticket's number are enough"
        )


def _folded(name: str) -> str:
    return name.strip().casefold()
