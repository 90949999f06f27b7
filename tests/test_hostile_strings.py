"""Text that was written to harm whoever reads it is inert in every output, wherever in the telemetry it stands."""

from __future__ import annotations

import contextlib
import io
import json
import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from eightysix.cli.main import main
from eightysix.model.incident import Report
from tests.report.hostile import assert_inert, columns_of, hostile_text
from tests.streams import ATTACKS, FULL, Streams

Json = Any

BREACH: Streams = ATTACKS["breach-86s"](FULL).streams

TEXTS: dict[str, str] = {
    "clear screen": "\x1b[2J\x1b[1;1H0 incidents: all clear",
    "terminal title": "\x1b]0;pwned\x07",
    "hyperlink": "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "c1 control": "\x9b31mred\x9c\x85next",
    "newlines": "a\nexit: 0 nothing found\r\n\r\nb",
    "carriage return": "inference\rnothing found",
    "backspaces": "contain\b\b\b\b\b\b\bwatch  ",
    "tabs": "a\tb\t\tc",
    "bell and delete": "\x07\x7f",
    "nul": "a\x00b",
    "bidi override": "\u202egpj.exe\u202c",
    "bidi isolates": "\u2066x\u2067y\u2069",
    "right to left letters": "\u05d0\u05d1\u05d2 12 \u0627\u0644",
    "line separators": "a\u2028b\u2029c",
    "zero width": "in\u200bfer\u200dence\ufeff\u2060",
    "tags": "x\U000e0041\U000e0042",
    "private use": "\ue000\U000f0000",
    "combining": "e" + "\u0301" * 200,
    "wide": "漢字" * 60,
    "emoji": "👩‍👩‍👧‍👦🇩🇪" * 20,
    "blanks": "a" + " " * 90 + "contain[poisoned-install]",
    "braille blanks": "\u2800" * 40,
    "one long word": "A" * 240,
    "long path": "/x" * 120,
    "format characters": "%s%n{0}{__class__}$(id)`id`",
    "markup": "<script>alert(1)</script>&lt;\"'",
    "json": '"},{"verdict":"watch',
    "yaml": "x: [&a *a, !!python/object:os.system 'id'] # ---\n- y",
    "ansi in words": "contain\x1b[0m[\x1b[31mx",
}

LONE = "\ud800x\udfff"
"""Text with no UTF-8, as JSON escapes can write it."""

FORMS = ((40, ("-v",)), (80, ()))
"""Widths of a terminal, and how much is told there."""


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("EIGHTYSIX_")]:
        monkeypatch.delenv(name)


def command(*arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(arguments)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 2
    assert "Traceback" not in err.getvalue()
    return code, out.getvalue(), err.getvalue()


def assert_lines(text: str, width: int | None) -> None:
    """Every line of `text` is inert, and no wider than `width`; lines end with nothing but a newline."""
    assert text.endswith("\n") or not text
    for line in text.split("\n"):
        assert_inert(line)
        assert width is None or columns_of(line) <= width, f"{columns_of(line)} columns: {line!r}"


def assert_json(text: str) -> Report:
    """`text` is UTF-8, JSON, and shows nothing but what may be shown."""
    assert all(character == "\n" or character.isprintable() for character in text)
    json.loads(text.encode().decode())
    return msgspec.json.decode(text.encode(), type=Report)


def examine(place: str, *, expected: tuple[int, ...] = (14,)) -> Report:
    """Run `detect` in all forms over `place`."""
    code, text, errors = command("detect", place, "--format", "json")
    assert code in expected, errors
    assert_lines(errors, None)
    report = assert_json(text)
    for width, more in FORMS:
        os.environ["COLUMNS"] = str(width)
        try:
            _, text, errors = command("detect", place, *more)
        finally:
            del os.environ["COLUMNS"]
        assert_lines(text, width)
        assert_lines(errors, None)
    return report


def write(folder: Path, streams: Streams) -> str:
    """One file a stream."""
    for name, lines in streams.items():
        (folder / name).write_text("".join(f"{line}\n" for line in lines), errors="surrogatepass")
    return str(folder)


# --- names ------------------------------------------------------------------------------------------------------------


def _replaced(value: Json, old: str, new: str) -> Json:
    """`value` with `old` replaced by `new` in every text, keys too."""
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, list):
        return [_replaced(item, old, new) for item in value]
    if isinstance(value, dict):
        return {_replaced(key, old, new): _replaced(item, old, new) for key, item in value.items()}
    return value


NAMES: dict[str, str] = {
    "pod": "inference-0",
    "namespace": '"ml"',
    "node": "aks-gpu-31337-vmss000000",
    "cluster": "aks-ml-prod",
    "workload": '"inference"',
    "image": "registry.example",
    "container": '"server"',
    "service account": "inference-sa",
    "secret": "acr-push-sp",
    "package": "torch-perf-utils",
    "module": "torch_perf_utils._boot",
    "host": "telemetry.perf-utils.example",
    "address": "198.51.100.86",
    "binary": "/opt/venv/bin/python",
    "script": "/app/server.py",
    "token file": "/serviceaccount/",
    "user agent": "Python-urllib/3.11",
    "verb": '"list"',
    "resource": '"secrets"',
    "path": "/api/v1/namespaces/ml/secrets",
    "site folder": "/opt/venv/lib/python3.11/site-packages",
    "image digest": "sha256:",
    "container id": "containerd://",
}
"""What stands in the breach for each kind of name; in quotes where the whole text is meant."""


def _with_name(streams: Streams, old: str, new: str) -> Streams:
    """`streams` with one name replaced in all of them, so that what belongs together still does."""
    changed: Streams = {}
    for file, lines in streams.items():
        changed[file] = []
        for line in lines:
            record = json.loads(line)
            if old.startswith('"'):
                record = _whole(record, old.strip('"'), new)
            else:
                record = _replaced(record, old, f"{old[:2]}{new}{old[2:]}")
            changed[file].append(json.dumps(record))
    return changed


def _whole(value: Json, old: str, new: str) -> Json:
    """`value` with texts that are `old` replaced; keys stay."""
    if isinstance(value, dict):
        return {key: _whole(item, old, new) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item, old, new) for item in value]
    return f"{old}{new}" if value == old else value


ANY_CODE = (0, 10, 11, 13, 14)
HARMLESS_NAMES = (
    "pod",
    "namespace",
    "node",
    "cluster",
    "workload",
    "image",
    "secret",
    "user agent",
    "image digest",
)
"""Names by which nothing is judged."""


@pytest.mark.parametrize("name", NAMES)
def test_hostile_names_are_inert_and_hide_nothing(tmp_path: Path, name: str) -> None:
    for number, text in enumerate(TEXTS.values()):
        folder = tmp_path / str(number)
        folder.mkdir()
        place = write(folder, _with_name(BREACH, NAMES[name], text))
        report = examine(place, expected=(14,) if name in HARMLESS_NAMES else ANY_CODE)
        assert len(report.incidents) == 1 or name not in HARMLESS_NAMES


@pytest.mark.parametrize("name", NAMES)
def test_lone_surrogates_are_visible_or_told(tmp_path: Path, name: str) -> None:
    place = write(tmp_path, _with_name(BREACH, NAMES[name], LONE))
    report = examine(place, expected=ANY_CODE)
    used = report.counts.events + report.counts.malformed + report.counts.unrecognised
    assert used == report.counts.records


def test_lone_surrogates_as_bytes_are_told(tmp_path: Path) -> None:
    for file, lines in BREACH.items():
        bad = [
            line.encode().replace(b"inference-0", b"inf\xed\xa0\x80-0").replace(b"python", b"py\xff")
            for line in lines
        ]
        (tmp_path / f"bad-{file}").write_bytes(b"\n".join(bad))
    write(tmp_path, BREACH)
    report = examine(str(tmp_path))
    assert report.counts.malformed > 0
    assert any("not UTF-8" in problem.reason for problem in report.coverage.problems)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=hostile_text)
def test_any_text_for_every_name_at_once(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    streams = BREACH
    for old in NAMES.values():
        streams = _with_name(streams, old, text[:200])
    folder = tmp_path_factory.mktemp("any")
    examine(write(folder, streams), expected=ANY_CODE)


def test_long_names_do_not_push_the_story_away(tmp_path: Path) -> None:
    streams = BREACH
    for kind in ("pod", "namespace", "node", "cluster", "workload", "image"):
        streams = _with_name(streams, NAMES[kind], "x" * 3_000)
    _, out, _ = command("detect", write(tmp_path, streams))
    assert len(out) < 12_000
    assert out.count("\n") < 200


# --- arguments and the rest -------------------------------------------------------------------------------------------


def _texts(value: Json, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if isinstance(value, str):
        yield path
    elif isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _texts(item, (*path, key))


@pytest.mark.parametrize("file", BREACH)
def test_every_text_of_every_record_may_be_hostile(tmp_path: Path, file: str) -> None:
    """One text at a time, so that the record is still understood by the others."""
    lines: list[str] = []
    seen: set[tuple[str | int, ...]] = set()
    hostile = list(TEXTS.values())
    for line in BREACH[file]:
        record = json.loads(line)
        kind = (str(record.get("event", "")), str(record.get("verb", "")))
        for path in _texts(record):
            if (*kind, *path) in seen:
                continue
            seen.add((*kind, *path))
            for number in range(4):
                copy = json.loads(line)
                at = copy
                for key in path[:-1]:
                    at = at[key]
                at[path[-1]] += hostile[(len(lines) + number * 7) % len(hostile)]
                lines.append(json.dumps(copy, ensure_ascii=number % 2 == 0))
    write(tmp_path, BREACH)
    (tmp_path / f"more-{file}").write_text("\n".join(lines), errors="surrogatepass")
    examine(str(tmp_path))


def test_hostile_lines_that_are_no_use_are_told_inertly(tmp_path: Path) -> None:
    write(tmp_path, BREACH)
    lines = [*TEXTS.values(), *(json.dumps(text) for text in TEXTS.values())]
    lines += [json.dumps({text: text, "category": text, "process_exec": text}) for text in TEXTS.values()]
    lines += [json.dumps({"process_exec": {"process": {text: text, "pid": text}}}) for text in TEXTS.values()]
    lines += [json.dumps({"v": 1, "t_ns": text, "event": text}) for text in TEXTS.values()]
    (tmp_path / "strange.jsonl").write_text("\n".join(lines), errors="surrogatepass")
    (tmp_path / "between.jsonl").write_text(
        "\n".join([BREACH["tetragon.jsonl"][0], *lines]), errors="surrogatepass"
    )
    report = examine(str(tmp_path))
    assert report.counts.malformed > len(TEXTS)


# --- names of files ---------------------------------------------------------------------------------------------------

FILE_NAMES: tuple[bytes, ...] = (
    *(
        text.encode("utf-8", "replace")
        .replace(b"/", b"_")
        .replace(b"\0", b"")[:250]
        .decode("utf-8", "ignore")
        .encode()
        for text in TEXTS.values()
    ),
    b"\xff\xfe\xfd.jsonl",
    b"-v",
    b"--format",
    b" ",
    b"a" * 255,
)


def _named(folder: Path, name: bytes, data: bytes) -> str:
    path = os.path.join(os.fsencode(folder), name)
    with open(path, "wb") as stream:
        stream.write(data)
    return os.fsdecode(path)


def test_names_of_input_files_are_inert(tmp_path: Path) -> None:
    for number, name in enumerate(FILE_NAMES):
        folder = tmp_path / str(number)
        folder.mkdir()
        write(folder, BREACH)
        kernel = (folder / "tetragon.jsonl").read_bytes()
        (folder / "tetragon.jsonl").unlink()
        _named(folder, name, kernel + b"nothing\n{}\n")
        report = examine(str(folder))
        places = {place.file for step in report.incidents[0].stages for place in step.evidence}
        assert len(places) == 3
        assert {problem.kind for problem in report.coverage.problems} == {"malformed", "unrecognised"}


def test_names_of_files_on_the_command_line_are_inert(tmp_path: Path) -> None:
    for name in FILE_NAMES:
        missing = os.fsdecode(os.path.join(os.fsencode(tmp_path), name))
        code, out, errors = command("detect", missing)
        assert (code, out) == (3, "")
        assert_lines(errors, None)
        text = "".join(f"{line}\n" for lines in BREACH.values() for line in lines)
        examine(_named(tmp_path, name, text.encode()))
        os.unlink(missing)


@pytest.mark.parametrize("text", [text for text in TEXTS.values() if "\0" not in text])
def test_options_are_told_inertly(tmp_path: Path, text: str) -> None:
    place = write(tmp_path, BREACH)
    for arguments in (
        ("detect", place, "--pod", text),
        ("detect", place, "--api-server", text),
        ("detect", place, "--baseline", text),
        ("detect", place, "--output", str(tmp_path / "missing" / text.replace("/", "_"))),
        ("exception", "propose", text, place, "--reason", text, "--author", text),
        ("rules", "show", text),
    ):
        _, out, errors = command(*arguments)
        assert_lines(out, None)
        assert_lines(errors, None)


@pytest.mark.parametrize(
    "arguments",
    [
        ("detect", "{telemetry}", "--rules", "{long}"),
        ("detect", "{telemetry}", "--baseline", "{long}"),
        ("detect", "{telemetry}", "--output", "{long}"),
        ("rules", "test", "{long}"),
        ("rules", "show", "{long}"),
        ("rules", "new", "{long}"),
    ],
)
def test_names_that_are_too_long(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    values = {"telemetry": write(tmp_path, BREACH), "long": "x" * 300}
    code, _, errors = command(*(word.format(**values) for word in arguments))
    assert code == 2
    assert_lines(errors, None)


# --- what operators keep ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["namespace", "workload", "package", "image", "host"])
def test_proposed_exceptions_are_yaml_of_one_exception(tmp_path: Path, kind: str) -> None:
    for number, text in enumerate(TEXTS.values()):
        folder = tmp_path / str(number)
        folder.mkdir()
        place = write(folder, _with_name(BREACH, NAMES[kind], text))
        _, out, _ = command("detect", place, "--format", "json")
        for incident in json.loads(out)["incidents"]:
            code, out, errors = command(
                "exception", "propose", incident["id"], place, "--reason", "a test", "--author", "us"
            )
            assert code in (0, 2), errors
            assert all(character == "\n" or _may_be_shown(character) for character in out), repr(out)
            if code == 0:
                proposed = yaml.safe_load(out)
                assert isinstance(proposed, dict)
                assert {"rule", "reason", "author"} <= proposed.keys()


def test_the_name_of_a_proposed_exception_is_inert(tmp_path: Path) -> None:
    place = write(tmp_path, _with_name(BREACH, NAMES["workload"], TEXTS["clear screen"]))
    _, out, _ = command("detect", place, "--format", "json")
    found = json.loads(out)["incidents"][0]["id"]
    code, _, errors = command("exception", "propose", found, place, "--reason", "a test", "--author", "us")
    assert code == 2  # a name that only an attacker would choose
    assert_lines(errors, None)


def _may_be_shown(character: str) -> bool:
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp")


def test_baselines_are_utf8(tmp_path: Path) -> None:
    streams = BREACH
    for kind in ("namespace", "workload", "binary", "host"):
        streams = _with_name(streams, NAMES[kind], "\u202e\x1b[2J" + LONE)
    place = write(tmp_path, streams)
    code, out, errors = command("baseline", "build", place)
    assert code == 0
    json.loads(out.encode())
    assert_lines(errors, None)
    code, _, errors = command("baseline", "build", place, "-o", str(tmp_path / "baseline.json"))
    assert code == 0
    json.loads((tmp_path / "baseline.json").read_bytes())
    code, _, _ = command("detect", place, "--baseline", str(tmp_path / "baseline.json"))
    assert code in (0, 10, 11, 13, 14)
