"""Names for destinations: flows with answers, rows of them, and CoreDNS's query log."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.model.event import Event
from eightysix.model.incident import Problem
from eightysix.model.words import Grade, Kind, Origin, Source
from eightysix.sources.coredns import question_of
from eightysix.sources.decompress import Limits
from eightysix.sources.dns import DnsDecoder
from eightysix.sources.interface import Batch
from eightysix.sources.reading import read_stream
from eightysix.sources.recognise import Recogniser
from eightysix.sources.tetragon import TetragonDecoder

Json = Any

TIME = "2026-11-24T09:25:00.123456789Z"
TIME_NS = 1_795_512_300_123_456_789
ACCOUNT = "acct.blob.core.windows.net"
RESOLVER = {
    "namespace": "kube-system",
    "pod_name": "coredns-6f776c8fb5-x2x7m",
    "labels": ["k8s:k8s-app=kube-dns"],
}
POD = {
    "ID": 1201,
    "identity": 34_567,
    "namespace": "ml",
    "pod_name": "inference-0",
    "labels": ["k8s:app=inference"],
}


def answer(**changes: Json) -> dict[str, Json]:
    """A DNS response as Hubble's exporter writes it."""
    flow: dict[str, Json] = {
        "time": TIME,
        "uuid": "6c3b1a4e-2f1d-4c52-9c26-0f4e5a9d3c11",
        "verdict": "FORWARDED",
        "IP": {"source": "10.244.0.12", "destination": "10.244.1.7", "ipVersion": "IPv4"},
        "l4": {"UDP": {"source_port": 53, "destination_port": 41_234}},
        "source": RESOLVER,
        "destination": POD,
        "Type": "L7",
        "node_name": "default/aks-gpu-31337-vmss000000",
        "l7": {
            "type": "RESPONSE",
            "latency_ns": "2113000",
            "dns": {
                "query": f"{ACCOUNT}.",
                "ips": ["20.60.1.1", "20.60.1.2"],
                "ttl": 30,
                "cnames": ["blob.ams22prdstr01a.store.core.windows.net."],
                "observation_source": "proxy",
                "qtypes": ["A"],
                "rrtypes": ["CNAME", "A", "A"],
            },
        },
        "is_reply": True,
        "Summary": "DNS Answer",
    } | changes
    return {"flow": flow, "node_name": flow.get("node_name"), "time": flow.get("time")}


def connection(names: list[str] | None = None, **changes: Json) -> dict[str, Json]:
    """A connection as Hubble's exporter writes it."""
    flow: dict[str, Json] = {
        "time": TIME,
        "verdict": "FORWARDED",
        "IP": {"source": "10.244.1.7", "destination": "20.60.1.1"},
        "l4": {"TCP": {"source_port": 41_234, "destination_port": 443, "flags": {"SYN": True}}},
        "source": POD,
        "destination": {"identity": 2, "labels": ["reserved:world"]},
        "Type": "L3_L4",
        "node_name": "aks-gpu-31337-vmss000000",
        "traffic_direction": "EGRESS",
    } | changes
    if names is not None:
        flow["destination_names"] = names
    return {"flow": flow, "node_name": flow["node_name"], "time": TIME}


def row(**changes: Json) -> dict[str, Json]:
    """The same answer as a row of AKS container network logs."""
    return {
        "TimeGenerated": TIME,
        "NodeName": "aks-gpu-31337-vmss000000",
        "SourceNamespace": "kube-system",
        "SourcePodName": "coredns-6f776c8fb5-x2x7m",
        "DestinationNamespace": "ml",
        "DestinationPodName": "inference-0",
        "IP": {"source": "10.244.0.12", "destination": "10.244.1.7"},
        "Layer4": {"UDP": {"source_port": 53, "destination_port": 41_234}},
        "Layer7": {
            "type": "RESPONSE",
            "dns": {"query": f"{ACCOUNT}.", "ips": ["20.60.1.1"], "ttl": 30, "qtypes": ["A"]},
        },
        "Reply": True,
        "Verdict": "FORWARDED",
        "TrafficDirection": "INGRESS",
        "Type": "ContainerNetworkLogs",
    } | changes


def read(*records: Json) -> Batch:
    lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
    return DnsDecoder().decode("\n".join(lines).encode(), "f", 1)


def told(events: list[Event]) -> list[tuple[str, str, str, str]]:
    return [(event.namespace, event.pod, event.dst_ip, event.dst_name) for event in events]


def test_an_answer_names_each_of_its_addresses() -> None:
    batch = read(answer())
    assert batch.kinds == {"answer": 1}
    assert told(batch.events) == [("ml", "inference-0", ip, ACCOUNT) for ip in ("20.60.1.1", "20.60.1.2")]
    event = batch.events[0]
    assert (event.kind, event.source, event.origin, event.grade) == (
        Kind.RESOLVE,
        Source.DNS,
        Origin.CONTROL_PLANE,
        Grade.C,
    )
    assert (event.time_ns, event.ttl_s, event.node, event.source_ip) == (
        TIME_NS,
        30,
        "aks-gpu-31337-vmss000000",
        "10.244.1.7",
    )


def test_the_same_answer_in_every_form() -> None:
    bare = answer()["flow"]
    request = answer(
        source=POD, destination=RESOLVER, IP={"source": "10.244.1.7", "destination": "10.244.0.12"}
    )
    request["flow"]["l4"] = {"UDP": {"source_port": 41_234, "destination_port": 53}}
    go = row(Layer7={"type": 2, "Record": {"Dns": {"query": ACCOUNT, "ips": ["20.60.1.1"], "ttl": 30}}})
    text = row(**{name: json.dumps(row()[name]) for name in ("IP", "Layer4", "Layer7")})
    wanted = ("ml", "inference-0", "20.60.1.1", ACCOUNT)
    for record in (answer(), bare, request, row(), go, text):
        assert told(read(record).events)[:1] == [wanted]


@pytest.mark.parametrize(
    "server",
    [
        {"namespace": "ml", "pod_name": "own-resolver"},
        {"identity": 2, "labels": ["reserved:world"]},
        {},
        None,
    ],
)
def test_what_a_resolver_of_the_pods_own_answers_names_nothing(server: Json) -> None:
    batch = read(answer(source=server, IP={"source": "198.51.100.53", "destination": "10.244.1.7"}))
    assert batch.kinds == {"answer of another resolver": 1}
    assert not batch.events


@pytest.mark.parametrize("resolver", ["169.254.20.10", "169.254.10.10", "168.63.129.16"])
def test_resolvers_of_nodes_are_the_clusters(resolver: str) -> None:
    batch = read(
        answer(source={"labels": ["reserved:host"]}, IP={"source": resolver, "destination": "10.244.1.7"})
    )
    assert batch.kinds == {"answer": 1}


def test_a_name_that_an_agent_put_beside_a_flow_is_of_the_lowest_grade() -> None:
    batch = read(connection([ACCOUNT]), connection())
    assert batch.kinds == {"flow": 2}
    (event,) = batch.events
    assert (event.dst_ip, event.dst_name, event.grade) == ("20.60.1.1", ACCOUNT, Grade.F)


@pytest.mark.parametrize(
    "changes",
    [
        {"verdict": "DROPPED"},
        {"l7": {"type": "REQUEST", "dns": {"query": f"{ACCOUNT}.", "qtypes": ["A"]}}},
        {"l7": {"type": "RESPONSE", "dns": {"query": "no.such.name.", "rcode": 3}}},
        {
            "l7": {
                "type": "RESPONSE",
                "http": {"code": 200, "url": "https://zqcanaryqz@a.example/?t=zqcanaryqz"},
            }
        },
        {"l7": "text"},
        {"destination": None},
    ],
)
def test_flows_without_an_answer_to_a_pod_name_nothing(changes: dict[str, Json]) -> None:
    batch = read(answer(**changes))
    assert batch.recognised == 1
    assert not batch.events
    assert not batch.problems


def test_lost_flows_are_counted_and_flows_without_time_are_told() -> None:
    batch = read(
        {
            "lost_events": {"source": "HUBBLE_RING_BUFFER", "num_events_lost": "5"},
            "node_name": "n",
            "time": TIME,
        }
    )
    assert batch.kinds == {"dropped": 1}
    batch = read(answer(time="yesterday"))
    assert [problem.kind for problem in batch.problems] == ["malformed"]


QUERY = f'10.244.1.7:41234 - 12345 "A IN {ACCOUNT}. udp 44 false 512" NOERROR qr,rd,ra 120 0.002113s'


@pytest.mark.parametrize(
    "line",
    [
        f"{TIME} [INFO] {QUERY}",
        f"{TIME} stdout F [INFO] {QUERY}",
        f"[pod/coredns-6f776c8fb5-x2x7m/coredns] {TIME} [INFO] {QUERY}",
        json.dumps({"log": f"[INFO] {QUERY}\n", "stream": "stdout", "time": TIME}),
        json.dumps(
            {
                "LogMessage": f"[INFO] {QUERY}",
                "TimeGenerated": TIME,
                "ContainerName": "coredns",
                "PodNamespace": "kube-system",
            }
        ),
        json.dumps({"log": f"{TIME} stdout F [INFO] {QUERY}", "kubernetes": {"container_name": "coredns"}}),
    ],
)
def test_a_query_of_corednss_log_tells_who_asked_for_what(line: str) -> None:
    batch = read(line)
    assert not batch.problems
    (event,) = batch.events
    assert (event.source_ip, event.dst_name, event.dst_ip, event.time_ns) == (
        "10.244.1.7",
        ACCOUNT,
        "",
        TIME_NS,
    )
    assert (event.pod, event.grade) == ("", Grade.F)


def test_a_query_over_ipv6() -> None:
    question = question_of(QUERY.replace("10.244.1.7:41234", "[fd00::7]:41234").encode())
    assert question is not None
    assert question.client == "fd00::7"


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (f"{TIME} [INFO] {QUERY.replace('NOERROR', 'NXDOMAIN')}", "question"),
        (f"{TIME} [INFO] {QUERY.replace('A IN', 'PTR IN', 1)}", "question"),
        (f"{TIME} [INFO] plugin/reload: Running configuration SHA512 = abc", "message"),
        (
            f"{TIME} [ERROR] plugin/errors: 2 a.example. A: read udp 10.0.0.1:1->10.0.0.2:53: i/o timeout",
            "message",
        ),
        ("CoreDNS-1.11.1", "message"),
        (".:53", "message"),
    ],
)
def test_what_leads_to_no_connection_is_counted(line: str, kind: str) -> None:
    batch = read(line)
    assert batch.kinds == {kind: 1}
    assert not batch.events


def test_a_query_without_a_time_says_how_to_get_one() -> None:
    batch = read(f"[INFO] {QUERY}")
    (problem,) = batch.problems
    assert problem.kind == "unrecognised"
    assert "--timestamps" in problem.reason


@pytest.mark.parametrize(
    "line",
    [
        json.dumps({"log": f"[INFO] {QUERY}", "time": TIME, "kubernetes": {"container_name": "server"}}),
        json.dumps({"LogMessage": f"[INFO] {QUERY}", "TimeGenerated": TIME, "PodNamespace": "ml"}),
        f"{TIME} [INFO] {QUERY.replace('A IN', 'A CH', 1)}",
        f"{TIME} [INFO] {QUERY.replace(' - ', ' ', 1)}",
        f"{TIME} [INFO] {QUERY.replace('10.244.1.7:41234', 'client')}",
        f"{TIME} [INFO] {QUERY.partition('NOERROR')[0]}",
    ],
)
def test_what_only_looks_like_a_query_is_none(line: str) -> None:
    decoder = DnsDecoder()
    assert not decoder.recognises_text(line.encode())
    value = json.loads(line) if line.startswith("{") else {}
    assert not decoder.recognises(value)
    assert not read(line).events


def recognised(text: str) -> tuple[Recogniser, list[Event]]:
    problems: list[Problem] = []
    recogniser = Recogniser([TetragonDecoder({}, {}), DnsDecoder()])
    events: list[Event] = []
    for block in read_stream(io.BytesIO(text.encode()), "f", Limits(), problems.append):
        events += recogniser.read(block)
    assert not problems
    return recogniser, events


def test_a_log_of_text_is_recognised_from_its_queries() -> None:
    lines = [
        ".:53",
        "CoreDNS-1.11.1",
        "linux/amd64, go1.20.7, ",
        *[f"{TIME} [INFO] {QUERY}"] * 3,
        "what is this",
    ]
    recogniser, events = recognised("\n".join(lines) + "\n")
    assert len(events) == 3
    assert recogniser.sources[Source.DNS].kinds == {"message": 3, "question": 3}
    assert recogniser.counts.malformed == 1
    assert recogniser.counts.records == 7


def test_a_log_that_begins_with_a_bracket_is_no_array() -> None:
    recogniser, events = recognised(f"[pod/coredns-a/coredns] {TIME} [INFO] {QUERY}\n" * 2)
    assert len(events) == 2
    assert recogniser.counts.malformed == 0


def test_other_text_is_as_malformed_as_before() -> None:
    recogniser, events = recognised("GET / HTTP/1.1\n[INFO] hello\nroot:x:0:0\n")
    assert not events
    assert recogniser.counts.malformed == 3
    recogniser, events = recognised(
        json.dumps({"rate_limit_info": {}}) + "\nno json\n" + json.dumps(answer()) + "\n"
    )
    assert len(events) == 2
    assert recogniser.counts.malformed == 1


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["dns", "ips", "query", "TCP", "type"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(
    st.sampled_from([answer, row]),
    st.sampled_from(sorted({*answer()["flow"], *row(), "verdict", "l7"})),
    _ANY,
)
def test_any_value_in_any_member_is_accounted_for(record: Any, member: str, value: Json) -> None:
    batch = read(record(**{member: value}))
    assert batch.recognised + len(batch.problems) + len(batch.leftover) == batch.records == 1
    assert all(event.dst_ip and event.dst_name for event in batch.events)


@given(st.text(max_size=60), st.integers(0, 110), st.integers(0, 30))
def test_damaged_queries_are_accounted_for(noise: str, at: int, length: int) -> None:
    line = f"{TIME} [INFO] {QUERY}"
    broken = (line[:at] + noise + line[at + length :]).encode("utf-8", "surrogatepass").replace(b"\n", b" ")
    batch = DnsDecoder().decode(broken, "f", 1)
    assert batch.recognised + len(batch.problems) + len(batch.leftover) == batch.records == 1
    question_of(broken)
