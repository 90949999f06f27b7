"""What is generated from the rules of the scan, the hook and the action: up to date, and they do what they say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from eightysix.scan.catalog import rules
from tools import scan_pages


def test_the_pages_are_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    assert scan_pages.main(["--check"]) == 0, f"run python -m tools.scan_pages: {capsys.readouterr().out}"


def test_every_rule_says_what_to_do() -> None:
    for rule in rules().values():
        assert all(text.strip().endswith((".", "`", ")")) for text in (rule.what, rule.why, rule.fix)), (
            rule.id
        )
        assert not rule.title.endswith("."), rule.id
        assert rule.id == rule.id.lower().strip(), rule.id


def test_the_hook_runs_a_command_that_exists(root: Path) -> None:
    (hook,) = yaml.safe_load((root / ".pre-commit-hooks.yaml").read_text())
    command, *arguments = hook["entry"].split()
    assert command == "eightysix"
    done = subprocess.run(
        [sys.executable, "-m", "eightysix", *arguments, os.devnull],
        env={**os.environ, "PYTHONPATH": str(root / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 10, done.stderr


def action(root: Path) -> dict[str, Any]:
    told: dict[str, Any] = yaml.safe_load((root / "action.yml").read_text())
    return told


def run_action(root: Path, folder: Path, **inputs: str) -> tuple[int, str, str]:
    """The scan step of the action, with an `eightysix` from this checkout on the path: exit code, output, outputs."""
    binary = folder / "bin"
    binary.mkdir(exist_ok=True)
    (binary / "eightysix").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m eightysix "$@"\n')
    (binary / "eightysix").chmod(0o755)
    told = action(root)
    step = next(step for step in told["runs"]["steps"] if step.get("id") == "scan")
    given = {name: spec["default"] for name, spec in told["inputs"].items()} | {
        name.replace("_", "-"): text for name, text in inputs.items()
    }
    environment = {
        name: given[text.removeprefix("${{ inputs.").removesuffix(" }}")]
        for name, text in step["env"].items()
    }
    outputs = folder / "outputs"
    done = subprocess.run(
        ["bash", "-e", "-c", step["run"]],
        cwd=folder,
        env={
            "PATH": f"{binary}:{os.environ['PATH']}",
            "PYTHONPATH": str(root / "src"),
            "GITHUB_OUTPUT": str(outputs),
            "HOME": str(folder),
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr, outputs.read_text() if outputs.exists() else ""


def test_the_action_scans_and_fails_where_it_should(root: Path, tmp_path: Path) -> None:
    models = tmp_path / "my models"
    models.mkdir()
    (models / "clean").write_bytes(b"")
    assert run_action(root, tmp_path, paths="my models\n\n")[::2] == (0, "exit-code=0\n")
    (models / "odd, $(touch pwned)").write_bytes(b"\x07\x99\x00\x01" * 9)
    code, said, outputs = run_action(root, tmp_path, paths="my models", sarif="out.sarif")
    assert (code, outputs.splitlines()[-1]) == (10, "exit-code=10")
    assert said.startswith("::warning file=my models/odd%2C $(touch pwned),title=")
    assert (tmp_path / "out.sarif").read_text().startswith("{")
    assert run_action(root, tmp_path, paths="my models", fail_from="13")[0] == 0
    assert run_action(root, tmp_path, paths="my models", policy="gone.yml", fail_from="13")[0] == 2


def test_no_input_becomes_script(root: Path, tmp_path: Path) -> None:
    evil = '$(touch pwned)\n`touch pwned`\n"; touch pwned; "\n--output=pwned'
    run_action(root, tmp_path, paths=evil, min_severity="low")
    assert not (tmp_path / "pwned").exists()
    for step in action(root)["runs"]["steps"]:
        assert "${{" not in step["run"]
