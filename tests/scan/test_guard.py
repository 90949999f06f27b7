"""What is loaded is what was scanned, and what is not clean is not loaded."""

from __future__ import annotations

import datetime as dt
import io
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import joblib  # type: ignore[import-untyped]
import pytest

import eightysix
from eightysix.model.errors import ScanRefusedError, UsageError
from eightysix.model.finding import FileVerdict
from eightysix.scan import loaders
from eightysix.scan.guard import Guard, guard
from eightysix.scan.held import Held
from eightysix.scan.policy import Acceptance, Policy
from tests.scan.second.streams import call
from tests.tiers import require_tier

CLEAN = {"weights": [1, 2.5, "three"], "deep": ({"a"}, b"bytes")}
TODAY = dt.date(2026, 11, 23)


class Own:
    """A class that nobody vouches for."""

    def __init__(self, words: str) -> None:
        self.words = words


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Is there once the hostile pickle was loaded."""
    return tmp_path / "made"


@pytest.fixture
def hostile(made: Path) -> bytes:
    return call("os", "mkdir", str(made))


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    before = (pickle.load, pickle.loads, joblib.load, list(sys.meta_path))
    yield
    assert (pickle.load, pickle.loads, joblib.load, list(sys.meta_path)) == before


def loads(data: Any) -> Any:
    return pickle.loads(data)  # noqa: S301 - it is what is guarded here


def load(stream: Any) -> Any:
    return pickle.load(stream)  # noqa: S301 - as above


def in_file(folder: Path, data: bytes) -> str:
    path = folder / "model.bin"
    path.write_bytes(data)
    return str(path)


def test_clean_data_is_loaded() -> None:
    data = pickle.dumps(CLEAN)
    with guard():
        assert loads(data) == CLEAN
        assert loads(bytearray(data)) == CLEAN
        assert load(io.BytesIO(data)) == CLEAN
        assert pickle.load(file=io.BytesIO(data)) == CLEAN  # noqa: S301


def test_what_is_malicious_is_not_loaded(hostile: bytes, made: Path, tmp_path: Path) -> None:
    path = in_file(tmp_path, hostile)
    with guard():
        attempts: list[Callable[[], object]] = [
            lambda: loads(hostile),
            lambda: load(io.BytesIO(hostile)),
            lambda: joblib.load(path),
            lambda: joblib.load(filename=path),
            lambda: joblib.load(Path(path)),
        ]
        for attempt in attempts:
            with pytest.raises(ScanRefusedError) as caught:
                attempt()
            assert caught.value.verdict is FileVerdict.MALICIOUS
            assert caught.value.findings
    assert not made.exists()


def test_without_a_guard_it_would_have_been(hostile: bytes, made: Path) -> None:
    loads(hostile)
    assert made.exists()


def test_the_error_says_what_was_found_and_what_to_do(hostile: bytes, tmp_path: Path) -> None:
    path = in_file(tmp_path, hostile)
    with guard(), pytest.raises(ScanRefusedError) as caught:
        joblib.load(path)
    text = str(caught.value)
    assert text.startswith(f"{path} was not loaded: it is malicious (")
    assert "os.mkdir" in text
    assert "eightysix scan" in caught.value.advice


def test_a_name_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    with guard(), pytest.raises(ScanRefusedError) as caught:
        loads(call("evil\x1b[2J", "name"))
    assert "\x1b" not in str(caught.value)


def test_what_nobody_vouches_for_is_loaded_once_somebody_does() -> None:
    data = pickle.dumps(Own("words"))
    name = f"{Own.__module__}.Own"
    policy = Policy((Acceptance(names=frozenset({name}), until=TODAY),))
    with guard(), pytest.raises(ScanRefusedError) as caught:
        loads(data)
    assert caught.value.verdict is FileVerdict.SUSPICIOUS
    assert name in str(caught.value)
    with guard(policy=policy, today=lambda: TODAY):
        assert loads(data).words == "words"
    with guard(policy=policy, today=lambda: TODAY + dt.timedelta(days=1)), pytest.raises(ScanRefusedError):
        loads(data)
    with guard(allow=FileVerdict.SUSPICIOUS):
        assert loads(data).words == "words"


def test_a_policy_of_names_lets_nothing_malicious_pass(hostile: bytes) -> None:
    policy = Policy((Acceptance(names=frozenset({"os.mkdir"}), until=TODAY),))
    with guard(policy=policy, today=lambda: TODAY), pytest.raises(ScanRefusedError):
        loads(hostile)


def test_a_file_stands_where_its_loader_left_it(hostile: bytes, made: Path) -> None:
    first, second = pickle.dumps(CLEAN), pickle.dumps([2])
    stream = io.BytesIO(b"head" + first + second)
    stream.seek(4)
    with guard():
        assert load(stream) == CLEAN
        assert stream.tell() == 4 + len(first)
        assert load(stream) == [2]
    stream = io.BytesIO(first + hostile)
    with guard():
        # Who loads the first pickle of a file is likely to go on with the next: all that is left is judged.
        with pytest.raises(ScanRefusedError):
            load(stream)
        assert stream.tell() == 0
    assert not made.exists()


def test_what_cannot_be_read_twice_is_refused() -> None:
    reading, writing = os.pipe()
    refused = pytest.raises(ScanRefusedError, match="cannot be read a second time")
    with os.fdopen(reading, "rb") as stream, os.fdopen(writing, "wb"), guard(), refused:
        load(stream)


class Swapping(Guard):
    """Somebody changes the file after it was scanned and before it is loaded."""

    def __init__(self, change: Any) -> None:
        plain = guard()
        super().__init__(plain.allow, plain.policy, plain.options, plain.names, lambda: TODAY)
        self._change = change

    def judge(self, data: loaders.Data, name: str) -> None:
        super().judge(data, name)
        self._change()


@pytest.mark.parametrize("size", [100, 3 << 20])
def test_the_scanned_bytes_are_loaded_whatever_becomes_of_the_file(
    tmp_path: Path, hostile: bytes, made: Path, size: int
) -> None:
    content = [b"x" * size, CLEAN]
    path = in_file(tmp_path, pickle.dumps(content))

    def replaced() -> None:
        (tmp_path / "other").write_bytes(hostile)
        os.replace(tmp_path / "other", path)

    def overwritten() -> None:
        with open(path, "r+b") as stream:
            stream.write(hostile)
            stream.truncate()

    def deleted() -> None:
        os.unlink(path)

    for change in (replaced, overwritten, deleted):
        in_file(tmp_path, pickle.dumps(content))
        with Swapping(change):
            assert joblib.load(path) == content
    assert not made.exists()


def test_the_scanned_bytes_are_loaded_whatever_becomes_of_a_buffer(hostile: bytes, made: Path) -> None:
    buffer = bytearray(pickle.dumps(CLEAN).ljust(len(hostile), b"\0"))

    def change() -> None:
        buffer[: len(hostile)] = hostile

    plain = bytes(buffer)
    with Swapping(change):
        assert Swapping(change).load(loads, buffer) == CLEAN
    assert bytes(buffer) != plain
    assert not made.exists()


def test_nothing_can_change_the_copy(tmp_path: Path) -> None:
    with Held(in_file(tmp_path, b"content")) as held:
        if held.name is None:
            require_tier("memfd", "no files in memory here")
        with open(held.name, "r+b", buffering=0) as stream, pytest.raises(PermissionError):
            stream.write(b"other")
        with open(held.name, "r+b") as stream, pytest.raises(PermissionError):
            stream.truncate(1)
        assert bytes(held.data) == b"content"


def test_where_there_are_no_files_in_memory_the_loader_gets_one_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = in_file(tmp_path, pickle.dumps(CLEAN))
    monkeypatch.delattr(os, "memfd_create")
    with guard():
        assert joblib.load(path) == CLEAN


def test_files_that_are_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with guard():
        with pytest.raises(FileNotFoundError):
            joblib.load(tmp_path / "nothing")
        with pytest.raises(IsADirectoryError):
            joblib.load(tmp_path)
        with pytest.raises(ScanRefusedError, match="regular files only"):
            joblib.load(tmp_path / "fifo")


def test_an_empty_file_is_what_its_loader_makes_of_it(tmp_path: Path) -> None:
    with guard(allow=FileVerdict.UNSCANNABLE), pytest.raises(EOFError):
        joblib.load(in_file(tmp_path, b""))


def test_checked_gives_the_bytes(tmp_path: Path, hostile: bytes) -> None:
    data = pickle.dumps(CLEAN)
    assert guard().checked(in_file(tmp_path, data)) == data
    with pytest.raises(ScanRefusedError):
        guard().checked(in_file(tmp_path, hostile))


def test_any_loader_can_be_guarded(tmp_path: Path, hostile: bytes) -> None:
    def content(source: str, more: int = 0) -> tuple[bytes, int]:
        return Path(source).read_bytes(), more

    data = pickle.dumps(CLEAN)
    assert guard().load(content, in_file(tmp_path, data), more=1) == (data, 1)
    assert guard().load(bytes, data) == data
    with pytest.raises(ScanRefusedError):
        guard().load(bytes, hostile)
    with pytest.raises(TypeError):
        guard().load(bytes, 5)


def test_everything_is_put_back(hostile: bytes) -> None:
    before = pickle.loads
    outer = guard()
    with outer:
        assert pickle.loads is not before
        with guard(), outer:
            pass
        with pytest.raises(ScanRefusedError):
            loads(hostile)
    assert pickle.loads is before
    with pytest.raises(ZeroDivisionError), guard():
        raise ZeroDivisionError
    assert pickle.loads is before


def test_what_another_put_above_stays() -> None:
    before = pickle.loads
    standing = guard()
    standing.__enter__()
    ours = pickle.loads

    def theirs(data: bytes) -> Any:
        return ours(data)

    pickle.loads = theirs  # type: ignore[assignment]
    try:
        standing.__exit__(None, None, None)
        assert pickle.loads is theirs
        assert loads(pickle.dumps(CLEAN)) == CLEAN
    finally:
        pickle.loads = before


def test_all_guards_must_agree() -> None:
    data = pickle.dumps(Own("words"))
    with guard(allow=FileVerdict.SUSPICIOUS):
        with guard(), pytest.raises(ScanRefusedError):
            loads(data)
        assert loads(data).words == "words"


def test_a_guard_stands_before_the_loaders_it_is_told(hostile: bytes, made: Path, tmp_path: Path) -> None:
    path = in_file(tmp_path, hostile)
    with guard(only=["joblib.load"]):
        loads(hostile)
        assert made.exists()
        with pytest.raises(ScanRefusedError):
            joblib.load(path)
    with pytest.raises(UsageError, match=r"no loader yaml\.load"):
        guard(only=["yaml.load"])


def test_it_stands_in_every_thread(hostile: bytes, made: Path) -> None:
    caught: list[BaseException] = []

    def attempt() -> None:
        try:
            loads(hostile)
        except ScanRefusedError as error:
            caught.append(error)

    with guard():
        threads = [threading.Thread(target=attempt) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(caught) == 4
    assert not made.exists()


def test_threads_come_and_go_without_a_gap(hostile: bytes) -> None:
    start = threading.Barrier(4)
    slips: list[object] = []

    def attempt() -> None:
        start.wait()
        for _ in range(25):
            with guard(only=["pickle.loads"]), suppress(ScanRefusedError):
                slips.append(loads(hostile))

    threads = [threading.Thread(target=attempt) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not slips


def test_what_a_loader_reads_by_a_path_is_another_file(hostile: bytes, made: Path, tmp_path: Path) -> None:
    clean, evil = tmp_path / "clean", tmp_path / "evil"
    clean.write_bytes(pickle.dumps(CLEAN))
    evil.write_bytes(hostile)
    with guard() as standing, pytest.raises(ScanRefusedError):
        standing.load(lambda _: joblib.load(evil), str(clean))
    assert not made.exists()


def test_as_a_decorator(hostile: bytes) -> None:
    @guard()
    def program() -> Any:
        return loads(hostile)

    with pytest.raises(ScanRefusedError):
        program()


@pytest.mark.parametrize("compress", [0, 3, ("gzip", 3), ("bz2", 3), ("xz", 1)])
def test_joblib_loads_what_joblib_wrote(tmp_path: Path, compress: Any) -> None:
    path = tmp_path / "model.joblib"
    joblib.dump(CLEAN, path, compress=compress)
    with guard():
        assert joblib.load(path) == CLEAN
        with open(path, "rb") as stream:
            assert joblib.load(stream) == CLEAN


LATER = """
import sys
from eightysix.scan.guard import guard
assert "joblib" not in sys.modules
with guard():
    import joblib
    from joblib.numpy_pickle import load
    inside = joblib.load
    assert load is inside is joblib.numpy_pickle.load
assert joblib.load is joblib.numpy_pickle.load is not inside
assert joblib.load.__module__ == "joblib.numpy_pickle"
"""


def test_a_loader_that_is_imported_later_is_guarded_too() -> None:
    source = Path(eightysix.__file__).parent.parent
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(source), *sys.path])}
    subprocess.run([sys.executable, "-c", LATER], env=environment, check=True, timeout=60)
