"""A whole check against a registry that somebody else writes to: what a repository has learned cannot be gone around."""

from __future__ import annotations

import json
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from eightysix.cli.main import main
from eightysix.gate.attest import Root, Trust
from eightysix.gate.digests import subject_tag
from eightysix.gate.policy.form import DEFAULT
from eightysix.lab.signers import github
from eightysix.lab.signing import Box
from eightysix.model.gate import BaselineState, Decision, Reference, Ruling
from eightysix.serve.gate.check import Judge, check_reference
from eightysix.serve.gate.evaluator import evaluate_in_child
from eightysix.serve.registry import Bounds, RegistryClient, Settings
from eightysix.store.history import GateHistory
from tests.serve.registry.liar import Liar
from tests.serve.registry.stock import Stock

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
REPO = "ml/llm"
HOTFIX: dict[str, Any] = {"workflow": "hotfix.yml", "ref": "refs/heads/dev", "runner": "self-hosted"}
BOX = Box("hostile", seed="1")


class World:
    """A registry, its pipeline, and a gate with a history."""

    def __init__(self, folder: Path) -> None:
        self.stock = Stock()
        self.liar = Liar(self.stock)
        self.place = Reference(self.liar.host, REPO, "prod")
        self.path = folder / "history.db"
        self.folder = folder

    def push(self, run: int, tag: str = "prod") -> dict[str, Any]:
        head = json.dumps({"w": {"dtype": "F32", "shape": [run], "data_offsets": [0, 4 * run]}}).encode()
        layer = self.stock.blob(struct.pack("<Q", len(head)) + head + bytes(4 * run))
        return self.stock.image(tag, layer, annotations={"org.opencontainers.image.revision": f"{run:040x}"})

    def sign(self, root: dict[str, Any], *runs: tuple[int, dict[str, Any]]) -> str:
        found = []
        for run, changes in runs:
            bundle = BOX.sign(root["digest"], github(run=run, commit=f"{run:040x}", **changes))
            signature = self.stock.image(
                "", self.stock.blob(bundle, BUNDLE), artifactType=BUNDLE, subject=root
            )
            found.append({**signature, "artifactType": BUNDLE})
        self.stock.index(subject_tag(root["digest"]), *found)
        return str(root["digest"])

    def release(self, run: int, tag: str = "prod", **changes: Any) -> str:
        return self.sign(self.push(run, tag), (run, changes))

    def check(self, place: Reference | None = None, *, read_only: bool = False, now_ns: int = 0) -> Decision:
        with (
            GateHistory.open(self.path, time.time_ns, read_only=read_only) as history,
            RegistryClient(self.liar.host, settings=Settings(bounds=Bounds(tries=1))) as client,
        ):
            judge = Judge(
                policy=DEFAULT,
                trust=Trust(roots=(Root("box", BOX.trusted_root()),)),
                evaluate=evaluate_in_child,
                history=history,
                scan=None,
                now_ns=now_ns or history.now(),
            )
            return check_reference(client, place or self.place, judge)

    def learned(self) -> World:
        for run in (1, 2, 3):
            self.release(run)
            assert self.check().ruling is Ruling.ALLOW
        return self


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    with made.liar:
        yield made


def holding(decision: Decision) -> set[str]:
    return {each.rule for each in decision.findings if each.holds}


def test_a_digest_alone_does_not_leave_the_baseline_behind(world: World) -> None:
    world.learned()
    drifted = world.release(4, **HOTFIX)
    alone = replace(world.place, tag="", digest=drifted)
    assert holding(world.check(alone)) == {"signer-drift"}
    unsigned = world.push(5, "")["digest"]
    assert holding(world.check(replace(alone, digest=unsigned))) == {"signature-missing"}
    honest = world.check(replace(alone, digest=world.release(6)))
    assert honest.ruling is Ruling.ALLOW
    assert (
        f"it was named by its digest alone, and held against {world.liar.host}/{REPO}:prod" in honest.not_seen
    )


def test_three_quiet_runs_by_digest_teach_nothing(world: World) -> None:
    world.learned()
    for run in range(4, 8):
        digest = world.release(run, "", **HOTFIX)
        alone = replace(world.place, tag="", digest=digest)
        assert holding(world.check(alone)) == {"signer-drift"}
    with GateHistory.open(world.path, time.time_ns, read_only=True) as history:
        assert {each.scope.rpartition(":")[2] for each in history.entries()} == {"prod"}


def test_a_check_that_keeps_nothing_judges_as_one_that_keeps(world: World) -> None:
    world.learned()
    world.release(4)
    reading = world.check(read_only=True)
    assert reading.ruling is Ruling.ALLOW
    assert {each.rule for each in reading.findings} == {each.rule for each in world.check().findings}


def test_a_signature_of_one_platform_does_not_sign_the_index(world: World) -> None:
    world.learned()
    child = world.push(4, "")
    world.sign(child, (4, {}))
    world.stock.index("prod", {**child, "platform": {"os": "linux", "architecture": "amd64"}})
    assert "signature-missing" in holding(world.check())


def test_a_signature_of_another_digest_is_invalid_and_not_nothing(world: World) -> None:
    world.learned()
    honest = world.release(4)
    evil = world.push(5)["digest"]
    world.stock.manifests[subject_tag(evil)] = world.stock.manifests[subject_tag(honest)]
    assert holding(world.check()) == {"signature-missing", "signature-invalid"}


def test_an_approval_remembers_who_was_told_of_and_nobody_who_signed_beside(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.learned()
    root = world.push(4)
    stranger = {"repository": "eve/x", "repository_id": "666", "owner_id": "667", "workflow": "eve.yml"}
    world.sign(root, (4, HOTFIX), (9, stranger))
    held = world.check()
    assert holding(held) == {"signer-drift"}
    (world.folder / "policy.yml").write_text("approvers: [ana]\n")
    name = f"{world.liar.host}/{REPO}:prod@{held.digest}"
    common = ["--history", str(world.path), "--policy", str(world.folder / "policy.yml"), "--why", "CHG-1"]
    command = ["gate", "approve", name, "--rule", "signer-drift", "--remember", *common]
    assert main([*command, "--by", "eve"]) == 2
    assert main([*command, "--by", "ana"]) == 0
    with GateHistory.open(world.path, time.time_ns, read_only=True) as history:
        approved = [e for e in history.entries() if e.state is BaselineState.APPROVED]
    assert len(approved) == 1
    assert approved[0].profile["workflow"].endswith("hotfix.yml")
    capsys.readouterr()


def test_a_clock_that_is_set_back_makes_no_approval_count_again(world: World) -> None:
    world.learned()
    with GateHistory.open(world.path, time.time_ns) as history:
        last = history.now()
    with GateHistory.open(world.path, lambda: last - 365 * 86_400 * 10**9) as history:
        assert history.now() >= last - 60 * 10**9
        assert history.now() == list(history.moves())[-1].seen_ns


def test_two_checks_at_once_count_each_run_once(world: World) -> None:
    world.release(1)
    world.check()
    world.release(2)
    threads = [threading.Thread(target=world.check) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with GateHistory.open(world.path, time.time_ns, read_only=True) as history:
        (entry,) = history.entries()
        assert (entry.runs, entry.state, history.broken_change()) == (2, BaselineState.LEARNING, 0)
