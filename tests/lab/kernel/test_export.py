"""What the exporter writes is what the reader of Tetragon's export understands, and holds no more than it should."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from eightysix.lab.kernel.clock import Clock
from eightysix.lab.kernel.export import Exporter
from eightysix.lab.kernel.facts import Connected, Entered, Exec, Exit, Fact, Fork, Opened
from eightysix.lab.kernel.pods import Pods
from eightysix.lab.kernel.tree import Tree
from eightysix.model.words import Access, Kind, Outcome
from eightysix.sources.tetragon import TetragonDecoder
from tests.lab.kernel.machine import CONTAINER, POD

HOST, INSIDE = 100, 200
TOKEN = "/run/secrets/kubernetes.io/serviceaccount/..2026_11_23/token"
SECOND = 1_000_000_000


class Run:
    """Facts in, records and the reader's events out."""

    def __init__(self, folder: Path | None = None, *, pod: bool = True) -> None:
        self.lines: list[bytes] = []
        file = None
        if folder is not None and pod:
            file = folder / "pods.jsonl"
            file.write_text(json.dumps({"container_id": CONTAINER, "cgroup": "pod", "pod": POD}) + "\n")
        self.pods = Pods(file, None)
        self.pods.place(5, "pod/deeper")
        tree = Tree("node-1", frozenset({HOST}))
        self.exporter = Exporter(
            self.lines.append,
            tree,
            self.pods,
            Clock(1_700_000_000 * SECOND),
            "node-1",
            "c1",
            (HOST, 101, 102),
        )

    def take(self, *facts: Fact) -> list[dict[str, Any]]:
        before = len(self.lines)
        for fact in facts:
            self.exporter.take(fact)
        return [json.loads(line) for line in self.lines[before:]]

    def decoded(self) -> tuple[Any, dict[str, Any], dict[str, Any]]:
        trees: dict[str, Any] = {}
        contacts: dict[str, Any] = {}
        batch = TetragonDecoder(trees, contacts, first_execs=True).decode(b"".join(self.lines), "f", 1)
        assert not batch.problems
        assert not batch.leftover
        return batch, trees, contacts


def start(pid: int = 10, at: int = SECOND, mnt: int = INSIDE, **more: Any) -> Exec:
    fields: dict[str, Any] = {
        "at": at, "cgroup": 5, "pid": pid, "tid": pid, "uid": 7, "ppid": 0, "binary": "/bin/sh", "arguments": ("-c", "a b"),
        "cwd": "/app", "ns_pid": 1, "mnt": mnt, "pid_ns": 201, "net": 202,
    }  # fmt: skip
    return Exec(**{**fields, **more})


def test_a_start_is_told_as_tetragon_tells_it(tmp_path: Path) -> None:
    (record,) = Run(tmp_path).take(start())
    process = record["process_exec"]["process"]
    assert list(process)[:4] == ["exec_id", "pid", "uid", "cwd"]
    assert process["arguments"] == '-c "a b"'
    assert process["docker"] == CONTAINER[:31]
    assert process["pod"] == {**POD, "container": {**POD["container"], "pid": 1}}
    assert process["start_time"] == record["time"] == "2023-11-14T22:13:21.000000000Z"
    assert process["in_init_tree"] is True
    assert (record["node_name"], record["cluster_name"]) == ("node-1", "c1")


def test_the_runtime_in_the_pods_cgroup_is_not_told_and_an_escape_is(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert run.take(start(9, mnt=HOST, binary="/usr/bin/crun")) == []
    assert run.exporter.counts["runtime"] == 1
    run.take(Fork(SECOND, 5, 9, 10, 9, 1))
    (first,) = run.take(start(10, 2 * SECOND))
    assert "parent" not in first["process_exec"]
    assert "parent_exec_id" not in first["process_exec"]["process"]
    (escape,) = run.take(start(10, 3 * SECOND, mnt=HOST))
    assert escape["process_exec"]["process"]["ns"]["mnt"] == {"inum": HOST, "is_host": True}
    batch, _, _ = run.decoded()
    assert any(event.activity == "host-entry" for event in batch.events)


def test_processes_of_no_pod_are_told_without_one(tmp_path: Path) -> None:
    (record,) = Run(tmp_path, pod=False).take(start(mnt=HOST))
    assert "pod" not in record["process_exec"]["process"]


def opened(
    path: str, *, writes: bool = False, reads: bool = True, by: str = "ebpf", at: int = 2 * SECOND
) -> Opened:
    return Opened(at, 5, 10, 12, path, reads, writes, by)


def test_a_token_that_is_read_is_an_event_of_the_reader(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.take(start(), opened(TOKEN), opened("/etc/passwd"), opened("/app/x.txt", writes=True))
    batch, _, _ = run.decoded()
    events = [event for event in batch.events if event.kind is Kind.FILE]
    assert [(event.file_path, event.access, event.tid) for event in events] == [(TOKEN, Access.READ, 12)]


def test_what_two_mechanisms_tell_is_one_opening(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.take(start())
    assert len(run.take(opened(TOKEN), opened(TOKEN, by="fanotify", at=2 * SECOND + 1000))) == 1
    assert len(run.take(opened(TOKEN, by="fanotify", at=9 * SECOND))) == 1
    assert run.take(Opened(2 * SECOND, 0, 99, 99, TOKEN, True, False, "fanotify")) == []


def test_an_opening_that_is_told_after_the_end_of_its_process(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.take(start(), Exit(2 * SECOND, 5, 10, 10, 9))
    (record,) = run.take(opened(TOKEN, by="fanotify"))
    assert record["process_kprobe"]["process"]["pid"] == 10


def test_reading_and_writing_is_told_as_both(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.take(start())
    told = run.take(opened("/root/.docker/config.json", writes=True))
    assert [record["process_kprobe"]["args"][1]["int_arg"] for record in told] == [4, 2]


def test_writes_where_many_are_made_are_told_once_a_minute(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.take(start())
    log = [opened("/tmp/log", writes=True, reads=False, at=at * SECOND) for at in (1, 2, 59, 62)]
    assert len(run.take(*log)) == 2


def connected(destination: str, port: int = 443, **more: Any) -> Connected:
    fields: dict[str, Any] = {
        "at": 2 * SECOND, "cgroup": 5, "pid": 10, "tid": 10, "family": 2, "type": 1, "protocol": 6,
        "destination": destination, "port": port, "source": "10.244.1.5",
    }  # fmt: skip
    return Connected(**{**fields, **more})


def test_connections_are_read(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.take(start(), connected("169.254.169.254", 80), connected("203.0.113.10"), connected("127.0.0.1"))
    run.take(connected("2001:db8::1", family=10), connected("169.254.169.254", 80, denied=True))
    run.take(connected("203.0.113.9", type=2, protocol=17, call="send"))
    batch, _, contacts = run.decoded()
    metadata = [event for event in batch.events if event.kind is Kind.CONNECT]
    assert [(event.dst_ip, event.outcome) for event in metadata] == [
        ("169.254.169.254", Outcome.UNKNOWN),
        ("169.254.169.254", Outcome.DENIED),
    ]
    (names,) = contacts.values()
    assert {name.split("|")[1] for name in names} == {"203.0.113.10", "203.0.113.9", "2001:db8::1"}


def test_ends_name_their_signal(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.take(start(10), start(11), start(12))
    told = run.take(*(Exit(2 * SECOND, 5, pid, pid, code) for pid, code in ((10, 9), (11, 3 << 8), (12, 0))))
    ends = [record["process_exit"] for record in told]
    assert [(end.get("signal"), end.get("status")) for end in ends] == [
        ("SIGKILL", None),
        (None, 3),
        (None, None),
    ]


def test_entering_other_namespaces_is_read(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.take(start(), Entered(2 * SECOND, 5, 10, 10, 3, 0x20000))
    batch, _, _ = run.decoded()
    assert any(event.activity == "host-entry" for event in batch.events)


def test_no_token_is_written(tmp_path: Path) -> None:
    run = Run(tmp_path)
    token = "eyJhbGciOiJSUzI1NiJ9." + "eyJzdWIiOiJjYW5hcnkifQ" + ".c2lnbmF0dXJl-_x"
    run.take(start(arguments=("-H", f"Authorization: Bearer {token}", f"x={token},eyJ")))
    text = b"".join(run.lines).decode()
    assert "c2lnbmF0dXJl" not in text
    assert "eyJzdWIi" not in text
    assert '"-H \\"Authorization: Bearer *****\\" x=*****,eyJ"' in text


texts = st.text(st.characters(codec="utf-8"), max_size=60)


@given(texts, st.lists(texts, max_size=4), texts, texts)
def test_no_name_makes_a_record_of_its_own(binary: str, arguments: list[str], cwd: str, path: str) -> None:
    run = Run(pod=False)
    run.take(start(binary=binary, arguments=tuple(arguments), cwd=cwd), opened("/run/secrets/" + path))
    assert b"".join(run.lines).count(b"\n") == len(run.lines) == 2
    batch, _, _ = run.decoded()
    assert batch.recognised == 2


def test_an_unknown_process_is_told_with_what_is_known(tmp_path: Path) -> None:
    (record,) = Run(tmp_path, pod=False).take(connected("203.0.113.10"))
    assert record["process_kprobe"]["process"]["pid"] == 10
    assert record["process_kprobe"]["process"]["flags"].split()[0] == "procFS"


def test_a_process_of_a_pod_whose_start_was_lost_is_told(tmp_path: Path) -> None:
    (record,) = Run(tmp_path).take(connected("203.0.113.10"))
    assert record["process_kprobe"]["process"]["pod"]["uid"] == POD["uid"]
