"""Makes `has` fast: the translated SQL tests a regular expression for each row, and nearly every row fails a cheaper test.

A term that is there is there as a substring, so `ILIKE '%term%'` goes first, and the expression runs only where it holds.
Inside of a CASE, because DuckDB 2.0 runs the expression of an AND first. Measured in bench/results/hunt.json.
"""

from __future__ import annotations

from eightysix.hunt.sqltext import end_of_quoted, find_code

__all__ = ["with_prefilter"]

_CALL = "regexp_matches("
_INSENSITIVE = "(?i)"
_ESCAPED = "regexp_escape("
_LONG_S = "\N{LATIN SMALL LETTER LONG S}"
"""What a regular expression without case takes for an `s`, and ILIKE does not. (Of the sign for kelvin both say `k`.)"""

_BOUNDARY = r"[^\pL\pN]"
"""How duckdb-kql writes the edge of a term (its translate/functions.py, `_TERM_START`)."""


def with_prefilter(sql: str) -> str:
    """`sql`, in which every test for a literal term looks for the substring before it matches. Linear in its length, but
    for tests inside of tests, which the translator never writes."""
    out: list[str] = []
    at = 0
    while True:
        start = find_code(sql, _CALL, at)
        if start < 0:
            out.append(sql[at:])
            return "".join(out)
        arguments = _arguments(sql, start + len(_CALL))
        if arguments is None:
            out.append(sql[at : start + len(_CALL)])
            at = start + len(_CALL)
            continue
        haystack, pattern, end = arguments
        call = sql[start:end]
        needle = _needle(pattern)
        out.append(sql[at:start])
        if needle and _CALL not in haystack:
            out.append(_guarded(haystack, pattern, needle, call))
            at = end
        else:
            out.append(_CALL)
            at = start + len(_CALL)


def _guarded(haystack: str, pattern: str, needle: str, call: str) -> str:
    haystack = f"({haystack})"
    test = f"{haystack} LIKE '%{needle}%'"
    if pattern.lstrip().startswith(f"'{_INSENSITIVE}"):
        test = f"{haystack} ILIKE '%{needle}%'"
        if "s" in needle.lower():
            test += f" OR contains({haystack}, '{_LONG_S}')"
    return f"(CASE WHEN {test} THEN {call} WHEN {haystack} IS NULL THEN NULL ELSE FALSE END)"


def _arguments(sql: str, at: int) -> tuple[str, str, int] | None:
    """The two arguments of the call whose parenthesis opened before `at`, and the place behind it; None for another number."""
    depth, comma, end = 1, -1, at
    while end < len(sql):
        character = sql[end]
        if character in "'\"":
            end = end_of_quoted(sql, end)
            continue
        if character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
            if not depth:
                break
        elif character == "," and depth == 1:
            if comma >= 0:
                return None
            comma = end
        end += 1
    if comma < 0 or end >= len(sql):
        return None
    return sql[at:comma].strip(), sql[comma + 1 : end], end + 1


def _needle(pattern: str) -> str:
    """The literal that the pattern of a term looks for, as SQL; empty where it is computed or not ASCII. `%` and `_` in it
    are wildcards to LIKE, which then passes more rows on, never fewer."""
    start = pattern.find(_ESCAPED)
    if start < 0 or _BOUNDARY not in pattern or pattern.count(_ESCAPED) != 1:
        return ""
    opening = start + len(_ESCAPED)
    if not pattern.startswith("'", opening):
        return ""
    end = end_of_quoted(pattern, opening)
    if not pattern.startswith(")", end):
        return ""
    needle = pattern[opening + 1 : end - 1]
    return needle if needle.isascii() else ""
