"""Small parts: policies, clock, cgroups, the pods file, options, processes of /proc."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from eightysix.lab.kernel import MECHANISMS, available, libbpf, policy
from eightysix.lab.kernel.cgroups import Hierarchy, hierarchy_of, mount_point
from eightysix.lab.kernel.clock import Clock, rfc3339
from eightysix.lab.kernel.options import parse
from eightysix.lab.kernel.pods import Pods
from eightysix.lab.kernel.processes import found
from eightysix.lab.kernel.redact import redact
from eightysix.lab.kernel.session import Lines
from eightysix.model.errors import LabError, UsageError
from eightysix.model.timestamps import to_ns
from tests.lab.kernel.machine import POD

ROOT = Path(__file__).resolve().parents[3]


def selectors(file: str) -> list[tuple[str, list[str], bool]]:
    """Operator, values and whether limited of each path selector of `security_file_permission`."""
    told: list[tuple[str, list[str], bool]] = []
    body = yaml.safe_load((ROOT / "deploy/tetragon" / file).read_text())
    for probe in body["spec"]["kprobes"]:
        if probe["call"] != "security_file_permission":
            continue
        for selector in probe["selectors"]:
            paths = selector["matchArgs"][0]
            limited = any(action.get("rateLimit") == "1m" for action in selector.get("matchActions", []))
            told.append((paths["operator"], paths["values"], limited))
    return told


def test_the_files_that_are_told_are_those_of_the_policies() -> None:
    assert selectors("files.yaml") == [
        ("Prefix", list(policy.MOUNTED), False),
        ("Postfix", list(policy.CREDENTIAL_ENDS), False),
        ("Postfix", list(policy.STARTUP_ENDS), False),
        ("Postfix", list(policy.MODEL_ENDS), True),
        ("Prefix", list(policy.PROGRAM_FOLDERS), True),
    ]
    assert selectors("host.yaml") == [("Prefix", list(policy.KUBELET), False)]


def test_policies_are_called_by_their_names() -> None:
    names = {
        yaml.safe_load((ROOT / "deploy/tetragon" / f"{name}.yaml").read_text())["metadata"]["name"]
        for name in ("connections", "files", "host")
    }
    assert names == {policy.CONNECTIONS, policy.FILES, policy.HOST}


@pytest.mark.parametrize(
    ("path", "writes", "told"),
    [
        ("/run/secrets/x", False, policy.FILES),
        ("/root/.docker/config.json", False, policy.FILES),
        ("/proc/7/environ", False, policy.FILES),
        ("/proc/self/mem", False, policy.FILES),
        (".../kubernetes.io/serviceaccount/token", False, policy.FILES),
        ("/host/var/lib/kubelet/pods/1/x", False, policy.HOST),
        ("/opt/venv/lib/a.pth", False, ""),
        ("/opt/venv/lib/a.pth", True, policy.FILES),
        ("/tmp/x", True, policy.FILES),
        ("/app/model.pkl", False, ""),
        ("/app/x.txt", True, ""),
    ],
)
def test_which_files_are_told(path: str, writes: bool, told: str) -> None:
    assert policy.policy_of(path, writes=writes)[0] == told


def test_names_of_credentials_fit_the_kernels_part() -> None:
    assert all(len(name.encode()) < 48 for name in policy.names_to_watch())
    assert {"token", "environ", "config.json"} <= set(policy.names_to_watch())


def test_a_leap_moves_what_follows_and_nothing_before() -> None:
    clock = Clock(1_000, offset_s=1)
    clock.leap(3600, at=50)
    clock.leap(10, at=80)
    assert clock.wall_ns(49) == 1_049 + 1_000_000_000
    assert clock.wall_ns(50) == 1_050 + 3601 * 1_000_000_000
    assert clock.wall_ns(90) == 1_090 + 3611 * 1_000_000_000


@given(st.integers(0, 4_000_000_000 * 1_000_000_000))
def test_times_are_read_as_they_were_written(ns: int) -> None:
    assert to_ns(rfc3339(ns)) == ns


def test_the_clock_of_this_machine_is_about_now() -> None:
    import time

    clock = Clock()
    assert abs(clock.wall_ns(Clock.now()) - time.time_ns()) < 60_000_000_000


MOUNTS = """\
30 25 0:26 / /sys/fs/cgroup ro - tmpfs tmpfs ro
31 30 0:27 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw
32 30 0:28 /a\\040b /mnt/x\\040y rw - cgroup2 none rw
33 30 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu
"""


def test_where_version_2_is_mounted() -> None:
    assert mount_point(MOUNTS) == (Path("/mnt/x y"), "/a b")
    assert mount_point("\n".join(MOUNTS.splitlines()[:2])) == (Path("/sys/fs/cgroup/unified"), "/")
    assert mount_point("") is None


def test_the_place_of_a_folder_in_the_hierarchy(tmp_path: Path) -> None:
    folder = tmp_path / "k" / "pod1"
    folder.mkdir(parents=True)
    place = Hierarchy(tmp_path, "/", tmp_path / "k")
    assert (place.path, place.level, place.id) == ("/k", 1, (tmp_path / "k").stat().st_ino)
    assert [place.below(path) for path in ("/k", "/k/pod1", "/kk", "/")] == ["", "pod1", None, None]
    assert {below for _, below in place.folders()} == {"", "pod1"}
    assert Hierarchy(tmp_path, "/outer", tmp_path / "k").path == "/outer/k"
    assert Hierarchy(tmp_path, "/", tmp_path).level == 0


def test_a_folder_that_is_no_cgroup(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no cgroup of version 2"):
        hierarchy_of(tmp_path)


def line(cgroup: str, name: str) -> str:
    return json.dumps({"container_id": name, "cgroup": cgroup, "pod": POD}) + "\n"


def test_the_pods_file_is_read_again_when_it_grows(tmp_path: Path) -> None:
    file = tmp_path / "pods"
    file.write_text(line("a/", "one"))
    pods = Pods(file, None)
    for number, below in ((1, "a"), (2, "a/b/c"), (3, "d")):
        pods.place(number, below)
    assert [entry.container_id if entry else "" for entry in map(pods.of, (1, 2, 3, 4))] == [
        "one",
        "one",
        "",
        "",
    ]
    with file.open("a") as stream:
        stream.write("not json\n" + line("d", "two") + line("e", "three")[:20])
    known = pods.of(3)
    assert known is not None
    assert known.container_id == "two"
    assert pods.malformed == 1
    with file.open("a") as stream:
        stream.write(line("e", "three")[20:])
    assert pods.at("e/x") is not None


def test_no_pods_file_is_no_pod(tmp_path: Path) -> None:
    assert Pods(tmp_path / "missing", None).at("a") is None


def test_options() -> None:
    options = parse(
        ["--cgroup", "/c", "--output=/o", "--deny", "1.2.3.4", "--deny", "::1", "--offset", "2.5"]
    )
    assert (options.cgroup, options.output, options.deny) == (Path("/c"), Path("/o"), ("1.2.3.4", "::1"))
    assert (options.mechanism, options.offset, options.pods) == ("auto", 2.5, None)
    traced = parse(["--mechanism", "strace", "--trace", "/t", "--output", "/o", "--place", "/a/"])
    assert (traced.trace, traced.place) == (Path("/t"), "a")


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--cgroup", "/c"],
        ["--cgroup", "/c", "--output"],
        ["--cgroup", "/c", "--output", "/o", "--nonsense", "1"],
        ["--cgroup", "/c", "--output", "/o", "--mechanism", "magic"],
        ["--cgroup", "/c", "--output", "/o", "--ring", "x"],
        ["--mechanism", "strace", "--output", "/o", "--cgroup", "/c"],
    ],
)
def test_what_is_no_option_is_said(words: list[str]) -> None:
    with pytest.raises(UsageError):
        parse(words)


def test_this_process_is_found_in_proc() -> None:
    fact = found(os.getpid())
    assert fact is not None
    assert (fact.pid, fact.ppid, fact.cwd, fact.proc) == (os.getpid(), os.getppid(), os.getcwd(), True)
    assert fact.mnt > 0


def test_a_process_may_be_gone_or_make_no_sense(tmp_path: Path) -> None:
    assert found(10, proc=tmp_path) is None
    place = tmp_path / "10"
    place.mkdir()
    for name, text in (("stat", "10 (a) b) S x"), ("status", "Uid:\n"), ("cmdline", "")):
        (place / name).write_text(text)
    assert found(10, proc=tmp_path) is None


def test_a_name_with_a_parenthesis_does_not_move_the_fields(tmp_path: Path) -> None:
    place = tmp_path / "10"
    place.mkdir()
    fields = "S 7 " + " ".join(["0"] * 17) + " 100 0"
    for name, text in (
        ("stat", f"10 (x) S 9 9) {fields}"),
        ("status", "Name:\tx\nUid:\t5\t5\t5\t5\n"),
        ("cmdline", "a\0b\0"),
    ):
        (place / name).write_text(text)
    fact = found(10, proc=tmp_path)
    assert fact is not None
    assert (fact.ppid, fact.uid, fact.arguments) == (7, 5, ("b",))
    assert fact.at == 100 * 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def test_every_mechanism_says_why_not() -> None:
    reasons = available()
    assert tuple(reasons) == MECHANISMS
    assert all(isinstance(reason, str) for reason in reasons.values())


def test_a_missing_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libbpf, "LIBRARY", "libnothing.so.99")
    assert "libbpf1" in libbpf.missing()
    assert "libbpf1" in available()["ebpf"]


@given(st.text(max_size=200))
def test_redaction_takes_tokens_and_nothing_else(text: str) -> None:
    if "eyJ" not in text:
        assert redact(text) == text
    token = "eyJ" + "a" * 40 + ".b.c"
    assert token not in redact(f"{text} {token} {text}")


def test_redaction_keeps_what_only_begins_alike() -> None:
    samples: list[Any] = ["eyJ", "eyJshort.x", "keyJ", "eyJ" + "a" * 50]
    assert [redact(sample) for sample in samples] == samples


def test_only_whole_lines_are_written(tmp_path: Path) -> None:
    place = tmp_path / "out"
    descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    lines = Lines(descriptor)
    for number in range(3000):
        lines.write(b"%d" % number + b"x" * 1000 + b"\n")
        assert place.read_bytes()[-1:] in (b"", b"\n")
    lines.flush()
    lines.flush()
    os.close(descriptor)
    assert place.read_bytes().count(b"\n") == 3000
