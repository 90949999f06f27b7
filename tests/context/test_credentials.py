"""Paths of credentials, start-up files and installed distributions, in the forms in which kernels and suspects write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.context.credentials import (
    credential_at,
    distribution_at,
    is_credential_variable,
    is_environment,
    normalise_path,
    startup_file,
    variable_domain,
)
from eightysix.model.words import Domain
from tests.work import lines_run

TOKEN = "kubernetes.io/serviceaccount/token"

CREDENTIALS = [
    (f"/var/run/secrets/{TOKEN}", "cluster", "service-account-token"),
    (f"/run/secrets/{TOKEN}", "cluster", "service-account-token"),
    ("/run/secrets/kubernetes.io/serviceaccount/..2026_11_24_06_41_09.1234/token", "cluster", "service-account-token"),
    ("/run/secrets/kubernetes.io/serviceaccount/..data/token", "cluster", "service-account-token"),
    (f"/proc/self/root/var/run/secrets/{TOKEN}", "cluster", "service-account-token"),
    (f"/proc/1/root/proc/17/task/18/root/run/secrets/{TOKEN}", "cluster", "service-account-token"),
    (f"//var/./run//secrets/x/../{TOKEN}", "cluster", "service-account-token"),
    (f"/host/var/run/secrets/{TOKEN}", "cluster", "service-account-token"),
    ("/var/lib/kubelet/pods/u/volumes/kubernetes.io~projected/kube-api-access-x/token", "cluster", "service-account-token"),
    ("/var/run/secrets/tokens/vault-token", "cluster", "projected-token"),
    ("/home/me/.kube/config", "cluster", "kubeconfig"),
    ("/etc/kubernetes/admin.conf", "cluster", "kubeconfig"),
    ("/var/run/secrets/azure/tokens/azure-identity-token", "cloud", "federated-token"),
    ("/var/run/secrets/azure/tokens/..data/azure-identity-token", "cloud", "federated-token"),
    ("/var/run/secrets/eks.amazonaws.com/serviceaccount/token", "cloud", "federated-token"),
    ("/var/run/secrets/pods.eks.amazonaws.com/serviceaccount/eks-pod-identity-token", "cloud", "federated-token"),
    ("/var/run/secrets/tokens/gcp-ksa/token", "cloud", "federated-token"),
    ("/root/.aws/credentials", "cloud", "aws-credentials-file"),
    ("/var/lib/jenkins/.aws/credentials", "cloud", "aws-credentials-file"),
    ("/root/.aws/sso/cache/0123.json", "cloud", "aws-credentials-file"),
    ("/root/.azure/msal_token_cache.json", "cloud", "azure-cli-cache"),
    ("/root/.config/gcloud/application_default_credentials.json", "cloud", "gcloud-adc"),
    ("/root/.docker/config.json", "delivery", "docker-config"),
    ("/kaniko/.docker/config.json", "delivery", "docker-config"),
    ("/root/.pypirc", "delivery", "pypirc"),
    ("/home/a/.npmrc", "delivery", "npmrc"),
    ("/root/.git-credentials", "delivery", "git-credentials"),
    ("/root/.netrc", "delivery", "netrc"),
    ("/root/.ssh/id_ed25519", "delivery", "ssh-key"),
    ("/root/.cache/huggingface/token", "delivery", "huggingface-token"),
    ("/home/runner/.credentials", "delivery", "ci-runner"),
    ("/vault/secrets/database", "delivery", "vault-secret"),
    ("/run/secrets/pip_token", "delivery", "container-secret"),
    ("/root/.codex/auth.json", "llm", "model-provider-key"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "domain", "kind"), CREDENTIALS)
def test_credentials(path: str, domain: str, kind: str) -> None:
    found = credential_at(path)
    assert found is not None
    assert (found.domain, found.kind) == (domain, kind)
    assert found.identity


@pytest.mark.parametrize(
    "path",
    [
        "/var/run/secrets/kubernetes.io/serviceaccount/namespace",
        "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
        "/var/run/secrets/kubernetes.io/serviceaccount",
        "/var/run/secrets/kubernetes.io",
        "/run/secrets/azure",
        "/run/secrets",
        "/root/.ssh/id_ed25519.pub",
        "/root/.ssh/known_hosts",
        "/root/.aws/config",
        "/root/.docker",
        "/app/token",
        "/app/config.json",
        "/app/vault/secrets/x",
        "/etc/pip.conf",
        "/opt/venv/lib/python3.11/site-packages/torch/__init__.py",
        "token",
        "",
        "/",
        "/" + "a" * 5000 + "/.aws/credentials",
    ],
)
def test_what_is_no_credential(path: str) -> None:
    assert credential_at(path) is None


@pytest.mark.parametrize(
    ("path", "normal"),
    [
        ("/a/..2x/../b", "/a/b"),  # a folder that only looks dated is left only once
        ("/a/b/../../../c", "/c"),
        ("/proc/self/root/", "/"),
        ("/proc/self/rootx/a", "/proc/self/rootx/a"),
        ("/var/run/x", "/run/x"),
        ("a/./b", "a/b"),
        ("/plain/path", "/plain/path"),
    ],
)
def test_paths_are_normalised(path: str, normal: str) -> None:
    assert normalise_path(path) == normal


@pytest.mark.parametrize(
    ("path", "is_one"),
    [
        ("/proc/self/environ", True),
        ("/proc/1/mem", True),
        ("/proc/meminfo", False),
        ("/proc/1/root/tmp/mem", False),
        ("/proc/1/environ", True),
        ("/proc/1/task/7/environ", True),
        ("/proc/thread-self/environ", True),
        ("/proc/self/root/proc/1/environ", True),
        ("//proc/./1//environ", True),
        ("/proc/environ", False),
        ("/proc/x/environ", False),
        ("/tmp/proc/1/environ", False),
        ("/proc/1/environs", False),
    ],
)
def test_environments(path: str, is_one: bool) -> None:
    assert is_environment(path) is is_one


@pytest.mark.parametrize(
    ("path", "common"),
    [
        ("/opt/venv/lib/python3.11/site-packages/torch_perf.pth", False),
        ("/root/.local/lib/python3.12/site-packages/x.pth", False),
        ("/usr/lib/python3/dist-packages/distutils-precedence.pth", True),
        ("/v/site-packages/__editable__.app-1.0.pth", True),
        ("/v/site-packages/google_cloud-nspkg.pth", True),
        ("/v/site-packages/_virtualenv.pth", True),
        ("/v/site-packages/coverage_enable.pth", True),
        ("/usr/lib/python3.11/sitecustomize.py", False),
        ("/app/usercustomize.py", False),
        ("/app/sitecustomize/__init__.py", False),
        ("/v/site-packages/sitecustomize.cpython-311-x86_64-linux-gnu.so", False),
    ],
)
def test_startup_files(path: str, common: bool) -> None:
    found = startup_file(path)
    assert found is not None
    assert found.common is common


@pytest.mark.parametrize(
    "path",
    [
        "/models/model.pth",
        "/v/site-packages/torch/model.pth",
        "/v/site-packages/x.pth.txt",
        "/v/__pycache__/sitecustomize.cpython-311.pyc",
        "/app/mysitecustomize.py",
    ],
)
def test_what_is_no_startup_file(path: str) -> None:
    assert startup_file(path) is None


SITE = "/opt/venv/lib/python3.11/site-packages"


@pytest.mark.parametrize(
    ("path", "artifact"),
    [
        (f"{SITE}/torch_perf_utils-1.4.3.dist-info/METADATA", "torch-perf-utils==1.4.3"),
        (f"{SITE}/torch_perf_utils-1.4.3.dist-info/INSTALLER_2eolpdq.tmp", "torch-perf-utils==1.4.3"),
        (f"{SITE}/torch_perf_utils-1.4.3.dist-info", "torch-perf-utils==1.4.3"),
        (f"{SITE}/x-1.0.dist-info/licenses/LICENSE", "x==1.0"),
        (f"{SITE}/torch-2.1.0+cu121.dist-info/RECORD", "torch==2.1.0+cu121"),
        (f"{SITE}/old-1.0-py3.11.egg-info/PKG-INFO", "old==1.0"),
        (f"{SITE}/old.egg-info", "old"),
        ("/app/libs/x-1.0.dist-info/WHEEL", "x==1.0"),
    ],
)
def test_distributions(path: str, artifact: str) -> None:
    assert str(distribution_at(path)) == artifact


@pytest.mark.parametrize(
    "path", [f"{SITE}/x/METADATA", f"{SITE}/-1.0.dist-info/RECORD", f"{SITE}/x-secret.dist-info/RECORD", "/a.dist-infos/x"]
)  # fmt: skip
def test_what_is_no_distribution(path: str) -> None:
    assert distribution_at(path) is None


@pytest.mark.parametrize(
    ("name", "is_one", "domain"),
    [
        ("OPENAI_API_KEY", True, Domain.LLM),
        ("AZURE_OPENAI_API_KEY", True, Domain.LLM),
        ("AWS_SECRET_ACCESS_KEY", True, Domain.CLOUD),
        ("AWS_ACCESS_KEY_ID", True, Domain.CLOUD),
        ("AZURE_CLIENT_SECRET", True, Domain.CLOUD),
        ("AZURE_STORAGE_CONNECTION_STRING", True, Domain.CLOUD),
        ("HF_TOKEN", True, Domain.DELIVERY),
        ("GITHUB_TOKEN", True, Domain.DELIVERY),
        ("ACR_PASSWORD", True, Domain.DELIVERY),
        ("DB_PASSWORD_2", True, None),
        ("AZURE_CLIENT_ID", False, Domain.CLOUD),
        ("AZURE_FEDERATED_TOKEN_FILE", False, Domain.CLOUD),
        ("KUBERNETES_SERVICE_HOST", False, Domain.CLUSTER),
        ("TOKENIZERS_PARALLELISM", False, None),
        ("PWD", False, None),
        ("GPG_KEY", False, None),
        ("TOKEN=secret", False, None),
        ("", False, None),
    ],
)
def test_variables(name: str, is_one: bool, domain: Domain | None) -> None:
    assert is_credential_variable(name) is is_one
    assert variable_domain(name) == domain


PIECES = "/ .. . proc self root task 1 ..data token run secrets site-packages x-1.dist-info".split()


@given(
    st.one_of(
        st.text(),
        st.lists(st.sampled_from(PIECES)).map("/".join),
        st.lists(st.sampled_from(PIECES)).map("".join),
    )
)
def test_never_raises(path: str) -> None:
    credential_at(path)
    startup_file(path)
    distribution_at(path)
    is_environment(path)
    assert normalise_path(normalise_path(path)) == normalise_path(path) or ".." in path


@pytest.mark.parametrize("piece", ["/", "../", "/proc/1/root", "a/./", "..data/", ".dist-info/"])
def test_long_paths_are_cheap(piece: str) -> None:
    judges = (credential_at, startup_file, distribution_at, is_environment)

    def done(length: int) -> int:
        path = piece * (length // len(piece))
        return lines_run(lambda: [judge(path) for judge in judges])

    assert done(2_000_000) <= 2 * done(20_000) + 100
