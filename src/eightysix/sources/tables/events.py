"""Events as rows: `EightySixEvents_CL` of any event, and the documented tables of which an event has the columns.

Rows hold what events hold, so nothing secret can be in them (see `model.event`): a command line is the reader's summary.
A column that an event says nothing about is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from operator import attrgetter
from typing import Any

import msgspec

from eightysix.model.event import Artifact, Distribution, Event
from eightysix.model.table import Row
from eightysix.model.words import Access, Domain, Grade, Kind, Origin, Outcome, Source

__all__ = [
    "EVENTS",
    "LISTS",
    "PLAIN",
    "POD_INVENTORY",
    "PROCESS",
    "PROCESSES",
    "PROCESS_CREATED",
    "TEXTS",
    "artifact_cell",
    "distribution_cell",
    "event_of",
    "event_row",
    "pod_row",
    "process_row",
    "workload_cell",
]

EVENTS = "EightySixEvents_CL"
PROCESSES = "CloudProcessEvents"
POD_INVENTORY = "KubePodInventory"

PROCESS_CREATED = "ProcessCreated"
"""`ActionType` of a program's start, as advanced hunting names it (DeviceProcessEvents)."""

TEXTS: Mapping[str, str] = {
    "EventId": "event_id",
    "Cluster": "cluster",
    "Node": "node",
    "Namespace": "namespace",
    "PodName": "pod",
    "PodUid": "pod_uid",
    "ContainerId": "container_id",
    "ContainerName": "container",
    "ContainerStarted": "container_started_ns",
    "Workload": "workload",
    "WorkloadKind": "workload_kind",
    "Image": "image",
    "ImageDigest": "image_digest",
    "ServiceAccount": "service_account",
    "ExecId": "exec_id",
    "ParentExecId": "parent_exec_id",
    "ProcessId": "pid",
    "NamespaceProcessId": "ns_pid",
    "ProcessPath": "binary",
    "ProcessCommandLine": "command",
    "ProcessStarted": "process_started_ns",
    "ParentProcessPath": "parent_binary",
    "Activity": "activity",
    "DestinationIp": "dst_ip",
    "DestinationPort": "dst_port",
    "DestinationName": "dst_name",
    "TtlSeconds": "ttl_s",
    "UrlPath": "url_path",
    "FilePath": "file_path",
    "FileId": "file_id",
    "FileDigest": "digest",
    "Module": "module",
    "Identity": "identity",
    "Impersonated": "impersonated",
    "CredentialId": "credential_id",
    "IssuedCredentialId": "issued_credential_id",
    "Verb": "verb",
    "Resource": "resource",
    "Subresource": "subresource",
    "ObjectNamespace": "object_namespace",
    "ObjectName": "object_name",
    "UserAgent": "user_agent",
    "SourceIp": "source_ip",
    "Federation": "federation",
    "Root": "root",
    "AtImport": "at_import",
    "EvidenceFile": "file",
    "EvidenceLine": "line",
}
"""Columns that are an event's text or number as it is: empty text and 0 mean that the record does not say."""

LISTS: Mapping[str, str] = {
    "HostNamespaces": "host",
    "Principals": "principals",
    "Chain": "chain",
    "Exposes": "exposes",
}

_names = tuple(TEXTS)
_values = attrgetter(*TEXTS.values())
_list_names = tuple(LISTS)
_lists = attrgetter("artifacts", "dists", *LISTS.values())

_NUMBERS = frozenset("container_started_ns process_started_ns pid ns_pid dst_port ttl_s line".split())
"""Those of an event's members that are whole numbers."""

PROCESS: Mapping[str, str] = {
    "ReportId": "event_id",
    "AzureResourceId": "cluster",
    "HostName": "node",
    "KubernetesNamespace": "namespace",
    "KubernetesPodName": "pod",
    "ContainerName": "container",
    "ContainerId": "container_id",
    "ContainerImageName": "image",
    "ImageDigest": "image_digest",
    "FolderPath": "binary",
    "ProcessId": "pid",
    "ProcessCommandLine": "command",
    "ProcessCreationTime": "process_started_ns",
}
"""Columns of CloudProcessEvents. NOTE: the kernel's record knows a cluster's name, not its resource id, so that stands in
`AzureResourceId`; `FolderPath` is the whole path, as Defender's sensor writes it for Linux."""

_POD: Mapping[str, str] = {
    "ClusterName": "cluster",
    "Computer": "node",
    "PodUid": "pod_uid",
    "ControllerKind": "workload_kind",
    "ControllerName": "workload",
    "ContainerID": "container_id",
    "ContainerStartTime": "container_started_ns",
}
_process = attrgetter(*PROCESS.values())
_pod = attrgetter(*_POD.values())

PLAIN: Mapping[StrEnum, str] = {
    member: member.value for kind in (Access, Domain, Grade, Kind, Origin, Outcome, Source) for member in kind
}
"""The plain text of each word: writers of other formats know no enums."""


def event_row(event: Event) -> Row:
    """The row of `EightySixEvents_CL` for an event."""
    row: dict[str, object] = {
        name: value for name, value in zip(_names, _values(event), strict=True) if value
    }
    row["TimeGenerated"] = event.time_ns
    row["EventSource"] = PLAIN[event.source]
    row["Origin"] = PLAIN[event.origin]
    row["Grade"] = PLAIN[event.grade]
    row["Kind"] = PLAIN[event.kind]
    if event.uid >= 0:
        row["UserId"] = event.uid
    if event.entrypoint is not None:
        row["InInitTree"] = event.entrypoint
    if event.exec_probe:
        row["ExecProbe"] = True
    if event.access is not Access.UNKNOWN:
        row["FileAccess"] = PLAIN[event.access]
    if event.domain is not None:
        row["CredentialDomain"] = PLAIN[event.domain]
    if event.outcome is not Outcome.UNKNOWN:
        row["Outcome"] = PLAIN[event.outcome]
    artifacts, dists, *lists = _lists(event)
    if artifacts:
        row["Artifacts"] = [artifact_cell(one) for one in artifacts]
    if dists:
        row["Distributions"] = [distribution_cell(one) for one in dists]
    for name, value in zip(_list_names, lists, strict=True):
        if value:
            row[name] = list(value)
    return row


def event_of(row: Mapping[str, object]) -> Event:
    """The event that a row of `EightySixEvents_CL` was made of; times to the microsecond, as stores keep them. Raises
    `ValueError` for what no event could have made."""
    told: dict[str, object] = {}
    for column, name in TEXTS.items():
        value = row.get(column)
        if value is not None:
            if not isinstance(value, int if name in _NUMBERS else str):
                raise ValueError(f"{column} is a {type(value).__name__}")
            told[name] = value
    for column, name in LISTS.items():
        value = row.get(column)
        if value is not None:
            told[name] = tuple(map(str, _list(value)))
    told["artifacts"] = tuple(
        Artifact(str(one.get("Kind", "")), str(one.get("Name", "")), str(one.get("Version", "")))
        for one in _list(row.get("Artifacts"))
        if isinstance(one, Mapping)
    )
    told["dists"] = tuple(
        Distribution(one["Name"], one.get("Version", ""), one.get("AgeSeconds"), one.get("RecordOk"))
        for one in _list(row.get("Distributions"))
        if isinstance(one, Mapping) and isinstance(one.get("Name"), str)
    )
    domain = row.get("CredentialDomain")
    entrypoint = row.get("InInitTree")
    uid = row.get("UserId")
    return Event(
        time_ns=_whole(row.get("TimeGenerated")),
        source=Source(str(row.get("EventSource"))),
        origin=Origin(str(row.get("Origin"))),
        grade=Grade(str(row.get("Grade"))),
        kind=Kind(str(row.get("Kind"))),
        uid=uid if isinstance(uid, int) else -1,
        entrypoint=entrypoint if isinstance(entrypoint, bool) else None,
        exec_probe=row.get("ExecProbe") is True,
        access=Access(str(row.get("FileAccess") or Access.UNKNOWN)),
        domain=Domain(str(domain)) if domain else None,
        outcome=Outcome(str(row.get("Outcome") or Outcome.UNKNOWN)),
        **told,  # type: ignore[arg-type]
    )


def _list(value: object) -> list[Any]:
    """A cell that is a list, also as the JSON text that a store gives."""
    if isinstance(value, str):
        value = msgspec.json.decode(value)
    return value if isinstance(value, list) else []


def _whole(value: object) -> int:
    if not isinstance(value, int):
        raise ValueError("a row without a time")
    return value


def process_row(event: Event, parent: str = "") -> Row:
    """The row of `CloudProcessEvents` for the start of a program, with the columns of Log Analytics and Defender both.
    `parent` is the pid of who started it."""
    name = event.binary.rpartition("/")[2]
    row: dict[str, object] = {
        column: value for column, value in zip(PROCESS, _process(event), strict=True) if value
    }
    row["TimeGenerated"] = row["Timestamp"] = event.time_ns
    row["ActionType"] = PROCESS_CREATED
    if name:
        row["FileName"] = row["ProcessName"] = name
    if event.parent_binary:
        row["ParentProcessName"] = event.parent_binary.rpartition("/")[2]
    if parent:
        row["ParentProcessId"] = row["InitiatingProcessId"] = parent
    if event.workload:
        row["KubernetesResource"] = workload_cell(event)
    return row


def pod_row(event: Event) -> Row | None:
    """The row of `KubePodInventory` for the container that an event tells of, None where it tells of none. What only the
    API server knows (addresses, labels, status, restarts) is not in it."""
    if not event.pod or not event.namespace:
        return None
    row: dict[str, object] = {
        "TimeGenerated": event.time_ns,
        "Namespace": event.namespace,
        "Name": event.pod,
    }
    container = f"{event.pod_uid}/{event.container}" if event.pod_uid and event.container else event.container
    told = (("ContainerName", container), *zip(_POD, _pod(event), strict=True))
    row.update((column, value) for column, value in told if value)
    return row


def workload_cell(event: Event) -> str:
    """`namespace/Deployment/name`: the documented "namespace, resource type and name"."""
    return "/".join(part for part in (event.namespace, event.workload_kind, event.workload) if part)


def artifact_cell(artifact: Artifact) -> dict[str, str]:
    """An artifact in the column `Artifacts`."""
    told = {"Kind": artifact.kind, "Name": artifact.name}
    return {**told, "Version": artifact.version} if artifact.version else told


def distribution_cell(dist: Distribution) -> dict[str, object]:
    """A distribution in the column `Distributions`."""
    told = {
        "Name": dist.name,
        "Version": dist.version or None,
        "AgeSeconds": dist.age_s,
        "RecordOk": dist.record_ok,
    }
    return {name: value for name, value in told.items() if value is not None}
