"""Rows that arrive late, as Microsoft documents it (learn.microsoft.com/azure/sentinel/ingestion-delay): a rule looks back
further by the delay, and takes only what was ingested since it last ran.

    let ingestion_delay = 15m;
    let rule_look_back = 60m;
    AKSAudit
    | where TimeGenerated >= ago(ingestion_delay + rule_look_back)
    | where ingestion_time() > ago(rule_look_back)

That holds for a query over one table that looks at each row by itself, or counts what came since its last run. One that joins
rows needs the older of them, which were ingested before: such a rule looks back further without the second line, and
repeated alerts join one incident.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from eightysix.hunt.interface import Analytics
from eightysix.hunt.lexer import Token, tokens
from eightysix.hunt.twins import tables_of

__all__ = ["LONGEST", "Window", "overlapped"]

LONGEST = 14 * 24 * 60
"""Minutes that a rule may look back (learn.microsoft.com/azure/sentinel/scheduled-rules-overview)."""

_TOGETHER = frozenset(
    ("join", "lookup", "union", "toscalar", "materialize", "scan", "serialize", "graph", "find", "search")
)
"""Words of queries that put rows beside rows."""


_COUNTED = frozenset(("summarize", "distinct", "top", "make", "count", "partition", "reduce", "sample"))
"""Words of queries whose rows depend on other rows."""


class Window(Struct, frozen=True):
    """A query for a schedule. `period` is in minutes; `exact` tells that no row is taken twice."""

    text: str
    period: int
    exact: bool


def overlapped(text: str, analytics: Analytics) -> Window:
    """`text` as a rule of this schedule runs it."""
    period = min(analytics.over + analytics.late, LONGEST)
    place = _one_table(text, analytics.over > analytics.every)
    if place is None or not analytics.late:
        return Window(text, period, not analytics.late and analytics.over == analytics.every)
    end = place.start + len(place.text)
    lines = (
        f"let ingestion_delay = {analytics.late:d}m;\nlet rule_look_back = {analytics.every:d}m;\n",
        text[:end],
        "\n| where TimeGenerated >= ago(ingestion_delay + rule_look_back)",
        "\n| where ingestion_time() > ago(rule_look_back)",
        text[end:],
    )
    return Window("".join(lines), period, True)


def _one_table(text: str, further: bool) -> Token | None:
    """The only place that names a table, where the query looks at its rows one by one; one that looks back further than its
    last run must not count them either, as what it counts was there before."""
    code = [one for one in tokens(text) if one.kind != "space"]
    words = [one for one in code if one.kind == "word"]
    if any(one.text in {"ingestion_delay", "rule_look_back"} for one in words):
        return None
    tables = {table.name for table in tables_of(text)}
    places = [one for one in words if one.text in tables]
    if len(tables) != 1 or len(places) != 1 or _TOGETHER & {one.text for one in words}:
        return None
    if further and _COUNTED & {one.text for one in words}:
        return None
    return None if _used_again(code, places[0]) else places[0]


def _used_again(code: list[Token], table: Token) -> bool:
    """Whether the rows of the table go two ways: through a `let` of them that is used twice."""
    tabular: set[str] = set()
    for statement in _statements(code):
        words = [one for one in statement if one.kind == "word"]
        taken = sum(one.text in tabular for one in words)
        if taken > 1:
            return True
        if words and words[0].text == "let" and (taken or table in statement):
            tabular.add(words[1].text)
    used = [one.text for one in code if one.kind == "word" and one.text in tabular]
    return any(used.count(name) > 2 for name in tabular)


def _statements(code: list[Token]) -> Iterator[list[Token]]:
    statement: list[Token] = []
    for one in code:
        statement.append(one)
        if one.text == ";":
            yield statement
            statement = []
    yield statement
