"""One written recording in the making: containers, processes and what they do, noted by every source that sees it."""

from __future__ import annotations

import json

from eightysix.lab.generate import audit as audit_log
from eightysix.lab.generate import falco, tetragon
from eightysix.lab.generate.audit import Caller, Request
from eightysix.lab.generate.clock import SECOND, epoch_ns
from eightysix.lab.generate.cluster import Cluster, Container, Image, Node, Pod
from eightysix.lab.generate.ids import hex_id, number
from eightysix.lab.generate.process import Process, exec_flags, is_python
from eightysix.lab.generate.settings import LAB, AuditForm, Setting
from eightysix.lab.generate.tetragon import ProcessFacts

__all__ = ["AUDIT_LOG", "TOKEN_FOLDER", "Process", "Scene", "Streams"]

Record = dict[str, object]

Streams = dict[str, list[str]]
"""File name to its lines, each one JSON record."""

TOKEN_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"

AUDIT_LOG = "kubernetes-audit.jsonl"

_API_LEAD_NS = 3_286_000
_CONTROL_PLANE_ROWS = 4
_FILES = {
    AuditForm.PLAIN: AUDIT_LOG,
    AuditForm.EVENT_HUB: "aks-diagnostics.jsonl",
    AuditForm.AKS_AUDIT: "aks-audit.jsonl",
    AuditForm.AKS_AUDIT_TEXT: "aks-audit-text.jsonl",
    AuditForm.AZURE_DIAGNOSTICS: "azure-diagnostics.jsonl",
}


class Scene:
    """Everything that one recording holds. `setting` says which sources note what happens, and in which form."""

    def __init__(self, setting: Setting, cluster: Cluster | None = None) -> None:
        self.setting = setting
        self.stage = setting.stage
        self.cluster = cluster or (Cluster(api_server="10.96.0.1") if setting.kernel is LAB else Cluster())
        self._nodes: dict[int, Node] = {}
        self._records: dict[str, list[tuple[int, int, Record]]] = {}
        self._audit: list[tuple[int, int, Record]] = []

    def ns(self, at: float) -> int:
        """Nanoseconds since 1970 at offset `at` of this recording."""
        return epoch_ns(at + self.setting.shift_s)

    def node(self, index: int = 0) -> Node:
        """A node of the cluster's GPU pool."""
        if self.stage is not None:
            return self.stage.node(self.setting.first_node + index)
        if index not in self._nodes:
            place = self.setting.first_node + index
            self._nodes[index] = Node(f"aks-gpu-31337-vmss{place:06d}", self.cluster)
        return self._nodes[index]

    def pod(
        self,
        workload: str,
        *,
        namespace: str = "ml",
        kind: str = "Deployment",
        name: str = "",
        node: int = 0,
        replica: int = 0,
        service_account: str = "",
        release: str = "",
    ) -> Pod:
        """A pod of a workload, named as its controller names it."""
        instance = self.setting.instance
        if instance:
            workload = f"{workload}-{instance}"
            name = f"{name}-{instance}" if name else ""
        if namespace == "ml" and self.setting.namespace:
            namespace = self.setting.namespace
        if not name:
            name = f"{workload}-{replica}"
            if kind == "Deployment":
                template = hex_id(10, "template", workload, release)
                name = f"{workload}-{template}-{_suffix(workload, release, replica)}"
            elif kind == "DaemonSet":
                name = f"{workload}-{_suffix(workload, release, node)}"
        labels = (("app", workload), ("azure.workload.identity/use", "true"))
        return Pod(
            self.node(node), namespace, name, workload, kind, service_account or f"{workload}-sa", labels
        )

    def container(
        self,
        pod: Pod,
        image: Image,
        *,
        started: float,
        name: str = "server",
        attempt: int = 0,
        instrumented: bool = True,
    ) -> Container:
        """A container that started at offset `started`."""
        return Container(pod, name, image, self.ns(started), attempt=attempt, instrumented=instrumented)

    def entrypoint(
        self,
        at: float,
        container: Container,
        binary: str,
        arguments: str = "",
        *,
        cwd: str = "/app",
        uid: int = 0,
    ) -> Process:
        """The container's first process."""
        return self.start(
            at,
            container,
            binary,
            arguments,
            parent=self._runtime(container),
            cwd=cwd,
            uid=uid,
            in_init_tree=True,
            python=is_python(binary, arguments),
        )

    def session(
        self,
        at: float,
        container: Container,
        binary: str,
        arguments: str = "",
        *,
        cwd: str = "/app",
        uid: int = 0,
        probe: bool = False,
        python: bool | None = None,
    ) -> Process:
        """A process put into the container from outside: `kubectl exec`, or an exec probe of the kubelet."""
        return self.start(
            at,
            container,
            binary,
            arguments,
            parent=self._runtime(container),
            cwd=cwd,
            uid=uid,
            in_init_tree=False,
            probe=probe,
            python=is_python(binary, arguments) if python is None else python,
        )

    def start(
        self,
        at: float,
        container: Container,
        binary: str,
        arguments: str,
        *,
        parent: ProcessFacts | None,
        cwd: str,
        uid: int,
        in_init_tree: bool,
        python: bool,
        probe: bool = False,
        host: tuple[str, ...] = (),
    ) -> Process:
        """A new process with a program of its own; `entrypoint`, `session` and `Process.exec` are the ways to ask for one."""
        time_ns = self.ns(at)
        lab = self.setting.kernel is LAB
        facts = ProcessFacts(
            node=container.pod.node,
            container=container,
            pid=container.pod.node.next_pid(),
            ns_pid=container.next_ns_pid(),
            started_ns=time_ns,
            binary=binary,
            arguments=arguments,
            cwd=cwd,
            uid=uid,
            flags="execve rootcwd clone" if lab else exec_flags(cwd, clone=True),
            in_init_tree=in_init_tree,
            parent=parent,
            maybe_exec_probe=probe and not lab,
            host=host,
        )
        process = Process(self, container, facts, time_ns, python)
        self.note_exec(process)
        if self.stage is not None and in_init_tree and (parent is None or parent.container is None):
            self.stage.entered(process)
        return process

    def mark(self, stage: str, at: float, process: Process) -> None:
        """Tell the cluster, if this is played in one, that an attack's stage is at `at`: what its label says."""
        if self.stage is not None:
            self.stage.marked(stage, self.ns(at), process)

    def api(
        self, at: float, caller: Pod | Caller, request: Request, *, token: int = 0, started_only: bool = False
    ) -> None:
        """A request to the API server, in its audit log; a pod calls with its own service account token.

        `at` is when the client's connection began; `started_only` is a watch that is still open.
        """
        minimal = self.setting.kernel is LAB
        if isinstance(caller, Pod):
            caller = audit_log.of_pod(caller, minimal=minimal, token=token)
        time_ns = self.ns(at) + _API_LEAD_NS
        stages = ["ResponseStarted"] if started_only else ["ResponseComplete"]
        if AuditForm.EVENT_HUB in self.setting.audit and not minimal:
            stages.insert(0, "RequestReceived")
        for stage in stages:
            event = audit_log.audit_event(caller, request, time_ns, minimal=minimal, stage=stage)
            if self.stage is not None:
                self.stage.noted(AUDIT_LOG, time_ns, event)
                continue
            self._audit.append((time_ns, len(self._audit), event))

    def note_exec(self, process: Process) -> None:
        """Note the start of a program."""
        dialect = self.setting.kernel
        if dialect is not None:
            record = tetragon.exec_record(dialect, process.facts)
            self.note("tetragon.jsonl", process.started_ns, record)
            if self.setting.falco is not None:
                alert = falco.exec_alert(self.setting.falco, process.facts)
                self.note("falco.jsonl", process.started_ns, alert)

    def note(self, file: str, time_ns: int, record: Record) -> None:
        """Put a record into a file; the files are sorted by time when they are written."""
        if self.stage is not None:
            self.stage.noted(file, time_ns, record)
            return
        records = self._records.setdefault(file, [])
        records.append((time_ns, len(records), record))

    def streams(self) -> Streams:
        """The finished files."""
        files = {
            name: [record for _, _, record in sorted(records, key=_order)]
            for name, records in self._records.items()
        }
        self._note_control_plane()
        events = [record for _, _, record in sorted(self._audit, key=_order)]
        for form in self.setting.audit if events else ():
            files[_FILES[form]] = audit_log.envelopes(form, self.cluster, events)
        return {
            name: [json.dumps(record, separators=(",", ":")) for record in files[name]]
            for name in sorted(files)
        }

    def _note_control_plane(self) -> None:
        """Rows of the cluster's own life, so that a log in which the pods did nothing is not an empty one."""
        times = [entry[0] for records in self._records.values() for entry in records]
        if not self.setting.audit or self.setting.kernel is LAB or not times:
            return
        first, last = min(times), max(times)
        for turn in range(_CONTROL_PLANE_ROWS):
            caller, request = audit_log.control_plane(self.node().name)[turn % 2]
            time_ns = first + (last - first) * turn // _CONTROL_PLANE_ROWS
            self._audit.append((time_ns, len(self._audit), audit_log.audit_event(caller, request, time_ns)))

    def _runtime(self, container: Container) -> ProcessFacts | None:
        """The container runtime's process on the node, from before: told only as a parent, its own exec is not exported."""
        dialect = self.setting.kernel
        if dialect is not None and not dialect.runtime_parents:
            return None
        node = container.pod.node
        sandbox = hex_id(64, "sandbox", container.pod.uid)
        return ProcessFacts(
            node=node,
            container=None,
            pid=number(3_000, 19_999, "shim", sandbox),
            ns_pid=0,
            started_ns=container.started_ns - 2 * SECOND,
            binary="/usr/bin/containerd-shim-runc-v2",
            arguments=f"-namespace k8s.io -id {sandbox} -address /run/containerd/containerd.sock",
            cwd="/",
            uid=0,
            flags="execve rootcwd clone",
            in_init_tree=False,
        )


def _order(entry: tuple[int, int, Record]) -> tuple[int, int]:
    return entry[:2]


def _suffix(*what: object) -> str:
    letters = "bcdfghjklmnpqrstvwxz2456789"
    return "".join(letters[number(0, len(letters) - 1, "suffix", place, *what)] for place in range(5))
