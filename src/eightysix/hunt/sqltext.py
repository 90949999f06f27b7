"""Reading SQL that the translator wrote: enough to find a call and its end without mistaking a literal for code."""

from __future__ import annotations

__all__ = ["closing", "end_of_quoted", "find_code"]


def find_code(sql: str, needle: str, at: int) -> int:
    """Where `needle` stands next outside of a literal or a quoted name; -1 where it does not."""
    while True:
        found = sql.find(needle, at)
        if found < 0:
            return -1
        while at <= found:
            single, double = sql.find("'", at, found), sql.find('"', at, found)
            quotes = [place for place in (single, double) if place >= 0]
            if not quotes:
                return found
            at = end_of_quoted(sql, min(quotes))


def end_of_quoted(sql: str, at: int) -> int:
    """Behind the literal or quoted name that begins at `at`."""
    quote = sql[at]
    end = at + 1
    while True:
        end = sql.find(quote, end)
        if end < 0:
            return len(sql)
        if not sql.startswith(quote, end + 1):
            return end + 1
        end += 2


def closing(sql: str, at: int) -> int:
    """Where the parenthesis closes that opened before `at`; -1 where it never does."""
    depth = 1
    while at < len(sql):
        character = sql[at]
        if character in "'\"":
            at = end_of_quoted(sql, at)
            continue
        if character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
            if not depth:
                return at
        at += 1
    return -1
