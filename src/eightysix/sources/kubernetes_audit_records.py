"""The members of audit records that are decoded, and no others: headers and unknown extras never enter, and of bodies
(which audit policies log at level Request and above) only what `Body` names.

Sources: audit.k8s.io/v1 (kubernetes.io/docs/reference/config-api/apiserver-audit.v1), Azure Monitor's tables AKSAudit,
AKSAuditAdmin and AzureDiagnostics, and the common schema of Azure resource logs (Event Hub, storage).
"""

from __future__ import annotations

from msgspec import Raw, Struct

__all__ = [
    "Annotations",
    "AuditEvent",
    "Body",
    "Caller",
    "Extra",
    "Impersonated",
    "PodSpec",
    "Properties",
    "Record",
    "Status",
    "Target",
]

_OF_CALLER = "authentication.kubernetes.io/"


class Extra(
    Struct,
    gc=False,
    rename={
        "credential_id": _OF_CALLER + "credential-id",
        "pod_name": _OF_CALLER + "pod-name",
        "pod_uid": _OF_CALLER + "pod-uid",
        "node_name": _OF_CALLER + "node-name",
    },
):
    """What the authenticator knows of a service account token (Kubernetes 1.29 and later; pod name and uid before)."""

    credential_id: list[str] | None = None
    pod_name: list[str] | None = None
    pod_uid: list[str] | None = None
    node_name: list[str] | None = None


class Caller(Struct, gc=False):
    """`user`."""

    username: str | None = None
    extra: Extra | None = None


class Impersonated(Struct, gc=False):
    """`impersonatedUser`: its extras are what the caller asked for, so they are not read."""

    username: str | None = None


class Target(Struct, gc=False):
    """`objectRef`."""

    resource: str | None = None
    namespace: str | None = None
    name: str | None = None
    subresource: str | None = None


class Status(Struct, gc=False):
    """`responseStatus`, without its message."""

    code: int | None = None


class Annotations(
    Struct,
    gc=False,
    rename={"decision": "authorization.k8s.io/decision", "issued": _OF_CALLER + "issued-credential-id"},
):
    """The two annotations that mean something here."""

    decision: str | None = None
    issued: str | None = None


class Address(Struct, gc=False):
    """One of `podIPs`, `hostIPs`."""

    ip: str = ""


class PodStatus(
    Struct,
    gc=False,
    rename={"pod_ips": "podIPs", "host_ips": "hostIPs", "pod_ip": "podIP", "host_ip": "hostIP"},
):
    """`status`, as the kubelet reports it."""

    pod_ip: str | None = None
    host_ip: str | None = None
    pod_ips: list[Address] | None = None
    host_ips: list[Address] | None = None


class SecurityContext(Struct, gc=False):
    """`securityContext` of a container."""

    privileged: bool | None = None


class BodyContainer(Struct, gc=False, rename={"security": "securityContext"}):
    """One of `containers`."""

    security: SecurityContext | None = None


class Claim(Struct, gc=False, rename={"name": "claimName"}):
    """`persistentVolumeClaim` of a volume."""

    name: str | None = None


class Volume(Struct, gc=False, rename={"host_path": "hostPath", "claim": "persistentVolumeClaim"}):
    """One of `volumes`; what its `hostPath` names is not kept."""

    host_path: dict[str, object] | None = None
    claim: Claim | None = None


class PodSpec(
    Struct,
    gc=False,
    rename={
        "host_pid": "hostPID",
        "host_network": "hostNetwork",
        "host_ipc": "hostIPC",
        "first": "initContainers",
        "account": "serviceAccountName",
    },
):
    """What of the node a pod asks for, and what it runs as."""

    host_pid: bool | None = None
    host_network: bool | None = None
    host_ipc: bool | None = None
    volumes: list[Volume] | None = None
    containers: list[BodyContainer] | None = None
    first: list[BodyContainer] | None = None
    account: str | None = None


class Bound(Struct, gc=False):
    """`boundObjectRef` of a request for a token."""

    kind: str | None = None
    name: str | None = None
    uid: str | None = None


class Template(Struct, gc=False):
    """`template` of a workload."""

    spec: PodSpec | None = None


class JobSpec(Struct, gc=False):
    """`spec` of a job template."""

    template: Template | None = None


class JobTemplate(Struct, gc=False):
    """`jobTemplate` of a CronJob."""

    spec: JobSpec | None = None


class Spec(PodSpec, gc=False, rename={"job": "jobTemplate", "bound": "boundObjectRef"}):
    """`spec` of a pod, of a workload that makes pods, or of a request for a token."""

    template: Template | None = None
    job: JobTemplate | None = None
    bound: Bound | None = None


class Notes(Struct, gc=False, rename={"client_id": "azure.workload.identity/client-id"}):
    """`metadata.annotations` of a service account (azure.github.io/azure-workload-identity)."""

    client_id: str | None = None


class Metadata(Struct, gc=False):
    """`metadata`."""

    name: str | None = None
    uid: str | None = None
    annotations: Notes | None = None


class Body(Struct, gc=False):
    """Of `requestObject` and `responseObject`."""

    metadata: Metadata | None = None
    spec: Spec | None = None
    status: PodStatus | None = None


class AuditEvent(
    Struct,
    gc=False,
    rename={
        "request": "requestObject",
        "response": "responseObject",
        "api_version": "apiVersion",
        "audit_id": "auditID",
        "uri": "requestURI",
        "impersonated": "impersonatedUser",
        "source_ips": "sourceIPs",
        "user_agent": "userAgent",
        "target": "objectRef",
        "status": "responseStatus",
        "received": "requestReceivedTimestamp",
        "staged": "stageTimestamp",
    },
):
    """`audit.k8s.io/v1` `Event`."""

    kind: str | None = None
    level: str | None = None
    api_version: str | None = None
    audit_id: str | None = None
    stage: str | None = None
    uri: str | None = None
    verb: str | None = None
    user: Caller | None = None
    impersonated: Impersonated | None = None
    source_ips: list[str] | None = None
    user_agent: str | None = None
    target: Target | None = None
    status: Status | None = None
    received: str | None = None
    staged: str | None = None
    annotations: Annotations | None = None
    request: Raw = Raw()
    response: Raw = Raw()


class Properties(Struct, gc=False):
    """Of an Azure resource log: `log` is the audit event as text (some pipelines parse it on the way)."""

    log: AuditEvent | str | None = None


class Record(
    AuditEvent,
    gc=False,
    rename={
        "row_resource_id": "_ResourceId",
        "row_category": "Category",
        "row_type": "Type",
        "row_level": "Level",
        "row_time": "TimeGenerated",
        "row_arrived": "_TimeReceived",
        "row_audit_id": "AuditId",
        "row_stage": "Stage",
        "row_uri": "RequestUri",
        "row_verb": "Verb",
        "row_user": "User",
        "row_source_ips": "SourceIps",
        "row_user_agent": "UserAgent",
        "row_target": "ObjectRef",
        "row_status": "ResponseStatus",
        "row_received": "RequestReceivedTime",
        "row_staged": "StageReceivedTime",
        "row_annotations": "Annotations",
        "row_request": "RequestObject",
        "row_response": "ResponseObject",
        "row_diagnostics_id": "ResourceId",
        "resource_id": "resourceId",
    },
):
    """A line of any of the wrappings: what is absent stays None or empty, what is `Raw` is decoded only when it is needed
    (msgspec knows no `Raw | None`).

    `row_*` are Log Analytics columns. Their dynamic ones come as JSON or as text of JSON. The column `PodName` is the
    API server's own pod and therefore not read.
    """

    records: list[Raw] | None = None
    items: list[Raw] | None = None
    category: str | None = None
    time: str | None = None
    properties: Raw = Raw()
    resource_id: str | None = None
    log_s: str | None = None
    row_category: str | None = None
    row_type: str | None = None
    row_level: str | None = None
    row_time: str | None = None
    row_arrived: str | None = None
    row_diagnostics_id: str | None = None
    row_resource_id: str | None = None
    row_audit_id: str | None = None
    row_stage: str | None = None
    row_uri: str | None = None
    row_verb: str | None = None
    row_user: Raw = Raw()
    row_source_ips: Raw = Raw()
    row_user_agent: str | None = None
    row_target: Raw = Raw()
    row_status: Raw = Raw()
    row_received: str | None = None
    row_staged: str | None = None
    row_annotations: Raw = Raw()
    row_request: Raw = Raw()
    row_response: Raw = Raw()
