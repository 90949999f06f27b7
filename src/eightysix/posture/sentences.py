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
    "POD_EXEC": "{source} allow running commands in {target}",
    "POD_PATCH": "{source} allow replacing what {target} runs",
    "POD_CREATE": "{source} allow creating a privileged pod on {target}",
    "ENDPOINT_EXPLOIT": "{source} is served by {target}, which a flaw in the service gives away",
    "TOKEN_STEAL": "{source} holds the token of {target}",
    "IDENTITY_ASSUME": "{source} runs as {target}",
    "ROLE_BIND": "{source} allow binding {target} to oneself",
    "IDENTITY_IMPERSONATE": "{source} allow acting as {target}",
    "PERMISSION_DISCOVER": "{source} holds {target}",
    "VOLUME_ACCESS": "root on {source} reads {target}",
    "VOLUME_DISCOVER": "{source} mounts {target}",
    "SHARE_PS_NAMESPACE": "{source} sees the processes of {target}, with their memory and variables",
    "TOKEN_BRUTEFORCE": "{source} allow reading the token of {target} by the name of its Secret",
    "TOKEN_LIST": "{source} allow listing Secrets, the token of {target} among them",
    # after IceKube and kubesplaining
    "BOUND_TO": "{source} is bound to {target}",
    "MEMBER_OF": "{source} is a member of {target}",
    "USES_ACCOUNT": "{source} runs as {target}",
    "SA_TOKEN_MOUNTED": "{source} has the token of {target} mounted",
    "MOUNTS_SECRET": "{source} has {target} mounted",
    "ACCESS_SECRET": "{source} allow reading {target}",
    "READ_SECRETS": "{source} allow reading {target}",
    "TOKEN_REQUEST": "{source} allow requesting a token of {target}",
    "GENERATE_TOKEN": "{source} allow requesting a token of {target}",
    "CREATE_SECRET_WITH_TOKEN": "{source} allow creating a Secret that is filled with the token of {target}",
    "SECRET_MINT_TOKEN": "{source} allow creating a Secret that is filled with the token of {target}",
    "COLOCATED_TOKEN_THEFT": "root on {source} reads the token of {target}, whose pod runs there",
    "CREATE_POD_WITH_SA": "{source} allow creating a pod that runs as {target}",
    "CREATE_PRIVILEGED_WORKLOAD": "{source} allow creating a privileged pod, which becomes root on {target}",
    "UPDATE_WORKLOAD_WITH_SA": "{source} allow changing a workload that runs as {target}",
    "PATCH_NAMESPACE_TO_BYPASS_PSA": "{source} allow lifting pod security, after which a privileged pod reaches {target}",
    "EXEC_INTO": "{source} allow running commands in {target}",
    "REPLACE_IMAGE": "{source} allow replacing the image of {target}",
    "DEBUG_POD": "{source} allow adding a container to {target}",
    "EPHEMERAL_CONTAINER_INJECT": "{source} allow adding a container to {target}",
    "RBAC_ESCALATE_TO": "{source} allow giving oneself {target}",
    "BIND_OR_ESCALATE": "{source} allow giving oneself {target}",
    "IMPERSONATE": "{source} allow acting as {target}",
    "CAN_IMPERSONATE": "{source} allow acting as {target}",
    "GENERATE_CLIENT_CERTIFICATE": "{source} allow signing a client certificate of {target}",
    "CSR_APPROVE": "{source} allow approving a client certificate of {target}",
    "NODES_PROXY": "{source} allow running commands through the kubelet of {target}",
    "CAN_EXEC_THROUGH_KUBELET": "{source} allow running commands through the kubelet of {target}",
    "WEBHOOK_WRITE": "{source} allow changing what the API server admits, and so lead to {target}",
    "PV_CREATE": "{source} allow creating a volume out of the disk of {target}",
    "NODE_DRAIN_MIGRATE": "{source} allow driving pods to another node, and so lead to {target}",
    "WILDCARD_PERMISSION": "{source} allow everything: {target}",
    "IS_CLUSTER_ADMIN": "{source} is {target}",
    "NODE_CREDENTIALS": "root on {source} holds {target}",
    # roles, bindings and hosts by the default rules
    "HOLDS": "{source} holds {target}",
    "CONTAINS": "part of {source}: {target}",
    "CLUSTER_ADMIN": "{source} may do everything in the cluster: {target}",
    "NS_ADMIN": "{source} may do everything in the namespace: {target}",
    "SECRET_OF_ACCOUNT": "{source} holds a token of {target}",
    "MINT_TOKEN_SECRET": "{source} allow making a Secret that gets a token of {target}",
    "EXEC": "{source} allow running commands in {target}",
    "ATTACH": "{source} allow attaching to {target}",
    "PORT_FORWARD": "{source} allow reaching every port of {target}",
    "CREATE_WORKLOAD": "{source} allow making pods in {target}",
    "UPDATE_WORKLOAD": "{source} allow changing what makes pods: {target}",
    "CREATE_POD_WITH_ACCOUNT": "whoever makes pods in {source} uses {target}",
    "MOUNT_SECRET": "whoever makes pods in {source} mounts {target}",
    "CREATE_PRIVILEGED_POD": "whoever makes pods in {source} makes a privileged one, on {target}",
    "NAMESPACE_PATCH": "{source} allow lifting pod security, after which a privileged pod reaches {target}",
    "HOST_VOLUME": "{source} allow making a volume of the folders of {target}",
    "BIND_PODS": "{source} allow choosing the node of waiting pods, and so lead to {target}",
    "STEAL_PODS": "{source} allow driving pods onto a node that one holds, and so lead to {target}",
    "IMPERSONATE_GROUP": "{source} allow acting as {target}",
    "ESCALATE": "{source} allow writing rights into a role: {target}",
    "BIND_ROLE": "{source} allow binding a role whose rights one does not hold: {target}",
    "SIGN_CERTIFICATE": "{source} allow signing a client certificate of {target}",
    "ADMISSION_HOOK": "{source} allow changing what is admitted, and so lead to {target}",
    "API_SERVICE": "{source} allow answering for an API of the server, and so lead to {target}",
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
    "NODE_ROOT": "{source} is {target}",
    # nobody else's
    "LOADS_ARTIFACT": "{target} loads {source}, which runs its code there",
    "GPU_PRIV_OPERAND": "{source} is privileged because the GPU needs it, so a compromise of it is root on {target}",
    "HAS_CRED_CICD": "{source} holds a credential of {target}",
    "PULLS_FROM": "{source} pulls from {target}",
    "CAN_PUSH": "{source} may push to {target}",
    "REPLACES_ARTIFACT": "whoever writes {source} replaces what {target} runs",
    "RUNNER_JOB_EXEC": "{source} gives its jobs to {target}",
    "DOCKER_SOCK": "{source} holds the runtime's socket and so becomes root on {target}",
    "WI_FEDERATED": "the cloud takes tokens of {source} for {target}",
    "WI_IDENTITY_BINDING": "an identity binding lets {source} become {target}",
    "IMDS_NODE_ID": "{source} reaches tokens of the node's identity: {target}",
    "IMDS_OTHER_UAMI": "{source} gives out tokens of {target} to who asks for them",
    "AZURE_JSON": "{source} reads azure.json on the host, with the credentials of {target}",
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
    "HAS_LLM_KEY": "{source} holds a key of a model provider: {target}",
}


def _plain(text: str) -> str:
    return text.replace("%2F", "/").replace("%25", "%")


def _named(kind: str, name: str) -> str:
    first, slash, rest = name.partition("/")
    if kind == "sink":
        what = _SINKS.get(first, first)
        return f"{what} {_plain(rest)}" if slash else what
    if kind == "namespace":
        return f"all {_plain(rest)} in namespace {_plain(first)}" if slash else f"namespace {_plain(first)}"
    if kind == "cluster":
        return f"all {name} of the cluster" if name else "the whole cluster"
    if kind == "endpoint" and first == "metadata" and slash:
        return "the metadata service" if rest == "*" else f"the metadata service of {_plain(rest)}"
    if kind == "subject" and first in ("user", "group") and slash:
        return f"{first} {rest}"
    return f"{_KINDS.get(kind, kind)} {_plain(name)}"


def say(vertex: str) -> str:
    """The vertex of that id in words, on one harmless line."""
    kind, _, name = vertex.partition(":")
    return inert(_named(kind, name).strip(), NAME_COLUMNS)


_HOW: Mapping[Confidence, str] = {
    Confidence.PROVED: "",
    Confidence.INFERRED: " (inferred)",
    Confidence.ASSUMED: " (assumed)",
}


def sentence(edge: Edge) -> str:
    """`edge` as a sentence, which says how surely it is so."""
    source, target = say(edge.source), say(edge.target)
    known = SENTENCES.get(edge.type)
    if edge.type == "HAS_LLM_KEY" and edge.source.startswith("external:"):
        known = "whoever holds a key of {source} has {target}"
    if known is None:
        text = f"{source} leads to {target} by {inert(edge.type, NAME_COLUMNS)}"
    else:
        text = known.format(source=source, target=target)
    text = text[:1].upper() + text[1:]
    needs = f", if {inert(edge.needs, NAME_COLUMNS)}" if edge.needs else ""
    return f"{text}{needs}{_HOW[edge.confidence]}."
