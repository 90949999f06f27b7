"""When a chain leaves its pod for the node: the blast radius is every pod on it, and the incident says so.

Whoever runs in the node's namespaces, or reads the kubelet's folder, can take the token of each pod there. Tokens that
were seen to be read are `taken`; the node as a whole is `exposed`.
"""

from __future__ import annotations

from collections.abc import Iterator

from eightysix.context.kubelet import volume_at
from eightysix.detect.chain import Chain
from eightysix.detect.facts import rule_action
from eightysix.detect.observe import Observation
from eightysix.detect.view import PodView
from eightysix.model.incident import Identity, Reason
from eightysix.model.words import Basis, IdentityState

__all__ = ["MAX_NAMED", "node_identities", "node_reason", "node_step", "other_volume"]

MAX_NAMED = 32
"""Other pods' tokens that are named."""

_ENTRIES = ("host-entry", "made-host-entry")


def other_volume(view: PodView, observation: Observation) -> Identity | None:
    """The credential of another pod that an observation takes from the kubelet's folder, None where it takes none."""
    event = observation.event
    volume = volume_at(event.file_path) if event.file_path else None
    mine = event.pod_uid or view.who.pod_uid
    if (
        volume is None
        or observation.domain is None
        or observation.denied
        or not mine
        or volume.pod_uid == mine
    ):
        return None
    name = view.knowledge.names.get(volume.pod_uid, "")
    whose = f"of pod {name} ({volume.pod_uid})" if name else f"of pod {volume.pod_uid}"
    kind = "service-account" if volume.kind == "projected" else "secret-volume"
    domain = str(observation.domain)
    return Identity(kind, f"{whose}, volume {volume.volume}", IdentityState.TAKEN, domain)


def _beyond(chain: Chain) -> Iterator[Observation]:
    """What of the chain happened beyond its own pod, on the node."""
    for found in chain.matches.values():
        for observation in found:
            entered = rule_action(chain.view, observation) in _ENTRIES and not observation.denied
            if entered or other_volume(chain.view, observation) is not None:
                yield observation


def _nodes(chain: Chain) -> list[str]:
    return sorted({o.event.node or "(not named)" for o in _beyond(chain)})


def node_identities(chain: Chain) -> list[Identity]:
    """The nodes that are exposed, and the other pods' credentials that were taken."""
    found = [Identity("node", f"every pod on {node}", IdentityState.EXPOSED) for node in _nodes(chain)]
    taken = {
        identity.name: identity
        for o in _beyond(chain)
        if (identity := other_volume(chain.view, o)) is not None
    }
    return found + [taken[name] for name in sorted(taken)[:MAX_NAMED]]


def node_reason(chain: Chain) -> tuple[Reason, ...]:
    """Why the incident is about more than its pod."""
    return tuple(
        Reason(
            0,
            f"the blast radius is node {node}: its namespaces or other pods' tokens were reached",
            Basis.JUDGED,
        )
        for node in _nodes(chain)
    )


def node_step(chain: Chain) -> tuple[str, ...]:
    """What to do about it."""
    return tuple(
        f"treat every pod on node {node} as exposed: cordon it, keep it for evidence, rotate what its pods hold"
        for node in _nodes(chain)
    )
