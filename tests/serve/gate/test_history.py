"""What the history says of a tag and of a decision, and what a move is judged with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from eightysix.gate.moves import Promotion, findings
from eightysix.model.errors import UsageError
from eightysix.model.gate import Artifact, Channel, Decision, Reference, RegistryAction, Ruling
from eightysix.serve.gate.evidence import judged_with
from eightysix.serve.gate.history import tag_history, watches, why
from eightysix.store.history import GateHistory
from tests.store.history.made import PROD, REGISTRY, START, Clock, digest, event, opened

SECOND = 10**9


@pytest.fixture
def clock() -> Clock:
    return Clock(START)


@pytest.fixture
def history(tmp_path: Path, clock: Clock) -> Iterator[GateHistory]:
    with opened(tmp_path, clock) as made:
        yield made


def decided(name: str, of: str, ruling: Ruling = Ruling.ALLOW) -> Decision:
    return Decision(
        id=name,
        at_ns=1,
        reference=replace(PROD, digest=digest(of)),
        digest=digest(of),
        previous="",
        ruling=ruling,
        mode="enforce",
    )


def test_the_history_of_a_tag(history: GateHistory) -> None:
    history.take(
        [event("a", told_s=1), event("b", told_s=3), event("late", told_s=2), event("s", tag="stage")]
    )
    history.learn([Artifact(digest=digest("a"), kinds=("safetensors",))])
    history.decide(decided("d1", "a"))
    history.asked([(PROD, "it was slow")])
    told = tag_history(history, replace(PROD, digest=digest("a")))
    assert [move.digest for move in told.moves] == [digest("a"), digest("b")]
    assert told.artifacts[digest("a")].kinds == ("safetensors",)
    assert [each.event.id for each in told.strays] == ["late"]
    assert [each.id for each in told.decisions] == ["d1"]
    assert [each.problem for each in told.watched] == ["it was slow"]
    assert (told.more, told.reference) == (False, PROD)
    whole = tag_history(history, Reference(REGISTRY, "ml/llm"))
    assert [move.tag for move in whole.moves] == ["prod", "prod", "stage"]
    first = tag_history(history, PROD, limit=1)
    assert (first.more, [move.digest for move in first.moves]) == (True, [digest("b")])
    second = tag_history(history, PROD, limit=1, before=first.moves[0].sequence)
    assert (second.more, [move.digest for move in second.moves]) == (False, [digest("a")])


def test_a_tag_that_nobody_knows_is_told(history: GateHistory) -> None:
    with pytest.raises(UsageError, match="nothing is known of registry"):
        tag_history(history, PROD)


def test_a_decision_is_explained(history: GateHistory) -> None:
    history.take([event("a"), event("1", "b"), event("2", "b", tag="stage"), event("3", "c")])
    for each in (decided("aa1", "a"), decided("bb2", "b", Ruling.HOLD), decided("cc3", "c")):
        history.decide(each)
    told = why(history, "bb")
    assert told.decision.id == "bb2"
    assert told.before is not None
    assert told.before.id == "aa1"
    assert [each.id for each in told.after] == ["cc3"]
    assert [move.digest for move in told.since] == [digest("c")]
    assert told.now is not None
    assert told.now.digest == digest("c")
    assert [move.tag for move in told.places] == ["prod", "stage"]


@pytest.mark.parametrize("start", ["", "x", "a"])
def test_an_id_that_names_no_one_decision_is_refused(history: GateHistory, start: str) -> None:
    history.decide(decided("a1", "a"))
    history.decide(decided("a2", "b"))
    with pytest.raises(UsageError, match="decision"):
        why(history, start)


def test_the_compromised_push_is_judged_from_what_the_history_has(history: GateHistory, clock: Clock) -> None:
    """Good releases by way of staging; then the same tag, another digest, a pickle, the same commit, another machine."""
    stage = replace(PROD, tag="stage")
    promotion = Promotion(stage, PROD)
    for n, name in enumerate("abc"):
        clock.now += 3_600 * SECOND
        ci = {"actor": "ci", "address": "10.0.0.7:1", "agent": "docker/24.0.7"}
        for tag in ("stage", "prod"):
            history.take([event(f"{name}-{tag}", name, (n + 1) * 3_600 - 1, tag=tag, **ci)])
        history.learn(
            [
                Artifact(
                    digest=digest(name),
                    kinds=("safetensors",),
                    claims={"org.opencontainers.image.revision": name * 40},
                )
            ]
        )
    moves, context = judged_with(history, PROD, promotions=[promotion], read=[digest("c")])
    assert not any(each.holds for each in findings(moves, context))

    clock.now += 3_600 * SECOND
    thief = {"actor": "ci", "address": "203.0.113.9:5", "agent": "python-requests/2.34"}
    history.take([event("x", told_s=4 * 3_600 - 1, **thief)])
    claims = {"org.opencontainers.image.revision": "c" * 40}
    history.learn([Artifact(digest=digest("x"), kinds=("pickle",), claims=claims)])
    moves, context = judged_with(history, PROD, promotions=[promotion])
    held = {each.rule for each in findings(moves, context) if each.holds}
    assert held == {"file-types-changed", "no-new-commit", "promotion-digest-differs", "pusher-elsewhere"}
    earlier = [row.sequence for row in moves if row.tag == "prod"][-2]
    moves, context = judged_with(history, PROD, subject=earlier, promotions=[promotion])
    assert not any(each.holds for each in findings(moves, context))


def test_what_is_watched() -> None:
    watched = watches([PROD, Reference(REGISTRY, "ml/all", "*"), Reference(REGISTRY, "ml/whole")])
    assert watched(event("a"))
    assert not watched(event("a", tag="stage"))
    assert watched(event("a", tag="", action=RegistryAction.DELETE))
    assert watched(event("a", tag="x", repository="ml/all"))
    assert watched(event("a", tag="x", repository="ml/whole"))
    assert not watched(event("a", repository="ml/other"))
    assert not watched(event("a", registry="", channel=Channel.ACR))
