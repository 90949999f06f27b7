"""Writes the labelled corpus: malicious, benign and manifest.csv.

    python -m bench.scan.corpus FOLDER [--seed 86] [--venvs FOLDER] [--wheels FOLDER]

Malicious files are put together here, nothing of them is ever loaded. Benign files are written by real libraries in virtual
environments of their own below --venvs (see bench/scan/requirements-*.txt), or were shipped in wheels, downloaded to
--wheels. Without the two, only what needs neither is written.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.scan.corpus import (
    agents,
    containers,
    evasions,
    everyday,
    gadgets,
    graphs,
    mixed,
    others,
    shipped,
    texts,
    weights,
    written,
)
from bench.scan.corpus.sample import Sample, write, write_manifest


def malicious(seed: int) -> Iterator[Sample]:
    """Every malicious sample."""
    for module in (gadgets, evasions, mixed, containers, weights, graphs, texts, agents, others):
        yield from module.samples(seed)


def benign(seed: int, venvs: Path | None, wheels: Path | None, work: Path) -> Iterator[Sample]:
    """Every benign sample that can be had."""
    seen: set[bytes] = set()
    yield from everyday.samples(seed)
    if venvs:
        yield from written.written(venvs, work)
        for place in sorted(venvs.glob("*/lib/python3*/site-packages")):
            yield from once(shipped.environment(place), seen)
    if wheels:
        shipped.fetch(wheels)
        yield from once(shipped.wheels(wheels), seen)


def once(samples: Iterator[Sample], seen: set[bytes]) -> Iterator[Sample]:
    """Those whose bytes were not there before: every package has the same empty files."""
    for sample in samples:
        digest = hashlib.sha256(sample.data).digest()
        if digest not in seen:
            seen.add(digest)
            yield sample


def main(arguments: Sequence[str]) -> int:
    """Write it."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.scan.corpus", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=86)
    parser.add_argument("--venvs", type=Path)
    parser.add_argument("--wheels", type=Path)
    options = parser.parse_args(arguments)
    rows = write(options.folder, malicious(options.seed))
    print(f"{len(rows):,} malicious files", file=sys.stderr)
    with tempfile.TemporaryDirectory() as work:
        good = write(options.folder, benign(options.seed, options.venvs, options.wheels, Path(work)))
    print(f"{len(good):,} benign files", file=sys.stderr)
    rows += good
    write_manifest(options.folder, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
