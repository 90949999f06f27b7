"""What lands in pods, who can replace it, runners, sockets, provider keys, GPUs."""

from __future__ import annotations

import pytest

from eightysix.model.posture import Edge
from eightysix.posture.edges import delivery, gpu, llm
from eightysix.posture.snapshot import Cloud, ScaleSet
from tests.posture.written import world

POD = """
kind: Pod
metadata: {name: p, namespace: ml}
spec: {nodeName: n1, containers: [{name: main, image: "%s"%s}]}
"""


def loaded(image: str = "x@sha256:" + "a" * 64, more: str = "") -> set[tuple[str, str]]:
    found = delivery.edges(*world(POD % (image, more)))
    return {(one.source, one.confidence.value) for one in found if one.type == "LOADS_ARTIFACT"}


@pytest.mark.parametrize(
    ("image", "more", "expected"),
    [
        ("acme.io/a:v1", "", {("artifact:image/acme.io/a:v1", "inferred")}),
        ("acme.io/a:v1", ", imagePullPolicy: Always", {("artifact:image/acme.io/a:v1", "proved")}),
        ("acme.io:5000/a", "", {("artifact:image/acme.io:5000/a", "proved")}),
        (
            "acme.io/a:latest",
            ", imagePullPolicy: IfNotPresent",
            {("artifact:image/acme.io/a:latest", "inferred")},
        ),
        ("acme.io/a:v1@sha256:" + "0" * 64, ", imagePullPolicy: Always", set()),
        ("acme.io/a@sha256:short", "", {("artifact:image/acme.io/a@sha256:short", "inferred")}),
    ],
)
def test_images_by_tag_can_be_replaced(image: str, more: str, expected: set[tuple[str, str]]) -> None:
    assert loaded(image, more) == expected


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("[pip, install, torch]", {("artifact:pypi/torch", "proved")}),
        ("[pip, install, 'torch==2.1.0']", {("artifact:pypi/torch", "inferred")}),
        ("[sh, -c, 'set -e; pip install -q litellm && exec vllm serve /m']", {("artifact:pypi/litellm", "proved")}),
        ("[/bin/bash, -ec, \"A=1 python -m pip install a\\nuv pip install b\"]",
         {("artifact:pypi/a", "proved"), ("artifact:pypi/b", "proved")}),
        ("[vllm, serve, mistralai/Mistral-7B]", {("artifact:model/mistralai/Mistral-7B", "assumed")}),
        ("[vllm, serve, acme/m, --trust-remote-code]", {("artifact:model/acme/m", "proved")}),
        ("[vllm, serve, acme/m, --revision, " + "0a" * 20 + "]", set()),
        ("[vllm, serve, acme/m, --revision, main]", {("artifact:model/acme/m", "assumed")}),
        ("[vllm, serve, /models/acme]", set()),
        ("[python, -m, vllm.entrypoints.openai.api_server, --model=acme/m]", {("artifact:model/acme/m", "assumed")}),
        ("[python, serve.py, --model, ./m]", set()),
        ("[echo, pip, install, torch]", set()),
        ("[python, main.py]", set()),
    ],
)  # fmt: skip
def test_what_commands_install_and_servers_fetch(command: str, expected: set[tuple[str, str]]) -> None:
    assert loaded(more=f", command: {command}") == expected
    arguments = f", args: {command}"
    assert loaded(more=arguments) == expected


def test_models_by_variables() -> None:
    assert loaded(more=", env: [{name: MODEL_ID, value: acme/m}]") == {("artifact:model/acme/m", "assumed")}
    assert loaded(more=", env: [{name: MODEL_ID, value: /data/m}]") == set()


def pairs(text: str, cloud: Cloud | None = None, module: object = delivery) -> set[tuple[str, str, str]]:
    found: list[Edge] = list(module.edges(*world(text, cloud)))  # type: ignore[attr-defined]
    return {(one.type, one.source, one.target) for one in found}


def test_credentials_of_forges_and_hubs() -> None:
    env = ", env: [{name: GITHUB_TOKEN, valueFrom: {secretKeyRef: {name: s, key: k}}}]"
    assert ("HAS_CRED_CICD", "pod:ml/p", "external:github.com") in pairs(POD % ("x", env))
    assert not [one for one in pairs(POD % ("x", "")) if one[0] == "HAS_CRED_CICD"]


RUNNER = """
kind: AutoscalingRunnerSet
metadata: {name: rel, namespace: arc}
spec:
  githubConfigUrl: https://github.acme.io/ml/x
  template: {spec: {containers: [{name: r, image: "ghcr.io/actions/actions-runner:latest"}]}}
"""


def test_runners_run_what_their_forge_says() -> None:
    labelled = POD.replace("namespace: ml}", "namespace: ml, labels: {%s: x}}") % ("%s", "%s", "%s")
    found = pairs(labelled % ("actions.github.com/scale-set-name", "x", ""))
    assert ("RUNNER_JOB_EXEC", "external:github.com", "pod:ml/p") in found
    for label in ("tekton.dev/taskRun", "workflows.argoproj.io/workflow"):
        assert not [one for one in pairs(labelled % (label, "x", "")) if one[0] == "RUNNER_JOB_EXEC"]
    found = pairs(labelled % ("job.runner.gitlab.com/pod", "x", ""))
    assert ("RUNNER_JOB_EXEC", "external:gitlab.com", "pod:ml/p") in found


def test_a_runner_set_names_its_own_forge() -> None:
    runner = "pod:arc/AutoscalingRunnerSet/rel"
    assert ("RUNNER_JOB_EXEC", "external:github.acme.io", runner) in pairs(RUNNER)


LOGIN = """
kind: Pod
metadata: {name: builder, namespace: ml}
spec:
  containers: [{name: main, image: kaniko, args: [%s], volumeMounts: [{name: d, mountPath: /kaniko/.docker}]}]
  volumes: [{name: d, secret: {secretName: push}}]
---
kind: Secret
metadata: {name: push, namespace: ml}
type: kubernetes.io/dockerconfigjson
"""


def test_a_registry_login_in_a_pod_may_push_where_the_pod_says() -> None:
    found = pairs(LOGIN % "--destination=acme.azurecr.io/ml/server:v1")
    assert ("CAN_PUSH", "pod:ml/builder", "cloud-resource:push/acme.azurecr.io") in found
    found = pairs(LOGIN % "--context=/src")
    assert not [one for one in found if one[0] == "CAN_PUSH"]
    assert ("HAS_CRED_CICD", "pod:ml/builder", "external:registry") in found


def test_a_pull_secret_reads_and_never_writes() -> None:
    text = POD.replace("nodeName: n1", "imagePullSecrets: [{name: pull}]") % ("acme.azurecr.io/a:v1", "")
    found = pairs(text)
    assert ("PULLS_FROM", "pod:ml/p", "cloud-resource:pull/acme.azurecr.io") in found
    assert not [one for one in found if one[0] == "CAN_PUSH"]


def test_the_runtimes_socket_is_the_node() -> None:
    text = """
kind: Pod
metadata: {name: p, namespace: ml}
spec:
  nodeName: n1
  containers: [{name: main, image: x, volumeMounts: [{name: s, mountPath: /s}]}]
  volumes: [{name: s, hostPath: {path: %s}}]
"""
    assert ("DOCKER_SOCK", "pod:ml/p", "node:n1") in pairs(text % "/var/run/docker.sock")
    assert not [one for one in pairs(text % "/var/run/app.sock") if one[0] == "DOCKER_SOCK"]


def test_provider_keys_are_worth_what_they_spend() -> None:
    env = ", env: [{name: OPENAI_API_KEY, valueFrom: {secretKeyRef: {name: s, key: k}}}]"
    assert pairs(POD % ("x", env), module=llm) == {
        ("HAS_LLM_KEY", "pod:ml/p", "external:openai"),
        ("HAS_LLM_KEY", "external:openai", "sink:llm-spend"),
    }
    assert pairs(POD % ("x", ", env: [{name: OPENAI_API_KEY, value: EMPTY}]"), module=llm) == set()


OPERAND = """
kind: DaemonSet
metadata: {name: %s, namespace: gpu-operator}
spec: {template: {spec: {containers: [{name: main, image: "%s", securityContext: {privileged: %s}}]}}}
"""


def test_gpu_operands_keep_their_edge_and_are_told_once_a_pool() -> None:
    text = "---".join(
        (
            OPERAND % ("driver", "nvcr.io/nvidia/driver:550", "true"),
            OPERAND % ("validator", "nvcr.io/nvidia/cloud-native/gpu-operator-validator:v24", "true"),
            OPERAND % ("exporter", "nvcr.io/nvidia/k8s/dcgm-exporter:3", "false"),
            OPERAND % ("nvidia-driver-daemonset", "evil.example.org/driver:550", "true"),
        )
    )
    pools = (ScaleSet("gpu", "aks-gpu", ("/ids/a",)), ScaleSet("cpu", "aks-cpu", ("/ids/b",)))
    nodes = ("aks-gpu000000", "aks-gpu000001")
    snapshot, templates = world(text, Cloud(scale_sets=pools), nodes)
    found = list(gpu.edges(snapshot, templates))
    assert {(one.source.rpartition("/")[2], one.target) for one in found} == {
        (name, f"node:{node}") for name in ("driver", "validator") for node in nodes
    }
    (pool,) = gpu.operand_pools(snapshot, templates)
    assert (pool.pool, pool.nodes, pool.identities) == ("gpu", nodes, ("cloud-identity:/ids/a",))
    assert [name.rpartition("/")[2] for name in pool.operands] == ["driver", "validator"]
    assert [name.rpartition("/")[2] for name in pool.neighbours] == ["exporter", "nvidia-driver-daemonset"]
