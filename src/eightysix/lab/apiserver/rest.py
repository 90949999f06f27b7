"""What each verb does to the objects: get, list, create, update, patch, delete, deletecollection.

Every write is done under the store's lock, so that what was checked still holds when it is written.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import Struct

from eightysix.lab.apiserver import names, patches, protobuf
from eightysix.lab.apiserver.admission import Admission
from eightysix.lab.apiserver.audit import Trail, second_time
from eightysix.lab.apiserver.catalogue import Object, Resource
from eightysix.lab.apiserver.lists import list_objects, one, selector_from
from eightysix.lab.apiserver.messages import Answer, Request, User, json_answer
from eightysix.lab.apiserver.routes import Asked
from eightysix.lab.apiserver.status import (
    ApiError,
    already_exists,
    bad_request,
    conflict,
    not_found,
    refused_method,
    success,
)
from eightysix.lab.apiserver.store import Store, Stored

__all__ = ["Call", "Rest", "read_body"]

_PROTOBUF = "application/vnd.kubernetes.protobuf"
_GRACEFUL = frozenset({"pods"})
_OWN = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")


class Call(Struct, frozen=True):
    """A request on its way: what it asks for, of which resource, by whom, and the trail that it leaves."""

    request: Request
    asked: Asked
    resource: Resource
    user: User
    trail: Trail
    query: dict[str, str]

    @property
    def tells(self) -> bool:
        """Whether the audit keeps what is answered."""
        return self.trail.level == "RequestResponse"

    @property
    def accept(self) -> str:
        """Which forms the client takes."""
        return self.request.header("accept")

    @property
    def dry(self) -> bool:
        """Whether nothing is to be written."""
        return "dryRun" in self.query


def read_body(request: Request) -> Object:
    """The object that a request sends: JSON, or protobuf of some kinds. YAML is refused."""
    kind = request.header("content-type").partition(";")[0].strip()
    if kind == _PROTOBUF:
        try:
            return protobuf.decode(request.body)
        except protobuf.Unreadable as error:
            raise _unspoken(f" ({error})") from error
    if kind not in ("", "application/json", "*/*"):
        raise _unspoken()
    try:
        value = msgspec.json.decode(request.body)
    except (ValueError, RecursionError) as error:
        raise bad_request(
            f"the object provided is unrecognized (must be of type json): {str(error)[:200]}"
        ) from error
    if not isinstance(value, dict):
        raise bad_request("the object provided is unrecognized (must be of type json): it is no object")
    return value


def _unspoken(why: str = "") -> ApiError:
    text = (
        "the body of the request was in an unknown format - accepted media types include: application/json, "
        f"{_PROTOBUF}{why}"
    )
    return ApiError(415, "UnsupportedMediaType", text, {})


class Rest:
    """The verbs on stored objects."""

    def __init__(self, store: Store, admission: Admission, clock: Callable[[], int]) -> None:
        self._store = store
        self._admission = admission
        self._clock = clock

    def serve(self, call: Call) -> Answer:
        """Do what is asked. Watches and subresources that are no part of an object go elsewhere."""
        doing = {
            "get": self._get,
            "list": self._list,
            "create": self._create,
            "update": self._update,
            "patch": self._patch,
            "delete": self._delete,
            "deletecollection": self._delete_all,
        }.get(call.asked.verb)
        if doing is None:
            raise refused_method()
        return doing(call)

    def _held(self, call: Call) -> Stored:
        resource, asked = call.resource, call.asked
        namespace = asked.namespace if resource.namespaced else ""
        stored = self._store.get(resource, namespace, asked.name)
        if stored is None:
            raise not_found(resource, asked.name)
        return stored

    def _get(self, call: Call) -> Answer:
        return one(call.resource, self._held(call), call.accept, self._clock(), told=call.tells)

    def _list(self, call: Call) -> Answer:
        namespace = call.asked.namespace if call.resource.namespaced else ""
        return list_objects(
            self._store, call.resource, namespace, call.query, call.accept, self._clock(), told=call.tells
        )

    def _create(self, call: Call) -> Answer:
        resource = call.resource
        if call.asked.name or (resource.namespaced and not call.asked.namespace):
            raise refused_method()
        item = self._sent(call)
        call.trail.took(item)
        with self._store.lock:
            item = names.made(resource, item, call.asked.namespace, self._clock())
            name = item["metadata"]["name"]
            self._admission.creates(call.user, resource, item)
            if self._store.get(resource, item["metadata"].get("namespace", ""), name) is not None:
                raise already_exists(resource, name)
            if call.dry:
                return json_answer(201, item)
            stored = self._store.put(resource, item)
            self._admission.created(resource, stored)
        return one(resource, stored, call.accept, self._clock(), status=201, told=call.tells)

    def _sent(self, call: Call) -> Object:
        item = read_body(call.request)
        resource = call.resource
        kind, version = item.get("kind"), item.get("apiVersion")
        if (kind and kind != resource.kind) or (version and version != resource.api_version):
            raise bad_request(
                f"the API version in the data ({version}) does not match the expected API version "
                f"({resource.api_version})"
                if version != resource.api_version
                else f'{kind} in version "{resource.version}" cannot be handled as a {resource.kind}: '
                f'no kind "{kind}" is registered for version "{resource.api_version}"'
            )
        return item

    def _update(self, call: Call) -> Answer:
        if not call.asked.name:
            raise refused_method()
        item = self._sent(call)
        call.trail.took(item)
        metadata = item.get("metadata")
        if not isinstance(metadata, dict) or metadata.get("name") != call.asked.name:
            told = metadata.get("name") if isinstance(metadata, dict) else ""
            raise bad_request(
                f"the name of the object ({told}) does not match the name on the URL ({call.asked.name})"
            )
        with self._store.lock:
            held = self._held(call)
            return self._replace(call, held, item)

    def _patch(self, call: Call) -> Answer:
        change = patches.reader(call.request)
        call.trail.took_patch(change.told)
        with self._store.lock:
            held = self._held(call)
            before = {"kind": call.resource.kind, "apiVersion": call.resource.api_version, **held.read()}
            item = change.apply(before)
            metadata = item.get("metadata")
            if not isinstance(metadata, dict) or metadata.get("name") != held.name:
                raise bad_request("the name of the object may not be changed")
            if metadata.get("resourceVersion") == str(held.version):
                metadata.pop("resourceVersion")
            return self._replace(call, held, item)

    def _replace(self, call: Call, held: Stored, item: Object) -> Answer:
        """Write `item` in place of `held`: of a status its status alone, else everything but the status."""
        resource, name = call.resource, held.name
        before = held.read()
        metadata = item["metadata"]
        asked = metadata.get("resourceVersion")
        if asked and asked != str(held.version):
            raise conflict(resource, name)
        if metadata.get("uid", held.uid) != held.uid:
            why = (
                f"Precondition failed: UID in precondition: {metadata['uid']}, UID in object meta: {held.uid}"
            )
            raise conflict(resource, name, why)
        for key in _OWN:
            metadata.pop(key, None)
            if key in before["metadata"]:
                metadata[key] = before["metadata"][key]
        if resource.namespaced:
            metadata["namespace"] = held.namespace
        item = self._parts(call, before, item)
        names.validate(resource, item)
        self._admission.updates(call.user, resource, before, item, call.asked.subresource)
        if call.dry:
            return json_answer(200, {"kind": resource.kind, "apiVersion": resource.api_version, **item})
        stored = self._store.put(resource, item)
        self._admission.created(resource, stored)
        metadata = item["metadata"]
        if "deletionTimestamp" in metadata and not metadata.get("finalizers"):
            stored = self._store.remove(resource, stored)
        return one(resource, stored, call.accept, self._clock(), told=call.tells)

    def _parts(self, call: Call, before: Object, item: Object) -> Object:
        subresource = call.asked.subresource
        if subresource == "status":
            return {**before, "status": item.get("status", {})}
        if subresource in ("", "finalize"):
            if "status" in call.resource.subresources and "status" in before:
                item["status"] = before["status"]
            return item
        if subresource == "ephemeralcontainers":
            spec = item.get("spec")
            added = spec.get("ephemeralContainers", []) if isinstance(spec, dict) else []
            return {**before, "spec": {**before["spec"], "ephemeralContainers": added}}
        return {**before, "metadata": item["metadata"], "spec": item.get("spec", before.get("spec", {}))}

    def _delete(self, call: Call) -> Answer:
        options = read_body(call.request) if call.request.body else {}
        call.trail.took_patch(options)
        with self._store.lock:
            held = self._held(call)
            wanted = options.get("preconditions")
            if isinstance(wanted, dict):
                if wanted.get("uid", held.uid) != held.uid:
                    why = f"Precondition failed: UID in precondition: {wanted['uid']}, UID in object meta: {held.uid}"
                    raise conflict(call.resource, held.name, why)
                if str(wanted.get("resourceVersion", held.version)) != str(held.version):
                    raise conflict(call.resource, held.name)
            gone, done = self.end(call, held)
        if call.resource.plural in _GRACEFUL or not done:
            return one(call.resource, gone, call.accept, self._clock(), told=call.tells)
        return json_answer(200, success(call.resource, held.name, held.uid))

    def end(self, call: Call, held: Stored) -> tuple[Stored, bool]:
        """End an object; one with finalizers waits for them. The object as it is answered, and whether it is gone."""
        item = held.read()
        metadata = item["metadata"]
        if call.dry:
            return held, True
        metadata.setdefault("deletionTimestamp", second_time(self._clock()))
        if call.resource.plural in _GRACEFUL:
            metadata.setdefault(
                "deletionGracePeriodSeconds", item.get("spec", {}).get("terminationGracePeriodSeconds", 30)
            )
        if metadata.get("finalizers"):
            return self._store.put(call.resource, item), False
        marked = self._store.put(call.resource, item) if call.resource.plural in _GRACEFUL else held
        self._store.remove(call.resource, marked)
        self._admission.deleted(call.resource, marked)
        return marked, True

    def _delete_all(self, call: Call) -> Answer:
        if call.request.body:
            call.trail.took_patch(read_body(call.request))
        namespace = call.asked.namespace if call.resource.namespaced else ""
        selector = selector_from(call.resource, call.query)
        with self._store.lock:
            found = self._store.page(call.resource, namespace, selector=selector).items
            for held in found:
                self.end(call, held)
            version = str(self._store.version)
        body = b",".join(held.body for held in found)
        head = (
            f'{{"kind":"{call.resource.kind}List","apiVersion":"{call.resource.api_version}",'
            f'"metadata":{{"resourceVersion":"{version}"}},"items":['
        )
        return Answer(200, head.encode() + body + b"]}\n")
