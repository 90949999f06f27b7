"""The native part in real interpreters: it starts the Python part once, filters, and never harms its host."""

from __future__ import annotations

import subprocess
import venv
from pathlib import Path

import pytest

from tests.sensor.preloading import STAND_IN, VERSIONS, Host, library, python_of
from tests.tiers import require_tier

CONNECT = "import socket; s = socket.socket(); s.setblocking(False)\ntry: s.connect(('127.0.0.1', 9))\nexcept OSError: pass\n"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    library()
    return Host(tmp_path)


def names(host: Host) -> list[str]:
    return [told[0] for told in host.told]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("flag", ["", "-I", "-E", "-S"])
def test_every_python_starts_the_sensor_once_and_early(tmp_path: Path, version: str, flag: str) -> None:
    host = Host(tmp_path, python_of(version))
    host.run(CONNECT, *filter(None, [flag]))
    assert names(host) == ["start", "socket.connect"]
    _, _, site_was_there, on_path = host.told[0]
    assert not site_was_there
    assert on_path == [], "sys.path is not touched"


@pytest.mark.parametrize("version", VERSIONS)
def test_another_interpreter_is_told_by_records_of_its_own(tmp_path: Path, version: str) -> None:
    host = Host(tmp_path, python_of(version))
    inside = (
        CONNECT
        + "s = socket.socket(socket.AF_UNIX); s.connect_ex('/nonexistent')"  # no network's address: takes no number
        + "\ntry: open('/var/run/secrets/x')\nexcept OSError: pass\nimport pickle; pickle.loads(b'cposix\\ngetcwd\\n.')"
    )
    done = host.run(
        "try: import _interpreters as x\nexcept ImportError: import _xxsubinterpreters as x\n"
        f"i = x.create(); (getattr(x, 'run_string', None) or x.exec)(i, {inside!r}); x.destroy(i)\n"
        "import sys; print(sys.native_part.stats()['other_interpreters'])"
    )
    assert names(host) == ["start"], "the callable belongs to the first interpreter"
    assert [record["event"] for record in host.records] == ["connect", "open", "pickle"]
    assert [record["seq"] for record in host.records] == [0, 1, 2]
    assert host.records[1]["flags"] & 3 == 0
    connect = host.records[0]
    assert (connect["dst"], connect["port"], connect["native"]) == ("127.0.0.1", 9, True)
    assert connect["interpreter"] > 0
    assert int(done.stdout) == 4


@pytest.mark.parametrize("version", VERSIONS)
def test_a_program_at_its_limit_of_recursion_goes_on(tmp_path: Path, version: str) -> None:
    # Python 3.8 and 3.9 abort when an error of recursion is swallowed and the program goes deeper.
    host = Host(tmp_path, python_of(version))
    code = (
        "import sys\n"
        "def deep(n):\n    sys.audit('lab.event', n)\n    return deep(n + 1)\n"
        "for _ in range(3):\n    try: deep(0)\n    except RecursionError: print('limit')\n"
    )
    done = host.run(code)
    assert done.stdout.split() == ["limit"] * 3
    assert names(host).count("lab.event") > 100


def test_it_is_there_before_the_first_line_of_a_pth_file(host: Host, tmp_path: Path) -> None:
    made = tmp_path / "venv"
    venv.create(made, with_pip=False, symlinks=True)
    (site,) = made.glob("lib/python3.*/site-packages")
    (site / "aaa.pth").write_text("import socket; s = socket.socket(); s.connect_ex(('127.0.0.1', 9))\n")
    host.program(str(made / "bin" / "python"), "-c", "pass")
    assert names(host)[:2] == ["start", "socket.connect"]


@pytest.mark.parametrize(
    "off", [{"EIGHTYSIX_SENSOR": ""}, {"EIGHTYSIX_SENSOR": "off"}, {"EIGHTYSIX_SENSOR_DISABLE": "1"}]
)
def test_switched_off_nothing_happens(host: Host, off: dict[str, str]) -> None:
    host.run(CONNECT + "assert not hasattr(__import__('sys'), 'native_part')", check=True, **off)
    assert host.told == []
    assert host.records == []


def test_other_programs_are_left_alone(host: Host) -> None:
    done = host.program("/bin/sh", "-c", "echo fine; exec cat /dev/null")
    assert (done.stdout, done.stderr) == ("fine\n", "")
    assert list(host.folder.iterdir()) == [host.folder / "home"]


def test_forks_and_threads_keep_the_hook_and_do_not_start_it_again(host: Host) -> None:
    host.run(
        "import os, threading\n"
        f"def act():\n    exec({CONNECT!r})\n"
        "t = threading.Thread(target=act); t.start(); t.join()\n"
        "pid = os.fork()\n"
        "if pid == 0:\n    act(); os._exit(0)\n"
        "os.waitpid(pid, 0)"
    )
    assert names(host) == ["start", "socket.connect", "socket.connect"]


def test_only_paths_that_are_asked_for_are_told(host: Host) -> None:
    host.run(
        "import os, pathlib\n"
        "wanted = ['/var/run/secrets/a', 'token', b'token', b'/var/run/secrets/b', '/x/token', 'sub/token', pathlib.Path('/var/run/secrets/c'),"
        " '../../x.end']\n"
        "others = ['/var/run/secret', '/var/run', '/etc/hostname', 'tokens', 'mytoken', '', '/', b'', b'\\xff\\xfe', '\\udcff', 'x' * 5000, '/tmp/\\u00e9']\n"
        "for path in wanted + others:\n"
        "    for how in (open, lambda p: os.open(p, 0)):\n"
        "        try: how(path)\n"
        "        except (OSError, ValueError): pass\n"
        "open(0, closefd=False); open(os.dup(1), 'w')\n"
        "import sys; sys.audit('open'); sys.audit('open', None, 1); sys.audit('pickle.find_class'); sys.audit('pickle.find_class', 1, 2)"
    )
    opened = [told[1] for told in host.told if told[0] == "open" and len(told) > 3]
    assert sum("token" in path for path in opened) == 8
    assert sum("/var/run/secrets/" in path for path in opened) == 6
    assert sum("x.end" in path for path in opened) == 2
    # what is no text cannot be judged in C: it is left to Python, which never happens for what open() itself audits
    assert [
        path for path in opened if "token" not in path and "/secrets/" not in path and "x.end" not in path
    ] == ["'\\udcff'"] * 2


def test_a_pair_that_was_seen_is_told_once_unless_python_wants_more(tmp_path: Path) -> None:
    library()
    code = "import pickle\nfor _ in range(3): pickle.loads(b'cposix\\ngetcwd\\n.'); pickle.loads(b'cposix\\ngetpid\\n.')"
    host = Host(tmp_path / "once")
    host.run(code)
    assert names(host) == ["start", "pickle.find_class", "pickle.find_class"]
    more = Host(tmp_path / "more", boot=STAND_IN.replace("    return True\n", ""))
    more.run("import sys; sys.native_part.mark_seen('posix', 'getpid')\n" + code)
    assert names(more) == ["start"] + ["pickle.find_class"] * 3


def test_the_set_of_seen_pairs_is_bounded(host: Host) -> None:
    done = host.run(
        "import sys\n"
        "for i in range(20000): sys.audit('pickle.find_class', 'module', str(i))\n"
        "print(sys.native_part.stats()['seen'])"
    )
    assert int(done.stdout) == 4096


def test_what_the_sensor_does_itself_is_not_told(tmp_path: Path) -> None:
    library()
    nested = STAND_IN.replace(
        "    tell(event,", "    open('/dev/null'); import sys; sys.audit('lab.event')\n    tell(event,"
    )
    host = Host(tmp_path, boot=nested)
    host.run(CONNECT)
    assert names(host) == ["start", "socket.connect"]


def test_no_exception_of_the_sensor_reaches_the_program(tmp_path: Path) -> None:
    library()
    host = Host(
        tmp_path, boot=STAND_IN.replace("    tell(event,", "    raise ValueError('sensor')\n    tell(event,")
    )
    done = host.run(CONNECT + "import sys; print(sys.native_part.stats()['errors'], sys.exc_info())")
    assert done.stdout == "1 (None, None, None)\n"
    assert done.stderr == ""


def test_an_exception_of_the_program_survives_the_hook(host: Host) -> None:
    code = "import sys\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n    sys.audit('lab.event')\n    print(sys.exc_info()[0].__name__)"
    assert host.run(code).stdout == "ZeroDivisionError\n"


def test_an_interrupt_while_the_sensor_works_reaches_the_program(tmp_path: Path) -> None:
    # The handler of a signal runs in whatever code is running: here, the sensor's.
    library()
    host = Host(
        tmp_path,
        boot=STAND_IN.replace(
            "    tell(event,", "    import signal; signal.raise_signal(2)\n    tell(event,"
        ),
    )
    # The tests themselves may run with SIGINT ignored, as whatever is started in the background does.
    handled = "import signal, sys; signal.signal(2, signal.default_int_handler)\n"
    code = handled + "try:\n    sys.audit('lab.event')\nexcept KeyboardInterrupt: print('interrupted')"
    assert host.run(code).stdout == "interrupted\n"
    late = code.replace("signal.default_int_handler", "late").replace("KeyboardInterrupt", "TimeoutError")
    (host.folder / "program.py").write_text("def late(*_): raise TimeoutError('late')\n" + late)
    assert host.program(host.python, "program.py").stdout == "interrupted\n"


@pytest.mark.parametrize(
    ("boot", "reason"),
    [
        ("raise RuntimeError('x')", "RuntimeError"),
        ("import no_such_module", "ModuleNotFoundError"),
        ("def start(native): return False", "RuntimeError"),
        ("def start(native): native.set_hook(1, (), ())", "TypeError"),
    ],
)
def test_a_python_part_that_does_not_start_is_told_and_harmless(
    tmp_path: Path, boot: str, reason: str
) -> None:
    library()
    host = Host(tmp_path, boot=boot)
    assert host.run(CONNECT + "print('fine')").stdout == "fine\n"
    (record,) = host.records
    assert (record["event"], record["reason"]) == ("start_failed", reason)


def test_without_the_package_the_program_runs(host: Host) -> None:
    assert host.run("print('fine')", EIGHTYSIX_SENSOR_HOME="/nonexistent").stdout == "fine\n"
    assert host.records[0]["reason"] == "ImportError"


def test_a_receiver_that_is_not_there_or_does_not_read_costs_nothing(host: Host) -> None:
    host.run("import sys; print(sys.native_part.stats())", EIGHTYSIX_SENSOR=f"unix:{host.folder}/none.sock")
    inside = "import sys\nfor i in range(500): sys.audit('socket.connect', None, ('127.0.0.1', i))"
    code = (
        "import socket, sys, os\n"
        f"r = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); r.bind({str(host.folder / 'full.sock')!r})\n"
        "try: import _interpreters as x\nexcept ImportError: import _xxsubinterpreters as x\n"
        f"i = x.create(); (getattr(x, 'run_string', None) or x.exec)(i, {inside!r}); x.destroy(i)\n"
        "s = sys.native_part.stats(); print(s['sent'] > 0, s['dropped'] > 0, s['sent'] + s['dropped'])"
    )
    assert host.run(code, EIGHTYSIX_SENSOR=f"unix:{host.folder}/full.sock").stdout == "True True 500\n"


def test_events_while_python_ends_are_harmless(host: Host) -> None:
    done = host.run(
        "import atexit, sys\n"
        "class Last:\n    def __del__(self, audit=sys.audit): audit('lab.event', 'late')\n"
        "keep = Last(); sys.keep = Last(); loop = [Last()]; loop.append(loop)\n"
        "atexit.register(sys.audit, 'lab.event', 'atexit')"
    )
    assert done.stderr == ""
    assert "lab.event" in names(host)


def test_many_threads_at_once(host: Host) -> None:
    code = (
        "import sys, threading\n"
        "def act(n):\n"
        "    for i in range(2000): sys.audit('pickle.find_class', 'm%d' % n, str(i % 50)); sys.audit('nothing.wanted', i)\n"
        "ts = [threading.Thread(target=act, args=(n,)) for n in range(8)]\n"
        "[t.start() for t in ts]; [t.join() for t in ts]\n"
        "print(sys.native_part.stats()['errors'])"
    )
    assert host.run(code).stdout == "0\n"
    assert names(host).count("pickle.find_class") >= 400


def test_set_hook_refuses_what_it_cannot_hold(host: Host) -> None:
    host.run(
        "import sys\nn = sys.native_part\n"
        "def bad(*a):\n"
        "    try: n.set_hook(*a)\n"
        "    except (TypeError, ValueError): return\n"
        "    raise SystemExit(repr(a)[:200])\n"
        "ok = lambda e, a: None\n"
        "for a in [(), (1, (), ()), (ok, [], ()), (ok, ('x' * 60,), ()), (ok, (1,), ()), (ok, (), ('relative',)), (ok, (), ('/' + 'x' * 200,)),\n"
        "          (ok, tuple(map(str, range(200))), ()), (ok, (), tuple('/p%d' % i for i in range(200))), (ok, ('a\\0b',), ())]: bad(*a)\n"
        "seen = []\n"
        "for _ in range(5): n.set_hook(lambda e, a: seen.append(e), ('lab.one',), ('/',)); sys.audit('lab.one'); sys.audit('lab.event')\n"
        "n.set_hook(None, (), ()); sys.audit('lab.one')\n"
        "assert seen == ['lab.one'] * 5, seen"
    )


def test_two_copies_act_as_one(host: Host, tmp_path: Path) -> None:
    copy = tmp_path / "copy.so"
    copy.write_bytes(library().read_bytes())
    host.run(CONNECT, LD_PRELOAD=f"{library()}:{copy}")
    assert names(host) == ["start", "socket.connect"]


def test_a_missing_file_among_the_preloads_is_no_obstacle(host: Host) -> None:
    done = host.run(CONNECT, LD_PRELOAD=f"/nonexistent/lib.so {library()}")
    assert names(host) == ["start", "socket.connect"]
    assert "cannot be preloaded" in done.stderr, "that is what the loader says, and all"


@pytest.mark.parametrize("first", [True, False])
def test_it_lives_beside_jemalloc_as_ray_sets_it(host: Host, first: bool) -> None:
    # docs.ray.io: RAY_JEMALLOC_LIB_PATH becomes LD_PRELOAD of Ray's processes, beside what was there
    found = sorted(Path("/usr/lib").glob("*/libjemalloc.so.2"))
    if not found:
        require_tier("jemalloc", "no libjemalloc.so.2 (Debian: libjemalloc2)")
    both = [str(found[0]), str(library())]
    code = (
        CONNECT + "print(any('jemalloc' in line for line in open('/proc/self/maps')), bytearray(1 << 24)[-1])"
    )
    done = host.run(
        code, LD_PRELOAD=":".join(both if first else both[::-1]), MALLOC_CONF="background_thread:true"
    )
    assert done.stdout == "True 0\n"
    assert names(host) == ["start", "socket.connect"]


def test_a_child_of_another_environment_is_not_seen(host: Host) -> None:
    host.run(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CONNECT!r}], env={{}})")
    assert names(host) == ["start"]


def test_the_file_names_no_library_and_no_version() -> None:
    told = subprocess.run(
        ["readelf", "-dV", "-W", str(library())], capture_output=True, text=True, check=True
    ).stdout
    assert "NEEDED" not in told
    assert "No version information found" in told
    needed = subprocess.run(
        ["nm", "-D", "--undefined-only", str(library())], capture_output=True, text=True, check=True
    ).stdout
    assert {line.split()[-1] for line in needed.splitlines()} <= {
        "__tls_get_addr", "access", "clock_gettime", "close", "dlsym", "getauxval", "getenv", "getpid", "getuid", "memcpy", "memset",
        "open", "pread", "pwrite", "read", "sendto", "socket", "strlen", "syscall", "write",
    }  # fmt: skip
    assert " w dlsym" in needed, "before glibc 2.34 a program need not have it"


@pytest.mark.parametrize("version", ["3.8", "3.11", "3.13"])
def test_whatever_another_interpreter_audits_the_records_stay_whole(tmp_path: Path, version: str) -> None:
    host = Host(tmp_path, python_of(version))
    inside = (
        "import sys\n"
        "class S(str):\n    def __eq__(self, other): raise ValueError\n    def __hash__(self): raise ValueError\n"
        "class T(tuple): pass\n"
        "odd = [None, 1, 1 << 80, -1, 1.5, '', 'x' * 100000, '\\ud800', '\\u00e9\\U0001f600', '\\0', '\"\\\\\\n', b'\\xff', S('s'), (), ('a',), ('a', None),"
        " ('a', 1 << 70), (1, 2), T(('b', -5)), ('\\ud800', 1), ['a', 1], {}, sys, ('x' * 5000, 1)]\n"
        "for name in ('socket.connect', 'open', 'pickle.find_class', 'ctypes.dlopen'):\n"
        "    sys.audit(name)\n"
        "    for one in odd:\n"
        "        sys.audit(name, one)\n"
        "        for two in odd: sys.audit(name, one, two)\n"
        "try: 1 / 0\n"
        "except ZeroDivisionError: sys.audit('socket.connect', None, ('last', 1)); assert sys.exc_info()[0] is ZeroDivisionError\n"
    )
    host.run(
        "try: import _interpreters as x\nexcept ImportError: import _xxsubinterpreters as x\n"
        f"i = x.create(); (getattr(x, 'run_string', None) or x.exec)(i, {inside!r}); x.destroy(i)\n"
        "import sys; print(sys.native_part.stats())"
    )
    records = host.records
    assert len(records) >= 100
    assert all(set(record) >= {"v", "seq", "event", "chain", "root", "dists"} for record in records)
    numbers = [record["seq"] for record in records]
    assert numbers == sorted(set(numbers))
