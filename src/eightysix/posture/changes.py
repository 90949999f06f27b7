"""Bindings and roles that came and went, as the audit log tells: what two snapshots do not show when it fell between them.

A request that makes, changes or removes one and was answered with success is a change; what it left is in the response, or
in the request where the policy logs no more (of a patch only the response has all of it). Dry runs change nothing. Names and
subjects are chosen by whoever sends requests: everything is bounded, and a bound that is hit is told (`full`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from eightysix.detect.wording import rfc3339
from eightysix.posture.objects import Binding, Role
from eightysix.sources.kubernetes_audit_records import AuditEvent, Record

__all__ = ["KINDS", "MAX_CHANGES", "Changes", "Life"]

MAX_CHANGES: Final = 200_000
"""Changes that are kept; a large cluster makes some hundreds a day."""

KINDS: Final[Mapping[str, str]] = {
    "rolebindings": "RoleBinding",
    "clusterrolebindings": "ClusterRoleBinding",
    "roles": "Role",
    "clusterroles": "ClusterRole",
}
"""By resource."""

_LONGEST: Final = 253
_MOST_BYTES: Final = 1 << 20
_VERBS: Final = frozenset({"create", "update", "patch", "delete"})

Object = Binding | Role
Key = tuple[str, str, str]
"""Kind, namespace (empty in the cluster), name."""


class Life(Struct, frozen=True):
    """One state of an object: from `since_ns` until `until_ns`, 0 where no record tells its end. `found` is nothing where the
    log does not say what it was; `maker` made it so."""

    key: Key
    found: Object | None
    since_ns: int
    until_ns: int
    maker: str


class _Change(Struct, frozen=True, order=True):
    time_ns: int
    gone: bool
    text: bytes
    maker: str


class Changes:
    """What changed, in any order and any repetition of the records."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, Key], set[_Change]] = {}
        self._count = 0
        self.full = False

    def of(self, is_of: Callable[[str], bool]) -> Changes:
        """The changes of clusters that logs call so."""
        found = Changes()
        found.full = self.full
        for (cluster, key), changes in self._found.items():
            if is_of(cluster):
                found._found.setdefault(("", key), set()).update(changes)
        return found

    def on_request(self, record: Record, audit: AuditEvent, cluster: str, time_ns: int) -> None:
        """Take one request to a cluster's API."""
        target, code = audit.target, audit.status.code if audit.status is not None else None
        if target is None or audit.verb not in _VERBS or target.subresource:
            return
        kind = KINDS.get(target.resource or "")
        if kind is None or code is None or not 200 <= code < 300 or _is_dry(audit.uri or ""):
            return
        gone = audit.verb == "delete"
        found = None if gone else _object(kind, audit)
        name = target.name or (found.metadata.name if found is not None else "")
        if not name or len(name) > _LONGEST:
            return
        if self._count >= MAX_CHANGES:
            self.full = True
            return
        namespace = "" if kind.startswith("Cluster") else (target.namespace or "")[:_LONGEST]
        maker = ((audit.user.username if audit.user is not None else None) or "")[:_LONGEST]
        changes = self._found.setdefault((cluster, (kind, namespace, name)), set())
        before = len(changes)
        changes.add(_Change(time_ns, gone, msgspec.msgpack.encode(found, order="deterministic"), maker))
        self._count += len(changes) - before

    def lives(self, kinds: Iterable[str]) -> Iterator[Life]:
        """States of objects of these kinds, those of one object in their order."""
        wanted = frozenset(kinds)
        for (_, key), changes in sorted(self._found.items()):
            if key[0] not in wanted:
                continue
            type_: Any = Binding if key[0].endswith("Binding") else Role
            ordered = sorted(changes)
            for number, change in enumerate(ordered):
                if change.gone:
                    continue
                after = ordered[number + 1].time_ns if number + 1 < len(ordered) else 0
                found = msgspec.msgpack.decode(change.text, type=type_ | None)
                yield Life(key, _placed(found, key), change.time_ns, after, change.maker)

    def removed(self) -> Iterator[tuple[Key, str]]:
        """Bindings whose end is told and whose making is not, and when they went."""
        for (_, key), changes in sorted(self._found.items()):
            first = min(changes)
            if first.gone and key[0].endswith("Binding"):
                yield key, rfc3339(first.time_ns)


def _placed(found: Object | None, key: Key) -> Object | None:
    """The object under its own name, whatever its body says."""
    if found is None:
        return None
    kind, namespace, name = key
    meta = msgspec.structs.replace(found.metadata, namespace=namespace, name=name, annotations=None)
    return msgspec.structs.replace(found, metadata=meta, cluster=kind.startswith("Cluster"))


def _is_dry(uri: str) -> bool:
    query = uri.partition("?")[2]
    return any(part.partition("=")[0] == "dryRun" for part in query.split("&"))


def _object(kind: str, audit: AuditEvent) -> Object | None:
    """What the request left: as the server answered; as it was asked for, where all of it was."""
    raws = [audit.response] if audit.verb == "patch" else [audit.response, audit.request]
    for raw in raws:
        found = _decoded(kind, raw)
        if found is not None:
            return found
    return None


def _decoded(kind: str, raw: msgspec.Raw) -> Object | None:
    """An object of this kind, also where a column has it as text; nothing for a status, or what cannot be read."""
    if not raw or len(memoryview(raw)) > _MOST_BYTES:
        return None
    try:
        data: Any = raw
        if bytes(memoryview(raw)[:1]) == b'"':
            data = msgspec.json.decode(raw, type=str)
        if kind.endswith("Binding"):
            binding = msgspec.json.decode(data, type=Binding)
            return binding if binding.role_ref.name else None
        role = msgspec.json.decode(data, type=Role)
        return role if role.rules is not None or role.aggregation_rule is not None else None
    except (ValueError, RecursionError):
        return None
