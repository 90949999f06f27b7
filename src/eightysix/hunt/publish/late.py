"""Rows that arrive late, as Microsoft documents it (learn.microsoft.com/azure/sentinel/ingestion-delay): a rule looks back
further by the delay, and takes only what was ingested since it last ran.

    let ingestion_delay = 15m;
    let rule_look_back = 60m;
    AKSAudit
    | where TimeGenerated >= ago(ingestion_delay + rule_look_back)
    | where ingestion_time() > ago(rule_look_back)

That holds for a query over one table that looks at each row by itself, or counts what came since its last run. One that joins
rows needs the older of them, which were ingested before. Where `about.yml` says by which columns a finding is one (`key`), such
a rule asks twice, of what is there and of what was there when it last ran, and tells the difference:

    let found = (upto: datetime) {
    AKSAudit
    | where ingestion_time() <= upto
    | ...
    };
    found(now())
    | join kind=leftanti (found(ago(60m)) | distinct Namespace, PodName) on Namespace, PodName

So each finding is told once, by the run after its last missing row has come, however late. Without `key` such a rule looks
back further without the second line, and repeated alerts join one incident.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from eightysix.hunt.interface import Analytics
from eightysix.hunt.lexer import Token, tokens
from eightysix.hunt.twins import tables_of

__all__ = ["LONGEST", "MAX_TEXT", "Window", "overlapped"]

MAX_TEXT = 10_000
"""Characters of a rule's query (learn.microsoft.com/azure/sentinel/sentinel-service-limits)."""

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
    if analytics.key:
        return Window(_difference(text, analytics), period, True)
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


def _difference(text: str, analytics: Analytics) -> str:
    """What the query gives now, less what it gave of the rows that were there when it last ran."""
    made = _asked_twice(text, analytics)
    return made if len(made) <= MAX_TEXT else _asked_twice(_without_comments(text), analytics)


def _asked_twice(text: str, analytics: Analytics) -> str:
    key = ", ".join(analytics.key)
    return (
        f"let found = (upto: datetime) {{\n{_ingested(text).strip()}\n}};\nfound(now())"
        f"\n| join kind=leftanti (found(ago({analytics.every:d}m)) | distinct {key}) on {key}"
    )


def _ingested(text: str) -> str:
    """Each table with the rows alone that had come by `upto`."""
    tables = {table.name for table in tables_of(text)}
    found = tokens(text)
    out = [one.text for one in found]
    for place, one in enumerate(found):
        if one.kind == "word" and one.text in tables:
            out[place] = f"{one.text} | where ingestion_time() <= upto"
            rest = next((after.text for after in found[place + 1 :] if after.kind != "space"), "")
            if rest not in ("|", ";", ")", ""):
                out[place] = f"({out[place]})"
    return "".join(out)


def _without_comments(text: str) -> str:
    """A rule's text has an end: comments go first, and stay in the pack."""
    lines = "".join("" if one.text.startswith("//") else one.text for one in tokens(text)).split("\n")
    return "\n".join(line for line in lines if line.strip())


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
