"""Pages of the trace buffer: built by hand as the kernel builds them, and damaged in every way."""

from __future__ import annotations

import struct
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from eightysix.lab.kernel.cgroups import Hierarchy
from eightysix.lab.kernel.facts import Connected, Exec, Exit, Fork, Group
from eightysix.lab.kernel.ftrace import Format, events_of, parse_format
from eightysix.lab.kernel.tracefs import Interpreter

FORMAT = """\
name: sched_process_exec
ID: 321
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

\tfield:__data_loc char[] filename;\toffset:8;\tsize:4;\tsigned:0;
\tfield:pid_t pid;\toffset:12;\tsize:4;\tsigned:1;
\tfield:pid_t old_pid;\toffset:16;\tsize:4;\tsigned:1;
\tfield:char comm[16];\toffset:20;\tsize:16;\tsigned:0;

print fmt: "filename=%s", __get_str(filename)
"""


def page(*events: bytes, at: int = 1000, commit: int | None = None) -> bytes:
    body = b"".join(events)
    return struct.pack("<QQ", at, len(body) if commit is None else commit) + body


def event(data: bytes, delta: int) -> bytes:
    data += b"\0" * (-len(data) % 4)
    return struct.pack("<I", delta << 5 | len(data) // 4) + data


def test_a_format_is_read() -> None:
    form = parse_format(FORMAT)
    assert form.id == 321
    assert form.fields["filename"] == (8, 4, True)
    assert form.fields["comm"] == (20, 16, False)
    name = b"/bin/x\0"
    data = (
        struct.pack("<HBBi", 321, 0, 0, 9)
        + struct.pack("<III", len(name) << 16 | 36, 10, 11)
        + b"c".ljust(16, b"\0")
        + name
    )
    assert (form.text(data, "filename"), form.number(data, "old_pid"), form.text(data, "comm")) == (
        "/bin/x",
        11,
        "c",
    )
    assert (form.number(data, "none"), form.text(data[:36], "filename")) == (0, "")


def test_events_and_their_times() -> None:
    short, long = struct.pack("<HBBi", 5, 0, 0, 1), struct.pack("<HBBi", 6, 0, 0, 2) + bytes(200)
    extend = struct.pack("<II", 7 << 5 | 30, 2)  # 2 << 27 and 7 more
    large = struct.pack("<II", 3 << 5, len(long) + 4) + long
    padding = struct.pack("<II", 1 << 5 | 29, 8) + bytes(4)
    found = list(events_of(page(event(short, 10), extend, large, padding, event(short, 4))))
    assert [(at, number) for at, number, _ in found] == [
        (1010, 5),
        (1010 + (2 << 27) + 7 + 3, 6),
        (1010 + (2 << 27) + 7 + 3 + 1 + 4, 5),
    ]
    assert found[1][2][:8] == long[:8]


def test_what_is_behind_the_commit_is_not_read() -> None:
    one = event(struct.pack("<HBBi", 5, 0, 0, 1), 1)
    assert len(list(events_of(page(one, one, commit=len(one))))) == 1
    assert len(list(events_of(page(one, struct.pack("<I", 29), one)))) == 1


@given(st.binary(max_size=600))
def test_no_page_breaks_it(data: bytes) -> None:
    assert len(list(events_of(data))) <= len(data)


FIELDS = {
    "exec": {"filename": (8, 4, True), "pid": (12, 4, False)},
    "fork": {"pid": (8, 4, False), "clone_flags": (12, 8, False)},
    "exit": {"pid": (8, 4, False), "group_dead": (12, 1, False)},
    "connect": {
        "family": (8, 2, False),
        "dport": (10, 2, False),
        "saddr": (12, 4, False),
        "daddr": (16, 4, False),
    },
    "attach": {
        "dst_root": (8, 4, False),
        "dst_id": (16, 8, False),
        "pid": (24, 4, False),
        "dst_path": (28, 4, True),
    },
    "group": {"root": (8, 4, False), "id": (16, 8, False), "path": (24, 4, True)},
}
FORMATS = {name: Format(number, fields) for number, (name, fields) in enumerate(FIELDS.items(), 1)}


def raw(kind: str, thread: int, body: bytes) -> bytes:
    return struct.pack("<HBBi", FORMATS[kind].id, 0, 0, thread) + body


def placed(text: bytes, offset: int) -> tuple[int, bytes]:
    return (len(text) + 1) << 16 | offset, text + b"\0"


def attach(pid: int, path: bytes, root: int = 0) -> bytes:
    place, text = placed(path, 32)
    return raw("attach", 1, struct.pack("<IIQII", root, 0, 77, pid, place) + text)


def interpreter(tmp_path: Path) -> Interpreter:
    (tmp_path / "lab").mkdir(exist_ok=True)
    return Interpreter(FORMATS, Hierarchy(tmp_path, "/", tmp_path / "lab"), lambda _pid: None)


def say(found: Interpreter, data: bytes, at: int = 5) -> list[object]:
    return list(found.facts((at, int.from_bytes(data[:2], "little"), data)))


def test_only_processes_of_the_cgroup_are_told(tmp_path: Path) -> None:
    found = interpreter(tmp_path)
    place, name = placed(b"/bin/x", 16)
    starts = raw("exec", 10, struct.pack("<II", place, 10) + name)
    assert say(found, starts) == []
    say(found, attach(10, b"/lab/pod", root=3))  # a hierarchy of version 1
    assert say(found, starts) == []
    say(found, attach(10, b"/lab/pod"))
    (fact,) = say(found, starts)
    assert isinstance(fact, Exec)
    assert (fact.pid, fact.binary, fact.cgroup, fact.cut) == (10, "/bin/x", 77, ("Args", "Cwd"))
    say(found, attach(10, b"/labyrinth"))
    assert say(found, starts) == []


def test_threads_are_their_process(tmp_path: Path) -> None:
    found = interpreter(tmp_path)
    say(found, attach(10, b"/lab"))
    assert say(found, raw("fork", 10, struct.pack("<IQ", 11, 0x10000))) == []
    assert say(found, raw("fork", 11, struct.pack("<IQ", 12, 0))) == [Fork(5, 77, 10, 12, 10)]
    target = struct.pack("<HH", 2, 80) + bytes([10, 0, 0, 5]) + bytes([203, 0, 113, 9])
    (fact,) = say(found, raw("connect", 11, target))
    assert isinstance(fact, Connected)
    assert (fact.pid, fact.tid, fact.destination, fact.source, fact.port) == (
        10,
        11,
        "203.0.113.9",
        "10.0.0.5",
        80,
    )
    assert say(found, raw("exit", 11, struct.pack("<IB", 11, 0))) == []
    assert say(found, raw("exit", 10, struct.pack("<IB", 10, 1))) == [Exit(5, 77, 10, 10, 0)]
    assert say(found, raw("connect", 10, target)) == []


def test_a_new_cgroup(tmp_path: Path) -> None:
    place, path = placed(b"/lab/new", 28)
    made = raw("group", 1, struct.pack("<IIQI", 0, 1, 99, place) + path)
    assert say(interpreter(tmp_path), made) == [Group(5, 99, "/lab/new")]


@given(st.lists(st.tuples(st.integers(0, 8), st.binary(max_size=60)), max_size=20))
def test_no_event_breaks_it(given_events: list[tuple[int, bytes]]) -> None:
    found = Interpreter(FORMATS, Hierarchy(Path("/"), "/", Path("/")), lambda _pid: None)
    for number, data in given_events:
        found.facts((1, number, data))


def test_a_process_that_is_made_in_the_cgroup(tmp_path: Path) -> None:
    """clone3 with CLONE_INTO_CGROUP: no event says that it came there."""
    found = Interpreter(FORMATS, Hierarchy(tmp_path, "/", tmp_path), lambda _pid: None, {30: 77}.__getitem__)
    assert say(found, raw("fork", 9, struct.pack("<IQ", 30, 0x2_0000_0000))) == [Fork(5, 77, 9, 30, 9)]
    assert say(found, raw("fork", 9, struct.pack("<IQ", 31, 0))) == []
    assert len(say(found, raw("exec", 30, struct.pack("<II", 0, 30)))) == 1
