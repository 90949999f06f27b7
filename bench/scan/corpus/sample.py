"""A labelled file of the corpus, and what every generator of malicious samples shares: payload text, chance by name."""

from __future__ import annotations

import csv
import hashlib
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.scan.corpus import assembler as a

COLUMNS = ("path", "label", "source", "technique", "family", "tier")


class Sample(NamedTuple):
    """One file. `tier` is "gray" where whether it is malicious depends on who loads it how; rates leave those out."""

    path: str
    data: bytes
    technique: str
    family: str
    tier: str = "core"
    label: str = "malicious"
    source: str = "own assembler"

    def row(self) -> tuple[str, ...]:
        """Its line in manifest.csv."""
        return (f"{self.label}/{self.path}", self.label, self.source, self.technique, self.family, self.tier)


def chance_of(seed: int, name: str) -> random.Random:
    """Chance that depends on the seed and `name` alone: a new sample changes no other."""
    return random.Random(hashlib.sha256(f"{seed}:{name}".encode()).digest())


# Plain code runners. Which one a structural sample uses is chance: what is tested there is the structure around it.
RUNNERS = (
    ("os", "system", "echo pwned"),
    ("posix", "system", "echo pwned"),
    ("builtins", "eval", "print('pwned')"),
    ("builtins", "exec", "print('pwned')"),
    ("subprocess", "getoutput", "echo pwned"),
    ("os", "popen", "echo pwned"),
    ("commands", "getoutput", "echo pwned"),
    ("runpy", "_run_code", "pwned"),
)


def runner(chance: random.Random) -> tuple[str, str, str]:
    """Module, name and argument of a call that would run code."""
    return chance.choice(RUNNERS)


def payload(chance: random.Random) -> bytes:
    """A call that would run code: no header, no STOP."""
    module, name, text = runner(chance)
    return a.call(a.named(module, name), a.short(text))


def stream(chance: random.Random) -> bytes:
    """A whole pickle that would run code when loaded."""
    version = chance.choice((2, 3, 4, 5))
    module, name, text = runner(chance)
    what = a.named(module, name) if version > 3 else a.global_(module, name)
    body = a.call(what, (a.short if version > 3 else a.binunicode)(text))
    return a.framed(body, version) if version > 3 and chance.random() < 0.5 else a.whole(body, version)


def write(root: Path, samples: Iterable[Sample]) -> list[tuple[str, ...]]:
    """Write every sample below `root`, and give their lines."""
    rows = []
    for sample in samples:
        target = root / sample.label / sample.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(sample.data)
        rows.append(sample.row())
    return rows


def write_manifest(root: Path, rows: Sequence[tuple[str, ...]]) -> None:
    """manifest.csv, sorted by path."""
    with (root / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(COLUMNS)
        out.writerows(sorted(rows))
