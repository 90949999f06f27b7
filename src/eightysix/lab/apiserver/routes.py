"""What a path and a method ask for: the attributes that authorization and audit work with.

As apiserver's `pkg/endpoints/request/requestinfo.go` resolves them, traps included: a watch is a list with `watch=1`, a
list with `fieldSelector=metadata.name=x` has that name (so `resourceNames` of RBAC apply), and a namespace is in itself.
"""

from __future__ import annotations

from urllib.parse import unquote

from msgspec import Struct

from eightysix.lab.apiserver.messages import Request

__all__ = ["Asked", "asked_of", "is_true"]

_METHODS = {
    "POST": "create",
    "GET": "get",
    "HEAD": "get",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
}
_LONG = frozenset({"attach", "exec", "proxy", "log", "portforward"})
_OF_NAMESPACES = frozenset({"status", "finalize"})


class Asked(Struct, frozen=True):
    """What is asked for. `resource` is empty where the path is none of a resource."""

    verb: str
    path: str
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    rest: tuple[str, ...] = ()
    """What follows a subresource: the path of a proxied request."""

    @property
    def is_long(self) -> bool:
        """Whether the audit has an event of its own for the beginning of the answer."""
        return self.verb in ("watch", "proxy") or self.subresource in _LONG


def is_true(query: dict[str, str], name: str) -> bool:
    """A boolean parameter: present and not `false` or `0`."""
    return name in query and query[name].lower() not in ("false", "0")


def asked_of(request: Request) -> Asked:
    """What `request` asks for."""
    path = request.path
    verb = _METHODS.get(request.method, request.method.lower())
    plain = Asked(request.method.lower(), path)
    parts = [unquote(part) for part in path.strip("/").split("/")]
    if parts[0] == "api" and len(parts) >= 3:
        group, version, parts = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) >= 4:
        group, version, parts = parts[1], parts[2], parts[3:]
    else:
        return plain
    if parts[0] in ("watch", "proxy"):
        verb, parts = parts[0], parts[1:]
        if not parts:
            return plain
    namespace = ""
    if parts[0] == "namespaces" and len(parts) > 1:
        namespace = parts[1]
        if len(parts) > 2 and parts[2] not in _OF_NAMESPACES:
            parts = parts[2:]
    resource = parts[0]
    name = parts[1] if len(parts) > 1 else ""
    subresource = parts[2] if len(parts) > 2 else ""
    if not name and verb in ("get", "watch"):
        query = request.query()
        name = _exact_name(query.get("fieldSelector", ""))
        verb = "watch" if verb == "watch" or is_true(query, "watch") else "list"
    elif not name and verb == "delete":
        verb = "deletecollection"
    return Asked(verb, path, group, version, resource, subresource, namespace, name, tuple(parts[3:]))


def _exact_name(fields: str) -> str:
    for term in fields.split(","):
        for sign in ("==", "="):
            if term.startswith("metadata.name" + sign):
                return term[len("metadata.name" + sign) :]
    return ""
