"""A server that is told which application to import, which its pod installed a moment before: the container's own program."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.detect.test_own_program import MAIN, PYTHON, Told, acts, below_suspect
from tests.review.stream import INDEX, Pod, Process, judge, worst

BIN = "/opt/venv/bin"
SITE = "/opt/venv/lib/python3.11/site-packages"
UVICORN = f"{BIN}/uvicorn mlflow_lab.serving:app --host 0.0.0.0"
WORKER = '-c "from multiprocessing.spawn import spawn_main; spawn_main(tracker_fd=5, pipe_handle=7)" --multiprocessing-fork'
LAUNCHED = [
    UVICORN,
    "-m uvicorn mlflow_lab.serving:app",
    f"{BIN}/uvicorn --host 0.0.0.0 --port 8080 --factory mlflow_lab.serving:create_app",
    f"{BIN}/gunicorn --preload -w 2 mlflow_lab:app",
    f"{BIN}/daphne -b 0.0.0.0 mlflow_lab.asgi:app",
    f"{BIN}/fastapi run --entrypoint mlflow_lab:app",
]


def installs(pod: Pod, arguments: str, *, by: Process | None = None) -> Process:
    """`sh start.sh`: pip, then the server in the shell's place, or as a child of the process `by`."""
    shell = pod.process(0.03, "/usr/bin/sh", "/app/start.sh", tree=True, pid=9000)
    pip = pod.process(1, f"{PYTHON}3", f"{BIN}/pip install mlflow-lab torch-perf-sdk", shell)
    pip.connect(1.5, INDEX)
    pip.file(1.7, f"{SITE}/mlflow_lab-3.1.0.dist-info/METADATA", 2)
    pip.exit(2)
    Told(pod, 7, pip.pid, ticks=50).start(
        1.1, PYTHON, f"{BIN}/pip", "install", "mlflow-lab", "torch-perf-sdk"
    )
    return pod.process(3, PYTHON, arguments, by, pid=0 if by else shell.pid, tree=True)


def launcher(arguments: str) -> str:
    """What stands at the root of the launcher's calls."""
    first = arguments.partition(" ")[0]
    return "uvicorn==0.41.0" if first == "-m" else f"app:{first}"


def imports(pod: Pod, arguments: str, who: str, *, ns_pid: int = 1, by: Process | None = None) -> Told:
    """The launcher imports `who`, which takes credentials at once."""
    server = installs(pod, arguments, by=by)
    acts(pod, server, 4)
    sensor = Told(pod, ns_pid, server.pid)
    sensor.start(3.1, PYTHON, *arguments.split(" "))
    takes(sensor, 4, [who, launcher(arguments)], who)
    return sensor


def takes(sensor: Told, at: float, chain: list[str], at_import: str) -> None:
    name, _, version = chain[0].partition("==")
    dists = [{"name": name, "version": version, "age_s": 2.0, "record_ok": True}]
    who = {"chain": chain, "root": chain[-1], "at_import": at_import, "dists": dists}
    sensor.say(at, "connect", dst="169.254.169.254", port=80, **who)
    sensor.say(at + 0.5, "open", path="/var/run/secrets/kubernetes.io/serviceaccount/token", **who)
    sensor.say(at + 0.6, "connect", dst="10.96.0.1", port=443, **who)


@pytest.mark.parametrize("sources", ["kas", "as", "s"])
@pytest.mark.parametrize("arguments", LAUNCHED)
def test_the_application_of_the_containers_server(tmp_path: Path, arguments: str, sources: str) -> None:
    pod = Pod()
    imports(pod, arguments, MAIN)
    assert below_suspect(worst(judge(tmp_path, pod, sources=sources)))


@pytest.mark.parametrize("sources", ["kas", "as", "s"])
@pytest.mark.parametrize("arguments", LAUNCHED)
def test_a_package_that_the_application_imports(tmp_path: Path, arguments: str, sources: str) -> None:
    pod = Pod()
    imports(pod, arguments, "torch-perf-sdk==3.1.0")
    assert worst(judge(tmp_path, pod, sources=sources)) in ("suspect", "contain")


@pytest.mark.parametrize("sources", ["kas", "as", "s"])
def test_a_package_within_the_applications_own_import(tmp_path: Path, sources: str) -> None:
    """The innermost import counts, the application's frames below it excuse nothing."""
    pod = Pod()
    server = installs(pod, UVICORN)
    acts(pod, server, 4)
    sensor = Told(pod, 1, server.pid)
    sensor.start(3.1, PYTHON, *UVICORN.split(" "))
    evil = "torch-perf-sdk==3.1.0"
    takes(sensor, 4, [evil, MAIN, launcher(UVICORN)], evil)
    assert worst(judge(tmp_path, pod, sources=sources)) in ("suspect", "contain")


@pytest.mark.parametrize("sources", ["kas", "as", "s"])
def test_a_pth_file_before_the_application(tmp_path: Path, sources: str) -> None:
    pod = Pod()
    imports(pod, UVICORN, MAIN)
    pod.sensor = [record for record in pod.sensor if record["event"] == "start"]
    sensor = Told(pod, 1, pod.sensor[-1]["host_pid"])
    takes(sensor, 4, ["torch-perf-sdk==3.1.0"], f"pth:{SITE}/mlflow_lab.pth")
    assert worst(judge(tmp_path, pod, sources=sources)) in ("suspect", "contain")


@pytest.mark.parametrize("sources", ["kas", "as"])
def test_a_server_that_another_process_starts_later(tmp_path: Path, sources: str) -> None:
    """The server that was there starts one on what it installed: nobody's own program."""
    pod = Pod()
    old = pod.process(0.01, PYTHON, "/app/server.py", tree=True, pid=8000)
    Told(pod, 12, old.pid, ticks=10).start(0.02, PYTHON, "/app/server.py")
    imports(pod, UVICORN, MAIN, ns_pid=31, by=old)
    assert worst(judge(tmp_path, pod, sources=sources)) in ("suspect", "contain")


@pytest.mark.parametrize("arguments", [WORKER, f"{BIN}/gunicorn mlflow_lab:app"])
def test_a_worker_of_the_server_imports_it(tmp_path: Path, arguments: str) -> None:
    """A limit: the workers of gunicorn, hypercorn and granian are the server's children, as is what an attacker starts."""
    pod = Pod()
    server = installs(pod, f"{BIN}/gunicorn mlflow_lab:app")
    Told(pod, 1, server.pid).start(3.1, PYTHON, f"{BIN}/gunicorn", "mlflow_lab:app")
    worker = pod.process(3.5, PYTHON, arguments, server, tree=True)
    acts(pod, worker, 4)
    takes(Told(pod, 9, worker.pid, ticks=200), 4, [MAIN, launcher(f"{BIN}/gunicorn")], MAIN)
    assert worst(judge(tmp_path, pod)) in ("suspect", "contain")


def test_another_option_than_the_application_names_no_package(tmp_path: Path) -> None:
    """The name of what landed as the value of an option: it is imported by whoever asked for it."""
    pod = Pod()
    imports(pod, f"{BIN}/gunicorn -k mlflow_lab:Worker server:app", MAIN)
    assert worst(judge(tmp_path, pod)) in ("suspect", "contain")


def test_a_second_word_of_another_application_takes_the_first_back(tmp_path: Path) -> None:
    pod = Pod()
    sensor = imports(pod, f"{BIN}/uvicorn server:app", MAIN)
    before = worst(judge(tmp_path, pod, sources="as"))
    assert before in ("suspect", "contain")
    sensor.start(0.001, PYTHON, *UVICORN.split(" "))
    assert worst(judge(tmp_path, pod, sources="as")) == before


@pytest.mark.parametrize("at", [0.001, 3.01, 3.3])
@pytest.mark.parametrize("sources", ["kas", "ks", "as", "s"])
def test_a_package_that_calls_itself_the_application(tmp_path: Path, sources: str, at: float) -> None:
    """A forged start of the container's own process, beside what the kernel saw or what the process told before."""
    pod = Pod()
    sensor = imports(pod, UVICORN, "torch-perf-sdk==3.1.0")
    sensor.start(at, PYTHON, f"{BIN}/uvicorn", "torch_perf_sdk:app")
    assert worst(judge(tmp_path, pod, sources=sources)) in ("suspect", "contain")


@pytest.mark.parametrize("sources", ["kas"])
def test_the_application_itself_is_replaced_while_it_runs(tmp_path: Path, sources: str) -> None:
    pod = Pod()
    server = installs(pod, UVICORN)
    sensor = Told(pod, 1, server.pid)
    sensor.start(3.1, PYTHON, *UVICORN.split(" "))
    pip = pod.process(600, f"{PYTHON}3", f"{BIN}/pip install -U mlflow-lab", server)
    pip.connect(600.5, INDEX)
    pip.file(601, f"{SITE}/mlflow_lab-3.1.1.dist-info/METADATA", 2)
    pip.exit(602)
    acts(pod, server, 604)
    takes(sensor, 604, ["mlflow-lab==3.1.1", launcher(UVICORN)], "mlflow-lab==3.1.1")
    assert worst(judge(tmp_path, pod, sources=sources)) in ("suspect", "contain")
