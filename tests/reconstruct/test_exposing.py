"""What was only exposed, and whether a read would have been seen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace as with_fields
from pathlib import Path
from typing import Any

import pytest

from eightysix.detect.follow import follow
from eightysix.detect.state import PodState, step
from eightysix.detect.view import Knowledge, PodView
from eightysix.model.event import Event
from eightysix.model.story import IdentityStory
from eightysix.model.words import Access, Domain, IdentityState, Kind, Origin, Source
from eightysix.reconstruct.exposing import MAX_EXPOSED, exposures
from eightysix.serve.replay import Replay, ReplayOptions
from tests.detect.events import SERVER, api_server, event, install, metadata, token

RECORDED = Path(__file__).parents[2] / "src/eightysix/lab/recorded"


def view_of(*events: Event, **knowledge: Any) -> PodView:
    state = PodState(key="uid-0")
    for each in events:
        step(state, each)
    view = PodView.of(state, Knowledge(**knowledge))
    assert view is not None
    return view


def told(events: Iterable[Event], taken: Iterable[str] = ()) -> dict[tuple[str, str], IdentityStory]:
    return {(i.kind, i.name): i for i in exposures(view_of(*events), set(taken))}


def started(at: float, *names: str, exec_id: str = SERVER) -> Event:
    return event(
        Kind.START, at, source=Source.SENSOR, origin=Origin.SUSPECT, exposes=names, exec_id=exec_id, pid=7
    )


FILE = "/var/run/secrets/kubernetes.io/serviceaccount/token"
ACCOUNT = "of ml/inference-0 (name not in the telemetry)"


def test_credentials_in_the_environment_are_exposed() -> None:
    found = told([started(1.0, "OPENAI_API_KEY", "AZURE_CLIENT_SECRET"), install(5.0)])
    key = found["environment", "OPENAI_API_KEY"]
    assert (key.state, key.domain, key.taken_at, key.uses) == (IdentityState.EXPOSED, "llm", "", ())
    assert "may have been read" in key.why
    assert key.origin is Origin.SUSPECT
    assert found["environment", "AZURE_CLIENT_SECRET"].domain == "cloud"


def test_a_file_that_others_read_lies_there_for_what_landed_too() -> None:
    read = event(
        Kind.FILE, 1.0, file_path="/root/.docker/config.json", access=Access.READ, domain=Domain.DELIVERY
    )
    found = told([read, install(5.0)])["docker-config", "/root/.docker/config.json"]
    assert found.why.startswith("python /app/server.py reads it")
    assert "The kernel's agent tells of files that are opened" in found.why
    assert found.revocation.possible is None


def test_what_was_taken_is_not_exposed_however_its_path_is_written() -> None:
    read = event(
        Kind.FILE,
        1.0,
        file_path="/run/secrets/azure/tokens/..2026_11_23/azure-identity-token",
        access=Access.READ,
        domain=Domain.CLOUD,
    )
    path = "/var/run/secrets/azure/tokens/azure-identity-token"
    assert ("federated-token", path.removeprefix("/var")) in told([read, install(5.0)])
    assert not any(kind == "federated-token" for kind, _ in told([read], [path]))
    assert ("service-account", ACCOUNT) not in told([token(1.0)], [ACCOUNT])


def test_every_pod_has_a_token_and_it_is_said_whether_a_read_would_be_seen() -> None:
    nobody = told([api_server(1.0), install(5.0)])["service-account", ACCOUNT]
    assert "No source here tells of files that are opened: it may have been read." in nobody.why
    sensor = told([started(1.0), install(5.0)])["service-account", ACCOUNT]
    assert "Only the sensor inside of Python" in sensor.why
    kernel = event(Kind.FILE, 1.0, file_path="/etc/hostname", access=Access.READ)
    seen = told([kernel, install(5.0)])["service-account", ACCOUNT]
    assert "no read by what landed" in seen.why


def test_the_metadata_service_gives_to_all_code_of_the_pod() -> None:
    found = told([metadata(1.0), install(5.0)])
    identity = found["managed-identity", "of ml/inference-0 by metadata service"]
    assert "asks for no secret" in identity.why
    assert identity.revocation.possible is False
    assert identity.revocation.until == ""


def test_the_node_counts_when_the_chain_left_its_pod() -> None:
    path = "/var/lib/kubelet/pods/3f0c1a52-0000-4000-8000-000000000001/volumes/kubernetes.io~secret/creds/password"
    stolen = event(Kind.FILE, 6.0, file_path=path, access=Access.READ, domain=Domain.CLUSTER)
    found = told([stolen])
    node = found["node", "every pod on n"]
    assert "read another pod's volume" in node.why
    entered = event(Kind.EXEC, 6.0, activity="host-entry")
    assert "entered the node" in told([entered])["node", "every pod on n"].why
    assert ("node", "every pod on n") not in told([metadata(1.0)])


def test_it_is_bounded_and_the_node_is_never_cut() -> None:
    names = [f"SERVICE_{at:03}_API_KEY" for at in range(MAX_EXPOSED + 5)]
    events = [started(at, name, exec_id=f"p{at}") for at, name in enumerate(names, 1)]
    found = exposures(view_of(*events, install(5.0), event(Kind.EXEC, 6.0, activity="host-entry")), ())
    assert len(found) == MAX_EXPOSED
    assert found[0].kind == "node"


def test_a_pod_in_which_nothing_landed_and_nothing_was_taken_exposes_nothing() -> None:
    events = [started(1.0, "OPENAI_API_KEY"), metadata(1.5), token(2.0), api_server(3.0)]
    assert told(events) == {}
    asked = told(events, ["ml/some-secret"])["environment", "OPENAI_API_KEY"]
    assert "the code that took a credential ran in the same container" in asked.why


def test_order_changes_nothing() -> None:
    events = [started(1.0, "OPENAI_API_KEY"), install(5.0), metadata(1.5), token(2.0), api_server(3.0)]
    assert exposures(view_of(*events), ()) == exposures(view_of(*reversed(events)), ())


def recorded(name: str) -> dict[str, tuple[IdentityStory, ...]]:
    replay = Replay([], ReplayOptions())
    replay.take([str(RECORDED / name)], None)
    states = replay.engine.resolved()
    knowledge = with_fields(replay.engine.knowledge)
    made = follow(states, knowledge)
    found: dict[str, tuple[IdentityStory, ...]] = {}
    for state in states:
        view = PodView.of(state, knowledge)
        if view is not None:
            view.take(made.get(state.key, ()))
            found[view.who.pod] = exposures(view, ())
    return found


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("model-provider-key", {("environment", "MODEL_API_KEY")}),
        ("langchain-state", {("environment", "AZURE_CLIENT_SECRET"), ("environment", "MODEL_API_KEY")}),
        ("attack-86s", set()),
    ],
)
def test_recorded_runs(name: str, expected: set[tuple[str, str]]) -> None:
    (found,) = recorded(name).values()
    assert {(i.kind, i.name) for i in found if i.kind == "environment"} == expected
    for identity in found:
        if identity.kind == "environment":
            assert identity.why.startswith("It lies in the environment of a process that ran what landed")
