"""Names and types of Secrets without what they hold, for whoever may list Secrets and wants that.

The right to list Secrets is the right to read them: Kubernetes has no lesser one, so no role that is shipped gives it and nothing
asks for it by itself. With other credentials the data still need not leave the API server: a table (what `kubectl get` shows)
has name, type and how many keys, and with `includeObject=None` nothing else, not even annotations, in which `kubectl
apply` keeps the whole object. Whose token a Secret is stands in an annotation; metadata alone is asked for those of that type.
A server that answers in another form than was asked for is not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Struct, field

from eightysix.serve.cluster.client import ClusterClient, Refused

__all__ = ["MAX_PAGES", "secrets_of"]

MAX_PAGES = 2_000
"""Of one namespace; 500 Secrets each."""

_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
_METADATA = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
_TOKEN = "kubernetes.io/service-account-token"  # noqa: S105 - a type
_TOKEN_OF = "kubernetes.io/service-account.name"  # noqa: S105 - an annotation


class _ListMeta(Struct, rename={"more": "continue"}):
    more: str | None = None


class _Column(Struct):
    name: str = ""


class _Row(Struct):
    cells: list[Any] = field(default_factory=list)


class _Table(Struct, rename="camel"):
    kind: str
    column_definitions: list[_Column] | None = None
    rows: list[_Row] | None = None
    metadata: _ListMeta | None = None


class _Meta(Struct, rename={"version": "resourceVersion"}):
    name: str = ""
    namespace: str = ""
    version: str = ""
    annotations: dict[str, str] | None = None


class _Partial(Struct):
    metadata: _Meta


class _Partials(Struct):
    kind: str
    items: list[_Partial] | None = None
    metadata: _ListMeta | None = None


_Known = TypeVar("_Known", _Table, _Partials)


def secrets_of(client: ClusterClient, namespace: str) -> Iterator[list[bytes]]:
    """Secrets of a namespace, a page at a time: objects with name, type and (of tokens) account alone. Raises `Refused` and
    `ClusterError`."""
    path = f"/api/v1/namespaces/{quote(namespace, safe='')}/secrets"
    for data in _pages(client, path, {"includeObject": "None"}, _TABLE):
        table = _decoded(data, _Table, "Table")
        names = [column.name.lower() for column in table.column_definitions or ()]
        if "name" not in names or "type" not in names:
            raise Refused(200, "its table of Secrets has no names and types")
        name, type_ = names.index("name"), names.index("type")
        yield [
            _object({"name": row.cells[name], "namespace": namespace}, row.cells[type_])
            for row in table.rows or ()
            if len(row.cells) > max(name, type_)
            and isinstance(row.cells[name], str)
            and isinstance(row.cells[type_], str)
        ]
    for data in _pages(client, path, {"fieldSelector": f"type={_TOKEN}"}, _METADATA):
        found = _decoded(data, _Partials, "PartialObjectMetadataList")
        yield [
            _object(
                {
                    "name": meta.name,
                    "namespace": namespace,
                    "resourceVersion": meta.version,
                    "annotations": {_TOKEN_OF: (meta.annotations or {}).get(_TOKEN_OF, "")},
                },
                _TOKEN,
            )
            for meta in (one.metadata for one in found.items or ())
        ]


def _pages(client: ClusterClient, path: str, query: dict[str, str], accept: str) -> Iterator[bytes]:
    more = ""
    for _ in range(MAX_PAGES):
        asked = {"limit": str(client.bounds.page), **query} | ({"continue": more} if more else {})
        data = client.ask(f"{path}?{urlencode(asked)}", accept)
        yield data
        try:
            before, more = more, (msgspec.json.decode(data, type=_More).metadata or _ListMeta()).more or ""
        except (ValueError, RecursionError):
            raise Refused(200, "its answer is no list") from None
        if not more or more == before:
            return


class _More(Struct):
    metadata: _ListMeta | None = None


def _decoded(data: bytes, type_: type[_Known], kind: str) -> _Known:
    try:
        found = msgspec.json.decode(data, type=type_)
    except (ValueError, RecursionError):
        raise Refused(200, "its answer is no list without data") from None
    if found.kind != kind:
        raise Refused(200, "its answer is no list without data")
    return found


def _object(metadata: dict[str, Any], type_: str) -> bytes:
    return msgspec.json.encode({"metadata": metadata, "type": type_})
