"""Our authorizer against an API server that is asked: random access control, and the five errors that other tools make.

Against the lab's API server always, which shows that the questions are the right ones and agrees with a second implementation;
against a real kube-apiserver where `EIGHTYSIX_KUBE_APISERVER` names one (tests/posture/kubeapi.py).
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from eightysix.posture.edges import rbac
from eightysix.posture.rbac import Authorizer, groups_of
from eightysix.posture.reading import SnapshotBuilder
from eightysix.posture.snapshot import Snapshot
from eightysix.posture.templates import templates_of
from tests.posture import kubeapi
from tests.tiers import require_tier

RBAC = "rbac.authorization.k8s.io"
SPACES = ("alpha", "beta")
ACCOUNTS = ("one", "two")
Object = dict[str, Any]


@pytest.fixture(scope="module", params=["lab", "real"])
def api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[kubeapi.Api]:
    if request.param == "lab":
        with kubeapi.lab() as found:
            yield found
        return
    why = kubeapi.missing()
    if why:
        require_tier("kube-apiserver", why)
    with kubeapi.real(tmp_path_factory.mktemp("kube-apiserver")) as found:
        yield found


def named(kind: str, name: str, namespace: str = "", group: str = "v1", **more: Any) -> Object:
    meta = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": group, "kind": kind, "metadata": meta, **more}


def role(name: str, namespace: str, *rules: Object) -> Object:
    kind = "Role" if namespace else "ClusterRole"
    return named(kind, name, namespace, f"{RBAC}/v1", rules=list(rules))


def rule(groups: list[str], resources: list[str], verbs: list[str], names: list[str] | None = None) -> Object:
    told: Object = {"apiGroups": groups, "resources": resources, "verbs": verbs}
    return {**told, **({"resourceNames": names} if names else {})}


def bind(name: str, namespace: str, kind: str, to: str, *subjects: Object) -> Object:
    binding = "RoleBinding" if namespace else "ClusterRoleBinding"
    reference = {"apiGroup": RBAC, "kind": kind, "name": to}
    return named(binding, name, namespace, f"{RBAC}/v1", roleRef=reference, subjects=list(subjects))


def account(namespace: str, name: str) -> Object:
    return {"kind": "ServiceAccount", "namespace": namespace, "name": name}


def held(api: kubeapi.Api, objects: list[Object]) -> Snapshot:
    """The objects in the server, and as posture reads them."""
    for one in objects:
        api.make(one)
    builder = SnapshotBuilder(manifests=True)
    builder.take(b"\n".join(json.dumps(one).encode() for one in objects))
    assert builder.problems == []
    return builder.snapshot()


def spaces(*names: str) -> list[Object]:
    return [named("Namespace", name) for name in names]


def drawn(seed: int) -> list[Object]:
    """Random roles and bindings, with the things that are easily got wrong."""
    chance = random.Random(seed)
    groups = [[""], ["apps"], ["*"], ["", "apps"], [RBAC]]
    resources = [
        "pods",
        "secrets",
        "deployments",
        "*",
        "pods/exec",
        "*/scale",
        "pods/*",
        "rolebindings",
        "serviceaccounts/token",
    ]
    verbs = ["get", "list", "create", "delete", "*", "bind", "impersonate", "watch"]

    def rules() -> list[Object]:
        return [
            rule(
                chance.choice(groups),
                chance.sample(resources, chance.randint(1, 2)),
                chance.sample(verbs, chance.randint(1, 3)),
                chance.choice([None, None, None, ["x"], ["x", "y"]]),
            )
            for _ in range(chance.randint(1, 2))
        ]

    def subject() -> Object:
        return chance.choice(
            [
                account(chance.choice(SPACES), chance.choice(ACCOUNTS)),
                {"kind": "User", "apiGroup": RBAC, "name": "ann"},
                {"kind": "Group", "apiGroup": RBAC, "name": "devs"},
                {
                    "kind": "Group",
                    "apiGroup": RBAC,
                    "name": f"system:serviceaccounts:{chance.choice(SPACES)}",
                },
                {"kind": "Group", "apiGroup": RBAC, "name": "system:authenticated"},
            ]
        )

    found = []
    for number in range(6):
        name = f"r{seed}-{number}"
        found.append(role(name, "", *rules()))
        found.append(role(name, chance.choice(SPACES), *rules()))
    for number in range(10):
        space = chance.choice([*SPACES, *SPACES, ""])
        kind = chance.choice(["Role", "ClusterRole"]) if space else "ClusterRole"
        found.append(bind(f"b{seed}-{number}", space, kind, f"r{seed}-{chance.randrange(7)}", subject()))
    return found


def questions(seed: int, count: int) -> Iterator[tuple[str, tuple[str, ...], dict[str, str]]]:
    chance = random.Random(seed)
    for _ in range(count):
        user = chance.choice(
            [
                *(f"system:serviceaccount:{space}:{name}" for space in SPACES for name in ACCOUNTS),
                "ann",
                "bob",
            ]
        )
        groups = chance.choice([(), (), ("devs",)])
        group, resource, subresource = chance.choice(
            [
                ("", "pods", ""), ("", "pods", "exec"), ("", "secrets", ""), ("apps", "deployments", ""),
                ("apps", "deployments", "scale"), (RBAC, "rolebindings", ""), ("", "serviceaccounts", "token"),
            ]
        )  # fmt: skip
        verb = chance.choice(["get", "list", "create", "delete", "bind", "watch"])
        name = chance.choice(["", "x", "z"]) if verb not in ("create", "list", "watch") or subresource else ""
        yield (
            user,
            groups,
            {
                "verb": verb,
                "group": group,
                "resource": resource,
                "subresource": subresource,
                "namespace": chance.choice([*SPACES, ""]),
                "name": name,
            },
        )


def edges(snapshot: Snapshot) -> set[tuple[str, str, str]]:
    found = rbac.edges(snapshot, templates_of(snapshot), Authorizer(snapshot))
    return {(edge.type, edge.source, edge.target) for edge in found}


def as_account(api: kubeapi.Api, namespace: str, name: str, method: str, path: str, body: Object) -> int:
    user = f"system:serviceaccount:{namespace}:{name}"
    return api.ask(method, path, body, Impersonate_User=user)[0]


def test_a_cluster_role_is_bound_in_one_namespace_and_nowhere_else(api: kubeapi.Api) -> None:
    binder = [
        rule([RBAC], ["rolebindings"], ["create"]),
        rule([RBAC], ["clusterroles"], ["bind"]),
    ]
    objects = [
        *spaces("bound", "elsewhere"),
        role("binder", "bound", *binder),
        bind("binder", "bound", "Role", "binder", account("bound", "robot")),
    ]
    found = edges(held(api, objects))
    assert ("BIND_ROLE", "service-account:bound/robot", "namespace:bound") in found
    assert not [one for one in found if one[0] == "BIND_ROLE" and one[2] != "namespace:bound"]
    for namespace, status in (("bound", 201), ("elsewhere", 403)):
        made = bind("taken", namespace, "ClusterRole", "cluster-admin", account("bound", "robot"))
        path = f"/apis/{RBAC}/v1/namespaces/{namespace}/rolebindings"
        assert as_account(api, "bound", "robot", "POST", path, made) == status


def test_a_workload_is_made_in_its_own_group(api: kubeapi.Api) -> None:
    objects = [
        *spaces("making"),
        role("maker", "making", rule(["apps"], ["deployments"], ["create"])),
        role("other", "making", rule([""], ["deployments"], ["create"])),
        bind("maker", "making", "Role", "maker", account("making", "robot")),
        bind("other", "making", "Role", "other", account("making", "nobody")),
    ]
    found = {(kind, source) for kind, source, _ in edges(held(api, objects))}
    assert ("CREATE_WORKLOAD", "permission-set:making/maker::maker") in found
    assert ("CREATE_WORKLOAD", "permission-set:making/other::other") not in found
    labels = {"app": "x"}
    spec = {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
    }
    for name, status in (("robot", 201), ("nobody", 403)):
        made = named("Deployment", f"by-{name}", "making", "apps/v1", spec=spec)
        path = "/apis/apps/v1/namespaces/making/deployments"
        assert as_account(api, "making", name, "POST", path, made) == status


def test_names_in_rules_count_and_so_do_subjects_of_other_namespaces(api: kubeapi.Api) -> None:
    objects = [
        *spaces("vault", "ci"),
        named("Secret", "admin-token", "vault", type="Opaque"),
        role("reader", "vault", rule([""], ["secrets"], ["get"], ["admin-token"])),
        bind("reader", "vault", "Role", "reader", account("ci", "deployer")),
    ]
    snapshot = held(api, objects)
    held_by = "permission-set:vault/reader::reader"
    assert ("READ_SECRETS", held_by, "secret:vault/admin-token") in edges(snapshot)
    assert ("HOLDS", "service-account:ci/deployer", held_by) in edges(snapshot)
    user = "system:serviceaccount:ci:deployer"
    request = {"verb": "get", "group": "", "resource": "secrets", "namespace": "vault"}
    for name, allowed in (("admin-token", True), ("other", False)):
        assert api.allows(user, groups_of(user), {**request, "name": name}) is allowed
        assert Authorizer(snapshot).allows(user, "get", "", "secrets", "vault", name) is allowed


def test_a_namespaced_bind_stays_and_secrets_are_of_whose_token_they_hold(api: kubeapi.Api) -> None:
    binder = [rule([RBAC], ["rolebindings"], ["create"]), rule([RBAC], ["roles"], ["bind"])]
    objects = [
        *spaces("near", "far"),
        role("binder", "near", *binder),
        bind("binder", "near", "Role", "binder", account("near", "robot")),
        role("great", "far", rule(["*"], ["*"], ["*"])),
        role("lister", "near", rule([""], ["secrets"], ["list"])),
        bind("lister", "near", "Role", "lister", account("near", "robot")),
        named("ServiceAccount", "other", "near"),
    ]
    found = edges(held(api, objects))
    assert not [one for one in found if one[0] == "BIND_ROLE" and "far" in one[2]]
    assert not [one for one in found if one[0] == "SECRET_OF_ACCOUNT"]
    path = f"/apis/{RBAC}/v1/namespaces/far/rolebindings"
    made = bind("taken", "far", "Role", "great", account("near", "robot"))
    assert as_account(api, "near", "robot", "POST", path, made) == 403


def test_random_access_control_is_as_the_server_says(api: kubeapi.Api) -> None:
    # NOTE: the last test here: what is bound to everybody stays in the server
    everything: list[Object] = spaces(*SPACES)
    answers = []
    for seed in range(4):
        everything += drawn(seed)
        snapshot = held(api, everything)
        ours = Authorizer(snapshot)
        for user, groups, request in questions(seed, 80):
            theirs = api.allows(user, (*groups_of(user), *groups), request)
            told = ours.allows(
                user,
                request["verb"],
                request["group"],
                request["resource"],
                request["namespace"],
                request["name"],
                request["subresource"],
                groups=groups,
            )
            assert told is theirs, (user, groups, request)
            answers.append(theirs)
    assert 20 < sum(answers) < len(answers) - 20, "questions with both answers"
