"""What the spool took is on the disk until it was read and committed, and its disk is bounded."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from eightysix.model.incident import Problem
from eightysix.serve.follow.files import Follower
from eightysix.serve.follow.position import Position
from eightysix.serve.spool import Spool, SpoolFullError
from eightysix.sources.decompress import Limits


def ignore(problem: Problem) -> None:
    """Nothing that these tests do is a problem that they look at."""


def follow(folder: Path, positions: dict[str, Position] | None = None) -> Follower:
    return Follower([str(folder)], positions or {}, Limits(), ignore)


def read(follower: Follower) -> list[bytes]:
    return [line for block in follower.poll(1 << 24) for line in block.data.splitlines()]


def spool(folder: Path, **bounds: int) -> Spool:
    return Spool(str(folder), **{"min_free_bytes": 0, **bounds})  # type: ignore[arg-type]


def test_what_was_taken_is_followed_and_goes_when_it_was_committed(tmp_path: Path) -> None:
    with spool(tmp_path, segment_bytes=20) as made, follow(tmp_path) as follower:
        made.append(b'{"n":1}\n{"n":2}\n')
        made.append(b'{"n":3}\n')
        committed = follower.positions()
        assert read(follower) == [b'{"n":1}', b'{"n":2}', b'{"n":3}']
        assert made.release(committed) == 0  # read, but not committed
        assert made.release(follower.positions()) == 1  # the second one is in use
        assert made.size_bytes == 8
        made.append(b'{"n":4}\n')
        assert read(follower) == [b'{"n":4}']


def test_segments_are_for_their_owner_alone(tmp_path: Path) -> None:
    with spool(tmp_path / "spool") as made:
        made.append(b"{}\n")
    assert os.stat(tmp_path / "spool").st_mode & 0o077 == 0
    assert [os.stat(path).st_mode & 0o777 for path in (tmp_path / "spool").iterdir()] == [0o600]


def test_segments_that_were_deleted_are_no_loss_for_the_next_start(tmp_path: Path) -> None:
    problems: list[Problem] = []
    with spool(tmp_path, segment_bytes=8) as made, follow(tmp_path) as follower:
        made.append(b'{"n":1}\n')
        made.append(b'{"n":2}\n')
        assert len(read(follower)) == 2
        committed = follower.positions()
        assert made.release(committed) == 1
    for consumed, told in (([str(tmp_path)], 0), ([], 1)):
        again = Follower([str(tmp_path)], committed, Limits(), problems.append, consumed=consumed)
        with again:
            assert read(again) == []
        assert len(problems) == told


def test_a_full_spool_refuses_and_takes_again_when_there_is_room(tmp_path: Path) -> None:
    with spool(tmp_path, max_bytes=24, segment_bytes=8) as made, follow(tmp_path) as follower:
        for number in range(3):
            made.append(b'{"n":%d}\n' % number)
        with pytest.raises(SpoolFullError, match="full"):
            made.append(b'{"n":9}\n')
        assert made.refused == 1
        assert len(read(follower)) == 3
        assert made.release(follower.positions()) == 2
        made.append(b'{"n":4}\n')
        assert read(follower) == [b'{"n":4}']


def test_a_disk_that_is_nearly_full_is_left_to_the_state(tmp_path: Path) -> None:
    with spool(tmp_path, min_free_bytes=1 << 60) as made, pytest.raises(SpoolFullError, match="nearly full"):
        made.append(b"{}\n")


def test_a_write_that_fails_half_way_leaves_the_rest_readable(tmp_path: Path) -> None:
    # A file size limit is the one full disk that a test can make without a file system of its own.
    code = """
import resource, signal, sys
from eightysix.serve.spool import Spool, SpoolFullError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
spool = Spool(sys.argv[1], min_free_bytes=0)
spool.append(b'{"n":1}\\n')
resource.setrlimit(resource.RLIMIT_FSIZE, (12, resource.RLIM_INFINITY))
try:
    spool.append(b'{"n":2}\\n')
except SpoolFullError as error:
    print(error.what)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
spool.append(b'{"n":3}\\n')
"""
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert "cannot be written" in done.stdout
    assert sorted(path.stat().st_size for path in tmp_path.iterdir()) == [8, 12]
    with follow(tmp_path) as follower, spool(tmp_path) as made:
        assert read(follower) == [b'{"n":1}', b'{"n":3}']
        assert made.release(follower.positions()) == 2  # also the one that ends in half a line
        assert made.size_bytes == 0


def test_what_was_taken_survives_kill_9(tmp_path: Path) -> None:
    code = """
import sys
from eightysix.serve.spool import Spool
spool = Spool(sys.argv[1], segment_bytes=400, min_free_bytes=0)
for number in range(10**9):
    spool.append(b'{"n":%d}\\n' % number)
    print(number, flush=True)
"""
    writer = subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    acknowledged = [int(writer.stdout.readline()) for _ in range(100)]
    writer.send_signal(signal.SIGKILL)
    acknowledged += [int(line) for line in writer.stdout.read().splitlines() if line]
    writer.wait()
    writer.stdout.close()
    with follow(tmp_path) as follower:
        found = [int(line[5:-1]) for line in read(follower)]
    assert found == list(range(len(found)))
    assert len(found) >= len(acknowledged)


def test_a_restart_goes_on_in_a_new_segment(tmp_path: Path) -> None:
    with spool(tmp_path) as made:
        made.append(b'{"n":1}\n')
    with spool(tmp_path) as made, follow(tmp_path) as follower:
        assert made.size_bytes == 8
        made.append(b'{"n":2}\n')
        assert read(follower) == [b'{"n":1}', b'{"n":2}']
        assert made.release(follower.positions()) == 1


def test_many_threads_append_whole_lines(tmp_path: Path) -> None:
    with spool(tmp_path, segment_bytes=500) as made:

        def work(worker: int) -> None:
            for number in range(25):
                made.append(b'{"w":%d,"n":%d}\n{"w":%d,"second":%d}\n' % (worker, number, worker, number))

        threads = [threading.Thread(target=work, args=(worker,)) for worker in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with follow(tmp_path) as follower:
            found = read(follower)
        assert len(found) == len(set(found)) == 8 * 25 * 2
        for worker in range(8):
            own = [line for line in found if line.startswith(b'{"w":%d,"n"' % worker)]
            assert own == [b'{"w":%d,"n":%d}' % (worker, number) for number in range(25)]
        assert made.release(follower.positions()) > 10


def test_descriptors_do_not_pile_up(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with spool(tmp_path, segment_bytes=8) as made:
        for _ in range(50):
            made.append(b"{}\n" * 3)
    assert len(os.listdir("/proc/self/fd")) == before
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
