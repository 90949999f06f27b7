"""Pods that drive GPUs: privileged because they must be.

The edge to the node stays, as whoever breaks into one has the node. The finding is told once for each node pool, as
architectural: nobody can take the privilege away, but what such a node holds can be kept small (its identities, and which
other pods run there).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from eightysix.model.posture import Confidence, Edge
from eightysix.posture.edges.make import NODE, edge
from eightysix.posture.edges.stores import containers
from eightysix.posture.holder import Holder
from eightysix.posture.lookup import Lookup, lookup
from eightysix.posture.snapshot import Snapshot, Template
from eightysix.posture.vertices import node_id

__all__ = ["OperandPool", "edges", "is_operand", "operand_pools"]

_REPOSITORIES = frozenset(
    """nvcr.io/nvidia/driver nvcr.io/nvidia/k8s/container-toolkit nvcr.io/nvidia/k8s-device-plugin
    nvcr.io/nvidia/k8s/dcgm-exporter nvcr.io/nvidia/gpu-operator nvcr.io/nvidia/gpu-feature-discovery
    nvcr.io/nvidia/vgpu-manager nvcr.io/nvidia/kubevirt-gpu-device-plugin
    mcr.microsoft.com/oss/nvidia/k8s-device-plugin mcr.microsoft.com/oss/v2/nvidia/k8s-device-plugin
    docker.io/rocm/k8s-device-plugin rocm/k8s-device-plugin docker.io/intel/intel-gpu-plugin intel/intel-gpu-plugin
    vault.habana.ai/docker-k8s-device-plugin/docker-k8s-device-plugin""".split()
)
_FOLDERS = ("nvcr.io/nvidia/cloud-native/", "nvcr.io/nvidia/mellanox/")
"""Images of what a GPU needs on its node: github.com/NVIDIA/gpu-operator (assets, values), learn.microsoft.com/azure/aks/
gpu-cluster, github.com/ROCm/k8s-device-plugin, github.com/intel/intel-device-plugins-for-kubernetes, docs.habana.ai. By image
and not by name: a name costs an attacker nothing, and an image of these runs their code."""


class OperandPool(Struct, frozen=True):
    """A node pool with GPU operands: `operands` are vertices, `identities` what its machines are to the cloud, `neighbours`
    how many other templates run there. Whoever breaks into one operand has all of it."""

    pool: str
    operands: tuple[str, ...]
    nodes: tuple[str, ...]
    identities: tuple[str, ...]
    neighbours: tuple[str, ...]


def is_operand(template: Template) -> str:
    """The path of the privileged container by which a template is a GPU operand, empty for any other. All its privileged
    containers must be operands' images."""
    if template.kind not in ("DaemonSet", "Pod"):
        return ""
    found = ""
    for path, container in containers(template):
        context = container.security_context
        if context is None or not context.privileged:
            continue
        image = container.image.partition("@")[0]
        head, colon, tag = image.rpartition(":")
        repository = (head if colon and "/" not in tag else image).lower()
        if repository not in _REPOSITORIES and not repository.startswith(_FOLDERS):
            return ""
        found = found or path
    return found


def edges(snapshot: Snapshot, templates: Sequence[Template]) -> Iterator[Edge]:
    """From each operand to its nodes."""
    known = lookup(snapshot)
    for template in templates:
        path = is_operand(template)
        if not path:
            continue
        holder = Holder(template, known)
        evidence = ((holder.object, f"{holder.at}.{path}.securityContext.privileged"),)
        for node in template.nodes:
            yield edge("GPU_PRIV_OPERAND", holder.vertex, node_id(node), evidence)
        if not template.nodes:
            yield edge("GPU_PRIV_OPERAND", holder.vertex, NODE, evidence, Confidence.INFERRED)


def operand_pools(snapshot: Snapshot, templates: Sequence[Template]) -> tuple[OperandPool, ...]:
    """One for each node pool that operands run in, by name; the pool is empty where nobody tells what a node is of."""
    known = lookup(snapshot)
    pools: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    for template in templates:
        if is_operand(template):
            vertex = Holder(template, known).vertex
            for node in template.nodes or ("",):
                operands, nodes = pools.setdefault(_pool_name(known, node), ({}, {}))
                operands[vertex] = None
                if node:
                    nodes[node] = None
    neighbours: dict[str, set[str]] = {name: set() for name in pools}
    for template in templates:
        if not is_operand(template):
            for name in {_pool_name(known, node) for node in template.nodes} & pools.keys():
                neighbours[name].add(Holder(template, known).vertex)
    return tuple(
        OperandPool(
            name,
            tuple(sorted(operands)),
            tuple(sorted(nodes)),
            _identities(known, nodes),
            tuple(sorted(neighbours[name])),
        )
        for name, (operands, nodes) in sorted(pools.items())
    )


def _pool_name(known: Lookup, node: str) -> str:
    """The scale set of a node, or what its labels call its pool."""
    pool = known.pool_of(node)
    if pool is not None:
        return pool.name
    found = known.snapshot.nodes.get(node)
    labels = (found.metadata.labels or {}) if found is not None else {}
    return next((labels[name] for name in _POOL_LABELS if labels.get(name)), "")


_POOL_LABELS = (
    "kubernetes.azure.com/agentpool",
    "agentpool",
    "eks.amazonaws.com/nodegroup",
    "cloud.google.com/gke-nodepool",
)


def _identities(known: Lookup, nodes: dict[str, None]) -> tuple[str, ...]:
    found = {
        known.identity_id(told.removeprefix("system:"))
        for pool in known.pools_of(nodes)
        for told in pool.identities
    }
    kubelet = known.snapshot.cloud.kubelet_client_id
    if kubelet:
        found.add(known.identity_id(kubelet))
    return tuple(sorted(found))
