"""How a signer differs from those that a scope is known to have.

The comparison is with whole profiles: a signer is known when one entry agrees in every field. Otherwise the nearest entry is
told, the one whose differences are the least deep and the fewest, because that is how a person would put it: "the release
workflow, but on a self-hosted runner". Field by field, an attacker could join a known workflow with a runner known from another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from eightysix.gate.profiles import LEVELS, level_of, words
from eightysix.model.gate import BaselineEntry, BaselineState, Drift, DriftLevel

__all__ = ["DECLARED", "Nearest", "differences", "nearest"]

DECLARED = "declared"
"""`why` of an entry that a policy declares."""

_DEPTH = {
    DriftLevel.TRUST: 4,
    DriftLevel.OWNER: 3,
    DriftLevel.WORKFLOW: 2,
    DriftLevel.CONTEXT: 1,
    DriftLevel.VOLATILE: 0,
}

_NAMES_OF = {"owner": "owner_id", "repository": "repository_id"}
"""Names that may change while the number beside them stays: the number decides where both sides have it."""

_LATE_FIELDS = frozenset({"environment", "visibility", "owner_id", "repository_id", "claim_build_type"})
"""Fields that an authority or a builder began to tell later: an entry without one says nothing about it. (Fulcio added 15 to 22
in 2023, 23 in 2026.) An entry without `runner`, `trigger` or `ref` is the same, but what runs on a machine of one's own or by
hand is told as a difference all the same."""

_USUAL = {
    "runner": frozenset({"github-hosted", "gitlab-hosted"}),
    "trigger": frozenset({"push", "release", "schedule"}),
    "ref": frozenset({"refs/heads/main", "refs/heads/master", "refs/tags/*"}),
}
"""Values that are no news where an entry has none: what a release usually has."""


class Nearest(Struct, frozen=True):
    """The entry nearest to a signer, and what differs; no `drift` where they agree. `entry` is None where a scope has none."""

    entry: BaselineEntry | None
    drift: tuple[Drift, ...]

    @property
    def deepest(self) -> DriftLevel | None:
        """The deepest level at which they differ; None where they agree."""
        return max((d.level for d in self.drift), key=_DEPTH.__getitem__, default=None)


def nearest(profile: Mapping[str, str], entries: Iterable[BaselineEntry]) -> Nearest:
    """Compare a profile with all entries (of one scope and kind, those that count). The order of entries does not matter. An
    entry that a policy declares says what must be, and nothing of the fields that it leaves out."""
    best: tuple[tuple[object, ...], BaselineEntry, tuple[Drift, ...]] | None = None
    for entry in entries:
        declared = entry.state is BaselineState.ACTIVE and entry.why == DECLARED
        seen = {name: profile.get(name, "") for name in entry.profile} if declared else profile
        found = differences(seen, entry.profile, patterns=bool(entry.approved_by))
        counts = tuple(sum(d.level is level for d in found) for level in LEVELS)
        rank = (*counts, -entry.runs, entry.id)
        if best is None or rank < best[0]:
            best = (rank, entry, found)
    return Nearest(entry=None, drift=()) if best is None else Nearest(entry=best[1], drift=best[2])


def differences(
    profile: Mapping[str, str], known: Mapping[str, str], *, patterns: bool = False
) -> tuple[Drift, ...]:
    """Each field in which a profile differs from a known one, the deepest level first.

    With `patterns` a known value may end in `*` (`refs/heads/release/*`): a person declared it. In what was learned a `*` is
    a letter like any other.
    """
    fields = [name for names in LEVELS.values() for name in names]
    fields += sorted((profile.keys() | known.keys()) - set(fields))
    return tuple(
        drift
        for name in fields
        if (drift := _difference(name, profile, known, patterns=patterns)) is not None
    )


def _difference(
    field: str, profile: Mapping[str, str], known: Mapping[str, str], *, patterns: bool
) -> Drift | None:
    now, was = profile.get(field, ""), known.get(field, "")
    number = _NAMES_OF.get(field, "")
    if number and profile.get(number) and profile.get(number) == known.get(number):
        return None  # renamed: the number says that it is the same
    if now == was or (patterns and _matches(now, was)):
        return None
    if not was and (field in _LATE_FIELDS or now in _USUAL.get(field, ())):
        return None
    return Drift(
        level=level_of(field), field=field, was=(was,) if was else (), now=now, text=_text(field, was, now)
    )


def _matches(now: str, was: str) -> bool:
    """Whether a declared pattern has the value: a `*` at its end stands for one or more letters, and never for a path upwards."""
    return was.endswith("*") and len(now) >= len(was) and now.startswith(was[:-1]) and ".." not in now


def _text(field: str, was: str, now: str) -> str:
    if not was:
        return f"{words(field)} is {now}, which was not told before"
    if not now:
        return f"{words(field)} was {was} and is not told any more"
    return f"{words(field)} was {was} and is {now}"
