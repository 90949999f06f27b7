"""Records over several lines come out whole, with the line where each starts, and damage costs one record."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.model.incident import Problem
from eightysix.sources.decompress import Limits
from eightysix.sources.reading import read_stream

Records = list[tuple[int, object]]

_LEAVES = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text('ab"\\{}[],:\n é', max_size=8)
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
_OBJECTS = st.dictionaries(st.text("abcitemsrecords", max_size=8), _VALUES, max_size=4)


def read(text: str | bytes, **limits: int) -> tuple[Records, list[Problem]]:
    data = text.encode() if isinstance(text, str) else text
    problems: list[Problem] = []
    blocks = read_stream(io.BytesIO(data), "f", Limits(**limits), problems.append)
    found: Records = []
    for block in blocks:
        lines = block.data.split(b"\n")
        found += [(n, json.loads(line)) for n, line in enumerate(lines, block.first_line) if line.strip()]
    return found, problems


@given(
    st.lists(_OBJECTS, min_size=1, max_size=5),
    st.sampled_from([None, 0, 1, 2, "\t"]),
    st.sampled_from(["\n", "\r\n", "\n\n", " "]),
    st.integers(1, 60),
)
def test_documents_one_after_the_other(
    records: list[dict[str, object]], indent: int | str | None, between: str, block_bytes: int
) -> None:
    # An object that only holds a list of records stands for its elements, so there is none of that here.
    records = [{"pad": 1, **{k: v for k, v in r.items() if k not in ("items", "records")}} for r in records]
    texts = [json.dumps(record, indent=indent) for record in records]
    if between == " " and indent is None:
        between = "\n"
    lines = [between.join([*texts[:n], ""]).count("\n") + 1 for n in range(len(texts))]
    found, problems = read(between.join(texts), block_bytes=block_bytes)
    assert found == list(zip(lines, records, strict=True))
    assert problems == []


@given(
    st.lists(_OBJECTS, max_size=5),
    st.sampled_from([None, 0, 1, 2, "\t"]),
    st.sampled_from(["", "items", "records"]),
    st.integers(1, 60),
)
def test_a_list_gives_its_elements(
    records: list[dict[str, object]], indent: int | str | None, key: str, block_bytes: int
) -> None:
    whole = {"kind": "x", key: records, "more": {"items": [1]}} if key else records
    text = json.dumps(whole, indent=indent)
    if key and indent is None:
        text = "\n[" + text + "]"  # one line that is an object goes to the decoders as it is
        expected: list[object] = [whole]
    else:
        expected = list(records)
    found, problems = read(text, block_bytes=block_bytes)
    assert [value for _, value in found] == expected
    assert problems == []
    starts = text.split("\n")
    assert all("{" in starts[line - 1] for line, _ in found)


@pytest.mark.parametrize("block_bytes", [1, 7, 1 << 17])
@pytest.mark.parametrize(
    ("text", "lines", "malformed"),
    [
        ('{"a":1,\n{"b":2}\nno json\n{"c":3}\n', [2, 4], [1, 3]),
        ('{\n "a": 1,\n{\n "b": 2\n}\n{\n "c": 3\n}\n', [3, 6], [1]),
        ('{\n "a": "cut off\n{\n "b": 2\n}\n', [3], [1]),
        ('{\n "a": [\n{\n "b": 2\n}\n{\n "c": 3\n}\n', [3, 6], [1]),
        ('[\n  {"a": 1},\n  {"b\n": 2},\n  {"c": 3}\n]\n', [2, 5], [3]),
        ('[\n  {\n    "a": 1\n  },\n  {\n    "b": }\n  },\n  {\n    "c": 3\n  }\n]\n', [2, 8], [5, 7]),
        ('[{"a":1},\n{"b":2},\n', [1, 2], [3]),
        ('[{"a":1},{"b":', [1], [1]),
        ('{"a":{"b":[1,2}\n{"c":3}', [2], [1]),
        ('[1, "x", {"a":1}, null]', [1], [1]),
        ('[![picture](x)]\n# Title\n{"a":1}\n', [3], [1, 2]),
        ('{\n"records":[\n {"a":1},\n {"b":],\n {"c":3}\n],"x":1}\n{"d":4}', [3, 5, 7], [4]),
        ("{", [], [1]),
    ],
)
def test_damage_costs_one_record(text: str, lines: list[int], malformed: list[int], block_bytes: int) -> None:
    problems: list[Problem] = []
    blocks = list(
        read_stream(io.BytesIO(text.encode()), "f", Limits(block_bytes=block_bytes), problems.append)
    )
    good = [block.first_line for block in blocks if _is_object(block.data)]
    bad = {block.first_line for block in blocks if not _is_object(block.data)}
    assert good == lines
    assert sorted(bad | {p.line for p in problems}) == malformed
    assert {p.kind for p in problems} <= {"malformed"}


def _is_object(data: bytes) -> bool:
    try:
        return isinstance(json.loads(data), dict)
    except ValueError:
        return False


def test_oversized_records_are_left_out() -> None:
    big = {"big": ["x" * 60] * 40}
    text = "\n".join(json.dumps(record, indent=1) for record in ({"a": 1}, big, {"b": 2}))
    for block_bytes in (10, 500, 1 << 17):
        found, problems = read(text, block_bytes=block_bytes, record_bytes=1000)
        assert [value for _, value in found] == [{"a": 1}, {"b": 2}]
        assert [(p.line, p.kind) for p in problems] == [(4, "oversized")]


def test_one_endless_line_of_records_is_cut_up() -> None:
    events = [{"n": n, "text": "x" * 300} for n in range(200)]
    text = json.dumps({"kind": "EventList", "items": events}, separators=(",", ":")) + '\n{"n":-1}\n'
    found, problems = read(text, block_bytes=500, record_bytes=2000)
    assert found == [*((1, event) for event in events), (2, {"n": -1})]
    assert problems == []


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 1_000_000,
        b'{"a":' * 200_000,
        b"[\n" * 500_000,
        b"{\n" * 100_000,
        b'{"a":[\n' * 100_000,
        b'{"\n' * 100_000,
        b'{"a":"' + b"\\" * 500_000 + b'"\n',
        b'["' + b'\\"' * 500_000,
        b"[\n" + b'{"a":1,\n' * 50_000,
        b"[" + b"\n".join(b" \t" * (n % 30) + b" " * (n % 7) + b"{" for n in range(50_000)),
        b"{" + b" " * 900_000 + b"}",
        b"[x" + b",x" * 300_000,
        b"{\n" + b"\n".join(b'"k%d": {' % n for n in range(50_000)),
    ],
    ids=lambda text: repr(text[:12]),
)
def test_hostile_shapes_cost_time_in_proportion(text: bytes) -> None:
    # Quadratic behaviour would take minutes here; the limit only has to tell that apart on any machine.
    begun = time.process_time()
    found, problems = read_hostile(text)
    assert time.process_time() - begun < 120, "what grows with the square takes hours"
    assert found + problems > 0


def read_hostile(text: bytes) -> tuple[int, int]:
    problems: list[Problem] = []
    return len(list(read_stream(io.BytesIO(text), "f", Limits(), problems.append))), len(problems)


def test_deep_nesting_loses_nothing_else() -> None:
    text = b'{"a":' * 1000 + b"1" + b"}" * 1000 + b'\n{"b":2}\n' + b'{"c":' * 400_000 + b'\n{"d":4}\n'
    found, problems = read(text)
    assert found == [(2, {"b": 2}), (4, {"d": 4})]
    assert [(p.line, p.reason) for p in problems] == [
        (1, "nested deeper than 500"),
        (3, "nested deeper than 500"),
    ]


def test_given_samples_are_read_whole(shared_data: Path) -> None:
    for path in sorted(shared_data.glob("samples/*/*.json")):
        text = path.read_bytes()
        values: list[object] = []
        rest = text.decode().strip()
        while rest:
            value, end = json.JSONDecoder().raw_decode(rest)
            values += value if isinstance(value, list) else [value]
            rest = rest[end:].strip()
        for block_bytes in (333, 1 << 17):
            found, problems = read(text, block_bytes=block_bytes)
            assert [value for _, value in found] == values, path.name
            assert problems == []
