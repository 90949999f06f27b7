"""Where an identity was used at control planes: every use told with its time, its caller, and whose it was."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

import msgspec

from eightysix.context.inventory import SKEW_NS
from eightysix.detect.actions import action_of
from eightysix.detect.observe import Observation
from eightysix.detect.place import place_of
from eightysix.detect.view import PodView
from eightysix.detect.wording import rfc3339
from eightysix.model.attribution import Attribution
from eightysix.model.event import Event
from eightysix.model.story import Use
from eightysix.model.words import Kind, Outcome
from eightysix.reconstruct.identitylog import MAX_PLACES, UseGroup

__all__ = ["MAX_USES", "Attribute", "UsesOf", "is_ours", "is_use", "target_of", "uses_of"]

MAX_USES = 256
"""Uses of one identity that are told, those from elsewhere before all others; the rest is counted."""

Attribute = Callable[[Event], Attribution]
"""Whose a use is (`context.attribution`)."""


@dataclass(frozen=True)
class UsesOf:
    """Of one identity: its uses since it was taken (`told`, by time), those that were left out (`more`), how often it was
    used before, and how often by pods that are not of this story (`others`). Clocks differ: what was up to two seconds before
    is told, and not as after."""

    told: tuple[Use, ...]
    more: int
    before: int
    others: int


def uses_of(
    groups: Iterable[UseGroup],
    view: PodView | None,
    pods: Collection[str] | None,
    attribute: Attribute,
    *,
    t0_ns: int,
    taken_ns: int,
) -> UsesOf:
    """What of `groups` (uses of one identity) was after `taken_ns` and may be the story's; `pods` are its pods by uid and
    by `namespace/name`, None where a use may be anybody's."""
    found: list[tuple[bool, int, Use]] = []
    before = others = 0
    for group in groups:
        event = group.event
        if group.last_ns < taken_ns - SKEW_NS:
            before += group.count
            continue
        attribution = attribute(event)
        if pods is not None and attribution.certain and not is_ours(attribution, pods):
            others += group.count
            continue
        use = _use(group, view, attribution, t0_ns=t0_ns, taken_ns=taken_ns)
        found.append((not use.foreign, event.time_ns, use))
    found = _together(found)
    found.sort(key=lambda item: (item[0], item[1], item[2].operation, item[2].target))
    kept = sorted(found[:MAX_USES], key=lambda item: (item[1], item[2].operation, item[2].target))
    return UsesOf(tuple(use for *_, use in kept), len(found) - len(kept), before, others)


def _together(found: Iterable[tuple[bool, int, Use]]) -> list[tuple[bool, int, Use]]:
    """Uses that are alike and whose alike, as one."""
    told: dict[tuple[object, ...], tuple[bool, int, Use]] = {}
    for far, time_ns, use in sorted(found, key=lambda item: item[1]):
        key = (
            *(use.service, use.operation, use.target, use.source_ip, use.user_agent, use.outcome),
            *(use.after, use.foreign, use.credential_id, use.attribution),
        )
        first = told.get(key)
        if first is None:
            told[key] = (far, time_ns, use)
            continue
        until = max(first[2].until or first[2].at, use.until or use.at)
        more = (*first[2].evidence, *use.evidence)[:MAX_PLACES]
        one = msgspec.structs.replace(first[2], count=first[2].count + use.count, until=until, evidence=more)
        told[key] = (far, first[1], one)
    return list(told.values())


def is_use(kind: str, use: Use, pods: Collection[str]) -> bool:
    """Whether a use of an identity of this kind is part of the story and no mere possibility: it came from outside, or surely
    from the story's pods, or is of an identity that came up with the story. A sign-in hands out, and uses nothing."""
    if use.outcome is Outcome.DENIED or not use.after or use.service == "sign-in":
        return False
    if use.foreign is True or kind == "service-principal":
        return True
    return use.attribution.certain and is_ours(use.attribution, pods)


def is_ours(attribution: Attribution, pods: Collection[str]) -> bool:
    """Whether a pod of the story is among the candidates."""
    return any(c.uid in pods or (not c.uid and c.pod in pods) for c in attribution.candidates)


def _use(
    group: UseGroup, view: PodView | None, attribution: Attribution, *, t0_ns: int, taken_ns: int
) -> Use:
    event = group.event
    # Within the skew nobody knows which came first; a sign-in that hands out what was taken is no use of it in any case.
    after = event.time_ns >= taken_ns - (SKEW_NS if event.resource == "sign-in" else 0)
    return Use(
        at=rfc3339(event.time_ns),
        offset_s=round((event.time_ns - t0_ns) / 1e9, 3),
        service="kubernetes" if event.kind is Kind.API else event.resource,
        operation=event.verb,
        target=target_of(event),
        source_ip=event.source_ip,
        user_agent=event.user_agent,
        outcome=event.outcome,
        after=after,
        foreign=_foreign(view, event),
        credential_id=event.credential_id,
        attribution=attribution,
        evidence=group.places,
        count=group.count,
        until=rfc3339(group.last_ns) if group.last_ns != event.time_ns else "",
    )


def _foreign(view: PodView | None, event: Event) -> bool | None:
    """Whether a call came from where the cluster does not call from; None where nobody can say."""
    if view is None or not event.source_ip:
        return None
    place = place_of(view, Observation(event, action_of(event), "", event.time_ns, None))
    if place in ("outside", "elsewhere"):
        return True
    return False if place in ("pod", "node", "egress") else None


def target_of(event: Event) -> str:
    """What a use acts on, in the control plane's own words."""
    if event.kind is Kind.API:
        parts = (event.object_namespace, event.resource, event.object_name, event.subresource)
        return "/".join(part for part in parts if part)
    return event.object_name
