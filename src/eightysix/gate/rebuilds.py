"""A nightly build makes new bytes of an old commit, and is known for it.

`no-new-commit` holds because bytes that differ without a new commit come from somewhere else than the source. Where this scope's
baseline has a signer that runs by schedule, and this very artifact is signed by it, that is what a rebuild looks like: it is
told, and holds nothing. Who is new in any field of the signer is no rebuild.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from eightysix.gate.baseline import counting
from eightysix.gate.drift import nearest
from eightysix.gate.profiles import of_signature, profile_of
from eightysix.model.finding import Severity
from eightysix.model.gate import BaselineEntry, GateFinding, Signature, SignatureState

__all__ = ["known_rebuild"]

_RULE = "no-new-commit"
_BY_SCHEDULE = "schedule"


def known_rebuild(
    finding: GateFinding,
    signatures: Sequence[Signature],
    entries: Iterable[BaselineEntry],
    scope: str,
    now_ns: int,
) -> GateFinding:
    """The finding, told only where a signer who is known to run by schedule signed."""
    if finding.rule != _RULE or not finding.holds:
        return finding
    known = [
        entry
        for entry in counting(entries, scope, now_ns)
        if entry.of == "signature" and entry.profile.get("trigger") == _BY_SCHEDULE
    ]
    for signature in signatures:
        if signature.state is not SignatureState.VALID or of_signature(signature) != "signature":
            continue
        near = nearest(profile_of(signature), known)
        if near.entry is not None and not near.drift:
            why = f"{finding.why}; rebuilt by schedule, by a signer who is known for it here"
            return replace(finding, holds=False, severity=Severity.LOW, approval="", why=why)
    return finding
