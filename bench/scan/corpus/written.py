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


# Runs on Python 2.7 and on any later one: what old picklers wrote is still around.
OLDEST = """
import array, collections, datetime, decimal, fractions, io, os, pickle, sys, uuid
try:
    import cPickle
    picklers = [("c", cPickle), ("py", pickle)]
except ImportError:
    picklers = [("c", pickle)]
things = {
    "dict": {"a": 1, u"b": [1.5, None, True, 2 ** 70], "c": (b"bytes", u"text", complex(1, 2))},
    "sets": [set([1]), frozenset(["x"])], "times": [datetime.datetime(2010, 1, 2), datetime.timedelta(1), datetime.date(2010, 1, 2)],
    "numbers": [decimal.Decimal("1.5"), fractions.Fraction(1, 3)], "collections": [collections.OrderedDict([("a", 1)]), collections.defaultdict(list), collections.Counter("aab"), collections.deque([1], 3)],
    "array": array.array("d", [1.0, 2.0]), "ranges": [range(5), slice(1, 2)], "error": [ValueError("bad"), KeyError("k")], "uuid": uuid.UUID(int=7), "bytes": bytearray(b"abc"), "types": [int, list, dict],
}
for label, thing in sorted(things.items()):
    for version in range(pickle.HIGHEST_PROTOCOL + 1):
        for kind, module in picklers:
            try:
                data = module.dumps(thing, version)
            except Exception:
                continue
            with io.open(os.path.join(sys.argv[1], "%s-%d-%s.pkl" % (label, version, kind)), "wb") as file:
                file.write(data)
"""
OLDEST_PYTHONS = ("python2.7", "python3.6")


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


def oldest(work: Path) -> Iterator[Sample]:
    """What the standard libraries of old interpreters write, where there are any."""
    for name in OLDEST_PYTHONS:
        python = found(name)
        if not python:
            print(f"{name} is not here: no files of it", file=sys.stderr)
            continue
        folder = work / name
        folder.mkdir(parents=True)
        subprocess.run([python, "-c", OLDEST, str(folder)], check=True)
        for path in sorted(folder.iterdir()):
            technique = f"{name}: {path.name.partition('-')[0]}"
            yield Sample(
                f"{name}/{path.name}",
                path.read_bytes(),
                technique,
                "pickle",
                "core",
                "benign",
                f"written by {name}",
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
    yield from oldest(work)
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
