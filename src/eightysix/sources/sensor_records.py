"""Records of the in-process sensor, as far as events need them: version 1 and the prototype's in one shape.

Values of variables, code, method names and call sites are not declared, so they are never decoded.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Raw, Struct

__all__ = ["Dist", "Pod", "Record"]


Number = Annotated[int, Meta(ge=-1, le=0xFFFF_FFFF)]
"""Ids of processes and threads, flags: what the kernel has 32 bits for; -1 stands for none."""

Ticks = Annotated[int, Meta(ge=-0x7FFF_FFFF_FFFF_FFFF, le=0x7FFF_FFFF_FFFF_FFFF)]
"""Clock ticks since boot (`starttime` of proc_pid_stat(5)), 64 bits; a clock that is wrong tells negative ones."""


Size = Annotated[int, Meta(ge=0)]
"""What stat(2) has 64 bits for, without a sign; larger numbers do not decode."""


class File(Struct, gc=False):
    """Which file it is (v1), as stat(2) tells it."""

    dev: Size
    ino: Size
    size: Size
    mtime_ns: Ticks


class Dist(Struct, gc=False):
    """A distribution on the stack (v1)."""

    name: str | None = None
    version: str | None = None
    age_s: float | None = None
    record_ok: bool | None = None


class Pod(Struct, gc=False):
    """Who sent the record: added by the receiver."""

    cluster: str | None = None
    namespace: str | None = None
    name: str | None = None
    uid: str | None = None
    container_id: str | None = None
    container: str | None = None
    image: str | None = None
    service_account: str | None = None
    workload: str | None = None
    workload_kind: str | None = None


class Record(Struct, gc=False):
    """Any record. `time` (prototype) stays text, because a float does not hold nanoseconds."""

    event: str | None = None
    v: int | None = None
    sensor: str | None = None
    t_ns: int | None = None
    time: Raw = Raw(b"")
    # process
    boot_id: str | None = None
    pid: Number | None = None
    ns_pid: Number | None = None
    host_pid: Number | None = None
    tid: Number | None = None
    ppid: Number | None = None
    start_ticks: Ticks | None = None
    # provenance
    chain: list[str | None] | None = None
    root: str | None = None
    at_import: str | None = None
    dists: list[Dist] | None = None
    actor: str | None = None
    actor_age_s: float | None = None
    # what it did
    argv: list[str] | None = None
    exe: str | None = None
    api: str | None = None
    env: list[str] | None = None
    dst: str | int | None = None
    port: int | str | None = None
    dport: int | str | None = None
    host: str | None = None
    url: str | None = None
    path: str | int | None = None
    file: File | str | int | None = None
    mode: str | int | None = None
    flags: Number | None = None
    module: str | None = None
    name: str | None = None
    type: str | int | None = None
    id: list[str | int | None] | str | int | None = None
    # who, added by the receiver
    node: str | None = None
    pod: Pod | str | None = None
    namespace: str | None = None
    pod_uid: str | None = None
    container_id: str | None = None
    cluster: str | None = None
    gap: str | None = None
    number: Size | None = None
