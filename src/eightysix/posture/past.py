"""Bindings that existed for a while between snapshots, and what pods reached meanwhile: never told as what is now.

Whoever binds an account to `cluster-admin` for ten minutes and takes the binding away leaves two clean snapshots. Of each
time at which such bindings were there, the graph of now is drawn once more with them; edges and paths that come with them
are past ones. Bindings that never were there together are never put together. Everything else is taken as it is now, which
is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from eightysix.detect.wording import rfc3339
from eightysix.model.posture import Confidence, Edge, NotSeen, Past, PastBinding, Path
from eightysix.model.timestamps import to_ns
from eightysix.posture.builtin import with_builtin
from eightysix.posture.changes import Changes, Life
from eightysix.posture.graph import key_of
from eightysix.posture.objects import Binding, Role, Subject
from eightysix.posture.paths import path_of

if TYPE_CHECKING:
    from eightysix.posture.judge import World
    from eightysix.posture.snapshot import Snapshot

__all__ = ["MAX_BINDINGS", "MAX_MOMENTS", "MAX_PATHS", "past_of"]

MAX_BINDINGS: Final = 256
"""Different past bindings that are told, the latest first."""

MAX_MOMENTS: Final = 16
"""Sets of past bindings for which the graph is drawn anew, the latest first."""

MAX_EDGES: Final = 4_000_000
"""Edges that are drawn anew in all, as far as it is not a matter of the last two sets: of a large cluster fewer sets."""

MAX_LIVES: Final = 512
"""Times of past bindings that are looked at, the latest."""

MAX_PATHS: Final = 2_000
_FOREVER: Final = 1 << 62
_BINDINGS: Final = ("ClusterRoleBinding", "RoleBinding")
_ROLES: Final = ("ClusterRole", "Role")


class _Key(NamedTuple):
    """What makes two bindings alike; the name does not."""

    kind: str
    namespace: str
    role: str
    subjects: tuple[str, ...]


class _Moment(NamedTuple):
    """Bindings that were there together, from when until when."""

    lives: tuple[Life, ...]
    since_ns: int
    until_ns: int


def past_of(world: World, changes: Changes) -> tuple[Past, tuple[NotSeen, ...]]:
    """What was there between snapshots and is no more, and what nobody can say of it."""
    snapshot = world.snapshot
    taken = _ns(snapshot.taken_at)
    lives, gaps = _gone(snapshot, changes, taken)
    alike: dict[_Key, list[Life]] = {}
    for life in lives:
        alike.setdefault(_key(life), []).append(life)
    if len(lives) > MAX_LIVES:
        gaps.append(
            NotSeen(
                f"{len(lives) - MAX_LIVES} more times of short-lived bindings",
                "what pods reached then is missing",
            )
        )
    told = sorted(alike.values(), key=lambda ones: (-ones[-1].since_ns, ones[-1].key))
    moments = _moments(lives[-MAX_LIVES:], taken or _FOREVER)
    edges: dict[tuple[str, str, str], Edge] = {}
    paths: dict[tuple[str, str], Path] = {}
    now: set[tuple[str, str, str]] = {key_of(one) for one in world.edges} if moments else set()
    most = min(MAX_MOMENTS, max(2, MAX_EDGES // max(len(now), 1)))
    for moment in moments[:most]:
        _draw(world, moment, changes, now, edges, paths)
    if len(moments) > most:
        gaps.append(
            NotSeen(
                f"{len(moments) - most} more times at which short-lived bindings were there",
                f"what pods reached then is missing; the last {most} are told",
            )
        )
    if changes.full:
        gaps.append(
            NotSeen("further changes of roles and bindings", "the log has more of them than are kept")
        )
    bindings = tuple(_told(ones) for ones in told[:MAX_BINDINGS])
    if len(told) > MAX_BINDINGS:
        gaps.append(NotSeen(f"{len(told) - MAX_BINDINGS} more short-lived bindings", "the list is cut"))
    found = sorted(paths.values(), key=lambda one: (one.pod, one.sink))
    return (
        Past(bindings, tuple(edges[key] for key in sorted(edges)), tuple(found[:MAX_PATHS])),
        tuple(gaps),
    )


def _ns(text: str) -> int:
    try:
        return to_ns(text) if text else 0
    except ValueError:
        return 0


def _gone(snapshot: Snapshot, changes: Changes, taken: int) -> tuple[list[Life], list[NotSeen]]:
    """States of bindings that were there before the objects were collected and are not among them, by time."""
    found: list[Life] = []
    gaps: list[NotSeen] = []
    late: list[str] = []
    blind: list[str] = []
    for life in changes.lives(_BINDINGS):
        if taken and life.since_ns > taken:
            late.append(_named(life))
        elif life.found is None or (not life.until_ns and not _were_collected(snapshot, life.key[0])):
            if life.until_ns or _now(snapshot, life) is None:
                blind.append(_named(life))
        elif not _is_current(snapshot, life):
            found.append(life)
    for key, _ in changes.removed():
        blind.append("/".join(filter(None, key)))
    if late:
        gaps.append(
            NotSeen(
                f"{_some(late)}, made or changed after the objects were collected",
                "what comes of it is missing",
                "collect the objects again",
            )
        )
    if blind:
        gaps.append(
            NotSeen(
                f"what {_some(blind)} bound, or whether it still does",
                "neither the audit log nor the objects say so: who reached what by it is missing",
                "log and collect role bindings with their bodies: level RequestResponse (deploy/audit)",
            )
        )
    return sorted(found, key=lambda one: (one.since_ns, one.key)), gaps


def _were_collected(snapshot: Snapshot, kind: str) -> bool:
    """Whether bindings of this kind are among the objects: else nobody knows whether one is still there."""
    return bool(snapshot.cluster_role_bindings if kind == "ClusterRoleBinding" else snapshot.role_bindings)


def _some(names: Sequence[str], most: int = 3) -> str:
    names = list(dict.fromkeys(names))
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


def _named(life: Life) -> str:
    return "/".join(filter(None, life.key))


def _now(snapshot: Snapshot, life: Life) -> Binding | None:
    """What has its name now."""
    kind, namespace, name = life.key
    if kind == "ClusterRoleBinding":
        return snapshot.cluster_role_bindings.get(name)
    return snapshot.role_bindings.get(f"{namespace}/{name}")


def _is_current(snapshot: Snapshot, life: Life) -> bool:
    """Whether what it gave is still given by the object of its name."""
    now = _now(snapshot, life)
    was = life.found
    if now is None or not isinstance(was, Binding):
        return False
    same_role = (now.role_ref.kind, now.role_ref.name) == (was.role_ref.kind, was.role_ref.name)
    return same_role and set(_subjects(was)) <= set(_subjects(now))


def _subjects(binding: Binding) -> tuple[str, ...]:
    return tuple(sorted({_subject(one, binding.metadata.namespace) for one in binding.subjects or ()}))


def _subject(one: Subject, namespace: str) -> str:
    place = f"{one.namespace or namespace}/" if one.kind == "ServiceAccount" else ""
    return f"{one.kind}/{place}{one.name}"


def _key(life: Life) -> _Key:
    binding = life.found
    assert isinstance(binding, Binding)  # noqa: S101 - those that are nothing were left out
    role = f"{binding.role_ref.kind}/{binding.role_ref.name}"
    return _Key(life.key[0], life.key[1], role, _subjects(binding))


def _told(ones: Sequence[Life]) -> PastBinding:
    last, key = ones[-1], _key(ones[-1])
    return PastBinding(
        object=_named(last),
        role=key.role,
        subjects=key.subjects,
        since=rfc3339(last.since_ns),
        until=rfc3339(last.until_ns) if last.until_ns else "",
        times=len(ones),
        maker=last.maker,
        confidence=Confidence.PROVED if last.until_ns else Confidence.INFERRED,
    )


def _moments(lives: Sequence[Life], taken: int) -> list[_Moment]:
    """Times at which as many as possible were there together, alike sets once, the latest first."""
    found: dict[frozenset[_Key], _Moment] = {}
    alive: dict[int, Life] = {}
    keys = [_key(life) for life in lives]
    for number, life in enumerate(lives):
        at = life.since_ns
        alive = {one: other for one, other in alive.items() if (other.until_ns or taken) > at}
        alive[number] = life
        until = min((one.until_ns or taken) for one in alive.values())
        together = frozenset(keys[one] for one in alive)
        found[together] = _Moment(tuple(alive.values()), at, 0 if until >= taken else until)
    kept = [moment for together, moment in found.items() if not any(together < other for other in found)]
    return sorted(kept, key=lambda one: (-one.since_ns, one.lives[-1].key))


def _draw(
    world: World,
    moment: _Moment,
    changes: Changes,
    now: set[tuple[str, str, str]],
    edges: dict[tuple[str, str, str], Edge],
    paths: dict[tuple[str, str], Path],
) -> None:
    """The graph with the bindings of a moment: edges and paths that only they bring, with when they were there."""
    then = type(world)(_with(world.snapshot, moment, changes), world.rules)
    since, until = rfc3339(moment.since_ns), rfc3339(moment.until_ns) if moment.until_ns else ""
    more = [one for one in then.edges if key_of(one) not in now]
    for one in more:
        edges.setdefault(key_of(one), msgspec.structs.replace(one, since=since, until=until))
    if not more:
        return
    levels = {reach.target.name: reach for reach in world.reaches}
    for reach in then.reaches:
        before = levels.get(reach.target.name)
        for pod in then.ids:
            if len(paths) >= 4 * MAX_PATHS:
                return
            if reach.level[then.graph.index[pod]] < 0:
                continue
            if before is not None and before.level[world.graph.index[pod]] >= 0:
                continue
            path = path_of(then.graph, reach, pod)
            if path is not None:
                paths.setdefault((pod, path.sink), _dated(path, now, since, until))


def _dated(path: Path, now: set[tuple[str, str, str]], since: str, until: str) -> Path:
    """The path, with each step that is no more told as such."""
    when = f"from {since} until {until or 'some time before the objects were collected'}"
    steps = tuple(
        step
        if (step.type, step.source, step.target) in now
        else msgspec.structs.replace(step, text=f"{step.text.rstrip('.')} ({when}, not any more).")
        for step in path.steps
    )
    return msgspec.structs.replace(path, steps=steps, since=since, until=until)


def _with(snapshot: Snapshot, moment: _Moment, changes: Changes) -> Snapshot:
    """The objects of now with bindings of then, and with the roles that they bound where those are gone too."""
    bindings: dict[str, dict[str, Binding]] = {
        "RoleBinding": dict(snapshot.role_bindings),
        "ClusterRoleBinding": dict(snapshot.cluster_role_bindings),
    }
    for number, life in enumerate(moment.lives):
        if isinstance(life.found, Binding):
            # NOTE: beside one of the same name that is there now, so the key is one that no object can have.
            bindings[life.key[0]][f"{_named(life)} past {number}"] = life.found
    roles: dict[str, dict[str, Role]] = {
        "Role": dict(snapshot.roles),
        "ClusterRole": dict(snapshot.cluster_roles),
    }
    for (kind, namespace, name), role in _roles_at(changes, moment.since_ns):
        roles[kind].setdefault(f"{namespace}/{name}" if namespace else name, role)
    return msgspec.structs.replace(
        snapshot,
        role_bindings=bindings["RoleBinding"],
        cluster_role_bindings=bindings["ClusterRoleBinding"],
        roles=roles["Role"],
        cluster_roles=with_builtin(roles["ClusterRole"]),
    )


def _roles_at(changes: Changes, at_ns: int) -> Iterator[tuple[tuple[str, str, str], Role]]:
    for life in changes.lives(_ROLES):
        if life.since_ns <= at_ns < (life.until_ns or _FOREVER) and isinstance(life.found, Role):
            yield life.key, life.found
