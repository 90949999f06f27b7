"""Whose addresses are whose: what the operator declares, and what the control plane tells of nodes and pods.

A caller's address is judged as the API server or the cloud sees it, after every translation on the way. That is why the
address from which a node's own kubelet calls is worth more than any address plan: pods that leave by the node leave by
the same one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from eightysix.context.destinations import address
from eightysix.model.errors import UsageError

__all__ = ["MAX_ADDRESSES", "MAX_OWNERS", "MAX_TOKENS", "Fact", "Learnt", "Ranges", "family"]

MAX_ADDRESSES = 16
"""Addresses kept of one node or pod: two of each family, times the outbound addresses that a gateway rotates through."""

MAX_OWNERS = 40_000
"""Nodes and pods of which addresses are kept: twice the pods of which events are."""

MAX_TOKENS = 200_000
"""Bound tokens that are remembered: two of each of as many pods, anew after four fifths of an hour."""

MAX_BOUND = 16
"""Pods that are kept of one token, which has one: more than one contradict each other, however many."""

MAX_RANGES = 256


Fact = tuple[str, str, str]
"""What is known (`nodes`, `pods`, `principals`, `claims`, `accounts`), of whom, and the address, id or name."""


def family(ip: str) -> int:
    """4 or 6, of a canonical address."""
    return 6 if ":" in ip else 4


class Ranges:
    """Address ranges by which an operator declares where the cluster's calls come from."""

    def __init__(self, told: Sequence[str] = ()) -> None:
        if len(told) > MAX_RANGES:
            raise UsageError(f"more than {MAX_RANGES} egress ranges", "Join neighbouring ranges.")
        self._networks = tuple(sorted({_network(text) for text in told}, key=str))
        self.families = frozenset(network.version for network in self._networks)
        self._holds = lru_cache(maxsize=4096)(self._look)

    def __bool__(self) -> bool:
        return bool(self._networks)

    def holds(self, ip: str) -> bool:
        """Whether a canonical address lies in one of the ranges."""
        return bool(self._networks) and self._holds(ip)

    def _look(self, ip: str) -> bool:
        try:
            parsed = ip_address(ip)
        except ValueError:
            return False
        return any(parsed in network for network in self._networks if network.version == parsed.version)


def _network(text: str) -> IPv4Network | IPv6Network:
    """Raises `UsageError` for what is no range, or a range that holds everything and so says nothing."""
    try:
        network = ip_network(text.strip(), strict=False)
    except ValueError:
        raise UsageError(
            f"--egress takes an address or a range, and {text!r} is neither",
            "Write it as 203.0.113.0/28 or 2001:db8::/48.",
        ) from None
    if not network.prefixlen:
        raise UsageError(
            f"--egress {text!r} holds every address, so nothing could be outside", "Name smaller ranges."
        )
    return network


class Learnt:
    """What the control plane tells beside events: addresses by node and by pod (its uid, or `namespace/name`), and the
    cloud principals that service accounts (`namespace/name`) are annotated with, the volume claims of pods, and what
    pods run as. Sets: order and repetition do not matter. `tokens` are pods by the ids of tokens that are bound to them,
    `names` what pods are called by their uids: nobody keeps these two.
    `news` takes what is new, for who keeps it (None: nobody does); `node_facts` counts what is known of nodes.
    """

    def __init__(self) -> None:
        self.nodes: dict[str, set[str]] = {}
        self.pods: dict[str, set[str]] = {}
        self.principals: dict[str, set[str]] = {}
        self.claims: dict[str, set[str]] = {}
        self.accounts: dict[str, set[str]] = {}
        self.tokens: dict[str, tuple[str, ...]] = {}
        self.names: dict[str, str] = {}
        self.full = False
        self.node_facts = 0
        self.news: list[Fact] | None = None

    def note_node(self, name: str, ips: Iterable[str]) -> None:
        """Addresses that the node itself was seen with."""
        self._note("nodes", name, map(address, ips))

    def note_pod(self, name: str, ips: Iterable[str]) -> None:
        """Addresses of a pod, by its own status."""
        self._note("pods", name, map(address, ips))

    def note_principal(self, service_account: str, principal: str) -> None:
        """The cloud principal that a service account stands for."""
        self._note("principals", service_account, (principal.lower(),))

    def note_claim(self, name: str, claim: str) -> None:
        """A volume claim (`namespace/name`) that a pod mounts."""
        self._note("claims", name, (claim,))

    def note_account(self, name: str, service_account: str) -> None:
        """The service account (`namespace/name`) that a pod runs as."""
        self._note("accounts", name, (service_account,))

    def note_name(self, pod_uid: str, name: str) -> None:
        """What a pod (`namespace/name`) is called; its uid is never another one's."""
        if len(self.names) < MAX_TOKENS or pod_uid in self.names:
            self.names[pod_uid] = min(name, self.names.get(pod_uid, name))

    def note_token(self, credential_id: str, pod_uid: str) -> None:
        """The pod that a token is bound to. A token has one: two are records that contradict each other, and both are kept,
        as nobody here can say which of them is wrong."""
        if len(self.tokens) < MAX_TOKENS or credential_id in self.tokens:
            held = self.tokens.get(credential_id, ())
            if pod_uid not in held:
                self.tokens[credential_id] = (*sorted((*held, pod_uid)),)[:MAX_BOUND]

    def facts(self) -> list[Fact]:
        """All that is known, as `add` takes it."""
        return [
            (kind, name, value)
            for kind in ("nodes", "pods", "principals", "claims", "accounts")
            for name, values in sorted(self._owners(kind).items())
            for value in sorted(values)
        ]

    def add(self, facts: Iterable[Fact]) -> None:
        """Take what another one knew."""
        for kind, name, value in facts:
            self._note(kind, name, (value,))

    def _owners(self, kind: str) -> dict[str, set[str]]:
        known = {"nodes": self.nodes, "pods": self.pods, "claims": self.claims, "accounts": self.accounts}
        return known.get(kind, self.principals)

    def _note(self, kind: str, name: str, values: Iterable[str]) -> None:
        owners = self._owners(kind)
        for value in values:
            if not name or not value:
                continue
            held = owners.get(name)
            if held is None:
                if len(owners) >= MAX_OWNERS:
                    self.full = True
                    return
                held = owners[name] = set()
            if value not in held:
                if len(held) < MAX_ADDRESSES:
                    held.add(value)
                    self.node_facts += kind == "nodes"
                    if self.news is not None:
                        self.news.append((kind, name, value))
                else:
                    self.full = True
