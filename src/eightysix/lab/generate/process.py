"""A process of a written recording: what it does, noted by every source that sees it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from eightysix.lab.generate import falco, tetragon
from eightysix.lab.generate import sensor as sensor_log
from eightysix.lab.generate.cluster import Container
from eightysix.lab.generate.ids import number
from eightysix.lab.generate.sensor import Stack
from eightysix.lab.generate.settings import Dialect, SensorForm
from eightysix.lab.generate.tetragon import Connection, FileAccess, ProcessFacts

if TYPE_CHECKING:
    from eightysix.lab.generate.scene import Scene

__all__ = ["MAY_READ", "MAY_WRITE", "Process", "exec_flags", "is_python"]

Record = dict[str, object]

MAY_WRITE = 2
MAY_READ = 4

_SENSOR_LEAD_NS = 142_000
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
            python=is_python(binary, arguments) if python is None else python,
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
            flags=self.facts.flags if lab else exec_flags(self.facts.cwd, clone=False),
            parent=self.facts.parent if lab else self.facts,
        )
        runs_python = is_python(binary, arguments) if python is None else python
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

    def sense_pickle(self, at: float, module: str, name: str, by: Stack, file: str = "") -> None:
        """Unpickling looks up a global; `file` is what is read, where the sensor knows it."""
        fields: Record = {"module": module, "name": name, "bad": module in ("os", "posix", "builtins")}
        told: Record = {"path": f"{module}.{name}"}
        if file:
            told["file"] = sensor_log.file_identity(file)
        self._sense(self.scene.ns(at), "pickle_global", fields, told, by)

    def sense_open(self, at: float, path: str, by: Stack) -> None:
        """A model file is opened to be loaded."""
        fields: Record = {"path": path, "mode": "r", "flags": 524_288}
        told: Record = {"path": path, "flags": 524_288, "file": sensor_log.file_identity(path)}
        self._sense(self.scene.ns(at), "open", fields, told, by)

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


def exec_flags(cwd: str, *, clone: bool) -> str:
    """How Tetragon names the circumstances of an exec."""
    words = ["execve"]
    if cwd == "/":
        words.append("rootcwd")
    if clone:
        words.append("clone")
    return " ".join(words)


def is_python(binary: str, arguments: str) -> bool:
    """Whether the sensor starts in it: an interpreter that runs `site` (not with -S)."""
    return "/python" in binary and not arguments.startswith("-S")


def _v1_http(host: str, port: int, path: str) -> Record:
    return {"dst": host, "port": port, "path": path.partition("?")[0]}
