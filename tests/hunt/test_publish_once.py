"""Rules run on their schedule for a day over rows that arrive late: each finding is told once.

What is run is the text that is published, with what Sentinel adds to it: `ingestion_time()` is a column here, and rows
older than the period are out of sight. Each rule is given what fires it, twice in a day and in many pods at each, so
that steps of findings lie on both sides of a run. Arrivals are up to the promised lateness after the row's own time.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

import pytest

from eightysix.hunt.engine import run
from eightysix.hunt.interface import Query, Result
from eightysix.hunt.lexer import tokens
from eightysix.hunt.local import source_of_rows
from eightysix.hunt.pack import load, packaged_folder
from eightysix.hunt.publish.late import MAX_TEXT, overlapped
from eightysix.hunt.twins import twin
from eightysix.model.table import Environment, Row
from eightysix.model.timestamps import to_ns

MINUTE = 60 * 1_000_000_000
DAY = 1_773_100_800_000_000_000
"""2026-03-10T00:00:00Z."""
TIMES = (433, 1197)
"""Minutes of the day at which findings happen."""
PODS = 5

RULES = {
    "chain-86-seconds": ("secrets-listed", "PodName"),
    "exec-then-credentials": ("kubectl-1-31-gets", "PodName"),
    "known-incident-packages": ("litellm-landed", "PodName"),
    "privileged-gpu-pod": ("privileged-takes-the-node-identity", "PodName"),
    "token-and-secret-burst": ("list-then-read", "CallerPod"),
}
"""Rule -> a stream that fires it, and the column that names its pod."""


def test_every_rule_that_has_a_key_is_run_here() -> None:
    assert {name for name, one in load().items() if one.analytics and one.analytics.key} == RULES.keys()


def stream(query: Query, name: str) -> list[tuple[str, dict[str, object]]]:
    file = packaged_folder() / query.id / "fires" / f"{name}.jsonl"
    found = [json.loads(line) for line in file.read_text().splitlines() if line.strip()]
    return [(one["table"], one["row"]) for one in found]


def time_of(row: Row) -> int:
    text = row.get("TimeGenerated") or row["Timestamp"]
    assert isinstance(text, str)
    return to_ns(text)


def copies(rows: list[tuple[str, dict[str, object]]], pod: str) -> Iterator[tuple[str, Row]]:
    """The rows again and again: at each time, in pods of other names. What is before their last hour stays once."""
    first = max(time_of(row) for _, row in rows) - 30 * MINUTE
    for at, minute in enumerate(TIMES):
        for number in range(PODS):
            shift = DAY + minute * MINUTE + number * 47 * 1_000_000_000 - first
            for table, row in rows:
                text = json.dumps(row).replace(pod, f"{pod}x{at}x{number}")
                moved: dict[str, object] = json.loads(text)
                for name in ("TimeGenerated", "Timestamp"):
                    if name in moved:
                        moved[name] = time_of(row) + shift
                yield table, moved


class Workspace:
    """A workspace in which a rule runs: rows, when each came, and the two halves of the rule."""

    def __init__(self, query: Query, rows: list[tuple[str, Row]]) -> None:
        assert query.analytics
        self.analytics = query.analytics
        window = overlapped(twin(query.text, Environment.LOG_ANALYTICS), query.analytics)
        self.period = window.period
        body, _, rest = window.text.partition("{\n")[2].rpartition("\n};\nfound(now())")
        assert f"found(ago({self.analytics.every}m))" in rest
        assert len(window.text) <= MAX_TEXT
        seen = f"TimeGenerated > ago({self.period}m) and IngestedAt <="
        named = [one.text for one in tokens(body) if one.kind == "word" and one.text in query.tables]
        assert body.count("ingestion_time() <= upto") == len(named) >= len(query.tables)
        # A moment later than the run is one that Sentinel does not see yet.
        self.now = body.replace("ingestion_time() <= upto", f"{seen} now()")
        self.before = body.replace("ingestion_time() <= upto", f"{seen} ago({self.analytics.every}m)")
        self.source = source_of_rows(rows)
        late = self.analytics.late * 60 * 1_000_000
        for table in query.tables:
            self.source.execute(f"ALTER TABLE {table} ADD COLUMN IngestedAt TIMESTAMP")
            self.source.execute(
                f"UPDATE {table} SET IngestedAt = TimeGenerated + to_microseconds(CAST(hash(rowid, 86) % {late} AS BIGINT))"
            )
        self.tables = query.tables

    def arrived(self, moment: int) -> bool:
        """Whether a row came since the run before: a run without one has twice the same rows, and tells nothing."""
        since = (moment - self.analytics.every * MINUTE) // 1000
        return any(
            self.source.execute(
                f"SELECT count(*) FROM {table} WHERE epoch_us(IngestedAt) > {since} AND epoch_us(IngestedAt) <= {moment // 1000}"
            ).fetchall()[0][0]
            for table in self.tables
        )

    def keys(self, text: str, moment: int) -> list[tuple[object, ...]]:
        key = ", ".join(self.analytics.key)
        found: Result = run(f"{text.rstrip()}\n| project {key}", self.source, now=moment)
        return [tuple(row) for row in found.rows]


@pytest.mark.parametrize("name", RULES)
def test_each_finding_is_told_once(name: str) -> None:
    query = load()[name]
    recorded, column = RULES[name]
    rows = stream(query, recorded)
    before = source_of_rows(rows)
    result = run(query.text, before, now=max(time_of(row) for _, row in rows) + 1_000)
    before.close()
    pods = {row[[one.name for one in result.columns].index(column)] for row in result.rows}
    (pod,) = pods
    assert isinstance(pod, str)
    workspace = Workspace(query, list(copies(rows, pod)))
    told: Counter[tuple[object, ...]] = Counter()
    last = 0
    every = workspace.analytics.every
    for minute in range(every, 24 * 60 + workspace.analytics.late + every, every):
        moment = DAY + minute * MINUTE
        if workspace.arrived(moment):
            found = workspace.keys(workspace.now, moment)
            known = set(workspace.keys(workspace.before, moment))
            new = [one for one in found if one not in known]
            told.update(new)
            last = moment if new else last
    again = workspace.keys(workspace.now, last + every * MINUTE)
    workspace.source.close()
    assert len(told) == len(TIMES) * PODS * len(result.rows)
    assert set(told.values()) == {1}
    assert again, "no finding is in sight of two runs: this test would show nothing"


def test_a_text_that_is_too_long_loses_its_comments() -> None:
    query = load()["known-incident-packages"]
    assert query.analytics
    comment = "// " + "x" * 400 + "\n"
    window = overlapped(comment * 20 + query.text, query.analytics)
    assert len(comment * 20 + query.text) > MAX_TEXT > len(window.text)
    assert "//" not in window.text
    assert "xxx" not in window.text


def test_a_rule_without_a_key_stays_as_it_was() -> None:
    for query in load().values():
        if query.analytics and not query.analytics.key:
            assert "let found = (upto" not in overlapped(query.text, query.analytics).text
