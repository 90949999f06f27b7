"""Calls and unions that the translator does not take in this form, in one that it takes and that means the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from eightysix.hunt.lexer import Token, tokens

__all__ = ["respelled"]

_TO = {
    "bool": "tobool",
    "datetime": "todatetime",
    "decimal": "todouble",
    "double": "todouble",
    "int": "toint",
    "long": "tolong",
    "real": "todouble",
    "string": "tostring",
    "timespan": "totimespan",
}
"""Types that `typeof()` names here, and the function that makes one of a text."""

_MOST = 200
"""Calls of one query that are spelled otherwise; the rest is refused by the translator."""


def respelled(query: str) -> str:
    """The query without `extract(.., typeof(T))`, and with `let`s in parentheses where a fuzzy union begins with them."""
    for _ in range(_MOST):
        changed = _typed_extract(tokens(query))
        if changed is None:
            break
        query = changed
    return _fuzzy(query)


def _typed_extract(found: Sequence[Token]) -> str | None:
    """`extract(re, 1, text, typeof(long))` as `tolong(extract(re, 1, text))`: the first of them."""
    for place, one in enumerate(found):
        if one.kind != "word" or one.text != "extract":
            continue
        commas, end = _commas(found, place)
        if len(commas) != 3:
            continue
        words = [token.text for token in found[commas[2] + 1 : end] if token.kind != "space"]
        if len(words) == 4 and words[0] == "typeof" and words[2] in _TO:
            inside = "".join(token.text for token in found[place : commas[2]])
            return _joined(found[:place]) + f"{_TO[words[2]]}({inside}))" + _joined(found[end + 1 :])
    return None


def _commas(found: Sequence[Token], place: int) -> tuple[list[int], int]:
    """Places of the commas between a call's arguments, and of its end; none where it is no call that ends."""
    at = place + 1
    while at < len(found) and found[at].kind == "space":
        at += 1
    if at >= len(found) or found[at].text != "(":
        return [], -1
    depth = 0
    commas: list[int] = []
    for here in range(at, len(found)):
        one = found[here]
        if one.kind != "sign":
            continue
        if one.text in "([{":
            depth += 1
        elif one.text in ")]}":
            depth -= 1
            if not depth:
                return commas, here
        elif one.text == "," and depth == 1:
            commas.append(here)
    return [], -1


def _fuzzy(query: str) -> str:
    """`union isfuzzy=true own, others` as `union isfuzzy=true (own), (others)` where those are names of `let`s: the
    translator looks for a table of that name first."""
    found = tokens(query)
    code = [place for place, one in enumerate(found) if one.kind != "space"]
    words = [found[place].text for place in code]
    lets = {words[at + 1] for at in range(len(words) - 2) if words[at] == "let" and words[at + 2] == "="}
    out = [one.text for one in found]
    for at in range(len(words) - 3):
        if words[at : at + 4] != ["union", "isfuzzy", "=", "true"]:
            continue
        places = list(_names(words, at + 4, [found[place].kind for place in code]))
        if any(words[here] in lets for here in places):
            for here in places:
                out[code[here]] = f"({words[here]})"
    return "".join(out)


def _names(words: Sequence[str], at: int, kinds: Sequence[str]) -> Iterator[int]:
    """Places of the bare names of a union's list, from its first."""
    while at < len(words) and kinds[at] == "word" and words[at + 1 : at + 2] not in (["="], ["("], ["*"]):
        yield at
        if words[at + 1 : at + 2] != [","]:
            return
        at += 2


def _joined(found: Sequence[Token]) -> str:
    return "".join(one.text for one in found)
