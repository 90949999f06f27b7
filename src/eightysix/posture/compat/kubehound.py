"""`--rules kubehound`: the graph that KubeHound draws, with its predicates and its modelling, right or wrong.

Meant for comparing the two. Source: its documentation of attacks and the queries of its edges at 53da187 (v1.6.7,
Apache-2.0), for a small cluster (no "large cluster optimizations"). What follows from them, though Kubernetes works otherwise:
only running pods and only `containers` count; a rule with resource names counts for nothing; a service account is known only
where a binding names it; a role binding reaches subjects of its own namespace alone; creating any workload needs the core API
group. One query of it is looser than its own tests expect: a namespaced bind of roles reaches its own namespace
alone here, as they do. IDENTITY_IMPERSONATE and EXPLOIT_CONTAINERD_SOCK
are documented there and drawn by no query of it, so they are not drawn here.

Manifests have no status, node, projected token volume or bootstrap objects. There a pod counts as running, the token volume
is what admission would add, a pod without a node may run on every node that is no control plane, and nodes are in
`system:nodes`, as kubeadm's bootstrap binds it; edges from that are `assumed`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from eightysix.model.posture import Confidence, Edge, VertexKind
from eightysix.posture.compat.kubehound_model import Contained, Held, Model, Mounted
from eightysix.posture.objects import PolicyRule
from eightysix.posture.snapshot import Snapshot

__all__ = ["TYPES", "edges"]

_ESCAPE = ("T1611",)
_EXEC = ("T1609",)
_TOKEN = ("T1528",)

TYPES: dict[str, tuple[str, ...]] = {
    "CE_MODULE_LOAD": _ESCAPE,
    "CE_NSENTER": _ESCAPE,
    "CE_PRIV_MOUNT": _ESCAPE,
    "CE_SYS_PTRACE": _ESCAPE,
    "CE_UMH_CORE_PATTERN": _ESCAPE,
    "CE_VAR_LOG_SYMLINK": _ESCAPE,
    "CONTAINER_ATTACH": _EXEC,
    "ENDPOINT_EXPLOIT": ("T1210",),
    "EXPLOIT_CONTAINERD_SOCK": ("T1610",),
    "EXPLOIT_HOST_READ": _ESCAPE,
    "EXPLOIT_HOST_TRAVERSE": ("T1552",),
    "EXPLOIT_HOST_WRITE": _ESCAPE,
    "IDENTITY_ASSUME": ("T1078",),
    "IDENTITY_IMPERSONATE": ("T1078",),
    "PERMISSION_DISCOVER": ("T1069",),
    "POD_ATTACH": _EXEC,
    "POD_CREATE": ("T1610",),
    "POD_EXEC": _EXEC,
    "POD_PATCH": _EXEC,
    "ROLE_BIND": ("T1078",),
    "SHARE_PS_NAMESPACE": ("T1080",),
    "TOKEN_BRUTEFORCE": _TOKEN,
    "TOKEN_LIST": _TOKEN,
    "TOKEN_STEAL": ("T1552",),
    "VOLUME_ACCESS": ("T1613",),
    "VOLUME_DISCOVER": ("T1613",),
}
"""Its 26 types of edge with the ATT&CK technique that it names."""

_PROC = frozenset({"/", "/proc", "/proc/sys", "/proc/sys/kernel"})
_READ = frozenset({"/", "/home", "/root", "/root/.ssh", "/proc", "/etc"})
_LOGS = frozenset({"/", "/var", "/var/log"})
_TOKENS = frozenset({"/", "/var", "/var/lib", "/var/lib/kubelet", "/var/lib/kubelet/pods"})
_SAFE = frozenset(
    {
        "/var/run/datadog-agent",
        "/etc/datadog-agent",
        "/etc/datadog-agent/auth",
        "/opt/datadog-agent/run",
        "/etc/datadog",
        "/opt/datadog/heapdumps",
        "/var/datadog/dumps",
    }
)
_SAFE_BEGINNINGS = (
    "/mnt/",
    "/sys/kernel/debug",
    "/tm",  # its pattern is `^/tmp?.*`
    "/var/run/",
    "/var/lib/datadog-agent/",
    "/var/tmp/datadog-agent/",  # noqa: S108 - a path that it lists
    "/run/udev",
    "/lib/udev",
    "/etc/udev",
)
_WORKLOADS = (
    "pods",
    "cronjobs",
    "daemonsets",
    "deployments",
    "jobs",
    "replicasets",
    "replicationcontrollers",
    "statefulsets",
)
_CORE = ("", "*")
_RBAC = ("rbac.authorization.k8s.io", "*")


def _word(text: str, more: str = "") -> bool:
    return all(letter.isascii() and (letter.isalnum() or letter in more) for letter in text)


def _readable(path: str) -> bool:
    middle = path.removeprefix("/home/").removesuffix("/.ssh")
    return path in _READ or (path == f"/home/{middle}/.ssh" and _word(middle))


def _safe(path: str) -> bool:
    if path in _SAFE or path.startswith(_SAFE_BEGINNINGS):
        return True
    parts = path.split("/")
    return len(parts) > 3 and parts[1] == "data" and _word(parts[2], "-") and parts[3].startswith("shared")


def _allows(rule: PolicyRule, groups: Sequence[str], resources: Sequence[str], verbs: Sequence[str]) -> bool:
    return (
        not rule.resource_names
        and any(group in (rule.api_groups or ()) for group in groups)
        and any(resource in (rule.resources or ()) for resource in (*resources, "*"))
        and any(verb in rule.verbs for verb in (*verbs, "*"))
    )


def _holds(held: Held, resources: Sequence[str], verbs: Sequence[str]) -> bool:
    return any(_allows(rule, _CORE, resources, verbs) for rule in held.rules)


def _binds(held: Held, bindings: Sequence[str], roles: str) -> bool:
    """Its query asks for the group, the creation and the bind each of any rule, and the group alone of any."""
    every = ("", "*", *(group for rule in held.rules for group in rule.api_groups or ()))
    return (
        any(group in _RBAC for rule in held.rules for group in rule.api_groups or ())
        and any(_allows(rule, every, bindings, ("create",)) for rule in held.rules)
        and any(_allows(rule, every, (roles,), ("bind",)) for rule in held.rules)
    )


def _before(server: str, minor: int) -> bool:
    parts = server.lstrip("v").split(".")
    digits = "".join(letter for letter in parts[1] if letter.isdecimal()) if len(parts) > 1 else ""
    return parts[0] in {"0", "1"} and bool(digits) and int(digits[:4]) < minor


class _Drawing:
    def __init__(self, model: Model) -> None:
        self.model = model

    def edge(
        self, kind: str, source: str, target: str, evidence: tuple[str, str], *, assumed: bool = False
    ) -> Edge:
        confidence = Confidence.ASSUMED if assumed else Confidence.PROVED
        return Edge(kind, source, target, (evidence,), confidence, TYPES[kind])

    def escapes(self, contained: Contained) -> Iterator[Edge]:
        """From a container to its node."""
        container, spec = contained.container, contained.pod.spec
        context = container.security_context
        privileged = context is not None and context.privileged is True
        added = (context.capabilities.add if context and context.capabilities else None) or ()
        profile = context.app_armor_profile.type if context and context.app_armor_profile else ""
        found = []
        if privileged and spec.host_pid:
            found.append(("CE_NSENTER", ".securityContext.privileged"))
        if privileged or "SYS_MODULE" in added:
            found.append(("CE_MODULE_LOAD", ".securityContext"))
        if privileged:
            found.append(("CE_PRIV_MOUNT", ".securityContext.privileged"))
        tracing = bool(spec.host_pid) and "SYS_PTRACE" in added and "SYS_ADMIN" in added
        if tracing and (profile == "Unconfined" or _before(self.model.server, 31)):
            found.append(("CE_SYS_PTRACE", ".securityContext.capabilities.add"))
        root = context is not None and context.run_as_user == 0
        if root and any(mounted.path in _PROC for mounted in contained.pod.mounts if mounted.host):
            found.append(("CE_UMH_CORE_PATTERN", ".securityContext.runAsUser"))
        if self.reads_logs(contained):
            found.append(("CE_VAR_LOG_SYMLINK", ".volumeMounts"))
        for kind, path in found:
            for node in contained.pod.nodes:
                yield self.edge(
                    kind,
                    contained.id,
                    node,
                    (contained.pod.object, contained.path + path),
                    assumed=contained.pod.guessed,
                )

    def reads_logs(self, contained: Contained) -> bool:
        """Whether the container has a folder of logs of the host, and its account may read logs of pods."""
        if not any(mounted.host and mounted.path in _LOGS for mounted in contained.mounts):
            return False
        sets = self.model.sets_of.get(contained.pod.account, ())
        return any(_holds(held, ("pods/log", "pods/*"), ("get",)) for held in sets)

    def volumes(self, contained: Contained) -> Iterator[Edge]:
        """What a container mounts, and what that gives."""
        for mounted in contained.mounts:
            seen = (contained.pod.object, mounted.at)
            yield self.edge("VOLUME_DISCOVER", contained.id, mounted.id, seen, assumed=mounted.guessed)
            if mounted.projected:
                yield self.edge(
                    "TOKEN_STEAL", mounted.id, contained.pod.account, seen, assumed=mounted.guessed
                )
            for node in contained.pod.nodes:
                yield self.edge("VOLUME_ACCESS", node, mounted.id, seen, assumed=contained.pod.guessed)
                yield from self.host_volume(mounted, node, seen, assumed=contained.pod.guessed)

    def host_volume(
        self, mounted: Mounted, node: str, seen: tuple[str, str], *, assumed: bool
    ) -> Iterator[Edge]:
        """What a folder of the host gives."""
        if not mounted.host:
            return
        if mounted.read_only and _readable(mounted.path):
            yield self.edge("EXPLOIT_HOST_READ", mounted.id, node, seen, assumed=assumed)
        if not mounted.read_only and not _safe(mounted.path):
            yield self.edge("EXPLOIT_HOST_WRITE", mounted.id, node, seen, assumed=assumed)
        if mounted.path in _TOKENS or mounted.path.startswith("/var/lib/kubelet/pods/"):
            for token in self.model.tokens_on.get(node, ()):
                yield self.edge("EXPLOIT_HOST_TRAVERSE", mounted.id, token, seen, assumed=assumed)

    def container(self, contained: Contained) -> Iterator[Edge]:
        """Everything of one container."""
        pod = contained.pod
        yield self.edge("CONTAINER_ATTACH", pod.id, contained.id, (pod.object, contained.path))
        if pod.account in self.model.identities:
            yield self.edge(
                "IDENTITY_ASSUME", contained.id, pod.account, (pod.object, "spec.serviceAccountName")
            )
        yield from self.escapes(contained)
        yield from self.volumes(contained)
        if pod.spec.share_process_namespace:
            for other in pod.containers:
                if other.id != contained.id:
                    yield self.edge(
                        "SHARE_PS_NAMESPACE",
                        contained.id,
                        other.id,
                        (pod.object, "spec.shareProcessNamespace"),
                    )
        yield from self.endpoints(contained)

    def endpoints(self, contained: Contained) -> Iterator[Edge]:
        """Ports of a container, by the slice that names them, else by themselves."""
        pod = contained.pod
        for index, port in enumerate(contained.container.ports or ()):
            protocol = port.protocol or "TCP"
            names = self.model.slices.get((pod.namespace, pod.name, protocol, port.container_port))
            shown = port.name or f"{protocol}::{port.host_port or port.container_port}"
            for name in names or (shown,):
                source = f"{VertexKind.ENDPOINT}:{pod.namespace}/{pod.name}/{protocol}/{port.container_port}/{name}"
                yield self.edge(
                    "ENDPOINT_EXPLOIT", source, contained.id, (pod.object, f"{contained.path}.ports[{index}]")
                )

    def permissions(self, held: Held) -> Iterator[Edge]:
        """Everything of one permission set."""
        for subject in held.subjects:
            yield self.edge("PERMISSION_DISCOVER", subject, held.id, (held.object, "subjects"))
        wide: list[tuple[str, Callable[[], Iterator[str]]]] = []
        model = self.model
        space = held.namespace if held.namespaced else None
        if _holds(held, ("pods/exec", "pods/*"), ("create",)):
            wide.append(("POD_EXEC", lambda: model.pod_ids(space)))
        if _holds(held, _WORKLOADS, ("patch", "update")):
            wide.append(("POD_PATCH", lambda: model.pod_ids(space)))
        if _holds(held, _WORKLOADS, ("create",)):
            wide.append(("POD_CREATE", lambda: iter(model.nodes)))
        if _holds(held, ("secrets",), ("list",)):
            wide.append(("TOKEN_LIST", lambda: model.identity_ids(space)))
        if _holds(held, ("secrets",), ("get",)):
            wide.append(("TOKEN_BRUTEFORCE", lambda: model.identity_ids(space)))
        if not held.critical:
            for kind, targets in wide:
                for target in targets():
                    yield self.edge(kind, held.id, target, (held.role, "rules"))
            yield from self.role_binds(held)

    def role_binds(self, held: Held) -> Iterator[Edge]:
        """Permission sets whose roles it may bind, as the three queries of it say."""
        targets: dict[str, None] = {}
        of = self.model.sets
        if not held.namespaced:
            if _binds(held, ("clusterrolebindings", "rolebindings"), "clusterroles"):
                targets.update((other.id, None) for other in of if not other.namespaced)
            if _binds(held, ("rolebindings",), "roles"):
                targets.update((other.id, None) for other in of if other.namespaced)
        elif _binds(held, ("rolebindings",), "roles"):
            targets.update(
                (other.id, None)
                for other in of
                if other.namespaced and other.namespace == held.namespace and other.id != held.id
            )
        for target in targets:
            yield self.edge("ROLE_BIND", held.id, target, (held.role, "rules"))


def edges(snapshot: Snapshot) -> Iterator[Edge]:
    """Every edge that KubeHound draws of these objects; pods times grants, as there."""
    model = Model(snapshot)
    drawing = _Drawing(model)
    for node, identity, assumed in model.node_identities():
        evidence = (f"Node/{node.partition(':')[2]}", "metadata.name")
        yield drawing.edge("IDENTITY_ASSUME", node, identity, evidence, assumed=assumed)
    for pod in model.pods:
        for node in pod.nodes:
            yield drawing.edge("POD_ATTACH", node, pod.id, (pod.object, "spec.nodeName"), assumed=pod.guessed)
        for contained in pod.containers:
            yield from drawing.container(contained)
    for held in model.sets:
        yield from drawing.permissions(held)
