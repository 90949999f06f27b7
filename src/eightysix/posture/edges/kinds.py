"""Types of edges of the default rules: what each lets one do, with ids of ATT&CK and of the Microsoft threat matrix for
Kubernetes (an empty list where neither names it)."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["KINDS", "Kind", "table", "techniques"]


class Kind(Struct, frozen=True):
    """A type of edge."""

    what: str
    attack: tuple[str, ...] = ()
    matrix: tuple[str, ...] = ()


_ESCAPE = (("T1611",), ("MS-TA9018",))
_PATH = (("T1611",), ("MS-TA9013",))
_BIND = (("T1098.006",), ("MS-TA9019",))

KINDS: dict[str, Kind] = {
    "HOLDS": Kind("a binding grants the permission set", ("T1078.004",), ("MS-TA9016",)),
    "MEMBER_OF": Kind("the API server puts the account in the group", ("T1078.004",)),
    "ASKS_WITHOUT_TOKEN": Kind(
        "the API server answers who shows no token, and a binding gives rights to those",
        ("T1078",),
        ("MS-TA9029",),
    ),
    "CONTAINS": Kind("lies in what the hub stands for"),
    "CLUSTER_ADMIN": Kind("may do everything in the cluster", ("T1078.003",), ("MS-TA9019",)),
    "NS_ADMIN": Kind("may do everything in the namespace", ("T1078.003",), ("MS-TA9019",)),
    "SECRET_OF_ACCOUNT": Kind(
        "the Secret holds a token of the service account", ("T1552.007",), ("MS-TA9025",)
    ),
    "READ_SECRETS": Kind(
        "get, list or watch Secrets: each of them shows what is in them", ("T1552.007",), ("MS-TA9025",)
    ),
    "TOKEN_REQUEST": Kind("create tokens of service accounts", ("T1528",), ("MS-TA9016",)),
    "MINT_TOKEN_SECRET": Kind(
        "make a Secret that gets a token, and read it or mount it", ("T1528",), ("MS-TA9016",)
    ),
    "EXEC": Kind("run commands in pods", ("T1609",), ("MS-TA9006",)),
    "ATTACH": Kind("attach to a running container", ("T1609",), ("MS-TA9006",)),
    "DEBUG_POD": Kind("add an ephemeral container to a running pod", ("T1609",), ("MS-TA9006",)),
    "PORT_FORWARD": Kind("reach ports of pods, also those of localhost", ("T1210",), ("MS-TA9034",)),
    "REPLACE_IMAGE": Kind("change the image of a pod's containers", ("T1610",), ("MS-TA9008",)),
    "CREATE_WORKLOAD": Kind("make pods, or what makes pods", ("T1610",), ("MS-TA9008",)),
    "DEPUTY": Kind("have a controller make anything, with its own rights", ("T1610",), ("MS-TA9008",)),
    "UPDATE_WORKLOAD": Kind("change what makes pods", ("T1610",), ("MS-TA9008",)),
    "CREATE_POD_WITH_ACCOUNT": Kind(
        "a new pod may use any service account of the namespace", ("T1528",), ("MS-TA9016",)
    ),
    "MOUNT_SECRET": Kind("a new pod may mount any Secret of the namespace", ("T1552.007",), ("MS-TA9025",)),
    "CREATE_PRIVILEGED_POD": Kind(
        "a new pod may be privileged, on any node", ("T1610", "T1611"), ("MS-TA9018",)
    ),
    "NAMESPACE_PATCH": Kind(
        "take Pod Security's label off the namespace, then make a privileged pod", ("T1562.001",)
    ),
    "HOST_VOLUME": Kind(
        "make a persistent volume of a node's folder, which Pod Security does not look at", *_PATH
    ),
    "BIND_PODS": Kind("say on which node waiting pods run", ("T1610",)),
    "STEAL_PODS": Kind("drive pods onto a node that one holds", ("T1528",)),
    "IMPERSONATE": Kind("act as users or service accounts", ("T1078.004",)),
    "IMPERSONATE_GROUP": Kind("act as a user in groups, `system:masters` among them", ("T1078.004",)),
    "ESCALATE": Kind("write rights into a role that one holds", *_BIND),
    "BIND_ROLE": Kind("bind a role whose rights one does not hold", *_BIND),
    "NODES_PROXY": Kind(
        "ask kubelets: commands in pods, past audit and admission", ("T1609",), ("MS-TA9030",)
    ),
    "SIGN_CERTIFICATE": Kind("ask for a client certificate and approve it", ("T1649",)),
    "ADMISSION_HOOK": Kind("see and change what is admitted", ("T1546",), ("MS-TA9015",)),
    "API_SERVICE": Kind("answer for an API of the server, and see who asks", ("T1557",)),
    "PRIVILEGED": Kind("privileged container: devices of the node, every capability", *_ESCAPE),
    "HOST_PROCESS": Kind("privileged container among the node's processes: enter one", *_ESCAPE),
    "KERNEL_MODULE": Kind("load code into the kernel (SYS_MODULE)", *_ESCAPE),
    "SYS_ADMIN": Kind("mount and set up namespaces (SYS_ADMIN)", *_ESCAPE),
    "PTRACE_HOST": Kind("write into a process of the node (hostPID and SYS_PTRACE)", *_ESCAPE),
    "OPEN_BY_HANDLE": Kind("open any file of the node by its handle (DAC_READ_SEARCH)", *_ESCAPE),
    "RAW_DEVICES": Kind("read and write memory and devices (SYS_RAWIO)", *_ESCAPE),
    "BPF_PROGRAMS": Kind("load programs into the kernel (BPF with PERFMON or SYS_ADMIN)", *_ESCAPE),
    "HOST_FOLDER_WRITE": Kind("write where the node runs or trusts files", *_PATH),
    "HOST_FOLDER_READ": Kind("read keys of the node", ("T1552.001",), ("MS-TA9013",)),
    "POD_TOKENS_READ": Kind(
        "read the tokens of all pods of the node from the kubelet's folder", ("T1528",), ("MS-TA9013",)
    ),
    "CORE_PATTERN": Kind("have the kernel run a program as a process crashes", *_ESCAPE),
    "RUNTIME_SOCKET": Kind(
        "ask the container runtime for a privileged container", ("T1610", "T1611"), ("MS-TA9013",)
    ),
    "HOST_NETWORK": Kind("listen and speak as the node (hostNetwork and NET_RAW or NET_ADMIN)", ("T1557",)),
    "HOST_PROCESSES_SEEN": Kind(
        "see arguments and, with the same user, environments of the node's processes", ("T1057",)
    ),
    "NODE_PODS": Kind(
        "root on the node holds every token and Secret that its pods hold", ("T1528",), ("MS-TA9016",)
    ),
    "NODE_IDENTITY": Kind("root on the node holds the kubelet's certificate", ("T1552.004",), ("MS-TA9030",)),
    "CONTROL_PLANE_KEYS": Kind(
        "a node of the control plane holds the cluster's keys and admin.conf", ("T1552.004",)
    ),
    "NODE_ROOT": Kind("root on the node", ("T1611",)),
}


def techniques(kind: str) -> tuple[str, ...]:
    """Ids that an edge of this type carries."""
    found = KINDS[kind]
    return (*found.attack, *found.matrix)


def table() -> str:
    """All types, as docs/posture-edges.md shows them."""
    rows = ["| Edge | What | ATT&CK | Threat matrix |", "| --- | --- | --- | --- |"]
    for name, kind in KINDS.items():
        rows.append(
            f"| `{name}` | {kind.what} | {', '.join(kind.attack) or '-'} | {', '.join(kind.matrix) or '-'} |"
        )
    return "\n".join(rows) + "\n"
