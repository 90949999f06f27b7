"""Benign files that real libraries write: each generator of bench/scan/benign runs in an environment of its own."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bench.scan.corpus.sample import Sample
from bench.scan.venvs import HERE, environment

ROOT = HERE.parent.parent


class Writer(NamedTuple):
    """A generator, the environment it runs in, and the interpreter that environment needs (any, where none is named)."""

    name: str
    module: str
    python: str = ""


WRITERS = (
    Writer("current", "tables"),
    Writer("current", "models"),
    Writer("numpy1", "tables"),
    Writer("deep", "deep"),
    Writer("old", "tables", "python3.8"),
)


def found(name: str) -> str:
    """An interpreter called `name` that runs: on the path, or kept by pyenv. Empty where there is none."""
    kept = sorted((Path.home() / ".pyenv" / "versions").glob(f"*/bin/{name}"))
    for candidate in (shutil.which(name), *map(str, kept)):
        if (
            candidate
            and not subprocess.run([candidate, "-c", ""], check=False, capture_output=True).returncode
        ):
            return candidate
    return ""


def written(root: Path, work: Path) -> Iterator[Sample]:
    """Run every writer that can be run, and give what it wrote."""
    for writer in WRITERS:
        python = found(writer.python) if writer.python else sys.executable
        if not python:
            print(f"{writer.python} is not here: no files of {writer.name}", file=sys.stderr)
            continue
        requirements = HERE / f"requirements-{writer.name}.txt"
        try:
            interpreter = environment(root, writer.name, requirements, python)
        except subprocess.CalledProcessError as problem:
            print(f"no environment {writer.name}: {problem}", file=sys.stderr)
            continue
        folder = work / f"{writer.name}-{writer.module}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        variables = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": "0",
        }
        command = [str(interpreter), "-m", f"bench.scan.benign.{writer.module}", str(folder)]
        subprocess.run(command, cwd=work, env=variables, check=True, stdout=subprocess.DEVNULL)
        with (folder / "index.csv").open(encoding="utf-8", newline="") as file:
            for path, technique, family, tier in csv.reader(file):
                yield Sample(
                    f"{writer.name}/{path}",
                    (folder / path).read_bytes(),
                    technique,
                    family,
                    tier,
                    "benign",
                    f"written in environment {writer.name}",
                )
