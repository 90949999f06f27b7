"""A case: a story, how it is played, and what the gate must say of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from eightysix.lab.delivery.stage import Stage
from eightysix.model.gate import Decision

__all__ = ["Case", "Outcome", "Play", "recorded_in"]

Outcome = Decision | Sequence[Decision]
"""The decision that counts; of an attack in several steps all of them, each of which must hold."""

Play = Callable[[Stage], Outcome]


class Case(Struct, frozen=True):
    """`rules` are all that hold: of an attack never none, of an honest change often none."""

    name: str
    story: str
    rules: tuple[str, ...]
    play: Play


def recorded_in(book: list[Case], *rules: str) -> Callable[[Play], Play]:
    """Add a case to a book: its name is the function's, its story the function's docstring."""

    def wrapped(play: Play) -> Play:
        function = getattr(play, "__name__", "")
        story = " ".join((play.__doc__ or "").split())
        book.append(Case(function.replace("_", "-"), story, tuple(sorted(rules)), play))
        return play

    return wrapped
