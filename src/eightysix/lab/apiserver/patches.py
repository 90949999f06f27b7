"""The three kinds of patch: JSON patch (RFC 6902), merge patch (RFC 7386), and the strategic one, approximated.

A strategic patch merges lists by the key that the type's definition names. The definitions are not here: lists whose
elements carry one of the usual keys are merged by it, others are replaced, and `$patch`, `$deleteFromPrimitiveList` are
honoured. Server-side apply is not spoken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from eightysix.lab.apiserver.catalogue import Object
from eightysix.lab.apiserver.messages import Request
from eightysix.lab.apiserver.status import ApiError, bad_request

__all__ = ["Patch", "reader"]

_MOST_OPERATIONS = 10_000
"""As a real API server takes of one JSON patch (handlers/patch.go)."""
_MOST_VALUES = 200_000
"""How many values the copies of one patch may make: `copy` doubles what it likes."""
_KEYS: Mapping[str, str] = {
    "containers": "name",
    "initContainers": "name",
    "ephemeralContainers": "name",
    "env": "name",
    "volumes": "name",
    "imagePullSecrets": "name",
    "secrets": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "ports": "containerPort",
    "hostAliases": "ip",
    "ownerReferences": "uid",
    "conditions": "type",
    "webhooks": "name",
    "topologySpreadConstraints": "topologyKey",
    "podIPs": "ip",
    "addresses": "type",
}
"""Patch merge keys by the name of the list (`patchMergeKey` in the API's definitions)."""


class Patch(Struct, frozen=True):
    """A patch: what was sent, and what it does to an object. `apply` raises where it cannot be."""

    told: object
    apply: Callable[[Object], Object]


def reader(request: Request) -> Patch:
    """The patch that a request sends."""
    kind = request.header("content-type").partition(";")[0].strip()
    if kind not in (
        "application/json-patch+json",
        "application/merge-patch+json",
        "application/strategic-merge-patch+json",
    ):
        raise ApiError(
            415,
            "UnsupportedMediaType",
            "the body of the request was in an unknown format - accepted media types include: "
            "application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json",
            {},
        )
    try:
        value = msgspec.json.decode(request.body)
    except (ValueError, RecursionError) as error:
        raise bad_request(f"error decoding patch: {str(error)[:200]}") from error
    if kind == "application/json-patch+json":
        if not isinstance(value, list):
            raise bad_request("error decoding patch: it is no list of operations")
        operations = value
        if len(operations) > _MOST_OPERATIONS:
            text = (
                f"The allowed maximum operations in a JSON patch is {_MOST_OPERATIONS}, got {len(operations)}"
            )
            raise ApiError(413, "RequestEntityTooLarge", text, {})
        return Patch(value, lambda item: _operated(item, operations))
    if not isinstance(value, dict):
        raise bad_request("error decoding patch: it is no object")
    merge = _merged if kind == "application/merge-patch+json" else _strategic
    return Patch(value, lambda item: _object(merge(item, value)))


def _object(value: object) -> Object:
    if not isinstance(value, dict):
        raise bad_request("the patch leaves no object")
    return value


def _merged(target: object, patch: object) -> object:
    if not isinstance(patch, dict):
        return patch
    found: Object = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = _merged(found.get(key), value)
    return found


def _strategic(target: object, patch: object) -> object:
    if not isinstance(patch, dict):
        return patch
    if patch.get("$patch") == "replace":
        return {key: value for key, value in patch.items() if key != "$patch"}
    if patch.get("$patch") == "delete":
        return {}
    found: Object = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if key.startswith("$deleteFromPrimitiveList/"):
            name = key.partition("/")[2]
            if isinstance(found.get(name), list) and isinstance(value, list):
                found[name] = [each for each in found[name] if each not in value]
        elif key.startswith("$"):
            continue
        elif value is None:
            found.pop(key, None)
        elif isinstance(value, list):
            found[key] = (
                _list(found.get(key), value, _KEYS.get(key, ""))
                if key in _KEYS
                else _primitives(found, key, value)
            )
        else:
            found[key] = _strategic(found.get(key), value)
    return found


def _primitives(found: Object, key: str, value: list[Any]) -> list[Any]:
    """A list without a merge key replaces; `finalizers` alone is a set that is added to."""
    held = found.get(key)
    if key != "finalizers" or not isinstance(held, list):
        return [each for each in value if each != {"$patch": "replace"}]
    return [*held, *(each for each in value if each not in held)]


def _list(held: object, patch: list[Any], key: str) -> list[Any]:
    if not all(isinstance(each, dict) for each in patch):
        return patch
    if any(each.get("$patch") == "replace" for each in patch):
        return [each for each in patch if each.get("$patch") != "replace"]
    found: list[Any] = [each for each in held if isinstance(each, dict)] if isinstance(held, list) else []
    places = {each.get(key): at for at, each in reversed(list(enumerate(found))) if _plain(each.get(key))}
    gone = set()
    for each in patch:
        name = each.get(key)
        if not _plain(name):
            raise bad_request(f"map: does not contain declared merge key: {key}")
        at = places.get(name)
        if each.get("$patch") == "delete":
            if at is not None:
                gone.add(at)
        elif at is None:
            places[name] = len(found)
            found.append(_strategic({}, each))
        else:
            found[at] = _strategic(found[at], each)
    return [each for at, each in enumerate(found) if at not in gone]


def _plain(value: object) -> bool:
    return isinstance(value, str | int)


def _operated(item: Object, operations: list[Any]) -> Object:
    root: Any = item
    budget = _MOST_VALUES
    for operation in operations:
        if not isinstance(operation, dict) or not isinstance(operation.get("path"), str):
            raise bad_request("error decoding patch: an operation without a path")
        kind, path = operation.get("op"), operation["path"]
        if kind in ("add", "replace", "test"):
            if "value" not in operation:
                raise _impossible(f"{kind} operation does not have a value: {path}")
            value, budget = _copied(operation["value"], budget)
        elif kind in ("copy", "move"):
            if not isinstance(operation.get("from"), str):
                raise _impossible(f"{kind} operation does not have a from: {path}")
            value, budget = _copied(_look(root, operation["from"]), budget)
            if kind == "move":
                root = _put(root, operation["from"], None, "remove")
        elif kind == "remove":
            value = None
        else:
            raise bad_request(f"error decoding patch: Unexpected kind: {str(kind)[:40]}")
        if kind == "test":
            if _look(root, path) != value:
                raise _impossible(f"testing value {path[:200]} failed: test failed")
            continue
        root = _put(root, path, value, "add" if kind in ("copy", "move") else kind)
    return _object(root)


def _copied(value: Any, budget: int) -> tuple[Any, int]:
    """A deep copy, as long as there is budget for its values."""
    budget -= 1
    if budget < 0:
        raise ApiError(413, "RequestEntityTooLarge", "the copies of a JSON patch take too much", {})
    if isinstance(value, dict):
        found = {}
        for key, each in value.items():
            found[key], budget = _copied(each, budget)
        return found, budget
    if isinstance(value, list):
        listed = []
        for each in value:
            one, budget = _copied(each, budget)
            listed.append(one)
        return listed, budget
    return value, budget


def _impossible(why: str) -> ApiError:
    return ApiError(
        422, "Invalid", f"the server rejected our request due to an error in our request: {why}", {}
    )


def _steps(path: str) -> list[str]:
    if path == "":
        return []
    if not path.startswith("/"):
        raise _impossible(f"bad pointer {path[:200]}")
    return [step.replace("~1", "/").replace("~0", "~") for step in path[1:].split("/")]


def _place(held: list[Any], step: str, most: int) -> int:
    if step == "-":
        return len(held)
    if not (step.isascii() and step.isdigit()) or len(step) > 9 or int(step) > most:
        raise _impossible(f"invalid index {step[:40]}")
    return int(step)


def _look(root: Any, path: str) -> Any:
    value = root
    for step in _steps(path):
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list):
            at = _place(value, step, len(value) - 1)
            if at >= len(value):
                raise _impossible(f"nothing at {path[:200]}")
            value = value[at]
        else:
            raise _impossible(f"nothing at {path[:200]}")
    return value


def _put(root: Any, path: str, value: Any, kind: str) -> Any:
    steps = _steps(path)
    if not steps:
        return {} if kind == "remove" else value
    parent = _look(root, path[: path.rindex("/")])
    last = steps[-1]
    if isinstance(parent, dict):
        if kind != "add" and last not in parent:
            raise _impossible(f"nothing at {path[:200]}")
        if kind == "remove":
            del parent[last]
        else:
            parent[last] = value
    elif isinstance(parent, list):
        at = _place(parent, last, len(parent) - (kind != "add"))
        if kind == "add":
            parent.insert(at, value)
        elif at >= len(parent):
            raise _impossible(f"nothing at {path[:200]}")
        elif kind == "remove":
            del parent[at]
        else:
            parent[at] = value
    else:
        raise _impossible(f"nothing at {path[:200]}")
    return root
