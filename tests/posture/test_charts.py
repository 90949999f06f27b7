"""Rendered charts of the AI world: which reach cluster-admin, and why.

Alone none does: no chart holds an account with all rights, and nothing tells that one of the nodes on which they may become
root is of the control plane. Beside the accounts that every control plane has, those do that may make or change pods in
every namespace.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from eightysix.posture.judge import World
from eightysix.posture.reading import SnapshotBuilder

REASONS = {
    "actions-runner-controller.yaml": "CREATE_WORKLOAD",  # pods and statefulsets: create, in the whole cluster
    "kserve-resources.yaml": "CREATE_WORKLOAD",  # deployments: create, in the whole cluster
    "workload-identity-webhook.yaml": "ADMISSION_HOOK",  # mutatingwebhookconfigurations: update, of any name
}
"""Each true way by the power that it turns on. All end in the account of the control plane that may escalate. The GPU
operator's own right to make DaemonSets is one over its namespace alone, and JupyterHub's too."""

NODES = {
    "actions-runner-controller.yaml",
    "gha-runner-scale-set-dind.yaml",  # dind is privileged
    "gpu-operator.yaml",
    "jupyterhub.yaml",  # the hub makes pods in its namespace, which render leaves out
    "kserve-resources.yaml",
    "vllm-values-16-disagg-prefill.yaml",  # hostPID with SYS_PTRACE
    "workload-identity-webhook.yaml",
}


def world(chart: Path, *others: object) -> World:
    builder = SnapshotBuilder(manifests=True)
    builder.take_yaml(chart.read_bytes(), chart.name)
    for one in others:
        builder.take(json.dumps(one).encode(), "control-plane.json")
    return World(builder.snapshot())


def ways(told: World, sink: str) -> list[set[str]]:
    """Types of edges of each workload's best path to a sink."""
    if sink not in told.graph.index:
        return []
    paths = (told.why(pod, sink) for pod in told.ids)
    return [{step.type for step in path.steps} for path in paths if path is not None]


@pytest.mark.tier("shared-data")
def test_paths_of_charts_to_cluster_admin(shared_data: Path) -> None:
    listed = json.loads((shared_data / "kubernetes" / "bootstrap-rbac-1.20.json").read_text())["items"]
    system = [one for one in listed if one["metadata"]["name"].startswith("system:")]
    charts = sorted((shared_data / "posture" / "charts").glob("*.yaml"))
    assert len(charts) >= 16
    rooted, ruling = set(), {}
    for chart in charts:
        alone = world(chart)
        assert ways(alone, "sink:cluster-admin") == [], chart.name
        if ways(alone, "sink:node"):
            rooted.add(chart.name)
        found = ways(world(chart, *system), "sink:cluster-admin")
        if found:
            ruling[chart.name] = set.union(*found)
    assert rooted == NODES
    assert ruling.keys() == REASONS.keys()
    for name, power in REASONS.items():
        assert {power, "CREATE_POD_WITH_ACCOUNT", "ESCALATE"} <= ruling[name], name


OPERATOR = """
kind: ServiceAccount
metadata: {name: op, namespace: ops}
---
kind: Deployment
apiVersion: apps/v1
metadata: {name: op, namespace: ops}
spec: {template: {spec: {serviceAccountName: op, containers: [{name: c, image: i}]}}}
---
kind: ClusterRole
metadata: {name: op}
rules: [{apiGroups: [%s], resources: [%s], verbs: [%s]}]
---
kind: ClusterRoleBinding
metadata: {name: op}
roleRef: {kind: ClusterRole, name: op}
subjects: [{kind: ServiceAccount, name: op, namespace: ops}]
"""


@pytest.mark.parametrize(
    ("rule", "alone"),
    [
        (("apps", "deployments", "create"), False),
        (("rbac.authorization.k8s.io", "clusterroles, clusterrolebindings", "create, update, patch"), False),
        (
            (
                "rbac.authorization.k8s.io",
                "clusterroles, clusterrolebindings",
                "create, update, patch, bind",
            ),
            True,
        ),
        (("rbac.authorization.k8s.io", "clusterroles", "update, escalate"), True),
        (("''", "pods", "get, list, watch, patch"), False),
        (("''", "secrets", "get, list, watch"), False),
        (("'*'", "'*'", "get, list, watch"), False),
        (("'*'", "'*'", "'*'"), True),
    ],
)
def test_operators_of_ones_own(tmp_path: Path, rule: tuple[str, str, str], alone: bool) -> None:
    chart = tmp_path / "chart.yaml"
    chart.write_text(OPERATOR % rule)
    assert bool(ways(world(chart), "sink:cluster-admin")) is alone
