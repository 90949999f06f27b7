"""Sigma's `condition` line: names of selections joined by and, or, not, parentheses and `1 of`/`all of`.

Source: Sigma Rules Specification 2.0.0, "Condition" (precedence from loose to tight: or, and, not, x of, parentheses).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

from msgspec import Struct

from eightysix.detect.fieldnames import nearest
from eightysix.detect.sigma.glob import compile_pattern, parse

__all__ = [
    "MAX_CONDITION",
    "MAX_DEPTH",
    "RESERVED",
    "All",
    "Any",
    "ConditionError",
    "Expression",
    "Named",
    "Not",
    "fold",
    "is_selection_name",
    "parse_condition",
]

MAX_CONDITION: Final = 4096
"""Longest condition in characters; the longest of SigmaHQ's own rules stays below 600."""

MAX_DEPTH: Final = 32
"""Deepest nesting of parentheses and `not`; far below Python's recursion limit, far above what a person can read."""

RESERVED: Final = frozenset({"and", "or", "not", "of", "them", "all", "any", "1", "condition", "timeframe"})
"""Words that cannot name a selection."""

_NAME_CHARACTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


class Named(Struct, frozen=True):
    """A selection, by its name."""

    name: str


class Not(Struct, frozen=True):
    """The part does not hold."""

    part: Expression


class All(Struct, frozen=True):
    """Every part holds."""

    parts: tuple[Expression, ...]


class Any(Struct, frozen=True):
    """At least one part holds."""

    parts: tuple[Expression, ...]


Expression = Named | Not | All | Any


class ConditionError(Exception):
    """A condition that cannot be understood; `offset` counts characters from the start of its text."""

    def __init__(self, what: str, advice: str = "", offset: int = 0) -> None:
        super().__init__(what)
        self.what = what
        self.advice = advice
        self.offset = offset


def is_selection_name(name: str) -> bool:
    """Whether a selection may be called `name`: ASCII letters, digits, `_` and `-`, and none of `RESERVED`."""
    return bool(name) and name not in RESERVED and _NAME_CHARACTERS.issuperset(name)


def parse_condition(text: str, names: Sequence[str]) -> Expression:
    """Parse `text` over the selections `names`; raises `ConditionError`."""
    if len(text) > MAX_CONDITION:
        raise ConditionError(
            f"the condition is longer than {MAX_CONDITION} characters", "split the rule in two"
        )
    parser = _Parser(_tokens(text), names, len(text))
    expression = parser.either(0)
    if (left := parser.peek()) is not None:
        raise ConditionError(f"unexpected {left!r}", "join the parts with 'and' or 'or'", parser.offset())
    return expression


_Result = TypeVar("_Result")


def fold(
    expression: Expression,
    leaf: Callable[[str], _Result],
    negate: Callable[[_Result], _Result],
    every: Callable[[tuple[_Result, ...]], _Result],
    some: Callable[[tuple[_Result, ...]], _Result],
) -> _Result:
    """Replace names by `leaf` and connectives by the given functions, from the leaves up."""

    def visit(node: Expression) -> _Result:
        match node:
            case Named(name):
                return leaf(name)
            case Not(part):
                return negate(visit(part))
            case All(parts):
                return every(tuple(visit(part) for part in parts))
            case Any(parts):
                return some(tuple(visit(part) for part in parts))

    return visit(expression)


def _tokens(text: str) -> list[tuple[str, int]]:
    tokens: list[tuple[str, int]] = []
    position = 0
    while position < len(text):
        character = text[position]
        start = position
        if character.isspace():
            position += 1
            continue
        if character in "()":
            position += 1
        else:
            while position < len(text) and (text[position] in _NAME_CHARACTERS or text[position] == "*"):
                position += 1
        if position == start:
            advice = (
                "Sigma 2 has no '|' in a condition"
                if character == "|"
                else "use names, and, or, not, 1 of, all of"
            )
            raise ConditionError(f"unexpected character {character!r}", advice, start)
        tokens.append((text[start:position], start))
    return tokens


class _Parser:
    """Recursive descent; depth is bounded by `MAX_DEPTH`."""

    def __init__(self, tokens: list[tuple[str, int]], names: Sequence[str], end: int) -> None:
        self._tokens = tokens
        self._names = names
        self._next = 0
        self._end = end

    def peek(self) -> str | None:
        """The next token, None at the end."""
        return self._tokens[self._next][0] if self._next < len(self._tokens) else None

    def offset(self) -> int:
        """Where the next token starts."""
        return self._tokens[self._next][1] if self._next < len(self._tokens) else self._end

    def _take(self, word: str) -> bool:
        if self.peek() != word:
            return False
        self._next += 1
        return True

    def either(self, depth: int) -> Expression:
        """`a or b`."""
        parts = [self._both(depth)]
        while self._take("or"):
            parts.append(self._both(depth))
        return parts[0] if len(parts) == 1 else Any(tuple(parts))

    def _both(self, depth: int) -> Expression:
        parts = [self._negated(depth)]
        while self._take("and"):
            parts.append(self._negated(depth))
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _negated(self, depth: int) -> Expression:
        if depth > MAX_DEPTH:
            raise ConditionError(
                f"nested deeper than {MAX_DEPTH}", "name parts of it as selections", self.offset()
            )
        if self._take("not"):
            return Not(self._negated(depth + 1))
        if self._take("("):
            inner = self.either(depth + 1)
            if not self._take(")"):
                raise ConditionError("a parenthesis is not closed", "add ')'", self.offset())
            return inner
        return self._primary()

    def _primary(self) -> Expression:
        offset = self.offset()
        word = self.peek()
        if word is None:
            raise ConditionError(
                "the condition ends where a selection is expected", "name a selection", offset
            )
        self._next += 1
        if word in ("1", "all") and self._take("of"):
            return self._quantified(word, offset)
        if word in self._names:
            return Named(word)
        raise ConditionError(*self._explain(word), offset)

    def _explain(self, word: str) -> tuple[str, str]:
        if "*" in word:
            return f"{word!r} stands alone", f"write '1 of {word}' or 'all of {word}'"
        if word == "any" or word.isdigit():
            return f"{word!r} does not count selections", "Sigma has '1 of' and 'all of'"
        if word.lower() in RESERVED and word not in RESERVED:
            return f"unknown selection {word!r}", f"write {word.lower()!r} in small letters"
        if word in RESERVED or word == ")":
            return f"{word!r} where a selection is expected", "name a selection"
        guess = nearest(word, self._names)
        return (
            f"unknown selection {word!r}",
            f"did you mean {guess!r}?" if guess else f"there is {_listed(self._names)}",
        )

    def _quantified(self, count: str, offset: int) -> Expression:
        at = self.offset()
        word = self.peek()
        if word is None or word in ("(", ")"):
            raise ConditionError(f"'{count} of' lacks what", "write 'them' or a name with '*'", at)
        self._next += 1
        found = tuple(Named(name) for name in self._matching(word))
        if not found:
            guess = nearest(word.strip("*"), self._names)
            raise ConditionError(
                f"no selection fits {word!r}",
                f"did you mean '{guess}'?" if guess else f"there is {_listed(self._names)}",
                at,
            )
        if len(found) == 1:
            return found[0]
        return Any(found) if count == "1" else All(found)

    def _matching(self, word: str) -> Iterable[str]:
        """Names under `word`; those that begin with an underscore only when the pattern does (specification: "them"
        excludes them, and a pattern is "same as them, but restricted")."""
        if word == "them":
            return [name for name in self._names if not name.startswith("_")]
        test = compile_pattern(parse(word))
        return [
            name for name in self._names if test(name) and (word.startswith("_") or not name.startswith("_"))
        ]


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:8])
    return shown + (", ..." if len(names) > 8 else "")
