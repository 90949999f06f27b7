"""A backtest counts what would have woken somebody, learns nothing from incidents, and measures what would remain."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.context.baseline import Baseline, encode_baseline
from eightysix.detect.exceptions import ExceptionRule, Place
from eightysix.model.backtest import Page, is_page
from eightysix.model.words import Verdict
from eightysix.rules.catalog import load_packaged
from eightysix.rules.exceptions import parse_exception
from eightysix.serve.backtest import MAX_DAYS_TOLD, Backtested, backtest, days_between
from eightysix.serve.replay import Replay, ReplayOptions
from tests.serve.days import write_days, write_stream
from tests.streams import ATTACKS, KERNEL_AND_AUDIT, KERNEL_ONLY, LOOK_ALIKES

RULES = load_packaged()


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_days(tmp_path_factory.mktemp("backtest") / "days")


@pytest.fixture(scope="module")
def found(days: Path) -> Backtested:
    return backtest(RULES, ReplayOptions(), [str(days)])


def woke(pages: tuple[Page, ...]) -> Counter[tuple[str, str, str]]:
    return Counter((page.day, page.rule, str(page.verdict)) for page in pages if is_page(page))


def test_pages_are_counted_on_the_day_on_which_they_came(found: Backtested) -> None:
    assert woke(found.told.before.pages) == {
        ("2026-11-24", "credential-sweep", "suspect"): 1,
        ("2026-11-25", "credential-sweep", "suspect"): 1,
        ("2026-11-25", "poisoned-install", "contain"): 1,
    }
    assert found.told.days == tuple(f"2026-11-{day}" for day in range(24, 29))


def test_watch_wakes_nobody(found: Backtested) -> None:
    (watched,) = (page for page in found.told.before.pages if page.verdict is Verdict.WATCH)
    assert watched.day == "2026-11-28"
    assert not is_page(watched)


def test_two_pods_that_did_the_same_share_one_proposal(found: Backtested) -> None:
    (proposal,) = found.told.exceptions
    suspects = [p.incident for p in found.told.before.pages if p.verdict is Verdict.SUSPECT]
    assert sorted(suspects) == list(proposal.incidents)
    exception = parse_exception(proposal.text.encode(), "proposal")
    assert (exception.workload, exception.rule) == ("ml/inference", "credential-sweep")
    assert exception.created == date(2026, 11, 25)  # a date of the telemetry: the same proposal on any day


def test_contain_is_refused_and_remains(found: Backtested) -> None:
    (refusal,) = found.told.refused
    assert "contain" in refusal.why
    assert woke(found.told.after.pages) == {("2026-11-25", "poisoned-install", "contain"): 1}


def test_what_remains_is_what_detect_says_with_the_proposals(found: Backtested, days: Path) -> None:
    exceptions = tuple(parse_exception(p.text.encode(), p.name) for p in found.told.exceptions)
    options = ReplayOptions(baseline=found.baseline, exceptions=exceptions)
    report = Replay(RULES, options).read([str(days)], None)
    told = {(i.id, i.rule, i.verdict, i.suppressed_by) for i in report.incidents}
    assert told == {(p.incident, p.rule, p.verdict, p.silenced_by) for p in found.told.after.pages}


def test_as_it_is_is_what_detect_says(found: Backtested, days: Path) -> None:
    report = Replay(RULES, ReplayOptions()).read([str(days)], None)
    told = {(i.id, i.rule, i.verdict, i.score) for i in report.incidents}
    assert told == {(p.incident, p.rule, p.verdict, p.score) for p in found.told.before.pages}


@pytest.mark.parametrize("name", sorted(ATTACKS))
def test_learning_on_the_way_changes_no_verdict(name: str, tmp_path: Path) -> None:
    # The first reading asks for the first start of every program, as a baseline needs; `detect` does not.
    write_stream(tmp_path / "x", ATTACKS[name](KERNEL_AND_AUDIT))
    plain, learning = (
        Replay(RULES, ReplayOptions(first_programs=asked)).read([str(tmp_path)], None)
        for asked in (False, True)
    )
    assert [(i.id, i.revision, i.score, i.verdict) for i in plain.incidents] == [
        (i.id, i.revision, i.score, i.verdict) for i in learning.incidents
    ]


@pytest.mark.parametrize("name", ["mlflow-server", "rollout-3", "two-domains-daily", "node-agent-polling"])
def test_without_incidents_the_baseline_is_that_of_baseline_build(name: str, tmp_path: Path) -> None:
    write_stream(tmp_path / "x", LOOK_ALIKES[name](KERNEL_AND_AUDIT))
    built = Replay((), ReplayOptions())
    built.read([str(tmp_path)], None)
    found = backtest(RULES, ReplayOptions(), [str(tmp_path)])
    assert found.told.before.pages == ()
    assert encode_baseline(found.baseline) == encode_baseline(built.build_baseline()[0])


def test_the_baseline_learns_nothing_from_a_pod_with_an_incident(found: Backtested) -> None:
    assert list(found.baseline.workloads) == ["ml/Deployment/churn-model"]
    assert (
        found.told.baseline.withheld == 4
    )  # the watched one too: it may be a breach of which a part was seen
    assert b"198.51.100" not in encode_baseline(found.baseline)


def test_pods_at_watch_teach_the_baseline_only_when_somebody_says_so(days: Path, found: Backtested) -> None:
    assert found.told.baseline.watched == 1
    taught = backtest(RULES, ReplayOptions(), [str(days)], learn_watched=True)
    assert (taught.told.baseline.withheld, taught.told.baseline.watched) == (3, 0)
    assert "ml/StatefulSet/inference" in taught.baseline.workloads


def test_a_baseline_may_make_it_worse_and_that_is_told(tmp_path: Path) -> None:
    found = backtest(RULES, ReplayOptions(), [str(write_days(tmp_path / "days", known=True))])
    before, between = woke(found.told.before.pages), woke(found.told.with_baseline.pages)
    assert between.total() > before.total()
    assert {verdict for _, _, verdict in between} == {"contain"}  # its destination is now known to be new


def test_what_a_pod_does_counts_as_normal_once_somebody_looked_at_it(days: Path) -> None:
    looked_at = ExceptionRule(
        "known", "credential-sweep", "ml/inference", date(2026, 11, 1), date(2026, 12, 24), "r", "a",
        destinations=(Place("198.51.100.86"),),
    )  # fmt: skip
    found = backtest(RULES, ReplayOptions(exceptions=(looked_at,)), [str(days)])
    assert sum(page.silenced_by == "known" for page in found.told.before.pages) == 2
    assert found.told.baseline.withheld == 2
    assert "ml/StatefulSet/inference" in found.baseline.workloads


def test_the_operators_baseline_is_extended_and_left_alone(days: Path) -> None:
    mine = Baseline()
    mine.profile("shop/Deployment/cart", "sha256:1").add("destinations", "10.0.0.9:443")
    before = encode_baseline(mine)
    found = backtest(RULES, ReplayOptions(baseline=mine), [str(days)])
    assert encode_baseline(mine) == before
    assert set(found.baseline.workloads) == {"shop/Deployment/cart", "ml/Deployment/churn-model"}


def test_what_each_rule_needed_and_had(tmp_path: Path) -> None:
    write_stream(tmp_path / "x", LOOK_ALIKES["mlflow-server"](KERNEL_AND_AUDIT))
    (tmp_path / "x" / "tetragon.jsonl").unlink()
    found = backtest(RULES, ReplayOptions(), [str(tmp_path)])
    for rule in found.told.before.rules:
        told = set(rule.had) | set(rule.missing)
        assert all(need in told or told & set(need.split("|")) for need in rule.needs)
        assert len(rule.switch_on) == len(rule.missing)
        assert rule.missing or rule.needs == ("api-audit",)
    (drift,) = (rule for rule in found.told.before.rules if rule.rule == "release-drift")
    assert "baseline" in drift.missing
    (drift,) = (rule for rule in found.told.with_baseline.rules if rule.rule == "release-drift")
    assert "baseline" not in drift.missing


def test_the_same_input_gives_the_same_bytes(found: Backtested, days: Path) -> None:
    again = backtest(RULES, ReplayOptions(), [str(days)])
    assert msgspec.json.encode(again.told) == msgspec.json.encode(found.told)
    assert encode_baseline(again.baseline) == encode_baseline(found.baseline)


def test_names_of_proposals_are_free(days: Path) -> None:
    other = ExceptionRule(
        "credential-sweep-ml-inference", "any", "shop/cart", date(2026, 11, 1), date(2026, 12, 1), "r", "a",
        destinations=(Place("192.0.2.1"),),
    )  # fmt: skip
    found = backtest(RULES, ReplayOptions(exceptions=(other,)), [str(days)])
    assert [p.name for p in found.told.exceptions] == ["credential-sweep-ml-inference-2"]


def test_a_workload_nobody_names_gets_no_exception(tmp_path: Path) -> None:
    recording = ATTACKS["dropper"](KERNEL_ONLY)
    write_stream(tmp_path / "x", recording)
    file = tmp_path / "x" / "tetragon.jsonl"
    file.write_text(file.read_text().replace('"workload":"inference"', '"workload":"../<i>"'))
    found = backtest(RULES, ReplayOptions(), [str(tmp_path)])
    assert found.told.exceptions == ()
    assert [r.why for r in found.told.refused] == ["the workload of the incident is not known"]
    assert sum(map(is_page, found.told.after.pages)) == 1


@given(st.lists(st.dates(), max_size=5))
def test_days_without_a_page_are_listed_within_a_bound(given_days: list[date]) -> None:
    told = days_between([day.isoformat() for day in given_days])
    assert set(told) >= {day.isoformat() for day in given_days}
    assert list(told) == sorted(set(told))
    assert len(told) <= max(MAX_DAYS_TOLD, len(given_days))
