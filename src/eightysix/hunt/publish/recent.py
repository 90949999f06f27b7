"""Queries that tell new from known do so by `let recent = 75m;`: what is younger is new.

A portal that runs a rule less often than its query expects would leave a gap between two runs, in which nothing is ever
new. There `recent` becomes as long as that portal waits, and late rows on top.
"""

from __future__ import annotations

from eightysix.hunt.lexer import tokens
from eightysix.hunt.parameters import with_parameters
from eightysix.model.errors import QueryError

__all__ = ["NAME", "covering"]

NAME = "recent"

_MINUTES = {"m": 1, "h": 60, "d": 1440}


def covering(text: str, minutes: int) -> str:
    """`text` whose `recent` is at least `minutes`; as it is where it has none. Raises `QueryError` for one that is no
    literal of whole minutes, hours or days."""
    words = [one.text for one in tokens(text) if one.kind != "space"]
    place = next((at for at in range(len(words) - 3) if words[at : at + 3] == ["let", NAME, "="]), -1)
    if place < 0:
        return text
    value = words[place + 3]
    unit = _MINUTES.get(value[-1:], 0)
    if not unit or not value[:-1].isdecimal() or words[place + 4 : place + 5] != [";"]:
        raise QueryError(f"its `let {NAME}` is no number of minutes, hours or days")
    if int(value[:-1]) * unit >= minutes:
        return text
    return "".join(one.text for one in with_parameters(tokens(text), {NAME: f"{minutes:d}m"}))
