"""Falco's alerts, written as `json_output` does with the outputs of our own rules: what happens, told by another sensor.

Sources of the shapes: alerts in the documentation of github.com/falcosecurity (rules, falco, falcosidekick), and its lists
of supported fields and events. Falco tells what a system call was given (the path as it was opened, no link followed), the
process by its pid and the time of its clone, and the command line as the process's name and its arguments, unquoted.
"""

from __future__ import annotations

from eightysix.lab.generate.clock import rfc3339
from eightysix.lab.generate.falco_form import FalcoForm
from eightysix.lab.generate.tetragon import Connection, FileAccess, ProcessFacts

__all__ = ["access_alert", "connect_alert", "exec_alert"]

Record = dict[str, object]

_RULES = {
    "execve": ("Program Started In Container", "Informational"),
    "connect": ("Outbound Connection From Container", "Informational"),
    "openat": ("Watched File Opened In Container", "Notice"),
}


def exec_alert(form: FalcoForm, process: ProcessFacts) -> Record:
    """`execve` at the start of `process`."""
    fields: Record = {"evt.res": "SUCCESS", "evt.arg.flags": "EXE_WRITABLE|EXE_LOWER_LAYER"}
    return _alert(form, process, process.started_ns, "execve", fields)


def connect_alert(form: FalcoForm, process: ProcessFacts, time_ns: int, what: Connection) -> Record:
    """`connect`, which a policy may have refused."""
    fields: Record = {
        "evt.res": "EPERM" if what.result is not None and what.result < 0 else "EINPROGRESS",
        "fd.type": "ipv4",
        "fd.l4proto": "tcp",
        "fd.name": f"{what.source_address}:{what.source_port}->{what.address}:{what.port}",
        "fd.lip": what.source_address,
        "fd.lport": what.source_port,
        "fd.rip": what.address,
        "fd.rport": what.port,
        "fd.sip": what.address,
        "fd.sport": what.port,
        "fd.sip.name": None,
    }
    return _alert(form, process, time_ns, "connect", fields)


def access_alert(form: FalcoForm, process: ProcessFacts, time_ns: int, what: FileAccess) -> Record:
    """`openat` for reading or writing."""
    denied = what.result is not None and what.result < 0
    flags = "O_RDONLY|O_CLOEXEC" if what.mask == 4 else "O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC"
    fields: Record = {
        "evt.res": "EACCES" if denied else "SUCCESS",
        "evt.arg.flags": flags,
        "fd.name": what.path,
        "fd.type": "file",
    }
    return _alert(form, process, time_ns, "openat", fields)


def _alert(form: FalcoForm, process: ProcessFacts, time_ns: int, call: str, fields: Record) -> Record:
    rule, priority = _RULES[call]
    fields = {
        "evt.time": rfc3339(time_ns, 9).replace("Z", "+0000") if form.iso else time_ns,
        "evt.type": call,
        **fields,
        **_process(form, process),
        **_place(form, process),
    }
    if form.text:
        fields = {name: str(value) if isinstance(value, int) else value for name, value in fields.items()}
    return {
        "hostname": process.node.name,
        "output": f"{rfc3339(time_ns, 9)}: {priority} {rule}",
        "output_fields": dict(sorted(fields.items())),
        "priority": priority,
        "rule": rule,
        "source": "syscall",
        "tags": ["container", "eightysix"],
        "time": rfc3339(time_ns, 9),
    }


def _process(form: FalcoForm, process: ProcessFacts) -> Record:
    born, parent = _cloned(process)
    name = process.binary.rpartition("/")[2][:15]
    arguments = process.arguments.replace('"', "")
    fields: Record = {
        "proc.pid": process.pid,
        "proc.vpid": process.ns_pid,
        "proc.name": name,
        "proc.exepath": process.binary,
        "proc.cmdline": f"{name} {arguments}".rstrip(),
        "proc.cwd": process.cwd,
        "proc.tty": 0,
        "proc.ppid": parent.pid if parent is not None else None,
        "proc.pname": parent.binary.rpartition("/")[2][:15] if parent is not None else None,
        "proc.pexepath": parent.binary if parent is not None else None,
        "user.uid": process.uid,
        "user.loginuid": -1,
    }
    if form.starts:
        fields["proc.pid.ts"] = born
        fields["proc.ppid.ts"] = _cloned(parent)[0] if parent is not None else None
    above = parent
    for depth in (2, 3, 4):
        above = _cloned(above)[1] if above is not None else None
        fields[f"proc.apid[{depth}]"] = above.pid if above is not None else None
        fields[f"proc.aname[{depth}]"] = above.binary.rpartition("/")[2][:15] if above is not None else None
    return fields


def _cloned(process: ProcessFacts) -> tuple[int, ProcessFacts | None]:
    """When the process began, whatever programs it ran since, and its parent."""
    first = process
    while first.parent is not None and first.parent.pid == first.pid:
        first = first.parent
    return first.started_ns, first.parent


def _place(form: FalcoForm, process: ProcessFacts) -> Record:
    container = process.container
    if container is None or not form.container:
        return {"container.id": "host" if container is None else "", "container.name": None}
    repository, _, tag = container.image.name.rpartition(":")
    pod = container.pod if form.pods and process.pod_known else None
    return {
        "container.id": container.id[:12],
        "container.name": container.name,
        "container.start_ts": container.started_ns,
        "container.image.repository": repository,
        "container.image.tag": tag,
        "container.image.digest": container.image.digest,
        "k8s.ns.name": pod.namespace if pod is not None else None,
        "k8s.pod.name": pod.name if pod is not None else "<NA>",
        "k8smeta.deployment.name": container.pod.workload
        if form.meta and container.pod.kind == "Deployment"
        else None,
        "k8s.pod.uid": pod.uid if pod is not None and form.uid else None,
    }
