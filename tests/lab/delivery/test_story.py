"""The whole delivery against Debian's registry: good history, the compromised push, the lost webhook, the pod that pulled it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

import eightysix
from eightysix.cli.main import main
from eightysix.lab.delivery.shelf import Shelf
from eightysix.lab.delivery.stage import PICKLE, Stage, weights
from eightysix.lab.generate.clock import BASE_NS, SECOND
from eightysix.lab.registry import LocalRegistry, Pusher, find
from eightysix.model.gate import EVENT_SCHEMA
from tests.lab.delivery.player import BOX, Memory
from tests.streams import KERNEL_ONLY
from tests.streams.gates import pulled
from tests.tiers import require_tier

pytestmark = pytest.mark.tier("registry")


def command(*words: str) -> subprocess.CompletedProcess[str]:
    """The command line as a pipeline calls it."""
    source = str(Path(eightysix.__file__).parent.parent)
    return subprocess.run(
        [sys.executable, "-m", "eightysix", "gate", *words],
        env={"PATH": os.defpath, "PYTHONPATH": source, "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def chains_of(folder: Path, name: str, digest: str, gate: Path) -> list[dict[str, object]]:
    """What detection tells of a pod that starts now from this very digest, with what the gate told of it."""
    folder.mkdir()
    now = replace(KERNEL_ONLY, shift_s=(time.time_ns() - BASE_NS) / SECOND)
    for file, written in pulled(now, name, digest).items():
        (folder / file).write_text("".join(f"{line}\n" for line in written))
    (folder / "gate.jsonl").write_bytes(gate.read_bytes())
    report = folder.parent / f"{folder.name}.json"
    main(["detect", str(folder), "--format", "json", "--output", str(report)])
    incidents: list[dict[str, object]] = json.loads(report.read_text())["incidents"]
    return incidents


def pod_tells(folder: Path, name: str, good: str, bad: str, gate: Path) -> None:
    """A pod of the release before says nothing; of one that pulled what was held the chain says so, and how the tag moved."""
    assert chains_of(folder / "usual", name, good, gate) == []
    (incident,) = chains_of(folder / "breach", name, bad, gate)
    assert (incident["rule"], incident["verdict"]) == ("release-drift", "suspect")
    text = json.dumps(incident)
    assert "started a digest that the gate held: content-malicious, file-types-changed, signer-drift" in text
    assert f"tag prod moved to it from {good[:19]}" in text


def test_the_compromised_push_is_held_and_seen_though_the_webhook_is_lost(tmp_path: Path) -> None:
    if find("docker-registry") is None:
        require_tier("registry", "docker-registry is not installed (Debian: apt install docker-registry)")
    # Nobody listens at the discard port: every webhook of this registry is lost, as while a receiver is down.
    nobody = {"http://127.0.0.1:9/v1/webhooks/distribution": {"Authorization": "Bearer x"}}
    feed = tmp_path / "events.jsonl"
    with LocalRegistry(tmp_path / "registry", notify=nobody) as registry, Pusher(registry.host) as pusher:
        stage = Stage(registry.host, pusher, BOX, Memory(tmp_path, Shelf()), tmp_path)
        prod = stage.name("ml/llm")
        policy = tmp_path / "pipeline.yml"
        policy.write_text(
            "trust:\n  sigstore: [root.json]\napprovers: [ana]\n"
            f"watch:\n  - repository: {registry.host}/ml/llm\n    tags: [prod]\n"
        )
        # The pipeline and the cluster have a memory each, on machines of their own.
        ci = ["--policy", str(policy), "--history", str(tmp_path / "ci.db"), "--events", str(feed)]
        cluster = ["--policy", str(policy), "--history", str(tmp_path / "cluster.db"), "--events", str(feed)]

        good = stage.release()
        for number in range(3):
            good = stage.release() if number else good
            done = command("check", prod, *ci)
            assert (done.returncode, done.stderr) == (0, ""), done.stdout
        assert command("watch", "--once", *cluster).returncode == 0

        stolen = stage.ci(runner="self-hosted", trigger="workflow_dispatch")
        files = {"model.safetensors": weights(1), "extra.pkl": PICKLE}
        bad = stage.release(files=files, identity=stolen)
        done = command("check", prod, "--format", "json", *ci)
        assert done.returncode == 14, done.stderr
        (decision,) = json.loads(done.stdout)["decisions"]
        assert (decision["ruling"], decision["previous"], decision["digest"]) == (
            "hold",
            good.digest,
            bad.digest,
        )
        held = {finding["rule"]: finding for finding in decision["findings"] if finding["holds"]}
        assert set(held) == {"content-malicious", "file-types-changed", "signer-drift"}
        assert "self-hosted" in held["signer-drift"]["why"]
        assert "known from 3 runs" in held["signer-drift"]["why"]
        assert [each["state"] for each in decision["signatures"]] == ["valid"]
        assert "extra.pkl" in held["content-malicious"]["why"]

        # The registry goes down with what it had queued for the receiver, and comes back: nobody will ever send that webhook.
        registry.stop()
        registry.start()
        done = command("watch", "--once", *cluster)
        assert done.returncode == 0, done.stderr

        told = lines(feed)
        assert {line["schema"] for line in told} == {EVENT_SCHEMA}
        moves = [line for line in told if line["kind"] == "move" and line["digest"] == bad.digest]
        (move,) = moves
        assert (move["channel"], move["confirmed"], move["previous"]) == ("reconciler", True, good.digest)
        assert move["image"] == f"{registry.host}/ml/llm@{bad.digest}"
        decided = [line for line in told if line["kind"] == "decision"]
        assert [line["ruling"] for line in decided] == ["allow", "allow", "allow", "hold"]
        assert (decided[-1]["digest"], decided[-1]["signed"]) == (bad.digest, "valid")
        assert decided[-1]["held_for"] == ["content-malicious", "file-types-changed", "signer-drift"]

        pod_tells(tmp_path, prod, good.digest, bad.digest, feed)

        # What was there before is put back: no rollback, as what lay between was kept out.
        with Pusher(registry.host) as again:
            again.manifest("ml/llm", "prod", good.pushed.manifest)
        done = command("check", prod, *ci)
        assert done.returncode == 0, done.stdout
