"""Rows of the cloud's own tables, as they leave it: resource logs, data export, Defender's streaming, results of queries.

| form | is |
|---|---|
| `{"records": [...]}`, or one record a line | Event Hub and storage: any of the following |
| `{"category": "...", "properties": {...}}` | a resource log (`envelopes`) |
| `{"category": "AdvancedHunting-TABLE", "properties": {...}}` | Defender's streaming API: a row |
| `{"Type": "TABLE", ...}` | Log Analytics, data export or query: a row |
| columns alone | the result of a query: a row of the one table that has these columns |
| `{"table": "TABLE", "row": {...}}` | a row as tests of hunting queries have it |
| `{"Results": [...]}`, `{"tables": [...]}` | what the query interfaces answer |

Of tables that have the same columns the name of the file decides (`TABLE.jsonl`), else nobody does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from eightysix.model.table import Row
from eightysix.model.words import Source
from eightysix.sources.azure import AzureDecoder
from eightysix.sources.interface import Batch
from eightysix.sources.tables.envelopes import table_of_category, values_of
from eightysix.sources.tables.interface import Made, objects_of
from eightysix.sources.tables.shape import Shaper
from eightysix.sources.tables.stranger import Guess

__all__ = ["CloudTables"]

_HUNTING = "AdvancedHunting-"
_TIMES = ("TimeGenerated", "Timestamp")
_TRIED = 20
_MOST_ROWS = 100_000
"""Rows of one answer of a query interface: Log Analytics gives 500,000 at most, Defender 100,000."""

_Found = tuple[str, Mapping[str, object]]


class CloudTables:
    """Decodes blocks of the cloud's records into rows."""

    source = Source.AZURE

    def __init__(self, made: Made, shaper: Shaper) -> None:
        self._made = made
        self._shaper = shaper
        self._guess = Guess(shaper)
        self._events = AzureDecoder(every_start=True)

    def recognises(self, record: Mapping[str, object]) -> bool:
        """Whether a record is a row of a table that is known, or holds some."""
        listed = record.get("records")
        if isinstance(listed, list):
            return any(isinstance(item, dict) and self.recognises(item) for item in listed[:_TRIED])
        if next(self._found(record, ""), None) is not None or self._events.recognises(record):
            return True
        return "category" not in record and any(self._guess.fits(row) for row in _answers(record))

    def decode(self, block: bytes, file: str, first_line: int, newlines: Sequence[int] = ()) -> Batch:
        """See `Decoder.decode`. The events are in the rows."""
        batch = Batch()
        for line, text, value in objects_of(block, file, first_line, batch):
            if self._line(value, file, line, batch):
                self._made.events += self._events.decode(text, file, line).events
            else:
                batch.leftover.append((line, text))
        return batch

    def _line(self, value: Mapping[str, object], file: str, line: int, batch: Batch) -> bool:
        """Use one line; False where nothing of it is ours. A list shares its line, so of a list nothing is left over
        but as a whole: members of other sources in it are told as unrecognised."""
        listed = value.get("records")
        if not isinstance(listed, list):
            return self._record(value, file, batch)
        used = [isinstance(item, dict) and self._record(item, file, batch) for item in listed]
        if not any(used):
            return False
        batch.records += len(listed) - 1
        for item, was_used in zip(listed, used, strict=True):
            if not was_used:
                batch.leftover.append((line, _text(item)))
        return True

    def _record(self, value: Mapping[str, object], file: str, batch: Batch) -> bool:
        """Make the rows of a record; False where it is none of ours."""
        made = 0
        for table, values in self._found(value, file):
            made += 1
            if table:
                self._add(table, values, batch)
        if made:
            batch.recognised += 1
            return True
        if self._events.recognises(value):  # of a service whose table is not known here
            batch.recognised += 1
            batch.kinds["other"] = batch.kinds.get("other", 0) + 1
            return True
        return False

    def _add(self, table: str, values: Mapping[str, object], batch: Batch) -> None:
        row = self._shaper.row(table, values)
        if not row:
            return
        time = next((row[name] for name in _TIMES if name in row), 0)
        if isinstance(time, int) and time:
            batch.first_ns = min(batch.first_ns or time, time)
            batch.last_ns = max(batch.last_ns, time)
            row = self._with_times(table, row, time)
        batch.kinds[table] = batch.kinds.get(table, 0) + 1
        self._made.rows.append((table, row))

    def _with_times(self, table: str, row: Row, time: int) -> Row:
        """Both columns of time, where the table has both by environment."""
        missing = [name for name in _TIMES if name not in row and name in self._shaper.cells(table)]
        return {**row, **dict.fromkeys(missing, time)} if missing else row

    def _found(self, value: Mapping[str, object], file: str) -> Iterator[_Found]:
        """Each row of a record: its table, and its columns under whatever names."""
        tables = self._shaper.tables
        category = value.get("category")
        if isinstance(category, str):
            yield from self._of_category(value, category)
            return
        row, table = value.get("row"), value.get("table")
        if isinstance(row, dict) and isinstance(table, str) and table in tables:
            yield table, row
            return
        named = value.get("Type")
        if isinstance(named, str) and named in tables:
            yield named, value
            if named == "AzureDiagnostics" and "AZKVAuditLogs" in tables and _is_vault(value):
                yield "AZKVAuditLogs", _vault(value)
            return
        for columns in _answers(value):
            table = self._guess.table_of(columns, file)
            if table:
                yield table, columns

    def _of_category(self, value: Mapping[str, object], category: str) -> Iterator[_Found]:
        tables = self._shaper.tables
        if category.startswith(_HUNTING):
            table, properties = category[len(_HUNTING) :], value.get("properties")
            if table in tables and isinstance(properties, dict):
                time = {} if "Timestamp" in properties else {"Timestamp": value.get("time")}
                yield table, {**properties, **time}
            return
        resource = value.get("resourceId")
        table = table_of_category(category, resource if isinstance(resource, str) else "")
        if table and table in tables:
            yield table, values_of(value, table)


def _answers(value: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    """The rows of a query's answer: of Defender's (`Results`), of Log Analytics' (`tables`), or the record itself."""
    for name in ("Results", "results"):
        listed = value.get(name)
        if isinstance(listed, list) and ("Schema" in value or "schema" in value):
            yield from (item for item in listed[:_MOST_ROWS] if isinstance(item, dict))
            return
    listed = value.get("tables")
    if not isinstance(listed, list):
        yield value
        return
    for table in listed[:_TRIED]:
        columns, rows = (table.get("columns"), table.get("rows")) if isinstance(table, dict) else (None, None)
        if not isinstance(columns, list) or not isinstance(rows, list):
            continue
        names = [str(one.get("name")) if isinstance(one, dict) else "" for one in columns]
        yield from (dict(zip(names, row, strict=False)) for row in rows[:_MOST_ROWS] if isinstance(row, list))


def _is_vault(row: Mapping[str, object]) -> bool:
    return row.get("Category") == "AuditEvent" and "MICROSOFT.KEYVAULT" in (
        f"{row.get('ResourceProvider')} {row.get('_ResourceId')} {row.get('ResourceId')}".upper()
    )


_VAULT_COLUMNS: Mapping[str, str] = {
    "requestUri_s": "RequestUri",
    "httpStatusCode_d": "HttpStatusCode",
    "id_s": "Id",
    "clientInfo_s": "ClientInfo",
    "isAccessPolicyMatch_b": "IsAccessPolicyMatch",
}
_CLAIMS: Mapping[str, str] = {
    "identity_claim_appid_g": "appid",
    "identity_claim_oid_g": "oid",
    "identity_claim_http_schemas_microsoft_com_identity_claims_objectidentifier_g": (
        "http://schemas.microsoft.com/identity/claims/objectidentifier"
    ),
}


def _vault(row: Mapping[str, object]) -> dict[str, object]:
    """A row of AzureDiagnostics as the row of AZKVAuditLogs that the vault's own table would have."""
    claim = {name: row[column] for column, name in _CLAIMS.items() if row.get(column)}
    told = {_VAULT_COLUMNS.get(name, name): value for name, value in row.items()}
    return {**told, "Identity": {"claim": claim} if claim else None}


def _text(item: object) -> bytes:
    try:
        return msgspec.json.encode(item)
    except (TypeError, ValueError, RecursionError):
        return b"null"
