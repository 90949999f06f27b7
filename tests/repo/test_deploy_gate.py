"""The gate in pipelines: no text becomes a command, an option or an output, and what is held fails the step.

The shell of each is run in bash, with the eightysix of this checkout; the runners themselves are not here."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
GITHUB = ROOT / "deploy" / "github" / "gate"
GITLAB = ROOT / "deploy" / "gitlab" / "gate.yml"
AZURE = ROOT / "deploy" / "azure-pipelines" / "gate.yml"
HOSTILE = (
    "127.0.0.1:1/ml/llm:$(touch pwned)",
    "127.0.0.1:1/ml/llm:`touch pwned`",
    "x; touch pwned",
    "x\ntouch pwned",
    "x\n::error::y",
    "x\nruling=allow",
    '"; touch pwned; "',
    "--exit-zero",
    "--help",
    "-h",
    "",
)


class _Acts:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("inert",)


def document(path: Path) -> dict[str, Any]:
    told: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return told


def scripts() -> dict[str, str]:
    job = document(GITLAB)[".eightysix-gate"]
    (step,) = document(AZURE)["steps"]
    return {
        "github": (GITHUB / "check.sh").read_text(encoding="utf-8"),
        "gitlab": "\n".join(job["script"]),
        "azure": step["bash"],
    }


class Pipeline:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir()
        program = self.bin / "eightysix"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m eightysix "$@"\n')
        program.chmod(0o755)
        self.work = folder / "work"
        self.work.mkdir()
        self.output = folder / "output"

    def run(self, name: str, artifact: str, **more: str) -> subprocess.CompletedProcess[str]:
        self.output.write_text("")
        environment = {
            "PATH": f"{self.bin}:/usr/bin:/bin",
            "PYTHONPATH": str(ROOT / "src"),
            "HOME": str(self.folder),
            "RUNNER_TEMP": str(self.folder),
            "GITHUB_OUTPUT": str(self.output),
            "GATE_ARTIFACT": artifact,
            "GATE_AS": "",
            "EIGHTYSIX_GATE_POLICY": "",
            "EIGHTYSIX_GATE_HISTORY": "",
            **more,
        }
        return subprocess.run(
            ["bash", "-e", "-c", scripts()[name]],
            cwd=self.work, env=environment, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    def outputs(self) -> dict[str, str]:
        lines = self.output.read_text().splitlines()
        assert len(lines) == 3
        return dict(line.split("=", 1) for line in lines)


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    return Pipeline(tmp_path)


@pytest.mark.parametrize("name", ["github", "gitlab", "azure"])
def test_what_is_clean_passes_and_what_is_held_fails(pipeline: Pipeline, name: str) -> None:
    (pipeline.work / "model").mkdir()
    (pipeline.work / "model" / "config.json").write_text("{}\n")
    done = pipeline.run(name, "./model")
    assert done.returncode == 0, done.stdout + done.stderr
    if name == "github":
        told = pipeline.outputs()
        assert (told["exit-code"], told["ruling"], told["digest"][:7]) == ("0", "allow", "sha256:")
    (pipeline.work / "model" / "x.pkl").write_bytes(pickle.dumps(_Acts()))
    held = pipeline.run(name, "./model")
    assert held.returncode == 14, held.stdout + held.stderr
    if name == "github":
        assert pipeline.outputs()["ruling"] == "hold"
        assert held.stdout.startswith("::error title=")
    (pipeline.folder / "policy.yml").write_text("mode: audit\n")
    told_only = pipeline.run(name, "./model", EIGHTYSIX_GATE_POLICY=str(pipeline.folder / "policy.yml"))
    assert told_only.returncode == 0


@pytest.mark.parametrize("name", ["github", "gitlab", "azure"])
@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_acts_in_a_step(pipeline: Pipeline, name: str, text: str) -> None:
    done = pipeline.run(name, text)
    assert done.returncode in (1, 2), done.stdout + done.stderr
    assert not list(pipeline.folder.rglob("pwned"))
    assert "\n::error::y" not in done.stdout + done.stderr
    if name == "github":
        assert pipeline.outputs() == {"exit-code": str(done.returncode), "ruling": "", "digest": ""}


@pytest.mark.parametrize("name", ["github", "gitlab", "azure"])
@pytest.mark.parametrize("text", ["x/y:$(touch pwned)", "x/y:z; touch pwned", "--exit-zero"])
def test_no_text_acts_as_where_it_is_to_land(pipeline: Pipeline, name: str, text: str) -> None:
    (pipeline.work / "model.safetensors").write_bytes(b"")
    done = pipeline.run(name, "./model.safetensors", GATE_AS=text)
    assert done.returncode in (2, 13, 14), done.stdout + done.stderr
    assert not list(pipeline.folder.rglob("pwned"))


def test_sarif_is_written_as_well(pipeline: Pipeline) -> None:
    (pipeline.work / "model").mkdir()
    (pipeline.work / "model" / "x.pkl").write_bytes(pickle.dumps(_Acts()))
    done = pipeline.run("github", "./model", GATE_SARIF="gate.sarif")
    assert done.returncode == 14
    document = json.loads((pipeline.work / "gate.sarif").read_text())
    assert document["runs"][0]["results"][0]["ruleId"] == "content-malicious"


def test_the_action_takes_inputs_as_variables_and_nothing_that_is_not_pinned() -> None:
    action = document(GITHUB / "action.yml")
    assert action["runs"]["using"] == "composite"
    for step in action["runs"]["steps"]:
        assert "${{" not in step["run"]
        assert step["shell"] == "bash"
        assert "uses" not in step
    install, check = action["runs"]["steps"]
    assert (GITHUB / "../../..").resolve() == ROOT
    assert "$GITHUB_ACTION_PATH/../../..[gate,scan]" in install["run"]
    used = {value.removeprefix("${{ inputs.").removesuffix(" }}") for value in check["env"].values()}
    assert used == set(action["inputs"])
    assert {"exit-code", "ruling", "digest"} == set(action["outputs"])
    for name in ("github", "gitlab", "azure"):
        script = scripts()[name]
        assert "${{" not in script
        assert "$(" not in script
        assert '-- "$GATE_ARTIFACT"' in script
        for variable in check["env"]:
            assert os.environ.get(variable) is None
