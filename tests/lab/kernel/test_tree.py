"""The tree: who started whom, in bounded memory, whatever order and damage facts come in."""

from __future__ import annotations

import base64

from hypothesis import given
from hypothesis import strategies as st

from eightysix.lab.kernel.facts import Exec, Fork
from eightysix.lab.kernel.tree import Process, Tree

HOST, CONTAINER = 1, 2


def tree(most: int = 100) -> Tree:
    return Tree("node", frozenset({HOST}), most=most)


def starts(
    pid: int, at: int, ppid: int = 0, mnt: int = CONTAINER, ns_pid: int = 7, binary: str = "/bin/sh"
) -> Exec:
    return Exec(
        at=at, cgroup=5, pid=pid, tid=pid, uid=0, ppid=ppid, binary=binary, arguments=(), cwd="/", ns_pid=ns_pid, mnt=mnt
    )  # fmt: skip


def forks(pid: int, child: int, at: int) -> Fork:
    return Fork(at, 5, pid, child, pid, 8)


def parent_of(found: Tree, process: Process) -> Process:
    parent = found.parent(process)
    assert parent is not None
    return parent


def test_the_id_of_a_process_is_tetragons() -> None:
    process = tree().started(starts(10, 123))
    assert base64.b64decode(process.exec_id) == b"node:123:10"


def test_a_shell_starts_a_program() -> None:
    found = tree()
    shell = found.started(starts(10, 1))
    found.forked(forks(10, 11, 2))
    program = found.started(starts(11, 3, ppid=10))
    assert parent_of(found, program) is shell
    assert "clone" in program.flags.split()


def test_a_subshell_without_a_program_is_a_link() -> None:
    found = tree()
    shell = found.started(starts(10, 1, binary="/bin/sh"))
    subshell = found.forked(forks(10, 11, 2))
    found.forked(forks(11, 12, 3))
    program = found.started(starts(12, 4, ppid=11, binary="/bin/cat"))
    assert parent_of(found, program) is subshell
    assert parent_of(found, subshell) is shell
    assert (subshell.binary, subshell.flags) == ("/bin/sh", "clone")


def test_the_parent_is_who_forked_also_when_it_ended_first() -> None:
    found = tree()
    found.started(starts(1, 1, ns_pid=1))
    shell = found.started(starts(10, 2, ppid=1))
    found.forked(forks(10, 11, 3))
    assert found.ended(10) is shell
    program = found.started(starts(11, 4, ppid=1))  # the kernel says 1 by now
    assert parent_of(found, program) is shell


def test_a_process_that_replaces_its_program_keeps_its_parent() -> None:
    found = tree()
    shell = found.started(starts(10, 1))
    found.forked(forks(10, 11, 2))
    first = found.started(starts(11, 3))
    second = found.started(starts(11, 4))
    assert first.exec_id != second.exec_id
    assert parent_of(found, second) is shell


def test_a_reused_id_is_another_process() -> None:
    found = tree()
    shell = found.started(starts(10, 1))
    found.forked(forks(10, 11, 2))
    first = found.started(starts(11, 3))
    found.ended(11)
    other = found.started(starts(20, 4))
    found.forked(forks(20, 11, 5))
    second = found.started(starts(11, 6))
    assert parent_of(found, first) is shell
    assert parent_of(found, second) is other


def test_runtime_container_and_what_leaves_it() -> None:
    found = tree()
    runtime = found.started(starts(10, 1, mnt=HOST))
    found.forked(forks(10, 11, 2))
    first = found.started(starts(11, 3, ns_pid=1))
    found.forked(forks(10, 12, 4))
    sent_in = found.started(starts(12, 5, ns_pid=9))
    found.forked(forks(12, 13, 6))
    escaped = found.started(starts(13, 7, mnt=HOST))
    assert [one.inside for one in (runtime, first, sent_in, escaped)] == [False, True, True, True]
    assert [one.init for one in (runtime, first, sent_in, escaped)] == [None, True, False, False]


steps = st.lists(
    st.tuples(st.sampled_from(["exec", "fork", "end"]), st.integers(1, 12), st.integers(1, 12)), max_size=120
)


@given(steps, st.integers(1, 10))
def test_it_never_grows_beyond_its_bound(given_steps: list[tuple[str, int, int]], most: int) -> None:
    found = tree(most)
    for at, (what, one, other) in enumerate(given_steps):
        if what == "exec":
            process = found.started(starts(one, at, ppid=other))
            assert found.get(one) is process
        elif what == "fork":
            found.forked(forks(one, other, at))
        else:
            found.ended(one)
            assert found.get(one) is None
        assert len(found) <= most
        assert sum(found.get(pid) is not None for pid in range(13)) <= most


@given(steps)
def test_parents_are_no_cycle(given_steps: list[tuple[str, int, int]]) -> None:
    found = tree(1000)
    for at, (what, one, other) in enumerate(given_steps):
        if what == "exec":
            found.started(starts(one, at, ppid=other))
        elif what == "fork" and one != other:
            found.forked(forks(one, other, at))
        else:
            found.ended(one)
    for pid in range(13):
        process = found.get(pid)
        seen: set[str] = set()
        while process is not None:
            assert process.exec_id not in seen
            seen.add(process.exec_id)
            process = found.parent(process)
