"""From pods to identities of the cloud, by their roles back to the cluster; and what must not be drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from eightysix.model.posture import Edge
from eightysix.posture.edges import cloud as cloud_edges
from eightysix.posture.edges import credentials as credential_edges
from eightysix.posture.edges import delivery, gpu, llm
from eightysix.posture.snapshot import (
    Cloud,
    CloudIdentity,
    FederatedCredential,
    RoleAssignment,
    ScaleSet,
    Snapshot,
    Template,
)
from tests.posture.written import world

SUB = "/subscriptions/s1"
NODES = f"{SUB}/resourcegroups/mc_ml_prod_westeurope"
IDENTITIES = "providers/microsoft.managedidentity/userassignedidentities"
KUBELET = CloudIdentity("agentpool", "c-kubelet", "p-kubelet", f"{NODES}/{IDENTITIES}/agentpool")
OTHER = CloudIdentity("deploy", "c-deploy", "p-deploy", f"{SUB}/resourcegroups/ids/{IDENTITIES}/deploy")
REGISTRY = f"{SUB}/resourcegroups/shared/providers/microsoft.containerregistry/registries/acme"
CLUSTER = f"{SUB}/resourcegroups/ml/providers/microsoft.containerservice/managedclusters/prod"
IN_M = f"{SUB}/resourcegroups/m/providers"
MODELS = f"{IN_M}/Microsoft.Storage/storageAccounts/models"
MACHINES = f"{NODES}/providers/Microsoft.Compute/virtualMachineScaleSets"
POOL = ScaleSet(
    "aks-gpu-1-vmss", "aks-gpu-1-vmss", (KUBELET.resource_id, OTHER.resource_id, "system:p-system")
)
NODE = f"""
---
kind: Node
metadata: {{name: aks-gpu-1-vmss000000}}
spec: {{providerID: "azure://{MACHINES}/aks-gpu-1-vmss/virtualMachines/0"}}
"""
POD = """
kind: Pod
metadata: {name: server, namespace: ml}
spec:
  automountServiceAccountToken: false
  nodeName: aks-gpu-1-vmss000000
  containers: [{name: main, image: "acme.azurecr.io/ml/server:v1"}]
"""
ME = "pod:ml/server"


def azure(*assignments: tuple[str, str, str], **more: Any) -> Cloud:
    return Cloud(
        identities=(KUBELET, OTHER),
        assignments=tuple(RoleAssignment(*one) for one in assignments),
        scale_sets=(POOL,),
        kubelet_client_id="c-kubelet",
        registries=(REGISTRY,),
        given=True,
        **more,
    )


def everything(snapshot: Snapshot, templates: Sequence[Template]) -> list[Edge]:
    return [
        one
        for module in (credential_edges, cloud_edges, delivery, llm, gpu)
        for one in module.edges(snapshot, templates)
    ]


def reached(found: Sequence[Edge], start: str) -> set[str]:
    """Vertices that edges lead to from one."""
    seen, waiting = {start}, [start]
    while waiting:
        vertex = waiting.pop()
        for one in found:
            if one.source == vertex and one.target not in seen:
                seen.add(one.target)
                waiting.append(one.target)
    return seen


def drawn(text: str, cloud: Cloud | None, **more: Any) -> list[Edge]:
    return everything(*world(text, cloud, cluster="prod", **more))


def identity(one: CloudIdentity) -> str:
    return f"cloud-identity:{one.resource_id}"


def test_a_pod_asks_the_metadata_service_for_every_identity_of_its_machine() -> None:
    found = drawn(POD + NODE, azure())
    seen = reached(found, ME)
    assert {identity(KUBELET), identity(OTHER), "cloud-identity:p-system"} <= seen
    types = {one.target: one.type for one in found if one.source == "endpoint:metadata/aks-gpu-1-vmss"}
    assert types[identity(KUBELET)] == "IMDS_NODE_ID"
    assert types[identity(OTHER)] == "IMDS_OTHER_UAMI"
    assert types["cloud-identity:p-system"] == "IMDS_NODE_ID"


def test_what_closes_the_service_takes_the_edge_away_and_leaves_the_nodes() -> None:
    found = drawn(POD + NODE, azure(metadata_restricted=True))
    assert reached(found, ME).isdisjoint({identity(KUBELET), identity(OTHER)})
    assert identity(OTHER) in reached(found, "node:aks-gpu-1-vmss000000")


WI = """
kind: Pod
metadata: {name: server, namespace: ml, labels: {azure.workload.identity/use: "%s"}}
spec: {hostNetwork: false, serviceAccountName: app, containers: [{name: main, image: "x@sha256:%s"}]}
"""


def test_federation_is_of_pods_with_the_token_not_of_all_of_the_account() -> None:
    trust = (FederatedCredential(OTHER.resource_id, "https://issuer", "system:serviceaccount:ml:app"),)
    cloud = Cloud(identities=(OTHER,), federations=trust, metadata_restricted=True, given=True)
    found = drawn(WI % ("true", "a" * 64), cloud)
    assert identity(OTHER) in reached(found, ME)
    quiet = drawn(WI % ("false", "a" * 64), cloud)
    assert identity(OTHER) not in reached(quiet, ME)
    assert "service-account:ml/app" in reached(quiet, ME)


def test_a_trust_of_nobody_is_none() -> None:
    trust = (FederatedCredential("", "https://issuer", "system:serviceaccount:ml:app"),)
    found = drawn(WI % ("true", "a" * 64), Cloud(federations=trust, given=True))
    assert not [one for one in found if one.target == "cloud-identity:"]


def test_who_can_make_tokens_of_the_account_is_the_identity() -> None:
    trust = (FederatedCredential(OTHER.resource_id, "https://issuer", "system:serviceaccount:ml:app"),)
    snapshot, _ = world(POD, Cloud(federations=trust, given=True))
    hub = Edge("TOKEN_REQUEST", "namespace:ml/serviceaccounts", "service-account:ml/app")
    pod = Edge("SA_TOKEN_MOUNTED", ME, "service-account:ml/app")
    borrowed = Edge("IDENTITY_IMPERSONATE", "permission-set:a", "service-account:ml/app")
    other = Edge("TOKEN_REQUEST", "namespace:ml/serviceaccounts", "service-account:ml/other")
    (found,) = credential_edges.minted([hub, pod, borrowed, other], snapshot)
    assert (found.source, found.target) == (hub.source, credential_edges.federated_id("ml", "app"))


BINDING = """
kind: Pod
metadata:
  name: server
  namespace: ml
  labels: {azure.workload.identity/use: "true"}
  annotations: {azure.workload.identity/use-identity-binding: "true"}
spec: {serviceAccountName: app, containers: [{name: main, image: x}]}
---
kind: ServiceAccount
metadata: {name: app, namespace: ml, annotations: {azure.workload.identity/client-id: c-deploy}}
---
kind: ClusterRole
metadata: {name: use}
rules: [{apiGroups: [cid.wi.aks.azure.com], resources: [%s], verbs: [use-managed-identity]}]
---
kind: ClusterRoleBinding
metadata: {name: use}
roleRef: {kind: ClusterRole, name: use}
subjects: [{kind: ServiceAccount, name: app, namespace: ml}]
"""


@pytest.mark.parametrize(("resource", "confidence"), [("c-deploy", "proved"), ("c-other", "assumed")])
def test_identity_bindings_are_proved_by_the_right_to_use_them(resource: str, confidence: str) -> None:
    found = drawn(BINDING % resource, Cloud(identities=(OTHER,), given=True))
    (one,) = [one for one in found if one.type == "WI_IDENTITY_BINDING"]
    assert (one.target, one.confidence) == (identity(OTHER), confidence)


@pytest.mark.parametrize(
    ("role", "scope", "sinks"),
    [
        ("Azure Kubernetes Service Cluster Admin Role", CLUSTER, {"cluster-admin"}),
        ("Azure Kubernetes Service Cluster Admin Role", CLUSTER.replace("prod", "dev"), set()),
        ("Azure Kubernetes Service Cluster User Role", CLUSTER, set()),
        ("Azure Kubernetes Service RBAC Cluster Admin", CLUSTER, {"cluster-admin"}),
        ("Azure Kubernetes Service RBAC Admin", f"{CLUSTER}/namespaces/ml", set()),
        ("Contributor", NODES, {"node", "acr-write", "model-store-write", "kv-secrets", "llm-spend"}),
        ("Contributor", f"{SUB}/resourcegroups/ml",
         {"cluster-admin", "acr-write", "model-store-write", "kv-secrets", "llm-spend"}),
        ("Contributor", "/subscriptions/s2", {"acr-write", "model-store-write", "kv-secrets", "llm-spend"}),
        ("Owner", SUB,
         {"cluster-admin", "node", "sub-owner", "acr-write", "model-store-write", "kv-secrets", "llm-spend"}),
        ("User Access Administrator", SUB, {"sub-owner", "cluster-admin"}),
        ("User Access Administrator", REGISTRY, set()),
        ("Virtual Machine Contributor", NODES, {"node"}),
        ("Virtual Machine Contributor", f"{SUB}/resourcegroups/elsewhere", set()),
        ("Virtual Machine Contributor", f"{MACHINES}/aks-gpu-1-vmss", {"node"}),
        ("Virtual Machine Contributor", f"{MACHINES}/aks-cpu-1-vmss", set()),
        ("AcrPush", REGISTRY, {"acr-write"}),
        ("8311e382-0749-4cb8-b61a-304f252e45ec", REGISTRY, {"acr-write"}),
        ("AcrPull", REGISTRY, set()),
        ("Storage Blob Data Contributor", MODELS, {"model-store-write"}),
        ("Storage Blob Data Reader", MODELS, set()),
        ("Key Vault Secrets User", f"{IN_M}/Microsoft.KeyVault/vaults/keys", {"kv-secrets"}),
        ("Key Vault Reader", f"{IN_M}/Microsoft.KeyVault/vaults/keys", set()),
        ("Cognitive Services OpenAI User", f"{IN_M}/Microsoft.CognitiveServices/accounts/ai", {"llm-spend"}),
        ("Reader", SUB, set()),
        ("Owner of dreams", SUB, set()),
    ],
)  # fmt: skip
def test_where_roles_lead(role: str, scope: str, sinks: set[str]) -> None:
    found = drawn(
        POD.replace("server:v1", "server@sha256:" + "a" * 64) + NODE, azure(("p-deploy", role, scope))
    )
    seen = reached(found, identity(OTHER))
    assert {one for one in seen if one.startswith("sink:")} == {f"sink:{one}" for one in sinks}


def test_whoever_writes_trusts_becomes_the_identity() -> None:
    scope = f"{SUB}/resourcegroups/ids"
    found = drawn(POD + NODE, azure(("p-kubelet", "Managed Identity Contributor", scope)))
    written = [(one.source, one.target) for one in found if one.type == "FIC_WRITE"]
    assert written == [(f"cloud-role:Managed Identity Contributor@{scope}", identity(OTHER))]


def test_running_commands_on_machines_reaches_their_nodes() -> None:
    found = drawn(POD + NODE, azure(("p-deploy", "Virtual Machine Contributor", NODES)))
    assert "node:aks-gpu-1-vmss000000" in reached(found, identity(OTHER))


def test_the_worm_goes_from_pod_to_registry_to_pod() -> None:
    second = POD.replace("name: server,", "name: victim,").replace("aks-gpu-1-vmss000000", "elsewhere")
    cloud = azure(("p-deploy", "AcrPush", REGISTRY))
    assert "pod:ml/victim" in reached(drawn(POD + NODE + "---" + second, cloud), ME)
    pinned = second.replace("server:v1", "server@sha256:" + "b" * 64)
    assert "pod:ml/victim" not in reached(drawn(POD + NODE + "---" + pinned, cloud), ME)
    elsewhere = second.replace("acme.azurecr.io", "other.azurecr.io")
    assert "pod:ml/victim" not in reached(drawn(POD + NODE + "---" + elsewhere, cloud), ME)
    reader = azure(("p-deploy", "AcrPull", REGISTRY))
    assert "pod:ml/victim" not in reached(drawn(POD + NODE + "---" + second, reader), ME)


def test_a_store_of_models_leads_into_the_pods_that_load_from_it() -> None:
    cloud = azure(("p-deploy", "Storage Blob Data Contributor", MODELS))
    victim = "---\n" + POD.replace("name: server,", "name: victim,").replace(
        'v1"}', 'v1", args: ["--model=https://models.blob.core.windows.net/m/x"]}'
    )
    assert "pod:ml/victim" in reached(
        drawn(POD.replace(":v1", "@sha256:" + "a" * 64) + NODE + victim, cloud), ME
    )
    other = victim.replace("//models.", "//others.")
    artifact = "artifact:model/models (storage account)"
    assert artifact not in reached(drawn(POD + NODE + other, cloud), ME)


def test_a_volume_of_a_claim_leads_there_too() -> None:
    text = """
kind: PersistentVolume
metadata: {name: v}
spec: {claimRef: {namespace: ml, name: weights}, csi: {driver: blob.csi.azure.com, volumeHandle: rg#models#c}}
---
kind: Pod
metadata: {name: victim, namespace: ml}
spec:
  containers: [{name: main, image: x, volumeMounts: [{name: w, mountPath: /w}]}]
  volumes: [{name: w, persistentVolumeClaim: {claimName: weights}}]
"""
    found = drawn(text, azure(("p-deploy", "Storage Blob Data Contributor", MODELS)))
    assert "pod:ml/victim" in reached(found, identity(OTHER))
    elsewhere = text.replace("namespace: ml, name: weights", "namespace: a, name: weights")
    found = drawn(elsewhere, azure(("p-deploy", "Storage Blob Data Contributor", MODELS)))
    assert "pod:ml/victim" not in reached(found, identity(OTHER))


def test_static_keys_are_the_identity_whose_client_id_stands_beside_them() -> None:
    keyed = POD.replace(
        'v1"}',
        'v1", env: [{name: AZURE_CLIENT_ID, value: c-deploy},'
        " {name: AZURE_CLIENT_SECRET, valueFrom: {secretKeyRef: {name: sp, key: s}}}]}",
    )
    (one,) = [one for one in drawn(keyed, azure()) if one.type == "STATIC_CLOUD_KEY"]
    assert one.target == identity(OTHER)
    alone = keyed.replace("{name: AZURE_CLIENT_ID, value: c-deploy},", "")
    (one,) = [one for one in drawn(alone, azure()) if one.type == "STATIC_CLOUD_KEY"]
    assert one.target == "credential:ml/sp"


def test_azure_json_is_of_the_kubelet_and_of_no_other_cloud() -> None:
    text = """
kind: Pod
metadata: {name: server, namespace: ml}
spec:
  containers: [{name: main, image: x, volumeMounts: [{name: k, mountPath: /k}]}]
  volumes: [{name: k, hostPath: {path: /etc/kubernetes}}]
"""
    (one,) = [one for one in drawn(text, azure()) if one.type == "AZURE_JSON"]
    assert one.target == identity(KUBELET)
    node = "---\nkind: Node\nmetadata: {name: n}\nspec: {providerID: 'aws:///eu/i-1'}\n"
    assert not [one for one in drawn(text + node, None) if one.type == "AZURE_JSON"]


VAULT = """
kind: SecretProviderClass
metadata: {name: keys, namespace: ml}
spec: {provider: azure, parameters: {keyvaultName: Prod-Keys, clientID: c-deploy, useVMManagedIdentity: "%s"}}
---
kind: Pod
metadata: {name: server, namespace: ml}
spec:
  containers: [{name: main, image: x, volumeMounts: [{name: k, mountPath: /k}]}]
  volumes: [{name: k, csi: {driver: secrets-store.csi.k8s.io, volumeAttributes: {secretProviderClass: keys}}}]
"""


def test_a_class_names_vault_and_identity() -> None:
    closed = azure(metadata_restricted=True)
    seen = reached(drawn(VAULT % "false", closed), ME)
    assert {"cloud-resource:vault/prod-keys", "sink:kv-secrets", identity(OTHER)} <= seen
    assert identity(OTHER) not in reached(drawn(VAULT % "true", closed), ME)


def test_every_edge_has_its_evidence_and_techniques() -> None:
    roles = (("p-deploy", "Owner", SUB), ("p-kubelet", "AcrPull", REGISTRY))
    for one in (*drawn(VAULT % "false", azure(*roles)), *drawn(POD + NODE, azure(*roles))):
        assert one.evidence, one
        assert any(tag.startswith("T1") for tag in one.techniques), one
        assert any(tag.startswith("MS-TA") for tag in one.techniques), one


def test_edges_stay_as_many_as_objects() -> None:
    pods = "---".join(POD.replace("name: server,", f"name: server-{n},") for n in range(100))
    before = len(drawn(POD + NODE, azure(("p-deploy", "Owner", SUB))))
    after = len(drawn(pods + NODE, azure(("p-deploy", "Owner", SUB))))
    assert after - before <= 3 * 99
