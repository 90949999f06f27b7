"""What a raw record becomes before it is kept: tests/test_secrets.py looks for canaries in every record it has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from eightysix.context.packages import WITHHELD
from eightysix.model.incident import Evidence
from eightysix.sources.raw import MAX_RECORD, Redactor, raw_lines

KEY = bytes(range(16))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text() | st.sampled_from(["process", "args", "arguments"]), inner)
    ),
)


def told(record: object, key: bytes = KEY) -> Any:
    return json.loads(Redactor(key).record(json.dumps(record).encode()))


def test_a_record_says_who_did_what_and_nothing_else() -> None:
    process = {
        "exec_id": "bm9kZS0xOjM1NDM5MDA=", "pid": 20394, "uid": 0, "cwd": "/app", "binary": "/usr/bin/curl",
        "arguments": "-H Authorization:hunter2 https://api.example/x?key=hunter2 -o out", "environment_variables": ["A=b"],
        "pod": {"namespace": "ml", "name": "inference-0", "uid": "916eac50", "pod_labels": {"app": "hunter2"}},
    }  # fmt: skip
    record = {"process_exec": {"process": process}, "node_name": "node-1", "time": "2026-11-24T09:25:00Z"}
    shown = told(record)["process_exec"]["process"]
    assert shown["arguments"].startswith(WITHHELD)
    assert shown["arguments"].count(WITHHELD) == len(shown["arguments"].split(" "))
    hidden = {name: shown.pop(name) for name in ("arguments", WITHHELD)}
    assert "hunter2" not in json.dumps([hidden, shown])
    assert shown.pop("pod").items() >= {"namespace": "ml", "name": "inference-0", "uid": "916eac50"}.items()
    kept = ("exec_id", "pid", "uid", "cwd", "binary")
    assert shown == {name: process[name] for name in kept}
    assert told(record)["node_name"] == "node-1"


def test_words_of_a_command_that_its_summary_shows() -> None:
    command = {
        "binary": "/usr/bin/pip",
        "arguments": "install torch==2.1 --index-url https://me:pw@pypi.example/simple",
    }
    shown = told({"process_exec": {"process": command}})["process_exec"]["process"]["arguments"]
    assert shown.split(" ")[:2] == ["install", "torch==2.1"]
    assert "pw" not in shown


def test_the_same_secret_has_the_same_fingerprint_under_one_key() -> None:
    one, other = told({"x": 1, "string_arg": "s3cret"}), told({"string_arg": "s3cret", "x": 2})
    assert one == {WITHHELD: one[WITHHELD]} != other
    first, again = Redactor(KEY).print_of("s3cret"), Redactor(KEY).print_of("s3cret")
    assert first == again != Redactor(bytes(16)).print_of("s3cret")
    assert len(first) == len(WITHHELD) + 8


@given(JSON)
def test_any_record_is_taken(record: object) -> None:
    assert len(Redactor(KEY).record(json.dumps(record).encode())) <= MAX_RECORD


@given(st.binary())
def test_any_bytes_are_taken(record: bytes) -> None:
    json.loads(Redactor(KEY).record(record))


def test_a_large_or_deep_record_is_only_said_to_have_been_there() -> None:
    large = {"args": [{"name": "x" * 4000}] * 200}
    assert told(large).startswith(WITHHELD)
    assert told(json.loads('{"args":' * 40 + "1" + "}" * 40))


def test_lines_are_found_where_evidence_points(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text("".join(f'{{"process_exit": {{"n": {number}}}}}\n' for number in range(1, 2000)))
    wanted = [Evidence("tetragon", str(path), line) for line in (1, 700, 1999, 2000)]
    found = dict(raw_lines([str(path)], wanted))
    assert {one.line: json.loads(text)["process_exit"]["n"] for one, text in found.items()} == {
        1: 1,
        700: 700,
        1999: 1999,
    }
