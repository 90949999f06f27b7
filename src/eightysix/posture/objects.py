"""Kubernetes objects as posture reads them: the members that matter, everything else left out, Secret data never.

Field names and defaults: kubernetes.io/docs/reference/kubernetes-api (v1.34). Decoded with msgspec from JSON, or from YAML
that was read with the safe loader; what does not fit is told by whoever decodes, and is no object.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Struct, field

__all__ = [
    "NO_SPEC",
    "AggregationRule",
    "Binding",
    "Capabilities",
    "Container",
    "EnvFrom",
    "EnvVar",
    "Made",
    "Meta",
    "Named",
    "NamespaceObject",
    "NetworkPolicy",
    "NodeObject",
    "Owner",
    "Pod",
    "PodSecurityContext",
    "PodSpec",
    "PolicyRule",
    "Port",
    "Role",
    "RoleRef",
    "SecretObject",
    "SecurityContext",
    "ServiceAccount",
    "Subject",
    "Volume",
    "VolumeMount",
    "Workload",
]


_Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""What the API server takes for a number. A larger one makes the object unusable; it could not be packed either."""


class Owner(Struct, frozen=True, rename="camel"):
    """An entry of `metadata.ownerReferences`."""

    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool | None = None


class Meta(Struct, frozen=True, rename="camel"):
    """`metadata`. A null map or list is as absent."""

    name: str = ""
    generate_name: str = ""
    namespace: str = ""
    uid: str = ""
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owner_references: tuple[Owner, ...] | None = None
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    resource_version: str = ""


class Named(Struct, frozen=True, rename="camel"):
    """A reference by name."""

    name: str = ""
    namespace: str = ""


class _KeyRef(Struct, frozen=True, rename="camel"):
    name: str = ""
    key: str = ""
    optional: bool | None = None


class _FieldRef(Struct, frozen=True, rename="camel"):
    field_path: str = ""


class _ValueFrom(Struct, frozen=True, rename="camel"):
    secret_key_ref: _KeyRef | None = None
    config_map_key_ref: _KeyRef | None = None
    field_ref: _FieldRef | None = None


class EnvVar(Struct, frozen=True, rename="camel"):
    """A variable. `value` may be a secret that somebody wrote into a manifest: it is looked at, and never kept or shown."""

    name: str = ""
    value: str | None = None
    value_from: _ValueFrom | None = None


class EnvFrom(Struct, frozen=True, rename="camel"):
    """All keys of a Secret or ConfigMap as variables."""

    prefix: str = ""
    secret_ref: Named | None = None
    config_map_ref: Named | None = None


class Capabilities(Struct, frozen=True, rename="camel"):
    """Linux capabilities without `CAP_`."""

    add: tuple[str, ...] | None = None
    drop: tuple[str, ...] | None = None


class _Profile(Struct, frozen=True, rename="camel"):
    type: str = ""


class SecurityContext(Struct, frozen=True, rename="camel"):
    """Of a container."""

    privileged: bool | None = None
    capabilities: Capabilities | None = None
    run_as_user: _Int64 | None = None
    run_as_non_root: bool | None = None
    allow_privilege_escalation: bool | None = None
    read_only_root_filesystem: bool | None = None
    app_armor_profile: _Profile | None = None
    seccomp_profile: _Profile | None = None


class PodSecurityContext(Struct, frozen=True, rename="camel"):
    """Of a pod; a container's own wins."""

    run_as_user: _Int64 | None = None
    run_as_non_root: bool | None = None
    app_armor_profile: _Profile | None = None


class VolumeMount(Struct, frozen=True, rename="camel"):
    """Where a volume is in a container."""

    name: str = ""
    mount_path: str = ""
    sub_path: str = ""
    read_only: bool | None = None


class Port(Struct, frozen=True, rename="camel"):
    """A port that a container says it listens on."""

    container_port: _Int64 = 0
    host_port: _Int64 | None = None
    name: str = ""
    protocol: str = ""


class Container(Struct, frozen=True, rename="camel"):
    """A container of a pod. `restart_policy` Always in an init container makes a sidecar."""

    name: str = ""
    image: str = ""
    command: tuple[str, ...] | None = None
    args: tuple[str, ...] | None = None
    env: tuple[EnvVar, ...] | None = None
    env_from: tuple[EnvFrom, ...] | None = None
    security_context: SecurityContext | None = None
    volume_mounts: tuple[VolumeMount, ...] | None = None
    ports: tuple[Port, ...] | None = None
    restart_policy: str | None = None
    image_pull_policy: str = ""


class _HostPath(Struct, frozen=True, rename="camel"):
    path: str = ""
    type: str | None = None


class _SecretVolume(Struct, frozen=True, rename="camel"):
    secret_name: str = ""


class _TokenProjection(Struct, frozen=True, rename="camel"):
    audience: str = ""
    path: str = ""
    expiration_seconds: _Int64 | None = None


class _ProjectedSource(Struct, frozen=True, rename="camel"):
    service_account_token: _TokenProjection | None = None
    secret: Named | None = None
    config_map: Named | None = None


class _Projected(Struct, frozen=True, rename="camel"):
    sources: tuple[_ProjectedSource, ...] | None = None


class _Csi(Struct, frozen=True, rename="camel"):
    driver: str = ""
    volume_attributes: dict[str, str] | None = None
    node_publish_secret_ref: Named | None = None


class _Claim(Struct, frozen=True, rename="camel"):
    claim_name: str = ""
    read_only: bool | None = None


class Volume(Struct, frozen=True, rename="camel"):
    """A volume; of its many kinds those that give something away."""

    name: str = ""
    host_path: _HostPath | None = None
    secret: _SecretVolume | None = None
    projected: _Projected | None = None
    csi: _Csi | None = None
    config_map: Named | None = None
    persistent_volume_claim: _Claim | None = None


class PodSpec(Struct, frozen=True, rename="camel"):
    """What a pod is to be."""

    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] | None = None
    ephemeral_containers: tuple[Container, ...] | None = None
    volumes: tuple[Volume, ...] | None = None
    service_account_name: str = ""
    service_account: str = ""
    automount_service_account_token: bool | None = None
    node_name: str = ""
    node_selector: dict[str, str] | None = None
    host_network: bool | None = None
    host_pid: bool | None = field(default=None, name="hostPID")
    host_ipc: bool | None = field(default=None, name="hostIPC")
    share_process_namespace: bool | None = None
    image_pull_secrets: tuple[Named, ...] | None = None
    security_context: PodSecurityContext | None = None
    runtime_class_name: str | None = None


class _PodStatus(Struct, frozen=True, rename="camel"):
    phase: str = ""
    pod_ip: str = field(default="", name="podIP")
    host_ip: str = field(default="", name="hostIP")


class Pod(Struct, frozen=True):
    """A pod. Finished ones (`status.phase` Succeeded or Failed) hold nothing any more."""

    metadata: Meta
    spec: PodSpec
    status: _PodStatus | None = None


class _Template(Struct, frozen=True):
    spec: PodSpec
    metadata: Meta | None = None


class _WorkloadSpec(Struct, frozen=True, rename="camel"):
    template: _Template | None = None
    replicas: _Int64 | None = None
    job_template: _JobTemplate | None = None


class _JobTemplate(Struct, frozen=True):
    spec: _WorkloadSpec


NO_SPEC = _WorkloadSpec()
"""Of what makes pods, and has no template where a Deployment has it."""


class Made(Struct, frozen=True):
    """One specification: `at` is where it stands, `part` what tells it from others of its object, `paths` are its
    containers', where they are not `containers[0]` and so on."""

    at: str
    part: str
    meta: Meta
    spec: PodSpec
    replicas: _Int64 = 1
    paths: tuple[str, ...] = ()


class Workload(Struct, frozen=True):
    """What makes pods: Deployment, StatefulSet, DaemonSet, ReplicaSet, Job, CronJob, ReplicationController, and any custom
    resource with a pod template in the same place. `kind` is set by whoever decodes; of a custom resource that has its
    specifications elsewhere `group`, `made` and `over` (it has ended)."""

    metadata: Meta
    spec: _WorkloadSpec
    kind: str = ""
    group: str = ""
    made: tuple[Made, ...] = ()
    over: bool = False

    @property
    def template(self) -> tuple[Meta, PodSpec] | None:
        """Metadata and spec of the pods that it makes."""
        spec = self.spec.job_template.spec if self.spec.job_template is not None else self.spec
        if spec.template is None:
            return None
        return spec.template.metadata or Meta(), spec.template.spec


class ServiceAccount(Struct, frozen=True, rename="camel"):
    """A service account."""

    metadata: Meta
    automount_service_account_token: bool | None = None
    image_pull_secrets: tuple[Named, ...] | None = None
    secrets: tuple[Named, ...] | None = None


class PolicyRule(Struct, frozen=True, rename="camel"):
    """One rule of a role (rbac.authorization.k8s.io/v1)."""

    verbs: tuple[str, ...] = ()
    api_groups: tuple[str, ...] | None = None
    resources: tuple[str, ...] | None = None
    resource_names: tuple[str, ...] | None = None
    non_resource_urls: tuple[str, ...] | None = field(default=None, name="nonResourceURLs")


class _Expression(Struct, frozen=True):
    key: str = ""
    operator: str = ""
    values: tuple[str, ...] | None = None


class _Selector(Struct, frozen=True, rename="camel"):
    match_labels: dict[str, str] | None = None
    match_expressions: tuple[_Expression, ...] | None = None


class AggregationRule(Struct, frozen=True, rename="camel"):
    """Which cluster roles' rules a cluster role takes over."""

    cluster_role_selectors: tuple[_Selector, ...] | None = None


class Role(Struct, frozen=True, rename="camel"):
    """A Role, or a ClusterRole (no namespace). `cluster` is set by whoever decodes."""

    metadata: Meta
    rules: tuple[PolicyRule, ...] | None = None
    aggregation_rule: AggregationRule | None = None
    cluster: bool = False


class RoleRef(Struct, frozen=True, rename="camel"):
    """What a binding binds."""

    kind: str = ""
    name: str = ""
    api_group: str = ""


class Subject(Struct, frozen=True, rename="camel"):
    """To whom: `User`, `Group`, or `ServiceAccount` (whose namespace defaults to none, and is refused by the API)."""

    kind: str = ""
    name: str = ""
    namespace: str = ""
    api_group: str = ""


class Binding(Struct, frozen=True, rename="camel"):
    """A RoleBinding, or a ClusterRoleBinding (no namespace). `cluster` is set by whoever decodes."""

    metadata: Meta
    role_ref: RoleRef
    subjects: tuple[Subject, ...] | None = None
    cluster: bool = False


class NamespaceObject(Struct, frozen=True):
    """A namespace; its labels tell Pod Security admission (`pod-security.kubernetes.io/enforce`)."""

    metadata: Meta


class _NodeSpec(Struct, frozen=True, rename="camel"):
    provider_id: str = field(default="", name="providerID")


class NodeObject(Struct, frozen=True):
    """A node; `spec.providerID` names the machine of the cloud."""

    metadata: Meta
    spec: _NodeSpec | None = None


class SecretObject(Struct, frozen=True):
    """A Secret's name and type. Its data has no member here, so nothing decodes it."""

    metadata: Meta
    type: str = ""


class _IpBlock(Struct, frozen=True, rename="camel"):
    cidr: str = ""
    except_: tuple[str, ...] | None = field(default=None, name="except")


class _Peer(Struct, frozen=True, rename="camel"):
    ip_block: _IpBlock | None = None
    pod_selector: _Selector | None = None
    namespace_selector: _Selector | None = None


class _PolicyPort(Struct, frozen=True, rename="camel"):
    port: _Int64 | str | None = None
    end_port: _Int64 | None = None
    protocol: str = ""


class _Egress(Struct, frozen=True):
    to: tuple[_Peer, ...] | None = None
    ports: tuple[_PolicyPort, ...] | None = None


class _PolicySpec(Struct, frozen=True, rename="camel"):
    pod_selector: _Selector | None = None
    policy_types: tuple[str, ...] | None = None
    egress: tuple[_Egress, ...] | None = None


class NetworkPolicy(Struct, frozen=True):
    """A NetworkPolicy, as far as egress goes."""

    metadata: Meta
    spec: _PolicySpec
