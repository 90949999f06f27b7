"""A pod's reach in words, the same in every format."""

from __future__ import annotations

from collections.abc import Mapping

from eightysix.model.reach import Reach, ReachedIdentity
from eightysix.report.posture.words import sink_word

__all__ = [
    "collected",
    "counted",
    "holds",
    "matched",
    "reached_identity",
    "since",
    "told_sinks",
    "unseen",
    "worst",
]

_DOMAINS: Mapping[str, str] = {
    "cluster": "the cluster",
    "delivery": "what is delivered to it",
    "cloud": "the cloud",
    "llm": "model providers",
}
_MATCHED: Mapping[str, str] = {
    "workload": "",
    "pod": "; found by the pod's name",
    "service-account": "; another workload with the same service account, as the pod itself is not in it",
}
_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
_SINKS = 6


def holds(reach: Reach) -> str:
    """How many domains it holds credentials of, and of which."""
    if not reach.domains:
        return "it holds no credential that is known"
    named = [_DOMAINS.get(one, one) for one in reach.domains]
    told = " and ".join(filter(None, (", ".join(named[:-1]), named[-1])))
    return f"it holds credentials of {reach.density} of 4 domains: {told}"


def worst(reach: Reach) -> str:
    """What it could reach, the worst first, and how far that is."""
    if not reach.sinks:
        return "it could reach nothing that matters, as far as was seen"
    way = next((one for one in reach.ways if one.sink == reach.sinks[0]), None)
    far = f" in {counted(len(way.steps), 'step')}" if way is not None else ""
    rest = told_sinks(reach)[1:]
    more = f"; also {', '.join(rest)}" if rest else ""
    return f"it could reach {sink_word(reach.sinks[0])}{far}{more}"


def told_sinks(reach: Reach) -> list[str]:
    """Sinks in words, of each kind one: the worst first, as many as a line takes."""
    kinds: dict[str, list[str]] = {}
    for sink in reach.sinks:
        kinds.setdefault(sink.partition("/")[0], []).append(sink)
    told = [
        sink_word(sinks[0])
        if len(sinks) == 1
        else f"{sink_word(kind)}s ({len(sinks)})"
        if kind == "sink:ns-admin"
        else sink_word(kind)
        for kind, sinks in kinds.items()
    ]
    return told if len(told) <= _SINKS else [*told[:_SINKS], f"{len(told) - _SINKS} more"]


def collected(reach: Reach) -> str:
    """Of when the posture is, as it says nothing about other times."""
    return f"{since(reach)}{matched(reach)}"


def since(reach: Reach) -> str:
    """When the posture was collected, and how far from the beginning of the story that is."""
    if not reach.taken_at:
        return "nobody says when the posture was collected: it may have been another then"
    when = f"posture of {reach.taken_at[:16].replace('T', ' ')} UTC"
    if reach.age_s is None:
        return when
    if abs(reach.age_s) < 60:
        return f"{when}, the minute in which this began"
    if reach.age_s < 0:
        return f"{when}, {_length(-reach.age_s)} before this began"
    return f"{when}, {_length(reach.age_s)} after this began: what was changed meanwhile is changed in it"


def matched(reach: Reach) -> str:
    """How the pod was found in it, where that is not by its workload."""
    return _MATCHED.get(reach.matched_by, "")


def unseen(reach: Reach) -> str:
    """That the posture did not see everything, where it says so."""
    return (
        f"{counted(reach.unseen, 'thing')} the posture could not look at: more may be within reach"
        if reach.unseen
        else ""
    )


def reached_identity(one: ReachedIdentity) -> str:
    """An identity within reach, with what it may and whether anybody uses it."""
    kind = one.kind.replace("-", " ")
    name = f"{kind} {one.name}" if one.kind == "service-account" else f"{kind} identity {one.name}"
    facts = [counted(one.roles, "role") if one.roles else "", "nobody uses it" if one.unused else ""]
    told = ", ".join(filter(None, facts))
    return f"{name} ({told})" if told else name


def counted(number: int, noun: str) -> str:
    """`3 steps`, `1 step`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _length(seconds: float) -> str:
    size, noun = next((unit for unit in _UNITS if seconds >= unit[0]), _UNITS[-1])
    return counted(round(seconds / size), noun)
