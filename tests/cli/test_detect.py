"""`eightysix detect` as a user runs it: exit codes, outputs, standard input, and what it says of trouble."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import stat
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from eightysix.cli.main import main
from eightysix.cli.options import api_servers
from eightysix.context.destinations import classify
from eightysix.model.timestamps import to_ns
from eightysix.rules.catalog import packaged_folder
from tests.streams import ATTACKS, KERNEL_AND_SENSOR, KERNEL_ONLY, LOOK_ALIKES, Recording
from tests.streams.ledgers import LEDGERED

BREACH = ATTACKS["breach-86s"]()
SUSPECT = ATTACKS["poisoned-at-start"](KERNEL_AND_SENSOR)


def write(recording: Recording, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in recording.streams.items():
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def run(*arguments: str) -> int:
    try:
        return main(["detect", *arguments])
    except SystemExit as stop:
        return int(stop.code or 0)


def report(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    run("--format", "json", *arguments)
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


def test_contain_exits_14(tmp_path: Path) -> None:
    assert run(str(write(BREACH, tmp_path))) == 14
    assert run(str(tmp_path), "--exit-zero") == 0


def test_suspect_exits_13(tmp_path: Path) -> None:
    assert run(str(write(SUSPECT, tmp_path))) == 13


def test_watch_exits_11(tmp_path: Path) -> None:
    assert run(str(write(ATTACKS["breach-86s"](KERNEL_ONLY), tmp_path))) == 11


def test_nothing_found_exits_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(write(LOOK_ALIKES["worker-respawn"](), tmp_path))) == 0
    assert "Nothing reached a verdict" in capsys.readouterr().out


def test_what_could_not_be_judged_exits_10(tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").write_text("\n".join(BREACH.streams["kubernetes-audit.jsonl"]) + "\n")
    assert run(str(tmp_path)) == 10


def test_a_sensor_that_is_not_installed_is_no_fault_of_the_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(str(write(LOOK_ALIKES["worker-respawn"](KERNEL_ONLY), tmp_path))) == 0
    assert "need provenance" in capsys.readouterr().out


def test_what_could_not_be_read_exits_10(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(LOOK_ALIKES["worker-respawn"](), tmp_path)
    (tmp_path / "broken.jsonl").write_text('{"process_exec":{"process":{"pid":\n')
    assert run(str(tmp_path)) == 10
    assert "broken.jsonl:1: malformed" in capsys.readouterr().err


def test_nothing_to_read_exits_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(tmp_path / "absent")) == 3
    assert "eightysix:" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("x", "--format", "nonsense"),
        ("x", "--source", "nonsense"),
        ("x", "--baseline", "/nowhere/b.json"),
        ("x", "--rules", "/nowhere"),
        ("x", "--api-server", "https://10.0.0.1:443"),
        ("x", "--api-server", "10.0.0.1:443"),
        ("x", "--api-server", "10.0.0.300"),
        ("x", "--api-server", ""),
    ],
)
def test_wrong_usage_exits_2(arguments: tuple[str, ...]) -> None:
    assert run(*arguments) == 2


def test_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    everything = "\n".join(line for lines in BREACH.streams.values() for line in lines) + "\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(everything.encode())))
    assert run("-") == 14
    assert "contain[poisoned-install]" in capsys.readouterr().out


def test_a_format_is_told_by_content_never_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(BREACH, tmp_path / "plain")
    other = tmp_path / "other"
    other.mkdir()
    for number, lines in enumerate(BREACH.streams.values()):
        (other / f"{number}.csv").write_bytes(gzip.compress("\n".join(lines).encode()))
    expected, told = report(capsys, str(tmp_path / "plain")), report(capsys, str(other))
    assert [i["id"] for i in told["incidents"]] == [i["id"] for i in expected["incidents"]]
    assert told["counts"] == expected["counts"]


def test_the_same_input_gives_the_same_bytes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(BREACH, tmp_path)
    outputs = []
    for _ in range(2):
        run("--format", "json", str(tmp_path))
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1]


def test_output_goes_to_a_file_that_nobody_else_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "incidents.json"
    run("--format", "json", "--output", str(target), str(write(BREACH, tmp_path / "in")))
    assert capsys.readouterr().out == ""
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert json.loads(target.read_text())["schema"] == "eightysix/incidents/v1"


def test_an_output_that_cannot_be_written_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(BREACH, tmp_path / "in")
    assert run("--output", str(tmp_path / "no" / "folder"), str(tmp_path / "in")) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_incidents_v1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = report(capsys, str(write(BREACH, tmp_path)))
    assert told["schema"] == "eightysix/incidents/v1"
    counts = {"records", "events", "malformed", "oversized", "unrecognised", "duplicate"}
    assert counts <= set(told["counts"])
    (incident,) = told["incidents"]
    keys = {
        "id",
        "revision",
        "aliases",
        "rule",
        "verdict",
        "score",
        "pod",
        "t0",
        "stages",
        "identities",
        "why",
        "gaps",
    }
    assert keys <= set(incident)
    assert set(incident["pod"]) == {"cluster", "node", "namespace", "name", "uid"}
    stage = {"stage", "at", "offset_s", "title", "grade", "origin", "evidence"}
    assert all(stage <= set(entry) for entry in incident["stages"])
    assert all(
        set(e) == {"source", "file", "line"} for entry in incident["stages"] for e in entry["evidence"]
    )
    assert sum(reason["points"] for reason in incident["why"]) == incident["score"]
    assert {identity["state"] for identity in incident["identities"]} <= {"taken", "used", "exposed"}


def test_evidence_points_at_the_records(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (incident,) = report(capsys, str(write(BREACH, tmp_path)))["incidents"]
    for entry in incident["stages"]:
        for evidence in entry["evidence"]:
            line = Path(evidence["file"]).read_text().splitlines()[evidence["line"] - 1]
            if entry["destination"].startswith("198.51.100.86") and evidence["source"] == "tetragon":
                assert "198.51.100.86" in line
            if entry["destination"] == "get ml/secrets/acr-push-sp":
                assert "acr-push-sp" in line


def test_an_exception_silences_what_it_covers_and_nothing_worse(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    telemetry = str(write(SUSPECT, tmp_path / "in"))
    (incident,) = report(capsys, telemetry)["incidents"]
    assert incident["verdict"] == "suspect"
    words = ["exception", "propose", incident["id"], telemetry, "--reason", "known tuner", "--author", "sec"]
    assert main([*words, "--days", "365"]) == 0
    rules = tmp_path / "rules.d"
    rules.mkdir()
    text = capsys.readouterr().out
    # Telemetry of the future needs an exception of the future: dates are judged by the incident's own time.
    text = "\n".join(
        line.split(":")[0] + ": '2026-11-01'"
        if line.startswith("created:")
        else line.split(":")[0] + ": '2026-12-31'"
        if line.startswith("expires:")
        else line
        for line in text.splitlines()
    )
    (rules / "tuner.exception.yml").write_text(text + "\n")
    assert run("--rules", str(rules), telemetry) == 0
    told = report(capsys, "--rules", str(rules), telemetry)
    (silenced,) = told["incidents"]
    assert silenced["suppressed_by"]
    assert told["coverage"]["suppressed"] == [silenced["suppressed_by"]]
    worse = str(write(BREACH, tmp_path / "worse"))
    assert run("--rules", str(rules), worse) == 14


def test_a_baseline_tells_what_is_new(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recording = ATTACKS["release-takes-credential"]()
    before = write(
        Recording(recording.name, recording.setting, recording.baseline, recording.label), tmp_path / "before"
    )
    snapshot = tmp_path / "baseline.json"
    assert main(["baseline", "build", str(before), "--output", str(snapshot)]) == 0
    assert "1 workloads" in capsys.readouterr().err
    now = str(write(recording, tmp_path / "now"))
    assert run(now) in (0, 11)
    assert run("--baseline", str(snapshot), now) == 13
    assert "release-drift" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("told", "known"),
    [
        ("10.200.0.1", "10.200.0.1"),
        ("FD00:0::1", "fd00::1"),
        ("API.Example.Internal.", "api.example.internal"),
    ],
)
def test_an_api_server_is_matched_as_records_have_it(told: str, known: str) -> None:
    assert api_servers([told]) == {known}
    assert classify("", 443, known, api_servers([told])) == "api-server"


def test_a_token_request_that_names_an_identity_joins_the_cloud_rows(tmp_path: Path) -> None:
    shutil.copytree(
        packaged_folder() / "identity-outside" / "fires" / "node-identity", tmp_path, dirs_exist_ok=True
    )
    declared = json.loads((tmp_path / "declared.json").read_text())
    (tmp_path / "declared.json").unlink()
    ways_out = [word for network in declared["egress"] for word in ("--egress", network)]
    assert run(str(tmp_path), *ways_out) in (0, 10, 11)
    identity = declared["identity"][0].partition("=")[2]
    url = "http://169.254.169.254/metadata/identity/oauth2/token?resource=https://vault.azure.net&client_id="
    request = {
        "v": 1, "t_ns": to_ns("2026-11-24T09:00:03Z"), "boot_id": "b", "pid": 9, "ns_pid": 9, "tid": 9,
        "start_ticks": 1, "event": "http", "chain": [], "url": url + identity.upper(),
        "pod": {"namespace": "ml", "name": "inference-0", "uid": "916eac50-4d4e-4d3a-85ed-d68205d18fa2"},
    }  # fmt: skip
    (tmp_path / "sensor.jsonl").write_text(json.dumps(request) + "\n")
    assert run(str(tmp_path), *ways_out) == 13


def test_every_option_has_an_environment_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(BREACH, tmp_path)
    monkeypatch.setenv("EIGHTYSIX_FORMAT", "json")
    monkeypatch.setenv("EIGHTYSIX_EXIT_ZERO", "1")
    assert run(str(tmp_path)) == 0
    assert json.loads(capsys.readouterr().out)["incidents"]


def test_an_exception_is_proposed_by_what_detect_was_told(capsys: pytest.CaptureFixture[str]) -> None:
    recording = str(packaged_folder() / "identity-outside" / "fires" / "node-identity")
    declared = ("--egress", "203.0.113.0/28", "--identity", "*=cccf9c48-048e-489c-840f-c667af447061")
    main(["detect", recording, "--format", "json", *declared])
    (incident,) = json.loads(capsys.readouterr().out)["incidents"]
    words = ["exception", "propose", incident["id"], recording, "--reason", "our office", "--author", "sec"]
    assert main(words) == 2
    assert "0 incidents have an id" in capsys.readouterr().err
    assert main([*words, *declared]) == 2  # found, and refused for what it is
    assert "nothing landed and nothing was contacted" in capsys.readouterr().err


PICKLE = b"cposix\nsystem\n(S'true'\ntR."
"""Would run `true`, if anybody unpickled it."""


def test_a_file_that_was_scanned_is_known_when_it_is_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, ledger = tmp_path / "model.bin", tmp_path / "ledger.sqlite"
    model.write_bytes(PICKLE)
    streams, _ = LEDGERED["scan-calls-malicious"](KERNEL_AND_SENSOR)
    records = [json.loads(line) for line in streams["sensor.jsonl"]]
    told = os.stat(model)
    moved = time.time_ns() - records[-1]["t_ns"]  # a verdict counts for a month from now
    for record in records:
        record["t_ns"] += moved
        if "file" in record:
            record["file"] = {
                "dev": told.st_dev, "ino": told.st_ino, "size": told.st_size, "mtime_ns": told.st_mtime_ns
            }  # fmt: skip
    sensor = tmp_path / "sensor.jsonl"
    sensor.write_text("".join(json.dumps(record) + "\n" for record in records))
    assert main(["scan", str(model), "--ledger", str(ledger), "--ledger-host", records[0]["node"]]) == 14
    assert report(capsys, str(sensor))["incidents"] == []
    (incident,) = report(capsys, str(sensor), "--ledger", str(ledger))["incidents"]
    assert (incident["rule"], incident["verdict"]) == ("model-load", "suspect")
    model.write_bytes(PICKLE.replace(b"true", b"tree"))
    os.utime(model, ns=(told.st_atime_ns, told.st_mtime_ns + 1))
    ledger.unlink()
    main(["scan", str(model), "--ledger", str(ledger), "--ledger-host", records[0]["node"]])
    assert report(capsys, str(sensor), "--ledger", str(ledger))["incidents"] == []


def test_a_ledger_that_is_none_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(SUSPECT, tmp_path / "telemetry")
    assert run(str(folder), "--ledger", str(tmp_path / "none.sqlite")) == 1
    assert "the scan ledger" in capsys.readouterr().err
    assert not (tmp_path / "none.sqlite").exists()
