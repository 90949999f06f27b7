"""Vertices out of their ids, with what is known of each beside its name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from eightysix.model.posture import Vertex, VertexKind
from eightysix.posture.edges.cloud import role_id
from eightysix.posture.holder import Holder
from eightysix.posture.lookup import identity_vertex, lookup
from eightysix.posture.snapshot import Snapshot, Template

__all__ = ["vertices_of"]

_KINDS = {kind.value: kind for kind in VertexKind}


def vertices_of(ids: Iterable[str], snapshot: Snapshot, templates: Sequence[Template]) -> Iterator[Vertex]:
    """A vertex for each id, in their order."""
    facts = dict(_facts(snapshot, templates))
    for one in ids:
        kind, _, rest = one.partition(":")
        namespace, slash, name = rest.partition("/")
        if not slash or kind not in _NAMESPACED:
            namespace, name = "", rest
        yield Vertex(
            one,
            _KINDS.get(kind, VertexKind.EXTERNAL),
            _plain(name) or kind,
            _plain(namespace),
            facts.get(one, {}),
        )


_NAMESPACED = frozenset(
    {"pod", "container", "volume", "service-account", "permission-set", "secret", "credential", "endpoint"}
)


def _plain(text: str) -> str:
    return text.replace("%2F", "/").replace("%25", "%") if "%" in text else text


def _facts(snapshot: Snapshot, templates: Sequence[Template]) -> Iterator[tuple[str, dict[str, str]]]:
    known = lookup(snapshot)
    for template in templates:
        yield (
            Holder(template, known).vertex,
            {"workload": template.kind, "pods": str(template.pods), "nodes": str(len(template.nodes))},
        )
    for identity in snapshot.cloud.identities:
        told = {
            "name": identity.name,
            "client_id": identity.client_id,
            "principal_id": identity.principal_id,
            "resource_id": identity.resource_id,
            "kind": identity.kind,
        }
        yield identity_vertex(identity), {name: text for name, text in told.items() if text}
    for assignment in snapshot.cloud.assignments:
        yield (
            role_id(assignment.role, assignment.scope),
            {"role": assignment.role, "scope": assignment.scope},
        )
