"""Objects over HTTP: the verbs, what is refused, and the words that it is refused with."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest

from eightysix.model.errors import UsageError
from tests.lab.apiserver.cluster import CLUSTER, Json, Lab, account, binding, pod, role

PODS = "/api/v1/namespaces/ml/pods"
MODIFIED = (
    'Operation cannot be fulfilled on pods "inference-0": the object has been modified; please apply your changes to the '
    "latest version and try again"
)
MAPS = "/api/v1/namespaces/ml/configmaps"


def config(name: str, **data: str) -> Json:
    return {"metadata": {"name": name}, "data": data}


def test_an_object_lives_from_creation_to_deletion(lab: Lab) -> None:
    made = lab.admin.create(MAPS, config("settings", a="1"))
    assert made["kind"] == "ConfigMap"
    assert made["metadata"]["namespace"] == "ml"
    assert made["metadata"]["uid"]

    made["data"]["a"] = "2"
    status, changed = lab.admin("PUT", f"{MAPS}/settings", made)
    assert status == 200
    assert int(changed["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])
    assert changed["metadata"]["uid"] == made["metadata"]["uid"]

    status, answer = lab.admin("DELETE", f"{MAPS}/settings")
    assert (status, answer["status"], answer["details"]["name"]) == (200, "Success", "settings")
    assert lab.admin("GET", f"{MAPS}/settings")[0] == 404


def test_lists_have_items_without_kind_as_those_of_built_in_types(lab: Lab) -> None:
    found = lab.admin.get(PODS)
    assert (found["kind"], found["apiVersion"]) == ("PodList", "v1")
    assert "kind" not in found["items"][0]
    assert lab.admin.get(f"{PODS}/inference-0")["kind"] == "Pod"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "reason", "message"),
    [
        ("GET", f"{PODS}/nope", None, 404, "NotFound", 'pods "nope" not found'),
        (
            "GET",
            "/apis/apps/v1/namespaces/ml/deployments/nope",
            None,
            404,
            "NotFound",
            'deployments.apps "nope" not found',
        ),
        (
            "GET",
            "/api/v1/nonsense",
            None,
            404,
            "NotFound",
            "the server could not find the requested resource",
        ),
        (
            "POST",
            "/api/v1/namespaces/ml/secrets",
            {"metadata": {"name": "acr-push-sp"}},
            409,
            "AlreadyExists",
            'secrets "acr-push-sp" already exists',
        ),
        (
            "POST",
            "/api/v1/namespaces/gone/secrets",
            {"metadata": {"name": "a"}},
            404,
            "NotFound",
            'namespaces "gone" not found',
        ),
        (
            "PUT",
            f"{PODS}/inference-0",
            {**pod("inference-0"), "metadata": {"name": "inference-0", "resourceVersion": "1"}},
            409,
            "Conflict",
            MODIFIED,
        ),
        (
            "POST",
            PODS,
            {"metadata": {"name": "empty"}, "spec": {}},
            422,
            "Invalid",
            'Pod "empty" is invalid: spec.containers: Required value',
        ),
        (
            "POST",
            PODS,
            {**pod("other"), "metadata": {"name": "other", "namespace": "default"}},
            400,
            "BadRequest",
            "the namespace of the provided object does not match the namespace sent on the request",
        ),
        (
            "POST",
            PODS,
            pod("thief", serviceAccountName="absent"),
            403,
            "Forbidden",
            'pods "thief" is forbidden: error looking up service account ml/absent: serviceaccount "absent" not found',
        ),
        (
            "DELETE",
            "/version",
            None,
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        ),
    ],
)
def test_refusals_are_the_status_objects_of_a_real_server(
    lab: Lab, method: str, path: str, body: object, status: int, reason: str, message: str
) -> None:
    code, answer = lab.admin(method, path, body)
    assert (code, answer["code"], answer["reason"], answer["message"]) == (status, status, reason, message)
    assert (answer["kind"], answer["apiVersion"], answer["status"]) == ("Status", "v1", "Failure")


def test_an_unknown_group_is_a_plain_404(lab: Lab) -> None:
    assert lab.admin("GET", "/apis/none.example/v1/things") == (404, b"404 page not found\n")


def test_a_name_that_is_none_is_refused(lab: Lab) -> None:
    status, answer = lab.admin("POST", MAPS, config("Not A Name"))
    assert status == 422
    assert answer["details"]["causes"][0]["field"] == "metadata.name"


def test_a_generated_name_ends_in_five_letters(lab: Lab) -> None:
    made = lab.admin.create(PODS, {**pod("x"), "metadata": {"generateName": "batch-"}})
    name = made["metadata"]["name"]
    assert name.startswith("batch-")
    assert len(name) == len("batch-") + 5


def test_a_new_pod_gets_its_account_its_token_volume_and_defaults(lab: Lab) -> None:
    made = lab.admin.create(
        PODS, {"metadata": {"name": "plain"}, "spec": {"containers": [{"name": "a", "image": "b"}]}}
    )
    spec = made["spec"]
    assert spec["serviceAccountName"] == "default"
    sources = spec["volumes"][0]["projected"]["sources"]
    assert sources[0]["serviceAccountToken"] == {"expirationSeconds": 3607, "path": "token"}
    assert (
        spec["containers"][0]["volumeMounts"][0]["mountPath"]
        == "/var/run/secrets/kubernetes.io/serviceaccount"
    )
    assert spec["containers"][0]["imagePullPolicy"] == "Always"
    assert made["status"]["phase"] == "Pending"


def test_a_pod_that_wants_no_token_gets_none(lab: Lab) -> None:
    made = lab.admin.create(PODS, pod("quiet", automountServiceAccountToken=False))
    assert "volumes" not in made["spec"]


def test_of_a_pods_spec_the_image_may_change_and_little_else(lab: Lab) -> None:
    held = lab.admin.get(f"{PODS}/inference-0")
    held["spec"]["containers"][0]["image"] = "registry.example/ml/inference:next"
    status, held = lab.admin("PUT", f"{PODS}/inference-0", held)
    assert status == 200
    held["spec"]["hostPID"] = True
    status, answer = lab.admin("PUT", f"{PODS}/inference-0", held)
    assert status == 422
    assert answer["message"].startswith(
        'Pod "inference-0" is invalid: spec: Forbidden: pod updates may not change'
    )


def test_a_status_is_written_through_its_subresource_alone(lab: Lab) -> None:
    held = lab.admin.get(f"{PODS}/inference-0")
    held["status"]["phase"] = "Failed"
    lab.admin("PUT", f"{PODS}/inference-0", held)
    assert lab.admin.get(f"{PODS}/inference-0")["status"]["phase"] == "Running"
    patch = {"status": {"phase": "Succeeded", "podIP": "10.244.1.5"}}
    content = "application/merge-patch+json"
    status, changed = lab.admin("PATCH", f"{PODS}/inference-0/status", patch, content=content)
    assert (status, changed["status"]["podIP"]) == (200, "10.244.1.5")


def test_an_ephemeral_container_comes_through_its_subresource(lab: Lab) -> None:
    patch = {"spec": {"ephemeralContainers": [{"name": "debug", "image": "busybox"}]}}
    content = "application/strategic-merge-patch+json"
    status, changed = lab.admin("PATCH", f"{PODS}/inference-0/ephemeralcontainers", patch, content=content)
    assert (status, changed["spec"]["ephemeralContainers"][0]["name"]) == (200, "debug")


def test_secrets_take_plain_text_and_keep_it_coded(lab: Lab) -> None:
    made = lab.admin.create(
        "/api/v1/namespaces/ml/secrets", {"metadata": {"name": "s"}, "stringData": {"k": "v"}}
    )
    assert made["data"] == {"k": base64.b64encode(b"v").decode()}
    assert made["type"] == "Opaque"
    status, _ = lab.admin(
        "POST", "/api/v1/namespaces/ml/secrets", {"metadata": {"name": "t"}, "data": {"k": "?"}}
    )
    assert status == 400


def test_a_new_namespace_has_its_account_and_goes_with_everything_in_it(lab: Lab) -> None:
    lab.admin.create("/api/v1/namespaces", {"metadata": {"name": "team"}})
    assert lab.admin.get("/api/v1/namespaces/team/serviceaccounts/default")
    assert lab.admin.get("/api/v1/namespaces/team/configmaps/kube-root-ca.crt")
    assert lab.admin("DELETE", "/api/v1/namespaces/team")[0] == 200
    assert lab.admin("GET", "/api/v1/namespaces/team/serviceaccounts/default")[0] == 404


def test_a_deletion_keeps_to_its_preconditions(lab: Lab) -> None:
    options = {"preconditions": {"uid": "another"}}
    status, answer = lab.admin("DELETE", f"{PODS}/inference-0", options)
    assert (status, answer["reason"]) == (409, "Conflict")
    assert lab.admin.get(f"{PODS}/inference-0")


def test_finalizers_hold_an_object_until_they_are_gone(lab: Lab) -> None:
    lab.admin.create(MAPS, {"metadata": {"name": "held", "finalizers": ["example.com/wait"]}})
    status, answer = lab.admin("DELETE", f"{MAPS}/held")
    assert status == 200
    assert answer["metadata"]["deletionTimestamp"]
    assert lab.admin.get(f"{MAPS}/held")
    patch = {"metadata": {"finalizers": None}}
    lab.admin("PATCH", f"{MAPS}/held", patch, content="application/merge-patch+json")
    assert lab.admin("GET", f"{MAPS}/held")[0] == 404


def test_a_dry_run_writes_nothing(lab: Lab) -> None:
    lab.admin.create(f"{MAPS}?dryRun=All", config("never"))
    assert lab.admin("GET", f"{MAPS}/never")[0] == 404
    lab.admin("DELETE", f"{PODS}/inference-0?dryRun=All")
    assert lab.admin.get(f"{PODS}/inference-0")


def test_a_collection_is_deleted_by_label(lab: Lab) -> None:
    for name in ("a", "b"):
        lab.admin.create(MAPS, {"metadata": {"name": name, "labels": {"tier": name}}})
    status, gone = lab.admin("DELETE", f"{MAPS}?labelSelector=tier%3Da")
    assert (status, [each["metadata"]["name"] for each in gone["items"]]) == (200, ["a"])
    assert lab.admin.get(f"{MAPS}/b")


def test_an_object_that_is_too_large_is_refused_as_by_etcd(lab: Lab) -> None:
    status, answer = lab.admin("POST", MAPS, config("big", a="x" * 1_600_000))
    assert (status, answer["message"]) == (500, "etcdserver: request is too large")
    assert lab.admin("GET", f"{MAPS}/big")[0] == 404
    assert lab.last()["stage"] == "ResponseComplete"


def test_a_full_store_takes_nothing_but_what_makes_room(build: Callable[..., Lab]) -> None:
    lab = build(most_bytes=200_000)
    answers = [lab.admin("POST", MAPS, config(f"m-{number}", a="x" * 20_000)) for number in range(12)]
    assert {status for status, _ in answers} == {201, 500}
    assert answers[-1][1]["message"] == "etcdserver: mvcc: database space exceeded"
    assert lab.admin("DELETE", f"{MAPS}/m-0")[0] == 200
    assert lab.admin("POST", MAPS, config("again", a="x" * 20_000))[0] == 201


def test_a_custom_resource_is_served_once_it_is_defined(lab: Lab) -> None:
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "rayclusters.ray.io"},
        "spec": {
            "group": "ray.io",
            "scope": "Namespaced",
            "names": {"plural": "rayclusters", "kind": "RayCluster"},
            "versions": [{"name": "v1", "served": True, "storage": True}],
        },
    }
    assert lab.admin("GET", "/apis/ray.io/v1/namespaces/ml/rayclusters")[0] == 404
    lab.admin.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
    lab.admin.create("/apis/ray.io/v1/namespaces/ml/rayclusters", {"metadata": {"name": "r"}, "spec": {}})
    found = lab.admin.get("/apis/ray.io/v1/rayclusters")
    assert (found["kind"], found["items"][0]["kind"]) == ("RayClusterList", "RayCluster")
    assert "ray.io" in [group["name"] for group in lab.admin.get("/apis")["groups"]]


def test_a_scheduler_binds_and_an_eviction_ends(lab: Lab) -> None:
    lab.admin.create(PODS, pod("loose"))
    lab.admin.create(f"{PODS}/loose/binding", {"target": {"kind": "Node", "name": "aks-gpu-0"}})
    assert lab.admin.get(f"{PODS}/loose")["spec"]["nodeName"] == "aks-gpu-0"
    assert lab.admin("POST", f"{PODS}/loose/binding", {"target": {"name": "other"}})[0] == 409
    lab.admin.create(f"{PODS}/loose/eviction", {"metadata": {"name": "loose"}})
    assert lab.admin("GET", f"{PODS}/loose")[0] == 404


def test_a_scale_changes_the_workload(lab: Lab) -> None:
    path = "/apis/apps/v1/namespaces/ml/deployments"
    lab.admin.create(path, {"metadata": {"name": "d"}, "spec": {"replicas": 1}})
    scale = lab.admin.get(f"{path}/d/scale")
    assert (scale["kind"], scale["spec"]["replicas"]) == ("Scale", 1)
    scale["spec"]["replicas"] = 4
    assert lab.admin("PUT", f"{path}/d/scale", scale)[0] == 200
    assert lab.admin.get(f"{path}/d")["spec"]["replicas"] == 4


def test_pods_are_told_to_what_runs_them_in_order(build: Callable[..., Lab]) -> None:
    told: list[tuple[str, str]] = []
    lab = build(pods=lambda kind, item: told.append((kind, item["metadata"]["name"])))
    lab.admin.create(PODS, pod("first"))
    lab.admin("DELETE", f"{PODS}/first")
    lab.server.close()  # waits until everything is told
    assert told == [("ADDED", "first"), ("MODIFIED", "first"), ("DELETED", "first")]


def test_what_was_there_before_is_loaded_as_it_is(build: Callable[..., Lab]) -> None:
    uid = "11111111-2222-4333-8444-555555555555"
    item = pod("old")
    item["metadata"] |= {"uid": uid, "creationTimestamp": "2025-01-01T00:00:00Z", "namespace": "made"}
    lab = build([{"apiVersion": "v1", "kind": "PodList", "items": [item]}])
    held = lab.admin.get("/api/v1/namespaces/made/pods/old")
    assert (held["metadata"]["uid"], held["metadata"]["creationTimestamp"]) == (uid, "2025-01-01T00:00:00Z")


def test_manifests_become_what_a_cluster_makes_of_them(build: Callable[..., Lab]) -> None:
    lab = build([])
    manifest = pod("fresh")
    lab.server.load([manifest], admit=True)
    held = lab.admin.get(f"{PODS}/fresh")
    assert (
        held["spec"]["volumes"][0]["projected"]["sources"][0]["serviceAccountToken"]["expirationSeconds"]
        == 3607
    )
    assert "volumes" not in manifest["spec"]
    with pytest.raises(UsageError, match='serviceaccount "absent" not found'):
        lab.server.load([pod("other", serviceAccountName="absent")], admit=True)
    with pytest.raises(UsageError, match="Pod: Pod"):
        lab.server.load([{**pod("x"), "spec": {}}])


def test_requests_of_the_lab_itself_are_authorized_and_audited(build: Callable[..., Lab]) -> None:
    from eightysix.lab.apiserver import User

    lab = build(
        [*CLUSTER, role("w", "ml", ("", "pods", "create")), binding("w", "ml", "w", account("inference-sa"))]
    )
    nobody = User("nobody")
    assert lab.server.ask("POST", PODS, pod("x"), user=nobody).status == 403
    assert lab.last()["user"] == {"username": "nobody"}
    assert lab.server.ask("POST", PODS, pod("x"), peer="198.51.100.20", agent="kubectl/v1.34.1").status == 201
    assert lab.last()["sourceIPs"] == ["198.51.100.20"]
    assert lab.last()["userAgent"] == "kubectl/v1.34.1"
