r"""Makes `has` fast: the translated SQL tests a regular expression for each row, and nearly every row fails a cheaper test.

A term that is there is there as a substring, so `ILIKE '%term%'` goes first, and the expression runs only where it holds.
A term of few letters is a part of many words; there the first test is the same expression without the edge before the
term, because RE2 looks for an expression that begins with a text as fast as for the text. Many terms at once (`has_any`) are
one expression. All inside of a CASE, because DuckDB 2.0 runs all of an AND where it is not a filter by itself; in a filter
`shapes` writes the CASE as an AND. Measured in bench/results/hunt.json.
"""

from __future__ import annotations

from msgspec import Struct

from eightysix.hunt.sqltext import end_of_quoted, find_code

__all__ = ["with_prefilter"]

_CALL = "regexp_matches("
_INSENSITIVE = "(?i)"
_ESCAPED = "regexp_escape("
_LONG_S = "\N{LATIN SMALL LETTER LONG S}"
"""What a regular expression without case takes for an `s`, and ILIKE does not. (Of the sign for kelvin both say `k`.)"""

_BOUNDARY = r"[^\pL\pN]"
"""How duckdb-kql writes the edge of a term (its translate/functions.py, `_TERM_START`)."""
_BEFORE = f"(?:^|{_BOUNDARY})"
_AFTER = f"(?:$|{_BOUNDARY})"

_SHORT = 4
"""Letters of a term that often stands inside of another word: `pip` in `pipeline`."""

_MANY = 6
"""Terms that cost as much one by one as in one expression: an ILIKE took 20 ns a row, an expression 220."""


class _Test(Struct, frozen=True):
    """A test for a literal term: `regexp_matches(haystack, '(?i)' before needle after)`."""

    haystack: str
    pattern: str
    needle: str
    """As SQL writes it between quotes; empty where it is computed."""
    flag: str = ""
    before: str = ""
    after: str = ""
    plain: bool = False
    """Whether the pattern is nothing but these."""
    end: int = 0


def with_prefilter(sql: str) -> str:
    """`sql`, in which every test for a literal term tests something cheaper before it. Linear in its length, but
    for tests inside of tests, which the translator never writes."""
    out: list[str] = []
    at = 0
    while True:
        start = find_code(sql, _CALL, at)
        if start < 0:
            out.append(sql[at:])
            return "".join(out)
        found = _tests(sql, start)
        out.append(sql[at:start])
        if not found:
            out.append(_CALL)
            at = start + len(_CALL)
            continue
        at = found[-1].end
        out.append(_merged(found) if len(found) > _MANY else " OR ".join(map(_guarded, found)))


def _tests(sql: str, start: int) -> list[_Test]:
    """The tests of one text for one term or another that begin at `start`; none where it is not such a test."""
    found: list[_Test] = []
    while True:
        one = _test(sql, start)
        if one is None or (found and (one.haystack != found[0].haystack or not one.plain)):
            return found
        found.append(one)
        if not one.plain or not sql.startswith(f" OR {_CALL}", one.end):
            return found
        start = one.end + len(" OR ")


def _test(sql: str, start: int) -> _Test | None:
    arguments = _arguments(sql, start + len(_CALL))
    if arguments is None or _CALL in arguments[0]:
        return None
    haystack, pattern, end = arguments
    pattern = pattern.strip()
    needle = _needle(pattern)
    if needle is None:
        return None
    flag = _INSENSITIVE if pattern.startswith(f"'{_INSENSITIVE}") else ""
    for before in (_BEFORE, ""):
        for after in (_AFTER, ""):
            written = f"'{flag}{before}' || {_ESCAPED}'{needle}')" + (f" || '{after}'" if after else "")
            if pattern == written:
                return _Test(haystack, pattern, needle, flag, before, after, True, end)
    if _BOUNDARY in pattern and needle.isascii() and needle:
        return _Test(haystack, pattern, needle, flag, end=end)
    return None


def _merged(tests: list[_Test]) -> str:
    """The tests as one, for each kind of edges."""
    kinds: dict[tuple[str, str, str], list[str]] = {}
    for one in tests:
        kinds.setdefault((one.flag, one.before, one.after), []).append(one.needle)
    made = []
    for (flag, before, after), needles in kinds.items():
        any_of = " || '|' || ".join(f"{_ESCAPED}'{needle}')" for needle in needles)
        made.append(f"{_CALL}{tests[0].haystack}, '{flag}{before}(?:' || {any_of} || '){after}')")
    return f"({' OR '.join(made)})"


def _guarded(one: _Test) -> str:
    call = f"{_CALL}{one.haystack}, {one.pattern})"
    if not one.needle.isascii() or not one.needle:
        return call
    haystack = f"({one.haystack})"
    if one.plain and one.before and len(one.needle) <= _SHORT:
        tail = f" || '{one.after}'" if one.after else ""
        test = f"{_CALL}{one.haystack}, '{one.flag}' || {_ESCAPED}'{one.needle}'){tail})"
    elif not one.flag or not any(map(str.isalpha, one.needle)):
        test = f"{haystack} LIKE '%{one.needle}%'"
    else:
        test = f"{haystack} ILIKE '%{one.needle}%'"
        if "s" in one.needle.lower():
            test = f"({test} OR contains({haystack}, '{_LONG_S}'))"
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


def _needle(pattern: str) -> str | None:
    """The literal that the pattern of a term looks for, as SQL; None where it is computed. `%` and `_` in it
    are wildcards to LIKE, which then passes more rows on, never fewer."""
    start = pattern.find(_ESCAPED)
    if start < 0 or pattern.count(_ESCAPED) != 1:
        return None
    opening = start + len(_ESCAPED)
    if not pattern.startswith("'", opening):
        return None
    end = end_of_quoted(pattern, opening)
    if not pattern.startswith(")", end):
        return None
    return pattern[opening + 1 : end - 1]
