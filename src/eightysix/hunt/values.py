"""Values as Kusto writes them: moments with seven decimals, spans as `d.hh:mm:ss.fffffff`, dynamic as JSON."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from eightysix.model.table import Column, ScalarType

__all__ = ["column_of", "span_text", "time_text", "value_of"]

_KINDS = {
    "VARCHAR": ScalarType.STRING,
    "BIGINT": ScalarType.LONG,
    "HUGEINT": ScalarType.LONG,
    "UBIGINT": ScalarType.LONG,
    "INTEGER": ScalarType.INT,
    "SMALLINT": ScalarType.INT,
    "TINYINT": ScalarType.INT,
    "DOUBLE": ScalarType.REAL,
    "FLOAT": ScalarType.REAL,
    "BOOLEAN": ScalarType.BOOL,
    "DATE": ScalarType.DATETIME,
    "INTERVAL": ScalarType.TIMESPAN,
    "UUID": ScalarType.GUID,
    "JSON": ScalarType.DYNAMIC,
}
"""DuckDB's types as Kusto's; lists and structures are dynamic, timestamps of any precision are moments."""


def column_of(name: str, kind: str) -> Column:
    """The column of a result, from the name of its type in DuckDB."""
    if kind.startswith("TIMESTAMP"):
        return Column(name, ScalarType.DATETIME)
    if kind.startswith("DECIMAL"):
        return Column(name, ScalarType.REAL)
    return Column(name, _KINDS.get(kind, ScalarType.DYNAMIC))


def value_of(value: object, column: Column) -> object:
    """A value as JSON has it."""
    if value is None:
        return None
    if column.type is ScalarType.DYNAMIC:
        return _dynamic(value)
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, date):
        return f"{value.isoformat()}T00:00:00.0000000Z"
    if isinstance(value, timedelta):
        return span_text(value)
    if isinstance(value, Decimal):
        return float(value)
    return str(value) if isinstance(value, UUID) else value


def _dynamic(value: object) -> object:
    if isinstance(value, str):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    if isinstance(value, list | tuple):
        return [_dynamic(one) for one in value]
    if isinstance(value, dict):
        return {str(key): _dynamic(one) for key, one in value.items()}
    if isinstance(value, datetime):
        return time_text(value)
    return span_text(value) if isinstance(value, timedelta) else value


def time_text(moment: datetime) -> str:
    """A moment (UTC where it names no zone) as Kusto shows it."""
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return f"{moment.isoformat(timespec='microseconds')}0Z"


def span_text(span: timedelta) -> str:
    """A span as Kusto shows it: `00:01:26`, `1.00:00:00`, `-00:00:00.5000000`."""
    ticks = span // timedelta(microseconds=1)
    sign, ticks = ("-", -ticks) if ticks < 0 else ("", ticks)
    seconds, micro = divmod(ticks, 1_000_000)
    days, seconds = divmod(seconds, 86_400)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{sign}{f'{days}.' if days else ''}{text}{f'.{micro:06}0' if micro else ''}"
