"""Rows of Defender's cloud tables as events: starts of programs, questions to resolvers, audited requests.

CloudProcessEvents, DeviceProcessEvents, CloudDnsEvents and CloudAuditEvents (learn.microsoft.com/defender-xdr, advanced
hunting schema), as Log Analytics has them (`Type`) and as Defender streams them (`AdvancedHunting-TABLE`).

Defender's sensor tells pod and container but neither the pod's uid nor lineage, and it tells minutes late: its word is of
origin `provider` and of grade C, so it confirms and extends. There are no connections and no answers of resolvers in
these tables. An audited request is the same event as in any other export of the audit log.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import blake2b

import msgspec
from msgspec import Raw, Struct

from eightysix.context.commands import Command, summarise_joined
from eightysix.context.packages import WITHHELD, host_name, starts_as_token, told_path
from eightysix.model.event import Event, EventId
from eightysix.model.timestamps import to_ns
from eightysix.model.words import Grade, Kind, Origin, Source
from eightysix.sources.kubernetes_audit import event_of_request, is_of_interest
from eightysix.sources.kubernetes_audit_records import AuditEvent
from eightysix.sources.tetragon_events import is_landed_command

__all__ = ["TABLES", "Told", "command_of_line", "is_worth_telling", "read_row", "table_of"]

TABLES: Mapping[str, str] = {
    "CloudProcessEvents": "process",
    "DeviceProcessEvents": "process",
    "CloudDnsEvents": "dns",
    "CloudAuditEvents": "audit",
}
"""What a table's rows are of, as they are counted."""

_HUNTING = "AdvancedHunting-"
_LONGEST = 512
_LONGEST_LINE = 32_768
_TOLD = frozenset({"install", "download", "build-hook", "publish", "host-entry"})
"""As `TetragonDecoder`: activities of which every start is an event."""

_ADDRESSES = frozenset({"", "A", "AAAA"})
_ANSWERED = frozenset({"", "NOERROR", "NoError", "0"})


class _Row(Struct, gc=False, rename="pascal"):
    """The columns of any of the tables that are read. What may be text or number is `Raw`."""

    timestamp: str | None = None
    time_generated: str | None = None
    action_type: str | None = None
    azure_resource_id: str | None = None
    resource_id: str | None = None
    cloud_resource_id: str | None = None
    kubernetes_namespace: str | None = None
    kubernetes_pod_name: str | None = None
    container_name: str | None = None
    container_id: str | None = None
    container_image_name: str | None = None
    image_digest: str | None = None
    host_name: str | None = None
    device_name: str | None = None
    file_name: str | None = None
    folder_path: str | None = None
    process_id: Raw = Raw()
    process_command_line: str | None = None
    process_creation_time: str | None = None
    parent_process_name: str | None = None
    initiating_process_file_name: str | None = None
    dns_query: str | None = None
    dns_query_type_name: str | None = None
    dns_response_code_name: str | None = None
    raw_event_data: Raw = Raw()


class Told(Struct):
    """What a row says: when, of what it is, its event, None where it tells of none, of which cluster, the request to an API
    server that it holds, and what tells it from other rows."""

    time_ns: int
    kind: str
    event: Event | None
    cluster: str = ""
    request: AuditEvent | None = None
    native: int = 0


_decode = msgspec.json.Decoder(_Row).decode
_text: Callable[[Raw], object] = msgspec.json.Decoder().decode
_audit: Callable[[Raw], AuditEvent | str | None] = msgspec.json.Decoder(AuditEvent | str | None).decode
_audit_of_text: Callable[[str], AuditEvent] = msgspec.json.Decoder(AuditEvent).decode


def table_of(row_type: str | None, category: str | None) -> str:
    """The table that a row (`Type`) or a streamed record (`category`) is of; empty for none of these."""
    if category is not None and category.startswith(_HUNTING):
        table = category[len(_HUNTING) :]
        return table if table in TABLES else ""
    return row_type if row_type is not None and category is None and row_type in TABLES else ""


def read_row(text: bytes | Raw, table: str, file: str, line: int) -> Told:
    """What a row says; raises `ValueError` where it has no usable time or is not of the documented types."""
    row = _decode(text)
    time_ns = to_ns(row.timestamp or row.time_generated or "")
    kind = TABLES[table]
    cluster, native = _last(row.azure_resource_id), hash(bytes(text))
    if kind == "process":
        return Told(time_ns, kind, _process(row, time_ns, file, line), cluster, None, native)
    if kind == "dns":
        return Told(time_ns, kind, _question(row, time_ns, file, line), cluster, None, native)
    request = _request_of(row)
    cluster = cluster or _cluster_of(row)
    event = _request(request, cluster, file, line) if request is not None else None
    return Told(time_ns, kind, event, cluster, request, native)


def is_worth_telling(event: Event) -> bool:
    """Whether detection wants to know of an event: of starts of programs only those that land something, or that landed."""
    if event.kind is not Kind.EXEC:
        return True
    return event.activity in _TOLD or is_landed_command(event)


def command_of_line(program: str, line: str) -> Command:
    """What a whole command line means: `program` is the path of what ran, and the line's first word its own name for it."""
    line = line[:_LONGEST_LINE].strip()
    if line[:1] in ("'", '"'):
        first, _, rest = line[1:].partition(line[0])
    else:
        first, _, rest = line.partition(" ")
    return summarise_joined(program or first, rest.strip())


def _process(row: _Row, time_ns: int, file: str, line: int) -> Event | None:
    binary = _program(row.folder_path or "", row.file_name or "")
    if not binary:
        return None
    node, container = _short(row.host_name or row.device_name), _short(row.container_id)
    pid, started = _number(row.process_id), _moment(row.process_creation_time)
    command = command_of_line(binary, row.process_command_line or "")
    pod = _short(row.kubernetes_pod_name)
    told = told_path(binary[:4096])
    native = (node, pod, container, str(pid), told, str(time_ns // 1_000_000))
    return Event(
        event_id=_event_id("process", *native),
        time_ns=time_ns,
        source=Source.AZURE,
        origin=Origin.PROVIDER,
        grade=Grade.C if pod or container else Grade.E,
        kind=Kind.EXEC,
        file=file,
        line=line,
        cluster=_last(row.azure_resource_id),
        node=node,
        namespace=_short(row.kubernetes_namespace),
        pod=pod,
        container_id=container,
        container=_short(row.container_name),
        image=_short(row.container_image_name),
        image_digest=_short(row.image_digest),
        exec_id=f"defender:{node}/{container or pod}:{pid}:{started}" if pid and started else "",
        pid=pid,
        binary=told,
        parent_binary=told_path(_short(row.parent_process_name or row.initiating_process_file_name)),
        process_started_ns=started,
        command=command.summary,
        activity=command.activity,
        artifacts=command.artifacts,
    )


def _question(row: _Row, time_ns: int, file: str, line: int) -> Event | None:
    """A name that a pod asked for; what was answered is not in the table."""
    name, pod = host_name(row.dns_query or ""), _short(row.kubernetes_pod_name)
    asks = row.dns_query_type_name in (None, *_ADDRESSES) and row.dns_response_code_name in (None, *_ANSWERED)
    if not name or not pod or not asks:
        return None
    namespace = _short(row.kubernetes_namespace)
    return Event(
        event_id=_event_id("dns", namespace, pod, name, str(time_ns // 1_000_000)),
        time_ns=time_ns,
        source=Source.DNS,
        origin=Origin.PROVIDER,
        grade=Grade.C,
        kind=Kind.RESOLVE,
        file=file,
        line=line,
        cluster=_last(row.azure_resource_id),
        namespace=namespace,
        pod=pod,
        dst_name=name,
    )


def _request_of(row: _Row) -> AuditEvent | None:
    """The request to an API server that `RawEventData` is, None where that is another cloud's event."""
    if not row.raw_event_data:
        return None
    try:
        audit = _audit(row.raw_event_data)
        if isinstance(audit, str):
            audit = _audit_of_text(audit)
    except (ValueError, RecursionError):
        return None
    if audit is None or audit.audit_id is None or audit.stage in (None, "RequestReceived"):
        return None
    return audit


def _request(audit: AuditEvent, cluster: str, file: str, line: int) -> Event | None:
    try:
        time_ns = to_ns(audit.received or audit.staged or "")
    except ValueError:
        return None
    return event_of_request(audit, time_ns, cluster, file, line) if is_of_interest(audit) else None


def _program(folder: str, name: str) -> str:
    """The path of a program: the folder may already end with its name."""
    if not folder or folder.replace("\\", "/").rpartition("/")[2] == name:
        return folder or name
    return f"{folder.rstrip('/')}/{name}" if name else folder


def _number(raw: Raw) -> int:
    if not raw or len(memoryview(raw)) > 24:
        return 0
    value = _text(raw)
    if isinstance(value, str) and value.isdigit() and value.isascii():
        value = int(value)
    known = isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 32
    return value if known and isinstance(value, int) else 0


def _moment(text: str | None) -> int:
    try:
        return to_ns(text) if text else 0
    except ValueError:
        return 0


def _short(text: str | None) -> str:
    text = text[:_LONGEST] if text else ""
    return WITHHELD if starts_as_token(text) else text


def _last(resource_id: str | None) -> str:
    """A cluster's name: the last part of its resource id, in small letters, as in the audit log's exports."""
    return _short(resource_id and resource_id[:1024].rstrip("/").rpartition("/")[2].lower())


def _cluster_of(row: _Row) -> str:
    """The cluster of an audited request: this table has its id as `ResourceId`, in Log Analytics as `CloudResourceId`."""
    resource = (row.resource_id or row.cloud_resource_id or "")[:1024]
    return _last(resource) if "clusters/" in resource.lower() else ""


def _event_id(*parts: str) -> EventId:
    text = "defender\0" + "\0".join(parts)
    return EventId(blake2b(text.encode(errors="replace"), digest_size=16).hexdigest())
