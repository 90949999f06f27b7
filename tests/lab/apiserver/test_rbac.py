"""Authorization by the objects that are held, and the refusal to give away what one has not."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from eightysix.lab.apiserver.messages import User
from eightysix.lab.apiserver.rbac import Rule, allows
from eightysix.lab.apiserver.routes import Asked
from tests.lab.apiserver.cluster import CLUSTER, RBAC, Client, Json, Lab, account, binding, role

DEV = {"kind": "User", "apiGroup": RBAC, "name": "dev"}
REVIEW = "/apis/authorization.k8s.io/v1/subjectaccessreviews"


def may(
    lab: Lab,
    verb: str,
    resource: str,
    namespace: str = "",
    *,
    user: str = "dev",
    group: str = "",
    name: str = "",
) -> Json:
    resource, _, subresource = resource.partition("/")
    attributes = {
        "verb": verb,
        "group": group,
        "resource": resource,
        "subresource": subresource,
        "namespace": namespace,
        "name": name,
    }
    status: Json = lab.admin.create(REVIEW, {"spec": {"user": user, "resourceAttributes": attributes}})[
        "status"
    ]
    return status


def test_a_binding_gives_a_role_in_its_namespace_alone(build: Callable[..., Lab]) -> None:
    lab = build(
        [*CLUSTER, role("see", "", ("", "pods", "get")), binding("see", "ml", "see", DEV, kind="ClusterRole")]
    )
    assert may(lab, "get", "pods", "ml") == {
        "allowed": True,
        "reason": 'RBAC: allowed by RoleBinding "see/ml" of ClusterRole "see" to User "dev"',
    }
    assert may(lab, "get", "pods", "default") == {"allowed": False}
    assert may(lab, "get", "pods") == {"allowed": False}


def test_an_account_of_another_namespace_may_be_bound(build: Callable[..., Lab]) -> None:
    lab = build(
        [
            *CLUSTER,
            role("see", "vault", ("", "secrets", "get")),
            binding("see", "vault", "see", account("ci", "default")),
        ]
    )
    assert may(lab, "get", "secrets", "vault", user="system:serviceaccount:default:ci")["reason"] == (
        'RBAC: allowed by RoleBinding "see/vault" of Role "see" to ServiceAccount "ci/default"'
    )
    assert not may(lab, "get", "secrets", "vault", user="system:serviceaccount:vault:ci")["allowed"]


def test_named_resources_alone(build: Callable[..., Lab]) -> None:
    lab = build(
        [
            *CLUSTER,
            role("one", "ml", ("", "secrets", "get list"), names=("a",)),
            binding("one", "ml", "one", DEV),
        ]
    )
    assert may(lab, "get", "secrets", "ml", name="a")["allowed"]
    assert not may(lab, "get", "secrets", "ml", name="b")["allowed"]
    assert not may(lab, "list", "secrets", "ml")["allowed"]
    dev = Client(lab.server, "dev-token")
    assert dev("GET", "/api/v1/namespaces/ml/secrets?fieldSelector=metadata.name%3Da")[0] == 200
    assert dev("GET", "/api/v1/namespaces/ml/secrets")[0] == 403


@pytest.mark.parametrize(
    ("resources", "asked", "expected"),
    [
        (("pods",), "pods", True),
        (("pods",), "pods/exec", False),
        (("pods/exec",), "pods/exec", True),
        (("pods/exec",), "pods", False),
        (("*/exec",), "pods/exec", True),
        (("*/exec",), "pods/log", False),
        (("pods/*",), "pods/exec", False),
        (("*",), "pods/exec", True),
    ],
)
def test_subresources_are_matched_as_the_authorizer_does(
    resources: tuple[str, ...], asked: str, expected: bool
) -> None:
    resource, _, subresource = asked.partition("/")
    rule = Rule(("create",), ("",), resources)
    assert allows(rule, Asked("create", "", "", "v1", resource, subresource, "ml", "p")) is expected


@pytest.mark.parametrize(
    ("urls", "path", "expected"),
    [
        (("/api/*",), "/api/v1", True),
        (("/api/*",), "/api", False),
        (("*",), "/x", True),
        (("/healthz",), "/healthz/etcd", False),
    ],
)
def test_paths_that_are_no_resource(urls: tuple[str, ...], path: str, expected: bool) -> None:
    assert allows(Rule(("get",), non_resource_urls=urls), Asked("get", path)) is expected


def test_a_missing_role_is_told(build: Callable[..., Lab]) -> None:
    lab = build([*CLUSTER, binding("b", "ml", "absent", DEV, kind="ClusterRole")])
    assert may(lab, "get", "pods", "ml") == {
        "allowed": False,
        "reason": f'RBAC: clusterrole.{RBAC} "absent" not found',
    }


def test_an_aggregated_role_has_the_rules_of_those_it_chooses(build: Callable[..., Lab]) -> None:
    part = role("part", "", ("", "pods", "get"))
    part["metadata"]["labels"] = {"aggregate": "yes"}
    whole = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "whole"},
        "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"aggregate": "yes"}}]},
        "rules": None,
    }
    lab = build([*CLUSTER, part, whole, binding("b", "", "whole", DEV, kind="ClusterRole")])
    assert may(lab, "get", "pods", "ml")["allowed"]


def test_rights_change_with_the_objects(lab: Lab) -> None:
    assert not may(lab, "get", "pods", "ml")["allowed"]
    roles = f"/apis/{RBAC}/v1/namespaces/ml"
    lab.admin.create(f"{roles}/roles", role("r", "ml", ("", "pods", "get")))
    lab.admin.create(f"{roles}/rolebindings", binding("r", "ml", "r", DEV))
    assert may(lab, "get", "pods", "ml")["allowed"]
    lab.admin("DELETE", f"{roles}/rolebindings/r")
    assert not may(lab, "get", "pods", "ml")["allowed"]


def test_one_may_ask_what_one_may(lab: Lab) -> None:
    client = lab.account()
    review = {"spec": {"resourceAttributes": {"verb": "list", "resource": "secrets", "namespace": "ml"}}}
    assert (
        client.create("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)["status"]["allowed"]
        is True
    )
    rules = client.create(
        "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", {"spec": {"namespace": "ml"}}
    )["status"]
    assert {"verbs": ["create"], "apiGroups": [""], "resources": ["serviceaccounts/token"]} in rules[
        "resourceRules"
    ]
    assert rules["incomplete"] is False


def test_a_review_of_nothing_is_refused(lab: Lab) -> None:
    assert lab.admin("POST", REVIEW, {"spec": {"user": "dev"}})[0] == 422
    assert lab.admin("POST", REVIEW, {"spec": {"resourceAttributes": {"verb": "get"}}})[0] == 422


ESCALATION = [
    role("writer", "ml", (RBAC, "roles rolebindings", "create update"), ("", "pods", "get")),
    binding("writer", "ml", "writer", DEV),
    role("strong", "ml", ("", "secrets", "get")),
]
ROLES = f"/apis/{RBAC}/v1/namespaces/ml/roles"
BINDINGS = f"/apis/{RBAC}/v1/namespaces/ml/rolebindings"


def test_nobody_gives_away_what_he_has_not(build: Callable[..., Lab]) -> None:
    lab = build([*CLUSTER, *ESCALATION])
    dev = Client(lab.server, "dev-token")
    assert dev("POST", ROLES, role("mine", "ml", ("", "pods", "get")))[0] == 201
    status, answer = dev("POST", ROLES, role("more", "ml", ("", "secrets", "get")))
    assert status == 403
    assert answer["message"] == (
        f'roles.{RBAC} "more" is forbidden: user "dev" (groups=["devs" "system:authenticated"]) is attempting to grant RBAC '
        'permissions not currently held:\n{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}'
    )
    assert dev("POST", BINDINGS, binding("x", "ml", "strong", DEV))[0] == 403
    assert dev("POST", BINDINGS, binding("y", "ml", "cluster-admin", DEV, kind="ClusterRole"))[0] == 403
    assert dev("POST", BINDINGS, binding("z", "ml", "mine", DEV))[0] == 201


def test_with_bind_a_stronger_role_is_bound_in_the_namespace(build: Callable[..., Lab]) -> None:
    """The way that a graph of static roles misses: a ClusterRole bound by who may bind it, in one namespace."""
    bind = role("bind", "ml", (RBAC, "clusterroles", "bind"), names=("cluster-admin",))
    lab = build([*CLUSTER, *ESCALATION, bind, binding("bind", "ml", "bind", DEV)])
    dev = Client(lab.server, "dev-token")
    assert dev("POST", BINDINGS, binding("y", "ml", "cluster-admin", DEV, kind="ClusterRole"))[0] == 201
    assert dev("GET", "/api/v1/namespaces/ml/secrets")[0] == 200
    assert dev("GET", "/api/v1/secrets")[0] == 403


def test_with_escalate_a_stronger_role_is_written(build: Callable[..., Lab]) -> None:
    more = role("esc", "ml", (RBAC, "roles", "escalate"))
    lab = build([*CLUSTER, *ESCALATION, more, binding("esc", "ml", "esc", DEV)])
    assert Client(lab.server, "dev-token")("POST", ROLES, role("more", "ml", ("*", "*", "*")))[0] == 201


def test_the_role_of_a_binding_stays(lab: Lab) -> None:
    held = lab.admin.get(f"{BINDINGS}/reader")
    held["roleRef"]["name"] = "other"
    status, answer = lab.admin("PUT", f"{BINDINGS}/reader", held)
    assert (status, answer["details"]["causes"][0]["field"]) == (422, "roleRef")


def test_masters_may_everything(lab: Lab) -> None:
    from eightysix.lab.apiserver.rbac import Rbac

    user = User("x", "", ("system:masters",))
    assert Rbac(lab.server.store).decide(user, Asked("escalate", "", RBAC, "v1", "roles")).allowed


def _manifests(folder: Path) -> list[Json]:
    found: list[Json] = []
    for path in sorted(folder.glob("ROLE_BIND*.yaml")):
        found += [each for each in yaml.safe_load_all(path.read_text()) if each]
    return [each for each in found if each["kind"] != "Pod"]


def test_escalation_ends_as_it_did_on_a_real_server(build: Callable[..., Lab], shared_data: Path) -> None:
    """26 attempts of KubeHound's service accounts to bind a stronger role to themselves, made on a kube-apiserver 1.20. In
    its log `t1` is a binding of cluster-admin in a namespace, `t2` of a Role, the third of each one of cluster-admin for the
    cluster. A refusal that names its object comes from the check of escalation, one without from authorization."""
    real = []
    for line in (shared_data / "kubernetes" / "audit-kube-apiserver-1.20.jsonl").read_bytes().splitlines():
        event = json.loads(line)
        if event["verb"] == "create" and "impersonatedUser" in event and "bindings" in event["requestURI"]:
            real.append(event)
    lab = build(_manifests(shared_data / "posture" / "kubehound"))
    nth: Counter[str] = Counter()
    for event in real:
        user = event["impersonatedUser"]
        path = event["requestURI"].partition("?")[0]
        name = event["objectRef"].get("name", "x")
        nth[user["username"]] += 1
        of_role = "/namespaces/default/" in path and nth[user["username"]] % 3 == 2
        namespace = path.split("/")[5] if "/namespaces/" in path else ""
        kind, target = ("Role", "admin") if of_role else ("ClusterRole", "cluster-admin")
        body = binding(
            name, namespace, target, account(user["username"].rpartition(":")[2], "default"), kind=kind
        )
        asker = User(user["username"], "", tuple(user["groups"]))
        lab.server.ask("POST", path, body, user=asker)
        ours = lab.last()
        assert ours["responseStatus"]["code"] == event["responseStatus"]["code"], event["objectRef"]
        assert ours["objectRef"].get("name") == event["objectRef"].get("name")
    assert len(real) == 26
