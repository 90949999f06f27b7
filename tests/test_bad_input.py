"""Whatever lies among the inputs: the breach beside it is found as without it, and what could not be used is told."""

from __future__ import annotations

import codecs
import contextlib
import gzip
import io
import json
import os
import random
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from eightysix.cli.main import main
from eightysix.detect import encode_state
from eightysix.model.incident import Report
from eightysix.serve.replay import Replay, ReplayOptions
from tests.streams import ATTACKS, FULL, LOOK_ALIKES, Streams

Document = dict[str, Any]
Json = Any

ROOT = Path(__file__).resolve().parents[1]
TETRAGON, SENSOR, AUDIT = "tetragon.jsonl", "sensor.jsonl", "kubernetes-audit.jsonl"
FILES = (TETRAGON, SENSOR, AUDIT)
COUNTS = ("records", "events", "malformed", "oversized", "unrecognised", "duplicate")
CONTAIN, INCOMPLETE, NOTHING_TO_READ = 14, 10, 3

BREACH: Streams = ATTACKS["breach-86s"](FULL).streams
QUIET: Streams = LOOK_ALIKES["two-domains-daily"](FULL).streams


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("EIGHTYSIX_")]:
        monkeypatch.delenv(name)


@dataclass(frozen=True)
class Run:
    """What one run gave. `out` and `err` have the folder of the inputs cut from every path."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Document:
        """Standard output as JSON."""
        document: Document = json.loads(self.out)
        return document

    @property
    def counts(self) -> dict[str, int]:
        """What was read."""
        counts: dict[str, int] = self.document["counts"]
        return counts

    @property
    def problems(self) -> list[tuple[str, int, str, str]]:
        """File, line, kind and reason of everything that could not be used."""
        told = self.document["coverage"]["problems"]
        return [(item["file"], item["line"], item["kind"], item["reason"]) for item in told]


def run(*arguments: str, folder: Path) -> Run:
    """One run in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(["detect", *arguments])
    return Run(code, out.getvalue().replace(f"{folder}/", ""), err.getvalue().replace(f"{folder}/", ""))


def detect(*paths: Path, folder: Path, verbose: bool = True) -> Run:
    """`detect --format json` twice, and plain once: all three must tell the same, whatever the input is."""
    named = [str(path) for path in paths or (folder,)]
    first = run(*named, "--format", "json", "-v", folder=folder)
    second = run(*named, "--format", "json", "-v", folder=folder)
    plain = run(*named, "-v", folder=folder)
    assert second == first
    assert (plain.code, plain.err) == (first.code, first.err)
    assert "Traceback" not in first.err + plain.out
    first.out.encode()
    check_document(first)
    for file, line, kind, reason in first.problems:
        place = f"{file}:{line}" if line else file
        told = f"eightysix: {place}: {kind}: {reason}"
        assert told in first.err.splitlines(), (told, first.err)
    return first


def check_document(result: Run) -> None:
    """`result` is valid `incidents/v1`, and its counts add up."""
    report = msgspec.json.decode(result.out, type=Report)
    assert report.schema == "eightysix/incidents/v1"
    assert list(result.document) == ["schema", "incidents", "coverage", "counts", "activity"]
    assert list(result.counts) == list(COUNTS)
    used = sum(result.counts[name] for name in COUNTS[1:5])
    assert result.counts["records"] == used, result.counts
    assert result.code in (0, INCOMPLETE, 11, 13, CONTAIN)


def write(folder: Path, streams: Streams) -> None:
    """Write one file a stream."""
    for name, lines in streams.items():
        (folder / name).write_text("".join(f"{line}\n" for line in lines))


def incidents(document: Document, file: str = "", after: int = 0, inserted: int = 0) -> Json:
    """The incidents of `document`, as they would be without the lines that were inserted into `file`."""
    found = json.loads(json.dumps(document["incidents"]))
    for incident in found:
        for stage in incident["stages"]:
            for evidence in stage["evidence"]:
                if evidence["file"] == file and evidence["line"] > after:
                    evidence["line"] -= inserted
    return found


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The breach with nothing wrong in it."""
    folder = tmp_path_factory.mktemp("reference")
    write(folder, BREACH)
    result = run(str(folder), "--format", "json", folder=folder)
    assert result.code == CONTAIN
    return result


def added(result: Run, reference: Run) -> dict[str, int]:
    """By how much the counts of `result` are above those of `reference`."""
    differences = {name: result.counts[name] - reference.counts[name] for name in COUNTS}
    return {name: difference for name, difference in differences.items() if difference}


def insert(folder: Path, file: str, bad: bytes, at: int | None = None) -> int:
    """Put `bad` on lines of its own into the middle of `file`; returns after how many lines."""
    lines = [line.encode() for line in BREACH[file]]
    place = len(lines) // 2 if at is None else at
    (folder / file).write_bytes(b"\n".join([*lines[:place], bad, *lines[place:]]) + b"\n")
    return place


# --- lines ------------------------------------------------------------------------------------------------------------

A_RECORD = next(
    line for line in BREACH[TETRAGON] if "pip install" in line and "process_exec" in line
).encode()

BAD_LINES: dict[str, tuple[bytes, str, str]] = {
    "cut off": (A_RECORD[: len(A_RECORD) // 2], "malformed", "truncated"),
    "one bracket": (b"{", "malformed", "truncated"),
    "not json": (b"Traceback (most recent call last):", "malformed", "invalid character (byte 0)"),
    "yaml": (b"--- !!python/object", "malformed", "invalid character"),
    "html": (b"<html>", "malformed", "invalid character (byte 0)"),
    "nan": (b'{"process_exec": NaN}', "malformed", "invalid character"),
    "single quotes": (b"{'process_exec': {}}", "malformed", "(byte 1)"),
    "trailing comma": (A_RECORD + b",", "malformed", "trailing characters"),
    "a comment": (A_RECORD + b" // fine", "malformed", "trailing characters"),
    "nuls": (b"\0" * 50, "malformed", "invalid character (byte 0)"),
    "a nul inside": (A_RECORD[:50] + b"\0" + A_RECORD[50:], "malformed", "invalid character (byte 50)"),
    "a mark in the middle of the file": (codecs.BOM_UTF8 + A_RECORD, "malformed", "(byte 0)"),
    "control sequence": (b"\x1b[2J{}", "malformed", "invalid character (byte 0)"),
    "a carriage return inside": (
        A_RECORD[:50] + b"\r" + A_RECORD[50:],
        "malformed",
        "invalid character (byte 50)",
    ),
    "utf-16": (A_RECORD.decode().encode("utf-16"), "malformed", "invalid character (byte 0)"),
    "utf-16 without a mark": (A_RECORD.decode().encode("utf-16-le"), "malformed", "(byte 1)"),
    "utf-32": (A_RECORD.decode().encode("utf-32"), "malformed", "invalid character (byte 0)"),
    "half a surrogate pair": (b'{"process_exec": {"process": {"cwd": "\\ud800"}}}', "malformed", "not JSON"),
    "two megabytes": (
        b'{"process_exec": {"process": {"arguments": "' + b"A" * (2 << 20) + b'"}}}',
        "oversized",
        "longer than 1048576 bytes",
    ),
    "a key of a megabyte": (b'{"' + b"k" * (1 << 20) + b'": 1}', "oversized", "longer than 1048576 bytes"),
    "one byte too long": (b"1" * ((1 << 20) + 1), "oversized", "longer than 1048576 bytes"),
    "arrays, 100k deep": (b"[" * 100_000 + b"]" * 100_000, "malformed", "nested too deeply"),
    "objects, 100k deep": (b'{"process_exec":' * 60_000, "malformed", "nested too deeply"),
    "deep in a member that nobody reads": (
        b'{"process_exec": {"process": {}, "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
        "malformed",
        "nested too deeply",
    ),
    "no process": (b'{"process_exec": {}}', "malformed", "wrongly typed"),
    "null for a process": (b'{"process_exec": {"process": null}}', "malformed", "wrongly typed"),
    "a list for an event": (b'{"process_exec": []}', "malformed", "wrongly typed"),
    "an object for a number": (
        A_RECORD.replace(b'"pid":', b'"pid": {}, "x":', 1),
        "malformed",
        "wrongly typed",
    ),
    "a fraction for a number": (
        A_RECORD.replace(b'"pid":', b'"pid": 1.5, "x":', 1),
        "malformed",
        "wrongly typed",
    ),
    "an empty event": (b'{"process_exec": null}', "unrecognised", "no source knows this record"),
    "an empty object": (b"{}", "unrecognised", "no source knows this record"),
    "an empty array": (b"[]", "unrecognised", "JSON, but no object"),
    "null": (b"null", "unrecognised", "JSON, but no object"),
    "a number": (b"42", "unrecognised", "JSON, but no object"),
    "a text": (b'"process_exec"', "unrecognised", "JSON, but no object"),
    "400 deep": (b'{"x": ' + b"[" * 400 + b"]" * 400 + b"}", "unrecognised", "no source knows this record"),
    "somebody else's": (
        b'{"eventSource": "", "eventName": "", "eventTime": ""}',
        "unrecognised",
        "CloudTrail",
    ),
    "a wrapped record": (
        json.dumps({"log": A_RECORD.decode(), "stream": "stdout"}).encode(),
        "unrecognised",
        "wraps another one",
    ),
}


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("name", BAD_LINES)
def test_a_bad_line_costs_itself_and_nothing_else(
    tmp_path: Path, reference: Run, name: str, file: str
) -> None:
    bad, kind, reason = BAD_LINES[name]
    write(tmp_path, BREACH)
    after = insert(tmp_path, file, bad)
    lines = bad.count(b"\n") + 1
    result = detect(folder=tmp_path)
    assert result.code == CONTAIN
    assert incidents(result.document, file, after, lines) == incidents(reference.document)
    assert added(result, reference) == {"records": lines, kind: lines}
    (told_file, told_line, told_kind, told_reason), *more = result.problems
    assert (told_file, told_line, told_kind) == (file, after + 1, kind)
    assert reason in told_reason
    assert len(more) == lines - 1


@pytest.mark.parametrize("at", [0, -1])
@pytest.mark.parametrize("name", ["not json", "two megabytes", "nuls", "half a surrogate pair", "a number"])
def test_the_first_line_of_a_file_may_be_bad_and_so_may_the_last(
    tmp_path: Path, reference: Run, name: str, at: int
) -> None:
    bad, kind, _ = BAD_LINES[name]
    write(tmp_path, BREACH)
    for file in FILES:
        insert(tmp_path, file, bad, 0 if at == 0 else len(BREACH[file]))
    result = detect(folder=tmp_path)
    found = result.document
    for file in FILES:
        found = {"incidents": incidents(found, file, 0 if at == 0 else 1 << 30, 1)}
    assert found["incidents"] == incidents(reference.document)
    assert result.code == CONTAIN
    lines = 3 * (bad.count(b"\n") + 1)
    assert added(result, reference) == {"records": lines, kind: lines}
    assert {(file, line) for file, line, *_ in result.problems} == {
        (file, 1 if at == 0 else len(BREACH[file]) + 1) for file in FILES
    }


def test_a_file_that_begins_deep_loses_nothing_else(tmp_path: Path, reference: Run) -> None:
    write(tmp_path, BREACH)
    for file in FILES:
        insert(tmp_path, file, BAD_LINES["arrays, 100k deep"][0], 0)
    result = detect(folder=tmp_path)
    found = result.document
    for file in FILES:
        found = {"incidents": incidents(found, file, 0, 1)}
    assert found["incidents"] == incidents(reference.document)
    assert {problem[:3] for problem in result.problems} >= {(file, 1, "malformed") for file in FILES}
    assert added(result, reference).keys() == {"records", "malformed"}


def test_a_file_that_begins_in_another_encoding_is_told_to_be_of_no_use(
    tmp_path: Path, reference: Run
) -> None:
    write(tmp_path, BREACH)
    bad = BAD_LINES["utf-16"][0]
    (tmp_path / "turned.jsonl").write_bytes(bad + b"\n" + _text(TETRAGON))
    result = detect(folder=tmp_path)
    assert incidents(result.document) == incidents(reference.document)
    assert result.counts["malformed"] + result.counts["unrecognised"] > 0
    assert {file for file, *_ in result.problems} == {"turned.jsonl"}


def test_all_bad_lines_at_once_between_any_two_good_ones(tmp_path: Path, reference: Run) -> None:
    small = [bad for bad, _, _ in BAD_LINES.values() if len(bad) < 10_000 and b"\n" not in bad]
    expected = {"malformed": 0, "unrecognised": 0}
    for file in FILES:
        chaos = random.Random(file)
        text = b""
        for line in BREACH[file]:
            text += b"\n".join([line.encode(), *chaos.sample(small, 3), b""])
        (tmp_path / file).write_bytes(text)
        expected["malformed"] += len(BREACH[file]) * 3
    result = detect(folder=tmp_path)
    more = added(result, reference)
    assert result.code == CONTAIN
    assert more.keys() == {"records", "malformed", "unrecognised"}
    assert sum(more.values()) - more["records"] == more["records"] == expected["malformed"]
    told, wanted = result.document["incidents"], reference.document["incidents"]
    for name in ("id", "revision", "verdict", "score", "t0", "identities", "why", "gaps"):
        assert [item[name] for item in told] == [item[name] for item in wanted]


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("keep", [1, 2, 17, -2, -1])
def test_a_last_line_that_is_cut_is_told(tmp_path: Path, reference: Run, file: str, keep: int) -> None:
    write(tmp_path, BREACH)
    cut = BREACH[file][0].encode()[:keep]
    with (tmp_path / file).open("ab") as stream:
        stream.write(cut)
    result = detect(folder=tmp_path)
    assert result.code == CONTAIN
    assert incidents(result.document) == incidents(reference.document)
    assert added(result, reference) == {"records": 1, "malformed": 1}
    assert [problem[:3] for problem in result.problems] == [(file, len(BREACH[file]) + 1, "malformed")]


@pytest.mark.parametrize("file", FILES)
def test_a_last_line_needs_no_newline(tmp_path: Path, reference: Run, file: str) -> None:
    write(tmp_path, BREACH)
    (tmp_path / file).write_bytes((tmp_path / file).read_bytes().rstrip(b"\n"))
    result = detect(folder=tmp_path)
    assert result.document == reference.document


def test_blank_lines_carriage_returns_and_spaces_mean_nothing(tmp_path: Path, reference: Run) -> None:
    for file, lines in BREACH.items():
        (tmp_path / file).write_bytes(b"\r\n \r\n".join(b"  " + line.encode() for line in lines))
    result = detect(folder=tmp_path)
    assert result.code == CONTAIN
    assert added(result, reference) == {}
    assert [item["id"] for item in result.document["incidents"]] == [
        item["id"] for item in reference.document["incidents"]
    ]
    evidence = result.document["incidents"][0]["stages"][0]["evidence"][0]
    wanted = reference.document["incidents"][0]["stages"][0]["evidence"][0]
    assert (evidence["file"], evidence["line"]) == (wanted["file"], 2 * wanted["line"] - 1)


def test_without_an_incident_a_bad_line_makes_the_result_incomplete(tmp_path: Path) -> None:
    write(tmp_path, QUIET)
    assert detect(folder=tmp_path).code == 0
    with (tmp_path / AUDIT).open("ab") as stream:
        stream.write(b"{}\n")
    assert detect(folder=tmp_path).code == 0
    for name in ("not json", "two megabytes", "no process"):
        bad, kind, _ = BAD_LINES[name]
        write(tmp_path, QUIET)
        with (tmp_path / SENSOR).open("ab") as stream:
            stream.write(bad + b"\n")
        result = detect(folder=tmp_path)
        assert result.code == INCOMPLETE
        assert result.document["incidents"] == []
        assert result.counts[kind] == 1


def test_standard_error_is_short_unless_asked_and_silent_when_quiet(tmp_path: Path) -> None:
    write(tmp_path, QUIET)
    with (tmp_path / SENSOR).open("ab") as stream:
        stream.write(b"nothing\n" * 30)
    lines = run(str(tmp_path), folder=tmp_path).err.splitlines()
    assert len(lines) == 6
    assert lines[0].startswith(f"eightysix: sensor.jsonl:{len(QUIET[SENSOR]) + 1}: malformed: not JSON")
    assert lines[-1] == "eightysix: 25 more problems (-v tells all)"
    assert len(run(str(tmp_path), "-v", folder=tmp_path).err.splitlines()) == 30
    assert run(str(tmp_path), "-q", folder=tmp_path).err == ""
    assert run(str(tmp_path), "--exit-zero", "-q", folder=tmp_path).code == 0


# --- types ------------------------------------------------------------------------------------------------------------

WRONG: tuple[Json, ...] = (
    None,
    True,
    -1,
    0,
    1.5,
    10**30,
    1e300,
    "",
    "123",
    "\u0000",
    "x" * 5000,
    [],
    [None],
    [[]],
    ["x"],
    {},
    {"x": None},
)
"""What may stand where something else belongs."""


def _places(value: Json, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place in `value` where something stands."""
    items: list[tuple[str | int, Json]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    for key, item in items:
        yield (*path, key)
        yield from _places(item, (*path, key))


def _with(value: Json, path: tuple[str | int, ...], wrong: Json) -> Json:
    copy = json.loads(json.dumps(value))
    at = copy
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = wrong
    return copy


def _shapes(lines: list[str]) -> list[Json]:
    """One record of each shape."""
    found: dict[str, Json] = {}
    for line in lines:
        record = json.loads(line)
        names = [str(key) for path in _places(record) for key in path]
        found.setdefault(str((sorted(set(names)), record.get("event"), record.get("verb"))), record)
    return list(found.values())


SHAPES = {
    **{f"{TETRAGON} {number}": (TETRAGON, shape) for number, shape in enumerate(_shapes(BREACH[TETRAGON]))},
    **{f"{SENSOR} {number}": (SENSOR, shape) for number, shape in enumerate(_shapes(BREACH[SENSOR]))},
    **{f"{AUDIT} {number}": (AUDIT, shape) for number, shape in enumerate(_shapes(BREACH[AUDIT]))},
}


@pytest.mark.parametrize("name", SHAPES)
def test_anything_may_stand_anywhere(tmp_path: Path, name: str) -> None:
    file, record = SHAPES[name]
    write(tmp_path, BREACH)
    with (tmp_path / file).open("a") as stream:
        for path in _places(record):
            for wrong in WRONG:
                stream.write(json.dumps(_with(record, path, wrong)) + "\n")
    result = detect(folder=tmp_path)
    assert result.code == CONTAIN
    assert any(
        item["verdict"] == "contain" and item["pod"]["name"] == "inference-0"
        for item in result.document["incidents"]
    )


def test_no_number_is_too_large_for_a_state(tmp_path: Path) -> None:
    write(tmp_path, BREACH)
    with (tmp_path / SENSOR).open("a") as stream:
        for line in BREACH[SENSOR]:
            for key in ("pid", "ns_pid", "tid", "host_pid", "port"):
                stream.write(json.dumps(json.loads(line) | {key: 10**30}) + "\n")
    replay = Replay((), ReplayOptions())
    replay.read([str(tmp_path)], None)
    for state in replay.engine.resolved():
        assert encode_state(state)


def test_kernel_numbers_fit_into_a_state(tmp_path: Path) -> None:
    write(tmp_path, BREACH)
    with (tmp_path / TETRAGON).open("a") as stream:
        for line in BREACH[TETRAGON]:
            for path in _places(json.loads(line)):
                if path[-1] in ("pid", "tid", "uid", "dport", "int_arg", "auid"):
                    stream.write(json.dumps(_with(json.loads(line), path, 10**30)) + "\n")
    replay = Replay((), ReplayOptions())
    replay.read([str(tmp_path)], None)
    for state in replay.engine.resolved():
        assert encode_state(state)


def test_counts_add_up_in_a_file_of_mixed_origin(tmp_path: Path) -> None:
    listed = json.dumps({"items": [json.loads(line) for line in BREACH[AUDIT]], "kind": "EventList"})
    listed = listed.replace('"items"', '"apiVersion": "audit.k8s.io/v1", "items"')
    (tmp_path / "mixed.jsonl").write_text(f"{BREACH[TETRAGON][0]}\n{listed}\n")
    counts = run(str(tmp_path), "--format", "json", folder=tmp_path).counts
    assert counts["events"] == 1 + len(BREACH[AUDIT])
    assert counts["records"] == counts["events"]


# --- clocks -----------------------------------------------------------------------------------------------------------

TIME_KEYS = (
    "time",
    "start_time",
    "requestReceivedTimestamp",
    "stageTimestamp",
    "t_ns",
)
FAR_OFF: dict[str, tuple[str, int]] = {
    "1970": ("1970-01-01T00:00:00.000000001Z", 1),
    "1971": ("1971-06-01T12:00:00Z", 44_625_600_000_000_000),
    "2261": ("2261-12-31T23:59:59.999999999Z", (1 << 63) - 10**15),
}
NO_TIMES: dict[str, tuple[Json, Json]] = {
    "year 0": ("0000-01-01T00:00:00Z", -1),
    "1969": ("1969-12-31T23:59:59Z", -(10**9)),
    "2262": ("2262-04-12T00:00:00Z", 1 << 63),
    "9999": ("9999-12-31T23:59:59.999999999Z", 10**30),
    "a word": ("yesterday", 0),
    "empty": ("", 0),
    "a leap second": ("2026-12-31T23:59:60Z", 0),
    "13 months": ("2026-13-01T00:00:00Z", 0),
}


def _at_time(value: Json, text: Json, nanoseconds: Json) -> Json:
    """`value` with every time in it replaced."""
    if isinstance(value, dict):
        return {
            key: (nanoseconds if key == "t_ns" else text)
            if key in TIME_KEYS
            else _at_time(item, text, nanoseconds)
            for key, item in value.items()
        }
    return [_at_time(item, text, nanoseconds) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("when", NO_TIMES)
def test_records_without_a_usable_time_are_told(tmp_path: Path, reference: Run, when: str, file: str) -> None:
    write(tmp_path, BREACH)
    lines = [json.dumps(_at_time(json.loads(line), *NO_TIMES[when])) for line in BREACH[file]]
    (tmp_path / f"later-{file}").write_text("\n".join(lines))
    result = detect(folder=tmp_path)
    assert result.code == CONTAIN
    assert incidents(result.document) == incidents(reference.document)
    assert result.counts["malformed"] > 0


def _years_away(seconds: float) -> Streams:
    """What goes on in another pod, by a clock that is so far off."""
    setting = replace(FULL, first_node=40, shift_s=seconds)
    return LOOK_ALIKES["notebook-rebuild"](setting).streams


@pytest.mark.parametrize("years", [-55, -1, 1, 230])
@pytest.mark.parametrize("file", FILES)
def test_clocks_far_off_elsewhere_move_no_incident(
    tmp_path: Path, reference: Run, years: int, file: str
) -> None:
    write(tmp_path, BREACH)
    lines = _years_away(years * 365.25 * 86_400)[file]
    (tmp_path / f"other-{file}").write_text("".join(f"{line}\n" for line in lines))
    result = detect(folder=tmp_path)
    assert result.code == CONTAIN
    mine = [item for item in result.document["incidents"] if item["pod"]["name"] == "inference-0"]
    assert [item["verdict"] for item in result.document["incidents"]] == ["contain"]
    assert mine == incidents(reference.document)
    assert result.counts["malformed"] == 0


@pytest.mark.parametrize("year", ["1970", "1971", "2261"])
@pytest.mark.parametrize("file", FILES)
def test_the_breach_is_found_by_the_other_clocks(tmp_path: Path, file: str, year: str) -> None:
    write(tmp_path, BREACH)
    text, nanoseconds = FAR_OFF[year]
    lines = [json.dumps(_at_time(json.loads(line), text, nanoseconds)) for line in BREACH[file]]
    (tmp_path / file).write_text("\n".join(lines))
    result = detect(folder=tmp_path)
    assert result.code in (13, CONTAIN)
    assert result.counts["malformed"] == 0


def test_the_clock_of_a_suspect_moves_no_t0(tmp_path: Path, reference: Run) -> None:
    write(tmp_path, BREACH)
    forged = []
    for line in BREACH[SENSOR]:
        record = json.loads(line)
        record["t_ns"] -= 55 * 365 * 86_400 * 10**9
        forged.append(json.dumps(record))
    (tmp_path / "forged.jsonl").write_text("\n".join(forged))
    result = detect(folder=tmp_path)
    assert result.code == CONTAIN
    assert [item["t0"][:4] for item in result.document["incidents"]] == ["2026"]


# --- files ------------------------------------------------------------------------------------------------------------


def _text(file: str) -> bytes:
    return "".join(f"{line}\n" for line in BREACH[file]).encode()


def _zstd(data: bytes) -> bytes:
    try:
        from backports import zstd
    except ImportError:
        zstd = pytest.importorskip("compression.zstd")
    packed: bytes = zstd.compress(data)
    return packed


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "two gzip members": lambda data: gzip.compress(data[:1000]) + gzip.compress(data[1000:]),
    "gzip with padding": lambda data: gzip.compress(data) + b"\0" * 512,
    "zstd": _zstd,
    "two zstd frames": lambda data: _zstd(data[:1000]) + _zstd(data[1000:]),
    "utf-8 with a mark": lambda data: codecs.BOM_UTF8 + data,
    "utf-16": lambda data: data.decode().encode("utf-16"),
    "utf-16-be without a mark": lambda data: data.decode().encode("utf-16-be"),
    "utf-32": lambda data: data.decode().encode("utf-32"),
    "utf-16 in gzip": lambda data: gzip.compress(data.decode().encode("utf-16")),
    "an array": lambda data: b"[\n" + b",\n".join(data.splitlines()) + b"\n]\n",
    "pretty": lambda data: b"\n".join(
        json.dumps(json.loads(line), indent=2).encode() for line in data.splitlines()
    ),
}


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst", ".png"])
@pytest.mark.parametrize("form", PACKED)
def test_the_form_is_told_by_content_and_never_by_name(
    tmp_path: Path, reference: Run, form: str, suffix: str
) -> None:
    for file in FILES:
        (tmp_path / f"{file}{suffix}").write_bytes(PACKED[form](_text(file)))
    result = detect(folder=tmp_path)
    assert result.code == CONTAIN
    assert added(result, reference) == {}
    assert result.problems == []
    told, wanted = result.document["incidents"], reference.document["incidents"]
    # A sensor's record has no id of its own: it is known by its bytes, which an array or an indented form changes.
    same = ("id", "verdict", "score", "t0", "identities", "why", *(["revision"] if form != "pretty" else []))
    for name in same:
        assert [item[name] for item in told] == [item[name] for item in wanted]


PLAIN = _text(TETRAGON)[: 1 << 14]
DAMAGED: dict[str, tuple[bytes, str]] = {
    "gzip that ends early": (gzip.compress(PLAIN)[:-20], "the gzip data end early: what came before is used"),
    "gzip with nothing behind its head": (gzip.compress(PLAIN)[:12], "the gzip data end early"),
    "gzip with a wrong checksum": (gzip.compress(PLAIN)[:-8] + b"\1" * 8, "the gzip data are damaged"),
    "gzip with a wrong bit": (
        gzip.compress(PLAIN)[:500] + b"\xff\0\xff" + gzip.compress(PLAIN)[503:],
        "the gzip data are damaged",
    ),
    "bzip2": (b"BZh91AY&SY", "looks like bzip2"),
    "xz": (b"\xfd7zXZ\0", "looks like xz"),
    "zip": (b"PK\x03\x04....", "looks like a zip archive"),
    "parquet": (b"PAR1", "looks like Parquet"),
    "sqlite": (b"SQLite format 3\0", "looks like a SQLite database"),
    "elf": (b"\x7fELF\x02\x01", "looks like a program"),
    "png": (b"\x89PNG\r\n\x1a\n", "looks like a picture"),
    "gzip in gzip": (gzip.compress(gzip.compress(PLAIN)), "looks like gzip"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_file_that_cannot_be_read_is_told_and_the_rest_is_used(
    tmp_path: Path, reference: Run, name: str
) -> None:
    data, reason = DAMAGED[name]
    write(tmp_path, BREACH)
    (tmp_path / "extra.jsonl").write_bytes(data)
    result = detect(folder=tmp_path)
    assert result.code == CONTAIN
    assert incidents(result.document) == incidents(reference.document)
    unreadable = [problem for problem in result.problems if problem[2] == "unreadable"]
    assert [problem[0] for problem in unreadable] == ["extra.jsonl"]
    assert reason in unreadable[0][3]
    alone = tmp_path / "alone"
    alone.mkdir()
    write(alone, QUIET)
    (alone / "extra.bin").write_bytes(data)
    assert detect(folder=alone).code == INCOMPLETE


def test_damaged_zstd_is_told_and_the_rest_is_used(tmp_path: Path, reference: Run) -> None:
    write(tmp_path, BREACH)
    packed = _zstd(PLAIN)
    (tmp_path / "early.zst").write_bytes(packed[:-20])
    (tmp_path / "wrong.jsonl").write_bytes(packed[:6] + b"\xff" * 40 + packed[46:])
    result = detect(folder=tmp_path)
    assert result.code == CONTAIN
    assert incidents(result.document) == incidents(reference.document)
    reasons = {file: reason for file, _, kind, reason in result.problems if kind == "unreadable"}
    assert "end early" in reasons["early.zst"]
    assert "the zstd data are damaged" in reasons["wrong.jsonl"]


def test_the_breach_itself_may_stand_in_a_damaged_file(tmp_path: Path, reference: Run) -> None:
    write(tmp_path, BREACH)
    (tmp_path / TETRAGON).write_bytes(gzip.compress(_text(TETRAGON))[:-8])
    result = detect(folder=tmp_path)
    assert result.code == CONTAIN
    assert incidents(result.document) == incidents(reference.document)
    assert [problem[:3] for problem in result.problems] == [
        (TETRAGON, len(BREACH[TETRAGON]) + 1, "unreadable")
    ] or [problem[0] for problem in result.problems] == [TETRAGON]


@pytest.mark.parametrize("seed", range(20))
def test_any_bytes_beside_the_breach_change_nothing(tmp_path: Path, reference: Run, seed: int) -> None:
    chaos = random.Random(seed)
    write(tmp_path, BREACH)
    garbage = chaos.randbytes(chaos.choice([1, 7, 100, 4000, 300_000]))
    if seed % 4 == 3:
        garbage = bytes(chaos.choice(b'{}[]",:\\\n 0eE-.truefalsn') for _ in range(20_000))
    (tmp_path / "a-garbage").write_bytes(garbage)
    (tmp_path / "z-garbage.jsonl").write_bytes(garbage[::-1])
    result = detect(folder=tmp_path)
    assert result.code == CONTAIN
    assert incidents(result.document) == incidents(reference.document)
    assert {file for file, *_ in result.problems} <= {"a-garbage", "z-garbage.jsonl"}


def test_an_empty_file_is_nothing(tmp_path: Path, reference: Run) -> None:
    write(tmp_path, BREACH)
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "blank.jsonl").write_bytes(b"\n \n\t\r\n")
    assert detect(folder=tmp_path).document == reference.document


# --- folders and paths ------------------------------------------------------------------------------------------------


def test_what_is_no_file_in_a_folder_is_told_and_nobody_waits_for_it(tmp_path: Path, reference: Run) -> None:
    write(tmp_path, BREACH)
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop-a").symlink_to(tmp_path / "loop-b")
    (tmp_path / "loop-b").symlink_to(tmp_path / "loop-a")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "itself").symlink_to(tmp_path)
    (tmp_path / "elsewhere").symlink_to("/etc")
    (tmp_path / "device").symlink_to("/dev/zero")
    (tmp_path / "folder.jsonl").mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        here = Path.cwd()
        os.chdir(tmp_path)  # the path of a socket may have 108 bytes
        try:
            listening.bind("socket")
        finally:
            os.chdir(here)
    result = detect(folder=tmp_path)
    assert result.code == CONTAIN
    assert incidents(result.document) == incidents(reference.document)
    assert added(result, reference) == {}
    told = {file: reason for file, _, kind, reason in result.problems if kind == "unreadable"}
    assert told.keys() == {"fifo", "loop-a", "loop-b", "dangling", "elsewhere", "device", "socket"}
    assert told["dangling"] == "No such file or directory"
    assert "not followed" in told["elsewhere"]


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="there is no /proc")
def test_a_file_that_fails_while_it_is_read_is_told(tmp_path: Path, reference: Run) -> None:
    write(tmp_path, BREACH)
    (tmp_path / "failing.jsonl").symlink_to("/proc/self/mem")
    result = detect(folder=tmp_path)
    assert incidents(result.document) == incidents(reference.document)
    assert [(file, kind) for file, _, kind, _ in result.problems] == [("failing.jsonl", "unreadable")]


def test_unknown_paths_are_told_beside_those_that_can_be_read(tmp_path: Path, reference: Run) -> None:
    write(tmp_path, BREACH)
    result = detect(tmp_path / "missing", tmp_path, tmp_path / TETRAGON / "inside", folder=tmp_path)
    assert result.code == CONTAIN
    assert incidents(result.document) == incidents(reference.document)
    assert [(file, kind, reason) for file, _, kind, reason in result.problems] == [
        ("missing", "unreadable", "No such file or directory"),
        (f"{TETRAGON}/inside", "unreadable", "Not a directory"),
    ]


def test_the_same_file_twice_is_the_same_evidence(tmp_path: Path, reference: Run) -> None:
    write(tmp_path, BREACH)
    result = detect(tmp_path, tmp_path, folder=tmp_path)
    assert result.code == CONTAIN
    assert incidents(result.document) == incidents(reference.document)
    assert result.counts["records"] == 2 * reference.counts["records"]
    assert result.counts["duplicate"] > 0


@pytest.mark.parametrize("form", ["plain", "json"])
def test_with_nothing_to_read_there_is_nothing_to_say(tmp_path: Path, form: str) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for paths in ([tmp_path / "missing"], [empty], [empty, tmp_path / "missing"]):
        result = run(*map(str, paths), "--format", form, folder=tmp_path)
        assert result.code == NOTHING_TO_READ
        assert result.out == ""
        assert "none of the inputs could be read" in result.err
        assert "Traceback" not in result.err


def test_one_bad_path_does_not_hide_that_nothing_was_read(tmp_path: Path) -> None:
    (tmp_path / "packed.gz").write_bytes(gzip.compress(b"")[:11])
    result = run(str(tmp_path), folder=tmp_path)
    assert result.code == NOTHING_TO_READ
    (tmp_path / "strange.jsonl").write_bytes(b"neither\nthis\n")
    result = detect(folder=tmp_path)
    assert result.code == INCOMPLETE
    assert result.counts["malformed"] == 2


# --- standard input, and sizes ----------------------------------------------------------------------------------------

LIMITED = (
    "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]),) * 2); del sys.argv[1];"
    "from eightysix.cli.main import entry; sys.argv[0] = 'eightysix'; entry()"
)


def limited(*arguments: str, megabytes: int = 1024, stdin: bytes | None = None) -> Run:
    """A run in a process of its own that gets no more than so much memory."""
    command = [sys.executable, "-c", LIMITED, str(megabytes << 20), "detect", *arguments]
    done = subprocess.run(
        command,
        input=b"" if stdin is None else stdin,
        capture_output=True,
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": os.defpath, "LC_ALL": "C.UTF-8"},
        timeout=300,
        check=False,
    )
    result = Run(done.returncode, done.stdout.decode(), done.stderr.decode())
    assert "Traceback" not in result.err, result.err[-2000:]
    assert "MemoryError" not in result.err
    return result


def test_standard_input_is_read_like_a_file(reference: Run) -> None:
    together = b"".join(_text(file) for file in FILES)
    for data in (together, gzip.compress(together), together.decode().encode("utf-16")):
        result = limited("-", "--format", "json", stdin=data)
        assert result.code == CONTAIN
        check_document(result)
        assert result.counts["records"] == reference.counts["records"]
        told = result.document["incidents"]
        assert [item["revision"] for item in told] == [
            item["revision"] for item in reference.document["incidents"]
        ]
        assert {place["file"] for step in told[0]["stages"] for place in step["evidence"]} == {"-"}


def test_standard_input_that_is_empty_or_cut(reference: Run) -> None:
    assert limited("-", "--format", "json", stdin=b"").code in (0, INCOMPLETE, NOTHING_TO_READ)
    cut = b"".join(_text(file) for file in FILES) + A_RECORD[:100]
    result = limited("-", "--format", "json", stdin=cut)
    assert result.code == CONTAIN
    lines = cut.count(b"\n") + 1
    assert [problem[:3] for problem in result.problems] == [("-", lines, "malformed")]


@pytest.fixture
def big(tmp_path: Path) -> Path:
    """A folder with the breach in it, for one big file beside it."""
    write(tmp_path, BREACH)
    return tmp_path


def _still_found(folder: Path, reference: Run, megabytes: int = 512) -> Run:
    first = limited(str(folder), "--format", "json", "-v", megabytes=megabytes)
    result = Run(first.code, first.out.replace(f"{folder}/", ""), first.err.replace(f"{folder}/", ""))
    assert result.code == CONTAIN, result.err[-2000:]
    check_document(result)
    assert incidents(result.document) == incidents(reference.document)
    return result


def test_one_line_of_a_quarter_of_a_gigabyte_takes_no_memory(big: Path, reference: Run) -> None:
    with (big / "a-zeros").open("wb") as stream:
        stream.truncate(1 << 28)
    with gzip.open(big / "b-text.gz", "wb", compresslevel=1) as stream:
        stream.write(b'{"process_exec": {"process": {"arguments": "')
        for _ in range(256):
            stream.write(b"A" * (1 << 20))
        stream.write(b'"}}}\n')
    result = _still_found(big, reference)
    assert [problem[:3] for problem in result.problems] == [
        ("a-zeros", 1, "oversized"),
        ("b-text.gz", 1, "oversized"),
    ]


def test_brackets_without_end_take_neither_memory_nor_the_stack(big: Path, reference: Run) -> None:
    for name, unit in (("a", b"["), ("b", b'{"a":'), ("c", b"[{"), ("d", b'{"records":['), ("e", b"[\n")):
        with gzip.open(big / f"{name}.gz", "wb", compresslevel=1) as stream:
            for _ in range(16):
                stream.write(unit * ((1 << 20) // len(unit)))
    result = _still_found(big, reference)
    assert {file for file, *_ in result.problems} == {"a.gz", "b.gz", "c.gz", "d.gz", "e.gz"}


def _many(folder: Path, name: str, line: Callable[[int], bytes], number: int) -> None:
    with gzip.open(folder / name, "wb", compresslevel=1) as stream:
        for index in range(number):
            stream.write(line(index) + b"\n")


HUGE = b"A" * ((1 << 20) - 2_000)


@pytest.mark.parametrize(
    ("name", "start", "end"),
    [
        ("arguments", b'{"process_exec":{"process":{"binary":"/usr/bin/pip","arguments":"install %d', b'"}'),
        ("binary", b'{"process_exec":{"process":{"binary":"/tmp/%d', b'"}'),
        (
            "cwd",
            b'{"process_exec":{"process":{"binary":"/usr/bin/pip","arguments":"install .","cwd":"/%d',
            b'"}',
        ),
        ("exec id", b'{"process_exec":{"process":{"binary":"/usr/bin/id","exec_id":"%d', b'"}'),
        ("pod uid", b'{"process_exec":{"process":{"binary":"/usr/bin/vi","pod":{"uid":"%d', b'"}}'),
        ("path", b'{"process_kprobe":{"process":{},"args":[{"file_arg":{"path":"/home/%d', b'"}}]'),
        ("address", b'{"process_kprobe":{"process":{},"args":[{"sock_arg":{"dport":9,"daddr":"%d', b'"}}]'),
        ("a member that nobody reads", b'{"process_exec":{"process":{"binary":"/usr/bin/vi"},"x":"%d', b'"'),
    ],
)
def test_very_long_texts_are_not_kept(big: Path, reference: Run, name: str, start: bytes, end: bytes) -> None:
    rest = b'},"node_name":"other","time":"2026-11-24T09:00:00.%09dZ"}'
    _many(big, "long.gz", lambda index: start % index + HUGE + end + rest % index, 400)
    result = _still_found(big, reference)
    assert result.counts["oversized"] == 0


def test_many_processes_and_pods_take_bounded_memory(big: Path, reference: Run) -> None:
    def line(index: int) -> bytes:
        process = (
            b'{"exec_id":"%060d","pid":%d,"binary":"/bin/b%d","start_time":"2026-11-24T09:00:00Z",'
            b'"docker":"%031d","pod":{"uid":"%036d","namespace":"n","name":"p%d"}}'
        ) % (index, index, index, index % 500, index % 500, index % 500)
        return b'{"process_exec":{"process":%b},"node_name":"other","time":"2026-11-24T09:00:00Z"}' % process

    _many(big, "many.gz", line, 300_000)
    result = _still_found(big, reference, megabytes=256)
    assert result.counts["records"] == reference.counts["records"] + 300_000


def test_many_problems_are_counted_and_not_kept(big: Path) -> None:
    _many(big, "a.gz", lambda index: b'{"process_exec": %d}' % index, 200_000)
    _many(big, "b.gz", lambda index: b"%d nothing" % index, 200_000)
    result = limited(str(big), "--format", "json", megabytes=256)
    assert result.code == CONTAIN
    assert result.counts["malformed"] == 400_000
    assert len(result.problems) < 3_000
