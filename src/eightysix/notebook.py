"""Hunting from Python, as in a Jupyter notebook: load telemetry, ask in KQL, go from a row to the incident behind it.

    from eightysix import notebook

    day = notebook.load("telemetry/")
    rows = day.hunt("chain-86-seconds", window="5m")
    incident = day.incident_of(rows[0])
    notebook.stages(incident).frame().plot.scatter("Seconds", "Stage")

docs/notebook.md tells it with an example that is executed. Needs the extra `hunt`; `frame()` needs pandas as well.
"""

from __future__ import annotations

import html
import importlib
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, overload

from eightysix.hunt.engine import TIMEOUT_S, run
from eightysix.hunt.interface import Result
from eightysix.hunt.limits import MAX_BYTES
from eightysix.hunt.local import MEMORY_MB, Tally, source_of
from eightysix.hunt.output import table_lines
from eightysix.hunt.pack import load as load_pack
from eightysix.model.errors import MissingExtraError, QueryError, UsageError
from eightysix.model.incident import Incident, Problem, Report
from eightysix.model.table import Column, ScalarType
from eightysix.model.timestamps import to_ns
from eightysix.report.inert import inert
from eightysix.store import tables

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["Rows", "Telemetry", "load", "open_store", "stages"]

_WIDTH = 120
"""Columns of what `print(rows)` writes: Jupyter's cells hold about as many."""
_SHOWN = 50
"""Rows that are shown; `frame()`, `len()` and a loop have all."""
_CELL = 300
"""Columns of a value in a shown table."""

_FRAMED = {
    ScalarType.LONG: "Int64",
    ScalarType.INT: "Int32",
    ScalarType.REAL: "Float64",
    ScalarType.BOOL: "boolean",
}
"""Types of pandas that have null: a count must not become a float because one row has none."""


class Rows(Sequence[Mapping[str, object]]):
    """What a query gave: a sequence of mappings from column to value, shown as a table with every value made harmless.

    Values are JSON's: `datetime` is RFC 3339 text, `dynamic` whatever it holds. Never trust them: attackers write some.
    """

    def __init__(self, result: Result) -> None:
        self._result = result
        self._names = [one.name for one in result.columns]

    @property
    def columns(self) -> tuple[Column, ...]:
        """Names and types, in order."""
        return self._result.columns

    @property
    def truncated(self) -> bool:
        """Whether the query gave more rows than the limit."""
        return self._result.truncated

    def __len__(self) -> int:
        return len(self._result.rows)

    @overload
    def __getitem__(self, place: int) -> Mapping[str, object]: ...
    @overload
    def __getitem__(self, place: slice) -> Rows: ...
    def __getitem__(self, place: int | slice) -> Mapping[str, object] | Rows:
        if isinstance(place, slice):
            return Rows(Result(self.columns, list(self._result.rows)[place], self.truncated))
        return dict(zip(self._names, self._result.rows[place], strict=True))

    def __iter__(self) -> Iterator[Mapping[str, object]]:
        for row in self._result.rows:
            yield dict(zip(self._names, row, strict=True))

    def values(self, column: str) -> list[object]:
        """The values of one column. Raises `UsageError` where there is none of that name."""
        if column not in self._names:
            raise UsageError(f"there is no column {column!r}", f"There are {', '.join(self._names)}.")
        place = self._names.index(column)
        return [row[place] for row in self._result.rows]

    def frame(self) -> Any:
        """A `pandas.DataFrame`: moments are in UTC, spans are `Timedelta`, whole numbers stay whole beside nulls."""
        pandas = _pandas()
        series = {}
        for column in self.columns:
            found = self.values(column.name)
            if column.type is ScalarType.DATETIME:
                # Microseconds: in nanoseconds pandas ends in 2262, and a row may say any year.
                moments = [_moment(one) for one in found]
                series[column.name] = pandas.Series(moments, dtype="datetime64[us, UTC]")
            elif column.type is ScalarType.TIMESPAN:
                series[column.name] = pandas.Series([_span(one) for one in found], dtype="timedelta64[us]")
            else:
                series[column.name] = pandas.Series(found, dtype=_FRAMED.get(column.type, "object"))
        return pandas.DataFrame(series, columns=self._names)

    def __repr__(self) -> str:
        shown = Result(self.columns, list(self._result.rows)[:_SHOWN])
        return "\n".join((*table_lines(shown, _WIDTH), self._told()))

    def _repr_html_(self) -> str:
        """For Jupyter. Every value is made inert and escaped: what a row holds is text, never markup."""
        head = "".join(f"<th>{_safe(name)}</th>" for name in self._names)
        body = "".join(f"<tr>{_cells(row)}</tr>\n" for row in list(self._result.rows)[:_SHOWN])
        return f"<table>\n<tr>{head}</tr>\n{body}</table>\n<p>{self._told()}</p>"

    def _told(self) -> str:
        count = len(self)
        left = f", {_SHOWN} shown" if count > _SHOWN else ""
        more = ", and there are more: see limit" if self.truncated else ""
        return f"{count:,} {'row' if count == 1 else 'rows'}{left}{more}"


class Telemetry:
    """Telemetry as tables, and as what detection makes of it. Close it when done, or use it in a `with`."""

    def __init__(self, source: DuckDBPyConnection, tally: Tally, paths: tuple[str, ...]) -> None:
        self._source = source
        self._tally = tally
        self._paths = paths
        self._report: Report | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the rows and of the private folder they were spilled to."""
        self._source.close()

    @property
    def problems(self) -> Sequence[Problem]:
        """What could not be read, with file, line and reason: a thousand at most. Look before you trust an empty answer."""
        return tuple(self._tally.problems)

    @property
    def tables(self) -> Rows:
        """The tables that have rows, with how many. A store does not count them: use `| count`."""
        known = tables.load()
        columns = (
            Column("Table", ScalarType.STRING),
            Column("Rows", ScalarType.LONG),
            Column("Holds", ScalarType.STRING),
        )
        found = [
            (name, count, known[name].title) for name, count in sorted(self._tally.rows.items()) if count
        ]
        return Rows(Result(columns, found))

    def hunt(
        self,
        query: str | Path,
        *,
        now: str = "",
        limit: int = 10_000,
        timeout_s: float = TIMEOUT_S,
        **values: str,
    ) -> Rows:
        """The rows of a query: the id of one of the pack, KQL as it stands, or a `Path` to a file with KQL.

        `now` is what `now()` and `ago()` count from (RFC 3339; the newest row, of a store the clock). `values` set `let`
        statements of the query, each to one literal: `window="5m"`. Raises `QueryError` for what cannot be run.
        """
        moment = to_ns(now) if now else (self._tally.now if self._tally.newest else time.time_ns())
        text = _query(query)
        return Rows(run(text, self._source, now=moment, limit=limit, parameters=values, timeout_s=timeout_s))

    def detect(self, rules: str | Path = "") -> Report:
        """What `eightysix detect` finds in the same files, with the packaged rules and those of the folder `rules`.

        Raises `UsageError` for a store: it has rows, and detection reads records.
        """
        from eightysix.rules.catalog import load_all
        from eightysix.serve.replay import Replay, ReplayOptions

        if not self._paths:
            raise UsageError("a store has no records to detect in", "Load the files: notebook.load(PATH)")
        if self._report is None or rules:
            catalog = load_all(rules)
            options = ReplayOptions(exceptions=catalog.exceptions)
            found = Replay(catalog.rules, options).read(self._paths, None)
            if rules:
                return found
            self._report = found
        return self._report

    @property
    def incidents(self) -> tuple[Incident, ...]:
        """The incidents of `detect()`, the gravest first as it tells them. Detection runs once."""
        return tuple(self.detect().incidents)

    def incident_of(self, row: Mapping[str, object]) -> Incident | None:
        """The incident of the pod that a row names (`PodName` or `KubernetesPodName`, with its namespace): of several the
        one with the highest score. None where detection tells of no such pod."""
        pod = row.get("PodName") or row.get("KubernetesPodName")
        namespace = row.get("Namespace") or row.get("KubernetesNamespace") or row.get("PodNamespace")
        if not pod:
            raise UsageError("the row names no pod", "Project Namespace and PodName in the query.")
        found = [
            one
            for one in self.incidents
            if one.pod is not None
            and one.pod.name == pod
            and (not namespace or one.pod.namespace == namespace)
        ]
        return max(found, key=lambda one: one.score, default=None)

    def __repr__(self) -> str:
        tally = self._tally
        wrong = len(tally.problems) + tally.more_problems
        told = f"{wrong:,} problems" if wrong else "no problems"
        if not self._paths:
            return f"a store: {told}"
        return f"{sum(tally.rows.values()):,} rows in {len(self.tables)} tables, {told}"


def load(*paths: str | Path, memory_mb: int = MEMORY_MB) -> Telemetry:
    """Files and folders of any format that detection reads, exported rows too, as tables (docs/hunt.md).

    Rows take up to `memory_mb`; more is spilled. Raises `UsageError`, and `NothingToReadError` where nothing can be opened.
    """
    if not paths:
        raise UsageError("there is nothing to load", "Name files or folders: notebook.load('telemetry/')")
    named = tuple(str(one) for one in paths)
    if "-" in named:
        raise UsageError("a notebook has no standard input", "Name a file.")
    tally = Tally()
    return Telemetry(source_of(named, tally=tally, memory_mb=memory_mb), tally, named)


def open_store(folder: str | Path) -> Telemetry:
    """A store (docs/store.md), to read only. Where a process owns it, what that has not sealed yet is left out, and
    told among the problems. Raises `StateError`."""
    from eightysix.store.events.view import open_view

    tally = Tally()
    return Telemetry(open_view(folder, on_problem=tally.note), tally, ())


def stages(incident: Incident) -> Rows:
    """The story of an incident as rows: seconds since it began, stage, what happened, by whom, and where it is written."""
    columns = (
        Column("At", ScalarType.DATETIME),
        Column("Seconds", ScalarType.REAL),
        *(
            Column(name, ScalarType.STRING)
            for name in ("Stage", "Title", "Process", "Destination", "Evidence")
        ),
    )
    rows = [
        (
            one.at,
            one.offset_s,
            str(one.stage),
            one.title,
            one.process,
            one.destination,
            " ".join(f"{Path(each.file).name}:{each.line}" for each in one.evidence),
        )
        for one in incident.stages
    ]
    return Rows(Result(columns, rows))


def _query(query: str | Path) -> str:
    if isinstance(query, Path):
        try:
            with query.open("rb") as file:
                return file.read(MAX_BYTES + 1).decode("utf-8-sig", "replace")
        except OSError as error:
            raise QueryError(f"{query} cannot be read: {error.strerror}", "Check the path.") from None
    known = load_pack()
    if query in known:
        return known[query].text
    if query.endswith(".kql"):
        raise QueryError(f"there is no query {query!r} in the pack", "For a file: hunt(Path('mine.kql'))")
    return query


def _pandas() -> Any:
    try:
        return importlib.import_module("pandas")
    except ImportError:
        raise MissingExtraError("a frame needs pandas", "Install it: pip install pandas") from None


def _moment(value: object) -> datetime | None:
    """A moment as results write it: `2026-11-24T09:00:00.1234560Z`."""
    return datetime.fromisoformat(f"{value[:26]}+00:00") if isinstance(value, str) else None


def _span(value: object) -> timedelta | None:
    """A span as results write it: `-1.02:03:04.5000000`."""
    if not isinstance(value, str):
        return None
    hours, minutes, seconds = value.removeprefix("-").split(":")
    days, _, hours = hours.rpartition(".")
    span = timedelta(
        days=int(days or 0), hours=int(hours), minutes=int(minutes), microseconds=round(float(seconds) * 1e6)
    )
    return -span if value.startswith("-") else span


def _text(value: object) -> str:
    import msgspec

    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _cells(row: Sequence[object]) -> str:
    return "".join(f'<td style="text-align:left">{_safe(_text(value))}</td>' for value in row)


def _safe(text: str) -> str:
    return html.escape(inert(text, _CELL))
