"""Sensor records of both forms become events; damage costs one line, and nothing secret gets in."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.model.event import Artifact, Distribution, Event
from eightysix.model.words import Access, Domain, Grade, Kind, Origin, Outcome, Source
from eightysix.sources.interface import Batch
from eightysix.sources.sensor import SensorDecoder
from eightysix.sources.sensor_provenance import MAX_CHAIN

Fields = dict[str, object]

TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"
POD = {
    "cluster": "c1", "namespace": "ml", "name": "inference-0", "uid": "6f1c", "container_id": "containerd://0a1b2c",
    "container": "server", "image": "registry.example/inference@sha256:00",
}  # fmt: skip


def prototype(event: str, **fields: object) -> Fields:
    """A record as the prototype writes it."""
    return {
        "time": 1795405130.229496, "sensor": "py", "event": event, "pid": 7, "tid": 9, "actor": "", "caller": "",
        "chain": [], "at_import": None, "dyn": False, "actor_age_s": None, "site": [], **fields,
    }  # fmt: skip


def v1(event: str, **fields: object) -> Fields:
    """A record of version 1 as the receiver hands it on."""
    return {
        "v": 1, "t_ns": 1795405130229496123, "boot_id": "b0", "pid": 4711, "ns_pid": 7, "tid": 4712, "start_ticks": 99,
        "event": event, "chain": [], "root": "", "at_import": "", "dists": [], "node": "n1", "pod": POD, **fields,
    }  # fmt: skip


def decode(*records: Fields) -> Batch:
    return SensorDecoder().decode(b"\n".join(json.dumps(record).encode() for record in records), "s.jsonl", 1)


def event_of(record: Fields) -> Event:
    batch = decode(record)
    assert not batch.problems
    [event] = batch.events
    return event


def test_a_prototype_record_says_which_process_but_not_which_pod() -> None:
    event = event_of(prototype("connect", dst="203.0.113.10", dport=443))
    assert (event.source, event.origin, event.grade) == (Source.SENSOR, Origin.SUSPECT, Grade.A)
    assert (event.exec_id, event.pid, event.ns_pid, event.tid) == ("sensor::7", 0, 7, 9)
    assert (event.pod, event.pod_uid, event.node) == ("", "", "")
    assert event.time_ns == 1795405130_229496000
    assert (event.file, event.line) == ("s.jsonl", 1)


def test_a_v1_record_says_whose_it_is() -> None:
    event = event_of(v1("connect", dst="203.0.113.10", port=443))
    assert (event.cluster, event.namespace, event.pod, event.pod_uid) == ("c1", "ml", "inference-0", "6f1c")
    assert (event.node, event.container_id, event.container) == ("n1", "0a1b2c", "server")
    assert (event.image, event.image_digest) == ("registry.example/inference", "sha256:00")
    assert (event.exec_id, event.pid, event.ns_pid) == ("sensor:b0/6f1c:7:99", 4711, 7)
    assert event.time_ns == 1795405130229496123


def test_the_pod_may_be_a_name_beside_its_namespace() -> None:
    event = event_of(
        v1(
            "connect",
            dst="::1",
            port=1,
            pod="p",
            namespace="n",
            pod_uid="u",
            node="m",
            host_pid=5,
            boot_id=None,
        )
    )
    assert (event.pod, event.namespace, event.pod_uid, event.pid) == ("p", "n", "u", 5)
    assert event.exec_id == "sensor:m/u:7:99"


@pytest.mark.parametrize(
    ("written", "nanoseconds"),
    [
        ("1795405130.229496", 1795405130_229496000),
        ("1795405135.01021", 1795405135_010210000),
        ("1795405135", 1795405135_000000000),
        ("1795405135.1234567899", 1795405135_123456789),
        ("1.795405135e9", 1795405135_000000000),
    ],
)
def test_times_are_exact(written: str, nanoseconds: int) -> None:
    text = b'{"time":%s,"sensor":"py","event":"connect","dst":"::1"}' % written.encode()
    assert SensorDecoder().decode(text, "", 1).events[0].time_ns == nanoseconds


@pytest.mark.parametrize("written", ["0", "-1", "null", '"2026"', "1e300", "[]", "99999999999999999999"])
def test_an_unusable_time_is_told(written: str) -> None:
    batch = SensorDecoder().decode(
        b'{"time":%s,"sensor":"py","event":"connect","dst":"::1"}' % written.encode(), "f", 3
    )
    assert [(problem.line, problem.kind, problem.reason) for problem in batch.problems] == [
        (3, "malformed", "no usable time")
    ]
    assert not batch.events
    assert not batch.recognised


def test_an_event_is_named_by_the_bytes_of_its_line() -> None:
    record = prototype("connect", dst="::1", dport=1)
    assert event_of(record).event_id == event_of(record).event_id
    assert event_of(record).event_id != event_of(record | {"tid": 10}).event_id


def test_the_chain_names_distributions_and_files() -> None:
    chain = [
        "Torch_Perf==1.4.3",
        "SPOOF(azure-identity==1.0)by:evil==2.0",
        "/v/site-packages/x.pth",
        "unowned:y.py",
        "<x>",
        "app:/a.py",
    ]
    event = event_of(prototype("connect", dst="::1", chain=chain, at_import="pth:/v/site-packages/x.pth"))
    assert event.chain == (
        "torch-perf==1.4.3",
        "evil==2.0",
        "pth:/v/site-packages/x.pth",
        "unowned:y.py",
        "<unknown>",
        "app:/a.py",
    )
    assert event.root == "app:/a.py"
    assert event.at_import == "pth:/v/site-packages/x.pth"


def test_a_long_chain_keeps_its_outermost_entry() -> None:
    event = event_of(prototype("connect", dst="::1", chain=[f"d{n}==1" for n in range(500)]))
    assert len(event.chain) == MAX_CHAIN
    assert event.root == "d499==1"


def test_v1_tells_the_root_itself_and_all_distributions() -> None:
    dists = [
        {"name": "Evil_Pkg", "version": "1.0", "age_s": 1.5, "record_ok": False},
        {"name": "old", "version": "x y", "age_s": -1},
        {"name": ""},
    ]
    event = event_of(v1("connect", dst="::1", port=1, chain=["evil-pkg==1.0"], root="app:/s.py", dists=dists))
    assert event.root == "app:/s.py"
    assert event.dists == (Distribution("evil-pkg", "1.0", 1.5, False), Distribution("old", "", None, None))


def test_a_prototype_record_tells_the_age_of_who_acts() -> None:
    event = event_of(prototype("connect", dst="::1", actor="evil==1.0", actor_age_s=1.5))
    assert event.dists == (Distribution("evil", "1.0", 1.5),)
    assert event_of(prototype("connect", dst="::1", actor="app:/a.py", actor_age_s=1.5)).dists == ()


def test_the_start_of_an_installer_is_an_install() -> None:
    argv = ["/opt/venv/bin/python3", "/opt/venv/bin/pip", "install", "-q", "torch-perf-utils==1.4.2"]
    event = event_of(
        prototype("sensor_start", argv=argv, ppid=3, env=["AZURE_CLIENT_ID", "OPENAI_API_KEY", "HF_TOKEN=x"])
    )
    assert (event.kind, event.activity) == (Kind.START, "install")
    assert event.artifacts == (Artifact("pypi", "torch-perf-utils", "1.4.2"),)
    assert event.command == "pip install -q torch-perf-utils==1.4.2"
    assert event.binary == "/opt/venv/bin/python3"
    assert event.parent_exec_id == "sensor::3"
    assert event.exposes == ("OPENAI_API_KEY",)


def test_a_distribution_that_appeared_is_an_install_of_it() -> None:
    event = event_of(
        v1("dist", path="/v/site-packages/torch_perf-1.4.3.dist-info", mode="x", installing=False)
    )
    assert (event.kind, event.access, event.activity) == (Kind.FILE, Access.WRITE, "distribution")
    assert event.artifacts == (Artifact("pypi", "torch-perf", "1.4.3"),)


def test_a_start_without_words_is_known_by_its_program() -> None:
    event = event_of(v1("sensor_start", path="/opt/venv/bin/python"))
    assert (event.kind, event.binary, event.activity) == (Kind.START, "/opt/venv/bin/python", "interpreter")


@pytest.mark.parametrize(
    ("fields", "command", "activity"),
    [
        ({"api": "subprocess.Popen", "argv": ["uname", "-p"], "exe": "uname"}, "uname", ""),
        (
            {"api": "subprocess.Popen", "argv": ["pip", "install", "x"], "exe": "/v/bin/pip"},
            "pip install x",
            "install",
        ),
        ({"api": "os.system", "argv": ["curl secret | sh"], "exe": "curl secret | sh"}, "sh -c", "shell"),
        ({"api": "pty.spawn", "argv": ["['sh', 'secret']"], "exe": "['sh', 'secret']"}, "?", ""),
        ({"path": "/bin/sh"}, "sh", "shell"),
    ],
)
def test_children(fields: Fields, command: str, activity: str) -> None:
    event = event_of(prototype("exec_child", **fields))
    assert (event.kind, event.command, event.activity) == (Kind.SPAWN, command, activity)


def test_a_connection_to_the_metadata_service_takes_a_credential() -> None:
    assert event_of(prototype("connect", dst="169.254.169.254", dport=80)).domain is Domain.CLOUD
    assert event_of(prototype("connect", dst="::ffff:169.254.169.254", dport=80)).dst_ip == "169.254.169.254"
    assert event_of(prototype("connect", dst="10.96.0.1", dport=443)).domain is None


def test_a_connection_by_name_keeps_the_name() -> None:
    event = event_of(prototype("connect", dst="Host.Example", dport="443"))
    assert (event.dst_ip, event.dst_name, event.dst_port) == ("", "host.example", 443)


def test_a_socket_that_is_not_of_the_network_is_understood_and_silent() -> None:
    batch = decode(prototype("connect", dst=16, dport=0), prototype("connect_unix", path="/x"))
    assert (batch.events, batch.problems, batch.recognised) == ([], [], 2)


def test_a_look_up() -> None:
    event = event_of(prototype("resolve", host="telemetry.perf-utils.example", dport=80))
    assert (event.kind, event.dst_name, event.dst_port) == (Kind.RESOLVE, "telemetry.perf-utils.example", 80)
    assert event_of(v1("resolve", dst="a.example", port=80)).dst_name == "a.example"


@pytest.mark.parametrize(
    ("path", "domain"),
    [
        ("/metadata/identity/oauth2/token?resource=https%3A%2F%2Fmanagement.azure.com%2F", Domain.CLOUD),
        ("/metadata/instance?api-version=1", None),
    ],
)
def test_a_request_to_the_metadata_service(path: str, domain: Domain | None) -> None:
    event = event_of(prototype("http", url=f"http://169.254.169.254{path}", method="GET"))
    assert (event.kind, event.domain, event.outcome) == (Kind.HTTP, domain, Outcome.UNKNOWN)
    assert event.url_path == path.partition("?")[0]
    assert event.object_name == ("management.azure.com" if domain else "")


def test_a_v1_request_has_its_target_in_parts() -> None:
    event = event_of(
        v1("http", dst="kubernetes.default.svc", port=443, path="/api/v1/namespaces/ml/secrets?x=y")
    )
    assert (event.dst_name, event.dst_port) == ("kubernetes.default.svc", 443)
    assert event.url_path == "/api/v1/namespaces/ml/secrets"


@pytest.mark.parametrize(
    ("mode", "flags", "access"),
    [
        ("r", 524288, Access.READ),
        ("rb", None, Access.READ),
        ("w", 0, Access.WRITE),
        ("r+", 0, Access.WRITE),
        (None, 524288, Access.READ),
        (None, 0o1, Access.WRITE),
        (None, 0o102, Access.WRITE),
        (None, None, Access.UNKNOWN),
    ],
)
def test_access_to_a_file(mode: str | None, flags: int | None, access: Access) -> None:
    event = event_of(prototype("open", path="/x", mode=mode, flags=flags))
    assert (event.kind, event.access, event.file_path) == (Kind.FILE, access, "/x")


@pytest.mark.parametrize(
    ("path", "mode", "domain", "activity"),
    [
        (TOKEN, "r", Domain.CLUSTER, "service-account-token"),
        ("/var/run/secrets/kubernetes.io/serviceaccount/namespace", "r", None, ""),
        ("/proc/1/environ", "r", None, "environment"),
        ("/v/site-packages/x.pth", "w", None, "startup-file"),
        ("/v/site-packages/distutils-precedence.pth", "w", None, "startup-file-common"),
        ("/v/site-packages/x.pth", "r", None, ""),
        ("/v/site-packages/x-1.0.dist-info/RECORD", "w", None, "distribution"),
    ],
)
def test_what_a_file_means(path: str, mode: str, domain: Domain | None, activity: str) -> None:
    event = event_of(v1("open", path=path, mode=mode, file={"dev": 1, "ino": 2, "size": 3, "mtime_ns": 4}))
    assert (event.domain, event.activity) == (domain, activity)


@pytest.mark.parametrize(
    ("root", "at_import", "told"),
    [
        ("app:/app/server.py", None, False),
        ("", None, False),
        ("app:/app/server.py", "evil==1.0", True),
        ("evil==1.0", None, True),
        ("", "pth:/v/site-packages/x.pth", True),
        ("unowned:x.py", None, True),
    ],
)
def test_imports_are_told_where_a_distribution_is_at_work(
    root: str, at_import: str | None, told: bool
) -> None:
    batch = decode(prototype("import", module="requests", chain=[root] if root else [], at_import=at_import))
    assert [event.module for event in batch.events] == (["requests"] if told else [])
    assert batch.kinds == {"import": 1}


def test_unpickling() -> None:
    assert event_of(prototype("pickle_global", module="os", name="system", bad=True)).module == "os.system"


def test_one_bad_line_loses_nothing_else() -> None:
    good = json.dumps(prototype("connect", dst="203.0.113.10", dport=1)).encode()
    lines = [
        good, b"", b"{", good[:-5], b"\xff\xfe", good.replace(b'"tid": 9', b'"tid": "9"'), b"[" * 5000, b" \t\r",
        good.replace(b'"tid": 9', b'"tid": 10'), b'{"other": 1}', b"17", good + good, b"{\n", b"}", good + b"\r",
    ]  # fmt: skip
    batch = SensorDecoder().decode(b"\n".join(lines), "f", 10)
    assert [event.line for event in batch.events] == [10, 18, 25]
    assert [problem.line for problem in batch.problems] == [12, 13, 14, 15, 16, 21, 22, 24]
    assert batch.leftover == [(19, b'{"other": 1}'), (20, b"17")]
    assert batch.records == 13
    assert batch.recognised == 3


def test_text_that_is_no_unicode_does_not_hide_a_record() -> None:
    record = prototype("connect", dst="203.0.113.10", dport=1, chain=["app:/tmp/\udcff.py"])
    assert event_of(record).root == "app:/tmp/?.py"
    raw = json.dumps(prototype("connect", dst="203.0.113.10", dport=1, chain=["app:/tmp/x.py"])).encode()
    [event] = SensorDecoder().decode(raw.replace(b"/x.py", b"/\xff.py"), "", 1).events
    assert event.root == "app:/tmp/\ufffd.py"
    msgspec.json.encode(event)


def test_another_version_is_told_and_not_guessed_at() -> None:
    batch = decode(v1("connect", dst="203.0.113.10", port=1) | {"v": 2})
    assert [problem.kind for problem in batch.problems] == ["unrecognised"]
    assert (batch.events, batch.recognised) == ([], 0)


@pytest.mark.parametrize("event", ["putenv", "exec", "dlopen", "compile_spoof", "heartbeat", "something new"])
def test_other_records_are_understood_and_silent(event: str) -> None:
    batch = decode(prototype(event, args=["PIP_TOKEN", "secret"], names=["secret"]))
    assert (batch.events, batch.problems, batch.recognised, batch.kinds) == ([], [], 1, {"other": 1})


def test_recognises_both_forms_and_nothing_else() -> None:
    decoder = SensorDecoder()
    assert decoder.recognises(prototype("connect"))
    assert decoder.recognises(v1("connect"))
    strangers: list[Fields] = [
        {},
        {"v": 1, "t_ns": 1},
        {"v": True, "t_ns": 1, "event": "x"},
        {"time": 1, "event": "open", "sensor": "bpf"},
    ]
    for record in strangers:
        assert not decoder.recognises(record)
        assert decode(record).leftover


def test_times_and_kinds_of_a_block_are_summed_up() -> None:
    batch = decode(v1("connect", dst="::1", t_ns=5), v1("connect", dst="::1", t_ns=3), v1("putenv", t_ns=9))
    assert (batch.first_ns, batch.last_ns, batch.kinds) == (3, 9, {"connect": 2, "other": 1})


CANARY = "Canary!Hunter2$"


@pytest.mark.parametrize("form", [prototype, v1])
def test_no_canary_gets_into_an_event(form: object) -> None:
    assert callable(form)
    records = [
        form("sensor_start", argv=["python", "-c", f"token='{CANARY}'"], env=[f"TOKEN={CANARY}", CANARY]),
        form("sensor_start", argv=["/app/x y " + CANARY, "--token", CANARY, f"--key={CANARY}"]),
        form("sensor_start", argv=[f"/x/{CANARY}/python"]),
        form("exec_child", api="os.system", argv=[f"curl -u u:{CANARY} h"], exe=f"curl -u u:{CANARY} h"),
        form(
            "exec_child",
            argv=["curl", "-H", f"Authorization: {CANARY}", f"https://u:{CANARY}@h.example/"],
            exe="curl",
        ),
        form("http", url=f"https://u:{CANARY}@h.example/{CANARY}?a={CANARY}#{CANARY}"),
        form("http", url=f"http://169.254.169.254/{CANARY}?resource={CANARY}", method=CANARY),
        form("http", dst="h.example", port=1, path=f"/{CANARY}?{CANARY}"),
        form("putenv", args=["X", CANARY]),
        form("connect", dst=CANARY, dport=CANARY),
        form("resolve", host=f"{CANARY}.evil.example", dport=1),
        form("import", module=CANARY, chain=["x==1"]),
        form("pickle_global", module="os", name=CANARY),
        form("exec", filename=CANARY, names=[CANARY], site=[CANARY], caller=CANARY),
        form(
            "connect",
            dst="::1",
            chain=[CANARY, f"x=={CANARY}", f"SPOOF({CANARY})"],
            at_import=CANARY,
            actor=CANARY,
        ),
        form(
            "connect",
            dst="::1",
            dists=[{"name": CANARY, "version": CANARY}, {"name": "x", "version": CANARY}],
        ),
    ]
    batch = decode(*records)
    assert not batch.problems
    assert "Canary" not in msgspec.json.encode(batch.events).decode()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
NAMES = """
    chain root at_import dists actor argv exe api env dst port dport host url path mode flags module name pod node t_ns time pid
""".split()
EVENTS = "sensor_start exec_child connect resolve http open import pickle_global putenv".split()


@given(st.binary())
def test_never_raises_on_bytes(block: bytes) -> None:
    batch = SensorDecoder().decode(block, "f", 1)
    assert batch.records == batch.recognised + len(batch.problems) + len(batch.leftover)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([prototype, v1]),
            st.sampled_from(EVENTS),
            st.dictionaries(st.sampled_from(NAMES), JSON),
        ),
        max_size=5,
    )
)
def test_never_raises_on_records(parts: list[tuple[object, str, Fields]]) -> None:
    records = [form(event, **fields) for form, event, fields in parts if callable(form)]
    batch = decode(*records)
    assert batch.records == len(records)
    assert batch.records == batch.recognised + len(batch.problems) + len(batch.leftover)
    msgspec.json.encode(batch.events)


@given(
    st.lists(
        st.sampled_from(
            [json.dumps(prototype("connect", dst="::1")), "", "{", "{}{}", "17", '{"a":', '"b"}']
        ),
        max_size=12,
    )
)
def test_lines_keep_their_numbers_whatever_stands_between(lines: list[str]) -> None:
    batch = SensorDecoder().decode("\n".join(lines).encode(), "f", 1)
    assert [event.line for event in batch.events] == [
        n for n, line in enumerate(lines, 1) if "connect" in line
    ]


@pytest.mark.tier("shared-data")
@pytest.mark.parametrize(
    "run", ["attack-86s", "attack-fast", "benign-dependencies-at-start", "benign-notebook"]
)
def test_recorded_runs_are_read_whole(shared_data: Path, run: str) -> None:
    block = (shared_data / "telemetry" / run / "sensor.jsonl").read_bytes()
    batch = SensorDecoder().decode(block, run, 1)
    assert (batch.problems, batch.leftover) == ([], [])
    assert batch.recognised == batch.records == block.count(b"\n")
    assert any(event.activity == "install" and event.artifacts for event in batch.events)


@pytest.mark.tier("shared-data")
def test_the_recorded_breach_is_told_second_by_second(shared_data: Path) -> None:
    block = (shared_data / "telemetry" / "attack-86s" / "sensor.jsonl").read_bytes()
    evil = [e for e in SensorDecoder().decode(block, "", 1).events if e.root == "torch-perf-utils==1.4.3"]
    told = [
        (e.kind, e.domain, e.dst_name or e.dst_ip or e.file_path) for e in evil if e.kind is not Kind.RESOLVE
    ]
    assert told == [
        (Kind.HTTP, Domain.CLOUD, "169.254.169.254"),
        (Kind.CONNECT, Domain.CLOUD, "169.254.169.254"),
        (Kind.FILE, Domain.CLUSTER, TOKEN),
        (Kind.FILE, None, TOKEN.replace("/token", "/namespace")),
        (Kind.HTTP, None, "kubernetes.default.svc"),
        (Kind.CONNECT, None, "10.96.0.1"),
        (Kind.HTTP, None, "kubernetes.default.svc"),
        (Kind.CONNECT, None, "10.96.0.1"),
        (Kind.HTTP, None, "telemetry.perf-utils.example"),
        (Kind.CONNECT, None, "203.0.113.10"),
    ]
    assert {e.dists[0].name for e in evil} == {"torch-perf-utils"}


class TestRevivals:
    def test_a_constructor_is_told_by_its_class(self) -> None:
        path = ["langchain_openai", "chat_models", "base", "ChatOpenAI"]
        for record in (
            prototype("lc_revive", type="constructor", id=path),
            v1("revive", type="constructor", id=path),
        ):
            event = event_of(record)
            assert (event.kind, event.activity) == (Kind.REVIVE, "constructor")
            assert (event.module, event.exposes) == (".".join(path), ())

    def test_a_secret_is_told_by_the_name_of_its_variable(self) -> None:
        event = event_of(v1("revive", type="secret", id=["AZURE_CLIENT_SECRET"]))
        assert (event.activity, event.module, event.exposes) == (
            "secret",
            "AZURE_CLIENT_SECRET",
            ("AZURE_CLIENT_SECRET",),
        )
        assert event.domain is None

    @pytest.mark.parametrize(
        "path",
        [["a b"], ["X" * 65], ["ghp_0123456789abcdefghijklmnopqrstuvwxyzAB"], [], "X", 5, [5, None], None],
    )
    def test_a_name_that_is_none_is_not_told(self, path: object) -> None:
        event = event_of(v1("revive", type="secret", id=path))
        assert (event.module, event.exposes) == ("", ())

    @pytest.mark.parametrize(
        "fields",
        [
            {"type": "constructor", "id": ["a b"]},
            {"type": "constructor", "id": []},
            {"type": "not_implemented", "id": ["langchain", "x"]},
            {"id": ["langchain", "x"]},
            {"type": 1},
        ],
    )
    def test_anything_else_makes_no_event(self, fields: Fields) -> None:
        batch = decode(v1("revive", **fields))
        assert (batch.events, batch.problems, batch.kinds) == ([], [], {"revive": 1})

    def test_what_is_built_with_is_not_decoded(self) -> None:
        record = v1("revive", type="constructor", id=["a", "B"], kwargs={"api_key": "hunter2-canary"})
        assert b"hunter2-canary" not in msgspec.json.encode(event_of(record))


class TestCodeOfAModel:
    @pytest.mark.parametrize(
        "module", ["transformers_modules", "transformers_modules.contoso.tiny-chat.5f0c"]
    )
    def test_its_import_is_told_without_the_models_name(self, module: str) -> None:
        event = event_of(v1("import", path=module, chain=["transformers==5.23.0", "app:/app/server.py"]))
        assert (event.kind, event.module) == (Kind.IMPORT, "transformers_modules")

    def test_other_imports_of_the_application_are_silent(self) -> None:
        assert decode(v1("import", path="transformers_modules_of_mine", chain=["app:/app/x.py"])).events == []


def test_a_file_that_is_read_or_unpickled_is_told_by_its_identity() -> None:
    file = {"dev": 64_768, "ino": 2**63 + 1, "size": 3, "mtime_ns": 4}
    identity = f"64768:{2**63 + 1}:3:4"
    assert event_of(v1("open", path="/m.bin", mode="r", file=file)).file_id == identity
    assert event_of(v1("pickle", module="os", name="system", file=file)).file_id == identity
    assert event_of(v1("open", path="/m.bin", mode="r")).file_id == ""
    assert event_of(v1("pickle", module="os", name="system", file="/m.bin")).file_id == ""
    assert event_of(v1("pickle", module="os", name="system", file=file | {"ino": 2**64})).file_id == ""


def test_what_is_no_load_has_no_identity() -> None:
    file = {"dev": 1, "ino": 2, "size": 3, "mtime_ns": 4}
    for path in ("/var/run/secrets/kubernetes.io/serviceaccount/token", "/proc/1/environ"):
        assert event_of(v1("open", path=path, mode="r", file=file)).file_id == ""
