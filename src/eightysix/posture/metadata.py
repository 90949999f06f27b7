"""Whether a pod reaches the metadata service of its node (169.254.169.254), and what really stops it.

Open by default: every pod reaches it (learn.microsoft.com/azure/aks/imds-restriction). What closes it: AKS's own
restriction, for pods outside the node's network only; a NetworkPolicy where the plugin holds it against this address
(`lookup.POLICIES_HELD`); GKE's metadata server; a firewall rule that an init container of the pod sets. Nothing closes it
for a pod in the network of its node.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from functools import lru_cache

from msgspec import Struct

from eightysix.model.posture import Confidence
from eightysix.posture.lookup import POLICIES_HELD, Lookup
from eightysix.posture.objects import NetworkPolicy, _Egress, _Peer, _PolicyPort
from eightysix.posture.rbac import matches_labels
from eightysix.posture.snapshot import Template

__all__ = ["ADDRESS", "Reach", "metadata_reach"]

ADDRESS = "169.254.169.254"
_IP = ipaddress.ip_address(ADDRESS)
_PORT = 80
"""Where Azure, AWS and Google answer."""

_GKE = "iam.gke.io/gke-metadata-server-enabled"
"""Label of nodes whose pods get their own Google identity instead of the node's (cloud.google.com, Workload Identity)."""


class Reach(Struct, frozen=True):
    """Whether the service is `open`, why, and where that is written. `doubt` names what might close it and is not known to."""

    open: bool
    why: str
    evidence: tuple[tuple[str, str], ...] = ()
    confidence: Confidence = Confidence.INFERRED
    doubt: str = ""


def metadata_reach(template: Template, known: Lookup) -> Reach:
    """How a pod stands to the metadata service of its node."""
    clouds = known.clouds
    if clouds == {"none"}:
        return Reach(open=False, why="the nodes are machines of no cloud that has one")
    confidence = Confidence.INFERRED if clouds - {"none"} else Confidence.ASSUMED
    spec = template.spec
    if spec.host_network:
        return Reach(True, "it is in the network of its node, where no restriction holds", (), confidence)
    if known.snapshot.cloud.metadata_restricted:
        return Reach(open=False, why="AKS restricts it to the network of the node")
    if _firewalled(template):
        return Reach(open=False, why="an init container closes it by a firewall rule")
    nodes = [node for name in template.nodes if (node := known.snapshot.nodes.get(name)) is not None]
    if nodes and all((node.metadata.labels or {}).get(_GKE) == "true" for node in nodes):
        return Reach(open=False, why="GKE's metadata server answers with the identity of the pod")
    closing = tuple(_closing(template, known))
    if closing and known.plugin in POLICIES_HELD:
        return Reach(open=False, why=f"a NetworkPolicy that {known.plugin} holds", evidence=closing)
    if closing:
        plugin = known.plugin or "a plugin that nobody told"
        return Reach(
            True,
            "a NetworkPolicy would close it, and nothing shows that it is held",
            closing,
            Confidence.ASSUMED,
            f"NetworkPolicy under {plugin}",
        )
    return Reach(True, "open by default, and nothing closes it", (), confidence)


def _firewalled(template: Template) -> bool:
    """Whether an init container drops packets to the service, as JupyterHub's `blockWithIptables` does, and no other
    container can take that back."""
    spec = template.spec
    closes = False
    for container in spec.init_containers or ():
        words = [*(container.command or ()), *(container.args or ())]
        if words and words[0].rpartition("/")[2] == "iptables":
            if ADDRESS in words and not {"DROP", "REJECT"}.isdisjoint(words):
                closes = True
    if not closes:
        return False
    for container in spec.containers:
        context = container.security_context
        if context is None:
            continue
        added = (context.capabilities.add or ()) if context.capabilities is not None else ()
        if context.privileged or not {"NET_ADMIN", "CAP_NET_ADMIN", "ALL"}.isdisjoint(added):
            return False
    return True


def _closing(template: Template, known: Lookup) -> Iterator[tuple[str, str]]:
    """Policies that select the pod and together allow nothing to the service; none where one allows it."""
    labels = template.meta.labels or {}
    found: list[tuple[str, str]] = []
    for key, policy in known.policies.get(template.namespace, ()):
        spec = policy.spec
        egress = "Egress" in (
            spec.policy_types
            if spec.policy_types is not None
            else ("Egress",)
            if spec.egress is not None
            else ()
        )
        if egress and (spec.pod_selector is None or matches_labels(spec.pod_selector, labels)):
            if _allows(policy):
                return
            found.append((f"NetworkPolicy/{key}", "spec.egress"))
    yield from found


def _allows(policy: NetworkPolicy) -> bool:
    return any(_rule_allows(rule) for rule in policy.spec.egress or ())


def _rule_allows(rule: _Egress) -> bool:
    return _ports_allow(rule.ports) and (not rule.to or any(_peer_allows(peer) for peer in rule.to))


def _ports_allow(ports: Sequence[_PolicyPort] | None) -> bool:
    if not ports:
        return True
    for one in ports:
        if one.protocol.upper() not in ("", "TCP"):
            continue
        if one.port is None or isinstance(one.port, str):  # a named port: of whom, nobody can say
            return True
        if one.port <= _PORT <= (one.end_port or one.port):
            return True
    return False


def _peer_allows(peer: _Peer) -> bool:
    """Peers by label are pods, never the metadata service."""
    if peer.ip_block is None:
        return False
    return _contains(peer.ip_block.cidr) and not any(_contains(one) for one in peer.ip_block.except_ or ())


@lru_cache(maxsize=1024)
def _contains(cidr: str) -> bool:
    try:
        return _IP in ipaddress.ip_network(cidr[:64], strict=False)
    except ValueError:
        return False
