"""Tetragon's export: real records, built ones, and that nothing is lost whichever way a line is read."""

from __future__ import annotations

import json
from base64 import b64encode
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from eightysix.context.packages import told_path
from eightysix.detect import Engine, Knowledge
from eightysix.detect.engine import MAX_TOTAL_PROCESSES
from eightysix.model.event import Contact, Event
from eightysix.model.incident import Problem
from eightysix.model.timestamps import to_ns
from eightysix.model.words import Access, Domain, Grade, Kind, Origin, Outcome, Source
from eightysix.sources import tetragon_noise
from eightysix.sources.interface import Batch
from eightysix.sources.lines import find_newlines
from eightysix.sources.reading import Limits, read_inputs
from eightysix.sources.tetragon import TetragonDecoder, Tree
from eightysix.sources.tetragon_noise import LEAVES
from tests.streams import ATTACKS, KERNEL_ONLY, LOOK_ALIKES

Json = Any

NODE = "aks-gpu-31337-vmss000000"
UID = "916eac50-4d4e-4d3a-85ed-d68205d18fa2"
CONTAINER = "383cd98375af06b5f7e2961b56e601d02d156d875563f60fa52ca1a830b7fb51"
DIGEST = "sha256:" + "5e" * 32
TIME = "2026-11-24T09:25:00.000000001Z"
SITE = "/opt/venv/lib/python3.11/site-packages"
TOKEN = "/run/secrets/kubernetes.io/serviceaccount/..2026_11_24_06_41_09.1274825283/token"


def exec_id(pid: int) -> str:
    return b64encode(f"{NODE}:{pid}000000000:{pid}".encode()).decode()


def pod(**more: Json) -> Json:
    body = {
        "namespace": "ml",
        "name": "inference-0",
        "uid": UID,
        "container": {
            "id": f"containerd://{CONTAINER}",
            "name": "server",
            "image": {
                "id": f"registry.example/ml/inference@{DIGEST}",
                "name": "registry.example/ml/inference:prod",
            },
            "start_time": "2026-11-24T09:00:00Z",
            "pid": 7,
        },
        "pod_labels": {"app": "inference"},
        "workload": "inference",
        "workload_kind": "StatefulSet",
    }
    return without({**body, **more})


def process(pid: int = 20, **more: Json) -> Json:
    body = {
        "exec_id": exec_id(pid),
        "pid": pid,
        "uid": 1000,
        "cwd": "/app",
        "binary": "/opt/venv/bin/python",
        "arguments": "/app/server.py",
        "flags": "execve clone",
        "start_time": "2026-11-24T09:00:01Z",
        "auid": 4_294_967_295,
        "pod": pod(),
        "docker": CONTAINER[:31],
        "parent_exec_id": exec_id(1),
        "refcnt": 1,
        "tid": pid + 1,
        "in_init_tree": True,
    }
    return without({**body, **more})


def without(body: dict[str, Json]) -> dict[str, Json]:
    """`body` without what is `...`: members that the exporter leaves out."""
    return {key: value for key, value in body.items() if value is not ...}


def record(kind: str, body: Json, time: Json = TIME, **more: Json) -> Json:
    envelope = {kind: body, "node_name": NODE, "time": time, "cluster_name": "aks-ml-prod"}
    return without({**envelope, **more})


def started(who: Json = None, time: Json = TIME, **more: Json) -> Json:
    return record("process_exec", without({"process": who or process(), **more}), time)


def probe(function: str, *arguments: Json, who: Json = None, time: Json = TIME, **more: Json) -> Json:
    body = {
        "process": who or process(),
        "function_name": function,
        "args": list(arguments),
        "action": "KPROBE_ACTION_POST",
        "policy_name": "eightysix",
        "return_action": "KPROBE_ACTION_POST",
    }
    return record("process_kprobe", without({**body, **more}), time)


def sock(ip: str, port: Json = 443, **more: Json) -> Json:
    body = {
        "family": "AF_INET",
        "type": "SOCK_STREAM",
        "protocol": "IPPROTO_TCP",
        "mark": 0,
        "saddr": "10.244.1.4",
        "daddr": ip,
        "sport": 41_000,
        "dport": port,
        "cookie": "18446744073709551615",
        "state": "TCP_SYN_SENT",
    }
    return {"sock_arg": without({**body, **more})}


def connect(ip: str, port: Json = 443, **more: Json) -> Json:
    return probe("tcp_connect", sock(ip, port), **more)


def touch(path: str, mask: int, **more: Json) -> Json:
    file = {"file_arg": {"path": path, "permission": "-rw-r--r--"}}
    return probe("security_file_permission", file, {"int_arg": mask}, **more)


@dataclass
class Decoded:
    """What a decoder made of some input."""

    batch: Batch
    trees: dict[str, Tree] = field(default_factory=dict)
    contacts: dict[str, dict[str, Contact]] = field(default_factory=dict)

    @property
    def event(self) -> Event:
        """The only event."""
        (event,) = self.batch.events
        return event

    @property
    def kinds(self) -> dict[str, int]:
        """Kinds that were counted."""
        return {kind: number for kind, number in self.batch.kinds.items() if number}


def decode(*records: Json, first_execs: bool = False, file: str = "f") -> Decoded:
    """Decode records, each on a line of its own; bytes are taken as they are."""
    trees: dict[str, Tree] = {}
    contacts: dict[str, dict[str, Contact]] = {}
    decoder = TetragonDecoder(trees, contacts, first_execs=first_execs)
    lines = [item if isinstance(item, bytes) else text(item) for item in records]
    batch = decoder.decode(b"".join(line + b"\n" for line in lines), file, 1)
    decoder.flush()
    return Decoded(batch, trees, contacts)


def text(value: Json) -> bytes:
    """As protojson writes it: without spaces."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


# --- recorded ---------------------------------------------------------------------------------------------------------


def _of_file(path: Path) -> tuple[Decoded, list[Problem]]:
    problems: list[Problem] = []
    total = Decoded(Batch())
    decoder = TetragonDecoder(total.trees, total.contacts)
    for block in read_inputs([str(path)], None, Limits(), problems.append):
        batch = decoder.decode(block.data, block.file, block.first_line, block.newlines)
        total.batch.events += batch.events
        total.batch.problems += batch.problems
        total.batch.leftover += batch.leftover
        total.batch.records += batch.records
        total.batch.recognised += batch.recognised
        for kind, number in batch.kinds.items():
            total.batch.kinds[kind] = total.batch.kinds.get(kind, 0) + number
    return total, problems


_KIND_OF = {
    "process_exec": "exec",
    "process_exit": "exit",
    "process_connect": "connect",
    "process_close": "other",
    "process_listen": "other",
    "process_uprobe": "other",
}


def test_samples_of_the_documentation_are_understood(shared_data: Path) -> None:
    files = sorted((shared_data / "samples" / "tetragon").glob("*.json"))
    kinds: Counter[str] = Counter()
    for path in files:
        found, problems = _of_file(path)
        assert problems == found.batch.problems == [], path.name
        assert found.batch.leftover == [], path.name
        assert found.batch.recognised == found.batch.records > 0, path.name
        kinds.update(found.kinds)
        wanted: Counter[str] = Counter()
        for body in _values(path.read_text()):
            (name,) = [key for key in body if key.startswith("process_")]
            wanted[_KIND_OF.get(name, "probe")] += 1
        assert found.kinds == dict(wanted), path.name
    assert kinds["exec"] > 10
    assert kinds["connect"] > 3
    assert kinds["probe"] > 1


def _values(text: str) -> list[Json]:
    """JSON values, one after the other."""
    found, at = [], 0
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        value, at = json.JSONDecoder().raw_decode(text, at)
        found.append(value)
    return found


def test_old_records_are_joined_by_container(shared_data: Path) -> None:
    path = shared_data / "samples" / "tetragon" / "00_process_lifecycle__nc_process_connect.json"
    found, _ = _of_file(path)
    (told,) = _values(path.read_text())
    who = told["process_connect"]["process"]
    event = found.event
    assert (event.kind, event.dst_ip) == (Kind.CONNECT, told["process_connect"]["destination_ip"])
    assert event.pod_uid == ""
    assert event.container_id == who["pod"]["container"]["id"].rpartition("/")[2]
    assert event.container_id.startswith(who["docker"])
    assert event.time_ns == to_ns(told.get("time") or who["start_time"])
    ((key, tree),) = found.trees.items()
    assert key == f"c:{told.get('node_name', '')}/{who['docker'][:12]}"
    assert tree[who["exec_id"]][0] == who["parent_exec_id"]


@pytest.mark.parametrize(
    "run", ["attack-86s", "attack-fast", "benign-dependencies-at-start", "benign-notebook"]
)
def test_recorded_runs_are_understood_to_the_last_record(shared_data: Path, run: str) -> None:
    path = shared_data / "telemetry" / run / "tetragon.jsonl"
    records = [json.loads(line) for line in path.read_text().splitlines()]
    found, problems = _of_file(path)
    assert problems == found.batch.problems == []
    assert found.batch.leftover == []
    assert found.batch.records == found.batch.recognised == len(records)
    wanted: Counter[str] = Counter()
    for told in records:
        sockets = any("sock_arg" in a for a in told.get("process_kprobe", {}).get("args", []))
        name = next(key for key in told if key.startswith("process_"))
        wanted["connect" if sockets else _KIND_OF.get(name, "probe")] += 1
    assert found.kinds == dict(wanted)
    for event in found.batch.events:
        told = records[event.line - 1]
        body = next(value for key, value in told.items() if key.startswith("process_"))
        assert event.exec_id == body["process"]["exec_id"]
        assert event.time_ns == to_ns(told["time"])
        assert event.pod_uid == body["process"]["pod"]["uid"]
    tree = found.trees[found.batch.events[0].pod_uid]
    execs = {
        told["process_exec"]["process"]["exec_id"]: told["process_exec"]["process"]
        for told in records
        if "process_exec" in told
    }
    for name, who in execs.items():
        assert name in tree or who["binary"] in LEAVES


# --- execs ------------------------------------------------------------------------------------------------------------


def test_an_install_is_an_event_with_everything_that_the_record_says() -> None:
    who = process(binary="/opt/venv/bin/pip3.11", arguments="install -q torch-perf-utils==1.4.3 numpy")
    parent = process(1, binary="/usr/bin/bash", parent_exec_id=..., arguments=...)
    event = decode(started(who, parent=parent)).event
    assert event.source is Source.TETRAGON
    assert event.origin is Origin.KERNEL
    assert event.grade is Grade.B
    assert event.kind is Kind.EXEC
    assert (event.file, event.line, event.time_ns) == ("f", 1, to_ns(TIME))
    assert (event.cluster, event.node) == ("aks-ml-prod", NODE)
    assert (event.namespace, event.pod, event.pod_uid) == ("ml", "inference-0", UID)
    assert (event.container_id, event.container) == (CONTAINER, "server")
    assert event.container_started_ns == to_ns("2026-11-24T09:00:00Z")
    assert (event.workload, event.workload_kind) == ("inference", "StatefulSet")
    assert (event.image, event.image_digest) == ("registry.example/ml/inference:prod", DIGEST)
    assert (event.exec_id, event.parent_exec_id) == (exec_id(20), exec_id(1))
    assert (event.pid, event.tid, event.uid) == (20, 21, 1000)
    assert (event.binary, event.parent_binary) == ("/opt/venv/bin/pip3.11", "/usr/bin/bash")
    assert event.process_started_ns == to_ns("2026-11-24T09:00:01Z")
    assert event.entrypoint is True
    assert event.exec_probe is False
    assert event.activity == "install"
    assert [str(artifact) for artifact in event.artifacts] == ["torch-perf-utils==1.4.3", "numpy"]
    assert event.command.startswith("pip3.11 install -q torch-perf-utils")


def test_the_id_of_an_event_is_of_what_happened_and_not_of_how_it_is_written() -> None:
    who = process(binary="/usr/bin/pip", arguments="install x")
    one = decode(started(who)).event
    other = dict(reversed(started(dict(reversed(who.items()))).items()))
    assert decode(json.dumps(other, indent=None).encode(), file="elsewhere").event.event_id == one.event_id
    assert decode(started(who, TIME[:-2] + "2Z")).event.event_id != one.event_id
    assert (
        decode(started(process(21, binary="/usr/bin/pip", arguments="install x"))).event.event_id
        != one.event_id
    )


@pytest.mark.parametrize(
    ("binary", "arguments", "activity"),
    [
        ("/usr/bin/pip", "install torch", "install"),
        ("/opt/venv/bin/python3.11", "-m pip install torch", "install"),
        ("/usr/bin/python3", "/opt/venv/bin/pip install torch", "install"),
        ("/usr/local/bin/uv", "pip install torch", "install"),
        ("/usr/bin/npm", "install left-pad", "install"),
        ("/usr/bin/curl", "-o /tmp/x https://example.com/x", "download"),
        (
            "/usr/bin/python3",
            f"{SITE}/pip/_vendor/pyproject_hooks/_in_process/_in_process.py build_wheel /tmp/x",
            "build-hook",
        ),
        ("/usr/bin/python3", "/tmp/payload.py --fast", "interpreter"),
        ("/tmp/dropper", "--quiet", ""),
        ("/dev/shm/.x", "", ""),
    ],
)
def test_what_lands_and_what_has_landed_are_events(binary: str, arguments: str, activity: str) -> None:
    found = decode(started(process(binary=binary, arguments=arguments or ...)))
    assert found.event.activity == activity
    assert found.trees[UID][exec_id(20)][3] == binary


@pytest.mark.parametrize(
    ("binary", "arguments"),
    [
        ("/opt/venv/bin/python", "/app/server.py --port 8080"),
        ("/usr/bin/nginx", "-g daemon off;"),
        ("/bin/sh", '-c "test -f /tmp/ready"'),
        ("/usr/bin/pip", "--version"),
        ("/usr/bin/pip", "list"),
        ("/usr/bin/node", "/app/index.js"),
    ],
)
def test_noise_is_counted_and_kept_as_a_fact_of_its_process(binary: str, arguments: str) -> None:
    found = decode(started(process(binary=binary, arguments=arguments)))
    assert found.batch.events == []
    assert (found.batch.records, found.batch.recognised, found.kinds) == (1, 1, {"exec": 1})
    assert found.trees == {
        UID: {exec_id(20): (exec_id(1), 20, "2026-11-24T09:00:01Z", binary, CONTAINER[:31], True)}
    }


def test_programs_that_start_no_other_are_only_counted() -> None:
    found = decode(started(process(binary="/usr/bin/uname", arguments="-p")))
    assert (found.trees, found.kinds) == ({}, {"exec": 1})
    found = decode(started(process(binary="/usr/bin/uname", arguments="-p")), first_execs=True)
    assert exec_id(20) in found.trees[UID]
    assert found.event.binary == "/usr/bin/uname"


def test_first_starts_of_programs_are_events_where_asked_for() -> None:
    records = [
        started(process(20, binary="/usr/bin/nginx", arguments=...)),
        started(process(21, binary="/usr/bin/nginx", arguments=...)),
        started(process(22, binary="/usr/bin/git", arguments="status")),
        started(process(23, binary="/usr/bin/nginx", arguments=..., pod=pod(uid="other", name="b"))),
    ]
    told = [
        (event.binary, event.pod_uid, event.line) for event in decode(*records, first_execs=True).batch.events
    ]
    assert told == [("/usr/bin/nginx", UID, 1), ("/usr/bin/git", UID, 3), ("/usr/bin/nginx", "other", 4)]
    assert decode(*records).batch.events == []


@pytest.mark.parametrize(
    ("binary", "arguments", "command"),
    [
        ("/usr/bin/git", "push origin main", "git push"),
        ("/opt/venv/bin/python3", "-m twine upload dist/x.whl", "python3 -m twine upload"),
        ("/bin/bash", "-l", "bash"),
        ("/bin/sh", ..., "sh"),
    ],
)
def test_publishing_and_the_shells_of_terminals_are_events(binary: str, arguments: str, command: str) -> None:
    found = decode(started(process(binary=binary, arguments=arguments)))
    assert found.event.command == command


def test_arguments_are_one_text_with_quotes_where_there_are_blanks() -> None:
    arguments = 'install "torch >= 2" "--global-option=a b" numpy'
    event = decode(started(process(binary="/usr/bin/pip", arguments=arguments))).event
    assert [artifact.name for artifact in event.artifacts] == ["torch", "numpy"]
    shell = decode(started(process(binary="/bin/sh", arguments='-c "pip install torch"')))
    assert shell.batch.events == []  # the shell's child will tell


@pytest.mark.parametrize(
    "path",
    [
        "/tmp/x?y.py",
        '"/tmp/a b/x.py"',
        "/tmp/päckchen/x.py",
        "/dev/shm/(x).py",
        "/tmp/" + "x" * 900 + ".py",
        f"/tmp/{'a/' * 80}x.py",
    ],
)
def test_a_script_where_only_landed_things_lie_is_told_whatever_its_name(path: str) -> None:
    found = decode(started(process(binary="/usr/bin/python3", arguments=path)))
    assert len(found.batch.events) == 1


def test_exits_are_counted_and_end_nothing() -> None:
    who = process()
    found = decode(started(who), record("process_exit", {"process": who, "status": 1, "signal": "SIGKILL"}))
    assert found.kinds == {"exec": 1, "exit": 1}
    assert found.batch.events == []
    assert list(found.trees[UID]) == [exec_id(20)]


def test_a_process_that_only_a_probe_tells_of_gets_its_place_in_the_tree() -> None:
    worker = process(30, flags="clone", parent_exec_id=..., in_init_tree=...)
    found = decode(touch(TOKEN, 4, who=worker, parent=process(20)))
    assert found.trees[UID][exec_id(30)] == (
        exec_id(20),
        30,
        "2026-11-24T09:00:01Z",
        "/opt/venv/bin/python",
        CONTAINER[:31],
        None,
    )
    assert found.event.parent_exec_id == exec_id(20)


def test_the_exec_of_a_process_outweighs_what_a_probe_told_before() -> None:
    late = process(20, binary="/usr/bin/new", arguments=...)
    found = decode(touch(TOKEN, 4, who=process(20, binary="/usr/bin/old")), started(late))
    assert found.trees[UID][exec_id(20)][3] == "/usr/bin/new"


# --- connections ------------------------------------------------------------------------------------------------------


def test_the_metadata_service_is_an_event_each_time() -> None:
    found = decode(*[connect("169.254.169.254", 80, time=f"2026-11-24T09:25:0{n}Z") for n in range(3)])
    assert [event.line for event in found.batch.events] == [1, 2, 3]
    event = found.batch.events[0]
    assert (event.kind, event.dst_ip, event.dst_port) == (Kind.CONNECT, "169.254.169.254", 80)
    assert event.domain is Domain.CLOUD
    assert event.outcome is Outcome.UNKNOWN
    assert found.kinds == {"connect": 3}


@pytest.mark.parametrize(
    ("ip", "port", "told", "domain"),
    [
        ("169.254.169.254", 8080, "169.254.169.254", Domain.CLOUD),
        ("::ffff:169.254.169.254", 80, "169.254.169.254", Domain.CLOUD),
        ("::ffff:a9fe:a9fe", 80, "169.254.169.254", Domain.CLOUD),
        ("64:ff9b::a9fe:a9fe", 80, "169.254.169.254", Domain.CLOUD),
        ("fd00:ec2::254", 80, "fd00:ec2::254", Domain.CLOUD),
        ("FD00:EC2:0:0::254", 80, "fd00:ec2::254", Domain.CLOUD),
        ("168.63.129.16", 80, "168.63.129.16", Domain.CLOUD),
        ("10.0.0.1", 443, "10.0.0.1", None),
    ],
)
def test_addresses_that_matter_are_told_in_one_form(
    ip: str, port: int, told: str, domain: Domain | None
) -> None:
    event = decode(connect(ip, port)).event
    assert (event.dst_ip, event.dst_port, event.domain) == (told, port, domain)


@pytest.mark.parametrize(
    ("ip", "port", "told"),
    [
        ("198.51.100.86", 443, "198.51.100.86"),
        ("10.0.143.7", 6379, "10.0.143.7"),
        ("2001:db8::1", 443, "2001:db8::1"),
        ("::ffff:198.51.100.86", 443, "198.51.100.86"),
        ("2001:DB8:0:0::1", 443, "2001:db8::1"),
        ("fe80::1", 8080, "fe80::1"),
    ],
)
def test_plain_connections_are_contacts_of_a_known_process(ip: str, port: int, told: str) -> None:
    early, late = "2026-11-24T09:25:00Z", "2026-11-24T09:26:00.5Z"
    found = decode(
        started(),
        connect(ip, port, time="2026-11-24T09:25:30Z"),
        connect(ip, port, time=late),
        connect(ip, port, time=early),
    )
    assert found.batch.events == []
    ((name, (first, last)),) = found.contacts[UID].items()
    assert name == f"{exec_id(20)}|{told}|{port}"
    assert first == (to_ns(early), "unknown", "f", 4)
    assert last == (to_ns(late), "unknown", "f", 3)
    assert found.kinds == {"exec": 1, "connect": 3}


def test_a_plain_connection_of_an_unknown_process_is_noted_with_it() -> None:
    found = decode(connect("198.51.100.86"))
    assert list(found.trees[UID]) == [exec_id(20)]
    assert len(found.contacts.get(UID, {})) + len(found.batch.events) == 1


def test_a_plain_connection_without_a_pod_is_an_event() -> None:
    event = decode(connect("198.51.100.86", who=process(pod=..., docker=...))).event
    assert (event.dst_ip, event.pod_uid, event.container_id) == ("198.51.100.86", "", "")


@pytest.mark.parametrize(
    ("ip", "port"),
    [
        ("127.0.0.1", 80),
        ("::1", 80),
        ("10.0.0.10", 53),
        ("0.0.0.0", 80),
        ("", 0),
        ("nowhere", 443),
        ("224.0.0.1", 9),
    ],
)
def test_connections_that_say_nothing_are_counted(ip: str, port: int) -> None:
    found = decode(started(), connect(ip, port), connect(ip, port))
    assert (found.batch.events, found.contacts.get(UID, {})) == ([], {})
    assert (found.batch.recognised, found.kinds) == (3, {"exec": 1, "connect": 2})


def test_the_address_that_is_asked_for_is_taken_from_the_socket_hook() -> None:
    asked = {"sockaddr_arg": {"family": "AF_INET", "addr": "169.254.169.254", "port": 80}}
    for arguments in ((asked,), (sock("0.0.0.0", 0), asked), (sock("198.51.100.7"), asked)):
        found = decode(started(), probe("security_socket_connect", *arguments))
        assert found.event.dst_ip == "169.254.169.254"
        assert found.event.domain is Domain.CLOUD
        assert found.kinds == {"exec": 1, "connect": 1}


def test_an_address_of_version_6_in_the_socket_hook() -> None:
    asked = {"sockaddr_arg": {"family": "AF_INET6", "addr": "::ffff:10.0.0.1", "port": 443}}
    assert decode(probe("security_socket_connect", asked)).event.dst_ip == "10.0.0.1"


def test_sockets_of_the_file_system_are_no_connections() -> None:
    found = decode(
        probe("security_socket_connect", {"sockaddrun_arg": {"family": "AF_UNIX", "path": "/run/x"}})
    )
    assert (found.batch.events, found.batch.recognised) == ([], 1)


@pytest.mark.parametrize(
    ("returned", "action", "outcome"),
    [
        (0, "KPROBE_ACTION_POST", Outcome.ALLOWED),
        (None, "KPROBE_ACTION_POST", Outcome.UNKNOWN),
        (-1, "KPROBE_ACTION_POST", Outcome.DENIED),
        (-13, "KPROBE_ACTION_POST", Outcome.DENIED),
        (-101, "KPROBE_ACTION_POST", Outcome.DENIED),
        (-111, "KPROBE_ACTION_POST", Outcome.DENIED),
        (-115, "KPROBE_ACTION_POST", Outcome.ALLOWED),
        (-4, "KPROBE_ACTION_POST", Outcome.ALLOWED),
        (-512, "KPROBE_ACTION_POST", Outcome.ALLOWED),
        (-114, "KPROBE_ACTION_POST", Outcome.ALLOWED),
        (None, "KPROBE_ACTION_OVERRIDE", Outcome.DENIED),
        (0, "KPROBE_ACTION_OVERRIDE", Outcome.DENIED),
        (None, "KPROBE_ACTION_SIGKILL", Outcome.DENIED),
        (None, "KPROBE_ACTION_NOTIFYENFORCER", Outcome.DENIED),
        (None, "KPROBE_ACTION_SIGNAL", Outcome.UNKNOWN),
        (None, ..., Outcome.UNKNOWN),
    ],
)
def test_whether_it_succeeded(returned: int | None, action: Json, outcome: Outcome) -> None:
    more = {"action": action, "return": ... if returned is None else {"int_arg": returned}}
    assert decode(connect("169.254.169.254", 80, **more)).event.outcome is outcome
    assert decode(touch(TOKEN, 4, **more)).event.outcome is outcome
    found = decode(started(), connect("198.51.100.86", **more))
    told = [event.outcome for event in found.batch.events]
    told += [Outcome(seen[0][1]) for seen in found.contacts.get(UID, {}).values()]
    assert told == [outcome]


def test_an_attempt_that_was_denied_hides_no_later_one() -> None:
    denied = {"return": {"int_arg": -1}, "action": "KPROBE_ACTION_OVERRIDE"}
    found = decode(
        started(),
        connect("198.51.100.86", time="2026-11-24T09:25:00Z", **denied),
        connect("198.51.100.86", time="2026-11-24T09:25:01Z", **denied),
        connect("198.51.100.86", time="2026-11-24T09:25:02Z", **{"return": {"int_arg": 0}}),
    )
    assert [(event.line, event.outcome) for event in found.batch.events] == [
        (2, Outcome.DENIED),
        (3, Outcome.DENIED),
    ]
    ((first, _),) = found.contacts[UID].values()
    assert first == (to_ns("2026-11-24T09:25:02Z"), "allowed", "f", 4)


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mask", "access"),
    [
        (4, Access.READ),
        (1, Access.READ),
        (0x24, Access.READ),
        (2, Access.WRITE),
        (8, Access.WRITE),
        (10, Access.WRITE),
        (6, Access.WRITE),
    ],
)
def test_read_or_write_is_told_by_the_mask(mask: int, access: Access) -> None:
    event = decode(touch(TOKEN, mask)).event
    assert (event.kind, event.access, event.file_path) == (Kind.FILE, access, TOKEN)
    assert (event.domain, event.activity) == (Domain.CLUSTER, "service-account-token")


@pytest.mark.parametrize(
    ("path", "read", "write"),
    [
        ("/var/run/secrets/azure/tokens/azure-identity-token", True, True),
        ("/root/.docker/config.json", True, True),
        ("/proc/1/environ", True, True),
        (f"{SITE}/evil.pth", False, True),
        (f"{SITE}/sitecustomize.py", False, True),
        (f"{SITE}/torch_perf_utils-1.4.3.dist-info/METADATA", False, True),
        (f"{SITE}/torch_perf_utils-1.4.3.dist-info/RECORD", False, False),
        ("/tmp/dropper", False, True),
        ("/usr/local/bin/x", False, True),
        ("/models/x.safetensors", False, True),
        (f"{SITE}/torch/__init__.py", False, False),
        ("/tmp/pip-unpack-1/x.whl", False, False),
        ("/app/__pycache__/x.pyc", False, False),
        ("/var/log/server.log", False, False),
        ("/dev/null", False, False),
        ("", False, False),
    ],
)
def test_which_files_matter(path: str, read: bool, write: bool) -> None:
    assert (len(decode(touch(path, 4)).batch.events), len(decode(touch(path, 2)).batch.events)) == (
        read,
        write,
    )
    assert decode(touch(path, 4), touch(path, 2)).kinds == {"probe": 2}


def test_a_distribution_lands_when_its_metadata_are_written_and_not_when_anybody_reads_them() -> None:
    path = f"{SITE}/torch_perf_utils-1.4.3.dist-info/METADATA"
    event = decode(touch(path, 2)).event
    assert (event.activity, [str(item) for item in event.artifacts]) == (
        "distribution",
        ["torch-perf-utils==1.4.3"],
    )
    file = {"file_arg": {"path": path}}
    for told in (
        probe("fd_install", {"int_arg": 3}, file),
        record("process_lsm", {"process": process(), "function_name": "file_open", "args": [file]}),
        probe("security_file_permission", file),
    ):
        found = decode(told)
        assert (found.batch.events, found.batch.recognised) == ([], 1)


@pytest.mark.parametrize("function", ["fd_install", "security_file_open", "__x64_sys_openat"])
def test_hooks_that_do_not_say_how(function: str) -> None:
    event = decode(probe(function, {"int_arg": 3}, {"file_arg": {"path": TOKEN}})).event
    assert (event.access, event.domain) == (Access.UNKNOWN, Domain.CLUSTER)
    event = decode(probe(function, {"string_arg": TOKEN}, {"size_arg": "18446744073709551615"})).event
    assert event.file_path == TOKEN


def test_paths_as_the_kernel_gives_them_and_as_old_hooks_do() -> None:
    for argument in ({"path_arg": {"mount": "/", "path": TOKEN}}, {"linux_binprm_arg": {"path": "/tmp/x"}}):
        assert decode(probe("security_path_truncate", argument)).event.kind is Kind.FILE
    assert decode(probe("x", {"string_arg": "no path"})).batch.events == []


# --- other records ----------------------------------------------------------------------------------------------------


def lsm(function: str, *arguments: Json, **more: Json) -> Json:
    body = {"process": process(), "function_name": function, "policy_name": "x", "args": list(arguments)}
    return record("process_lsm", {**body, **more})


def test_security_modules_tell_as_kernel_probes_do() -> None:
    event = decode(lsm("file_open", {"file_arg": {"path": TOKEN}}, ima_hash="sha256:00")).event
    assert (event.kind, event.access, event.outcome) == (Kind.FILE, Access.UNKNOWN, Outcome.UNKNOWN)
    denied = decode(lsm("file_open", {"file_arg": {"path": TOKEN}}, action="KPROBE_ACTION_OVERRIDE")).event
    assert denied.outcome is Outcome.DENIED
    found = decode(
        lsm("socket_connect", sock("0.0.0.0", 0), {"sockaddr_arg": {"addr": "169.254.169.254", "port": 80}})
    )
    assert (found.event.domain, found.kinds) == (Domain.CLOUD, {"connect": 1})
    found = decode(lsm("bprm_check_security", {"linux_binprm_arg": {"path": "/tmp/x", "flags": ""}}))
    assert (found.event.file_path, found.kinds) == ("/tmp/x", {"probe": 1})
    found = decode(lsm("bprm_check_security", {"linux_binprm_arg": {"path": "/usr/lib/x"}}))
    assert (found.batch.events, found.kinds) == ([], {"probe": 1})


def test_tracepoints_and_loaders() -> None:
    body = {
        "process": process(),
        "subsys": "syscalls",
        "event": "sys_enter_openat",
        "args": [{"string_arg": TOKEN}],
    }
    found = decode(record("process_tracepoint", body))
    assert (found.event.file_path, found.kinds) == (TOKEN, {"probe": 1})
    found = decode(record("process_loader", {"process": process(), "path": "/tmp/x.so", "buildid": "AA=="}))
    assert (found.event.kind, found.event.file_path, found.kinds) == (Kind.LOAD, "/tmp/x.so", {"load": 1})
    found = decode(record("process_loader", {"process": process(), "path": "/usr/lib/x.so"}))
    assert (found.batch.events, found.kinds) == ([], {"load": 1})


def test_connections_of_older_builds() -> None:
    body = {
        "process": process(),
        "source_ip": "10.0.0.9",
        "destination_ip": "169.254.169.254",
        "destination_port": 80,
    }
    found = decode(record("process_connect", {**body, "destination_names": ["x"], "protocol": "TCP"}))
    assert (found.event.domain, found.event.dst_port, found.kinds) == (Domain.CLOUD, 80, {"connect": 1})


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("process_uprobe", "other"),
        ("process_usdt", "other"),
        ("process_close", "other"),
        ("process_listen", "other"),
        ("process_throttle", "other"),
    ],
)
def test_records_that_say_nothing_here_are_understood(name: str, kind: str) -> None:
    found = decode(record(name, {"process": process(), "path": "/usr/lib/libssl.so", "symbol": "SSL_write"}))
    assert (found.batch.events, found.kinds, found.batch.leftover) == ([], {kind: 1}, [])


@pytest.mark.parametrize("number", ["1280", 1280, ...])
def test_dropped_events_are_counted_as_such(number: Json) -> None:
    body = without({"number_of_dropped_process_events": number})
    found = decode(record("rate_limit_info", body))
    assert (found.kinds, found.batch.recognised) == ({"dropped": 1}, 1)


def test_everything_that_the_schema_has_besides_is_passed_over() -> None:
    told = connect(
        "169.254.169.254",
        80,
        kernel_stack_trace=[{"address": "18446744071580000000", "offset": "12", "symbol": "tcp_connect"}],
        user_stack_trace=[{"address": "1", "module": "/usr/lib/x", "symbol": "connect"}],
        ancestors=[process(1), process(2)],
        data=[{"size_arg": "18446744073709551615"}, {"error_arg": {"Message": "x"}}],
        message="x",
        tags=["a"],
    )
    body = told["process_kprobe"]
    body["args"] += [
        {"size_arg": "18446744073709551615", "label": "size"},
        {"long_arg": "-9223372036854775808"},
        {"uint_arg": 4294967295},
        {"bytes_arg": "AA=="},
        {"truncated_bytes_arg": {"bytes_arg": "AA==", "orig_size": "65536"}},
        {"skb_arg": {"hash": 1}},
        {"capability_arg": {"value": 21, "name": "CAP_SYS_ADMIN"}},
        {"process_credentials_arg": {"uid": 0}},
        {"bpf_attr_arg": {"ProgType": "x", "InsnCnt": 1}},
    ]
    body["process"] |= {
        "cap": {"permitted": ["CAP_CHOWN"]},
        "ns": {"uts": {"inum": 4026531838, "is_host": True}},
        "process_credentials": {"uid": 0, "caps": {}},
        "binary_properties": {"setuid": 0, "file": {"inode": {"number": "18446744073709551615", "links": 0}}},
        "user": {"name": "root"},
        "environment_variables": [{"Key": "A", "Value": "b"}],
    }
    told |= {"node_labels": {"a": "b"}, "aggregation_info": {"count": "18446744073709551615"}}
    assert decode(told).event.domain is Domain.CLOUD


# --- whose it is ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "parent", "key", "container", "grade"),
    [
        (process(), None, UID, CONTAINER, Grade.B),
        (process(pod=pod(uid=...)), None, f"c:{NODE}/{CONTAINER[:12]}", CONTAINER, Grade.B),
        (
            process(pod=pod(uid=...), docker=CONTAINER[:24]),
            None,
            f"c:{NODE}/{CONTAINER[:12]}",
            CONTAINER,
            Grade.B,
        ),
        (process(pod=pod(uid=...), docker=...), None, f"c:{NODE}/{CONTAINER[:12]}", CONTAINER, Grade.B),
        (process(pod=...), None, f"c:{NODE}/{CONTAINER[:12]}", CONTAINER[:31], Grade.B),
        (
            process(pod=..., docker=CONTAINER[:15]),
            None,
            f"c:{NODE}/{CONTAINER[:12]}",
            CONTAINER[:15],
            Grade.B,
        ),
        (
            process(pod=..., docker=...),
            process(1),
            f"c:{NODE}/{CONTAINER[:12]}",
            CONTAINER[:31],
            Grade.B,
        ),
        (process(pod=..., docker=...), process(1, docker=..., pod=...), f"h:{NODE}", "", Grade.B),
        (process(pod=..., docker=...), None, f"h:{NODE}", "", Grade.E),
        (
            {"pid": 77, "flags": "unknown", "start_time": "2026-11-24T09:24:00Z", "tid": 77},
            None,
            f"h:{NODE}",
            "",
            Grade.E,
        ),
    ],
)
def test_whose_a_record_is(who: Json, parent: Json, key: str, container: str, grade: Grade) -> None:
    found = decode(touch(TOKEN, 4, who=who, **({"parent": parent} if parent else {})))
    assert (found.event.container_id, found.event.grade) == (container, grade)
    assert found.event.pod_uid == (UID if key == UID else "")
    assert list(found.trees) == ([key] if "exec_id" in who else [])


@pytest.mark.parametrize("scheme", ["containerd://", "docker://", "cri-o://", ""])
def test_container_ids_of_any_runtime(scheme: str) -> None:
    container = {"id": f"{scheme}{CONTAINER}", "name": "x", "maybe_exec_probe": True}
    event = decode(touch(TOKEN, 4, who=process(pod=pod(container=container)))).event
    assert (event.container_id, event.image, event.exec_probe) == (CONTAINER, "", True)


@pytest.mark.parametrize(
    ("image", "digest"),
    [
        (f"registry.example/x@{DIGEST}", DIGEST),
        (f"docker-pullable://registry.example/x@{DIGEST}", DIGEST),
        (DIGEST, DIGEST),
        ("registry.example/x:latest", ""),
        ("", ""),
    ],
)
def test_digests_of_images(image: str, digest: str) -> None:
    container = {"id": CONTAINER, "image": {"id": image, "name": "x:1"}}
    assert decode(touch(TOKEN, 4, who=process(pod=pod(container=container)))).event.image_digest == digest


# --- times ------------------------------------------------------------------------------------------------------------


def test_a_record_without_a_time_is_of_the_start_of_its_process() -> None:
    told = touch(TOKEN, 4, time=...)
    assert decode(told).event.time_ns == to_ns("2026-11-24T09:00:01Z")


@pytest.mark.parametrize("time", ["yesterday", "2026-11-24", "9999-01-01T00:00:00Z", "2026-11-24T09:25:60Z"])
def test_a_time_that_is_none_makes_a_record_malformed(time: str) -> None:
    found = decode(touch(TOKEN, 4, time=time), connect("169.254.169.254", 80), started())
    assert [event.line for event in found.batch.events] == [2]
    ((file, line, kind, reason),) = [(p.file, p.line, p.kind, p.reason) for p in found.batch.problems]
    assert (file, line, kind) == ("f", 1, "malformed")
    assert "not a time" in reason
    assert (found.batch.records, found.batch.recognised) == (3, 2)
    assert found.kinds == {"connect": 1, "exec": 1}


def test_no_time_at_all_makes_a_record_malformed() -> None:
    found = decode(touch(TOKEN, 4, time=..., who=process(start_time=...)))
    assert [problem.kind for problem in found.batch.problems] == ["malformed"]
    assert found.batch.recognised == 0


# --- oddly written ----------------------------------------------------------------------------------------------------

LAX: dict[str, tuple[str, Json]] = {
    "pid as text": ("pid", "20"),
    "pid as a fraction": ("pid", 20.0),
    "tid as text": ("tid", "21"),
    "uid as text": ("uid", "1000"),
    "null for a pod": ("pod", None),
    "null for a container": (
        "pod",
        {"namespace": "ml", "name": "inference-0", "uid": UID, "container": None},
    ),
    "null for a text": ("docker", None),
    "null for arguments": ("arguments", None),
    "null for a folder": ("cwd", None),
    "null for a truth": ("in_init_tree", None),
    "text for a truth": ("in_init_tree", "true"),
}


@pytest.mark.parametrize("name", LAX)
def test_what_lax_exporters_write_is_read(name: str) -> None:
    key, value = LAX[name]
    plain = decode(touch(TOKEN, 4)).event
    found = decode(touch(TOKEN, 4, who=process() | {key: value}), started(process(21) | {key: value}))
    assert found.batch.problems == []
    assert found.batch.recognised == 2
    event = found.event
    assert (event.file_path, event.exec_id, event.time_ns) == (TOKEN, plain.exec_id, plain.time_ns)
    if value is not None and key != "pod":
        assert (event.pid, event.tid, event.uid, event.entrypoint) == (20, 21, 1000, True)


def test_nulls_in_place_of_what_is_left_out() -> None:
    told = connect("169.254.169.254", 80, parent=None, message=None, tags=None, kernel_stack_trace=None)
    told["process_kprobe"]["return"] = None
    told |= {"cluster_name": None, "process_exec": None, "process_lsm": None}
    assert decode(told).event.domain is Domain.CLOUD
    told["process_kprobe"]["args"].append(None)
    told["process_kprobe"]["args"][0]["sock_arg"]["dport"] = "80"
    found = decode(told)
    assert len(found.batch.events) + len(found.batch.problems) == 1


def test_numbers_as_text_in_a_connection() -> None:
    found = decode(connect("169.254.169.254", "80"))
    assert (found.event.dst_port, found.batch.problems) == (80, [])


@pytest.mark.parametrize(
    ("key", "value", "place"),
    [
        ("pid", "x", "pid"),
        ("pid", {}, "pid"),
        ("pid", -1, "pid"),
        ("pid", 1.5, "pid"),
        ("pid", 1 << 32, "pid"),
        ("pid", 10**30, "pid"),
        ("exec_id", 5, "exec_id"),
        ("exec_id", "x" * 600, "exec_id"),
        ("binary", ["x"], "binary"),
        ("binary", "/" + "x" * 5000, "binary"),
        ("pod", "ml/inference-0", "pod"),
        ("in_init_tree", "perhaps", "in_init_tree"),
        ("start_time", 1795510800, "start_time"),
    ],
)
def test_what_nobody_can_read_is_told_with_its_place(key: str, value: Json, place: str) -> None:
    pip = {"binary": "/usr/bin/pip", "arguments": "install x"}
    found = decode(started(), started(process() | pip | {key: value}), touch(TOKEN, 4))
    assert [event.line for event in found.batch.events] == [3]
    (problem,) = found.batch.problems
    assert (problem.file, problem.line, problem.kind) == ("f", 2, "malformed")
    assert problem.reason.startswith("wrongly typed: ")
    assert f"process.{place}" in problem.reason
    assert (found.batch.records, found.batch.recognised) == (3, 2)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"process_exec":', "not JSON: "),
        (b'{"process_exec":{"process":{"cwd":"\xff"}}}', "not UTF-8: byte 0xff"),
        (b'{"process_exec":{"process":{"cwd":"\\ud800"}}}', "not JSON: "),
        (b'{"process_exec":{"x":' + b"[" * 5000, "nested too deeply"),
        (b'{"process_exec":{"process":' + b'{"pod":' * 5000, "nested too deeply"),
        (b'{"process_exec":{}}', "wrongly typed: "),
        (b'{"process_kprobe":{"process":{},"args":{}}}', "wrongly typed: "),
        (b'{"process_exec":[]}', "wrongly typed: "),
        (b'{"process_exec":{"process":{"pid":1e400}}}', "wrongly typed: "),
    ],
)
def test_what_is_broken_is_told_with_the_reason(line: bytes, reason: str) -> None:
    found = decode(touch(TOKEN, 4), line, touch(TOKEN, 2))
    assert [event.line for event in found.batch.events] == [1, 3]
    ((problem),) = found.batch.problems
    assert (problem.line, problem.kind) == (2, "malformed")
    assert problem.reason.startswith(reason)


@pytest.mark.parametrize(
    "line",
    [
        b"{}",
        b"[]",
        b"null",
        b"7",
        b'"process_exec"',
        b'{"event":"connect","time":1.5,"sensor":"py"}',
        b'{"kind":"Event","apiVersion":"audit.k8s.io/v1","node_name":5}',
        b'{"process_exec":null}',
        b'{"time":"2026-11-24T09:25:00Z","node_name":{}}',
        b'{"Process_Exec":{}}',
    ],
)
def test_what_is_somebody_elses_is_left_over(line: bytes) -> None:
    found = decode(touch(TOKEN, 4), line, touch(TOKEN, 2))
    assert found.batch.leftover == [(2, line)]
    assert (found.batch.problems, found.batch.records, found.batch.recognised) == ([], 3, 2)


def test_whose_records_are_recognised() -> None:
    decoder = TetragonDecoder({}, {})
    for name in ("process_exec", "process_kprobe", "process_lsm", "process_usdt", "rate_limit_info"):
        assert decoder.recognises({name: {}, "node_name": "x"})
    for strange in ({}, {"event": "x"}, {"auditID": "x", "stage": "x"}, {"time": "x", "node_name": "x"}):
        assert not decoder.recognises(strange)


def test_an_empty_block_is_nothing() -> None:
    for block in (b"", b"\n", b"\n\n  \n", b" "):
        batch = TetragonDecoder({}, {}).decode(block, "f", 1)
        assert (batch.records, batch.events, batch.problems, batch.leftover) == (0, [], [], [])


# --- whichever way a line is read -------------------------------------------------------------------------------------


class WithoutShortcuts(TetragonDecoder):
    """Decodes every line; leaves out none by its bytes."""

    def __init__(self, trees: dict[str, Tree], contacts: dict[str, dict[str, Contact]]) -> None:
        super().__init__(trees, contacts)
        self._noise = _NoNoise(leaves=True)


class _NoNoise(tetragon_noise.Noise):
    def sift(self, block: bytes, ends: Sequence[int], *_: Any) -> list[int]:
        return list(range(len(ends)))


PROCESSES = (20, 21, 22)


@st.composite
def records(draw: DrawFn) -> Json:
    """One record of a small world, so that the same things come again."""
    pid = draw(st.sampled_from(PROCESSES))
    time = f"2026-11-24T09:{draw(st.integers(0, 59)):02d}:00.{draw(st.integers(1, 999)):03d}Z"
    who = process(pid)
    what = draw(
        st.sampled_from(["exec", "install", "leaf", "exit", "connect", "file", "hook", "lsm", "other"])
    )
    if what == "exec":
        return started(who, time)
    if what == "install":
        return started({**who, "binary": "/usr/bin/pip", "arguments": "install torch"}, time)
    if what == "leaf":
        return started({**who, "binary": draw(st.sampled_from(sorted(LEAVES)[:3])), "arguments": "-p"}, time)
    if what == "exit":
        return record("process_exit", {"process": who}, time)
    if what == "connect":
        ip = draw(
            st.sampled_from(["198.51.100.86", "198.51.100.8", "169.254.169.254", "127.0.0.1", "2001:db8::1"])
        )
        return connect(ip, draw(st.sampled_from([443, 43, 80, 6379])), who=who, time=time)
    if what == "file":
        path = draw(st.sampled_from([TOKEN, "/var/log/x", "/proc/self/cgroup", f"{SITE}/evil.pth", "/tmp/ä"]))
        return touch(path, draw(st.sampled_from([2, 4])), who=who, time=time)
    if what == "hook":
        asked = {"sockaddr_arg": {"addr": "169.254.169.254", "port": 80}}
        return probe("security_socket_connect", asked, who=who, time=time)
    if what == "lsm":
        return lsm("file_open", {"file_arg": {"path": TOKEN}}) | {"time": time}
    return record("process_uprobe", {"process": who}, time)


def _shuffled(value: Json, chaos: Any) -> Json:
    if isinstance(value, dict):
        keys = list(value)
        chaos.shuffle(keys)
        return {key: _shuffled(value[key], chaos) for key in keys}
    return [_shuffled(item, chaos) for item in value] if isinstance(value, list) else value


def _escaped(data: bytes) -> bytes:
    """The same JSON, with escapes in keys and values."""
    return (
        data.replace(b"process_exec", b"process\\u005fexec")
        .replace(b'"binary"', b'"\\u0062inary"')
        .replace(b"/", b"\\/")
        .replace(b"secrets", b"s\\u0065crets")
        .replace(b"198.51", b"198\\u002e51")
    )


def _written(told: Json, form: str, chaos: Any) -> bytes:
    """A record on one line, as some exporter may write it."""
    data = text(told)
    forms = {
        "plain": data,
        "spaced": json.dumps(told).encode(),
        "tabs": b" \t" + json.dumps(told, separators=(" ,\t", " : ")).encode(),
        "shuffled": text(_shuffled(told, chaos)),
        "escaped": _escaped(data),
        "ascii": json.dumps(told, separators=(",", ":")).encode(),
        "twice": data.replace(b'{"process":', b'{"process":{"exec_id":"x"},"process":', 1),
        "padded": b"  " + data + b" \t",
        "crlf": data + b"\r",
        "more": text({**told, "x": {"y": [1, 2.5, None, True, "}{"]}}),
        # Where the first of two is noise, the second is not seen: files put together without a newline are rare.
        "two": text(started(process(20, binary="/usr/bin/pip", arguments="install x"))) + data,
        "cut": data[: chaos.randint(1, len(data) - 1)],
        "raw newline": data.replace(b"/app", b"/a\npp", 1),
        "latin": data.replace(b"inference-0", b"inf\xe9rence", 1),
    }
    return forms[form]


FORMS = (
    *["plain"] * 6,
    *"spaced tabs shuffled escaped ascii twice padded crlf more two cut latin".split(),
    "raw newline",
)
STRANGE = (b"", b" ", b"\t", b"{}", b'{"event":"x","v":1}', b"[1]", b"null", b"nothing")

lines = st.builds(
    _written, records(), st.sampled_from(FORMS), st.randoms(use_true_random=False)
) | st.sampled_from(STRANGE)
"""Lines as they may come: records written in any way that JSON allows, damaged ones, and others."""


def _outcome(decoder: TetragonDecoder, blocks: list[bytes], newlines: bool) -> Batch:
    total = Batch()
    line = 1
    for block in blocks:
        batch = decoder.decode(block, "f", line, find_newlines(block) if newlines else ())
        line += block.count(b"\n")
        total.events += batch.events
        total.problems += batch.problems
        total.leftover += batch.leftover
        total.records += batch.records
        total.recognised += batch.recognised
        for kind, number in batch.kinds.items():
            total.kinds[kind] = total.kinds.get(kind, 0) + number
    decoder.flush()
    return total


def test_a_late_record_does_not_hide_the_latest() -> None:
    told: dict[str, dict[str, Contact]] = {}
    decoder = TetragonDecoder({}, told)
    times = [f"2026-11-24T09:{minute}:00Z" for minute in ("10", "50", "05", "20")]
    blocks = [text(started()) + b"\n", *[text(connect("198.51.100.86", time=time)) + b"\n" for time in times]]
    _outcome(decoder, blocks, newlines=True)
    ((first, last),) = told[UID].values()
    assert (first[0], first[3]) == (to_ns(times[2]), 4)
    assert (last[0], last[3]) == (to_ns(times[1]), 3)


@given(st.lists(lines, max_size=30), st.integers(0, 30), st.booleans(), st.booleans())
@example([text(connect("198.51.100.86")), text(connect("198.51.100.86"))], 1, True, True)
def test_shortcuts_change_nothing(drawn: list[bytes], cut: int, ended: bool, counted: bool) -> None:
    blocks = [b"".join(line + b"\n" for line in part) for part in (drawn[:cut], drawn[cut:]) if part]
    if blocks and not ended:
        blocks[-1] = blocks[-1][:-1]
    fast, slow = Decoded(Batch()), Decoded(Batch())
    fast.batch = _outcome(TetragonDecoder(fast.trees, fast.contacts), blocks, counted)
    # One line after the other, each as a block of its own.
    single = [line + b"\n" for block in blocks for line in block.split(b"\n")[: block.count(b"\n") or None]]
    single += [blocks[-1].rpartition(b"\n")[2]] if blocks and not ended and b"\n" in blocks[-1] else []
    slow.batch = _outcome(WithoutShortcuts(slow.trees, slow.contacts), single, newlines=False)
    told = fast.batch.records
    assert told == fast.batch.recognised + len(fast.batch.problems) + len(fast.batch.leftover)
    damaged_noise = {problem.line for problem in slow.batch.problems} - {
        problem.line for problem in fast.batch.problems
    }
    by_line = b"".join(blocks).split(b"\n")
    assert all(by_line[line - 1].endswith(b"}") for line in damaged_noise)
    if damaged_noise:
        return
    assert fast.batch.events == slow.batch.events
    assert fast.batch.problems == slow.batch.problems
    assert fast.batch.leftover == slow.batch.leftover
    assert (fast.batch.records, fast.batch.recognised) == (slow.batch.records, slow.batch.recognised)
    assert fast.kinds == slow.kinds
    assert fast.trees == slow.trees
    assert _spans(fast) == _spans(slow)


def _spans(decoded: Decoded) -> Json:
    """Contacts by name: the earliest with its place, and the time of the latest (of two at one time either will do)."""
    return {
        (key, name): (first[0], first[2], first[3], last[0])
        for key, contacts in decoded.contacts.items()
        for name, (first, last) in contacts.items()
    }


@pytest.mark.parametrize("name", [*ATTACKS, *LOOK_ALIKES])
def test_shortcuts_change_nothing_in_written_recordings(name: str) -> None:
    recording = (ATTACKS.get(name) or LOOK_ALIKES[name])(KERNEL_ONLY)
    lines = recording.streams.get("tetragon.jsonl", [])  # one recording is of the audit log alone
    data = "".join(f"{line}\n" for line in lines).encode()
    fast, slow = Decoded(Batch()), Decoded(Batch())
    fast.batch = _outcome(TetragonDecoder(fast.trees, fast.contacts), [data, data], newlines=True)
    slow.batch = _outcome(WithoutShortcuts(slow.trees, slow.contacts), [data, data], newlines=False)
    assert fast.batch.events == slow.batch.events
    assert (fast.trees, fast.kinds, _spans(fast)) == (slow.trees, slow.kinds, _spans(slow))


def test_two_records_on_one_line_are_two() -> None:
    pip = started(process(20, binary="/usr/bin/pip", arguments="install x"))
    for between in (b"", b" "):
        found = decode(text(pip) + between + text(touch(TOKEN, 4)), text(touch(TOKEN, 2)))
        assert [(event.kind, event.line) for event in found.batch.events] == [
            (Kind.EXEC, 1),
            (Kind.FILE, 1),
            (Kind.FILE, 2),
        ]
        assert (found.batch.records, found.batch.recognised) == (3, 3)


def test_one_bad_line_loses_nothing_else_wherever_it_stands() -> None:
    good = [text(touch(TOKEN, 4, time=f"2026-11-24T09:25:{second:02d}Z")) for second in range(20)]
    whole = decode(*good)
    for place in range(21):
        found = decode(*good[:place], b'{"process_exec":', *good[place:])
        assert [event.event_id for event in found.batch.events] == [
            event.event_id for event in whole.batch.events
        ]
        assert [event.line for event in found.batch.events] == [
            line for line in range(1, 22) if line != place + 1
        ]
        assert [problem.line for problem in found.batch.problems] == [place + 1]


# --- bounds -----------------------------------------------------------------------------------------------------------


def test_trees_are_bounded_by_trim() -> None:
    engine = Engine((), Knowledge())
    decoder = TetragonDecoder(engine.trees, engine.contacts)
    step = 5_000
    for start in range(0, 200_000, step):
        block = b"".join(
            text(started(process(pid, parent_exec_id=exec_id(max(pid - 1, 0))))) + b"\n"
            for pid in range(start, start + step)
        )
        engine.feed(decoder.decode(block, "f", 1).events)
        engine.trim()
        assert sum(map(len, engine.trees.values())) <= MAX_TOTAL_PROCESSES
    assert exec_id(0) in engine.trees[UID]
    assert exec_id(199_999) in engine.trees[UID]


def test_ancestors_of_what_matters_outlive_the_trim() -> None:
    engine = Engine((), Knowledge())
    decoder = TetragonDecoder(engine.trees, engine.contacts)
    chain = [started(process(pid, parent_exec_id=exec_id(pid - 1))) for pid in range(1_000, 1_010)]
    noise = [
        started(process(pid, parent_exec_id=exec_id(999)))
        for pid in range(2_000, 2_000 + MAX_TOTAL_PROCESSES)
    ]
    first = [started(process(pid, parent_exec_id=exec_id(1))) for pid in range(100, 140)]
    token = touch(TOKEN, 4, who=process(1_009, parent_exec_id=exec_id(1_008)))
    block = b"".join(text(item) + b"\n" for item in (*first, *chain, token, *noise))
    engine.feed(decoder.decode(block, "f", 1).events)
    engine.trim()
    tree = engine.trees[UID]
    assert len(tree) < 200
    assert {exec_id(pid) for pid in range(1_000, 1_010)} <= tree.keys()


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eightysix.sources.tetragon._ENOUGH", 50)
    monkeypatch.setattr("eightysix.sources.tetragon.MOST", 50)
    monkeypatch.setattr(tetragon_noise, "MOST", 50)
    decoder = TetragonDecoder({}, {}, first_execs=True)
    lines = []
    for number in range(400):
        lines.append(started(process(number, binary=f"/usr/bin/p{number}")))
        lines.append(connect(f"198.51.100.{number % 250}", number + 1, who=process(number)))
        lines.append(touch(f"/var/log/{number}", 4))
    batch = decoder.decode(b"".join(text(line) + b"\n" for line in lines), "f", 1)
    assert batch.recognised == 1_200
    assert len(decoder._programs) <= 50
    assert len(decoder._paths) <= 50
    assert len(decoder._started) <= 52
    learnt = [item for item in vars(decoder._noise).values() if isinstance(item, dict | set)]
    assert learnt
    assert all(len(item) <= 50 for item in learnt)


def test_long_names_are_not_remembered() -> None:
    decoder = TetragonDecoder({}, {})
    long = "/" + "x" * 4_000
    decoder.decode(text(started(process(binary=long))) + b"\n" + text(touch(long, 4)) + b"\n", "f", 1)
    learnt = [item for item in vars(decoder._noise).values() if isinstance(item, dict | set)]
    assert (decoder._programs, decoder._paths) == ({}, {})
    assert not any(learnt)


# --- paths ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/usr/bin/python3", "/usr/bin/python3"),
        (TOKEN, TOKEN),
        ("/tmp/x?sig=abc", "/tmp/x?…"),
        ("/tmp/x;y#z&a/b", "/tmp/x;…/b"),
        ("/tmp/ghp_16C7e42F292c6912E7710c838347Ae178B4a/x.py", "/tmp/…/x.py"),
        ("", ""),
    ],
)
def test_paths_are_told_without_what_may_be_secret(path: str, told: str) -> None:
    assert told_path(path) == told
    assert told_path(told) == told


def test_what_is_written_and_what_runs_have_the_same_path() -> None:
    path = "/tmp/payload?sig=abc"
    found = decode(touch(path, 2), started(process(21, binary=path, arguments=...)))
    written, ran = found.batch.events
    assert written.file_path == ran.binary == found.trees[UID][exec_id(21)][3] == "/tmp/payload?…"
    assert [artifact.name for artifact in written.artifacts] == ["payload?…"]


def _forked_parent(**more: Json) -> Json:
    """A worker that was forked by process 20 and started no program: it has no record of its own."""
    return process(30, parent_exec_id=exec_id(20), flags="clone", **more)


def test_a_forked_parent_without_a_record_is_a_link_of_the_tree() -> None:
    child = started(process(31, parent_exec_id=exec_id(30), binary="/usr/bin/sh"), parent=_forked_parent())
    decoded = decode(started(process(20)), child)
    tree = decoded.trees[UID]
    assert tree[exec_id(31)][0] == exec_id(30)
    assert tree[exec_id(30)][:2] == (exec_id(20), 30)
    assert decode(child, started(process(20))).trees[UID] == tree


@pytest.mark.parametrize("more", [{"docker": "0" * 31}, {"parent_exec_id": None}, {"exec_id": exec_id(99)}])
def test_a_parent_of_elsewhere_is_no_link_of_the_tree(more: Json) -> None:
    parent = without({**_forked_parent(), **more})
    child = started(process(31, parent_exec_id=exec_id(30), binary="/usr/bin/sh"), parent=parent)
    assert exec_id(30) not in decode(started(process(20)), child).trees[UID]
