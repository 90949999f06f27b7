"""The survey of Tetragon's export counts every record once and right, however blocks are cut and whatever the form."""

from __future__ import annotations

import gzip
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eightysix.sources.survey.census import Census, Tally
from eightysix.sources.survey.tetragon import TetragonSurvey
from eightysix.sources.tetragon import TetragonDecoder
from tests.reconstruct.coverage.records import NODES, kernel

Json = dict[str, Any]
RECORDED = Path(__file__).resolve().parents[3] / "src" / "eightysix" / "lab" / "recorded"


def surveyed(*blocks: bytes) -> tuple[Census, list[Any]]:
    census = Census()
    survey = TetragonSurvey(census)
    batches = [survey.decode(block, "a", 1) for block in blocks]
    survey.flush()
    return census, batches


def tally(census: Census) -> Tally:
    (found,) = census.tallies.values()
    return found


def lines(records: list[Json], **how: Any) -> bytes:
    return "".join(json.dumps(record, **how) + "\n" for record in records).encode()


RECORDS = kernel(NODES[0])[:200]
COMPACT = lines(RECORDS, separators=(",", ":"))


def test_it_counts_what_the_decoder_counts() -> None:
    block = gzip.decompress((RECORDED / "attack-86s" / "tetragon.jsonl.gz").read_bytes())
    census, (batch,) = surveyed(block)
    real = TetragonDecoder({}, {}).decode(block, "a", 1)
    assert batch.records == real.records == batch.recognised == real.recognised
    assert {kind: number for kind, number in tally(census).kinds.items() if number} == {
        kind: number for kind, number in real.kinds.items() if number
    }


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 199), max_size=6), st.booleans())
def test_blocks_cut_anywhere_count_the_same(cuts: list[int], newline: bool) -> None:
    parts = [0, *sorted(set(cuts)), len(RECORDS)]
    blocks = [lines(RECORDS[a:b], separators=(",", ":")) for a, b in itertools.pairwise(parts)]
    if not newline:
        blocks[-1] = blocks[-1].rstrip(b"\n")
    census, _ = surveyed(*blocks)
    whole, _ = surveyed(COMPACT)
    assert census.tallies == whole.tallies
    assert census.pods == whole.pods


@pytest.mark.parametrize(
    "how", [{"sort_keys": True}, {"separators": (" , ", " : ")}, {"ensure_ascii": True, "indent": None}]
)
def test_the_form_of_the_json_changes_nothing(how: Json) -> None:
    census, _ = surveyed(lines(RECORDS, **how))
    whole, _ = surveyed(COMPACT)
    assert census.tallies == whole.tallies


def test_numbers_as_text_and_nulls_count_the_same() -> None:
    def odd(value: Any) -> Any:
        if isinstance(value, dict):
            return {**{key: odd(item) for key, item in value.items()}, "nothing": None}
        if isinstance(value, list):
            return [odd(item) for item in value]
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    odd_records = [odd(record) for record in RECORDS]
    census, (batch,) = surveyed(lines(odd_records))
    assert batch.recognised == len(RECORDS)
    whole, _ = surveyed(COMPACT)
    assert census.tallies == whole.tallies


def test_what_comes_twice_is_counted_once() -> None:
    census, _ = surveyed(COMPACT, COMPACT)
    found = tally(census)
    assert (found.records, found.duplicates) == (len(RECORDS), len(RECORDS))


def test_times_without_fractions_are_told_apart_by_the_whole_record() -> None:
    records = [{**record, "time": "2026-11-23T09:00:00Z"} for record in RECORDS]
    census, _ = surveyed(lines(records), lines(records))
    found = tally(census)
    assert found.records + found.duplicates == 2 * len(records)
    assert found.duplicates == len(records) + len(records) - len({json.dumps(record) for record in records})


def test_broken_and_strange_lines_are_told_and_cost_nothing_else() -> None:
    block = b'{"process_exec":{"process":{"exec_id":5\n{"something":1}\n\n' + COMPACT
    census, (batch,) = surveyed(block)
    assert [problem.line for problem in batch.problems] == [1]
    assert [line for line, _ in batch.leftover] == [2]
    assert tally(census).records == len(RECORDS)


def test_hostile_names_are_bounded() -> None:
    def renamed(number: int) -> Json:
        record = json.loads(json.dumps(RECORDS[2]))
        record["process_kprobe"]["function_name"] = f"f{number}" + "x" * 3000
        record["time"] = f"2026-11-23T09:00:00.{number:09}Z"
        return record  # type: ignore[no-any-return]

    census, _ = surveyed(lines([renamed(number) for number in range(1000)], separators=(",", ":")))
    found = tally(census)
    assert found.records == 1000
    assert len(found.hooks) <= 257
    assert max(map(len, found.hooks)) <= 512
