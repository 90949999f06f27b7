"""Compares what this interpreter read with what CPython's own unpickler asked for. They must agree: decision 12."""

from __future__ import annotations

from eightysix.scan.artifact import Artifact
from eightysix.scan.interface import Scan
from eightysix.scan.pickle.machine import Outcome
from eightysix.scan.pickle.words import escaped

__all__ = ["compare"]

MOST_SHOWN = 4


def compare(
    scan: Scan, artifact: Artifact, start: int, outcome: Outcome, names: set[tuple[str, str]]
) -> None:
    """Have the second engine read the stream at `start`, and report where it saw something else.

    Where its reading ended with an error, ours may have gone on: then only names that it alone saw count.
    """
    if scan.second is None:
        scan.note_second("not run: there is none here")
        return
    opinion = scan.second.load(artifact.view()[start:])
    why = ""
    if opinion.names - names:
        why = f"CPython imports {_shown(opinion.names - names)}, which this reader does not see"
    elif opinion.not_run:
        scan.note_second(f"not run: {opinion.not_run}")
        return
    elif opinion.differs:
        why = f"CPython disagrees with itself: {opinion.differs}"
    elif opinion.end is not None and outcome.end is None:
        why = f"CPython reads it to its end, and this reader does not: {outcome.broken}"
    elif opinion.end is not None and outcome.end is not None:
        if names - opinion.names:
            why = f"this reader sees an import of {_shown(names - opinion.names)}, CPython does not"
        elif opinion.end != outcome.end - start:
            why = f"CPython ends at {opinion.end:,} bytes, this reader at {outcome.end - start:,}"
    if why:
        scan.report("parser-differential", artifact, why, offset=start)
    scan.note_second("disagreed" if why else "agreed")


def _shown(names: set[tuple[str, str]] | frozenset[tuple[str, str]]) -> str:
    first = sorted(names)[:MOST_SHOWN]
    text = ", ".join(escaped(f"{module}.{name}") for module, name in first)
    return f"{text} and {len(names) - MOST_SHOWN} more" if len(names) > MOST_SHOWN else text
