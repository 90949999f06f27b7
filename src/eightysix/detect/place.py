"""Where a caller stands: whether a request came from the pod, its node, the declared egress, or from elsewhere.

Only what is known lets anything be outside. A pod whose requests may be translated on the way, nobody knows to what, is
`unknown`: that is a gap, not a finding.
"""

from __future__ import annotations

from eightysix.context.addresses import family
from eightysix.context.destinations import classify
from eightysix.detect.actions import Action
from eightysix.detect.observe import Observation
from eightysix.detect.view import PodView
from eightysix.model.words import Origin

__all__ = ["agent_novelty", "caller_novelty", "place_of"]

_CALLS = frozenset({Action.API, Action.CLOUD})


def place_of(view: PodView, observation: Observation) -> str:
    """`pod`, `node`, `egress`, `outside` (of what the operator declared), `elsewhere` (neither the pod's nor its node's
    address, as far as was learnt), `unknown`; empty for what is no call."""
    if observation.action not in _CALLS:
        return ""
    ip = observation.event.source_ip
    kind = classify(ip, 0) if ip else "unknown"
    if kind not in ("public", "cluster"):
        return "unknown"
    if ip in _own(view):
        return "pod"
    if ip in _of_node(view):
        return "node"
    ranges = view.knowledge.egress
    if ranges.holds(ip):
        return "egress"
    if kind == "public" and any(ip in held for held in view.knowledge.learnt.nodes.values()):
        return "egress"  # nodes of the cluster leave by it
    told = family(ip) in ranges.families
    if observation.action is Action.CLOUD:
        # A private address is one of some virtual network, by a private endpoint: nobody knows whose.
        return "outside" if told and kind == "public" else "unknown"
    if told and (kind == "public" or _knows(_own(view), ip)):
        return "outside"
    return (
        "elsewhere"
        if _knows(_of_node(view), ip) and (kind == "public" or _knows(_own(view), ip))
        else "unknown"
    )


def _knows(known: frozenset[str], ip: str) -> bool:
    """Whether any address of the same family is known."""
    return any(family(one) == family(ip) for one in known)


def _own(view: PodView) -> frozenset[str]:
    """The pod's addresses: as the control plane tells them, and as the kernel saw it connect from. Of the latter private
    ones only: who may change the pod's network could give it any other."""
    known = view.memo.get("own addresses")
    if known is None:
        told = view.knowledge.learnt
        who = view.who
        found = set(told.pods.get(view.key, ())) | told.pods.get(f"{who.namespace}/{who.pod}", set())
        for observation in view.observations:
            for event in observation.evidence:
                if event.origin is Origin.KERNEL and event.source_ip:
                    if classify(event.source_ip, 0) == "cluster":
                        found.add(event.source_ip)
        known = view.memo["own addresses"] = frozenset(found)
    return known


def _of_node(view: PodView) -> frozenset[str]:
    known = view.memo.get("node addresses")
    if known is None:
        nodes = {event.node for o in view.observations for event in o.evidence if event.node}
        told = view.knowledge.learnt.nodes
        known = view.memo["node addresses"] = frozenset(ip for node in nodes for ip in told.get(node, ()))
    return known


def caller_novelty(view: PodView, observation: Observation) -> str:
    """`first` where nobody called as this pod before, `repeat` where somebody did from this address, `new` where they did
    from others only."""
    return _novelty(view, observation, "source_ip")


def agent_novelty(view: PodView, observation: Observation) -> str:
    """The same for the client's product (`kubectl`), which the caller chooses: it adds, and never excuses."""
    return _novelty(view, observation, "user_agent")


def _novelty(view: PodView, observation: Observation, field: str) -> str:
    value = _value(observation, field)
    if observation.action not in _CALLS or not value:
        return "unknown"
    key = f"{observation.action} {field}"
    first = view.memo_times.get(key)
    if first is None:
        first = view.memo_times[key] = {}
        for o in view.observations:
            if o.action is observation.action and _value(o, field):
                first.setdefault(_value(o, field), o.time_ns)
    if first[value] < observation.time_ns:
        return "repeat"
    return "new" if any(time_ns < observation.time_ns for time_ns in first.values()) else "first"


def _value(observation: Observation, field: str) -> str:
    if field == "source_ip":
        return observation.event.source_ip
    return observation.event.user_agent.partition("/")[0]
