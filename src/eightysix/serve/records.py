"""The raw records that evidence points to, read again from the files that they came from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from eightysix.model.errors import NothingToReadError
from eightysix.model.incident import Evidence, Problem
from eightysix.sources.lines import Block
from eightysix.sources.reading import Limits, read_inputs

__all__ = ["MAX_RECORDS", "raw_records"]

MAX_RECORDS = 20_000
"""Records that are read again for one run, the first by file and line: 2 KB each, so at most some 40 MB before they are
cut to what a report shows."""


def raw_records(paths: Sequence[str], wanted: Iterable[Evidence]) -> Mapping[Evidence, bytes]:
    """The lines of `paths` (as they were given for the first reading) that `wanted` points to. What is not there any more,
    or came from standard input, is left out: a story without its raw records is still a story."""
    lines: dict[str, dict[int, list[Evidence]]] = {}
    for number, place in enumerate(sorted(set(wanted), key=lambda e: (e.file, e.line, e.source))):
        if number >= MAX_RECORDS:
            break
        if place.line:
            lines.setdefault(place.file, {}).setdefault(place.line, []).append(place)
    found: dict[Evidence, bytes] = {}
    files = [path for path in paths if path != "-"]
    if not lines or not files:
        return found
    try:
        for block in read_inputs(files, None, Limits(), _ignore):
            mine = lines.get(block.file)
            if mine is not None:
                _take(block, mine, found)
    except NothingToReadError:
        return found
    return found


def _take(block: Block, wanted: Mapping[int, Sequence[Evidence]], found: dict[Evidence, bytes]) -> None:
    last = block.first_line + block.data.count(b"\n")
    if not any(block.first_line <= line <= last for line in wanted):
        return
    for line, text in enumerate(block.data.split(b"\n"), block.first_line):
        for place in wanted.get(line, ()):
            found[place] = text


def _ignore(problem: Problem) -> None:
    """The first reading told it."""
