"""What the native part answers by itself because it was told a moment ago, and what it never does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.sensor.hosts import SOURCE, VERSIONS, Host, Record, one, python_of, told, wheel_into
from tests.sensor.preloading import library

FIRST_IN_C = (3, 9)
"""Python 3.8 gives no way to a frame's code from C: there each event is asked about in Python."""


def run(host: Host, code: str) -> list[Record]:
    native = {"LD_PRELOAD": str(library()), "EIGHTYSIX_SENSOR_HOME": str(SOURCE)}
    return host.run(code, env=native, start=False)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    found = Host(tmp_path)
    wheel_into(
        found.site, "evil", "3.0",
        {"evil.py": "import sys\ndef go(port=443): sys.audit('socket.connect', None, ('203.0.113.1', port))\n"},
    )  # fmt: skip
    return found


def callers(records: list[Record], event: str = "connect") -> list[str]:
    return [record["chain"][0].partition("==")[0].rpartition("/")[2] for record in told(records, event)]


@pytest.mark.parametrize("version", VERSIONS)
def test_repeats_are_answered_in_c_and_another_caller_is_told(version: str, tmp_path: Path) -> None:
    host = Host(tmp_path, python_of(version))
    wheel_into(
        host.site, "evil", "3.0",
        {"evil.py": "import sys\ndef go(): sys.audit('socket.connect', None, ('203.0.113.1', 443))\n"},
    )  # fmt: skip
    records = run(
        host,
        """
        import sys, evil
        for _ in range(40): sys.audit("socket.connect", None, ("203.0.113.1", 443))
        evil.go()
        for _ in range(2000): sys.audit("socket.connect", None, ("203.0.113.1", 443))
        for port in range(9): sys.audit("socket.connect", None, ("203.0.113.1", port))
        """,
    )
    assert callers(records) == ["server.py", "evil", *["server.py"] * 9]
    if tuple(map(int, version.split("."))) >= FIRST_IN_C:
        assert one(records, "heartbeat")["native"]["repeats"] > 2000


def test_a_hot_destination_is_sampled_and_another_caller_is_still_seen(host: Host) -> None:
    records = run(
        host,
        """
        import sys, evil
        for _ in range(2000): sys.audit("socket.connect", None, ("203.0.113.1", 443))
        for _ in range(8): evil.go()
        """,
    )
    assert callers(records) == ["server.py", "evil"]


def test_each_call_of_the_platform_is_told_however_many(host: Host) -> None:
    records = run(
        host,
        """
        import sys, http.client
        class Connection(http.client.HTTPConnection):
            sock = None
        platform, other = Connection("169.254.169.254"), Connection("store.example")
        for _ in range(80):
            sys.audit("socket.connect", None, ("169.254.169.254", 80))
            sys.audit("http.client.send", platform, b"GET /metadata/instance HTTP/1.1\\r\\n")
            sys.audit("http.client.send", other, b"GET /a HTTP/1.1\\r\\n")
            sys.audit("http.client.send", other, b"a body")
        """,
    )
    assert len(told(records, "connect", dst="169.254.169.254")) == 80
    urls = [record["url"] for record in told(records, "http")]
    assert urls.count("http://169.254.169.254:80/metadata/instance") == 80
    assert urls.count("http://store.example:80/a") == 1


def test_who_started_a_thread_or_a_task_counts(host: Host) -> None:
    """All connect from the same lines of the same files; only who handed the work over differs."""
    (host.app / "work.py").write_text(
        "import sys\ndef work():\n    for _ in range(5): sys.audit('socket.connect', None, ('203.0.113.7', 443))\n"
    )
    wheel_into(
        host.site, "sly", "1.0",
        {"sly.py": "def hand(pool, work): return pool.submit(work)\n"},
    )  # fmt: skip
    records = run(
        host,
        """
        import concurrent.futures, sly
        from work import work
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            pool.submit(work).result()
            pool.submit(work).result()
            sly.hand(pool, work).result()
        """,
    )
    assert [any("sly" in entry for entry in record["chain"]) for record in told(records, "connect")] == [
        False,
        True,
    ]


def test_a_child_tells_what_its_parent_told(host: Host) -> None:
    records = run(
        host,
        """
        import os, sys
        def go(): sys.audit("socket.connect", None, ("203.0.113.1", 443))
        for number in range(2):
            child = os.fork() if number else 0
            for _ in range(5): go()
            if number:
                if not child: os._exit(0)
                os.waitpid(child, 0)
        """,
    )
    assert len({record["pid"] for record in told(records, "connect")}) == 2


def test_hostile_arguments_are_asked_about_in_python_or_not_at_all(host: Host) -> None:
    records = run(
        host,
        """
        import sys
        class Sly(str):
            def __hash__(self): raise SystemExit("ran")
            def __eq__(self, other): raise SystemExit("ran")
        class Port(int):
            def __index__(self): raise SystemExit("ran")
        class Shows:
            @property
            def __dict__(self): raise SystemExit("ran")
        class Slots: __slots__ = ("host",)
        for _ in range(3):
            for address in ((Sly("a"), 1), ("a", Port(1)), ("a", True), ("a", 1 << 80), ("a", -1), ("a",), (), None, ["a", 1],
                            ("\\ud800", 1), ("a" * 100_000, 1)):
                for event in ("socket.connect", "socket.sendto", "socket.sendmsg"): sys.audit(event, None, address)
            for host in (Sly("a"), "", "\\ud800", b"a.example", None, 7):
                sys.audit("socket.getaddrinfo", host, 1, 0, 0, 0)
            for data in (b"", b"GE", b"GET ", b"GET http://a.example/ HTTP/1.1", "GET ", bytearray(b"GET /"), None):
                for connection in (Slots(), Shows(), None, 7, object(), type): sys.audit("http.client.send", connection, data)
            for event in ("socket.connect", "socket.sendto", "socket.getaddrinfo", "http.client.send"):
                sys.audit(event)
        print("went on")
        """,
    )
    assert host.done is not None
    assert host.done.stdout.strip() == "went on"
    assert records[-1]["event"] == "heartbeat"


def test_bounds_that_python_and_c_share() -> None:
    """How often is often, and for how long something counts as told, are the same on both sides."""
    native = (SOURCE.parent / "native" / "repeats.c").read_text()
    core = (SOURCE / "eightysix_sensor" / "core.py").read_text()
    often = re.search(r"^HOT = (\d+)$", core, re.MULTILINE)
    seconds = re.search(r"^REPEAT_S = ([\d.]+)$", core, re.MULTILINE)
    assert often is not None
    assert seconds is not None
    assert f"HOT = {often[1]}, HOT_FOR_MS = {round(float(seconds[1]) * 1000)}," in native
