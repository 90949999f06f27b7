"""Where the operators of a query stand: which pipeline each belongs to, what comes in, where it ends.

Works on tokens alone, so a text or a comment is never taken for an operator. Linear in the number of tokens.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from eightysix.hunt.lexer import Token

__all__ = ["Operator", "is_ordered", "operators", "place_of", "statements"]

_OPEN = "([{"
_CLOSE = ")]}"

_SORTING = frozenset({"sort", "order", "top"})
_KEEPING = frozenset(
    "as extend filter limit parse parse-where project project-away project-keep project-rename project-reorder render"
    " serialize take where mv-expand mvexpand getschema".split()
)
"""Operators that leave the rows in the order in which they come."""


class Operator(Struct, frozen=True):
    """One operator after a bar. Places are indices into the tokens."""

    name: str
    place: int
    """Of its first word."""
    bar: int
    first: int
    """Of the first token of its pipeline."""
    statement: int
    """Of the first token of its statement."""
    end: int
    """Behind its last token."""
    body: bool
    """Whether it stands in braces: what comes in there depends on the caller."""
    depth: int


class _Frame(Struct):
    opening: str
    first: int
    operators: list[int]


def operators(found: Sequence[Token]) -> list[Operator]:
    """Every operator, in the order in which they stand."""
    out: list[Operator] = []
    frames = [_Frame("", 0, [])]
    statement = 0

    def close(place: int) -> None:
        frame = frames[-1]
        if frame.operators:
            last = frame.operators[-1]
            out[last] = _ended(out[last], place)

    for place, one in enumerate(found):
        if one.kind != "sign":
            continue
        frame = frames[-1]
        if one.text in _OPEN:
            frames.append(_Frame(one.text, place + 1, []))
        elif one.text in _CLOSE:
            close(place)
            if len(frames) > 1:
                frames.pop()
        elif one.text == ";":
            close(place)
            frames[-1] = _Frame(frame.opening, place + 1, [])
            if len(frames) == 1:
                statement = place + 1
        elif one.text == "=" and len(frames) == 1 and _is_let(found, statement, place):
            frame.first = place + 1
        elif one.text == "|":
            close(place)
            name, first = _name(found, place + 1)
            if name:
                body = any(above.opening == "{" for above in frames)
                frame.operators.append(len(out))
                out.append(
                    Operator(name, first, place, frame.first, statement, len(found), body, len(frames) - 1)
                )
    return out


def _ended(one: Operator, end: int) -> Operator:
    return Operator(one.name, one.place, one.bar, one.first, one.statement, end, one.body, one.depth)


def _is_let(found: Sequence[Token], statement: int, place: int) -> bool:
    words = [one.text for one in found[statement:place] if one.kind != "space"]
    return len(words) == 2 and words[0] == "let"


def _name(found: Sequence[Token], at: int) -> tuple[str, int]:
    """The operator that begins behind a bar, with its hyphens, and where."""
    while at < len(found) and found[at].kind == "space":
        at += 1
    if at >= len(found) or found[at].kind != "word":
        return "", at
    name, end = found[at].text, at + 1
    while end + 1 < len(found) and found[end].text == "-" and found[end + 1].kind == "word":
        name += f"-{found[end + 1].text}"
        end += 2
    return name, at


def statements(found: Sequence[Token]) -> list[list[int]]:
    """The places of each statement's tokens, without space."""
    out: list[list[int]] = [[]]
    depth = 0
    for place, one in enumerate(found):
        if one.kind == "space":
            continue
        if one.kind == "sign":
            depth += (one.text in _OPEN) - (one.text in _CLOSE)
            if one.text == ";" and depth <= 0:
                out.append([])
                continue
        out[-1].append(place)
    return [one for one in out if one]


def is_ordered(found: Sequence[Token]) -> bool:
    """Whether the query says in which order its rows come."""
    each = statements(found)
    if not each:
        return False
    chain = operators(found)
    lets = {
        found[places[1]].text: places
        for places in each
        if len(places) > 3 and found[places[0]].text == "let" and found[places[2]].text == "="
    }
    return _ordered(found, each[-1], chain, lets, 8)


def _ordered(
    found: Sequence[Token],
    places: list[int],
    chain: Sequence[Operator],
    lets: dict[str, list[int]],
    hops: int,
) -> bool:
    own = [one for one in chain if one.depth == 0 and places[0] <= one.place <= places[-1]]
    begin = 3 if found[places[0]].text == "let" else 0
    until = own[0].bar if own else places[-1] + 1
    source = [place for place in places[begin:] if place < until]
    ordered = False
    if len(source) == 1 and hops and found[source[0]].text in lets:
        ordered = _ordered(found, lets.pop(found[source[0]].text), chain, lets, hops - 1)
    for one in own:
        if one.name in _SORTING:
            ordered = True
        elif one.name not in _KEEPING:
            ordered = False
    return ordered


def place_of(query: str, start: int) -> str:
    """Where a character stands, for people: `line 3, column 7`."""
    before = query[:start]
    return f"line {before.count(chr(10)) + 1}, column {start - before.rfind(chr(10))}"
