"""Other forms of an answer that clients ask for with `Accept`: tables (`kubectl get`), and metadata alone.

A table has the columns of a real one for pods, nodes, namespaces, secrets, service accounts and deployments; name and age
for everything else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum

from eightysix.lab.apiserver.catalogue import Object, Resource
from eightysix.lab.apiserver.status import ApiError
from eightysix.lab.apiserver.store import Stored
from eightysix.model.timestamps import to_ns

__all__ = ["Form", "form_of", "partial", "table"]


class Form(Enum):
    """In which form the client wants its answer."""

    PLAIN = "plain"
    TABLE = "Table"
    PARTIAL = "PartialObjectMetadata"


_PLAIN = frozenset({"*/*", "application/*", "application/json"})


def form_of(accept: str) -> Form:
    """The first of the wanted forms that there is; JSON alone is spoken. Raises 406."""
    if not accept:
        return Form.PLAIN
    for wanted in accept.split(","):
        kind, *parameters = (part.strip() for part in wanted.split(";"))
        if kind not in _PLAIN:
            continue
        told = dict(part.partition("=")[::2] for part in parameters)
        form = told.get("as", "")
        if form == "Table" and told.get("g", "meta.k8s.io") == "meta.k8s.io" and told.get("v", "v1") == "v1":
            return Form.TABLE
        if form in ("PartialObjectMetadata", "PartialObjectMetadataList") and told.get("v", "v1") == "v1":
            return Form.PARTIAL
        if not form:
            return Form.PLAIN
    raise ApiError(
        406,
        "NotAcceptable",
        "only the following media types are accepted: application/json",
        {},
    )


def partial(stored: Stored) -> Object:
    """The metadata of an object."""
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": stored.read()["metadata"],
    }


def _at(item: Object, path: str, default: object = "") -> object:
    value: object = item
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return default if value is None else value


def _length(value: object) -> int:
    return len(value) if isinstance(value, list | dict) else 0


def _statuses(item: Object) -> list[Object]:
    found = _at(item, "status.containerStatuses", [])
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _ready(item: Object) -> str:
    ready = sum(1 for each in _statuses(item) if each.get("ready") is True)
    return f"{ready}/{_length(_at(item, 'spec.containers'))}"


def _restarts(item: Object) -> str:
    return str(
        sum(each["restartCount"] for each in _statuses(item) if isinstance(each.get("restartCount"), int))
    )


def _node_status(item: Object) -> str:
    conditions = _at(item, "status.conditions", [])
    for each in conditions if isinstance(conditions, list) else ():
        if isinstance(each, dict) and each.get("type") == "Ready":
            return "Ready" if each.get("status") == "True" else "NotReady"
    return "Unknown"


_Cell = Callable[[Object], object]
_AGE: tuple[str, str, int, _Cell] = ("Age", "string", 0, lambda item: _at(item, "metadata.creationTimestamp"))
"""The cell holds the moment until `table` knows what time it is."""
_COLUMNS: Mapping[str, tuple[tuple[str, str, int, _Cell], ...]] = {
    "pods": (
        ("Ready", "string", 0, _ready),
        ("Status", "string", 0, lambda item: _at(item, "status.phase", "Unknown")),
        ("Restarts", "string", 0, _restarts),
        _AGE,
        ("IP", "string", 1, lambda item: _at(item, "status.podIP", "<none>")),
        ("Node", "string", 1, lambda item: _at(item, "spec.nodeName", "<none>")),
        ("Nominated Node", "string", 1, lambda item: _at(item, "status.nominatedNodeName", "<none>")),
        ("Readiness Gates", "string", 1, lambda item: "<none>"),
    ),
    "nodes": (
        ("Status", "string", 0, _node_status),
        ("Roles", "string", 0, lambda item: "<none>"),
        _AGE,
        ("Version", "string", 0, lambda item: _at(item, "status.nodeInfo.kubeletVersion")),
    ),
    "namespaces": (("Status", "string", 0, lambda item: _at(item, "status.phase", "Active")), _AGE),
    "secrets": (
        ("Type", "string", 0, lambda item: _at(item, "type", "Opaque")),
        ("Data", "string", 0, lambda item: _length(_at(item, "data"))),
        _AGE,
    ),
    "configmaps": (("Data", "string", 0, lambda item: _length(_at(item, "data"))), _AGE),
    "serviceaccounts": (("Secrets", "string", 0, lambda item: _length(_at(item, "secrets"))), _AGE),
    "deployments": (
        (
            "Ready",
            "string",
            0,
            lambda item: f"{_at(item, 'status.readyReplicas', 0)}/{_at(item, 'spec.replicas', 1)}",
        ),
        ("Up-to-date", "string", 0, lambda item: _at(item, "status.updatedReplicas", 0)),
        ("Available", "string", 0, lambda item: _at(item, "status.availableReplicas", 0)),
        _AGE,
    ),
}


def age_of(moment: object, now: int) -> str:
    """How long ago, as kubectl shows it (apimachinery's util/duration)."""
    try:
        seconds = now // 1_000_000_000 - to_ns(str(moment)) // 1_000_000_000
    except ValueError:
        return "<unknown>"
    if seconds < 0:
        return "0s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    for fits, whole, unit, part, below in (
        (seconds < 120, seconds, "s", 0, ""),
        (minutes < 10, minutes, "m", seconds % 60, "s"),
        (minutes < 180, minutes, "m", 0, ""),
        (hours < 8, hours, "h", minutes % 60, "m"),
        (hours < 48, hours, "h", 0, ""),
        (days < 8, days, "d", hours % 24, "h"),
        (days < 730, days, "d", 0, ""),
        (days < 2920, days // 365, "y", days % 365, "d"),
    ):
        if fits:
            return f"{whole}{unit}{part}{below}" if part else f"{whole}{unit}"
    return f"{days // 365}y"


def table(
    resource: Resource,
    items: Sequence[Stored],
    metadata: Object,
    now: int,
    *,
    heads: bool = True,
    bare: bool = False,
) -> Object:
    """A `Table` of objects, their ages as of `now`; a `bare` one has the cells alone."""
    columns = _COLUMNS.get(resource.plural, (_AGE,))
    rows = []
    for stored in items:
        item = stored.read()
        cells = [
            stored.name,
            *(age_of(cell(item), now) if name == "Age" else cell(item) for name, _, _, cell in columns),
        ]
        rows.append({"cells": cells, **({} if bare else {"object": partial(stored)})})
    told: list[Object] = [
        {"name": "Name", "type": "string", "format": "name", "description": "", "priority": 0},
        *(
            {"name": name, "type": kind, "format": "", "description": "", "priority": priority}
            for name, kind, priority, _ in columns
        ),
    ]
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": told if heads else [],
        "rows": rows,
    }
