"""Look-alikes that the issue names, in shapes of their own: each must stay below `suspect`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.review.stream import API, IMDS, STORE, TOKEN, Pod, Process, judge, worst
from tests.review.test_attacks import breach, pip, server, steal

PYTHON = "/opt/venv/bin/python"
APP = "app:/app/server.py"
AZURE = ["urllib3==2.8.0", "requests==2.34.2", "azure-core==1.41.0", "azure-identity==1.27.0"]
KUBERNETES = ["urllib3==2.8.0", "kubernetes==30.1.0"]
HOUR = 3600.0
SUBSETS = ["k", "ka", "as", "kas"]
QUIET = ("none", "watch")


def use(pod: Pod, process: Process, at: float, root: list[str], pid: int, *, secret: bool = False) -> None:
    """Managed identity, token, pods and a configmap, storage: what an application may do."""
    pod.sense(at - 0.0001, "connect", pid, AZURE + root, dst=IMDS[0], dport=80)
    process.connect(at, IMDS)
    pod.sense(at + 0.4999, "open", pid, KUBERNETES + root, path=TOKEN, mode="r")
    process.file(at + 0.5, TOKEN)
    pod.sense(at + 0.5099, "connect", pid, KUBERNETES + root, dst=API[0], dport=443)
    process.connect(at + 0.51, API)
    pod.api(at + 0.52, "list", "pods")
    pod.api(at + 0.6, "get", "configmaps", "cfg")
    if secret:
        pod.api(at + 0.7, "get", "secrets", "own-settings")
    pod.sense(at + 0.9999, "connect", pid, AZURE[:2] + root, dst=STORE[0], dport=443)
    process.connect(at + 1, STORE)


@pytest.mark.parametrize("sources", SUBSETS)
@pytest.mark.parametrize(
    ("command", "root"),
    [
        ("/app/server.py", [APP, "starlette==0.41.0", "anyio==4.6.0"]),
        ("-m mlflow server", ["mlflow==2.18.0"]),
    ],
    ids=["worker-thread-of-anyio", "python-m-mlflow"],
)
def test_framework_installed_at_start_is_outermost(
    tmp_path: Path, command: str, root: list[str], sources: str
) -> None:
    """The framework that runs the application was installed by the start script like everything else."""
    pod = Pod()
    shell = pod.process(0.1, "/bin/sh", "/app/start.sh", tree=True)
    words = "/opt/venv/bin/pip install -q anyio starlette mlflow azure-identity kubernetes"
    installer = pod.process(0.2, f"{PYTHON}3", words, shell)
    pod.sense(0.3, "sensor_start", 7, [], argv=[f"{PYTHON}3", *words.split()], ppid=1, tid=7)
    for number, name in enumerate(("anyio", "starlette", "mlflow", "azure-identity", "kubernetes")):
        installer.installs(5 + number, name, "4.6.0")
    installer.exit(12)
    process = pod.process(12.1, PYTHON, command, pid=shell.pid, tree=True)
    pod.sense(12.2, "sensor_start", 1, [], argv=["python", *command.split()], ppid=0, tid=1)
    use(pod, process, 30, root, 1)
    assert worst(judge(tmp_path, pod, sources=sources)) in QUIET


@pytest.mark.parametrize("sources", SUBSETS)
def test_worker_of_a_ray_runtime_environment(tmp_path: Path, sources: str) -> None:
    """Ray puts a job's virtual environment under /tmp/ray and starts the worker with its interpreter."""
    pod = Pod("ray-head-0", workload="ray", kind="RayCluster")
    base = "/home/ray/anaconda3/bin/python"
    ray = pod.process(0.5, base, "/home/ray/anaconda3/bin/ray start --head --block", tree=True)
    agent = pod.process(3, base, "-u /home/ray/anaconda3/lib/python3.11/site-packages/ray/agent/main.py", ray)
    venv = "/tmp/ray/session_latest/runtime_resources/pip/abc/virtualenv/bin/python"
    installer = pod.process(3 * HOUR, venv, "-m pip install -r /tmp/ray/requirements.txt", agent)
    installer.installs(3 * HOUR + 3, "adlfs", "2024.7.0")
    installer.exit(3 * HOUR + 8)
    worker = pod.process(
        3 * HOUR + 10, venv, "/home/ray/anaconda3/lib/python3.11/site-packages/ray/worker.py", agent
    )
    use(pod, worker, 3 * HOUR + 30, ["app:/home/ray/job.py", "ray==2.40.0"], 50)
    assert worst(judge(tmp_path, pod, sources=sources)) in QUIET


@pytest.mark.parametrize("sources", SUBSETS)
def test_debugging_by_exec_reads_the_own_secret(tmp_path: Path, sources: str) -> None:
    """A person installs SDKs in an exec session and looks at pods, a configmap and the application's secret."""
    pod = Pod()
    pod.process(0.1, PYTHON, "/app/server.py", tree=True)
    shell = pod.process(3 * HOUR, "/bin/bash", session=True)
    installer = pod.process(
        3 * HOUR + 5, f"{PYTHON}3", "/opt/venv/bin/pip install kubernetes", shell, session=True
    )
    installer.installs(3 * HOUR + 6, "kubernetes", "30.1.0")
    script = pod.process(3 * HOUR + 20, PYTHON, "debug.py", shell, session=True)
    use(pod, script, 3 * HOUR + 25, ["app:/app/debug.py"], 95, secret=True)
    assert worst(judge(tmp_path, pod, sources=sources)) in QUIET


@pytest.mark.parametrize("sources", SUBSETS)
def test_notebook_rebuild_then_both_sdks(tmp_path: Path, sources: str) -> None:
    """A cell reinstalls packages; later cells of the same kernel use managed identity and the API (a pipeline client)."""
    pod = Pod("jupyter-a", workload="jupyter", kind="Pod")
    hub = pod.process(0.1, PYTHON, "/opt/venv/bin/jupyterhub-singleuser", tree=True)
    kernel = pod.process(60, PYTHON, "-m ipykernel_launcher -f k.json", hub)
    installer = pod.process(3 * HOUR, PYTHON, "-m pip install -q --force-reinstall nb-widgets", kernel)
    installer.installs(3 * HOUR + 2, "nb-widgets", "5.1.0")
    installer.exit(3 * HOUR + 8)
    use(pod, kernel, 3 * HOUR + 30, ["app:/tmp/ipykernel_30/123.py"], 30)
    assert worst(judge(tmp_path, pod, sources=sources)) in QUIET


def test_a_pid_used_again_after_its_exit_is_another_process(tmp_path: Path) -> None:
    """DESIGN.md: same node and pid *and no exit between* is the same process. Here the installer's exit is told."""
    pod = Pod(init_tree=False)
    server(pod)
    pip(pod, 5, "left-pad", pid=9500)
    report = pod.process(3 * HOUR, "/usr/bin/python3", "/app/report.py", pid=9500)
    report.connect(3 * HOUR + 1, IMDS)
    report.file(3 * HOUR + 2, TOKEN)
    report.connect(3 * HOUR + 2.1, API)
    pod.api(3 * HOUR + 2.2, "list", "pods")
    for incident in judge(tmp_path, pod, sources="ka").incidents:
        assert not any("installer started" in why.text for why in incident.why)
        assert incident.verdict != "contain"


@pytest.mark.parametrize("leave", [False, True])
def test_requests_that_were_all_refused_cap_at_suspect(tmp_path: Path, leave: bool) -> None:
    """The audit log tells that every request was a 403: a connection to the API server is then no use of it."""
    pod, process = breach()
    steal(pod, process, 9, code=403, leave=leave)
    assert worst(judge(tmp_path, pod, sources="ka")) == "suspect"
