"""What landed in one pod and came to another with a volume: the install of the first is a landing of the second.

Nothing that the kernel sees joins the two. Three things together do: the API server told that both pods mount the same
claim; a package was seen to land in the first; and the sensor of the second tells that this package, in that version
and installed just then, takes a credential by itself. The first is no word of either pod, the second is what was seen, and
the third can only raise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from eightysix.detect.actions import Action
from eightysix.detect.gate import SKEW_NS
from eightysix.detect.observe import Observation
from eightysix.detect.state import PodState
from eightysix.detect.view import Knowledge, PodView, distribution_name
from eightysix.model.event import Artifact, Event
from eightysix.model.words import Grade, Origin, Source

__all__ = ["INSTALLED_NS", "MAX_BROUGHT", "MAX_SHARING", "brought"]

INSTALLED_NS = 600_000_000_000
"""A package's files are written within 10 minutes after its installer started."""

MAX_SHARING = 32
"""Pods of one claim that are looked at, the first of them: a volume for many is a store, and no pod's successor."""

MAX_BROUGHT = 8
"""Landings that come with volumes to one pod: the earliest."""

_GRADES = tuple(Grade)


def brought(states: Sequence[PodState], knowledge: Knowledge) -> dict[str, tuple[Observation, ...]]:
    """By key of the pod that has the volume now, what landed on it before. Pure, and the same for any order of `states`."""
    found: dict[str, tuple[Observation, ...]] = {}
    for sharing in _sharing(states, knowledge.learnt.claims):
        acting = {state.key: told for state in sharing if (told := _acting(state))}
        views = {state.key: PodView.of(state, knowledge) for state in sharing} if acting else {}
        for key, told in acting.items():
            landings = {
                (landing.event.event_id, landing.artifacts): landing
                for other, view in views.items()
                if other != key and view is not None
                for landing in _matching(view, told)
            }
            if landings:
                known = {(o.event.event_id, o.artifacts): o for o in found.get(key, ())} | landings
                order = sorted(known.values(), key=lambda o: (o.time_ns, o.event.event_id))
                found[key] = tuple(order[:MAX_BROUGHT])
    return found


def _sharing(states: Iterable[PodState], claims: Mapping[str, set[str]]) -> list[list[PodState]]:
    """Pods by the claim that they mount."""
    if not claims:
        return []
    by_claim: dict[str, list[PodState]] = {}
    for state in sorted(states, key=lambda state: state.key):
        who = next((bucket.events[0] for bucket in state.buckets.values()), None)
        name = f"{who.namespace}/{who.pod}" if who is not None and who.pod else ""
        for claim in sorted(claims.get(state.key, set()) | claims.get(name, set())):
            by_claim.setdefault(claim, []).append(state)
    return [pods[:MAX_SHARING] for _, pods in sorted(by_claim.items()) if len(pods) > 1]


def _acting(state: PodState) -> dict[tuple[str, str], set[int]]:
    """The distributions that took a credential by themselves, as the pod's sensor tells, with the times at which they had
    been installed. One that the application called is none: every library of a volume would be."""
    times: dict[tuple[str, str], set[int]] = {}
    for bucket in state.buckets.values():
        for event in bucket.events:
            if event.source is not Source.SENSOR or event.domain is None:
                continue
            asking = _asking(event)
            for dist in event.dists:
                if dist.name in asking and dist.age_s is not None and dist.version:
                    installed = event.time_ns - round(dist.age_s * 1e9)
                    times.setdefault((dist.name, dist.version), set()).add(installed)
    return times


def _asking(event: Event) -> set[str]:
    """Whose code it is that asks: at the root of the call, being imported, or all of it in a startup hook."""
    asking = {distribution_name(event.at_import)}
    if event.at_import.startswith("pth:"):
        asking.update(map(distribution_name, event.chain))
    if not any(entry.startswith("app:") for entry in event.chain):
        asking.add(distribution_name(event.root or (event.chain[-1] if event.chain else "")))
    return asking - {""}


def _matching(view: PodView, told: Mapping[tuple[str, str], set[int]]) -> Iterable[Observation]:
    """The landings of a pod that brought what another one's sensor tells of."""
    who = view.who
    for landing in view.landings:
        seen = {
            artifact.name
            for event in landing.evidence
            if event.origin is not Origin.SUSPECT
            for artifact in event.artifacts
        }
        artifacts = tuple(
            a for a in landing.artifacts if a.name in seen and _is_told(a, landing.time_ns, told)
        )
        if artifacts:
            grade = _GRADES[min(_GRADES.index(landing.event.grade) + 1, _GRADES.index(Grade.E))]
            yield Observation(
                replace(landing.event, grade=grade),
                Action.INSTALL,
                "",
                landing.time_ns,
                None,
                tuple(replace(event, grade=max(grade, event.grade)) for event in landing.others),
                artifacts=artifacts,
                by=f"{who.namespace}/{who.pod}",
            )


def _is_told(artifact: Artifact, landed_ns: int, told: Mapping[tuple[str, str], set[int]]) -> bool:
    return any(
        name == artifact.name
        and artifact.version in ("", version)
        and any(-SKEW_NS <= installed - landed_ns <= INSTALLED_NS for installed in times)
        for (name, version), times in told.items()
    )
