"""Compiled pieces of a detection, and how and, or and not join them."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from eightysix.detect.rule import Facts, Possible

__all__ = ["Matcher", "Part", "Truth", "join_all", "join_any", "negated"]

Matcher = Callable[[Facts], bool]
Truth = Callable[[Possible], "bool | None"]


class Part(Struct, frozen=True):
    """A compiled piece of a detection.

    `truth` tells, of facts of which only the possible values of some fields are known, whether the piece holds for all
    of them (True), for none (False), or cannot be said (None; Kleene). `words` tells the piece to people; `joint` says
    that it needs parentheses inside another.
    """

    matches: Matcher
    truth: Truth
    words: str
    joint: bool = False

    def inside(self) -> str:
        """Its words, in parentheses where they are needed."""
        return f"({self.words})" if self.joint else self.words


def negated(part: Part) -> Part:
    """`not part`."""
    matches, truth = part.matches, part.truth

    def opposite(possible: Possible) -> bool | None:
        known = truth(possible)
        return None if known is None else not known

    return Part(lambda facts: not matches(facts), opposite, f"not ({part.words})")


def join_all(parts: tuple[Part, ...]) -> Part:
    """`a and b and ...`."""
    if len(parts) == 1:
        return parts[0]
    tests = tuple(part.matches for part in parts)
    truths = tuple(part.truth for part in parts)

    def every(facts: Facts) -> bool:
        for test in tests:  # noqa: SIM110 - all() would build a generator at each call
            if not test(facts):
                return False
        return True

    def truth(possible: Possible) -> bool | None:
        known = [one(possible) for one in truths]
        return False if False in known else None if None in known else True

    return Part(every, truth, " and ".join(part.inside() for part in parts), joint=True)


def join_any(parts: tuple[Part, ...]) -> Part:
    """`a or b or ...`."""
    if len(parts) == 1:
        return parts[0]
    tests = tuple(part.matches for part in parts)
    truths = tuple(part.truth for part in parts)

    def some(facts: Facts) -> bool:
        for test in tests:  # noqa: SIM110 - any() would build a generator at each call
            if test(facts):
                return True
        return False

    def truth(possible: Possible) -> bool | None:
        known = [one(possible) for one in truths]
        return True if True in known else None if None in known else False

    return Part(some, truth, " or ".join(part.inside() for part in parts), joint=True)
