"""Records without a pod find the one that they belong to, or stay without."""

from __future__ import annotations

from eightysix.detect import Engine, Knowledge
from eightysix.model.event import Event
from eightysix.model.words import Grade, Kind, Origin, Source
from eightysix.rules.catalog import load_packaged
from tests.detect.events import breach, event, metadata, request, token

KNOWLEDGE = Knowledge(sources=frozenset({Source.TETRAGON, Source.KUBERNETES_AUDIT}))


def fed(events: list[Event], hint: str = "") -> Engine:
    engine = Engine(load_packaged(), KNOWLEDGE)
    engine.pod_hint = hint
    engine.feed(events)
    return engine


def sensor(at: float, **fields: object) -> Event:
    values = {
        "source": Source.SENSOR,
        "origin": Origin.SUSPECT,
        "grade": Grade.A,
        "pod_uid": "",
        "pod": "",
        "namespace": "",
        "container_id": "",
        "exec_id": "sensor::1",
        "root": "torch-perf-utils==1.4.3",
        "module": "torch_perf_utils._boot",
        "chain": ("torch-perf-utils==1.4.3",),
        "at_import": "torch-perf-utils==1.4.3",
        "container_started_ns": 0,
    }
    return event(Kind.IMPORT, at, **(values | fields))


def test_audit_joins_by_name() -> None:
    (state,) = fed(breach()).resolved()
    assert {e.kind for e in state.events()} >= {Kind.API, Kind.EXEC, Kind.CONNECT, Kind.FILE}


def test_audit_of_a_reused_name_joins_the_pod_that_lived_then() -> None:
    old = [metadata(1.0, pod_uid="old"), metadata(100.0, pod_uid="old")]
    new = [metadata(5000.0, pod_uid="new"), metadata(5100.0, pod_uid="new")]
    states = {
        s.key: s
        for s in fed(
            [*old, *new, request(50.0, "list", "secrets"), request(5050.0, "get", "secrets", "x")]
        ).resolved()
    }
    assert [e.verb for e in states["old"].events() if e.kind is Kind.API] == ["list"]
    assert [e.verb for e in states["new"].events() if e.kind is Kind.API] == ["get"]


def test_container_prefixes_join() -> None:
    bare = token(8.0, pod_uid="", pod="", namespace="", container_id="c9eb4ebb9cee")
    (state,) = fed([metadata(1.0), bare]).resolved()
    assert len(state.events()) == 2


def test_lineage_joins_what_has_neither_pod_nor_container() -> None:
    engine = fed([metadata(1.0)])
    engine.trees["uid-0"]["server"] = ("", 1, "", "/usr/bin/python", "", None)
    engine.feed(
        [
            token(
                8.0,
                pod_uid="",
                pod="",
                namespace="",
                container_id="",
                exec_id="worker",
                parent_exec_id="server",
            )
        ]
    )
    (state,) = engine.resolved()
    assert len(state.events()) == 2
    assert engine.unattributed == 0


def test_what_nobody_knows_stays_unattributed() -> None:
    engine = fed(
        [metadata(1.0), token(8.0, pod_uid="", pod="", namespace="", container_id="", exec_id="ghost")]
    )
    states = engine.resolved()
    assert [len(state.events()) for state in states] == [1]
    assert engine.unattributed == 1


def test_sensor_records_join_the_only_pod_of_their_time() -> None:
    (state,) = fed([metadata(1.0), sensor(2.0)]).resolved()
    assert {e.source for e in state.events()} == {Source.TETRAGON, Source.SENSOR}


def test_sensor_records_join_nobody_where_two_pods_could_be() -> None:
    engine = fed([metadata(1.0), metadata(1.0, pod_uid="uid-1", pod="inference-1"), sensor(2.0)])
    states = {state.key: state for state in engine.resolved()}
    assert {e.source for e in states["uid-0"].events()} == {Source.TETRAGON}
    assert engine.unattributed == 1


def test_the_operator_may_say_whose_sensor_records_they_are() -> None:
    engine = fed(
        [metadata(1.0), metadata(1.0, pod_uid="uid-1", pod="inference-1"), sensor(2.0)], "ml/inference-1"
    )
    states = {state.key: state for state in engine.resolved()}
    assert {e.source for e in states["uid-1"].events()} == {Source.TETRAGON, Source.SENSOR}
    assert engine.unattributed == 0


def test_a_token_that_a_pod_minted_is_followed() -> None:
    minted = request(
        70.0, "create", "serviceaccounts", "deployer", subresource="token", issued_credential_id="jti-1"
    )
    elsewhere = request(
        80.0,
        "list",
        "secrets",
        pod="",
        namespace="",
        credential_id="jti-1",
        source_ip="198.51.100.9",
        grade=Grade.D,
        identity="system:serviceaccount:ml:deployer",
        service_account="ml/deployer",
    )
    engine = fed([*breach(), minted, elsewhere])
    (state,) = engine.resolved()
    assert any(e.source_ip == "198.51.100.9" for e in state.events())
    assert engine.unattributed == 0
