"""Bytes to a `Snapshot`: objects of `kubectl get -o json`, JSON Lines, manifests, rendered charts, answers of `az`, in any
mixture and any order.

What cannot be used is a problem with its file and name, and costs itself alone; kinds that mean nothing here are counted.
Of one object told several times the latest `resourceVersion` stays, whichever came first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct, field

from eightysix.model.incident import Problem
from eightysix.model.posture import NotSeen
from eightysix.posture.absent import not_given
from eightysix.posture.azure import CloudBuilder
from eightysix.posture.builtin import with_builtin
from eightysix.posture.decoding import (
    CUSTOM_KINDS,
    Bytes,
    Specs,
    Told,
    UnusableError,
    decode,
    decode_custom,
    decode_maker,
    has_template,
    is_known,
    rank,
)
from eightysix.posture.homes import Homes
from eightysix.posture.objects import Named
from eightysix.posture.snapshot import Snapshot
from eightysix.posture.yamldocs import read_documents

__all__ = ["MAX_OBJECTS", "MAX_PROBLEMS", "SnapshotBuilder"]

MAX_PROBLEMS: Final = 1_000
"""Problems that are kept; all are counted."""

MAX_OBJECTS: Final = 4_000_000
"""Objects of one kind that are kept: more than any API server holds."""

_KEYED_BY_KIND: Final = frozenset({"workloads", "custom"})
_ABSENT: Final = msgspec.Raw(b"null")


class _Head(Struct, rename="camel"):
    kind: str | None = None
    api_version: str | None = None
    items: msgspec.Raw = _ABSENT
    value: msgspec.Raw = _ABSENT
    metadata: msgspec.Raw = _ABSENT


_several = msgspec.json.Decoder(list[msgspec.Raw]).decode
_head = msgspec.json.Decoder(_Head).decode
_names = msgspec.json.Decoder(Named).decode


class _Place(NamedTuple):
    """Where a record is from."""

    file: str
    line: int


class SnapshotBuilder(Struct):
    """Takes records; `snapshot` is what they make. `kinds` counts objects that were used, `unknown` those that mean nothing
    here. With `manifests` what only a cluster has is not told as missing. While `passing` is set, what is read lies beside
    objects and need not be any: what cannot be used of it is counted as unknown and no problem. `places` are file and line of
    objects that were read from files, by `Kind/namespace/name` as evidence names them. `namespace` is that of objects which
    name none; where it is not said, it is what bindings say of their accounts (`homes`)."""

    cluster: str = ""
    taken_at: str = ""
    server: str = ""
    manifests: bool = False
    namespace: str = ""
    kinds: dict[str, int] = field(default_factory=dict)
    unknown: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    malformed: int = 0
    passing: bool = False
    places: dict[str, tuple[str, int]] = field(default_factory=dict)
    _objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    _cloud: CloudBuilder = field(default_factory=CloudBuilder)
    _specs: Specs = field(default_factory=Specs)
    _given: set[str] = field(default_factory=set)
    _gaps: set[NotSeen] = field(default_factory=set)
    _homes: Homes = field(default_factory=Homes)
    _at: _Place | None = None

    def take(self, data: bytes, file: str = "", line: int = 1) -> None:
        """Take records, one a line. Never raises for what is in them."""
        for number, text in enumerate(data.split(b"\n"), line):
            if text.strip():
                self._at = _Place(file, number)
                self._record(text, self._at)

    def take_yaml(self, data: bytes, file: str = "", line: int = 1) -> None:
        """Take documents of YAML. Never raises for what is in them."""
        for document in read_documents(data, line):
            place = _Place(file, document.line)
            self._at = _Place(file, document.begins or document.line)
            if document.fault:
                self._problem(place, document.fault)
            elif not isinstance(document.value, dict | list):
                self._problem(place, "no object of Kubernetes")
            else:
                self._record(msgspec.json.encode(document.value), place)

    def take_items(self, kind: str, group: str, items: Sequence[Bytes], file: str) -> None:
        """Take objects of one kind, as an API server lists them: each without its own kind. The number of an object stands
        for its line."""
        self._given.add(kind)
        self._at = None
        for number, item in enumerate(items, 1):
            self._record(item, _Place(file, number), (kind, group), 1)

    def given(self, kind: str) -> None:
        """Note that all of a kind were asked for, if there are any or none."""
        self._given.add(kind)

    def namespaces(self) -> list[str]:
        """Names of the namespaces that were given so far."""
        return sorted(self._objects.get("namespaces", ()))

    def cloud_given(self, name: str) -> None:
        """Note that all of something of the cloud was asked for, if there is any or none."""
        self._cloud.given.add(name)

    def cloud_kinds(self) -> frozenset[str]:
        """What of the cloud was given so far."""
        return frozenset(self._cloud.given)

    def gap(self, what: str, why: str, close: str = "") -> None:
        """Note what could not be looked at."""
        if len(self._gaps) < MAX_PROBLEMS:
            self._gaps.add(NotSeen(what, why, close))

    def snapshot(self) -> Snapshot:
        """Everything that was taken. The order of objects is that of their names."""
        self._gaps.update(self._homes.settle(self._objects, self.places, rank))
        found: dict[str, Any] = {
            name: dict(sorted(objects.items())) for name, objects in self._objects.items()
        }
        custom: dict[str, list[Any]] = {}
        for key, item in found.pop("custom", {}).items():
            custom.setdefault(key.partition("/")[0], []).append(item)
        given = self._given | set(self.kinds)
        cloud = self._cloud.cloud()
        if "role_bindings" in found or "cluster_role_bindings" in found:
            found["cluster_roles"] = with_builtin(found.get("cluster_roles", {}))
        gaps = {*self._gaps}
        if not self.manifests:
            gaps.update(not_given(given, self._cloud.given, live=self._is_live()))
        if self.malformed:
            what = f"{self.malformed} record{'s' if self.malformed != 1 else ''} that could not be used"
            gaps.add(
                NotSeen(what, "what they would have told is missing", "see the problems told on reading")
            )
        return Snapshot(
            cluster=self.cluster,
            taken_at=self.taken_at,
            server=self.server,
            custom={kind: tuple(items) for kind, items in custom.items()},
            cloud=cloud,
            not_seen=tuple(sorted(gaps)),
            **found,
        )

    def _is_live(self) -> bool:
        return any(pod.metadata.uid for pod in self._objects.get("pods", {}).values())

    def _record(
        self, text: Bytes, place: _Place, known: tuple[str, str] | None = None, depth: int = 0
    ) -> None:
        try:
            if bytes(memoryview(text)[:64]).lstrip().startswith(b"["):
                self._members(_several(text), place, None, depth)
                return
            head = _head(text)
            if _there(head.items) and (head.kind or "List").endswith("List"):
                kind = (head.kind or "List").removesuffix("List")
                group = (head.api_version or "").rpartition("/")[0]
                if kind:
                    self._given.add(kind)
                self._members(_several(head.items), place, (kind, group) if kind else None, depth)
            elif _there(head.value) and head.kind is None and not _there(head.metadata):
                self._members(_several(head.value), place, None, depth)
            else:
                self._one(text, head, place, known)
        except (ValueError, RecursionError) as error:
            self._problem(place, _why(error))

    def _members(
        self, items: list[msgspec.Raw], place: _Place, known: tuple[str, str] | None, depth: int
    ) -> None:
        if depth >= 2:
            raise UnusableError("lists in lists")
        for item in items:
            self._record(item, place, known, depth + 1)

    def _one(self, text: Bytes, head: _Head, place: _Place, known: tuple[str, str] | None) -> None:
        group = (head.api_version or "").rpartition("/")[0]
        if head.kind is None and known is not None:
            kind, group = known if not group else (known[0], group)
        else:
            kind = head.kind or ""
        if not kind:
            name = self._cloud.take(text)
            self._count(self.kinds if name else self.unknown, name or "no kind")
            return
        try:
            _refuse_answers(kind)
            used = self._object(kind, group, head.api_version is None and known is None, text)
        except (ValueError, RecursionError) as error:
            self._problem(place, f"{kind[:64]}/{_called(head.metadata)}: {_why(error)}")
        else:
            self._count(self.kinds if used else self.unknown, kind)

    def _object(self, kind: str, group: str, groupless: bool, text: Bytes) -> bool:
        if is_known(kind, "" if groupless else group, anywhere=groupless):
            self._keep(kind, decode(kind, text, self._specs, self._missing))
            return True
        custom = kind in CUSTOM_KINDS
        if custom:
            self._keep(kind, decode_custom(kind, text, self._missing))
        maker = has_template(text)
        if maker:
            self._keep(kind, decode(kind, text, self._specs, self._missing))
        elif group and (told := decode_maker(kind, group, text, self._missing)) is not None:
            self._keep(kind, told)
            maker = True
        return custom or maker

    def _missing(self) -> str:
        """What stands for a missing namespace until everything is read."""
        self._homes.chosen = self.namespace
        return self._homes.missing(self._at.file if self._at is not None else None)

    def _keep(self, kind: str, told: Told) -> None:
        objects = self._objects.setdefault(told.where, {})
        before = objects.get(told.key)
        if before is None:
            if len(objects) >= MAX_OBJECTS:
                raise UnusableError(f"more than {MAX_OBJECTS} of its kind")
        elif rank(told.found) <= rank(before):
            return
        objects[told.key] = told.found
        if self._at is not None and self._at.file:
            self.places[told.key if told.where in _KEYED_BY_KIND else f"{kind}/{told.key}"] = self._at

    def _count(self, table: dict[str, int], name: str) -> None:
        called = name[:64]
        if called in table or len(table) < 1024:
            table[called] = table.get(called, 0) + 1

    def _problem(self, place: _Place, reason: str) -> None:
        if self.passing:
            self._count(self.unknown, "no object")
            return
        self.malformed += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(place.file, place.line, "malformed", reason))


_ANSWERS: Final = {
    "Status": "an error of the API server in place of objects",
    "Table": "a table for people: ask for the objects with -o json",
}


def _refuse_answers(kind: str) -> None:
    if kind in _ANSWERS:
        raise UnusableError(_ANSWERS[kind])


def _there(member: msgspec.Raw) -> bool:
    return bytes(memoryview(member)[:5]) != b"null"


def _called(metadata: msgspec.Raw) -> str:
    """What an object that cannot be used is called."""
    try:
        meta = _names(metadata) if _there(metadata) else Named()
    except (ValueError, RecursionError):
        return "of no usable name"
    name = meta.name[:253]
    return f"{meta.namespace[:253]}/{name}" if meta.namespace and name else name or "of no name"


def _why(error: Exception) -> str:
    """What is wrong, without any of the record's content."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, UnusableError):
        return str(error)
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8"
    kind = "wrongly typed" if isinstance(error, msgspec.ValidationError) else "not JSON"
    return f"{kind}: {error}"[:160]
