"""Tetragon's JSON export as lean typed records: only the fields that events need.

Shapes follow `api/v1/tetragon/tetragon.proto` and `events.proto` of github.com/cilium/tetragon (v1.x), written by
protojson: zero values omitted, 64-bit integers as text, wrapped integers plain. `process_connect` and its kin are of
older and enterprise builds.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

__all__ = [
    "Argument",
    "Connect",
    "Container",
    "Exec",
    "Glance",
    "Loader",
    "Parent",
    "Pod",
    "Probe",
    "ProcessInfo",
    "Record",
]


Short = Annotated[str, Meta(max_length=512)]
"""Ids, times and addresses, which are kept by the thousand. The longest is an exec id: base64 of a node's name (253
characters), a time and a number."""

Path = Annotated[str, Meta(max_length=4096)]
"""PATH_MAX of include/uapi/linux/limits.h: no kernel tells of a longer one."""

Number = Annotated[int, Meta(ge=0, le=0xFFFF_FFFF)]
"""A `uint32`, as all numbers of processes, users and ports are in the export's schema."""


class Image(Struct, gc=False):
    """`id` is `repository@sha256:...`, `name` is `repository:tag`."""

    id: str = ""
    name: str = ""


class Container(Struct, gc=False):
    """`id` is `containerd://<64 hex>`."""

    id: str = ""
    name: str = ""
    image: Image | None = None
    start_time: Short = ""
    maybe_exec_probe: bool = False


class Pod(Struct, gc=False):
    """`uid` is absent before Tetragon 1.0."""

    namespace: str = ""
    name: str = ""
    uid: Short = ""
    container: Container | None = None
    workload: str = ""
    workload_kind: str = ""


class Namespace(Struct, gc=False):
    """One namespace of a process; `is_host` is the node's own."""

    is_host: bool = False


class Namespaces(Struct, gc=False):
    """`ns`, which is exported with `enableProcessNs` only. Others than these say nothing of an escape."""

    mnt: Namespace | None = None
    pid: Namespace | None = None
    net: Namespace | None = None


class ProcessInfo(Struct, gc=False):
    """The process that an event is about."""

    exec_id: Short = ""
    parent_exec_id: Short = ""
    pid: Number = 0
    binary: Path = ""
    arguments: str = ""
    start_time: Short = ""
    docker: Short = ""
    tid: Number = 0
    uid: Number = 0
    cwd: Path = ""
    pod: Pod | None = None
    ns: Namespaces | None = None
    in_init_tree: bool | None = None


class Parent(Struct, gc=False):
    """The parent as it is told inside an event: enough to link lineage where its own exec was never exported."""

    exec_id: Short = ""
    parent_exec_id: Short = ""
    pid: Number = 0
    binary: Path = ""
    start_time: Short = ""
    docker: Short = ""


class Exec(Struct, gc=False):
    """`process_exec`."""

    process: ProcessInfo
    parent: Parent | None = None


class Exit(Struct, gc=False):
    """`process_exit`; nothing of it is needed: an exit may name the living parent (see `docs/limits.md`)."""


class Socket(Struct, gc=False):
    """`sock_arg`."""

    daddr: Short = ""
    dport: Number = 0
    protocol: str = ""


class ToldSocket(Socket, gc=False):
    """The same with the address that it is bound to: the pod's own."""

    saddr: Short = ""


class SocketAddress(Struct, gc=False):
    """`sockaddr_arg`."""

    addr: Short = ""
    port: Number = 0


class File(Struct, gc=False):
    """`file_arg`, `path_arg`, `linux_binprm_arg`."""

    path: Path = ""


class Argument(Struct, gc=False):
    """One argument of a probe; exactly one field is set."""

    sock_arg: ToldSocket | None = None
    sockaddr_arg: SocketAddress | None = None
    file_arg: File | None = None
    path_arg: File | None = None
    linux_binprm_arg: File | None = None
    string_arg: str | None = None
    int_arg: int | None = None


class Probe(Struct, gc=False, rename={"return_value": "return"}):
    """`process_kprobe`, `process_lsm`, `process_tracepoint` (then `event` names the tracepoint)."""

    process: ProcessInfo
    parent: Parent | None = None
    function_name: str = ""
    args: list[Argument] = []
    return_value: Argument | None = None
    action: str = ""
    event: str = ""


class Loader(Struct, gc=False):
    """`process_loader`: a binary or library was mapped."""

    process: ProcessInfo
    path: Path = ""


class Connect(Struct, gc=False):
    """`process_connect` of older and enterprise builds."""

    process: ProcessInfo
    parent: Parent | None = None
    destination_ip: Short = ""
    destination_port: Number = 0


class RateLimit(Struct, gc=False):
    """`rate_limit_info`: the exporter dropped events. The number is text (u64)."""

    number_of_dropped_process_events: str | int = 0


class Record(Struct, gc=False):
    """One line of the export; one of the `process_*` fields is set."""

    process_exec: Exec | None = None
    process_kprobe: Probe | None = None
    process_exit: Exit | None = None
    process_lsm: Probe | None = None
    process_tracepoint: Probe | None = None
    process_loader: Loader | None = None
    process_connect: Connect | None = None
    process_close: Exit | None = None
    process_listen: Exit | None = None
    process_uprobe: Exit | None = None
    process_usdt: Exit | None = None
    process_throttle: Exit | None = None
    rate_limit_info: RateLimit | None = None
    node_name: str = ""
    time: Short = ""
    cluster_name: str = ""


# A first look: what most records are left at. Decoding these few fields costs 0.7 of decoding a `Record`, because what
# is not named is skipped without being made into text.


class GlancePod(Struct, gc=False):
    """Which pod."""

    uid: Short = ""


class GlanceNamespaces(Struct, gc=False):
    """Whether it runs in the file system of the node."""

    mnt: Namespace | None = None


class GlanceProcess(Struct, gc=False):
    """What the process tree keeps, and whether the command may matter."""

    exec_id: Short = ""
    parent_exec_id: Short = ""
    pid: Number = 0
    binary: Path = ""
    arguments: str = ""
    start_time: Short = ""
    docker: Short = ""
    pod: GlancePod | None = None
    ns: GlanceNamespaces | None = None
    in_init_tree: bool | None = None


class GlanceExec(Struct, gc=False):
    """`process_exec`. A parent that started no program itself has no record of its own: what is told of it here is all."""

    process: GlanceProcess
    parent: Parent | None = None


class GlanceActor(Struct, gc=False):
    """Who did what a probe saw."""

    exec_id: Short = ""
    pod: GlancePod | None = None


class GlanceArgument(Struct, gc=False):
    """The first argument decides whether a probe matters."""

    sock_arg: Socket | None = None
    file_arg: File | None = None


class GlanceReturn(Struct, gc=False):
    """What a hook returned."""

    int_arg: int | None = None


class GlanceProbe(Struct, gc=False, rename={"return_value": "return"}):
    """`process_kprobe`."""

    process: GlanceActor
    args: list[GlanceArgument] = []
    return_value: GlanceReturn | None = None
    action: str = ""


class Glance(Struct, gc=False):
    """A first look at one line: noise needs no more."""

    process_exec: GlanceExec | None = None
    process_kprobe: GlanceProbe | None = None
    process_exit: Exit | None = None
    process_lsm: Exit | None = None
    process_tracepoint: Exit | None = None
    process_loader: Exit | None = None
    process_connect: Exit | None = None
    process_close: Exit | None = None
    process_listen: Exit | None = None
    process_uprobe: Exit | None = None
    process_usdt: Exit | None = None
    process_throttle: Exit | None = None
    rate_limit_info: RateLimit | None = None
    time: Short = ""
