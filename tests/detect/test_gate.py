"""What `contain` needs (DESIGN.md, decision 7): the whole chain contains, and with any one condition gone it does not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from eightysix.detect import Engine, Knowledge
from eightysix.model.event import Event
from eightysix.model.incident import Incident
from eightysix.model.words import Domain, Grade, Kind, Origin, Outcome, Source, Verdict
from eightysix.rules.catalog import load_packaged
from tests.detect.events import breach

RULES = load_packaged()


def judged(events: list[Event]) -> list[Incident]:
    engine = Engine(RULES, Knowledge(sources=frozenset({Source.TETRAGON, Source.KUBERNETES_AUDIT})))
    engine.feed(events)
    return engine.incidents()


def worst(events: list[Event]) -> Verdict | None:
    return max((i.verdict for i in judged(events)), key=lambda verdict: verdict.rank, default=None)


def without(which: Callable[[Event], bool]) -> list[Event]:
    return [event for event in breach() if not which(event)]


def changed(which: Callable[[Event], bool], **fields: object) -> list[Event]:
    return [replace(event, **fields) if which(event) else event for event in breach()]


def is_install(event: Event) -> bool:
    return event.activity == "install"


def is_take(event: Event) -> bool:
    return event.domain is not None


def is_cluster(event: Event) -> bool:
    return event.domain is Domain.CLUSTER


def is_use(event: Event) -> bool:
    return event.kind is Kind.API or event.dst_ip == "10.96.0.1"


def test_the_whole_chain_contains() -> None:
    assert worst(breach()) is Verdict.CONTAIN


CONDITIONS: dict[str, list[Event]] = {
    "nothing landed": without(is_install),
    "landed after it all": changed(is_install, time_ns=breach()[-1].time_ns + 1),
    "landed in another container": changed(is_install, container_id="0123456789abcdef"),
    "one domain": without(is_cluster),
    "the same domain twice": changed(is_cluster, domain=Domain.CLOUD),
    "two processes": changed(is_cluster, exec_id="somebody-else"),
    "a weaker grade": changed(is_cluster, grade=Grade.C),
    "the second refused": changed(is_cluster, outcome=Outcome.DENIED),
    "all refused": changed(is_take, outcome=Outcome.DENIED),
    "the API never used": without(is_use),
    "the API refused everything": changed(is_use, outcome=Outcome.DENIED),
    "the API used before the token": changed(is_use, time_ns=breach()[0].time_ns),
    "told by the pod alone": [
        replace(event, origin=Origin.SUSPECT, source=Source.SENSOR, grade=Grade.A)
        for event in breach()
        if event.kind is not Kind.API
    ],
}


@pytest.mark.parametrize("events", CONDITIONS.values(), ids=CONDITIONS.keys())
def test_without_one_condition_nothing_is_contained(events: list[Event]) -> None:
    assert worst(events) is not Verdict.CONTAIN


def test_a_new_destination_never_replaces_the_second_domain() -> None:
    assert worst(without(is_cluster)) is not Verdict.CONTAIN


def test_a_server_that_called_the_metadata_service_before_is_not_excused() -> None:
    before = [event for event in breach() if event.time_ns < breach()[1].time_ns]
    assert any(event.domain is Domain.CLOUD for event in before)
    (incident,) = judged(breach())
    assert any(stage.stage == "reach" and stage.offset_s == pytest.approx(39.2) for stage in incident.stages)


def test_a_missing_condition_is_told() -> None:
    (incident,) = judged(changed(is_cluster, container_id="0123456789abcdef"))
    assert incident.verdict is Verdict.SUSPECT
    assert any(gap.startswith("not contained:") for gap in incident.gaps)
