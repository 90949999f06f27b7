"""Postures for property tests: small, odd, and enough alike that two of them share things."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from eightysix.model.posture import (
    Architectural,
    Confidence,
    Credential,
    Cut,
    Edge,
    Fix,
    IdentityUse,
    NotSeen,
    Past,
    PastBinding,
    Path,
    Place,
    PodReach,
    Posture,
    Step,
    Vertex,
    VertexKind,
)

__all__ = ["postures", "shuffled"]

NAMES = ("a", "b", "\x1b[31m|`<b>@x ", "é\u202e")
SINKS = ("sink:cluster-admin", "sink:node", "sink:ns-admin/a", "sink:ns-admin/*", "sink:llm-spend")

names = st.sampled_from(NAMES)
confidences = st.sampled_from(list(Confidence))
proofs = st.lists(st.tuples(names, names), max_size=2).map(tuple)
times = st.sampled_from(("", "2026-11-20T00:00:00Z", "2026-11-21T00:00:00.000001Z"))
edges = st.builds(
    Edge,
    st.sampled_from(("HOLDS", "LOADS_ARTIFACT", "EXEC")),
    names,
    st.sampled_from(("pod:x/a", "pod:x/b", "c")),
    proofs,
    confidences,
    st.just(("T1",)),
    names,
)
steps = st.builds(Step, st.just("HOLDS"), names, names, names, proofs, confidences)
keyed = st.sampled_from(("pod:x/a", "pod:x/b", "pod:x/c"))


def _pod(
    id_: str, domains: frozenset[str], sinks: frozenset[str], risk: float, pods: int, needed: bool
) -> PodReach:
    credential = Credential("cluster", "token", "mounted", "Pod/x", "spec", Confidence.PROVED)
    return PodReach(
        id=id_,
        namespace="x",
        name=id_.rpartition("/")[2],
        kind="Pod",
        pods=pods,
        density=len(domains),
        domains=tuple(sorted(domains)),
        credentials=(credential,) * len(domains),
        sinks=tuple(sorted(sinks)),
        risk=risk,
        why=("because",),
        architectural=needed,
    )


pods = st.builds(
    _pod,
    keyed,
    st.frozensets(st.sampled_from(("cluster", "cloud", "llm"))),
    st.frozensets(st.sampled_from(SINKS)),
    st.sampled_from((0.0, 1.0, 1.02, 9.5)),
    st.integers(0, 3),
    st.booleans(),
)
identities = st.builds(
    IdentityUse,
    st.sampled_from(("i1", "i2", "i3")),
    st.just("service-account"),
    names,
    st.just(("id",)),
    times,
    st.just(()),
    times,
    st.integers(0, 3),
    st.frozensets(names).map(lambda found: tuple(sorted(found))),
    st.sampled_from((True, False, None)),
    st.frozensets(keyed).map(lambda found: tuple(sorted(found))),
)
paths = st.builds(
    Path,
    keyed,
    st.sampled_from(SINKS),
    st.lists(steps, min_size=1, max_size=3).map(tuple),
    st.sampled_from((1.0, 0.8, 0.5)),
)
fixes = st.builds(
    Fix,
    st.integers(1, 5),
    names,
    names,
    st.lists(st.tuples(st.just("HOLDS"), names, st.just("c")), max_size=2).map(tuple),
    st.integers(0, 9),
    st.just(("sink:node",)),
)
gaps = st.builds(NotSeen, st.sampled_from(("roles", "3 more paths", "12 more paths", "nodes")), names, names)
vertices = st.builds(
    Vertex,
    st.sampled_from(("pod:x/a", "i1", "n")),
    st.sampled_from(list(VertexKind)),
    names,
    names,
    st.dictionaries(names, names, max_size=2),
)
bindings = st.builds(
    PastBinding,
    names,
    names,
    st.just(("ServiceAccount/a/b",)),
    times,
    times,
    st.integers(1, 9),
    names,
    confidences,
)


needed = st.builds(
    Architectural,
    names,
    st.just(("pod:x/a",)),
    st.just(("n",)),
    st.just(()),
    st.just(()),
    st.integers(0, 9),
    st.just(("sink:node",)),
)
cuts = st.builds(Cut, names, st.just((("HOLDS", "a", "b"),)), names, names)
places = st.builds(Place, names, names, st.integers(1, 9))


@st.composite
def postures(draw: st.DrawFn, cut: bool = False) -> Posture:
    """Any posture: pods and identities each once; with `cut` also what JSON does not tell."""
    return Posture(
        cluster="aks",
        taken_at="2026-11-22T00:00:00Z",
        pods=tuple(draw(st.lists(pods, max_size=3, unique_by=lambda one: one.id))),
        identities=tuple(draw(st.lists(identities, max_size=3, unique_by=lambda one: one.id))),
        vertices=tuple(draw(st.lists(vertices, max_size=3, unique_by=lambda one: one.id))),
        edges=tuple(draw(st.lists(edges, max_size=4))),
        paths=tuple(draw(st.lists(paths, max_size=4, unique_by=lambda one: (one.pod, one.sink)))),
        fixes=tuple(draw(st.lists(fixes, max_size=2))),
        not_seen=tuple(draw(st.lists(gaps, max_size=3, unique=True))),
        architectural=tuple(draw(st.lists(needed, max_size=1))),
        places=tuple(draw(st.lists(places, max_size=2))),
        cuts=tuple(draw(st.lists(cuts, max_size=1))) if cut else (),
        past=Past(tuple(draw(st.lists(bindings, max_size=2))), tuple(draw(st.lists(edges, max_size=2)))),
    )


def shuffled(posture: Posture, draw: Callable[..., Any]) -> Posture:
    """The same told in another order."""

    def turned(items: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(draw(st.permutations(items)))

    return Posture(
        cluster=posture.cluster,
        taken_at=posture.taken_at,
        pods=turned(posture.pods),
        identities=turned(posture.identities),
        vertices=turned(posture.vertices),
        edges=turned(posture.edges),
        paths=turned(posture.paths),
        fixes=posture.fixes,
        not_seen=turned(posture.not_seen),
        past=posture.past,
    )
