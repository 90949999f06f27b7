"""`gate check` against who makes the artifact, who runs the registry, and what a careless operator does: never 0, never a
traceback."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from eightysix.cli.main import main
from eightysix.gate.signing import approval
from eightysix.model.gate import Reference
from eightysix.serve.gate.feeding import last_told
from eightysix.serve.registry import Bounds, Settings, bounds
from eightysix.store.history import GateHistory
from tests.serve.registry.liar import Asked, Liar, Out
from tests.serve.registry.stock import Stock


def weights(number: int = 1) -> bytes:
    head = json.dumps({"w": {"dtype": "F32", "shape": [number], "data_offsets": [0, 4 * number]}}).encode()
    return struct.pack("<Q", len(head)) + head + bytes(4 * number)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(weights())
    return folder


def check(*arguments: str | Path) -> int:
    return main(["gate", "check", *map(str, arguments)])


def told(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    return " ".join((captured.out + captured.err).split())


@pytest.mark.parametrize("kind", ["pipe", "endless", "folder", "unreadable"])
def test_a_signature_that_is_no_file_is_invalid_and_nobody_waits_for_it(
    model: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    place = model / "model.sig"
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "folder":
        place.mkdir()
    else:
        place.symlink_to("/dev/zero" if kind == "endless" else "nowhere")
    assert check(model) == 14
    assert "critical[signature-invalid]" in told(capsys)


def test_a_link_that_was_named_is_judged_as_what_it_leads_to(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "link").symlink_to(model)
    (tmp_path / "file").symlink_to(model / "model.safetensors")
    digests = []
    for path in (model, tmp_path / "link", model / "model.safetensors", tmp_path / "file"):
        assert check(path, "--format", "json") == 0
        digests.append(json.loads(capsys.readouterr().out)["decisions"][0]["digest"])
    assert digests[0] == digests[1] != digests[2] == digests[3]


def test_what_has_no_bytes_is_not_decided_about(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert check(tmp_path / "pipe") == 3
    assert "cannot be read, or is no file" in told(capsys)


def test_a_file_does_not_stand_for_an_artifact_of_a_registry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "127.0.0.1:9" / "ml"
    place.mkdir(parents=True)
    (place / "llm:prod").write_bytes(weights())
    monkeypatch.chdir(tmp_path)
    assert check("127.0.0.1:9/ml/llm:prod") == 1  # the registry is asked, where nobody listens
    assert "cannot be reached" in told(capsys)
    assert check("./127.0.0.1:9/ml/llm:prod") == 0


@pytest.mark.parametrize(
    ("kind", "name"), [("sigstore", "root.json"), ("keys", "key.pem"), ("authorities", "ca.pem")]
)
def test_what_the_policy_trusts_does_not_lie_in_what_is_judged(
    model: Path, tmp_path: Path, kind: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (model / name).write_text("{}")
    (tmp_path / "policy.yml").write_text(f"trust:\n  {kind}: [model/{name}]\n")
    assert check(model, "--policy", tmp_path / "policy.yml") == 2
    assert "which it is to judge" in told(capsys)


def test_a_name_of_a_file_runs_nothing_when_its_command_is_pasted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "x; touch ran"
    folder.mkdir()
    (folder / "a.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    assert check(folder, "--format", "json") == 14
    held = [f for f in json.loads(capsys.readouterr().out)["decisions"][0]["findings"] if f["holds"]]
    assert [f["approval"] for f in held] == [
        ""
    ]  # what is in no registry and lands nowhere has nothing to approve
    assert approval("file/x; touch ran@sha256:0", "rule").startswith(
        "eightysix gate approve 'file/x; touch ran@sha256:0' "
    )


def test_a_history_that_is_not_there_is_told_and_not_done_without(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = ("--as", "r.example/ml/llm:prod", "--read-only", "--history", tmp_path / "typo.db")
    assert check(model, *place) == 1
    assert "there is no history of the gate at" in told(capsys)


def test_a_damaged_history_is_an_error_wherever_the_damage_lies(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "history.db"
    place = ("--as", "r.example/ml/llm:prod", "--no-scan", "--history", path)
    assert check(model, *place) == 0
    whole = path.read_bytes()
    capsys.readouterr()
    for seed in range(12):
        chance = random.Random(seed)
        data = bytearray(whole)
        for _ in range(400):
            data[chance.randrange(100, len(data))] = chance.randrange(256)
        for ending in ("-wal", "-shm"):
            Path(f"{path}{ending}").unlink(missing_ok=True)
        path.write_bytes(data)
        assert check(model, *place) == 1
        assert "damaged" in told(capsys)


@pytest.mark.parametrize("place", ["/dev/full", "pipe", "folder", "missing/file"])
def test_a_decision_that_detection_cannot_hear_of_is_an_error(
    model: Path, tmp_path: Path, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    assert check(model, "--events", tmp_path / place) == 1
    assert f"the events {tmp_path / place}" in told(capsys)


@pytest.mark.parametrize("missing", ["cel", "sigstore", "blake3", "httpx", "h11", "cryptography"])
def test_a_package_that_is_missing_is_told_with_what_installs_it(
    model: Path, tmp_path: Path, missing: str
) -> None:
    (tmp_path / "policy.yml").write_text("rules:\n- {id: a, when: 'true', then: tell, why: x}\n")
    (tmp_path / "root.json").write_text("{}")
    start = f"import sys; sys.modules[{missing!r}] = None; from eightysix.cli.main import entry; entry()"
    arguments = [
        "gate",
        "check",
        model,
        "--policy",
        tmp_path / "policy.yml",
        "--root",
        tmp_path / "root.json",
    ]
    done = subprocess.run(
        [sys.executable, "-c", start, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "pip install 'eightysix[gate]'" in done.stderr


def gone(asked: Asked, out: Out) -> None:
    out.keep = False


def cut(asked: Asked, out: Out) -> None:
    out.raw(b"HTTP/1.1 200 X\r\ncontent-length: 500\r\n\r\n{")
    out.keep = False


def refuses(asked: Asked, out: Out) -> None:
    out.reply(503, b"busy")


def lies(asked: Asked, out: Out) -> None:
    out.manifest(b'{"schemaVersion": 2}', "application/vnd.oci.image.manifest.v1+json", "sha256:" + "0" * 64)


def never_ends(asked: Asked, out: Out) -> None:
    out.raw(b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n")
    out.for_ever(b"1000\r\n" + b"x" * 4096 + b"\r\n")


def never_begins(asked: Asked, out: Out) -> None:
    out.raw(b"HTTP/1.1 200 X\r\nx-header: ")
    out.for_ever(b"x" * 4096)


@pytest.mark.parametrize(
    ("registry", "code"), [(gone, 1), (cut, 1), (refuses, 1), (never_ends, 1), (never_begins, 1), (lies, 14)]
)
def test_a_registry_that_is_gone_cuts_refuses_never_ends_or_lies_allows_nothing(
    registry: object, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Liar(registry) as liar:  # type: ignore[arg-type]
        assert check(f"{liar.host}/ml/llm:prod", "--history", tmp_path / "h.db") == code
        assert check(f"{liar.host}/ml/llm@sha256:{'1' * 64}", "--history", tmp_path / "h.db") == code
    assert "Traceback" not in told(capsys)


def test_a_registry_that_drips_is_left_at_the_deadline(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def drips(asked: Asked, out: Out) -> None:
        out.raw(b"HTTP/1.1 200 X\r\ncontent-length: 100000\r\n\r\n")
        out.for_ever(b"x", 0.05)

    class Hasty(Settings, frozen=True, kw_only=True):
        bounds: Bounds = Bounds(deadline_s=0.5, tries=1)

    monkeypatch.setattr(bounds, "Settings", Hasty)
    with Liar(drips) as liar:
        assert check(f"{liar.host}/ml/llm:prod", "--history", tmp_path / "h.db") == 1
    assert "is too slow" in told(capsys)


def test_killed_twenty_times_the_history_is_whole_and_the_next_check_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    stock = Stock()
    chance = random.Random(86)
    ended = 0
    with Liar(stock) as liar:
        place = Reference(liar.host, "ml/llm", "prod")
        command = [sys.executable, "-m", "eightysix", "gate", "check", f"{liar.host}/ml/llm:prod"]
        command += ["--history", str(path), "--no-scan", "--format", "json"]
        for turn in range(20):
            stock.image("prod", stock.blob(weights(turn + 1)))
            child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            before = len(liar.asked)
            deadline = time.monotonic() + 20
            while len(liar.asked) == before and child.poll() is None and time.monotonic() < deadline:
                time.sleep(0.002)
            time.sleep(chance.random() * 0.08)
            child.send_signal(chance.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM]))
            out, err = child.communicate()
            assert b"Traceback" not in err
            if child.returncode in (0, 13):  # it had ended: what it told is kept
                ended += 1
                decision = json.loads(out)["decisions"][0]
                with GateHistory.open(path, time.time_ns, read_only=True) as history:
                    assert decision["id"] in {each.id for each in history.decisions(place)}
            if path.exists():
                with GateHistory.open(path, time.time_ns) as history:
                    assert history.broken_change() == 0
                    list(history.moves())
                    history.decisions(place)
                database = sqlite3.connect(path)
                assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
                database.close()
        done = subprocess.run(command, capture_output=True, check=False)
        assert done.returncode in (0, 13)
    assert ended < 20


def test_the_end_of_a_feed_is_any_bytes(tmp_path: Path) -> None:
    feed = tmp_path / "feed"
    move = (
        b'{"id":"move-7","kind":"move","time":"t","registry":"r","repository":"a","tag":"t","digest":"d"}\n'
    )
    for tail in (b"\xe1\n", move.replace(b'"t"', b'"\xe1"'), b"[" * 100_000, b"\x00", move[:40]):
        feed.write_bytes(move + tail)
        assert last_told(feed) == 7
