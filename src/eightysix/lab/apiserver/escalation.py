"""Nobody gives away what he has not: the check on writes of roles and bindings.

Source: kubernetes.io/docs/reference/access-authn-authz/rbac#privilege-escalation-prevention-and-bootstrapping, and
pkg/registry/rbac (escalation_check.go, validation/rule.go): a role may be written by whoever has all of its rules in its
scope, or the verb `escalate` on it; a binding by whoever has all rules of its role, or the verb `bind` on that role.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from eightysix.lab.apiserver.catalogue import Object, Resource
from eightysix.lab.apiserver.messages import User
from eightysix.lab.apiserver.rbac import Rbac, Rule, rules_of
from eightysix.lab.apiserver.routes import Asked
from eightysix.lab.apiserver.status import bad_request, forbidden, not_found

__all__ = ["check", "covers", "uncovered"]

_GROUP = "rbac.authorization.k8s.io"
_MOST = 20_000
"""Single permissions that the rules of one write may come to."""


def check(rbac: Rbac, user: User, resource: Resource, item: Object) -> None:
    """Refuse a role or binding that would give more than `user` has."""
    if "system:masters" in user.groups:
        return
    metadata = item["metadata"]
    name, namespace = metadata["name"], metadata.get("namespace", "")
    if resource.plural in ("roles", "clusterroles"):
        asked = Asked("escalate", "", _GROUP, "v1", resource.plural, "", namespace, name)
        if rbac.decide(user, asked).allowed:
            return
        rules = rules_of(item)
        if item.get("aggregationRule"):
            rules = (*rules, Rule(("*",), ("*",), ("*",)), Rule(("*",), non_resource_urls=("*",)))
    else:
        ref = item.get("roleRef")
        if not isinstance(ref, dict) or ref.get("kind") not in ("Role", "ClusterRole"):
            raise bad_request("roleRef.kind: Unsupported value")
        kind, role = ref["kind"], str(ref.get("name"))
        plural = "clusterroles" if kind == "ClusterRole" else "roles"
        asked = Asked("bind", "", _GROUP, "v1", plural, "", namespace, role)
        if rbac.decide(user, asked).allowed:
            return
        held = rbac.role(kind, namespace, role)
        if held is None:
            raise not_found(Resource(_GROUP, "v1", plural, kind, kind == "Role"), role)
        rules = held
    missing = uncovered(rbac.rules(user, namespace), rules)
    if missing:
        told = "\n".join(_described(each) for each in missing[:32])
        raise forbidden(
            resource,
            name,
            f'user "{user.name}" (groups={_listed(user.groups)}) is attempting to grant RBAC permissions not currently '
            f"held:\n{told}",
        )


def _listed(values: Iterable[str]) -> str:
    return "[" + " ".join(f'"{value}"' for value in values) + "]"


def _described(rule: Rule) -> str:
    parts = (
        ("APIGroups", rule.api_groups),
        ("Resources", rule.resources),
        ("ResourceNames", rule.resource_names),
        ("NonResourceURLs", rule.non_resource_urls),
        ("Verbs", rule.verbs),
    )
    told = ", ".join(
        f"{name}:[{', '.join(chr(34) + each + chr(34) for each in values)}]"
        for name, values in parts
        if values
    )
    return "{" + told + "}"


def _single(rules: Iterable[Rule]) -> Iterator[Rule]:
    """Rules taken apart: one group, resource, name and verb each."""
    for rule in rules:
        for verb in rule.verbs:
            for url in rule.non_resource_urls:
                yield Rule((verb,), non_resource_urls=(url,))
            for group in rule.api_groups:
                for resource in rule.resources:
                    if not rule.resource_names:
                        yield Rule((verb,), (group,), (resource,))
                    for name in rule.resource_names:
                        yield Rule((verb,), (group,), (resource,), (name,))


def uncovered(held: Iterable[Rule], wanted: Iterable[Rule]) -> list[Rule]:
    """Single permissions of `wanted` that no rule of `held` gives. Raises where they are too many to look at."""
    owned = tuple(held)
    found = []
    for at, rule in enumerate(_single(wanted)):
        if at >= _MOST:
            raise bad_request("the rules are too many to be checked")
        if not any(covers(each, rule) for each in owned):
            found.append(rule)
    return found


def covers(held: Rule, single: Rule) -> bool:
    """Whether `held` gives a single permission."""
    if "*" not in held.verbs and single.verbs[0] not in held.verbs:
        return False
    if single.non_resource_urls:
        wanted = single.non_resource_urls[0]
        return any(
            each == wanted or (each.endswith("*") and wanted.startswith(each[:-1]))
            for each in held.non_resource_urls
        )
    if "*" not in held.api_groups and single.api_groups[0] not in held.api_groups:
        return False
    resource = single.resources[0]
    below = resource.partition("/")[2]
    if "*" not in held.resources and resource not in held.resources:
        if not below or f"*/{below}" not in held.resources:
            return False
    return not held.resource_names or bool(
        single.resource_names and single.resource_names[0] in held.resource_names
    )
