"""What still runs is stopped first, and kept: a pod is cut off, not deleted, because its memory and files are the evidence.

The policy lies in deploy/respond/isolate.yaml as well; it is applied from the command itself here, so that nobody has to
look for a file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from eightysix.context.shell import line
from eightysix.model.incident import PodRef
from eightysix.model.story import EntityKind, IdentityStory, Sighting
from eightysix.reconstruct.names import entity_id
from eightysix.reconstruct.remedies import (
    Remedy,
    is_name,
    kubectl,
    named,
    option,
    piped,
    place,
    redirected,
    some,
    split_account,
)

__all__ = [
    "LABEL",
    "POLICY",
    "cordon",
    "deletion",
    "evidence",
    "isolation",
    "isolation_of_made",
    "made_pods",
    "others",
    "seeing",
]

LABEL: Final = "eightysix.dev/isolated"
"""The label that a pod is cut off by."""

POLICY: Final = (
    '{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"eightysix-isolate"},'
    '"spec":{"podSelector":{"matchLabels":{"eightysix.dev/isolated":"true"}},"policyTypes":["Ingress","Egress"]}}'
)
"""Nothing in, nothing out, the metadata service among it: no rule stands, so no rule allows. It is ours word for word, so that
kubectl need not fetch the API's description (`--validate=false`), which not every responder may."""

MAX_PODS: Final = 16
"""Pods that one step has lines for."""


def isolation(pod: PodRef, workload: str) -> Remedy:
    """Cut the pod of the story off."""
    why = (
        "What landed still runs there, and can take new tokens every minute. Deleting the pod would destroy its memory and"
        " files, and its controller would start the same again."
    )
    if pod.cluster:
        why += f" kubectl must point at cluster {pod.cluster}."
    if workload:
        why += f" {workload} loses this replica."
    return Remedy(
        f"isolate pod {pod.namespace}/{pod.name}: nothing in or out, the metadata service (169.254.169.254) included",
        why,
        tuple(_lines(pod.namespace, (pod.name,), "")),
        _entity(pod),
    )


def seeing(pod: PodRef) -> Remedy:
    """What the isolation leaves open."""
    space = pod.namespace or place("namespace")
    columns = "HOSTNETWORK:.spec.hostNetwork,NODE:.spec.nodeName,LABELS:.metadata.labels"
    return Remedy(
        "see that nothing leaves it any more",
        "The policy does not block what another one allows (they add up: take off labels that one selects by), connections that"
        " are open already (the network plugin decides), traffic with its own node, or a pod with hostNetwork; and nothing where"
        " no plugin enforces policies. New connections in the telemetry mean that it does not hold: cut the node off.",
        (
            kubectl("get", "networkpolicies", option("output", "wide"), namespace=space),
            kubectl(
                "get", named("pod", pod.name), option("output", f"custom-columns={columns}"), namespace=space
            ),
        ),
        _entity(pod),
    )


def _entity(pod: PodRef) -> str:
    """The pod's id in the graph, empty where its uid is not known."""
    return entity_id(EntityKind.POD, pod.uid) if pod.uid else ""


def _lines(namespace: str, names: Iterable[str], context: str) -> list[str]:
    """The policy into a namespace, then the label onto pods of it."""
    space = namespace or place("namespace")
    lines = [
        piped(
            line("printf", "%s", POLICY),
            kubectl("apply", "--validate=false", option("filename", "-"), namespace=space, context=context),
        )
    ]
    for name in names:
        pod = named("pod", name)
        lines.append(kubectl("label", "--overwrite", pod, f"{LABEL}=true", namespace=space, context=context))
        kept = "cluster-autoscaler.kubernetes.io/safe-to-evict=false"
        lines.append(kubectl("annotate", "--overwrite", pod, kept, namespace=space, context=context))
    return lines


def cordon(node: str) -> Remedy:
    """Where the chain left its pod: nothing new on the node."""
    return Remedy(
        f"take no new pods on node {node}, and keep the node",
        "The chain left its pod for the node, so every pod there counts as exposed, and a NetworkPolicy on one pod does not"
        " hold who is on the node: cut the machine off in the cloud's network (a security group without rules that allow)."
        " Do not drain it: that deletes the evidence and carries the pods' secrets on.",
        (
            kubectl("cordon", named("node", node)),
            kubectl(
                "get pods",
                "--all-namespaces",
                option("output", "wide"),
                option("field-selector", f"spec.nodeName={node if is_name(node) else place('node')}"),
            ),
        ),
    )


Name = tuple[str, str]
"""Namespace and name of a pod."""


def evidence(pod: PodRef, made: Sequence[Name]) -> Remedy:
    """What deleted pods take with them."""
    json = option("output", "json")
    pods = [(pod.namespace, pod.name), *made[:MAX_PODS]]
    return Remedy(
        f"take the evidence of {_plural(pods)}",
        "Deleting a pod later, which ends its tokens, destroys it. Do not start a shell in it: that changes what is there and"
        " warns whoever watches. Memory and files are in a checkpoint of its containers (kubelet API /checkpoint) or in a"
        " snapshot of the node's disk.",
        (
            *(line for one in pods for line in _kept(*one)),
            redirected(
                kubectl("get", "events", json, namespace=pod.namespace or place("namespace")),
                *("events", ".json", pod.namespace),
            ),
        ),
        _entity(pod),
    )


def _kept(namespace: str, name: str) -> list[str]:
    space, pod = namespace or place("namespace"), named("pod", name)
    logs, told = ("--all-containers", "--timestamps"), (namespace, name)
    return [
        redirected(kubectl("get", pod, option("output", "json"), namespace=space), "pod", ".json", *told),
        redirected(kubectl("logs", pod, *logs, namespace=space), "logs", ".txt", *told),
        redirected(
            kubectl("logs", pod, *logs, "--previous", namespace=space), "logs-previous", ".txt", *told
        ),
    ]


def _plural(pods: Sequence[Name]) -> str:
    return ("pod " if len(pods) == 1 else "pods ") + some(f"{namespace}/{name}" for namespace, name in pods)


_MADE: Final = "credential of pod "


def made_pods(identities: Sequence[IdentityStory]) -> list[Name]:
    """Pods that the story's pod made, as far as they took something."""
    names = {
        i.name.removeprefix(_MADE) for i in identities if i.kind == "made-pod" and i.name.startswith(_MADE)
    }
    return [(name.partition("/")[0], name.partition("/")[2]) for name in sorted(names)]


def isolation_of_made(made: Sequence[Name]) -> Remedy | None:
    """Cut those off too."""
    if not made:
        return None
    commands = [line for namespace, pod in made[:MAX_PODS] for line in _lines(namespace, (pod,), "")]
    return Remedy(
        f"isolate what it made: {some('/'.join(name) for name in made)}",
        "Pods that were made with the stolen identity run the attacker's code, often on the node itself (hostNetwork,"
        " privileged: a NetworkPolicy does not hold those; cut off their node). Look for what makes them again: jobs, daemon"
        " sets, cron jobs.",
        tuple(dict.fromkeys(commands)),
    )


def others(pod: PodRef | None, found: Sequence[Sighting], *, lost: bool) -> Remedy | None:
    """Cut off other pods with the same artifact: those that lost a credential (`lost`) or the others."""
    chosen = [s for s in found if s.same is not False and s.pod and s.identity_taken is lost]
    if not chosen:
        return None
    commands: list[str] = []
    pods = dict.fromkeys((s.cluster, s.namespace, s.pod) for s in chosen)
    for cluster, namespace, name in list(pods)[:MAX_PODS]:
        foreign = cluster and (pod is None or cluster != pod.cluster)
        context = place(f"context of cluster {cluster}") if foreign else ""
        commands += _lines(namespace, (name,), context)
    told = some(f"{namespace}/{name}" for _, namespace, name in pods)
    more = f" The first {MAX_PODS} have lines here." if len(pods) > MAX_PODS else ""
    if lost:
        what = f"isolate the other pods that lost a credential to it: {told}"
        why = "The same artifact acted there too: each has a story of its own, with identities of its own to cut."
    else:
        what = f"isolate or replace the other pods that have it: {told}"
        why = (
            "The same artifact is there and was not seen to act, which proves nothing. Each pod that is isolated is a replica"
            " less: replace by a clean image first where the service needs them."
        )
    return Remedy(what, why + more, tuple(dict.fromkeys(commands)))


def deletion(pod: PodRef, account: str, made: Sequence[Name]) -> Remedy:
    """End what is bound to the pods, when their evidence is taken and the successor will be clean."""
    pods = [(pod.namespace, pod.name), *made[:MAX_PODS]]
    whose = f" of {account}" if all(split_account(account)) else ""
    return Remedy(
        f"delete {_plural(pods)}",
        f"This ends the service account tokens{whose} that are bound to it, 60 s after its grace period at the latest. Not before"
        " its evidence is taken, and not before the artifact is blocked: its controller starts a new one at once.",
        tuple(
            kubectl("delete", named("pod", name), namespace=namespace or place("namespace"))
            for namespace, name in pods
        ),
        _entity(pod),
    )
