"""Two postures to what changed, for who reviews a change: whose reach grew or shrank, by what, and which fixes are done.

Only what means something differs: not how many replicas there are, nor when an identity was used last. The order of what
is given decides nothing, and the difference the other way round is the mirror.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from eightysix.model.errors import UsageError
from eightysix.model.posture import Confidence, Fix, IdentityUse, NotSeen, Path, PodReach, Posture
from eightysix.model.posturediff import IdentityChange, PodChange, PostureDiff, Way

__all__ = ["LEVELS", "diff", "is_empty", "worst_change"]

LEVELS: Final = ("none", "unseen", "low", "medium", "high")
"""How bad a change is, the worst last; words and exit codes are those of `posture` itself."""

_RISK: Final = 0.05
"""Risk is told with one digit: what rounds away is no difference."""

_LOADS: Final = "LOADS_ARTIFACT"
_FULL: Final = frozenset({"sink:cluster-admin", "sink:sub-owner"})

_Key = tuple[str, str, str]


class _Side:
    """One posture by keys. `families` are those of whose sinks one of the sides tells only the nearest."""

    def __init__(self, posture: Posture, families: frozenset[str]) -> None:
        self._families = families
        self.pods = {pod.id: pod for pod in posture.pods}
        self.identities = {one.id: one for one in posture.identities}
        self.edges: frozenset[_Key] = frozenset((one.type, one.source, one.target) for one in posture.edges)
        self.fixes = posture.fixes
        self.not_seen = {_named(one): one for one in sorted(posture.not_seen, reverse=True)}
        self.loading = {one.target for one in posture.edges if one.type == _LOADS}
        self._paths: dict[tuple[str, str], Path] = {}
        for path in sorted(posture.paths, key=lambda one: (one.pod, one.sink, -one.probability)):
            self._paths.setdefault((path.pod, self.sink(path.sink)), path)

    def sink(self, name: str) -> str:
        """The sink as both sides tell it."""
        family = name.partition("/")[0]
        return f"{family}/*" if family in self._families else name

    def sinks(self, pod: str) -> frozenset[str]:
        """What a pod reaches."""
        found = self.pods.get(pod)
        return frozenset(map(self.sink, found.sinks)) if found is not None else frozenset()

    def path(self, pod: str, sink: str) -> Path | None:
        """The best path, where it was told."""
        return self._paths.get((pod, sink))

    def way(self, pod: PodReach, sink: str, other: _Side) -> Way:
        """How this side reaches what the other does not."""
        path = self.path(pod.id, sink)
        steps = path.steps if path is not None else ()
        because = tuple(one for one in steps if (one.type, one.source, one.target) not in other.edges)
        return Way(sink, self._severity(pod, sink, path), steps, because)

    def _severity(self, pod: PodReach, sink: str, path: Path | None) -> str:
        """As `judge.worst` has it for one path."""
        if pod.architectural:
            return "low"
        if path is None:
            return "medium"
        if path.steps and all(step.confidence is Confidence.ASSUMED for step in path.steps):
            return "low"
        return "high" if pod.id in self.loading and path.probability >= 1 and sink in _FULL else "medium"


def diff(before: Posture, after: Posture) -> PostureDiff:
    """What changed. Raises `UsageError` where the two were made by different rules."""
    if before.rules != after.rules:
        raise UsageError(
            f"one was made by the rules {before.rules}, the other by {after.rules}", "Make both by the same."
        )
    families = frozenset(
        sink.removesuffix("/*")
        for posture in (before, after)
        for pod in posture.pods
        for sink in pod.sinks
        if sink.endswith("/*")
    )
    old, new = _Side(before, families), _Side(after, families)
    return PostureDiff(
        pods=tuple(sorted(_pods(old, new), key=_pod_order)),
        identities=tuple(_identities(old.identities, new.identities)),
        fixes_done=tuple(_done(old, new)),
        fixes_wanted=tuple(_done(new, old)),
        hidden=tuple(_more(new.not_seen, old.not_seen)),
        shown=tuple(_more(old.not_seen, new.not_seen)),
    )


def is_empty(told: PostureDiff) -> bool:
    """Whether nothing changed."""
    return told == PostureDiff()


def worst_change(told: PostureDiff) -> str:
    """One of `LEVELS`: the worst that came. `low` also where risk, a domain or a right of a reached identity grew and no new
    sink is reached; `unseen` where less is seen than before, so that nobody can say."""
    level = 1 if told.hidden else 0
    for pod in told.pods:
        if pod.domains_gained or pod.risk_after > pod.risk_before:
            level = max(level, 2)
        for way in pod.gained:
            level = max(level, LEVELS.index(way.severity))
    for one in told.identities:
        if one.after and (one.reached_gained or (one.roles_gained and one.before)):
            level = max(level, 2)
    return LEVELS[level]


def _pod_order(one: PodChange) -> tuple[float, str]:
    return -max(one.risk_before, one.risk_after), one.id


def _pods(old: _Side, new: _Side) -> Iterator[PodChange]:
    for id_ in sorted(old.pods.keys() | new.pods.keys()):
        was, now = old.pods.get(id_), new.pods.get(id_)
        change = _pod(id_, was, now, old, new)
        if (
            change.gained
            or change.lost
            or change.rerouted
            or change.domains_gained
            or change.domains_lost
            or change.risk_before != change.risk_after
        ):
            yield change


def _pod(id_: str, was: PodReach | None, now: PodReach | None, old: _Side, new: _Side) -> PodChange:
    some = now or was
    assert some is not None  # noqa: S101 - the id is of one of them
    before, after = old.sinks(id_), new.sinks(id_)
    held = frozenset(was.domains if was is not None else ())
    holds = frozenset(now.domains if now is not None else ())
    risk_before, risk_after = was.risk if was is not None else 0.0, now.risk if now is not None else 0.0
    if abs(risk_after - risk_before) < _RISK:
        risk_before = risk_after = max(risk_before, risk_after)
    return PodChange(
        id=id_,
        namespace=some.namespace,
        name=some.name,
        kind=some.kind,
        before=was.pods if was is not None else None,
        after=now.pods if now is not None else None,
        risk_before=risk_before,
        risk_after=risk_after,
        gained=tuple(new.way(now, sink, old) for sink in sorted(after - before) if now is not None),
        lost=tuple(old.way(was, sink, new) for sink in sorted(before - after) if was is not None),
        rerouted=tuple(sink for sink in sorted(before & after) if _is_other(id_, sink, old, new)),
        domains_gained=tuple(sorted(holds - held)),
        domains_lost=tuple(sorted(held - holds)),
    )


def _is_other(pod: str, sink: str, old: _Side, new: _Side) -> bool:
    """Whether the best path goes by other edges, where both sides tell it, and one of the sides lacks them. NOTE: between
    equals which one is told may depend on the rest of the graph, so another path by edges that both have is no change."""
    was, now = old.path(pod, sink), new.path(pod, sink)
    if was is None or now is None:
        return False
    before = {(one.type, one.source, one.target) for one in was.steps}
    after = {(one.type, one.source, one.target) for one in now.steps}
    return before != after and bool((before - new.edges) | (after - old.edges))


def _identities(old: Mapping[str, IdentityUse], new: Mapping[str, IdentityUse]) -> Iterator[IdentityChange]:
    for id_ in sorted(old.keys() | new.keys()):
        was, now = old.get(id_), new.get(id_)
        some = now or was
        assert some is not None  # noqa: S101 - as above
        roles = frozenset(was.roles if was else ()), frozenset(now.roles if now else ())
        reached = frozenset(was.reached_by if was else ()), frozenset(now.reached_by if now else ())
        change = IdentityChange(
            id=id_,
            kind=some.kind if was is None or now is None else min(was.kind, now.kind),
            name=some.name if was is None or now is None else min(was.name, now.name),
            before=was is not None,
            after=now is not None,
            unused_before=was.unused if was else None,
            unused_after=now.unused if now else None,
            roles_gained=tuple(sorted(roles[1] - roles[0])),
            roles_lost=tuple(sorted(roles[0] - roles[1])),
            reached_gained=tuple(sorted(reached[1] - reached[0])),
            reached_lost=tuple(sorted(reached[0] - reached[1])),
        )
        if (
            change.before != change.after
            or change.unused_before != change.unused_after
            or change.roles_gained
            or change.roles_lost
            or change.reached_gained
            or change.reached_lost
        ):
            yield change


def _done(side: _Side, other: _Side) -> Iterator[Fix]:
    """Fixes of one side of whose edges the other side has none."""
    for fix in side.fixes:
        edges = {tuple(edge) for edge in fix.edges}
        if edges & side.edges and not edges & other.edges:
            yield fix


def _named(one: NotSeen) -> str:
    """What is not seen, without how many and since when: those change with every day."""
    return "".join(character for character in one.what if not character.isdigit())


def _more(here: Mapping[str, NotSeen], there: Mapping[str, NotSeen]) -> Iterator[NotSeen]:
    for what in sorted(here.keys() - there.keys()):
        yield here[what]
