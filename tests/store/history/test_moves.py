"""Where tags point, whatever webhooks say and however late they say it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eightysix.model.gate import Channel, Outcome, Reference, RegistryAction, RegistryEvent
from eightysix.store.history import GateHistory, Observation
from tests.store.history.made import PROD, REGISTRY, START, Clock, digest, event, opened

SECOND = 10**9


@pytest.fixture
def clock() -> Clock:
    return Clock(START + 1_000 * SECOND)


@pytest.fixture
def history(tmp_path: Path, clock: Clock) -> Iterator[GateHistory]:
    with opened(tmp_path, clock) as made:
        yield made


def head(name: str, **changes: object) -> Observation:
    return Observation(reference=PROD, digest=digest(name) if name else "", **changes)  # type: ignore[arg-type]


def told(history: GateHistory, *events: RegistryEvent) -> list[Outcome]:
    return [each.outcome for each in history.take(events)]


def pointed(history: GateHistory) -> list[str]:
    return [bytes.fromhex(move.digest[7:]).rstrip(b"\0").decode() for move in history.history(PROD)]


def test_a_first_push_then_another(history: GateHistory, clock: Clock) -> None:
    first = history.record(event("a", told_s=1, actor="ci", address="10.0.0.7:1", agent="docker/24"))
    clock.now += 5
    second = history.record(event("b", told_s=2))
    assert first is not None
    assert second is not None
    assert (first.sequence, first.previous, first.actor, first.address) == (1, "", "ci", "10.0.0.7:1")
    assert (second.sequence, second.previous, second.seen_ns - first.seen_ns) == (2, first.digest, 5)
    assert history.history(PROD) == (first, second)
    assert history.current(PROD) == second
    assert history.digests(PROD) == (digest("a"), digest("b"))
    assert history.first_seen(digest("b")) == second.seen_ns
    assert history.first_seen(digest("c")) == 0


def test_the_same_digest_again_is_no_move_and_the_same_event_no_event(history: GateHistory) -> None:
    assert told(history, event("a"), event("again", "a"), event("a")) == [
        Outcome.MOVED,
        Outcome.SAME,
        Outcome.REPLAYED,
    ]
    assert pointed(history) == ["a"]


def test_a_known_id_with_another_content_is_told_and_does_nothing(history: GateHistory) -> None:
    assert told(history, event("a"), event("a", "b")) == [Outcome.MOVED, Outcome.CONFLICT]
    assert pointed(history) == ["a"]


def test_the_same_id_of_another_channel_is_another_event(history: GateHistory) -> None:
    other = event("a", "b", channel=Channel.ACR)
    assert told(history, event("a"), other) == [Outcome.MOVED, Outcome.MOVED]


def test_an_event_that_comes_late_is_kept_beside_the_history(history: GateHistory) -> None:
    assert told(history, event("a", told_s=1), event("c", told_s=3), event("b", told_s=2)) == [
        Outcome.MOVED,
        Outcome.MOVED,
        Outcome.LATE,
    ]
    assert pointed(history) == ["a", "c"]
    (stray,) = history.strays(PROD)
    assert (stray.outcome, stray.event.digest, stray.current) == (Outcome.LATE, digest("b"), digest("c"))


def test_a_later_push_of_the_same_digest_makes_what_was_before_it_late(history: GateHistory) -> None:
    assert told(history, event("1", "a", 1), event("3", "a", 3), event("2", "b", 2)) == [
        Outcome.MOVED,
        Outcome.SAME,
        Outcome.LATE,
    ]


def test_events_of_unknown_time_count_as_they_come(history: GateHistory) -> None:
    told(history, event("a"), event("b"))
    assert pointed(history) == ["a", "b"]


def test_one_event_of_a_far_future_does_not_make_all_others_late(history: GateHistory, clock: Clock) -> None:
    told(history, event("a", told_s=3_000_000_000))
    clock.now += SECOND
    assert told(history, event("b", told_s=1_002)) == [Outcome.MOVED]
    assert history.history(PROD)[0].told_ns == START + 3_000_000_000 * SECOND  # as it was told


def test_an_answer_counts_whatever_was_told(history: GateHistory) -> None:
    told(history, event("a", told_s=1), event("b", told_s=2, actor="mallory"))
    (seen,) = history.observe([head("a")])
    assert seen.outcome is Outcome.MOVED
    assert (seen.moves[0].confirmed, seen.moves[0].previous) == (True, digest("b"))
    (stray,) = history.strays(PROD)
    assert (stray.outcome, stray.event.digest, stray.event.actor, stray.current) == (
        Outcome.OVERRULED,
        digest("b"),
        "mallory",
        digest("a"),
    )


def test_an_answer_confirms_what_was_told(history: GateHistory) -> None:
    told(history, event("a", told_s=1))
    assert [move.confirmed for move in history.history(PROD)] == [False]
    for _ in range(2):
        (seen,) = history.observe([head("a")])
        assert seen.outcome is Outcome.SAME
    assert [move.confirmed for move in history.history(PROD)] == [True]


def test_an_older_event_never_overwrites_a_newer_answer(history: GateHistory, clock: Clock) -> None:
    told(history, event("a", told_s=1))
    history.observe([head("c")])  # the webhooks of b and c are on their way
    assert told(history, event("b", told_s=999), event("c", told_s=999)) == [Outcome.LATE, Outcome.SAME]
    assert pointed(history) == ["a", "c"]
    clock.now += SECOND
    assert told(history, event("d", told_s=1_001)) == [Outcome.MOVED]


def test_an_answer_that_was_overtaken_is_to_be_asked_again(history: GateHistory, clock: Clock) -> None:
    told(history, event("a", told_s=1))
    asked_ns, since = clock.now, 1
    clock.now += SECOND
    told(history, event("b", told_s=1_001))
    (seen,) = history.observe([head("a", asked_ns=asked_ns, since=since)])
    assert seen.outcome is Outcome.RACED
    assert pointed(history) == ["a", "b"]
    (seen,) = history.observe([head("b", asked_ns=asked_ns, since=since)])
    assert seen.outcome is Outcome.SAME


def test_an_answer_that_a_hint_overtook_is_to_be_asked_again(history: GateHistory, clock: Clock) -> None:
    told(history, event("a", told_s=1))
    asked_ns = clock.now
    clock.now += SECOND
    told(history, event("b", told_s=1_001))
    answer = event("head", "a", channel=Channel.RECONCILER)
    assert not history.confirm(answer, asked_ns)
    assert pointed(history) == ["a", "b"]
    assert not history.confirm(answer, clock.now)  # a registry tells of a push before it moves the tag
    clock.now += 3 * SECOND
    assert history.confirm(answer, clock.now)
    assert pointed(history) == ["a", "b", "a"]


def test_a_row_of_another_clock_stops_no_answer(history: GateHistory, clock: Clock) -> None:
    told(history, event("b"))
    clock.now -= 3_600 * SECOND
    assert history.confirm(event("head", "a", channel=Channel.RECONCILER), clock.now)
    assert pointed(history) == ["b", "a"]


def test_who_pushed_is_kept_when_the_answer_was_first(history: GateHistory) -> None:
    history.observe([head("a")])
    assert told(history, event("a", told_s=999, actor="ci")) == [Outcome.SAME]
    (stray,) = history.strays(PROD)
    assert (stray.outcome, stray.event.actor) == (Outcome.SAME, "ci")


def test_record_takes_answers_too(history: GateHistory) -> None:
    told(history, event("a"))
    move = history.record(event("r", "b", channel=Channel.RECONCILER), confirmed=True)
    assert move is not None
    assert (move.sequence, move.confirmed, move.channel) == (2, True, Channel.RECONCILER)
    assert history.record(event("r", "b", channel=Channel.RECONCILER), True) is None
    # An answer has no id of its own: what was there before may come back under the same one.
    assert history.record(event("s", "a", channel=Channel.RECONCILER), True) is not None
    assert history.record(event("r", "b", channel=Channel.RECONCILER), True) is not None
    assert pointed(history) == ["a", "b", "a", "b"]


def test_a_deleted_digest_leaves_all_its_tags_and_no_others(history: GateHistory) -> None:
    told(history, event("1", "a"), event("2", "a", tag="stage"), event("3", "b", tag="dev"))
    elsewhere = event("4", "a", repository="ml/other")
    told(history, elsewhere)
    gone = event("5", "a", tag="", action=RegistryAction.DELETE)
    (done,) = history.take([gone])
    assert [(move.tag, move.digest, move.previous) for move in done.moves] == [
        ("prod", "", digest("a")),
        ("stage", "", digest("a")),
    ]
    assert history.current(Reference(REGISTRY, "ml/other", "prod")).digest == digest("a")  # type: ignore[union-attr]
    assert told(history, event("6", "a")) == [Outcome.MOVED]
    assert pointed(history) == ["a", "", "a"]


def test_a_deleted_tag_leaves_the_others(history: GateHistory) -> None:
    told(history, event("1", "a"), event("2", "a", tag="stage"))
    told(history, event("3", action=RegistryAction.DELETE, digest=""))
    assert pointed(history) == ["a", ""]
    assert len(history.history(Reference(REGISTRY, "ml/llm", "stage"))) == 1


def test_an_answer_that_there_is_no_such_tag(history: GateHistory) -> None:
    assert [each.outcome for each in history.observe([head("")])] == [Outcome.NOTHING]
    told(history, event("a"))
    (seen,) = history.observe([head("")])
    assert (seen.outcome, seen.moves[0].digest) == (Outcome.MOVED, "")


@pytest.mark.parametrize("action", [RegistryAction.PULL, RegistryAction.OTHER])
def test_pulls_move_nothing(history: GateHistory, action: RegistryAction) -> None:
    assert told(history, event("a", action=action)) == [Outcome.NOTHING]
    assert history.current(PROD) is None


def test_a_push_without_a_tag_is_a_digest_that_was_seen(history: GateHistory, clock: Clock) -> None:
    assert told(history, event("a", tag="", media_type="m", size=5)) == [Outcome.NOTHING]
    assert history.first_seen(digest("a")) == clock.now
    assert history.artifacts([digest("a")])[digest("a")].size == 5


def test_a_clock_that_jumps_back_repeats_the_last_time(history: GateHistory, clock: Clock) -> None:
    told(history, event("a"))
    clock.now -= 3_600 * SECOND
    told(history, event("b"))
    first, second = history.history(PROD)
    assert second.seen_ns == first.seen_ns


def test_after_a_clock_that_jumped_ahead_the_next_answer_sets_it_right(
    history: GateHistory, clock: Clock
) -> None:
    right = clock.now
    clock.now += 3_600 * SECOND * 24 * 365
    history.observe([head("a")])
    clock.now = right + SECOND
    assert told(history, event("b", told_s=1_001)) == [
        Outcome.LATE
    ]  # as far as is known, it was before the answer
    history.observe([head("b")])
    assert told(history, event("c", told_s=1_001)) == [Outcome.MOVED]
    assert pointed(history) == ["a", "b", "c"]


def test_how_asking_goes(history: GateHistory, clock: Clock) -> None:
    history.observe([head("a")])
    clock.now += SECOND
    history.asked([(PROD, "it did not answer in 5 s")])
    (watched,) = history.watched()
    assert watched.reference == PROD
    assert watched.asked_ns - watched.answered_ns == SECOND
    assert watched.problem == "it did not answer in 5 s"
    history.observe([head("a")])
    assert history.watched()[0].problem == ""


def test_what_the_registry_answered_last_is_what_a_reconciler_knows(history: GateHistory) -> None:
    told(history, event("a"), event("s", tag="stage"), event("d", tag="dev"))
    stage = Reference(REGISTRY, "ml/llm", "stage")
    history.observe([head("a"), Observation(reference=stage, digest="")])
    assert history.confirmed() == {PROD: digest("a"), stage: ""}
    history.asked([(stage, "")])
    assert [each.answered_ns > 0 for each in history.watched()] == [True, True]


def test_pages(history: GateHistory, clock: Clock) -> None:
    told(history, *(event(str(n), tag=f"t{n % 7}") for n in range(2_345)))
    assert [move.sequence for move in history.moves()] == list(range(1, 2_346))
    assert [move.sequence for move in history.moves(2_340)] == [2341, 2342, 2343, 2344, 2345]
    tag = Reference(REGISTRY, "ml/llm", "t3")
    last = history.history(tag, limit=3)
    assert [move.sequence for move in last] == [2328, 2335, 2342]
    assert [move.sequence for move in history.history(tag, limit=2, before=2328)] == [2314, 2321]
    assert len(history.history(Reference(REGISTRY, "ml/llm"), limit=9)) == 9
    assert len(history.between(clock.now, clock.now, limit=8)) == 8
    assert history.between(0, clock.now - 1) == ()
    assert [move.tag for move in history.with_digest(digest("5"))] == ["t5"]


# --- any order, any loss -----------------------------------------------------------------------------------------------


@st.composite
def stories(draw: st.DrawFn) -> tuple[list[str], list[tuple[str, int]]]:
    """Digests that a tag pointed to, second by second; and what happens: a webhook of one of them, or a round of asking."""
    pushes = draw(st.lists(st.sampled_from("abc"), min_size=1, max_size=8))
    steps = st.tuples(st.just("told"), st.integers(0, len(pushes) - 1)) | st.tuples(
        st.just("asked"), st.just(0)
    )
    return pushes, draw(st.lists(steps, max_size=20))


@settings(max_examples=60)
@given(stories())
def test_however_webhooks_come_the_next_answer_is_the_truth_and_rows_hang_together(
    story: tuple[list[str], list[tuple[str, int]]],
) -> None:
    pushes, steps = story
    clock = Clock(START + len(pushes) * SECOND)
    with TemporaryDirectory() as folder, opened(Path(folder), clock) as history:
        answered = False
        for step, at in steps:
            clock.now += SECOND // 100
            if step == "asked":
                history.observe([head(pushes[-1])])
                answered = True
            else:
                history.take([event(f"push-{at}", pushes[at], at + 1)])
            if answered:
                assert history.current(PROD).digest == digest(pushes[-1])  # type: ignore[union-attr]
        moves = history.history(PROD)
        assert [move.sequence for move in moves] == list(range(1, len(moves) + 1))
        assert [move.previous for move in moves] == ["", *(move.digest for move in moves)][: len(moves)]
        assert all(move.digest != move.previous for move in moves)
        assert sorted(moves, key=lambda move: move.seen_ns) == list(moves)


@settings(max_examples=40)
@given(st.permutations(range(6)), st.lists(st.integers(0, 5), max_size=4))
def test_without_answers_the_latest_by_the_registrys_clock_counts(order: list[int], again: list[int]) -> None:
    with TemporaryDirectory() as folder, opened(Path(folder), Clock(START + 60 * SECOND)) as history:
        for at in [*order, *again]:
            history.take([event(str(at), told_s=at + 1)])
        assert history.current(PROD).digest == digest("5")  # type: ignore[union-attr]
        known = {move.digest for move in history.history(PROD)} | {
            s.event.digest for s in history.strays(PROD)
        }
        assert known == {digest(str(at)) for at in range(6)}
