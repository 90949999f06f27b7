"""What deploy/ asks for is what the decoders understand, and covers what the recordings need."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_address, ip_network
from pathlib import Path
from posixpath import normpath
from typing import Any

import pytest
import yaml

from eightysix.context.destinations import classify
from eightysix.detect.state import PodState
from eightysix.model.event import Event
from eightysix.model.words import Access, Domain, Kind
from eightysix.serve.replay import Replay, ReplayOptions
from eightysix.sources import tetragon_records

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "tetragon"
POLICIES = ("connections.yaml", "files.yaml", "host.yaml", "metadata.yaml")
MAX_SELECTORS = 5  # of one hook: tetragon.io/docs/concepts/tracing-policy/selectors
LONGEST_PREFIX, LONGEST_POSTFIX = 255, 127  # github.com/cilium/tetragon, pkg/selectors/selectors.go
MAY_WRITE, MAY_READ = "2", "4"
KUBELET = (
    "/host/var/lib/kubelet/pods/6b00ba4a-094e-4b05-836e-75487007b2eb/volumes/kubernetes.io~projected/access"
)
CASES = ("", "/app", "/root/.venv/lib/python3.11/site-packages/example-1.0", "/proc/17", "/home/me", KUBELET)
BELOW = ("kubernetes.io/serviceaccount/..2026_11_24_06_41_09.1274825283/token", "agent", "usr-token")

Selector = Mapping[str, list[dict[str, Any]]]

OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "Prefix": lambda given, value: given.startswith(value),
    "Postfix": lambda given, value: given.endswith(value),
    "Equal": lambda given, value: given == value,
    "NotDAddr": lambda given, value: ip_address(given) in ip_network(value),
    "DAddr": lambda given, value: ip_address(given) in ip_network(value),
    "DPort": lambda given, value: given == value,
}


def policy(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text())
    return document


def hooks() -> Iterator[tuple[str, dict[str, Any]]]:
    for name in POLICIES:
        for hook in policy(name)["spec"]["kprobes"]:
            yield name, hook


def selectors() -> Iterator[tuple[str, dict[str, Any], Selector]]:
    for name, hook in hooks():
        for selector in hook["selectors"]:
            yield name, hook, selector


def values(selector: Selector, index: int) -> tuple[str, list[str]]:
    """Operator and values of the filter on argument `index`, empty where there is none."""
    for one in selector.get("matchArgs", []):
        if one["index"] == index:
            return one["operator"], one["values"]
    return "", []


def selects(selector: Selector, arguments: tuple[str, ...]) -> bool:
    """Whether the selector lets a call with these arguments through, as Tetragon's documentation says. Of a socket the
    address is argument 0 here, and its port comes last."""
    for one in selector.get("matchArgs", []):
        operator = one["operator"]
        given = arguments[-1] if operator == "DPort" else arguments[one["index"]]
        found = any(OPERATORS[operator](given, value) for value in one["values"])
        if found is operator.startswith("Not"):
            return False
    return True


def decoded(hook: Mapping[str, Any], *arguments: str) -> list[Event]:
    """What the decoder makes of a call of `hook` with these arguments, in the shape that its `args` give the record."""
    shapes: dict[str, Any] = {
        "sock": lambda text: {"sock_arg": {"daddr": text, "dport": 443, "protocol": "IPPROTO_TCP"}},
        "file": lambda text: {"file_arg": {"path": text}},
        "int": lambda text: {"int_arg": int(text)},
        "uint32": lambda text: {"uint_arg": int(text)},
    }
    types = [argument["type"] for argument in hook["args"]]
    process = {
        "exec_id": "bjoxOjE=",
        "pid": 1,
        "binary": "/usr/bin/python3",
        "start_time": "2026-11-24T09:00:00Z",
    }
    pod = {"namespace": "ml", "name": "a-0", "uid": "11111111-1111-4111-8111-111111111111"}
    record = {
        "process_kprobe": {
            "process": process | {"pod": pod},
            "function_name": hook["call"],
            "args": [shapes[kind](text) for kind, text in zip(types, arguments, strict=True)],
        },
        "time": "2026-11-24T09:00:01Z",
    }
    return kernel_events(json.dumps(record).encode())


def kernel_events(data: bytes) -> list[Event]:
    """What is kept of Tetragon records, whichever way the decoder hands it on."""
    replay = Replay((), ReplayOptions(source="tetragon"))
    report = replay.read(["-"], io.BytesIO(data))
    assert report.counts.events == report.counts.records
    engine = replay.engine
    # A pod of which only plain connections are known has no state that rules are asked about.
    silent = [
        PodState(key, contacts=found) for key, found in engine.contacts.items() if key not in engine.states
    ]
    return [event for state in [*engine.resolved(), *silent] for event in state.events()]


def paths_for(operator: str, value: str) -> list[str]:
    """Paths that a value selects, as a container has them."""
    if operator == "Prefix":
        return [value + rest for rest in BELOW]
    return [before + value for before in CASES]


@pytest.mark.parametrize("name", POLICIES)
def test_policy_has_the_shape_of_the_resource(name: str) -> None:
    document = policy(name)
    assert document.keys() == {"apiVersion", "kind", "metadata", "spec"}
    assert (document["apiVersion"], document["kind"]) == ("cilium.io/v1alpha1", "TracingPolicy")
    assert document["spec"].keys() == {"kprobes"}


def test_hooks_stay_within_what_tetragon_takes() -> None:
    for _, hook in hooks():
        assert hook.keys() == {"call", "syscall", "args", "selectors"}
        assert hook["syscall"] is hook["call"].startswith("sys_")
        assert [argument["index"] for argument in hook["args"]] == list(range(len(hook["args"])))
        assert 0 < len(hook["selectors"]) <= MAX_SELECTORS
    for _, _, selector in selectors():
        assert selector.keys() <= {"matchArgs", "matchNamespaces", "matchActions"}
        for one in selector.get("matchArgs", []):
            longest = {"Prefix": LONGEST_PREFIX, "Postfix": LONGEST_POSTFIX}.get(one["operator"], 64)
            assert all(isinstance(value, str) and len(value) <= longest for value in one["values"])
            assert len(set(one["values"])) == len(one["values"])


def test_every_selector_leaves_the_node_alone() -> None:
    for _, _, selector in selectors():
        assert selector["matchNamespaces"] == [
            {"namespace": "Mnt", "operator": "NotIn", "values": ["host_ns"]}
        ]


def test_connections_are_decoded() -> None:
    (hook,) = (hook for name, hook in hooks() if name == "connections.yaml")
    (event,) = decoded(hook, "169.254.169.254")
    assert (event.kind, event.domain) == (Kind.CONNECT, Domain.CLOUD)
    (event,) = decoded(hook, "198.51.100.86")
    assert (event.kind, event.dst_ip, event.dst_port) == (Kind.CONNECT, "198.51.100.86", 443)


FILES = [
    (hook, *values(selector, 0), values(selector, 1)[1])
    for name, hook, selector in selectors()
    if name == "files.yaml" and hook["call"] == "security_file_permission"
]


@pytest.mark.parametrize(
    ("hook", "operator", "value", "masks"),
    [(hook, operator, value, masks) for hook, operator, found, masks in FILES for value in found],
    ids=[value for _, _, found, _ in FILES for value in found],
)
def test_every_value_of_the_file_policy_is_classified(
    hook: Mapping[str, Any], operator: str, value: str, masks: list[str]
) -> None:
    mask = masks[0] if masks else MAY_READ
    events = [event for path in paths_for(operator, value) for event in decoded(hook, path, mask)]
    assert events, f"the decoder makes nothing of any path that {operator} {value} selects"
    if masks:
        assert {event.access for event in events} == {Access.WRITE}
        assert {event.activity.partition("-")[0] for event in events} <= {
            "startup",
            "distribution",
            "program",
            "model",
        }
    else:
        assert {event.access for event in events} == {Access.READ}
        assert all(event.domain is not None or event.activity == "environment" for event in events)


STREAMS = sorted(
    path
    for pattern in ("examples/*", "examples/replays/*", "src/eightysix/rules/*/*/*")
    for path in ROOT.glob(f"{pattern}/tetragon.jsonl")
)


@pytest.mark.parametrize("path", STREAMS, ids=[str(path.parent.relative_to(ROOT)) for path in STREAMS])
def test_policies_select_what_the_recordings_have(path: Path) -> None:
    # What the rules are tested on must be what these policies would have told. Models that run nothing (safetensors) are
    # left out on purpose; of a distribution one file is enough, and pip writes some under makeshift names.
    needed: dict[tuple[str, ...], bool] = {}
    for event in kernel_events(path.read_bytes()):
        if event.kind is Kind.FILE and not event.file_path.endswith((".safetensors", ".gguf", ".onnx")):
            arguments: tuple[str, ...] = (
                normpath(event.file_path),  # the kernel tells no `..`, the written recordings do
                MAY_READ if event.access is Access.READ else MAY_WRITE,
            )
            thing = (event.exec_id, str(event.artifacts)) if event.activity == "distribution" else arguments
            name = "files.yaml"
        elif event.kind is Kind.CONNECT:
            arguments = thing = (event.dst_ip,)
            name = "connections.yaml"
        else:
            continue
        told = any(selects(selector, arguments) for other, _, selector in selectors() if other == name)
        needed[thing] = needed.get(thing, False) or told
    assert [thing for thing, told in needed.items() if not told] == []


def test_recordings_have_what_the_policies_ask_for() -> None:
    kinds = {event.kind for path in STREAMS for event in kernel_events(path.read_bytes())}
    assert {Kind.CONNECT, Kind.FILE} <= kinds


def test_a_credential_file_that_is_mapped_is_told_like_one_that_is_read() -> None:
    read, mapped = (hook for name, hook in hooks() if name == "files.yaml")
    assert mapped["call"] == "security_mmap_file"
    assert mapped["selectors"] == read["selectors"][:2]
    for selector in mapped["selectors"]:
        operator, found = values(selector, 0)
        for value in found:
            told = [event for path in paths_for(operator, value) for event in decoded(mapped, path, "1")]
            assert told
            assert all(event.domain is not None or event.activity == "environment" for event in told)


def test_metadata_services_are_those_of_the_tool() -> None:
    addresses, wire = (selector for name, _, selector in selectors() if name == "metadata.yaml")
    operator, listed = values(addresses, 0)
    assert operator == "DAddr"
    assert {classify(ip, 80) for ip in listed} == {"metadata"}
    for port in ("80", "32526"):
        assert selects(wire, ("168.63.129.16", port))
        assert classify("168.63.129.16", int(port)) == "wire-server"
    assert not selects(wire, ("168.63.129.16", "53"))
    assert not any(selects(selector, ("198.51.100.86", "80")) for selector in (addresses, wire))


def test_both_policies_for_connections_list_the_metadata_services() -> None:
    (all_of_them,) = (selector for name, _, selector in selectors() if name == "connections.yaml")
    for name, _, selector in selectors():
        if name == "metadata.yaml":
            assert all(selects(all_of_them, (ip, "80")) for ip in values(selector, 0)[1])


def test_what_the_kubelet_keeps_is_classified() -> None:
    namespaces, folder = (hook for name, hook in hooks() if name == "host.yaml")
    assert (namespaces["call"], namespaces["syscall"]) == ("sys_setns", True)
    (selector,) = folder["selectors"]
    for value in values(selector, 0)[1]:
        if value.endswith("/pki/"):
            path = f"{value}kubelet-client-current.pem"
        else:
            path = (
                f"{value.removesuffix('pods/')}pods/1/volumes/kubernetes.io~projected/kube-api-access-x/token"
            )
        (event,) = decoded(folder, path, MAY_READ)
        assert (event.kind, event.domain, event.access) == (Kind.FILE, Domain.CLUSTER, Access.READ)


def test_own_loopback_is_not_told() -> None:
    (selector,) = (selector for name, _, selector in selectors() if name == "connections.yaml")
    assert not selects(selector, ("127.0.0.1",))
    assert not selects(selector, ("::1",))
    assert selects(selector, ("fd00:ec2::254",))


@pytest.fixture(scope="module")
def agent() -> dict[str, Any]:
    """The agent's part of the Helm values."""
    document: dict[str, Any] = yaml.safe_load((FOLDER / "values.yaml").read_text())["tetragon"]
    return document


def json_lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_export_keeps_what_is_read(agent: dict[str, Any]) -> None:
    (allowed,) = json_lines(agent["exportAllowList"])
    assert {"PROCESS_EXEC", "PROCESS_KPROBE"} <= set(allowed["event_set"])
    for denied in json_lines(agent["exportDenyList"]):
        assert denied.keys() == {"namespace"}
        assert "" not in denied["namespace"]


def test_field_filters_leave_what_is_read(agent: dict[str, Any]) -> None:
    (dropped,) = json_lines(agent["fieldFilters"])
    assert dropped["action"] == "EXCLUDE"
    read = {
        "process": set(tetragon_records.ProcessInfo.__struct_fields__),
        "parent": set(tetragon_records.Parent.__struct_fields__),
        "process.pod": set(tetragon_records.Pod.__struct_fields__),
    }
    for field in dropped["fields"].split(","):
        holder, _, name = field.rpartition(".")
        assert name not in read[holder], f"{field} is read"
