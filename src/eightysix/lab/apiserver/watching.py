"""Watches: every change after a version as it happens, one JSON object a line.

Without a version (or with 0) the objects that there are come first, as ADDED. A version that the history no longer
reaches is answered by an ERROR event with 410, as a real API server does, and the stream ends. Bookmarks tell a quiet
watcher from where it may go on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

from eightysix.lab.apiserver.catalogue import Object, Resource
from eightysix.lab.apiserver.lists import full, selector_from
from eightysix.lab.apiserver.messages import Answer, Stream, as_json
from eightysix.lab.apiserver.rest import Call
from eightysix.lab.apiserver.routes import is_true
from eightysix.lab.apiserver.selectors import Selector
from eightysix.lab.apiserver.status import ApiError, expired
from eightysix.lab.apiserver.store import Change, Gone, Store, Stored
from eightysix.lab.apiserver.tables import Form, form_of, partial, table

__all__ = ["watch"]

_USUAL_S = 1800.0
"""How long a watch lasts that names no time: at least half an hour in a real one (`--min-request-timeout`)."""
_MOST_S = 24 * 3600.0
_TICK_S = 0.5
"""How often a quiet watch looks whether anybody still listens."""


class _Watch:
    """One watch."""

    def __init__(self, call: Call, store: Store, bookmark_s: float, clock: Callable[[], int]) -> None:
        self._resource: Resource = call.resource
        self._namespace = call.asked.namespace if call.resource.namespaced else ""
        self._selector: Selector = selector_from(call.resource, call.query)
        self._name = call.asked.name
        self._store = store
        self._form = form_of(call.accept)
        self._bookmarks = is_true(call.query, "allowWatchBookmarks")
        self._bookmark_s = bookmark_s
        self._tells_end = is_true(call.query, "sendInitialEvents")
        self._clock = clock
        self._heads = True

    def chunks(self, version: int | None, seconds: float) -> Iterator[bytes]:
        """The lines; an empty chunk where nothing happened."""
        end = time.monotonic() + seconds
        marked = time.monotonic()
        if version is None:
            with self._store.lock:
                held = self._store.page(self._resource, self._namespace, selector=self._selector)
                version = self._store.version
            yield b"".join(self._event("ADDED", stored) for stored in held.items if self._is_named(stored))
            if self._tells_end:
                yield self._bookmark(version, {"k8s.io/initial-events-end": "true"})
        yield b""
        while not self._store.closed and (left := end - time.monotonic()) > 0:
            try:
                changes = self._store.since(version)
            except Gone:
                yield self._error(expired(f"too old resource version: {version} ({self._store.version})"))
                return
            lines = [line for change in changes if (line := self._line(change))]
            version = changes[-1].version if changes else version
            if lines:
                yield b"".join(lines)
            elif self._bookmarks and time.monotonic() - marked > self._bookmark_s:
                marked = time.monotonic()
                yield self._bookmark(version)
            if not self._store.wait(version, min(left, _TICK_S)):
                yield b""
        if self._bookmarks:
            yield self._bookmark(version)

    def _is_named(self, stored: Stored) -> bool:
        return not self._name or stored.name == self._name

    def _line(self, change: Change) -> bytes:
        resource = self._resource
        if change.resource.plural != resource.plural or change.resource.group != resource.group:
            return b""
        if self._namespace and change.after.namespace != self._namespace or not self._is_named(change.after):
            return b""
        is_now = change.kind != "DELETED" and change.after.matches(self._selector)
        was = change.before is not None and change.before.matches(self._selector)
        if is_now:
            return self._event("MODIFIED" if was else "ADDED", change.after)
        return self._event("DELETED", change.after) if was else b""

    def _event(self, kind: str, stored: Stored) -> bytes:
        if self._form is Form.PLAIN:
            return b'{"type":"%s","object":%s}\n' % (kind.encode(), full(self._resource, stored))
        if self._form is Form.PARTIAL:
            return as_json({"type": kind, "object": partial(stored)})
        metadata: Object = {"resourceVersion": str(stored.version)}
        told = table(self._resource, [stored], metadata, self._clock(), heads=self._heads)
        self._heads = False
        return as_json({"type": kind, "object": told})

    def _bookmark(self, version: int, notes: Mapping[str, str] | None = None) -> bytes:
        metadata: Object = {"resourceVersion": str(version), "creationTimestamp": None}
        if notes:
            metadata["annotations"] = notes
        item = {"kind": self._resource.kind, "apiVersion": self._resource.api_version, "metadata": metadata}
        return as_json({"type": "BOOKMARK", "object": item})

    def _error(self, error: ApiError) -> bytes:
        return as_json({"type": "ERROR", "object": error.status()})


def _start(call: Call, version: int, store: Store) -> int | None:
    """The version after which a watch begins; None where it tells first what there is.

    With `sendInitialEvents` (KEP-3157, which informers of newer clients ask for) it is the client that decides, and a
    bookmark tells where what there was ends.
    """
    if "sendInitialEvents" not in call.query:
        return version or None
    if call.query.get("resourceVersionMatch") != "NotOlderThan":
        text = "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        raise ApiError(
            422, "Invalid", f'ListOptions.meta.k8s.io "" is invalid: sendInitialEvents: {text}', {}
        )
    if is_true(call.query, "sendInitialEvents"):
        return None
    return version or store.version


def watch(call: Call, store: Store, bookmark_s: float, clock: Callable[[], int]) -> Answer:
    """The answer of a watch."""
    asked = call.query.get("resourceVersion", "")
    if asked and not (asked.isascii() and asked.isdigit() and len(asked) <= 18):
        raise ApiError(
            400,
            "BadRequest",
            f'resourceVersion: Invalid value: "{asked[:64]}": strconv.ParseUint: invalid syntax',
        )
    version = _start(call, int(asked or "0"), store)
    told = call.query.get("timeoutSeconds", "")
    seconds = (
        min(float(told), _MOST_S)
        if told.isascii() and told.isdigit() and len(told) < 12 and int(told)
        else _USUAL_S
    )
    one = _Watch(call, store, bookmark_s, clock)
    return Answer(200, stream=Stream(one.chunks(version, seconds)))
