"""What an edge means, as a sentence with the names of both ends.

Names are hostile text: they are made harmless for the eye here (`report.inert`), and never parsed further than
`kind:namespace/name` (posture/vertices.py escapes a slash in them). Types are KubeHound's, then those named after IceKube and
kubesplaining, then those that nobody else draws (facts of posture, 1.2, 1.4 and 7.2); of a type that is not here the name
is told.
"""

from __future__ import annotations

from collections.abc import Mapping

from eightysix.model.posture import Confidence, Edge
from eightysix.report.inert import inert

__all__ = ["NAME_COLUMNS", "SENTENCES", "say", "sentence"]

NAME_COLUMNS = 120
"""Columns of one name in a sentence; names of Kubernetes objects are at most 253, and mostly a tenth."""

_KINDS: Mapping[str, str] = {
    "artifact": "the artifact",
    "pod": "pod",
    "container": "container",
    "volume": "volume",
    "node": "node",
    "service-account": "service account",
    "permission-set": "the permissions",
    "endpoint": "endpoint",
    "secret": "Secret",
    "credential": "the credential",
    "cloud-identity": "the cloud identity",
    "cloud-role": "the cloud role",
    "cloud-resource": "the cloud resource",
    "external": "the external system",
}

_SINKS: Mapping[str, str] = {
    "cluster-admin": "cluster-admin",
    "ns-admin": "everything in namespace",
    "node": "root on node",
    "sub-owner": "ownership of the subscription",
    "acr-write": "writing images into the registry",
    "model-store-write": "writing models into the store",
    "kv-secrets": "the secrets of the key vault",
    "data-read": "reading data",
    "registry-read": "reading images of the registry",
    "llm-spend": "spending on the model provider",
}

SENTENCES: Mapping[str, str] = {
    # KubeHound
    "CE_MODULE_LOAD": "{source} may load a kernel module and so becomes root on {target}",
    "CE_NSENTER": "{source} is privileged and sees the host's processes, so nsenter makes it root on {target}",
    "CE_PRIV_MOUNT": "{source} is privileged and can mount the disk of {target}",
    "CE_SYS_PTRACE": "{source} may trace the host's processes and so becomes root on {target}",
    "CE_UMH_CORE_PATTERN": "{source} can write the kernel's core_pattern, which then runs its program on {target}",
    "CE_VAR_LOG_SYMLINK": "{source} mounts /var/log and may read logs, so a link there shows it any file of {target}",
    "EXPLOIT_CONTAINERD_SOCK": "{source} holds the runtime's socket and can start a privileged container on {target}",
    "EXPLOIT_HOST_READ": "{source} shows files of {target} that hold credentials",
    "EXPLOIT_HOST_WRITE": "{source} lets its holder write files of {target}, which then run there",
    "EXPLOIT_HOST_TRAVERSE": "{source} reaches the tokens of other pods in {target}",
    "CONTAINER_ATTACH": "whoever controls {source} controls {target} in it",
    "POD_ATTACH": "root on {source} controls {target}, which runs there",
    "POD_EXEC": "{source} {allows} running commands in {target}",
    "POD_PATCH": "{source} {allows} replacing what {target} runs",
    "POD_CREATE": "{source} {allows} creating a privileged pod on {target}",
    "ENDPOINT_EXPLOIT": "{source} is served by {target}, which a flaw in the service gives away",
    "TOKEN_STEAL": "{source} holds the token of {target}",
    "IDENTITY_ASSUME": "{source} runs as {target}",
    "ROLE_BIND": "{source} {allows} binding {target} to oneself",
    "IDENTITY_IMPERSONATE": "{source} {allows} acting as {target}",
    "PERMISSION_DISCOVER": "{source} holds {target}",
    "VOLUME_ACCESS": "root on {source} reads {target}",
    "VOLUME_DISCOVER": "{source} mounts {target}",
    "SHARE_PS_NAMESPACE": "{source} sees the processes of {target}, with their memory and variables",
    "TOKEN_BRUTEFORCE": "{source} {allows} reading the token of {target} by the name of its Secret",
    "TOKEN_LIST": "{source} {allows} listing Secrets, the token of {target} among them",
    # after IceKube and kubesplaining
    "BOUND_TO": "{source} is bound to {target}",
    "MEMBER_OF": "{source} is a member of {target}",
    "SA_TOKEN_MOUNTED": "{source} has the token of {target} mounted",
    "MOUNTS_SECRET": "{source} has {target} mounted",
    "ACCESS_SECRET": "{source} {allows} reading {target}",
    "READ_SECRETS": "{source} {allows} reading {target}",
    "TOKEN_REQUEST": "{source} {allows} requesting a token of {target}",
    "GENERATE_TOKEN": "{source} {allows} requesting a token of {target}",
    "CREATE_SECRET_WITH_TOKEN": "{source} {allows} creating a Secret that is filled with the token of {target}",
    "SECRET_MINT_TOKEN": "{source} {allows} creating a Secret that is filled with the token of {target}",
    "COLOCATED_TOKEN_THEFT": "root on {source} reads the token of {target}, whose pod runs there",
    "CREATE_POD_WITH_SA": "{source} {allows} creating a pod that runs as {target}",
    "CREATE_PRIVILEGED_WORKLOAD": "{source} {allows} creating a privileged pod, which becomes root on {target}",
    "UPDATE_WORKLOAD_WITH_SA": "{source} {allows} changing a workload that runs as {target}",
    "PATCH_NAMESPACE_TO_BYPASS_PSA": "{source} {allows} lifting pod security, after which a privileged pod reaches {target}",
    "EXEC_INTO": "{source} {allows} running commands in {target}",
    "REPLACE_IMAGE": "{source} {allows} replacing the image of {target}",
    "DEBUG_POD": "{source} {allows} adding a container to {target}",
    "EPHEMERAL_CONTAINER_INJECT": "{source} {allows} adding a container to {target}",
    "RBAC_ESCALATE_TO": "{source} {allows} giving oneself {target}",
    "BIND_OR_ESCALATE": "{source} {allows} giving oneself {target}",
    "IMPERSONATE": "{source} {allows} acting as {target}",
    "CAN_IMPERSONATE": "{source} {allows} acting as {target}",
    "GENERATE_CLIENT_CERTIFICATE": "{source} {allows} signing a client certificate of {target}",
    "CSR_APPROVE": "{source} {allows} approving a client certificate of {target}",
    "NODES_PROXY": "{source} {allows} running commands in {target} through its kubelet",
    "CAN_EXEC_THROUGH_KUBELET": "{source} {allows} running commands in {target} through its kubelet",
    "WEBHOOK_WRITE": "{source} {allows} changing what the API server admits, and so {leads} to {target}",
    "PV_CREATE": "{source} {allows} creating a volume out of the disk of {target}",
    "NODE_DRAIN_MIGRATE": "{source} {allows} driving pods to another node, and so {leads} to {target}",
    "WILDCARD_PERMISSION": "{source} {allows} everything: {target}",
    "IS_CLUSTER_ADMIN": "{source} is {target}",
    "NODE_CREDENTIALS": "root on {source} holds {target}",
    # roles, bindings and hosts by the default rules
    "HOLDS": "{source} holds {target}",
    "ASKS_WITHOUT_TOKEN": "{source} asks the API server without a token, as {target}",
    "CONTAINS": "part of {source}: {target}",
    "CLUSTER_ADMIN": "{source} {allows} everything in {target}",
    "NS_ADMIN": "{source} {allows} everything in {target}",
    "SECRET_OF_ACCOUNT": "{source} holds a token of {target}",
    "MINT_TOKEN_SECRET": "{source} {may} make a Secret that gets a token of {target}",
    "EXEC": "{source} {allows} running commands in {target}",
    "ATTACH": "{source} {allows} attaching to {target}",
    "PORT_FORWARD": "{source} {allows} reaching every port of {target}",
    "CREATE_WORKLOAD": "{source} {allows} making pods in {target}",
    "DEPUTY": "{source} {allows} asking a controller for anything, which makes it as {target}",
    "UPDATE_WORKLOAD": "{source} {allows} changing what makes pods in {target}",
    "CREATE_POD_WITH_ACCOUNT": "whoever makes pods in {source} runs them as {target}",
    "MOUNT_SECRET": "whoever makes pods in {source} mounts {target} into them",
    "CREATE_PRIVILEGED_POD": "whoever makes pods in {source} makes a privileged one, which is root on {target}",
    "NAMESPACE_PATCH": "{source} {may} lift pod security, after which a privileged pod is root on {target}",
    "HOST_VOLUME": "{source} {may} make a volume of the folders of {target}",
    "BIND_PODS": "{source} {allows} choosing the node of waiting pods, and so {leads} to {target}",
    "STEAL_PODS": "{source} {may} drive pods onto a node that it holds, and so gets {target}",
    "IMPERSONATE_GROUP": "{source} {may} act as {target}",
    "ESCALATE": "{source} {may} write rights into a role of its own, and so {gets} {target}",
    "BIND_ROLE": "{source} {may} bind a role whose rights it does not hold, and so {gets} {target}",
    "SIGN_CERTIFICATE": "{source} {may} have a client certificate of {target} signed",
    "ADMISSION_HOOK": "{source} {allows} changing what is admitted, and so {leads} to {target}",
    "API_SERVICE": "{source} {allows} answering for an API of the server, and so {leads} to {target}",
    "PRIVILEGED": "{source} is privileged and so becomes root on {target}",
    "HOST_PROCESS": "{source} is privileged among the processes of {target} and enters one",
    "KERNEL_MODULE": "{source} may load code into the kernel of {target}",
    "SYS_ADMIN": "{source} may mount and set up namespaces (SYS_ADMIN), and so becomes root on {target}",
    "PTRACE_HOST": "{source} may write into processes of {target}",
    "OPEN_BY_HANDLE": "{source} may open any file of {target} by its handle",
    "RAW_DEVICES": "{source} may write memory and devices of {target}",
    "BPF_PROGRAMS": "{source} may load programs into the kernel of {target}",
    "HOST_FOLDER_WRITE": "{source} writes where {target} runs or trusts files",
    "HOST_FOLDER_READ": "{source} reads keys of {target}",
    "POD_TOKENS_READ": "{source} reads the tokens of the pods of {target} from the kubelet's folder",
    "CORE_PATTERN": "{source} has the kernel of {target} run a program as a process crashes",
    "RUNTIME_SOCKET": "{source} holds the runtime's socket and can start a privileged container on {target}",
    "HOST_NETWORK": "{source} listens and speaks as {target}",
    "HOST_PROCESSES_SEEN": "{source} sees arguments and environments of the processes of {target}",
    "NODE_PODS": "root on {source} holds what its pods hold: {target}",
    "NODE_IDENTITY": "root on {source} holds the kubelet's certificate: {target}",
    "CONTROL_PLANE_KEYS": "{source} is of the control plane and holds the cluster's keys: {target}",
    "NODE_ROOT": "whoever controls {source} has {target}",
    # nobody else's
    "LOADS_ARTIFACT": "{target} loads {source}, which runs its code there",
    "GPU_PRIV_OPERAND": "{source} is privileged because the GPU needs it, so a compromise of it is {target}",
    "HAS_CRED_CICD": "{source} holds a credential of {target}",
    "PULLS_FROM": "{source} pulls from {target}",
    "CAN_PUSH": "{source} may push to {target}",
    "REPLACES_ARTIFACT": "{source} puts others in the place of {target}",
    "RUNNER_JOB_EXEC": "{source} gives its jobs to {target}",
    "DOCKER_SOCK": "{source} holds the runtime's socket and so becomes {target}",
    "WI_FEDERATED": "the cloud takes tokens of {source} for {target}",
    "WI_IDENTITY_BINDING": "an identity binding lets {source} become {target}",
    "IMDS_NODE_ID": "{source} reaches {target}, which gives out tokens of the node's identities",
    "IMDS_OTHER_UAMI": "{source} gives out tokens of {target} to who asks for them",
    "AZURE_JSON": "{source} reads azure.json on the host, which holds {target}",
    "CSI_KV_ACCESS": "{source} gets secrets from {target} by a volume",
    "STATIC_CLOUD_KEY": "{source} holds a key of {target} that does not expire",
    "HOLDS_ROLE": "{source} is assigned {target}",
    "LIST_CLUSTER_ADMIN": "{source} allows fetching the cluster's admin credentials: {target}",
    "VMSS_RUN_COMMAND": "{source} allows running commands as root on {target}",
    "AKS_RBAC": "{source} gives rights in the cluster itself: {target}",
    "ROLE_WRITE": "{source} allows giving oneself {target}",
    "MODEL_ACCESS": "{source} allows asking its models: {target}",
    "FIC_WRITE": "{source} allows trusting tokens of one's own for {target}",
    "KV_READ": "{source} allows reading secrets: {target}",
    "BLOB_WRITE_MODEL": "{source} allows overwriting the models that {target} loads",
    "HAS_LLM_KEY": "{source} holds a key of a model provider, {target}",
}


_HUBS: Mapping[str, tuple[str, str]] = {
    "pods": ("any pod", "the pods"),
    "service-accounts": ("any service account", "the service accounts"),
    "secrets": ("any Secret", "the Secrets"),
    "workloads": ("", ""),
    "nodes": ("any node", "the nodes"),
    "namespaces": ("any namespace", "the namespaces"),
    "users": ("any user", "the users"),
    "groups": ("any group", "the groups"),
    "roles": ("any Role", "the Roles"),
    "bound-Role": ("any Role that is bound", "the Roles that are bound"),
    "bound-ClusterRole": ("any ClusterRole that is bound", "the ClusterRoles that are bound"),
}
"""What a hub stands for: one of them, and all of them. Workloads are made in a place, and the place is named."""

_RESOURCES: Mapping[str, str] = {
    "push": "pushing to registry",
    "pull": "pulling from registry",
    "write": "writing to storage account",
    "vault": "key vault",
}
_ONE: Mapping[str, str] = {"allows": "allows", "leads": "leads", "may": "may", "gets": "gets"}
_MANY: Mapping[str, str] = {"allows": "allow", "leads": "lead", "may": "may", "gets": "get"}
"""Words behind one thing, and behind permissions, which are many."""

_OF_NODES = frozenset({"HOST_NETWORK", "HOST_PROCESSES_SEEN", "POD_TOKENS_READ"})
"""Types that lead to a part of a node, and say themselves which."""

_OF_RESOURCE: Mapping[str, str] = {
    "CAN_PUSH": "{source} allows {target}",
    "PULLS_FROM": "{source} allows {target}",
}


def _plain(text: str) -> str:
    return text.replace("%2F", "/").replace("%25", "%")


def _resource(text: str) -> str:
    """A resource of Azure by its own name and its group's, anything else as it is."""
    parts = text.split("/")
    if len(parts) < 3 or parts[0] or parts[1].lower() != "subscriptions":
        return _plain(text)
    if len(parts) == 3:
        return f"subscription {parts[2]}"
    if len(parts) == 5:
        return f"resource group {parts[4]}"
    group = f" of resource group {parts[4]}" if len(parts) > 5 else ""
    return f"{_plain(parts[-1])}{group}"


def _named(kind: str, name: str) -> str:
    first, slash, rest = name.partition("/")
    if kind == "sink":
        return _sink(first, rest)
    if kind == "namespace":
        return _hub(rest, f"in namespace {_plain(first)}") if slash else f"namespace {_plain(first)}"
    if kind == "cluster":
        return _hub(name, "of the cluster") if name else "the whole cluster"
    if kind == "endpoint" and first == "metadata" and slash:
        return "the metadata service" if rest == "*" else f"the metadata service of {_plain(rest)}"
    if kind == "subject" and first in ("user", "group") and slash:
        return f"{first} {rest}"
    if kind == "node":
        return _node(first, rest)
    if kind == "cloud-identity":
        return f"the cloud identity {_resource(name)}"
    if kind == "cloud-role":
        role, at, scope = name.partition("@")
        return f"the cloud role {role} on {_resource(scope)}" if at else f"the cloud role {_plain(name)}"
    if kind == "cloud-resource" and slash and first in _RESOURCES:
        return f"{_RESOURCES[first]} {_plain(rest)}"
    if kind == "credential" and rest.startswith("tokens of "):
        return f"tokens of service account {_plain(first)}/{_plain(rest.removeprefix('tokens of '))}"
    if kind == "artifact" and slash and first in ("image", "model"):
        return f"the {first} {_plain(rest)}"
    return f"{_KINDS.get(kind, kind)} {_plain(name)}"


def _sink(family: str, member: str) -> str:
    what = _SINKS.get(family, family)
    if member == "*":
        return {"ns-admin": "everything in a namespace"}.get(family, f"{what} of its own")
    if family == "node":
        return f"root on node {_plain(member)}" if member else "root on a node"
    return f"{what} {_plain(member)}" if member else what


def _hub(what: str, where: str) -> str:
    one, _ = _HUBS.get(what, (f"any of {_plain(what)}", ""))
    if one:
        return f"{one} {where}"
    return "any namespace of the cluster" if where.startswith("of ") else where.removeprefix("in ")


def _all(vertex: str) -> str:
    """A hub as the whole that a thing is one of."""
    text = say(vertex)
    one, many = _HUBS.get(vertex.rpartition("/")[2].rpartition(":")[2], ("", ""))
    return f"{many}{text.removeprefix(one)}" if one and text.startswith(one) else text


def _node(name: str, part: str) -> str:
    node = "a node" if name == "?" else f"node {_plain(name)}"
    if not part:
        return node
    return f"what the pods of {node} hold" if part == "pods" else f"what is seen of {node}"


def say(vertex: str) -> str:
    """The vertex of that id in words, on one harmless line."""
    kind, _, name = vertex.partition(":")
    return inert(_named(kind, name).strip(), NAME_COLUMNS)


_HOW: Mapping[Confidence, str] = {
    Confidence.PROVED: "",
    Confidence.INFERRED: " (inferred)",
    Confidence.ASSUMED: " (assumed)",
}


def _special(edge: Edge) -> str:
    """A sentence of a type that says other things of other ends."""
    kind, to = edge.source.partition(":")[0], edge.target.partition(":")[0]
    if edge.type == "HAS_LLM_KEY" and kind == "external":
        return "whoever holds a key of {source} spends what its account has"
    if edge.type in ("CLUSTER_ADMIN", "NS_ADMIN") and to == "sink":
        return "whoever controls {source} has {target}"
    if edge.type == "CONTAINS":
        if edge.target.endswith("workloads") and to in ("cluster", "namespace"):
            makes = "makes pods in" if edge.source.endswith("workloads") else "controls"
            return f"whoever {makes} {{source}} makes pods in {{target}}"
        if edge.source == "cluster:" or (kind == "namespace" and "/" not in edge.source):
            return "whoever controls {source} controls {target}"
        if kind == "node":
            return "root on {source} has {target}"
        if to in ("permission-set", "credential"):
            return "{whole} come with {target}"
        return (
            "{target} is one of {whole}" if to not in ("cluster", "namespace") else "{whole} include {target}"
        )
    if edge.type == "WI_FEDERATED" and to == "credential":
        return "{source} gets {target}"
    if edge.type == "WI_FEDERATED" and kind == "credential":
        return "the cloud takes {source} for {target}"
    if edge.type == "IMDS_NODE_ID" and kind == "endpoint":
        return (
            "{source} gives out tokens of {target}" if to == "cloud-identity" else "{source} may be {target}"
        )
    if edge.type == "CAN_PUSH" and kind == "cloud-resource":
        return "{source} is {target}"
    return _OF_RESOURCE.get(edge.type, "") if to == "cloud-resource" else ""


def sentence(edge: Edge) -> str:
    """`edge` as a sentence, which says how surely it is so."""
    source, target = say(edge.source), say(edge.target)
    if edge.type in _OF_NODES and edge.target.startswith("node:"):
        target = say(edge.target.partition("/")[0])
    known = _special(edge) or SENTENCES.get(edge.type)
    if known is None:
        text = f"{source} leads to {target} by {inert(edge.type, NAME_COLUMNS)}"
    else:
        words = _MANY if edge.source.startswith("permission-set:") else _ONE
        text = known.format(source=source, target=target, whole=_all(edge.source), **words)
    text = text[:1].upper() + text[1:]
    needs = f"; this needs: {inert(edge.needs, NAME_COLUMNS)}" if edge.needs else ""
    return f"{text}{needs}{_HOW[edge.confidence]}."
