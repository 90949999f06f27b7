"""A `Snapshot` to a `Posture`: pods by template, edges, the graph, paths, risk, fixes, and what nobody could see.

`rules` are `default` (Kubernetes' authorizer, exactly, with the cloud and delivery) or `kubehound` (the edges that KubeHound
draws, to compare with it; it has no sinks, so no paths or fixes are told).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cached_property
from types import MappingProxyType
from typing import Final

from eightysix.model.errors import UsageError
from eightysix.model.posture import (
    Architectural,
    Confidence,
    Edge,
    NotSeen,
    Past,
    Path,
    Place,
    PodReach,
    Posture,
    Vertex,
)
from eightysix.posture.changes import Changes
from eightysix.posture.compat import kubehound
from eightysix.posture.cuts import cuts_of
from eightysix.posture.domains import credentials, domains
from eightysix.posture.edges import cloud, delivery, gpu, host, llm, rbac
from eightysix.posture.edges import credentials as held
from eightysix.posture.fixes import Chokes, Simulation, choke_points, simulate
from eightysix.posture.graph import EdgeKey, Graph, Reach, Target, targets_of
from eightysix.posture.identities import Use, identities
from eightysix.posture.past import past_of
from eightysix.posture.paths import best_paths, why
from eightysix.posture.rbac import Authorizer
from eightysix.posture.remedies import Known
from eightysix.posture.risk import Scores, impact
from eightysix.posture.snapshot import Snapshot, Template
from eightysix.posture.templates import templates_of
from eightysix.posture.things import vertices_of
from eightysix.posture.usage import used_identities
from eightysix.posture.uselog import UseLog
from eightysix.posture.vertices import node_id, pod_id

__all__ = ["MAX_PATHS", "RULES", "World", "judge", "worst"]

RULES: Final = ("default", "kubehound")

MAX_PATHS: Final = 20_000
"""Paths that are told: one for each template and sink, those of the worst templates first."""

_LOADS: Final = "LOADS_ARTIFACT"
_NAMES: Final = 10_000
_ANY: Final = (host.ANY_NODE, "sink:node")
_NOWHERE: Final[Mapping[str, tuple[str, int]]] = MappingProxyType({})


class World:
    """Everything that is worked out of a snapshot, each part when it is asked for."""

    def __init__(self, snapshot: Snapshot, rules: str = "default") -> None:
        if rules not in RULES:
            raise UsageError(f"there are no rules {rules!r}", f"Choose one of: {', '.join(RULES)}")
        self.snapshot, self.rules = snapshot, rules
        self.templates: tuple[Template, ...] = templates_of(snapshot)
        self.ids = [pod_id(one.namespace, one.kind, one.name) for one in self.templates]

    @cached_property
    def authorizer(self) -> Authorizer:
        """Who may do what."""
        return Authorizer(self.snapshot)

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        """All edges, each name once, in an order of their own."""
        told = kubehound.edges(self.snapshot) if self.rules == "kubehound" else self._default_edges()
        return tuple(dict.fromkeys(sorted(told, key=_order)))

    def _default_edges(self) -> Iterator[Edge]:
        snapshot, templates = self.snapshot, self.templates
        found = [
            *rbac.edges(snapshot, templates, self.authorizer),
            *host.edges(snapshot, templates, self.authorizer),
            *held.edges(snapshot, templates),
        ]
        # Who runs as an account and has its token mounted is told by the token, which is what a manifest can leave out:
        # the same way twice would make a cut of one of them look useless.
        mounted = {(one.source, one.target) for one in found if one.type == "SA_TOKEN_MOUNTED"}
        yield from (
            one for one in found if one.type != "USES_ACCOUNT" or (one.source, one.target) not in mounted
        )
        yield from held.minted(found, snapshot)
        for part in (cloud, delivery, llm, gpu):
            yield from part.edges(snapshot, templates)

    @cached_property
    def graph(self) -> Graph:
        """Edges in arrays."""
        return Graph.of(self.edges, self.ids)

    @cached_property
    def pods(self) -> Mapping[str, int]:
        """Templates by id, with how many pods each stands for; one that runs from time to time counts as one."""
        return {id_: max(one.pods, 1) for id_, one in zip(self.ids, self.templates, strict=True)}

    @cached_property
    def targets(self) -> tuple[Target, ...]:
        """What is searched for, the worst first."""
        return tuple(sorted(targets_of(self.graph.sinks()), key=lambda one: (-impact(one.name), one.name)))

    @cached_property
    def reaches(self) -> tuple[Reach, ...]:
        """How everything reaches each target."""
        return tuple(self.graph.search_all(self.targets))

    @cached_property
    def architectural(self) -> frozenset[str]:
        """Pods that are privileged because their hardware needs it."""
        return frozenset(
            id_ for id_, one in zip(self.ids, self.templates, strict=True) if gpu.is_operand(one)
        )

    @cached_property
    def vertices(self) -> tuple[Vertex, ...]:
        """All that edges lead from and to."""
        return tuple(vertices_of(self.graph.ids, self.snapshot, self.templates))

    @cached_property
    def known(self) -> Known:
        """What actions are worked out from, beside the graph."""
        return Known({one.id: one for one in self.vertices}, self.architectural, self.snapshot.cluster)

    @cached_property
    def chokes(self) -> Chokes:
        """The few changes after which the most pods lose the most."""
        return choke_points(self.graph, self.pods, self.targets, self.known, reaches=self.reaches)

    @cached_property
    def loading(self) -> frozenset[str]:
        """Pods into which somebody outside can put code: they load an artifact that may be replaced."""
        return frozenset(edge.target for edge in self.edges if edge.type == _LOADS)

    def reached(self) -> tuple[PodReach, ...]:
        """What each template holds and reaches, the worst first."""
        scores = Scores(self.graph, self.reaches)
        found = []
        for id_, template in zip(self.ids, self.templates, strict=True):
            held_here = credentials(template, self.snapshot)
            told = scores.of(id_, held_here)
            vertex = self.graph.index[id_]
            found.append(
                PodReach(
                    id=id_,
                    namespace=template.namespace,
                    name=template.name,
                    kind=template.kind,
                    pods=template.pods,
                    density=told.density,
                    domains=domains(held_here),
                    credentials=held_here,
                    sinks=tuple(one.target.name for one in self.reaches if one.level[vertex] >= 0),
                    risk=told.risk,
                    why=told.why,
                    architectural=id_ in self.architectural,
                )
            )
        return tuple(sorted(found, key=lambda one: (-one.risk, -one.pods, one.id)))

    def pools(self) -> tuple[Architectural, ...]:
        """Node pools with pods that are privileged for their GPUs, and what root on a node of one holds."""
        found = []
        for pool in gpu.operand_pools(self.snapshot, self.templates):
            places = [node_id(name) for name in pool.nodes] or [
                one for one in _ANY if one in self.graph.index
            ]
            numbers = self.graph.numbers(places)
            sinks = tuple(
                reach.target.name
                for reach in self.reaches
                if any(int(reach.level[number]) >= 0 for number in numbers)
            )
            pods = sum(self.pods[one] for one in pool.neighbours)
            found.append(
                Architectural(
                    pool.pool, pool.operands, pool.nodes, pool.identities, pool.neighbours, pods, sinks
                )
            )
        return tuple(found)

    def why(self, pod: str, sink: str) -> Path | None:
        """The best path of one template to one sink, none where there is none."""
        return why(self.graph, pod, sink)

    def simulate(self, without: Iterable[EdgeKey]) -> Simulation:
        """What templates lose when edges are cut."""
        return simulate(self.graph, self.pods, self.targets, without)

    def not_seen(self) -> tuple[NotSeen, ...]:
        """What could not be looked at."""
        return tuple(sorted({*self.snapshot.not_seen, *self.authorizer.told(), *host.told(self.templates)}))

    def find(self, name: str) -> str:
        """The id of a template by what people call it: its id, `namespace/name`, `namespace/kind/name`, its name alone where
        there is one such, or a pod of it. Raises `UsageError`."""
        matches = [
            id_
            for id_, one in zip(self.ids, self.templates, strict=True)
            if name
            in (id_, one.name, f"{one.namespace}/{one.name}", f"{one.namespace}/{one.kind}/{one.name}")
        ]
        if not matches:
            matches = self._of_pod(name)
        if len(matches) == 1:
            return matches[0]
        if matches:
            told = ", ".join(one.removeprefix("pod:") for one in matches[:5])
            raise UsageError(f"{len(matches)} are called {name}", f"Name one of: {told}")
        near = ", ".join(get_close_matches(name, self._called(), 5, 0.6))
        advice = f"Near to it: {near}" if near else "Name it as namespace/name, the sink after it."
        raise UsageError(f"there is no pod or workload {name}", advice)

    def _called(self) -> list[str]:
        """Names of workloads, as many as a name can be held against in no time."""
        return [f"{one.namespace}/{one.name}" for one in self.templates[:_NAMES]]

    def _of_pod(self, name: str) -> list[str]:
        """Templates whose pods may be called so: controllers put something behind the workload's own name."""
        namespace, _, pod = name.rpartition("/")
        found = [
            (len(one.name), id_)
            for id_, one in zip(self.ids, self.templates, strict=True)
            if pod.startswith(f"{one.name}-") and namespace in ("", one.namespace)
        ]
        longest = max((length for length, _ in found), default=0)
        return [id_ for length, id_ in found if length == longest]


def _order(edge: Edge) -> tuple[str, str, str, str, tuple[tuple[str, str], ...]]:
    return edge.type, edge.source, edge.target, edge.confidence, edge.evidence


def judge(
    snapshot: Snapshot,
    *,
    rules: str = "default",
    uses: Iterable[Use] = (),
    cloud_since: str = "",
    cluster_since: str = "",
    log: UseLog | None = None,
    changes: Changes | None = None,
    world: World | None = None,
    cuts: bool = False,
    places: Mapping[str, tuple[str, int]] = _NOWHERE,
) -> Posture:
    """Everything that a snapshot tells. `uses` are uses of identities, complete from `cloud_since` and `cluster_since` on;
    with `log` they are what it has, and what it cannot show is told as not seen. Of `changes` what is no more is told apart.
    With `cuts` what takes each edge of the told paths away is told too. `places` are files and lines of objects."""
    world = world or World(snapshot, rules)
    pods = world.reached()
    paths, left = _paths(world, pods)
    gaps = list(world.not_seen())
    if left:
        gaps.append(
            NotSeen(f"{left} more paths", "the list is cut; ask for one with `eightysix posture why`")
        )
    if log is not None:
        used, missing = used_identities(snapshot, world.templates, log)
        gaps += missing
    else:
        used = identities(
            snapshot, world.templates, uses, cloud_since=cloud_since, cluster_since=cluster_since
        )
    past = Past()
    if changes is not None:
        past, missing = past_of(world, changes)
        gaps += missing
    return Posture(
        cluster=snapshot.cluster,
        taken_at=snapshot.taken_at,
        pods=pods,
        identities=used,
        vertices=world.vertices,
        edges=world.edges,
        paths=paths,
        fixes=world.chokes.fixes if world.targets else (),
        not_seen=tuple(gaps),
        rules=rules,
        architectural=world.pools(),
        cuts=tuple(cuts_of(world.graph, world.known, paths)) if cuts else (),
        places=tuple(_places(places, paths, pods)),
        past=past,
    )


def _paths(world: World, pods: Sequence[PodReach]) -> tuple[tuple[Path, ...], int]:
    """The best path of each template to each target it reaches, the worst templates first, and how many were left out."""
    found: list[Path] = []
    total = sum(len(pod.sinks) for pod in pods)
    for pod in pods:
        if len(found) >= MAX_PATHS:
            break
        found.extend(best_paths(world.graph, world.reaches, (pod.id,)))
    return tuple(found[:MAX_PATHS]), max(total - MAX_PATHS, 0)


def _places(
    places: Mapping[str, tuple[str, int]], paths: Iterable[Path], pods: Iterable[PodReach]
) -> Iterator[Place]:
    """Where the objects were read that paths and credentials rest on, as far as that is known."""
    named = {thing for path in paths for step in path.steps for thing, _ in step.evidence}
    named |= {credential.object for pod in pods for credential in pod.credentials}
    for thing in sorted(named):
        place = places.get(thing)
        if place is not None:
            yield Place(thing, *place)


def worst(posture: Posture) -> str:
    """How bad it is: `high` where a pod that loads what others can replace reaches full control by proved edges alone,
    `medium` for any other sink, `low` where every way is assumed or the hardware needs it, `unseen`, or `none`."""
    loading = {edge.target for edge in posture.edges if edge.type == _LOADS}
    needed = {pod.id for pod in posture.pods if pod.architectural}
    level = ""
    for path in posture.paths:
        if path.pod in needed or all(step.confidence is Confidence.ASSUMED for step in path.steps):
            level = level or "low"
        elif path.pod in loading and path.probability >= 1 and path.sink in _FULL:
            return "high"
        else:
            level = "medium"
    return level or ("unseen" if posture.not_seen else "none")


_FULL: Final = frozenset({"sink:cluster-admin", "sink:sub-owner"})
