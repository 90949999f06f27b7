"""The authorizer, against words of the documentation and against an oracle that was written from it alone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eightysix.posture.objects import Binding, Meta, PolicyRule, Role, RoleRef, Subject
from eightysix.posture.rbac import Authorizer, PermissionSet
from eightysix.posture.snapshot import Snapshot
from tests.posture.cluster import bind, role, rule, snapshot

SA = "system:serviceaccount:ci:bot"


def of(*texts: str) -> Authorizer:
    return Authorizer(snapshot(*texts))


def test_role_binding_of_a_cluster_role_grants_in_its_namespace_alone() -> None:
    asked = of(
        role("r", rule("get", "secrets")), bind("b", "r", "ci:bot", namespace="prod", kind="ClusterRole")
    )
    assert asked.allows(SA, "get", "", "secrets", "prod", "any")
    assert not asked.allows(SA, "get", "", "secrets", "ci", "any")
    assert not asked.allows(SA, "get", "", "secrets")
    assert [held.name for held in asked.permission_sets()] == ["r::b"]


@pytest.mark.parametrize(
    ("resources", "resource", "sub", "allowed"),
    [
        ("*", "pods", "exec", True),
        ("*", "pods", "", True),
        ("pods", "pods", "exec", False),
        ("pods/exec", "pods", "exec", True),
        ("pods/exec", "pods", "", False),
        ("*/exec", "pods", "exec", True),
        ("*/exec", "services", "exec", True),
        ("*/exec", "exec", "", False),
        ("pods/*", "pods", "exec", False),
    ],
)
def test_resources_and_subresources(resources: str, resource: str, sub: str, allowed: bool) -> None:
    asked = of(role("r", rule("create", resources)), bind("b", "r", "ci:bot"))
    assert asked.allows(SA, "create", "", resource, "x", "p", sub) is allowed


@pytest.mark.parametrize(
    ("verb", "name", "sub", "allowed"),
    [
        ("get", "a", "", True),
        ("get", "b", "", False),
        ("create", "a", "", False),
        ("deletecollection", "a", "", False),
        ("list", "", "", False),
        ("list", "a", "", True),
        ("watch", "", "", False),
        ("watch", "a", "", True),
        ("create", "a", "token", True),
        ("create", "b", "token", False),
    ],
)
def test_resource_names(verb: str, name: str, sub: str, allowed: bool) -> None:
    words = rule("*", "serviceaccounts,serviceaccounts/token", names="a")
    asked = of(role("r", words), bind("b", "r", "ci:bot"))
    assert asked.allows(SA, verb, "", "serviceaccounts", "x", name, sub) is allowed


def test_group_of_the_api_counts() -> None:
    asked = of(role("r", rule("create", "deployments", "apps")), bind("b", "r", "ci:bot"))
    assert asked.allows(SA, "create", "apps", "deployments", "x")
    assert not asked.allows(SA, "create", "", "deployments", "x")


@pytest.mark.parametrize(
    "subject",
    [
        "ci:bot",
        "user=system:serviceaccount:ci:bot",
        "group=system:serviceaccounts",
        "group=system:serviceaccounts:ci",
        "group=system:authenticated",
    ],
)
def test_a_service_account_by_each_of_its_names(subject: str) -> None:
    asked = of(role("r", rule("get", "pods")), bind("b", "r", subject))
    assert asked.allows(SA, "get", "", "pods", "x", "p")
    other = "system:serviceaccount:other:bot"
    everybody = subject in {"group=system:serviceaccounts", "group=system:authenticated"}
    assert asked.allows(other, "get", "", "pods", "x", "p") is everybody


def test_subject_without_a_namespace_is_the_bindings_and_nobody_in_a_cluster_binding() -> None:
    asked = of(
        role("r", rule("get", "pods")),
        bind("b", "r", ":bot", namespace="ci", kind="ClusterRole"),
        bind("c", "r", ":bot"),
    )
    assert asked.allows(SA, "get", "", "pods", "ci", "p")
    assert not asked.allows(SA, "get", "", "pods", "other", "p")


def test_masters_are_never_asked_and_nodes_are_a_group() -> None:
    asked = of(role("r", rule("get", "pods")), bind("b", "r", "group=system:nodes"))
    assert asked.allows("anybody", "escalate", "x", "y", groups=("system:masters",))
    assert asked.allows("system:node:n1", "get", "", "pods", "x", "p")
    assert not asked.allows("someone", "get", "", "pods", "x", "p")


def test_a_binding_without_its_role_grants_nothing_and_is_told() -> None:
    asked = of(bind("b", "gone", "ci:bot", namespace="ci"), bind("c", "gone", "ci:bot"))
    assert not asked.allows(SA, "get", "", "pods", "ci", "p")
    assert [held.binding_object for held in asked.dangling()] == ["ClusterRoleBinding/c", "RoleBinding/ci/b"]
    assert asked.told()[1].close == "kubectl delete rolebinding b -n ci"
    assert not asked.permission_sets()


def test_urls_are_granted_by_cluster_bindings_alone() -> None:
    words = '{nonResourceURLs: ["/metrics", "/logs/*"], verbs: [get]}'
    asked = of(
        role("r", words), bind("b", "r", "ci:bot"), bind("c", "r", "x:y", namespace="x", kind="ClusterRole")
    )
    assert asked.allows_url(SA, "get", "/metrics")
    assert asked.allows_url(SA, "get", "/logs/kubelet")
    assert not asked.allows_url(SA, "get", "/metrics/cadvisor")
    assert not asked.allows_url(SA, "post", "/metrics")
    assert not asked.allows_url("system:serviceaccount:x:y", "get", "/metrics")


AGGREGATE = """---
kind: ClusterRole
metadata: {name: sum}
aggregationRule: {clusterRoleSelectors: [%s]}
rules: [{apiGroups: [""], resources: [secrets], verbs: [get]}]
---
kind: ClusterRole
metadata: {name: part, labels: {tier: a, team: x}}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
"""


@pytest.mark.parametrize(
    ("selector", "taken"),
    [
        ("{matchLabels: {tier: a}}", True),
        ("{matchLabels: {tier: b}}", False),
        ("{matchLabels: {tier: a, team: y}}", False),
        ("{}", True),
        ("{matchExpressions: [{key: tier, operator: In, values: [a, b]}]}", True),
        ("{matchExpressions: [{key: tier, operator: NotIn, values: [a]}]}", False),
        ("{matchExpressions: [{key: none, operator: NotIn, values: [a]}]}", True),
        ("{matchExpressions: [{key: team, operator: Exists}]}", True),
        ("{matchExpressions: [{key: team, operator: DoesNotExist}]}", False),
        ("{matchLabels: {tier: a}, matchExpressions: [{key: team, operator: Wrong}]}", False),
        ("{matchLabels: {tier: b}}, {matchLabels: {team: x}}", True),
    ],
)
def test_aggregation(selector: str, taken: bool) -> None:
    asked = of(AGGREGATE % selector, bind("b", "sum", "ci:bot"))
    assert asked.allows(SA, "get", "", "pods", "x", "p") is taken
    assert not asked.allows(SA, "get", "", "secrets", "x", "p"), "rules of an aggregated role are overwritten"


def test_aggregation_through_another_and_in_a_circle() -> None:
    ring = (
        "---\nkind: ClusterRole\nmetadata: {name: %s, labels: {in: %s}}\n"
        "aggregationRule: {clusterRoleSelectors: [{matchLabels: {in: %s}}]}\n"
    )
    leaf = role("leaf", rule("get", "pods")).replace("name: leaf", "name: leaf, labels: {in: two}")
    asked = of(ring % ("one", "one", "two") + ring % ("two", "two", "one") + leaf, bind("b", "two", "ci:bot"))
    assert asked.allows(SA, "get", "", "pods", "x", "p")
    assert asked.permission_sets()[0].origins == (("ClusterRole/leaf", "rules[0]"),)


def test_an_aggregated_role_of_a_server_holds_what_was_gathered() -> None:
    text = (AGGREGATE % "{matchLabels: {tier: none}}").replace("name: sum", "name: sum, uid: u1")
    assert of(text, bind("b", "sum", "ci:bot")).allows(SA, "get", "", "secrets", "x", "p")


NAMES = st.sampled_from(["", "a", "b"])
SPACES = st.sampled_from(["n1", "n2"])
WORDS = {
    "verbs": ["get", "list", "create", "deletecollection", "*"],
    "api_groups": ["", "apps", "*"],
    "resources": ["pods", "pods/exec", "*/exec", "*", "secrets", "pods/*"],
}
RULES = st.builds(
    PolicyRule,
    verbs=st.lists(st.sampled_from(WORDS["verbs"]), max_size=2).map(tuple),
    api_groups=st.lists(st.sampled_from(WORDS["api_groups"]), max_size=2).map(tuple),
    resources=st.lists(st.sampled_from(WORDS["resources"]), max_size=2).map(tuple),
    resource_names=st.none() | st.lists(st.sampled_from(["a", "b"]), max_size=2).map(tuple),
)
SUBJECTS = st.one_of(
    st.builds(
        Subject,
        kind=st.just("ServiceAccount"),
        name=st.sampled_from(["s", "t"]),
        namespace=st.sampled_from(["", "n1", "n2"]),
    ),
    st.builds(Subject, kind=st.just("User"), name=st.sampled_from(["u", "system:serviceaccount:n1:s"])),
    st.builds(
        Subject,
        kind=st.just("Group"),
        name=st.sampled_from(
            [
                "g",
                "system:serviceaccounts",
                "system:serviceaccounts:n1",
                "system:authenticated",
                "system:masters",
            ]
        ),
    ),
    st.builds(Subject, kind=st.just("Robot"), name=st.just("s")),
)


@st.composite
def clusters(draw: st.DrawFn) -> Snapshot:
    roles: dict[str, Role] = {}
    cluster_roles: dict[str, Role] = {}
    for name in ("r1", "r2"):
        rules = st.lists(RULES, max_size=3).map(tuple)
        for space in ("n1", "n2"):
            if draw(st.booleans()):
                roles[f"{space}/{name}"] = Role(Meta(name=name, namespace=space), draw(rules))
        if draw(st.booleans()):
            cluster_roles[name] = Role(Meta(name=name), draw(rules), cluster=True)
    role_bindings: dict[str, Binding] = {}
    cluster_bindings: dict[str, Binding] = {}
    for number in range(draw(st.integers(0, 4))):
        reference = RoleRef(
            draw(st.sampled_from(["Role", "ClusterRole"])), draw(st.sampled_from(["r1", "r2", "gone"]))
        )
        subjects = tuple(draw(st.lists(SUBJECTS, max_size=3)))
        if draw(st.booleans()):
            cluster_bindings[f"b{number}"] = Binding(
                Meta(name=f"b{number}"), reference, subjects, cluster=True
            )
        else:
            space = draw(SPACES)
            role_bindings[f"{space}/b{number}"] = Binding(
                Meta(name=f"b{number}", namespace=space), reference, subjects
            )
    return Snapshot(
        roles=roles,
        cluster_roles=cluster_roles,
        role_bindings=role_bindings,
        cluster_role_bindings=cluster_bindings,
    )


def oracle(cluster: Snapshot, user: str, groups: list[str], request: dict[str, str]) -> bool:  # noqa: C901 - one rule after another
    """The documentation's sentences in their order, with no index and no thought of speed."""
    member = set(groups) | {"system:authenticated"}
    parts = user.split(":")
    if user.startswith("system:serviceaccount:"):
        member |= {"system:serviceaccounts", "system:serviceaccounts:" + parts[2]}
    if "system:masters" in member:
        return True
    grants: list[PolicyRule] = []
    everything: list[tuple[str, Any]] = [("", b) for b in cluster.cluster_role_bindings.values()]
    everything += [(b.metadata.namespace, b) for b in cluster.role_bindings.values()]
    for where, binding in everything:
        if where and where != request["namespace"]:
            continue
        named = False
        for subject in binding.subjects or ():
            if subject.kind == "User":
                named = named or subject.name == user
            elif subject.kind == "Group":
                named = named or subject.name in member
            elif subject.kind == "ServiceAccount":
                home = subject.namespace if subject.namespace != "" else where
                named = named or (home != "" and user == "system:serviceaccount:" + home + ":" + subject.name)
        if not named:
            continue
        for known in (cluster.roles if binding.role_ref.kind == "Role" else cluster.cluster_roles).values():
            same = known.metadata.name == binding.role_ref.name
            if same and (binding.role_ref.kind == "ClusterRole" or known.metadata.namespace == where != ""):
                grants.extend(known.rules or ())
    target = request["resource"] + ("/" + request["sub"] if request["sub"] else "")
    for grant in grants:
        verb = request["verb"] in grant.verbs or "*" in grant.verbs
        group = request["group"] in (grant.api_groups or ()) or "*" in (grant.api_groups or ())
        resource = False
        for word in grant.resources or ():
            if word in ("*", target):
                resource = True
            if request["sub"] and word.startswith("*/") and word[2:] == request["sub"]:
                resource = True
        names = list(grant.resource_names or ())
        asked = request["name"]
        if request["verb"] in ("create", "deletecollection") and not request["sub"]:
            asked = ""
        if verb and group and resource and (not names or (asked != "" and asked in names)):
            return True
    return False


@settings(max_examples=300, deadline=None)
@given(
    cluster=clusters(),
    user=st.sampled_from(["u", "other", "system:serviceaccount:n1:s", "system:serviceaccount:n2:t"]),
    groups=st.lists(st.sampled_from(["g", "system:masters"]), max_size=1),
    verb=st.sampled_from(["get", "list", "create", "deletecollection", "patch"]),
    group=st.sampled_from(["", "apps"]),
    resource=st.sampled_from([("pods", ""), ("pods", "exec"), ("secrets", "")]),
    namespace=st.sampled_from(["", "n1", "n2"]),
    name=NAMES,
)
def test_random_rbac_is_as_the_oracle_says(
    cluster: Snapshot,
    user: str,
    groups: list[str],
    verb: str,
    group: str,
    resource: tuple[str, str],
    namespace: str,
    name: str,
) -> None:
    request = {
        "verb": verb,
        "group": group,
        "resource": resource[0],
        "sub": resource[1],
        "namespace": namespace,
        "name": name,
    }
    said = Authorizer(cluster).allows(
        user, verb, group, resource[0], namespace, name, resource[1], groups=groups
    )
    assert said is oracle(cluster, user, groups, request)


def test_many_bindings_share_their_rules_and_are_asked_by_subject() -> None:
    count = 20_000
    bindings = {
        f"n{number}/b": Binding(
            Meta(name="b", namespace=f"n{number}"),
            RoleRef("ClusterRole", "r"),
            (Subject("ServiceAccount", f"s{number}"),),
        )
        for number in range(count)
    }
    known = {"r": Role(Meta(name="r"), (PolicyRule(("get",), ("",), ("pods",)),), cluster=True)}
    asked = Authorizer(Snapshot(cluster_roles=known, role_bindings=bindings))
    held: list[PermissionSet] = list(asked.permission_sets())
    assert len(held) == count
    assert len({id(one.rules) for one in held}) == 1
    assert asked.sets_of((False, "system:serviceaccount:n7:s7")) == [held[7]]
