"""What deploy/README.md says each hook sees was measured, and is measured again where this machine can."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench import hooks
from bench.acts import FILES, NETWORK
from bench.visibility import tables
from tests.tiers import require_tier

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "bench" / "results" / "visibility.json"
Results = dict[str, Any]


@pytest.fixture(scope="module")
def committed() -> Results:
    results: Results = json.loads(RESULTS.read_text())
    return results


@pytest.fixture(scope="module")
def measured() -> Results:
    """The same, measured now: in a process of its own, because it changes its namespaces."""
    reason = hooks.missing()
    if reason:
        require_tier("kernel", reason)
    done = subprocess.run(
        [sys.executable, "-m", "bench.visibility"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    refused = ("Operation not permitted", "Permission denied", "Function not implemented", "Read-only file")
    if done.returncode and any(word in done.stderr for word in refused):
        require_tier("kernel", done.stderr.strip().splitlines()[-1])
    assert done.returncode == 0, done.stderr
    results: Results = json.loads(done.stdout)
    return results


@pytest.fixture(params=["committed", "measured"])
def results(request: pytest.FixtureRequest) -> Results:
    found: Results = request.getfixturevalue(request.param)
    return found


def reaches(told: dict[str, Any], function: str) -> bool:
    return function in told["functions"] + told.get("functions of the polling thread", [])


def test_every_way_was_tried_and_worked(results: Results) -> None:
    assert results["network"].keys() == NETWORK.keys()
    assert results["files"].keys() == FILES.keys()
    for told in (*results["network"].values(), *results["files"].values()):
        assert told["failed"] == 0


def test_the_policy_for_connections_hooks_what_every_new_tcp_connection_passes(results: Results) -> None:
    handed_on = {"inherited_by_exec", "passed_by_scm_rights"}
    datagrams = {"udp_sendto", "udp_connect"}
    seen = {name for name, told in results["network"].items() if reaches(told, "tcp_connect")}
    assert seen == NETWORK.keys() - handed_on - datagrams


CONNECT: list[tuple[str, Callable[[dict[str, Any]], bool], set[str]]] = [
    (
        "the system call connect",
        lambda told: "connect" in told["system calls"],
        {"connect", "connect_ipv6", "connect_mptcp", "fastopen_connect", "udp_connect"},
    ),
    (
        "the LSM hook socket_connect, of what Landlock judges",
        lambda told: told.get("landlock socket_connect") == "asked",
        {"connect", "connect_ipv6", "fastopen_connect", "io_uring_connect", "io_uring_sqpoll_connect"},
    ),
    (
        "eBPF at the cgroup's connect4",
        lambda told: told["cgroup connect4"] == 1,
        {
            "connect", "connect_mptcp", "fastopen_sendto", "fastopen_connect", "io_uring_connect",
            "io_uring_sqpoll_connect", "udp_connect",
        },
    ),
]  # fmt: skip


@pytest.mark.parametrize(("sees", "expected"), [one[1:] for one in CONNECT], ids=[one[0] for one in CONNECT])
def test_who_sees_a_connection(
    results: Results, sees: Callable[[dict[str, Any]], bool], expected: set[str]
) -> None:
    assert {name for name, told in results["network"].items() if sees(told)} == expected


def test_the_policy_for_files_hooks_what_every_read_passes_but_a_mapping(results: Results) -> None:
    seen = {name for name, told in results["files"].items() if "access" in told["fanotify"]}
    assert seen == FILES.keys() - {"open_mmap"}


def test_a_file_that_was_handed_on_is_opened_by_somebody_else(results: Results) -> None:
    for name, told in results["files"].items():
        handed_on = name in ("inherited_file", "file_by_scm_rights")
        assert (told["landlock file_open"] == "not asked") is handed_on
        assert ("open" not in told["fanotify"]) is handed_on


def test_io_uring_opens_without_a_system_call_that_names_the_file(results: Results) -> None:
    told = results["files"]["io_uring_open_read"]
    assert told["system calls"] == ["io_uring_enter"]
    assert told["io_uring"] == ["OPENAT", "READ"]


def test_the_tables_of_the_page_are_those_of_the_results(committed: Results) -> None:
    page = (ROOT / "deploy" / "README.md").read_text()
    for table in tables(committed).split("\n\n"):
        assert table.strip() in page
    assert committed["kernel"] in page
