"""`let` statements that a hunter sets: a value is one literal of Kusto, so that it can be nothing else."""

from __future__ import annotations

from collections.abc import Mapping

from eightysix.hunt.lexer import Token, tokens
from eightysix.model.errors import QueryError

__all__ = ["with_parameters"]


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
    found = tokens(value.strip())
    code = [one for one in found if one.kind != "space"]
    if any(one.kind == "sign" and one.text in ";|{}" for one in code) or any(map(_hides, found)):
        return False
    if len(code) == 1:
        return code[0].kind == "text" or code[0].text[:1].isdigit() or code[0].text in ("true", "false")
    if code and code[0].text == "-" and len(code) == 2:
        return code[1].text[:1].isdigit()
    if code and code[0].text[:1].isdigit():  # 0.5, 1.5h
        return all(one.text == "." or one.text[:1].isdigit() for one in code)
    if len(code) >= 3 and code[0].text in ("datetime", "timespan", "dynamic") and code[1].text == "(":
        return _closes(code)
    return False


def _hides(one: Token) -> bool:
    """Whether a token would swallow what stands behind the value: a comment, or a text that never ends."""
    if one.kind == "space":
        return not one.text.isspace()
    return one.kind == "text" and tokens(f"{one.text};")[-1].text != ";"


def _closes(code: list[Token]) -> bool:
    """Whether the parenthesis that opens second closes last."""
    depth = 0
    for place, one in enumerate(code):
        if one.kind == "sign":
            depth += (one.text in "([") - (one.text in ")]")
            if place and depth <= 0:
                return depth == 0 and place == len(code) - 1
    return False
