"""`eightysix watch --sensor-sockets`: a process of its own, real sockets, what it tells of them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from tests.cli.test_watch import incidents, page, until, watching
from tests.streams import ATTACKS

BREACH = ATTACKS["breach-86s"]()


def records() -> tuple[str, list[dict[str, object]]]:
    """The sensor's records of the breach as a sensor would send them, and the uid of the pod."""
    found = [json.loads(line) for line in BREACH.streams["sensor.jsonl"]]
    uid = str(found[0]["pod"]["uid"])
    numbers: dict[object, int] = {}
    for record in found:
        for name in ("pod", "node", "host_pid"):
            record.pop(name, None)
        process = (record["pid"], record.get("start_ticks"))
        record["seq"] = numbers[process] = numbers.get(process, -1) + 1
    return uid, found


def send(folder: Path, sent: list[dict[str, object]]) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sensor:
        there = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        sensor.connect(f"/proc/self/fd/{there}/s.sock")
        os.close(there)
        for record in sent:
            sensor.send(json.dumps(record).encode())


def test_records_of_sockets_are_judged_with_the_rest(tmp_path: Path) -> None:
    uid, sent = records()
    out, logs, pods = tmp_path / "out", tmp_path / "logs", tmp_path / "pods"
    logs.mkdir()
    names = tmp_path / "pods.jsonl"
    names.write_text(json.dumps({"pod": {"uid": uid, "namespace": "ml", "name": "inference-0"}}) + "\n")
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    options = (
        str(logs), "--state", str(tmp_path / "state"), "--metrics", address,
        "--sensor-sockets", str(pods), "--sensor-pods", str(names), "--node", "node-1",
    )  # fmt: skip
    with watching(*options, out=out) as child:
        until(pods.exists)
        (pods / uid).mkdir(0o750)  # as the kubelet does for `subPathExpr`
        until((pods / uid / "s.sock").exists)
        send(pods / uid, sent)
        for name, lines in BREACH.streams.items():
            if name != "sensor.jsonl":
                (logs / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
        until(lambda: any(i["verdict"] == "contain" for i in incidents(out)))
        until(
            lambda: f'eightysix_sensor_records_total{{pod="ml/inference-0"}} {len(sent)}' in told_at(address)
        )
        told_last = told_at(address)
        assert "eightysix_sensor_endpoints 1" in told_last
        assert page(f"http://{address}/healthz")[0] == 200
        names.unlink()
        until(lambda: "the list of pods cannot be read" in page(f"http://{address}/healthz")[1])
        child.send_signal(signal.SIGTERM)
        assert child.wait(20) == 0
    last = incidents(out)[-1]
    assert any(stage["stage"] == "run" for stage in last["stages"])
    assert any(
        "spool-sensors" in evidence["file"] for stage in last["stages"] for evidence in stage["evidence"]
    )


def told_at(address: str) -> str:
    return page(f"http://{address}/metrics")[1]


def test_sockets_need_a_state(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "eightysix", "watch", "--sensor-sockets", str(tmp_path / "pods")]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 2
    assert b"--state" in done.stderr
