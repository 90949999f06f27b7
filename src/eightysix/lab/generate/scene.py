"""One written recording in the making: containers, processes and what they do, noted by every source that sees it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from eightysix.lab.generate import audit as audit_log
from eightysix.lab.generate import falco, tetragon
from eightysix.lab.generate import sensor as sensor_log
from eightysix.lab.generate.audit import Caller, Request
from eightysix.lab.generate.clock import SECOND, epoch_ns
from eightysix.lab.generate.cluster import Cluster, Container, Image, Node, Pod
from eightysix.lab.generate.ids import hex_id, number
from eightysix.lab.generate.sensor import Stack
from eightysix.lab.generate.settings import LAB, AuditForm, Dialect, SensorForm, Setting
from eightysix.lab.generate.tetragon import Connection, FileAccess, ProcessFacts

__all__ = ["AUDIT_LOG", "MAY_READ", "MAY_WRITE", "TOKEN_FOLDER", "Process", "Scene", "Streams"]

Record = dict[str, object]

Streams = dict[str, list[str]]
"""File name to its lines, each one JSON record."""

MAY_WRITE = 2
MAY_READ = 4

TOKEN_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"

AUDIT_LOG = "kubernetes-audit.jsonl"

_SENSOR_LEAD_NS = 142_000
_API_LEAD_NS = 3_286_000
_CONTROL_PLANE_ROWS = 4
_FILES = {
    AuditForm.PLAIN: AUDIT_LOG,
    AuditForm.EVENT_HUB: "aks-diagnostics.jsonl",
    AuditForm.AKS_AUDIT: "aks-audit.jsonl",
    AuditForm.AKS_AUDIT_TEXT: "aks-audit-text.jsonl",
    AuditForm.AZURE_DIAGNOSTICS: "azure-diagnostics.jsonl",
}
_SENSOR_SEES_OPEN = (
    "/var/run/secrets/",
    "/run/secrets/",
    "/root/.docker",
    "/root/.pypirc",
    "/root/.cache/huggingface/token",
    "/home/runner/.pypirc",
    "/root/.azure",
    "/home/runner/.docker",
    "/proc/self/environ",
)


@dataclass(eq=False)
class Process:
    """A process of a container. Every action takes the offset in seconds at which the kernel sees it.

    `by` names the Python code behind an action: with it, an instrumented interpreter's sensor notes the action too,
    a moment before the kernel does.
    """

    scene: Scene
    container: Container
    facts: ProcessFacts
    started_ns: int
    python: bool = False
    _connections: int = 0
    _seen: set[tuple[str, ...]] = field(default_factory=set)

    @property
    def pid(self) -> int:
        """Host process number."""
        return self.facts.pid

    def exec(
        self,
        at: float,
        binary: str,
        arguments: str = "",
        *,
        cwd: str = "",
        uid: int | None = None,
        python: bool | None = None,
        host: tuple[str, ...] = (),
    ) -> Process:
        """A child that starts a program (clone and execve). `python` tells whether the sensor runs in it, `host` which of
        its namespaces are the node's."""
        return self.scene.start(
            at,
            self.container,
            binary,
            arguments,
            parent=self.facts,
            cwd=cwd or self.facts.cwd,
            uid=self.facts.uid if uid is None else uid,
            in_init_tree=self.facts.in_init_tree,
            python=_is_python(binary, arguments) if python is None else python,
            host=host,
        )

    def replace(self, at: float, binary: str, arguments: str = "", *, python: bool | None = None) -> Process:
        """The same process with another program (execve without clone): Tetragon's parent is the program before."""
        time_ns = self.scene.ns(at)
        dialect = self.scene.setting.kernel
        # NOTE: the lab's records tell no such parent, and their flags always say `clone`.
        lab = dialect is not None and not dialect.clone_events
        facts = replace(
            self.facts,
            binary=binary,
            arguments=arguments,
            started_ns=time_ns,
            flags=self.facts.flags if lab else _flags(self.facts.cwd, clone=False),
            parent=self.facts.parent if lab else self.facts,
        )
        runs_python = _is_python(binary, arguments) if python is None else python
        after = Process(self.scene, self.container, facts, time_ns, runs_python)
        self.scene.note_exec(after)
        return after

    def fork(
        self, at: float, *, pod_known: bool = True, docker_known: bool = True, known: bool = True
    ) -> Process:
        """A child that goes on with the same program (a worker): no exec record, an exec id of its own."""
        time_ns = self.scene.ns(at)
        facts = replace(
            self.facts,
            pid=self.facts.node.next_pid(),
            ns_pid=self.container.next_ns_pid(),
            started_ns=time_ns,
            flags="clone",
            parent=self.facts,
            pod_known=pod_known,
            docker_known=docker_known,
            known=known,
        )
        return Process(self.scene, self.container, facts, time_ns, self.python)

    def fork_and_exit(self, at: float) -> None:
        """A child that fails to start a program and exits: pip looks for `lsb_release` where there is none."""
        dialect = self.scene.setting.kernel
        if dialect is None or dialect.clone_events:
            self.fork(at - 0.002).exit(at, status=255)
            return
        self.facts.node.next_pid()
        self.container.next_ns_pid()
        record = tetragon.exit_record(dialect, self.facts, self.scene.ns(at), status=255, parent=self.facts)
        self.scene.note("tetragon.jsonl", self.scene.ns(at), record)

    def exit(self, at: float, status: int = 0, signal: str = "") -> None:
        """The end of the process."""
        if self.scene.stage is not None:
            self.scene.stage.left(self, self.scene.ns(at))
        dialect = self.scene.setting.kernel
        if dialect is not None:
            record = tetragon.exit_record(
                dialect, self.facts, self.scene.ns(at), status=status, signal=signal
            )
            self.scene.note("tetragon.jsonl", self.scene.ns(at), record)

    def connect(
        self,
        at: float,
        address: str,
        port: int,
        *,
        by: Stack | None = None,
        host: str = "",
        path: str = "",
        method: str = "GET",
        denied: str = "",
    ) -> None:
        """A TCP connection. With `host` the sensor notes its look-up, with `path` the HTTP request before it.

        `denied` names the hook that returned EPERM (`tcp_connect` or `security_socket_connect`).
        """
        time_ns = self.scene.ns(at)
        if by is not None:
            target = host or address
            if path:
                scheme = "https" if port == 443 else "http"
                url = f"{scheme}://{target}{path}"
                self._sense(
                    time_ns - 3 * _SENSOR_LEAD_NS,
                    "http",
                    {"url": url, "method": method},
                    _v1_http(target, port, path),
                    by,
                )
            if host and ("resolve", host, *by.frames) not in self._seen:
                self._seen.add(("resolve", host, *by.frames))
                self._sense(
                    time_ns - 2 * _SENSOR_LEAD_NS,
                    "resolve",
                    {"host": host, "dport": port},
                    {"dst": host, "port": port},
                    by,
                )
            self._sense(
                time_ns - _SENSOR_LEAD_NS,
                "connect",
                {"dst": address, "dport": port},
                {"dst": address, "port": port},
                by,
            )
        dialect = self.scene.setting.kernel
        if dialect is None:
            return
        self._connections += 1
        connection = Connection(
            address,
            port,
            self.container.pod.ip,
            number(32_768, 60_999, "port", self.facts.pid, self._connections),
            number(10_000, 9_999_999, "cookie", self.facts.pid, self._connections),
            function=denied or "tcp_connect",
            result=tetragon.DENIED if denied else None,
        )
        self._probe(dialect, time_ns, by, connection)
        form = self.scene.setting.falco
        if form is not None:
            self.scene.note(
                "falco.jsonl", time_ns, falco.connect_alert(form, self.facts, time_ns, connection)
            )

    def read(self, at: float, path: str, *, by: Stack | None = None) -> None:
        """A read of a file; `path` as the program names it."""
        self._touch(at, path, MAY_READ, by)

    def write(self, at: float, path: str, *, by: Stack | None = None) -> None:
        """A write to a file."""
        self._touch(at, path, MAY_WRITE, by)

    def sense_start(self, at: float, argv: Iterable[str]) -> None:
        """The sensor's first record in this interpreter."""
        words = list(argv)
        parent = self.facts.parent
        fields: Record = {
            "argv": words,
            "py": "3.11.2",
            "ppid": parent.ns_pid if parent is not None and parent.container is self.container else 0,
            "env": ["AZURE_CLIENT_ID", "KUBERNETES_SERVICE_HOST"],
        }
        told: Record = {"path": words[0], "argv": words, "env": fields["env"]}
        self._sense(self.scene.ns(at), "sensor_start", fields, told, Stack(dynamic=True))

    def sense_import(self, at: float, module: str, by: Stack) -> None:
        """The first import of a module that is not of the standard library."""
        self._sense(self.scene.ns(at), "import", {"module": module}, {"path": module}, by)

    def sense_exec(self, at: float, names: Iterable[str], by: Stack) -> None:
        """Code without a file is run (`exec` of text)."""
        self._sense(
            self.scene.ns(at),
            "exec",
            {"filename": "<string>", "names": list(names)},
            {"path": "<string>"},
            by,
        )

    def sense_child(self, at: float, argv: Iterable[str], by: Stack) -> None:
        """A child process is asked for."""
        words = list(argv)
        fields: Record = {"api": "subprocess.Popen", "argv": words, "exe": words[0]}
        self._sense(self.scene.ns(at), "exec_child", fields, {"path": words[0], "argv": words}, by)

    def sense_pickle(self, at: float, module: str, name: str, by: Stack) -> None:
        """Unpickling looks up a global."""
        fields: Record = {"module": module, "name": name, "bad": module in ("os", "posix", "builtins")}
        self._sense(self.scene.ns(at), "pickle_global", fields, {"path": f"{module}.{name}"}, by)

    def sense_revive(self, at: float, what: str, path: Iterable[str], by: Stack) -> None:
        """LangChain's reviver is given an object: `what` is `constructor` or `secret`, `path` its `id`."""
        fields: Record = {"type": what, "id": list(path)}
        self._sense(self.scene.ns(at), "lc_revive", fields, fields, by)

    def sense_environment(self, at: float, name: str, value: str, by: Stack) -> None:
        """An environment variable is set."""
        self._sense(self.scene.ns(at), "putenv", {"args": [name, value]}, {"path": name}, by)

    def _touch(self, at: float, path: str, mask: int, by: Stack | None) -> None:
        time_ns = self.scene.ns(at)
        if by is not None and path.startswith(_SENSOR_SEES_OPEN) and not path.endswith("/ca.crt"):
            flags = 524_288 if mask == MAY_READ else 524_865
            fields: Record = {"path": path, "mode": "r" if mask == MAY_READ else "w", "flags": flags}
            self._sense(
                time_ns - _SENSOR_LEAD_NS,
                "open",
                fields,
                {"path": path, "file": sensor_log.file_identity(path)},
                by,
            )
        dialect = self.scene.setting.kernel
        if dialect is not None and not (
            dialect.lean and any(part in path for part in tetragon.FILTERED_FILES)
        ):
            access = FileAccess(self._real_path(dialect, path), mask, result=0 if dialect.returns else None)
            self._probe(dialect, time_ns, by, access)
            form = self.scene.setting.falco
            if form is not None:
                alert = falco.access_alert(form, self.facts, time_ns, replace(access, path=path))
                self.scene.note("falco.jsonl", time_ns, alert)

    def _real_path(self, dialect: Dialect, path: str) -> str:
        """What the kernel calls `path`: `/var/run` is a link to `/run`, and projected volumes link to a dated folder."""
        if not dialect.real_paths or not path.startswith("/var/run/secrets/"):
            return path
        folder, _, name = path.removeprefix("/var").rpartition("/")
        stamp = number(1_000_000_000, 4_000_000_000, "projected", self.container.pod.uid)
        return f"{folder}/..2026_11_24_06_41_09.{stamp}/{name}"

    def _probe(self, dialect: Dialect, time_ns: int, by: Stack | None, what: Connection | FileAccess) -> None:
        tid = self.facts.pid + (by.thread if by is not None else 0)
        record = tetragon.kprobe_record(dialect, self.facts, time_ns, tid, what)
        self.scene.note("tetragon.jsonl", time_ns, record)

    def _sense(self, time_ns: int, event: str, prototype: Record, v1: Record, by: Stack) -> None:
        form = self.scene.setting.sensor
        if form is None or not self.python or not self.container.instrumented:
            return
        sender = sensor_log.Sender(
            self.container,
            self.facts.pid,
            self.facts.ns_pid,
            self.facts.pid + by.thread,
            self.facts.ns_pid + by.thread,
            self.started_ns,
        )
        if form is SensorForm.PROTOTYPE:
            record = sensor_log.prototype_record(sender, time_ns, event, prototype, by)
        else:
            record = sensor_log.v1_record(sender, time_ns, event, v1, by)
        self.scene.note("sensor.jsonl", time_ns, record)


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
            python=_is_python(binary, arguments),
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
            python=_is_python(binary, arguments) if python is None else python,
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
            flags="execve rootcwd clone" if lab else _flags(cwd, clone=True),
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


def _flags(cwd: str, *, clone: bool) -> str:
    words = ["execve"]
    if cwd == "/":
        words.append("rootcwd")
    if clone:
        words.append("clone")
    return " ".join(words)


def _is_python(binary: str, arguments: str) -> bool:
    """Whether the sensor starts in it: an interpreter that runs `site` (not with -S)."""
    return "/python" in binary and not arguments.startswith("-S")


def _v1_http(host: str, port: int, path: str) -> Record:
    return {"dst": host, "port": port, "path": path.partition("?")[0]}
