"""What to do, in which order: as somebody who has done this before would.

First what still runs is stopped, and kept. Then identities, those that are in use from outside first, then those whose
tokens cannot be revoked, then service accounts, then what was read, then what was only exposed, then what lay further
within reach by a posture. Then the artifact is
blocked, the other pods that have it are cleaned, what is bound to the pod is ended with it, and what the identities did
meanwhile is looked for. docs/rotation.md says why.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from eightysix.model.event import Artifact
from eightysix.model.incident import PodRef
from eightysix.model.reach import Reach
from eightysix.model.story import IdentityStory, Rotation, Sighting
from eightysix.model.words import IdentityState
from eightysix.reconstruct.changing import change_more, exposed_remedy
from eightysix.reconstruct.cleaning import artifact_remedies, rechecks, told_anew
from eightysix.reconstruct.cutting import cut, used_from_outside
from eightysix.reconstruct.isolating import (
    cordon,
    deletion,
    evidence,
    isolation,
    isolation_of_made,
    made_pods,
    others,
    seeing,
)
from eightysix.reconstruct.reaching import reach_remedy
from eightysix.reconstruct.remedies import FILL_IN, Remedy

__all__ = ["MAX_IDENTITIES", "rotation"]

MAX_IDENTITIES: Final = 32
"""Identities that get a step of their own, the most urgent; the others get one together."""

_ACCOUNTS: Final = frozenset({"service-account", "service-account-token", "kubeconfig"})

_WIDEST: Final = frozenset({"cluster-key", "service-principal", "azure-node-identity"})
"""What opens so much, or lasts so long after it was changed, that it comes with what cannot be revoked."""

_BY_DOMAIN: Final[Mapping[str, int]] = {"cluster": 3, "cloud": 3, "delivery": 4, "": 4, "llm": 5}
"""A control plane before what is delivered to it (a registry's login poisons images) before a bill."""


def rotation(
    *,
    pod: PodRef | None,
    workload: str,
    service_account: str,
    identities: Sequence[IdentityStory],
    exposed: Sequence[IdentityStory],
    artifacts: Sequence[Artifact],
    elsewhere: Sequence[Sighting],
    node: str = "",
    reach: Reach | None = None,
) -> tuple[Rotation, ...]:
    """The steps for one story. `service_account` is `namespace/name`; `node` is the node that the story is about, where that is
    not the pod's; `reach` is what the pod could reach, by a posture. The same for any order of identities, artifacts and
    sightings."""
    steps: list[Remedy | None] = []
    lost = sorted((i for i in identities if i.state is not IdentityState.EXPOSED), key=_urgency)
    if pod is not None and pod.name:
        steps += [isolation(pod, workload), seeing(pod)]
    where = node or (pod.node if pod is not None else "")
    if where and any(i.kind == "node" for i in (*identities, *exposed)):
        steps.append(cordon(where))
    made = made_pods(lost)
    steps += [isolation_of_made(made), others(pod, elsewhere, lost=True)]
    if pod is not None and pod.name:
        steps.append(evidence(pod, made))
    for identity in lost[:MAX_IDENTITIES]:
        steps += cut(identity, service_account=service_account, node=where)
    steps.append(change_more(lost[MAX_IDENTITIES:]))
    steps.append(exposed_remedy(sorted(exposed, key=lambda i: (i.kind, i.name))))
    steps.append(reach_remedy(reach, [*identities, *exposed], told_anew))
    steps += artifact_remedies(artifacts)
    steps.append(others(pod, elsewhere, lost=False))
    if pod is not None and pod.name:
        steps.append(deletion(pod, service_account, made))
    steps += rechecks(pod, service_account, lost, artifacts)
    return tuple(_numbered(steps))


def _numbered(steps: Sequence[Remedy | None]) -> Iterator[Rotation]:
    told = [step for step in steps if step is not None]
    for order, step in enumerate(told, 1):
        commands = tuple(command for command in step.commands if command)
        why = step.why + (_TOO_LONG if len(commands) < len(step.commands) else "")
        if "<...>" not in why and any("<" in command for command in commands):
            why += FILL_IN
        yield Rotation(order, step.what, why, commands, step.for_entity)


_TOO_LONG: Final = " A line is missing here: a name in the telemetry is too long for one."


def _urgency(identity: IdentityStory) -> tuple[int, bool, str, str, str]:
    """What is in use from outside, what cannot be revoked, service accounts, then the rest by what it opens; in the order
    they were taken."""
    if used_from_outside(identity):
        rank = 0
    elif identity.revocation.possible is False or identity.kind in _WIDEST:
        rank = 1
    elif identity.kind in _ACCOUNTS:
        rank = 2
    else:
        rank = _BY_DOMAIN.get(identity.domain, 4)
    used = identity.state is IdentityState.USED
    return (rank, not used, identity.taken_at or "~", identity.kind, identity.name)
