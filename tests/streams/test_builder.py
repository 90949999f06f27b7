"""Written streams are what real ones are: same shapes, same bytes every time, and labels that say what is in them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from eightysix.lab.generate.audit import Request, audit_event, envelopes, of_pod
from eightysix.lab.generate.label import STAGES, VERDICTS, Scenario
from eightysix.lab.generate.programs import METADATA, Wheel, call, install, pip_command
from eightysix.lab.generate.scenarios.cast import inference
from eightysix.lab.generate.scene import Scene, Streams
from eightysix.lab.generate.sensor import Stack
from eightysix.lab.generate.settings import CURRENT, LEGACY, SETTINGS, AuditForm, Setting
from eightysix.lab.generate.tetragon import FILTERED, FILTERED_PARENT
from tests.streams import AS_RECORDED, ATTACKS, FULL, KERNEL_ONLY, LOOK_ALIKES, Label, Recording, recordings
from tests.streams.write import ROOT, committed, shipped

ALL = {**ATTACKS, **LOOK_ALIKES}
SMALL = [case for case in recordings(ALL) if case[1].name != "rollout-200"]
RUNS = ("attack-86s", "attack-fast", "benign-dependencies-at-start", "benign-notebook")

Json = object
Shape = set[tuple[str, str]]

# What `CURRENT` tells beyond the recorded lab runs: fields of api/v1/tetragon/{tetragon,events}.proto of cilium/tetragon
# that the lab's re-shaped records do not have.
OF_THE_PROTO: Shape = {
    ("process/refcnt", "int"),
    ("process/in_init_tree", "bool"),
    ("parent/in_init_tree", "bool"),
    ("process/parent_exec_id", "str"),
    ("parent/parent_exec_id", "str"),
    ("process/pod/container/maybe_exec_probe", "bool"),
    ("parent/pod/container/maybe_exec_probe", "bool"),
    ("return/int_arg", "int"),
    ("return", "dict"),
    ("signal", "str"),
    ("args[]/sockaddr_arg", "dict"),
    ("args[]/sockaddr_arg/family", "str"),
    ("args[]/sockaddr_arg/addr", "str"),
    ("args[]/sockaddr_arg/port", "int"),
    ("process/ns", "dict"),
    ("parent/ns", "dict"),
    *(
        (f"{who}/ns/{name}{rest}", kind)
        for who in ("process", "parent")
        for name in ("mnt", "pid", "net")
        for rest, kind in (("", "dict"), ("/inum", "int"), ("/is_host", "bool"))
    ),
}


def records(lines: Iterable[str]) -> Iterator[dict[str, Json]]:
    for line in lines:
        yield json.loads(line)


def shape(value: Json, path: str = "") -> Shape:
    """Every path of a record with the type of what is there; names of labels and of the parts of `extra` are data."""
    found = {(path, type(value).__name__)} if path else set()
    if isinstance(value, dict):
        for key, inner in value.items():
            name = "*" if path.endswith(("pod_labels", "/extra")) else key
            found |= shape(inner, f"{path}/{name}" if path else name)
    elif isinstance(value, list):
        for inner in value:
            found |= shape(inner, f"{path}[]")
    return found


def paths(record: Json) -> set[str]:
    """Every path of a record."""
    return {path for path, _ in shape(record)}


def orders(value: Json, path: str = "") -> set[tuple[str, ...]]:
    """The order of keys of every object in a record, with where it is."""
    found: set[tuple[str, ...]] = set()
    if isinstance(value, dict):
        if not path.endswith(("pod_labels", "/extra")):
            found.add((path, *value))
        for key, inner in value.items():
            found |= orders(inner, f"{path}/{key}")
    elif isinstance(value, list):
        for inner in value:
            found |= orders(inner, f"{path}[]")
    return found


def kind_of(record: Mapping[str, Json]) -> str:
    """What kind of record of its file it is, as far as its shape goes."""
    for key in ("process_exec", "process_exit"):
        if key in record:
            return key
    probe = record.get("process_kprobe")
    if isinstance(probe, dict):
        return f"kprobe {probe['function_name']}"
    return str(record.get("event", ""))


def body(record: Mapping[str, Json]) -> Json:
    """A Tetragon record without its envelope."""
    return next(value for key, value in record.items() if key.startswith("process_"))


def by_kind(streams: Iterable[Iterable[str]]) -> dict[str, list[dict[str, Json]]]:
    found: dict[str, list[dict[str, Json]]] = {}
    for lines in streams:
        for record in records(lines):
            found.setdefault(kind_of(record), []).append(record)
    return found


def union(shapes: Iterable[Shape]) -> Shape:
    return set().union(*shapes)


def real(folder: Path, name: str) -> list[list[str]]:
    files = [folder / "telemetry" / run / name for run in RUNS]
    if name == "kubernetes-audit.jsonl":
        files.append(
            folder / "kubernetes" / "audit-kube-apiserver-1.20.jsonl"
        )  # more than secrets is in there
    return [path.read_text(encoding="utf-8").splitlines() for path in files if path.exists()]


def written(name: str, setting: Setting) -> list[list[str]]:
    """The lines of a file in every scenario that has the setting."""
    found = [
        scenario(setting).streams.get(name, []) for scenario in ALL.values() if setting in scenario.settings
    ]
    assert any(found)
    return found


# --- shapes ----------------------------------------------------------------------------------------------------------


@pytest.mark.tier("shared-data")
@pytest.mark.parametrize(
    "name", ["tetragon.jsonl", "sensor.jsonl", "kubernetes-audit.jsonl", "aks-diagnostics.jsonl"]
)
def test_as_recorded_has_the_shapes_of_the_recorded_runs(shared_data: Path, name: str) -> None:
    wanted = by_kind(real(shared_data, name))
    for kind, ours in by_kind(written(name, AS_RECORDED)).items():
        if kind == "kprobe security_socket_connect":
            continue  # the recorded runs have no denied connection
        theirs = union(map(shape, wanted[kind]))
        extra = {
            entry
            for record in ours
            for entry in shape(record)
            if entry not in theirs and not _beyond(entry[0])
        }
        assert not extra, f"{name}: {kind} has what no recorded one has"
        always = set.intersection(*(paths(record) for record in wanted[kind]))
        assert all(always <= paths(record) for record in ours), (
            f"{name}: {kind} lacks what every recorded one has"
        )


def _beyond(path: str) -> bool:
    """Whether no recorded run goes so far: a parent's parent in a probe, a denied call, a signal, a request at import."""
    return path.endswith(
        (
            "process_kprobe/parent/parent_exec_id",
            "/return",
            "/return/int_arg",
            "/signal",
            "at_import",
            "actor_age_s",
        )
    )


@pytest.mark.tier("shared-data")
@pytest.mark.parametrize("name", ["sensor.jsonl", "kubernetes-audit.jsonl", "aks-diagnostics.jsonl"])
def test_as_recorded_has_the_order_of_keys_of_the_recorded_runs(shared_data: Path, name: str) -> None:
    theirs = {
        order for lines in real(shared_data, name) for record in records(lines) for order in orders(record)
    }
    ours = {
        order for lines in written(name, AS_RECORDED) for record in records(lines) for order in orders(record)
    }
    exec_session = ("/objectRef", "resource", "namespace", "name", "apiVersion", "subresource")
    assert ours - theirs <= {
        exec_session
    }  # `kubectl exec` is in no recorded run; the order is that of the API's type


@pytest.mark.tier("shared-data")
@pytest.mark.parametrize("setting", [FULL, KERNEL_ONLY], ids=lambda setting: setting.name)
def test_current_tetragon_adds_only_what_its_proto_has(shared_data: Path, setting: Setting) -> None:
    theirs = by_kind(real(shared_data, "tetragon.jsonl"))
    known = union(shape(body(record)) for found in theirs.values() for record in found)
    for kind, ours in by_kind(written("tetragon.jsonl", setting)).items():
        extra = union(shape(body(record)) for record in ours) - known - OF_THE_PROTO
        assert not extra, kind


@pytest.mark.tier("shared-data")
def test_legacy_tetragon_has_the_shapes_of_the_documentation_of_2022(shared_data: Path) -> None:
    samples = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in (shared_data / "samples" / "tetragon").glob("*.json")
        if path.name.startswith(("00_", "01_", "02_", "03_"))
    ]
    known = union(map(shape, samples))
    scene = Scene(Setting("legacy", LEGACY))
    server = scene.entrypoint(0.3, inference(scene), "/opt/venv/bin/python", "/app/server.py")
    pip = server.exec(1.0, "/opt/venv/bin/python3", pip_command("tiny-metrics"))
    install(pip, 1.0, [Wheel("tiny-metrics", "0.3.0")])
    found = list(records(scene.streams()["tetragon.jsonl"]))
    beyond = {"process_kprobe/args[]/int_arg", "process_exit/status"}  # of the proto, but in no sample
    extra = {
        entry for record in found for entry in shape(record) if entry not in known and entry[0] not in beyond
    }
    assert {entry for entry in extra if "sock_arg" not in entry[0]} == set()
    assert {kind_of(record).split()[0] for record in found} == {"process_exec", "process_exit", "kprobe"}
    assert not any("cluster_name" in record or "uid" in _pod(record) for record in found)


def _pod(record: Mapping[str, Json]) -> Mapping[str, Json]:
    inner = body(record)
    assert isinstance(inner, dict)
    pod = inner["process"]["pod"]
    assert isinstance(pod, dict)
    return pod


def test_lean_records_lack_what_the_filters_name() -> None:
    streams = dict(shipped())
    record = json.loads(streams["examples/look-alike/tetragon.jsonl"].splitlines()[6])
    inner = next(value for key, value in record.items() if key.startswith("process_"))
    assert not set(FILTERED) & inner["process"].keys()
    assert not set(FILTERED_PARENT) & inner["parent"].keys()
    assert "pod_labels" not in inner["process"]["pod"]


def test_exec_ids_are_node_time_and_pid_and_link_to_parents() -> None:
    streams = ATTACKS["breach-86s"](FULL).streams
    known: set[str] = set()
    for record in records(streams["tetragon.jsonl"]):
        inner = body(record)
        assert isinstance(inner, dict)
        process, parent = inner["process"], inner["parent"]
        node, ktime, pid = base64.b64decode(process["exec_id"]).decode().rsplit(":", 2)
        assert (node, int(pid)) == (record["node_name"], process["pid"])
        assert 0 < int(ktime) < 1 << 62
        assert process["parent_exec_id"] == parent["exec_id"]
        assert "pod" not in parent or parent["exec_id"] in known, "a parent of the pod that never started"
        assert process["docker"] == process["pod"]["container"]["id"].removeprefix("containerd://")[:31]
        known.add(process["exec_id"])


def test_a_process_that_replaced_its_program_keeps_its_pid_and_has_the_one_before_as_parent() -> None:
    streams = LOOK_ALIKES["dependencies-at-start"](FULL).streams
    execs = [body(record) for record in records(streams["tetragon.jsonl"]) if "process_exec" in record]
    server = next(
        one for one in execs if isinstance(one, dict) and one["process"].get("arguments") == "/app/server.py"
    )
    assert server["parent"]["binary"] == "/bin/sh"
    assert server["parent"]["pid"] == server["process"]["pid"]
    assert "clone" not in server["process"]["flags"]


def test_where_clones_are_not_told_an_exit_carries_the_living_parents_exec_id() -> None:
    streams = ATTACKS["breach-86s"](AS_RECORDED).streams
    exits = [body(record) for record in records(streams["tetragon.jsonl"]) if "process_exit" in record]
    pip = [one for one in exits if isinstance(one, dict) and "pip install" in one["process"]["arguments"]]
    assert len(pip) == 2
    assert pip[0]["process"]["exec_id"] == pip[1]["process"]["exec_id"] == pip[0]["parent"]["exec_id"]


def test_only_the_entrypoints_tree_is_in_the_init_tree() -> None:
    streams = ATTACKS["poisoned-exec-session"](FULL).streams
    trees: dict[str, bool] = {}
    for record in records(streams["tetragon.jsonl"]):
        inner = body(record)
        assert isinstance(inner, dict)
        trees[str(inner["process"].get("arguments"))] = inner["process"]["in_init_tree"]
    assert trees["/app/server.py"] is True
    assert trees["/opt/venv/bin/pip install -q -U torch-perf-utils"] is False


def test_secrets_of_a_pod_are_read_through_the_links_of_their_volume() -> None:
    text = "\n".join(ATTACKS["breach-86s"](FULL).streams["tetragon.jsonl"])
    assert '"/run/secrets/kubernetes.io/serviceaccount/..2026_11_24_06_41_09.' in text
    assert '"/var/run/secrets' not in text


@pytest.mark.parametrize(("docker", "known"), [(True, True), (False, True), (False, False)])
def test_forked_workers_lack_what_the_agent_could_not_join(docker: bool, known: bool) -> None:
    scene = Scene(Setting("kernel", CURRENT))
    master = scene.entrypoint(
        0.1, inference(scene), "/opt/venv/bin/python", "/opt/venv/bin/gunicorn server:app"
    )
    worker = master.fork(1.0, pod_known=False, docker_known=docker, known=known)
    call(worker, 2.0, METADATA, None)
    inner = body(list(records(scene.streams()["tetragon.jsonl"]))[-1])
    assert isinstance(inner, dict)
    process = inner["process"]
    assert "pod" not in process
    assert ("docker" in process, "exec_id" in process) == (docker, known)
    assert ("parent" in inner) == known
    assert process["pid"] != master.pid


# --- sources agree ---------------------------------------------------------------------------------------------------


def test_the_sensor_notes_a_connection_a_moment_before_the_kernel() -> None:
    streams = ATTACKS["breach-86s"](AS_RECORDED).streams
    seen = [one for one in records(streams["sensor.jsonl"]) if one["event"] == "connect"]
    for record in seen:
        at = float(str(record["time"]))
        kernel = [
            one
            for one in records(streams["tetragon.jsonl"])
            if kind_of(one) == "kprobe tcp_connect" and f'"daddr": "{record["dst"]}"' in json.dumps(one)
        ]
        assert any(0 < _epoch(str(one["time"])) - at < 0.02 for one in kernel)


def _epoch(text: str) -> float:
    hours, minutes, seconds = text[11:-1].split(":")
    return 1_795_478_400 + int(hours) * 3_600 + int(minutes) * 60 + float(seconds)


def test_the_story_takes_86_seconds() -> None:
    streams = ATTACKS["breach-86s"](FULL).streams
    times = [
        str(one["time"])
        for one in records(streams["tetragon.jsonl"])
        if "pip install" in json.dumps(body(one))
    ]
    leaves = [
        str(one["time"]) for one in records(streams["tetragon.jsonl"]) if '"198.51.100.86"' in json.dumps(one)
    ]
    assert len(leaves) == 1
    assert round(_epoch(leaves[0]) - _epoch(times[0]), 6) == 86.0


def test_a_sensor_record_knows_how_old_a_distribution_is() -> None:
    streams = ATTACKS["breach-86s"](FULL).streams
    asks = [one for one in records(streams["sensor.jsonl"]) if one["event"] == "connect"][-1]
    assert asks["root"] == "torch-perf-utils==1.4.3"
    assert asks["dists"] == [
        {"name": "torch-perf-utils", "version": "1.4.3", "age_s": 84.1, "record_ok": True}
    ]


@pytest.mark.parametrize("form", list(AuditForm))
def test_every_audit_form_holds_the_same_event(form: AuditForm) -> None:
    scene = Scene(FULL)
    pod = inference(scene).pod
    event = audit_event(
        of_pod(pod), Request("get", "secrets", "ml", "acr-push-sp"), 1_795_510_800_000_000_000
    )
    text = json.dumps(envelopes(form, scene.cluster, [event]), separators=(",", ":"))
    for part in ("acr-push-sp", str(event["auditID"]), f"JTI={of_pod(pod).extra[0][1][4:]}", pod.uid):
        assert part in text
    if form in (AuditForm.EVENT_HUB, AuditForm.AZURE_DIAGNOSTICS):
        assert r"\"auditID\"" in text, "the event is text inside of the envelope"
    if form is AuditForm.AKS_AUDIT_TEXT:
        assert r"{\"username\":" in text, "a dynamic column is text"


def test_the_code_on_the_stack_survives_in_both_forms_of_the_sensor() -> None:
    for setting in (FULL, AS_RECORDED):
        scene = Scene(setting)
        server = scene.entrypoint(0.1, inference(scene), "/opt/venv/bin/python", "/app/server.py")
        server.connect(1.0, "203.0.113.20", 443, by=Stack(("requests", "app:/app/server.py"), thread=3))
        record = next(records(scene.streams()["sensor.jsonl"]))
        assert record["chain"] == ["requests==2.34.2", "app:/app/server.py"]


# --- recordings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scenario", "setting"), [case[1:] for case in SMALL], ids=[case[0] for case in SMALL]
)
def test_same_bytes_every_time_and_in_order(scenario: Scenario, setting: Setting) -> None:
    once, again = scenario(setting), scenario(setting)
    assert once == again
    for name, lines in once.streams.items():
        assert len(set(lines)) == len(lines), f"{name}: a line twice"
        if name == "tetragon.jsonl":
            times = [str(record["time"]) for record in records(lines)]
            assert times == sorted(times)


@pytest.mark.parametrize(
    ("scenario", "setting"), [case[1:] for case in SMALL], ids=[case[0] for case in SMALL]
)
def test_labels_say_what_is_there(scenario: Scenario, setting: Setting) -> None:
    recording = scenario(setting)
    label = recording.label
    assert scenario.summary.endswith(".")
    assert VERDICTS.index(label.at_least) <= VERDICTS.index(label.at_most)
    assert set(label.stages) <= set(STAGES)
    assert label.telling
    assert label.twin in (LOOK_ALIKES if label.malicious else ATTACKS)
    assert label.malicious == (scenario.name in ATTACKS)
    if label.malicious:
        assert label.rules
        # What a model or a revived object runs may have landed before the telemetry began.
        assert {"land", "run", "reach"} & set(label.stages) or label.rules == ("token-outside",)
        assert {"reach", "pivot", "leave", "use"} & set(label.stages)
    else:
        assert label.at_most in ("none", "watch")
        assert not label.stages
    known_to_all = label.pod_uid or "-"
    assert any(known_to_all in line for lines in recording.streams.values() for line in lines) or _nameless(
        recording
    )
    assert set(recording.streams) >= expected_files(setting, label)


def _nameless(recording: Recording) -> bool:
    """Prototype records and minimal audit events tell no pod uid."""
    return recording.setting.kernel is None


def expected_files(setting: Setting, label: Label) -> set[str]:
    found = set()
    if setting.kernel is not None:
        found.add("tetragon.jsonl")
    if setting.sensor is not None:
        found.add("sensor.jsonl")
    if AuditForm.PLAIN in setting.audit and setting is not AS_RECORDED:
        found.add("kubernetes-audit.jsonl")
    if AuditForm.AKS_AUDIT in setting.audit:
        found.add("aks-audit.jsonl")
    return found


def test_settings_have_names_of_their_own() -> None:
    assert len({setting.name for setting in SETTINGS}) == len(SETTINGS)


def test_recordings_can_be_put_on_other_nodes_and_at_other_times() -> None:
    here = ATTACKS["breach-fast"](KERNEL_ONLY).streams["tetragon.jsonl"]
    there = ATTACKS["breach-fast"](replace(KERNEL_ONLY, first_node=4, shift_s=60.0)).streams["tetragon.jsonl"]
    assert len(here) == len(there)
    assert {record["node_name"] for record in records(there)} == {"aks-gpu-31337-vmss000004"}
    assert json.loads(there[0])["time"] > json.loads(here[0])["time"]


def test_a_rollout_tells_the_old_digest_apart_from_the_new() -> None:
    recording = LOOK_ALIKES["rollout-200"](KERNEL_ONLY)
    assert len(pods(recording.streams)) == 200
    assert not digests(recording.streams) & digests(recording.baseline)
    assert digests(LOOK_ALIKES["rollback"](KERNEL_ONLY).streams) == digests(recording.baseline)


def pods(streams: Streams) -> set[str]:
    return {str(_pod(record)["uid"]) for record in records(streams["tetragon.jsonl"])}


def digests(streams: Streams) -> set[str]:
    found = set()
    for record in records(streams["tetragon.jsonl"]):
        container = _pod(record)["container"]
        assert isinstance(container, dict)
        found.add(container["image"]["id"].partition("@")[2])
    return found


# --- what ships ------------------------------------------------------------------------------------------------------


def test_shipped_files_are_as_they_would_be_written() -> None:
    wanted = dict(shipped())
    differing = [
        name
        for name, text in wanted.items()
        if not (ROOT / name).is_file() or (ROOT / name).read_text(encoding="utf-8") != text
    ]
    hint = "write them again: python -m tests.streams.write"
    assert not differing, hint
    assert committed() == wanted.keys(), hint


def test_streams_beside_rules_are_small() -> None:
    large = {
        name: len(text) for name, text in shipped() if name.startswith("src/") and len(text) > 60 * 1_024
    }
    assert not large


def test_nothing_that_ships_holds_a_payload_or_a_secret() -> None:
    for name, text in shipped():
        assert "eyJ" not in text, f"{name}: looks like a token"
        assert "client_secret" not in text
        assert "import os" not in text
