"""Reads files, or a store, and counts what arrives: the edge of `eightysix coverage`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from eightysix.detect.rule import Rule
from eightysix.model.visibility import Visibility
from eightysix.model.words import Source
from eightysix.reconstruct.coverage import Given, visibility
from eightysix.serve.ledger import lines_of
from eightysix.sources.reading import Limits, read_inputs
from eightysix.sources.recognise import Recogniser
from eightysix.sources.survey.census import Census
from eightysix.sources.survey.surveys import surveys
from eightysix.sources.survey.tetragon import TetragonSurvey

__all__ = ["has_scans", "of_files", "of_store"]


def of_files(
    paths: Sequence[str],
    stdin: BinaryIO | None,
    rules: Sequence[Rule],
    *,
    source: str = "auto",
    baseline: bool = False,
    ledger: bool = False,
) -> Visibility:
    """What files tell: every record is decoded once, and only as far as it says where it comes from.

    Raises `NothingToReadError` when no input can be opened.
    """
    census = Census()
    forced = None if source == "auto" else Source(source)
    decoders = surveys(census)
    recogniser = Recogniser(decoders, forced=forced)
    for block in read_inputs(paths, stdin, Limits(), recogniser.note):
        recogniser.read(block)
    for decoder in decoders:
        if isinstance(decoder, TetragonSurvey):
            decoder.flush()
    counts = recogniser.counts
    counts.duplicate = sum(tally.duplicates for tally in census.tallies.values())
    given = Given(counts=counts, problems=recogniser.problems, baseline=baseline, ledger=ledger)
    return visibility(census, rules, given)


def of_store(
    folder: str, rules: Sequence[Rule], *, baseline: bool = False, ledger: bool = False
) -> Visibility:
    """What a store tells, as far as rows do; raises `StateError` and `UsageError` where it cannot be read."""
    from eightysix.serve.coverage_store import NOTE, read_store

    census, counts, problems = read_store(folder)
    given = Given(counts=counts, problems=problems, baseline=baseline, ledger=ledger, notes=(NOTE,))
    return visibility(census, rules, given)


def has_scans(path: str) -> bool:
    """Whether the ledger of scans at `path` has anything in it; False where no path is given. Raises `StateError` where it
    cannot be read."""
    if not path:
        return False
    return any(True for _ in lines_of(Path(path), 0))
