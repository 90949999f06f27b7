"""Lists and single objects as they are answered: pages with continue tokens, tables, and metadata alone.

A continue token names the version and the key that it goes on at. A real one is opaque too, and is refused as expired
(410) once etcd has compacted its version; here that is when the history no longer reaches back.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable

import msgspec
from msgspec import Struct

from eightysix.lab.apiserver.catalogue import Object, Resource
from eightysix.lab.apiserver.messages import Answer, as_json, json_answer
from eightysix.lab.apiserver.selectors import Selector, selector_of
from eightysix.lab.apiserver.status import ApiError, bad_request, expired
from eightysix.lab.apiserver.store import Gone, Page, Store, Stored
from eightysix.lab.apiserver.tables import Form, form_of, partial, table

__all__ = ["full", "list_objects", "one", "selector_from"]

_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)


class _Token(Struct, rename={"version": "rv"}):
    v: str
    version: int
    start: str


_read_token: Callable[[bytes], _Token] = msgspec.json.Decoder(_Token).decode


def _token(version: int, start: str) -> str:
    text = msgspec.json.encode(_Token("meta.k8s.io/v1", version, start))
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def _read(text: str) -> _Token:
    try:
        return _read_token(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, binascii.Error, RecursionError) as error:
        raise bad_request("continue key is not valid") from error


def _number(query: dict[str, str], name: str) -> int:
    text = query.get(name, "")
    if not text:
        return 0
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise ApiError(400, "BadRequest", f'strconv.ParseInt: parsing "{text[:64]}": invalid syntax')
    return int(text)


def selector_from(resource: Resource, query: dict[str, str]) -> Selector:
    """The selector that the parameters write."""
    return selector_of(resource, query.get("labelSelector", ""), query.get("fieldSelector", ""))


def full(resource: Resource, stored: Stored) -> bytes:
    """An object as it stands alone: with its kind."""
    head = f'{{"kind":"{resource.kind}","apiVersion":"{resource.api_version}",'
    return head.encode() + stored.body[1:]


def one(
    resource: Resource, stored: Stored, accept: str, now: int, *, status: int = 200, told: bool = False
) -> Answer:
    """The answer of one object. `told` decodes it for an audit that keeps bodies."""
    form = form_of(accept)
    if form is Form.TABLE:
        return json_answer(status, table(resource, [stored], {"resourceVersion": str(stored.version)}, now))
    if form is Form.PARTIAL:
        return json_answer(status, partial(stored))
    kept = {"kind": resource.kind, "apiVersion": resource.api_version, **stored.read()} if told else None
    return Answer(status, full(resource, stored) + b"\n", told=kept)


def list_objects(
    store: Store,
    resource: Resource,
    namespace: str,
    query: dict[str, str],
    accept: str,
    now: int,
    *,
    told: bool = False,
) -> Answer:
    """The answer of a list."""
    form = form_of(accept)
    page = _page(store, resource, namespace, query)
    metadata: Object = {"resourceVersion": str(page.version)}
    if page.next:
        metadata["continue"] = _token(page.version, page.next)
        if page.left is not None:
            metadata["remainingItemCount"] = page.left
    if form is Form.TABLE:
        bare = query.get("includeObject") == "None"
        return json_answer(200, table(resource, page.items, metadata, now, bare=bare))
    if form is Form.PARTIAL:
        return json_answer(
            200,
            {
                "kind": "PartialObjectMetadataList",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": metadata,
                "items": [partial(stored) for stored in page.items],
            },
        )
    head = as_json({"kind": f"{resource.kind}List", "apiVersion": resource.api_version, "metadata": metadata})
    if resource.custom:  # a server that does not know the type keeps it in every item
        items = b",".join(full(resource, stored) for stored in page.items)
    else:
        items = b",".join(stored.body for stored in page.items)
    body = b"".join((head[:-2], b',"items":[', items, b"]}\n"))
    return Answer(200, body, told=msgspec.json.decode(body, type=dict) if told else None)


def _page(store: Store, resource: Resource, namespace: str, query: dict[str, str]) -> Page:
    selector = selector_from(resource, query)
    limit = _number(query, "limit")
    version, match = _number(query, "resourceVersion"), query.get("resourceVersionMatch", "")
    if query.get("continue"):
        return _continued(store, resource, namespace, selector, limit, query)
    if match not in ("", "Exact", "NotOlderThan") or (match and "resourceVersion" not in query):
        raise bad_request("resourceVersionMatch is forbidden unless resourceVersion is provided")
    if version > store.version:
        raise ApiError(
            504,
            "Timeout",
            f"Too large resource version: {version}, current: {store.version}",
            {"causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]},
        )
    exact = version if match == "Exact" or (version and limit and not match) else 0
    try:
        return store.page(resource, namespace, selector=selector, limit=limit, version=exact)
    except Gone as error:
        raise expired("The resourceVersion for the provided list is too old.") from error


def _continued(
    store: Store, resource: Resource, namespace: str, selector: Selector, limit: int, query: dict[str, str]
) -> Page:
    if query.get("resourceVersion", "0") not in ("", "0"):
        raise bad_request("specifying resource version is not allowed when using continue")
    token = _read(query["continue"])
    version = max(token.version, 0)
    try:
        return store.page(
            resource, namespace, selector=selector, limit=limit, start=token.start, version=version
        )
    except Gone as error:
        raise expired(_TOO_OLD, _token(-1, token.start)) from error
