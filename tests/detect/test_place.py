"""Where a caller stands: nothing is outside while it is not known what is inside."""

from __future__ import annotations

import pytest

from eightysix.context.addresses import Learnt, Ranges
from eightysix.detect import Knowledge, PodState, step
from eightysix.detect.actions import Action
from eightysix.detect.place import caller_novelty, place_of
from eightysix.detect.view import PodView
from eightysix.model.event import Event
from tests.detect.events import api_server, request

OWN, NODE, GATEWAY, WORLD = "10.244.3.7", "10.224.0.7", "203.0.113.5", "198.51.100.86"


def view(calls: list[str], knowledge: Knowledge, *, kernel: bool = True) -> PodView:
    state = PodState(key="uid-0")
    events: list[Event] = [api_server(1.0, source_ip=OWN)] if kernel else []
    events += [
        request(10.0 * place, "list", "pods", source_ip=ip, node="n") for place, ip in enumerate(calls, 1)
    ]
    for event in events:
        step(state, event)
    found = PodView.of(state, knowledge)
    assert found is not None
    return found


def places(calls: list[str], knowledge: Knowledge, *, kernel: bool = True) -> list[str]:
    seen = view(calls, knowledge, kernel=kernel)
    return [place_of(seen, o) for o in seen.observations if o.action is Action.API]


def learnt(*nodes: str, name: str = "n") -> Learnt:
    found = Learnt()
    found.note_node(name, nodes)
    return found


DECLARED = Ranges(["203.0.113.0/28"])
EVERY = [OWN, NODE, GATEWAY, WORLD, "10.244.9.9", "::1", ""]


@pytest.mark.parametrize(
    ("knowledge", "kernel", "expected"),
    [
        (Knowledge(), False, ["unknown"] * 7),
        (Knowledge(), True, ["pod", *["unknown"] * 6]),
        (
            Knowledge(learnt=learnt(NODE)),
            True,
            ["pod", "node", "elsewhere", "elsewhere", "elsewhere", "unknown", "unknown"],
        ),
        (
            Knowledge(egress=DECLARED),
            True,
            ["pod", "outside", "egress", "outside", "outside", "unknown", "unknown"],
        ),
        (
            Knowledge(egress=DECLARED),
            False,
            ["unknown", "unknown", "egress", "outside", "unknown", "unknown", "unknown"],
        ),
        (
            Knowledge(egress=DECLARED, learnt=learnt(NODE)),
            True,
            ["pod", "node", "egress", "outside", "outside", "unknown", "unknown"],
        ),
    ],
    ids=["nothing known", "own address", "node learnt", "declared", "declared alone", "all"],
)
def test_place_by_what_is_known(knowledge: Knowledge, kernel: bool, expected: list[str]) -> None:
    assert places(EVERY, knowledge, kernel=kernel) == expected


def test_a_gateway_of_any_node_is_the_clusters_egress() -> None:
    assert places([GATEWAY], Knowledge(learnt=learnt(GATEWAY, name="another"))) == ["egress"]


def test_a_family_of_which_nothing_is_known_is_unknown() -> None:
    knowledge = Knowledge(egress=DECLARED, learnt=learnt(NODE))
    assert places(["fd00:10:244::7", "2001:db8::7"], knowledge) == ["unknown", "unknown"]


def test_an_address_that_the_pod_could_give_itself_excuses_nothing() -> None:
    state = PodState(key="uid-0")
    for event in (
        api_server(1.0, source_ip=WORLD),  # a public address on an interface of its own
        request(5.0, "list", "secrets", source_ip=WORLD),
    ):
        step(state, event)
    seen = PodView.of(state, Knowledge(egress=DECLARED))
    assert seen is not None
    assert [place_of(seen, o) for o in seen.observations if o.action is Action.API] == ["outside"]


def test_novelty_of_the_callers_address() -> None:
    seen = view([OWN, OWN, WORLD, OWN, WORLD], Knowledge())
    told = [caller_novelty(seen, o) for o in seen.observations if o.action is Action.API]
    assert told == ["first", "repeat", "new", "repeat", "repeat"]
