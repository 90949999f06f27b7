"""With the native part nothing that a program gets to hold leads to the sensor, and stacks are read in C."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sensor.hosts import SOURCE, VERSIONS, Host, Record, one, python_of, told, wheel_into
from tests.sensor.preloading import library
from tests.sensor.test_records import APP_CONNECT

CRAWL = """
import sys, types

def crawl(*roots):
    '''Everything that attributes, cells, globals and frames lead to, as code without `gc` would look for it.'''
    seen, found, todo = set(), [], list(roots)
    mine = [sys.modules, sys.modules.__dict__ if hasattr(sys.modules, "__dict__") else None, globals()]
    while todo:
        it = todo.pop()
        if id(it) in seen or any(it is one for one in mine): continue
        seen.add(id(it)); found.append(it)
        if isinstance(it, (type(sys), str, bytes, int, float, type(None))): continue
        if isinstance(it, dict): todo += list(it.values())[:400]; continue
        if isinstance(it, (list, tuple, set, frozenset)): todo += list(it)[:400]; continue
        if isinstance(it, types.CellType): todo.append(it.cell_contents); continue
        for name in ("__closure__", "__globals__", "__self__", "__func__", "__wrapped__", "__dict__", "__class__", "__defaults__",
                     "f_back", "f_locals", "f_globals", "exec_module", "find_spec", "submit",
                     *(getattr(type(it), "__slots__", None) or ())):
            try: todo.append(getattr(it, name))
            except Exception: pass
    return found

def ours(found):
    names = set()
    for it in found:
        kind = it if isinstance(it, type) else type(it)
        if kind.__module__.startswith("eightysix_sensor"): names.add(kind.__module__ + "." + kind.__name__)
        if isinstance(it, types.FunctionType) and "eightysix_sensor" in it.__code__.co_filename:
            names.add(it.__code__.co_filename.rpartition("/")[2])
    return sorted(names)
"""
INSIDE = """
import _thread, atexit, concurrent.futures, socket, sys, threading
import torch.serialization
roots = [getattr(_thread, n) for n in dir(_thread) if n.startswith("start")]
roots += [getattr(threading, n) for n in dir(threading) if n.startswith("_start")]
roots += [concurrent.futures.ThreadPoolExecutor.submit, torch.serialization.load, torch.serialization.__loader__, *sys.meta_path]
class Same:
    def __eq__(self, other): roots.append(other); return False
    __hash__ = None
try: atexit.unregister(Same())
except TypeError: pass
def inside(): roots.append(sys._getframe())
thread = threading.Thread(target=inside); thread.start(); thread.join()
lock = _thread.allocate_lock(); lock.acquire()
def raw(): inside(); lock.release()
_thread.start_new_thread(raw, ()); lock.acquire()
with concurrent.futures.ThreadPoolExecutor(1) as pool: pool.submit(inside).result()
torch.serialization.load(inside)
assert len(roots) > 8, roots
print(ours(crawl(*roots)))
call(7)
"""


def run(host: Host, code: str, **env: str) -> list[Record]:
    """`code` with the native part in its process."""
    native = {"LD_PRELOAD": str(library()), "EIGHTYSIX_SENSOR_HOME": str(SOURCE)}
    return host.run(code, env={**native, **env}, start=False)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    host = Host(tmp_path)
    wheel_into(
        host.site,
        "torch",
        "2.0",
        {"torch/__init__.py": "", "torch/serialization.py": "def load(f): return f()\n"},
    )
    return host


@pytest.mark.tier("pythons")
@pytest.mark.parametrize("version", VERSIONS)
def test_what_the_program_holds_leads_nowhere(host: Host, version: str) -> None:
    host.python = python_of(version)
    records = run(host, APP_CONNECT + CRAWL + INSIDE)
    assert host.done is not None
    assert host.done.stdout in ("['hulls.py']\n", "['eightysix_sensor.hulls.Finder', 'hulls.py']\n")
    one(records, "connect", port=7)
    assert not told(records, "gc")
    assert records[-1]["errors"] == 0


def test_the_same_crawl_finds_the_sensor_where_nothing_is_closed(host: Host) -> None:
    """The crawl above can fail: in Python alone everything is there to be found, as docs/sensor.md says."""
    host.run(APP_CONNECT + CRAWL + INSIDE)
    assert host.done is not None
    assert "eightysix_sensor.core.Core" in host.done.stdout


@pytest.mark.tier("pythons")
@pytest.mark.parametrize("version", VERSIONS)
def test_threads_and_tasks_do_as_they_did_and_are_attributed(host: Host, version: str) -> None:
    host.python = python_of(version)
    wheel_into(
        host.site, "evil", "3.0",
        {"evil.py": APP_CONNECT + "import threading\ndef go(port):\n"
         "    t = threading.Thread(target=call, args=(port,)); t.start(); t.join()\n"
         "def submit(pool, port): pool.submit(call, port).result()\n"},
    )  # fmt: skip
    records = run(
        host,
        """
        import _thread, concurrent.futures, inspect, pickle, threading, evil
        evil.go(5)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            evil.submit(pool, 6)
            try: pool.submit(int, "x").result()
            except ValueError as error: assert "invalid literal" in str(error)
            else: raise AssertionError
            assert list(pool.map(lambda x: x * 2, range(50))) == [x * 2 for x in range(50)]
        for wrong in ((), (1,), (print, 1)):
            try: _thread.start_new_thread(*wrong)
            except TypeError: pass
            else: raise AssertionError(wrong)
        assert pickle.loads(pickle.dumps(_thread.start_new_thread)) is _thread.start_new_thread
        assert _thread.start_new_thread.__name__ == "start_new_thread"
        assert "fn" in str(inspect.signature(concurrent.futures.ThreadPoolExecutor.submit))
        out = []
        t = threading.Thread(target=lambda a, b=0: out.append((a, b)), args=(1,), kwargs={"b": 2}); t.start(); t.join()
        assert out == [(1, 2)]
        """,
    )
    assert one(records, "connect", port=5)["root"] == "evil==3.0"
    assert one(records, "connect", port=6)["root"] == "evil==3.0"
    assert records[-1]["errors"] == 0


@pytest.mark.tier("pythons")
@pytest.mark.parametrize("version", VERSIONS)
def test_code_in_the_place_of_other_code_is_not_taken_for_it(host: Host, version: str) -> None:
    host.python = python_of(version)
    for name in ("one", "two"):
        wheel_into(
            host.site,
            name,
            "1.0",
            {f"{name}.py": APP_CONNECT + "def go(port, then=None): (then or call)(port)\n"},
        )
    records = run(
        host,
        """
        import gc, one, two
        for port in range(1, 41):  # the same act by others, and by code that lies where other code lay
            who = (one, two)[port % 2]
            made = {"who": who}
            exec(compile("def act(port): who.go(port)", "<made>", "exec"), made)
            made["act"](7)
            made["act"](100 + port)
            del made
        def deep(depth, port):
            return one.go(port) if not depth else deep(depth - 1, port)
        deep(60, 300); deep(300, 301); two.go(302, one.go); one.go(303, two.go)
        """,
    )
    me = f"app:{host.app}/server.py"
    for port in range(1, 41):
        chain = one(records, "connect", port=100 + port)["chain"]
        assert chain[0] == ("one==1.0", "two==1.0")[port % 2]
    assert {tuple(record["chain"]) for record in told(records, "connect", port=7)} >= {
        ("one==1.0", me),
        ("two==1.0", me),
    }
    assert (
        one(records, "connect", port=300)["chain"]
        == one(records, "connect", port=301)["chain"]
        == ["one==1.0", me]
    )
    assert one(records, "connect", port=302)["chain"] == ["one==1.0", "two==1.0", me]
    assert one(records, "connect", port=303)["chain"] == ["two==1.0", "one==1.0", me]


def test_who_looks_at_the_frames_of_all_threads_is_told(host: Host) -> None:
    wheel_into(
        host.site, "looks", "1.0", {"looks.py": "import sys\ndef go(): return sys._current_frames()\n"}
    )
    assert one(run(host, "import looks; looks.go()"), "gc")["chain"][0] == "looks==1.0"


def test_a_path_is_read_without_what_the_program_made_of_its_methods(host: Host) -> None:
    code = """
        import pathlib, subprocess, sys
        frames = []
        def text(self):
            frames.append(sys._getframe(1).f_code.co_filename); return "/bin/true"
        paths = pathlib.Path("/bin") / "true", pathlib.PurePosixPath("/bin/true")
        pathlib.PurePath.__str__ = pathlib.PurePath.__fspath__ = text
        for path in paths: subprocess.run([path])
        assert not [name for name in frames if "eightysix" in name], frames
    """
    assert [record["argv"] for record in told(run(host, code), "spawn")] == [["/bin/true"]] * 2


def test_the_file_under_a_stream_is_asked_and_nothing_else(host: Host) -> None:
    (host.site / "torch" / "serialization.py").write_text("def load(f): pass\n")
    (host.app / "model").write_bytes(b"x" * 10)
    records = run(
        host,
        """
        import io, sys, torch.serialization
        class Raw(io.RawIOBase):
            def readable(self): return True
            @property
            def name(self): raise AssertionError("asked")
            fileno = name
        torch.serialization.load(io.BufferedReader(Raw()))
        torch.serialization.load(io.BytesIO())
        with open("model", "rb") as file: torch.serialization.load(file)
        """,
    )
    assert one(records, "open", api="torch.load")["file"]["size"] == 10
    assert records[-1]["errors"] == 0


def test_pairs_are_told_again_once_another_file_is_loaded(host: Host) -> None:
    code = """
        import collections, pickle, torch.serialization
        text = pickle.dumps(collections.OrderedDict())
        for name in ("a", "b"):
            open(name, "wb").write(name.encode())
            with open(name, "rb") as file:
                torch.serialization.load(file)
            for _ in range(3): pickle.loads(text)
    """
    wheel = host.site / "torch" / "serialization.py"
    wheel.write_text("def load(f): return f.read()\n")
    assert len(told(run(host, code), "pickle", module="collections", name="OrderedDict")) == 2
