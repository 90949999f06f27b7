"""What to do, in which order: as somebody who has done this before would.

First what still runs is stopped, and kept. Then identities, those that are in use from outside first, then those whose
tokens cannot be revoked, then service accounts, then what was read, then what was only exposed. Then the artifact is
blocked, the other pods that have it are cleaned, what is bound to the pod is ended with it, and what the identities did
meanwhile is looked for. docs/rotation.md says why.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from eightysix.model.event import Artifact
from eightysix.model.incident import PodRef
from eightysix.model.story import IdentityStory, Rotation, Sighting
from eightysix.model.words import IdentityState
from eightysix.reconstruct.changing import exposed_remedy
from eightysix.reconstruct.cleaning import artifact_remedies, rechecks
from eightysix.reconstruct.cutting import cut, used_from_outside
from eightysix.reconstruct.isolating import cordon, deletion, evidence, isolation, made_pods, others
from eightysix.reconstruct.remedies import Remedy

__all__ = ["MAX_STEPS", "rotation"]

MAX_STEPS: Final = 64
"""Steps that are told. An incident that took more identities than that is beyond a list."""

_ACCOUNTS: Final = frozenset({"service-account", "service-account-token"})


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
) -> tuple[Rotation, ...]:
    """The steps for one story. `service_account` is `namespace/name`; `node` is the node that
    the story is about, where that is not the pod's. The same for any order of identities, artifacts and sightings."""
    steps: list[Remedy | None] = []
    lost = [i for i in identities if i.state is not IdentityState.EXPOSED]
    if pod is not None and pod.name:
        steps.append(isolation(pod, workload))
    where = node or (pod.node if pod is not None else "")
    if where and any(i.kind == "node" for i in (*identities, *exposed)):
        steps.append(cordon(where))
    steps += [made_pods(lost), others(pod, elsewhere, lost=True)]
    if pod is not None and pod.name:
        steps.append(evidence(pod))
    steps += [cut(i, service_account=service_account, node=where) for i in sorted(lost, key=_urgency)]
    steps.append(exposed_remedy(sorted(exposed, key=lambda i: (i.kind, i.name))))
    steps += artifact_remedies(artifacts)
    steps.append(others(pod, elsewhere, lost=False))
    if pod is not None and pod.name:
        steps.append(deletion(pod, service_account))
    steps += rechecks(pod, service_account, lost, artifacts)
    return tuple(_numbered(steps))


def _numbered(steps: Sequence[Remedy | None]) -> Iterator[Rotation]:
    told = [step for step in steps if step is not None]
    for order, step in enumerate(told[:MAX_STEPS], 1):
        commands = tuple(command for command in step.commands if command)
        why = step.why + (_TOO_LONG if len(commands) < len(step.commands) else "")
        yield Rotation(order, step.what, why, commands, step.for_entity)


_TOO_LONG: Final = " A line is missing here: a name in the telemetry is too long for one."


def _urgency(identity: IdentityStory) -> tuple[int, bool, str, str, str]:
    """What is in use from outside, what cannot be revoked, service accounts, then the rest, in the order they were taken."""
    if used_from_outside(identity):
        rank = 0
    elif identity.revocation.possible is False:
        rank = 1
    elif identity.kind in _ACCOUNTS:
        rank = 2
    else:
        rank = 3
    used = identity.state is IdentityState.USED
    return (rank, not used, identity.taken_at or "~", identity.kind, identity.name)
