"""How tables lie in DuckDB: columns, their types, and the statement that creates one.

A local table has the columns of every environment, so that a query written for either runs; both time columns hold the
same moment. Kusto compares names with regard to case and DuckDB does not: of names that differ by case alone the first
stands (`clientIP_s` and `clientIp_s` of AzureDiagnostics, `ISP` and `Isp` of CloudAuditEvents).
"""

from __future__ import annotations

from eightysix.model.table import Column, Environment, ScalarType, Table

__all__ = ["DUCKDB_TYPES", "TIMES", "create_table", "local_columns", "quoted"]

TIMES = {Environment.LOG_ANALYTICS: "TimeGenerated", Environment.DEFENDER: "Timestamp"}
"""The column by which each environment places a row (learn.microsoft.com/azure/azure-monitor/logs/log-standard-columns,
learn.microsoft.com/defender-xdr/advanced-hunting-schema-tables)."""

DUCKDB_TYPES = {
    ScalarType.STRING: "VARCHAR",
    ScalarType.LONG: "BIGINT",
    ScalarType.INT: "INTEGER",
    ScalarType.REAL: "DOUBLE",
    ScalarType.BOOL: "BOOLEAN",
    ScalarType.DATETIME: "TIMESTAMP",
    ScalarType.TIMESPAN: "INTERVAL",
    ScalarType.GUID: "VARCHAR",
    ScalarType.DYNAMIC: "JSON",
}
"""`datetime` has 100 ns in Kusto and microseconds here; `guid` compares as text."""


def local_columns(table: Table) -> tuple[Column, ...]:
    """The columns of a table here: of every environment, each once, the time columns first."""
    found = {one.casefold(): Column(one, ScalarType.DATETIME) for one in TIMES.values()}
    for columns in table.columns.values():
        for column in columns:
            found.setdefault(column.name.casefold(), column)
    return tuple(found.values())


def create_table(table: Table, name: str = "") -> str:
    """The statement that creates it, empty; under another `name` where one is given."""
    columns = ", ".join(f"{quoted(one.name)} {DUCKDB_TYPES[one.type]}" for one in local_columns(table))
    return f"CREATE TABLE {quoted(name or table.name)} ({columns})"


def quoted(name: str) -> str:
    """`name` as an identifier of SQL."""
    return '"' + name.replace('"', '""') + '"'
