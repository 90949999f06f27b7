"""A rule in words, for reviewers: shared by `eightysix rules show` and the pages under `docs/rules`."""

from __future__ import annotations

from collections.abc import Iterator

from eightysix.detect.rule import Join, Rule, Signal, Step, StepMode
from eightysix.model.words import Grade

__all__ = [
    "Told",
    "chain_in_words",
    "needs_in_words",
    "rule_as_json",
    "seconds_in_words",
    "verdict_in_words",
    "when",
]

Told = tuple[str, tuple[str, ...]]
"""A sentence, and the items that follow it (none where the sentence says it all)."""

_JOINS = {
    Join.POD: "in the same pod",
    Join.PROCESS: "by the process of the step before, or a descendant of it",
    Join.LINEAGE: "by something that descends from what landed",
    Join.TOKEN: "with the same token",
}
_CONTRIBUTES = "any chain of another rule, by the process that takes its credentials, or a descendant of it"
_MODES = {StepMode.ANY: "any of these", StepMode.ALL: "all of these", StepMode.ABSENT: "none of these"}


def chain_in_words(rule: Rule) -> Iterator[Told]:
    """Each step as a sentence, in order; of a rule that only contributes, what its signals are joined to."""
    if rule.contributes:
        yield _CONTRIBUTES, ()
    for index, step in enumerate(rule.chain):
        join = f", {_join(rule, step)}" if index else ""
        titles = tuple(rule.signals[name].title for name in step.names)
        if len(titles) == 1 and step.mode is not StepMode.ABSENT:
            yield f"{titles[0]}{join}", ()
        elif len(titles) == 1:
            yield f"not: {titles[0]}{join}", ()
        else:
            yield f"{_MODES[step.mode]}{join}", titles


def _join(rule: Rule, step: Step) -> str:
    if step.join is Join.WINDOW:
        return f"within {seconds_in_words(rule.within_s)}"
    return _JOINS[step.join]


def verdict_in_words(rule: Rule) -> str:
    """When the chain is told, and when it contains."""
    if rule.contributes:
        return "none of its own: it only adds points to the chains of other rules"
    text = f"suspect at {rule.suspect_at} points"
    if rule.contain_at is None:
        return f"{text}, never contain"
    return (
        f"{text}; contain at {rule.contain_at} points, and only with a landing, then two credential domains taken by one "
        "process at grade A or B, then use of the API or a destination new to the workload"
    )


def when(signal: Signal) -> str:
    """What the signal asks of an event. Grade E is the default and goes without saying."""
    grade = "" if signal.grade_min is Grade.E else f"; grade {signal.grade_min} or better"
    return f"when {signal.detection.source}{grade}"


def needs_in_words(rule: Rule) -> tuple[str, ...]:
    """The telemetry that must be there: alternatives are joined by `or`."""
    return tuple(" or ".join(need) for need in rule.needs)


def seconds_in_words(seconds: float) -> str:
    """`300 s` as people write it."""
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def rule_as_json(rule: Rule) -> dict[str, object]:
    """Everything of a rule as plain values, in a fixed order. `when` is its detection in words, for people."""
    return {
        "id": rule.id,
        "title": rule.title,
        "severity": str(rule.severity),
        "maturity": str(rule.maturity),
        "origin": rule.origin,
        "attack": list(rule.attack),
        "needs": ["|".join(need) for need in rule.needs],
        "by": str(rule.by),
        "contributes": rule.contributes,
        "within_s": rule.within_s,
        "what": rule.what,
        "why": rule.why,
        "blind_spots": rule.blind_spots,
        "respond": list(rule.respond),
        "signals": [
            {
                "name": signal.name,
                "stage": str(signal.stage),
                "title": signal.title,
                "when": signal.detection.source,
                "actions": sorted(signal.detection.actions),
                "grade_min": str(signal.grade_min),
                "points": signal.points,
                "basis": str(signal.basis),
            }
            for signal in rule.signals.values()
        ],
        "chain": [{str(step.mode): list(step.names), "join": str(step.join)} for step in rule.chain],
        "suspect_at": rule.suspect_at,
        "contain_at": rule.contain_at,
        "benign": [
            {"when": one.detection.source, "points": one.points, "why": one.why} for one in rule.benign
        ],
    }
