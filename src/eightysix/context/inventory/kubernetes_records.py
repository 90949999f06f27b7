"""The members of Kubernetes objects that are decoded, and no others.

What is not named here is skipped by the decoder and never held: data of Secrets and ConfigMaps, environments, arguments,
all annotations but five (`kubectl.kubernetes.io/last-applied-configuration` repeats whole objects). Of a Secret nothing but
its metadata and its type can get in.

Sources: kubernetes.io/docs/reference/kubernetes-api; azure.github.io/azure-workload-identity/docs/topics/service-account-
labels-and-annotations; docs.aws.amazon.com/eks/latest/userguide/associate-service-account-role; cloud.google.com/kubernetes-
engine/docs/how-to/workload-identity; azure.github.io/aad-pod-identity.
"""

from __future__ import annotations

from msgspec import Raw, Struct

__all__ = ["Annotations", "ContainerStatus", "Head", "Item", "Labels", "Metadata", "Spec", "State", "Status"]

_AZURE = "azure.workload.identity/"


class Annotations(
    Struct,
    gc=False,
    rename={
        "client_id": _AZURE + "client-id",
        "tenant_id": _AZURE + "tenant-id",
        "binding": _AZURE + "use-identity-binding",
        "role_arn": "eks.amazonaws.com/role-arn",
        "google": "iam.gke.io/gcp-service-account",
    },
):
    """`metadata.annotations`."""

    client_id: str | None = None
    tenant_id: str | None = None
    binding: str | None = None
    role_arn: str | None = None
    google: str | None = None


class Labels(
    Struct,
    gc=False,
    rename={"use": _AZURE + "use", "pod_identity": "aadpodidbinding", "template": "pod-template-hash"},
):
    """`metadata.labels`."""

    use: str | None = None
    pod_identity: str | None = None
    template: str | None = None


class Owner(Struct, gc=False):
    """One of `metadata.ownerReferences`."""

    kind: str | None = None
    name: str | None = None
    uid: str | None = None
    controller: bool | None = None


class Managed(Struct, gc=False):
    """One of `metadata.managedFields`: when somebody last changed the object."""

    time: str | None = None


class Metadata(
    Struct,
    gc=False,
    rename={
        "created": "creationTimestamp",
        "deleted": "deletionTimestamp",
        "version": "resourceVersion",
        "owners": "ownerReferences",
        "managed": "managedFields",
    },
):
    """`metadata`."""

    name: str | None = None
    namespace: str | None = None
    uid: str | None = None
    created: str | None = None
    deleted: str | None = None
    version: str | None = None
    labels: Labels | None = None
    annotations: Annotations | None = None
    owners: list[Owner] | None = None
    managed: list[Managed] | None = None


class Spec(
    Struct,
    gc=False,
    rename={
        "node": "nodeName",
        "account": "serviceAccountName",
        "old_account": "serviceAccount",
        "host_network": "hostNetwork",
        "provider_id": "providerID",
        "client_id": "clientID",
        "resource_id": "resourceID",
        "azure_identity": "azureIdentity",
    },
):
    """`spec` of a pod, a node, an AzureIdentity (its ids) or an AzureIdentityBinding."""

    node: str | None = None
    account: str | None = None
    old_account: str | None = None
    host_network: bool | None = None
    provider_id: str | None = None
    client_id: str | None = None
    resource_id: str | None = None
    azure_identity: str | None = None
    selector: Raw = Raw()


class Phase(Struct, gc=False, rename={"started": "startedAt", "finished": "finishedAt", "id": "containerID"}):
    """One of the states of a container."""

    started: str | None = None
    finished: str | None = None
    id: str | None = None


class State(Struct, gc=False):
    """`state` or `lastState`."""

    running: Phase | None = None
    terminated: Phase | None = None


class ContainerStatus(
    Struct, gc=False, rename={"image_id": "imageID", "id": "containerID", "last": "lastState"}
):
    """One of `containerStatuses` and their like."""

    name: str | None = None
    image: str | None = None
    image_id: str | None = None
    id: str | None = None
    state: State | None = None
    last: State | None = None


class Address(Struct, gc=False):
    """One of `podIPs`, `hostIPs` (`ip`), or of a node's `addresses`."""

    ip: str | None = None
    type: str | None = None
    address: str | None = None


class Condition(Struct, gc=False, rename={"changed": "lastTransitionTime"}):
    """One of `conditions`, without its message."""

    changed: str | None = None


class Status(
    Struct,
    gc=False,
    rename={
        "pod_ip": "podIP",
        "pod_ips": "podIPs",
        "host_ip": "hostIP",
        "host_ips": "hostIPs",
        "started": "startTime",
        "containers": "containerStatuses",
        "first": "initContainerStatuses",
        "debugging": "ephemeralContainerStatuses",
    },
):
    """`status` of a pod or a node."""

    phase: str | None = None
    pod_ip: str | None = None
    pod_ips: list[Address] | None = None
    host_ip: str | None = None
    host_ips: list[Address] | None = None
    started: str | None = None
    containers: list[ContainerStatus] | None = None
    first: list[ContainerStatus] | None = None
    debugging: list[ContainerStatus] | None = None
    addresses: list[Address] | None = None
    conditions: list[Condition] | None = None


class Head(Struct, gc=False, rename={"api_version": "apiVersion"}):
    """What a record is: an object, a list, or a resource of Azure (`context.inventory.azure`)."""

    kind: str | None = None
    api_version: str | None = None
    type: str | None = None
    items: list[Raw] | None = None
    value: Raw = Raw()
    issuer: str | None = None
    subject: str | None = None


class Item(Struct, gc=False, rename={"api_version": "apiVersion"}):
    """An object of any kind. There is no member for `data`, `stringData` or `binaryData`."""

    kind: str | None = None
    api_version: str | None = None
    metadata: Metadata | None = None
    spec: Spec | None = None
    status: Status | None = None
