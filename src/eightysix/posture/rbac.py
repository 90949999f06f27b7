"""Who may do what: Kubernetes' RBAC authorizer, exactly.

Source: kubernetes.io/docs/reference/access-authn-authz/rbac and .../authorization. Rules only add. What is easily got wrong:
`*` in resources also means subresources, `pods/*` means nothing, `*/scale` means that subresource of everything; a rule with
resource names never allows `create` (of the object itself) or `deletecollection`, and `list` and `watch` only where the
request selects that one name; a role binding grants in its own namespace alone, whatever it binds; the members of
`system:masters` are never asked. The node authorizer and webhooks are not modelled.
"""

from __future__ import annotations

import shlex
from collections import deque
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from eightysix.model.posture import NotSeen
from eightysix.posture.objects import Binding, Meta, PolicyRule, Role, _Expression, _Selector
from eightysix.posture.snapshot import Snapshot

__all__ = [
    "AUTHENTICATED",
    "MASTERS",
    "Authorizer",
    "PermissionSet",
    "SubjectKey",
    "groups_of",
    "matches_labels",
    "resource_rule_allows",
    "url_rule_allows",
]

MASTERS = "system:masters"
AUTHENTICATED = "system:authenticated"
_ACCOUNT = "system:serviceaccount:"
_ACCOUNTS = "system:serviceaccounts"
_NODE = "system:node:"
_ANONYMOUS = "system:anonymous"
_NAMELESS = frozenset({"create", "deletecollection"})

SubjectKey = tuple[bool, str]
"""Whether it is a group, and the name; a service account is the user that its token makes it."""


class PermissionSet(Struct, frozen=True, gc=False):
    """One role by one binding. `namespace` is empty where it grants in the whole cluster. `origins` tells for each rule the
    object and path that it is written at (an aggregated rule is another cluster role's). Not tracked by the garbage collector:
    there may be a million, and none holds another."""

    name: str
    namespace: str
    role: str
    role_kind: str
    binding: str
    binding_kind: str
    rules: tuple[PolicyRule, ...]
    origins: tuple[tuple[str, str], ...]
    subjects: tuple[SubjectKey, ...]

    @property
    def cluster(self) -> bool:
        """Whether it grants in the whole cluster."""
        return not self.namespace

    @property
    def binding_object(self) -> str:
        """The binding, as evidence names objects."""
        return (
            f"{self.binding_kind}/{self.namespace}/{self.binding}"
            if self.namespace
            else f"{self.binding_kind}/{self.binding}"
        )


def groups_of(user: str) -> tuple[str, ...]:
    """Groups that the API server itself puts a user in."""
    if user.startswith(_ACCOUNT):
        namespace, colon, name = user.removeprefix(_ACCOUNT).partition(":")
        if namespace and colon and name:
            return (_ACCOUNTS, f"{_ACCOUNTS}:{namespace}", AUTHENTICATED)
    if user.startswith(_NODE):
        return ("system:nodes", AUTHENTICATED)
    return ("system:unauthenticated",) if user == _ANONYMOUS else (AUTHENTICATED,)


def _any(words: Sequence[str] | None, word: str) -> bool:
    return words is not None and ("*" in words or word in words)


def resource_rule_allows(
    rule: PolicyRule, verb: str, group: str, resource: str, subresource: str, name: str
) -> bool:
    """Whether one rule allows a request for a resource. `name` is empty where the request has none."""
    if not _any(rule.verbs, verb) or not _any(rule.api_groups, group):
        return False
    resources = rule.resources or ()
    whole = f"{resource}/{subresource}" if subresource else resource
    if (
        "*" not in resources
        and whole not in resources
        and not (subresource and f"*/{subresource}" in resources)
    ):
        return False
    return not rule.resource_names or name in rule.resource_names


def url_rule_allows(rule: PolicyRule, verb: str, path: str) -> bool:
    """Whether one rule allows a request for a path that is no resource. A star stands for the rest, at the end alone."""
    if not _any(rule.verbs, verb):
        return False
    return any(
        url == "*" or url == path or (url.endswith("*") and path.startswith(url.rstrip("*")))
        for url in rule.non_resource_urls or ()
    )


def _expression_matches(expression: _Expression, labels: Mapping[str, str]) -> bool:
    values = expression.values or ()
    match expression.operator:
        case "In":
            return expression.key in labels and labels[expression.key] in values
        case "NotIn":
            return labels.get(expression.key) not in values if expression.key in labels else True
        case "Exists":
            return expression.key in labels
        case "DoesNotExist":
            return expression.key not in labels
        case _:
            return False


def matches_labels(selector: _Selector, labels: Mapping[str, str]) -> bool:
    """Whether a label selector takes these labels. An empty one takes all."""
    if any(labels.get(key) != value for key, value in (selector.match_labels or {}).items()):
        return False
    return all(_expression_matches(expression, labels) for expression in selector.match_expressions or ())


def _live(meta: Meta) -> bool:
    return bool(meta.uid or meta.resource_version)


def _delete(held: PermissionSet) -> str:
    words = [
        "kubectl",
        "delete",
        held.binding_kind.lower(),
        held.binding,
        *(["-n", held.namespace] if held.namespace else []),
    ]
    return " ".join(shlex.quote(word) for word in words)


class _Roles:
    """Rules of roles, those of aggregated cluster roles gathered."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._roles = snapshot.roles
        self._cluster_roles = snapshot.cluster_roles
        self._by_label: dict[tuple[str, str], list[str]] = {}
        for name, role in snapshot.cluster_roles.items():
            for label in (role.metadata.labels or {}).items():
                self._by_label.setdefault(label, []).append(name)
        self._known: dict[
            tuple[str, str], tuple[tuple[PolicyRule, ...], tuple[tuple[str, str], ...]] | None
        ] = {}

    def _selected(self, role: Role) -> Iterator[str]:
        for selector in (
            role.aggregation_rule.cluster_role_selectors if role.aggregation_rule else None
        ) or ():
            first = next(iter((selector.match_labels or {}).items()), None)
            names = self._cluster_roles if first is None else self._by_label.get(first, ())
            for name in names:
                if matches_labels(selector, self._cluster_roles[name].metadata.labels or {}):
                    yield name

    def _aggregated(self, name: str) -> Iterator[tuple[PolicyRule, tuple[str, str]]]:
        """Rules of a cluster role. The control plane overwrites the rules of an aggregated one, so those that stand in a
        manifest are void; an object that came from a server holds what was gathered already."""
        seen = {name}
        queue = deque([name])
        while queue:
            current = queue.popleft()
            role = self._cluster_roles[current]
            if role.aggregation_rule is not None and not _live(role.metadata):
                for selected in self._selected(role):
                    if selected not in seen:
                        seen.add(selected)
                        queue.append(selected)
                continue
            for index, rule in enumerate(role.rules or ()):
                yield rule, (f"ClusterRole/{current}", f"rules[{index}]")

    def rules(
        self, kind: str, namespace: str, name: str
    ) -> tuple[tuple[PolicyRule, ...], tuple[tuple[str, str], ...]] | None:
        """Rules and where each is written; nothing where no such role is."""
        key = (namespace if kind == "Role" else "\0" + kind, name)
        if key in self._known:
            return self._known[key]
        found = None
        if kind == "Role" and namespace and (role := self._roles.get(f"{namespace}/{name}")) is not None:
            rules = role.rules or ()
            found = (
                rules,
                tuple((f"Role/{namespace}/{name}", f"rules[{index}]") for index in range(len(rules))),
            )
        elif kind == "ClusterRole" and name in self._cluster_roles:
            pairs = tuple(self._aggregated(name))
            found = (tuple(rule for rule, _ in pairs), tuple(origin for _, origin in pairs))
        self._known[key] = found
        return found


def _subject_keys(binding: Binding) -> Iterator[SubjectKey]:
    for subject in binding.subjects or ():
        if subject.kind == "User":
            yield (False, subject.name)
        elif subject.kind == "Group":
            yield (True, subject.name)
        elif subject.kind == "ServiceAccount":
            namespace = subject.namespace or ("" if binding.cluster else binding.metadata.namespace)
            if namespace:  # a cluster role binding must name it; without, it grants nothing
                yield (False, f"{_ACCOUNT}{namespace}:{subject.name}")


class Authorizer:
    """What the roles and bindings of a snapshot allow. Building it is linear in bindings; a question costs as many rules as
    the subject and its groups hold in the namespace and in the cluster."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._roles = _Roles(snapshot)
        self._sets: list[PermissionSet] = []
        self._dangling: list[PermissionSet] = []
        self._of: dict[SubjectKey, dict[str, list[PermissionSet]]] = {}
        for binding in snapshot.cluster_role_bindings.values():
            self._add(binding, "", "ClusterRoleBinding")
        for binding in snapshot.role_bindings.values():
            if binding.metadata.namespace:
                self._add(binding, binding.metadata.namespace, "RoleBinding")

    def _add(self, binding: Binding, namespace: str, kind: str) -> None:
        reference = binding.role_ref
        found = self._roles.rules(reference.kind, namespace, reference.name)
        held = PermissionSet(
            name=f"{reference.name}::{binding.metadata.name}",
            namespace=namespace,
            role=reference.name,
            role_kind=reference.kind,
            binding=binding.metadata.name,
            binding_kind=kind,
            rules=found[0] if found else (),
            origins=found[1] if found else (),
            subjects=tuple(dict.fromkeys(_subject_keys(binding))),
        )
        if found is None:
            self._dangling.append(held)
            return
        self._sets.append(held)
        for subject in held.subjects:
            self._of.setdefault(subject, {}).setdefault(namespace, []).append(held)

    def permission_sets(self) -> Sequence[PermissionSet]:
        """Every role by every binding that binds one."""
        return self._sets

    def dangling(self) -> Sequence[PermissionSet]:
        """Bindings whose role is not there. They grant nothing until somebody makes a role of that name."""
        return self._dangling

    def told(self, most: int = 20) -> tuple[NotSeen, ...]:
        """What to know of bindings without a role."""
        rows = [
            NotSeen(
                f"{held.binding_object} binds {held.role_kind}/{held.role}, which is not there",
                "it grants nothing now; whoever makes a role of that name decides what its subjects may do",
                _delete(held),
            )
            for held in self._dangling[:most]
        ]
        if len(self._dangling) > most:
            rows.append(
                NotSeen(f"{len(self._dangling) - most} more bindings without a role", "the list is cut")
            )
        return tuple(rows)

    def subjects(self) -> Sequence[SubjectKey]:
        """Everybody whom a binding names."""
        return tuple(self._of)

    def sets_of(self, subject: SubjectKey) -> Sequence[PermissionSet]:
        """What bindings grant a user or group by its own name."""
        return [held for sets in self._of.get(subject, {}).values() for held in sets]

    def role_rules(
        self, kind: str, namespace: str, name: str
    ) -> tuple[tuple[PolicyRule, ...], tuple[tuple[str, str], ...]] | None:
        """Rules of a role, bound or not, and where each is written."""
        return self._roles.rules(kind, namespace, name)

    def _held(self, user: str, groups: Sequence[str], namespace: str) -> Iterator[PermissionSet]:
        keys: list[SubjectKey] = [
            (False, user),
            *((True, group) for group in dict.fromkeys((*groups_of(user), *groups))),
        ]
        for key in keys:
            of = self._of.get(key)
            if of is not None:
                yield from of.get("", ())
                if namespace:
                    yield from of.get(namespace, ())

    def allows(
        self,
        subject: str,
        verb: str,
        group: str,
        resource: str,
        namespace: str = "",
        name: str = "",
        subresource: str = "",
        *,
        groups: Sequence[str] = (),
    ) -> bool:
        """Whether a user may do this. An empty `namespace` asks for all of them, or for what has none; `name` in `list` and
        `watch` is the one that the request selects. `groups` come on top of those that the server gives by itself."""
        if MASTERS in groups:
            return True
        if verb in _NAMELESS and not subresource:
            name = ""
        return any(
            resource_rule_allows(rule, verb, group, resource, subresource, name)
            for held in self._held(subject, groups, namespace)
            for rule in held.rules
        )

    def allows_url(self, subject: str, verb: str, path: str, *, groups: Sequence[str] = ()) -> bool:
        """Whether a user may ask for a path that is no resource. Role bindings never grant that."""
        return MASTERS in groups or any(
            url_rule_allows(rule, verb, path)
            for held in self._held(subject, groups, "")
            for rule in held.rules
        )
