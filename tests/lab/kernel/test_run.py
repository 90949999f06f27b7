"""The sensor over real processes: their lineage, files and connections, as the reader of Tetragon's export has them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from eightysix.model.words import Kind, Outcome
from eightysix.sources.tetragon import TetragonDecoder
from tests.lab.kernel.machine import ROOT, Sensor, cgroup, instances, kinds, run_in, why_not
from tests.tiers import require_tier

SECRETS = "/run/secrets/kubernetes.io/serviceaccount"
MOUNT = (
    f"mkdir -p {SECRETS}; mount -t tmpfs none {SECRETS}; mkdir {SECRETS}/..1; echo not-a-token > {SECRETS}/..1/token; "
    f"ln -s ..1 {SECRETS}/..data; ln -s ..data/token {SECRETS}/token; "
)
"""A volume as the kubelet makes it. /run is not the machine's own: it is covered first."""
COVER = "mount -t tmpfs none /run; "

Start = Callable[..., Sensor]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A cgroup with a container's below it."""
    why = why_not("tracefs")
    if why:
        require_tier("root", why)
    with cgroup("pod/main") as made:
        yield made


@pytest.fixture(params=["ebpf", "tracefs"])
def mechanism(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    why = why_not(name)
    if why:
        require_tier("ebpf" if name == "ebpf" else "root", why)
    return name


@pytest.fixture
def ebpf() -> str:
    why = why_not("ebpf")
    if why:
        require_tier("ebpf", why)
    return "ebpf"


def commands(sensor: Sensor) -> dict[str, dict[str, Any]]:
    """Bodies of program starts by the program's last name; of several the last."""
    return {
        body["process"]["binary"].rpartition("/")[2]: body for body in kinds(sensor.records(), "process_exec")
    }


def test_lineage_of_a_pipeline_reaches_the_reader(folder: Path, tmp_path: Path, mechanism: str) -> None:
    script = "(/bin/cat /etc/hostname; true) | /usr/bin/sort; sh -c 'true; /usr/bin/env /bin/sleep 0.2; true'"
    with Sensor(folder, tmp_path / "out.jsonl", "--mechanism", mechanism) as sensor:
        assert sensor.ready == {"ready": True, "mechanism": mechanism, "why_not": {}}
        done = run_in(folder / "pod/main", script)
        assert (done.returncode, done.stderr) == (0, "")
        last = sensor.stop()
    assert (last["dropped_total"], last["processes_forgotten"]) == (0, 0)
    trees: dict[str, Any] = {}
    batch = TetragonDecoder(trees, {}, first_execs=True).decode(sensor.output.read_bytes(), "f", 1)
    assert not batch.problems
    assert not batch.leftover
    (tree,) = trees.values()
    starts = {body["process"]["exec_id"]: body["process"] for body in kinds(sensor.records(), "process_exec")}

    def line(name: str) -> list[str]:
        """The programs above the one of this name, as the reader's tree has them, up to the shell."""
        (at,) = (exec_id for exec_id, process in starts.items() if process["binary"].endswith(name))
        above: list[str] = []
        while at in tree and not (above and above[-1].endswith(("python", "python3"))):
            above.append(tree[at][3])
            at = tree[at][0]
        return [program.rpartition("/")[2] for program in above]

    assert line("/sleep")[:3] == [
        "sleep",
        "sh",
        "sh",
    ]  # env replaced itself: its start is one of the same process
    assert line("/cat")[:3] == ["cat", "sh", "sh"]  # by the subshell, which started no program
    assert line("/sort")[:2] == ["sort", "sh"]
    slept = [
        body
        for body in kinds(sensor.records(), "process_exec")
        if body["process"]["binary"].endswith("/sleep")
    ]
    assert slept[0]["process"]["arguments"] == "0.2"


def test_the_first_program_of_a_new_cgroup_is_seen(folder: Path, tmp_path: Path, mechanism: str) -> None:
    with Sensor(folder, tmp_path / "out.jsonl", "--mechanism", mechanism, places=("late",)) as sensor:
        (folder / "late").mkdir()
        assert run_in(folder / "late", "/bin/sleep 0.1", network=False).returncode == 0
        sensor.stop()
    slept = commands(sensor)["sleep"]
    assert slept["process"]["pod"]["name"] == "inference-0"


def test_identity_of_a_containers_processes(folder: Path, tmp_path: Path, ebpf: str) -> None:
    with Sensor(folder, tmp_path / "out.jsonl") as sensor:
        run_in(folder / "pod/main", "/bin/true one 'two three' ''", network=False)
        sensor.stop()
    process = commands(sensor)["true"]["process"]
    assert process["arguments"] == 'one "two three" '
    assert process["in_init_tree"] is True
    assert process["pod"]["container"]["pid"] > 1
    assert process["uid"] == os.getuid()
    assert set(process["ns"]) == {"mnt", "pid", "net"}
    assert not any("is_host" in told for told in process["ns"].values())
    assert "unshare" not in commands(sensor)  # it was in the pod's cgroup, and in none of its namespaces
    assert sensor.last["records"]["runtime"] > 0


NETWORK_SCRIPT = r"""
import errno, os, socket, sys
sys.path.insert(0, os.environ["ROOT"])
from bench.acts import NETWORK
def connect(family, address, kind=socket.SOCK_STREAM, protocol=0):
    with socket.socket(family, kind, protocol) as one:
        one.settimeout(1)
        try: one.connect(address)
        except OSError as error: return error.errno
connect(socket.AF_INET, ("192.0.2.1", 81))
connect(socket.AF_INET6, ("2001:db8::1", 82))
connect(socket.AF_INET6, ("::ffff:192.0.2.1", 83))
connect(socket.AF_INET, ("127.0.0.1", 84))
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
    for _ in range(50): one.sendto(b"x", ("192.0.2.1", 85))
with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as one: one.sendto(b"x", ("2001:db8::1", 86))
connect(socket.AF_INET, ("192.0.2.1", 87), socket.SOCK_DGRAM)
with socket.socket() as one:
    try: one.sendto(b"x", socket.MSG_FASTOPEN, ("192.0.2.1", 88))
    except OSError: pass
try: connect(socket.AF_INET, ("192.0.2.1", 89), protocol=262)
except OSError: pass
"""


def reached(sensor: Sensor) -> set[tuple[str, str, int]]:
    """Function, address and port of every connection that was told."""
    return {
        (
            probe["function_name"],
            probe["args"][0]["sock_arg"]["daddr"],
            probe["args"][0]["sock_arg"].get("dport", 0),
        )
        for probe in kinds(sensor.records(), "process_kprobe")
        if "sock_arg" in probe["args"][0]
    }


TCP = {
    ("tcp_connect", "192.0.2.1", 81),
    ("tcp_connect", "2001:db8::1", 82),
    ("tcp_connect", "::ffff:192.0.2.1", 83),
    ("tcp_connect", "192.0.2.1", 88),
}
UDP = {
    ("udp_sendmsg", "192.0.2.1", 85),
    ("udpv6_sendmsg", "2001:db8::1", 86),
    ("ip4_datagram_connect", "192.0.2.1", 87),
}


def run_python(folder: Path, script: str, place: Path, before: str = "") -> subprocess.CompletedProcess[str]:
    """Run a script as a container's process."""
    place.write_text(script)
    return run_in(folder, f"{before}ROOT={ROOT} exec {sys.executable} {place}")


def test_connections_of_every_kind(folder: Path, tmp_path: Path, mechanism: str) -> None:
    with Sensor(folder, tmp_path / "out.jsonl", "--mechanism", mechanism) as sensor:
        done = run_python(folder / "pod/main", NETWORK_SCRIPT, tmp_path / "script.py")
        assert (done.returncode, done.stderr) == (0, "")
        sensor.stop()
    mptcp = {("tcp_connect", "192.0.2.1", 89)}
    assert reached(sensor) - mptcp == TCP | (UDP if mechanism == "ebpf" else set())
    probes = [probe for probe in kinds(sensor.records(), "process_kprobe") if "sock_arg" in probe["args"][0]]
    of_datagrams = [probe for probe in probes if probe["args"][0]["sock_arg"].get("dport") == 85]
    assert len(of_datagrams) == (mechanism == "ebpf")  # 50 in a moment are told once
    assert next(probe for probe in probes if probe["args"][0]["sock_arg"].get("dport") == 81)["args"][0]["sock_arg"] == {
        "family": "AF_INET", "type": "SOCK_STREAM", "protocol": "IPPROTO_TCP", "saddr": "192.0.2.1",
        "daddr": "192.0.2.1", "dport": 81, "state": "TCP_SYN_SENT",
    }  # fmt: skip


DENIED_SCRIPT = r"""
import socket
for family, address in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "::ffff:192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
    with socket.socket(family) as one:
        one.settimeout(1)
        try: one.connect((address, 80)); print("connected")
        except OSError as error: print(error.errno)
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
    try: print(one.sendto(b"x", ("192.0.2.1", 80)))
    except OSError as error: print(error.errno)
"""


def test_what_is_denied_is_refused_and_told(folder: Path, tmp_path: Path, ebpf: str) -> None:
    with Sensor(folder, tmp_path / "out.jsonl", "--deny", "192.0.2.1") as sensor:
        done = run_python(folder / "pod/main", DENIED_SCRIPT, tmp_path / "script.py")
        assert done.stdout.split() == ["1", "1", "111", "1"]  # EPERM, EPERM, ECONNREFUSED, EPERM
        sensor.stop()
    denied = [
        probe
        for probe in kinds(sensor.records(), "process_kprobe")
        if probe["action"] == "KPROBE_ACTION_OVERRIDE"
    ]
    assert len(denied) == 3
    batch = TetragonDecoder({}, {}).decode(sensor.output.read_bytes(), "f", 1)
    assert {event.outcome for event in batch.events if event.kind is Kind.CONNECT} == {Outcome.DENIED}
    after = run_python(folder / "pod/main", DENIED_SCRIPT, tmp_path / "script.py")
    assert after.stdout.split()[0] == "111"  # nothing is left in the kernel


def test_what_is_denied_while_it_runs(folder: Path, tmp_path: Path, ebpf: str) -> None:
    with Sensor(folder, tmp_path / "out.jsonl") as sensor:
        before = run_python(folder / "pod/main", DENIED_SCRIPT, tmp_path / "script.py")
        assert before.stdout.split()[0] == "111"
        assert sensor.process.stdin is not None
        sensor.process.stdin.write(b'{"deny": "no address"}\n{"deny": "192.0.2.1"}\n')
        sensor.process.stdin.flush()
        end = time.monotonic() + 20
        seen = "111"
        while seen != "1" and time.monotonic() < end:
            seen = run_python(folder / "pod/main", DENIED_SCRIPT, tmp_path / "script.py").stdout.split()[0]
        assert seen == "1"
        sensor.stop()
    assert "KPROBE_ACTION_OVERRIDE" in sensor.output.read_text()


FILES_SCRIPT = f"""
import os, sys
sys.path.insert(0, os.environ["ROOT"])
os.chdir("{SECRETS}/..")
open("serviceaccount/token").read()
os.symlink("{SECRETS}/token", "/run/harmless"); open("/run/harmless").read()
folder = os.open("{SECRETS}", os.O_RDONLY | os.O_DIRECTORY)
os.open("token", os.O_RDONLY, dir_fd=folder)
open("/run/x.pth", "w").write("x")
os.makedirs("/run/a.dist-info"); open("/run/a.dist-info/METADATA", "w").write("x")
open("/run/readable.txt", "w").write("x"); open("/run/readable.txt").read()
os.makedirs("/run/j"); os.system("mount --bind {SECRETS} /run/j")
os.chroot("/run/j"); open("/token").read()
"""


def test_files_are_told_by_where_they_are(folder: Path, tmp_path: Path, ebpf: str) -> None:
    with Sensor(folder, tmp_path / "out.jsonl") as sensor:
        done = run_python(folder / "pod/main", FILES_SCRIPT, tmp_path / "script.py", COVER + MOUNT)
        assert (done.returncode, done.stderr) == (0, "")
        sensor.stop()
    told = [
        (probe["args"][0]["file_arg"]["path"], probe["args"][1]["int_arg"])
        for probe in kinds(sensor.records(), "process_kprobe")
        if probe["process"]["binary"] == sys.executable
    ]
    assert told == [
        *[(f"{SECRETS}/..1/token", 4)] * 3,
        ("/run/x.pth", 2),
        ("/run/a.dist-info/METADATA", 2),
        ("/run/j/..1/token", 4),  # as the mount says it, not as the chroot does
    ]


URING_SCRIPT = f"""
import ctypes, os, sys, time
sys.path.insert(0, os.environ["ROOT"])
from bench import acts
os.system("/bin/sleep 0.3; /bin/sleep 0.1")
path = ctypes.create_string_buffer(b"{SECRETS}/token")
assert acts.Ring().request(acts.IORING_OP_OPENAT, acts.AT_FDCWD, ctypes.addressof(path), 0, 0) > 0
"""


def test_a_credential_that_no_call_names_is_told_by_the_file(
    folder: Path, tmp_path: Path, mechanism: str
) -> None:
    with Sensor(folder, tmp_path / "out.jsonl", "--mechanism", mechanism) as sensor:
        done = run_python(folder / "pod/main", URING_SCRIPT, tmp_path / "script.py", COVER + MOUNT)
        if "Operation not permitted" in done.stderr:
            require_tier("root", "io_uring is switched off")
        assert (done.returncode, done.stderr) == (0, "")
        sensor.stop()
    (told,) = (
        probe
        for probe in kinds(sensor.records(), "process_kprobe")
        if probe["process"]["binary"] == sys.executable
    )
    assert told["args"][0] == {"file_arg": {"path": f"{SECRETS}/..1/token"}}
    assert told["message"] == "opened, told by fanotify"


def test_names_of_anybody_stay_names(folder: Path, tmp_path: Path, mechanism: str) -> None:
    name = b'/tmp/a"\n{"process_exec":{}}\n\xff\\ sh-1 [000] ..... 1.0: sched_process_fork: '
    script = f"""
import os, shutil
name = {name!r}.replace(b"/tmp", os.fsencode({str(tmp_path)!r}))
os.makedirs(os.path.dirname(name), exist_ok=True); shutil.copy("/bin/sleep", name)
if os.fork() == 0: os.execv(name, [name, b"0.1"])
os.wait()
"""
    with Sensor(folder, tmp_path / "out.jsonl", "--mechanism", mechanism) as sensor:
        done = run_python(folder / "pod/main", script, tmp_path / "script.py")
        assert (done.returncode, done.stderr) == (0, "")
        sensor.stop()
    told = name.decode("utf-8", "replace").replace("/tmp", str(tmp_path))
    assert told in {body["process"]["binary"] for body in kinds(sensor.records(), "process_exec")}


def test_processes_that_were_there_before_are_told(folder: Path, tmp_path: Path, mechanism: str) -> None:
    with subprocess.Popen(
        ["/bin/sh", "-c", f"echo $$ > {folder}/cgroup.procs; /bin/sleep 30; true"], stdout=subprocess.PIPE
    ) as shell:
        try:
            time.sleep(0.3)
            with Sensor(folder, tmp_path / "out.jsonl", "--mechanism", mechanism) as sensor:
                sensor.stop()
        finally:
            for pid in (folder / "cgroup.procs").read_text().split():
                os.kill(int(pid), signal.SIGKILL)
    assert shell.returncode
    slept = commands(sensor)["sleep"]
    assert slept["process"]["flags"].split()[0] == "procFS"
    assert slept["parent"]["pid"] == shell.pid


def test_what_a_full_buffer_loses_is_counted(folder: Path, tmp_path: Path, ebpf: str) -> None:
    with Sensor(folder, tmp_path / "out.jsonl", "--ring", "4096") as sensor:
        os.kill(sensor.process.pid, signal.SIGSTOP)
        run_in(folder / "pod/main", "i=0; while [ $i -lt 60 ]; do i=$((i+1)); /bin/true; done", network=False)
        os.kill(sensor.process.pid, signal.SIGCONT)
        last = sensor.stop()
    assert last["dropped_total"] == sum(map(sum, last["dropped"].values())) > 0
    assert set(last["dropped"]) <= {"exec", "fork", "exit", "open", "connect", "group", "setns"}


def test_a_leap_makes_what_follows_later(folder: Path, tmp_path: Path, ebpf: str) -> None:
    with Sensor(folder, tmp_path / "out.jsonl") as sensor:
        run_in(folder / "pod/main", "/bin/true", network=False)
        sensor.ask(leap=3600)
        run_in(folder / "pod/main", "/bin/false", network=False)
        sensor.stop()
    times = {name: body["process"]["start_time"] for name, body in commands(sensor).items()}
    before, after = (time.strptime(times[name][:19], "%Y-%m-%dT%H:%M:%S") for name in ("true", "false"))
    assert 3600 <= time.mktime(after) - time.mktime(before) < 3700


def test_a_signal_ends_it_with_its_counts(folder: Path, tmp_path: Path, mechanism: str) -> None:
    with Sensor(folder, tmp_path / "out.jsonl", "--mechanism", mechanism) as sensor:
        run_in(folder / "pod/main", "/bin/true", network=False)
        sensor.process.send_signal(signal.SIGTERM)
        last = sensor.stop()
    assert last["done"] is True
    assert last["records"]["exec"] > 0
    assert sensor.process.returncode == 0
    assert f"eightysix-lab-{sensor.process.pid}" not in instances()
    assert sensor.output.stat().st_mode & 0o777 == 0o600


def test_a_killed_sensor_leaves_no_hook(folder: Path, tmp_path: Path, ebpf: str) -> None:
    with Sensor(folder, tmp_path / "out.jsonl", "--deny", "192.0.2.1") as sensor:
        sensor.process.kill()
        assert sensor.stop() == {}
    after = run_python(folder / "pod/main", DENIED_SCRIPT, tmp_path / "script.py")
    assert after.stdout.split()[0] == "111"


def test_a_killed_sensor_leaves_no_trace_instance(folder: Path, tmp_path: Path) -> None:
    with Sensor(folder, tmp_path / "out.jsonl", "--mechanism", "tracefs") as sensor:
        name = f"eightysix-lab-{sensor.process.pid}"
        assert name in instances()
        sensor.process.kill()
        assert sensor.stop() == {}
    end = time.monotonic() + 20
    while name in instances() and time.monotonic() < end:
        time.sleep(0.1)
    assert name not in instances()


def test_no_cgroup_is_said(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "eightysix.lab.kernel", "--cgroup", str(tmp_path), "--output", str(tmp_path / "o")],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": "src"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "no cgroup of version 2" in done.stderr
    assert "Traceback" not in done.stderr


def test_in_a_pid_namespace_it_says_what_it_lacks(folder: Path, tmp_path: Path, ebpf: str) -> None:
    command = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    with Sensor(folder, tmp_path / "out.jsonl", before=command) as sensor:
        assert sensor.ready["mechanism"] == "ebpf"
        assert "pid namespace" in sensor.ready["why_not"]["fanotify"]
        run_in(folder / "pod/main", "/bin/true", network=False)
        sensor.stop()
    assert commands(sensor)["true"]["process"]["pod"]["name"] == "inference-0"
