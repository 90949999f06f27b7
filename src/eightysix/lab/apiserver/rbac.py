"""Authorization by the RBAC objects that the store holds, evaluated as kube-apiserver's RBAC authorizer does.

Source: plugin/pkg/auth/authorizer/rbac/rbac.go and pkg/apis/rbac/v1/evaluation_helpers.go; the words of reasons too, as
they stand in audit annotations.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from eightysix.lab.apiserver.catalogue import BUILT_IN, Object, Resource
from eightysix.lab.apiserver.messages import User
from eightysix.lab.apiserver.routes import Asked
from eightysix.lab.apiserver.selectors import selector_of
from eightysix.lab.apiserver.store import Store, Stored

__all__ = ["MASTERS", "Decision", "Rbac", "Rule", "allows"]

MASTERS = "system:masters"
"""Whoever is in this group may do everything, whatever the objects say."""

_GROUP = "rbac.authorization.k8s.io"
_ROLES, _CLUSTER_ROLES, _BINDINGS, _CLUSTER_BINDINGS = (
    next(each for each in BUILT_IN if each.group == _GROUP and each.plural == plural)
    for plural in ("roles", "clusterroles", "rolebindings", "clusterrolebindings")
)
_ACCOUNT = "system:serviceaccount:"


class Rule(Struct, frozen=True, rename="camel"):
    """A PolicyRule."""

    verbs: tuple[str, ...] = ()
    api_groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()
    non_resource_urls: tuple[str, ...] = ()

    def to_object(self) -> Object:
        """As SelfSubjectRulesReview tells it."""
        if self.non_resource_urls:
            return {"verbs": list(self.verbs), "nonResourceURLs": list(self.non_resource_urls)}
        told: Object = {
            "verbs": list(self.verbs),
            "apiGroups": list(self.api_groups),
            "resources": list(self.resources),
        }
        if self.resource_names:
            told["resourceNames"] = list(self.resource_names)
        return told


class Decision(Struct, frozen=True):
    """Whether, and why."""

    allowed: bool
    reason: str = ""


class _Grant(Struct, frozen=True):
    described: str
    namespace: str
    role_namespace: str
    role_kind: str
    role: str


def rules_of(item: Object) -> tuple[Rule, ...]:
    """The rules of a role; what is no rule is none."""
    rules = item.get("rules")
    return tuple(_rule(each) for each in rules if isinstance(each, dict)) if isinstance(rules, list) else ()


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()


def _rule(value: Object) -> Rule:
    return Rule(
        verbs=_texts(value.get("verbs")),
        api_groups=_texts(value.get("apiGroups")),
        resources=_texts(value.get("resources")),
        resource_names=_texts(value.get("resourceNames")),
        non_resource_urls=_texts(value.get("nonResourceURLs")),
    )


def allows(rule: Rule, asked: Asked) -> bool:
    """Whether one rule allows what is asked."""
    if "*" not in rule.verbs and asked.verb not in rule.verbs:
        return False
    if not asked.resource:
        return any(_covers_url(each, asked.path) for each in rule.non_resource_urls)
    if "*" not in rule.api_groups and asked.group not in rule.api_groups:
        return False
    combined = f"{asked.resource}/{asked.subresource}" if asked.subresource else asked.resource
    if "*" not in rule.resources and combined not in rule.resources:
        if not asked.subresource or f"*/{asked.subresource}" not in rule.resources:
            return False
    return not rule.resource_names or asked.name in rule.resource_names


def _covers_url(pattern: str, path: str) -> bool:
    return pattern == path or (pattern.endswith("*") and path.startswith(pattern[:-1]))


class Rbac:
    """Answers who may do what; reads the objects anew whenever one of them changed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read = -1
        self._grants: dict[tuple[str, str], list[_Grant]] = {}
        self._rules: dict[tuple[str, str, str], tuple[Rule, ...]] = {}

    def decide(self, user: User, asked: Asked) -> Decision:
        """Whether `user` may do what is `asked`."""
        if MASTERS in user.groups:
            return Decision(True)
        missing: list[str] = []
        for grant, rules in self._granted(user, asked.namespace if asked.resource else "", missing):
            if any(allows(rule, asked) for rule in rules):
                return Decision(True, f"RBAC: allowed by {grant.described}")
        return Decision(False, "RBAC: " + _joined(missing) if missing else "")

    def rules(self, user: User, namespace: str) -> tuple[Rule, ...]:
        """Every rule that `user` has in a namespace, or for the whole cluster where it is empty."""
        if MASTERS in user.groups:
            everything = ("*",)
            return (
                Rule(verbs=everything, api_groups=everything, resources=everything),
                Rule(verbs=everything, non_resource_urls=everything),
            )
        found = []
        for grant, rules in self._granted(user, namespace, []):
            found += [rule for rule in rules if not (grant.namespace and rule.non_resource_urls)]
        return tuple(found)

    def role(self, kind: str, namespace: str, name: str) -> tuple[Rule, ...] | None:
        """The rules of a role, None where there is none."""
        with self._store.lock:
            self._refresh()
            return self._rules.get((kind, "" if kind == "ClusterRole" else namespace, name))

    def _granted(
        self, user: User, namespace: str, missing: list[str]
    ) -> Iterator[tuple[_Grant, tuple[Rule, ...]]]:
        with self._store.lock:
            self._refresh()
            grants = [grant for subject in _subjects(user) for grant in self._grants.get(subject, ())]
            rules = self._rules
        grants.sort(key=lambda grant: bool(grant.namespace))
        for grant in grants:
            if grant.namespace and grant.namespace != namespace:
                continue
            held = rules.get((grant.role_kind, grant.role_namespace, grant.role))
            if held is None:
                missing.append(f'{grant.role_kind.lower()}.{_GROUP} "{grant.role}" not found')
            else:
                yield grant, held

    def _refresh(self) -> None:
        resources = (_ROLES, _CLUSTER_ROLES, _BINDINGS, _CLUSTER_BINDINGS)
        newest = self._store.changed(*resources)
        if newest == self._read:
            return
        self._read = newest
        self._grants, self._rules = {}, {}
        cluster = self._store.all(_CLUSTER_ROLES)
        for stored in cluster:
            self._rules["ClusterRole", "", stored.name] = tuple(_aggregated(stored, cluster))
        for stored in self._store.all(_ROLES):
            self._rules["Role", stored.namespace, stored.name] = rules_of(stored.read())
        for resource in (_CLUSTER_BINDINGS, _BINDINGS):
            for stored in self._store.all(resource):
                self._bind(resource, stored)

    def _bind(self, resource: Resource, stored: Stored) -> None:
        item = stored.read()
        ref = item.get("roleRef")
        subjects = item.get("subjects")
        if not isinstance(ref, dict) or not isinstance(subjects, list):
            return
        kind, role = str(ref.get("kind")), str(ref.get("name"))
        name = f"{stored.name}/{stored.namespace}" if stored.namespace else stored.name
        for subject in subjects:
            key = _subject(subject, stored.namespace)
            if key is None:
                continue
            told = f'{key[0]} "{_described(subject, stored.namespace)}"'
            described = f'{resource.kind} "{name}" of {kind} "{role}" to {told}'
            where = "" if kind == "ClusterRole" else stored.namespace
            self._grants.setdefault(key, []).append(_Grant(described, stored.namespace, where, kind, role))


def _joined(errors: Iterable[str]) -> str:
    told = list(dict.fromkeys(errors))
    return told[0] if len(told) == 1 else "[" + ", ".join(told) + "]"


def _aggregated(stored: Stored, all_roles: Iterable[Stored]) -> Iterator[Rule]:
    """Rules of a cluster role; of an aggregated one those of the roles that its selectors choose, as the controller of
    kube-controller-manager would have written them into it."""
    item = stored.read()
    aggregation = item.get("aggregationRule")
    chosen = aggregation.get("clusterRoleSelectors") if isinstance(aggregation, dict) else None
    if not isinstance(chosen, list):
        yield from rules_of(item)
        return
    for selector in chosen:
        wanted = selector.get("matchLabels") if isinstance(selector, dict) else None
        if not isinstance(wanted, Mapping) or not wanted:
            continue
        test = selector_of(_CLUSTER_ROLES, ",".join(f"{key}={value}" for key, value in wanted.items()), "")
        for other in all_roles:
            if other.name != stored.name and other.matches(test):
                yield from rules_of(other.read())


def _subjects(user: User) -> Iterator[tuple[str, str]]:
    yield "User", user.name
    for group in user.groups:
        yield "Group", group
    if user.name.startswith(_ACCOUNT):
        yield "ServiceAccount", user.name[len(_ACCOUNT) :]


def _subject(subject: object, namespace: str) -> tuple[str, str] | None:
    if not isinstance(subject, dict):
        return None
    kind, name = subject.get("kind"), subject.get("name")
    if not isinstance(kind, str) or not isinstance(name, str):
        return None
    if kind == "ServiceAccount":
        of = subject.get("namespace") or namespace
        return (kind, f"{of}:{name}") if of else None
    return kind, name


def _described(subject: Object, namespace: str) -> str:
    if subject["kind"] == "ServiceAccount":
        return f"{subject['name']}/{subject.get('namespace') or namespace}"
    return str(subject["name"])
