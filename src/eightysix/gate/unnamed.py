"""Which scope an artifact is held against that is named by its digest alone.

A digest says nothing of the class of tags that it belongs to, and a pipeline that pins digests must not thereby leave its
baseline behind. So a repository that has a baseline, learned or declared, has it for its digests too: the artifact must agree
with one of its classes, those first whose tags were seen with this digest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from eightysix.gate.baseline import WAIVER, judge
from eightysix.gate.policy.form import Policy
from eightysix.gate.scopes import scope_of
from eightysix.model.gate import BaselineEntry, BaselineState, Reference, Signature

__all__ = ["scope_for_digest"]


def scope_for_digest(
    reference: Reference,
    signatures: Sequence[Signature],
    entries: Iterable[BaselineEntry],
    policy: Policy,
    seen: Iterable[str],
    now_ns: int,
) -> str:
    """The scope of the repository that the artifact agrees with, else the one that it differs least from; the scope of digests
    where the repository has none. `entries` are all of the repository, `seen` the scopes of tags that had this digest."""
    from eightysix.gate.decide import declared_entries

    own = scope_of(reference)
    repository = own.rpartition(":")[0] + ":"
    known = tuple(entries)
    learned = {e.scope for e in known if e.of != WAIVER and e.state is not BaselineState.LEARNING}
    declared = {each.scope for each in policy.signers} | {each.scope for each in policy.require}
    scopes = {scope for scope in learned | declared if scope.startswith(repository)}
    near = scopes & set(seen)

    def distance(scope: str) -> tuple[int, int, str]:
        standing = judge(signatures, declared_entries(known, policy, scope, now_ns), scope, now_ns)
        return len(standing.missing) + len(standing.unknown), -len(standing.known), scope

    return min((distance(scope) for scope in near or scopes), default=(0, 0, own))[2]
