"""The host's pid of a sensor's process: looked for in that pod's cgroup alone, whatever the sender says."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from eightysix.serve.sensors.processes import Processes, pod_of_cgroup
from tests.tiers import require_tier

A = "aaaaaaaa-1111-4111-8111-111111111111"
B = "bbbbbbbb-2222-4222-8222-222222222222"
CONTAINER = "c0" * 32


class Machine:
    """A `/proc` of one's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = 0.0
        (folder / "sys/kernel/random").mkdir(parents=True)
        (folder / "sys/kernel/random/boot_id").write_text("this-boot\n")
        self.processes = Processes(str(folder), clock=self.clock)

    def clock(self) -> float:
        self.now += 1.0
        return self.now

    def start(self, pid: int, ns_pid: int, ticks: int, cgroup: str, name: str = "python") -> None:
        place = self.folder / str(pid)
        place.mkdir(exist_ok=True)
        rest = " ".join(["S", *["0"] * 18, str(ticks), "0"])
        (place / "stat").write_text(f"{pid} ({name}) {rest}\n")
        (place / "status").write_text(f"Name:\tx\nPid:\t{pid}\nNSpid:\t{pid}\t{ns_pid}\n")
        (place / "cgroup").write_text(f"0::{cgroup}\n")

    def find(self, uid: str, ns_pid: int, ticks: int, boot_id: str = "this-boot") -> tuple[int, str] | None:
        found = self.processes.find(uid, ns_pid, ticks, boot_id)
        return (found.pid, found.container_id) if found is not None else None


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    machine.start(100, 1, 5_000, f"/kubepods/burstable/pod{A}/{CONTAINER}")
    machine.start(101, 7, 5_001, f"/kubepods/burstable/pod{A}/{CONTAINER}")
    machine.start(200, 7, 6_000, f"/kubepods/besteffort/pod{B}/{CONTAINER}")
    machine.start(300, 7, 5_001, "/system.slice/sshd.service")
    return machine


def test_a_process_is_found_in_its_pod(machine: Machine) -> None:
    assert machine.find(A, 7, 5_001) == (101, CONTAINER)
    assert machine.find(B, 7, 6_000) == (200, CONTAINER)


def test_no_process_of_another_pod_or_of_the_node_is_ever_named(machine: Machine) -> None:
    assert machine.find(A, 7, 6_000) is None
    assert machine.find(B, 1, 5_000) is None
    assert machine.find("cccccccc-3333-4333-8333-333333333333", 7, 5_001) is None


def test_a_pid_that_is_used_again_is_another_process(machine: Machine) -> None:
    assert machine.find(A, 7, 5_001) == (101, CONTAINER)
    machine.start(150, 7, 9_000, f"/kubepods/burstable/pod{A}/{CONTAINER}")
    assert machine.find(A, 7, 9_000) == (150, CONTAINER)
    for name in ("stat", "status", "cgroup"):
        (machine.folder / "101" / name).unlink()
    machine.start(101, 7, 12_000, f"/kubepods/besteffort/pod{B}/{CONTAINER}")
    machine.start(102, 8, 12_000, f"/kubepods/burstable/pod{A}/{CONTAINER}")
    assert machine.find(A, 8, 12_000) == (102, CONTAINER)
    assert machine.find(A, 7, 5_001) is None
    assert machine.find(B, 7, 12_000) == (101, CONTAINER)


def test_whether_a_process_still_lives_is_asked_with_its_start(machine: Machine) -> None:
    process = machine.processes.find(A, 7, 5_001, "this-boot")
    assert process is not None
    assert machine.processes.lives(process)
    machine.start(101, 7, 12_000, f"/kubepods/burstable/pod{A}/{CONTAINER}")
    assert not machine.processes.lives(process)


def test_without_a_start_or_from_another_boot_nobody_is_named(machine: Machine) -> None:
    assert machine.find(A, 7, 0) is None
    assert machine.find(A, 7, 5_001, "another-boot") is None


def test_two_that_could_be_it_are_none(machine: Machine) -> None:
    """Two containers of a pod count from 1 each."""
    machine.start(111, 7, 5_001, f"/kubepods/burstable/pod{A}/{'d0' * 32}")
    assert machine.find(A, 7, 5_001) is None


def test_a_process_that_moves_into_its_pod_is_found(machine: Machine) -> None:
    """The runtime starts it outside."""
    young = 10**9  # ticks: later than any boot of this machine
    machine.start(400, 9, young, "/system.slice/containerd.service")
    assert machine.find(A, 9, young) is None
    machine.start(400, 9, young, f"/kubepods/burstable/pod{A}/{CONTAINER}")
    assert machine.find(A, 9, young) == (400, CONTAINER)


def test_the_name_of_a_program_may_hold_anything(machine: Machine) -> None:
    machine.start(500, 11, 7_777, f"/kubepods/pod{A}/{CONTAINER}", name="a) S 0 0 0\n0 (b")
    assert machine.find(A, 11, 7_777) == (500, CONTAINER)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"0::/kubepods/burstable/pod{A}/{CONTAINER}", (A, CONTAINER)),
        (
            f"0::/kubepods.slice/kubepods-burstable-pod{A.replace('-', '_')}.slice/cri-containerd-{CONTAINER}.scope",
            (A, CONTAINER),
        ),
        (f"0::/../../kubepods/pod{A}/crio-{CONTAINER}.scope/init", (A, CONTAINER)),
        (f"4:memory:/kubepods/pod{A}/{CONTAINER}\n0::/\n", (A, CONTAINER)),
        (f"0::/kubepods/pod{A}/{CONTAINER}/pod{B}/{CONTAINER}", (A, CONTAINER)),
        (f"0::/kubepods/pod{A}", (A, "")),
        ("0::/system.slice/podman.service", ("", "")),
        ("0::/user.slice", ("", "")),
        ("", ("", "")),
    ],
)
def test_the_pod_of_a_cgroup(text: str, found: tuple[str, str]) -> None:
    assert pod_of_cgroup(text) == found


@pytest.fixture
def cgroup() -> Iterator[Path]:
    """A cgroup of this test, in the kubelet's shape."""
    if os.geteuid() != 0:
        require_tier("root", "a cgroup and a pid namespace need root")
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    places = [Path(mount[1]) for mount in mounts if mount[2] == "cgroup2" and os.access(mount[1], os.W_OK)]
    if not places:
        require_tier("root", "no cgroup v2 is mounted")
    top = places[0] / f"eightysix-test-{os.getpid()}"
    made = [top, top / "kubepods", top / "kubepods" / f"pod{A}", top / "kubepods" / f"pod{A}" / CONTAINER]
    try:
        for folder in made:
            try:
                folder.mkdir()
            except OSError as error:
                require_tier("root", f"no cgroup can be made: {error.strerror}")
        yield made[-1]
    finally:
        for folder in reversed(made):
            with suppress(OSError):
                folder.rmdir()


CHILD = """
import os, sys
stat = open("/proc/self/stat").read().rpartition(")")[2].split()
print(os.getpid(), stat[19], flush=True)
sys.stdin.read()
"""


@pytest.mark.tier("root")
def test_a_real_process_in_a_pid_namespace_of_a_pod(cgroup: Path) -> None:
    def enter() -> None:
        (cgroup / "cgroup.procs").write_text("0")

    command = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", sys.executable, "-c", CHILD]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=enter,  # noqa: PLW1509 - writes one file
    ) as child:
        assert child.stdout is not None
        ns_pid, ticks = map(int, child.stdout.readline().split())
        processes = Processes()
        found = processes.find(A, ns_pid, ticks, processes.boot_id)
        other = processes.find(B, ns_pid, ticks, processes.boot_id)
        assert child.stdin is not None
        child.stdin.close()
        child.wait()
    assert ns_pid == 1
    assert found is not None
    assert other is None
    assert (found.container_id, found.start_ticks) == (CONTAINER, ticks)
    assert not processes.lives(found)
