"""Real pods of both tiers: what runs in them, what they can reach, and what is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from eightysix.lab.interface import Stage, Tier, Wheel
from eightysix.lab.pods import runs
from eightysix.lab.pods.bundle import CAPABILITIES
from eightysix.lab.pods.environments import cache_folder
from eightysix.lab.world import METADATA_IP, POD_IP, SECOND_POD_IP
from eightysix.model.errors import LabError, UsageError
from tests.lab.pods.plays import POD, addresses_of_machine, look, play
from tests.lab.pods.tiers import need_root, need_rootless

HERE = Path(__file__).resolve().parent
NEEDS = {Tier.ROOT: need_root, Tier.ROOTLESS: need_rootless}


@pytest.fixture(params=[Tier.ROOT, Tier.ROOTLESS], ids=str)
def tier(request: pytest.FixtureRequest) -> Tier:
    chosen: Tier = request.param
    NEEDS[chosen]()
    return chosen


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of our own, so that other runs on this machine are none of ours; environments are those that are there."""
    shared = cache_folder()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    cache_folder().mkdir(parents=True)
    (shared / "venvs").mkdir(parents=True, exist_ok=True)
    (cache_folder() / "venvs").symlink_to(shared / "venvs")


def ids() -> list[str]:
    """Runs of ours that have something on this machine."""
    folder = cache_folder() / "runs"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def left_of(*names: str) -> list[str]:
    """What is left of runs: folders, cgroups, mounts, interfaces."""
    cgroups = runs.unified()
    mounts = Path("/proc/self/mountinfo").read_text()
    left = [name for name in names if (cache_folder() / "runs" / name).exists()]
    left += ["a mount"] * ("eightysix-lab" in mounts)
    left += [name for name in names if cgroups is not None and (cgroups / f"eightysix-lab-{name}").exists()]
    return left + [name for name in os.listdir("/sys/class/net") if name in ("veth5", "veth6")]


def test_a_pod_is_whole_and_alone(tier: Tier, tmp_path: Path) -> None:
    """One run looks at everything: a run costs a second, and each look some milliseconds."""
    host = addresses_of_machine()
    seen: dict[str, Any] = {}

    def script(stage: Stage) -> None:
        seen["ids"] = ids()
        stage.start(POD)
        reach = [f"{address},22" for address in (*host, "198.51.100.1", "1.1.1.1")]
        seen["one"] = look(stage, f"{METADATA_IP},80", f"{POD_IP},8080", *reach)
        seen["card"] = stage.exec("cat", "/models/card.txt").output
        seen["env"] = json.loads(stage.call("/env").body)
        seen["size"] = stage.call("/size", body=b"x" * 100_000)
        seen["missing"] = stage.call("/nothing")
        stage.publish(Wheel("tiny-metrics", "0.3.0", {"tiny_metrics/__init__.py": "V = 3\n"}))
        stage.exec("pip", "install", "-q", "tiny-metrics")
        seen["installed"] = stage.probe("python", "-c", "import tiny_metrics; print(tiny_metrics.V)")
        seen["code"] = stage.exec("sh", "-c", "exit 7", check=False)
        second = replace(POD, name="inference-1", ip=SECOND_POD_IP)
        stage.start(second)
        seen["two"] = look(stage, f"{POD_IP},8080", f"{SECOND_POD_IP},8080", pod="inference-1")
        stage.restart(POD)
        seen["again"] = stage.probe("python", "-c", "import tiny_metrics", pod="inference-0")

    played = play(tier, tmp_path / "run", script)
    assert len(seen["ids"]) == 1
    assert ids() == left_of(*seen["ids"]) == []

    one, two = seen["one"], seen["two"]
    assert one["reach"].pop(METADATA_IP) == "open"
    assert one["reach"].pop(POD_IP) == "open"
    assert set(one["reach"].values()) == {"Network is unreachable"}, one["reach"]
    assert one["marker"] == [played.nonce, str(one["inode"])]
    assert one["nonce"] == played.nonce
    assert two["marker"] == [played.nonce, str(two["inode"])]
    assert one["inode"] != two["inode"] != os.stat("/proc/self/ns/net").st_ino
    assert set(two["reach"].values()) == {"open"}
    assert set(one["root"]) <= set(
        "app bin dev etc home lib lib32 lib64 libx32 mnt models opt proc root run sbin srv sys tmp usr var".split()
    )
    assert one["homes"] == []
    assert "1" in one["processes"]
    assert len(one["processes"]) == 2
    assert not one["writable"]
    assert one["token"].startswith("/run/secrets/kubernetes.io/serviceaccount/..2")
    assert int(one["caps"][0], 16).bit_count() == len(CAPABILITIES)
    assert seen["card"] == "hello"
    assert seen["env"]["KUBERNETES_SERVICE_HOST"]
    assert "EIGHTYSIX_SENSOR" not in seen["env"]
    assert (seen["size"].status, seen["size"].body, seen["missing"].status) == (200, b"100000", 404)
    assert (seen["installed"].output, seen["code"].code, seen["again"].code) == ("3\n", 7, 1)


def test_what_failed_is_told_and_leaves_nothing(tier: Tier, tmp_path: Path) -> None:
    dying = replace(POD, files={"/app/server.py": "import sys; sys.exit('no model here')"})
    with pytest.raises(LabError, match=r"inference-0 does not answer .*no model here"):
        play(tier, tmp_path / "run", lambda stage: stage.start(dying))
    assert ids() == []
    told = json.loads((tmp_path / "run" / "run.json").read_bytes())
    assert "no model here" in told["failed"]
    with pytest.raises(UsageError, match="is not empty"):
        play(tier, tmp_path / "run", lambda stage: None)


def test_a_file_of_a_pod_stays_in_the_pod(tmp_path: Path) -> None:
    need_root()

    def script(stage: Stage) -> None:
        for number, path in enumerate(("/../escape", "relative", "/usr/bin/python3")):
            pod = replace(POD, name=f"pod-{number}", ip=f"10.244.1.{20 + number}", files={path: "x"})
            with pytest.raises(LabError, match="cannot be given the file"):
                stage.start(pod)

    play(Tier.ROOT, tmp_path / "run", script)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_nothing_outlives_a_lab_that_is_ended(tier: Tier, number: int, tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, str(HERE / "plays.py"), str(tier), str(tmp_path / "run")]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as lab:
        assert lab.stdout is not None
        assert lab.stdout.readline() == b"up\n"
        started = [
            pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _descends(pid, lab.pid)
        ]
        assert len(started) > 5
        alive = ids()
        assert len(alive) == 1
        lab.send_signal(number)
        try:
            lab.wait(60)
        finally:
            lab.kill()
    _until(lambda: not any(os.path.exists(f"/proc/{pid}") and not _zombie(pid) for pid in started))
    assert runs.sweep() == (alive if number == signal.SIGKILL else [])
    assert left_of(*alive) == []


def test_runs_at_the_same_time_know_nothing_of_each_other(tmp_path: Path) -> None:
    need_root()

    def one(number: int) -> tuple[str, str]:
        told: list[str] = []

        def script(stage: Stage) -> None:
            stage.start(POD)
            told.append(stage.exec("cat", "/etc/eightysix-lab").output.split()[0])

        played = play(Tier.ROOT, tmp_path / str(number), script)
        return told[0], played.nonce

    with ThreadPoolExecutor(2) as pool:
        told = list(pool.map(one, range(2)))
    assert told[0][0] == told[0][1] != told[1][0] == told[1][1]


def _descends(pid: int, ancestor: int) -> bool:
    while pid > 1:
        if pid == ancestor:
            return True
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return False
    return False


def _zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def _until(what: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not end"
        time.sleep(0.02)


def test_without_overlay_the_environment_is_copied(
    tier: Tier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    real = next(path for path in ("/usr/bin/mount", "/bin/mount") if os.access(path, os.X_OK))
    text = (
        f'#!/bin/sh\ncase "$*" in *"-t overlay"*) echo >> {folder}/asked; exit 32;; esac\nexec {real} "$@"\n'
    )
    (folder / "mount").write_text(text)
    (folder / "mount").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    told: list[str] = []

    def script(stage: Stage) -> None:
        stage.start(POD)
        code = "import fastapi, sys; open('/opt/venv/new', 'w'); print(fastapi.__file__)"
        told.append(stage.exec("python", "-c", code).output)

    play(tier, tmp_path / "run", script)
    assert (folder / "asked").exists()
    assert told[0].startswith("/opt/venv/lib/")
