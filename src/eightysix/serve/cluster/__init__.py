"""A live cluster, asked for lists of its objects and nothing else."""

from __future__ import annotations

from eightysix.serve.cluster.client import Bounds, ClusterClient, Listed, Page, Resource
from eightysix.serve.cluster.collect import RESOURCES, Collected, collect_inventory
from eightysix.serve.cluster.config import ClusterConfig, from_kubeconfig, in_cluster, reachable_as

__all__ = [
    "RESOURCES",
    "Bounds",
    "ClusterClient",
    "ClusterConfig",
    "Collected",
    "Listed",
    "Page",
    "Resource",
    "collect_inventory",
    "from_kubeconfig",
    "in_cluster",
    "reachable_as",
]
