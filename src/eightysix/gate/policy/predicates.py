"""Expressions of an operator's policy in CEL, bounded before they run.

The library (Rust) has no limit on cost: six nested `.map` over eight items ran for 5 s. So an expression is bounded by its text
(length, brackets, comprehensions inside of comprehensions, number of comprehensions), the facts that it sees are bounded by
count and length, and whoever evaluates gives it a deadline besides (serve/gate/evaluator.py). Anything but true or false is an
error, and an error is never false.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any, Final

from msgspec import Struct

from eightysix.model.errors import MissingExtraError

__all__ = [
    "MAX_LENGTH",
    "MAX_MACROS",
    "MAX_NESTED_MACROS",
    "MAX_NESTING",
    "Outcome",
    "check",
    "compiled",
    "evaluate",
]

MAX_LENGTH: Final = 4096
"""Longest expression, in characters: the longest of Kyverno's and Kubernetes's own samples has under 1,000."""

MAX_NESTING: Final = 24
MAX_MACROS: Final = 8
MAX_NESTED_MACROS: Final = 2
"""Comprehensions inside of each other: two compare each of one list with each of another. With 256 items at most that is
65,536 steps of a microsecond or so."""

_MACROS: Final = frozenset({"all", "exists", "exists_one", "map", "filter"})
_OPEN: Final = {"(": ")", "[": "]", "{": "}"}


class Outcome(Struct, frozen=True):
    """What an expression gave: `value` is true or false, None where it could not be evaluated, and then `error` says why."""

    value: bool | None
    error: str = ""


def check(expression: str, names: Iterator[str] | frozenset[str]) -> str:
    """What is wrong with an expression, one sentence; empty where nothing is. `names` are the facts that there are."""
    wrong = _bounds(expression)
    if wrong:
        return wrong
    try:
        program = compiled(expression)
    except ValueError as error:
        return _first_line(error)
    unknown = sorted(set(program.variables()) - set(names) - _bound(expression))
    if unknown:
        return f"unknown fact {unknown[0]!r}; there are {', '.join(sorted(names))}"
    return ""


def compiled(expression: str) -> Any:
    """The library's program. Raises ValueError for text that is no expression."""
    return _cel().compile(expression)


def evaluate(expression: str, facts: Mapping[str, object]) -> Outcome:
    """Evaluate one expression, within its bounds, here and now. Never raises on what an expression or a fact may be."""
    wrong = _bounds(expression)
    if wrong:
        return Outcome(None, wrong)
    try:
        value = compiled(expression).execute(dict(facts))
    except (ValueError, TypeError, RuntimeError, ArithmeticError, LookupError) as error:
        return Outcome(None, _first_line(error))
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, SystemExit, MemoryError)):
            raise
        return Outcome(None, "the evaluator failed on it")
    if not isinstance(value, bool):
        return Outcome(None, f"it gives {type(value).__name__}, and a predicate gives true or false")
    return Outcome(value)


def _bounds(expression: str) -> str:
    """Why an expression is not run at all."""
    if not expression.strip():
        return "the expression is empty"
    if len(expression) > MAX_LENGTH:
        return f"the expression has {len(expression)} characters, more than {MAX_LENGTH}"
    stack: list[tuple[str, bool]] = []
    macros = 0
    for opened, is_macro, _ in _brackets(expression):
        if not opened:
            if stack:
                stack.pop()
            continue
        stack.append((opened, is_macro))
        macros += is_macro
        if len(stack) > MAX_NESTING:
            return f"more than {MAX_NESTING} brackets inside of each other"
        if macros > MAX_MACROS:
            return f"more than {MAX_MACROS} comprehensions (all, exists, exists_one, filter, map)"
        if sum(each for _, each in stack) > MAX_NESTED_MACROS:
            return f"more than {MAX_NESTED_MACROS} comprehensions inside of each other"
    return ""


def _bound(text: str) -> set[str]:
    """Names that comprehensions bind: `d` in `drift.exists(d, ...)`."""
    return {text[at + 1 :].partition(",")[0].strip() for _, is_macro, at in _brackets(text) if is_macro}


def _brackets(text: str) -> Iterator[tuple[str, bool, int]]:
    """Each opening bracket with whether it opens a comprehension's arguments and its place, and ("", False, place) for each
    closing one. Texts in quotes and comments are skipped, as CEL's grammar has them."""
    at, word = 0, ""
    while at < len(text):
        letter = text[at]
        if letter in "'\"":
            raw = bool(word) and word[-1] in "rR" and len(word) <= 2
            at = _after_text(text, at, raw=raw)
            word = ""
            continue
        if text.startswith("//", at):
            at = text.find("\n", at)
            at = len(text) if at < 0 else at
            continue
        if letter.isalnum() or letter == "_":
            word += letter
        elif letter in _OPEN:
            yield letter, letter == "(" and word in _MACROS, at
            word = ""
        elif letter in ")]}":
            yield "", False, at
            word = ""
        elif not letter.isspace():
            word = ""
        at += 1


def _after_text(text: str, at: int, *, raw: bool) -> int:
    """The place after a text in quotes that begins at `at`; the end where it is never closed."""
    quote = text[at] * 3 if text.startswith(text[at] * 3, at) else text[at]
    at += len(quote)
    while at < len(text):
        if text[at] == "\\" and not raw:
            at += 2
        elif text.startswith(quote, at):
            return at + len(quote)
        else:
            at += 1
    return at


def _first_line(error: BaseException) -> str:
    text = str(error.args[0] if isinstance(error, KeyError) and error.args else error)
    line = text.strip().splitlines()[0] if text.strip() else type(error).__name__
    line = f"no such key: {line}" if isinstance(error, KeyError) else line
    return line[:300]


def _cel() -> ModuleType:
    try:
        return importlib.import_module("cel")
    except ImportError:
        raise MissingExtraError(
            "predicates of a policy need the extra 'gate'", "pip install 'eightysix[gate]'"
        ) from None
