"""Reading SQL that the translator wrote: enough to find a call and its end without mistaking a literal for code."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["bare", "closing", "end_of_quoted", "find_code", "split", "words"]

_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$")


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


def words(sql: str, at: int = 0, *, to_end: bool = False) -> Iterator[tuple[str, int, int]]:
    """The bare words, commas and quoted names from `at` on that stand outside of brackets and of CASE, with their places;
    with `to_end` up to the END of the CASE, or the bracket, that `at` stands in."""
    depth = 0
    while at < len(sql):
        character = sql[at]
        if character in _WORD:
            end = at + 1
            while end < len(sql) and sql[end] in _WORD:
                end += 1
            word = sql[at:end]
            if word == "END":
                depth -= 1
                if to_end and depth < 0:
                    yield word, at, end
                    return
            elif not depth:
                yield word, at, end
            depth += word == "CASE"
            at = end
            continue
        if character in "'\"":
            end = end_of_quoted(sql, at)
            if character == '"' and not depth:
                yield sql[at:end], at, end
            at = end
            continue
        if character == "," and not depth:
            yield ",", at, at + 1
        depth += (character in "([{") - (character in ")]}")
        if to_end and depth < 0:
            return
        at += 1


def split(sql: str, separator: str) -> list[str]:
    """The parts between a word or comma that stands outside of brackets and of CASE."""
    found, begin = [], 0
    for word, start, end in words(sql):
        if word == separator:
            found.append(sql[begin:start].strip())
            begin = end
    found.append(sql[begin:].strip())
    return found


def bare(sql: str) -> str:
    """`sql` without the parentheses around the whole of it."""
    sql = sql.strip()
    while sql.startswith("(") and closing(sql, 1) == len(sql) - 1:
        sql = sql[1:-1].strip()
    return sql
