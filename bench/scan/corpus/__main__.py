"""Writes the labelled corpus: malicious, benign and manifest.csv.

    python -m bench.scan.corpus FOLDER [--seed 86] [--venvs FOLDER]

Malicious files are put together here, nothing of them is ever loaded. Benign files are written by real libraries in virtual
environments of their own (see bench/scan/requirements-*.txt); without --venvs only what needs no library is written.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.scan.corpus import agents, containers, evasions, gadgets, graphs, texts, weights
from bench.scan.corpus.sample import Sample, write, write_manifest


def malicious(seed: int) -> Iterator[Sample]:
    """Every malicious sample."""
    for module in (gadgets, evasions, containers, weights, graphs, texts, agents):
        yield from module.samples(seed)


def main(arguments: Sequence[str]) -> int:
    """Write it."""
    parser = argparse.ArgumentParser(prog="python -m bench.scan.corpus", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=86)
    options = parser.parse_args(arguments)
    rows = write(options.folder, malicious(options.seed))
    print(f"{len(rows):,} malicious files", file=sys.stderr)
    write_manifest(options.folder, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
