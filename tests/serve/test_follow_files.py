"""Files that are followed: what rotation, truncation, rights and damage do to them, each case by itself."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eightysix.model.incident import Problem
from eightysix.serve.follow.files import GRACE_S, MAX_OPEN, REST_S, WHOLE_S, Follower
from eightysix.serve.follow.notify import Wake, Watcher
from eightysix.serve.follow.places import RELIST_S, is_rotated_name
from eightysix.serve.follow.position import Position
from eightysix.sources.decompress import Limits
from eightysix.sources.lines import Block, find_newlines
from tests.tiers import require_tier


def ignore(problem: Problem) -> None:
    """For tests that do not look at problems."""


class Scene:
    """A folder, a clock that stands still, and a follower."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "tetragon.log"
        self.now = 0.0
        self.problems: list[Problem] = []
        self.follower: Follower | None = None

    def follow(self, *paths: Path, positions: dict[str, Position] | None = None, **limits: int) -> Scene:
        self.end()
        self.follower = Follower(
            [str(path) for path in paths or (self.log,)],
            positions or {},
            Limits(**limits),
            self.problems.append,
            clock=lambda: self.now,
        )
        return self

    def again(self, *paths: Path) -> Scene:
        """Die and start anew from what was committed."""
        assert self.follower is not None
        return self.follow(*paths, positions=self.follower.positions())

    def poll(self, after: float = 0.1, budget: int = 1 << 20) -> list[tuple[str, int, bytes]]:
        """Lines with their file and number."""
        return lines(self.blocks(after, budget))

    def blocks(self, after: float = 0.1, budget: int = 1 << 20) -> list[Block]:
        assert self.follower is not None
        self.now += after
        return self.follower.poll(budget)

    def told(self) -> list[str]:
        """Reasons of the problems since the last time."""
        reasons = [problem.reason for problem in self.problems]
        self.problems.clear()
        return reasons

    def end(self) -> None:
        if self.follower is not None:
            self.follower.close()


def lines(blocks: list[Block]) -> list[tuple[str, int, bytes]]:
    return [
        (Path(block.file).name, number, line)
        for block in blocks
        for number, line in enumerate(block.data.splitlines(), block.first_line)
        if line.strip()
    ]


def add(path: Path, *records: str, end: str = "\n") -> None:
    with path.open("a") as file:
        file.write("".join(record + end for record in records))


def record(text: object, pad: int = 0) -> str:
    return f'{{"n":"{text}","x":"{"x" * pad}"}}'


def encoded(*texts: object, pad: int = 0) -> list[bytes]:
    return [record(text, pad).encode() for text in texts]


def data(found: list[tuple[str, int, bytes]]) -> list[bytes]:
    return [line for _, _, line in found]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    yield made
    made.end()


# --- lines


def test_a_line_is_given_out_when_it_is_whole(scene: Scene) -> None:
    add(scene.log, record(1), '{"n":', end="")
    scene.log.write_bytes(b'{"n":1}\n{"n":')
    scene.follow()
    assert scene.poll() == [("tetragon.log", 1, b'{"n":1}')]
    assert scene.poll() == []
    add(scene.log, "2}", '{"n":3}')
    blocks = scene.blocks()
    assert lines(blocks) == [("tetragon.log", 2, b'{"n":2}'), ("tetragon.log", 3, b'{"n":3}')]
    assert [list(block.newlines) for block in blocks] == [find_newlines(block.data) for block in blocks]


def test_a_line_over_the_limit_is_told_once_and_left_out_also_over_a_restart(scene: Scene) -> None:
    scene.log.write_bytes(b'{"n":1}\n{"n":"' + b"x" * 300)
    scene.follow(record_bytes=100)
    assert scene.poll() == [("tetragon.log", 1, b'{"n":1}')]
    assert [(problem.line, problem.kind) for problem in scene.problems] == [(2, "oversized")]
    assert scene.follower is not None
    scene.follow(positions=scene.follower.positions(), record_bytes=100)
    add(scene.log, 'xxx"}', '{"n":3}')
    assert scene.poll() == [("tetragon.log", 3, b'{"n":3}')]
    assert len(scene.problems) == 1


def test_crlf_a_mark_and_empty_lines_keep_the_numbers_right(scene: Scene) -> None:
    scene.log.write_bytes(b'\xef\xbb\xbf{"n":1}\r\n\r\n{"n":3}\r\n')
    scene.follow()
    assert scene.poll() == [("tetragon.log", 1, b'{"n":1}'), ("tetragon.log", 3, b'{"n":3}')]


def test_a_record_without_newline_is_given_out_when_nobody_goes_on_writing(scene: Scene) -> None:
    scene.log.write_bytes(b'{"n":1}')
    scene.follow()
    assert scene.poll() == []
    assert scene.poll(WHOLE_S) == [("tetragon.log", 1, b'{"n":1}')]
    scene.again()
    add(scene.log, "", '{"n":2}')
    assert scene.poll() == [("tetragon.log", 2, b'{"n":2}')]


def test_half_a_record_waits_for_ever_in_the_file_in_use_and_ends_in_a_rotated_one(scene: Scene) -> None:
    scene.log.write_bytes(b'{"n":')
    scene.follow()
    assert scene.poll() == []
    assert scene.poll(1000) == []
    scene.log.rename(scene.folder / "tetragon.log.1")
    assert scene.poll(REST_S) == [("tetragon.log", 1, b'{"n":')]  # its decoder says that it is malformed


def test_records_over_several_lines_are_named_as_what_they_are(scene: Scene) -> None:
    scene.log.write_text('{\n  "n": 1\n}\n')
    scene.follow().poll()
    assert "only JSON Lines can be followed" in scene.told()[0]


@pytest.mark.parametrize(
    ("start", "name"), [(b"PK\x03\x04abc", "zip"), ('{"a":1}\n'.encode("utf-16"), "UTF-16")]
)
def test_what_is_no_text_is_told_and_left_alone(scene: Scene, start: bytes, name: str) -> None:
    scene.log.write_bytes(start)
    scene.follow()
    assert scene.poll() == []
    add(scene.log, record(1))
    assert scene.poll() == []
    (reason,) = scene.told()
    assert name in reason


# --- rotation


def test_the_rest_of_the_old_file_comes_before_the_new_one(scene: Scene) -> None:
    add(scene.log, record(1))
    assert data(scene.follow().poll()) == encoded(1)
    add(scene.log, record(2, 600), record(3))
    scene.log.rename(scene.folder / "tetragon-2026-11-23T08-20-31.123.log")
    add(scene.log, record(4))
    found = [line for _ in range(8) for line in scene.poll(budget=200)]
    assert data(found) == [*encoded(2, pad=600), *encoded(3, 4)]
    assert [number for _, number, _ in found] == [2, 3, 1]
    assert scene.told() == []


def test_rotated_while_nobody_followed_also_twice(scene: Scene) -> None:
    add(scene.log, record(1))
    scene.follow().poll()
    add(scene.log, record(2))
    scene.log.rename(scene.folder / "tetragon.log.2")
    add(scene.log, record(3))
    scene.log.rename(scene.folder / "tetragon.log.1")
    add(scene.log, record(4))
    assert data(scene.again().poll()) == encoded(2, 3, 4)
    assert scene.told() == []


def test_what_was_rotated_before_the_first_start_is_history_of_a_named_file(scene: Scene) -> None:
    add(scene.folder / "tetragon.log.1", record(0))
    (scene.folder / "tetragon.log.2.gz").write_bytes(gzip.compress(record("older").encode() + b"\n"))
    add(scene.log, record(1))
    assert data(scene.follow().poll()) == encoded(1)
    # Compressed and moved on later, it is still history.
    (scene.folder / "tetragon.log.3.gz").write_bytes(
        gzip.compress((scene.folder / "tetragon.log.1").read_bytes())
    )
    (scene.folder / "tetragon.log.1").unlink()
    assert scene.poll(GRACE_S) == []
    assert scene.poll(GRACE_S) == []
    assert scene.again().poll() == []


def test_a_named_folder_is_read_whole_the_oldest_first(scene: Scene) -> None:
    for age, name in enumerate(["tetragon.log", "tetragon-2.log", "deep/er/x.json"]):
        path = scene.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        add(path, record(age))
        os.utime(path, (1000 - age, 1000 - age))
    (scene.folder / "old.log.gz").write_bytes(gzip.compress(record("packed").encode() + b"\n"))
    os.utime(scene.folder / "old.log.gz", (1, 1))
    assert data(scene.follow(scene.folder).poll()) == encoded("packed", 2, 1, 0)
    late = scene.folder / "deep" / "late.log"
    add(late, record("late"))
    assert data(scene.poll()) == encoded("late")


def test_a_compressed_backup_of_what_was_read_is_not_read_again(scene: Scene) -> None:
    add(scene.log, record(1, 2000), record(2))
    scene.follow().poll()
    backup = scene.folder / "tetragon.log.1"
    scene.log.rename(backup)
    add(scene.log, record(3))
    packed = scene.folder / "tetragon.log.1.gz"
    packed.write_bytes(gzip.compress(backup.read_bytes()))
    assert data(scene.poll()) == encoded(3)
    backup.unlink()
    assert [scene.poll(GRACE_S) for _ in range(3)] == [[], [], []]
    assert scene.again().poll() == []
    assert scene.told() == []


def test_what_was_not_read_before_it_was_compressed_is_read_from_there(scene: Scene) -> None:
    add(scene.log, record(1, 2000))
    scene.follow().poll()
    add(scene.log, record(2))
    packed = scene.folder / "tetragon-2026-11-23T08-00-00.000.log.gz"
    packed.write_bytes(gzip.compress(scene.log.read_bytes()))
    scene.log.unlink()
    add(scene.log, record(3))
    found = scene.again().poll()
    assert sorted(data(found)) == sorted(encoded(2, 3))
    assert ("tetragon-2026-11-23T08-00-00.000.log.gz", 2, *encoded(2)) in found
    assert scene.told() == []


def test_a_compressed_file_that_is_still_being_written_is_read_as_far_as_it_goes(scene: Scene) -> None:
    whole = gzip.compress(b"".join(line + b"\n" for line in encoded(*range(2000))))
    path = scene.folder / "x.gz"
    path.write_bytes(whole[: len(whole) // 2])
    scene.follow(scene.folder)
    found = data(scene.poll())
    assert 0 < len(found) < 2000
    assert "end early" in scene.told()[0]
    assert scene.poll() == []
    path.write_bytes(whole)
    found += data(scene.poll())
    assert found == encoded(*range(2000))


# --- truncation and deletion


def test_copytruncate_loses_nothing_that_was_copied_and_says_what_may_be_lost(scene: Scene) -> None:
    add(scene.log, record(1))
    scene.follow().poll()
    add(scene.log, record(2))
    shutil.copyfile(scene.log, scene.folder / "tetragon.log.1")
    assert data(scene.poll()) == encoded(2)
    add(scene.folder / "tetragon.log.1", record("2b"))  # what the copy caught and we had not read
    scene.log.write_text(record(3) + "\n")
    assert sorted(data(scene.poll())) == sorted(encoded("2b", 3))
    (reason,) = scene.told()
    assert "had been copied" in reason


def test_truncation_is_told_with_the_place_where_reading_stood(scene: Scene) -> None:
    add(scene.log, record(1), record(2))
    scene.follow().poll()
    scene.log.write_text(record(3) + "\n")
    assert scene.poll() == [("tetragon.log", 1, *encoded(3))]
    (problem,) = scene.problems
    assert (problem.line, problem.kind) == (3, "unreadable")
    assert "reading begins again" in problem.reason


def test_truncated_and_grown_beyond_where_reading_stood(scene: Scene) -> None:
    add(scene.log, record(1, 3000), record(2))
    scene.follow().poll()
    scene.log.write_text(
        record(1, 3000) + "\n" + record("B") + "\n" + record("C", 50) + "\n"
    )  # the same head
    assert data(scene.poll()) == [*encoded(1, pad=3000), *encoded("B"), *encoded("C", pad=50)]
    assert len(scene.told()) == 1


def test_truncated_while_nobody_followed(scene: Scene) -> None:
    add(scene.log, record(1), record(2))
    scene.follow().poll()
    scene.log.write_text(record(3) + "\n" + record(4) + "\n" + record(5) + "\n")
    assert data(scene.again().poll()) == encoded(3, 4, 5)
    assert "truncated or replaced" in scene.told()[0]


def test_a_hole_of_zeros_under_a_writer_that_goes_on_at_its_old_place(scene: Scene) -> None:
    with scene.log.open("wb", buffering=0) as writer:
        writer.write(record(1).encode() + b"\n")
        scene.follow().poll()
        os.truncate(scene.log, 0)
        writer.write(record(2).encode() + b"\n")
        assert data(scene.poll()) == encoded(2)


def test_a_deleted_file_is_read_to_its_end_and_let_go(scene: Scene) -> None:
    add(scene.log, record(1))
    scene.follow().poll()
    with scene.log.open("a") as writer:
        scene.log.unlink()
        writer.write(record(2) + "\n")
        writer.flush()
        assert data(scene.poll()) == encoded(2)
        writer.write(record(3) + "\n")
        writer.flush()
        assert data(scene.poll(GRACE_S)) == encoded(3)
    assert scene.poll(GRACE_S + 1) == []
    assert not [path for path in map(os.path.realpath, list_descriptors()) if path.startswith(str(scene.log))]
    add(scene.log, record(4))
    assert scene.poll() == [("tetragon.log", 1, *encoded(4))]
    assert scene.told() == ["is not there: waiting for it"]  # it was not, for longer than a rotation takes


def list_descriptors() -> list[str]:
    return [path for name in os.listdir("/proc/self/fd") if os.path.lexists(path := f"/proc/self/fd/{name}")]


def test_a_file_that_vanished_while_nobody_followed_is_told_unless_all_was_read_before(scene: Scene) -> None:
    add(scene.log, record(1))
    scene.follow().poll()
    scene.log.unlink()
    add(scene.log, record(2))
    assert data(scene.again().poll()) == encoded(2)
    reasons = scene.told()
    assert len(reasons) == 1
    assert "lost" in reasons[0]
    assert data(scene.again().poll()) == []
    assert scene.told() == []


def test_a_backup_that_was_read_and_quiet_may_go_while_nobody_follows(scene: Scene) -> None:
    add(scene.log, record(1))
    scene.follow().poll()
    backup = scene.folder / "tetragon.log.1"
    scene.log.rename(backup)
    add(scene.log, record(2))
    assert data(scene.poll()) == encoded(2)
    assert scene.poll(100) == []
    assert scene.follower is not None
    positions = scene.follower.positions()
    backup.unlink()
    assert scene.follow(positions=positions).poll() == []
    assert scene.told() == []


def test_a_backup_that_somebody_writes_to_again_is_read_on(scene: Scene) -> None:
    add(scene.log, record(1))
    scene.follow().poll()
    backup = scene.folder / "tetragon.log.1"
    scene.log.rename(backup)
    assert scene.poll(100) == []
    add(backup, record(2))
    assert scene.poll(2) == [("tetragon.log", 2, *encoded(2))]


def test_an_inode_that_is_used_again_is_another_file(scene: Scene) -> None:
    add(scene.log, record(1, 100))
    scene.follow().poll()
    positions = scene.follower.positions() if scene.follower else {}
    add(scene.folder / "other.log", record(2, 100))
    status = os.stat(scene.folder / "other.log")
    scene.log.unlink()
    (scene.folder / "other.log").rename(scene.log)
    reused = {
        key: Position(
            **{name: getattr(told, name) for name in told.__struct_fields__} | {"ino": status.st_ino}
        )
        for key, told in positions.items()
    }
    assert data(scene.follow(positions=reused).poll()) == encoded(2, pad=100)


# --- places


def test_what_is_not_there_yet_is_waited_for(scene: Scene) -> None:
    scene.follow()
    assert scene.poll() == []
    assert "waiting" in scene.told()[0]
    add(scene.log, record(1))
    assert data(scene.poll()) == encoded(1)


def test_a_link_that_is_swapped_as_a_config_map_swaps_it(scene: Scene) -> None:
    for version in ("..1", "..2"):
        (scene.folder / "map" / version).mkdir(parents=True)
        add(scene.folder / "map" / version / "x.jsonl", record(version))
    data_link = scene.folder / "map" / "..data"
    data_link.symlink_to("..1")
    (scene.folder / "map" / "x.jsonl").symlink_to("..data/x.jsonl")
    scene.follow(scene.folder / "map" / "x.jsonl")
    assert data(scene.poll()) == encoded("..1")
    swapped = scene.folder / "map" / "..data_tmp"
    swapped.symlink_to("..2")
    swapped.rename(data_link)
    shutil.rmtree(scene.folder / "map" / "..1")
    assert data(scene.poll()) == encoded("..2")


@pytest.fixture
def unprivileged() -> Iterator[Scene]:
    """A scene of a user whom rights bind, in a folder that this user may enter."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)  # noqa: S103 - it must be listed
        made = Scene(Path(folder))
        root = os.geteuid() == 0
        if root:
            os.seteuid(65534)
        try:
            yield made
        finally:
            if root:
                os.seteuid(0)
            made.end()


def test_a_folder_with_links_to_folders(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    add(elsewhere / "x.log", record("elsewhere"))
    (scene.folder / "link").symlink_to(elsewhere)
    (scene.folder / "x.log").symlink_to(elsewhere / "x.log")
    (scene.folder / "..1").mkdir()
    add(scene.folder / "..1" / "y.log", record("y"))
    (scene.folder / "..data").symlink_to("..1")
    (scene.folder / "y.log").symlink_to("..data/y.log")
    assert sorted(data(scene.follow(scene.folder).poll())) == sorted(encoded("elsewhere", "y"))
    assert [Path(problem.file).name for problem in scene.problems] == ["link"]


def test_a_file_without_rights_is_told_once_and_read_later(tmp_path: Path, unprivileged: Scene) -> None:
    scene = unprivileged
    user = os.geteuid()
    if user == 65534:
        os.seteuid(0)
    add(scene.log, record(1))
    os.chmod(scene.log, 0)
    os.seteuid(user)
    scene.follow()
    assert scene.poll() == []
    assert scene.poll(RELIST_S) == []
    assert len(scene.told()) == 1
    if user == 65534:
        os.seteuid(0)
    os.chmod(scene.log, 0o644)
    os.seteuid(user)
    assert data(scene.poll(RELIST_S)) == encoded(1)


def test_a_pipe_under_a_followed_name_never_blocks(scene: Scene) -> None:
    os.mkfifo(scene.log)
    scene.follow()
    assert scene.poll() == []
    assert "standard input" in scene.told()[0]


def test_more_files_than_are_held_open(scene: Scene) -> None:
    paths = [scene.folder / f"{number}.log" for number in range(MAX_OPEN + 40)]
    for number, path in enumerate(paths):
        add(path, record(number))
    before = len(list_descriptors())
    scene.follow(scene.folder)
    assert sorted(data(scene.poll())) == sorted(encoded(*range(len(paths))))
    assert scene.poll() == []
    assert len(list_descriptors()) - before <= MAX_OPEN + 10
    for number, path in enumerate(paths):
        add(path, record(f"{number}+"))
    assert len(scene.poll()) == len(paths)


def test_a_copy_beside_its_original_is_read_once_and_its_own_lines_when_it_differs(scene: Scene) -> None:
    add(scene.folder / "a.log", record(1), record(2))
    shutil.copyfile(scene.folder / "a.log", scene.folder / "b.log")
    scene.follow(scene.folder)
    assert data(scene.poll()) == encoded(1, 2)
    add(scene.folder / "b.log", record("b"))
    assert data(scene.poll()) == encoded(1, 2, "b")  # it is a file of its own, and so is what it begins with


@pytest.mark.parametrize(
    "other",
    [
        "tetragon.log.1", "tetragon.log.12.gz", "tetragon.log-20261123", "tetragon.log.old", "tetragon.log-20261123.zst",
        "tetragon-2026-11-23T08-20-31.123.log", "tetragon-2026-11-23T08-20-31.123.log.gz", "tetragon.1.log",
    ],
)  # fmt: skip
def test_names_that_rotation_gives(other: str) -> None:
    assert is_rotated_name("tetragon.log", other)


@pytest.mark.parametrize(
    "other",
    [
        "tetragon.log",
        "tetragon-audit.log",
        "tetragon.log.gz",
        "tetragon.logs.1",
        "x-1.log",
        "tetragon.log.bak1",
    ],
)
def test_names_that_it_does_not(other: str) -> None:
    assert not is_rotated_name("tetragon.log", other)


# --- lag and waiting


def test_lag_is_what_was_not_read(scene: Scene) -> None:
    scene.log.write_bytes(b'{"n":1}\n' * 100)
    scene.follow()
    scene.poll(budget=80)
    assert scene.follower is not None
    assert scene.follower.lag_bytes() == 720
    assert scene.follower.lags() == {str(scene.log): 720}
    scene.poll()
    assert scene.follower.lag_bytes() == 0


@pytest.fixture(params=[True, False], ids=["inotify", "polling"])
def live(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Follower, Path]]:
    with Follower([str(tmp_path / "x.log")], {}, Limits(), ignore, inotify=request.param) as follower:
        yield follower, tmp_path / "x.log"


def until(follower: Follower, enough: Callable[[list[bytes]], bool]) -> list[bytes]:
    """What comes until it is enough, with an end far beyond what a healthy run takes."""
    found: list[bytes] = []
    deadline = time.monotonic() + 30
    while not enough(found) and time.monotonic() < deadline:
        follower.wait(10)
        found += data(lines(follower.poll(1 << 20)))
    return found


def test_a_wait_ends_when_something_is_written_made_or_renamed(live: tuple[Follower, Path]) -> None:
    follower, path = live
    follower.poll(1)
    writer = threading.Thread(target=lambda: add(path, record(1)))
    writer.start()
    assert until(follower, bool) == encoded(1)
    writer.join()
    add(path, record(2))
    assert until(follower, bool) == encoded(2)
    path.rename(path.with_name("x.log.1"))
    add(path, record(3))
    assert until(follower, bool) == encoded(3)


def test_a_wait_ends_when_it_is_woken(tmp_path: Path) -> None:
    wake = Wake()
    with Follower([str(tmp_path)], {}, Limits(), ignore, wake=wake) as follower:
        follower.poll(1)
        begun = time.monotonic()
        threading.Thread(target=wake.set).start()
        follower.wait(60)
        assert time.monotonic() - begun < 30
    wake.close()


def test_inotify_is_not_believed_any_more_after_writes_that_it_missed() -> None:
    watcher = Watcher()
    if not watcher.believed:
        require_tier("inotify", "this system has none")
    believed = []
    for _ in range(3):
        watcher.missed()
        believed.append(watcher.believed)
    assert believed == [True, True, False]
    watcher.close()


@pytest.mark.parametrize("rotation", ["rename", "copytruncate"])
def test_a_fast_writer_and_a_follower_that_is_killed_again_and_again(tmp_path: Path, rotation: str) -> None:
    """Two processes, no agreement between them but the files: nothing is lost and nothing comes twice."""
    logs, out, state = tmp_path / "logs", tmp_path / "out", tmp_path / "state"
    logs.mkdir()
    (logs / "x.log").touch()
    out.touch()
    writer = subprocess.Popen([sys.executable, "-c", WRITER, logs, rotation])
    rounds = 0
    while writer.poll() is None:
        rounds += 1
        follower = start_follower(logs, out, state)
        assert follower.stdout is not None
        for _ in range(3):
            follower.stdout.readline()  # it came round
        follower.kill()
        follower.wait()
        follower.stdout.close()
    follower = start_follower(logs, out, state, "end")
    follower.communicate(timeout=60)
    numbers = [int(line[5 : line.index(b",")]) for line in out.read_bytes().splitlines()]
    assert sorted(numbers) == list(range(4000))
    assert rounds > 1


def start_follower(logs: Path, out: Path, state: Path, end: str = "") -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", FOLLOWER, logs, out, state, end], stdout=subprocess.PIPE)


WRITER = """
import gzip, os, shutil, sys, time
folder, rotation = sys.argv[1:]
path, size, backups = folder + "/x.log", 0, []
for number in range(4000):
    line = b'{"n":%d,"x":"%s"}\\n' % (number, b"x" * (number * 7919 % 900))
    with open(path, "ab", buffering=0) as file:
        file.write(line[:9])
        file.write(line[9:])
    size += len(line)
    if number % 10 == 0:
        time.sleep(0.003)  # what a node does between two bursts
    if size > 60_000:
        size = 0
        backup = f"{folder}/x.log.{number}"
        if rotation == "rename":
            os.rename(path, backup)
            backups.append(backup)
            if len(backups) > 2:
                old = backups.pop(0)
                with open(old, "rb") as source, gzip.open(old + ".gz", "wb") as target:
                    shutil.copyfileobj(source, target, 4096)
                os.unlink(old)
        else:
            shutil.copyfile(path, backup)
            os.truncate(path, 0)
"""

FOLLOWER = """
import os, sys, time
import msgspec
from eightysix.serve.follow.files import Follower
from eightysix.serve.follow.position import Position
from eightysix.sources.decompress import Limits
logs, out, state, end = sys.argv[1:]
positions, size = {}, 0
if os.path.exists(state):
    with open(state, "rb") as file:
        size, positions = msgspec.msgpack.decode(file.read(), type=tuple[int, dict[str, Position]])
os.truncate(out, size)
follower = Follower([logs], positions, Limits(), lambda problem: None)
last = time.monotonic()
while not end or time.monotonic() - last < 2:
    follower.wait(0.05)
    blocks = follower.poll(20_000)
    with open(out, "ab") as file:
        for block in blocks:
            file.write(block.data)
            last = time.monotonic()
        size = file.tell()
    if blocks:
        with open(state + ".new", "wb") as file:
            file.write(msgspec.msgpack.encode((size, follower.positions())))
        os.replace(state + ".new", state)
        with open(out, "ab") as file:
            file.write(b"never committed")
        os.truncate(out, size)
    print(len(blocks), flush=True)
"""
