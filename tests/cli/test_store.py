"""`eightysix store` and `eightysix watch --store` as an operator uses them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from eightysix.cli.main import main
from eightysix.model.errors import EightysixError
from eightysix.store.events.asking import Question, ask
from eightysix.store.events.hot import Hot
from eightysix.store.events.ownership import StoreOwnedError
from tests.store.events.rows import EVENTS, HOUR, T0

OLD = T0 - 24 * 365 * HOUR  # 2025-11-23T00:00:00Z
"""A year ago: every hour of it is over, whenever this runs."""


def write_rows(path: Path, count: int = 300) -> Path:
    with path.open("w") as file:
        for number in range(count):
            time_ns = OLD + number % 3 * HOUR + number * 1_000_000_000
            told = {
                "TimeGenerated": time_ns,
                "EventId": str(number),
                "Namespace": "ml",
                "PodName": f"pod-{number % 5}",
            }
            file.write(json.dumps({"table": EVENTS, "row": told}) + "\n")
    return path


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EIGHTYSIX_STORE", str(tmp_path / "store"))
    return tmp_path / "store"


def run(*arguments: str) -> int:
    return main(["store", *arguments])


def test_a_day_in_the_life_of_a_store(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = write_rows(tmp_path / "rows.jsonl")
    assert run("ingest", str(rows)) == 0
    assert run("ingest", str(rows)) == 0
    assert capsys.readouterr() == (
        "",
        "eightysix: 300 rows kept; 300 sealed\neightysix: 0 rows kept, 300 were there already\n",
    )
    assert run("compact") == 0
    assert capsys.readouterr() == ("", "eightysix: 0 rows sealed; 3 segments joined to 1\n")
    assert run("verify") == 0
    told = capsys.readouterr().out
    assert told.startswith("1 segments are as they were written (300 rows, ")
    assert run("stats") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["table", "rows", "not", "sealed", "segments", "size"]
    assert lines[1].split()[:4] == [EVENTS, "300", "0", "1"]
    assert lines[2] == "  2025-11-23T00:00:00Z to 2025-11-23T02:04:59Z"
    assert lines[3].endswith("of 21.5 GB; kept until the budget is used")
    assert max(map(len, lines)) <= 80
    assert run("stats", "--format", "json") == 0
    (table,) = json.loads(capsys.readouterr().out)["tables"]
    assert (table["name"], table["sealed_rows"], table["segments"]) == (EVENTS, 300, 1)


def test_telemetry_becomes_rows(store: Path, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("ingest", str(root / "examples" / "breach-86s"), "-q") == 0
    assert capsys.readouterr() == ("", "")
    run("stats", "--format", "json")
    tables = {each["name"]: each for each in json.loads(capsys.readouterr().out)["tables"]}
    assert {EVENTS, "CloudProcessEvents", "AKSAudit"} <= tables.keys()


def test_what_cannot_be_kept_is_told(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(
        '{"table": "EightySixEvents_CL", "row": {"TimeGenerated": "2026-11-23T00:00:00Z", "EvidenceLine": "x"}}\n'
        '{"table": "EightySixEvents_CL", "row": {}}\n{"table": "No\\u001b[2Jpe", "row": {}}\nhuh\n'
    )
    assert run("ingest", str(path)) == 10
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith(f"eightysix: {path}:4: malformed: ") or "malformed" in told[0]
    assert "eightysix: left out, as they have no usable time or are too large: 1 row" in told
    assert "eightysix: left empty, as they do not fit their column: 1 value" in told
    assert any("no table is called" in line and "\x1b" not in line for line in told)


def test_retention_and_budget_are_set_kept_and_told(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("ingest", str(write_rows(tmp_path / "rows.jsonl")), "-q")
    assert run("compact", "-q", "--budget", "20G", "--share", f"{EVENTS}=0.5") == 0
    assert capsys.readouterr() == ("", "")
    assert run("compact", "-q", "--retention", "90") == 0
    deleted = capsys.readouterr().err
    assert deleted.startswith(f"eightysix: deleted of {EVENTS}: 300 rows (")
    assert deleted.endswith("from 2025-11-23T00:00:00Z to 2025-11-23T02:04:59Z, older than the retention\n")
    settings = json.loads((store / "store.json").read_text())
    assert (settings["retention_days"], settings["shares"]) == (90.0, {EVENTS: 0.5})
    run("stats")
    assert f"deleted of {EVENTS}: 300 rows (" in capsys.readouterr().out


@pytest.mark.parametrize(
    "wrong",
    [("--retention", "soon"), ("--retention", "-1"), ("--retention", "nan"), ("--budget", "lots"),
     ("--budget", ""), ("--share", "x=0.5"), ("--share", f"{EVENTS}=2"), ("--share", EVENTS)],
)  # fmt: skip
def test_what_cannot_be_set_is_refused(
    store: Path, wrong: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    Hot(store, create=True).close()
    assert run("compact", *wrong) == 2
    assert wrong[0] in capsys.readouterr().err


def test_damage_is_named_and_has_a_code(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("ingest", str(write_rows(tmp_path / "rows.jsonl")), "-q")
    bad = min(store.rglob("*.parquet"))
    data = bad.read_bytes()
    bad.write_bytes(data[:-9])
    assert run("verify") == 10
    told = capsys.readouterr().out.splitlines()
    name = bad.relative_to(store)
    assert told[1] == f"damaged: {name}: it has {len(data) - 9} bytes and not {len(data)}"
    assert run("stats") == 10
    assert "1 damaged segment left out" in capsys.readouterr().out


@pytest.mark.parametrize("action", ["compact", "verify", "stats"])
def test_no_store_is_told(store: Path, action: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(action) == 2
    assert "there is no store in" in capsys.readouterr().err
    assert not store.exists()


def test_which_store_must_be_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("EIGHTYSIX_STORE", raising=False)
    assert run("stats") == 2
    assert "--store DIR, or EIGHTYSIX_STORE" in capsys.readouterr().err


def test_an_owned_store_is_read_as_far_as_it_is_sealed(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = write_rows(tmp_path / "rows.jsonl")
    run("ingest", str(rows), "-q")
    with Hot(store, name="eightysix watch"):
        assert run("ingest", str(rows)) == 1
        assert f"is owned by process {os.getpid()} (eightysix watch)" in capsys.readouterr().err
        assert run("verify") == 0
        assert "the hot file belongs to another process" in capsys.readouterr().out
        assert run("stats") == 0
        assert "rows that are not sealed yet are not counted" in capsys.readouterr().out


def test_a_hunt_reads_the_store_or_asks_its_owner(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from eightysix.serve.answering import answer
    from eightysix.store.events.asking import Server

    run("ingest", str(write_rows(tmp_path / "rows.jsonl")), "-q")
    hunt = (
        "hunt",
        "run",
        f"{EVENTS} | summarize n = count() by Namespace",
        "--store",
        str(store),
        "--format",
        "csv",
        "-q",
    )
    assert main(hunt) == 0
    assert capsys.readouterr().out.splitlines() == ["Namespace,n", "ml,300"]
    with Hot(store) as hot:
        hot.append(EVENTS, [{"TimeGenerated": T0, "EventId": "fresh", "Namespace": "ml"}])
        assert main(hunt) == 10  # what is not sealed is left out, and that is a problem
        assert capsys.readouterr().out.splitlines() == ["Namespace,n", "ml,300"]
        with Server(hot, answer):
            assert main(hunt) == 0
            assert capsys.readouterr().out.splitlines() == ["Namespace,n", "ml,301"]
            assert main(("hunt", "run", "Nope | take 1", "--store", str(store))) == 2
            assert "there is no table `Nope`" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    [
        "COPY (SELECT 1) TO 'x.csv'", "SELECT 1; SELECT 2", "", "PRAGMA database_list", "SELECT * FROM read_text('/etc/passwd')",
        "INSERT INTO hot.own.number VALUES (1)", "ATTACH 'x.duckdb'", "SELECT " + "(" * 5000, "CREATE TABLE x (a INT)",
        "SELECT " + "x" * 300_000, "CALL pragma_version()", "SET threads = 1", "SELECT * FROM nowhere",
    ],
)  # fmt: skip
def test_sql_that_does_more_than_read_is_refused(store: Path, text: str) -> None:
    from eightysix.hunt.sql import run_sql
    from eightysix.model.errors import QueryError

    with Hot(store, create=True) as hot, hot.reading() as cursor, pytest.raises(QueryError):
        run_sql(text, cursor)


def test_sql_gives_rows_and_says_that_there_are_more(store: Path) -> None:
    from eightysix.hunt.sql import run_sql

    with Hot(store, create=True) as hot, hot.reading() as cursor:
        result = run_sql("SELECT range AS n FROM range(10)", cursor, limit=3)
    assert ([column.name for column in result.columns], list(result.rows), result.truncated) == (
        ["n"],
        [(0,), (1,), (2,)],
        True,
    )


def _until(done: object) -> None:
    for _ in range(600):
        try:
            if done():  # type: ignore[operator]
                return
        except EightysixError:
            pass
        time.sleep(0.05)
    pytest.fail("it did not come")


def test_watch_keeps_what_it_reads_and_tells_once_however_often_it_is_killed(
    store: Path, tmp_path: Path, root: Path
) -> None:
    command = [
        sys.executable, "-m", "eightysix", "watch", str(root / "examples" / "breach-86s"), "--state", str(tmp_path / "state"),
        "--store", str(store),
    ]  # fmt: skip
    counts = []
    for kill in (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as watch:

            def asked(text: str) -> list[list[object]]:
                return ask(store, Question(text=text, now_ns=time.time_ns())).rows

            _until(lambda: asked("EightySixIncidents_CL | count")[0][0] == 1)
            counts.append((asked("EightySixEvents_CL | count"), asked("CloudProcessEvents | count")))
            watch.send_signal(kill)
            _, said = watch.communicate(timeout=60)
            assert watch.returncode == (-kill if kill == signal.SIGKILL else 0)
            assert "leaked" not in said
    assert counts[0] == counts[1] == counts[2]
    with Hot(store) as hot, hot.reading() as cursor:
        assert cursor.execute(f"SELECT count(*), count(DISTINCT EventId) FROM {EVENTS}").fetchall() == [  # noqa: S608
            (counts[0][0][0][0], counts[0][0][0][0])
        ]
        found = cursor.execute("SELECT Verdict, PodName FROM EightySixIncidents_CL").fetchall()
        assert found == [("contain", found[0][1])]
    with pytest.raises(EightysixError):
        ask(store, Question(text="print 1", now_ns=0))


def test_watch_without_the_store_to_itself_does_not_begin(store: Path, tmp_path: Path, root: Path) -> None:
    with Hot(store, create=True):
        assert main(["watch", str(root / "examples" / "breach-86s"), "--store", str(store)]) == 1
        with pytest.raises(StoreOwnedError):
            Hot(store)
