"""What the pod of a story could reach, by a posture: beside what it did, and no part of it.

A posture is of one time and the story of another, so its age is told with it. An identity within reach that no record
shows taken is exposed: not seen is not untouched, and it comes late in what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from eightysix.context.reach import Asked, KnownIdentity, Reaches, State
from eightysix.model.incident import PodRef
from eightysix.model.reach import Reach, ReachedIdentity
from eightysix.model.story import Gap, IdentityStory
from eightysix.model.words import IdentityState
from eightysix.reconstruct.remedies import Remedy, some
from eightysix.report.reach import counted, since, told_sinks

__all__ = ["gap_of", "reach_of", "reach_remedy", "reach_sentence"]

_ACCOUNT: Final = "service-account"
_MAYBE: Final = (
    "The metadata service gave this pod an identity, and no record tells which: it may be this one."
)
_MOST: Final = 5
"""Identities that the step names; the reach of the story has them all."""


_COLLECT: Final = (
    "kubectl get roles,rolebindings,clusterroles,clusterrolebindings,namespaces,deployments,statefulsets,daemonsets -A -o json,"
    " and az role assignment list --all, into the inventory (docs/posture.md)"
)


def reach_of(
    reaches: Reaches,
    pod: PodRef,
    workload: str,
    account: str,
    t0: str,
    stories: Sequence[IdentityStory],
) -> Reach | None:
    """What the pod could reach, each identity with what became of it in the story."""
    asked = Asked(pod.namespace, pod.name, workload, account, pod.cluster, t0)
    return reaches.of(asked, _states(stories))


def _states(stories: Sequence[IdentityStory]) -> Callable[[KnownIdentity], State | None]:
    known: dict[str, IdentityState] = {}
    nameless = False
    for story in stories:
        if story.kind == _ACCOUNT:
            known[f"{_ACCOUNT}:{story.name}"] = story.state
        for one in story.ids:
            known[one.lower()] = story.state
        lost = story.state is not IdentityState.EXPOSED
        nameless |= story.kind == "managed-identity" and not story.ids and lost

    def state(one: KnownIdentity) -> State | None:
        for name in (one.id, *(id_.lower() for id_ in one.ids)):
            if name in known:
                return State(known[name])
        if nameless and one.kind != _ACCOUNT:
            return State(IdentityState.EXPOSED, _MAYBE)
        return None

    return state


def gap_of(reaches: Reaches, pod: PodRef) -> Gap:
    """Why a posture that was given says nothing of this pod."""
    close = "eightysix posture --format json --output FILE over the cluster of this pod, and --posture FILE"
    if not reaches.known.pods:
        return Gap("", "what the pod could reach: the inventory names no roles and bindings", _COLLECT)
    if reaches.is_other_cluster(Asked(pod.namespace, cluster=pod.cluster)):
        return Gap("", f"what the pod could reach: the posture is of cluster {reaches.known.cluster}", close)
    return Gap("", "what the pod could reach: the posture that was given does not know it", close)


def reach_sentence(reach: Reach) -> str:
    """One sentence for the summary."""
    if not reach.sinks:
        return f"It could have reached nothing that matters, as far as the posture sees ({since(reach)})."
    named = told_sinks(reach)
    told = " and ".join(filter(None, (", ".join(named[:-1]), named[-1])))
    exposed = _only_exposed(reach)
    more = (
        f"; {counted(len(exposed), 'identity').replace('identitys', 'identities')} within its reach"
        f" {'was' if len(exposed) == 1 else 'were'} not seen taken"
        if exposed
        else ""
    )
    return f"It could have reached {told}{more} ({since(reach)})."


def _only_exposed(reach: Reach) -> list[ReachedIdentity]:
    return [one for one in reach.identities if one.state is IdentityState.EXPOSED]


def reach_remedy(
    reach: Reach | None, told: Sequence[IdentityStory], search: Callable[[str], str]
) -> Remedy | None:
    """What to do about identities that lay further on and that no record shows taken: after all that were taken. `search` is
    the line that looks for the uses of one."""
    if reach is None:
        return None
    names = {story.name for story in told}
    further = [one for one in _only_exposed(reach) if one.name not in names]
    if not further:
        return None
    idle = [one for one in further if one.unused]
    why = (
        f"This lay within the pod's reach ({since(reach)}), and no record shows it taken or used from here: not seen is not"
        " untouched. Look at where it was used since, and change what somebody else may have."
    )
    if idle:
        why += f" Nobody uses {some(_called(one) for one in idle)}: removing what nobody uses costs nothing."
    return Remedy(
        f"look at what the pod could have used next: {some(_called(one) for one in further)}",
        why,
        tuple(search(one.name) for one in further[:_MOST] if one.kind == _ACCOUNT),
    )


def _called(one: ReachedIdentity) -> str:
    kind = one.kind.replace("-", " ")
    return f"{kind if one.kind == _ACCOUNT else f'{kind} identity'} {one.name}"
