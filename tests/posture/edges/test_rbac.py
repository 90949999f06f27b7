"""Edges of access control, each against what the API server allows."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eightysix.model.posture import Edge
from eightysix.posture.edges.rbac import edges
from eightysix.posture.rbac import Authorizer
from tests.posture.cluster import account, bind, pairs, role, rule, snapshot, space, templates

RBAC = "rbac.authorization.k8s.io"
CERTS = "certificates.k8s.io"
ME = "service-account:ci/bot"


def drawn(*texts: str, server: str = "") -> list[Edge]:
    taken = snapshot(account("ci", "bot"), *texts, server=server)
    return list(edges(taken, templates(taken), Authorizer(taken)))


def reach(found: list[Edge], start: str = ME) -> set[str]:
    following: dict[str, list[str]] = {}
    for edge in found:
        following.setdefault(edge.source, []).append(edge.target)
    seen, queue = {start}, [start]
    while queue:
        for target in following.get(queue.pop(), ()):
            if target not in seen:
                seen.add(target)
                queue.append(target)
    return seen


def wide(*rules: str) -> list[Edge]:
    return drawn(space("prod"), space("kube-system"), role("r", *rules), bind("b", "r", "ci:bot"))


def narrow(*rules: str, more: str = "") -> list[Edge]:
    return drawn(
        space("prod"),
        space("other"),
        more,
        role("r", *rules, namespace="prod"),
        bind("b", "r", "ci:bot", namespace="prod"),
    )


# the five that KubeHound has otherwise


def test_namespaced_bind_of_a_cluster_role_is_all_of_the_namespace() -> None:
    found = narrow(rule("create", "rolebindings", RBAC), rule("bind", "clusterroles", RBAC))
    assert pairs(found, "BIND_ROLE") == {(ME, "namespace:prod")}
    assert "sink:ns-admin/prod" in reach(found)
    assert not {"sink:ns-admin/other", "sink:cluster-admin"} & reach(found)


def test_workloads_are_created_in_their_own_group() -> None:
    source = "permission-set:prod/r::b"
    assert pairs(narrow(rule("create", "deployments", "apps")), "CREATE_WORKLOAD") == {
        (source, "namespace:prod/workloads")
    }
    assert pairs(narrow(rule("create", "deployments", "core")), "CREATE_WORKLOAD") == set()
    assert pairs(narrow(rule("create", "jobs", "batch")), "CREATE_WORKLOAD") == {
        (source, "namespace:prod/workloads")
    }


def test_rules_with_resource_names_count_for_those_names() -> None:
    found = narrow(rule("get", "secrets", names="admin-token"))
    assert pairs(found, "READ_SECRETS") == {("permission-set:prod/r::b", "secret:prod/admin-token")}
    found = wide(
        rule("create", "clusterrolebindings", RBAC), rule("bind", "clusterroles", RBAC, names="cluster-admin")
    )
    assert pairs(found, "BIND_ROLE") == {(ME, "cluster:")}
    assert "sink:cluster-admin" in reach(found)


def test_a_binding_reaches_accounts_of_other_namespaces() -> None:
    found = narrow(rule("list", "secrets"))
    assert (ME, "permission-set:prod/r::b") in pairs(found, "HOLDS")
    assert "namespace:prod/secrets" in reach(found)


def test_binding_roles_stays_in_its_namespace_and_secrets_lead_to_their_own_account() -> None:
    strong = role("strong", rule("list", "secrets"), namespace="prod") + role(
        "far", rule("*", "*", "*"), namespace="other"
    )
    found = narrow(rule("create", "rolebindings", RBAC), rule("bind", "roles", RBAC), more=strong)
    assert "permission-set:prod/strong::*" in reach(found)
    assert "permission-set:other/far::*" not in reach(found)
    token = (
        "---\nkind: Secret\ntype: kubernetes.io/service-account-token\nmetadata:\n"
        "  {name: t, namespace: prod, annotations: {kubernetes.io/service-account.name: boss}}\n"
    )
    found = narrow(
        rule("list", "secrets"), more=token + account("prod", "boss") + account("prod", "bystander")
    )
    assert "service-account:prod/boss" in reach(found)
    assert "service-account:prod/bystander" not in reach(found)


# one grant


@pytest.mark.parametrize(
    ("words", "kind", "target"),
    [
        (rule("create", "pods/exec"), "EXEC", "pods"),
        (rule("get", "pods/exec"), "EXEC", "pods"),
        (rule("create", "pods/attach"), "ATTACH", "pods"),
        (rule("create", "pods/portforward"), "PORT_FORWARD", "pods"),
        (rule("patch", "pods/ephemeralcontainers"), "DEBUG_POD", "pods"),
        (rule("update", "pods"), "REPLACE_IMAGE", "pods"),
        (rule("create", "serviceaccounts/token"), "TOKEN_REQUEST", "service-accounts"),
        (rule("impersonate", "serviceaccounts"), "IMPERSONATE", "service-accounts"),
        (rule("watch", "secrets"), "READ_SECRETS", "secrets"),
        (rule("get", "secrets"), "READ_SECRETS", "secrets"),
        (rule("create", "pods"), "CREATE_WORKLOAD", "workloads"),
        (rule("create", "rayclusters", "ray.io"), "CREATE_WORKLOAD", "workloads"),
        (rule("create", "pods/binding"), "BIND_PODS", "pods"),
        (rule("create", "*/exec"), "EXEC", "pods"),
    ],
)
def test_grants_over_a_namespace_and_over_all(words: str, kind: str, target: str) -> None:
    assert pairs(narrow(words), kind) == {("permission-set:prod/r::b", f"namespace:prod/{target}")}
    assert pairs(wide(words), kind) == {("permission-set:r::b", f"cluster:{target}")}


@pytest.mark.parametrize(
    ("words", "kind", "target"),
    [
        (rule("impersonate", "users"), "IMPERSONATE", "cluster:users"),
        (rule("impersonate", "users", names="ann"), "IMPERSONATE", "subject:user/ann"),
        (rule("get", "nodes/proxy"), "NODES_PROXY", "cluster:pods"),
        (rule("get", "nodes/proxy", names="n1"), "NODES_PROXY", "node:n1/pods"),
        (
            rule("patch", "mutatingwebhookconfigurations", "admissionregistration.k8s.io"),
            "ADMISSION_HOOK",
            "cluster:workloads",
        ),
        (
            rule("create", "validatingwebhookconfigurations", "admissionregistration.k8s.io"),
            "ADMISSION_HOOK",
            "cluster:secrets",
        ),
        (rule("*", "*", "*"), "CLUSTER_ADMIN", "cluster:"),
    ],
)
def test_what_has_no_namespace_is_not_granted_by_a_role_binding(words: str, kind: str, target: str) -> None:
    assert ("permission-set:r::b", target) in pairs(wide(words), kind)
    assert not [
        edge for edge in narrow(words) if edge.type == kind and edge.source.startswith("permission-set:")
    ]


@pytest.mark.parametrize(
    "words",
    [
        rule("create", "pods", names="p"),
        rule("create", "secrets"),
        rule("delete", "pods"),
        rule("bind", "clusterroles", RBAC),
        rule("escalate", "roles", RBAC),
        rule("impersonate", "groups"),
        rule("impersonate", "uids", "authentication.k8s.io"),
        rule("create", "pods/*"),
        rule("update", "deployments", "apps"),  # there is none to update
        rule("get", "pods/log"),
    ],
)
def test_what_gives_nothing_by_itself(words: str) -> None:
    for found in (wide(words), narrow(words)):
        assert not [
            edge
            for edge in found
            if edge.source.startswith("permission-set:") or (edge.source == ME and edge.type != "HOLDS")
        ]


def test_wildcard_is_one_edge() -> None:
    found = narrow(rule("*", "*", "*"))
    assert [edge.target for edge in found if edge.source == "permission-set:prod/r::b"] == ["namespace:prod"]
    assert "sink:ns-admin/prod" in reach(found)
    assert "sink:cluster-admin" in reach(wide(rule("*", "*", "*")))


def test_everybody_in_a_group_and_masters() -> None:
    found = drawn(role("r", rule("list", "secrets")), bind("b", "r", "group=system:serviceaccounts:ci"))
    assert (ME, "subject:group/system:serviceaccounts:ci") in pairs(found, "MEMBER_OF")
    assert "cluster:secrets" in reach(found)
    assert "sink:cluster-admin" in reach(drawn(), "subject:group/system:masters")


def test_evidence_is_where_the_rule_and_the_binding_are() -> None:
    (edge,) = [
        edge for edge in wide(rule("get", "pods"), rule("list", "secrets")) if edge.type == "READ_SECRETS"
    ]
    assert edge.evidence == (("ClusterRole/r", "rules[1]"), ("ClusterRoleBinding/b", "roleRef"))
    assert edge.techniques == ("T1552.007", "MS-TA9025")


def test_pod_security_decides_whether_a_new_pod_takes_a_node() -> None:
    make = rule("create", "pods")
    for level, reached in (
        ("privileged", True),
        ("", True),
        ("baseline", False),
        ("restricted", False),
        ("wrong", False),
    ):
        found = drawn(
            space("prod", level),
            role("r", make, namespace="prod"),
            bind("b", "r", "ci:bot", namespace="prod"),
        )
        assert ("cluster:nodes" in reach(found)) is reached, level
    old = drawn(
        space("prod", "restricted"),
        role("r", make, namespace="prod"),
        bind("b", "r", "ci:bot", namespace="prod"),
        server="1.22",
    )
    assert "cluster:nodes" in reach(old)


def test_pods_by_name_are_their_workloads() -> None:
    text = (
        "---\nkind: Deployment\nmetadata: {name: web, namespace: prod}\nspec: {template: {spec: {containers: []}}}\n"
        "---\nkind: Pod\nmetadata: {name: lone, namespace: prod}\nspec: {containers: []}\n"
    )
    found = narrow(rule("create", "pods/exec", names="web-5d9-abc,lone,lone-1"), more=text)
    assert {target for _, target in pairs(found, "EXEC")} == {"pod:prod/Deployment/web", "pod:prod/lone"}
    assert pairs(narrow(rule("patch", "deployments", "apps", "web"), more=text), "UPDATE_WORKLOAD") == {
        ("permission-set:prod/r::b", "namespace:prod/workloads")
    }


# several grants


def test_a_service_account_is_not_impersonated_by_the_right_over_users() -> None:
    found = wide(rule("impersonate", "users", names="ann,system:serviceaccount:prod:x"))
    assert pairs(found, "IMPERSONATE") == {("permission-set:r::b", "subject:user/ann")}


def test_groups_are_impersonated_with_a_user() -> None:
    found = wide(rule("impersonate", "users,groups"))
    assert (ME, "subject:group/system:masters") in pairs(found, "IMPERSONATE_GROUP")
    assert "sink:cluster-admin" in reach(found)
    assert "sink:cluster-admin" not in reach(
        wide(rule("impersonate", "users"), rule("impersonate", "groups", names="devs"))
    )
    found = narrow(rule("impersonate", "users,groups,serviceaccounts"))
    assert not pairs(found, "IMPERSONATE_GROUP")


@pytest.mark.parametrize(
    ("signer", "target"),
    [
        ("kubernetes.io/kube-apiserver-client", "cluster:users"),
        ("kubernetes.io/*", "cluster:users"),
        ("kubernetes.io/kube-apiserver-client-kubelet", "subject:group/system:nodes"),
        ("example.com/other", None),
    ],
)
def test_certificates(signer: str, target: str | None) -> None:
    words = (
        rule("create", "certificatesigningrequests", CERTS),
        rule("update", "certificatesigningrequests/approval", CERTS),
    )
    found = pairs(wide(*words, rule("approve", "signers", CERTS, signer)), "SIGN_CERTIFICATE")
    assert found == set() if target is None else (ME, target) in found
    assert pairs(wide(*words), "SIGN_CERTIFICATE") == set()


def test_escalation_writes_into_a_role_that_one_holds() -> None:
    words = rule("escalate,update", "clusterroles", RBAC)
    assert pairs(wide(words), "ESCALATE") == {(ME, "cluster:")}
    named = rule("escalate,update", "clusterroles", RBAC, "else")
    assert pairs(wide(named), "ESCALATE") == set()
    assert (
        pairs(wide(rule("escalate", "clusterroles", RBAC), rule("get", "clusterroles", RBAC)), "ESCALATE")
        == set()
    )
    words = rule("escalate,patch", "roles", RBAC)
    assert pairs(narrow(words), "ESCALATE") == {(ME, "namespace:prod")}
    by_cluster_role = drawn(role("r", words), bind("b", "r", "ci:bot", namespace="prod", kind="ClusterRole"))
    assert pairs(by_cluster_role, "ESCALATE") == set(), "no Role of that namespace is bound to it"


def test_a_named_role_is_bound_with_what_it_holds() -> None:
    reader = role("reader", rule("list", "secrets"))
    found = drawn(
        reader,
        role(
            "r",
            rule("create", "clusterrolebindings", RBAC),
            rule("bind", "clusterroles", RBAC, names="reader,gone"),
        ),
        bind("b", "r", "ci:bot"),
    )
    assert pairs(found, "BIND_ROLE") == {(ME, "permission-set:reader::*")}
    assert "cluster:secrets" in reach(found)
    assert "sink:cluster-admin" not in reach(found)


def test_bindings_that_are_there_can_be_changed() -> None:
    admin = bind("root", "cluster-admin", "group=ops")
    words = (rule("update", "clusterrolebindings", RBAC), rule("bind", "clusterroles", RBAC))
    assert pairs(wide(*words), "BIND_ROLE") == {(ME, "cluster:")}
    words = (
        rule("patch", "clusterrolebindings", RBAC, "root"),
        rule("bind", "clusterroles", RBAC, "cluster-admin"),
    )
    found = drawn(
        role("cluster-admin", rule("*", "*", "*")), admin, role("r", *words), bind("b", "r", "ci:bot")
    )
    assert pairs(found, "BIND_ROLE") == {(ME, "permission-set:cluster-admin::root")}
    assert "sink:cluster-admin" in reach(found)
    words = (rule("patch", "rolebindings", RBAC), rule("bind", "roles", RBAC))
    other = role("x", rule("list", "secrets"), namespace="prod") + bind("y", "x", "prod:z", namespace="prod")
    assert "permission-set:prod/x::y" in reach(narrow(*words, more=other))


def test_creating_bindings_without_bind_is_nothing() -> None:
    assert pairs(wide(rule("create,update", "clusterrolebindings,rolebindings", RBAC)), "BIND_ROLE") == set()


def test_halves_from_two_bindings_and_from_a_group() -> None:
    found = drawn(
        space("prod"),
        role("one", rule("create", "rolebindings", RBAC), namespace="prod")
        + bind("one", "one", "ci:bot", namespace="prod"),
        role("two", rule("bind", "clusterroles", RBAC)) + bind("two", "two", "group=system:serviceaccounts"),
    )
    assert pairs(found, "BIND_ROLE") == {(ME, "namespace:prod")}


def test_token_secrets_are_minted_and_read_or_mounted() -> None:
    target = {(ME, "namespace:prod/service-accounts")}
    assert pairs(narrow(rule("create,get", "secrets")), "MINT_TOKEN_SECRET") == target
    assert pairs(narrow(rule("create", "secrets,pods")), "MINT_TOKEN_SECRET") == target
    assert pairs(narrow(rule("create", "secrets"), rule("get", "pods")), "MINT_TOKEN_SECRET") == set()


def test_a_label_can_be_taken_off() -> None:
    words = (rule("create", "pods"), rule("patch", "namespaces"))
    found = drawn(
        space("prod", "restricted"),
        role("r", *words, namespace="prod"),
        bind("b", "r", "ci:bot", namespace="prod"),
    )
    assert pairs(found, "NAMESPACE_PATCH") == {(ME, "cluster:nodes")}
    assert pairs(narrow(*words), "NAMESPACE_PATCH") == set(), "no label is in the way"


def test_volumes_of_a_node() -> None:
    words = (rule("create", "persistentvolumes,persistentvolumeclaims,pods"),)
    assert pairs(wide(*words), "HOST_VOLUME") == {(ME, "cluster:nodes")}
    assert pairs(narrow(*words), "HOST_VOLUME") == set()


VERBS = st.sampled_from(["get", "list", "create", "bind", "*", "patch", "impersonate"])
RESOURCES = st.sampled_from(
    ["secrets", "serviceaccounts/token", "pods/exec", "*", "pods", "rolebindings", "*/exec"]
)
GROUPS = st.sampled_from(["core", "*", "apps", RBAC])
RULES = st.builds(rule, VERBS, RESOURCES, GROUPS, st.sampled_from(["", "", "x"]))
ASKED = {
    "secrets": ("list", "", "secrets", ""),
    "pods": ("create", "", "pods", "exec"),
    "service-accounts": ("create", "", "serviceaccounts", "token"),
}
ALLOWED = {
    "READ_SECRETS": [(verb, "", "secrets", "") for verb in ("get", "list", "watch")],
    "EXEC": [(verb, "", "pods", "exec") for verb in ("create", "get")],
    "TOKEN_REQUEST": [("create", "", "serviceaccounts", "token")],
    "REPLACE_IMAGE": [(verb, "", "pods", "") for verb in ("update", "patch")],
}


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            st.lists(RULES, min_size=1, max_size=2),
            st.sampled_from(["", "n1", "n2"]),
            st.booleans(),
            st.sampled_from(["ci:bot", "n1:x", "group=system:serviceaccounts:ci", "user=ann"]),
        ),
        max_size=4,
    )
)
def test_what_the_authorizer_allows_is_an_edge_and_one_hop_edges_are_allowed(
    rows: list[tuple[list[str], str, bool, str]],
) -> None:
    texts = [space("n1"), space("n2")]
    for number, (rules, where, cluster_role, subject) in enumerate(rows):
        kind = "ClusterRole" if cluster_role or not where else "Role"
        texts.append(role(f"r{number}", *rules, namespace="" if kind == "ClusterRole" else where))
        texts.append(bind(f"b{number}", f"r{number}", subject, namespace=where, kind=kind))
    taken = snapshot(account("ci", "bot"), *texts)
    asked = Authorizer(taken)
    found = list(edges(taken, templates(taken), asked))
    reached = reach(found)
    me = "system:serviceaccount:ci:bot"
    for where in ("n1", "n2"):
        for what, (verb, group, resource, sub) in ASKED.items():
            if asked.allows(me, verb, group, resource, where, "", sub):
                assert f"namespace:{where}/{what}" in reached
    mine = {ME, *(target for source, target in pairs(found, "MEMBER_OF") if source == ME)}
    held = {target for source, target in pairs(found, "HOLDS") if source in mine}
    for edge in found:
        where, _, what = edge.target.partition(":")[2].rpartition("/")
        if edge.source not in held or edge.type not in ALLOWED:
            continue
        named = what if edge.target.startswith(("secret:", "service-account:")) else ""
        requests = ALLOWED[edge.type]
        assert any(
            asked.allows(me, verb, group, thing, where, named, sub) for verb, group, thing, sub in requests
        ), edge
    for source, target in pairs(found, "NS_ADMIN") | pairs(found, "CLUSTER_ADMIN"):
        if source in held:
            assert asked.allows(me, "anything", "any", "thing", target.partition(":")[2])


def test_edges_are_as_many_as_objects() -> None:
    def count(size: int) -> int:
        texts = [space(f"n{number}") + account(f"n{number}", "s") for number in range(size)]
        texts.append(
            role("r", rule("create", "pods/exec,pods,serviceaccounts/token"), rule("list", "secrets"))
        )
        texts.append(bind("b", "r", "group=system:serviceaccounts"))
        return len(drawn(*texts))

    small, middle, large = count(20), count(40), count(80)
    assert large - middle == 2 * (middle - small)


@pytest.mark.tier("shared-data")
def test_what_kubernetes_itself_binds(shared_data: Path) -> None:
    text = (shared_data / "kubernetes" / "bootstrap-rbac-1.20.json").read_text()
    found = drawn(text, space("kube-system"))
    assert not {vertex for vertex in reach(found) if vertex.startswith("sink:")}, (
        "an account to which nothing is bound"
    )
    system = "service-account:kube-system/"
    assert (f"{system}clusterrole-aggregation-controller", "cluster:") in pairs(found, "ESCALATE")
    assert "sink:cluster-admin" in reach(found, f"{system}job-controller"), (
        "it makes pods that use any account"
    )
    assert "sink:cluster-admin" not in reach(found, f"{system}ttl-controller")
    assert ("permission-set:cluster-admin::cluster-admin", "cluster:") in pairs(found, "CLUSTER_ADMIN")
