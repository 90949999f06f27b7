"""What takes edges away: which edges go by one action, and the action as a patch or a command.

Edges that one action removes are one group: all that a binding gives, all ways out of one pod, all ways to the metadata
service of a cluster that can restrict it. What follows from how Kubernetes works (a hub and what lies in it, root on a node and
its pods) belongs to no group. Where evidence does not tell enough for an exact patch, none is made up: the text says
what to change, and where.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING

from msgspec import Struct, field

from eightysix.context.shell import line, option
from eightysix.model.posture import Edge, Vertex
from eightysix.posture.arrays import np
from eightysix.posture.graph import Graph
from eightysix.posture.patches import operations
from eightysix.posture.sentences import NAME_COLUMNS, say
from eightysix.report.inert import inert

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int32]

__all__ = ["ARCHITECTURAL", "Known", "Remedy", "groups", "remedy"]

ARCHITECTURAL = frozenset({"GPU_PRIV_OPERAND"})
"""Edges that are there because the hardware needs them: told, never a fix."""


class _Way(IntEnum):
    """What kind of action removes an edge, and with which others."""

    NONE = 0
    BINDING = 1  # all that a permission set gives
    TOKEN = 2  # the token of one pod
    ESCAPE = 3  # all ways from one pod to its node
    SECRET = 4  # all Secrets and keys that one pod is given
    METADATA = 5  # the whole cluster's way to the metadata service
    LOCAL_ACCOUNTS = 6  # the cluster's own admin credentials
    POD_SECURITY = 7  # a namespace
    ROLE = 8  # one assignment
    TRUST = 9  # one federated credential
    OTHER = 10  # one edge


_TYPES: Mapping[str, _Way] = {
    "SA_TOKEN_MOUNTED": _Way.TOKEN,
    **dict.fromkeys(
        (
            "CE_MODULE_LOAD", "CE_NSENTER", "CE_PRIV_MOUNT", "CE_SYS_PTRACE", "CE_UMH_CORE_PATTERN", "CE_VAR_LOG_SYMLINK",
            "EXPLOIT_CONTAINERD_SOCK", "EXPLOIT_HOST_READ", "EXPLOIT_HOST_WRITE", "EXPLOIT_HOST_TRAVERSE", "DOCKER_SOCK",
            "PRIVILEGED", "HOST_PROCESS", "KERNEL_MODULE", "SYS_ADMIN", "PTRACE_HOST", "OPEN_BY_HANDLE", "RAW_DEVICES",
            "BPF_PROGRAMS", "HOST_FOLDER_WRITE", "HOST_FOLDER_READ", "POD_TOKENS_READ", "CORE_PATTERN", "RUNTIME_SOCKET",
            "HOST_NETWORK", "HOST_PROCESSES_SEEN", "AZURE_JSON",
        ),
        _Way.ESCAPE,
    ),
    **dict.fromkeys(("HAS_LLM_KEY", "HAS_CRED_CICD", "STATIC_CLOUD_KEY", "MOUNTS_SECRET"), _Way.SECRET),
    **dict.fromkeys(("IMDS_NODE_ID", "IMDS_OTHER_UAMI"), _Way.METADATA),
    "LIST_CLUSTER_ADMIN": _Way.LOCAL_ACCOUNTS,
    "CREATE_PRIVILEGED_POD": _Way.POD_SECURITY,
    "HOLDS_ROLE": _Way.ROLE,
    **dict.fromkeys(("WI_FEDERATED", "WI_IDENTITY_BINDING"), _Way.TRUST),
    **dict.fromkeys(("CONTAINS", "MEMBER_OF", "CONTAINER_ATTACH", "POD_ATTACH", "VOLUME_DISCOVER"), _Way.NONE),
    "SHARE_PS_NAMESPACE": _Way.NONE,
}  # fmt: skip
_HELD = frozenset({"HOLDS", "PERMISSION_DISCOVER", "BOUND_TO"})
_CHANGEABLE = frozenset({"pod", "container", "service-account", "subject"})
"""Kinds of sources whose edges of unknown types somebody can take away; what leaves a hub or a node follows from others."""

_PODS = frozenset({"pod", "container"})

_HOLDERS = _PODS | {"volume"}
_OF_PODS = frozenset({_Way.TOKEN, _Way.ESCAPE, _Way.SECRET})
_WHOLE = frozenset({_Way.METADATA, _Way.LOCAL_ACCOUNTS})
_SINGLE = frozenset({_Way.ROLE, _Way.TRUST, _Way.OTHER})
_RECONCILED = ("system:", "cluster-admin")
"""Bindings of the API server's own, made anew at its start."""

_WORKLOADS: Mapping[str, str] = {
    "Deployment": "spec.template.spec",
    "StatefulSet": "spec.template.spec",
    "DaemonSet": "spec.template.spec",
    "ReplicaSet": "spec.template.spec",
    "ReplicationController": "spec.template.spec",
    "CronJob": "spec.jobTemplate.spec.template.spec",
}
"""What can be patched in place; a pod's own and a job's specification never change, so theirs goes into the manifest."""

_RUNNERS = frozenset({"AutoscalingRunnerSet", "EphemeralRunnerSet", "EphemeralRunner"})
"""Runners of Actions Runner Controller: its chart makes Docker beside them privileged, and without that no job starts."""

_WITHOUT_DOCKER = (
    "containerMode.type: kubernetes in the values of its chart. Jobs are then pods of the namespace, "
    "so let pod security refuse privileged ones there"
)


class Known(Struct, frozen=True):
    """What is known beside the graph. `cluster` and `group` are the cluster's name and resource group, `architectural` pods
    that are privileged because the hardware needs it."""

    vertices: Mapping[str, Vertex] = field(default_factory=dict)
    architectural: frozenset[str] = frozenset()
    cluster: str = ""
    group: str = ""


class Remedy(Struct, frozen=True):
    """An action. `patch` is JSON, for the objects that `command` (a line for each) or the text names."""

    what: str
    patch: str = ""
    command: str = ""


def groups(graph: Graph, known: Known) -> Ints:
    """For each edge the number of its group, -1 where nothing removes it, or where the hardware needs it."""
    size = len(graph.ids)
    kinds = [one.partition(":")[0] for one in graph.ids]
    table = np.array([_TYPES.get(one, _Way.OTHER) for one in graph.types] or [_Way.NONE], dtype=np.int64)
    ways = table[graph.kinds]
    plain = np.fromiter((kind in _CHANGEABLE for kind in kinds), bool, size)
    ways[(ways == _Way.OTHER) & ~plain[graph.sources]] = _Way.NONE
    account = np.fromiter((kind == "service-account" for kind in kinds), bool, size)
    assumes = np.isin(graph.kinds, [at for at, one in enumerate(graph.types) if one == "IDENTITY_ASSUME"])
    ways[assumes & plain[graph.sources] & account[graph.targets]] = _Way.TOKEN
    own = np.fromiter((kind in _HOLDERS for kind in kinds), bool, size)
    ways[np.isin(ways, list(_OF_PODS)) & ~own[graph.sources]] = _Way.NONE
    # only a pod's own way to the metadata service can be closed, and none from the network of the node
    pod = np.fromiter((kind in _PODS for kind in kinds), bool, size)
    metadata = ways == _Way.METADATA
    ways[metadata & ~pod[graph.sources]] = _Way.NONE
    if graph.has_evidence:
        for at in np.flatnonzero(metadata & pod[graph.sources]):
            if _is_of_host(graph.edge(int(at))):
                ways[at] = _Way.OTHER
    ways[(ways == _Way.TRUST) & pod[graph.sources]] = (
        _Way.OTHER
    )  # what the pod is given, not what the cloud trusts
    # a binding: what it gives, and that somebody holds it
    bound = np.fromiter((kind == "permission-set" for kind in kinds), bool, size)
    held = (
        np.isin(graph.kinds, [at for at, one in enumerate(graph.types) if one in _HELD])
        & bound[graph.targets]
    )
    given = bound[graph.sources]
    anchor = np.where(held & ~given, graph.targets, graph.sources).astype(np.int64)
    ways[held | given] = _Way.BINDING
    fixed = np.fromiter((_is_reconciled(one) for one in graph.ids), bool, size)
    ways[(ways == _Way.BINDING) & fixed[anchor]] = _Way.NONE
    needed = np.fromiter((_pod_of(one) in known.architectural for one in graph.ids), bool, size)
    gpu = np.isin(graph.kinds, [at for at, one in enumerate(graph.types) if one in ARCHITECTURAL])
    gpu |= (ways == _Way.ESCAPE) & needed[graph.sources]
    ways[gpu] = _Way.NONE
    for way in _WHOLE:
        anchor[ways == way] = 0
    single = np.isin(ways, list(_SINGLE))
    anchor[single] = np.flatnonzero(single)
    key = ways * max(size, len(graph), 1) + anchor
    _, group = np.unique(key, return_inverse=True)
    numbers: Ints = np.where(ways == _Way.NONE, -1, group).astype(np.int32)
    return numbers


def remedy(edges: Sequence[Edge], known: Known) -> Remedy:
    """The action that removes `edges`, which are of one group."""
    edge = edges[0]
    way = _TYPES.get(edge.type, _Way.OTHER)
    for end in (edge.source, edge.target):
        if end.startswith("permission-set:") and (end == edge.source or edge.type in _HELD):
            return _binding(end, edges)
    if edge.type == "IDENTITY_ASSUME" or way is _Way.TOKEN:
        return _token(edges)
    if way is _Way.METADATA and not _is_of_host(edge):
        command = _aks(known, "update", "--enable-imds-restriction")
        return Remedy(
            "Restrict the metadata service to pods of the host network: az aks update --enable-imds-restriction",
            command=command,
        )
    if way is _Way.LOCAL_ACCOUNTS:
        command = _aks(known, "update", "--disable-local-accounts")
        return Remedy(
            "Disable the cluster's local accounts: az aks update --disable-local-accounts", command=command
        )
    if way is _Way.POD_SECURITY:
        return _pod_security(edge)
    if way is _Way.ROLE:
        return _assignment(edge, known)
    if way is _Way.TRUST and edge.source.partition(":")[0] not in _PODS:
        return _trust(edge, known)
    if way is _Way.ESCAPE and _is_runner(edges):
        return Remedy(f"Give the jobs of {say(edge.source)} no Docker: {_WITHOUT_DOCKER}")
    return _patched(edges, f"Take from {say(edge.source)} what leads to {_several(edges)}")


def _pod_of(vertex: str) -> str:
    """The pod that a vertex is or, by its id, may be a container of."""
    kind, _, name = vertex.partition(":")
    if kind == "container":
        return f"pod:{name.rpartition('/')[0]}"
    return vertex if kind == "pod" else ""


def _is_of(source: str, kind: str, space: str, name: str) -> bool:
    """Whether an object is the one that a vertex is drawn from: a patch of another one would not take its edge away."""
    pod = (_pod_of(source) or source).partition(":")[2].replace("%2F", "/").replace("%25", "%")
    return pod in (f"{space}/{name}", f"{space}/{kind}/{name}") or pod.startswith(
        (f"{space}/{name}/", f"{space}/{kind}/{name}/")
    )


def _is_of_host(edge: Edge) -> bool:
    return any(path.endswith("hostNetwork") for _, path in edge.evidence)


def _is_runner(edges: Sequence[Edge]) -> bool:
    """Whether all that is wrong is the privileged Docker beside a runner."""
    told = [(thing, path) for edge in edges for thing, path in edge.evidence]
    return bool(told) and all(
        thing.partition("/")[0] in _RUNNERS and path.endswith(".privileged") for thing, path in told
    )


def _is_reconciled(vertex: str) -> bool:
    if not vertex.startswith("permission-set:"):
        return False
    return vertex.rpartition("::")[2].startswith(_RECONCILED[0]) or vertex.endswith(f"::{_RECONCILED[1]}")


def _several(edges: Sequence[Edge]) -> str:
    targets = sorted({edge.target for edge in edges})
    rest = f" and {len(targets) - 1} more" if len(targets) > 1 else ""
    return say(targets[0]) + rest


def _objects(edges: Iterable[Edge], kinds: Collection[str]) -> list[tuple[str, str, str, str]]:
    """Kind, namespace, name and path of all evidence in objects of these kinds, each once."""
    found: dict[tuple[str, str, str, str], None] = {}
    for edge in edges:
        for told, path in edge.evidence:
            parts = told.split("/")
            if parts[0] in kinds and len(parts) == 3 and all(parts):
                found[parts[0], parts[1], parts[2], path.removeprefix("$.")] = None
            elif parts[0] in kinds and len(parts) == 2 and parts[1]:
                found[parts[0], "", parts[1], path.removeprefix("$.")] = None
    return sorted(found)


def _kubectl(verb: str, kind: str, namespace: str, name: str, *more: str) -> str:
    where = [option("--namespace", namespace)] if namespace else []
    return line("kubectl", verb, *where, *more, operands=[kind.lower(), name])


def _binding(vertex: str, edges: Sequence[Edge]) -> Remedy:
    told = {
        (kind, space, name) for kind, space, name, _ in _objects(edges, ("RoleBinding", "ClusterRoleBinding"))
    }
    what = f"Delete the binding of {say(vertex).removeprefix('the ')}"
    if len(told) != 1:
        return Remedy(f"{what}, and bind anew what is needed")
    kind, space, name = told.pop()
    place = f" in namespace {inert(space, NAME_COLUMNS)}" if space else ""
    return Remedy(
        f"Delete {kind} {inert(name, NAME_COLUMNS)}{place}, and bind anew what is needed",
        command=_kubectl("delete", kind, space, name),
    )


def _token(edges: Sequence[Edge]) -> Remedy:
    what = f"Mount no token of {_several(edges)} into {say(edges[0].source)}"
    places = {(kind, space, name) for kind, space, name, _ in _objects(edges, (*_WORKLOADS, "Pod", "Job"))}
    if len(places) != 1:
        return Remedy(f"{what}: automountServiceAccountToken: false in its specification")
    kind, space, name = places.pop()
    inner: dict[str, object] = {"automountServiceAccountToken": False}
    path = _WORKLOADS.get(kind, "spec.template.spec" if kind == "Job" else "spec")
    for member in reversed(path.split(".")):
        inner = {member: inner}
    patch = json.dumps(inner)
    if kind not in _WORKLOADS:
        return Remedy(f"{what}, in its manifest", patch)
    return Remedy(
        what, patch, _kubectl("patch", kind, space, name, "--type=strategic", option("--patch", patch))
    )


def _patched(edges: Sequence[Edge], what: str) -> Remedy:
    """A JSON patch for each object, out of the paths that evidence tells."""
    by: dict[tuple[str, str, str], list[str]] = {}
    for kind, space, name, path in _objects(
        edges, {told.partition("/")[0] for edge in edges for told, _ in edge.evidence}
    ):
        if not any(_is_of(edge.source, kind, space, name) for edge in edges):
            by.clear()
            break
        by.setdefault((kind, space, name), []).append(path)
    patches: list[str] = []
    commands: list[str] = []
    for (kind, space, name), paths in by.items():
        made = operations(paths)
        if made is None:
            patches.clear()
            break
        patch = json.dumps(made)
        patches.append(patch)
        if kind in _WORKLOADS:
            commands.append(_kubectl("patch", kind, space, name, "--type=json", option("--patch", patch)))
    told = sorted({f"{thing} {path}" if path else thing for edge in edges for thing, path in edge.evidence})
    if not patches:
        places = ", ".join(inert(one, NAME_COLUMNS) for one in told[:3])
        return Remedy(f"{what}: change {places}" if places else what)
    if len(commands) < len(patches) or not all(commands):
        return Remedy(f"{what}, in its manifest", "\n".join(patches))
    return Remedy(what, "\n".join(patches), "\n".join(commands))


def _aks(known: Known, *words: str) -> str:
    if not (known.cluster and known.group):
        return ""
    return line("az", "aks", *words, option("--name", known.cluster), option("--resource-group", known.group))


def _pod_security(edge: Edge) -> Remedy:
    found = {name for _, _, name, _ in _objects([edge], ("Namespace",))}
    what = f"Let pod security refuse privileged pods in {say(edge.source)}"
    if len(found) != 1:
        return Remedy(what)
    label = "pod-security.kubernetes.io/enforce=baseline"
    return Remedy(
        what, command=line("kubectl", "label", "--overwrite", operands=["namespace", found.pop(), label])
    )


def _fact(known: Known, vertex: str, name: str) -> str:
    found = known.vertices.get(vertex)
    return found.facts.get(name, "") if found is not None else ""


def _assignment(edge: Edge, known: Known) -> Remedy:
    who = _fact(known, edge.source, "principal_id")
    role, at, scope = edge.target.removeprefix("cloud-role:").partition("@/")
    role, scope = (
        _fact(known, edge.target, "role") or role,
        _fact(known, edge.target, "scope") or f"/{scope}" * bool(at),
    )
    what = f"Take {say(edge.target)} from {say(edge.source)}"
    if not (who and role and scope):
        return Remedy(what)
    words = [option("--assignee", who), option("--role", role), option("--scope", scope)]
    return Remedy(what, command=line("az", "role", "assignment", "delete", *words))


def _trust(edge: Edge, known: Known) -> Remedy:
    what = f"Let {say(edge.target)} trust no tokens of {say(edge.source)}"
    parts = _fact(known, edge.target, "resource_id").split("/")
    found = {name for _, _, name, _ in _objects([edge], ("FederatedCredential",))}
    if len(parts) != 9 or len(found) != 1 or edge.type != "WI_FEDERATED":
        return Remedy(what)
    words = [
        option("--name", found.pop()),
        option("--identity-name", parts[8]),
        option("--resource-group", parts[4]),
    ]
    return Remedy(what, command=line("az", "identity", "federated-credential", "delete", *words))
