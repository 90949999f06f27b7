"""What is changed in a query before it is translated: old spellings, what the translator lacks and is the same otherwise.

Each rewrite keeps the meaning. Where that needs the columns that come in (`project-reorder`, `project-keep`, wildcards,
`distinct *`, `column_ifexists`), they are asked for, by binding the query up to there: nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from eightysix.hunt.calls import respelled
from eightysix.hunt.lexer import Token, tokens
from eightysix.hunt.pipeline import Operator, operators
from eightysix.hunt.refusals import refused_at
from eightysix.hunt.wildcards import named_columns, specs_of
from eightysix.model.errors import QueryError
from eightysix.model.table import Column

__all__ = ["Columns", "ranged", "rewritten", "with_columns"]

Columns = Callable[[str], Sequence[Column]]
"""The columns that a query gives."""

_SPELLINGS = {
    "makeset": "make_set",
    "makelist": "make_list",
    "notempty": "isnotempty",
    "notnull": "isnotnull",
    "parsejson": "parse_json",
    "todynamic": "parse_json",
    "pack_dictionary": "bag_pack",
}
"""Old names that Kusto still takes (learn.microsoft.com/kusto/query/make-set-aggregation-function and its neighbours)."""

_MAX_BOUND = 24
"""Operators of one query whose columns are asked for; each costs a translation of what stands before it."""

_MAX_PERCENTILES = 20

_BOUNDED = {"make_set": "set_", "make_list": "list_"}
"""Aggregates with a bound, and how Kusto names their columns."""


def rewritten(found: Sequence[Token]) -> str:
    """The query in the spelling of today, ranges in parentheses, percentiles one by one, no bare `serialize`."""
    out = [one.text for one in found]
    for place, one in enumerate(found):
        if one.kind == "word" and one.text in _SPELLINGS and _next(found, place).text == "(":
            out[place] = _SPELLINGS[one.text]
    for step in operators(found):
        # Only functions that are refused see the order that it fixes.
        if step.name == "serialize" and not _inside(found, step):
            out[step.bar : step.end] = [""] * (step.end - step.bar)
    text = "".join(out)
    return respelled(_bounded(_percentiles(_between(text))))


def with_columns(query: str, columns: Columns) -> str:
    """The query without the operators that need to know what comes in."""
    for _ in range(_MAX_BOUND):
        found = tokens(query)
        chain = operators(found)
        changed = next((done for one in chain if (done := _bound(query, found, one, columns))), None)
        if changed is None:
            _no_loose_column(query, found)
            return query
        query = changed
    raise QueryError(
        f"more than {_MAX_BOUND} operators of the query depend on the columns that come in",
        "Name the columns: project, distinct",
    )


def _bound(query: str, found: Sequence[Token], one: Operator, columns: Columns) -> str | None:
    """The query with operator `one` spelled out; None where it stays as it is."""
    inside = _inside(found, one)
    wild = one.name in ("project-reorder", "project-keep") or (
        one.name in ("project-away", "distinct") and any(found[place].text == "*" for place in inside)
    )
    if wild:
        if one.body:
            raise refused_at(
                query, found[one.place], f"`{one.name}` in a function", "Name the columns: project"
            )
        come = [column.name for column in columns(_before(found, one))]
        specs = specs_of(query, [found[place] for place in inside])
        kept = named_columns(one.name, specs, come)
        if not kept:
            raise refused_at(query, found[one.place], f"`{one.name}` that leaves no column", "Name a column.")
        operator = "distinct" if one.name == "distinct" else "project"
        names = ", ".join(f"['{name}']" for name in kept)
        return _replaced(found, one.place, one.end, f"{operator} {names} ")
    for place in inside:
        if found[place].text == "column_ifexists" and _next(found, place).text == "(":
            return _existing(query, found, one, place, columns)
    return None


def _existing(query: str, found: Sequence[Token], one: Operator, place: int, columns: Columns) -> str:
    """`column_ifexists("Name", default)` as the one or the other."""
    opening = _place_of_next(found, place)
    comma, end = _parts(found, opening)
    if one.body or comma < 0 or end < 0:
        raise refused_at(query, found[place], "`column_ifexists()` here", "Name the column, or the default.")
    name = "".join(found[at].text for at in range(opening + 1, comma)).strip()
    if len(name) < 3 or name[0] not in "\"'" or name[-1] != name[0] or "\\" in name:
        raise refused_at(
            query, found[place], "`column_ifexists()` of a computed name", "Write the name as a text."
        )
    default = "".join(found[at].text for at in range(comma + 1, end)).strip()
    there = name[1:-1] in {column.name for column in columns(_before(found, one))}
    return _replaced(found, place, end + 1, f"['{name[1:-1]}']" if there else f"({default})")


def _no_loose_column(query: str, found: Sequence[Token]) -> None:
    for place, one in enumerate(found):
        if one.kind == "word" and one.text == "column_ifexists" and _next(found, place).text == "(":
            raise refused_at(query, one, "`column_ifexists()` outside of an operator", "Name the column.")


def ranged(query: str, columns: Columns) -> str:
    """`x between (t .. 86s)` with a moment at the end, where `t` is a moment: Kusto adds the span to the start."""
    for _ in range(_MAX_BOUND):
        found = tokens(query)
        changed = None
        for one in operators(found):
            if one.body or one.name not in ("where", "filter", "extend", "project", "summarize"):
                continue
            for place in _inside(found, one):
                if found[place].text == "between":
                    changed = _moment(found, one, place, columns)
                    if changed:
                        break
            if changed:
                break
        if changed is None:
            return query
        query = changed
    return query


def _moment(found: Sequence[Token], one: Operator, place: int, columns: Columns) -> str | None:
    opening = _place_of_next(found, place)
    dots, end = _parts(found, opening, "..")
    if dots < 0 or end < 0:
        return None
    start = "".join(found[at].text for at in range(opening + 1, dots)).strip()
    stop = "".join(found[at].text for at in range(dots + 1, end)).strip()
    kinds = [
        str(column.type)
        for column in columns(f"{_before(found, one)}| project range_start = ({start}), range_end = ({stop})")
    ]
    if kinds != ["datetime", "timespan"]:
        return None
    return _replaced(found, opening, end + 1, f"(({start}) .. (({start}) + ({stop})))")


def _percentiles(query: str) -> str:
    """`percentiles(X, 50, 95)` as `percentile_X_50 = percentile(X, 50), ...`: the names that Kusto gives them."""
    found = tokens(query)
    out = [one.text for one in found]
    for place, one in enumerate(found):
        if one.kind != "word" or one.text != "percentiles" or _next(found, place).text != "(":
            continue
        opening = _place_of_next(found, place)
        _, end = _parts(found, opening)
        words = [token.text for token in found[opening + 1 : end] if token.kind != "space"]
        column, numbers, commas = words[:1], words[2::2], words[1::2]
        before = next((token.text for token in reversed(found[:place]) if token.kind != "space"), "")
        whole = all(number.isdigit() for number in numbers) and set(commas) == {","}
        plain = bool(column) and column[0][:1].isalpha() and len(words) % 2 == 1
        if before == "=" or not whole or not plain or not 0 < len(numbers) <= _MAX_PERCENTILES:
            raise refused_at(
                query, one, "`percentiles()` of this form", "Write percentile(X, 50), percentile(X, 95)."
            )
        made = ", ".join(f"percentile_{column[0]}_{n} = percentile({column[0]}, {n})" for n in numbers)
        out[place : end + 1] = [made] + [""] * (end - place)
    return "".join(out)


def _bounded(query: str) -> str:
    """`make_set(X, 20)` as a slice of `make_set(X)`: the translator takes the bound and leaves it out."""
    found = tokens(query)
    for place, one in enumerate(found):
        if one.kind != "word" or one.text not in _BOUNDED or _next(found, place).text != "(":
            continue
        opening = _place_of_next(found, place)
        comma, end = _parts(found, opening)
        if comma < 0 or end < 0:
            continue
        value = "".join(token.text for token in found[opening + 1 : comma]).strip()
        most = "".join(token.text for token in found[comma + 1 : end]).strip()
        before = next((token.text for token in reversed(found[:place]) if token.kind != "space"), "")
        plain = all(token.kind == "word" or token.text == "." for token in found[opening + 1 : comma])
        name = f"{_BOUNDED[one.text]}{value.replace('.', '_') if plain else ''} = " if before != "=" else ""
        return _bounded(
            _replaced(found, place, end + 1, f"{name}array_slice({one.text}({value}), 0, ({most}) - 1)")
        )
    return query


def _between(query: str) -> str:
    """`between (a .. b + c)` as `between (a .. (b + c))`: the translator's grammar takes a plain value at the end."""
    found = tokens(query)
    out = [one.text for one in found]
    for place, one in enumerate(found):
        if one.text != "between" or one.kind != "word" or _next(found, place).text != "(":
            continue
        opening = _place_of_next(found, place)
        dots, end = _parts(found, opening, "..")
        inside = [at for at in range(dots + 1, end) if found[at].kind != "space"] if dots > 0 else []
        if len(inside) > 1 and not (
            found[inside[0]].text == "(" and _parts(found, inside[0])[1] == inside[-1]
        ):
            out[inside[0]] = "(" + out[inside[0]]
            out[inside[-1]] += ")"
    return "".join(out)


def _before(found: Sequence[Token], one: Operator) -> str:
    """The query that gives what operator `one` takes in: all statements before, and its pipeline up to its bar."""
    head = "".join(token.text for token in found[: one.statement])
    return head + "".join(token.text for token in found[one.first : one.bar])


def _inside(found: Sequence[Token], one: Operator) -> list[int]:
    """Places of the operator's arguments."""
    begin = one.place + 1 + 2 * one.name.count("-")
    return [place for place in range(begin, one.end) if found[place].kind != "space"]


def _replaced(found: Sequence[Token], first: int, end: int, text: str) -> str:
    return "".join((*(one.text for one in found[:first]), text, *(one.text for one in found[end:])))


_NOTHING = Token("space", "", 0)


def _next(found: Sequence[Token], place: int) -> Token:
    at = _place_of_next(found, place)
    return found[at] if at < len(found) else _NOTHING


def _place_of_next(found: Sequence[Token], place: int) -> int:
    at = place + 1
    while at < len(found) and found[at].kind == "space":
        at += 1
    return at


def _parts(found: Sequence[Token], opening: int, separator: str = ",") -> tuple[int, int]:
    """Places of the last `separator` inside of a parenthesis (the first comma), and of its end; -1 where there is none."""
    depth, middle = 0, -1
    for place in range(opening, len(found)):
        one = found[place]
        if one.kind != "sign":
            continue
        if one.text in "([{":
            depth += 1
        elif one.text in ")]}":
            depth -= 1
            if not depth:
                return middle, place
        elif one.text == separator and depth == 1 and middle < 0:
            middle = place
    return middle, -1
