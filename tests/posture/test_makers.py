"""Custom resources that make pods elsewhere than at `spec.template`: found wherever they stand, counted once."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from eightysix.posture.edges import delivery, host
from eightysix.posture.judge import World
from eightysix.posture.makers import MAX_FOUND, specs_in
from eightysix.posture.reading import SnapshotBuilder

ISVC = """
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata: {name: llama, namespace: ml}
spec:
  predictor:
    serviceAccountName: reader
    minReplicas: 3
    model: {modelFormat: {name: huggingface}, storageUri: "hf://meta/llama", env: [{name: HF_TOKEN, value: x}]}
  transformer: {containers: [{name: t, image: "t:1"}]}
"""
LLM = """
apiVersion: serving.kserve.io/v1alpha1
kind: LLMInferenceService
metadata: {name: big, namespace: ml}
spec:
  replicas: 2
  template: {containers: [{name: main, image: "vllm:1"}]}
  worker: {containers: [{name: main, image: "vllm:1", securityContext: {privileged: true}}]}
"""
RAY = """
apiVersion: ray.io/v1
kind: RayCluster
metadata: {name: train, namespace: ml}
spec:
  headGroupSpec: {template: {spec: {serviceAccountName: ray, containers: [{name: head, image: "ray:1"}]}}}
  workerGroupSpecs:
  - replicas: 4
    template: {spec: {containers: [{name: w, image: "ray:1"}]}}
"""
ARGO = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: prep, namespace: ml}
spec:
  serviceAccountName: builder
  volumes: [{name: v, hostPath: {path: /}}]
  templates:
  - {name: main, steps: [[{name: a, template: work}]]}
  - name: work
    container: {image: "work:1", volumeMounts: [{name: v, mountPath: /host}]}
    sidecars: [{name: s, image: "side:1", securityContext: {privileged: true}}]
"""
TEKTON = """
apiVersion: tekton.dev/v1
kind: TaskRun
metadata: {name: build, namespace: ci}
spec:
  serviceAccountName: pusher
  taskSpec: {steps: [{name: one, image: "kaniko:1"}, {name: two, image: "kaniko:2"}]}
"""
MPI = """
apiVersion: kubeflow.org/v2beta1
kind: MPIJob
metadata: {name: job, namespace: ml}
spec:
  mpiReplicaSpecs:
    Launcher: {replicas: 1, template: {spec: {containers: [{name: l, image: "mpi:1"}]}}}
    Worker: {replicas: 8, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: w, image: "mpi:1"}]}}}
"""


def world(*texts: str) -> World:
    builder = SnapshotBuilder()
    for text in texts:
        builder.take_yaml(text.encode())
    assert builder.problems == []
    return World(builder.snapshot())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ISVC, [("llama:predictor", 3, "reader", "model"), ("llama:transformer", 1, "", "t")]),
        (LLM, [("big:template", 2, "", "main"), ("big:worker", 2, "", "main")]),
        (RAY, [("train:headGroupSpec", 1, "ray", "head"), ("train:workerGroupSpecs[0]", 4, "", "w")]),
        (ARGO, [("prep", 1, "builder", "")]),
        (TEKTON, [("build", 1, "pusher", "one")]),
        (MPI, [("job:Launcher", 1, "", "l"), ("job:Worker", 8, "", "w")]),
    ],
)
def test_what_it_makes(text: str, expected: list[tuple[str, int, str, str]]) -> None:
    found = [
        (one.name, one.pods, one.spec.service_account_name, one.spec.containers[0].name)
        for one in world(text).templates
    ]
    assert found == expected


def test_evidence_says_where_in_the_object_it_stands() -> None:
    found = world(ARGO, TEKTON, ISVC)
    images = {
        (edge.source, *edge.evidence[0])
        for edge in delivery.edges(found.snapshot, found.templates)
        if edge.type == "LOADS_ARTIFACT"
    }
    assert (
        "artifact:image/work:1",
        "Workflow/ml/prep",
        "spec.templates[1].container.image",
    ) in images
    assert (
        "artifact:image/kaniko:2",
        "TaskRun/ci/build",
        "spec.taskSpec.steps[1].image",
    ) in images
    escapes = {
        (edge.type, *edge.evidence[0])
        for edge in host.edges(found.snapshot, found.templates, found.authorizer)
        if edge.source == "pod:ml/Workflow/prep"
    }
    assert (
        "PRIVILEGED",
        "Workflow/ml/prep",
        "spec.templates[1].sidecars[0].securityContext.privileged",
    ) in escapes
    assert ("HOST_FOLDER_WRITE", "Workflow/ml/prep", "spec.templates[1].container.volumeMounts[0]") in escapes


def live(text: str, uid: str = "u", **more: Any) -> str:
    item = yaml.safe_load(text)
    item["metadata"] |= {"uid": uid, **more}
    return json.dumps(item)


def pod(name: str, owner: tuple[str, str] | None = None, **labels: str) -> str:
    meta: dict[str, Any] = {"name": name, "namespace": "ml", "uid": name, "labels": labels}
    if owner:
        meta["ownerReferences"] = [{"kind": owner[0], "name": owner[1], "controller": True}]
    spec = {"containers": [{"name": "c", "image": "i"}]}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})


def test_pods_that_live_are_counted_and_not_their_maker() -> None:
    names = [one.name for one in world(live(RAY), pod("train-head-x", ("RayCluster", "train"))).templates]
    assert names == ["train"]
    by_label = world(live(RAY), pod("p", None, **{"ray.io/cluster": "train"}))
    assert [one.name for one in by_label.templates] == ["p"]
    deployment = json.dumps(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {
                "name": "llama-predictor",
                "namespace": "ml",
                "uid": "d",
                "ownerReferences": [{"kind": "InferenceService", "name": "llama", "controller": True}],
            },
            "spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "c", "image": "i"}]}}},
        }
    )
    owned = world(live(ISVC), deployment, pod("llama-predictor-a-b", ("Deployment", "llama-predictor")))
    assert [(one.kind, one.name) for one in owned.templates] == [("Deployment", "llama-predictor")]
    finished = world(live(RAY), pod("other", None, **{"elsewhere.io/cluster": "train"}))
    assert len(finished.templates) == 3


def test_of_a_cluster_what_is_scaled_to_nothing_or_over_makes_no_pods() -> None:
    asked = [(one.name, one.pods) for one in world(live(RAY), pod("p")).templates]
    assert asked == [("p", 1), ("train:headGroupSpec", 0), ("train:workerGroupSpecs[0]", 0)]
    assert len(world(live(RAY.replace("replicas: 4", "replicas: 0")), pod("p")).templates) == 2
    over = live(TEKTON + "status: {completionTime: '2026-11-20T00:00:00Z'}\n")
    assert [one.name for one in world(over, pod("p")).templates] == ["p"]
    owned = live(RAY, ownerReferences=[{"kind": "RayJob", "name": "j", "controller": True}])
    assert [one.name for one in world(owned, pod("p")).templates] == ["p"]


def test_what_only_holds_specifications_makes_no_pods() -> None:
    definition = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: x}
spec: {versions: [{schema: {containers: [{name: c, image: i}]}}]}
"""
    revision = """
apiVersion: apps/v1
kind: ControllerRevision
metadata: {name: x, namespace: a}
data: {spec: {template: {spec: {containers: [{name: c, image: i}]}}}}
"""
    assert world(definition, revision).templates == ()


def test_bounds() -> None:
    many = {"spec": {"groups": [{"containers": [{"name": "c", "image": "i"}]} for _ in range(500)]}}
    assert len(specs_in("Any", many)) == MAX_FOUND
    deep: dict[str, Any] = {"containers": [{"name": "c", "image": "i"}]}
    for _ in range(400):
        deep = {"a": deep}
    assert specs_in("Any", {"spec": deep}) == ()
    wide: dict[str, Any] = {
        "spec": {"a": [[{"b": []}]] * 200_000 + [{"containers": [{"name": "c", "image": "i"}]}]}
    }
    assert specs_in("Any", wide) == ()
    builder = SnapshotBuilder()
    bad = {
        "apiVersion": "x.io/v1",
        "kind": "Odd",
        "metadata": {"name": "o"},
        "spec": {"containers": [{"name": 5, "image": "i"}]},
    }
    builder.take(json.dumps(bad).encode())
    (problem,) = builder.problems
    assert problem.reason.startswith("Odd/o: wrongly typed")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["spec", "containers", "steps", "container", "image", "name", "replicas", "model",
                                       "template", "metadata", "labels", "storageUri"]), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(JSON)
def test_nothing_that_is_written_breaks_it(value: object) -> None:
    builder = SnapshotBuilder()
    item = {"apiVersion": "x.io/v1", "kind": "InferenceService", "metadata": {"name": "o"}, "spec": value}
    builder.take(json.dumps(item).encode())
    World(builder.snapshot()).edges  # noqa: B018 - made to be made
