"""Sigma's `detection` words compiled to closures over facts: selections, field modifiers, condition, and the actions
that a detection can match at all.

What is taken from Sigma (Rules Specification 2.0.0 and Modifiers Appendix 2.1.0, SigmaHQ/sigma-specification): maps
(and), lists of maps (or), lists of values (or), the wildcards of `glob`, null, numbers and bools, the modifiers of
`items`, and the conditions of `condition`. Left out on purpose: `re`, because a rule must cost time linear in the
attacker's text; keyword searches, because facts have no full text; encodings, `windash`, `expand`, `fieldref` and date
parts, because code computes fields and rules compare them.

Stricter than Sigma, so that a mistyped rule never loads as one that never fires: unknown fields, values outside a
closed set, values of a wrong type, selections that no condition uses and detections that cannot match are errors.

A fact that is absent, None, empty text or an empty tuple is *not told*: it matches null, `''`, `exists: false` and
`neq`, and nothing else.
"""

from __future__ import annotations

from eightysix.detect.sigma.compiler import (
    MAX_SELECTIONS,
    DetectionError,
    DetectionProblem,
    compile_detection,
)

__all__ = ["MAX_SELECTIONS", "DetectionError", "DetectionProblem", "compile_detection"]
