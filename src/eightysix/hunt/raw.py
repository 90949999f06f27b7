"""The raw record behind an event or a piece of evidence, to be shown: from the files it was read from, or from a store.

What is shown has fingerprints where something secret may stand (`sources.raw`), whichever it comes from.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from eightysix.model.event import EventId
from eightysix.model.incident import Evidence
from eightysix.model.table import Columns
from eightysix.sources.decompress import Limits
from eightysix.sources.raw import Redactor, raw_lines
from eightysix.sources.reading import read_inputs
from eightysix.sources.tables import Tabulator
from eightysix.store import tables

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["MOST", "raw_of"]

MOST = 10_000
"""Records that are looked for at once; more are left out."""

_EVENTS = "EightySixEvents_CL"
_FROM_STORE = """
SELECT EventSource, EvidenceFile, EvidenceLine, EventId, CAST(Record AS VARCHAR) FROM EightySixRaw_CL
WHERE EvidenceFile IN (SELECT unnest(?)) AND EvidenceLine IN (SELECT unnest(?)) OR EventId IN (SELECT unnest(?))
ORDER BY TimeGenerated, EvidenceFile, EvidenceLine, Record
"""


def raw_of(
    source: Sequence[str] | DuckDBPyConnection,
    wanted: Iterable[EventId | Evidence],
    *,
    key: bytes = b"",
) -> Mapping[EventId | Evidence, str]:
    """The raw record of each of `wanted` as JSON text, as far as it is there.

    `source` is paths of files and folders, or a connection to a store (`store.events.view.open_view`). `key` is what
    fingerprints of records in files are made with (empty: one that nobody knows); records in a store have theirs. Raises
    `NothingToReadError` where no file can be opened."""
    asked = list(dict.fromkeys(wanted))[:MOST]
    if isinstance(source, list | tuple):
        return _from_files(source, asked, Redactor(key or secrets.token_bytes(16)))
    return _from_store(source, asked)  # type: ignore[arg-type]


def _from_files(
    paths: Sequence[str], asked: Sequence[EventId | Evidence], redactor: Redactor
) -> Mapping[EventId | Evidence, str]:
    ids = {one for one in asked if not isinstance(one, Evidence)}
    places: dict[Evidence, list[EventId | Evidence]] = {}
    for one in asked:
        if isinstance(one, Evidence):
            places.setdefault(one, []).append(one)
    for event_id, evidence in _places(paths, ids).items():
        places.setdefault(evidence, []).append(event_id)
    found: dict[EventId | Evidence, str] = {}
    by_place = {(one.file, one.line): names for one, names in places.items()}
    for evidence, text in raw_lines(paths, places):
        record = redactor.record(text)
        found.update(dict.fromkeys(by_place[evidence.file, evidence.line], record))
    return found


def _places(paths: Sequence[str], ids: set[EventId]) -> Mapping[EventId, Evidence]:
    """Where events are: their ids are made of their records, so all records are read."""
    found: dict[EventId, Evidence] = {}
    if not ids:
        return found
    reader = Tabulator({_EVENTS: tables.load()[_EVENTS]})
    for block in read_inputs(paths, None, Limits(), reader.note):
        reader.feed(block)
        for made in reader.packed():
            if isinstance(made, Columns):
                _note(made, ids, found)
    return found


def _note(made: Columns, ids: set[EventId], found: dict[EventId, Evidence]) -> None:
    for row in made.rows():
        event_id, file, line = row.get("EventId"), row.get("EvidenceFile"), row.get("EvidenceLine")
        if event_id in ids and isinstance(file, str) and isinstance(line, int):
            found.setdefault(EventId(str(event_id)), Evidence(str(row.get("EventSource")), file, line))


def _from_store(
    connection: DuckDBPyConnection, asked: Sequence[EventId | Evidence]
) -> Mapping[EventId | Evidence, str]:
    places = {(one.source, one.file, one.line): one for one in asked if isinstance(one, Evidence)}
    ids = {one for one in asked if not isinstance(one, Evidence)}
    rows = connection.execute(
        _FROM_STORE,
        [[file for _, file, _ in places], [line for _, _, line in places], sorted(ids)],
    ).fetchall()
    found: dict[EventId | Evidence, str] = {}
    for source, file, line, event_id, record in rows:
        evidence = places.get((source, file, line))
        if evidence is not None:
            found[evidence] = record
        if event_id in ids:
            found[EventId(event_id)] = record
    return found
