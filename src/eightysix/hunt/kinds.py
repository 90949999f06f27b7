"""The type of an expression in translated SQL, as far as its text says: what is not sure has none.

Only types that a choice hangs on are told apart; tests compare each claim with DuckDB's own.
"""

from __future__ import annotations

from collections.abc import Mapping

from eightysix.hunt.dispatch import TEXT
from eightysix.hunt.sqltext import bare, closing, end_of_quoted, split, words

__all__ = ["Columns", "Names", "kind_of"]

Columns = Mapping[str, str]
"""Column -> its type in DuckDB."""

Names = Mapping[str, Columns]
"""The columns in reach: below the alias of their source, below "" without one."""

_FIRST = ("any_value(", "max(", "min(")
"""Calls that have the type of their argument."""

_CALLS = {
    "concat(": "VARCHAR",
    "count(": "BIGINT",
    "json_array(": "JSON",
    "json_object(": "JSON",
    "lower(": "VARCHAR",
    "regexp_extract(": "VARCHAR",
    "replace(": "VARCHAR",
    "to_json(": "JSON",
    "upper(": "VARCHAR",
    TEXT: "VARCHAR",
}

_ARG = ("COALESCE(arg_max({'v': ", "COALESCE(arg_min({'v': ")
"""How the other columns of `arg_max` and `arg_min` are written."""

_CAST = {"BIGINT", "BOOLEAN", "DOUBLE", "INTEGER", "INTERVAL", "JSON", "TIMESTAMP", "VARCHAR"}


def kind_of(text: str, names: Names) -> str | None:
    """The type of the expression `text`, or None."""
    text = bare(text)
    if text.startswith("'"):
        return "VARCHAR" if end_of_quoted(text, 0) == len(text) else _operated(text, names)
    if text.startswith(('"', "_l.", "_r.")):
        return _column(text, names) or _operated(text, names)
    if text.startswith("CASE ") and text.endswith(" END"):
        return _of_case(text, names)
    opening = text.find("(")
    if opening > 0 and closing(text, opening + 1) == len(text) - 1:
        return _of_call(text, opening + 1, names)
    if text.startswith(_ARG) and closing(text, len("COALESCE(")) == len(text) - len(")['v']"):
        inside = text[len(_ARG[0]) : closing_brace(text, len(_ARG[0]))]
        return kind_of(inside, names)
    return _operated(text, names)


def closing_brace(text: str, at: int) -> int:
    """Where the brace closes that opened before `at`; the end of the text where it never does."""
    depth = 1
    while at < len(text):
        character = text[at]
        if character in "'\"":
            at = end_of_quoted(text, at)
            continue
        depth += (character in "([{") - (character in ")]}")
        if not depth:
            return at
        at += 1
    return len(text)


def _column(text: str, names: Names) -> str | None:
    alias = ""
    if text[0] != '"':
        alias, text = text[:2], text[3:]
    if not text.startswith('"') or end_of_quoted(text, 0) != len(text):
        return None
    return names.get(alias, {}).get(text[1:-1].replace('""', '"'))


def _of_call(text: str, inside: int, names: Names) -> str | None:
    name, arguments = text[:inside], text[inside:-1]
    if name == "CAST(" or name == "TRY_CAST(":
        kind = arguments.rpartition(" AS ")[2]
        return kind if kind in _CAST else None
    if name == "UNNEST(":
        return "JSON" if arguments.startswith("CAST(") and arguments.endswith(" AS JSON[])") else None
    if name == "coalesce(":
        return _one(split(arguments, ","), names)
    if name in _FIRST:
        return kind_of(arguments, names)
    return _CALLS.get(name)


def _of_case(text: str, names: Names) -> str | None:
    """The type of a CASE whose every branch has it."""
    branches: list[str] = []
    begin, told = -1, False
    for word, start, end in words(text[len("CASE ") : -len(" END")]):
        if begin >= 0 and word in ("WHEN", "ELSE"):
            branches.append(text[begin : len("CASE ") + start])
            begin = -1
        if word in ("THEN", "ELSE"):
            begin, told = len("CASE ") + end, told or word == "ELSE"
    if begin >= 0:
        branches.append(text[begin : -len(" END")])
    kinds = [one for one in branches if one.strip() != "NULL"]
    return _one(kinds, names) if branches and (told or kinds) else None


def _one(texts: list[str], names: Names) -> str | None:
    """The type that all have."""
    kinds = {kind_of(one, names) for one in texts}
    return kinds.pop() if len(kinds) == 1 else None


def _operated(text: str, names: Names) -> str | None:
    """The type of what is read from JSON as text, and of a moment with a span added or taken away."""
    if "->> '" in text and not any(True for word, _, _ in words(text) if word in _LOGIC):
        left, _, path = text.rpartition(" ->> ")
        if path.startswith("'") and end_of_quoted(path, 0) == len(path) and _simple(left):
            return "VARCHAR"
        return None
    for sign in (" - to_microseconds(", " + INTERVAL ", " - INTERVAL ", " + to_seconds("):
        left, found, _ = text.partition(sign)
        if found and left.startswith(('"', "_l.", "_r.")) and _column(left, names) == "TIMESTAMP":
            rest = text[len(left) + 3 :]
            call = rest.find("(")
            if rest.startswith("INTERVAL '"):
                return "TIMESTAMP" if end_of_quoted(rest, len("INTERVAL ")) == len(rest) else None
            return "TIMESTAMP" if closing(rest, call + 1) == len(rest) - 1 else None
    return None


_LOGIC = frozenset({"AND", "BETWEEN", "ILIKE", "IN", "IS", "LIKE", "NOT", "OR"})


def _simple(text: str) -> bool:
    """Whether `text` is one column, or one call."""
    text = bare(text)
    if text.startswith('"'):
        return end_of_quoted(text, 0) == len(text)
    opening = text.find("(")
    return opening > 0 and closing(text, opening + 1) == len(text) - 1 and text[:opening].isidentifier()
