"""A run becomes a recording: whole, scrubbed, small, the same bytes twice; or an error, and nothing."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from eightysix.lab.interface import Label, Subset
from eightysix.lab.record import MAX_BYTES, commit
from eightysix.lab.recorded import Recording
from eightysix.lab.world import NODE, PUSH_SECRET
from eightysix.model.errors import LabError

NONCE = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    (folder / "telemetry").mkdir(parents=True)
    (folder / "telemetry" / "tetragon.jsonl").write_text(
        '{"node_name":"devbox","time":1}\n{"node_name":"devbox","time":2}\n'
    )
    (folder / "truth.jsonl").write_text('{"t_ns":1,"mark":"sink"}\n')
    (folder / "label.json").write_text('{"scenario":"x"}')
    (folder / "run.json").write_text(
        json.dumps({"tier": "root", "nonce": NONCE, "folder": "/home/me", "leaps": []})
    )
    return folder


def test_a_run_is_kept_whole_and_the_machine_is_not(run: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    assert commit(run, kept, words={"devbox": NODE}, nonce=NONCE) == {"tetragon.jsonl": 2, "truth.jsonl": 1}
    text = gzip.decompress((kept / "tetragon.jsonl.gz").read_bytes()).decode()
    assert text == f'{{"node_name":"{NODE}","time":1}}\n{{"node_name":"{NODE}","time":2}}\n'
    assert json.loads((kept / "run.json").read_text()) == {"tier": "root", "leaps": []}


def test_the_same_run_gives_the_same_bytes_and_replaces_what_was_there(run: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    commit(run, kept, words={}, nonce=NONCE)
    first = {one.name: one.read_bytes() for one in kept.iterdir()}
    (kept / "sensor.jsonl.gz").write_bytes(b"of an earlier run")
    commit(run, kept, words={}, nonce=NONCE)
    assert {one.name: one.read_bytes() for one in kept.iterdir()} == first
    assert not kept.with_name("kept.new").exists()


@pytest.mark.parametrize(
    ("secret", "told"),
    [
        ("eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJodHRwczovL21hbmFnZW1lbnQuYXp1cmUuY29tIn0.c2ln", "a token"),
        (PUSH_SECRET, "a password of the lab"),
        (NONCE, "the run's nonce"),
    ],
)
@pytest.mark.parametrize("name", ["tetragon.jsonl", "sensor.jsonl", "truth.jsonl", "registry.jsonl"])
def test_what_must_not_be_told_ends_in_an_error_and_nothing_is_written(
    run: Path, tmp_path: Path, secret: str, told: str, name: str
) -> None:
    (run / name if name == "truth.jsonl" else run / "telemetry" / name).write_text(
        '{"a":1}\n' + json.dumps({"path": f"/x?token={secret}&y"}) + "\n"
    )
    with pytest.raises(LabError, match=f"{name}, line 2, tells {told}"):
        commit(run, tmp_path / "kept", words={}, nonce=NONCE)
    assert not (tmp_path / "kept").exists()


def test_base64_that_happens_to_hold_a_tokens_beginning_is_none(run: Path, tmp_path: Path) -> None:
    (run / "telemetry" / "tetragon.jsonl").write_text('{"arguments":"-c IiIiQSBeyJ' + "QUJD" * 40 + '"}\n')
    commit(run, tmp_path / "kept", words={}, nonce=NONCE)
    (run / "telemetry" / "tetragon.jsonl").write_text('{"arguments":"-H Bearer eyJ' + "QUJD" * 40 + '"}\n')
    with pytest.raises(LabError, match="tells a token"):
        commit(run, tmp_path / "kept", words={}, nonce=NONCE)


def test_a_short_word_that_begins_as_a_token_is_none(run: Path, tmp_path: Path) -> None:
    (run / "telemetry" / "sensor.jsonl").write_text('{"module":"eyJ","path":"/opt/eyJ.so"}\n')
    commit(run, tmp_path / "kept", words={}, nonce=NONCE)


def test_a_run_without_telemetry_or_label_is_none(run: Path, tmp_path: Path) -> None:
    (run / "telemetry" / "tetragon.jsonl").unlink()
    with pytest.raises(LabError, match="no telemetry"):
        commit(run, tmp_path / "kept", words={}, nonce=NONCE)
    (run / "label.json").unlink()
    with pytest.raises(LabError, match=r"label\.json cannot be read"):
        commit(run, tmp_path / "kept", words={}, nonce=NONCE)


def test_a_recording_stays_small(run: Path, tmp_path: Path) -> None:
    import random

    noise = random.Random(86).randbytes(MAX_BYTES).hex()
    (run / "telemetry" / "sensor.jsonl").write_text(noise + "\n")
    with pytest.raises(LabError, match="bytes compressed"):
        commit(run, tmp_path / "kept", words={}, nonce=NONCE)


def test_the_time_before_a_mark_is_told_apart() -> None:
    files = {
        "tetragon.jsonl": b'{"time":"2026-11-23T15:00:00.000000001Z"}\n{"time":"2026-11-23T15:00:02Z"}\n',
        "sensor.jsonl": b'{"t_ns":1795446000500000000}\n{"t_ns":1795446001000000000}\n',
        "kubernetes-audit.jsonl": b'{"requestReceivedTimestamp":"2026-11-23T15:00:00.9Z"}\n',
        "azure-activity.jsonl": b'{"TimeGenerated":"2026-11-23T14:00:00Z"}\n',
        "truth.jsonl": b'{"t_ns":1795446001000000000,"mark":"leap"}\n{"t_ns":1,"mark":"sink"}\n'
        b'{"t_ns":1795446009000000000,"mark":"leap"}\n',
    }
    label = Label("x", malicious=True, verdict="suspect", how="", before="leap")
    recording = Recording("x", label, files)
    assert recording.before(Subset.ALL) == {
        "tetragon.jsonl": b'{"time":"2026-11-23T15:00:00.000000001Z"}\n',
        "sensor.jsonl": b'{"t_ns":1795446000500000000}\n',
        "kubernetes-audit.jsonl": files["kubernetes-audit.jsonl"],
    }
    assert set(recording.before(Subset.KERNEL)) == {"tetragon.jsonl"}
    assert Recording("x", replace(label, before=""), files).before(Subset.ALL) == {}
    assert Recording("x", replace(label, before="exec"), files).before(Subset.ALL) == {}
