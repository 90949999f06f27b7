"""An inventory of a live cluster: what the role in `deploy/cluster` may list, and what it may not as gaps."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct, field

from eightysix.context.inventory import Inventory, Taken
from eightysix.context.inventory.reading import read_items
from eightysix.serve.cluster.client import ClusterClient, Listed, Resource

__all__ = ["RESOURCES", "Collected", "collect_inventory"]

RESOURCES = (
    Resource("Pod", "pods"),
    Resource("ServiceAccount", "serviceaccounts"),
    Resource("Node", "nodes", namespaced=False),
    Resource("ReplicaSet", "replicasets", "apps"),
    Resource("Job", "jobs", "batch"),
    Resource("AzureIdentity", "azureidentities", "aadpodidentity.k8s.io"),
    Resource("AzureIdentityBinding", "azureidentitybindings", "aadpodidentity.k8s.io"),
)
"""What is listed. The last two exist where AAD Pod Identity is installed, and their absence is no gap."""

_OPTIONAL = "aadpodidentity.k8s.io"


class Collected(Struct):
    """What came of it. `gaps` are in words for people."""

    taken: Taken = field(default_factory=Taken)
    lists: list[Listed] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)


def collect_inventory(
    client: ClusterClient,
    inventory: Inventory,
    clock: Callable[[], int],
    *,
    namespaces: Sequence[str] = (),
    resources: Sequence[Resource] = RESOURCES,
) -> Collected:
    """List everything into `inventory`. `clock` tells nanoseconds since 1970; `namespaces` are asked for one by one where the
    whole cluster may not be listed. Raises `ClusterError` where the server cannot be asked at all."""
    done = Collected()
    for resource in resources:
        for namespace in namespaces if namespaces and resource.namespaced else ("",):
            listed = Listed(resource)
            done.lists.append(listed)
            # Before it is asked: what comes was there then, or is younger and says so.
            now = clock()
            for page in client.list(resource, listed, namespace):
                read_items(
                    inventory,
                    resource.kind,
                    page.items,
                    file=f"{client.config.name or client.config.server}/{resource.plural}",
                    cluster=client.config.name,
                    collected_ns=now,
                    taken=done.taken,
                )
            if listed.gap and not (resource.group == _OPTIONAL and (listed.absent or "(403)" in listed.gap)):
                done.gaps.append(listed.gap)
    return done
