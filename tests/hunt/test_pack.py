"""Every query of the pack: right on its rows in any order and however often they come, and named truly in its `about.yml`."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from eightysix.hunt.engine import run
from eightysix.hunt.interface import QueryKind
from eightysix.hunt.local import Tally, source_of_rows
from eightysix.hunt.pack import load, load_folder, packaged_folder, read_query
from eightysix.hunt.packtest import run_query_tests
from eightysix.model.errors import QueryError
from eightysix.model.table import Environment, Row
from eightysix.rules.yamlfile import RuleFileError
from eightysix.store import tables
from tests.hunt import test_pack_cloud

pytest.importorskip("duckdb_kql", reason="needs the extra hunt")

IDS = sorted(load())
RUN = sorted(set(IDS).difference(test_pack_cloud.IDS))
"""Those whose rows are run here: all that the other half does not run. Binding is in test_pack_binds."""


def rows_of(stream: Path) -> list[tuple[str, Row]]:
    lines = stream.read_text(encoding="utf-8").split("\n")
    return [(one["table"], one["row"]) for one in map(json.loads, filter(None, lines))]


def streams(query: str, expected: str) -> list[Path]:
    return sorted((packaged_folder() / query / expected).glob("*.jsonl"))


@pytest.mark.parametrize("name", RUN)
def test_a_query_is_right_on_its_rows(name: str) -> None:
    found = list(run_query_tests(load()[name], packaged_folder() / name))
    assert [one for one in found if not one.passed] == []
    assert len(found) == sum(len(streams(name, expected)) for expected in ("fires", "quiet"))


@pytest.mark.parametrize("name", IDS)
def test_two_streams_fire_and_two_near_misses_stay_quiet(name: str) -> None:
    for expected in ("fires", "quiet"):
        texts = {one.read_text(encoding="utf-8") for one in streams(name, expected)}
        assert len(texts) >= 2
        assert all(text.strip() for text in texts)


@pytest.mark.parametrize("name", RUN)
def test_order_and_repetition_of_rows_change_nothing(name: str) -> None:
    for expected in ("fires", "quiet"):
        stream = streams(name, expected)[0]
        rows = rows_of(stream)
        again = [*rows, *rows]
        random.Random(name).shuffle(again)
        tally = Tally()
        source = source_of_rows(iter(again), tally=tally)
        try:
            result = run(load()[name].text, source, now=tally.now)
        finally:
            source.close()
        assert bool(result.rows) is (expected == "fires"), stream.name


@pytest.mark.parametrize("name", IDS)
def test_tables_and_rows_are_those_that_are_documented(name: str) -> None:
    query, known = load()[name], tables.load()
    for table in query.tables:
        there = known[table].columns
        for environment in query.environments:
            if environment is Environment.DEFENDER:  # it shows the workspace's tables beside its own
                assert Environment.DEFENDER in there or Environment.LOG_ANALYTICS in there
            elif environment is Environment.LOG_ANALYTICS:
                assert Environment.LOG_ANALYTICS in there
    for stream in [*streams(name, "fires"), *streams(name, "quiet")]:
        for table, row in rows_of(stream):
            assert table in known
            columns = {one.name for found in known[table].columns.values() for one in found}
            assert set(row) <= columns, f"{stream.name}: {sorted(set(row) - columns)}"


def test_hostile_rows_are_among_those_that_fire() -> None:
    with_hostile = [
        name for name in RUN if any(one.stem.startswith("hostile") for one in streams(name, "fires"))
    ]
    assert len(with_hostile) >= 15


ABOUT = """\
title: "A title"
kind: analytics
question: "What?"
tables: [AKSAudit]
environments: [log-analytics, local]
stages: [use]
attack: [T1552.005]
matrix: [MS-TA9028]
volume: "None."
false_positives: ["None known."]
next: ["Look."]
parameters:
  lookback: "How far back."
analytics:
  every: 60
  over: 1440
  severity: High
  entities:
    IP:
      Address: SourceIp
plan: Analytics
"""
TEXT = "let lookback = 1d;\nAKSAudit | where TimeGenerated > ago(lookback) | project SourceIp = tostring(SourceIps[0])\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    one = tmp_path / "a-query"
    one.mkdir()
    (one / "query.kql").write_text(TEXT)
    (one / "about.yml").write_text(ABOUT)
    return one


def test_every_query_of_the_pack_says_its_plan() -> None:
    for name, query in load().items():
        about = (packaged_folder() / name / "about.yml").read_text()
        assert (f"\nplan: {query.plan}\n" in about) is (Environment.LOG_ANALYTICS in query.environments), name


def test_a_query_is_read(folder: Path) -> None:
    query = read_query(folder)
    assert (query.id, query.kind, query.tables) == ("a-query", QueryKind.ANALYTICS, ("AKSAudit",))
    assert query.analytics is not None
    assert (query.analytics.every, query.analytics.late) == (60, 15)
    assert load_folder(folder.parent) == {"a-query": query}


def faults() -> Iterator[tuple[str, str, str]]:
    yield "title: ", "titel: ", "line 1, column 1: unknown key 'titel'; did you mean 'title'?"
    yield "kind: analytics", "kind: hunt", "line 2, column 7: kind cannot be 'hunt'"
    yield (
        "[AKSAudit]",
        "[AKSAudits]",
        "line 4, column 10: unknown table 'AKSAudits'; `eightysix hunt tables` lists them",
    )
    yield (
        "[AKSAudit]",
        "[AKSAudit, AuditLogs]",
        "line 4, column 20: the query does not name the table 'AuditLogs'",
    )
    yield "[AKSAudit]", "[AuditLogs]", "line 4, column 9: tables lacks 'AKSAudit', which the query names"
    yield "local]", "azure]", "line 5, column 31: an environment cannot be 'azure'"
    yield "[use]", "[abuse]", "line 6, column 10: a stage cannot be 'abuse'"
    yield "T1552.005", "T1552.5", "line 7, column 10: 'T1552.5' is no ATT&CK technique"
    yield "[T1552.005]", "[T1528, T1528]", "line 7, column 17: 'T1528' stands twice in attack"
    yield "MS-TA9028", "MS-TA9032", "line 8, column 10: 'MS-TA9032' is not in Microsoft's threat matrix"
    yield (
        "  lookback:",
        "  lookbak:",
        "line 13, column 3: the query has no `let lookbak = ...;`; did you mean 'lookback'?",
    )
    yield "every: 60", "every: 1", "line 15, column 10: every (minutes) is a whole number from 5 to 20160"
    yield "over: 1440", "over: 30", "line 16, column 9: over is shorter than every (60)"
    yield "over: 1440", "over: 20160", "line 16, column 9: over and late are more than 20160 minutes together"
    yield "severity: High", "severity: high", "line 17, column 13: severity cannot be 'high'"
    yield "    IP:", "    Ip:", "line 19, column 5: unknown entity 'Ip'"
    yield (
        "      Address:",
        "      Adress:",
        "line 20, column 7: unknown key 'Adress'; did you mean 'Address'?",
    )
    yield "kind: analytics", "kind: hunting", "a hunting query has no schedule"
    yield (
        "plan: Analytics",
        "plan: Basic",
        "line 21, column 7: plan cannot be 'Basic'; the query needs Analytics",
    )
    yield "plan: Analytics", "plan: Free", "line 21, column 7: plan cannot be 'Free'"
    yield "volume:", "volume: &a", "anchors and aliases are not allowed"


@pytest.mark.parametrize(("old", "new", "told"), list(faults()))
def test_what_is_wrong_in_about_is_told_with_its_place(folder: Path, old: str, new: str, told: str) -> None:
    assert old in ABOUT
    (folder / "about.yml").write_text(ABOUT.replace(old, new, 1))
    with pytest.raises(RuleFileError) as caught:
        load_folder(folder.parent)
    assert told in str(caught.value)


def test_everything_that_is_wrong_in_any_query_is_told_at_once(folder: Path) -> None:
    (folder / "about.yml").write_text(ABOUT.replace("T1552.005", "x").replace("MS-TA9028", "y"))
    other = folder.parent / "Other"
    other.mkdir()
    (other / "query.kql").write_text(TEXT)
    (other / "about.yml").write_text("[]")
    with pytest.raises(RuleFileError) as caught:
        load_folder(folder.parent)
    assert len(caught.value.errors) == 3


def test_an_analytics_rule_without_schedule_is_refused(folder: Path) -> None:
    (folder / "about.yml").write_text(ABOUT.partition("analytics:\n  every")[0])
    with pytest.raises(RuleFileError, match="lacks the key 'analytics'"):
        read_query(folder)


def test_text_that_cannot_be_read_is_told(folder: Path) -> None:
    (folder / "query.kql").write_bytes(b"AKSAudit // \xff")
    with pytest.raises(QueryError, match="not UTF-8"):
        read_query(folder)
    (folder / "query.kql").write_bytes(b"x" * 70_000)
    with pytest.raises(QueryError, match="longer than"):
        read_query(folder)
    (folder / "query.kql").unlink()
    with pytest.raises(QueryError, match="cannot be read"):
        read_query(folder)


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="cannot be read"):
        load_folder(tmp_path / "none")
