"""Identities and their life: last used, by whom, never since when, and which pods still reach them.

An identity that nobody uses and a pod can reach comes first: removing it costs nothing. What was refused (403) is no use.
Records reach back only so far: without one, and without records that are old enough, nobody can say `unused`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from msgspec import Struct

from eightysix.context.destinations import address
from eightysix.model.posture import IdentityUse, VertexKind
from eightysix.model.timestamps import to_ns
from eightysix.posture.domains import credentials
from eightysix.posture.edges.credentials import edges
from eightysix.posture.holder import Holder
from eightysix.posture.lookup import Lookup, identity_vertex, lookup
from eightysix.posture.snapshot import Snapshot, Template
from eightysix.posture.vertices import pod_id, service_account_id

__all__ = ["UNUSED_DAYS", "Use", "identities"]

UNUSED_DAYS = 30
"""Days without use after which an identity counts as unused: what the logs of sign-ins keep for free (learn.microsoft.com/
entra/identity/monitoring-health/reference-reports-data-retention)."""

_DAY_NS = 86_400_000_000_000
_MOST_PODS = 32
_MOST_ROLES = 64
_MOST_REACHING = 32
_ACCOUNT = "system:serviceaccount:"
_CLOUD = f"{VertexKind.CLOUD_IDENTITY}:"


class Use(Struct, frozen=True):
    """Once that an identity was used, as a sign-in or an audit record tells: any of its `ids` (client id, object id, resource
    id; `system:serviceaccount:NAMESPACE:NAME`), when (RFC 3339), by which pod where that is known, and whether it was
    refused. `caller` is an address, or who acted in its name."""

    ids: tuple[str, ...]
    time: str
    pod: str = ""
    denied: bool = False
    caller: str = ""

    @property
    def by(self) -> str:
        """Who used it, empty where nobody says."""
        if self.pod or not self.caller:
            return self.pod
        return f"from {self.caller}" if address(self.caller) else self.caller


class _Life:
    def __init__(self) -> None:
        self.last_ns = 0
        self.last = ""
        self.pods: dict[str, int] = {}

    def take(self, use: Use, time_ns: int) -> None:
        if time_ns > self.last_ns:
            self.last_ns, self.last = time_ns, use.time
        if use.by:
            self.pods[use.by] = max(self.pods.get(use.by, 0), time_ns)
            if len(self.pods) > 4 * _MOST_PODS:
                self.pods = dict(sorted(self.pods.items(), key=lambda one: (-one[1], one[0]))[:_MOST_PODS])

    @property
    def used_by(self) -> tuple[str, ...]:
        newest = sorted(self.pods.items(), key=lambda one: (-one[1], one[0]))
        return tuple(sorted(name for name, _ in newest[:_MOST_PODS]))


def identities(
    snapshot: Snapshot,
    templates: Sequence[Template],
    uses: Iterable[Use] = (),
    *,
    cloud_since: str = "",
    cluster_since: str = "",
    principals_since: str | None = None,
    days: int = UNUSED_DAYS,
) -> tuple[IdentityUse, ...]:
    """All identities: those of the cloud and service accounts, unused and reachable first. `cloud_since`, `principals_since`
    (where service principals have another) and `cluster_since` are from when on the given uses are complete, empty where
    nobody says."""
    known_since = _Since(
        cloud_since, cloud_since if principals_since is None else principals_since, cluster_since
    )
    known = lookup(snapshot)
    lives = _lives(known, uses)
    reach = _reach(known, templates)
    now = _ns(snapshot.taken_at) or max((life.last_ns for life in lives.values()), default=0)
    found = []
    for id_, name, kind, ids, roles in (*_of_cloud(known, reach), *_of_cluster(known, templates)):
        life = lives.get(id_) or _Life()
        since = known_since.of(kind)
        found.append(
            IdentityUse(
                id=id_,
                kind=kind,
                name=name,
                ids=ids,
                last_used=life.last,
                used_by=life.used_by,
                since=since,
                pods=sum(max(templates[index].pods, 0) for index in reach.get(id_, ())),
                roles=roles,
                unused=_unused(life.last_ns, _ns(since), now, days),
                reached_by=_reached_by(templates, reach.get(id_, ())),
            )
        )
    return tuple(sorted(found, key=_order))


class _Since(NamedTuple):
    managed: str
    principals: str
    cluster: str

    def of(self, kind: str) -> str:
        """From when on the uses of a kind of identity are complete. One that nobody listed may be of either kind."""
        if kind == "service-account":
            return self.cluster
        if kind.endswith("-assigned"):
            return self.managed
        if kind == "unlisted":
            both = sorted((self.managed, self.principals), key=_ns)
            return both[1] if _ns(both[0]) else ""
        return self.principals


def _reached_by(templates: Sequence[Template], indexes: Iterable[int]) -> tuple[str, ...]:
    """Ids of these templates, those of the most pods first."""
    most = sorted(indexes, key=lambda index: (-templates[index].pods, index))[:_MOST_REACHING]
    return tuple(pod_id(one.namespace, one.kind, one.name) for one in map(templates.__getitem__, most))


def _ns(text: str) -> int:
    try:
        return to_ns(text) if text else 0
    except ValueError:
        return 0


def _unused(last_ns: int, since_ns: int, now: int, days: int) -> bool | None:
    """Not at all for `days`, as far as records tell; nothing where they do not reach back far enough to say."""
    if not now:
        return None
    begin = now - days * _DAY_NS
    if last_ns > begin:
        return False
    return True if since_ns and since_ns <= begin else None


def _order(one: IdentityUse) -> tuple[int, int, int, str]:
    """Unused and reachable, unused, unknown and reachable, then the rest; those with more roles and pods first."""
    state = 0 if one.unused else 2 if one.unused is None else 4
    return state + (one.pods == 0), -len(one.roles), -one.pods, one.id


def _lives(known: Lookup, uses: Iterable[Use]) -> dict[str, _Life]:
    lives: dict[str, _Life] = {}
    for use in uses:
        time_ns = _ns(use.time)
        if use.denied or not time_ns:
            continue
        for id_ in dict.fromkeys(_vertex(known, told) for told in use.ids if told):
            lives.setdefault(id_, _Life()).take(use, time_ns)
    return lives


def _vertex(known: Lookup, told: str) -> str:
    if told.startswith(_ACCOUNT):
        namespace, _, name = told.removeprefix(_ACCOUNT).partition(":")
        return service_account_id(namespace, name)
    return known.identity_id(told)


def _reach(known: Lookup, templates: Sequence[Template]) -> dict[str, set[int]]:
    """Templates by the identity that they reach by a credential of theirs: straight, by all tokens of their account, or by the
    metadata service of their pool."""
    places = {
        Holder(template, known).vertex: index
        for index, template in enumerate(templates)
        if credentials(template, known.snapshot)
    }
    held: dict[str, set[int]] = {}
    onward: dict[str, set[str]] = {}
    for one in edges(known.snapshot, templates):
        index = places.get(one.source)
        if index is not None:
            held.setdefault(one.target, set()).add(index)
        elif one.target != one.source:
            onward.setdefault(one.source, set()).add(one.target)
    waiting = [vertex for vertex in held if vertex in onward]
    while waiting:
        vertex = waiting.pop()
        for target in onward[vertex]:
            before = held.setdefault(target, set())
            if not held[vertex] <= before:
                before |= held[vertex]
                if target in onward:
                    waiting.append(target)
    return held


_Told = tuple[str, str, str, tuple[str, ...], tuple[str, ...]]


def _of_cloud(known: Lookup, reach: dict[str, set[int]]) -> Iterable[_Told]:
    """Identities that are listed, and those that only a pod's annotation or a pool names."""
    listed = {}
    for identity in known.snapshot.cloud.identities:
        id_ = identity_vertex(identity)
        ids = tuple(
            told for told in (identity.client_id, identity.principal_id, identity.resource_id) if told
        )
        listed[id_] = (id_, identity.name, identity.kind, ids, _roles(known, ids))
    yield from listed.values()
    for id_ in reach:
        if id_.startswith(_CLOUD) and id_ not in listed:
            told = id_.removeprefix(_CLOUD)
            yield id_, told, "unlisted", (told,), _roles(known, (told,))


def _roles(known: Lookup, ids: Iterable[str]) -> tuple[str, ...]:
    found = {
        f"{assignment.role} at {assignment.scope}"
        for id_ in ids
        for _, assignment in known.assignments.get(id_.lower(), ())
    }
    return tuple(sorted(found)[:_MOST_ROLES])


def _of_cluster(known: Lookup, templates: Sequence[Template]) -> Iterable[_Told]:
    """Service accounts: those that are, and those that pods name."""
    snapshot = known.snapshot
    names = {
        (account.metadata.namespace or key.partition("/")[0], account.metadata.name)
        for key, account in snapshot.service_accounts.items()
    }
    for template in templates:
        name = template.spec.service_account_name or template.spec.service_account or "default"
        names.add((template.namespace, name))
    bound: dict[tuple[str, str], set[str]] = {}
    for bindings, place in ((snapshot.role_bindings, True), (snapshot.cluster_role_bindings, False)):
        for key, binding in bindings.items():
            where = (binding.metadata.namespace or key.partition("/")[0]) if place else ""
            role = f"{binding.role_ref.kind}/{binding.role_ref.name}" + (f" in {where}" if where else "")
            for one in binding.subjects or ():
                if one.kind == "ServiceAccount":
                    bound.setdefault((one.namespace, one.name), set()).add(role)
    for namespace, name in sorted(names):
        id_ = service_account_id(namespace, name)
        roles = tuple(sorted(bound.get((namespace, name), ()))[:_MOST_ROLES])
        yield id_, f"{namespace}/{name}", "service-account", (f"{_ACCOUNT}{namespace}:{name}",), roles
