"""What the child may not do, tried from inside: with stand-ins that are none, so that the sandbox is all there is."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from eightysix.scan.interface import SecondOpinion
from eightysix.scan.second.engine import Engine, EngineLimits, open_engine
from tests.scan.second.streams import call
from tests.tiers import require_tier

LEAKY = """
import sys; sys.path.append(sys.argv[1])
import ctypes, mmap, os, signal, socket, subprocess, threading, time
from eightysix.scan.second import inert, sandbox, server

def executable_memory():
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)

def trace_parent():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(16, os.getppid(), 0, 0):
        raise OSError(ctypes.get_errno(), "ptrace")

def connect(port):
    with socket.socket() as ours:
        ours.connect(("127.0.0.1", port))

def write(path):
    open(path, "w").close()

def leak(self, module, name):
    self.asked.add((module, name))
    return getattr(sys.modules[module], name)

"a".encode("idna")  # looked up by connect
inert._Names.find_class = leak
"""
"""Gives streams what they ask for, and has at hand what they might want: imports need files, which are out of reach."""

RUN = "server.main(*map(int, sys.argv[2:]))"

NO_SANDBOX = "server.lock = server.close_all_but = lambda *_: None\n"


@pytest.fixture(scope="module")
def leaky() -> Iterator[Engine]:
    with Engine(boot=LEAKY + RUN) as engine:
        runs_here(engine)
        yield engine


def runs_here(engine: Engine) -> None:
    opinion = engine.load(memoryview(b"N."))
    if "no sandbox here" in opinion.not_run:
        require_tier("seccomp", opinion.not_run)
    assert opinion == SecondOpinion(end=2)


def loaded(engine: Engine, stream: bytes) -> SecondOpinion:
    return engine.load(memoryview(stream))


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


@pytest.mark.parametrize(
    ("module", "name", "arguments"),
    [
        ("os", "fork", ()),
        ("os", "execv", ("/bin/true", ("true",))),
        ("subprocess", "Popen", ("/bin/true",)),
        ("os", "open", ("/etc/passwd", 0)),
        ("os", "stat", ("/etc/passwd",)),
        ("os", "listdir", ("/",)),
        ("os", "unlink", ("/nothing",)),
        ("os", "rename", ("/nothing", "/else")),
        ("os", "mkdir", ("/nothing/else",)),
        ("os", "chmod", ("/nothing", 0)),
        ("os", "kill", (1, 0)),
        ("os", "setuid", (0,)),
        ("os", "memfd_create", ("name",)),
        ("os", "pipe", ()),
        ("os", "dup", (0,)),
        ("socket", "socket", ()),
        ("socket", "socketpair", ()),
        ("__main__", "trace_parent", ()),
        ("__main__", "executable_memory", ()),
    ],
)
def test_a_stream_that_escapes_the_stand_ins_can_do_nothing(
    leaky: Engine, module: str, name: str, arguments: tuple[str | int, ...]
) -> None:
    opinion = loaded(leaky, call(module, name, *arguments))
    assert opinion == SecondOpinion(names=frozenset({(module, name)}), error="PermissionError")


def test_no_thread_starts(leaky: Engine) -> None:
    assert loaded(leaky, call("_thread", "start_new_thread", ())).error
    opinion = loaded(leaky, b"\x80\x04c_thread\nstart_new_thread\nctime\ntime\n)\x86R.")
    assert opinion.error == "RuntimeError"


def test_the_shell_touches_nothing(leaky: Engine, tmp_path: Path) -> None:
    opinion = loaded(leaky, call("os", "system", f"touch {tmp_path}/shell"))
    assert opinion.names == {("os", "system")}
    assert not list(tmp_path.iterdir())


def test_no_file_is_made(leaky: Engine, tmp_path: Path) -> None:
    assert loaded(leaky, call("__main__", "write", str(tmp_path / "made"))).error == "PermissionError"
    assert not list(tmp_path.iterdir())


def test_nothing_is_connected(leaky: Engine, listener: socket.socket) -> None:
    assert loaded(leaky, call("__main__", "connect", listener.getsockname()[1])).error == "PermissionError"
    with pytest.raises(BlockingIOError):
        listener.accept()


def test_no_standard_stream_is_left(leaky: Engine) -> None:
    for descriptor in (0, 1, 2):
        assert loaded(leaky, call("os", "write", descriptor, "x")).error in ("OSError", "TypeError")


def test_what_escaped_without_a_sandbox_would_have_happened(tmp_path: Path, listener: socket.socket) -> None:
    # Without this the tests above could pass because their streams do nothing.
    with Engine(boot=LEAKY + NO_SANDBOX + RUN) as engine:
        loaded(engine, call("__main__", "write", str(tmp_path / "made")))
        loaded(engine, call("os", "system", f"touch {tmp_path}/shell"))
        loaded(engine, call("__main__", "connect", listener.getsockname()[1]))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made", "shell"]
    listener.accept()[0].close()


def test_with_stand_ins_the_same_streams_do_not_even_try(tmp_path: Path) -> None:
    with open_engine() as engine:
        runs_here(engine)
        for module, name, *arguments in (
            ("os", "system", f"touch {tmp_path}/shell"),
            ("builtins", "open", f"{tmp_path}/made", "w"),
            ("subprocess", "Popen", ("touch", f"{tmp_path}/popen")),
            ("socket", "create_connection", ("127.0.0.1", 1)),
        ):
            opinion = loaded(engine, call(str(module), str(name), *arguments))
            assert opinion.names == {(module, name)}
            assert opinion.end
            assert not opinion.error
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("trick", "says"),
    [
        (
            "sandbox.platform.machine = lambda: 'mainframe'",
            "no sandbox here (no seccomp filter for mainframe)",
        ),
        ("sandbox.PR_SET_SECCOMP = 9999", "no sandbox here (prctl 9999: EINVAL)"),
        (
            "sandbox._program = lambda: sandbox.struct.pack('HBBI', 6, 0, 0, 0x7FFF0000)",
            "no sandbox here (the seccomp filter is not obeyed)",
        ),
    ],
)
def test_without_a_sandbox_nothing_is_read(trick: str, says: str) -> None:
    with Engine(boot=LEAKY + trick + "\n" + RUN) as engine:
        assert loaded(engine, call("os", "system", "true")) == SecondOpinion(not_run=says)


def test_limits_end_one_stream_and_not_the_next() -> None:
    with open_engine(EngineLimits(memory=24 << 20)) as engine:
        runs_here(engine)
        opinion = loaded(engine, b"\x80\x04]" + b"}a" * 1_000_000 + b".")
        assert opinion == SecondOpinion(not_run="needed more than 24 MB of memory")
        assert loaded(engine, call("a", "b")).names == {("a", "b")}
