"""What follows from the facts: pods with their beginning and end, and the look-ups that are asked for."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Iterable

import msgspec

from eightysix.context.inventory.kept import Facts, KnownAccount, KnownPod, Version
from eightysix.context.inventory.nouns import AFTER_NS, SKEW_NS, Federation, Holder, Node, Pod, Pool
from eightysix.context.pods import CONTAINER_PREFIX

__all__ = ["Index", "guessed_pool", "pool_in"]

_GROUP = "/resourcegroups/"
_MACHINES = "/providers/microsoft.compute/"


class Index:
    """The look-ups over one state of the facts."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self.pods = _with_ends([_pod(facts, known) for known in facts.pods.values()])
        self.by_name: dict[str, list[Pod]] = {}
        self.by_account: dict[str, list[Pod]] = {}
        self.by_node: dict[str, list[Pod]] = {}
        self.by_container: dict[str, list[Pod]] = {}
        self.by_binding: dict[str, list[Pod]] = {}
        self._by_ip: dict[str, list[Pod]] = {}
        for key in sorted(self.pods):
            self._add(self.pods[key])
        self.nodes = self._nodes()
        self.by_node_ip: dict[str, tuple[str, ...]] = {}
        for name, node in self.nodes.items():
            for ip in node.ips:
                self.by_node_ip[ip] = (*self.by_node_ip.get(ip, ()), name)
        self._same: dict[str, frozenset[str]] = {}
        self._accounts: dict[str, list[str]] = {}
        for account in sorted(facts.accounts):
            held = facts.accounts[account]
            for id_ in held.declared.union(*(version.values for version in held.versions)):
                self._accounts.setdefault(id_.lower(), []).append(account)
        self._federated: dict[str, set[Federation]] = {}
        for told in facts.federations.values():
            for one in told:
                if one.identity:
                    self._federated.setdefault(one.identity, set()).add(one)

    def _add(self, pod: Pod) -> None:
        self.by_name.setdefault(pod.called, []).append(pod)
        self.by_account.setdefault(pod.service_account or f"{pod.namespace}/", []).append(pod)
        if pod.node:
            self.by_node.setdefault(pod.node, []).append(pod)
        for container in pod.containers:
            self.by_container.setdefault(container.container_id[:CONTAINER_PREFIX], []).append(pod)
        for ip in pod.ips:
            self._by_ip.setdefault(ip, []).append(pod)
        for id_ in pod.bindings:
            self.by_binding.setdefault(id_, []).append(pod)

    def _nodes(self) -> dict[str, Node]:
        nodes: dict[str, Node] = {}
        for name in sorted(self._facts.nodes.keys() | self.by_node.keys()):
            known = self._facts.nodes.get(name)
            pools = sorted(filter(None, map(pool_in, known.provider_ids))) if known is not None else []
            guess = "" if pools else guessed_pool(name)
            ended = known.ended_ns if known is not None else 0
            nodes[name] = Node(
                name,
                pools[0] if pools else guess,
                guessed=bool(guess),
                ips=tuple(sorted(known.ips)) if known is not None else (),
                start_ns=known.made_ns if known is not None else 0,
                end_ns=max(ended, known.last_ns) if known is not None and ended else AFTER_NS,
            )
        return nodes

    def running(self, pods: Iterable[Pod], first_ns: int, last_ns: int) -> tuple[Pod, ...]:
        """Those that may have run in between. What records tell of a name alone is of the pod with a uid that had the name
        then, where there is one."""
        return tuple(
            pod
            for pod in pods
            if pod.may_run_between(first_ns, last_ns)
            and (
                pod.uid
                or not any(
                    other.uid and other.may_run_between(first_ns, last_ns)
                    for other in self.by_name.get(pod.called, ())
                )
            )
        )

    def holders(self, ip: str, time_ns: int) -> tuple[Holder, ...]:
        """See `Inventory.at_address`."""
        known = self._by_ip.get(ip, [])
        found = list(self.running(known, time_ns, time_ns))
        shared = ip in self.by_node_ip or any(pod.host_network or ip in pod.host_ips for pod in found)
        if len(found) > 1 and not shared:
            found = self._had(found, ip, time_ns)
        return tuple(Holder(pod, certain=len(found) == 1 and not shared) for pod in found)

    def _had(self, found: list[Pod], ip: str, time_ns: int) -> list[Pod]:
        """Those of several pods that had an address: it is given to the next pod when the one before is gone."""
        spans = []
        for pod in found:
            first, last = self._facts.pods[pod.key].ips[ip]
            begin = max(first, pod.start_ns) if pod.started else first or pod.start_ns
            spans.append((begin, max(last, begin), pod.key, pod))
        spans.sort(key=lambda span: span[:3])
        if any(after[0] <= before[1] for before, after in itertools.pairwise(spans)):
            return [span[3] for span in spans]  # at the same time: the network of a node, or two clusters
        place = bisect_right([span[0] for span in spans], time_ns + SKEW_NS)
        if place and spans[place - 1][1] >= time_ns:
            return [spans[place - 1][3]]
        # Between two sightings either may have had it, as when it was handed on is not known.
        return [span[3] for span in spans[max(0, place - 1) : place + 1]]

    def ids_of(self, account: str, time_ns: int) -> frozenset[str]:
        """See `Inventory.ids_of`."""
        known = self._facts.accounts.get(account)
        if known is None:
            return frozenset()
        return frozenset(known.declared).union(*(version.values for version in _in_force(known, time_ns)))

    def accounts_of(self, ids: frozenset[str], time_ns: int) -> tuple[str, ...]:
        """See `Inventory.accounts_of`; `ids` are all names of the principal."""
        found = {account for id_ in ids for account in self._accounts.get(id_, ())}
        found = {account for account in found if ids & {i.lower() for i in self.ids_of(account, time_ns)}}
        found |= {one.service_account for one in self.federations_of(ids) if one.service_account}
        return tuple(sorted(found))

    def same(self, ids: Iterable[str]) -> frozenset[str]:
        """See `Inventory.same`. Names of names, eight deep: a client id, an object id and a resource id are three."""
        start = tuple(sorted({id_.lower() for id_ in ids if id_}))
        key = "\0".join(start)
        held = self._same.get(key)
        if held is None:
            found, latest = set(start), set(start)
            for _ in range(8):
                latest = {other for one in latest for other in self._facts.same.get(one, ())} - found
                found |= latest
                if not latest:
                    break
            held = self._same[key] = frozenset(found)
        return held

    def pool_of(self, ids: frozenset[str]) -> Pool:
        """See `Inventory.pool_of`; `ids` are all names of the principal."""
        places = {place for id_ in ids for place in self._facts.assigned.get(id_, ())}
        return Pool(frozenset(places) if places else None, told=bool(places))

    def is_of(self, node: str, pool: Pool) -> bool:
        """See `Inventory.is_of`."""
        known = self.nodes.get(node)
        mine = known.pool if known is not None else guessed_pool(node)
        if not mine or pool.places is None:
            return True
        for place in pool.places:
            if place == mine or (place.endswith("/") and mine.startswith(place)):
                return True
            if "/" not in mine and (place.endswith("/") or place.rpartition("/")[2] == mine):
                return True
        return False

    def federations(self, credential: str) -> tuple[Federation, ...]:
        """See `Inventory.federations`."""
        return tuple(sorted(self._facts.federations.get(credential.lower(), ())))

    def federations_of(self, ids: frozenset[str]) -> tuple[Federation, ...]:
        """See `Inventory.federations_of`; `ids` are all names of the principal."""
        return tuple(sorted({one for id_ in ids for one in self._federated.get(id_, ())}))


def _pod(facts: Facts, known: KnownPod) -> Pod:
    namespace, name = known.get("namespace"), known.get("name")
    made = known.made_ns
    if not made and known.first_ns:
        # The latest one that was made under this name before it was first seen.
        told = [t for t in facts.made.get(f"{namespace}/{name}", ()) if t <= known.first_ns + SKEW_NS]
        made = max(told, default=0)
    ended = max(known.ended_ns, known.last_ns) if known.ended_ns else AFTER_NS
    kind, workload = _workload(facts, known)
    return Pod(
        key=known.key,
        uid=known.uid,
        namespace=namespace,
        name=name,
        cluster=known.get("cluster"),
        node=known.get("node"),
        service_account=known.get("account"),
        workload=workload,
        workload_kind=kind,
        host_network={"true": True, "false": False}.get(known.get("host-network")),
        workload_identity={"true": True, "false": False}.get(known.get("workload-identity")),
        ips=tuple(sorted(known.ips)),
        host_ips=tuple(sorted(known.host_ips)),
        bindings=_bindings(facts, namespace, known),
        containers=tuple(known.containers[key] for key in sorted(known.containers)),
        start_ns=made or known.first_ns,
        started=bool(made),
        end_ns=ended,
        last_ns=known.last_ns,
    )


def _workload(facts: Facts, known: KnownPod) -> tuple[str, str]:
    """Kind and name of what made a pod, at the end of its owners."""
    owner = known.get("owner")
    if not owner:
        return known.get("workload-kind"), known.get("workload")
    kind, _, rest = owner.partition("/")
    name, _, uid = rest.partition("/")
    for _ in range(4):
        parent = facts.owners.get(uid)
        if parent is None:
            break
        kind, rest = parent
        name, _, uid = rest.partition("/")
    template = known.get("template")
    if kind == "ReplicaSet" and template and name.endswith(f"-{template}"):
        return "Deployment", name[: -len(template) - 1]
    return kind, name


def _bindings(facts: Facts, namespace: str, known: KnownPod) -> tuple[str, ...]:
    identities = {one for label in known.labels for one in facts.bound.get(f"{namespace}/{label}", ())}
    return tuple(sorted({id_ for one in identities for id_ in facts.bound_ids.get(one, ())}))


def _in_force(known: KnownAccount, time_ns: int) -> list[Version]:
    """The versions of which nothing says that they were not in force then: when one was made or asked for bounds those
    before and after it, and where nothing is told of times all of them stay."""
    versions = sorted(known.versions)
    late, early = time_ns + SKEW_NS, time_ns - SKEW_NS
    first, last = 0, len(versions)
    for place, version in enumerate(versions):
        if 0 < version.since_ns <= late or 0 < version.until_ns <= late:
            first = place
    for place in range(len(versions) - 1, first - 1, -1):
        if versions[place].until_ns >= early and versions[place].until_ns:
            last = place + 1
    found = [version for version in versions[first:last] if version.since_ns <= late]
    return found or versions[first : first + 1]


def _with_ends(pods: list[Pod]) -> dict[str, Pod]:
    """Pods with their ends: a name is free for the next pod when the one before is gone."""
    by_name: dict[tuple[str, str], list[Pod]] = {}
    for pod in pods:
        if pod.uid and pod.name and pod.start_ns:
            by_name.setdefault((pod.namespace, pod.name), []).append(pod)
    ends: dict[str, int] = {}
    for same in by_name.values():
        same.sort(key=lambda pod: (pod.start_ns, pod.key))
        for before, after in itertools.pairwise(same):
            apart = before.cluster and after.cluster and before.cluster != after.cluster
            if not apart and before.end_ns == AFTER_NS:
                ends[before.key] = max(before.last_ns, after.start_ns)
    return {
        pod.key: msgspec.structs.replace(pod, end_ns=ends[pod.key]) if pod.key in ends else pod
        for pod in pods
    }


def pool_in(provider_id: str) -> str:
    """The scale set or machine in a node's provider id, as a resource id in small letters; empty for other clouds."""
    scheme, _, rest = provider_id.lower().partition("://")
    if scheme != "azure" or _GROUP not in rest or _MACHINES not in rest:
        return ""
    parts = rest.strip("/").split("/")
    # subscriptions/S/resourcegroups/G/providers/microsoft.compute/virtualmachinescalesets/NAME[/virtualmachines/N]
    return "/" + "/".join(parts[:8]) if len(parts) >= 8 else ""


def guessed_pool(node: str) -> str:
    """The scale set that AKS names a node after: `aks-gpu-31337-vmss` and six digits to the base of 36
    (learn.microsoft.com/azure/virtual-machine-scale-sets, instance names); empty for other names."""
    head, tail = node[:-6].lower(), node[-6:]
    return head if head.endswith("-vmss") and tail.isalnum() and tail.isascii() else ""
