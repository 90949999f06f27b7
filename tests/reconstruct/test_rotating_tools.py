"""The lines as the tools themselves take them: options as documented, real kubectl against the lab's API server, and the real
parser of the Azure CLI. The latter two are tiers."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from eightysix.lab.apiserver import ApiServer, Authority, Tls, User
from eightysix.reconstruct.isolating import LABEL
from tests.lab.apiserver.cluster import CLUSTER, account, binding, pod, role
from tests.lab.apiserver.test_subresources import Kubelet
from tests.reconstruct.aftermath import POD, breach, every_kind, identity, sighting
from tests.tiers import require_tier

GLOBAL = frozenset({"output", "query", "subscription"})
DOCUMENTED = {
    "account list": "all refresh",
    "acr credential renew": "name password-name resource-group",
    "acr manifest list-metadata": "name orderby password registry suffix top username",
    "acr repository update": (
        "name delete-enabled image list-enabled password read-enabled repository suffix username write-enabled"
    ),
    "acr show": "name resource-group",
    "acr token list": "registry resource-group",
    "ad app credential list": "id cert",
    "ad app credential reset": "id append display-name end-date years cert create-cert keyvault",
    "ad app federated-credential list": "id",
    "ad sp show": "id",
    "aks rotate-certs": "name resource-group no-wait yes",
    "aks show": "name resource-group",
    "aks update-credentials": "name resource-group no-wait client-secret reset-service-principal service-principal",
    "identity federated-credential delete": "identity-name name resource-group yes",
    "identity federated-credential list": "identity-name resource-group skiptoken top max-items next-token",
    "monitor activity-log list": (
        "max-events select caller correlation-id namespace resource-group resource-id status end-time offset start-time"
    ),
    "rest": "url body headers method output-file resource skip-authorization-header uri-parameters",
    "role assignment delete": "assignee assignee-object-id ids include-inherited resource-group role scope yes",
    "role assignment list": (
        "all assignee assignee-object-id fill-principal-name fill-role-definition-name include-groups include-inherited"
        " resource-group role scope"
    ),
    "vmss identity remove": "identities ids name resource-group",
}
"""Commands of the Azure CLI and their own options (learn.microsoft.com/cli/azure, and `az COMMAND --help` of 2.91.0)."""


def azure_lines() -> list[list[str]]:
    """The words of every `az` that the steps call, those behind `xargs` among them."""
    found: dict[tuple[str, ...], None] = {}
    for step in (*breach(), *every_kind()):
        for command in step.commands:
            for part in command.split(" | "):
                # bash's `$'..\\'..'` is not shlex's: the only one is a query with quotes
                words = shlex.split(part.replace("$'", "'").replace("\\'", "`").partition(" > ")[0])
                if "az" in words:
                    found[tuple(word.replace("`", "'") for word in words[words.index("az") + 1 :])] = None
    return [list(words) for words in found]


def command_of(words: list[str]) -> str:
    return " ".join(words[: next(at for at, word in enumerate(words) if word.startswith("-"))])


def test_az_is_called_as_documented() -> None:
    lines = azure_lines()
    assert {command_of(words) for words in lines} == DOCUMENTED.keys()
    for words in lines:
        options = {word[2:].partition("=")[0] for word in words if word.startswith("--")}
        assert options <= {*DOCUMENTED[command_of(words)].split(), *GLOBAL}, words


AZURE = "EIGHTYSIX_AZURE_CLI"
PARSE = """
import json, sys
from azure.cli.core import get_default_cli
from azure.cli.core.commands import AzCliCommandInvoker

class Parsed(BaseException):
    pass

def stop(self, *arguments, **options):
    raise Parsed

AzCliCommandInvoker._run_jobs_serially = AzCliCommandInvoker._run_jobs_concurrently = stop
cli, told = get_default_cli(), []
for words in json.load(sys.stdin):
    try:
        told.append(cli.invoke(words))
    except Parsed:
        told.append("parsed")
    except SystemExit as error:
        told.append(error.code)
sys.stderr.write("\\n" + json.dumps(told))
"""


@pytest.mark.tier("azure-cli")
def test_the_azure_cli_takes_every_line(tmp_path: Path) -> None:
    python = os.environ.get(AZURE, "")
    if not python:
        require_tier("azure-cli", f"{AZURE} names no interpreter with the package azure-cli")
    lines = [[word.replace("<registry>", "contoso") for word in words] for words in azure_lines()]
    wrong = [["acr", "credential", "renew", "--name=contoso", "--password-name=third"]]
    done = subprocess.run(
        [python, "-c", PARSE],
        input=json.dumps([*lines, *wrong]),
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
        env=os.environ | {"HOME": str(tmp_path), "AZURE_CORE_COLLECT_TELEMETRY": "no"},
    )
    told = json.loads(done.stderr.splitlines()[-1])
    assert told[-1] == 2
    # 1: parsed, and then it wants somebody to sign in or to confirm
    assert [words for words, code in zip(lines, told, strict=False) if code not in ("parsed", 1)] == []
    assert told.count("parsed") >= len(lines) - 2


KUBECTL = "EIGHTYSIX_KUBERNETES_CLIENT"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment in which kubectl talks to a server of the lab."""
    named = os.environ.get(KUBECTL, "")
    if not named or not Path(named).with_name("kubectl").exists():
        require_tier("kubernetes-client", f"{KUBECTL} names no interpreter with kubectl beside it")
    authority = Authority()
    objects = [
        *CLUSTER,
        {"apiVersion": "v1", "kind": "Node", "metadata": {"name": POD.node}},
        pod("trainer-1"),
        pod("node-tuner", "kube-system"),
        role("reads", ""),
        binding("everywhere", "", "reads", account("inference-sa"), kind="ClusterRole"),
    ]
    server = ApiServer(
        objects,
        audit=lambda event: None,
        tls=Tls.made(authority),
        tokens={"operator-token": User("mira", "u-1", ("system:masters",))},
        key=rsa.generate_private_key(65537, 2048),
        kubelet=Kubelet(),
    ).start()
    (tmp_path / "ca.crt").write_bytes(authority.certificate)
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "lab",
                "cluster": {"server": server.url, "certificate-authority": str(tmp_path / "ca.crt")},
            }
        ],
        "users": [{"name": "mira", "user": {"token": "operator-token"}}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "mira"}}],
        "current-context": "lab",
    }
    (tmp_path / "kubeconfig").write_text(json.dumps(config))
    yield {
        "PATH": f"{Path(named).parent}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "KUBECONFIG": str(tmp_path / "kubeconfig"),
    }
    server.close()


def run(command: str, environment: dict[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=environment["HOME"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, (command, done.stderr)
    return done.stdout


@pytest.mark.tier("kubernetes-client")
def test_kubectl_does_every_line_in_order(cluster: dict[str, str]) -> None:
    left = identity("node", f"every pod on {POD.node}")
    made = identity("made-pod", "credential of pod kube-system/node-tuner")
    accounts = [identity("service-account", "ml/inference-sa"), identity("secret", "ml/acr-push-sp")]
    steps = breach(
        identities=[left, made, *accounts, identity("secret", "ml/*")], elsewhere=[sighting("trainer-1")]
    )
    told: dict[str, str] = {}
    for step in steps:
        for command in step.commands:
            if "kubectl" not in command:
                continue
            if "'rolebinding/<" in command:
                command = command.replace("'rolebinding/<binding of the list>'", "rolebinding/reader")
            if "'clusterrolebinding/<" in command:
                command = command.replace(
                    "'clusterrolebinding/<binding of the list>'", "clusterrolebinding/everywhere"
                )
            told[command] = run(command, cluster)
    folder = Path(cluster["HOME"])
    for name in ("ml-inference-0", "kube-system-node-tuner"):
        kept = json.loads((folder / f"pod-{name}.json").read_text())
        assert kept["metadata"]["labels"][LABEL] == "true"
    assert "name: everywhere" in (folder / "bindings-ml-inference-sa.yaml").read_text()
    assert (folder / "logs-ml-inference-0.txt").read_text()
    listed = next(text for command, text in told.items() if "grep -F" in command)
    assert [line.split()[0] for line in listed.splitlines()] == ["RoleBinding", "ClusterRoleBinding"]
    assert "acr-push-sp" in next(text for command, text in told.items() if "secret/acr-push-sp" in command)
    for namespace in ("ml", "kube-system"):
        policies = run(f"kubectl get networkpolicies --namespace={namespace} --output=name", cluster)
        assert policies == "networkpolicy.networking.k8s.io/eightysix-isolate\n"
    isolated = run(f"kubectl get pods --all-namespaces --selector={LABEL}=true --output=name", cluster)
    assert isolated.split() == ["pod/trainer-1"]
    cordoned = run(f"kubectl get node/{POD.node} --output=jsonpath={{.spec.unschedulable}}", cluster)
    assert cordoned == "true"
    gone = run(
        "kubectl auth can-i list secrets --namespace=ml --as=system:serviceaccount:ml:inference-sa || true",
        cluster,
    )
    assert gone == "no\n"
