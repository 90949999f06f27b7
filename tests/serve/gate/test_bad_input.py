"""Bad input at the gate's edges, each with its declared failure: nothing of it is allowed by accident, and nobody waits."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path

import pytest

from eightysix.cli.main import main
from eightysix.model.gate import SignatureState
from eightysix.serve.gate.feeding import Feed
from eightysix.store.history import GateHistory, file
from tests.serve.gate.test_check_hostile import BUNDLE, World, holding, world

__all__ = ["world"]


def told(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    return " ".join((captured.out + captured.err).split())


def test_more_than_a_thousand_layers_hold(world: World) -> None:
    layer = world.stock.blob(b"x")
    world.stock.image("prod", *[layer] * 1_001)
    decision = world.check()
    assert any(rule.startswith("content-") for rule in holding(decision))
    assert {each.verdict for each in decision.content} <= {"unscannable", "malformed"}


def test_every_signature_that_does_not_hold_is_told_beside_one_that_does(world: World) -> None:
    world.learned()
    root = world.push(4)
    world.sign(root, (4, {}))
    (tag,) = [name for name in world.stock.manifests if name == f"sha256-{root['digest'][7:]}"]
    listed = json.loads(world.stock.manifests[tag][0])["manifests"]
    for text in (b"{}", b'{"mediaType": 7}'):
        broken = world.stock.image("", world.stock.blob(text, BUNDLE), artifactType=BUNDLE, subject=root)
        listed.append({**broken, "artifactType": BUNDLE})
    world.stock.index(tag, *listed)
    decision = world.check()
    states = [each.state for each in decision.signatures]
    assert (states.count(SignatureState.VALID), states.count(SignatureState.INVALID)) == (1, 2)
    assert [each.rule for each in decision.findings].count("signature-invalid") == 2


def test_a_locked_history_is_an_error_and_no_decision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(file, "BUSY_MS", 50)
    path = tmp_path / "history.db"
    (tmp_path / "model.bin").write_bytes(b"x")
    with GateHistory.open(path, lambda: 10**18):
        pass
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    command = ["gate", "check", str(tmp_path / "model.bin"), "--as", "r.example/ml/llm:prod", "--no-scan"]
    assert main([*command, "--history", str(path)]) == 1
    other.execute("ROLLBACK")
    other.close()
    said = told(capsys)
    assert "ALLOW" not in said
    assert "Traceback" not in said


@pytest.mark.parametrize("option", ["--policy", "--key", "--root", "--authority"])
def test_a_pipe_that_should_vouch_is_refused_and_not_waited_for(
    tmp_path: Path, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "model.bin").write_bytes(b"x")
    assert main(["gate", "check", str(tmp_path / "model.bin"), option, str(tmp_path / "pipe")]) == 2
    assert "it is no file" in told(capsys)


def test_a_fault_in_one_move_is_told_and_the_feed_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    with GateHistory.open(tmp_path / "history.db", lambda: 10**18) as history:
        feed = Feed(history, lambda _: None, 0, trouble=said.append)

        def broken() -> int:
            raise ValueError("odd")

        monkeypatch.setattr(feed, "drain", broken)
        with feed:
            feed.wake()
    assert said
    assert set(said) == {"a move could not be told: ValueError: odd"}
