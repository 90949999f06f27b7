"""`eightysix generate` as a user runs it."""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path

import pytest

from eightysix.cli import generate
from eightysix.model.errors import UsageError


def run(*arguments: str) -> tuple[int, str]:
    parser = argparse.ArgumentParser(prog="eightysix")
    generate.add_parser(parser.add_subparsers(dest="command"))
    parsed = parser.parse_args(["generate", *arguments])
    out = io.StringIO()
    return parsed.run(parsed, out, io.StringIO()), out.getvalue()


SMALL = (
    "--pods",
    "40",
    "--nodes",
    "3",
    "--hours",
    "0.3",
    "--attacks",
    "3",
    "--look-alikes",
    "5",
    "--rate",
    "5",
)


def test_it_writes_a_file_for_each_node_and_source_and_the_labels(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "cluster"
    code, printed = run(str(folder), *SMALL)
    assert code == 0
    labels = json.loads((folder / "labels.json").read_bytes())
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*.jsonl")}
    nodes = {f"telemetry/aks-gpu-31337-vmss{place:06d}/tetragon.jsonl" for place in range(3)}
    assert nodes | {"telemetry/control-plane/kubernetes-audit.jsonl"} <= files
    lines = sum(len(path.read_bytes().splitlines()) for path in (folder / "telemetry").rglob("*.jsonl"))
    assert lines == sum(labels["records"].values())
    assert f"{lines:,} records of" in printed
    assert "3 attacks" in printed


def test_a_folder_in_use_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    with pytest.raises(UsageError, match="is not empty"):
        run(str(tmp_path), *SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_what_cannot_be_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such format: strace"):
        run(str(tmp_path / "new"), "--formats", "tetragon,strace")
    with pytest.raises(UsageError, match="cannot write"):
        run("/dev/null/here", *SMALL)
    assert not (tmp_path / "new").exists()
