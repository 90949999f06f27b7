"""Plays deliveries against the real gate: real signatures, real decisions, the real command line for approvals."""

from __future__ import annotations

import shlex
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import httpx

from eightysix.cli.main import main
from eightysix.gate.references import parse_reference
from eightysix.lab.delivery.shelf import Shelf
from eightysix.lab.delivery.stage import Stage, weights
from eightysix.lab.signing import Box
from eightysix.model.gate import Decision, RegistryEvent, Ruling
from eightysix.scan.api import default_options
from eightysix.serve.gate.check import Judge, check_reference
from eightysix.serve.gate.evaluator import evaluate_in_child
from eightysix.serve.gate.folder import check_path
from eightysix.serve.gate.trusting import read_policy, read_trust
from eightysix.serve.registry.client import RegistryClient
from eightysix.store.history import GateHistory

HOST = "registry.acme.example"
BOX = Box("acme", seed="deliveries")
_DAY_NS = 86_400 * 10**9

options = cache(default_options)


class Memory:
    """A gate with a history in a file, as `gate check` makes one for each question."""

    def __init__(self, folder: Path, shelf: Shelf) -> None:
        self.folder = folder
        self.path = folder / "gate.sqlite"
        self.offset = 0
        self._shelf = shelf
        (folder / "root.json").write_bytes(BOX.trusted_root())
        self.policy()

    def policy(self, more: str = "") -> Path:
        promoted = f"promotion:\n  - from: {HOST}/ml/app:staging\n    to: {HOST}/ml/app:prod\n"
        text = f"trust:\n  sigstore: [root.json]\napprovers: [ana, bot]\n{promoted}{more}"
        (self.folder / "policy.yml").write_text(text)
        return self.folder / "policy.yml"

    def now(self) -> int:
        return time.time_ns() + self.offset

    def check(self, target: str | Path, policy: str = "", landing: str = "") -> Decision:
        path = self.policy(policy)
        known = read_policy(str(path))
        with GateHistory.open(self.path, self.now) as history:
            judge = Judge(
                policy=known,
                trust=read_trust(known, path.parent),
                evaluate=evaluate_in_child,
                history=history,
                scan=options(),
                scan_version="1",
                now_ns=self.now(),
            )
            place = parse_reference(landing) if landing else None
            if isinstance(target, Path):
                return check_path(str(target), judge, landing=place)
            transport = httpx.MockTransport(self._shelf.answer)
            with RegistryClient(HOST, transport=transport) as client:
                return check_reference(client, parse_reference(target), judge, landing=place)

    def approve(self, command: str, by: str, *, days: int = 30) -> int:
        program, *words = shlex.split(command)
        assert program == "eightysix"
        words[words.index("NAME")] = by
        words[words.index("REASON")] = "CHG-86"
        where = ["--policy", str(self.folder / "policy.yml"), "--history", str(self.path)]
        return main([*words, "--days", str(days), *where])

    def hear(self, event: RegistryEvent) -> None:
        with GateHistory.open(self.path, self.now) as history:
            history.record(event)

    def later(self, days: float) -> None:
        self.offset += int(days * _DAY_NS)


def good_history(stage: Stage) -> None:
    """What the cases begin with: releases that nobody had to think about."""
    for number in range(3):
        stage.release()
        told = [stage.check()]
        stage.release("ml/attested", attested=True)
        told.append(stage.check("ml/attested"))
        stage.release(tag=f"1.2.{number}", identity=stage.ci(ref=f"refs/tags/v1.2.{number}"))
        told.append(stage.check(tag=f"1.2.{number}"))
        made = stage.release("ml/app", "staging")
        told.append(stage.check("ml/app", "staging"))
        stage.retag("ml/app", "prod", made.pushed)
        told.append(stage.check("ml/app"))
        stage.release("ml/old", identity=stage.ci(environment=""))
        told.append(stage.check("ml/old"))
        who = stage.ci(trigger="schedule")
        stage.release(
            "ml/nightly", files={"layer.tar": weights(stage.runs)}, commit=f"{number:040x}", identity=who
        )
        told.append(stage.check("ml/nightly"))
        held = [finding for each in told for finding in each.findings if each.ruling is Ruling.HOLD]
        assert not held


class Beginning:
    """The good history, played once and copied for each case."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shelf = Shelf()
        memory = Memory(folder, self.shelf)
        self.stage = Stage(HOST, self.shelf, BOX, memory, folder)
        good_history(self.stage)

    @contextmanager
    def stage_in(self, folder: Path) -> Iterator[Stage]:
        """A stage of one's own with that past."""
        shelf = self.shelf.copy()
        memory = Memory(folder, shelf)
        for name in self.folder.glob("gate.sqlite*"):
            shutil.copy(name, folder / name.name)
        yield Stage(HOST, shelf, BOX, memory, folder, runs=self.stage.runs)
