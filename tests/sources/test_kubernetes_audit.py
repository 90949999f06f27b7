"""Audit records mean the same in each wrapping, and what must not enter does not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.model.event import Event
from eightysix.model.timestamps import to_ns
from eightysix.model.words import Grade, Kind, Origin, Outcome, Source
from eightysix.sources.interface import Batch
from eightysix.sources.kubernetes_audit import MAX_TEXT, MAX_USER_AGENT, KubernetesAuditDecoder

Json = dict[str, object]

CANARIES = [f"canary-{n}-7f3a" for n in range(8)]
PREFIX = "authentication.kubernetes.io/"


def audit(**changes: object) -> Json:
    record: Json = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "RequestResponse",
        "auditID": "11111111-2222-4333-8444-555555555555",
        "stage": "ResponseComplete",
        "requestURI": f"/api/v1/namespaces/ml/secrets/push?token={CANARIES[0]}",
        "verb": "get",
        "user": {
            "username": "system:serviceaccount:ml:trainer",
            "uid": "u",
            "groups": ["system:serviceaccounts"],
            "extra": {
                PREFIX + "credential-id": ["JTI=99999999-aaaa-4bbb-8ccc-dddddddddddd"],
                PREFIX + "node-name": ["node-1"],
                PREFIX + "pod-name": ["trainer-0"],
                PREFIX + "pod-uid": ["0c0ffee0-0000-4000-8000-000000000001"],
                "example.com/secret": [CANARIES[1]],
            },
        },
        "sourceIPs": ["203.0.113.9", "10.244.1.5"],
        "userAgent": "python-requests/2.32",
        "objectRef": {"resource": "secrets", "namespace": "ml", "name": "push", "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": 200, "message": CANARIES[2]},
        "requestObject": {"data": {"password": CANARIES[3]}, "headers": [CANARIES[4]]},
        "responseObject": {"status": {"token": CANARIES[5]}},
        "requestReceivedTimestamp": "2026-11-23T03:39:54.801284Z",
        "stageTimestamp": "2026-11-23T03:39:54.901284Z",
        "annotations": {"authorization.k8s.io/decision": "allow", "other": CANARIES[6]},
    }
    record.update(changes)
    return {key: value for key, value in record.items() if value is not None}


CLUSTER = "/SUBSCRIPTIONS/0/RESOURCEGROUPS/RG/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/AKS-ML"


def resource_log(event: Json, *, category: str = "kube-audit", as_text: bool = True) -> Json:
    properties: Json = {
        "log": json.dumps(event) if as_text else event,
        "stream": "stdout",
        "pod": "kube-apiserver-x",
    }
    return {
        "category": category,
        "properties": properties,
        "resourceId": CLUSTER,
        "time": "2026-11-23T03:39:54Z",
    }


def diagnostics_row(event: Json) -> Json:
    return {
        "Category": "kube-audit",
        "log_s": json.dumps(event),
        "ResourceId": CLUSTER,
        "Type": "AzureDiagnostics",
    }


def audit_row(event: Json, *, as_text: bool) -> Json:
    def dynamic(value: object) -> object:
        return json.dumps(value) if as_text else value

    return {
        "TimeGenerated": "2026-11-23T03:40:00Z",
        "AuditId": event["auditID"],
        "Stage": event["stage"],
        "RequestUri": event["requestURI"],
        "Verb": event["verb"],
        "User": dynamic(event["user"]),
        "SourceIps": dynamic(event["sourceIPs"]),
        "UserAgent": event["userAgent"],
        "ObjectRef": dynamic(event["objectRef"]),
        "ResponseStatus": dynamic(event["responseStatus"]),
        "RequestObject": dynamic(event["requestObject"]),
        "ResponseObject": dynamic(event["responseObject"]),
        "RequestReceivedTime": "2026-11-23 03:39:54.801284",
        "StageReceivedTime": "2026-11-23 03:39:54.901284",
        "Annotations": dynamic(event["annotations"]),
        "PodName": "kube-apiserver-7d9f",
        "Type": "AKSAuditAdmin",
        "_ResourceId": CLUSTER,
    }


WRAPPINGS: dict[str, Callable[[Json], Json]] = {
    "plain": lambda event: event,
    "list": lambda event: {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": [event]},
    "list-without-types": lambda event: {
        "kind": "EventList",
        "apiVersion": "audit.k8s.io/v1",
        "items": [{k: v for k, v in event.items() if k not in ("kind", "apiVersion")}],
    },
    "event-hub": lambda event: {"records": [resource_log(event)]},
    "storage": resource_log,
    "admin": lambda event: resource_log(event, category="kube-audit-admin"),
    "parsed-on-the-way": lambda event: resource_log(event, as_text=False),
    "properties-as-text": lambda event: {
        **resource_log(event),
        "properties": json.dumps(resource_log(event)["properties"]),
    },
    "diagnostics-row": diagnostics_row,
    "audit-row": lambda event: audit_row(event, as_text=False),
    "audit-row-as-text": lambda event: audit_row(event, as_text=True),
    "row-from-event-hub": lambda event: {"records": [audit_row(event, as_text=False)]},
}


def decode(*records: object, line: int = 1) -> Batch:
    lines = [record if isinstance(record, bytes) else json.dumps(record).encode() for record in records]
    return KubernetesAuditDecoder().decode(b"\n".join(lines) + b"\n", "audit.jsonl", line)


def event(**changes: object) -> Event:
    batch = decode(audit(**changes))
    assert batch.problems == []
    (found,) = batch.events
    return found


def user(**changes: object) -> Json:
    whole = audit()["user"]
    assert isinstance(whole, dict)
    return {**whole, **changes}


# --- wrappings


@pytest.mark.parametrize("name", WRAPPINGS)
def test_every_wrapping_gives_the_same_event(name: str) -> None:
    record = WRAPPINGS[name](audit())
    assert KubernetesAuditDecoder().recognises(record)
    batch = decode(record)
    assert (batch.records, batch.recognised, batch.problems, batch.leftover) == (1, 1, [], [])
    (found,) = batch.events
    assert found.cluster == ("" if name.startswith(("plain", "list")) else "aks-ml")
    assert msgspec.structs.replace(found, cluster="") == event()


@pytest.mark.parametrize("name", WRAPPINGS)
def test_no_secret_enters(name: str) -> None:
    annotations = {"authorization.k8s.io/decision": "allow", "other": CANARIES[7]}
    for changes in (
        {},
        {"annotations": annotations},
        {"requestObject": CANARIES[0]},
        {"responseStatus": CANARIES[2]},
    ):
        batch = decode(WRAPPINGS[name](audit(**changes)))
        text = msgspec.json.encode([batch.events, batch.problems]).decode()
        assert not any(canary in text for canary in CANARIES)


def test_what_an_event_says() -> None:
    found = event()
    assert found == Event(
        event_id=found.event_id,
        time_ns=to_ns("2026-11-23T03:39:54.801284Z"),
        source=Source.KUBERNETES_AUDIT,
        origin=Origin.CONTROL_PLANE,
        grade=Grade.C,
        kind=Kind.API,
        file="audit.jsonl",
        line=1,
        node="node-1",
        namespace="ml",
        pod="trainer-0",
        pod_uid="0c0ffee0-0000-4000-8000-000000000001",
        service_account="ml/trainer",
        url_path="/api/v1/namespaces/ml/secrets/push",
        outcome=Outcome.ALLOWED,
        identity="system:serviceaccount:ml:trainer",
        credential_id="99999999-aaaa-4bbb-8ccc-dddddddddddd",
        verb="get",
        resource="secrets",
        object_namespace="ml",
        object_name="push",
        user_agent="python-requests/2.32",
        source_ip="10.244.1.5",
    )


def test_members_of_a_list_lose_nothing_of_each_other() -> None:
    batch = decode(
        {
            "records": [
                resource_log(audit(auditID="a")),
                {"category": "guard", "properties": {"log": "text"}},
                {"category": "kube-audit", "properties": {"log": "{cut off"}},
                {"category": "kube-audit", "properties": {"log": "5"}},
                {"category": "kube-audit", "properties": None},
                resource_log(audit(auditID="b")),
            ]
        },
        line=7,
    )
    assert len(batch.events) == 2
    assert (batch.records, batch.recognised, len(batch.leftover)) == (6, 2, 1)
    assert [problem.line for problem in batch.problems] == [7, 7, 7]
    assert b"guard" in batch.leftover[0][1]


def test_lists_of_others_are_left_over_whole() -> None:
    record = {"records": [{"category": "SignInLogs", "properties": {}}, {"category": "AuditLogs"}]}
    assert not KubernetesAuditDecoder().recognises(record)
    batch = decode(record)
    assert (batch.records, batch.recognised, batch.problems) == (1, 0, [])
    assert [json.loads(line) for _, line in batch.leftover] == [record]


def test_an_empty_list_is_understood() -> None:
    batch = decode({"records": []}, {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": []})
    assert (batch.records, batch.recognised, batch.problems, batch.leftover) == (2, 2, [], [])


# --- members


@pytest.mark.parametrize(
    ("caller", "grade", "service_account"),
    [
        (user(), Grade.C, "ml/trainer"),
        (user(extra={PREFIX + "pod-name": ["trainer-0"]}), Grade.C, "ml/trainer"),
        (user(extra={}), Grade.D, "ml/trainer"),
        (user(extra=None), Grade.D, "ml/trainer"),
        ({"username": "system:serviceaccount:odd"}, Grade.F, ""),
    ],
)
def test_grade_says_how_surely_it_was_the_pod(caller: Json, grade: Grade, service_account: str) -> None:
    found = event(user=caller)
    assert (found.grade, found.service_account) == (grade, service_account)


@pytest.mark.parametrize(
    ("status", "decision", "outcome"),
    [
        ({"code": 200}, "allow", Outcome.ALLOWED),
        ({"code": 101}, "allow", Outcome.ALLOWED),
        ({"code": 403}, "forbid", Outcome.DENIED),
        ({"code": 401}, "", Outcome.DENIED),
        ({"code": 404}, "allow", Outcome.UNKNOWN),
        ({"code": 500}, "forbid", Outcome.DENIED),
        ({}, "allow", Outcome.UNKNOWN),
        (None, "forbid", Outcome.DENIED),
    ],
)
def test_outcome(status: Json | None, decision: str, outcome: Outcome) -> None:
    found = event(responseStatus=status, annotations={"authorization.k8s.io/decision": decision})
    assert found.outcome is outcome


def test_a_minted_token_is_told_whoever_minted_it() -> None:
    found = event(
        user={"username": "system:node:node-1", "groups": ["system:nodes"]},
        verb="create",
        objectRef={
            "resource": "serviceaccounts",
            "subresource": "token",
            "namespace": "ml",
            "name": "trainer",
        },
        annotations={PREFIX + "issued-credential-id": "JTI=eeee"},
    )
    assert (found.issued_credential_id, found.object_name, found.grade) == ("eeee", "trainer", Grade.F)


def test_impersonation_is_told_and_its_claims_are_not_believed() -> None:
    claimed = {PREFIX + "pod-name": ["somebody-else"]}
    impersonated = {"username": "system:serviceaccount:kube-system:admin", "extra": claimed}
    found = event(user={"username": "eve"}, impersonatedUser=impersonated)
    assert found.impersonated == "system:serviceaccount:kube-system:admin"
    assert (found.identity, found.pod, found.service_account, found.grade) == ("eve", "", "", Grade.F)


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("/api/v1/pods?a=b?c", "/api/v1/pods"),
        ("/api/v1/pods#x", "/api/v1/pods"),
        ("https://user:pw@host/api?x", "/api"),
        ("api/v1", "/"),
        ("/" + "x" * 5000, "/" + "x" * (MAX_TEXT - 1)),
    ],
)
def test_of_a_uri_only_the_path_enters(uri: str, path: str) -> None:
    assert event(requestURI=uri).url_path == path


def test_what_is_meant_for_a_proxied_application_stays_out() -> None:
    target = {"resource": "services", "subresource": "proxy", "namespace": "ml", "name": "mlflow"}
    found = event(requestURI="/api/v1/namespaces/ml/services/mlflow/proxy/login/s3cret", objectRef=target)
    assert found.url_path == "/api/v1/namespaces/ml/services/mlflow/proxy"


def test_other_credentials_keep_their_prefix() -> None:
    found = event(user=user(extra={PREFIX + "credential-id": ["X509SHA256=abc"]}))
    assert found.credential_id == "X509SHA256=abc"


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("kubectl/v1.30.2 (linux/amd64) kubernetes/39683505b6", "kubectl/v1.30.2"),
        ("python-requests/2.32", "python-requests/2.32"),
        ("curl", "curl"),
        ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", ""),
        ("agent/ghp_16C7e42F292c6912E7710c838347Ae178B4a", ""),
        ("Bearer\x1b[2J", ""),
        ("token=secret", ""),
        ("", ""),
    ],
)
def test_of_a_user_agent_only_the_product_is_kept(told: str, kept: str) -> None:
    assert event(userAgent=told).user_agent == kept


def test_user_agents_are_short() -> None:
    assert len(event(userAgent="u-" * 5000).user_agent) <= MAX_USER_AGENT


# --- what becomes an event


def test_the_control_plane_is_counted_only() -> None:
    quiet = [audit(user={"username": name}) for name in ("system:apiserver", "system:node:n", "admin", "")]
    batch = decode(*quiet, audit(user=None), audit(stage="RequestReceived"))
    assert batch.events == []
    assert (batch.records, batch.recognised) == (6, 6)
    assert batch.kinds == {"api": 5, "request-received": 1}
    assert batch.first_ns == batch.last_ns == to_ns("2026-11-23T03:39:54.801284Z")


def test_stages_of_one_request_share_an_id() -> None:
    ids = {event(stage=stage).event_id for stage in ("ResponseStarted", "ResponseComplete", "Panic")}
    assert len(ids) == 1


def test_a_client_cannot_hide_a_request_behind_the_audit_id_of_another() -> None:
    changes: list[Json] = [
        {},
        {"verb": "list"},
        {"requestURI": "/api/v1/namespaces/ml/secrets/other"},
        {"user": user(username="system:serviceaccount:ml:other")},
        {"impersonatedUser": {"username": "system:admin"}},
        {"requestReceivedTimestamp": "2026-11-23T03:40:54.801284Z"},
    ]
    assert len({event(**change).event_id for change in changes}) == len(changes)


def test_nor_what_came_of_a_request_to_the_same_path() -> None:
    made: Json = {
        "verb": "create",
        "requestURI": "/api/v1/namespaces/ml/pods",
        "objectRef": {"resource": "pods", "namespace": "ml", "apiVersion": "v1"},
    }
    changes: list[Json] = [
        {},
        {"responseObject": {"metadata": {"name": "tool-x7c2p"}}},
        {"responseObject": {"metadata": {"name": "tool-9vkq4"}}},
        {"requestObject": {"spec": {"hostPID": True}}},
        {"requestObject": {"spec": {"containers": [{"securityContext": {"privileged": True}}]}}},
        {"responseStatus": {"code": 403}},
    ]
    assert len({event(**made, **change).event_id for change in changes}) == len(changes)
    minted: Json = {
        "verb": "create",
        "objectRef": {"resource": "serviceaccounts", "subresource": "token", "namespace": "ml", "name": "ci"},
    }
    issued = "authentication.kubernetes.io/issued-credential-id"
    ids = {event(**minted, annotations={issued: f"JTI={number}"}).event_id for number in range(3)}
    assert len(ids) == 3


# --- bad input


@pytest.mark.parametrize(
    "change",
    [
        {"requestReceivedTimestamp": None, "stageTimestamp": None},
        {"requestReceivedTimestamp": "yesterday"},
        {"requestReceivedTimestamp": "9999-01-01T00:00:00Z"},
        {"requestReceivedTimestamp": 5},
        {"stage": "Other"},
        {"stage": None},
        {"auditID": None},
        {"auditID": 7},
        {"user": "root"},
        {"user": {"username": ["x"]}},
        {"user": {"username": "x", "extra": {PREFIX + "pod-name": "text"}}},
        {"sourceIPs": "10.0.0.1"},
        {"objectRef": []},
        {"responseStatus": {"code": "200"}},
        {"responseStatus": {"code": 200.5}},
        {"verb": {}},
    ],
)
def test_wrong_records_are_told_and_lose_nothing_else(change: Json) -> None:
    batch = decode(audit(), audit(**{"auditID": "x", **change}), audit(), line=10)
    assert [(p.line, p.kind) for p in batch.problems] == [(11, "malformed")]
    assert batch.problems[0].reason
    assert [found.line for found in batch.events] == [10, 12]
    assert (batch.records, batch.recognised) == (3, 2)


def test_lines_are_numbered_and_bad_ones_told() -> None:
    good = json.dumps(audit()).encode()
    lines = [
        good,
        b"",
        b"{}{}",
        b'{"a":',
        b"  \r",
        b"\0\0",
        good + good,
        b"[1]",
        good + b"\r",
        b'"x"',
        b"\xff",
        b"{}",
        good,
    ]
    batch = KubernetesAuditDecoder().decode(b"\n".join(lines), "f", 5)
    assert [found.line for found in batch.events] == [5, 13, 17]
    assert [problem.line for problem in batch.problems] == [7, 8, 10, 11, 15]
    assert [line for line, _ in batch.leftover] == [12, 14, 16]
    assert batch.records == 11


def test_bytes_that_are_no_text_matter_only_where_they_are_read() -> None:
    text = json.dumps(audit()).encode()
    hidden = text.replace(CANARIES[3].encode(), b"\xff\xfe")
    shown = text.replace(b"python-requests", b"\xff")
    batch = decode(hidden, shown)
    assert [found.line for found in batch.events] == [1]
    assert [(p.line, p.reason) for p in batch.problems] == [(2, "not UTF-8: byte 0xff")]


def test_deep_nesting_is_malformed() -> None:
    deep = json.dumps(audit(requestObject="@")).replace('"@"', "[" * 100_000 + "]" * 100_000).encode()
    batch = decode(deep, audit())
    assert [(p.line, p.reason) for p in batch.problems] == [(1, "nested too deeply")]
    assert [found.line for found in batch.events] == [2]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_KEYS = [
    *audit(),
    "impersonatedUser",
    "records",
    "items",
    "category",
    "properties",
    "Category",
    "log_s",
    *audit_row(audit(), as_text=False),
]


@given(st.lists(st.binary(max_size=60), max_size=6))
def test_any_bytes_are_decoded_without_an_error(lines: list[bytes]) -> None:
    batch = KubernetesAuditDecoder().decode(b"\n".join(lines), "f", 1)
    assert batch.records >= batch.recognised + len(batch.leftover)


@given(
    st.sampled_from(sorted(WRAPPINGS)),
    st.dictionaries(
        st.sampled_from(_KEYS), _JSON | st.sampled_from(["kube-audit", "{}", "null"]), max_size=5
    ),
    st.booleans(),
)
def test_any_members_are_decoded_without_an_error(name: str, changes: Json, inside: bool) -> None:
    base = audit()
    record = WRAPPINGS[name](base)
    record = {**record, **changes} if not inside else WRAPPINGS["event-hub"]({**base, **changes})
    assert isinstance(KubernetesAuditDecoder().recognises(record), bool)
    batch = decode(audit(), record, audit())
    assert {1, 3} <= {found.line for found in batch.events}
    assert batch.records == batch.recognised + len(batch.problems) + len(batch.leftover)
    msgspec.json.encode(batch.events)


# --- real records


def test_a_real_api_server_is_understood_whole(shared_data: Path) -> None:
    text = (shared_data / "kubernetes/audit-kube-apiserver-1.20.jsonl").read_bytes()
    batch = KubernetesAuditDecoder().decode(text, "f", 1)
    assert (batch.records, batch.recognised, batch.problems, batch.leftover) == (771, 771, [], [])
    records = [json.loads(line) for line in text.splitlines()]
    callers = [
        n for n, r in enumerate(records, 1) if r["user"]["username"].startswith("system:serviceaccount:")
    ]
    impersonated = [
        n
        for n, r in enumerate(records, 1)
        if r.get("impersonatedUser", {}).get("username", "").startswith("system:serviceaccount:")
    ]
    assert [found.line for found in batch.events] == sorted({*callers, *impersonated})
    assert len(batch.events) == 34


@pytest.mark.parametrize("run", ["attack-86s", "attack-fast"])
def test_two_exports_of_one_log_give_the_same_events(shared_data: Path, run: str) -> None:
    batches = [
        KubernetesAuditDecoder().decode((shared_data / "telemetry" / run / name).read_bytes(), "f", 1)
        for name in ("aks-diagnostics.jsonl", "kubernetes-audit.jsonl")
    ]
    azure, plain = batches
    assert {found.cluster for found in azure.events} == {"aks-ml-prod"}
    assert [msgspec.structs.replace(found, cluster="") for found in azure.events] == plain.events
    assert [(found.verb, found.resource, found.pod, found.grade) for found in plain.events] == [
        ("list", "secrets", "inference-0", Grade.C),
        ("get", "secrets", "inference-0", Grade.C),
    ]


def test_records_that_others_wrapped_are_left_over(shared_data: Path) -> None:
    text = (shared_data / "samples/panther/panther_Amazon_EKS_Audit.jsonl").read_bytes()
    batch = KubernetesAuditDecoder().decode(text, "f", 1)
    assert (batch.records, batch.recognised, len(batch.leftover)) == (20, 0, 20)


@pytest.mark.parametrize(
    ("verb", "stages"),
    [
        ("create", ["ResponseComplete"]),
        ("get", ["ResponseStarted"]),
        ("get", ["ResponseStarted", "ResponseComplete"]),
    ],
    ids=["until kubectl 1.30", "WebSocket, under way", "WebSocket, over"],
)
def test_a_command_in_another_pod_is_one_event_whichever_way_it_is_asked_for(
    verb: str, stages: list[str]
) -> None:
    target = {"resource": "pods", "subresource": "exec", "namespace": "ml", "name": "inference-0"}
    uri = f"/api/v1/namespaces/ml/pods/inference-0/exec?command={CANARIES[0]}&stdin=true"
    told = {"verb": verb, "objectRef": target, "requestURI": uri, "responseStatus": {"code": 101}}
    records = [audit(stage=stage, **told) for stage in stages]
    text = b"".join(json.dumps(record).encode() + b"\n" for record in records)
    events = KubernetesAuditDecoder().decode(text, "f", 1).events
    assert len(events) == len(stages)
    assert len({event.event_id for event in events}) == 1
    assert {(e.verb, e.resource, e.subresource, e.outcome) for e in events} == {
        (verb, "pods", "exec", Outcome.ALLOWED)
    }
    assert CANARIES[0] not in repr(events)
