"""Tables and rows for the tests of the store: few columns, one of each type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from eightysix.model.table import Column, Environment, Row, ScalarType, Table

HOUR = 3_600_000_000_000
T0 = 1_795_392_000_000_000_000  # 2026-11-23T00:00:00Z

EVENTS = "EightySixEvents_CL"


def table(name: str, **columns: ScalarType) -> Table:
    """A table of `TimeGenerated` and these columns."""
    has = (Column("TimeGenerated", ScalarType.DATETIME), *(Column(*each) for each in columns.items()))
    return Table(name=name, title=name, columns={Environment.LOG_ANALYTICS: has}, source="test")


PODS = table(
    "Pods", Namespace=ScalarType.STRING, PodName=ScalarType.STRING, Number=ScalarType.LONG, Small=ScalarType.INT,
    Share=ScalarType.REAL, Good=ScalarType.BOOL, Seen=ScalarType.DATETIME, Took=ScalarType.TIMESPAN,
    Id=ScalarType.GUID, Detail=ScalarType.DYNAMIC,
)  # fmt: skip
OTHER = table("Other", Text=ScalarType.STRING)
TABLES: Mapping[str, Table] = {"Pods": PODS, "Other": OTHER}


def row(number: int, time_ns: int = T0) -> Row:
    """A row that no other number gives."""
    return {
        "TimeGenerated": time_ns,
        "Namespace": f"ns-{number % 3}",
        "PodName": f"pod-{number % 7}",
        "Number": number,
        "Detail": {"n": [number]},
    }


def rows(count: int, *, first: int = 0, hours: int = 3) -> Iterator[Row]:
    """`count` rows over some hours."""
    for number in range(first, first + count):
        yield row(number, T0 + (number % hours) * HOUR + number)
