"""What KubeHound takes in before it draws: pods that run, identities that bindings name, permission sets, host volumes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from eightysix.model.posture import VertexKind
from eightysix.posture.edges.scene import spec_path
from eightysix.posture.objects import Binding, Container, PodSpec, PolicyRule, Volume, VolumeMount
from eightysix.posture.snapshot import Snapshot
from eightysix.posture.vertices import group_id, node_id, pod_id, service_account_id, user_id, vertex_id

__all__ = ["Contained", "Held", "Model", "Mounted", "RunningPod"]

_NODES = "system:nodes"
_CONTROL_PLANE = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
_CRITICAL = frozenset(
    ["cluster-admin", "admin", "edit", "view"]
    + [
        f"system:{name}"
        for name in (
            "aggregate-to-admin aggregate-to-edit aggregate-to-view auth-delegator basic-user coredns discovery heapster "
            "kube-aggregator kube-controller-manager kube-dns kube-scheduler kubelet-api-admin monitoring node "
            "node-bootstrapper node-problem-detector node-proxier persistent-volume-provisioner public-info-viewer "
            "service-account-issuer-discovery volume-scheduler"
        ).split()
    ]
)
"""Cluster roles of Kubernetes itself; as their cluster-wide permission sets are critical, it draws no edge from them that
reaches the whole cluster. All of `system:controller:` are critical too."""


class Mounted(Struct, frozen=True):
    """A volume as one container mounts it."""

    id: str
    at: str
    path: str = ""
    host: bool = False
    read_only: bool = False
    projected: bool = False
    guessed: bool = False


class Contained(Struct):
    """A container of a pod that runs."""

    id: str
    path: str
    container: Container
    pod: RunningPod
    mounts: list[Mounted]


class RunningPod(Struct):
    """A pod that runs, or that a manifest says is to run. `guessed` says that its node is not known."""

    id: str
    namespace: str
    name: str
    object: str
    spec: PodSpec
    account: str
    nodes: tuple[str, ...]
    guessed: bool
    containers: list[Contained]

    @property
    def mounts(self) -> Iterator[Mounted]:
        """Volumes of all its containers."""
        return (mounted for contained in self.containers for mounted in contained.mounts)


class Held(Struct, frozen=True):
    """A permission set."""

    id: str
    namespace: str
    namespaced: bool
    rules: tuple[PolicyRule, ...]
    subjects: tuple[str, ...]
    object: str
    role: str
    critical: bool


class Model:
    """Objects as KubeHound holds them."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.server = snapshot.server
        self._snapshot = snapshot
        self.identities: dict[str, tuple[str, str]] = {}  # id -> (kind, namespace)
        self._names: dict[tuple[str, str], str] = {}
        self.sets: list[Held] = []
        self.sets_of: dict[str, list[Held]] = {}
        for binding in (*snapshot.role_bindings.values(), *snapshot.cluster_role_bindings.values()):
            self._bind(binding)
        for held in self.sets:
            for subject in held.subjects:
                self.sets_of.setdefault(subject, []).append(held)
        self.nodes = [node_id(name) for name in snapshot.nodes]
        self._workers = tuple(
            node_id(name)
            for name, node in snapshot.nodes.items()
            if not any(label in (node.metadata.labels or {}) for label in _CONTROL_PLANE)
        )
        self.slices = _slices(snapshot)
        self.pods = list(self._pods())
        self._by_space: dict[str, list[str]] = {}
        self.tokens_on: dict[str, list[str]] = {}
        for pod in self.pods:
            self._by_space.setdefault(pod.namespace, []).append(pod.id)
            for node in pod.nodes:
                self.tokens_on.setdefault(node, []).extend(
                    mounted.id for mounted in pod.mounts if mounted.projected
                )

    def _identity(self, kind: str, namespace: str, name: str) -> str:
        """An identity, by namespace and name alone: the first kind that is met stays."""
        known = self._names.get((namespace, name))
        if known is not None:
            return known
        if kind == "ServiceAccount":
            found = service_account_id(namespace, name)
        else:
            found = group_id(name) if kind == "Group" else user_id(name)
        self._names[namespace, name] = found
        self.identities[found] = (kind, namespace)
        return found

    def _bind(self, binding: Binding) -> None:
        snapshot, where = self._snapshot, "" if binding.cluster else binding.metadata.namespace
        name = binding.role_ref.name
        if f"{where}/{name}" not in snapshot.roles and name not in snapshot.cluster_roles:
            return
        named = []
        for subject in binding.subjects or ():
            space = subject.namespace or (where if subject.kind == "ServiceAccount" else "")
            named.append((space, self._identity(subject.kind, space, subject.name)))
        of_cluster = binding.cluster or binding.role_ref.kind == "ClusterRole"
        role = snapshot.cluster_roles.get(name) if of_cluster else snapshot.roles.get(f"{where}/{name}")
        if role is None or (where and not named):
            return
        title = f"{name}::{binding.metadata.name}"
        written = f"ClusterRole/{name}" if of_cluster else f"Role/{where}/{name}"
        self.sets.append(
            Held(
                id=vertex_id(VertexKind.PERMISSION_SET, where, title),
                namespace=where,
                namespaced=bool(where),
                rules=role.rules or (),
                subjects=tuple(identity for space, identity in named if not where or space in {"", where}),
                object=f"RoleBinding/{where}/{binding.metadata.name}"
                if where
                else f"ClusterRoleBinding/{binding.metadata.name}",
                role=written,
                critical=not where and (name in _CRITICAL or name.startswith("system:controller:")),
            )
        )

    def _pods(self) -> Iterator[RunningPod]:
        snapshot = self._snapshot
        for pod in snapshot.pods.values():
            lost = pod.status is not None and snapshot.nodes and pod.spec.node_name not in snapshot.nodes
            if not lost and (pod.status is None or pod.status.phase in {"", "Running"}):
                yield self._pod(pod.metadata.namespace, "Pod", pod.metadata.name, pod.spec)
        if any(pod.status is not None for pod in snapshot.pods.values()):
            return
        for workload in snapshot.workloads.values():
            if workload.template is not None:  # manifests: what it will make
                yield self._pod(
                    workload.metadata.namespace, workload.kind, workload.metadata.name, workload.template[1]
                )

    def _pod(self, namespace: str, kind: str, name: str, spec: PodSpec) -> RunningPod:
        account = service_account_id(
            namespace, spec.service_account_name or spec.service_account or "default"
        )
        nodes = (node_id(spec.node_name),) if spec.node_name else self._workers or tuple(self.nodes)
        pod = RunningPod(
            id=pod_id(namespace, kind, name),
            namespace=namespace,
            name=name,
            object=f"{kind}/{namespace}/{name}",
            spec=spec,
            account=account,
            nodes=nodes,
            guessed=not spec.node_name,
            containers=[],
        )
        prefix = spec_path(kind)
        for index, container in enumerate(spec.containers):
            contained = Contained(
                vertex_id(VertexKind.CONTAINER, namespace, f"{name}/{container.name}"),
                f"{prefix}.containers[{index}]",
                container,
                pod,
                [],
            )
            contained.mounts = list(self._mounts(contained))
            pod.containers.append(contained)
        return pod

    def _mounts(self, contained: Contained) -> Iterator[Mounted]:
        pod = contained.pod
        volumes: Mapping[str, Volume] = {volume.name: volume for volume in pod.spec.volumes or ()}
        known = pod.account in self.identities
        token = False
        for index, mount in enumerate(contained.container.volume_mounts or ()):
            if mount.mount_path == "/var/run/datadog-agent":  # it skips this one
                continue
            found = self._mounted(contained, mount, volumes.get(mount.name), index, known=known)
            if found is not None:
                token = token or found.projected
                yield found
        running = self._snapshot.pods.get(f"{pod.namespace}/{pod.name}")
        from_server = running is not None and running.status is not None
        if known and not token and not from_server and self._mounts_token(pod):
            at = f"{contained.path}.volumeMounts"
            yield Mounted(self._volume(contained, "kube-api-access"), at, projected=True, guessed=True)

    def _volume(self, contained: Contained, name: str) -> str:
        pod = contained.pod
        return vertex_id(VertexKind.VOLUME, pod.namespace, f"{pod.name}/{contained.container.name}/{name}")

    def _mounts_token(self, pod: RunningPod) -> bool:
        if pod.spec.automount_service_account_token is not None:
            return pod.spec.automount_service_account_token
        name = pod.spec.service_account_name or pod.spec.service_account or "default"
        account = self._snapshot.service_accounts.get(f"{pod.namespace}/{name}")
        return account is None or account.automount_service_account_token is not False

    def _mounted(
        self, contained: Contained, mount: VolumeMount, volume: Volume | None, index: int, *, known: bool
    ) -> Mounted | None:
        if volume is None:
            return None
        here, at = self._volume(contained, mount.name), f"{contained.path}.volumeMounts[{index}]"
        read_only = bool(mount.read_only)
        if volume.secret is not None:
            return Mounted(here, at, read_only=read_only)
        if volume.host_path is not None:
            return Mounted(here, at, volume.host_path.path, host=True, read_only=read_only)
        if volume.projected is not None and known:
            return Mounted(here, at, read_only=read_only, projected=True)
        return None

    def pod_ids(self, namespace: str | None) -> Iterator[str]:
        """Pods of a namespace, or all."""
        return (
            iter(self._by_space.get(namespace, ()))
            if namespace is not None
            else (pod.id for pod in self.pods)
        )

    def identity_ids(self, namespace: str | None) -> Iterator[str]:
        """Service accounts of a namespace; where it is none, every identity, as its query does not ask for the kind."""
        for found, (kind, where) in self.identities.items():
            if namespace is None or (kind == "ServiceAccount" and where in {"", namespace}):
                yield found

    def node_identities(self) -> Iterator[tuple[str, str, bool]]:
        """The user of each node where a binding names it, else the group of nodes where one names that."""
        group = self._names.get(("", _NODES))
        bootstrapped = "system:node" in self._snapshot.cluster_roles
        for name in self._snapshot.nodes:
            own = self._names.get(("", f"system:node:{name}"))
            if own or group:
                yield node_id(name), own or group or "", False
            elif not bootstrapped:
                yield node_id(name), group_id(_NODES), True


def _slices(snapshot: Snapshot) -> dict[tuple[str, str, str, int], list[str]]:
    """Names of services by the pod and port of their endpoints."""
    found: dict[tuple[str, str, str, int], list[str]] = {}
    for item in snapshot.custom.get("EndpointSlice", ()):
        meta, ports, endpoints = item.get("metadata"), item.get("ports"), item.get("endpoints")
        if not isinstance(meta, Mapping) or not isinstance(ports, list) or not isinstance(endpoints, list):
            continue
        labels = meta.get("labels")
        service = labels.get("kubernetes.io/service-name") if isinstance(labels, Mapping) else None
        for endpoint in endpoints:
            target = endpoint.get("targetRef") if isinstance(endpoint, Mapping) else None
            if not isinstance(target, Mapping) or target.get("kind") != "Pod":
                continue
            for port in ports:
                if isinstance(port, Mapping) and isinstance(port.get("port"), int):
                    key = (
                        str(target.get("namespace", "")),
                        str(target.get("name", "")),
                        str(port.get("protocol") or "TCP"),
                        int(port["port"]),
                    )
                    found.setdefault(key, []).append(str(service or meta.get("name", "")))
    return found
