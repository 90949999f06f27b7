"""`eightysix incident` as an analyst uses it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from eightysix.cli.main import main
from eightysix.model.words import Verdict
from eightysix.store.casebook import FILE, Casebook
from tests.report.hostile import assert_inert, columns_of
from tests.report.sample import HOSTILE, breach, hostile_report

NOW = 1_795_405_222.0
ID = breach().id


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    book = Casebook(str(tmp_path), lambda: NOW, create=True)
    book.record(
        [
            breach(),
            replace(breach(), id="2" * 16, rule="credential-sweep", verdict=Verdict.SUSPECT, score=55),
            replace(hostile_report().incidents[0], id="3" * 16, verdict=Verdict.WATCH),
        ]
    )
    book.close()
    monkeypatch.setenv("EIGHTYSIX_STATE", str(tmp_path))
    monkeypatch.setenv("EIGHTYSIX_BY", "maria")
    return tmp_path


def run(*arguments: str) -> int:
    return main(["incident", *arguments])


def test_a_list_is_a_table_of_80_columns(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("ack", "2222", "looking at the node with the platform team, " + "word " * 30)
    capsys.readouterr()
    assert run("list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["3 incidents: 2 open, 1 acknowledged", ""]
    assert lines[2].split() == f"{ID[:8]} contain 115 ml/inference-0 poisoned-install 11-23 03:40".split()
    assert lines[3].split()[:5] == "22222222 suspect 55 ml/inference-0 credential-sweep".split()
    assert lines[4].startswith("            acknowledged by maria, ")
    assert ": looking at the n" in lines[4]
    assert lines[4].count("word") < 10
    assert [line.index("ml/inference-0") for line in lines[2:4]] == [27, 27]
    assert max(map(columns_of, lines)) <= 80


@pytest.mark.parametrize("width", ["40", "60", "80", "120"])
def test_no_text_breaks_the_table(
    state: Path, width: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    text = HOSTILE.replace("\ud800", "")
    assert run("note", "333", text, "--by", text[:100]) == 0
    for words in (["list"], ["show", "333"], ["show", "333", "-v"]):
        assert run(*words) == 0
        for line in capsys.readouterr().out.splitlines():
            assert_inert(line)
            assert columns_of(line) <= int(width)


def test_what_is_said_is_shown(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("ack", ID[:4]) == 0
    assert run("note", ID[:4], "built", "before", "the package") == 0
    assert "is acknowledged" in capsys.readouterr().err
    assert run("show", ID[:4]) == 0
    told = capsys.readouterr().out
    assert told.startswith("contain[poisoned-install]: Install, then a second identity\n")
    assert "  case: acknowledged\n" in told
    assert "    acknowledged by maria" in told
    assert "      built before the package\n" in told


def test_closed_ones_are_counted_and_listed_with_all(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("close", ID, "key rotated")
    capsys.readouterr()
    run("list")
    told = capsys.readouterr().out
    assert told.startswith("2 incidents: 2 open, 0 acknowledged · 1 closed (--all lists them)\n")
    assert ID[:8] not in told
    run("list", "--all")
    told = capsys.readouterr().out
    assert told.startswith("3 incidents: 2 open, 0 acknowledged, 1 closed\n")
    assert "closed by maria" in told
    run("reopen", ID)
    run("list")
    assert "opened again by maria" in capsys.readouterr().out


def test_json_has_everything(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("note", ID, "a\x1b[2Jb")
    capsys.readouterr()
    assert run("list", "--format", "json") == 0
    text = capsys.readouterr().out
    assert "\x1b" not in text
    document = json.loads(text)
    assert document["schema"] == "eightysix/cases/v1"
    first = document["cases"][0]
    assert list(first) == ["state", "first_seen", "last_seen", "incident", "entries"]
    assert first["incident"]["id"] == ID
    assert list(first["entries"][0]) == ["at", "who", "what", "text", "revision", "verdict"]
    assert first["entries"][0]["text"] == "a\x1b[2Jb"
    assert run("show", ID, "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["cases"] == [first]


def test_a_long_list_says_what_is_left_out(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list", "--limit", "1") == 0
    told = capsys.readouterr().out
    assert told.splitlines()[0] == "3 incidents: 3 open, 0 acknowledged"
    assert "… and 2 more" in told
    assert run("list", "--limit", "0") == 2


def test_an_empty_casebook(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Casebook(str(tmp_path), lambda: NOW, create=True).close()
    assert run("list", "--state", str(tmp_path)) == 0
    assert capsys.readouterr().out == "0 incidents: 0 open, 0 acknowledged\n"


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["show", "no-such-id"], 2, "no incident has an id that begins with 'no-such-id'"),
        (["ack", "9"], 2, "incident list --all"),
        (["note", ID, "x" * 5000], 2, "at most 4000 characters"),
        (["list", "--state", "/nowhere/at/all"], 2, "no casebook in /nowhere/at/all"),
        (["list", "--state", ""], 2, "EIGHTYSIX_STATE"),
    ],
)
def test_a_request_that_cannot_be_met_says_why(
    state: Path, words: list[str], code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words) == code
    assert told in capsys.readouterr().err


def test_a_damaged_casebook_exits_1(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for file in state.iterdir():
        file.unlink()
    (state / FILE).write_bytes(b"x" * 10_000)
    assert run("list") == 1
    error = capsys.readouterr().err
    assert "damaged or no database of ours" in error
    assert "move it away" in error
