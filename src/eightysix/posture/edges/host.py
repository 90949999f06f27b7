"""Ways out of a container onto its node, and what root on a node holds.

Sources: capabilities(7), namespaces(7), proc(5) (`core_pattern`), open_by_handle_at(2), kubernetes.io/docs/concepts/security/
pod-security-standards, and the badPods classes. Root in the container is taken for granted unless the pod says otherwise:
`runAsUser` other than 0 or `runAsNonRoot` keeps added capabilities out of the process (they are in the bounding set alone),
and user namespaces (`hostUsers: false`) are not read. A vertex is a pod, whose ways are those of all its containers; that
containers share processes therefore adds none. Windows pods (by node selector) have other ways, which are not looked at and
told. Sidecars, init and ephemeral containers count: an init container that is done cannot be taken over, but it runs again
with every new pod, so its edges are `inferred`. So are those that a runtime's default AppArmor profile may forbid, unless the
profile is set to Unconfined: whether there is one is a matter of the node.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from eightysix.model.posture import Confidence, Edge, NotSeen, VertexKind
from eightysix.posture import hostpaths
from eightysix.posture.edges.scene import edge, minor
from eightysix.posture.holder import member_path, object_name, spec_path
from eightysix.posture.objects import Container, PodSpec
from eightysix.posture.rbac import Authorizer
from eightysix.posture.snapshot import Snapshot, Template
from eightysix.posture.vertices import CLUSTER, group_id, node_id, pod_id, vertex_id

__all__ = ["ANY_NODE", "edges", "told"]

ANY_NODE = vertex_id(VertexKind.NODE, "", "?")
"""The node of pods of which nothing tells where they run."""

_NODES = "system:nodes"
_CONTROL_PLANE = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
_APP_ARMOR = "container.apparmor.security.beta.kubernetes.io/"
_FIELD_SINCE = 30
_PROC = "/proc/sys/kernel/core_pattern"


class _Way(Struct, frozen=True):
    """A way out: its type, where it is written, how sure."""

    kind: str
    path: str
    confidence: Confidence = Confidence.PROVED
    needs: str = ""


def _windows(spec: PodSpec) -> bool:
    return (spec.node_selector or {}).get("kubernetes.io/os") == "windows"


def _containers(template: Template) -> Iterator[tuple[str, Container, bool]]:
    """Containers with their path, and whether each keeps running."""
    spec = template.spec
    for index, container in enumerate(spec.containers):
        yield member_path(template, "containers", index), container, True
    for index, container in enumerate(spec.init_containers or ()):
        yield f"initContainers[{index}]", container, container.restart_policy == "Always"
    for index, container in enumerate(spec.ephemeral_containers or ()):
        yield f"ephemeralContainers[{index}]", container, True


def _root(spec: PodSpec, container: Container) -> bool:
    for context in (container.security_context, spec.security_context):
        if context is None:
            continue
        if context.run_as_user is not None:
            return context.run_as_user == 0
        if context.run_as_non_root:
            return False
    return True


def _capabilities(container: Container) -> frozenset[str]:
    context = container.security_context
    added = (context.capabilities.add if context and context.capabilities else None) or ()
    return frozenset(name.upper().removeprefix("CAP_") for name in added)


def _unconfined(template: Template, container: Container, server: int | None) -> bool:
    """Whether AppArmor is turned off for a container: by the field that servers know since 1.30 and drop before, or by the
    annotation, which they turn into the field."""
    annotation = (template.meta.annotations or {}).get(f"{_APP_ARMOR}{container.name}")
    if annotation is not None:
        return annotation == "unconfined"
    spec = template.spec
    if server is not None and server < _FIELD_SINCE:
        return False
    for context in (container.security_context, spec.security_context):
        if context is not None and context.app_armor_profile is not None:
            return context.app_armor_profile.type == "Unconfined"
    return False


def _capable(template: Template, container: Container, server: int | None) -> Iterator[_Way]:
    """Ways by capabilities. A process that is not root gets none of them."""
    spec = template.spec
    held = _capabilities(container)
    if not held or not _root(spec, container):
        return
    path = "securityContext.capabilities.add"
    every = "ALL" in held
    confined = "" if _unconfined(template, container, server) else "no AppArmor profile that forbids it"
    sure = Confidence.INFERRED if confined else Confidence.PROVED

    def has(*names: str) -> bool:
        return every or held.issuperset(names)

    if has("SYS_ADMIN"):
        yield _Way("SYS_ADMIN", path, sure, confined)
    if has("SYS_MODULE"):
        yield _Way("KERNEL_MODULE", path)
    if spec.host_pid and has("SYS_PTRACE"):
        yield _Way("PTRACE_HOST", path, sure, confined)
    if has("DAC_READ_SEARCH"):
        yield _Way("OPEN_BY_HANDLE", path)
    if has("SYS_RAWIO"):
        yield _Way("RAW_DEVICES", path, Confidence.INFERRED, "a kernel that lets memory or ports be written")
    if has("BPF", "PERFMON") or has("BPF", "SYS_ADMIN"):
        yield _Way(
            "BPF_PROGRAMS",
            path,
            Confidence.INFERRED,
            "a kernel that lets programs write to memory of processes",
        )


def _partial(spec: PodSpec, container: Container) -> Iterator[_Way]:
    """What shows part of the node and is not the node."""
    held, privileged = _capabilities(container), _privileged(container)
    if spec.host_network and _root(
        spec, container
    ):  # NET_RAW is among the capabilities that runtimes give by default
        confidence = (
            Confidence.INFERRED
            if privileged or held & {"ALL", "NET_ADMIN", "NET_RAW"}
            else Confidence.ASSUMED
        )
        yield _Way("HOST_NETWORK", "hostNetwork", confidence, "traffic of the node that is not encrypted")
    if spec.host_pid:
        yield _Way(
            "HOST_PROCESSES_SEEN", "hostPID", Confidence.ASSUMED, "a secret among arguments or environments"
        )


def _privileged(container: Container) -> bool:
    context = container.security_context
    return context is not None and context.privileged is True


def _folders(spec: PodSpec, container: Container) -> Iterator[tuple[str, _Way]]:
    """Ways by folders of the node, with what each leads to: `node` or `pods`."""
    volumes = {volume.name: volume.host_path for volume in spec.volumes or () if volume.host_path is not None}
    root = _root(spec, container)
    for index, mount in enumerate(container.volume_mounts or ()):
        source = volumes.get(mount.name)
        if source is None:
            continue
        path = hostpaths.normal(source.path, mount.sub_path)
        at = f"volumeMounts[{index}]"
        socket = hostpaths.sockets(path)
        if not root:
            continue  # what is worth it on a node belongs to root
        if socket:
            exact = path == socket
            sure = Confidence.PROVED if exact else Confidence.INFERRED
            yield "node", _Way("RUNTIME_SOCKET", at, sure, "" if exact else f"{socket} on the node")
        written = not mount.read_only and hostpaths.runs_code(path)
        if not mount.read_only and hostpaths.inside(_PROC, path):
            yield "node", _Way("CORE_PATTERN", at)
        if written:
            yield "node", _Way("HOST_FOLDER_WRITE", at)
        elif key := hostpaths.node_keys(path):
            yield "node", _Way("HOST_FOLDER_READ", at, Confidence.INFERRED, f"keys in {key} that let one in")
        if hostpaths.token_folder(path):
            yield "pods", _Way("POD_TOKENS_READ", at)


def _ways(template: Template, server: int | None) -> Iterator[tuple[str, str, _Way]]:
    """Every way out of pods: what it leads to, where the container is, the way."""
    spec = template.spec
    for where, container, stays in _containers(template):
        found: list[tuple[str, _Way]] = []
        if _privileged(container):
            kind, at = "HOST_PROCESS" if spec.host_pid else "PRIVILEGED", "securityContext.privileged"
            root = _root(spec, container)
            way = (
                _Way(kind, at)
                if root
                else _Way(kind, at, Confidence.INFERRED, "a program in the image that makes it root")
            )
            found.append(("node", way))
        found.extend(("node", way) for way in _capable(template, container, server))
        found.extend(_folders(spec, container))
        found.extend(("partly", way) for way in _partial(spec, container))
        for target, way in found:
            if not stays and way.confidence is Confidence.PROVED:
                way = _Way(way.kind, way.path, Confidence.INFERRED, "a new pod: init containers end")
            yield target, "" if way.path.startswith("host") else where + ".", way


def edges(snapshot: Snapshot, templates: Sequence[Template], authorizer: Authorizer) -> Iterator[Edge]:
    """Ways from pods to their nodes, and from nodes to all that is on them."""
    placed: dict[str, None] = dict.fromkeys(snapshot.nodes)
    anywhere = False
    server = minor(snapshot.server)
    for template in templates:
        placed.update(dict.fromkeys(template.nodes))
        if _windows(template.spec):
            continue
        here = pod_id(template.namespace, template.kind, template.name)
        object_ = object_name(template)
        nodes = [node_id(name) for name in template.nodes] or [ANY_NODE]
        seen: set[tuple[str, str]] = set()
        for target, where, way in _ways(template, server):
            anywhere = anywhere or (target == "node" and not template.nodes)
            evidence = ((object_, f"{spec_path(template)}.{where}{way.path}"),)
            for node in nodes:
                to = {"node": node, "pods": f"{node}/pods", "partly": f"{node}/seen"}[target]
                if (way.kind, to) not in seen:
                    seen.add((way.kind, to))
                    yield edge(way.kind, here, to, evidence, way.confidence, way.needs)
        for node in template.nodes:
            yield edge("NODE_PODS", f"{node_id(node)}/pods", here, ((object_, "spec.nodeName"),))
    if anywhere:
        yield edge("NODE_ROOT", ANY_NODE, vertex_id(VertexKind.SINK, "", "node"))
    for name in placed:
        yield from _node(snapshot, authorizer, name)


def _node(snapshot: Snapshot, authorizer: Authorizer, name: str) -> Iterator[Edge]:
    """What root on a node holds."""
    here, evidence = node_id(name), ((f"Node/{name}", "metadata.name"),)
    yield edge("NODE_ROOT", here, vertex_id(VertexKind.SINK, "node", name), evidence)
    yield edge("NODE_ROOT", here, vertex_id(VertexKind.SINK, "", "node"), evidence)
    yield edge("CONTAINS", here, f"{here}/pods", evidence)
    if authorizer.sets_of((True, _NODES)):
        yield edge("NODE_IDENTITY", here, group_id(_NODES), evidence)
    if authorizer.sets_of((False, f"system:node:{name}")):
        yield edge(
            "NODE_IDENTITY", here, vertex_id(VertexKind.SUBJECT, "user", f"system:node:{name}"), evidence
        )
    node = snapshot.nodes.get(name)
    label = next((label for label in _CONTROL_PLANE if node and label in (node.metadata.labels or {})), "")
    if label:
        seen = ((f"Node/{name}", f"metadata.labels['{label}']"),)
        yield edge(
            "CONTROL_PLANE_KEYS",
            here,
            CLUSTER,
            seen,
            Confidence.INFERRED,
            "keys on the node, as kubeadm keeps them",
        )


def told(templates: Sequence[Template]) -> tuple[NotSeen, ...]:
    """What these edges leave out."""
    windows = sum(template.pods for template in templates if _windows(template.spec))
    if not windows:
        return ()
    return (NotSeen(f"{windows} pods on Windows nodes", "ways out of Windows containers are not looked at"),)
