"""Workloads that people really run, with the truth worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.posture.made import (
    ANYTHING,
    Object,
    account,
    bind,
    boss,
    cluster_role,
    container,
    may,
    reached,
    rule,
    running,
    space,
    work,
    world,
)

A = space("a", "restricted")
NOTHING: set[str] = set()


def quiet(name: str, **spec: Any) -> Object:
    """A workload without a token."""
    return work("a", name, automountServiceAccountToken=False, **spec)


def host(name: str, path: str, read_only: bool = False) -> Object:
    """A workload with a folder of its node."""
    mounts = [{"name": "h", "mountPath": "/h", "readOnly": read_only}]
    return quiet(
        name,
        containers=[container(volumeMounts=mounts)],
        volumes=[{"name": "h", "hostPath": {"path": path}}],
    )


@pytest.mark.parametrize(
    ("path", "read_only", "node"),
    [
        ("/", False, True),
        ("//var//run/docker.sock", False, True),
        ("/mnt/../etc/kubernetes", False, True),
        ("/etc/kubernetes/manifests", False, True),
        ("/tmp", False, False),
        ("/dev/shm", False, False),
        ("/dev/nvidia0", False, False),
        ("/mnt/models", False, False),
        ("/data/huggingface", False, False),
        ("/etc/localtime", True, False),
        ("/sys/fs/cgroup", True, False),
    ],
)
def test_folders_of_nodes(path: str, read_only: bool, node: bool) -> None:
    assert reached([space("a"), host("d", path, read_only)])["a/d"] == ({"node"} if node else NOTHING)


@pytest.mark.parametrize(
    ("context", "node"),
    [
        ({"privileged": True}, True),
        ({"capabilities": {"add": ["SYS_ADMIN"]}}, True),
        ({"capabilities": {"add": ["CAP_SYS_ADMIN"]}}, True),
        ({"capabilities": {"add": ["ALL"]}}, True),
        ({"capabilities": {"add": ["NET_ADMIN", "IPC_LOCK", "SYS_NICE"]}}, False),
        ({"capabilities": {"drop": ["ALL"]}}, False),
    ],
)
@pytest.mark.parametrize("where", ["containers", "initContainers", "ephemeralContainers"])
def test_what_a_container_may_do(context: Object, node: bool, where: str) -> None:
    spec: Object = {where: [container(name="s", securityContext=context)]}
    assert reached([space("a"), quiet("d", **spec)])["a/d"] == ({"node"} if node else NOTHING)


def argo() -> list[Object]:
    who = "argocd-application-controller"
    image = container("quay.io/argoproj/argocd:v2.14.0")
    made = work("argocd", who, who, "StatefulSet", containers=[image])
    return [space("argocd"), account("argocd", who), made, bind("argo", "cluster-admin", f"argocd/{who}")]


def flux() -> list[Object]:
    image = container("ghcr.io/fluxcd/helm-controller:v1.4.0")
    made = work("flux-system", "helm-controller", "helm-controller", containers=[image])
    everything = bind("reconciler", "cluster-admin", "flux-system/helm-controller")
    return [space("flux-system"), made, everything]


def test_who_asks_a_deployer_gets_its_rights() -> None:
    asks = may("a", rule("helm.toolkit.fluxcd.io", "helmreleases", "create"))
    truth = {"cluster-admin", "node", "ns-admin/a", "ns-admin/flux-system"}
    assert reached([A, *flux(), *asks])["a/d"] == truth
    assert reached([A, *flux(), *may("a", rule("helm.toolkit.fluxcd.io", "helmreleases", "get list watch"))])[
        "a/d"
    ] == (NOTHING)
    application = rule("argoproj.io", "applications", "create patch")
    assert (
        reached([A, *argo(), *may("a", application)])["a/d"] == NOTHING
    )  # applications elsewhere are not looked at
    assert "cluster-admin" in reached([A, *argo(), *may("argocd", application)])["argocd/d"]


def test_an_operator_of_secrets_takes_over_by_tokens() -> None:
    rules = [
        rule("core", "secrets", "get list watch create update patch delete"),
        rule("core", "serviceaccounts/token", "create"),
    ]
    objects = [
        space("es", "restricted"),
        account("es", "es"),
        work("es", "es", "es"),
        cluster_role("es", *rules),
        bind("es", "es", "es/es"),
        *boss("kube-system"),
    ]
    assert reached(objects)["es/es"] == {"cluster-admin", "node", "ns-admin/es", "ns-admin/kube-system"}


def test_a_controller_with_a_role_of_its_own_does_not_share_it() -> None:
    objects = [
        space("flux-system", "restricted"),
        account("flux-system", "kustomize"),
        account("flux-system", "source"),
        work("flux-system", "kustomize", "kustomize"),
        work("flux-system", "source", "source"),
        bind("reconciler", "cluster-admin", "flux-system/kustomize"),
        cluster_role(
            "crds", rule("source.toolkit.fluxcd.io", "*", "*"), rule("core", "secrets", "get list watch")
        ),
        bind("crds", "crds", "flux-system/kustomize", "flux-system/source"),
    ]
    found = reached(objects)
    assert found["flux-system/source"] == NOTHING
    assert "cluster-admin" in found["flux-system/kustomize"]


def test_pods_of_a_stateful_set_are_one_workload() -> None:
    def claim(number: int) -> list[Object]:
        return [{"name": "d", "persistentVolumeClaim": {"claimName": f"data-db-{number}"}}]

    pods = [
        running("a", f"db-{n}", ("StatefulSet", "db"), serviceAccountName="x", volumes=claim(n))
        for n in (0, 1)
    ]
    objects = [A, account("a", "x"), *pods, bind("b", "cluster-admin", "a/x")]
    (pod,) = world(objects).reached()
    assert (pod.kind, pod.name, pod.pods) == ("StatefulSet", "db", 2)
    assert "sink:cluster-admin" in pod.sinks


def test_what_does_not_run_reaches_nothing() -> None:
    done = running("a", "once-abcde", ("Job", "once"), "Succeeded", serviceAccountName="x")
    assert reached([A, account("a", "x"), done, bind("b", "cluster-admin", "a/x")]) == {}
    asleep = work("a", "z", "x")
    asleep["metadata"]["uid"] = "1"
    asleep["spec"]["replicas"] = 0
    assert reached([A, asleep, bind("b", "cluster-admin", "a/x")]) == {}


def test_a_static_pod_is_itself() -> None:
    (name,) = reached([space("kube-system"), running("kube-system", "kube-proxy-n1", ("Node", "n1"))])
    assert name == "kube-system/kube-proxy-n1"


def keyed(name: str, variable: str, value: str = "") -> Object:
    source = {"value": value} if value else {"valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    return quiet(name, containers=[container(env=[{"name": variable, **source}])])


@pytest.mark.parametrize(
    ("variable", "value", "spends", "density"),
    [
        ("OPENAI_API_KEY", "", True, 2),
        ("OPENAI_API_KEY", "EMPTY", False, 1),
        ("VLLM_API_KEY", "", False, 2),  # what a server asks of its own clients
        ("LITELLM_MASTER_KEY", "", True, 2),
        ("API_KEY_HEADER", "x-api-key", False, 1),
        ("MAX_TOKENS", "4096", False, 1),
    ],
)
def test_keys_of_models(variable: str, value: str, spends: bool, density: int) -> None:
    (pod,) = world([A, keyed("d", variable, value)]).reached()
    assert (pod.sinks == ("sink:llm-spend",)) is spends
    assert pod.density == density  # the metadata service is one
    assert (pod.risk > 2) is spends


def test_a_proxy_of_the_mesh_holds_no_token_of_the_cluster() -> None:
    source = {"serviceAccountToken": {"audience": "istio-ca", "path": "istio-token"}}
    spec: Object = {
        "containers": [
            container(),
            container(name="istio-proxy", volumeMounts=[{"name": "t", "mountPath": "/t"}]),
        ],
        "volumes": [{"name": "t", "projected": {"sources": [source]}}],
        "serviceAccountName": "x",
    }
    objects = [A, account("a", "x"), quiet("d", **spec), bind("b", "cluster-admin", "a/x")]
    assert reached(objects)["a/d"] == NOTHING


def test_a_runner_with_docker_in_docker_is_root_on_its_node() -> None:
    inside = container("docker:dind", "dind", securityContext={"privileged": True}, restartPolicy="Always")
    runner = container("ghcr.io/actions/actions-runner:latest", "runner")
    spec = {"initContainers": [inside], "containers": [runner], "serviceAccountName": "none"}
    made = {
        "apiVersion": "actions.github.com/v1alpha1",
        "kind": "AutoscalingRunnerSet",
        "metadata": {"name": "rel", "namespace": "arc"},
        "spec": {"githubConfigUrl": "https://github.com/acme", "template": {"spec": spec}},
    }
    assert reached([space("arc"), made])["arc/rel"] == {"node"}
    plain = {**made, "spec": {"template": {"spec": {"containers": [runner]}}}}
    assert reached([space("arc"), plain])["arc/rel"] == NOTHING


def test_a_token_is_one_way_and_cutting_it_takes_it() -> None:
    told = world(
        [A, account("a", "x"), work("a", "d", "x"), cluster_role("r", ANYTHING), bind("b", "r", "a/x")]
    )
    path = told.why("pod:a/Deployment/d", "cluster-admin")
    assert path is not None
    first = path.steps[0]
    graph = told.graph
    beside = {
        graph.key(int(one)).type
        for one in graph.leaving(graph.index[first.source])
        if graph.key(int(one)).target == first.target
    }
    assert beside == {first.type}
