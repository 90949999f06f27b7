"""Standard input is followed line by line, whatever writes to it and however it ends."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from eightysix.model.incident import Problem
from eightysix.serve.follow.files import Follower
from eightysix.serve.follow.inputs import Inputs
from eightysix.serve.follow.notify import Wake
from eightysix.serve.follow.stdin import StdinFollower
from eightysix.sources.decompress import Limits


def ignore(problem: Problem) -> None:
    """Nothing that these tests do is a problem that they look at."""


class Pipe:
    """A pipe with a follower at its end."""

    def __init__(self) -> None:
        self.read, self.write = os.pipe()
        self.problems: list[Problem] = []
        self.follower = StdinFollower(self.read, Limits(), self.problems.append)

    def ended(self) -> bool:
        return self.follower.ended

    def lines(self, budget: int = 1 << 20) -> list[tuple[int, bytes]]:
        return [
            (number, line)
            for block in self.follower.poll(budget)
            for number, line in enumerate(block.data.splitlines(), block.first_line)
        ]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    os.close(made.read)


def test_lines_come_when_they_are_whole_and_the_rest_at_the_end(pipe: Pipe) -> None:
    assert pipe.lines() == []
    os.write(pipe.write, b'{"n":1}\n{"n"')
    assert pipe.lines() == [(1, b'{"n":1}')]
    os.write(pipe.write, b':2}\n{"n":3}')
    assert pipe.lines() == [(2, b'{"n":2}')]
    assert pipe.ended() is False
    os.close(pipe.write)
    assert pipe.lines() == [(3, b'{"n":3}')]
    assert pipe.ended()
    assert pipe.lines() == []
    assert pipe.problems == []


def test_a_budget_leaves_the_rest_in_the_pipe(pipe: Pipe) -> None:
    os.write(pipe.write, b'{"n":1}\n' * 10)
    assert len(pipe.lines(budget=16)) == 2
    assert pipe.follower.lag_bytes() == 64
    pipe.follower.wait(60)  # returns at once: there is more
    assert len(pipe.lines()) == 8
    os.close(pipe.write)


def test_a_wait_ends_when_something_comes_and_at_the_end(pipe: Pipe) -> None:
    threading.Thread(target=lambda: os.write(pipe.write, b"{}\n")).start()
    pipe.follower.wait(60)
    assert pipe.lines() == [(1, b"{}")]
    threading.Thread(target=lambda: os.close(pipe.write)).start()
    pipe.follower.wait(60)
    pipe.lines()
    assert pipe.follower.ended


def test_compressed_input_is_told(pipe: Pipe) -> None:
    os.write(pipe.write, gzip.compress(b"{}\n"))
    assert pipe.lines() == []
    assert pipe.follower.ended
    assert "gzip" in pipe.problems[0].reason
    os.close(pipe.write)


def test_the_descriptor_stays_blocking_for_its_other_owners(pipe: Pipe) -> None:
    pipe.lines()
    assert os.get_blocking(pipe.read)
    os.close(pipe.write)


def test_a_file_as_standard_input_is_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"{}\n" * 1000)
    with (tmp_path / "x").open("rb") as file:
        follower = StdinFollower(file.fileno(), Limits(block_bytes=100), ignore)
        found = b"".join(block.data for block in follower.poll(1 << 20))
    assert found == b"{}\n" * 1000
    assert follower.ended


def test_the_other_end_may_be_a_program_that_is_killed(pipe: Pipe) -> None:
    code = "import sys, time; print('{}', flush=True); time.sleep(600)"
    writer = subprocess.Popen([sys.executable, "-c", code], stdout=pipe.write)
    os.close(pipe.write)
    found: list[tuple[int, bytes]] = []
    while not found and not pipe.ended():  # it may write the newline by itself
        pipe.follower.wait(60)
        found = pipe.lines()
    assert found == [(1, b"{}")]
    writer.kill()
    writer.wait()
    pipe.follower.wait(60)
    pipe.lines()
    assert pipe.follower.ended


def test_files_and_standard_input_are_waited_for_together(pipe: Pipe, tmp_path: Path) -> None:
    wake = Wake()
    files = Follower([str(tmp_path)], {}, Limits(), ignore, wake=wake)
    inputs = Inputs(files, pipe.follower, wake)
    assert inputs.poll(100) == []
    os.write(pipe.write, b'{"n":1}\n')
    inputs.wait(60)
    assert [block.file for block in inputs.poll(100)] == ["-"]
    (tmp_path / "x.log").write_bytes(b'{"n":2}\n')
    inputs.wait(60)
    assert [Path(block.file).name for block in inputs.poll(100)] == ["x.log"]
    assert set(inputs.positions()) == {"-", "1"}
    os.close(pipe.write)
    inputs.poll(100)
    assert pipe.follower.ended
    assert not inputs.ended
    threading.Thread(target=wake.set).start()
    inputs.wait(60)
    inputs.close()
    # Positions of standard input are no files to go on with.
    with Follower([str(tmp_path)], inputs.positions(), Limits(), ignore) as again:
        assert again.poll(100) == []
    wake.close()
