"""Nothing that the sensor does or fails to do reaches its host."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sensor.hosts import SOURCE, Host, one, python_of, told, wheel_into
from tests.sensor.test_records import APP_CONNECT
from tests.tiers import require_tier

VERSIONS = ["3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14"]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    host = Host(tmp_path)
    yield host
    host.close()


@pytest.mark.parametrize(
    "env",
    [
        {"EIGHTYSIX_SENSOR": "off"},
        {"EIGHTYSIX_SENSOR": ""},
        {"EIGHTYSIX_SENSOR_DISABLE": "1"},
        {"EIGHTYSIX_SENSOR": "http://collector.test/"},
        {"EIGHTYSIX_SENSOR": "unix:relative"},
    ],
)
def test_nothing_happens_when_it_is_off_or_badly_named(host: Host, env: dict[str, str]) -> None:
    host.run(
        """
        import sys, _thread, threading
        assert type(_thread.start_new_thread) is type(len)
        assert not hasattr(sys, "_eightysix_sensor")
        """,
        env=env, runs=False,
    )  # fmt: skip
    assert not host.output.exists()


HOSTILE = """
import sys, os, pathlib, pickle, subprocess, socket
class Text(str):
    def __str__(self): raise SystemError("str")
    __repr__ = __len__ = __hash__ = __eq__ = __getitem__ = __contains__ = encode = startswith = __str__
class Bytes(bytes):
    def __getitem__(self, i): raise SystemError("bytes")
    decode = __getitem__
class Path:
    def __fspath__(self): raise SystemError("path")
    @property
    def __class__(self): raise SystemError("class")
class Meta(type):
    def __getattribute__(self, name): raise SystemError("meta")
    def __instancecheck__(self, o): raise SystemError("meta")
class Odd(metaclass=Meta): pass
class Number(int):
    def __index__(self): raise SystemError("int")
    __eq__ = __hash__ = __lt__ = __and__ = __index__
class List(list):
    def __iter__(self): raise SystemError("list")
    __getitem__ = __len__ = __iter__
class Dict(dict):
    def __contains__(self, k): raise SystemError("dict")
values = [Text("/run/secrets/x"), Bytes(b"/run/secrets/x"), Path(), object.__new__(Odd), Number(3), List([1]), Dict(a=1), None,
          1.5, "\\ud800", "\\0", b"\\xff" * 99, "x" * 200_000, ("a",) * 9999, float("nan"), 1 << 200, [], {},
          (), print, type]
events = ("import open exec compile code.__new__ pickle.find_class socket.connect socket.sendto socket.sendmsg "
    "socket.getaddrinfo socket.gethostbyname urllib.Request http.client.send subprocess.Popen os.system os.exec os.posix_spawn "
    "pty.spawn os.fork "
    "os.putenv os.unsetenv os.rename os.link os.symlink ctypes.dlopen ctypes.dlsym gc.get_objects gc.get_referrers "
    "sys.setprofile sys.settrace sqlite3.load_extension cpython.remote_debugger_script").split()
for event in events:
    sys.audit(event)
    for value in values:
        for count in (1, 2, 3, 4, 5):
            sys.audit(event, *[value] * count)
        sys.audit(event, None, value)
        sys.audit(event, None, (value, 80))
        sys.audit(event, value, [value, value], None, {value.__class__.__name__: 1} if type(value) is int else None)
print("alive")
"""


@pytest.mark.tier("pythons")
@pytest.mark.parametrize("version", VERSIONS)
def test_hostile_arguments_are_no_one_s_problem(version: str, tmp_path: Path) -> None:
    host = Host(tmp_path, python_of(version))
    host.run(HOSTILE)
    assert host.done is not None
    assert host.done.stdout == "alive\n"
    assert not host.errors


@pytest.mark.tier("pythons")
@pytest.mark.parametrize("version", VERSIONS)
def test_a_program_at_its_limits_ends_as_without_the_sensor(version: str, tmp_path: Path) -> None:
    host = Host(tmp_path, python_of(version))
    host.run(
        APP_CONNECT
        + """
import sys
def deep(n):
    try: return deep(n + 1)
    except RecursionError:
        raise
for _ in range(3):
    try: deep(0)
    except RecursionError: pass
def deep_call(n):
    call(1)
    return deep_call(n + 1)
for limit in (60, 75, 90, 105):
    sys.setrecursionlimit(limit)
    try: deep_call(0)
    except RecursionError: pass
sys.setrecursionlimit(1000)
call(9)
print("alive")
"""
    )
    assert host.done is not None
    assert host.done.stdout == "alive\n"
    assert told(host.records(), "connect", port=9)


def test_little_memory_is_no_failure_of_the_program(host: Host) -> None:
    host.run(
        APP_CONNECT
        + """
import resource
for n in range(300): call(n + 1)
with open("/proc/self/statm") as f: used = int(f.read().split()[0]) * 4096
resource.setrlimit(resource.RLIMIT_AS, (used + 300_000, used + 300_000))
held = []
try:
    while True: held.append(bytearray(4000))
except MemoryError: pass
for n in range(300):
    try: call(n + 1)
    except MemoryError: pass
del held
resource.setrlimit(resource.RLIMIT_AS, (used + 300_000, used + 300_000))
print("alive")
"""
    )
    assert host.done is not None
    assert host.done.stdout == "alive\n"


def test_a_signal_s_exception_reaches_the_program_also_through_the_sensor(host: Host) -> None:
    host.run(
        APP_CONNECT
        + """
import signal, sys
class Deadline(Exception): pass
def late(*a): raise Deadline
signal.signal(signal.SIGALRM, late)
seen = 0
for _ in range(200):
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.001)
        while True: sys.audit("socket.connect", None, ("203.0.113.1", 9))
    except Deadline:
        seen += 1
assert seen == 200, seen
call(7)
print("alive")
"""
    )
    assert told(host.records(), "connect", port=7)


def test_what_a_program_replaces_neither_breaks_nor_blinds(host: Host) -> None:
    records = host.run(
        APP_CONNECT
        + """
import builtins, json, os, sys, time, threading, _thread, socket, posix
def broken(*a, **k): raise SystemError("replaced")
for name in ("len isinstance issubclass max min getattr hasattr sorted repr zip any all round callable").split():
    setattr(builtins, name, broken)
json.dumps = json.JSONEncoder = time.time = time.monotonic = time.time_ns = os.getpid = os.stat = os.getcwd = broken
posix.stat = posix.getpid = posix.write = posix.open = posix.fstat = sys._getframe = broken
_thread.get_ident = _thread.get_native_id = broken
s = socket.socket()
import _socket
_socket.socket = broken
try: s.connect(("127.0.0.1", 7))
except OSError: pass
"""
    )
    assert one(records, "connect", port=7)["root"] == f"app:{host.app}/server.py"


def test_its_modules_are_not_there_to_be_changed(host: Host) -> None:
    records = host.run(
        APP_CONNECT
        + f"""
import sys
assert not [name for name in sys.modules if name.startswith("eightysix")]
sys.path.insert(0, {str(SOURCE)!r})
import eightysix_sensor.core, eightysix_sensor.attribution, eightysix_sensor.transport
eightysix_sensor.core.Core.emit = eightysix_sensor.transport.Transport.send = None
eightysix_sensor.attribution.Attribution.walk = None
call(7)
for name in list(sys.modules):
    if name not in ("sys", "builtins", "__main__"): del sys.modules[name]
call(8)
"""
    )
    assert told(records, "connect", port=7)
    assert told(records, "connect", port=8)


def test_descriptors_that_a_daemon_closes_and_uses_again_get_nothing_of_ours(host: Host) -> None:
    endpoint = host.listen()
    for where in (endpoint, ""):
        host.output.unlink(missing_ok=True)
        records = host.run(APP_CONNECT + """
import os, socket
call(6)
os.closerange(3, 200)
mine = [os.open("mine%d" % n, os.O_RDWR | os.O_CREAT) for n in range(5)]
pair = socket.socketpair()
call(7)
for fd in mine: assert os.fstat(fd).st_size == 0
pair[0].setblocking(False)
try: raise AssertionError(pair[0].recv(100))
except BlockingIOError: pass
os.closerange(3, 200)
again = os.open("again", os.O_RDWR | os.O_CREAT)
import time; time.sleep(1.1)
call(8)
assert os.fstat(again).st_size == 0
""", endpoint=where)  # fmt: skip
        assert told(records, "connect", port=6)
        assert told(records, "connect", port=8)


def test_a_receiver_that_is_slow_dead_or_back_again_never_makes_the_program_wait(host: Host) -> None:
    endpoint = host.listen()
    assert host.socket is not None
    path = host.socket.getsockname()
    records = host.run(APP_CONNECT + f"""
import os, socket, time
path = {path!r}
for n in range(600): call(n + 1)
os.unlink(path)
for n in range(50): call(n + 1000)
again = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); again.bind(path)
call(2000)
got = again.recv(60000)
assert b'"port":2000' in got, got
""", endpoint=endpoint)  # fmt: skip
    kept = told(records, "connect")
    assert 0 < len(kept) < 600  # the socket's queue is short and nobody read it
    assert [record["port"] for record in kept] == list(range(1, len(kept) + 1))


def test_drops_are_counted_and_leave_gaps_in_the_numbers(host: Host) -> None:
    endpoint = host.listen()
    assert host.socket is not None
    path = host.socket.getsockname()
    host.run(APP_CONNECT + f"""
import os, socket
for n in range(100): call(n + 1)
os.unlink({path!r})
again = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); again.bind({path!r})
import atexit, json
def last():
    while True:
        told = json.loads(again.recv(60000))
        if told["event"] == "heartbeat": break
    assert told["dropped"] > 0, told
    assert told["seq"] == told["sent"] + told["dropped"], told
    print("counted")
atexit._run_exitfuncs(); last()
""", endpoint=endpoint)  # fmt: skip
    assert host.done is not None
    assert "counted" in host.done.stdout


def test_a_flood_is_capped_and_hides_no_credential(host: Host) -> None:
    records = host.run(
        APP_CONNECT
        + """
import sys
for n in range(20_000): sys.audit("socket.connect", None, ("203.0.113.%d" % (n % 200), n % 60000 + 1))
sys.audit("socket.connect", None, ("169.254.169.254", 80))
try: open("/var/run/secrets/kubernetes.io/serviceaccount/token")
except OSError: pass
"""
    )
    assert len(told(records, "connect")) < 3_000
    assert told(records, "connect", dst="169.254.169.254")
    assert told(records, "open")
    assert records[-1]["capped"] > 15_000


def test_a_hot_destination_is_sampled_and_another_caller_is_still_seen(host: Host) -> None:
    wheel_into(
        host.site,
        "evil",
        "3.0",
        {"evil.py": "import sys\ndef go(): sys.audit('socket.connect', None, ('203.0.113.1', 443))\n"},
    )
    records = host.run("""
        import sys, evil
        for _ in range(2000): sys.audit("socket.connect", None, ("203.0.113.1", 443))
        for _ in range(8): evil.go()
    """)
    connects = told(records, "connect")
    assert [record["chain"][0].partition("==")[0] for record in connects] == [
        f"app:{host.app}/server.py",
        "evil",
    ]
    assert records[-1]["repeats"] == 2006


def test_children_and_threads_that_fork_in_the_middle_go_on(host: Host) -> None:
    host.run(
        APP_CONNECT
        + """
import os, threading, sys
stop = False
def busy():
    n = 0
    while not stop:
        n += 1
        sys.audit("socket.connect", None, ("203.0.113.7", n % 60000 + 1))
threads = [threading.Thread(target=busy) for _ in range(3)]
[t.start() for t in threads]
pids = []
for n in range(30):
    pid = os.fork()
    if pid == 0:
        sys.audit("socket.connect", None, ("169.254.169.254", 80))
        t = threading.Thread(target=call, args=(n + 1,)); t.start(); t.join()
        os._exit(0)
    pids.append(pid)
for pid in pids: assert os.waitpid(pid, 0)[1] == 0
stop = True
[t.join() for t in threads]
print("alive")
"""
    )
    assert host.done is not None
    assert "alive" in host.done.stdout
    records = host.records()
    children = {record["pid"] for record in told(records, "forked")}
    assert len(children) == 30
    seen = {record["pid"] for record in told(records, "connect", dst="169.254.169.254")}
    assert seen == children
    assert all(record["seq"] == 0 for record in told(records, "forked"))


def test_a_file_that_cannot_be_written_is_no_failure(host: Host) -> None:
    for endpoint in (
        "file:/proc/nothing/here",
        "file:/dev/full",
        f"file:{host.folder}",
        "unix:/" + "x" * 300,
    ):
        host.run(APP_CONNECT + "call(7)\nprint('alive')", endpoint=endpoint)
        assert host.done is not None
        assert host.done.stdout == "alive\n"
        assert not host.errors


def test_a_pipe_in_the_file_s_place_does_not_block(host: Host) -> None:
    os.mkfifo(host.folder / "pipe")
    host.run(APP_CONNECT + "call(7)", endpoint=f"file:{host.folder}/pipe")
    assert not host.errors


@pytest.mark.tier("root")
def test_a_program_in_another_root_goes_on(host: Host) -> None:
    if os.geteuid() != 0:
        require_tier("root", "chroot(2) needs root")
    records = host.run(
        APP_CONNECT
        + f"""
import os
import encodings.idna
call(6)
os.chroot({str(host.site)!r}); os.chdir("/")
call(7)
open("/x", "w").close()
"""
    )
    assert told(records, "connect", port=7)


def test_the_end_of_an_interpreter_is_quiet(host: Host) -> None:
    host.run(
        APP_CONNECT
        + """
import atexit, threading, time, weakref
class Late:
    def __del__(self): call(8)
kept = Late()
atexit.register(call, 7)
cycle = [Late()]; cycle.append(cycle)
t = threading.Thread(target=time.sleep, args=(30,), daemon=True); t.start()
"""
    )
    assert not host.errors
    assert told(host.records(), "connect", port=7)


@pytest.mark.parametrize("how", ["kill", "exit"])
def test_sudden_ends_are_no_hang(host: Host, how: str) -> None:
    code = (
        "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)"
        if how == "kill"
        else "import os\nos._exit(3)"
    )
    expected = -signal.SIGTERM if how == "kill" else 3
    host.run(APP_CONNECT + "call(7)\n" + code, code_expected=expected)
    assert told(host.records(), "connect", port=7)


def test_programs_that_watch_themselves_do_not_see_it(host: Host) -> None:
    host.run(
        APP_CONNECT
        + """
import sys, tracemalloc, warnings, signal
warnings.simplefilter("error")
seen = []
sys.settrace(lambda frame, event, arg: seen.append(frame.f_code.co_filename) or None)
sys.setprofile(lambda frame, event, arg: seen.append(frame.f_code.co_filename))
call(7)
sys.settrace(None); sys.setprofile(None)
assert not [name for name in seen if "eightysix" in name], seen
try: raise ValueError
except ValueError:
    call(8)
    assert sys.exc_info()[0] is ValueError
"""
    )
    assert told(host.records(), "connect", port=8)


def test_subinterpreters_and_isolated_mode_go_on(host: Host) -> None:
    host.run("""
        try: import _xxsubinterpreters as sub
        except ImportError: sub = None
        if sub is not None:
            one = sub.create()
            sub.run_string(one, "import socket, threading, os, pickle; pickle.loads(pickle.dumps(os.getcwd))")
            sub.destroy(one)
        print("alive")
    """)
    assert host.done is not None
    assert host.done.stdout == "alive\n"


def test_a_package_that_fails_to_import_fails_as_before(host: Host) -> None:
    wheel_into(host.site, "langchain-core", "1.0", {"langchain_core/__init__.py": "", "langchain_core/load/__init__.py": "",
        "langchain_core/load/load.py": "raise ValueError('broken')"})  # fmt: skip
    host.run("""
        for _ in range(2):
            try: import langchain_core.load.load
            except ValueError as error: assert str(error) == "broken"
            else: raise AssertionError
        try: import torch.serialization
        except ModuleNotFoundError as error: assert error.name == "torch"
        import sys
        assert "eightysix" not in repr(sys.meta_path) or len(sys.meta_path) < 8
    """)


def test_the_source_compiles_without_a_warning() -> None:
    done = subprocess.run(
        [python_of("3.11"), "-W", "error", "-m", "compileall", "-q", "-f", str(SOURCE / "eightysix_sensor")],
        capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"], "PYTHONPYCACHEPREFIX": "/dev/null/x"},
    )  # fmt: skip
    assert "Warning" not in done.stderr
