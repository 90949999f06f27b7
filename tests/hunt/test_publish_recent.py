"""What is new stays new between two runs of a portal that runs rules less often than the query expects."""

from __future__ import annotations

import json

import pytest

from eightysix.hunt.binder import Binder
from eightysix.hunt.interface import QueryKind
from eightysix.hunt.pack import load
from eightysix.hunt.publish import defender
from eightysix.hunt.publish.recent import covering
from eightysix.model.errors import QueryError
from eightysix.model.table import Environment

WAITS = {"PT1H": 60, "PT3H": 180, "PT12H": 720, "P1D": 1440}


@pytest.mark.parametrize(
    ("text", "minutes", "expected"),
    [
        (
            "let recent = 75m;\nT | where t > ago(recent)",
            1455,
            "let recent = 1455m;\nT | where t > ago(recent)",
        ),
        ("let  recent=75m ;T", 76, "let  recent=76m ;T"),
        ("let recent = 2d;\nT", 1455, "let recent = 2d;\nT"),
        ("let recent = 75m;\nT", 75, "let recent = 75m;\nT"),
        ("// let recent = 5m;\nT | where recent > 1", 75, "// let recent = 5m;\nT | where recent > 1"),
        ("T | take 5", 75, "T | take 5"),
    ],
)
def test_recent_covers_what_a_portal_waits(text: str, minutes: int, expected: str) -> None:
    assert covering(text, minutes) == expected


@pytest.mark.parametrize("value", ["1.5h", "ago(1d)", "75", "75s", "1d + 5m", "'75m'"])
def test_a_recent_that_nobody_can_lengthen_is_refused(value: str) -> None:
    with pytest.raises(QueryError, match="recent"):
        covering(f"let recent = {value};\nT", 1455)


def test_no_detection_of_the_pack_leaves_a_gap_between_two_runs(binder: Binder) -> None:
    rules = [one for one in load().values() if one.kind is QueryKind.ANALYTICS and "recent" in one.parameters]
    published = defender.publish(rules, binder)
    assert len(published.files) > 10
    for name, data in published.files.items():
        made = json.loads(data)
        text = made["queryCondition"]["queryText"]
        assert covering(text, WAITS[made["schedule"]["frequency"]]) == text, name
        assert binder.bind(text, Environment.DEFENDER).ok, name
