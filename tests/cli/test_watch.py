"""`eightysix watch` as a user runs it: a process of its own, real files, real signals, a real receiver."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from bench.live import Receiver
from tests.streams import ATTACKS, KERNEL_ONLY

BREACH = ATTACKS["breach-86s"]()
ENVIRONMENT = os.environ | {"EIGHTYSIX_WEBHOOK_SECRET": "0123456789abcdef"}


def write(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name, lines in BREACH.streams.items():
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


@contextmanager
def watching(
    *arguments: str, out: Path, stdin: int = subprocess.DEVNULL
) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "eightysix", "watch", "--format", "jsonl", *arguments]
    with out.open("ab") as file, out.with_suffix(".err").open("ab") as err:
        child = subprocess.Popen(command, stdin=stdin, stdout=file, stderr=err, env=ENVIRONMENT)
        try:
            yield child
        finally:
            if child.poll() is None:
                child.kill()
            child.wait()


def until(holds: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def incidents(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []


def contained(out: Path) -> bool:
    return any(incident["verdict"] == "contain" for incident in incidents(out))


def test_a_pipe_is_watched_to_its_end(tmp_path: Path) -> None:
    text = "\n".join(line for lines in BREACH.streams.values() for line in lines) + "\n"
    command = [sys.executable, "-m", "eightysix", "watch", "-"]
    done = subprocess.run(command, input=text.encode(), capture_output=True, check=True)
    assert b"contain[poisoned-install]" in done.stdout
    assert b"nothing outlives a restart" in done.stderr
    assert b"1 incident; " in done.stderr


def test_what_the_policies_do_not_tell_is_named(tmp_path: Path) -> None:
    lines = [
        line
        for line in ATTACKS["breach-86s"](KERNEL_ONLY).streams["tetragon.jsonl"]
        if "process_exec" in line
    ]
    command = [sys.executable, "-m", "eightysix", "watch", "-"]
    done = subprocess.run(command, input="\n".join(lines).encode(), capture_output=True, check=True)
    said = done.stderr.decode()
    assert "not seen so far: connections: a Tetragon policy on tcp_connect" in said
    assert "not seen so far: files: a Tetragon policy on security_file_permission" in said


def test_what_is_appended_is_told_and_a_restart_tells_nothing_again(tmp_path: Path) -> None:
    out, logs = tmp_path / "out", tmp_path / "logs"
    logs.mkdir()
    with watching(str(logs), "--state", str(tmp_path / "state"), out=out) as child:
        write(logs)
        until(lambda: contained(out))
        child.send_signal(signal.SIGTERM)
        assert child.wait(20) == 0
    told = incidents(out)
    with watching(str(logs), "--state", str(tmp_path / "state"), out=out) as child:
        until(lambda: "watching" in out.with_suffix(".err").read_text().splitlines()[-1])
        time.sleep(1.0)
        child.send_signal(signal.SIGINT)
        assert child.wait(20) == 0
    assert incidents(out) == told
    listed = subprocess.run(
        [sys.executable, "-m", "eightysix", "incident", "list", "--state", str(tmp_path / "state")],
        capture_output=True,
        check=True,
    )
    assert b"poisoned-install" in listed.stdout


def test_an_incident_that_nobody_took_is_delivered_after_a_restart(tmp_path: Path) -> None:
    out, logs = tmp_path / "out", tmp_path / "logs"
    write(logs)
    receiver = Receiver()
    to = (
        "--deliver",
        f"webhook:http://127.0.0.1:{receiver.server_port}/",
        "--state",
        str(tmp_path / "state"),
    )
    receiver.server_close()  # nobody listens
    with watching(str(logs), *to, out=out) as child:
        until(lambda: contained(out))
        child.kill()
    receiver = Receiver(receiver.server_port)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    with watching(str(logs), *to, out=out):
        until(lambda: any(incident["verdict"] == "contain" for _, incident in receiver.arrived))
    receiver.shutdown()
    receiver.server_close()
    assert len({(i["id"], i["revision"]) for _, i in receiver.arrived}) == len(receiver.arrived)


def test_health_and_metrics_tell_how_it_fares(tmp_path: Path) -> None:
    out, log = tmp_path / "out", tmp_path / "tetragon.log"
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with watching(str(log), "--state", str(tmp_path / "state"), "--metrics", address, out=out):
        until(lambda: page(f"http://{address}/healthz")[0] == 503)
        assert f"the input {log} is dead" in page(f"http://{address}/healthz")[1]
        log.write_text("\n".join(BREACH.streams["tetragon.jsonl"]) + "\n")
        until(lambda: page(f"http://{address}/healthz")[0] == 200)
        until(lambda: 'eightysix_incidents{rule="' in page(f"http://{address}/metrics")[1])
        told = page(f"http://{address}/metrics")[1]
        assert f'eightysix_records_total{{source="tetragon"}} {len(BREACH.streams["tetragon.jsonl"])}' in told
        assert f'eightysix_input_up{{input="{log}"}} 1' in told
        assert "eightysix_state_commits_total 0" not in told
        assert 'eightysix_state_commit_duration_seconds_bucket{le="+Inf"}' in told


def page(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url) as answer:  # noqa: S310 - an address of this test
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except urllib.error.URLError:
        return 0, ""


def test_state_that_is_damaged_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "shard-00.sqlite").write_bytes(b"no database" * 1000)
    out = tmp_path / "out"
    with watching(str(tmp_path / "logs"), "--state", str(tmp_path / "state"), out=out) as child:
        assert child.wait(20) == 1
    assert "is damaged" in out.with_suffix(".err").read_text()
    assert "move it away" in out.with_suffix(".err").read_text()


def test_a_state_that_somebody_holds_hides_no_incident(tmp_path: Path) -> None:
    out, logs = tmp_path / "out", tmp_path / "logs"
    logs.mkdir()
    state = tmp_path / "state"
    with watching(str(logs), "--state", str(state), out=out) as child:
        until(
            lambda: (state / "shard-00.sqlite").exists() and "watching" in out.with_suffix(".err").read_text()
        )
        holder = sqlite3.connect(state / "shard-00.sqlite", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        write(logs)
        until(lambda: contained(out))
        assert "end who else holds the file" in out.with_suffix(".err").read_text()
        holder.execute("COMMIT")
        holder.close()
        until(lambda: "the state is written again" in out.with_suffix(".err").read_text())
        child.send_signal(signal.SIGTERM)
        assert child.wait(20) == 0


def test_a_standard_output_that_is_full_ends_nothing(tmp_path: Path) -> None:
    out, logs = tmp_path / "out", tmp_path / "logs"
    write(logs)
    receiver = Receiver()
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    command = [
        sys.executable, "-m", "eightysix", "watch", str(logs), "--state", str(tmp_path / "state"),
        "--deliver", f"webhook:http://127.0.0.1:{receiver.server_port}/",
    ]  # fmt: skip
    with open("/dev/full", "wb") as full, out.open("wb") as err:
        child = subprocess.Popen(command, stdout=full, stderr=err, env=ENVIRONMENT)
        try:
            until(lambda: any(incident["verdict"] == "contain" for _, incident in receiver.arrived))
            until(lambda: "nothing more is printed" in out.read_text())
            child.send_signal(signal.SIGTERM)
            assert child.wait(20) == 0
        finally:
            child.kill()
            child.wait()
    receiver.shutdown()
    receiver.server_close()


def test_what_it_writes_itself_is_not_watched(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with watching(str(tmp_path), "--state", str(tmp_path / "state"), out=out) as child:
        assert child.wait(20) == 2
    assert "would read what it writes" in out.with_suffix(".err").read_text()


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("x", "--keep", "no"),
        ("x", "--silence", "0"),
        ("x", "--deliver", "pigeon:somewhere"),
        ("x", "--listen", "127.0.0.1:0"),
        ("x", "--state", "STATE", "--listen", "0.0.0.0:0"),
        ("x", "--state", "STATE", "--listen", "127.0.0.1:0", "--tls-cert", "x"),
    ],
)
def test_wrong_usage_exits_2(arguments: tuple[str, ...], tmp_path: Path) -> None:
    named = [str(tmp_path / word) if word == "STATE" else word for word in arguments]
    with watching(*named, out=tmp_path / "out") as child:
        assert child.wait(20) == 2


@contextmanager
def unread(*arguments: str, err: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A watch whose standard output is a full pipe that nobody reads, and that pipe's end for reading."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, b"x" * 4096)
    os.set_blocking(writing, True)
    command = [sys.executable, "-m", "eightysix", "watch", *arguments]
    with err.open("wb") as file:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=writing, stderr=file, env=ENVIRONMENT
        )
    os.close(writing)
    try:
        yield child, reading
    finally:
        child.kill()
        child.wait()
        os.close(reading)


def test_a_reader_that_stalls_stops_neither_detection_nor_delivery(tmp_path: Path) -> None:
    err, logs = tmp_path / "err", tmp_path / "logs"
    write(logs)
    receiver = Receiver()
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    with socket.create_server(("127.0.0.1", 0)) as free:
        metrics = f"127.0.0.1:{free.getsockname()[1]}"
    to = ("--deliver", f"webhook:http://127.0.0.1:{receiver.server_port}/", "--metrics", metrics)
    with unread(str(logs), "--state", str(tmp_path / "state"), *to, err=err) as (child, _):
        until(lambda: any(incident["verdict"] == "contain" for _, incident in receiver.arrived))
        read = f'eightysix_records_total{{source="tetragon"}} {len(BREACH.streams["tetragon.jsonl"]) + 1}'
        with (logs / "tetragon.jsonl").open("a") as log:  # it still reads after it had something to print
            log.write(BREACH.streams["tetragon.jsonl"][-1] + "\n")
        until(lambda: read in page(f"http://{metrics}/metrics")[1])
        child.send_signal(signal.SIGTERM)
        assert child.wait(20) == 0
    receiver.shutdown()
    receiver.server_close()
    assert "not all incidents were printed" in err.read_text()


def test_what_waited_for_a_reader_is_printed_when_it_reads(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    write(logs)
    with unread(str(logs), "--state", str(tmp_path / "state"), err=tmp_path / "err") as (child, reading):
        until((tmp_path / "state" / "casebook.sqlite").exists)
        time.sleep(1.0)
        child.send_signal(signal.SIGTERM)
        printed = b""
        while b"contain[" not in printed:
            piece = os.read(reading, 1 << 16)
            assert piece, printed[-200:]
            printed += piece.lstrip(b"x")
        assert child.wait(20) == 0


def test_what_is_told_has_the_reach_of_the_pod_and_a_restart_tells_nothing_twice(tmp_path: Path) -> None:
    pod = {
        "id": "pod:ml/StatefulSet/inference", "namespace": "ml", "name": "inference", "kind": "StatefulSet",
        "density": 3, "domains": ["cluster", "cloud", "delivery"], "sinks": ["sink:cluster-admin"], "risk": 10.0,
    }  # fmt: skip
    posture = tmp_path / "posture.json"
    empty: dict[str, Any] = {"identities": [], "paths": [], "not_seen": [], "edges": []}
    posture.write_text(
        json.dumps({"schema": "eightysix/posture/v1", "cluster": "", "taken_at": "", "pods": [pod], **empty})
    )
    write(tmp_path / "in")
    out, state = tmp_path / "out", str(tmp_path / "state")
    arguments = (str(tmp_path / "in"), "--state", state, "--posture", str(posture))
    with watching(*arguments, out=out) as child:
        until(lambda: contained(out))
        child.send_signal(signal.SIGTERM)
        child.wait(20)
    told = incidents(out)
    assert told
    assert all(one["reach"]["sinks"] == ["sink:cluster-admin"] for one in told)
    with watching(*arguments, out=out) as child:
        until(lambda: out.with_suffix(".err").read_text().count("eightysix: watching") > 1 or child.poll())
        child.send_signal(signal.SIGTERM)
        child.wait(20)
    assert incidents(out) == told
