"""API server audit events, plain and in the envelopes in which Azure delivers them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from eightysix.lab.generate.clock import rfc3339
from eightysix.lab.generate.cluster import Cluster, Pod
from eightysix.lab.generate.ids import hex_id, number, uuid_id
from eightysix.lab.generate.settings import AuditForm

__all__ = [
    "Caller",
    "Request",
    "audit_event",
    "control_plane",
    "envelopes",
    "into_pod",
    "kubelet",
    "of_pod",
    "operator",
]

Record = dict[str, object]

_PYTHON_CLIENT = "OpenAPI-Generator/35.0.0/python"
_API_SERVER_POD = "kube-apiserver-7c9f8d6b5c-2xk4m"
_BATCH = 3


@dataclass(frozen=True)
class Caller:
    """Who a request is from. `extra` is what the authenticator knows of the credential."""

    username: str
    uid: str
    groups: tuple[str, ...]
    extra: tuple[tuple[str, str], ...]
    address: str
    node: str = ""


@dataclass(frozen=True, eq=False)
class Request:
    """One API request. `name` is empty for lists; `code` is the answer; `issued` the id of a token minted by it; `body`
    what it sends, where the audit policy logs at level Request, and `answer` what comes back, at RequestResponse."""

    verb: str
    resource: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    group: str = ""
    version: str = "v1"
    code: int = 200
    user_agent: str = _PYTHON_CLIENT
    issued: str = ""
    body: Record | None = None
    answer: Record | None = None

    @property
    def uri(self) -> str:
        """The path that the client asked for."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        place = f"/namespaces/{self.namespace}" if self.namespace else ""
        name = f"/{self.name}" if self.name and self.verb != "create" or self.subresource else ""
        sub = f"/{self.subresource}" if self.subresource else ""
        query = "?watch=True&timeoutSeconds=300" if self.verb == "watch" else ""
        return f"{root}{place}/{self.resource}{name}{sub}{query}"


def of_pod(pod: Pod, *, minimal: bool = False, token: int = 0) -> Caller:
    """The caller that a pod's own service account token makes. `token` counts the tokens that the kubelet gave the pod.

    `minimal` tells only the pod's name, as clusters before 1.29 and the lab do.
    """
    account = f"system:serviceaccount:{pod.namespace}:{pod.service_account}"
    prefix = "authentication.kubernetes.io/"
    extra: tuple[tuple[str, str], ...] = ((prefix + "pod-name", pod.name),)
    if not minimal:
        extra = (
            (prefix + "credential-id", f"JTI={uuid_id('token', pod.uid, token)}"),
            (prefix + "node-name", pod.node.name),
            (prefix + "node-uid", uuid_id("node", pod.node.name)),
            (prefix + "pod-name", pod.name),
            (prefix + "pod-uid", pod.uid),
        )
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{pod.namespace}", "system:authenticated")
    return Caller(account, "" if minimal else uuid_id("account", account), groups, extra, pod.ip)


def kubelet(node: str, address: str) -> Caller:
    """A node's own agent, as the API server sees it at `address`."""
    return Caller(f"system:node:{node}", "", ("system:nodes", "system:authenticated"), (), address)


def operator(name: str = "mira@contoso.example") -> Caller:
    """A person at a shell, signed in through Entra."""
    return Caller(
        name, uuid_id("user", name), ("sg-ml-operators", "system:authenticated"), (), "198.51.100.20"
    )


def controller(name: str) -> Caller:
    """A controller of the control plane, which acts by a service account of its own."""
    account = f"system:serviceaccount:kube-system:{name}"
    groups = ("system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated")
    return Caller(account, uuid_id("account", account), groups, (), "172.31.0.12")


def into_pod(namespace: str, pod: str) -> Request:
    """`kubectl exec`, as kubectl has spoken since 1.31: it asks for a WebSocket, so the verb is `get`, and the request has
    only started (`ResponseStarted`) while the session lasts (kubernetes.io, KEP-4006). Before that it was `create`."""
    return Request(
        "get", "pods", namespace, pod, "exec", code=101, user_agent="kubectl/v1.34.1 (linux/amd64)"
    )


def control_plane(node: str) -> tuple[tuple[Caller, Request], ...]:
    """What the API server's log is full of in any cluster: a node and a controller renew their leases."""
    agent = "v1.34.1 (linux/amd64) kubernetes/3a8f1c2"
    group = "coordination.k8s.io"
    kubelet = Caller(f"system:node:{node}", "", ("system:nodes", "system:authenticated"), (), "10.224.0.7")
    controller = Caller("system:kube-controller-manager", "", ("system:authenticated",), (), "172.31.0.12")
    renew = Request("update", "leases", "kube-node-lease", node, group=group, user_agent=f"kubelet/{agent}")
    lead = Request(
        "update",
        "leases",
        "kube-system",
        "kube-controller-manager",
        group=group,
        user_agent=f"kube-controller-manager/{agent}/leader-election",
    )
    return (kubelet, renew), (controller, lead)


def audit_event(
    caller: Caller, request: Request, time_ns: int, *, minimal: bool = False, stage: str = "ResponseComplete"
) -> Record:
    """An `audit.k8s.io/v1` event at level Metadata; `time_ns` is when the request was received."""
    took = number(180, 9_400, "took", caller.username, request.uri, time_ns) * 1_000
    begun = stage == "RequestReceived"
    user: Record = {"username": caller.username}
    if caller.uid:
        user["uid"] = caller.uid
    user["groups"] = list(caller.groups)
    if caller.extra:
        user["extra"] = {key: [value] for key, value in caller.extra}
    target: Record = {"resource": request.resource}
    if request.namespace or minimal:
        target["namespace"] = request.namespace
    if request.name or minimal:
        target["name"] = request.name
    if request.group:
        target["apiGroup"] = request.group
    target["apiVersion"] = request.version
    if request.subresource:
        target["subresource"] = request.subresource
    event: Record = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "RequestResponse" if request.answer else "Metadata" if request.body is None else "Request",
        "auditID": uuid_id("audit", caller.username, request.uri, request.verb, time_ns),
        "stage": stage,
        "requestURI": request.uri,
        "verb": request.verb,
        "user": user,
        "sourceIPs": [caller.address],
        "userAgent": request.user_agent,
        "objectRef": target,
    }
    if not begun:
        event["responseStatus"] = (
            {"code": request.code} if minimal else {"metadata": {}, "code": request.code}
        )
    if request.body is not None and not begun:
        event["requestObject"] = request.body
    if request.answer is not None and not begun:
        event["responseObject"] = request.answer
    event["requestReceivedTimestamp"] = rfc3339(time_ns, 6)
    event["stageTimestamp"] = rfc3339(time_ns if begun else time_ns + took, 6)
    if not minimal and not begun:
        annotations = {
            "authorization.k8s.io/decision": "allow" if request.code < 400 else "forbid",
            "authorization.k8s.io/reason": _reason(caller) if request.code < 400 else "",
        }
        if request.issued:
            annotations["authentication.kubernetes.io/issued-credential-id"] = f"JTI={request.issued}"
        event["annotations"] = annotations
    return event


def envelopes(form: AuditForm, cluster: Cluster, events: Iterable[Record]) -> list[Record]:
    """The records of an export of `events` (in their order) in one of Azure's forms."""
    if form is AuditForm.EVENT_HUB:
        wrapped = [_event_hub(cluster, event) for event in events]
        return [{"records": wrapped[start : start + _BATCH]} for start in range(0, len(wrapped), _BATCH)]
    if form is AuditForm.AKS_AUDIT:
        return [_aks_audit(cluster, event) for event in events]
    if form is AuditForm.AKS_AUDIT_TEXT:
        return [_aks_audit_text(cluster, event) for event in events]
    if form is AuditForm.AZURE_DIAGNOSTICS:
        return [_azure_diagnostics(cluster, event) for event in events]
    return list(events)


def _text(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _container_id(cluster: Cluster) -> str:
    return hex_id(64, "api server container", cluster.name)


def _event_hub(cluster: Cluster, event: Record) -> Record:
    return {
        "category": "kube-audit",
        "operationName": "Microsoft.ContainerService/managedClusters/diagnosticLogs/Read",
        "properties": {
            "log": _text(event),
            "containerID": _container_id(cluster),
            "stream": "stdout",
            "pod": _API_SERVER_POD,
        },
        "resourceId": cluster.resource_id,
        "serviceBuild": "na",
        "time": event["stageTimestamp"],
    }


def _aks_audit(cluster: Cluster, event: Record) -> Record:
    return {
        "TenantId": uuid_id("workspace", cluster.name),
        "TimeGenerated": event["stageTimestamp"],
        "Annotations": event.get("annotations", {}),
        "AuditId": event["auditID"],
        "Level": event["level"],
        "ObjectRef": event["objectRef"],
        "PodName": _API_SERVER_POD,
        "RequestObject": event.get("requestObject", {}),
        "RequestReceivedTime": event["requestReceivedTimestamp"],
        "RequestUri": event["requestURI"],
        "ResponseObject": event.get("responseObject", {}),
        "ResponseStatus": event.get("responseStatus", {}),
        "SourceIps": event["sourceIPs"],
        "Stage": event["stage"],
        "StageReceivedTime": event["stageTimestamp"],
        "User": event["user"],
        "UserAgent": event["userAgent"],
        "Verb": event["verb"],
        "SourceSystem": "Azure",
        "Type": "AKSAudit",
        "_ResourceId": cluster.resource_id.lower(),
    }


def _aks_audit_text(cluster: Cluster, event: Record) -> Record:
    row = _aks_audit(cluster, event)
    return {name: _text(value) if isinstance(value, dict | list) else value for name, value in row.items()}


def _azure_diagnostics(cluster: Cluster, event: Record) -> Record:
    parts = cluster.resource_id.split("/")
    return {
        "TenantId": uuid_id("workspace", cluster.name),
        "TimeGenerated": event["stageTimestamp"],
        "ResourceId": cluster.resource_id,
        "Category": "kube-audit",
        "ResourceGroup": parts[4],
        "SubscriptionId": parts[2],
        "ResourceProvider": parts[6],
        "Resource": parts[8],
        "ResourceType": parts[7],
        "OperationName": "Microsoft.ContainerService/managedClusters/diagnosticLogs/Read",
        "log_s": _text(event),
        "stream_s": "stdout",
        "pod_s": _API_SERVER_POD,
        "containerID_s": _container_id(cluster),
        "SourceSystem": "Azure",
        "Type": "AzureDiagnostics",
        "_ResourceId": cluster.resource_id.lower(),
    }


def _reason(caller: Caller) -> str:
    account = caller.username.removeprefix("system:serviceaccount:")
    if caller.username.startswith("system:") and account == caller.username:
        return ""
    if account == caller.username:
        return 'RBAC: allowed by ClusterRoleBinding "ml-operators" of ClusterRole "edit" to Group "sg-ml-operators"'
    namespace, _, name = account.partition(":")
    return f'RBAC: allowed by RoleBinding "{name}/{namespace}" of Role "{name}" to ServiceAccount "{name}/{namespace}"'
