"""Short ways to write objects of Kubernetes, and lists of them."""

from __future__ import annotations

import json
from typing import Any

from eightysix.context.inventory import Inventory, Taken, read_inventory
from eightysix.model.timestamps import to_ns

MI = {"client": "11111111-1111-4111-8111-111111111111", "object": "22222222-2222-4222-8222-222222222222"}
SCALE_SET = "/subscriptions/S1/resourceGroups/MC_rg_aks_we/providers/Microsoft.Compute/virtualMachineScaleSets/aks-gpu-31337-vmss"
NODE = "aks-gpu-31337-vmss000000"


def at(clock: str) -> int:
    """Nanoseconds of `HH:MM:SS` on the day of all tests."""
    return to_ns(f"2026-11-23T{clock}Z")


def stamp(clock: str) -> str:
    return f"2026-11-23T{clock}Z"


def pod(name: str, uid: str, **fields: Any) -> dict[str, Any]:
    """A pod that runs. Fields: created, node, account, ip, host_ip, host_network, owner, labels, phase, finished, deleted,
    containers, version."""
    told = {"created": "10:00:00", "node": NODE, "account": "inference-sa", "ip": "10.244.1.5"} | fields
    metadata: dict[str, Any] = {
        "name": name,
        "namespace": told.get("namespace", "ml"),
        "uid": uid,
        "creationTimestamp": stamp(told["created"]),
        "resourceVersion": str(told.get("version", "100")),
        "labels": told.get("labels", {}),
    }
    if "deleted" in told:
        metadata["deletionTimestamp"] = stamp(told["deleted"])
    if "owner" in told:
        kind, owner, owner_uid = told["owner"]
        metadata["ownerReferences"] = [{"kind": kind, "name": owner, "uid": owner_uid, "controller": True}]
    state = {"running": {"startedAt": stamp(told["created"])}}
    if "finished" in told:
        state = {"terminated": {"startedAt": stamp(told["created"]), "finishedAt": stamp(told["finished"])}}
    container = {
        "name": "server",
        "image": "registry.example/ml/inference:prod",
        "imageID": "registry.example/ml/inference@sha256:5e5e",
        "containerID": f"containerd://{uid.replace('-', '')}cccccccccccc",
        "state": state,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {
            "nodeName": told["node"],
            "serviceAccountName": told["account"],
            "hostNetwork": told.get("host_network", False),
            "containers": [{"name": "server", "image": "i", "env": [{"name": "KEY", "value": "CANARY-env"}]}],
        },
        "status": {
            "phase": told.get("phase", "Running"),
            "podIP": told["ip"],
            "podIPs": [{"ip": told["ip"]}],
            "hostIP": told.get("host_ip", "10.224.0.4"),
            "startTime": stamp(told["created"]),
            "containerStatuses": [container],
        },
    }


def account(name: str, client_id: str = "", **fields: Any) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "name": name,
        "namespace": "ml",
        "uid": f"sa-{name}",
        "creationTimestamp": stamp("08:00:00"),
        "resourceVersion": str(fields.get("version", "10")),
        "annotations": {"azure.workload.identity/client-id": client_id} if client_id else {},
    }
    if "changed" in fields:
        metadata["managedFields"] = [{"time": stamp(fields["changed"]), "fieldsV1": {}}]
    metadata["annotations"] |= fields.get("annotations", {})
    return {"kind": "ServiceAccount", "apiVersion": "v1", "metadata": metadata}


def node(name: str = NODE, provider: str = f"azure://{SCALE_SET}/virtualMachines/0") -> dict[str, Any]:
    return {
        "kind": "Node",
        "apiVersion": "v1",
        "metadata": {"name": name, "uid": f"node-{name}", "creationTimestamp": stamp("00:00:00")},
        "spec": {"providerID": provider},
        "status": {"addresses": [{"type": "InternalIP", "address": "10.224.0.4"}]},
    }


def scale_set(id_: str = SCALE_SET, **ids: str) -> dict[str, Any]:
    told = MI | ids
    identity = (
        "/subscriptions/S1/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/mi"
    )
    return {
        "id": id_,
        "type": "Microsoft.Compute/virtualMachineScaleSets",
        "identity": {
            "type": "UserAssigned",
            "userAssignedIdentities": {identity: {"clientId": told["client"], "principalId": told["object"]}},
        },
    }


def read(inventory: Inventory, *objects: object, collected: str = "", cluster: str = "") -> Taken:
    """Take objects, one a line."""
    data = b"\n".join(json.dumps(one).encode() for one in objects)
    collected_ns = at(collected) if collected else 0
    return read_inventory(inventory, data, "i.json", cluster=cluster, collected_ns=collected_ns)
