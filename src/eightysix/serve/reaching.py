"""Where the reach of pods comes from: a file that `eightysix posture --format json` wrote, or a posture judged here and now.

A file is read with a bound and as that format alone: what else it holds is passed over, and what it lacks is an error that
says so. While `watch` runs, a file that was replaced is read anew; a worse one leaves what was known.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from eightysix.context.reach import (
    Asked,
    Known,
    KnownIdentity,
    KnownPath,
    KnownPod,
    Reaches,
)
from eightysix.model.errors import StateError, UsageError
from eightysix.model.incident import Incident, Report
from eightysix.model.posture import SCHEMA

if TYPE_CHECKING:
    from eightysix.posture.judge import World
    from eightysix.posture.snapshot import Snapshot

__all__ = ["MAX_POSTURE", "PostureFile", "judged", "reaches_of", "read_reaches", "reported", "with_reach"]

MAX_POSTURE: Final = 1 << 30
"""Bytes of the largest posture that is read: 100,000 pods with 2,000,000 edges are some 700 MB."""

LOOK_S: Final = 10.0
"""Seconds between two looks at a file that may be replaced: a posture is made by the hour or by the day."""

_ADVICE: Final = "write it with: eightysix posture --format json --output FILE ..."


class _Edge(Struct, frozen=True):
    source: str
    target: str


class _Head(Struct, frozen=True):
    schema: str = ""
    rules: str = "default"


class _Document(Struct, frozen=True):
    """The parts of `posture/v1` that are used."""

    schema: str
    cluster: str
    taken_at: str
    pods: tuple[KnownPod, ...]
    identities: tuple[KnownIdentity, ...]
    paths: tuple[KnownPath, ...]
    not_seen: tuple[msgspec.Raw, ...]


class _WithEdges(_Document, frozen=True):
    edges: tuple[_Edge, ...]


def read_reaches(path: str, *, edges: bool = False) -> Reaches:
    """The posture in a file; `edges` for which identities a pod reaches, too. Raises `UsageError`."""
    return _decode(_read(path), path, edges=edges)


def _read(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_POSTURE + 1)
    except OSError as error:
        raise UsageError(f"the posture {path} cannot be read: {error.strerror}", "check the path") from error
    if len(data) > MAX_POSTURE:
        raise UsageError(
            f"the posture {path} is larger than {MAX_POSTURE >> 20} MiB", "judge fewer namespaces at once"
        )
    return data


def _decode(data: bytes, path: str, *, edges: bool) -> Reaches:
    try:
        head = msgspec.json.decode(data, type=_Head)
        if head.schema != SCHEMA:
            told = f"its schema is {head.schema!r}" if head.schema else "it names no schema"
            raise UsageError(f"{path} is no posture: {told}, not {SCHEMA!r}", _ADVICE)
        if head.rules != "default":
            raise UsageError(
                f"the posture {path} was judged by the rules of {head.rules}, which know nothing that is worth reaching",
                "judge it without --rules",
            )
        told_ = msgspec.json.decode(data, type=_WithEdges if edges else _Document)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path} is no posture: {error}", _ADVICE) from error
    known = Known(
        told_.cluster, told_.taken_at, told_.pods, told_.identities, told_.paths, len(told_.not_seen)
    )
    if isinstance(told_, _WithEdges):
        return Reaches(known, _Walk(told_.edges))
    return Reaches(known)


class _Walk:
    """What edges lead to, by hops."""

    def __init__(self, edges: Iterable[_Edge]) -> None:
        self._after: dict[str, list[str]] = {}
        for edge in edges:
            self._after.setdefault(edge.source, []).append(edge.target)

    def __call__(self, start: str) -> Iterator[tuple[str, int]]:
        seen, now, hops = {start}, [start], 0
        while now:
            hops += 1
            following = []
            for vertex in now:
                for target in self._after.get(vertex, ()):
                    if target not in seen:
                        seen.add(target)
                        following.append(target)
                        yield target, hops
            now = following


def judged(snapshot: Snapshot) -> Reaches:
    """The posture of a snapshot; one without pods where nothing in it says what anybody may do, which is most of a reach."""
    told = (snapshot.role_bindings, snapshot.cluster_role_bindings, snapshot.cloud.assignments)
    if not any(told) or not (snapshot.pods or snapshot.workloads):
        return Reaches(Known(snapshot.cluster, snapshot.taken_at, ()))
    from eightysix.posture.judge import World

    return reaches_of(World(snapshot))


def reaches_of(world: World) -> Reaches:
    """The posture that `world` is, with the ways of those pods alone that are asked for."""
    from eightysix.posture.identities import identities
    from eightysix.posture.paths import best_paths

    snapshot, graph = world.snapshot, world.graph
    known = Known(
        cluster=snapshot.cluster,
        taken_at=snapshot.taken_at,
        pods=tuple(msgspec.convert(world.reached(), tuple[KnownPod, ...], from_attributes=True)),
        identities=msgspec.convert(
            identities(snapshot, world.templates), tuple[KnownIdentity, ...], from_attributes=True
        ),
        unseen=len(world.not_seen()),
    )

    def near(pod: str) -> Iterator[tuple[str, int]]:
        found = graph.onward(pod)
        for (_, hops), vertices in zip(found.levels, found.settled, strict=True):
            for vertex in vertices:
                yield graph.ids[vertex], hops

    def paths(pod: str) -> tuple[KnownPath, ...]:
        told = tuple(best_paths(graph, world.reaches, (pod,)))
        return msgspec.convert(told, tuple[KnownPath, ...], from_attributes=True)

    return Reaches(known, near, paths)


class PostureFile:
    """A posture in a file that may be replaced while somebody runs. Raises `UsageError` where it cannot be read at first."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._seen = _signature(path)
        self._reaches = read_reaches(path)
        self._looks_at = 0.0

    def look(self) -> Reaches:
        """The posture as it is now; raises `StateError` once where a newer one cannot be used, and keeps the older."""
        seen = _signature(self.path)
        if seen != self._seen:
            self._seen = seen
            try:
                self._reaches = read_reaches(self.path)
            except UsageError as error:
                raise StateError(
                    f"{error.what}; what was read before goes on counting", error.advice
                ) from error
        return self._reaches

    def turn(self, now: float, warn: Callable[[str], None]) -> None:
        """Look at the file now and then; `now` is monotonic seconds, `warn` hears of what cannot be used."""
        if now < self._looks_at:
            return
        self._looks_at = now + LOOK_S
        try:
            self.look()
        except StateError as error:
            warn(f"{error.what}; {error.advice}")

    def dress(self, incidents: Sequence[Incident]) -> list[Incident]:
        """`incidents` with the reach of their pods, by the posture as it was read last."""
        return [with_reach(one, self._reaches) for one in incidents]


def _signature(path: str) -> tuple[int, ...]:
    try:
        told = os.stat(path)
    except OSError:
        return ()
    return told.st_dev, told.st_ino, told.st_size, told.st_mtime_ns


def with_reach(incident: Incident, reaches: Reaches) -> Incident:
    """`incident` with what its pod could reach and the worst way of it, as it is where the posture does not know the pod.
    Nothing else of it changes: what was possible is no sign of what happened."""
    pod = incident.pod
    if pod is None:
        return incident
    account = next((one.name for one in incident.identities if one.kind == "service-account"), "")
    asked = Asked(pod.namespace, pod.name, incident.workload, account, pod.cluster, incident.t0)
    reach = reaches.of(asked)
    return incident if reach is None else replace(incident, reach=replace(reach, ways=reach.ways[:1]))


def reported(report: Report, reaches: Reaches) -> Report:
    """`report` with the reach of each incident's pod."""
    return replace(report, incidents=tuple(with_reach(one, reaches) for one in report.incidents))
