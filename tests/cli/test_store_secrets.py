"""Canaries planted in telemetry and in rows are nowhere in a store: hot file, segments, raw records."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from eightysix.cli.main import main
from eightysix.store.columns import quoted
from eightysix.store.events.hot import Hot
from eightysix.store.events.sealing import seal
from eightysix.store.events.view import open_view
from eightysix.store.tables import load
from tests.streams import ATTACKS, FULL
from tests.test_secrets import PLANTED, TOKENS, WORD, _as_text, _breach_by, assert_clean

TIME = "2026-11-24T09:10:00Z"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EIGHTYSIX_STORE", raising=False)


def telemetry(folder: Path) -> Path:
    """Breaches with canaries in arguments, environment, URLs and headers, and exported rows with whole command lines."""
    place = folder / "telemetry"
    place.mkdir()
    with (place / "tetragon.jsonl").open("w") as file:
        for number, (binary, words) in enumerate(PLANTED[::170]):
            for line in _breach_by(binary, _as_text(words), number):
                record = json.loads(line)
                for body in record.values():
                    if isinstance(body, dict) and "process" in body:
                        body["process"]["environment_variables"] = [{"key": "TOKEN", "value": WORD}]
                        body["message"] = f"saw {TOKENS['github']}"
                file.write(json.dumps(record) + "\n")
    for name, lines in ATTACKS["breach-86s"](FULL).streams.items():
        if name != "tetragon.jsonl":
            with (place / name).open("w") as file:
                file.writelines(json.dumps(_with_canaries(json.loads(line))) + "\n" for line in lines)
    commands = [_as_text([f"/usr/bin/{binary}", *words]) for binary, words in PLANTED[::40]]
    rows = [
        {"TimeGenerated": TIME, "ReportId": str(n), "ProcessCommandLine": c} for n, c in enumerate(commands)
    ]
    write(place / "named.jsonl", [{"table": "CloudProcessEvents", "row": row} for row in rows])
    write(place / "DeviceProcessEvents.jsonl", [{**row, "DeviceName": TOKENS["jwt"]} for row in rows])
    typed = {"Type": "AKSAudit", "TimeGenerated": TIME, "RequestUri": f"/api/v1/x?token={WORD}"}
    body = {"stringData": {"a": WORD}, "data": {"b": TOKENS["password"]}}
    write(place / "typed.jsonl", [{**typed, "RequestObject": body, "UserAgent": f"x {TOKENS['openai']}"}])
    write(
        place / "kept.jsonl", [{"table": "EightySixRaw_CL", "row": {"TimeGenerated": TIME, "Record": body}}]
    )
    return place


def write(path: Path, records: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


def _with_canaries(record: dict[str, object]) -> dict[str, object]:
    if "auditID" in record:
        uri = f"{record['requestURI']}?access_token={WORD}"
        return {
            **record,
            "requestURI": uri,
            "requestObject": {"data": {"k": WORD}, "spec": {"token": TOKENS["jwt"]}},
        }
    if "t_ns" in record:
        url = f"https://u:{TOKENS['password']}@login.example/x?sig={WORD}"
        return {**record, "env": [f"TOKEN={WORD}"], "url": url, "argv": ["x", f"--token={WORD}"]}
    return record


def assert_store_is_clean(store: Path) -> dict[str, int]:
    """How many rows each table has."""
    for path in store.rglob("*"):
        if path.is_file():
            assert_clean(path.read_bytes(), str(path))
    counts = {}
    view = open_view(store)
    for table in load():
        rows = view.execute(f"SELECT * FROM {quoted(table)}").fetchall()  # noqa: S608
        assert_clean(repr(rows), table)
        counts[table] = len(rows)
    view.close()
    return counts


def test_what_is_ingested_and_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store, place = tmp_path / "store", telemetry(tmp_path)
    assert main(["store", "ingest", str(place), "--incidents", "--store", str(store)]) in (0, 10)
    assert_clean(capsys.readouterr().err, "what was said")
    hot = assert_store_is_clean(store)
    assert hot["EightySixIncidents_CL"] > 20
    assert hot["EightySixRaw_CL"] > 100
    assert hot["DeviceProcessEvents"] == len(PLANTED[::40])
    with Hot(store) as owned:
        seal(owned, 0, everything=True)
    assert assert_store_is_clean(store) == hot
    # What is shown of a record still says who did what.
    view = open_view(store)
    (shown,) = view.execute(
        "SELECT count(*) FROM EightySixRaw_CL WHERE CAST(Record AS VARCHAR) LIKE '%169.254.169.254%'"
    ).fetchone() or (0,)
    view.close()
    assert shown > 20


def test_what_a_watch_keeps(tmp_path: Path) -> None:
    store, place = tmp_path / "store", telemetry(tmp_path)
    command = [sys.executable, "-m", "eightysix", "watch", "-", "--store", str(store)]
    with (place / "tetragon.jsonl").open("rb") as file:
        done = subprocess.run(command, stdin=file, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert_clean(done.stdout + done.stderr, "what was said")
    counts = assert_store_is_clean(store)
    assert counts["EightySixIncidents_CL"] > 20
    assert counts["EightySixRaw_CL"] > 100
    assert "no longer at hand" not in done.stderr
