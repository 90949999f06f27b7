"""One thing that happened, normalised from a source: the only input of the engine."""

from __future__ import annotations

from typing import NewType

from msgspec import Struct

from eightysix.model.words import Access, Domain, Grade, Kind, Origin, Outcome, Source

__all__ = ["Artifact", "Contact", "Distribution", "Event", "EventId", "ExecId", "PodKey", "Process", "Seen"]

EventId = NewType("EventId", str)
"""32 hex digits: BLAKE2b-128 of the source and the record's native id, or of its bytes where it has none."""

ExecId = NewType("ExecId", str)
"""Tetragon's exec id (base64 of `node:ktime_ns:pid`), or a key of the same shape made from a sensor's process."""

PodKey = NewType("PodKey", str)
"""What a chain is kept by: pod uid, else `node/container prefix`, else `node/`. See `context.pods`."""


class Artifact(Struct, frozen=True, gc=False, array_like=True):
    """Something that landed: a package, a model, a file.

    `kind` is a purl type where one exists (`pypi`, `npm`, `deb`, `oci`), else `model`, `file` or `url`;
    `version` is empty where the record does not say.
    """

    kind: str
    name: str
    version: str = ""

    def __str__(self) -> str:
        separator = "==" if self.kind == "pypi" else "@"
        return f"{self.name}{separator}{self.version}" if self.version else self.name


class Distribution(Struct, frozen=True, gc=False, array_like=True):
    """An installed Python distribution as the sensor saw it.

    `name` is normalised (PEP 503); `age_s` is seconds since its metadata was written, None where unknown;
    `record_ok` tells whether the running file matches RECORD.
    """

    name: str
    version: str = ""
    age_s: float | None = None
    record_ok: bool | None = None


class Process(Struct, frozen=True, gc=False, array_like=True):
    """What the process tree keeps of a process: enough for lineage, nothing that could hold a secret.

    `started` is the source's own RFC 3339 text (parsed only when somebody asks); `entrypoint` is Tetragon's
    `in_init_tree`, None where the record does not say.
    """

    parent: str
    pid: int
    started: str
    binary: str
    entrypoint: bool | None = None


Seen = tuple[int, str, str, int]
"""When a plain connection was made (ns), its outcome, and the evidence (file, line)."""

Contact = tuple[Seen, Seen]
"""A plain connection as states keep it: the earliest and the latest time. Who connected to what is its key,
`exec id|address|port`."""


class Event(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One normalised event. Empty text, 0 and None mean that the record does not say.

    Times are nanoseconds since 1970 (UTC). No field ever holds a raw command line, URL query, header or body:
    `command` is a summary made of known-harmless words, and credentials never get this far.
    """

    event_id: EventId
    time_ns: int
    source: Source
    origin: Origin
    grade: Grade
    kind: Kind
    # evidence
    file: str = ""
    line: int = 0
    # where
    cluster: str = ""
    node: str = ""
    namespace: str = ""
    pod: str = ""
    pod_uid: str = ""
    container_id: str = ""
    container: str = ""
    container_started_ns: int = 0
    workload: str = ""
    workload_kind: str = ""
    image: str = ""
    image_digest: str = ""
    service_account: str = ""
    # which process
    exec_id: str = ""
    parent_exec_id: str = ""
    pid: int = 0
    tid: int = 0
    ns_pid: int = 0
    uid: int = -1
    binary: str = ""
    command: str = ""
    parent_binary: str = ""
    process_started_ns: int = 0
    entrypoint: bool | None = None
    exec_probe: bool = False
    # what it did
    activity: str = ""
    artifacts: tuple[Artifact, ...] = ()
    dst_ip: str = ""
    dst_port: int = 0
    dst_name: str = ""
    ttl_s: int = (
        0  # of a DNS answer: `dst_ip` is what `dst_name` stands for; of a scan's verdict: how long it counts
    )
    url_path: str = ""
    file_path: str = ""
    file_id: str = ""  # `context.ledger.file_id` of a file that is loaded, or that a scan read
    digest: str = ""  # of bytes that a scan read: BLAKE3 in hex
    access: Access = Access.UNKNOWN
    domain: Domain | None = None
    outcome: Outcome = Outcome.UNKNOWN
    module: str = ""
    # Kubernetes API
    identity: str = ""
    impersonated: str = ""
    credential_id: str = ""
    issued_credential_id: str = ""
    verb: str = ""
    resource: str = ""
    subresource: str = ""
    object_namespace: str = ""
    object_name: str = ""
    user_agent: str = ""
    source_ip: str = ""
    host: tuple[str, ...] = ()
    # identities of the cloud, small letters: what a row is about, or what a token was asked for
    principals: tuple[str, ...] = ()
    federation: str = ""  # of a sign-in by a federated token: `context.federation`
    # provenance, told by the sensor
    chain: tuple[str, ...] = ()
    root: str = ""
    at_import: str = ""
    dists: tuple[Distribution, ...] = ()
    exposes: tuple[str, ...] = ()
