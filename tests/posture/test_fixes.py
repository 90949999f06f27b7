"""Fixes do what they say: after the cut, those pods have lost those sinks. Checked by cutting, and by trying everything."""

from __future__ import annotations

import json
import random
import subprocess
from itertools import combinations

import jsonpatch
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.model.posture import Confidence, Edge, Fix, Vertex, VertexKind
from eightysix.posture.fixes import choke_points, simulate
from eightysix.posture.graph import EdgeKey, Graph, key_of, targets_of
from eightysix.posture.remedies import Known
from eightysix.posture.risk import impact
from tests.posture.brute import best

PODS = {"pod:a/Deployment/p": 3, "pod:a/q": 1, "pod:b/r": 5}
VERTICES = [*PODS, "service-account:a/s", "permission-set:a/r::b", "permission-set:r::c", "cloud-identity:i", "node:n",
            "cluster:", "sink:cluster-admin", "sink:ns-admin/a", "sink:llm-spend"]  # fmt: skip
TYPES = [
    "SA_TOKEN_MOUNTED",
    "HOLDS",
    "EXEC",
    "CONTAINS",
    "PRIVILEGED",
    "IMDS_NODE_ID",
    "HOLDS_ROLE",
    "UNHEARD_OF",
    "GPU_PRIV_OPERAND",
]

edges_of = st.lists(
    st.builds(
        Edge,
        type=st.sampled_from(TYPES),
        source=st.sampled_from(VERTICES),
        target=st.sampled_from(VERTICES),
        confidence=st.sampled_from(list(Confidence)),
    ),
    max_size=24,
)


def fixes_of(edges: list[Edge], known: Known | None = None) -> tuple[Fix, ...]:
    graph = Graph.of(edges, VERTICES)
    return choke_points(graph, PODS, targets_of(graph.sinks()), known).fixes


def reached(edges: list[Edge]) -> set[tuple[str, str]]:
    sinks = [one for one in VERTICES if one.startswith("sink:")]
    return {(pod, sink) for sink in sinks for pod in best(edges, [sink]) if pod in PODS}


@given(edges_of)
def test_after_the_cut_they_have_lost_it(edges: list[Edge]) -> None:
    fixes = fixes_of(edges)
    assert [fix.order for fix in fixes] == list(range(1, len(fixes) + 1))
    left = edges
    for fix in fixes:
        before = reached(left)
        assert set(fix.edges) <= {key_of(edge) for edge in edges}
        left = [edge for edge in left if key_of(edge) not in fix.edges]
        lost = before - reached(left)
        assert fix.sinks == tuple(sorted({sink for _, sink in lost}))
        assert fix.pods == sum(PODS[pod] for pod in {pod for pod, _ in lost}) > 0
        for sink in fix.sinks:
            count = sum(PODS[pod] for pod, of in lost if of == sink)
            had = sum(PODS[pod] for pod, of in before if of == sink)
            whole = "1 pod loses" if had == 1 else f"all {had} pods lose"
            assert (whole if count == had else f"{count} of {had} pod") in fix.why
        own = {kind for kind, source, _ in fix.edges if not source.startswith("permission-set:")}
        assert not own & {"CONTAINS", "GPU_PRIV_OPERAND"}


@given(edges_of, st.randoms(use_true_random=False))
def test_the_order_of_edges_does_not_matter(edges: list[Edge], chance: random.Random) -> None:
    assert fixes_of(edges) == fixes_of(chance.sample(edges, len(edges)))


@given(edges_of, st.sets(st.integers(0, 23)))
def test_a_simulation_tells_what_is_lost_and_what_is_kept(edges: list[Edge], numbers: set[int]) -> None:
    gone = {key_of(edges[number]) for number in numbers if number < len(edges)}
    absent = EdgeKey("EXEC", "pod:a/q", "nowhere")
    graph = Graph.of(edges, VERTICES)
    result = simulate(graph, PODS, targets_of(graph.sinks()), [*sorted(gone), absent])
    before, after = reached(edges), reached([edge for edge in edges if key_of(edge) not in gone])
    assert {(change.pod, sink) for change in result.changes for sink in change.lost} == before - after
    assert {(change.pod, sink) for change in result.changes for sink in change.kept} == after
    assert [change.pod for change in result.changes] == [
        pod for pod in PODS if pod in {pod for pod, _ in before}
    ]
    assert result.unknown == (absent,)


@given(edges_of)
def test_no_single_assignment_gains_more_than_each_action_of_the_first_fix(edges: list[Edge]) -> None:
    def gain(cut: set[EdgeKey]) -> float:
        lost = reached(edges) - reached([edge for edge in edges if key_of(edge) not in cut])
        return sum(PODS[pod] * impact(sink) for pod, sink in lost)

    edges = [  # an action an edge: what a permission set gives goes by one
        edge
        for edge in edges
        if edge.type in {"HOLDS_ROLE", "CONTAINS"}
        and not any(end.startswith("permission-set:") for end in (edge.source, edge.target))
    ]
    singles = sorted({key_of(edge) for edge in edges if edge.type == "HOLDS_ROLE"})[
        :8
    ]  # as many as are tried
    edges = [edge for edge in edges if edge.type == "CONTAINS" or key_of(edge) in singles]
    best_single = max((gain({one}) for one in singles), default=0.0)
    fixes = fixes_of(edges)
    if best_single:
        first = {EdgeKey(*key) for key in fixes[0].edges}
        assert gain(first) >= best_single * len(first)
        assert all(gain(first - {one}) < gain(first) for one in first)


def ways(count: int) -> list[Edge]:
    """Pods that reach cluster-admin by each of `count` bindings."""
    edges = [Edge("CONTAINS", pod, "service-account:a/s") for pod in PODS]
    for number in range(count):
        held = f"permission-set:admin::{number}"
        binding = ((f"ClusterRoleBinding/{number}", "subjects"),)
        edges += [
            Edge("HOLDS", "service-account:a/s", held, binding),
            Edge("CLUSTER_ADMIN", held, "cluster:", binding),
        ]
    return [*edges, Edge("CLUSTER_ADMIN", "cluster:", "sink:cluster-admin")]


def test_a_second_way_is_cut_with_the_first() -> None:
    edges = ways(2)
    fixes = fixes_of(edges)
    assert (fixes[0].pods, fixes[0].sinks, len(fixes)) == (9, ("sink:cluster-admin",), 1)
    assert fixes[0].command == (
        "kubectl delete -- clusterrolebinding 0\nkubectl delete -- clusterrolebinding 1"
    )
    assert fixes[0].why == "all 9 pods lose cluster-admin"
    # neither of them alone
    for some in combinations(fixes[0].edges, 1):
        assert reached([edge for edge in edges if key_of(edge) not in some]) == reached(edges)


def test_what_was_tried_and_is_not_needed_is_put_back() -> None:
    edges = [*ways(1), Edge("MOVES", "pod:a/q", "sink:llm-spend"), Edge("KEEPS", "pod:a/q", "sink:llm-spend")]
    fixes = fixes_of(edges)
    assert [(fix.pods, len({source for _, source, _ in fix.edges})) for fix in fixes] == [(9, 2), (1, 1)]
    assert fixes[1].what.count(";") == 1


def test_gpu_operands_are_never_a_fix() -> None:
    edges = [
        Edge("GPU_PRIV_OPERAND", "pod:b/r", "node:n"),
        Edge(
            "PRIVILEGED", "pod:a/q", "node:n", (("Pod/a/q", "spec.containers[0].securityContext.privileged"),)
        ),
        Edge("NODE_IDENTITY", "node:n", "sink:cluster-admin"),
    ]
    assert [fix.edges for fix in fixes_of(edges)] == [(key_of(edges[1]),)]
    assert fixes_of(edges, Known(architectural=frozenset({"pod:a/q"}))) == ()


def test_bindings_that_the_server_makes_anew_are_no_fix() -> None:
    for name in ("cluster-admin::cluster-admin", "a::system:b"):
        held = f"permission-set:{name}"
        edges = [Edge("HOLDS", "pod:a/q", held), Edge("CLUSTER_ADMIN", held, "sink:cluster-admin")]
        assert fixes_of(edges) == ()


# --- patches and commands ---

DEPLOYMENT = {
    "spec": {
        "template": {
            "spec": {
                "hostPID": True,
                "imagePullSecrets": [{"name": "x"}, {"name": "y"}],
                "volumes": [{"name": "v"}, {"name": "w", "hostPath": {"path": "/"}}],
                "containers": [
                    {
                        "env": [{"name": "A"}, {"name": "B"}, {"name": "C"}],
                        "securityContext": {
                            "privileged": True,
                            "capabilities": {"add": ["SYS_ADMIN", "CHOWN", "BPF"]},
                        },
                    }
                ],
            }
        }
    }
}


def only(*edges: Edge, known: Known | None = None) -> Fix:
    fixes = fixes_of(list(edges), known)
    assert len(fixes) == 1
    return fixes[0]


def escape(*paths: str, kind: str = "Deployment") -> list[Edge]:
    told = tuple((f"{kind}/a/p", path) for path in paths)
    return [
        Edge("PRIVILEGED", "pod:a/Deployment/p", "node:n", told),
        Edge("NODE_IDENTITY", "node:n", "sink:cluster-admin"),
    ]


def test_a_patch_undoes_what_evidence_points_at() -> None:
    inner = "spec.template.spec"
    fix = only(
        *escape(
            f"{inner}.hostPID",
            f"{inner}.containers[0].securityContext.privileged",
            f"{inner}.containers[0].securityContext.capabilities.add[0]",
            f"$.{inner}.containers[0].securityContext.capabilities.add[2]",
            f"{inner}.containers[0].env[1].valueFrom.secretKeyRef",
            f"{inner}.imagePullSecrets[0]",
            f"{inner}.volumes[1].hostPath.path",
            f"{inner}.volumes[1].hostPath",
        )
    )
    after = jsonpatch.apply_patch(DEPLOYMENT, fix.patch)
    assert after["spec"]["template"]["spec"] == {
        "hostPID": False,
        "imagePullSecrets": [{"name": "y"}],
        "volumes": [{"name": "v"}, {"name": "w", "emptyDir": {}}],
        "containers": [
            {
                "env": [{"name": "A"}, {"name": "C"}],
                "securityContext": {"privileged": False, "capabilities": {"add": ["CHOWN"]}},
            }
        ],
    }
    assert fix.command.startswith("kubectl patch --namespace=a --type=json --patch='[{")
    assert fix.command.endswith("]' -- deployment p")


@pytest.mark.parametrize(
    "path",
    ["", "spec", "spec.nodeName", "spec.volumes[x]", "spec.volumes[1].nfs", "spec.containers[0", "spec.a/b.env[1]",
     "metadata.labels['a.b']", "spec.env[1234567]", "spec..env[1]", "spec.env[²]"],
)  # fmt: skip
def test_a_path_that_says_something_else_gets_no_patch(path: str) -> None:
    fix = only(*escape(path))
    assert (fix.patch, fix.command) == ("", "")
    assert "Deployment/a/p" in fix.what


def test_another_object_is_not_patched() -> None:
    provider = "external:vllm"
    key = (("Deployment/a/p", "spec.template.spec.containers[0].env[2]"),)
    edges = [Edge("HAS_LLM_KEY", pod, provider) for pod in PODS]
    edges[0] = Edge("HAS_LLM_KEY", "pod:a/Deployment/p", provider, key)
    fixes = fixes_of([*edges, Edge("HAS_LLM_KEY", provider, "sink:llm-spend", key)])
    assert [fix.edges for fix in fixes] == [
        (("HAS_LLM_KEY", pod, provider),) for pod in ("pod:b/r", "pod:a/Deployment/p", "pod:a/q")
    ]
    assert fixes[1].command.startswith("kubectl patch --namespace=a --type=json")
    other = Edge("HAS_LLM_KEY", "pod:a/q", provider, key)
    fix = only(other, Edge("HAS_LLM_KEY", provider, "sink:llm-spend"))
    assert (fix.patch, fix.command) == ("", "")


def test_what_cannot_be_patched_in_place_goes_into_the_manifest() -> None:
    edges = escape("spec.hostPID", kind="RayCluster")
    edges[0] = Edge("PRIVILEGED", "pod:b/r", "node:n", (("RayCluster/b/r", "spec.hostPID"),))
    fix = only(*edges)
    assert json.loads(fix.patch)[1] == {"op": "replace", "path": "/spec/hostPID", "value": False}
    assert (fix.command, fix.what) == (
        "",
        "Take from pod b/r what leads to node n, in its manifest",
    )


def test_docker_beside_a_runner_is_taken_from_its_chart() -> None:
    path = "spec.template.spec.initContainers[1].securityContext.privileged"
    edges = escape(kind="AutoscalingRunnerSet")
    told = (("AutoscalingRunnerSet/b/r", path),)
    fix = only(Edge("PRIVILEGED", "pod:b/r", "node:n", told), *edges[1:])
    assert fix.what.startswith("Give the jobs of pod b/r no Docker: containerMode.type: kubernetes")
    assert (fix.patch, fix.command, fix.why) == ("", "", f"all {PODS['pod:b/r']} pods lose cluster-admin")
    more = Edge(
        "HOST_PROCESS", "pod:b/r", "node:n", (("AutoscalingRunnerSet/b/r", "spec.template.spec.hostPID"),)
    )
    assert "containerMode" not in only(Edge("PRIVILEGED", "pod:b/r", "node:n", told), more, *edges[1:]).what


def test_no_token() -> None:
    told = (("CronJob/a/p", "spec.jobTemplate.spec.template.spec.serviceAccountName"),)
    edges = [
        Edge("SA_TOKEN_MOUNTED", "pod:a/q", "service-account:a/s", told),
        Edge("X", "service-account:a/s", "node:n"),
    ]
    edges += [
        Edge("NODE_IDENTITY", "node:n", "sink:cluster-admin"),
        Edge("X", "service-account:a/s", "cluster:"),
    ]
    edges += [Edge("CLUSTER_ADMIN", "cluster:", "sink:cluster-admin")]
    fix = only(*edges)
    inner = {"automountServiceAccountToken": False}
    assert json.loads(fix.patch) == {"spec": {"jobTemplate": {"spec": {"template": {"spec": inner}}}}}
    assert fix.command.startswith("kubectl patch --namespace=a --type=strategic --patch='{")
    assert fix.what == "Mount no token of service account a/s into pod a/q"


def test_of_the_cloud() -> None:
    account, identity, role = "service-account:a/s", "cloud-identity:i", "cloud-role:o"
    facts = {
        "principal_id": "p-1",
        "resource_id": "/subscriptions/s/resourceGroups/g/providers/M/userAssignedIdentities/i",
    }
    known = Known(
        {
            identity: Vertex(identity, VertexKind.CLOUD_IDENTITY, "i", facts=facts),
            role: Vertex(
                role, VertexKind.CLOUD_ROLE, "o", facts={"role": "Owner", "scope": "/subscriptions/s"}
            ),
        },
        cluster="prod",
        group="g",
    )
    owner = Edge("ALLOWS", role, "sink:sub-owner")
    imds = [Edge("IMDS_NODE_ID", pod, identity) for pod in PODS]
    inside = [Edge("CONTAINS", pod, identity) for pod in PODS]
    fix = only(*inside, Edge("HOLDS_ROLE", identity, role), Edge("CONTAINS", role, "sink:sub-owner"))
    assert (fix.what, fix.command) == ("Take the cloud role o from the cloud identity i", "")
    plain = "cloud-role:Key Vault Administrator@/subscriptions/s"
    fix = only(
        *inside, Edge("HOLDS_ROLE", identity, plain), Edge("CONTAINS", plain, "sink:kv-secrets"), known=known
    )
    assert fix.command == (
        "az role assignment delete --assignee=p-1 --role='Key Vault Administrator' --scope=/subscriptions/s"
    )
    fix = only(*inside, Edge("HOLDS_ROLE", identity, role), owner, known=known)
    assert fix.command == "az role assignment delete --assignee=p-1 --role=Owner --scope=/subscriptions/s"
    fix = only(
        *imds, Edge("NODE_ROOT", identity, "node:n"), Edge("NODE_ROOT", "node:n", "sink:cluster-admin")
    )
    assert fix.command == ""
    trust = Edge("WI_FEDERATED", account, identity, (("FederatedCredential/f o", "subject"),))
    both = [Edge("CONTAINS", pod, account) for pod in PODS]
    fix = only(*both, trust, Edge("CONTAINS", identity, "sink:cluster-admin"), known=known)
    assert fix.command == (
        "az identity federated-credential delete --name='f o' --identity-name=i --resource-group=g"
    )
    fix = only(*imds, Edge("CONTAINS", identity, "sink:cluster-admin"), known=known)
    assert fix.command == "az aks update --enable-imds-restriction --name=prod --resource-group=g"
    assert len(fix.edges) == len(PODS)
    local = Edge("LIST_CLUSTER_ADMIN", role, "sink:cluster-admin")
    fix = only(*[Edge("CONTAINS", pod, role) for pod in PODS], local, known=known)
    assert fix.command == "az aks update --disable-local-accounts --name=prod --resource-group=g"


def test_the_metadata_service_is_closed_to_pods_alone() -> None:
    service, identity = "endpoint:metadata/*", "cloud-identity:i"
    leads = [Edge("IMDS_NODE_ID", service, identity), Edge("CONTAINS", identity, "sink:sub-owner")]
    of_host = Edge("IMDS_NODE_ID", "pod:b/r", service, (("DaemonSet/b/r", "spec.template.spec.hostNetwork"),))
    pods = [
        Edge("IMDS_NODE_ID", pod, service, ((f"Pod/{pod[4:]}", "spec"),)) for pod in PODS if pod != "pod:b/r"
    ]
    fixes = fixes_of([*leads, of_host, *pods, Edge("IMDS_NODE_ID", "node:n", service)])
    assert [(fix.pods, len(fix.edges)) for fix in fixes] == [(5, 1), (4, 2)]
    assert fixes[0].what == "Take from pod b/r what leads to the metadata service"
    assert json.loads(fixes[0].patch)[1]["path"] == "/spec/template/spec/hostNetwork"
    assert fixes[1].what.endswith("az aks update --enable-imds-restriction")
    token = Edge(
        "WI_FEDERATED", "pod:a/q", identity, (("Pod/a/q", "metadata.labels['azure.workload.identity/use']"),)
    )
    assert only(token, leads[1]).what == (
        "Take from pod a/q what leads to the cloud identity i: change Pod/a/q metadata.labels['azure.workload.identity/use']"
    )


def test_pod_security() -> None:
    told = (("Namespace/team a", "metadata.labels['pod-security.kubernetes.io/enforce']"),)
    edges = [Edge("CONTAINS", pod, "namespace:a/workloads") for pod in PODS]
    edges += [
        Edge("CREATE_PRIVILEGED_POD", "namespace:a/workloads", "cluster:nodes", told),
        Edge("CONTAINS", "cluster:nodes", "sink:node"),
    ]
    assert only(*edges).command == (
        "kubectl label --overwrite -- namespace 'team a' pod-security.kubernetes.io/enforce=baseline"
    )


@pytest.mark.parametrize(
    "name",
    [
        "--all",
        "$(touch x)",
        "a'b",
        "a b",
        "\u202e\x1b[2J",
        "`id`;",
        "ü!",
        "a\nb",
        "=ls",
        "\ud800",
        "x" * 5000,
    ],
)
def test_hostile_names_are_one_word(name: str) -> None:
    told = ((f"RoleBinding/{name}/{name}", "subjects"),)
    held = f"permission-set:{name}/{name}::{name}"
    edges = [Edge("HOLDS", "pod:a/q", held, told), Edge("CONTAINS", held, "sink:cluster-admin")]
    fix = only(*edges)
    assert fix.what.isprintable()
    if len(name) > 4096:
        assert fix.command == ""
        return
    assert fix.command.isascii()
    assert fix.command.isprintable()
    if name.isprintable():
        program = f"kubectl() {{ printf '%s\\n' \"$@\"; }}; {fix.command}"
        words = (
            subprocess.run(["/bin/bash", "-c", program], capture_output=True, check=True)
            .stdout.decode()
            .split("\n")
        )
        assert words == ["delete", f"--namespace={name}", "--", "rolebinding", name, ""]


def test_evidence_that_does_not_agree_gives_no_command() -> None:
    one, two = ((("RoleBinding/a/x", "subjects"),), (("RoleBinding/a/y", "subjects"),))
    held = "permission-set:a/r::b"
    edges = [
        Edge("HOLDS", "pod:a/q", held, one),
        Edge("HOLDS", "pod:b/r", held, two),
        Edge("CONTAINS", held, "sink:cluster-admin"),
    ]
    fix = only(*edges)
    assert (fix.pods, fix.command) == (6, "")
    assert fix.what == "Delete the binding of permissions a/r::b, and bind anew what is needed"


def test_planted_choke_points_are_found_in_order_of_what_they_protect() -> None:
    chance = random.Random(86)
    edges: list[Edge] = []
    pods: dict[str, int] = {}
    for number, size in enumerate((20, 200, 80)):
        held = f"permission-set:r::{number}"
        told = ((f"ClusterRoleBinding/{number}", "subjects"),)
        edges += [
            Edge("HOLDS", f"service-account:{number}/s", held, told),
            Edge("CLUSTER_ADMIN", held, "cluster:"),
        ]
        for pod in range(size):
            pods[f"pod:{number}/{pod}"] = 1
            edges.append(Edge("SA_TOKEN_MOUNTED", f"pod:{number}/{pod}", f"service-account:{number}/s"))
    names = [*pods, *(f"permission-set:noise::{number}" for number in range(50))]
    edges += [Edge("HOLDS", chance.choice([*pods]), chance.choice(names[300:])) for _ in range(2000)]
    edges.append(Edge("CLUSTER_ADMIN", "cluster:", "sink:cluster-admin"))
    graph = Graph.of(edges)
    fixes = choke_points(graph, pods, targets_of(graph.sinks())).fixes
    assert [(fix.pods, fix.command[-1:]) for fix in fixes] == [(200, "1"), (80, "2"), (20, "0")]
