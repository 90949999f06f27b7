"""Objects of Kubernetes into facts: pods, service accounts, nodes, what made what, and the bindings of AAD Pod Identity."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from eightysix.context.destinations import address
from eightysix.context.inventory.kept import (
    MAX_CONTAINERS,
    MAX_FACTS,
    Facts,
    KnownPod,
    Rank,
    Version,
)
from eightysix.context.inventory.kubernetes_records import (
    ContainerStatus,
    Item,
    Labels,
    Metadata,
    Phase,
    Spec,
    Status,
)
from eightysix.context.inventory.nouns import Container
from eightysix.context.inventory.observing import joined
from eightysix.context.pods import CONTAINER_PREFIX
from eightysix.model.timestamps import to_ns

__all__ = ["KINDS", "take_object"]

_NO_METADATA, _NO_SPEC, _NO_STATUS, _NO_LABELS = Metadata(), Spec(), Status(), Labels()
_OVER = frozenset({"Succeeded", "Failed"})
_MOST = 256
"""Members of one list in an object that are looked at."""

_text: Callable[[msgspec.Raw], str] = msgspec.json.Decoder(str).decode


def take_object(facts: Facts, item: Item, cluster: str, collected_ns: int) -> bool:
    """Take an object; False where its kind means nothing here. `collected_ns` is when it was asked for, 0 where nobody says."""
    kind = item.kind or ""
    if kind == "Pod":
        _pod(facts, item, cluster, collected_ns)
    elif kind in _TIMED:
        _TIMED[kind](facts, item, collected_ns)
    elif kind in _PLAIN:
        _PLAIN[kind](facts, item)
    return kind in KINDS


def _ns(text: str | None) -> int:
    """A time, 0 where there is none or it is no time."""
    try:
        return to_ns(text) if text else 0
    except ValueError:
        return 0


def _changed(metadata: Metadata) -> int:
    """When the object was last changed, 0 where it does not say."""
    return max((_ns(one.time) for one in (metadata.managed or ())[:_MOST]), default=0)


def _revision(metadata: Metadata) -> int:
    """Of two versions of an object the later has the larger `resourceVersion` (kubernetes.io/docs/reference/using-api/api-
    concepts, resource versions: comparable as integers within one resource)."""
    text = metadata.version or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 20 else 0


def _pod(facts: Facts, item: Item, cluster: str, collected_ns: int) -> None:
    metadata, spec, status = item.metadata or _NO_METADATA, item.spec or _NO_SPEC, item.status or _NO_STATUS
    if not metadata.uid or not metadata.name:
        return
    pod = facts.pod(metadata.uid[:64], metadata.uid[:64])
    if pod is None:
        return
    labels = metadata.labels or _NO_LABELS
    bound = metadata.annotations.binding if metadata.annotations is not None else None
    told = (
        ("namespace", metadata.namespace),
        ("name", metadata.name),
        ("cluster", cluster),
        ("node", spec.node),
        ("account", _account(metadata, spec)),
        ("host-network", "true" if spec.host_network else "false"),
        ("workload-identity", "true" if "true" in (labels.use, bound) else "false"),
        ("template", labels.template),
        ("owner", _owner(metadata)),
    )
    for name, value in told:
        pod.tell(name, Rank.INVENTORY, value or "")
    if labels.pod_identity:
        pod.labels.add(labels.pod_identity[:253])
    made = _ns(metadata.created)
    pod.made_ns = min(pod.made_ns or made, made) if made else pod.made_ns
    statuses = [
        *(status.containers or ())[:_MOST],
        *(status.first or ())[:_MOST],
        *(status.debugging or ())[:_MOST],
    ]
    finished = [_container(facts, pod, each) for each in statuses]
    _times(pod, metadata, status, max(finished, default=0), collected_ns)
    _addresses(facts, pod, status, collected_ns)


def _account(metadata: Metadata, spec: Spec) -> str:
    name = spec.account or spec.old_account or "default"
    return f"{metadata.namespace}/{name}" if spec.node or spec.account or spec.old_account else ""


def _owner(metadata: Metadata) -> str:
    for owner in (metadata.owners or ())[:_MOST]:
        if owner.controller and owner.kind and owner.name:
            return f"{owner.kind[:64]}/{owner.name[:253]}/{(owner.uid or '')[:64]}"
    return ""


def _times(pod: KnownPod, metadata: Metadata, status: Status, finished_ns: int, collected_ns: int) -> None:
    """When it was there for sure, and when it was over. A pod that is deleted runs on for its time of grace, which
    `deletionTimestamp` has in it."""
    made, deleted = _ns(metadata.created), _ns(metadata.deleted)
    conditions = [_ns(one.changed) for one in (status.conditions or ())[:_MOST]]
    over = max(finished_ns, *conditions, 0) if status.phase in _OVER else 0
    changed = max(_changed(metadata), made, *conditions, 0)
    ended = over or deleted
    pod.seen(made)
    pod.seen(min(changed, ended) if ended else changed)
    if ended:
        pod.ended_ns = max(pod.ended_ns, ended)
    elif collected_ns:
        pod.seen(collected_ns)


def _addresses(facts: Facts, pod: KnownPod, status: Status, collected_ns: int) -> None:
    ips = {status.pod_ip, *(one.ip for one in (status.pod_ips or ())[:_MOST])}
    hosts = {status.host_ip, *(one.ip for one in (status.host_ips or ())[:_MOST])}
    started = _ns(status.started)
    for ip in sorted(filter(None, (address(ip) for ip in ips if ip))):
        if not pod.address(ip, started, max(started, collected_ns)):
            facts.full.add("too many addresses of one pod")
    pod.host_ips.update(filter(None, (address(ip) for ip in hosts if ip)))


def _container(facts: Facts, pod: KnownPod, status: ContainerStatus) -> int:
    """Note a container and the one before it; when the later of them ended."""
    ends = [0]
    for state, current in ((status.state, status.id), (status.last, None)):
        if state is None:
            continue
        phase = state.terminated or state.running or Phase()
        ends.append(_ns(phase.finished))
        container_id = (phase.id or current or "").rpartition("://")[2][:128]
        if container_id:
            _keep(facts, pod, status, container_id, phase)
    if status.id and status.state is None:
        _keep(facts, pod, status, status.id.rpartition("://")[2][:128], Phase())
    return max(ends)


def _keep(facts: Facts, pod: KnownPod, status: ContainerStatus, container_id: str, phase: Phase) -> None:
    digest = (status.image_id or "").rpartition("@")
    new = Container(
        (status.name or "")[:253],
        container_id,
        (status.image or "")[:512],
        # An image id without a repository is the hash of a local configuration, which nothing can be joined by.
        digest[2][:160] if digest[0] and digest[2].startswith("sha256:") else "",
        _ns(phase.started),
        _ns(phase.finished),
    )
    prefix = container_id[:CONTAINER_PREFIX]
    held = pod.containers.get(prefix)
    if held is not None:
        pod.containers[prefix] = joined(held, new)
    elif len(pod.containers) < MAX_CONTAINERS:
        pod.containers[prefix] = new
    else:
        facts.full.add(f"more than {MAX_CONTAINERS} containers of one pod")


def _service_account(facts: Facts, item: Item, collected_ns: int) -> None:
    metadata = item.metadata or _NO_METADATA
    if not metadata.name or not metadata.namespace:
        return
    account = facts.account(f"{metadata.namespace}/{metadata.name}"[:512])
    if account is None:
        return
    notes = metadata.annotations
    values = [notes.role_arn, notes.google] if notes is not None else []
    if notes is not None and notes.client_id:
        values.append(notes.client_id.strip().lower())
    ids = tuple(sorted(value[:256] for value in values if value))
    if len(account.versions) < 1024:
        account.versions.add(Version(_revision(metadata), _changed(metadata), collected_ns, ids))


def _node(facts: Facts, item: Item, collected_ns: int) -> None:
    metadata, spec, status = item.metadata or _NO_METADATA, item.spec or _NO_SPEC, item.status or _NO_STATUS
    node = facts.node(metadata.name or "")
    if node is None:
        return
    if spec.provider_id and len(node.provider_ids) < 8:
        node.provider_ids.add(spec.provider_id[:1024])
    for one in (status.addresses or ())[:_MOST]:
        if one.type in ("InternalIP", "ExternalIP") and (ip := address(one.address or "")):
            node.ips.add(ip)
    made, deleted = _ns(metadata.created), _ns(metadata.deleted)
    node.made_ns = min(node.made_ns or made, made) if made else node.made_ns
    node.ended_ns = max(node.ended_ns, deleted)
    node.last_ns = max(node.last_ns, _changed(metadata), 0 if deleted else collected_ns)


def _made_by(facts: Facts, item: Item) -> None:
    """What a workload is and who made it: pods name the last link of the chain alone."""
    metadata = item.metadata or _NO_METADATA
    owner = _owner(metadata)
    if metadata.uid and metadata.name and owner and len(facts.owners) < MAX_FACTS:
        facts.version += 1
        kind, _, rest = owner.partition("/")
        held = facts.owners.get(metadata.uid)
        facts.owners[metadata.uid] = min(held, (kind, rest)) if held is not None else (kind, rest)


def _azure_identity(facts: Facts, item: Item) -> None:
    metadata, spec = item.metadata or _NO_METADATA, item.spec or _NO_SPEC
    ids = [text.lower()[:512] for text in (spec.client_id, spec.resource_id) if text]
    facts.alias(ids)
    if metadata.name and ids:
        facts.note(facts.bound_ids, f"{metadata.namespace}/{metadata.name}", ids)


def _azure_binding(facts: Facts, item: Item) -> None:
    metadata, spec = item.metadata or _NO_METADATA, item.spec or _NO_SPEC
    try:
        label = _text(spec.selector) if spec.selector else ""
    except (ValueError, RecursionError):
        label = ""
    if label and spec.azure_identity:
        facts.note(
            facts.bound,
            f"{metadata.namespace}/{label[:253]}",
            [f"{metadata.namespace}/{spec.azure_identity[:253]}"],
        )


_TIMED: dict[str, Callable[[Facts, Item, int], None]] = {"ServiceAccount": _service_account, "Node": _node}
_PLAIN: dict[str, Callable[[Facts, Item], None]] = {
    "ReplicaSet": _made_by,
    "Job": _made_by,
    "Deployment": _made_by,
    "StatefulSet": _made_by,
    "DaemonSet": _made_by,
    "CronJob": _made_by,
    "AzureIdentity": _azure_identity,
    "AzureIdentityBinding": _azure_binding,
}
_OF_NO_USE = frozenset({"Secret", "ConfigMap", "Namespace", "Service", "Endpoints", "EndpointSlice", "Event"})
"""Known, and of no use here: decoded without anything that they hold."""

KINDS = frozenset({"Pod", *_TIMED, *_PLAIN, *_OF_NO_USE})
"""Kinds that are known; others are counted as not understood."""
