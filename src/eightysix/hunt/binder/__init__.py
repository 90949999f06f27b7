"""Binds queries with Microsoft's own parser against the documented columns: what it takes, Log Analytics and Defender take.

The parser is Microsoft's `@kusto/language-service-next`, run by Node.js in a process of its own over the tables of
`store/tables`. It parses and binds; no query is run. What it proves is that every table, column, function and operator of
a query is there and of a type that fits. It proves nothing about the rows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Self

import msgspec
from msgspec import Struct

from eightysix.hunt.binder.parser import find
from eightysix.hunt.binder.process import ParserError, Process
from eightysix.hunt.lexer import Token
from eightysix.hunt.limits import checked
from eightysix.model.errors import QueryError
from eightysix.model.table import Column, Environment, ScalarType
from eightysix.store.columns import local_columns
from eightysix.store.tables import load

__all__ = ["Binder", "Bound", "Problem", "Reference", "schema"]

START_S = 60.0
"""Seconds for the parser to load; measured 7.5 s on two cores that had three times as much to do."""
QUERY_S = 20.0
"""Seconds for a query; measured 0.9 s on the same cores at the 95th percentile of the pack."""

_KEPT = 512
"""Answers that are kept: publishing asks again what validating asked."""

WATCHLISTS = ("_GetWatchlist", "_GetWatchlistAlias")
"""Functions of Sentinel that have a workspace's own columns (learn.microsoft.com/azure/sentinel/watchlists-queries)."""

ABSENT = frozenset(
    (
        *("cluster", "cursor_after", "cursor_before_or_at", "cursor_current", "current_cursor", "database"),
        *("current_principal", "extent_id", "extent_tags"),
    )
)
"""Functions of Kusto that Azure Monitor does not have, though the parser knows them; `_STATEMENTS` likewise
(learn.microsoft.com/azure/azure-monitor/logs/log-query-overview, "KQL elements not supported in Azure Monitor")."""
_STATEMENTS = frozenset(("alias", "declare"))


class Problem(Struct, frozen=True):
    """What the parser says about a place: `line` and `column` count from 1, `code` is Microsoft's (KS142).

    Codes of our own: `size` (empty, too large, too deep, or not text), `command` (no query), `absent` (not in Azure
    Monitor), `failed` (the parser did not answer).
    """

    severity: str
    code: str
    message: str
    line: int
    column: int


class Reference(Struct, frozen=True):
    """A use of a column at the character `start`, with the tables that it comes from: none for one that the query made."""

    name: str
    start: int
    tables: tuple[str, ...]


class Bound(Struct, frozen=True):
    """What became of a query. `columns` are those of its result, none where it has no result."""

    problems: tuple[Problem, ...]
    columns: tuple[Column, ...] = ()
    references: tuple[Reference, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong; warnings and advice are not."""
        return not any(one.severity == "Error" for one in self.problems)


class _Diagnostic(Struct):
    severity: str
    code: str
    message: str
    start: int


class _Answer(Struct):
    diagnostics: list[_Diagnostic] = []
    columns: list[tuple[str, str]] | None = None
    references: list[tuple[str, int, list[str]]] = []
    failed: str = ""


class Binder:
    """Microsoft's parser in a process of its own, asked query by query; a context manager.

    A query that it dies over, or that takes too long, is answered as wrong, and the next one asks a new process.
    """

    def __init__(self, parser: Path | None = None) -> None:
        """Raises `MissingExtraError` where Node.js or the parser is not there."""
        self._parser = parser or find()
        self._process: Process | None = None
        self._known: dict[tuple[str, Environment], Bound] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._process is not None:
            self._process.close()
            self._process = None

    def bind(self, text: str, environment: Environment) -> Bound:
        """What the parser says about a query that is to run in `environment`."""
        refused = _refused(text, environment)
        if refused is not None:
            return Bound((refused,))
        known = self._known.get((text, environment))
        if known is not None:
            return known
        asked = json.dumps({"schema": environment.value, "text": text}).encode("ascii")
        try:
            answer = msgspec.json.decode(self._started().ask(asked, QUERY_S), type=_Answer)
        except (ParserError, msgspec.DecodeError) as error:
            self.__exit__()
            return Bound((Problem("Error", "failed", str(error), 1, 1),))
        if len(self._known) >= _KEPT:
            self._known.clear()
        return self._known.setdefault((text, environment), _bound(text, answer))

    def _started(self) -> Process:
        if self._process is None:
            self._process = Process(self._parser)
            self._process.ask(_schemas(), START_S)
        return self._process


def schema(environment: Environment) -> Mapping[str, tuple[Column, ...]]:
    """The columns of every table that `environment` has.

    Defender has its own tables with its own columns, and those of a Sentinel workspace that was connected to the portal
    (learn.microsoft.com/azure/sentinel/microsoft-sentinel-defender-portal).
    """
    if environment is Environment.LOCAL:
        return {name: local_columns(table) for name, table in load().items()}
    found = {}
    for name, table in load().items():
        for where in (environment, Environment.LOG_ANALYTICS):
            if where in table.columns:
                found[name] = table.columns[where]
                break
    return found


def _schemas() -> bytes:
    """What the parser is told first."""
    told = {
        where.value: {
            "tables": {
                name: [[one.name, one.type.value] for one in columns]
                for name, columns in schema(where).items()
            },
            "watchlists": WATCHLISTS,
        }
        for where in Environment
    }
    return json.dumps(told).encode("ascii")


def _refused(text: str, environment: Environment) -> Problem | None:
    """What is wrong before the parser is asked: size, depth, commands, and what it takes though Azure Monitor does not."""
    try:
        text.encode()
        code = [token for token in checked(text) if token.kind != "space"]
    except UnicodeEncodeError as error:
        return Problem("Error", "size", "the query holds half of a character", *_place(text, error.start))
    except QueryError as error:
        return Problem("Error", "command" if error.construct else "size", error.what, 1, 1)
    absent = None if environment is Environment.LOCAL else _absent(code)
    if absent is None:
        return None
    return Problem(
        "Error", "absent", f"Azure Monitor does not have `{absent.text}`", *_place(text, absent.start)
    )


def _absent(code: list[Token]) -> Token | None:
    if code[0].text in _STATEMENTS:
        return code[0]
    for token, after in pairwise(code):
        if token.text in ABSENT and after.text == "(":
            return token
        if token.text == ";" and after.text in _STATEMENTS:
            return after
    return None


def _bound(text: str, answer: _Answer) -> Bound:
    if answer.failed:
        return Bound((Problem("Error", "failed", answer.failed, 1, 1),))
    units = text.encode("utf-16-le")
    problems = tuple(
        Problem(one.severity, one.code, one.message[:500], *_place(text, _characters(units, one.start)))
        for one in answer.diagnostics
    )
    columns = tuple(Column(name, _type(kind)) for name, kind in answer.columns or ())
    references = tuple(
        Reference(name, _characters(units, start), tuple(tables)) for name, start, tables in answer.references
    )
    return Bound(problems, columns, references)


def _characters(units: bytes, at: int) -> int:
    """JavaScript counts UTF-16 units, Python characters."""
    return len(units[: 2 * at].decode("utf-16-le", "surrogatepass"))


def _place(text: str, at: int) -> tuple[int, int]:
    before = text[:at]
    return before.count("\n") + 1, at - (before.rfind("\n") + 1) + 1


def _type(name: str) -> ScalarType:
    try:
        return ScalarType(name)
    except ValueError:
        return ScalarType.DYNAMIC  # `unknown`: a column of a watchlist, or of what could not be bound
