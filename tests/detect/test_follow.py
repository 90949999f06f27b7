"""The chain follows pods and tokens that a tainted identity made: bounded, and in any order."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from eightysix.detect import Engine, Knowledge
from eightysix.detect.follow import MAX_MADE, follow
from eightysix.detect.live import LiveEngine
from eightysix.model.event import Event
from eightysix.model.incident import Incident
from eightysix.model.words import Kind, Outcome, Source, Verdict
from eightysix.rules.catalog import load_packaged
from tests.detect.events import BASE_NS, SECOND, breach, connect, event, metadata, request
from tests.detect.events import token as reads_token

RULES = load_packaged()
KNOWLEDGE = Knowledge(sources=frozenset({Source.TETRAGON, Source.KUBERNETES_AUDIT}))
VICTIM = "6b00ba4a-094e-4b05-836e-75487007b2eb"


def makes(at: float, name: str, **fields: Any) -> Event:
    values = {"object_namespace": "kube-system", "source_ip": "10.244.1.9"}
    return request(at, "create", "pods", name, **(values | fields))


def in_pod(name: str, started: float, told: Event, **fields: Any) -> Event:
    who = {
        "namespace": "kube-system",
        "pod": name,
        "pod_uid": f"uid-{name}",
        "workload": "",
        "container_id": f"c{name}",
        "container_started_ns": BASE_NS + round(started * SECOND),
        "exec_id": f"sh-{name}",
        "process_started_ns": BASE_NS + round(started * SECOND),
        "service_account": "",
    }
    return replace(told, **(who | {"event_id": f"{name}{told.event_id}"} | fields))


def made(name: str, at: float) -> list[Event]:
    """What a privileged pod does: changes root, reads another pod's token, asks the metadata service, leaves."""
    path = f"/host/var/lib/kubelet/pods/{VICTIM}/volumes/kubernetes.io~projected/kube-api-access-x/token"
    return [
        in_pod(name, at, event(Kind.EXEC, at + 0.2, activity="host-entry", command="chroot")),
        in_pod(name, at, reads_token(at + 1.0, file_path=path)),
        in_pod(name, at, metadata(at + 2.0)),
        in_pod(name, at, connect(at + 3.0, "198.51.100.86", 443)),
    ]


def story() -> list[Event]:
    requests = [makes(70.0, "node-setup-a"), makes(70.5, "node-setup-b")]
    return [*breach(), *requests, *made("node-setup-a", 73.0), *made("node-setup-b", 74.0)]


def engine(events: list[Event]) -> Engine:
    found = Engine(RULES, KNOWLEDGE)
    found.feed(events)
    return found


def told_by(events: list[Event]) -> list[tuple[str, str]]:
    found = engine(events)
    made_by = follow(found.resolved(), KNOWLEDGE)
    return [(o.told_as, o.by) for o in made_by.get("uid-0", ())]


def test_the_origins_incident_has_what_its_pods_did() -> None:
    (incident,) = [i for i in engine(story()).incidents() if i.pod is not None and i.pod.uid == "uid-0"]
    assert incident.verdict is Verdict.CONTAIN
    assert "made-pods" in (incident.rule, *(why.text for why in incident.why)) or incident.aliases
    signals = {stage.signal for stage in incident.stages}
    assert {"made_pod_enters_node", "made_pod_takes_tokens", "made_pod_leaves"} <= signals
    grades = {stage.signal: stage.grade for stage in incident.stages}
    assert grades["made_pod_enters_node"] == "C", "one lower than the kernel's own word"
    names = [identity.name for identity in incident.identities]
    assert any(VICTIM in name for name in names)
    assert any(name.startswith("every pod on ") for name in names)
    assert any("treat every pod on node" in step for step in incident.next_steps)


def test_made_pods_have_no_incident_of_their_own_beside_it() -> None:
    assert {i.pod.uid for i in engine(story()).incidents() if i.pod is not None} == {"uid-0"}


@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=False), st.data())
def test_order_and_repetition_change_nothing(random: Any, data: st.DataObject) -> None:
    events = story()
    expected = engine(events).incidents()
    shuffled = events + data.draw(st.lists(st.sampled_from(events), max_size=10))
    random.shuffle(shuffled)
    assert engine(shuffled).incidents() == expected


@settings(max_examples=15, deadline=None)
@given(st.randoms(use_true_random=False))
def test_live_ends_where_a_run_over_all_ends(random: Any) -> None:
    events = story()
    expected = {i.id: (i.verdict, i.revision) for i in engine(events).incidents()}
    random.shuffle(events)
    live = LiveEngine(Engine(RULES, KNOWLEDGE))
    for one in events:
        live.feed([one])
        live.quick()
        if live.waits_for_names:
            live.settle()
    found: list[Incident] = [case.incident for case in live.cases()]
    assert {i.id: (i.verdict, i.revision) for i in found} == expected


@pytest.mark.parametrize(
    ("change", "followed"),
    [
        ({}, True),
        ({"time_ns": BASE_NS - 10 * SECOND}, False),  # before anything landed
        ({"outcome": Outcome.DENIED}, False),
        ({"object_namespace": "default"}, False),  # the pod is another namespace's
        ({"object_name": "node-setup"}, False),
        ({"subresource": "exec"}, False),
        ({"time_ns": BASE_NS + 90 * SECOND}, False),  # the pod was there before
    ],
    ids=["as it is", "before the landing", "refused", "namespace", "name", "exec", "after the pod"],
)
def test_what_links_a_pod_to_its_maker(change: dict[str, Any], followed: bool) -> None:
    making = replace(makes(70.0, "node-setup-a"), **change)
    told = told_by([*breach(), making, *made("node-setup-a", 73.0)])
    assert (("made-host-entry", "kube-system/node-setup-a") in told) is followed


def test_nothing_is_followed_from_a_pod_in_which_nothing_landed() -> None:
    clean = [e for e in breach() if e.activity != "install"]
    assert told_by([*clean, makes(70.0, "node-setup-a"), *made("node-setup-a", 73.0)]) == []


def test_pods_of_made_pods_are_followed_at_a_lower_grade() -> None:
    second = in_pod("node-setup-a", 73.0, makes(75.0, "deep"), pod_uid="uid-node-setup-a", exec_id="")
    events = [
        *breach(),
        makes(70.0, "node-setup-a"),
        *made("node-setup-a", 73.0),
        second,
        *made("deep", 77.0),
    ]
    found = follow(engine(events).resolved(), KNOWLEDGE)["uid-0"]
    grades = {o.by: o.event.grade for o in found if o.told_as == "made-host-entry"}
    assert grades == {"kube-system/node-setup-a": "C", "kube-system/deep": "D"}


def test_a_ring_of_makers_ends() -> None:
    back = in_pod("node-setup-a", 73.0, makes(75.0, "inference-0", object_namespace="ml"), exec_id="")
    events = [*breach(), makes(70.0, "node-setup-a"), *made("node-setup-a", 73.0), back]
    assert {by for _, by in told_by(events)} == {"kube-system/node-setup-a", "ml/inference-0"}


def test_a_flood_of_made_pods_is_bounded() -> None:
    events = breach()
    for number in range(3 * MAX_MADE):
        events += [makes(70.0 + number / 100, f"p-{number:03}"), *made(f"p-{number:03}", 75.0)]
    told = told_by(events)
    assert len([1 for told_as, _ in told if told_as == "made-pod"]) == MAX_MADE
    assert len({by for told_as, by in told if told_as != "made-pod"}) <= MAX_MADE


def minted(at: float, by: str, issued: str, **fields: Any) -> Event:
    values = {
        "subresource": "token",
        "credential_id": by,
        "issued_credential_id": issued,
        "pod": "",
        "namespace": "ml",
    }
    return request(at, "create", "serviceaccounts", "admin", **(values | fields))


def test_tokens_that_minted_tokens_mint_are_followed() -> None:
    first = minted(70.0, "t0", "t1", pod="inference-0")
    chain = [first, minted(71.0, "t1", "t2"), minted(72.0, "t2", "t3")]
    last = request(73.0, "list", "secrets", credential_id="t3", pod="", service_account="ml/admin")
    foreign = request(74.0, "list", "configmaps", credential_id="t9", pod="", service_account="ml/admin")
    for order in (1, -1):
        found = engine([*breach(), *[*chain, last, foreign][::order]])
        (state,) = [state for state in found.resolved() if state.key == "uid-0"]
        ids = {e.credential_id for e in state.events() if e.kind is Kind.API}
        assert {"t1", "t2", "t3"} <= ids
        assert "t9" not in ids
        assert found.unattributed == 1
