"""The text of a backtest, reviewed whole; EIGHTYSIX_UPDATE_SNAPSHOTS=1 writes it anew."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from eightysix.model.backtest import Backtest, BaselineProposal, Judged, Page, Proposal, Refusal, RuleNeeds
from eightysix.model.incident import Counts, Problem, SourceCoverage
from eightysix.model.words import Verdict
from eightysix.report.backtest import write_json, write_plain
from eightysix.report.interface import RenderOptions
from eightysix.rules.catalog import load_packaged
from eightysix.serve.backtest import backtest, days_between
from eightysix.serve.replay import ReplayOptions
from tests.report.hostile import assert_inert, columns_of, hostile_text, poison
from tests.report.test_plain import check_snapshot, uncoloured
from tests.serve.days import write_days

NEEDS = (
    RuleNeeds("credential-sweep", ("connections", "files|provenance"), ("connections", "files|provenance")),
    RuleNeeds("release-drift", ("baseline", "connections"), ("connections",), ("baseline",), ("baseline: build one",)),
)  # fmt: skip


def page(day: int, rule: str, workload: str, number: int, verdict: Verdict = Verdict.SUSPECT) -> Page:
    date = days_between(["2026-10-30", "2026-12-30"])[day]
    return Page(date, rule, workload, f"{number:016x}", verdict, 75, f"{workload}-{number}")


def month() -> Backtest:
    """Thirty days of noise: more days, rules and workloads than a terminal has room for."""
    busy = [page(day, "credential-sweep", "ml/inference", day) for day in range(0, 30, 2)]
    wide = [
        page(29 - n % 5, "startup-hook", f"team-{n:02}/a-workload-with-a-long-name", 100 + n)
        for n in range(24)
    ]
    quiet = [page(n, "poisoned-install", "", 200 + n, Verdict.WATCH) for n in range(3)]
    contain = [page(29, "poisoned-install", "", 300, Verdict.CONTAIN)]
    silenced = [replace(page(20, "startup-hook", "ml/chat", 400), silenced_by="known")]
    before = tuple(sorted(busy + wide + quiet + contain + silenced))
    between = tuple(sorted(busy + wide + contain + [page(28, "release-drift", "ml/chat", 500)]))
    return Backtest(
        first="2026-10-30T00:00:00.000001Z",
        last="2026-11-28T23:59:59.999999Z",
        days=days_between(p.day for p in before),
        before=Judged(before, NEEDS),
        with_baseline=Judged(between, NEEDS[:1]),
        after=Judged(tuple(sorted(wide + contain)), NEEDS[:1]),
        baseline=BaselineProposal(12, 31, 27, 3, 4),
        exceptions=(
            Proposal("credential-sweep-ml-inference", "credential-sweep", "ml/inference", ("pypi:a==1", "[2001:db8::1]:443"),
                     tuple(p.incident for p in busy), "name: x\n"),
        ),
        refused=(
            Refusal("poisoned-install", "", (contain[0].incident,), "no exception can silence 'contain'"),
        ),
        sources=(SourceCoverage("tetragon", 81_000_000, {"exec": 1}, "2026-10-30T00:00:00Z", "2026-11-28T23:59:59Z"),),
        counts=Counts(81_000_000, 12_345_678, 3, 1, 0, 4),
        unattributed=7,
        flooded=("more than 20000 pods",),
        problems=(Problem("a.jsonl", 3, "malformed", "not JSON"),),
    )  # fmt: skip


def nothing() -> Backtest:
    quiet = Judged((), NEEDS)
    return Backtest("", "", (), quiet, quiet, quiet, BaselineProposal(), (), (), (), Counts())


def hostile() -> Backtest:
    return poison(month(), lambda: "\x1b[2J\u202e0 pages\r\n")


def plain(told: Backtest, width: int = 80, colour: bool = False, verbose: int = 0, written: str = "") -> str:
    return "".join(write_plain(told, RenderOptions(width, colour, verbose), written))


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Backtest:
    folder = write_days(tmp_path_factory.mktemp("days") / "days")
    return backtest(load_packaged(), ReplayOptions(), [str(folder)]).told


def test_some_days(days: Backtest) -> None:
    check_snapshot("backtest", plain(days, written="proposals"))


@pytest.mark.parametrize(
    ("name", "make", "width", "verbose"),
    [
        ("backtest-month", month, 80, 0),
        ("backtest-narrow", month, 40, 0),
        ("backtest-nothing", nothing, 80, 0),
        ("backtest-hostile", hostile, 80, 0),
    ],
)
def test_the_whole_text(name: str, make: Callable[[], Backtest], width: int, verbose: int) -> None:
    check_snapshot(name, plain(make(), width, verbose=verbose))


def test_every_total_is_the_sum_of_its_days() -> None:
    lines = [line.split() for line in plain(month()).splitlines()]
    start = next(number for number, line in enumerate(lines) if line[:1] == ["pages"])
    columns = len(lines[start]) - 1
    for line in lines[start + 1 :]:
        if not line:
            break
        numbers = [
            0 if cell == "·" else int(cell) for cell in line[-columns:] if cell == "·" or cell.isdigit()
        ]
        if len(numbers) == columns:
            assert sum(numbers[:-1]) == numbers[-1]


@pytest.mark.parametrize("width", [1, 40, 57, 80, 100, 400])
def test_lines_fit(width: int) -> None:
    for make in (month, hostile, nothing):
        for line in plain(make(), width, verbose=1).splitlines():
            assert columns_of(line) <= min(max(width, 40), 100)


def test_colour_adds_nothing_but_colour() -> None:
    assert uncoloured(plain(month(), colour=True)) == plain(month())


@given(st.data())
@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
def test_hostile_text_stays_inert(data: st.DataObject) -> None:
    pool = data.draw(st.lists(hostile_text, min_size=1, max_size=4))
    drawn = iter(pool * 5000)
    for line in plain(poison(month(), lambda: next(drawn)), verbose=1).split("\n"):
        assert_inert(line)
        assert columns_of(line) <= 80


def test_json_is_whole_and_harmless() -> None:
    told = month()
    (text,) = write_json(told)
    assert msgspec.json.decode(text, type=Backtest) == told
    (text,) = write_json(hostile())
    assert text.isascii()
    assert "\x1b" not in text
    assert json.loads(text)["before"]["pages"][0]["rule"] == "\x1b[2J\u202e0 pages\r\n"


def test_what_is_written_names_no_place_of_this_machine(days: Backtest, tmp_path: Path) -> None:
    (text,) = write_json(days)
    assert str(tmp_path.parent) not in text
