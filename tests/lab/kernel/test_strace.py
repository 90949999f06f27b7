"""strace's output: lines as version 6.1 writes them, lines of anybody, and a real run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from eightysix.lab.kernel import available
from eightysix.lab.kernel.clock import Clock
from eightysix.lab.kernel.facts import Connected, Entered, Exec, Exit, Fork, Opened
from eightysix.lab.kernel.strace import Parser, wrap
from eightysix.lab.kernel.strace_text import texts_in, unhex
from tests.tiers import require_tier

ROOT = Path(__file__).resolve().parents[3]


def hexed(text: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in text.encode())


def quoted(text: str) -> str:
    return f'"{hexed(text)}"'


def facts(*lines: str) -> list[object]:
    parser = Parser(Clock(0), 1)
    found: list[object] = []
    for line in lines:
        found += parser.feed(line.encode() + b"\n")
    assert parser.left_out == 0
    return [*found, *parser.end()]


def test_a_start_with_its_folder() -> None:
    assert facts(f"10 5.000000007 chdir({quoted('/srv')}) = 0",
                 f"10 6.000000000 execve({quoted('./a')}, [{quoted('a')}, {quoted('x y')}], 0x1 /* 3 vars */) = 0") == [
        Exec(at=6_000_000_000, cgroup=1, pid=10, tid=10, uid=os.getuid(), ppid=0, binary="./a", arguments=("x y",), cwd="/srv")
    ]  # fmt: skip


def test_a_start_that_failed_is_none() -> None:
    assert (
        facts(f"10 5.0 execve({quoted('/x')}, [{quoted('x')}], 0x1) = -1 ENOENT (No such file or directory)")
        == []
    )


def test_calls_in_pieces_forks_and_ends() -> None:
    told = facts(
        "10    5.000000001 vfork( <unfinished ...>",
        f"11    5.000000002 execve({quoted('/bin/cat')}, [{quoted('cat')}], 0x2 /* 1 vars */ <unfinished ...>",
        "10    5.000000003 <... vfork resumed>) = 2 /* 11 in strace's PID NS */",
        "11    5.000000004 <... execve resumed>) = 0",
        "11    5.000000005 +++ exited with 3 +++",
        "10    5.000000006 +++ killed by SIGKILL +++",
    )
    assert told[0] == Fork(5_000_000_001, 1, 10, 11, 10, 2)
    assert isinstance(told[1], Exec)
    assert told[1].at == 5_000_000_002
    assert told[2:] == [Exit(5_000_000_005, 1, 11, 11, 3 << 8), Exit(5_000_000_006, 1, 10, 10, 9)]


def test_a_thread_is_its_process_also_before_that_is_known() -> None:
    told = facts(
        "10 5.1 clone3({flags=CLONE_VM|CLONE_THREAD, exit_signal=0} <unfinished ...>",
        f"12 5.2 openat(AT_FDCWD<{hexed('/app')}>, {quoted('t')}, O_RDONLY|O_CLOEXEC) = 3<{hexed('/app/t')}>",
        "10 5.3 <... clone3 resumed> => {parent_tid=[12]}, 88) = 12",
        "12 5.4 +++ exited with 0 +++",
    )
    assert told == [Opened(5_200_000_000, 1, 10, 12, "/app/t", True, False, "strace")]


def test_what_a_thread_forks_before_it_is_known_is_its_process_child() -> None:
    told = facts(
        "10 5.1 clone3({flags=CLONE_VM|CLONE_THREAD} <unfinished ...>",
        "12 5.2 vfork( <unfinished ...>",
        f"13 5.3 execve({quoted('/bin/a')}, [{quoted('a')}], 0x7f /* 39 vars */) = 0",
        "12 5.4 <... vfork resumed>) = 13",
        "10 5.5 <... clone3 resumed>, 88) = 12",
        "13 5.6 +++ exited with 0 +++",
    )
    assert told[0] == Fork(5_200_000_000, 1, 10, 13, 10, 0)
    assert isinstance(told[1], Exec)
    assert told[2:] == [Exit(5_600_000_000, 1, 13, 13, 0)]


def test_what_is_never_told_of_is_a_process_of_its_own() -> None:
    start = f"77 5.2 execve({quoted('/bin/a')}, [{quoted('a')}], 0x7f /* 39 vars */) = 0"
    told = facts("10 5.1 +++ exited with 0 +++", start)
    assert [getattr(fact, "pid", 0) for fact in told] == [10, 77]


def test_a_thread_that_starts_a_program() -> None:
    told = facts(
        "10 5.1 clone3({flags=CLONE_VM|CLONE_THREAD}, 88) = 12",
        f"12 5.2 execve({quoted('/bin/echo')}, [{quoted('echo')}, {quoted('hi')}], 0x7f /* 39 vars */ <pid changed to 10 ...>",
        "10 5.3 +++ superseded by execve in pid 12 +++",
        "10 5.4 <... execve resumed>) = ?",
        "10 5.5 +++ exited with 0 +++",
    )
    assert isinstance(told[0], Exec)
    assert (told[0].pid, told[0].arguments) == (10, ("hi",))
    assert told[1:] == [Exit(5_500_000_000, 1, 10, 10, 0)]


def test_files_by_their_real_path_and_rights() -> None:
    told = facts(
        f"10 5.1 openat(AT_FDCWD<{hexed('/run')}>, {quoted('./l')}, O_RDWR|O_CREAT, 0600) = 3<{hexed('/run/secrets/t')}>",
        f"10 5.2 openat2(AT_FDCWD<{hexed('/')}>, {quoted('x')}, {{flags=O_WRONLY, resolve=0}}, 24) = 4<{hexed('/tmp/x')}>",
        f"10 5.3 creat({quoted('y')}, 0600) = 5<{hexed('/tmp/y')}>",
        f"10 5.4 openat(AT_FDCWD<{hexed('/')}>, {quoted('/none')}, O_RDONLY) = -1 ENOENT (No such file)",
        f"10 5.5 openat(AT_FDCWD<{hexed('/')}>, {quoted('/d')}, O_RDONLY|O_DIRECTORY) = 6<{hexed('/d')}>",
    )
    paths = [(fact.path, fact.reads, fact.writes) for fact in told if isinstance(fact, Opened)]
    assert paths == [("/run/secrets/t", True, True), ("/tmp/x", False, True), ("/tmp/y", False, True)]


def test_connections() -> None:
    four = f"{{sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr({quoted('169.254.169.254')})}}, 16)"
    six = f"{{sa_family=AF_INET6, sin6_port=htons(53), inet_pton(AF_INET6, {quoted('2001:db8::1')}, &sin6_addr)}}, 28)"
    told = facts(
        f"10 5.1 connect(3<TCP:[77]>, {four} = -1 EINPROGRESS (Operation now in progress)",
        f"10 5.2 connect(3<TCP:[77]>, {four} = -1 EPERM (Operation not permitted)",
        f"10 5.3 connect(3<TCP:[77]>, {four} = -1 ENETUNREACH (Network is unreachable)",
        f'10 5.4 sendto(4<UDPv6:[78]>, "\\x78", 1, 0, {six} = 1',
        f'10 5.5 sendto(4<TCP:[78]>, "\\x78", 1, MSG_FASTOPEN, {four} = 1',
        f'10 5.6 sendto(4<TCP:[78]>, "\\x78", 1, 0, {four} = 1',
        f"10 5.7 connect(5<UNIX-STREAM:[8]>, {{sa_family=AF_UNIX, sun_path={quoted('sa_family=AF_INET,')}}}, 9) = 0",
    )
    seen = [fact for fact in told if isinstance(fact, Connected)]
    assert seen == told
    assert [(fact.destination, fact.port, fact.type, fact.denied, fact.call) for fact in seen] == [
        ("169.254.169.254", 80, 1, False, "connect"),
        ("169.254.169.254", 80, 1, True, "connect"),
        ("2001:db8::1", 53, 2, False, "send"),
        ("169.254.169.254", 80, 1, False, "send"),
    ]


def test_a_thread_whose_maker_it_ends() -> None:
    told = facts(
        "10 5.1 clone3({flags=CLONE_VM|CLONE_THREAD} <unfinished ...>",
        f"12 5.2 execve({quoted('/bin/echo')}, [{quoted('echo')}], 0x7f <pid changed to 10 ...>",
        "10 5.3 +++ superseded by execve in pid 12 +++",
    )
    (fact,) = told
    assert isinstance(fact, Exec)
    assert (fact.pid, fact.binary) == (10, "/bin/echo")


def test_entering_a_namespace() -> None:
    assert facts("10 5.1 setns(3<\\x2f>, CLONE_NEWNS) = 0") == [Entered(5_100_000_000, 1, 10, 10, 3, 0)]


@given(st.text(st.characters(codec="utf-8"), max_size=80), st.text(st.characters(codec="utf-8"), max_size=80))
def test_no_text_of_a_process_is_anything_but_text(name: str, argument: str) -> None:
    line = f"10 5.1 execve({quoted(name)}, [{quoted('x')}, {quoted(argument)}], 0x1 /* 1 vars */) = 0"
    (fact,) = facts(line)
    assert isinstance(fact, Exec)
    assert (fact.binary, fact.arguments) == (name, (argument,))
    assert texts_in(quoted(name)) == [name]
    assert unhex(hexed(name)) == name


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_no_output_breaks_it(pieces: list[bytes]) -> None:
    parser = Parser(Clock(0))
    for piece in pieces:
        parser.feed(piece)
    parser.end()


WORDS = (
    "execve( openat( connect( sendto( clone( clone3( vfork( setns( chdir( fchdir( <unfinished ...> +++ = 0 = 12 = ? -1 < > [ ] "
    '"\\x41" AF_INET, sa_family=AF_INET, htons( resumed> <... exited with killed by SIGKILL superseded execve in pid ) , { } /*'
)


@given(st.lists(st.lists(st.sampled_from(WORDS.split(" ")), max_size=12), max_size=20), st.integers(1, 3))
def test_no_line_breaks_it(lines: list[list[str]], pid: int) -> None:
    parser = Parser(Clock(0))
    for number, words in enumerate(lines):
        parser.feed(f"{number % pid + 1} 5.{number} {' '.join(words)}\n".encode())
    parser.end()


def test_a_line_without_end_costs_no_memory() -> None:
    parser = Parser(Clock(0))
    for _ in range(40):
        parser.feed(b"x" * 100_000)
    assert parser.left_out == 1
    assert len(parser._rest) <= 1 << 20
    assert parser.feed(b"\n10 5.1 +++ exited with 0 +++\n") == [Exit(5_100_000_000, 0, 10, 10, 0)]


SCRIPT = r"""
import os, socket, threading
open('t.docker/config.json') if os.path.exists('t.docker/config.json') else None
os.chdir('.docker'); open('config.json').read()
threading.Thread(target=lambda: os.system('true; /bin/echo "a b"')).start()
"""


def test_a_real_run_without_root(tmp_path: Path) -> None:
    """strace is started by this test and nothing is wrapped but its own child."""
    if available()["strace"]:
        require_tier("strace", available()["strace"])
    fifo, output, pods = tmp_path / "fifo", tmp_path / "out.jsonl", tmp_path / "pods"
    os.mkfifo(fifo, 0o600)
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_text("{}")
    pods.write_text(
        json.dumps({"container_id": "ab" * 32, "cgroup": "pod", "pod": {"name": "p", "uid": "u"}}) + "\n"
    )
    command = [sys.executable, "-m", "eightysix.lab.kernel", "--mechanism", "strace", "--trace", str(fifo),
               "--output", str(output), "--pods", str(pods), "--place", "pod"]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": "src"}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, env=environment
    ) as sensor:
        assert sensor.stdout is not None
        assert json.loads(sensor.stdout.readline())["mechanism"] == "strace"
        done = subprocess.run(
            wrap([sys.executable, "-S", "-E", "-c", SCRIPT], fifo), cwd=tmp_path, capture_output=True, text=True, check=False
        )  # fmt: skip
        if any(word in done.stderr.lower() for word in ("ptrace", "setreuid")):  # refused, not failed
            sensor.communicate(timeout=30)
            require_tier("strace", done.stderr.strip().splitlines()[-1])
        assert (done.returncode, done.stdout) == (0, "a b\n")
        last = json.loads(sensor.communicate(timeout=30)[0])
    assert last["dropped_total"] == 0
    records: list[dict[str, Any]] = [json.loads(line) for line in output.read_bytes().splitlines()]
    starts = {
        record["process_exec"]["process"]["binary"]: record["process_exec"]
        for record in records
        if "process_exec" in record
    }
    echo = starts["/bin/echo"]
    assert echo["process"]["arguments"] == '"a b"'
    assert echo["process"]["pod"]["uid"] == "u"
    assert echo["parent"]["binary"].endswith("sh")
    files = [record["process_kprobe"] for record in records if "process_kprobe" in record]
    assert [probe["args"][0]["file_arg"]["path"] for probe in files] == [
        str(tmp_path / ".docker/config.json")
    ]
