"""The child that evaluates predicates: one JSON document in, one line for each predicate out, then it ends.

It is its own process so that a deadline can end it: the library that evaluates has none, and holds the interpreter's lock.
"""

from __future__ import annotations

import sys
from typing import Any

import msgspec
from msgspec import Struct

from eightysix.gate.policy.predicates import evaluate

__all__ = ["Errand", "Line", "main"]


class Errand(Struct):
    """What is to be evaluated."""

    expressions: list[str]
    facts: dict[str, Any]


class Line(Struct):
    """One outcome, in the order of the expressions."""

    value: bool | None
    error: str


def main() -> None:
    """Read the errand from standard input, write outcomes to standard output as they come."""
    errand = msgspec.json.decode(sys.stdin.buffer.read(), type=Errand)
    for expression in errand.expressions:
        outcome = evaluate(expression, errand.facts)
        sys.stdout.buffer.write(msgspec.json.encode(Line(outcome.value, outcome.error)) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
