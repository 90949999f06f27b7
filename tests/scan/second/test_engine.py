"""The engine answers every stream: with what CPython makes of it, or with why it did not run."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

import eightysix
from eightysix.scan.interface import SecondOpinion
from eightysix.scan.second.engine import KEPT_STREAMS, Engine, EngineLimits, open_engine, shared_engine
from eightysix.scan.second.process import BOOT
from tests.scan.second.streams import call, global_, hash_bomb
from tests.tiers import require_tier

STREAM = call("os", "system", "true")
OPINION = SecondOpinion(names=frozenset({("os", "system")}), end=len(STREAM))


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with open_engine() as opened:
        not_run = opened.load(memoryview(b"N.")).not_run
        if "no sandbox here" in not_run:
            require_tier("seccomp", not_run)
        yield opened


def test_tells_names_and_end(engine: Engine) -> None:
    assert engine.load(memoryview(STREAM + b"more")) == OPINION


def test_tells_the_kind_of_an_error(engine: Engine) -> None:
    assert engine.load(memoryview(STREAM[:-1])) == SecondOpinion(names=OPINION.names, error="EOFError")
    assert engine.load(memoryview(b"")) == SecondOpinion(error="EOFError")


def test_protocol_0_needs_no_file_either(engine: Engine) -> None:
    stream = global_("os", "system") + b"(S'a'\nVb\\u0063\nI1\nL2L\nF0.5\ntR."
    assert engine.load(memoryview(stream)) == SecondOpinion(names=OPINION.names, end=len(stream))


def test_a_view_of_a_part_is_read_as_such(engine: Engine) -> None:
    assert engine.load(memoryview(b"..." + STREAM)[3:]) == OPINION


def test_a_child_that_read_much_makes_way(engine: Engine) -> None:
    for _ in range(KEPT_STREAMS + 5):
        assert engine.load(memoryview(b"N.")).end == 2
    assert engine.load(memoryview(STREAM)) == OPINION


def test_a_stream_leaves_nothing_for_the_next(engine: Engine) -> None:
    hostile = [
        call("copyreg", "add_extension", "os", "system", 7),
        b"\x80\x04ca\nb\nq\x00}X\x0c\x00\x00\x00__setstate__h\x00sb.",
        b"\x80\x04ca\nb\n)\x81N}X\x09\x00\x00\x00__class__N\x86b.",
        call("sys.modules", "clear"),
        call("gc", "disable"),
    ]
    for stream in hostile:
        engine.load(memoryview(stream))
        assert engine.load(memoryview(b"\x80\x04\x82\x07.")).names == {("copyreg extension", "any")}
        assert engine.load(memoryview(b"\x80\x04h\x00.")).error == "UnpicklingError"
        assert engine.load(memoryview(STREAM)) == OPINION


def test_a_cycle_is_let_go_of(engine: Engine) -> None:
    # Each is 1.4 MB in memory and holds itself, in each of four ways; were they kept, the eighteenth found no room.
    stream = b"\x80\x04]q\x00h\x00a" + b"}a" * 20_000 + b"."
    for _ in range(30):
        assert engine.load(memoryview(stream)).end == len(stream)


def test_too_large_a_stream_is_not_run_but_looked_into() -> None:
    with open_engine(EngineLimits(stream=2 << 20)) as engine:
        opinion = engine.load(memoryview(STREAM[:-1] + b"N0" * (1 << 20) + b"N."))
    assert opinion == SecondOpinion(names=OPINION.names, not_run="larger than 2 MB")


def test_what_lies_behind_a_stream_is_not_its_size() -> None:
    with open_engine(EngineLimits(stream=2 << 20)) as engine:
        assert engine.load(memoryview(STREAM + bytes(3 << 20))) == OPINION


def test_a_stream_longer_than_the_first_look_is_read_whole(engine: Engine) -> None:
    stream = b"\x80\x04" + b"N0" * (1 << 20) + STREAM[2:]
    assert engine.load(memoryview(stream)) == replace(OPINION, end=len(stream))


def test_processor_time_is_limited() -> None:
    with open_engine(EngineLimits(cpu_s=1)) as engine:
        assert engine.load(memoryview(hash_bomb())).not_run == "needed more than 1 s of processor time"
        assert engine.load(memoryview(STREAM)) == OPINION


def test_the_clock_is_limited() -> None:
    with open_engine(EngineLimits(cpu_s=100, wall_s=0.5)) as engine:
        assert engine.load(memoryview(hash_bomb())).not_run == "took longer than 0.5 s"


def test_the_death_of_a_child_is_an_opinion(engine: Engine) -> None:
    # Hashing descends without a bound: CPython itself crashes here, as every loader would.
    stream = b"\x80\x04})" + b"\x85" * 1_000_000 + b"Ns."
    opinion = engine.load(memoryview(stream))
    assert opinion.not_run == "CPython's unpickler ended without an answer (signal 11)" or opinion.end
    assert engine.load(memoryview(STREAM)) == OPINION


def test_more_names_than_any_model_has_are_not_all_told() -> None:
    stream = b"\x80\x02" + b"".join(global_("m", f"n{number}") + b"0" for number in range(70_000)) + b"N."
    with open_engine() as engine:
        opinion = engine.load(memoryview(stream))
    assert opinion.not_run == "asks for too many names"
    assert len(opinion.names) == 65_536


def killed(engine: Engine) -> None:
    assert engine._server is not None
    os.kill(engine._server._process.pid, signal.SIGKILL)
    engine._server._process.wait()


def test_the_server_is_started_again_once() -> None:
    with open_engine() as engine:
        assert engine.load(memoryview(STREAM)) == OPINION
        killed(engine)
        assert engine.load(memoryview(STREAM)) == OPINION
        killed(engine)
        assert engine.load(memoryview(STREAM)).not_run == "the process that runs it ended twice"


@pytest.mark.parametrize(
    "answer", [b"", b"\0\0", b"\0\0\0\xff", b"\0\0\0\1x" * 4, b"\0\0\0\1\xff" * 4, b"\0\0\0\0" * 5]
)
def test_a_child_that_talks_nonsense_has_no_say(answer: bytes) -> None:
    boot = BOOT.replace(
        "main(*", f"from eightysix.scan.second import server; server._packed = lambda _: {answer!r}; main(*"
    )
    with Engine(boot=boot) as engine:
        opinion = engine.load(memoryview(STREAM))
    assert opinion.not_run
    assert not opinion.names


def test_a_closed_engine_says_so() -> None:
    engine = open_engine()
    engine.close()
    assert engine.load(memoryview(STREAM)).not_run == "the engine is closed"


def test_closing_ends_every_process() -> None:
    engine = open_engine()
    engine.load(memoryview(STREAM))
    assert engine._server is not None
    process = engine._server._process
    engine.close()
    assert process.returncode == 0
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)  # it leads a group of its own, with the child in it


def test_an_engine_that_is_forgotten_ends() -> None:
    engine = open_engine()
    engine.load(memoryview(STREAM))
    assert engine._server is not None
    process = engine._server._process
    del engine
    gc.collect()
    assert process.returncode == 0


def test_threads_share_it(engine: Engine) -> None:
    streams = [call("module", f"name{number}") for number in range(60)]
    with ThreadPoolExecutor(6) as pool:
        opinions = list(pool.map(lambda stream: engine.load(memoryview(stream)), streams))
    assert [one.names for one in opinions] == [{("module", f"name{number}")} for number in range(60)]


def test_it_outlives_the_thread_that_started_it() -> None:
    with open_engine() as engine:
        thread = threading.Thread(target=engine.load, args=(memoryview(STREAM),))
        thread.start()
        thread.join()
        assert engine.load(memoryview(STREAM)) == OPINION
        assert engine._starts == 1


@pytest.mark.parametrize(
    ("program", "says"),
    [
        ("", "no interpreter to start (sys.executable is empty)"),
        ("/usr/sbin/uwsgi", "no interpreter to start (sys.executable is no Python)"),
        ("/nowhere/python3", "it cannot be started (FileNotFoundError)"),
    ],
)
def test_where_python_is_embedded_it_does_not_run(
    monkeypatch: pytest.MonkeyPatch, program: str, says: str
) -> None:
    monkeypatch.setattr(sys, "executable", program)
    with open_engine() as engine:
        assert engine.load(memoryview(STREAM)) == SecondOpinion(not_run=says)


def test_something_else_by_the_name_of_python_does_not_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = tmp_path / "python3"
    other.write_text("#!/bin/sh\nexit 0\n")
    other.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(other))
    with open_engine() as engine:
        assert engine.load(memoryview(STREAM)).not_run == "the process that runs it ended twice"


SCRIPT = """
import os, sys
from eightysix.scan.second.engine import shared_engine
stream = memoryview(b"cos\\nsystem\\n)R.")
def good():
    return shared_engine().load(stream).end == len(stream)
"""


def ran(script: str, *, path: str = "", closed: str = "") -> int:
    command = [sys.executable, "-c", SCRIPT + script]
    if closed:
        command = ["/bin/sh", "-c", f'exec "$@" {closed}', "sh", *command]
    source = os.pathsep.join([path or str(Path(eightysix.__file__).parent.parent), *sys.path])
    return subprocess.run(
        command, env={**os.environ, "PYTHONPATH": source}, timeout=60, check=False
    ).returncode


def test_runs_where_the_standard_streams_are_closed() -> None:
    assert ran("os._exit(3 if good() else 4)", closed="<&- >&- 2>&-") == 3


def test_a_forked_worker_starts_its_own() -> None:
    script = """
assert good()
child = os.fork()
if not child:
    os._exit(5 if good() and good() else 6)
_, status = os.waitpid(child, 0)
sys.exit(7 if os.WEXITSTATUS(status) == 5 and good() else 8)
"""
    assert ran(script) == 7


def test_runs_from_a_zip_file(tmp_path: Path) -> None:
    source = Path(eightysix.__file__).parent
    with zipfile.ZipFile(tmp_path / "app.zip", "w") as archive:
        for path in source.rglob("*.py"):
            archive.write(path, path.relative_to(source.parent))
    script = "sys.exit(9 if good() and '.zip' in sys.modules['eightysix'].__file__ else 10)"
    assert ran(script, path=str(tmp_path / "app.zip")) == 9


def test_nothing_is_started_by_an_import() -> None:
    assert ran("sys.exit(11 if shared_engine()._server is None else 12)") == 11


def test_one_engine_serves_the_process() -> None:
    assert shared_engine() is shared_engine()


@given(st.binary(max_size=80))
def test_every_stream_has_an_answer(engine: Engine, stream: bytes) -> None:
    opinion = engine.load(memoryview(stream))
    assert opinion.error or opinion.not_run or opinion.end is not None
