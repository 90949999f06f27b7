"""Whatever is written, rotated, copied, compressed and killed: each line comes once, with its number."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eightysix.model.incident import Problem
from eightysix.serve.follow.files import Follower
from eightysix.serve.follow.position import Position
from eightysix.sources.decompress import Limits

LIMITS = Limits(block_bytes=512, record_bytes=4096)


class World:
    """A log with a writer that rotates it, and a follower that may die at any time."""

    def __init__(self, folder: str, *, named: bool) -> None:
        self.folder = Path(folder)
        self.log = self.folder / "tetragon.log"
        self.paths = [str(self.log if named else self.folder)]
        self.log.touch()
        self.generation = self.index = self.rotations = 0
        self.partial = b""
        self.copied: Path | None = None
        self.packed: Path | None = None
        self.backups: list[Path] = []
        self.written: list[tuple[int, int]] = []
        self.got: list[tuple[int, int]] = []
        self.committed: dict[str, Position] = {}
        self.committed_lines = 0
        self.problems: list[Problem] = []
        self.now = 0.0
        self.follower = self.start()
        self.poll(100)
        self.commit()

    def start(self) -> Follower:
        return Follower(self.paths, self.committed, LIMITS, self.problems.append, clock=lambda: self.now)

    # --- the writer

    def write(self, pad: int, *, whole: bool = True) -> None:
        self.finish_copy()
        line = self.partial
        if not line:
            text = {"g": self.generation, "n": self.index, "x": "x" * pad}
            line = json.dumps(text).encode() + b"\n"
            self.written.append((self.generation, self.index))
            self.index += 1
        cut = len(line) if whole else max(1, len(line) // 2)
        with self.log.open("ab") as file:
            file.write(line[:cut])
        self.partial = line[cut:]

    def end_line(self) -> None:
        if self.partial:
            self.write(0)

    def next_name(self, *, stamped: bool) -> Path:
        self.rotations += 1
        name = (
            f"tetragon-2026-11-23T08-00-00.{self.rotations:03}.log"
            if stamped
            else f"tetragon.log.{self.rotations}"
        )
        return self.folder / name

    def rename(self, *, stamped: bool) -> None:
        self.end_line()
        self.finish_copy()
        name = self.next_name(stamped=stamped)
        self.log.rename(name)
        self.backups.append(name)
        self.log.touch()
        self.generation, self.index = self.generation + 1, 0

    def copy(self) -> None:
        self.end_line()
        self.finish_copy()
        self.copied = self.next_name(stamped=False)
        shutil.copyfile(self.log, self.copied)
        self.backups.append(self.copied)

    def finish_copy(self) -> None:
        if self.copied is not None:
            os.truncate(self.log, 0)
            self.copied = None
            self.generation, self.index = self.generation + 1, 0

    def compress(self) -> None:
        self.finish_compression()
        if self.backups:
            self.packed = self.backups.pop(0)
            packed = self.packed.with_name(self.packed.name + ".gz")
            packed.write_bytes(gzip.compress(self.packed.read_bytes()))

    def finish_compression(self) -> None:
        if self.packed is not None:
            self.packed.unlink()
            self.packed = None

    # --- the follower

    def poll(self, budget: int, seconds: float = 0.1) -> None:
        self.now += seconds
        for block in self.follower.poll(budget):
            for number, line in enumerate(block.data.splitlines(), block.first_line):
                if line.strip():
                    record = json.loads(line)
                    assert record["n"] + 1 == number, "the line has the number that it has in its file"
                    self.got.append((record["g"], record["n"]))
            if block.newlines:
                assert [at for at, byte in enumerate(block.data) if byte == 10] == list(block.newlines)

    def commit(self) -> None:
        self.committed, self.committed_lines = self.follower.positions(), len(self.got)

    def kill(self) -> None:
        self.follower.close()
        del self.got[self.committed_lines :]
        self.follower = self.start()

    def end(self) -> None:
        self.end_line()
        self.finish_copy()
        self.finish_compression()
        for _ in range(40):
            self.poll(1 << 20, seconds=2.0)
        self.follower.close()


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, 700)),
        st.tuples(st.just("part"), st.integers(0, 700)),
        st.tuples(st.just("poll"), st.integers(1, 3000)),
        st.tuples(st.sampled_from(["commit", "kill", "rename", "stamp", "copy", "truncate", "compress", "unlink"]), st.just(0)),
    ),
    max_size=40,
)  # fmt: skip


def run(world: World, operations: list[tuple[str, int]]) -> None:
    for what, number in operations:
        match what:
            case "write":
                world.write(number)
            case "part":
                world.write(number, whole=False)
            case "poll":
                world.poll(number)
            case "commit":
                world.commit()
            case "kill":
                world.kill()
            case "rename" | "stamp":
                world.rename(stamped=what == "stamp")
            case "copy":
                world.copy()
            case "truncate":
                world.finish_copy()
            case "compress":
                world.compress()
            case "unlink":
                world.finish_compression()
    world.end()


@pytest.mark.parametrize("named", [True, False])
@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(operations=OPERATIONS)
def test_each_line_comes_once_with_its_number(named: bool, operations: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World(folder, named=named)
        run(world, operations)
        assert sorted(world.got) == world.written
        assert [problem.reason for problem in world.problems if "is gone" in problem.reason] == []


def test_a_copy_of_a_file_of_which_one_byte_was_read() -> None:
    # Found by the test above: the byte was the same after the file had been truncated and written anew.
    with tempfile.TemporaryDirectory() as folder:
        world = World(folder, named=True)
        run(world, [("write", 0), ("copy", 0), ("poll", 1), ("write", 0)])
        assert sorted(world.got) == world.written
