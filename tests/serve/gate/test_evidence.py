"""A stretch of moves is judged as each of them alone, whatever it reads once, and a busy tag does not read its past each time."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from eightysix.gate.moves import Promotion, findings
from eightysix.gate.policy.form import Mode
from eightysix.model.gate import Artifact, Channel, Decision, GateEvent, Reference, Ruling, TagMove
from eightysix.serve.gate import evidence as module
from eightysix.serve.gate.evidence import Evidence, judged_with
from eightysix.serve.gate.feeding import Feed
from eightysix.store.history import GateHistory
from tests.store.history.made import PROD, REGISTRY, START, Clock, digest, event, opened

SECOND = 10**9
STAGING = Reference(REGISTRY, "ml/staging", "*")
PROMOTIONS = (Promotion(STAGING, replace(PROD, tag="*")),)


@contextmanager
def empty(clock: Clock) -> Iterator[GateHistory]:
    with tempfile.TemporaryDirectory() as folder, opened(Path(folder), clock) as history:
        yield history


def place_of(move: TagMove) -> Reference:
    return Reference(move.registry, move.repository, move.tag)


steps = st.tuples(
    st.sampled_from(["ml/llm", "ml/staging", "ml/other"]),
    st.sampled_from(["prod", "1.2.3", "1.3.0"]),
    st.sampled_from("abcdef"),
    st.sampled_from(["", "ci", "eve"]),
    st.sampled_from([Channel.DISTRIBUTION, Channel.RECONCILER]),
    st.sampled_from([1, 30, 700, 86_400 * 12]),
    st.sampled_from([None, Ruling.ALLOW, Ruling.HOLD]),
)


@given(walk=st.lists(steps, min_size=1, max_size=25), cut=st.tuples(st.integers(0, 24), st.integers(1, 25)))
@settings(max_examples=150, deadline=None)
def test_a_stretch_is_judged_as_each_of_its_moves_alone(
    walk: list[tuple[str, str, str, str, Channel, int, Ruling | None]], cut: tuple[int, int]
) -> None:
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch, empty(clock) as history:
        patch.setattr(module, "_MOST_OWN", 6)  # so that short walks go over the edge of what is read
        patch.setattr(module, "_MOST_AROUND", 8)
        for n, (repository, tag, of, actor, channel, later_s, ruling) in enumerate(walk):
            clock.now += later_s * SECOND
            history.take([event(str(n), of, tag=tag, repository=repository, actor=actor, channel=channel)])
            kinds = ("pickle",) if of in "ef" else ("safetensors",)
            history.learn([Artifact(digest=digest(of), kinds=kinds)])
            if ruling is not None:
                history.decide(
                    Decision(
                        id=f"d{n}",
                        at_ns=clock.now,
                        reference=Reference(REGISTRY, repository, tag, digest(of)),
                        digest=digest(of),
                        previous="",
                        ruling=ruling,
                        mode=Mode.ENFORCE,
                    )
                )
        rows = tuple(history.moves())
        stretch = rows[cut[0] : cut[0] + cut[1]]
        together = Evidence(history, stretch, promotions=PROMOTIONS)
        for move in stretch:
            alone = judged_with(history, place_of(move), subject=move.sequence, promotions=PROMOTIONS)
            seen, context = together.of(place_of(move), subject=move.sequence)
            assert context == alone[1]
            assert findings(seen, context) == findings(*alone)
            until = [row for row in seen if row.sequence <= move.sequence]
            assert until == [row for row in alone[0] if row.sequence <= move.sequence]
            assert until[-1] == move


def test_what_the_same_round_found_in_staging_later_counts() -> None:
    clock = Clock()
    with empty(clock) as history:
        history.take([event("a", tag="1.0", repository="ml/llm", channel=Channel.RECONCILER)])
        history.take([event("old", tag="x", repository="ml/staging", channel=Channel.RECONCILER)])
        clock.now += SECOND
        history.take([event("b", tag="1.0", repository="ml/llm", channel=Channel.RECONCILER)])
        (move,) = history.history(replace(PROD, tag="1.0"), limit=1)

        def rules() -> set[str]:
            evidence = Evidence(history, [move], promotions=PROMOTIONS)
            return {each.rule for each in findings(*evidence.of(place_of(move), subject=move.sequence))}

        assert "promotion-digest-differs" in rules()
        clock.now += SECOND
        history.take([event("s", "b", tag="x", repository="ml/staging", channel=Channel.RECONCILER)])
        assert "promotion-digest-differs" not in rules()


class Counted(GateHistory):
    """Counts the rows that queries gave."""

    rows = 0

    def _rows(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        found = super()._rows(query, values)
        self.rows += len(found)
        return found


@pytest.fixture
def busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A version tag that was overwritten 640 times, and far less that a move is judged with."""
    monkeypatch.setattr(module, "_MOST_OWN", 100)
    monkeypatch.setattr(module, "_MOST_AROUND", 200)
    clock = Clock()
    with opened(tmp_path, clock) as history:
        for at in range(0, 640, 64):
            clock.now = START + at * SECOND
            history.take([event(str(n), tag="1.2.3", actor="ci") for n in range(at, at + 64)])
    return tmp_path / "gate.sqlite"


def test_a_busy_tag_does_not_read_its_past_for_each_move(busy: Path) -> None:
    """Each move alone would read 100 rows of the tag, 100 of its repository and 200 around."""
    lines: list[bytes] = []
    with Counted(busy, Clock(), read_only=True) as history:
        assert Feed(history, lines.append, 320).drain() == 320
        assert history.rows < 320 * 20
    assert len(lines) == 5  # each is one flush of the disk


def test_a_feed_that_is_far_behind_judges_the_first_rows_with_what_was_before_them(busy: Path) -> None:
    lines: list[bytes] = []
    with GateHistory.open(busy, Clock(), read_only=True) as history:
        Feed(history, lines.append, 0).drain()
    told = [msgspec.json.decode(line, type=GateEvent) for line in b"".join(lines).splitlines()]
    assert [event.id for event in told] == [f"move-{n}" for n in range(1, 641)]
    assert ["tag-moved" in event.held_for for event in told] == [False] + [True] * 639
