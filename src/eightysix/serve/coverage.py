"""Reads files, or a store, and counts what arrives: the edge of `eightysix coverage`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

from eightysix.detect.rule import Rule
from eightysix.model.visibility import Visibility
from eightysix.model.words import Source
from eightysix.reconstruct.coverage import Given, visibility
from eightysix.sources.reading import Limits, read_inputs
from eightysix.sources.recognise import Recogniser
from eightysix.sources.survey.census import Census
from eightysix.sources.survey.surveys import surveys
from eightysix.sources.survey.tetragon import TetragonSurvey

__all__ = ["of_files"]


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
