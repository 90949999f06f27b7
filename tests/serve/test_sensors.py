"""The receiver of sensor records over real sockets: whose a record is, what is handed on, and what a pod cannot do."""

from __future__ import annotations

import array
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from eightysix.serve.sensors import Counts, Limits, PodInfo, Receiver
from eightysix.serve.sensors.endpoint import EndpointError
from eightysix.serve.sensors.limits import MAX_DATAGRAM
from eightysix.sources.sensor import SensorDecoder
from tests.tiers import require_tier

A = "aaaaaaaa-1111-4111-8111-111111111111"
B = "bbbbbbbb-2222-4222-8222-222222222222"
NAMES = {A: PodInfo(A, "ml", "inference-0", "node-1"), B: PodInfo(B, "ml", "other-0", "node-1")}
START_NS = 1_700_000_000_000_000_000


class Desk:
    """A receiver with a clock of its own, and what it handed on."""

    def __init__(self, root: Path, **limits: float) -> None:
        self.root = root
        self.now_s = 1000.0
        self.lines: list[bytes] = []
        self.full = False
        self.receiver = Receiver(
            str(root),
            self.take,
            NAMES.get,
            lambda: self.now_s,
            Limits(**limits),  # type: ignore[arg-type]
            now=lambda: START_NS + int((self.now_s - 1000) * 1e9),
        )

    def take(self, lines: bytes) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        assert lines.endswith(b"\n")
        self.lines += lines.splitlines()

    def records(self, event: str = "connect") -> list[dict[str, object]]:
        """What was handed on, of this kind."""
        found = [json.loads(line) for line in self.lines]
        return [record for record in found if record["event"] == event]

    def after(self, seconds: float = 0.0) -> None:
        """Let time pass, then read all that is there."""
        self.now_s += seconds
        self.receiver.poll(0)
        while self.receiver.poll(0):
            pass

    def count(self, uid: str) -> Counts:
        return self.receiver.counts()[uid]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "pods")
    yield desk
    desk.receiver.close()


_open: list[socket.socket] = []


def unix_socket() -> socket.socket:
    """A socket that is closed after the test."""
    _open.append(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    return _open[-1]


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while _open:
        _open.pop().close()


class Sender:
    """A sensor in a pod: does not wait, counts from 0."""

    def __init__(self, folder: str, pid: int = 7) -> None:
        self.socket = unix_socket()
        self.socket.setblocking(False)
        # The pod's own path is short; this one may have more than the 107 bytes that an address has.
        there = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self.socket.connect(f"/proc/self/fd/{there}/s.sock")
        finally:
            os.close(there)
        self.pid = pid
        self.seq = 0

    def record(self, **fields: object) -> dict[str, object]:
        record: dict[str, object] = {
            "v": 1,
            "t_ns": START_NS + self.seq,
            "boot_id": "b",
            "pid": self.pid,
            "ns_pid": self.pid,
            "tid": self.pid,
            "start_ticks": 100,
            "event": "connect",
            "dst": "203.0.113.10",
            "port": 443,
            "seq": self.seq,
        }
        self.seq += 1
        return record | fields

    def send(self, **fields: object) -> bytes:
        data = json.dumps(self.record(**fields)).encode()
        self.socket.send(data)
        return data


# --- whose a record is


def test_the_endpoint_says_whose_a_record_is(desk: Desk) -> None:
    first, second = (Sender(desk.receiver.add(uid)) for uid in (A, B))
    first.send()
    second.send()
    desk.after()
    told = [(record["node"], record["pod"]) for record in desk.records()]
    assert sorted(pod["name"] for _, pod in told) == ["inference-0", "other-0"]  # type: ignore[index]
    assert {node for node, _ in told} == {"node-1"}


def test_what_a_sender_says_of_itself_is_thrown_away(desk: Desk) -> None:
    sender = Sender(desk.receiver.add(A))
    lies = {
        "pod": {"uid": B, "namespace": "ml", "name": "other-0"},
        "pod_uid": B,
        "namespace": "kube-system",
        "node": "node-9",
        "host_pid": 1,
        "container_id": "c" * 64,
        "cluster": "another",
        "received": 1,
    }
    sender.send(**lies)
    desk.after()
    (record,) = desk.records()
    assert record["pod"] == {"uid": A, "namespace": "ml", "name": "inference-0"}
    assert record["node"] == "node-1"
    assert not {"pod_uid", "namespace", "host_pid", "container_id", "cluster", "received"} & record.keys()
    assert desk.count(A).stripped == 1
    (event,) = SensorDecoder().decode(desk.lines[0] + b"\n", "f", 1).events
    assert (event.pod_uid, event.node, event.pid) == (A, "node-1", 0)


def test_two_pids_in_a_record_are_no_pid_of_the_node(desk: Desk) -> None:
    """The reader takes a `pid` beside another `ns_pid` for the one on the node."""
    sender = Sender(desk.receiver.add(A))
    sender.send(pid=1, ns_pid=7)
    desk.after()
    (event,) = SensorDecoder().decode(desk.lines[0] + b"\n", "f", 1).events
    assert (event.pid, event.ns_pid) == (0, 7)


def test_credentials_on_a_datagram_prove_nothing(desk: Desk) -> None:
    """A privileged sender can claim any pid of the machine; what is handed on is the same."""
    if os.geteuid() != 0:
        require_tier("root", "claiming another pid needs root")
    sender = Sender(desk.receiver.add(A))
    data = json.dumps(sender.record()).encode()
    claim = array.array("i", [1, 0, 0])
    sender.socket.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, claim)])
    desk.after()
    (record,) = desk.records()
    assert record["pod"]["uid"] == A  # type: ignore[index]
    assert "host_pid" not in record


def test_a_pod_that_nobody_knows_has_its_uid(desk: Desk) -> None:
    unknown = "cccccccc-3333-4333-8333-333333333333"
    Sender(desk.receiver.add(unknown)).send()
    desk.after()
    assert desk.records()[0]["pod"] == {"uid": unknown}


def test_a_folder_that_the_kubelet_made_becomes_an_endpoint(desk: Desk) -> None:
    (desk.root / A).mkdir(0o750)
    (desk.root / "not a pod").mkdir()
    (desk.root / "file").write_text("")
    os.symlink("/etc", desk.root / B)
    desk.after(2)
    assert list(desk.receiver.counts()) == [A]
    assert stat.S_IMODE((desk.root / A).stat().st_mode) == 0o755
    Sender(str(desk.root / A)).send()
    desk.after()
    assert len(desk.records()) == 1


@pytest.mark.parametrize("uid", ["", ".", "..", "../x", "a/b", "-x", "x" * 65, "a\0b", ".sockets", "ä"])
def test_what_is_no_uid_gets_no_folder(desk: Desk, uid: str) -> None:
    before = sorted(os.listdir(desk.root))
    with pytest.raises(EndpointError):
        desk.receiver.add(uid)
    assert sorted(os.listdir(desk.root)) == before


# --- what is handed on


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b"[" * 50_000,
        b'{"a":' * 10_000,
        b'{"v":2,"t_ns":1,"seq":0,"pid":1,"event":"connect"}',
        b'{"v":true,"t_ns":1,"seq":0,"pid":1,"event":"connect"}',
        b'{"v":1,"t_ns":1,"seq":-1,"pid":1,"event":"connect"}',
        b'{"v":1,"t_ns":1,"pid":1,"event":"connect"}',
        b'{"v":1,"t_ns":1,"seq":0,"event":"connect"}',
        b'{"v":1,"t_ns":1,"seq":0,"pid":1,"event":["connect"]}',
        b'{"v":1,"t_ns":1,"seq":0,"pid":1,"event":"gap","gap":"endpoint","number":1}',
        b'{"sensor":"py","time":1.0,"event":"connect","pid":1,"seq":0}',
        b'{"v":1,"t_ns":NaN,"seq":0,"pid":1,"event":"connect"}',
    ],
)
def test_what_is_no_record_is_counted_and_left_out(desk: Desk, data: bytes) -> None:
    sender = Sender(desk.receiver.add(A))
    sender.socket.send(data)
    desk.after()
    assert desk.lines == []
    assert desk.count(A).malformed == 1


def test_no_datagram_becomes_a_record_of_another_source(desk: Desk) -> None:
    sender = Sender(desk.receiver.add(A))
    sender.send(process_exec={"process": {"pid": 1}}, auditID="x", kind="Event", output_fields={}, schema="s")
    desk.after()
    (record,) = desk.records()
    assert not {"process_exec", "auditID", "output_fields", "schema"} & record.keys()


def test_a_record_stays_on_one_line(desk: Desk) -> None:
    sender = Sender(desk.receiver.add(A))
    record = sender.record(path="a\nb\u2028c", chain=["x\r\n"])
    sender.socket.send(json.dumps(record, indent=1).encode())
    desk.after()
    assert len(desk.lines) == 1
    assert desk.records()[0]["path"] == "a\nb\u2028c"


def test_names_that_are_no_text_make_no_record_invisible(desk: Desk) -> None:
    sender = Sender(desk.receiver.add(A))
    sender.send(path="/tmp/\udcff.so")
    desk.after()
    (event,) = SensorDecoder().decode(desk.lines[0] + b"\n", "f", 1).events
    assert event.dst_ip == "203.0.113.10"


def test_a_datagram_that_is_too_long_is_counted(desk: Desk) -> None:
    sender = Sender(desk.receiver.add(A))
    sender.send(path="x" * MAX_DATAGRAM)
    sender.send(path="x" * (MAX_DATAGRAM - 500))
    desk.after()
    assert len(desk.records()) == 1
    assert desk.count(A).oversized == 1


def test_descriptors_that_come_along_are_not_taken(desk: Desk) -> None:
    sender = Sender(desk.receiver.add(A))
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(8):
        data = json.dumps(sender.record()).encode()
        with open("/dev/null", "rb") as file:
            sender.socket.sendmsg(
                [data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [file.fileno()] * 8))]
            )
        desk.after()
    assert len(os.listdir("/proc/self/fd")) == before
    assert len(desk.records()) == 8


def test_lines_that_find_no_room_are_kept_and_nothing_is_read_meanwhile(desk: Desk) -> None:
    sender = Sender(desk.receiver.add(A))
    desk.full = True
    sender.send()
    desk.after()
    sender.send()
    desk.after(1)
    assert desk.count(A).received == 1
    desk.full = False
    desk.after(1)
    assert [record["seq"] for record in desk.records()] == [0, 1]


# --- one pod's flood is no other's


def test_a_flood_of_one_pod_takes_nothing_from_another(desk: Desk) -> None:
    loud, calm = Sender(desk.receiver.add(A)), Sender(desk.receiver.add(B))
    sent = refused = 0
    for turn in range(2_000):
        for _ in range(16):
            try:
                loud.send()
                sent += 1
            except BlockingIOError:
                refused += 1
        if turn % 20 == 0:
            calm.send()
        desk.now_s += 0.001
        desk.receiver.poll(0)
    desk.after(0)
    counts = desk.receiver.counts()
    assert counts[B] == Counts(received=100, passed=100)
    limits = Limits()
    assert counts[A].received <= limits.burst + 2.1 * limits.records_s
    assert counts[A].throttled > 0
    assert refused > 0
    desk.after(10)
    told = {(gap["pod"]["uid"], gap["gap"]) for gap in desk.records("gap")}  # type: ignore[index]
    assert (A, "flood") in told
    assert (A, "sequence") in told
    assert {uid for uid, _ in told} == {A}


def test_large_records_have_a_budget_of_their_own(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "pods", burst_bytes=200_000, bytes_s=10_000.0)
    sender = Sender(desk.receiver.add(A))
    for _ in range(20):
        with suppress(BlockingIOError):
            sender.send(path="x" * 50_000)
        desk.after()
    assert desk.count(A).received == 4
    desk.after(30)
    assert desk.count(A).received > 4
    desk.receiver.close()


def test_who_was_over_the_budget_is_heard_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "pods", burst=2, records_s=10.0)
    sender = Sender(desk.receiver.add(A))
    for _ in range(4):
        sender.send()
    desk.after()
    assert desk.count(A).received == 2
    desk.after(0.5)
    assert desk.count(A).received == 4
    desk.receiver.close()


# --- numbers


def test_a_replayed_record_is_dropped_and_counted(desk: Desk) -> None:
    sender = Sender(desk.receiver.add(A))
    first = sender.send()
    for _ in range(3):
        sender.send()
    sender.socket.send(first)
    desk.after()
    assert len(desk.records()) == 4
    assert desk.count(A).replayed == 1
    for _ in range(3):
        for _ in range(100):
            sender.send(t_ns=START_NS + 200_000_000_000)
            desk.receiver.poll(0)
        desk.now_s += 100
    sender.socket.send(first)  # long out of the window
    desk.after()
    assert desk.count(A).replayed == 2
    assert len(desk.records()) == 304


def test_a_gap_in_the_numbers_is_told(desk: Desk) -> None:
    sender = Sender(desk.receiver.add(A))
    sender.send()
    sender.seq += 5
    sender.send()
    desk.after(1)
    assert desk.records("gap") == []
    desk.after(3)
    (gap,) = desk.records("gap")
    assert (gap["gap"], gap["number"]) == ("sequence", 5)
    assert gap["pod"]["uid"] == A  # type: ignore[index]
    assert desk.count(A).missing == 5


def test_what_overtakes_is_no_gap(desk: Desk) -> None:
    sender = Sender(desk.receiver.add(A))
    records = [json.dumps(sender.record()).encode() for _ in range(5)]
    for place in (0, 3, 1, 2, 4):
        sender.socket.send(records[place])
    desk.after(1)
    desk.after(10)
    assert len(desk.records()) == 5
    assert desk.records("gap") == []


def test_what_senders_say_that_they_dropped_is_told(desk: Desk) -> None:
    sender = Sender(desk.receiver.add(A))
    sender.send()
    sender.send(event="heartbeat", sent=1, dropped=3)
    sender.send(event="heartbeat", sent=1, dropped=4)
    desk.after(6)
    (gap,) = desk.records("gap")
    assert (gap["gap"], gap["number"]) == ("dropped", 4)


# --- what a pod does to its folder


def tampered(desk: Desk) -> Sender:
    """Records go through again after the next look."""
    desk.after(2)
    before = len(desk.records())
    sender = Sender(str(desk.root / A), 8)
    sender.send(path=f"after {before}")
    desk.after()
    assert [record["path"] for record in desk.records()[before:]] == [f"after {before}"]
    return sender


def test_a_socket_that_was_deleted_is_made_again_and_nobody_loses_the_connection(desk: Desk) -> None:
    sender = Sender(desk.receiver.add(A))
    (desk.root / A / "s.sock").unlink()
    tampered(desk)
    sender.send(path="old connection")
    desk.after()
    assert desk.records()[-1]["path"] == "old connection"
    assert desk.count(A).repaired == 1
    desk.after(6)
    assert [gap["gap"] for gap in desk.records("gap")] == ["endpoint"]


@pytest.mark.parametrize("target", ["file", "folder", "socket", "gone"])
def test_a_link_in_the_place_of_the_socket_is_replaced_and_never_followed(
    desk: Desk, tmp_path: Path, target: str
) -> None:
    desk.receiver.add(A)
    victim = tmp_path / "victim"
    if target == "file":
        victim.write_text("secret")
        victim.chmod(0o600)
    elif target == "folder":
        victim.mkdir(0o700)
    elif target == "socket":
        other = unix_socket()
        there = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
        other.bind(f"/proc/self/fd/{there}/victim")
        os.close(there)
        victim.chmod(0o600)
    place = desk.root / A / "s.sock"
    place.unlink()
    place.symlink_to(victim)
    before = victim.stat() if target != "gone" else None
    tampered(desk)
    assert not place.is_symlink()
    if before is not None:
        after = victim.stat()
        assert (after.st_mode, after.st_nlink, after.st_ctime_ns) == (
            before.st_mode,
            before.st_nlink,
            before.st_ctime_ns,
        )
    else:
        assert not victim.exists()


def test_a_folder_in_the_place_of_the_socket_is_moved_aside(desk: Desk) -> None:
    desk.receiver.add(A)
    place = desk.root / A / "s.sock"
    for _ in range(3):
        place.unlink()
        (place / "deep").mkdir(parents=True)
        (place / "deep" / "link").symlink_to("/etc/passwd")
        tampered(desk)
    assert desk.count(A).strangers == 3


def test_a_folder_that_is_filled_is_told(desk: Desk) -> None:
    desk.receiver.add(A)
    for number in range(100):
        (desk.root / A / f"file-{number}").touch()
    tampered(desk)
    assert desk.count(A).strangers == 64


def test_mode_and_owner_of_the_folder_are_put_right(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "pods")
    desk.receiver.add(A)
    (desk.root / A).chmod(0o777)
    if os.geteuid() == 0:
        os.chown(desk.root / A, 1000, 1000)
    desk.receiver.close()
    again = Desk(tmp_path / "pods")
    again.receiver.add(A)
    told = (again.root / A).stat()
    assert (stat.S_IMODE(told.st_mode), told.st_uid) == (0o755, os.geteuid())
    again.receiver.close()


def test_the_root_may_be_nobody_elses(tmp_path: Path) -> None:
    root = tmp_path / "pods"
    root.mkdir()
    root.chmod(0o777)
    with pytest.raises(EndpointError, match="written by others"):
        Desk(root)
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    with pytest.raises(EndpointError, match="no folder"):
        Desk(link)


def test_any_user_of_the_pod_may_send_and_none_may_write(desk: Desk, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        require_tier("root", "becoming another user needs root")
    folder = desk.receiver.add(A)
    for above in (tmp_path, *tmp_path.parents[:-2]):
        above.chmod(0o755)
    code = (
        "import os, socket, sys\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
        "os.chdir(sys.argv[1]); s.connect('s.sock'); s.send(sys.argv[2].encode())\n"
        "try: os.unlink(sys.argv[1] + '/s.sock')\n"
        "except PermissionError: sys.exit(7)\n"
    )
    record = json.dumps(
        {"v": 1, "t_ns": START_NS, "event": "connect", "dst": "203.0.113.10", "pid": 1, "seq": 0}
    )
    done = subprocess.run([sys.executable, "-c", code, folder, record], check=False)
    assert done.returncode == 7
    desk.after()
    assert len(desk.records()) == 1


CHILD_OF_NODE = """
import os, sys
from eightysix.serve.sensors import Receiver
receiver = Receiver(sys.argv[1], lambda lines: None)
receiver.poll(0)
print(os.stat(sys.argv[1] + "/" + sys.argv[2]).st_uid, sorted(os.listdir(sys.argv[1] + "/" + sys.argv[2])))
"""


def test_root_with_two_capabilities_is_enough(tmp_path: Path) -> None:
    """Those that deploy/sensor gives; here a pod has given its folder away."""
    if os.geteuid() != 0:
        require_tier("root", "giving a folder away needs root")
    if shutil.which("setpriv") is None:
        require_tier("root", "there is no setpriv to drop capabilities with")
    root = tmp_path / "pods"
    root.mkdir(mode=0o711)
    (root / A).mkdir()
    os.chown(root / A, 1000, 1000)
    rights = ["setpriv", "--bounding-set=-all,+chown,+fowner", "--inh-caps=-all", "--no-new-privs"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [*rights, sys.executable, "-c", CHILD_OF_NODE, str(root), A],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "0 ['s.sock']\n", done.stderr


# --- restarts


def test_one_receiver_at_a_time(desk: Desk) -> None:
    with pytest.raises(EndpointError, match="another receiver"):
        Desk(desk.root)


def test_a_pod_that_is_over_leaves_nothing(desk: Desk) -> None:
    sender = Sender(desk.receiver.add(A))
    sender.send()
    desk.receiver.remove(A)
    assert len(desk.records()) == 1
    assert not (desk.root / A).exists()
    assert os.listdir(desk.root / ".sockets") == []


def test_what_a_pod_left_in_its_folder_is_out_of_the_way(desk: Desk, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "kept").touch()
    desk.receiver.add(A)
    (desk.root / A / "deep" / "deeper").mkdir(parents=True)
    (desk.root / A / "link").symlink_to(victim)
    (desk.root / A / "file").touch()
    desk.receiver.remove(A)
    desk.after(5)
    assert not (desk.root / A).exists()
    assert desk.receiver.uids == frozenset()
    assert os.listdir(victim) == ["kept"]
    assert os.listdir(desk.root / ".sockets" / f"gone-{A}") == ["deep"]


def test_counts_of_pods_that_are_over_are_bounded(desk: Desk) -> None:
    for number in range(300):
        uid = f"pod-{number}"
        desk.receiver.add(uid)
        desk.receiver.remove(uid)
    assert len(desk.receiver.counts()) == 256
    assert not desk.receiver._streams


CHILD = """
import sys, threading
from eightysix.serve.sensors import Receiver
with open(sys.argv[2], "ab", buffering=0) as file:
    receiver = Receiver(sys.argv[1], file.write)
    for uid in sys.argv[3:]:
        receiver.add(uid)
    print("ready", flush=True)
    receiver.run()
"""


def test_after_kill_9_pods_go_on_and_the_next_receiver_takes_over(tmp_path: Path) -> None:
    root, out = tmp_path / "pods", tmp_path / "sensor.jsonl"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", CHILD, str(root), str(out), A]

    def start() -> subprocess.Popen[str]:
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        return child

    def lines(number: int) -> list[bytes]:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            found = out.read_bytes().splitlines() if out.exists() else []
            if len(found) >= number:
                return found
            time.sleep(0.01)
        raise AssertionError(f"{number} lines did not come")

    with start() as first:
        sender = Sender(str(root / A))
        sender.send()
        lines(1)
        first.kill()
    with pytest.raises(ConnectionRefusedError):
        sender.send()
    with start() as second:
        again = Sender(str(root / A))
        again.seq = sender.seq
        again.send()
        assert [json.loads(line)["seq"] for line in lines(2)] == [0, 2]
        second.kill()


def test_what_was_sent_before_there_was_a_socket_is_counted_and_no_sign(desk: Desk) -> None:
    sender = Sender(desk.receiver.add(A))
    sender.seq = 12
    sender.send()
    desk.after(10)
    assert desk.count(A).unheard == 12
    assert desk.records("gap") == []


def test_a_new_folder_gets_its_socket_at_once(desk: Desk) -> None:
    desk.after(2)
    (desk.root / A).mkdir()
    desk.after()
    assert (desk.root / A / "s.sock").exists()
