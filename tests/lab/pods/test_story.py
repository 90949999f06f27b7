"""What is told while a scenario is played."""

from __future__ import annotations

import json
import time
from pathlib import Path

from eightysix.lab.pods.story import Story, sentence


def test_marks_come_between_the_steps_in_their_order_and_leaps_move_the_time(tmp_path: Path) -> None:
    told: list[tuple[float, str, str]] = []
    truth = tmp_path / "truth.jsonl"
    with Story(truth, lambda at, kind, text: told.append((at, kind, text))) as story:
        story.step("one")
        marks = [
            {"t_ns": time.time_ns(), "mark": "leap", "seconds": 1000},
            {"t_ns": time.time_ns() + 1000 * 10**9, "mark": "index-download", "file": "a.whl"},
            {"t_ns": time.time_ns(), "mark": "exec", "argv": ["ls"]},
        ]
        truth.write_text("".join(json.dumps(mark) + "\n" for mark in marks) + '{"half')
        story.step("two")
    assert [text for _, _, text in told] == ["one", "a.whl is downloaded", "two"]
    assert told[0][0] == 0
    assert all(1000 <= at < 1060 for at, _, _ in told[1:])


def test_a_mark_that_tells_less_than_its_sentence_is_told_all_the_same() -> None:
    assert sentence({"mark": "sink"}) == "? bytes arrive at the sink"
    assert not sentence({"mark": "index-page", "project": "x"})
