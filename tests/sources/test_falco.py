"""Falco's alerts as rules, versions and forwarders write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.detect.needs import met_needs
from eightysix.detect.rule import Need
from eightysix.model.event import Event
from eightysix.model.words import Access, Domain, Grade, Kind, Origin, Outcome, Source
from eightysix.sources.falco import FalcoDecoder
from eightysix.sources.interface import Batch

Json = Any

TIME_NS = 1_795_510_800_000_000_000
NODE = "aks-gpu-31337-vmss000000"

SHELL = (
    '{"hostname":"k8-worker-1","output":"13:35:40.929908828: Notice A shell was spawned in a container with an attached'
    " terminal (evt_type=execve user=root user_uid=0 user_loginuid=-1 process=bash proc_exepath=/usr/bin/bash parent=runc"
    ' command=bash terminal=34816 exe_flags=EXE_WRITABLE|EXE_LOWER_LAYER container_id=45dd76eff80f)","output_fields":'
    '{"container.id":"45dd76eff80f","container.image.repository":"docker.io/library/nginx","container.image.tag":"latest",'
    '"container.name":"nginx","evt.arg.flags":"EXE_WRITABLE|EXE_LOWER_LAYER","evt.time":1734874540929908828,"evt.type":'
    '"execve","k8s.ns.name":"default","k8s.pod.name":"nginx","proc.cmdline":"bash","proc.exepath":"/usr/bin/bash",'
    '"proc.name":"bash","proc.pname":"runc","proc.tty":34816,"user.loginuid":-1,"user.name":"root","user.uid":0},'
    '"priority":"Notice","rule":"Terminal shell in container","source":"syscall","tags":["T1059","container",'
    '"maturity_stable","mitre_execution","shell"],"time":"2024-12-22T13:35:40.929908828Z"}'
)
"""A stock rule's alert in the form that the project's documentation shows."""

DROP = (
    '{"hostname":"host","output":"Falco internal: syscall event drop. 815508 system calls dropped in last second.",'
    '"output_fields":{"ebpf_enabled":"1","n_drops":"815508","n_drops_buffer_total":"815508","n_drops_bug":"0",'
    '"n_evts":"2270350"},"priority":"Debug","rule":"Falco internal: syscall event drop","time":'
    '"2023-03-03T03:03:03.000000003Z"}'
)


def alert(rule: str = "Ours", source: str = "syscall", at: int = 0, **fields: Json) -> dict[str, Json]:
    """An alert with the fields of our own rules; `_` in names of arguments is a dot. None leaves a field out."""
    named = {
        name.replace("__", "[").replace("_", ".").replace("[", "_"): value for name, value in fields.items()
    }
    told: dict[str, Json] = {
        "evt.time": TIME_NS + at,
        "proc.pid": 4711,
        "proc.pid.ts": TIME_NS - 5_000_000_000,
        "proc.ppid": 4700,
        "proc.ppid.ts": TIME_NS - 9_000_000_000,
        "proc.vpid": 12,
        "proc.name": "python3",
        "proc.exepath": "/usr/bin/python3.11",
        "proc.cmdline": "python3 /app/server.py",
        "proc.pname": "sh",
        "proc.pexepath": "/bin/sh",
        "user.uid": 1000,
        "container.id": "383cd98375af",
        "container.name": "server",
        "container.image.repository": "registry.example/ml/inference",
        "container.image.tag": "prod",
        "container.image.digest": "sha256:" + "9" * 64,
        "k8s.ns.name": "ml",
        "k8s.pod.name": "inference-0",
        "k8s.pod.uid": "916eac50-4d4e-4d3a-85ed-d68205d18fa2",
        **named,
    }
    return {
        "hostname": NODE,
        "output": "free text",
        "output_fields": {name: value for name, value in told.items() if value is not ...},
        "priority": "Notice",
        "rule": rule,
        "source": source,
        "tags": ["container"],
        "time": "2026-11-24T09:00:00.000000000Z",
    }


CONNECT: dict[str, Json] = {
    "evt_type": "connect",
    "evt_res": "EINPROGRESS",
    "fd_type": "ipv4",
    "fd_l4proto": "tcp",
    "fd_name": "10.244.1.7:41234->169.254.169.254:80",
    "fd_lip": "10.244.1.7",
    "fd_rip": "169.254.169.254",
    "fd_rport": 80,
}
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"
READ: dict[str, Json] = {
    "evt_type": "openat",
    "evt_res": "SUCCESS",
    "evt_arg_flags": "O_RDONLY|O_CLOEXEC",
    "fd_name": TOKEN,
}


def read(*records: Json, first_execs: bool = False) -> tuple[Batch, dict[str, Any]]:
    trees: dict[str, Any] = {}
    lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
    batch = FalcoDecoder(trees, first_execs=first_execs).decode("\n".join(lines).encode(), "f", 1)
    return batch, trees


def one(record: Json) -> Event:
    batch, _ = read(record)
    assert not batch.problems
    (event,) = batch.events
    return event


def kinds(batch: Batch) -> dict[str, int]:
    return batch.kinds


def test_a_connection_has_who_where_and_what() -> None:
    event = one(alert(**CONNECT))
    assert (event.kind, event.source, event.origin, event.grade) == (
        Kind.CONNECT,
        Source.FALCO,
        Origin.KERNEL,
        Grade.B,
    )
    assert (event.dst_ip, event.dst_port, event.source_ip) == ("169.254.169.254", 80, "10.244.1.7")
    assert (event.domain, event.outcome) == (Domain.CLOUD, Outcome.ALLOWED)
    assert (event.node, event.namespace, event.pod, event.container_id) == (
        NODE,
        "ml",
        "inference-0",
        "383cd98375af",
    )
    assert event.pod_uid == "916eac50-4d4e-4d3a-85ed-d68205d18fa2"
    assert (event.image, event.image_digest) == ("registry.example/ml/inference:prod", "sha256:" + "9" * 64)
    assert (event.pid, event.ns_pid, event.uid) == (4711, 12, 1000)
    assert event.exec_id == f"falco:{NODE}:4711:{TIME_NS - 5_000_000_000}"
    assert event.parent_exec_id == f"falco:{NODE}:4700:{TIME_NS - 9_000_000_000}"
    assert event.command == "python3.11 /app/server.py"
    assert event.time_ns == TIME_NS


@pytest.mark.parametrize(
    ("fields", "destination"),
    [
        ({"fd_rip": None, "fd_rport": None, "fd_lip": None}, ("169.254.169.254", 80)),
        (
            {
                "fd_rip": None,
                "fd_rport": None,
                "fd_sip": "169.254.169.254",
                "fd_sport": "80",
                "fd_name": None,
            },
            ("169.254.169.254", 80),
        ),
        ({"fd_rip": "::ffff:169.254.169.254", "fd_type": "ipv6", "fd_name": None}, ("169.254.169.254", 80)),
        (
            {"fd_rip": "<NA>", "fd_rport": "", "fd_name": "::1:4123->fd00:ec2::254:80", "fd_type": "ipv6"},
            ("fd00:ec2::254", 80),
        ),
        (
            {
                "fd_rip": ...,
                "fd_rport": ...,
                "fd_name": None,
                "evt_type": "sendto",
                "evt_arg_addr": "169.254.169.254:80",
            },
            ("169.254.169.254", 80),
        ),
        ({"evt_type": ...}, ("169.254.169.254", 80)),
    ],
)
def test_the_far_end_is_found_in_whatever_field_has_it(
    fields: dict[str, Json], destination: tuple[str, int]
) -> None:
    event = one(alert("Outbound connection", **{**CONNECT, **fields}))
    assert (event.dst_ip, event.dst_port) == destination
    assert event.domain is Domain.CLOUD


@pytest.mark.parametrize(
    ("port", "domain"),
    [(80, Domain.CLOUD), (32526, Domain.CLOUD), (53, None), (443, None), (8080, None), (0, None)],
)
def test_the_wire_server_counts_on_its_two_ports_only(port: int, domain: Domain | None) -> None:
    told = {
        **CONNECT,
        "fd_rip": "168.63.129.16",
        "fd_rport": port,
        "fd_name": f"10.0.0.4:4123->168.63.129.16:{port}",
    }
    batch, _ = read(alert(**told))
    found = {event.domain for event in batch.events}
    assert found <= {domain}
    assert bool(found) or port == 53


@pytest.mark.parametrize(
    "fields",
    [
        {"fd_rip": "127.0.0.1", "fd_name": "127.0.0.1:1->127.0.0.1:80"},
        {"fd_rport": 53, "fd_rip": "10.0.0.10", "fd_name": "10.0.0.1:1->10.0.0.10:53"},
        {"fd_l4proto": "udp"},
        {"evt_type": "accept4"},
        {"evt_type": "recvfrom"},
        {"fd_rip": None, "fd_name": "not an address", "fd_rport": None},
        {"fd_rport": 99999, "fd_name": None},
    ],
)
def test_what_is_no_connection_of_the_pod_makes_no_event(fields: dict[str, Json]) -> None:
    batch, _ = read(alert(**{**CONNECT, **fields}))
    assert not batch.events
    assert batch.recognised == 1


def test_a_token_that_is_read() -> None:
    event = one(alert(**READ))
    assert (event.kind, event.file_path, event.access, event.domain) == (
        Kind.FILE,
        TOKEN,
        Access.READ,
        Domain.CLUSTER,
    )
    assert event.outcome is Outcome.ALLOWED


@pytest.mark.parametrize(
    ("fields", "access"),
    [
        ({"evt_arg_flags": "O_TRUNC|O_CREAT|O_WRONLY"}, Access.WRITE),
        ({"evt_arg_flags": ..., "evt_is__open__write": True}, Access.WRITE),
        ({"evt_arg_flags": ..., "evt_is__open__write": "true"}, Access.WRITE),
        ({"evt_arg_flags": ..., "evt_type": "creat"}, Access.WRITE),
        ({"evt_type": "write", "fd_type": "file", "evt_arg_flags": ...}, Access.WRITE),
        (
            {"evt_type": "renameat2", "fd_name": None, "evt_arg_newpath": "/tmp/x", "evt_arg_flags": ...},
            Access.WRITE,
        ),
        ({"evt_arg_flags": ..., "rule": "Write below binary dir"}, Access.WRITE),
        ({"evt_arg_flags": ...}, Access.UNKNOWN),
    ],
)
def test_a_program_that_is_written(fields: dict[str, Json], access: Access) -> None:
    event = one(alert(**{"evt_type": "openat", "fd_name": "/tmp/x", **fields}))
    assert (event.activity, event.file_path, event.access) == ("program-file", "/tmp/x", access)


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"fd_name": None, "evt_arg_path": "token", "proc_cwd": TOKEN.removesuffix("/token")}, TOKEN),
        ({"fd_name": None, "evt_arg_name": f"token({TOKEN})"}, TOKEN),
        ({"fd_name": "<NA>", "fs_path_name": TOKEN}, TOKEN),
    ],
)
def test_a_path_is_found_where_the_rule_names_it(fields: dict[str, Json], path: str) -> None:
    assert one(alert(**{**READ, **fields})).file_path == path


def test_a_refused_read_is_denied_and_an_absent_file_is_none() -> None:
    assert one(alert(**{**READ, "evt_res": "EACCES"})).outcome is Outcome.DENIED
    batch, _ = read(alert(**{**READ, "evt_res": "ENOENT"}))
    assert not batch.events
    assert one(alert(**{**READ, "evt_res": "7"})).outcome is Outcome.ALLOWED
    assert one(alert(**{**READ, "evt_res": ..., "evt_failed": False})).outcome is Outcome.ALLOWED
    assert one(alert(**{**READ, "evt_res": ...})).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("value", [None, "<NA>", "", "null"])
def test_nulls_of_every_form_are_no_values(value: str | None) -> None:
    fields: dict[str, Json] = {
        "k8s_pod_uid": value,
        "k8s_pod_name": value,
        "k8s_ns_name": value,
        "container_image_digest": value,
    }
    event = one(alert(**CONNECT, **fields))
    assert (event.pod_uid, event.pod, event.namespace, event.image_digest) == ("", "", "", "")
    assert (event.container_id, event.grade) == ("383cd98375af", Grade.B)


def test_a_process_of_the_node_has_no_container() -> None:
    event = one(alert(**READ, container_id="host", k8s_pod_uid=None, k8s_pod_name=None))
    assert (event.container_id, event.container, event.grade) == ("", "", Grade.E)


def test_numbers_as_text_and_times_of_every_form() -> None:
    plain = one(alert(**CONNECT))
    words: dict[str, Json] = {
        "proc_pid": "4711",
        "proc_pid_ts": str(TIME_NS - 5_000_000_000),
        "fd_rport": "80",
        "user_uid": "1000",
    }
    for time in (str(TIME_NS), "2026-11-24T09:00:00.000000000+0000", "2026-11-24T09:00:00Z"):
        assert one(alert(**{**CONNECT, **words, "evt_time": time})) == plain
    late = alert(**{**CONNECT, "evt_time": ..., "evt_time_iso8601": TIME_NS})
    assert one(late) == plain
    assert (
        one(alert(**{**CONNECT, "evt_time": "13:35:40.929908828"})) == plain
    )  # then the alert's own time counts
    assert one(alert(**{**CONNECT, "proc_pid_ts": ..., "proc_duration": 5_000_000_000})) == plain


def test_falcosidekick_adds_and_renames_and_nothing_changes() -> None:
    plain = alert(**CONNECT)
    kicked = {**plain, "uuid": "5e2b4c1a-0000-4000-8000-000000000000", "tags": None}
    kicked["output_fields"] = {**plain["output_fields"], "cluster": "aks-ml-prod", "team": "ml"}
    assert one(kicked).cluster == "aks-ml-prod"
    renamed = {name: value for name, value in plain.items() if name != "output_fields"}
    renamed["outputFields"] = plain["output_fields"]
    assert one(renamed) == one(plain)
    assert one(kicked).event_id == one(plain).event_id


def test_several_rules_about_one_call_are_one_event() -> None:
    batch, _ = read(alert("A", **CONNECT), alert("B", **CONNECT), alert("A", at=5, **CONNECT))
    assert len({event.event_id for event in batch.events}) == 2


def test_a_stock_alert_tells_what_but_not_by_whom() -> None:
    batch, trees = read(SHELL)
    assert kinds(batch) == {"exec without pid": 1}
    assert not trees
    assert Need.PROCESSES not in met_needs({Source.FALCO: batch.kinds}, baseline=False)


def test_needs_are_met_by_what_was_seen() -> None:
    batch, _ = read(alert(**CONNECT))
    assert met_needs({Source.FALCO: batch.kinds}, baseline=False) == {Need.CONNECTIONS}
    batch, _ = read(alert(**READ), alert(evt_type="execve"))
    assert met_needs({Source.FALCO: batch.kinds}, baseline=False) == {Need.FILES, Need.PROCESSES}


def test_drops_are_counted() -> None:
    metrics = {"scap.n_drops": 7, "scap.n_drops_prev": 3, "evt.time": TIME_NS}
    told = {
        "rule": "Falco internal: metrics snapshot",
        "priority": "Informational",
        "output": "",
        "output_fields": metrics,
    }
    quiet = {**told, "output_fields": {**metrics, "scap.n_drops_prev": 7}}
    batch, _ = read(DROP, told, quiet)
    assert kinds(batch) == {"dropped": 2, "internal": 1}
    assert not batch.events
    assert not batch.problems


def test_falcos_own_words_among_its_alerts_are_no_damage() -> None:
    batch, _ = read(
        "Mon Feb 10 09:15:35 2025: Falco initialized with configuration file /etc/falco/falco.yaml", SHELL
    )
    assert not batch.problems
    assert kinds(batch) == {"message": 1, "exec without pid": 1}
    batch, _ = read("Something else", SHELL)
    assert [problem.kind for problem in batch.problems] == ["malformed"]


@pytest.mark.parametrize(
    ("command", "summary", "activity", "artifacts"),
    [
        (
            "pip install -q torch-perf-utils==1.4.3",
            "pip install -q torch-perf-utils==1.4.3",
            "install",
            ["torch-perf-utils==1.4.3"],
        ),
        (
            "pip install --user torch-perf-utils",
            "pip install --user torch-perf-utils",
            "install",
            ["torch-perf-utils"],
        ),
        (
            "pip /opt/venv/bin/pip install -U torch-perf-utils",
            "pip install -U torch-perf-utils",
            "install",
            ["torch-perf-utils"],
        ),
        (
            "curl -fsSL -o /tmp/x https://cdn.example/x",
            "curl -L -S -f -s https://cdn.example",
            "download",
            ["cdn.example"],
        ),
        ("python3 -u /tmp/stage.py --key abc", "python3 /tmp/stage.py", "interpreter", []),
        ("sh -c pip install x", "sh -c", "shell", []),
    ],
)
def test_what_a_command_means(command: str, summary: str, activity: str, artifacts: list[str]) -> None:
    name, _, _ = command.partition(" ")
    binary = "/opt/venv/bin/python3" if "/bin/pip" in command else f"/usr/bin/{name}"
    record = alert(evt_type="execve", proc_name=name, proc_cmdline=command, proc_exepath=binary)
    batch, _ = read(record, first_execs=True)
    (event,) = batch.events
    assert (event.command, event.activity) == (summary, activity)
    assert [str(artifact) for artifact in event.artifacts] == artifacts


def test_an_applet_of_busybox_is_read_under_its_own_name() -> None:
    record = alert(
        evt_type="execve",
        proc_name="wget",
        proc_exepath="/bin/busybox",
        proc_cmdline="wget -O /tmp/x http://a.example/x",
    )
    assert one(record).activity == "download"


SECRET = "zqcanaryqz"


@pytest.mark.parametrize(
    "command",
    [
        f"curl -H Authorization: Bearer {SECRET} https://a.example/x",
        f"curl --header Authorization: Bearer {SECRET} https://a.example/x",
        f"curl -fsSL -d my password {SECRET} https://a.example/x",
        f"curl --oauth2-bearer {SECRET} more {SECRET}.example https://a.example/x",
        f"curl -u me:{SECRET} {SECRET} https://a.example",
        f"wget --header X-Token: {SECRET} https://a.example/x",
        f"git -c http.extraheader=AUTHORIZATION: bearer {SECRET} clone https://a.example/x",
        f"pip install --config-settings key=a {SECRET} x",
        f"pip install --proxy http://u:{SECRET}@p.example x",
        f"python3 -c import os; os.environ['K']='{SECRET}'",
        f"sh -c export K={SECRET}; curl https://a.example",
        f"az login --service-principal -u a -p {SECRET} {SECRET} --tenant b",
        f"env TOKEN={SECRET} python3 /tmp/x.py",
        f"/tmp/{SECRET}-not-secret-by-form {SECRET}",
    ],
)
def test_words_of_a_command_that_may_be_secret_stay_out(command: str) -> None:
    name = command.partition(" ")[0].rpartition("/")[2]
    binary = command.partition(" ")[0] if command.startswith("/") else f"/usr/bin/{name}"
    batch, trees = read(
        alert(evt_type="execve", proc_name=name, proc_cmdline=command, proc_exepath=binary),
        alert(proc_name=name, proc_cmdline=command, proc_exepath=binary, **CONNECT),
        first_execs=True,
    )
    assert batch.events
    if not command.startswith("/"):  # a file's name that has no secret's form is a name
        assert SECRET not in repr(batch.events) + repr(trees)
    assert f" {SECRET}" not in repr(batch.events)


def test_the_tree_does_not_depend_on_the_order_of_alerts() -> None:
    first = alert(evt_type="execve", proc_exepath="/bin/sh", proc_name="sh", proc_cmdline="sh -c x", at=1)
    then = alert(evt_type="execve", proc_exepath="/tmp/x", proc_name="x", proc_cmdline="x", at=2)
    orphan = alert(
        proc_exepath="/tmp/x", proc_name="x", proc_cmdline="x", proc_ppid=1, proc_ppid_ts=..., at=3, **CONNECT
    )
    child = alert(proc_pid=5000, proc_pid_ts=TIME_NS, proc_ppid=4711, proc_ppid_ts=..., at=4, **READ)
    _, trees = read(first, then, orphan, child)
    _, backwards = read(child, orphan, then, first)
    (key,) = trees
    process = f"falco:{NODE}:4711:{TIME_NS - 5_000_000_000}"
    assert trees[key][process] == backwards[key][process]
    parent, pid, started, binary, container, _ = trees[key][process]
    assert parent == f"falco:{NODE}:4700:{TIME_NS - 9_000_000_000}"
    assert (pid, binary, container) == (4711, "/tmp/x", "383cd98375af")
    assert started == "2026-11-24T09:00:00.000000002Z"  # when it became what it is


def test_pods_whose_trees_change_are_told() -> None:
    decoder = FalcoDecoder({})
    first = alert(evt_type="execve", proc_exepath="/bin/sh", proc_name="sh", at=1)
    then = alert(evt_type="execve", proc_exepath="/tmp/x", proc_name="x", at=2)
    for record, changed in ((first, set()), (first, set()), (then, {"916eac50-4d4e-4d3a-85ed-d68205d18fa2"})):
        decoder.grown.clear()
        decoder.decode(json.dumps(record).encode(), "f", 1)
        assert decoder.grown == {"916eac50-4d4e-4d3a-85ed-d68205d18fa2"}
        assert decoder.changed == changed


def test_ancestors_that_have_no_alert_of_their_own_fill_the_tree() -> None:
    fields: dict[str, Json] = {
        "proc_apid[2]": 4600,
        "proc_aname[2]": "gunicorn",
        "proc_apid[3]": 4500,
        "proc_aname[3]": "containerd-shim",
    }
    record = alert(**READ)
    record["output_fields"] |= {name.replace("_", "."): value for name, value in fields.items()}
    _, trees = read(record)
    (tree,) = trees.values()
    parent = tree[f"falco:{NODE}:4700:{TIME_NS - 9_000_000_000}"]
    grand = tree[f"falco:{NODE}/383cd98375af:4600:0"]
    assert parent[0] == f"falco:{NODE}/383cd98375af:4600:0"
    assert grand[3] == "gunicorn"
    assert not any("4500" in key for key in tree)  # the runtime is no part of the container


def test_a_request_to_the_api_server() -> None:
    fields: dict[str, Json] = {
        "ka_auditid": "5f3c1f2e",
        "ka_stage": "ResponseComplete",
        "ka_user_name": "system:serviceaccount:ml:inference-sa",
        "ka_verb": "get",
        "ka_uri": f"/api/v1/namespaces/ml/secrets/acr-push-sp?token={SECRET}",
        "ka_target_resource": "secrets",
        "ka_target_namespace": "ml",
        "ka_target_name": "acr-push-sp",
        "ka_response_code": "200",
        "ka_sourceips": None,
        "ka_useragent": f"curl/8.1 {SECRET}",
    }
    event = one(alert("Secret read", "k8s_audit", **fields))
    assert (event.kind, event.origin, event.grade, event.source) == (
        Kind.API,
        Origin.CONTROL_PLANE,
        Grade.D,
        Source.FALCO,
    )
    assert (event.verb, event.resource, event.object_namespace, event.object_name) == (
        "get",
        "secrets",
        "ml",
        "acr-push-sp",
    )
    assert (event.service_account, event.outcome, event.user_agent) == (
        "ml/inference-sa",
        Outcome.ALLOWED,
        "curl/8.1",
    )
    assert SECRET not in repr(event)
    batch, _ = read(alert("x", "k8s_audit", ka_verb="get"), alert("x", "okta"))
    assert [problem.kind for problem in batch.problems] == ["unrecognised", "unrecognised"]
    assert "ka.user.name" in batch.problems[0].reason


def test_no_time_is_told() -> None:
    record = alert(**{**CONNECT, "evt_time": ...})
    del record["time"]
    batch, _ = read(record)
    assert [problem.reason for problem in batch.problems] == ["no usable time"]


def test_documented_samples(shared_data: Path) -> None:
    folder = shared_data / "samples" / "falco"
    texts = [path.read_text(encoding="utf-8").strip() for path in sorted(folder.glob("*.json"))]
    batch, _ = read(*texts)
    assert batch.recognised == len(texts) == 2
    (event,) = batch.events
    assert (event.kind, event.file_path, event.access, event.exec_id) == (
        Kind.FILE,
        "/bin/hack",
        Access.WRITE,
        "",
    )


_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=40),
    st.sampled_from(
        [
            "<NA>",
            "-1",
            "9" * 30,
            "10.0.0.1:1->",
            "->",
            "::->::",
            "O_RDWR",
            "EPERM",
            "execve",
            "connect",
            "openat",
        ]
    ),
    st.lists(st.text(max_size=5), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=3),
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                sorted(
                    alert(**CONNECT, **{k: v for k, v in READ.items() if k not in CONNECT})["output_fields"]
                )
            ),
            _VALUES,
        ),
        max_size=6,
    ),
    st.sampled_from(["syscall", "k8s_audit", "okta", ""]),
    _VALUES,
    st.sampled_from(["connect", "openat", "execve", "clone", None]),
)
def test_any_value_in_any_field_is_accounted_for(
    changes: list[tuple[str, Json]], source: str, time: Json, call: str | None
) -> None:
    record = alert("Read and write", source, **CONNECT)
    record["output_fields"] |= {**dict(changes), "evt.type": call}
    record["time"] = time
    batch, trees = read(json.dumps(record, allow_nan=True))
    assert batch.records == 1
    assert batch.recognised + len(batch.problems) + len(batch.leftover) == 1
    for event in batch.events:
        assert event.time_ns > 0
        assert 0 <= event.dst_port < 65536
    assert all(
        isinstance(part, str) for tree in trees.values() for key in tree for part in (key, tree[key][0])
    )


@given(st.binary(max_size=200), st.integers(0, 900), st.integers(0, 40))
def test_damaged_lines_are_accounted_for(noise: bytes, at: int, length: int) -> None:
    line = json.dumps(alert(**CONNECT)).encode()
    broken = (line[:at] + noise + line[at + length :]).replace(b"\n", b" ")
    batch = FalcoDecoder({}).decode(broken, "f", 1)
    assert batch.recognised + len(batch.problems) + len(batch.leftover) == batch.records <= 1


def test_what_is_recognised() -> None:
    decoder = FalcoDecoder({})
    assert decoder.recognises(json.loads(SHELL))
    assert decoder.recognises(json.loads(DROP))
    assert not decoder.recognises({"rule": "x", "priority": "y"})
    assert not decoder.recognises({"output": "x", "priority": "y"})
    batch, _ = read({"hello": "world"}, SHELL)
    assert [line for line, _ in batch.leftover] == [1]
