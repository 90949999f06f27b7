"""Label and field selectors, as `?labelSelector=` and `?fieldSelector=` have them.

Grammar: kubernetes.io/docs/concepts/overview/working-with-objects/labels (and field-selectors). Which fields can be
selected is fixed for each resource; any other is refused, as a real API server does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from eightysix.lab.apiserver.catalogue import Object, Resource
from eightysix.lab.apiserver.status import ApiError, bad_request

__all__ = ["Selector", "fields_of", "selector_of"]

_SELECTABLE: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("", "pods"): (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    ),
    ("", "events"): (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
    ("", "namespaces"): ("status.phase",),
    ("", "nodes"): ("spec.unschedulable",),
    ("", "secrets"): ("type",),
    ("", "services"): ("spec.clusterIP", "spec.type"),
    ("", "replicationcontrollers"): ("status.replicas",),
    ("apps", "replicasets"): ("status.replicas",),
    ("batch", "jobs"): ("status.successful",),
    ("certificates.k8s.io", "certificatesigningrequests"): ("spec.signerName",),
}


class Selector(Struct, frozen=True):
    """What a list or watch asks for. Both parts must hold."""

    labels: tuple[Callable[[Mapping[str, str]], bool], ...] = ()
    fields: tuple[tuple[str, bool, str], ...] = ()
    """Field, whether it must be equal (or else differ), value."""

    def __bool__(self) -> bool:
        return bool(self.labels or self.fields)

    def matches(self, labels: Mapping[str, str], fields: Mapping[str, str]) -> bool:
        """Whether an object with these is asked for."""
        return all((fields.get(name, "") == value) is equal for name, equal, value in self.fields) and all(
            test(labels) for test in self.labels
        )

    def exact(self, field: str) -> str:
        """The value that `field` must have; empty where it may have many."""
        return next((value for name, equal, value in self.fields if equal and name == field), "")


def fields_of(resource: Resource, item: Object) -> dict[str, str]:
    """What an object's selectable fields are, beyond its name and namespace."""
    found: dict[str, str] = {}
    for path in _SELECTABLE.get((resource.group, resource.plural), ()):
        value: object = item
        for part in path.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if isinstance(value, bool):
            found[path] = "true" if value else "false"
        elif isinstance(value, str | int):
            found[path] = str(value)
        elif path in ("spec.unschedulable", "spec.hostNetwork"):
            found[path] = "false"
    return found


def selector_of(resource: Resource, labels: str, fields: str) -> Selector:
    """The selector that a request writes; an `ApiError` where it is none."""
    return Selector(_labels(labels), _fields(resource, fields))


def _fields(resource: Resource, text: str) -> tuple[tuple[str, bool, str], ...]:
    known = _SELECTABLE.get((resource.group, resource.plural), ())
    found = []
    for term in _split(text):
        sign = next((sign for sign in ("!=", "==", "=") if sign in term), "")
        if sign:
            name, _, value = term.partition(sign)
        else:
            raise bad_request(
                f"unable to parse \"{text}\" as a field selector: invalid selector: '{text}'; can't understand '{term}'"
            )
        if name not in known and name not in ("metadata.name", "metadata.namespace"):
            kind = f"{resource.api_version}, Kind={resource.kind}"
            raise bad_request(
                f'Unable to find "{kind}" that match label selector "", field selector "{text}": '
                f"field label not supported: {name}"
            )
        found.append((name, sign != "!=", value))
    return tuple(found)


def _split(text: str) -> list[str]:
    """At commas outside of parentheses, without empty terms."""
    terms, start, depth = [], 0, 0
    for at, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth <= 0:
            terms.append(text[start:at])
            start = at + 1
    terms.append(text[start:])
    return [term.strip() for term in terms if term.strip()]


def _labels(text: str) -> tuple[Callable[[Mapping[str, str]], bool], ...]:
    return tuple(_label(term, text) for term in _split(text))


def _label(term: str, text: str) -> Callable[[Mapping[str, str]], bool]:
    words = term.replace("(", " ( ").split()
    if len(words) >= 3 and words[1] in ("in", "notin") and words[2] == "(" and term.endswith(")"):
        inside = term[term.index("(") + 1 : -1]
        values = frozenset(each.strip() for each in inside.split(","))
        name = _name(words[0], text)
        if words[1] == "in":
            return lambda labels: labels.get(name) in values if name in labels else False
        return lambda labels: labels.get(name) not in values
    for sign in ("!=", "==", "="):
        left, seen, right = term.partition(sign)
        if seen:
            name, value = _name(left.strip(), text), right.strip()
            if " " in value or "(" in value:
                raise _unparsable(text)
            if sign == "!=":
                return lambda labels: labels.get(name) != value
            return lambda labels: labels.get(name) == value
    if term.startswith("!"):
        name = _name(term[1:].strip(), text)
        return lambda labels: name not in labels
    name = _name(term, text)
    return lambda labels: name in labels


def _name(text: str, whole: str) -> str:
    if not text or any(letter in " ()!=<>" for letter in text):
        raise _unparsable(whole)
    return text


def _unparsable(text: str) -> ApiError:
    return bad_request(
        f'unable to parse requirement: found \'{text[:64]}\', expected: identifier, "!", "in", "notin"'
    )
