"""Each signal of a credential, and beside it what looks like one and stays quiet."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from msgspec.structs import replace

from eightysix.model.posture import Credential
from eightysix.posture.domains import credentials, domains
from eightysix.posture.snapshot import Cloud, CloudIdentity, FederatedCredential, ScaleSet
from tests.posture.written import world

CLIENT = "00001111-aaaa-2222-bbbb-3333cccc4444"


def pod(spec: str = "", meta: str = "", container: str = "", account: str = "app") -> str:
    """A pod in namespace `ml` with one container; parts come as YAML without indentation."""

    def part(text: str, by: int) -> str:
        return textwrap.indent(textwrap.dedent(text).strip("\n"), " " * by)

    return (
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: server\n  namespace: ml\n"
        + part(meta, 2)
        + f"\nspec:\n  serviceAccountName: {account}\n"
        + part(spec, 2)
        + "\n  containers:\n  - name: main\n    image: acme.azurecr.io/ml/server:v1\n"
        + part(container, 4)
        + "\n"
    )


def account(meta: str = "", top: str = "") -> str:
    return f"---\nkind: ServiceAccount\nmetadata:\n  name: app\n  namespace: ml\n  {meta}\n{top}\n"


def secret(name: str, type_: str, meta: str = "") -> str:
    return f"---\nkind: Secret\nmetadata:\n  name: {name}\n  namespace: ml\n{meta}type: {type_}\n"


def mounted(volume: str, name: str = "v", sub_path: str = "") -> tuple[str, str]:
    """Spec and container of a pod that mounts a volume."""
    sub = f", subPath: {sub_path}" if sub_path else ""
    return (
        f"volumes:\n- name: {name}\n" + textwrap.indent(textwrap.dedent(volume).strip("\n"), "  "),
        f"volumeMounts:\n- {{name: {name}, mountPath: /x{sub}}}",
    )


def held(text: str, cloud: Cloud | None = None, nodes: tuple[str, ...] = ()) -> tuple[Credential, ...]:
    snapshot, templates = world(text, cloud, nodes)
    return credentials(templates[0], snapshot)


def told(text: str, cloud: Cloud | None = None) -> set[str]:
    """`domain signal name confidence`, without what every pod has."""
    return {
        f"{c.domain} {c.signal} {c.name} {c.confidence}"
        for c in held(text, cloud)
        if c.signal not in ("metadata-service", "automounted-token")
    }


def env(*lines: str) -> str:
    return "env:\n" + "\n".join(f"- {line}" for line in lines)


def ref(name: str, secret: str, key: str = "key", more: str = "") -> str:
    return f"{{name: {name}, valueFrom: {{secretKeyRef: {{name: {secret}, key: {key}{more}}}}}}}"


# --- cluster ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("of_pod", "of_account", "expected"),
    [
        ("", "", ("proved", "Pod/ml/server", "spec.automountServiceAccountToken")),
        ("true", "false", ("proved", "Pod/ml/server", "spec.automountServiceAccountToken")),
        ("", "true", ("proved", "ServiceAccount/ml/app", "automountServiceAccountToken")),
        ("false", "true", None),
        ("", "false", None),
    ],
)
def test_the_pod_says_before_its_account_whether_a_token_is_mounted(
    of_pod: str, of_account: str, expected: tuple[str, str, str] | None
) -> None:
    spec = f"automountServiceAccountToken: {of_pod}" if of_pod else ""
    text = pod(spec) + account(top=f"automountServiceAccountToken: {of_account}" if of_account else "")
    found = [(c.confidence, c.object, c.path) for c in held(text) if c.signal == "automounted-token"]
    assert found == ([expected] if expected else [])


def test_without_its_account_an_automounted_token_is_inferred() -> None:
    found = [c for c in held(pod()) if c.domain == "cluster"]
    assert [(c.confidence, c.target) for c in found] == [("inferred", "service-account:ml/app")]


@pytest.mark.parametrize(
    ("audience", "expected"),
    [
        ("", "cluster projected-token app proved"),
        ("https://kubernetes.default.svc", "cluster projected-token app proved"),
        ("https://kubernetes.default.svc.cluster.local", "cluster projected-token app proved"),
        ("https://eastus.oic.prod-aks.azure.com/t/i/", "cluster projected-token app proved"),
        ("api://AzureADTokenExchange", "cloud federated-token api://AzureADTokenExchange proved"),
        ("api://AKSIdentityBinding", "cloud identity-binding api://AKSIdentityBinding proved"),
        ("sts.amazonaws.com", "cloud federated-token sts.amazonaws.com proved"),
        ("acme.svc.id.goog", "cloud federated-token acme.svc.id.goog proved"),
        ("vault", "delivery vault-token vault inferred"),
        ("istio-ca", None),
        ("https://kubernetes.default.svc.evil.example.org", None),
        ("https://example.org", None),
    ],
)
def test_projected_tokens_are_of_who_takes_their_audience(audience: str, expected: str | None) -> None:
    volume = f"projected: {{sources: [{{serviceAccountToken: {{audience: '{audience}', path: t}}}}]}}"
    spec, container = mounted(volume)
    assert told(pod(spec, container=container)) == ({expected} if expected else set())


def test_the_volume_that_admission_adds_is_the_automounted_token() -> None:
    spec, container = mounted(
        "projected: {sources: [{serviceAccountToken: {path: token}}]}", "kube-api-access-x2x4z"
    )
    assert told(pod(spec, container=container) + account()) == set()


def test_what_no_container_mounts_is_not_held() -> None:
    spec, _ = mounted("secret: {secretName: hf-token}")
    assert told(pod(spec)) == set()


def test_token_secrets_name_their_account_by_type_alone() -> None:
    spec, container = mounted("secret: {secretName: robot}")
    meta = "  annotations: {kubernetes.io/service-account.name: deployer}\n"
    text = pod(spec, container=container) + secret("robot", "kubernetes.io/service-account-token", meta)
    (found,) = [c for c in held(text) if c.signal == "token-secret"]
    assert (found.target, found.confidence) == ("service-account:ml/deployer", "proved")
    assert told(pod(spec, container=container) + secret("robot", "Opaque", meta)) == set()


@pytest.mark.parametrize(
    ("path", "sub_path", "expected"),
    [
        ("/etc/kubernetes", "",
         {"cluster admin-kubeconfig", "cloud azure-json", "cluster cluster-key", "cluster node-credential"}),
        ("/etc/kubernetes/azure.json", "", {"cloud azure-json"}),
        ("/etc//kubernetes/./azure.json", "", {"cloud azure-json"}),
        ("/etc/kubernetes", "azure.json", {"cloud azure-json"}),
        ("/etc/kubernetes/node-feature-discovery/features.d/", "", set()),
        ("/etc/os-release", "", set()),
        ("/var/lib/kubelet/pods/abc/volumes", "", {"cluster tokens-of-the-node"}),
        ("/var/lib/kubelet/device-plugins", "", set()),
        ("/var/run/docker.sock", "", {"delivery runtime-socket"}),
        ("/run/containerd", "", {"delivery runtime-socket"}),
        ("/run/nvidia", "", set()),
        ("/home/user/.docker/config.json", "", {"delivery docker-config"}),
        ("/etc/kubernetes-not", "", set()),
    ],
)  # fmt: skip
def test_files_of_the_node(path: str, sub_path: str, expected: set[str]) -> None:
    spec, container = mounted(f"hostPath: {{path: {path}}}", sub_path=sub_path)
    found = held(pod(spec, container=container))
    assert {f"{c.domain} {c.signal}" for c in found if c.path == "spec.volumes[0].hostPath.path"} == expected


# --- delivery and model providers ------------------------------------------------------------------------------------


def test_pull_secrets_of_the_account_count_where_the_pod_names_none() -> None:
    accounts = account(top="imagePullSecrets: [{name: from-account}]")
    assert told(pod() + accounts) == {"delivery image-pull-secret from-account assumed"}
    named = pod("imagePullSecrets: [{name: from-pod}]") + accounts
    assert told(named) == {"delivery image-pull-secret from-pod assumed"}


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        ("kubernetes.io/dockerconfigjson", {"delivery registry-secret thing proved"}),
        ("kubernetes.io/dockercfg", {"delivery registry-secret thing proved"}),
        ("kubernetes.io/ssh-auth", {"delivery ssh-secret thing inferred"}),
        ("kubernetes.io/basic-auth", {"delivery login-secret thing assumed"}),
        ("bootstrap.kubernetes.io/token", {"cluster bootstrap-token thing proved"}),
        ("kubernetes.io/tls", set()),
        ("helm.sh/release.v1", set()),
    ],
)
def test_types_of_secrets(type_: str, expected: set[str]) -> None:
    spec, container = mounted("secret: {secretName: thing}")
    assert told(pod(spec, container=container) + secret("thing", type_)) == expected


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        (ref("HF_TOKEN", "s"), {"delivery delivery-variable s inferred"}),
        (ref("HF_TOKEN", "s", more=", optional: true"), {"delivery delivery-variable s assumed"}),
        (ref("X", "s", "github_token"), {"delivery delivery-variable s inferred"}),
        (ref("X", "wandb-api-key"), {"delivery delivery-variable wandb-api-key assumed"}),
        (ref("SYSTEM_ACCESSTOKEN", "s"), {"delivery delivery-variable s inferred"}),
        (ref("GITHUB_APP_ID", "s", "github_app_id"), set()),
        (ref("NODE_NAME", "node-exporter"), set()),
        (ref("DATABASE_PASSWORD", "db"), set()),
        (ref("OPENAI_API_KEY", "s"), {"llm model-provider-key s inferred"}),
        (ref("AZURE_OPENAI_API_KEY", "s"), {"llm model-provider-key s inferred"}),
        (ref("VLLM_API_KEY", "s"), {"llm model-provider-key s inferred"}),
        (ref("LITELLM_MASTER_KEY", "s"), {"llm model-provider-key s inferred"}),
        (ref("AZURE_CLIENT_SECRET", "s"), {"cloud cloud-variable s inferred"}),
        (ref("AWS_SECRET_ACCESS_KEY", "s"), {"cloud cloud-variable s inferred"}),
        ("{name: GOOGLE_APPLICATION_CREDENTIALS, value: /var/secrets/google/key.json}",
         {"cloud cloud-variable GOOGLE_APPLICATION_CREDENTIALS inferred"}),
        ("{name: OPENAI_API_KEY, value: EMPTY}", set()),
        ("{name: OPENAI_API_KEY, value: ''}", set()),
        ("{name: OPENAI_API_KEY, value: $(OTHER)}", set()),
        ("{name: OPENAI_API_KEY, value: <your key here>}", set()),
        ("{name: OPENAI_API_BASE, value: 'https://api.example.org/v1'}", set()),
        ("{name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}", set()),
        ("{name: HF_TOKEN, valueFrom: {configMapKeyRef: {name: c, key: k}}}", {"delivery delivery-variable HF_TOKEN assumed"}),
        ("{name: HF_HOME, valueFrom: {configMapKeyRef: {name: c, key: k}}}", set()),
        ("{name: PIP_INDEX_URL, value: 'https://robot:longpassword@pkgs.example.org/simple'}",
         {"delivery login-in-address PIP_INDEX_URL proved"}),
        ("{name: PIP_INDEX_URL, value: 'https://pypi.org/simple'}", set()),
        ("{name: DATABASE_URL, value: 'postgres://app:longpassword@db:5432/app'}", set()),
        ("{name: MODE, value: hf_}", set()),
    ],
)  # fmt: skip
def test_variables(variable: str, expected: set[str]) -> None:
    assert told(pod(container=env(variable))) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("hf-token-secret", {"delivery delivery-variable hf-token-secret assumed"}),
        ("storage-config", {"delivery delivery-variable storage-config assumed"}),
        ("mlpipeline-minio-artifact", {"delivery delivery-variable mlpipeline-minio-artifact assumed"}),
        ("user-gcp-sa", {"cloud cloud-variable user-gcp-sa assumed"}),
        ("aws-credentials", {"cloud cloud-variable aws-credentials assumed"}),
        ("admin-kubeconfig", {"cluster cluster-variable admin-kubeconfig assumed"}),
        ("anthropic", {"llm model-provider-key anthropic assumed"}),
        ("github-webhook-tls", set()),
        ("node-exporter-token", set()),
        ("webhook-server-cert", set()),
        ("app-settings", set()),
    ],
)
def test_names_of_whole_secrets(name: str, expected: set[str]) -> None:
    assert told(pod(container=f"envFrom: [{{secretRef: {{name: {name}}}}}]")) == expected
    spec, container = mounted(f"secret: {{secretName: {name}}}")
    assert told(pod(spec, container=container)) == expected
    spec, container = mounted(f"projected: {{sources: [{{secret: {{name: {name}}}}}]}}")
    assert told(pod(spec, container=container)) == expected


def test_runners_by_kind_label_and_image() -> None:
    labelled = pod(meta="labels: {actions.github.com/scale-set-name: x}")
    image = pod().replace("acme.azurecr.io/ml/server:v1", "ghcr.io/actions/actions-runner:2.3")
    for text in (labelled, image):
        assert told(text) == {"delivery ci-runner secrets of jobs inferred"}
    assert told(pod().replace("acme.azurecr.io/ml/server:v1", "acme.io/actions-runner-docs:2")) == set()


def test_what_kserve_gives_its_storage_initialiser() -> None:
    label = "labels: {serving.kserve.io/inferenceservice: iris}"
    marked = secret("s3", "Opaque", "  annotations: {serving.kserve.io/s3-endpoint: minio}\n")
    accounts = account(top="secrets: [{name: s3}]") + marked
    assert told(pod(meta=label) + accounts) == {"delivery model-store-secret s3 inferred"}
    assert told(pod() + accounts) == set()


# --- cloud ------------------------------------------------------------------------------------------------------------

LABEL = "labels: {azure.workload.identity/use: 'true'}"
ANNOTATED = f"annotations: {{azure.workload.identity/client-id: {CLIENT}}}"
TRUST = Cloud(
    identities=(CloudIdentity("ml", CLIENT, "p1", "/subscriptions/s/ml"),),
    federations=(
        FederatedCredential("/subscriptions/s/ml", "https://issuer", "system:serviceaccount:ml:app"),
    ),
    given=True,
)
OTHER = Cloud(
    federations=(FederatedCredential("/subscriptions/s/x", "https://issuer", "system:serviceaccount:ml:other"),),
    given=True,
)  # fmt: skip


@pytest.mark.parametrize(
    ("meta", "accounts", "cloud", "expected"),
    [
        (LABEL, ANNOTATED, None, "inferred"),
        (LABEL, ANNOTATED, TRUST, "proved"),
        (LABEL, "", TRUST, "inferred"),
        (LABEL, "", None, "assumed"),
        (LABEL, ANNOTATED, OTHER, None),  # no identity trusts it
        ("annotations: {azure.workload.identity/use: 'true'}", ANNOTATED, TRUST, None),  # the label counts
        ("labels: {azure.workload.identity/use: 'false'}", ANNOTATED, TRUST, None),
        ("", ANNOTATED, TRUST, None),
        (
            LABEL + "\nannotations: {azure.workload.identity/skip-containers: 'main;x'}",
            ANNOTATED,
            TRUST,
            None,
        ),
    ],
)
def test_workload_identity_needs_the_label_on_the_pod(
    meta: str, accounts: str, cloud: Cloud | None, expected: str | None
) -> None:
    found = [c for c in held(pod(meta=meta) + account(accounts), cloud) if c.signal == "workload-identity"]
    assert [c.confidence.value for c in found] == ([expected] if expected else [])


def test_mutated_pods_show_their_identity() -> None:
    variable = "{name: AZURE_FEDERATED_TOKEN_FILE, value: /var/run/secrets/azure/tokens/azure-identity-token}"
    assert told(pod(container=env(variable))) == {"cloud workload-identity app proved"}
    assert told(pod(container=env("{name: AZURE_CLIENT_ID, value: x}"))) == set()


def test_identity_bindings_need_label_and_annotation() -> None:
    both = LABEL + "\nannotations: {azure.workload.identity/use-identity-binding: 'true'}"
    assert told(pod(meta=both) + account(ANNOTATED)) == {"cloud identity-binding app inferred"}
    alone = "annotations: {azure.workload.identity/use-identity-binding: 'true'}"
    assert told(pod(meta=alone) + account(ANNOTATED)) == set()


def test_roles_of_other_clouds() -> None:
    role = account("annotations: {eks.amazonaws.com/role-arn: 'arn:aws:iam::1:role/ml'}")
    assert told(pod() + role) == {"cloud irsa app inferred"}
    google = account("annotations: {iam.gke.io/gcp-service-account: ml@acme.iam.gserviceaccount.com}")
    assert told(pod() + google) == {"cloud gke-workload-identity app inferred"}
    assert told(pod() + account("annotations: {eks.amazonaws.com/audience: x}")) == set()
    eks = env("{name: AWS_CONTAINER_CREDENTIALS_FULL_URI, value: 'http://169.254.170.23/v1/credentials'}")
    assert told(pod(container=eks)) == {"cloud eks-pod-identity app proved"}


def test_retired_pod_identity() -> None:
    assert told(pod(meta="labels: {aadpodidbinding: ml}")) == {"cloud aad-pod-identity ml inferred"}


def test_secret_provider_class() -> None:
    driver = "{driver: secrets-store.csi.k8s.io, volumeAttributes: {secretProviderClass: vault}}"
    spec, container = mounted(f"csi: {driver}")
    text = pod(spec, container=container)
    assert told(text) == {"cloud secret-provider-class vault inferred"}
    class_ = "---\nkind: SecretProviderClass\nmetadata: {name: vault, namespace: ml}\n"
    assert told(text + class_) == {"cloud secret-provider-class vault proved"}
    spec, container = mounted("csi: {driver: disk.csi.azure.com}")
    assert told(pod(spec, container=container)) == set()


def test_density_is_two_by_default_and_four_at_most() -> None:
    assert domains(held(pod())) == ("cluster", "cloud")
    full = pod(container=env(ref("HF_TOKEN", "s"), ref("OPENAI_API_KEY", "t")))
    assert domains(held(full)) == ("cluster", "delivery", "cloud", "llm")


@pytest.mark.parametrize(
    ("node", "pool"), [("aks-gpu-11000003", "eleven"), ("aks-gpu-1x", "one"), ("other", "*")]
)
def test_metadata_names_the_pool_of_the_pods_nodes(node: str, pool: str) -> None:
    pools = Cloud(scale_sets=(ScaleSet("one", "aks-gpu-1"), ScaleSet("eleven", "aks-gpu-11")))
    found = held(pod(f"nodeName: {node}"), pools)
    assert [c.target for c in found if c.signal == "metadata-service"] == [f"endpoint:metadata/{pool}"]


# --- secrets stay out -------------------------------------------------------------------------------------------------

CANARIES = (
    "hf_cANARYcANARYcANARY0123456789",
    "longCanaryPassword99",
    "sk-canaryCANARYcanary0123456789",
    "ghp_c4naryC4NARYc4nary0123456789abcd",
)


def test_values_are_looked_at_and_never_told() -> None:
    container = env(
        f"{{name: HF_TOKEN, value: {CANARIES[0]}}}",
        f"{{name: SETTINGS, value: '--key={CANARIES[2]}'}}",
        f"{{name: PIP_INDEX_URL, value: 'https://u:{CANARIES[1]}@pkgs.dev.azure.com/x'}}",
    )
    container += f"\ncommand: [sh, -c, 'git clone https://x:{CANARIES[3]}@github.com/acme/ml']"
    found = held(pod(container=container))
    assert {(c.signal, c.confidence.value, c.path.rpartition("]")[0] + "]") for c in found} >= {
        ("delivery-variable", "proved", "spec.containers[0].env[0]"),
        ("token-in-manifest", "proved", "spec.containers[0].env[1]"),
        ("login-in-address", "proved", "spec.containers[0].env[2]"),
        ("token-in-manifest", "proved", "spec.containers[0].command[2]"),
        ("login-in-address", "proved", "spec.containers[0].command[2]"),
    }
    for canary in CANARIES:
        assert canary not in repr(found)


def test_the_same_template_is_not_looked_at_twice() -> None:
    snapshot, (template,) = world(pod())
    assert credentials(template, snapshot) is credentials(template, snapshot)
    assert credentials(replace(template), snapshot) == credentials(template, snapshot)
    closed = replace(snapshot, cloud=Cloud(metadata_restricted=True))
    assert domains(credentials(template, closed)) == ("cluster",)


# --- rendered charts --------------------------------------------------------------------------------------------------

HF = "delivery delivery-variable vllm-secrets inferred"
KEY = "llm model-provider-key vllm-secrets inferred"
CHARTS = {
    "actions-runner-controller": {"rel-actions-runner-controller": {"delivery delivery-variable controller-manager assumed"}},
    "gha-runner-scale-set-dind": {"rel": {"delivery ci-runner secrets of jobs inferred"}},
    "vllm-values-06-shared-storage": {"vllm-mistral-deployment-vllm": {HF}},
    "vllm-values-09-lora-helm": {"vllm-llama3-deployment-vllm": {HF}},
    "vllm-values-11-secure-vllm": {"vllm-deployment-router": {KEY}, "vllm-opt125m-deployment-vllm": {KEY}},
    "vllm-values-16-disagg-prefill": {
        "vllm-llama-prefill-deployment-vllm": {HF},
        "vllm-llama-decode-deployment-vllm": {HF},
    },
}  # fmt: skip
"""What workloads hold beside a token and their node's identity, read by hand from the charts: an optional Secret whose keys
nobody knows, a runner, tokens of Hugging Face, keys that a model server asks of its clients."""
NO_TOKEN = {"continuous-image-puller", "hook-image-puller", "user-placeholder"}
"""JupyterHub turns their token off."""


@pytest.mark.tier("shared-data")
def test_rendered_charts_hold_what_was_read_in_them(shared_data: Path) -> None:
    found: dict[str, dict[str, set[str]]] = {}
    workloads, tokenless = 0, set()
    for path in sorted((shared_data / "posture" / "charts").glob("*.yaml")):
        snapshot, templates = world(path.read_text())
        for template in templates:
            workloads += 1
            all_ = credentials(template, snapshot)
            assert "metadata-service" in {c.signal for c in all_}
            if "cluster" not in domains(all_):
                tokenless.add(template.name)
            special = {
                f"{c.domain} {c.signal} {c.name} {c.confidence}"
                for c in all_
                if c.signal not in ("metadata-service", "automounted-token")
            }
            if special:
                found.setdefault(path.stem, {})[template.name] = special
    assert found == CHARTS
    assert tokenless == NO_TOKEN
    assert workloads == 35
