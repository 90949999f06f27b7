"""What is changed in a query before it is translated: old spellings, what the translator lacks and is the same otherwise.

Each rewrite keeps the meaning. What cannot be kept is refused by name, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from eightysix.hunt.lexer import Token, tokens
from eightysix.model.errors import QueryError

__all__ = ["MAX_BYTES", "MAX_DEPTH", "MAX_TOKENS", "checked", "rewritten", "with_parameters"]

MAX_BYTES = 64 << 10
"""Longest query. Sentinel's rules may have 10,000 characters (learn.microsoft.com/azure/sentinel/sentinel-service-limits)."""
MAX_TOKENS = 8_000
"""Words, texts and signs. The translator takes about 0.1 ms for each."""
MAX_DEPTH = 60
"""Nested parentheses, brackets and braces: the translator descends by recursion."""

_SPELLINGS = {
    "makeset": "make_set",
    "makelist": "make_list",
    "parsejson": "parse_json",
    "todynamic": "parse_json",
}
"""Names from before 2020 that Kusto still takes (learn.microsoft.com/kusto/query/make-set-aggregation-function)."""

_OPEN = {"(": ")", "[": "]", "{": "}"}


def checked(query: str) -> list[Token]:
    """The tokens of `query`; raises `QueryError` where it is too large, too deep, or commands instead of asks."""
    if len(query.encode("utf-8", "replace")) > MAX_BYTES:
        raise QueryError(
            f"the query is longer than {MAX_BYTES:,} bytes", "Split it, or move lists into a table."
        )
    found = tokens(query)
    code = [one for one in found if one.kind != "space"]
    if not code:
        raise QueryError("the query is empty", "Write a table and what to do with it: `AKSAudit | take 5`.")
    if len(code) > MAX_TOKENS:
        raise QueryError(
            f"the query has more than {MAX_TOKENS:,} words", "Split it, or move lists into a table."
        )
    depth = 0
    for one in code:
        if one.kind == "sign" and one.text in _OPEN:
            depth += 1
            if depth > MAX_DEPTH:
                raise QueryError(f"the query is nested deeper than {MAX_DEPTH}", "Use `let` for its parts.")
        elif one.kind == "sign" and one.text in ")]}":
            depth = max(0, depth - 1)
    for one, first in zip(code, _starts(code), strict=True):
        if first and one.text == ".":
            raise QueryError(
                "the query holds a control command",
                "Only queries run here; nothing is written.",
                construct=".",
            )
    return found


def _starts(code: list[Token]) -> Iterator[bool]:
    """For each token whether it begins a statement."""
    first = True
    for one in code:
        yield first
        first = one.kind == "sign" and one.text == ";"


def rewritten(found: list[Token]) -> str:
    """The text to translate: see the module."""
    out: list[str] = []
    for at, one in enumerate(found):
        text = one.text
        if one.kind == "word" and text in _SPELLINGS and _next_sign(found, at) == "(":
            text = _SPELLINGS[text]
        out.append(text)
    return _between("".join(out))


def _next_sign(found: list[Token], at: int) -> str:
    for one in found[at + 1 :]:
        if one.kind != "space":
            return one.text
    return ""


def _between(query: str) -> str:
    """`between (a .. b + c)` as `between (a .. (b + c))`: the translator's grammar takes a plain value at the end."""
    found = tokens(query)
    out = [one.text for one in found]
    for at, one in enumerate(found):
        if one.text != "between" or one.kind != "word" or _next_sign(found, at) != "(":
            continue
        opening = next(place for place in range(at + 1, len(found)) if found[place].text == "(")
        dots, closing = _range(found, opening)
        if dots < 0 or closing < 0:
            continue
        inside = [place for place in range(dots + 1, closing) if found[place].kind != "space"]
        if len(inside) > 1 and not (found[inside[0]].text == "(" and _closes(found, inside[0]) == inside[-1]):
            out[inside[0]] = "(" + out[inside[0]]
            out[inside[-1]] += ")"
    return "".join(out)


def _range(found: list[Token], opening: int) -> tuple[int, int]:
    """Places of `..` and of the closing parenthesis of a range; -1 where there is none."""
    depth, dots = 0, -1
    for place in range(opening, len(found)):
        one = found[place]
        if one.kind != "sign":
            continue
        if one.text in _OPEN:
            depth += 1
        elif one.text in ")]}":
            depth -= 1
            if not depth:
                return dots, place
        elif one.text == ".." and depth == 1:
            dots = place
    return dots, -1


def _closes(found: list[Token], opening: int) -> int:
    return _range(found, opening)[1]


def with_parameters(found: list[Token], parameters: Mapping[str, str]) -> list[Token]:
    """The tokens with `let NAME = VALUE;` set to the values of `parameters`: each one literal of Kusto.

    Raises `QueryError` for a name that the query has no such statement for, and for a value that is more than a literal.
    """
    out = list(found)
    for name, value in parameters.items():
        where = _let(out, name)
        if where is None:
            raise QueryError(
                f"the query has no `let {name} = ...;`", "`eightysix hunt show` lists what can be set."
            )
        first, last = where
        if not _is_literal(value):
            raise QueryError(
                f"the value of {name} is no literal",
                "Write 5m, 300, 'text', datetime(...) or dynamic([...]).",
            )
        out[first : last + 1] = [Token("word", value, found[first].start if first < len(found) else 0)]
    return out


def _let(found: list[Token], name: str) -> tuple[int, int] | None:
    """First and last token of the value of the `let` statement of this name."""
    code = [place for place, one in enumerate(found) if one.kind != "space"]
    for at, place in enumerate(code[:-4]):
        words = [found[one].text for one in code[at : at + 3]]
        if words == ["let", name, "="] and found[place].kind == "word":
            end = at + 3
            while end < len(code) and found[code[end]].text != ";":
                end += 1
            return (code[at + 3], code[end - 1]) if end < len(code) and end > at + 3 else None
    return None


def _is_literal(value: str) -> bool:
    """A number with or without a unit, a text, or `datetime(...)`, `timespan(...)`, `dynamic([...])` of such."""
    code = [one for one in tokens(value) if one.kind != "space"]
    if any(one.kind == "sign" and one.text in ";|{}" for one in code):
        return False
    if len(code) == 1:
        return code[0].kind == "text" or code[0].text[:1].isdigit() or code[0].text in ("true", "false")
    if code and code[0].text == "-" and len(code) == 2:
        return code[1].text[:1].isdigit()
    if code and code[0].text[:1].isdigit():  # 0.5, 1.5h
        return all(one.text == "." or one.text[:1].isdigit() for one in code)
    if len(code) >= 3 and code[0].text in ("datetime", "timespan", "dynamic") and code[1].text == "(":
        return code[-1].text == ")" and _closes(code, 1) == len(code) - 1
    return False
