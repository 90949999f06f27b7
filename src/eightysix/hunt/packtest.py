"""Whether queries hold: each gives rows over what is in `fires/`, and none over what is in `quiet/`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from eightysix.hunt.engine import run
from eightysix.hunt.interface import Query
from eightysix.hunt.local import Tally, source_of
from eightysix.model.errors import EightysixError

__all__ = ["QueryTestResult", "run_query_tests"]

EXPECTED = ("fires", "quiet")


class QueryTestResult(Struct, frozen=True):
    """What one test found; as `RuleTestResult` of rules."""

    rule: str
    stream: str
    expected: str
    passed: bool
    detail: str = ""


def run_query_tests(query: Query, folder: Path) -> Iterator[QueryTestResult]:
    """Run the recordings below the folder of `query`. Its clock is just after the newest row of each."""
    for expected in EXPECTED:
        streams = sorted((folder / expected).glob("*.jsonl"))
        if not streams:
            yield QueryTestResult(query.id, f"{expected}/", expected, False, "there is no recording")
        for stream in streams:
            yield _tested(query, stream, expected)


def _tested(query: Query, stream: Path, expected: str) -> QueryTestResult:
    name = f"{expected}/{stream.name}"
    tally = Tally()
    try:
        source = source_of([str(stream)], tally=tally, as_written=True)
        try:
            result = run(query.text, source, now=tally.now)
        finally:
            source.close()
    except EightysixError as error:
        return QueryTestResult(query.id, name, expected, False, f"{error.what} {error.advice}".strip())
    if tally.problems:
        first = tally.problems[0]
        return QueryTestResult(query.id, name, expected, False, f"line {first.line}: {first.reason}")
    if tally.strangers:
        return QueryTestResult(query.id, name, expected, False, f"no such table: {min(tally.strangers)}")
    rows = len(result.rows)
    passed = bool(rows) is (expected == "fires")
    return QueryTestResult(query.id, name, expected, passed, f"{rows} rows")
