"""Rows of a table on their way to the disk: checked against the columns, and given an id.

Both time columns hold the same moment, so one is kept (`TimeGenerated`), and the view shows it twice. What does not fit its
column becomes null and is counted: one odd value must not cost the row, and one odd row not its batch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from types import GenericAlias
from typing import Annotated, Any, TypeGuard

import msgspec
from msgspec import Struct

from eightysix.model.stored import visible
from eightysix.model.table import Column, Columns, Row, ScalarType, Table
from eightysix.model.timestamps import to_ns
from eightysix.store.columns import DUCKDB_TYPES, local_columns, quoted

__all__ = ["FIRST_NS", "LAST_NS", "MAX_ROW", "NATIVE", "ROW_ID", "TIME", "Prepared", "Shape", "Taken"]

TIME = "TimeGenerated"
ROW_ID = "_RowId"
"""64 bits of keyed BLAKE2b. They are compared within one table and the hours of a batch: of a million rows, two that differ
share one once in 37 million such sets, and the key keeps writers of rows from searching for such a pair."""

MAX_ROW = 4 << 20
"""Bytes of one row as JSON; Kubernetes objects end at 1.5 MB, and DuckDB reads objects of 16 MB."""

FIRST_NS = 1_420_070_400_000_000_000
"""2015-01-01: Kubernetes 1.0 is from that year. What is older is a clock that was not set."""
LAST_NS = 4_102_444_800_000_000_000
"""2100-01-01."""

NATIVE = {"EightySixEvents_CL": "EventId", "CloudProcessEvents": "ReportId"}
"""Tables whose rows have an id of their source that is never given twice: it alone makes the row's id. Of `ReportId` only
an event's id does (32 hex digits, `model.event.EventId`): Defender's own is a counter of one machine."""

_EVENT_ID = 32
_HEX = frozenset("0123456789abcdef")

_NAMESPACES = ("KubernetesNamespace", "Namespace", "PodNamespace")
_PODS = ("KubernetesPodName", "PodName", "Pod")
_PLACES: Mapping[str, tuple[str, str]] = {
    # The pod column of these is the API server's own, which sorts nothing.
    "AKSAudit": ("", "UserAgent"),
    "AKSAuditAdmin": ("", "UserAgent"),
    "AKSControlPlane": ("Category", "PodName"),
    "AzureActivity": ("ResourceGroup", "Caller"),
}
"""Columns to sort a table by, before time, where they are not called namespace and pod."""

_LONG = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)] | None
_KINDS: Mapping[ScalarType, Any] = {
    ScalarType.STRING: str | None,
    ScalarType.GUID: str | None,
    ScalarType.TIMESPAN: str | None,
    ScalarType.LONG: _LONG,
    ScalarType.INT: Annotated[int, msgspec.Meta(ge=-(1 << 31), le=(1 << 31) - 1)] | None,
    ScalarType.REAL: float | None,
    ScalarType.BOOL: bool | None,
    ScalarType.DATETIME: _LONG,
    ScalarType.DYNAMIC: object,
}


class Taken(Struct):
    """What became of rows that were offered. `kept` are new, `again` were there already; `refused` have no usable time or
    are too large; `misfits` are values that did not fit their column, of rows that were taken without them."""

    kept: int = 0
    again: int = 0
    refused: int = 0
    misfits: int = 0


Prepared = tuple[int, int, Row, int]
"""A row that can be kept, every value as its column has it: id, time (ns), the row, and its bytes as JSON."""


class Shape:
    """One table as it is stored."""

    def __init__(self, table: Table, key: bytes) -> None:
        self.table = table
        self.name = table.name
        times = ("TimeGenerated", "Timestamp")
        others = [column for column in local_columns(table) if column.name not in times]
        self.columns = (Column(TIME, ScalarType.DATETIME), *others)
        self.names = tuple(column.name for column in self.columns)
        person = hashlib.blake2b(table.name.encode(), digest_size=16).digest()
        self._keyed = hashlib.blake2b(digest_size=8, key=key, person=person)
        self._native = NATIVE.get(table.name, "")
        self._is_native = _is_event_id if self._native == "ReportId" else _is_text
        self._lists = {column.name: GenericAlias(list, (_KINDS[column.type],)) for column in self.columns}
        # NOTE: names of columns are no Python names ("_ResourceId"), so fields are numbered and renamed.
        fields = [(f"f{n}", _KINDS[column.type], None) for n, column in enumerate(self.columns)]
        self._struct = msgspec.defstruct(
            "Stored", fields, rename={f"f{n}": column.name for n, column in enumerate(self.columns)},
            omit_defaults=True, gc=False,
        )  # fmt: skip
        self._encode = msgspec.json.Encoder().encode

    def take(self, row: Row, taken: Taken) -> Prepared | None:
        """The row as it can be kept; None, and counted, where it cannot."""
        time = row.get(TIME)
        if time is None and (time := row.get("Timestamp")) is not None:
            row = {**row, TIME: time}
        if isinstance(time, str):
            time = _moment(time)
            row = {**row, TIME: time}
        if type(time) is not int or not FIRST_NS <= time < LAST_NS:
            taken.refused += 1
            return None
        try:
            text = self._encode(msgspec.convert(row, self._struct))
        except (msgspec.MsgspecError, UnicodeEncodeError, TypeError, OverflowError):
            try:
                row = self._fitting(row, taken)
                text = self._encode(msgspec.convert(row, self._struct))
            except (msgspec.MsgspecError, UnicodeError, TypeError, ValueError, RecursionError):
                taken.refused += 1
                return None
        except RecursionError:
            taken.refused += 1
            return None
        if len(text) > MAX_ROW:
            taken.refused += 1
            return None
        native = row.get(self._native)
        # A native id and a row cannot be mistaken for each other: a row begins with a brace.
        marked = native.encode("utf-8", "backslashreplace") if self._is_native(native) else text
        return self._number(marked), time, row, len(text)

    def take_columns(self, columns: Columns) -> tuple[list[int], Mapping[str, Sequence[object]]] | None:
        """Ids and values of rows that are kept as they are; None where one of them needs a look of its own."""
        values = columns.values
        times, natives = values.get(TIME), values.get(self._native)
        if not times or not natives or not all(map(self._is_native, natives)):
            return None
        try:
            if min(times) < FIRST_NS or max(times) >= LAST_NS:  # type: ignore[type-var,operator]
                return None
            kept = {
                name: msgspec.convert(told, self._lists[name])
                for name, told in values.items()
                if name in self._lists
            }
            number = self._number
            return [number(native.encode()) for native in natives], kept  # type: ignore[attr-defined]
        except (msgspec.ValidationError, TypeError, UnicodeEncodeError):
            return None

    def _number(self, marked: bytes) -> int:
        digest = self._keyed.copy()
        digest.update(marked)
        return int.from_bytes(digest.digest(), "big", signed=True)

    def _fitting(self, row: Row, taken: Taken) -> dict[str, object]:
        """The row with each value as its column has it, or without it."""
        found: dict[str, object] = {}
        for column in self.columns:
            value = row.get(column.name)
            if value is None:
                continue
            value = _cleaned(value)
            try:
                found[column.name] = msgspec.convert(value, _KINDS[column.type])
            except msgspec.ValidationError:
                try:
                    found[column.name] = _as(value, column.type)
                except (msgspec.MsgspecError, ValueError, TypeError, OverflowError):
                    taken.misfits += 1
        return found

    @cached_property
    def place(self) -> tuple[str, ...]:
        """Columns by which rows are sorted: namespace, pod, time, as far as the table has them."""
        names = {column.name for column in self.columns}
        named = _PLACES.get(self.name) or (_first(_NAMESPACES, names), _first(_PODS, names))
        return (*(name for name in named if name in names), TIME)

    @cached_property
    def definition(self) -> str:
        """Columns as CREATE TABLE has them."""
        columns = (f"{quoted(column.name)} {DUCKDB_TYPES[column.type]}" for column in self.columns)
        return ", ".join((f"{quoted(ROW_ID)} BIGINT", *columns))

    def json_columns(self, names: Iterable[str]) -> str:
        """Lists of columns as `read_json` is told them: the id, and those of `names`."""
        kinds = {ScalarType.DATETIME: "BIGINT", ScalarType.TIMESPAN: "VARCHAR"}
        wanted = frozenset(names)
        columns = (
            f"{quoted(one.name)}: '{kinds.get(one.type, DUCKDB_TYPES[one.type])}[]'"
            for one in self.columns
            if one.name in wanted
        )
        return "{" + ", ".join((f"{quoted(ROW_ID)}: 'BIGINT[]'", *columns)) + "}"

    def unpacked(self, source: str, names: Iterable[str]) -> str:
        """The query that makes stored rows of what `json_columns` of the same names reads from `source`."""
        wanted = frozenset(names)
        columns = [column for column in self.columns if column.name in wanted]
        lists = (f"unnest({quoted(name)}) AS {quoted(name)}" for name in (ROW_ID, *(c.name for c in columns)))
        stored = (quoted(ROW_ID), *map(_stored, columns))
        return f"SELECT {', '.join(stored)} FROM (SELECT {', '.join(lists)} FROM {source})"


def _stored(column: Column) -> str:
    name = quoted(column.name)
    if column.type is ScalarType.DATETIME:
        return f"make_timestamp({name} // 1000) AS {name}"
    return f"TRY_CAST({name} AS INTERVAL) AS {name}" if column.type is ScalarType.TIMESPAN else name


def _is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value != ""


def _is_event_id(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and len(value) == _EVENT_ID and _HEX.issuperset(value)


def _moment(text: str) -> int | None:
    try:
        return to_ns(text)
    except ValueError:
        return None


def _first(wanted: tuple[str, ...], names: set[str]) -> str:
    return next((name for name in wanted if name in names), "")


def _as(value: object, kind: ScalarType) -> object:
    if kind in {ScalarType.STRING, ScalarType.GUID, ScalarType.TIMESPAN}:
        return msgspec.json.encode(value).decode()
    if kind is ScalarType.DATETIME and isinstance(value, str):
        return to_ns(value)
    return msgspec.convert(value, _KINDS[kind], strict=False)


def _cleaned(value: object) -> object:
    """Without lone surrogates, which no UTF-8 can hold."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, list | tuple):
        return [_cleaned(one) for one in value]
    if isinstance(value, Mapping):
        return {visible(str(key)): _cleaned(one) for key, one in value.items()}
    return value
