"""Threads and tasks keep the chain of who started them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sensor.hosts import Host, one, wheel_into
from tests.sensor.test_records import APP_CONNECT

EVIL = """
import _thread, concurrent.futures, socket, threading, time
def dial(port):
    threading.current_thread()
    try: socket.create_connection(("127.0.0.1", port))
    except OSError: pass
def in_thread(port):
    t = threading.Thread(target=socket.create_connection, args=(("127.0.0.1", port),)); t.start(); t.join()
def nested(port):
    t = threading.Thread(target=in_thread, args=(port,)); t.start(); t.join()
def timer(port):
    t = threading.Timer(0.01, socket.create_connection, (("127.0.0.1", port),)); t.start(); t.join()
def raw(port):
    done = _thread.allocate_lock(); done.acquire()
    def go():
        try: dial(port)
        finally: done.release()
    _thread.start_new_thread(go, ()); done.acquire()
def submitted(pool, port):
    try: pool.submit(socket.create_connection, ("127.0.0.1", port)).result()
    except OSError: pass
"""
QUIET = "import threading\nthreading.excepthook = lambda *a: None\n"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    host = Host(tmp_path)
    wheel_into(host.site, "evil", "3.0", {"evil/__init__.py": EVIL})
    return host


@pytest.mark.parametrize("way", ["in_thread", "nested", "timer", "raw"])
def test_a_thread_has_its_starter_as_root(host: Host, way: str) -> None:
    records = host.run(QUIET + f"import evil\nevil.{way}(7)")
    connect = one(records, "connect", port=7)
    assert connect["root"] == "evil==3.0"
    assert connect["chain"] == ["evil==3.0", f"app:{host.app}/server.py"]
    assert connect["tid"] != records[0]["tid"]
    assert not host.errors


def test_a_thread_that_began_at_an_import_is_told_so(host: Host) -> None:
    wheel_into(host.site, "boots", "1.0", {"boots.py": "import evil\nevil.in_thread(7)\n"})
    connect = one(host.run(QUIET + "import boots"), "connect", port=7)
    assert connect["at_import"] == "boots==1.0"
    assert connect["chain"] == ["evil==3.0", "boots==1.0", f"app:{host.app}/server.py"]


def test_a_task_belongs_to_who_submitted_it(host: Host) -> None:
    records = host.run("""
        import concurrent.futures, socket, evil
        def mine(port):
            try: socket.create_connection(("127.0.0.1", port))
            except OSError: pass
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            pool.submit(mine, 5).result()
            evil.submitted(pool, 6)
            pool.submit(mine, 7).result()
    """)
    assert one(records, "connect", port=6)["root"] == "evil==3.0"
    assert one(records, "connect", port=5)["root"] == f"app:{host.app}/server.py"
    assert one(records, "connect", port=7)["chain"] == [f"app:{host.app}/server.py"]


def test_code_of_the_application_in_a_library_s_thread_is_the_application_s(host: Host) -> None:
    wheel_into(
        host.site, "anyserver", "1.0",
        {"anyserver.py": "import threading\ndef run(f): f()\n"
         "def serve(f):\n    t = threading.Thread(target=run, args=(f,)); t.start(); t.join()\n"},
    )  # fmt: skip
    records = host.run(APP_CONNECT + "import anyserver\nanyserver.serve(lambda: call(7))")
    assert one(records, "connect", port=7)["root"] == f"app:{host.app}/server.py"


def test_threads_look_and_fail_as_they_did(host: Host) -> None:
    host.run("""
        import _thread, threading, concurrent.futures, inspect, time
        out = []
        t = threading.Thread(target=lambda a, b=0: out.append((a, b)), args=(1,), kwargs={"b": 2}); t.start(); t.join()
        assert out == [(1, 2)]
        for wrong in ((), (1,), (print, 1)):
            try: _thread.start_new_thread(*wrong)
            except TypeError: pass
            else: raise AssertionError(wrong)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            assert list(pool.map(lambda x: x * 2, range(50))) == [x * 2 for x in range(50)]
            try: pool.submit(int, "x").result()
            except ValueError: pass
            try: pool.submit()
            except TypeError: pass
            else: raise AssertionError
        assert "fn" in str(inspect.signature(concurrent.futures.ThreadPoolExecutor.submit))
        def chain(depth):
            if depth:
                t = threading.Thread(target=chain, args=(depth - 1,)); t.start(); t.join()
        chain(40)
    """)


def test_many_threads_leave_nothing_behind(host: Host) -> None:
    records = host.run(
        APP_CONNECT
        + """
import threading, gc
def work(n):
    for i in range(20): call(n * 20 + i + 1)
for _ in range(10):
    ts = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    [t.start() for t in ts]; [t.join() for t in ts]
import sys
core = next(o for o in gc.get_objects() if type(o).__name__ == "Core")
assert not core.origins and not core.busy, (core.origins, core.busy)
"""
    )
    assert sorted(record["seq"] for record in records) == list(range(len(records)))
    assert records[-1]["errors"] == 0
