"""Rows of the cloud join the pods whose principal they name, and nobody else's."""

from __future__ import annotations

from typing import Any

import pytest

from eightysix.context.addresses import Ranges
from eightysix.detect import Engine, Knowledge
from eightysix.model.event import Event
from eightysix.model.words import Grade, Kind, Origin, Outcome, Source, Verdict
from eightysix.rules.catalog import load_packaged
from tests.detect.events import breach, event, metadata, request

RULES = load_packaged()
CLIENT = "00001111-aaaa-2222-bbbb-3333cccc4444"
OBJECT = "d9da5048-2737-4770-bd64-00000000000a"
WORLD = "198.51.100.86"
MINE = {"ml/inference-sa": frozenset({CLIENT})}
EGRESS = Ranges(["203.0.113.0/28"])
HOUR = 3600.0


def row(at: float, ip: str = WORLD, operation: str = "SecretGet", **fields: Any) -> Event:
    nobody = dict.fromkeys(
        ("exec_id", "pod_uid", "pod", "namespace", "node", "cluster", "container_id", "workload"), ""
    )
    nobody |= dict.fromkeys(("workload_kind", "image", "image_digest", "binary", "command"), "")
    values: dict[str, Any] = {
        **nobody,
        "container_started_ns": 0,
        "process_started_ns": 0,
        "source": Source.AZURE,
        "origin": Origin.PROVIDER,
        "grade": Grade.F,
        "principals": (OBJECT, CLIENT),
        "verb": operation,
        "resource": "key-vault",
        "object_name": "kv-ml",
        "source_ip": ip,
        "outcome": Outcome.ALLOWED,
    }
    return event(Kind.CLOUD, at, **(values | fields))


def engine(events: list[Event], **known: Any) -> Engine:
    values: dict[str, Any] = {"egress": EGRESS, "identities": MINE, "sources": frozenset(Source)} | known
    found = Engine(RULES, Knowledge(**values))
    found.feed(events)
    return found


def verdicts(events: list[Event], **known: Any) -> dict[str, Verdict]:
    return {i.rule: i.verdict for i in engine(events, **known).incidents()}


USED = [metadata(40.0), request(50.0, "list", "pods", source_ip="10.244.1.9")]


def test_a_use_from_outside_within_a_day_is_suspect_and_never_more() -> None:
    assert verdicts([*USED, row(2 * HOUR)]) == {"identity-outside": Verdict.SUSPECT}
    flood = [row(HOUR + 60.0 * number, operation="SecretList") for number in range(50)]
    assert verdicts([*USED, *flood]) == {"identity-outside": Verdict.SUSPECT}


@pytest.mark.parametrize(
    ("events", "known"),
    [
        ([*USED, row(2 * HOUR, "203.0.113.5")], {}),
        ([*USED, row(2 * HOUR, "10.224.7.9")], {}),
        ([*USED, row(2 * HOUR, "")], {}),
        ([*USED, row(2 * HOUR)], {"egress": Ranges()}),
        ([*USED, row(2 * HOUR)], {"identities": {}}),
        ([*USED, row(2 * HOUR, principals=("11111111-1111-4111-8111-111111111111",))], {}),
        ([*USED, row(25 * HOUR)], {}),
        ([*USED, row(10.0)], {}),
        ([USED[1], row(2 * HOUR)], {}),
    ],
    ids=[
        "declared", "private", "no address", "nothing declared", "nobody's", "another's", "a day later", "before", "no reach"
    ],
)  # fmt: skip
def test_near_misses_stay_quiet(events: list[Event], known: dict[str, Any]) -> None:
    assert verdicts(events, **known) == {}


def test_a_poll_that_began_days_ago_does_not_hide_the_latest_reach() -> None:
    polls = [metadata(HOUR * number) for number in range(60)]
    assert verdicts([*polls, USED[1], row(59.5 * HOUR)]) == {"identity-outside": Verdict.SUSPECT}


def test_absence_clears_nobody_and_rows_from_home_lower_nothing() -> None:
    alone = engine(breach()).incidents()[0]
    with_rows = engine([*breach(), row(120.0, "203.0.113.5"), row(200.0, "203.0.113.6")]).incidents()[0]
    assert (
        (with_rows.verdict, with_rows.score) == (alone.verdict, alone.score) == (Verdict.CONTAIN, alone.score)
    )


def test_rows_extend_the_incident_of_the_pod() -> None:
    (incident,) = engine([*breach(), row(2 * HOUR)]).incidents()
    assert incident.verdict is Verdict.CONTAIN
    assert any(WORLD in stage.destination for stage in incident.stages)


def test_the_nodes_identity_is_of_every_pod_that_asked_the_metadata_service() -> None:
    everybody = {"identities": {"*": frozenset({OBJECT})}}
    assert verdicts([metadata(40.0), row(HOUR)], **everybody) == {"identity-outside": Verdict.SUSPECT}
    (state,) = [s for s in engine([metadata(40.0), row(HOUR)], **everybody).resolved() if s.key == "uid-0"]
    assert {e.grade for e in state.events() if e.kind is Kind.CLOUD} == {Grade.D}
    other = metadata(41.0, pod_uid="uid-1", pod="other-0", container_id="other", exec_id="other")
    states = engine([metadata(40.0), other, row(HOUR)], **everybody).resolved()
    assert {e.grade for s in states for e in s.events() if e.kind is Kind.CLOUD} == {Grade.E}, "shared"


def test_rows_of_nobody_are_counted() -> None:
    found = engine([*USED, row(HOUR, principals=(OBJECT,)), row(HOUR)])
    found.incidents()
    assert found.unattributed == 1


def test_an_annotation_in_the_audit_log_maps_as_a_declaration_does() -> None:
    found = engine([*USED, row(2 * HOUR)], identities={})
    found.knowledge.learnt.note_principal("ml/inference-sa", CLIENT)
    assert [i.rule for i in found.incidents()] == ["identity-outside"]
