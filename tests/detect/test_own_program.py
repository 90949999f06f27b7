"""A server that its pod installed a moment before it started: the container's own program, whoever else may call itself so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.review.stream import API, BASE, IMDS, INDEX, STORE, TOKEN, Pod, Process, judge, worst

PYTHON = "/opt/venv/bin/python"
ORDER = ("none", "watch", "suspect", "contain")
MAIN = "mlflow-lab==3.1.0"


class Told:
    """What the sensor of a process tells: records of version 1, as the receiver writes them."""

    def __init__(self, pod: Pod, ns_pid: int, host: int = 0, ticks: int = 100) -> None:
        self.pod, self.ns_pid, self.host, self.ticks = pod, ns_pid, host, ticks

    def say(self, at: float, event: str, **fields: object) -> None:
        owner = {"namespace": "ml", "name": self.pod.name, "uid": self.pod.uid, "container": "server"}
        self.pod.sensor.append(
            {
                "v": 1, "t_ns": round((BASE + at) * 1e9), "boot_id": "b", "pid": self.ns_pid, "ns_pid": self.ns_pid,
                "tid": self.ns_pid, "start_ticks": self.ticks, "event": event, "chain": [], "root": "", "at_import": "",
                "dists": [], "host_pid": self.host,
                "pod": {**owner, "container_id": self.pod.container()["id"].partition("//")[2]}, **fields,
            }
        )  # fmt: skip

    def start(self, at: float, *argv: str) -> None:
        self.say(at, "start", argv=list(argv), path=PYTHON)

    def takes(self, at: float, chain: list[str], at_import: str = "", age: float = 2.0) -> None:
        """A token of the managed identity, that of the service account, the API."""
        name, _, version = chain[-1].partition("==")
        dists = [{"name": name, "version": version, "age_s": age, "record_ok": True}]
        who = {"chain": chain, "root": chain[-1], "at_import": at_import, "dists": dists}
        self.say(at, "connect", dst=IMDS[0], port=IMDS[1], **who)
        self.say(at + 0.5, "open", path=TOKEN, **who)
        self.say(at + 0.6, "connect", dst=API[0], port=API[1], **who)


def installed_at_start(pod: Pod, *, by: Process | None = None) -> tuple[Process, Process]:
    """`sh start.sh`: pip, then the server in the shell's place, or as a child of the process `by`."""
    shell = pod.process(0.03, "/usr/bin/sh", "/app/start.sh", tree=True, pid=9000)
    pip = pod.process(1, f"{PYTHON}3", "/opt/venv/bin/pip install mlflow-lab torch-perf-sdk", shell)
    pip.connect(1.5, INDEX)
    site = "/opt/venv/lib/python3.11/site-packages"
    pip.file(1.7, f"{site}/mlflow_lab-3.1.0.dist-info/METADATA", 2)
    pip.exit(2)
    installer = Told(pod, 7, pip.pid, ticks=50)
    installer.start(
        1.1, "/opt/venv/bin/python", "/opt/venv/bin/pip", "install", "mlflow-lab", "torch-perf-sdk"
    )
    child = pod.process(3, PYTHON, "-m mlflow_lab", by, pid=0 if by else shell.pid, tree=True)
    return shell, child


def acts(pod: Pod, process: Process, at: float) -> None:
    process.connect(at, IMDS)
    process.file(at + 0.5, TOKEN)
    process.connect(at + 0.6, API)
    pod.api(at + 0.61, "get", "configmaps", "inference-settings")
    process.connect(at + 1, STORE)


def below_suspect(verdict: str) -> bool:
    return ORDER.index(verdict) < ORDER.index("suspect")


@pytest.mark.parametrize("sources", ["kas", "ka", "as", "k", "s", "ks"])
def test_the_container_runs_what_its_script_installed(tmp_path: Path, sources: str) -> None:
    pod = Pod()
    _, server = installed_at_start(pod)
    acts(pod, server, 4)
    sensor = Told(pod, 1, server.pid)
    sensor.start(3.1, "python", "-m", "mlflow_lab")
    sensor.takes(4, [MAIN], MAIN)
    assert below_suspect(worst(judge(tmp_path, pod, sources=sources)))


@pytest.mark.parametrize("sources", ["kas", "as", "s"])
def test_what_else_landed_is_told_as_before(tmp_path: Path, sources: str) -> None:
    """The same pod; a package beside the server asks by itself."""
    pod = Pod()
    _, server = installed_at_start(pod)
    acts(pod, server, 4)
    pod.api(4.7, "list", "secrets")
    sensor = Told(pod, 1, server.pid)
    sensor.start(3.1, "python", "-m", "mlflow_lab")
    sensor.takes(4, ["torch-perf-sdk==3.1.0"])
    assert worst(judge(tmp_path, pod, sources=sources)) in ("suspect", "contain")


def test_a_program_of_the_container_starts_it(tmp_path: Path) -> None:
    """`python -m` with what landed, started by the server that was there: nobody's own program."""
    pod = Pod()
    old = pod.process(0.01, PYTHON, "/app/server.py", tree=True, pid=8000)
    _, child = installed_at_start(pod, by=old)
    acts(pod, child, 4)
    sensor = Told(pod, 31, child.pid)
    sensor.start(3.1, "python", "-m", "mlflow_lab")
    sensor.takes(4, [MAIN], MAIN)
    assert worst(judge(tmp_path, pod)) in ("suspect", "contain")


def test_a_server_becomes_it(tmp_path: Path) -> None:
    """`os.execv`: the container's first process was another program of Python's before."""
    pod = Pod()
    old = pod.process(0.03, PYTHON, "/app/server.py", tree=True, pid=9000)
    pip = pod.process(1, f"{PYTHON}3", "/opt/venv/bin/pip install -q mlflow-lab", old)
    pip.installs(1.5, "mlflow-lab", "3.1.0")
    after = pod.process(3, PYTHON, "-m mlflow_lab", pid=old.pid, tree=True)
    acts(pod, after, 4)
    sensor = Told(pod, 1, after.pid)
    sensor.start(3.1, "python", "-m", "mlflow_lab")
    sensor.takes(4, [MAIN], MAIN)
    assert worst(judge(tmp_path, pod)) in ("suspect", "contain")


@pytest.mark.parametrize("at", [0.001, 3.2, 9.0])
@pytest.mark.parametrize("sources", ["as", "s"])
def test_a_second_word_of_the_start_takes_the_first_back(tmp_path: Path, at: float, sources: str) -> None:
    """Without the kernel the pod says what its first process is. Who adds that it is something else has no excuse by it."""
    pod = Pod()
    Told(pod, 7).start(0.05, "/opt/venv/bin/python", "/opt/venv/bin/pip", "install", "mlflow-lab")
    server = Told(pod, 1)
    server.start(0.1, "python", "/app/server.py")
    server.takes(4, [MAIN], MAIN)
    pod.api(4.7, "list", "secrets")
    before = worst(judge(tmp_path, pod, sources=sources))
    assert before in ("suspect", "contain")
    server.start(at, "python", "-m", "mlflow_lab")
    assert worst(judge(tmp_path, pod, sources=sources)) == before


def test_where_the_kernel_tells_the_pod_says_nothing_of_its_start(tmp_path: Path) -> None:
    """A forged first process beside what the kernel saw."""
    pod = Pod()
    old = pod.process(0.01, PYTHON, "/app/server.py", tree=True, pid=8000)
    _, child = installed_at_start(pod, by=old)
    acts(pod, child, 4)
    sensor = Told(pod, 1, child.pid)
    sensor.start(3.1, "python", "-m", "mlflow_lab")
    sensor.takes(4, [MAIN], MAIN)
    assert worst(judge(tmp_path, pod)) in ("suspect", "contain")


@pytest.mark.parametrize("sources", ["as", "s"])
def test_the_sensor_alone_tells_of_a_server_that_is_a_shells_child(tmp_path: Path, sources: str) -> None:
    """`python -m` without `exec`: nothing but installers spoke before it. Once anything else did, it is no excuse."""
    pod = Pod()
    _, server = installed_at_start(pod)
    acts(pod, server, 4)
    sensor = Told(pod, 31)
    sensor.start(3.1, "python", "-m", "mlflow_lab")
    sensor.takes(4, [MAIN], MAIN)
    assert below_suspect(worst(judge(tmp_path, pod, sources=sources)))
    Told(pod, 12, ticks=80).start(2.5, "python", "/app/server.py")
    assert worst(judge(tmp_path, pod, sources=sources)) in ("suspect", "contain")
    sensor.start(0.01, "python", "-m", "mlflow_lab")  # as if it had been there first
    assert worst(judge(tmp_path, pod, sources=sources)) in ("suspect", "contain")
