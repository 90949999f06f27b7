"""What still runs is stopped first, and kept: a pod is cut off, not deleted, because its memory and files are the evidence.

The policy lies in deploy/respond/isolate.yaml as well; it is applied from the command itself here, so that nobody has to
look for a file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from eightysix.context.shell import line
from eightysix.model.incident import PodRef
from eightysix.model.story import IdentityStory, Sighting
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
)

__all__ = [
    "LABEL",
    "POLICY",
    "cordon",
    "deletion",
    "evidence",
    "isolation",
    "made_pods",
    "others",
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

_NOT_BLOCKED: Final = (
    "A NetworkPolicy does not block: what another policy allows (they add up; the last line lists them: take off labels that"
    " one selects by), connections that are open already (the network plugin decides), traffic with the pod's own node, a"
    " pod with hostNetwork, and anything where no plugin enforces policies. See in the telemetry that nothing leaves any more."
)


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
        f"{why} {_NOT_BLOCKED}",
        (*_lines(pod.namespace, (pod.name,), ""), _list_policies(pod.namespace, "")),
    )


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


def _list_policies(namespace: str, context: str) -> str:
    space = namespace or place("namespace")
    return kubectl("get", "networkpolicies", option("output", "wide"), namespace=space, context=context)


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


def evidence(pod: PodRef) -> Remedy:
    """What a deleted pod takes with it."""
    space, name = pod.namespace or place("namespace"), named("pod", pod.name)
    json, logs, told = (
        option("output", "json"),
        ("--all-containers", "--timestamps"),
        (pod.namespace, pod.name),
    )
    return Remedy(
        f"take the evidence of pod {pod.namespace}/{pod.name}",
        "Deleting the pod later, which ends its tokens, destroys it. Do not start a shell in it: that changes what is there and"
        " warns whoever watches. Memory and files are in a checkpoint of its containers (kubelet API /checkpoint) or in a"
        " snapshot of the node's disk.",
        (
            redirected(kubectl("get", name, json, namespace=space), "pod", ".json", *told),
            redirected(kubectl("logs", name, *logs, namespace=space), "logs", ".txt", *told),
            redirected(
                kubectl("logs", name, *logs, "--previous", namespace=space), "logs-previous", ".txt", *told
            ),
            redirected(kubectl("get", "events", json, namespace=space), "events", ".json", pod.namespace),
        ),
    )


_MADE: Final = "credential of pod "


def made_pods(identities: Sequence[IdentityStory]) -> Remedy | None:
    """Pods that the story's pod made."""
    names = sorted(
        {i.name.removeprefix(_MADE) for i in identities if i.kind == "made-pod" and i.name.startswith(_MADE)}
    )
    if not names:
        return None
    commands: list[str] = []
    for name in names[:MAX_PODS]:
        namespace, _, pod = name.partition("/")
        commands += _lines(namespace, (pod,), "")
    return Remedy(
        f"isolate what it made: {some(names)}",
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


def deletion(pod: PodRef, account: str) -> Remedy:
    """End what is bound to the pod, when its evidence is taken and its successor will be clean."""
    space, name = pod.namespace or place("namespace"), named("pod", pod.name)
    whose = f" of {account}" if account else ""
    return Remedy(
        f"delete pod {pod.namespace}/{pod.name}",
        f"This ends the service account tokens{whose} that are bound to it, 60 s after its grace period at the latest. Not before"
        " its evidence is taken, and not before the artifact is blocked: its controller starts a new one at once.",
        (kubectl("delete", name, namespace=space),),
    )
