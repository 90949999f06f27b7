"""What the lab's cluster holds before anything happens: the namespace of the server, what it may do, what lies there.

The role is wider than a server needs, as roles are: it reads the secrets of its namespace, makes pods and asks for tokens.
"""

from __future__ import annotations

from typing import Any
from uuid import NAMESPACE_DNS, uuid5

from eightysix.lab.interface import PodSpec
from eightysix.lab.services.directory import IDENTITY, PUSHER
from eightysix.lab.world import NODE, TENANT

__all__ = [
    "NAMESPACE",
    "OPERATORS",
    "SCHEDULER",
    "controller_of",
    "owner_uid",
    "pod_object",
    "running",
    "status",
    "world",
]

Object = dict[str, Any]

NAMESPACE = "ml"
OPERATORS = "ml-operators"
"""The group of people that may do what the cluster role `edit` allows."""
SCHEDULER = "system:kube-scheduler"

_RBAC = "rbac.authorization.k8s.io"
_READ = ["get", "list", "watch"]
_CONTROLLERS = {
    "StatefulSet": "statefulset-controller",
    "ReplicaSet": "replicaset-controller",
    "Deployment": "replicaset-controller",
    "DaemonSet": "daemon-set-controller",
    "Job": "job-controller",
}


def controller_of(workload_kind: str) -> str:
    """The service account in `kube-system` that makes pods of such a workload; empty where pods are made by hand."""
    return _CONTROLLERS.get(workload_kind, "")


def owner_uid(namespace: str, kind: str, name: str) -> str:
    """Uid of a workload: the same for each of its pods, in every run."""
    return str(uuid5(NAMESPACE_DNS, f"{name}.{namespace}.{kind}.eightysix.example"))


def world() -> list[Object]:
    """The objects."""
    rules = [
        _rule(["configmaps"], _READ),
        _rule(["secrets"], ["get", "list"]),
        _rule(["pods"], ["create", "get", "list"]),
        _rule(["serviceaccounts"], ["get", "list"]),
        _rule(["serviceaccounts/token"], ["create"]),
    ]
    workload = _item(
        "apps/v1", "StatefulSet", "inference", NAMESPACE, spec={"replicas": 1, "serviceName": "inference"}
    )
    workload["metadata"]["uid"] = owner_uid(NAMESPACE, "StatefulSet", "inference")
    plain = {"clientId": PUSHER.client_id, "clientSecret": PUSHER.secret, "tenantId": TENANT}
    found: list[Object] = [
        _item("v1", "Namespace", NAMESPACE, ""),
        _item(
            "v1",
            "Node",
            NODE,
            "",
            status={"nodeInfo": {"osImage": "Ubuntu 24.04.2 LTS", "kubeletVersion": "v1.34.1"}},
        ),
        _item(
            "v1",
            "ServiceAccount",
            "inference-sa",
            NAMESPACE,
            annotations={"azure.workload.identity/client-id": IDENTITY.client_id},
        ),
        _item("v1", "Secret", "acr-push-sp", NAMESPACE, type="Opaque", stringData=plain),
        _item("v1", "ConfigMap", "inference-settings", NAMESPACE, data={"batch": "8", "threshold": "0.5"}),
        workload,
        _item(f"{_RBAC}/v1", "Role", "inference", NAMESPACE, rules=rules),
        _binding(
            "RoleBinding", "inference", NAMESPACE, "Role", "inference", _account("inference-sa", NAMESPACE)
        ),
        _binding("ClusterRoleBinding", OPERATORS, "", "ClusterRole", "edit", _group(OPERATORS)),
    ]
    bind = [_rule(["pods/binding"], ["create"])]
    found.append(_item(f"{_RBAC}/v1", "ClusterRole", SCHEDULER, "", rules=bind))
    user = {"apiGroup": _RBAC, "kind": "User", "name": SCHEDULER}
    found.append(_binding("ClusterRoleBinding", SCHEDULER, "", "ClusterRole", SCHEDULER, user))
    for name in sorted(set(_CONTROLLERS.values())):
        role = f"system:controller:{name}"
        made = [_rule(["pods"], ["create", "delete", "patch", *_READ])]
        found.append(_item("v1", "ServiceAccount", name, "kube-system"))
        found.append(_item(f"{_RBAC}/v1", "ClusterRole", role, "", rules=made))
        found.append(
            _binding("ClusterRoleBinding", role, "", "ClusterRole", role, _account(name, "kube-system"))
        )
    return found


def pod_object(pod: PodSpec) -> Object:
    """A pod as its workload makes it."""
    container: Object = {
        "name": pod.container,
        "image": pod.image,
        "command": list(pod.argv),
        "env": [{"name": name, "value": value} for name, value in pod.env.items()],
    }
    if pod.port:
        container["ports"] = [{"containerPort": pod.port, "protocol": "TCP"}]
    metadata: Object = {"name": pod.name, "namespace": pod.namespace, "labels": dict(pod.labels)}
    if controller_of(pod.workload_kind):
        metadata["ownerReferences"] = [_owner(pod)]
    spec = {"serviceAccountName": pod.service_account, "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def running(item: Object, pod: PodSpec, uid: str, container_id: str) -> Object:
    """`item`, which the API server has taken, as it runs on the node, under the uid that the run gave it."""
    metadata = {**item["metadata"], "uid": uid}
    spec = {**item["spec"], "nodeName": NODE}
    return {
        **item,
        "metadata": metadata,
        "spec": spec,
        "status": {**item["status"], **status(pod, container_id)},
    }


def _owner(pod: PodSpec) -> Object:
    version = "batch/v1" if pod.workload_kind == "Job" else "apps/v1"
    return {
        "apiVersion": version,
        "kind": pod.workload_kind,
        "name": pod.workload,
        "uid": owner_uid(pod.namespace, pod.workload_kind, pod.workload),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def status(pod: PodSpec, container_id: str) -> Object:
    """What the kubelet tells of a pod whose container runs."""
    return {
        "phase": "Running",
        "podIP": pod.ip,
        "podIPs": [{"ip": pod.ip}],
        "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [
            {
                "name": pod.container,
                "image": pod.image,
                "imageID": f"{pod.image.rpartition(':')[0]}@{pod.image_digest}",
                "containerID": f"containerd://{container_id}",
                "ready": True,
                "restartCount": 0,
                "state": {"running": {}},
            }
        ],
    }


def _item(
    version: str, kind: str, name: str, namespace: str, *, annotations: Object | None = None, **more: Any
) -> Object:
    metadata: Object = {"name": name}
    if namespace:
        metadata["namespace"] = namespace
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **more}


def _rule(resources: list[str], verbs: list[str]) -> Object:
    return {"apiGroups": [""], "resources": resources, "verbs": verbs}


def _binding(kind: str, name: str, namespace: str, role_kind: str, role: str, subject: Object) -> Object:
    ref = {"apiGroup": _RBAC, "kind": role_kind, "name": role}
    return _item(f"{_RBAC}/v1", kind, name, namespace, roleRef=ref, subjects=[subject])


def _account(name: str, namespace: str) -> Object:
    return {"kind": "ServiceAccount", "name": name, "namespace": namespace}


def _group(name: str) -> Object:
    return {"apiGroup": _RBAC, "kind": "Group", "name": name}
