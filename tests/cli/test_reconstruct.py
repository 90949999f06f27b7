"""`eightysix reconstruct` as a user runs it: whole outputs, questions, formats, exit codes, and what it says of trouble.

EIGHTYSIX_UPDATE_SNAPSHOTS=1 writes the outputs anew.
"""

from __future__ import annotations

import html
import io
import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from eightysix.cli.main import main
from eightysix.cli.reconstruct import FORMATS
from eightysix.lab.interface import Subset
from eightysix.lab.recorded import open_recording

SNAPSHOTS = Path(__file__).parent / "snapshots"
PRINCIPAL = "22222222-2222-4222-8222-222222222222"
"""The object id of the managed identity of all recorded runs."""


@pytest.fixture(autouse=True)
def _plain_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("EIGHTYSIX_") and "SNAPSHOTS" not in name]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)


def write(name: str, folder: str = "logs", only: str = "") -> str:
    """A recorded run as files, in a folder of the current one; `only` those whose name has it."""
    place = Path(folder)
    place.mkdir(exist_ok=True)
    for file, text in open_recording(name).subset(Subset.ALL).items():
        if only in file:
            (place / file).write_bytes(text)
    return folder


def run(*arguments: str) -> int:
    try:
        return main(["reconstruct", *arguments])
    except SystemExit as stop:
        return int(stop.code or 0)


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    run("--format", "json", *arguments)
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def check_snapshot(name: str, text: str) -> None:
    file = SNAPSHOTS / f"reconstruct-{name}.txt"
    if os.environ.get("EIGHTYSIX_UPDATE_SNAPSHOTS") == "1":
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


# --- whole outputs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "recording", "arguments", "code"),
    [
        ("attack", "attack-86s", (), 14),
        ("pod-without-alarm", "azure-identity-at-start", ("--pod", "ml/inference-0"), 0),
        ("identity-in-cloud", "azure-identity-at-start", ("--identity", PRINCIPAL), 0),
        ("service-account", "azure-identity-at-start", ("--identity", "ml/inference-sa"), 0),
        ("artifact", "azure-identity-at-start", ("--artifact", "azure_identity"), 0),
        ("nothing", "azure-identity-at-start", (), 0),
    ],
)
def test_what_people_read(
    capsys: pytest.CaptureFixture[str], name: str, recording: str, arguments: tuple[str, ...], code: int
) -> None:
    assert run(write(recording), *arguments) == code
    check_snapshot(name, capsys.readouterr().out)


# --- questions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "question",
    [
        ("--pod", "ml/inference-0"),
        ("--pod", "inference-0"),
        ("--identity", "ml/inference-sa"),
        ("--identity", PRINCIPAL),
        ("--identity", PRINCIPAL.upper()),
        ("--identity", "11111111-1111-4111-8111-111111111111"),
        ("--artifact", "torch-perf-utils"),
        ("--artifact", "Torch_Perf.Utils==1.4.3"),
        ("--since", "2026-11-23T16:00:00Z", "--until", "2026-11-23T18:00:00Z"),
    ],
)
def test_every_question_finds_the_breach(
    capsys: pytest.CaptureFixture[str], question: tuple[str, ...]
) -> None:
    place = write("attack-86s")
    plain = told(capsys, place)["stories"]
    asked = told(capsys, place, *question)["stories"]
    assert [story["id"] for story in asked] == [story["id"] for story in plain]
    assert run(place, *question) == 14


def test_by_uid_and_by_digest(capsys: pytest.CaptureFixture[str]) -> None:
    place = write("attack-86s")
    (story,) = told(capsys, place)["stories"]
    assert told(capsys, place, "--pod", story["pod"]["uid"])["stories"][0]["id"] == story["id"]
    image = story["image"].partition("@")[2]
    (found,) = told(capsys, place, "--artifact", image)["stories"]
    assert [(one["pod"], one["how"]) for one in found["elsewhere"]] == [("inference-0", "image")]


@pytest.mark.parametrize(
    ("question", "code", "words"),
    [
        (("--pod", "ml/nobody"), 10, "pod ml/nobody"),
        (("--identity", "ml/nobody"), 10, "identity ml/nobody"),
        (("--identity", "99999999-1111-4111-8111-111111111111"), 10, "identity 99999999-"),
        (("--artifact", "torch-perf-utils==9.9"), 0, "artifact torch-perf-utils==9.9"),
        (("--pod", "x\x1b]52;c;AAAA\x07/y"), 10, "pod x"),
    ],
)
def test_what_no_record_knows_is_said(
    capsys: pytest.CaptureFixture[str], question: tuple[str, ...], code: int, words: str
) -> None:
    """Nobody knows the pod: that is no "nothing found"."""
    assert run(write("attack-86s"), *question) == code
    errors = capsys.readouterr().err
    assert f"nothing that was read tells of {words}" in errors
    assert "\x1b" not in errors
    assert "Without --pod" in errors


def test_outside_of_the_time_there_is_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    place = write("attack-86s")
    assert run(place, "--since", "2026-11-24T00:00:00Z") == 0
    assert run(place, "--until", "2026-11-23T00:00:00Z") == 0
    capsys.readouterr()
    assert run(place, "--pod", "ml/inference-0", "--until", "2026-11-23T00:00:00Z") == 10
    assert "at the time that was asked for" in capsys.readouterr().err


def test_an_identity_that_only_cloud_logs_know(capsys: pytest.CaptureFixture[str]) -> None:
    """Its sign-ins are told, and that no pod is joined to them: nobody is accused, and nobody is cleared."""
    place = write("attack-86s", only="sign-ins")
    (story,) = told(capsys, place, "--identity", PRINCIPAL)["stories"]
    (identity,) = story["identities"]
    assert (identity["kind"], identity["state"], story["verdict"]) == ("managed-identity", "used", None)
    assert len(identity["uses"]) == 2
    assert {use["attribution"]["grade"] for use in identity["uses"]} == {"F"}
    assert identity["revocation"]["possible"] is False
    assert story["domains"] == []


def test_uses_of_an_identity_have_their_candidates(capsys: pytest.CaptureFixture[str]) -> None:
    place = write("azure-identity-at-start")
    (story,) = told(capsys, place, "--identity", PRINCIPAL)["stories"]
    (identity,) = story["identities"]
    assert identity["uses"]
    for use in identity["uses"]:
        assert [one["pod"] for one in use["attribution"]["candidates"]] == ["ml/inference-0"]
        assert use["attribution"]["grade"] == "E"


# --- inputs and outputs -----------------------------------------------------------------------------------------------


def test_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    place = write("attack-86s")
    (expected,) = told(capsys, place)["stories"]
    everything = b"".join(file.read_bytes() for file in sorted(Path(place).iterdir()))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(everything)))
    (story,) = told(capsys, "-")["stories"]
    assert (story["id"], story["verdict"], len(story["marks"])) == (
        expected["id"],
        expected["verdict"],
        len(expected["marks"]),
    )


def test_a_store_tells_it_too(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("duckdb")
    place = write("attack-86s")
    assert main(["store", "ingest", "-q", "--store", "store", place]) == 0
    (expected,) = told(capsys, place)["stories"]
    for question in ((), ("--pod", "ml/inference-0"), ("--artifact", "torch-perf-utils")):
        (story,) = told(capsys, "--store", "store", *question)["stories"]
        assert (story["id"], story["verdict"]) == (expected["id"], "contain")
    assert run("--store", "store", "--pod", "ml/nobody") == 10


def test_read_all_tells_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    place = write("attack-86s")
    first = told(capsys, place, "--pod", "ml/inference-0")
    assert told(capsys, place, "--pod", "ml/inference-0", "--read-all") == first


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("recording", ["attack-86s", "azure-identity-at-start"])
def test_every_format_is_what_it_says(capsys: pytest.CaptureFixture[str], name: str, recording: str) -> None:
    """With a story, and with none."""
    place = write(recording)
    run(place, "--format", name)
    out = capsys.readouterr().out
    assert out.endswith("\n") or not out
    target = Path("told")
    run(place, "--format", name, "--output", str(target), "--color", "never")
    assert capsys.readouterr().out == ""
    assert target.read_bytes().decode() == out
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    _check(name, out)


def _check(name: str, out: str) -> None:
    if name in ("json", "sarif", "navigator"):
        assert isinstance(json.loads(out), dict)
    elif name in ("timesketch", "ocsf"):
        assert all(isinstance(json.loads(line), dict) for line in out.splitlines())
    elif name == "html":
        assert out.lower().startswith("<!doctype html>")
        assert "default-src 'none'" in html.unescape(out)
    else:
        assert out


def test_machine_formats_are_the_same_every_time(capsys: pytest.CaptureFixture[str]) -> None:
    place = write("attack-86s")
    for name in FORMATS:
        outs = []
        for _ in range(2):
            run(place, "--format", name)
            outs.append(capsys.readouterr().out)
        assert outs[0] == outs[1], name


# --- exit codes and trouble -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recording", "code"),
    [("attack-86s", 14), ("metadata-denied", 13), ("notebook-upgrades-sdk", 11), ("mlflow", 0)],
)
def test_the_worst_verdict_is_the_exit_code(recording: str, code: int) -> None:
    place = write(recording)
    assert run(place) == code
    assert run(place, "--exit-zero") == 0


def test_what_could_not_be_read_exits_10(capsys: pytest.CaptureFixture[str]) -> None:
    place = write("mlflow")
    (Path(place) / "broken.jsonl").write_text('{"process_exec":{"process":{"pid":\n')
    assert run(place) == 10
    assert "broken.jsonl:1: malformed" in capsys.readouterr().err
    assert run(write("attack-86s")) == 14


def test_nothing_to_read_exits_3(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("absent") == 3
    assert "Name files or folders with telemetry" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "next_step"),
    [
        ((), "Name files or folders with telemetry, - or --store DIR"),
        (("x", "--store", "y"), "Read one or the other"),
        (("x", "--pod", "a/b/c"), "As in ml/inference-0."),
        (("x", "--pod", "ml/"), "As in ml/inference-0."),
        (("x", "--since", "yesterday"), "As in 2026-11-23T03:38:00Z."),
        (("x", "--until", "2026-13-01"), "As in 2026-11-23T03:38:00Z."),
        (("x", "--since", "2026-11-24T00:00:00Z", "--until", "2026-11-23T00:00:00Z"), "change one of them"),
        (("x", "--identity", "a/b", "--identity", "c/d"), "Ask for one after the other."),
        (("x", "--artifact", "==1.0"), "As in torch-perf-utils==1.4.3."),
        (("x", "--format", "nonsense"), "timesketch"),
        (("--store", "absent"), "eightysix store ingest --store DIR makes one"),
    ],
)
def test_wrong_usage_exits_2_and_says_what_to_do(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], next_step: str
) -> None:
    assert run(*arguments) == 2
    assert next_step in capsys.readouterr().err


def test_questions_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = write("attack-86s")
    monkeypatch.setenv("EIGHTYSIX_ARTIFACT", "torch-perf-utils")
    (story,) = told(capsys, place)["stories"]
    assert story["asked"] == "artifact torch-perf-utils"
