"""Who is who in a cluster and in its cloud, valid in time: pods, service accounts, nodes, identities, federations."""

from __future__ import annotations

from eightysix.context.inventory.nouns import (
    AFTER_NS,
    SKEW_NS,
    Container,
    Federation,
    Holder,
    Node,
    Pod,
    Pool,
)
from eightysix.context.inventory.reading import Taken, read_inventory
from eightysix.context.inventory.view import EVERY_POD, Inventory

__all__ = [
    "AFTER_NS",
    "EVERY_POD",
    "SKEW_NS",
    "Container",
    "Federation",
    "Holder",
    "Inventory",
    "Node",
    "Pod",
    "Pool",
    "Taken",
    "read_inventory",
]
