"""Evaluates the predicates of a policy in a child process with a deadline."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

import eightysix
from eightysix.gate.policy.form import Predicate
from eightysix.gate.policy.predicates import Outcome, compiled
from eightysix.gate.policy.worker import Errand, Line

__all__ = ["DEADLINE_S", "evaluate_in_child"]

DEADLINE_S = 3.0
"""For all predicates of one decision, the start of the child (0.1 s) included. A predicate within its bounds takes 80 us."""

_ROOT = str(Path(eightysix.__file__).resolve().parent.parent)
_START = "import sys; sys.path.insert(0, sys.argv[1]); from eightysix.gate.policy.worker import main; main()"


def evaluate_in_child(
    predicates: Sequence[Predicate], facts: Mapping[str, object], *, deadline_s: float = DEADLINE_S
) -> list[Outcome]:
    """One outcome for each predicate. What the deadline cut off is an error, for the one that ran and those after it."""
    if not predicates:
        return []
    compiled("true")  # raises where the library is missing: that is no fault of a predicate
    errand = msgspec.json.encode(Errand([each.when for each in predicates], dict(facts)))
    late = f"it was not done within {deadline_s:g} s"
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", _START, _ROOT],
            input=errand,
            capture_output=True,
            timeout=deadline_s,
            env={"PATH": os.defpath},
            check=False,
        )
        output, why = done.stdout, "the evaluator ended without an answer"
    except subprocess.TimeoutExpired as error:
        output, why = error.stdout or b"", late
    outcomes = []
    for line in output.splitlines()[: len(predicates)]:
        try:
            told = msgspec.json.decode(line, type=Line)
        except msgspec.DecodeError:
            break
        outcomes.append(Outcome(told.value, told.error))
    return outcomes + [Outcome(None, why)] * (len(predicates) - len(outcomes))
