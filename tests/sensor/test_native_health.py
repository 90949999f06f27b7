"""A program that keeps dying runs without the sensor, and what code in the pod can do with the file that counts."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
from pathlib import Path

import pytest

from tests.sensor.preloading import Host, library
from tests.tiers import require_tier

CRASH = "import os; os.kill(os.getpid(), 11)"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    library()
    (tmp_path / "state").mkdir()
    return Host(tmp_path, env={"EIGHTYSIX_SENSOR_STATE": str(tmp_path / "state")})


def state(host: Host) -> Path:
    return host.folder / "state" / f"starts.{os.getuid()}"


def starts(host: Host) -> int:
    return [told[0] for told in host.told].count("start")


def crash(host: Host, times: int = 3) -> None:
    for _ in range(times):
        assert host.run(CRASH, check=False).returncode == -signal.SIGSEGV


def test_three_early_deaths_withdraw_the_sensor_and_each_start_says_so(host: Host) -> None:
    crash(host)
    assert starts(host) == 3
    for _ in range(2):
        assert host.run("print('fine')").stdout == "fine\n"
    assert starts(host) == 3, "it runs without the sensor"
    assert [record["event"] for record in host.records] == ["withdrawn", "withdrawn"]
    assert host.records[0]["died"] == 3
    state(host).unlink()
    host.run("pass")
    assert starts(host) == 4, "without the file it is there again"


def test_a_part_that_kills_python_before_it_runs_is_withdrawn_too(tmp_path: Path) -> None:
    library()
    host = Host(tmp_path, boot=CRASH, env={"EIGHTYSIX_SENSOR_STATE": str(tmp_path)})
    crash(host)
    assert host.run("print('fine')").stdout == "fine\n"


@pytest.mark.parametrize(
    "ends",
    [
        "pass",
        "raise SystemExit(3)",
        "1 / 0",
        "import os; os.execv('/bin/false', ['false'])",
        "import os, sys; os.execv(sys.executable, [sys.executable, '-c', 'pass'])",
        "import os\nif os.fork() == 0: os.kill(os.getpid(), 11)\nos.wait()",
    ],
)
def test_a_program_that_ends_by_its_own_will_counts_as_well(host: Host, ends: str) -> None:
    for _ in range(5):
        host.run(ends, check=False)
    assert host.records == []
    assert not state(host).read_bytes().strip(b"\0"), "nothing is left of starts that ended well"


def test_programs_that_still_run_are_not_dead(host: Host) -> None:
    running = [
        subprocess.Popen([host.python, "-c", "input()"], env=host.environment(), stdin=subprocess.PIPE)
        for _ in range(5)
    ]
    host.run("import time; time.sleep(0.3)")  # so that all of them are up
    host.run("pass")
    for process in running:
        process.communicate(b"\n")
    host.run("pass")
    assert host.records == []
    assert not state(host).read_bytes().strip(b"\0")


def test_the_same_process_as_another_program_counts_once(host: Host) -> None:
    # replaced by the C library's exec, which no audit event tells of
    words = f"a = (ctypes.c_char_p * 4)(sys.executable.encode(), b'-c', {CRASH.encode()!r}, None)"
    again = f"import ctypes, os, sys; {words}; ctypes.CDLL(None).execv(a[0], a)"
    host.run(again, check=False)
    used = [slot for slot in range(64) if state(host).read_bytes()[slot * 32 : slot * 32 + 4].strip(b"\0")]
    assert used == [0]


def test_containers_and_users_count_for_themselves(host: Host) -> None:
    for _ in range(3):
        host.run(CRASH, check=False, EIGHTYSIX_SENSOR_CONTAINER="../Side car")
    names = sorted(path.name for path in (host.folder / "state").iterdir())
    assert names == [f"starts-____ide_car.{os.getuid()}"]
    host.run("pass")
    assert starts(host) == 4


def test_the_file_is_beside_the_socket_and_private(host: Host) -> None:
    host.run("pass", EIGHTYSIX_SENSOR=f"unix:{host.folder}/s.sock", EIGHTYSIX_SENSOR_STATE="", check=False)
    made = host.folder / f"starts.{os.getuid()}"
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert made.stat().st_size <= 64 * 32


def test_nothing_is_left_beside_a_file_of_records_unless_asked(host: Host) -> None:
    host.run("pass", EIGHTYSIX_SENSOR_STATE="")
    assert not any(path.name.startswith("starts") for path in host.folder.rglob("*"))


@pytest.mark.parametrize("kind", ["fifo", "folder", "symlink", "dangling", "huge", "noise", "device"])
def test_whatever_lies_in_its_place_the_program_runs(host: Host, kind: str) -> None:
    place, other = state(host), host.folder / "other"
    other.write_bytes(b"keep me")
    if kind == "fifo":
        os.mkfifo(place)
    elif kind == "folder":
        place.mkdir()
    elif kind in ("symlink", "dangling"):
        place.symlink_to(other if kind == "symlink" else host.folder / "not-there")
    elif kind == "huge":
        with place.open("wb") as file:
            file.truncate(1 << 40)
    elif kind == "noise":
        place.write_bytes(b"86S1" * 40 + bytes(range(256)) * 64)
    else:
        place.symlink_to("/dev/zero")
    assert host.run("print('fine')").stdout == "fine\n"
    assert other.read_bytes() == b"keep me"
    assert not (host.folder / "not-there").exists()
    assert starts(host) == 1


def test_code_in_the_pod_can_switch_the_sensor_off_and_that_is_told(host: Host) -> None:
    state(host).write_bytes(b"86W1" + bytes(28))
    host.run("pass")
    assert starts(host) == 0
    assert [record["event"] for record in host.records] == ["withdrawn"]


@pytest.mark.tier("root")
def test_the_kill_switch_is_a_file(host: Host) -> None:
    if os.geteuid() != 0:
        require_tier("root", "needs root for a mount of its own")
    switch = "mount -t tmpfs none /run && mkdir /run/eightysix && touch /run/eightysix/disable && "
    for begins, times in (("", 1), (switch, 1)):  # the second time nothing more is told
        host.program("unshare", "-m", "sh", "-c", f"{begins}exec {host.python} -c pass")
        assert starts(host) == times
    assert host.records == []
