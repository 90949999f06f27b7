"""One network flow as far as it tells a name: Hubble's own form, and the rows that AKS makes of it.

Shapes: `Flow`, `Layer7` and `DNS` of github.com/cilium/cilium (api/v1/flow/flow.proto), written by protojson (zero values
left out, 64-bit numbers as text) or by Go's own encoder (`Record`, numbers for names); the columns of Azure Monitor's
container network logs, whose dynamic ones may be text of JSON.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from eightysix.context.destinations import address
from eightysix.context.packages import host_name
from eightysix.model.timestamps import to_ns

__all__ = ["MAX_ADDRESSES", "Flow", "flow_of", "is_flow"]

MAX_ADDRESSES = 32
"""Addresses of one answer that are kept; an answer of 512 bytes, the size without extensions, has room for 28."""

_MAX_NAME = 253
_ROWS = ("ContainerNetworkLogs", "ContainerNetworkLog", "RetinaNetworkFlowLogs")
_RESOLVERS = frozenset({"169.254.20.10", "169.254.10.10", "169.254.10.11", "168.63.129.16"})
"""Resolvers of nodes: NodeLocal DNSCache (kubernetes.io/docs/tasks/administer-cluster/nodelocaldns), AKS LocalDNS
(learn.microsoft.com/azure/aks/localdns-custom), Azure's own."""

_SYSTEM = "kube-system"
_DNS = 53
_RESPONSE = ("RESPONSE", 2)
_REFUSALS = ("DROPPED", "ERROR")


class Flow(Struct, frozen=True, gc=False):
    """What a flow tells. `kind` is `answer`, `answer of another resolver`, `flow` (with or without `names`), or
    `dropped` (the agent lost flows); `addresses` are what `names[0]` stands for. `client` is the pod's own address."""

    kind: str
    time_ns: int
    node: str = ""
    cluster: str = ""
    namespace: str = ""
    pod: str = ""
    client: str = ""
    names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    ttl_s: int = 0


def is_flow(record: Mapping[str, object]) -> bool:
    """Whether `record` is a flow, wrapped as exporters do, bare, or a row."""
    if isinstance(record.get("flow"), dict):
        return "node_name" in record or "time" in record
    if isinstance(record.get("lost_events"), dict):
        return True
    if record.get("Type") in _ROWS:
        return True
    if "SourcePodName" in record and "Verdict" in record:
        return True
    return "verdict" in record and ("IP" in record or "l4" in record or "traffic_direction" in record)


def flow_of(record: Mapping[str, object]) -> Flow:
    """What a flow tells; raises `ValueError` where it has no time."""
    wrapped = record.get("flow")
    if isinstance(wrapped, dict):
        return _flow({"node_name": record.get("node_name"), "time": record.get("time"), **_named(wrapped)})
    if isinstance(record.get("lost_events"), dict):
        return Flow("dropped", _time(record.get("time")))
    return _flow(record if "verdict" in record else _row(record))


def _row(row: Mapping[str, object]) -> dict[str, object]:
    """A row as the flow that it was made of."""
    return {
        "time": row.get("TimeGenerated"),
        "node_name": row.get("NodeName"),
        "verdict": row.get("Verdict"),
        "is_reply": row.get("Reply"),
        "source": {"namespace": row.get("SourceNamespace"), "pod_name": row.get("SourcePodName")},
        "destination": {
            "namespace": row.get("DestinationNamespace"),
            "pod_name": row.get("DestinationPodName"),
        },
        "IP": _dynamic(row.get("IP")),
        "l4": _dynamic(row.get("Layer4")),
        "l7": _dynamic(row.get("Layer7")),
        "destination_names": row.get("DestinationNames"),
    }


def _flow(flow: Mapping[str, object]) -> Flow:
    time_ns = _time(flow.get("time"))
    source, destination, ip = (
        _named(flow.get("source")),
        _named(flow.get("destination")),
        _named(flow.get("IP")),
    )
    l7 = _named(flow.get("l7"))
    dns = _named(l7.get("dns")) or _either(_named(l7.get("Record")), "dns", "Dns")
    ports = _ports(_named(flow.get("l4")))
    answers = ports[0] == _DNS or (ports[1] != _DNS and flow.get("is_reply") is True)
    mine, theirs = (destination, source) if dns and answers else (source, destination)
    my_ip, their_ip = (
        _text(ip.get("destination" if dns and answers else "source")),
        _text(ip.get("source" if dns and answers else "destination")),
    )
    node = _text(flow.get("node_name"))
    cluster, slash, name = node.partition("/")  # Cilium's `cluster/node`
    told = Flow(
        kind="flow",
        time_ns=time_ns,
        node=name if slash else node,
        cluster=cluster if slash and cluster != "default" else "",
        namespace=_text(mine.get("namespace")),
        pod=_text(mine.get("pod_name")),
        client=address(my_ip),
    )
    if flow.get("verdict") in _REFUSALS:
        return told
    if dns:
        return _answer(told, dns, l7, theirs, address(their_ip))
    names = flow.get("destination_names")
    found = (
        tuple(filter(None, (host_name(n) for n in names[:4] if isinstance(n, str))))
        if isinstance(names, list)
        else ()
    )
    return msgspec.structs.replace(told, names=found, addresses=(address(their_ip),)) if found else told


def _answer(
    told: Flow,
    dns: Mapping[str, object],
    l7: Mapping[str, object],
    server: Mapping[str, object],
    server_ip: str,
) -> Flow:
    ips, name = dns.get("ips"), host_name(_text(dns.get("query")))
    if l7.get("type") not in _RESPONSE or not isinstance(ips, list) or not ips or not name:
        return told
    trusted = server.get("namespace") == _SYSTEM or server_ip in _RESOLVERS
    found = tuple(filter(None, (address(text) for text in ips[:MAX_ADDRESSES] if isinstance(text, str))))
    if not trusted or not found:
        return msgspec.structs.replace(told, kind="answer of another resolver" if found else "flow")
    ttl = dns.get("ttl")
    ttl_s = ttl if isinstance(ttl, int) and not isinstance(ttl, bool) and 0 <= ttl < 1 << 31 else 0
    return msgspec.structs.replace(told, kind="answer", names=(name,), addresses=found, ttl_s=ttl_s)


def _ports(l4: Mapping[str, object]) -> tuple[int, int]:
    """Source and destination port."""
    for protocol in ("UDP", "TCP", "udp", "tcp"):
        told = l4.get(protocol)
        if isinstance(told, dict):
            return _number(told.get("source_port")), _number(told.get("destination_port"))
    return 0, 0


def _number(value: object) -> int:
    if isinstance(value, str) and value.isdigit() and value.isascii() and len(value) < 6:
        return int(value)
    return value if isinstance(value, int) and 0 < value < 65536 else 0


def _either(holder: Mapping[str, object], *names: str) -> Mapping[str, object]:
    return next((found for found in (_named(holder.get(name)) for name in names) if found), {})


def _named(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _dynamic(column: object) -> object:
    """A dynamic column: JSON, or text of JSON."""
    if not isinstance(column, str):
        return column
    try:
        return msgspec.json.decode(column)
    except (ValueError, RecursionError):
        return None


def _text(value: object) -> str:
    return value[:_MAX_NAME] if isinstance(value, str) else ""


def _time(value: object) -> int:
    if not isinstance(value, str):
        raise ValueError("no usable time")
    try:
        return to_ns(value)
    except ValueError as error:
        raise ValueError(f"time: {error}") from None
