"""What telemetry itself tells of pods, nodes and identities, so that an inventory is of use without a single file of it."""

from __future__ import annotations

from eightysix.context.addresses import Learnt
from eightysix.context.inventory.kept import MAX_CONTAINERS, MAX_FACTS, Facts, KnownPod, Rank
from eightysix.context.inventory.nouns import Container
from eightysix.context.pods import CONTAINER_PREFIX, named_key
from eightysix.model.event import Event
from eightysix.model.words import Kind, Origin, Outcome, Source

__all__ = ["NODE_USER", "key_of_pod", "observe", "take_learnt"]

NODE_USER = "system:node:"
"""Users that are kubelets: kubernetes.io/docs/reference/access-authn-authz/node."""

_RANKS = {
    Source.TETRAGON: Rank.KERNEL,
    Source.FALCO: Rank.KERNEL,
    Source.KUBERNETES_AUDIT: Rank.CONTROL_PLANE,
    Source.AZURE: Rank.PROVIDER,
}


def key_of_pod(event: Event) -> str:
    """The key of the pod that a record names: its uid, else `context.pods.named_key`; empty where it names none."""
    return event.pod_uid or (named_key(event.namespace, event.pod) if event.pod and event.namespace else "")


def observe(facts: Facts, event: Event) -> None:
    """Take what one event tells. Nothing that code in a pod wrote about itself is believed over anybody else."""
    if event.kind is Kind.CLOUD:
        if event.resource == "sign-in":
            # The two ids of a sign-in are of one principal; in an activity's claims the application may be another one.
            facts.alias(event.principals)
        return
    key = key_of_pod(event)
    if key:
        _note_pod(facts, key, event)
    elif event.kind is Kind.API:
        _note_kubelet(facts, event)
    if event.kind is Kind.API:
        _note_made(facts, event)


def _note_pod(facts: Facts, key: str, event: Event) -> None:
    pod = facts.pod(key, event.pod_uid)
    if pod is None:
        return
    pod.seen(event.time_ns)
    if event.origin is Origin.KERNEL and event.kind is Kind.CONNECT and event.source_ip:
        if not pod.address(event.source_ip, event.time_ns, event.time_ns):
            facts.full.add("too many addresses of one pod")
    latest = (
        event.source,
        event.node,
        event.pod,
        event.service_account,
        event.container_id,
        event.container_started_ns,
        event.image_digest,
        event.image,
        event.workload,
        event.workload_kind,
        event.cluster,
        event.namespace,
        event.container,
    )
    if latest != pod.latest:
        pod.latest = latest
        _note_fields(facts, pod, event)


def _note_fields(facts: Facts, pod: KnownPod, event: Event) -> None:
    rank = _RANKS.get(event.source, Rank.SUSPECT)
    account = event.service_account
    if account and "/" not in account:
        account = f"{event.namespace}/{account}"
    told = (
        ("namespace", event.namespace),
        ("name", event.pod),
        ("node", event.node),
        ("cluster", event.cluster),
        ("account", account),
        ("workload", event.workload),
        ("workload-kind", event.workload_kind),
    )
    for name, value in told:
        if value:
            pod.tell(name, rank, value)
    if event.container_id:
        _note_container(facts, pod.containers, event)


def _note_container(facts: Facts, containers: dict[str, Container], event: Event) -> None:
    prefix = event.container_id[:CONTAINER_PREFIX]
    new = Container(
        event.container,
        event.container_id,
        event.image,
        event.image_digest,
        event.container_started_ns,
    )
    held = containers.get(prefix)
    if held is not None:
        containers[prefix] = joined(held, new)
    elif len(containers) < MAX_CONTAINERS:
        containers[prefix] = new
    else:
        facts.full.add(f"more than {MAX_CONTAINERS} containers of one pod")


def joined(one: Container, other: Container) -> Container:
    """What both tell of a container."""
    starts = [time for time in (one.started_ns, other.started_ns) if time]
    return Container(
        min(filter(None, (one.name, other.name)), default=""),
        max(one.container_id, other.container_id, key=lambda text: (len(text), text)),
        min(filter(None, (one.image, other.image)), default=""),
        min(filter(None, (one.digest, other.digest)), default=""),
        min(starts, default=0),
        max(one.finished_ns, other.finished_ns),
    )


def _note_kubelet(facts: Facts, event: Event) -> None:
    if not event.identity.startswith(NODE_USER) or event.outcome is Outcome.DENIED:
        return
    node = facts.node(event.identity[len(NODE_USER) :])
    if node is not None:
        node.last_ns = max(node.last_ns, event.time_ns)
        if event.source_ip:
            node.ips.add(event.source_ip)


def _note_made(facts: Facts, event: Event) -> None:
    """When pods of a name were made. Whose uid that is, the request does not say at level Metadata."""
    if event.verb != "create" or event.resource != "pods" or event.subresource:
        return
    if event.object_name and event.object_namespace and event.outcome is not Outcome.DENIED:
        facts.version += 1
        name = f"{event.object_namespace}/{event.object_name}"
        if name in facts.made or len(facts.made) < MAX_FACTS:
            facts.made.setdefault(name, set()).add(event.time_ns)
        pod = facts.pod(named_key(event.object_namespace, event.object_name))
        if pod is not None:
            pod.tell("namespace", Rank.CONTROL_PLANE, event.object_namespace)
            pod.tell("name", Rank.CONTROL_PLANE, event.object_name)
            pod.made_ns = min(pod.made_ns or event.time_ns, event.time_ns)


def _take_names(facts: Facts, learnt: Learnt) -> None:
    for uid, name in learnt.names.items():
        pod = facts.pod(uid, uid)
        if pod is not None:
            pod.tell("namespace", Rank.CONTROL_PLANE, name.partition("/")[0])
            pod.tell("name", Rank.CONTROL_PLANE, name.partition("/")[2])


def take_learnt(facts: Facts, learnt: Learnt) -> None:
    """Take what audit bodies told beside events (`sources.kubernetes_audit_bodies`)."""
    for name, ips in learnt.nodes.items():
        node = facts.node(name)
        if node is not None:
            node.ips |= ips
    _take_names(facts, learnt)
    for name, ips in learnt.pods.items():
        namespace, slash, called = name.partition("/")
        pod = facts.pod(named_key(namespace, called) if slash else name, "" if slash else name)
        if pod is None:
            continue
        if slash:
            pod.tell("namespace", Rank.CONTROL_PLANE, namespace)
            pod.tell("name", Rank.CONTROL_PLANE, called)
        for ip in ips:
            pod.address(ip, 0, 0)
    for name, accounts in learnt.accounts.items():
        namespace, slash, called = name.partition("/")
        pod = facts.pod(named_key(namespace, called) if slash else name, "" if slash else name)
        if pod is not None:
            for account in sorted(accounts):
                pod.tell("account", Rank.CONTROL_PLANE, account)
                pod.tell("namespace", Rank.CONTROL_PLANE, account.partition("/")[0])
            if slash:
                pod.tell("name", Rank.CONTROL_PLANE, called)
    for account, ids in learnt.principals.items():
        held = facts.account(account)
        if held is not None:
            held.declared |= {id_.lower() for id_ in ids}
