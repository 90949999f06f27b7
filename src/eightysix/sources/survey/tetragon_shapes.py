"""Records of Tetragon's export as far as a survey counts them: a first look, and in full."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from eightysix.sources.tetragon_lenient import FAILURES, rewrite
from eightysix.sources.tetragon_records import RateLimit

__all__ = ["Glance", "Pod", "Probe", "Process", "Record", "decode_record", "full", "glance_at", "told"]

_LONGEST = 4096

Text = Annotated[str, Meta(max_length=_LONGEST)]


class Pod(Struct, gc=False):
    """Which pod."""

    namespace: Text = ""
    name: Text = ""
    uid: Text = ""
    workload: Text = ""
    workload_kind: Text = ""


class _Mount(Struct, gc=False):
    is_host: bool = False


class _Namespaces(Struct, gc=False):
    mnt: _Mount | None = None


class Process(Struct, gc=False):
    """Who did it."""

    exec_id: Text = ""
    binary: Text = ""
    docker: Text = ""
    pod: Pod | None = None
    ns: _Namespaces | None = None


class _Exec(Struct, gc=False):
    process: Process


class _Socket(Struct, gc=False):
    daddr: Text = ""


class _Something(Struct, gc=False):
    pass


class _Argument(Struct, gc=False):
    sock_arg: _Socket | None = None
    sockaddr_arg: _Something | None = None


class Probe(Struct, gc=False):
    """What a hook saw."""

    process: Process
    function_name: Text = ""
    policy_name: Text = ""
    args: list[_Argument] = []


class _Throttle(Struct, gc=False):
    type: Text = ""


class Record(Struct, gc=False):
    """One line of the export."""

    process_exec: _Exec | None = None
    process_kprobe: Probe | None = None
    process_exit: _Exec | None = None
    process_lsm: Probe | None = None
    process_tracepoint: Probe | None = None
    process_uprobe: Probe | None = None
    process_usdt: Probe | None = None
    process_connect: _Exec | None = None
    process_loader: _Exec | None = None
    process_throttle: _Throttle | None = None
    process_close: _Something | None = None
    process_listen: _Something | None = None
    rate_limit_info: RateLimit | None = None
    node_name: Text = ""
    time: Text = ""
    cluster_name: Text = ""


# A first look: what is needed to count a record of a process that is known already. Names of pods, arguments and parents
# cost more than all of this, and are decoded once for each pod, program and hook of a block.


class _GlancePod(Struct, gc=False):
    uid: Text = ""


class _GlanceProcess(Struct, gc=False):
    exec_id: Text = ""
    binary: Text = ""
    docker: Text = ""
    pod: _GlancePod | None = None
    ns: _Namespaces | None = None


class _GlanceExec(Struct, gc=False):
    process: _GlanceProcess


class _GlanceProbe(Struct, gc=False):
    process: _GlanceProcess
    function_name: Text = ""
    policy_name: Text = ""


class Glance(Struct, gc=False):
    """One line at a first look."""

    process_exec: _GlanceExec | None = None
    process_kprobe: _GlanceProbe | None = None
    process_exit: _GlanceExec | None = None
    node_name: Text = ""
    time: Text = ""
    cluster_name: Text = ""


decode_record = msgspec.json.Decoder(Record).decode
glance_at = msgspec.json.Decoder(Glance).decode


def told(record: Record) -> tuple[str, str, Process | None, Probe | None]:
    """What a record is counted as, what it is (of a probe, `/` and the function), its process and its probe."""
    if record.process_exec is not None:
        return "exec", "exec", record.process_exec.process, None
    probe = record.process_kprobe
    if probe is None and record.process_exit is not None:
        return "exit", "exit", record.process_exit.process, None
    if probe is None:
        probe = (
            record.process_lsm or record.process_tracepoint or record.process_uprobe or record.process_usdt
        )
    if probe is not None:
        args = probe.args
        connects = any(a.sock_arg is not None or a.sockaddr_arg is not None for a in args)
        kind = "connect" if connects else "probe"
        return kind, f"/{probe.function_name}", probe.process, probe
    if record.process_connect is not None:
        return "connect", "connect", record.process_connect.process, None
    if record.process_loader is not None:
        return "load", "load", record.process_loader.process, None
    if record.rate_limit_info is not None or record.process_throttle is not None:
        return "dropped", "dropped", None, None
    known = record.process_close is not None or record.process_listen is not None
    return "other" if known else "", "", None, None


def full(text: bytes) -> Record | None:
    """A record in full, as Tetragon would have written it."""
    try:
        return decode_record(text)
    except FAILURES:
        rewritten = rewrite(text)
    try:
        return decode_record(rewritten) if rewritten else None
    except FAILURES:
        return None
