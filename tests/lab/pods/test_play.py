"""A whole attack and its look-alike, played for real with both sensors, as a user plays them."""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path

import pytest

from eightysix.cli import lab
from eightysix.lab.interface import FOLDER, TELEMETRY
from eightysix.lab.kernel import available
from eightysix.lab.record import commit
from eightysix.lab.world import PUSH_SECRET
from tests.lab.pods.tiers import need_root
from tests.tiers import require_tier


def command(*arguments: str) -> tuple[int, str, str]:
    parser = argparse.ArgumentParser(prog="eightysix")
    lab.add_parser(parser.add_subparsers(dest="command"))
    out, err = io.StringIO(), io.StringIO()
    return (
        parser.parse_args(["lab", *arguments]).run(parser.parse_args(["lab", *arguments]), out, err),
        out.getvalue(),
        err.getvalue(),
    )


@pytest.fixture(autouse=True)
def machine() -> None:
    need_root()
    why = available().get("ebpf", "not among the mechanisms")
    if why:
        require_tier("ebpf", why)


def played(name: str, folder: Path) -> tuple[str, dict[str, object]]:
    code, out, err = command("run", name, "--tier", "root", "--mechanism", "ebpf", "--output", str(folder))
    assert (code, err) == (0, "")
    about = json.loads((folder / "run.json").read_bytes())
    assert about["kernel"] == "ebpf"
    assert about["kernel_counts"]["dropped_total"] == 0
    return out, about


def test_an_attack_is_played_told_and_found(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    out, about = played("attack-fast", folder)
    lines = out.splitlines()
    assert any("bytes arrive at the sink" in line for line in lines)
    assert "detection says: contain; it was an attack, and contain is right" in lines
    assert about["sensor"] in ("preload", "python")
    for name in (
        "tetragon.jsonl",
        "sensor.jsonl",
        "kubernetes-audit.jsonl",
        "managed-identity-sign-ins.jsonl",
    ):
        assert (folder / FOLDER / name).stat().st_size, name
    told = b"".join(path.read_bytes() for path in (folder / FOLDER).iterdir())
    assert {path.name for path in (folder / FOLDER).iterdir()} <= set(TELEMETRY)
    for secret in (PUSH_SECRET.encode(), b"eyJ", b"eightysix/lab/runs"):
        assert secret not in told
    told_of = [json.loads(line) for line in (folder / FOLDER / "sensor.jsonl").read_text().splitlines()]
    # /proc is looked through at most every so often, so the first records of a new process may have none; never a wrong one.
    by_host_pid = {record["host_pid"] for record in told_of if "host_pid" in record}
    pids = {
        record["process_exec"]["process"]["pid"]
        for record in map(json.loads, (folder / FOLDER / "tetragon.jsonl").read_text().splitlines())
        if "process_exec" in record
    }
    assert by_host_pid
    assert by_host_pid <= pids, "the receiver and the kernel name the same processes"
    lines_by_file = commit(folder, tmp_path / "recorded", words={}, nonce="0" * 32)
    assert lines_by_file["tetragon.jsonl"] > 20


def test_its_look_alike_is_played_and_not_called_an_attack(tmp_path: Path) -> None:
    out, _ = played("dependencies-at-start", tmp_path / "run")
    verdict = next(line for line in out.splitlines() if line.startswith("detection says: "))
    assert verdict.removeprefix("detection says: ").startswith(
        ("nothing; it was a look-alike", "watch; it was a look-alike")
    )
