"""Objects in memory with resource versions, their history for watches, and consistent pages, as etcd holds them.

An object is kept as its JSON text without `kind` and `apiVersion` (that is how lists have it), with what selectors need
beside it: 20,000 pods of 3 KB take 3 KB each, and a page of a list is put together without decoding one of them.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

import msgspec
from msgspec import Struct

from eightysix.lab.apiserver.catalogue import Object, Resource
from eightysix.lab.apiserver.selectors import Selector, fields_of

__all__ = ["MOST_BYTES", "Change", "Full", "Gone", "Key", "Page", "Store", "Stored", "key_of"]

Key: TypeAlias = str
"""`namespace/name`, or the name of what has no namespace: sorts as keys in etcd."""

_decode: Callable[[bytes], Object] = msgspec.json.Decoder(dict).decode
_encode = msgspec.json.Encoder().encode


MOST_BYTES = 1 << 30
"""What all objects together may be: 300,000 pods. etcd has a quota of 2 GiB by default, up to 8."""
_MOST_OF_ONE = 3 << 19
"""What one object may be: etcd's `--max-request-bytes`, 1.5 MiB."""
_MOST_HISTORY_BYTES = 256 << 20


class Full(Exception):  # noqa: N818 - what the store is
    """There is no room for what is to be written; the text is etcd's."""


class Gone(Exception):  # noqa: N818 - what HTTP calls it
    """The version that was asked for is no longer held."""


class Stored(Struct, frozen=True):
    """An object as it was at `version`. `body` is its JSON without kind and apiVersion."""

    namespace: str
    name: str
    uid: str
    version: int
    labels: Mapping[str, str]
    fields: Mapping[str, str]
    body: bytes

    def read(self) -> Object:
        """The object, decoded anew: the caller may change it."""
        return _decode(self.body)

    def matches(self, selector: Selector) -> bool:
        """Whether a selector asks for it."""
        if not selector:
            return True
        known = {**self.fields, "metadata.name": self.name, "metadata.namespace": self.namespace}
        return selector.matches(self.labels, known)


class Change(Struct, frozen=True):
    """One write: what there was, what there is since. Deleted objects have an `after` with the version of the deletion."""

    version: int
    kind: str
    resource: Resource
    key: Key
    before: Stored | None
    after: Stored


class Page(Struct, frozen=True):
    """Part of a list as of `version`; `next` is the key that the rest starts at, and `left` its size where that is known."""

    items: list[Stored]
    version: int
    next: Key = ""
    left: int | None = None


class _Shelf:
    """The objects of one resource, sorted."""

    def __init__(self) -> None:
        self.objects: dict[Key, Stored] = {}
        self.keys: list[Key] = []
        self.changed = 0

    def put(self, key: Key, stored: Stored) -> None:
        if key not in self.objects:
            insort(self.keys, key)
        self.objects[key] = stored
        self.changed = stored.version

    def take(self, key: Key) -> None:
        del self.objects[key]
        del self.keys[bisect_left(self.keys, key)]


def key_of(namespace: str, name: str) -> Key:
    """The key of an object."""
    return f"{namespace}/{name}" if namespace else name


_NO_LABELS: Mapping[str, str] = {}


class Store:
    """The objects. Every method is safe to call from any thread; `lock` is held around a read with its write."""

    def __init__(self, history: int = 50_000, most_bytes: int = MOST_BYTES) -> None:
        self.lock = threading.RLock()
        self._changed = threading.Condition(self.lock)
        self._shelves: dict[tuple[str, str], _Shelf] = {}
        self._history: list[Change] = []
        self._most = history
        self._most_bytes = most_bytes
        self._bytes = 0
        self._history_bytes = 0
        self._version = 1
        self._oldest = 1
        """Versions from this one on can be told in full."""
        self.closed = False

    @property
    def version(self) -> int:
        """The version of the last write."""
        return self._version

    def _shelf(self, resource: Resource) -> _Shelf:
        key = (resource.group, resource.plural)
        shelf = self._shelves.get(key)
        if shelf is None:
            shelf = self._shelves.setdefault(key, _Shelf())
        return shelf

    def get(self, resource: Resource, namespace: str, name: str) -> Stored | None:
        """The object, or None."""
        return self._shelf(resource).objects.get(key_of(namespace, name))

    def count(self, resource: Resource) -> int:
        """How many there are."""
        return len(self._shelf(resource).keys)

    def changed(self, *resources: Resource) -> int:
        """The version of the last write to any of `resources`."""
        return max(self._shelf(resource).changed for resource in resources)

    def all(self, resource: Resource, namespace: str = "") -> list[Stored]:
        """Every object, of one namespace or of all."""
        return self.page(resource, namespace).items

    def put(self, resource: Resource, item: Object, *, silent: bool = False) -> Stored:
        """Write an object (it gets the next version), new or in place of the old. `silent` leaves no history: the world
        that there was before the server started."""
        with self.lock:
            metadata = item["metadata"]
            key = key_of(metadata.get("namespace", ""), metadata["name"])
            shelf = self._shelf(resource)
            before = shelf.objects.get(key)
            stored = self._make(resource, item, len(before.body) if before is not None else 0)
            shelf.put(key, stored)
            if silent:
                self._oldest = self._version
            else:
                self._note("MODIFIED" if before else "ADDED", resource, key, before, stored)
            return stored

    def remove(self, resource: Resource, stored: Stored) -> Stored:
        """Take an object away; what is returned has the version of the deletion."""
        with self.lock:
            key = key_of(stored.namespace, stored.name)
            before = self._shelf(resource).objects[key]
            gone = self._make(resource, before.read(), len(before.body))
            self._shelf(resource).take(key)
            self._bytes -= len(gone.body)
            self._shelf(resource).changed = gone.version
            self._note("DELETED", resource, key, before, gone)
            return gone

    def _make(self, resource: Resource, item: Object, held: int) -> Stored:
        """The object as of the next version, in place of one of `held` bytes."""
        metadata = item["metadata"]
        metadata["resourceVersion"] = str(self._version + 1)
        body = _encode({key: value for key, value in item.items() if key not in ("kind", "apiVersion")})
        if len(body) > max(held, _MOST_OF_ONE):
            raise Full("etcdserver: request is too large")
        if len(body) > held + 64 and self._bytes - held + len(body) > self._most_bytes:
            raise Full("etcdserver: mvcc: database space exceeded")
        self._bytes += len(body) - held
        self._version += 1
        return Stored(
            namespace=metadata.get("namespace", ""),
            name=metadata["name"],
            uid=metadata.get("uid", ""),
            version=self._version,
            labels=metadata.get("labels") or _NO_LABELS,
            fields=fields_of(resource, item),
            body=body,
        )

    def _note(self, kind: str, resource: Resource, key: Key, before: Stored | None, after: Stored) -> None:
        self._history.append(Change(after.version, kind, resource, key, before, after))
        self._history_bytes += len(after.body)
        while len(self._history) > self._most or self._history_bytes > _MOST_HISTORY_BYTES and self._history:
            self._forget((len(self._history) + 1) // 2)
        self._changed.notify_all()

    def _forget(self, count: int) -> None:
        if count:
            self._oldest = self._history[count - 1].version
            self._history_bytes -= sum(len(change.after.body) for change in self._history[:count])
            del self._history[:count]

    def compact(self) -> None:
        """Forget what was: older continue tokens and watches are refused as expired from now on."""
        with self.lock:
            self._forget(len(self._history))
            self._oldest = self._version

    def page(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        selector: Selector | None = None,
        limit: int = 0,
        start: Key = "",
        version: int = 0,
    ) -> Page:
        """Objects from the key `start` on, as they were at `version` (0: as they are). Raises `Gone`."""
        with self.lock:
            shelf = self._shelf(resource)
            now = version or self._version
            was = self._undone(resource, now)
            keys = sorted({*shelf.keys, *was}) if was else shelf.keys
            prefix = f"{namespace}/" if namespace else ""
            at = bisect_left(keys, max(start, prefix))
            last = bisect_left(keys, f"{namespace}0") if namespace else len(keys)  # "0" follows "/"
            items: list[Stored] = []
            while at < last:
                key = keys[at]
                stored = was[key] if key in was else shelf.objects.get(key)
                if stored is not None and (selector is None or stored.matches(selector)):
                    if limit and len(items) == limit:
                        break
                    items.append(stored)
                at += 1
            if at >= last:
                return Page(items, now)
            left = sum(1 for key in keys[at:last] if was.get(key, key) is not None) if was else last - at
            return Page(items, now, keys[at], None if selector else left)

    def _undone(self, resource: Resource, version: int) -> dict[Key, Stored | None]:
        """What was otherwise at `version`: objects by key, None where there was none."""
        if version < self._oldest:
            raise Gone
        was: dict[Key, Stored | None] = {}
        for change in reversed(self._history):
            if change.version <= version:
                break
            if change.resource.plural == resource.plural and change.resource.group == resource.group:
                was[change.key] = change.before
        return was

    def since(self, version: int) -> list[Change]:
        """Every write after `version`. Raises `Gone`."""
        with self.lock:
            if version < self._oldest:
                raise Gone
            at = bisect_left(self._history, version + 1, key=lambda change: change.version)
            return self._history[at:]

    def wait(self, version: int, seconds: float) -> bool:
        """Wait until there is something after `version`, or the store is closed; whether there is."""
        with self.lock:
            self._changed.wait_for(lambda: self._version > version or self.closed, seconds)
            return self._version > version

    def close(self) -> None:
        """Wake everybody up: nothing more will come."""
        with self.lock:
            self.closed = True
            self._changed.notify_all()

    def resources(self) -> Iterator[tuple[str, str]]:
        """Group and plural of what is held."""
        with self.lock:
            yield from [key for key, shelf in self._shelves.items() if shelf.keys]
