"""A story in a few sentences."""

from __future__ import annotations

from collections.abc import Sequence

from eightysix.model.story import IdentityStory, Mark, Sighting
from eightysix.model.words import IdentityState, Origin, Outcome, Stage

__all__ = ["summary_of"]


def summary_of(
    where: str,
    t0: str,
    landed: str,
    marks: Sequence[Mark],
    identities: Sequence[IdentityStory],
    domains: Sequence[str],
    elsewhere: Sequence[Sighting],
    *,
    raised: bool = True,
    covered: str = "",
) -> tuple[str, ...]:
    """Sentences, the most important first: what landed where, what was taken and how fast, where it went, what was done
    with it afterwards, where else the artifact is. Where no rule `raised` the pod, nothing is taken for lost; `covered` names
    the exceptions that cover it."""
    told: list[str] = [] if raised else ["No rule raised this pod; this is what it did."]
    if covered:
        told.append(f"An exception covers it, so it raises nobody: {covered}.")
    firsts = _firsts(marks)
    land = firsts.get(Stage.LAND)
    if land is not None:
        told.append(f"{landed or land.detail or land.title} landed in {where} at {_clock(t0)} UTC.")
    else:
        told.append(f"What landed in {where} was not seen; the story begins at {_clock(t0)} UTC.")
    for stage, mark in sorted(firsts.items(), key=lambda item: item[1].offset_s):
        if stage is not Stage.LAND:
            more = f": {mark.detail}" if mark.detail else ""
            told.append(f"T+{mark.offset_s:.1f} s: {mark.title}{more}.")
    lost = [i for i in identities if i.state is not IdentityState.EXPOSED]
    if lost:
        kinds = f" of {_count(len(domains), 'credential domain')}" if domains else ""
        which = _count(len(lost), "identity", "identities")
        told.append(f"{which}{kinds} must be taken for lost." if raised else f"It took {which}{kinds}.")
    uses = [
        u
        for i in lost
        for u in i.uses
        # The metadata service signs in to hand out what was taken: that is no use of it.
        if u.after
        and u.outcome is not Outcome.DENIED
        and (u.service, i.kind) != ("sign-in", "managed-identity")
    ]
    foreign = [u for u in uses if u.foreign]
    if uses:
        outside = f", {sum(u.count for u in foreign)} of them from outside" if foreign else ""
        told.append(
            f"They were used {_count(sum(u.count for u in uses), 'time')} afterwards, as far as logs tell{outside}."
        )
    stuck = [i for i in lost if i.revocation.possible is False]
    if stuck and raised:
        told.append(f"Tokens of {len(stuck)} of them cannot be revoked: cut what they may do.")
    pods = {(s.cluster, s.namespace, s.pod) for s in elsewhere if s.same is not False}
    if pods:
        told.append(f"The same artifact is in {_count(len(pods), 'other pod')}.")
    return tuple(told)


def _firsts(marks: Sequence[Mark]) -> dict[Stage, Mark]:
    """The first mark of each stage; of landings the one that the story starts from, of leaving the last."""
    firsts: dict[Stage, Mark] = {}
    for mark in marks:
        if mark.stage is None or mark.outcome is Outcome.DENIED:
            continue
        known = firsts.get(mark.stage)
        if mark.stage is Stage.LEAVE and known is not None and mark.origin is Origin.SUSPECT:
            continue  # the pod's own word beside what others saw
        if mark.stage is Stage.LEAVE or (mark.stage is Stage.LAND and mark.offset_s <= 0):
            firsts[mark.stage] = mark
        else:
            firsts.setdefault(mark.stage, mark)
    return firsts


def _clock(at: str) -> str:
    return at[:19].replace("T", " ")


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
