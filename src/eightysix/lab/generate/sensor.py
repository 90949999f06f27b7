"""Records of the in-process sensor: the prototype's, and record v1 of the design.

A prototype record tells neither pod nor host pid (its `pid` is the one inside the container). Of a v1 record the
receiver adds `node`, `pod` and the host `pid`; the sender knows only `ns_pid`.
"""

from __future__ import annotations

from dataclasses import dataclass

from eightysix.lab.generate.clock import SECOND
from eightysix.lab.generate.cluster import SITE_PACKAGES, Container
from eightysix.lab.generate.ids import number, uuid_id

__all__ = ["Stack", "prototype_record", "v1_record"]

Record = dict[str, object]

_PLUMBING = {"urllib3", "requests", "azure-core", "msal", "httpx", "httpcore", "aiohttp"}
_TICKS = 100

_SITES = {
    "urllib3": "urllib3/util/connection.py:create_connection:73",
    "requests": "requests/adapters.py:send:696",
    "azure-core": "azure/core/pipeline/transport/_requests_basic.py:send:381",
    "azure-identity": "azure/identity/_internal/msal_client.py:get:107",
    "azure-storage-blob": "azure/storage/blob/_shared/base_client.py:_create_pipeline:331",
    "msal": "msal/managed_identity.py:_obtain_token_on_azure_vm:431",
    "kubernetes": "kubernetes/client/rest.py:request:189",
    "pip": "pip/_vendor/urllib3/util/connection.py:create_connection:85",
    "setuptools": "_distutils_hack/__init__.py:<module>:9",
}


@dataclass(frozen=True)
class Stack:
    """Whose code is on the stack, innermost first: distribution names, `app:<file>` for files outside of site-packages, or
    `<unknown>` for code of no file.

    `at_import` names the distribution whose module body is running, or `pth:<path>`; `thread` is 0 in the main thread,
    else which of the process's threads; `dynamic` tells that code without a file is on the stack.
    """

    frames: tuple[str, ...] = ()
    at_import: str = ""
    thread: int = 0
    dynamic: bool = False


@dataclass(frozen=True)
class Sender:
    """The Python process that a record comes from. `start_ns` is when it started, `tid` and `ns_tid` the thread."""

    container: Container
    pid: int
    ns_pid: int
    tid: int
    ns_tid: int
    start_ns: int


def prototype_record(sender: Sender, time_ns: int, event: str, fields: Record, stack: Stack) -> Record:
    """One record as the prototype writes it: `fields` belong to the kind of event."""
    container = sender.container
    chain = [_named(container, frame, time_ns) for frame in stack.frames]
    actor = next(
        (frame for frame in stack.frames if frame not in _PLUMBING), stack.frames[0] if stack.frames else ""
    )
    after = stack.frames.index(actor) + 1 if actor else 0
    age = (
        None if actor.startswith(("app:", "pth:")) or not actor else container.distribution(actor, time_ns)[1]
    )
    return {
        "time": time_ns // 1_000 / 1_000_000,
        "sensor": "py",
        "event": event,
        "pid": sender.ns_pid,
        "tid": sender.ns_tid,
        **fields,
        "actor": _named(container, actor, time_ns),
        "caller": chain[after] if after < len(chain) else "",
        "chain": chain,
        "at_import": _named(container, stack.at_import, time_ns) or None,
        "dyn": stack.dynamic,
        "actor_age_s": age,
        "site": [_site(frame) for frame in stack.frames[:4]],
    }


def v1_record(sender: Sender, time_ns: int, event: str, fields: Record, stack: Stack) -> Record:
    """One record of version 1, as the receiver hands it on."""
    container = sender.container
    pod = container.pod
    names = list(
        dict.fromkeys(frame for frame in stack.frames if not frame.startswith(("app:", "pth:", "<")))
    )
    chain = [_named(container, frame, time_ns) for frame in stack.frames]
    dists: list[Record] = []
    for name in names:
        version, age = container.distribution(name, time_ns)
        dists.append({"name": name, "version": version, "age_s": age, "record_ok": True})
    return {
        "v": 1,
        "t_ns": time_ns,
        "boot_id": uuid_id("boot", pod.node.name, pod.node.booted_ns),
        "pid": sender.pid,
        "ns_pid": sender.ns_pid,
        "tid": sender.tid,
        "start_ticks": (sender.start_ns - pod.node.booted_ns) * _TICKS // SECOND,
        "event": event,
        "chain": chain,
        "root": chain[-1] if chain else "",
        "at_import": _named(container, stack.at_import, time_ns),
        "dists": dists,
        **fields,
        "node": pod.node.name,
        "pod": {
            "cluster": pod.cluster.name,
            "namespace": pod.namespace,
            "name": pod.name,
            "uid": pod.uid,
            "container_id": container.id,
            "container": container.name,
            "image": container.image.id,
            "service_account": pod.service_account,
            "workload": pod.workload,
            "workload_kind": pod.kind,
        },
    }


def file_identity(path: str) -> Record:
    """`file` of a v1 record: drawn from the path."""
    return {
        "dev": 64_768,
        "ino": number(100_000, 9_999_999, "inode", path),
        "size": number(200, 4_000, "size", path),
        "mtime_ns": number(1_790_000_000, 1_795_000_000, "mtime", path) * SECOND,
    }


def _named(container: Container, frame: str, time_ns: int) -> str:
    if not frame or frame.startswith(("app:", "pth:")):
        return frame
    version = container.distribution(frame, time_ns)[0]
    return f"{frame}=={version}" if version else frame


def _site(frame: str) -> str:
    if frame.startswith("app:"):
        return f"{frame[4:][-60:]}:do_GET:15"
    path, _, place = _SITES.get(frame, f"{frame.replace('-', '_')}/_boot.py:go:11").partition(":")
    return f"{SITE_PACKAGES}/{path}"[-60:] + f":{place}"
