"""Which files hold credentials, start code, or tell that a distribution was installed: judged by path alone.

Paths come from the kernel, where a projected volume shows its dated folder and `/proc/<pid>/root` may stand before
anything, or from the suspect, so they are normalised first. A home folder is recognised by what lies in it, because a
container's home can be anywhere. Nothing is opened: a path that looks like a credential may be absent or empty.

Left out on purpose, because every run of an ordinary tool opens them: `pip.conf`, `~/.aws/config`, `azureProfile.json`,
`.env`, `/etc/passwd`. Environment variables are the usual home of model provider keys; of key files only those of
command-line tools are known, so their absence here means little.
"""

from __future__ import annotations

from functools import lru_cache

from msgspec import Struct

from eightysix.context.packages import is_version, normalise_name
from eightysix.model.event import Artifact
from eightysix.model.words import Domain

__all__ = [
    "TEMPORARY",
    "CredentialPath",
    "StartupFile",
    "credential_at",
    "distribution_at",
    "is_credential_variable",
    "is_environment",
    "normalise_path",
    "startup_file",
    "variable_domain",
]

MAX_PATH = 4096
"""PATH_MAX of Linux (include/uapi/linux/limits.h); longer text is no path that the kernel opened."""

TEMPORARY = ("/tmp/", "/dev/shm/", "/var/tmp/", "/run/shm/")  # noqa: S108 - compared, never opened
"""Where only what landed lies: no image ships programs there."""


class CredentialPath(Struct, frozen=True, gc=False):
    """A credential by its place: what it opens, what kind of file it is, and whose identity it is in words."""

    domain: Domain
    kind: str
    identity: str


class StartupFile(Struct, frozen=True, gc=False):
    """A file that Python runs at every start. `name` is its file name, `kind` is `pth` or `customize`; `common` tells that
    well-known packages write a file of this name, which an attacker can also do."""

    name: str
    kind: str
    common: bool


_TABLE = """
cluster service-account-token | service account token of the pod
  secrets/kubernetes.io/serviceaccount/token
cluster service-account-token | service account token of a pod on this node
  kubernetes.io~projected/*/token
  kubernetes.io~secret/*/token
cluster projected-token | service account token for a chosen audience
  run/secrets/tokens/*
cluster kubeconfig | kubeconfig of a user
  .kube/config
cluster kubeconfig | kubeconfig of a node or of the control plane
  etc/kubernetes/admin.conf
  etc/kubernetes/super-admin.conf
  etc/kubernetes/controller-manager.conf
  etc/kubernetes/scheduler.conf
  etc/kubernetes/kubelet.conf
  etc/kubernetes/bootstrap-kubelet.conf
  var/lib/kubelet/kubeconfig
  var/lib/kubelet/bootstrap-kubeconfig
  etc/rancher/k3s/k3s.yaml
  kubelet/pki/kubelet-client-current.pem
cluster cluster-key | private key of the cluster
  etc/kubernetes/pki/ca.key
  etc/kubernetes/pki/sa.key
  etc/kubernetes/pki/front-proxy-ca.key
  etc/kubernetes/pki/etcd/ca.key
cloud federated-token | Azure workload identity
  secrets/azure/tokens/azure-identity-token
  secrets/azure/wi/token/azure-identity-token
  azure-identity-token/azure-identity-token
cloud federated-token | AWS role of the service account
  secrets/eks.amazonaws.com/serviceaccount/token
  secrets/pods.eks.amazonaws.com/serviceaccount/eks-pod-identity-token
cloud federated-token | Google workload identity
  secrets/tokens/gcp-ksa/token
  secrets/tokens/gcp-ksa/google-application-credentials.json
  secrets/workload-spiffe-credentials/private_key.pem
cloud federated-token | Alibaba role of the service account
  secrets/ack.alibabacloud.com/rrsa-tokens/token
cloud aws-credentials-file | AWS access key
  .aws/credentials
  .aws/sso/cache/*
  .aws/cli/cache/*
cloud azure-cli-cache | Azure account of the Azure CLI
  .azure/msal_token_cache.json
  .azure/msal_token_cache.bin
  .azure/accessTokens.json
  .azure/service_principal_entries.json
  .azure/service_principal_entries.bin
cloud azure-node-identity | identity of an AKS node
  etc/kubernetes/azure.json
cloud gcloud-adc | Google account of gcloud
  .config/gcloud/application_default_credentials.json
  .config/gcloud/credentials.db
  .config/gcloud/access_tokens.db
  gcloud/legacy_credentials/*/adc.json
  .boto
cloud oci-cli | Oracle Cloud API key
  .oci/config
  .oci/oci_api_key.pem
cloud aliyun-cli | Alibaba access key
  .aliyun/config.json
cloud rclone | cloud storage credentials of rclone
  .config/rclone/rclone.conf
cloud databricks | Databricks token
  .databrickscfg
delivery docker-config | registry login
  .docker/config.json
  .dockercfg
  containers/auth.json
  .config/helm/registry/config.json
  var/lib/kubelet/config.json
delivery pypirc | package index login
  .pypirc
  pypoetry/auth.toml
  uv/credentials/credentials.toml
delivery npmrc | npm registry login
  .npmrc
delivery package-registry | package registry login
  .gem/credentials
  .cargo/credentials
  .cargo/credentials.toml
  .m2/settings.xml
  .m2/settings-security.xml
  .composer/auth.json
  .nuget/NuGet/NuGet.Config
delivery git-credentials | git login
  .git-credentials
  .config/git/credentials
  .config/gh/hosts.yml
  .config/glab-cli/config.yml
delivery netrc | logins by host name
  .netrc
delivery ssh-key | SSH key
  .ssh/id_rsa
  .ssh/id_dsa
  .ssh/id_ecdsa
  .ssh/id_ecdsa_sk
  .ssh/id_ed25519
  .ssh/id_ed25519_sk
  .ssh/identity
delivery huggingface-token | Hugging Face account
  huggingface/token
  huggingface/stored_tokens
  .huggingface/token
delivery model-store | account of a model store
  .kaggle/kaggle.json
  .mlflow/credentials
  .modelscope/credentials/*
delivery ci-runner | registration of a CI runner
  runner/.credentials
  runner/.credentials_rsaparams
  actions-runner/.credentials
  actions-runner/.credentials_rsaparams
  etc/gitlab-runner/config.toml
delivery vault-token | HashiCorp Vault token
  .vault-token
delivery vault-secret | secret that a Vault agent wrote
  /vault/secrets/*
delivery container-secret | secret mounted by the container builder or runtime
  /run/secrets/*
delivery infrastructure-state | infrastructure tool login
  .terraform.d/credentials.tfrc.json
  .pulumi/credentials.json
llm model-provider-key | model provider account of a command-line tool
  .codex/auth.json
  .claude/.credentials.json
  .gemini/oauth_creds.json
  io.datasette.llm/keys.json
  .config/github-copilot/hosts.json
  .config/github-copilot/apps.json
  .local/share/opencode/auth.json
  .continue/config.json
"""
"""Domain, kind and identity, and below them the ends of the paths; `*` is any one name, a leading `/` the root.

Sources: kubernetes.io/docs (tasks/run-application/access-api-from-pod, tasks/configure-pod-container/configure-service-account,
concepts/storage/projected-volumes; `/var/run/secrets/tokens` is the path of its examples and of Istio, whose token is for
another audience than the API), kubernetes/pkg/volume/util/subpath for `kubernetes.io~projected`,
azure.github.io/azure-workload-identity, docs.aws.amazon.com (eks/latest/userguide/iam-roles-for-service-accounts,
pod-id-how-it-works; cli/latest/userguide/cli-configure-files), cloud.google.com (anthos/multicluster-management/fleets/
workload-identity, docs/authentication/application-default-credentials), alibabacloud.com/help/en/ack (RRSA),
learn.microsoft.com/cli/azure/msal-based-azure-cli, cloud-provider-azure.sigs.k8s.io (azure.json), docs.docker.com/reference/
cli/docker/login, man containers-auth.json(5), packaging.python.org/specifications/pypirc, docs.npmjs.com/cli/configuring-npm/
npmrc, git-scm.com/docs/git-credential-store, man ssh(1), huggingface.co/docs/huggingface_hub (HF_TOKEN_PATH),
github.com/Kaggle/kaggle-api, mlflow.org/docs, developer.hashicorp.com/vault (agent injector; the token helper),
docs.docker.com/build/building/secrets, github.com/actions/runner, docs.gitlab.com/runner, and each tool's own reference.

What a Vault agent or a builder writes is of no known type. It is counted to `delivery` as the nearest: credentials for other
services than cluster and cloud (judged)."""

_HARMLESS_NAMES = frozenset(
    """namespace ca.crt kubernetes.io azure eks.amazonaws.com pods.eks.amazonaws.com ack.alibabacloud.com tokens gcp-ksa
    workload-spiffe-credentials rhsm etc-pki-entitlement redhat.repo""".split()
)
"""Names that a `*` does not mean: what lies beside a token, and folders (`rhsm` and its like are put into containers by
Red Hat's runtimes)."""


def _parse(text: str) -> dict[str, list[tuple[tuple[str, ...], CredentialPath]]]:
    """`_TABLE` by the last part of each path."""
    table: dict[str, list[tuple[tuple[str, ...], CredentialPath]]] = {}
    found = None
    for line in text.strip().splitlines():
        if not line.startswith(" "):
            head, _, identity = line.partition(" | ")
            domain, _, kind = head.partition(" ")
            found = CredentialPath(Domain(domain), kind, identity)
        elif found is not None:
            *folders, name = line.strip().split("/")
            table.setdefault(name, []).append((tuple(folders), found))
    return table


_BY_NAME = _parse(_TABLE)
_BY_FOLDER: dict[str, list[tuple[tuple[str, ...], CredentialPath]]] = {}
for _folders, _found in _BY_NAME.pop("*"):
    _BY_FOLDER.setdefault(_folders[-1], []).append((_folders, _found))


def normalise_path(path: str) -> str:
    """`path` as the process that owns it would write it.

    `/proc/<pid>/root` in front goes away, `//`, `.` and `..` are resolved, the dated folders of projected volumes and
    `..data` (kubernetes/pkg/volume/util/atomic_writer.go) are dropped, and `/var/run` becomes `/run`.
    """
    if "//" in path or "/." in path or path.startswith("./"):
        parts: list[str] = []
        for part in path.split("/"):
            if part == "..":
                del parts[-1:]
            elif part not in ("", "."):
                parts.append(part)
        kept = [part for part in parts if not part.startswith(("..data", "..2"))]
        path = ("/" if path.startswith("/") else "") + "/".join(kept)
    while path.startswith("/proc/"):
        rest = _behind_process(path)
        if not rest.startswith("root/"):
            break
        path = rest[4:]
    return path[4:] if path.startswith("/var/run/") else path


def _behind_process(path: str) -> str:
    """What follows `/proc/<pid>/` or `/proc/<pid>/task/<tid>/`."""
    who, _, rest = path[6:].partition("/")
    if not (who.isdigit() or who in ("self", "thread-self")):
        return ""
    if rest.startswith("task/"):
        thread, _, rest = rest[5:].partition("/")
        return rest if thread.isdigit() else ""
    return rest


def credential_at(path: str) -> CredentialPath | None:
    """The credential that lies at `path`, None where none is known to. Never raises."""
    if len(path) <= _CACHED_PATH:
        return _find(path)
    return _find.__wrapped__(path) if len(path) <= MAX_PATH else None


_CACHED_PATH = 256
"""Longer paths are judged anew each time, so that hostile ones do not fill the memory."""


@lru_cache(maxsize=8192)
def _find(path: str) -> CredentialPath | None:
    parts = normalise_path(path).split("/")
    name = parts.pop()
    rules = _BY_NAME.get(name)
    if rules is not None:
        for folders, found in rules:
            if _ends_with(parts, folders):
                return found
    if name in _HARMLESS_NAMES or not name or not parts:
        return None
    for folders, found in _BY_FOLDER.get(parts[-1], ()):
        if _ends_with(parts, folders):
            return found
    return None


def _ends_with(parts: list[str], folders: tuple[str, ...]) -> bool:
    if len(folders) > len(parts):
        return False
    tail = parts[len(parts) - len(folders) :]
    if folders and folders[0] == "" and len(tail) != len(parts):
        return False
    return all(wanted in (part, "*") for wanted, part in zip(folders, tail, strict=True))


def is_environment(path: str) -> bool:
    """Tell whether `path` is the environment of a process: `/proc/<pid>/environ`, also of one thread or by way of `root`; or its
    memory, in which the environment and all tokens lie (`/proc/<pid>/mem`)."""
    if not path.endswith(("environ", "/mem")) or len(path) > MAX_PATH:
        return False
    path = normalise_path(path)
    return path.startswith("/proc/") and _behind_process(path) in ("environ", "mem")


_COMMON_PTH = frozenset(
    {
        "distutils-precedence.pth",  # setuptools
        "easy-install.pth",  # setuptools, develop installs
        "setuptools.pth",
        "virtualenv.pth",
        "_virtualenv.pth",  # virtualenv and uv
        "a1_coverage.pth",
        "coverage.pth",
        "init_cov_core.pth",  # pytest-cov before 7
        "pytest-cov.pth",
        "pywin32.pth",
        "_pdm_pep582.pth",
        "conda.pth",
    }
)
_CUSTOMIZE = ("sitecustomize", "usercustomize")
"""docs.python.org/3/library/site."""


def startup_file(path: str) -> StartupFile | None:
    """The file that Python runs at start when it lies at `path`, None for any other.

    `.pth` files count in `site-packages` and `dist-packages`, where `site` reads them; `sitecustomize` and
    `usercustomize` in any folder, because any may be on the path. A common name is a flag, never a reason to look away.
    """
    if len(path) > MAX_PATH or not (".pth" in path or "customize" in path):
        return None
    parts = normalise_path(path).split("/")
    name, folder = parts[-1], parts[-2] if len(parts) > 1 else ""
    if name.endswith(".pth"):
        if not folder.endswith(("site-packages", "dist-packages")):
            return None
        return StartupFile(name, "pth", _is_common(name))
    if name in ("__init__.py", "__init__.pyc") and folder in _CUSTOMIZE:
        return StartupFile(f"{folder}/{name}", "customize", common=False)
    stem, _, suffix = name.partition(".")
    if stem in _CUSTOMIZE and folder != "__pycache__" and suffix.endswith(("py", "pyc", "so")):
        return StartupFile(name, "customize", common=False)
    return None


def _is_common(name: str) -> bool:
    return (
        name in _COMMON_PTH
        or name.startswith(("__editable__", "coverage"))
        or name.endswith("-nspkg.pth")  # namespace packages of setuptools
    )


def distribution_at(path: str) -> Artifact | None:
    """The distribution whose metadata lies at `path`: `.../NAME-VERSION.dist-info/METADATA` and its like, in any folder.

    Installers write temporary names first (`INSTALLER_2eolpdq.tmp`), so every file in such a folder counts, and the
    folder itself. `.egg-info` is a folder or a file and may lack the version.
    """
    if len(path) > MAX_PATH or not (".dist-info" in path or ".egg-info" in path):
        return None
    for part in reversed(normalise_path(path).split("/")[-3:]):
        stem, suffix = part[:-10], part[-10:]
        if suffix != ".dist-info":
            stem, suffix = part[:-9], part[-9:]
        if suffix not in (".dist-info", ".egg-info"):
            continue
        raw, _, rest = stem.partition("-")
        version = rest.partition("-")[0].replace("_", "-")
        name = normalise_name(raw)
        if not name or (version and not is_version(version)):
            return None
        return Artifact("pypi", name, version)
    return None


_SECRET_ENDINGS = (
    *(
        "KEY",
        "TOKEN",
        "SECRET",
        "PASSWORD",
        "PASSWD",
        "PASSPHRASE",
        "CREDENTIAL",
        "CREDENTIALS",
        "PAT",
        "APIKEY",
        "DSN",
    ),
    *("CONNECTION_STRING", "CONNECTIONSTRING", "CONN_STR", "SAS", "KEY_ID", "SECRET_VALUE", "AUTH", "PWD"),
)
_HARMLESS_VARIABLES = frozenset(
    {"PWD", "OLDPWD", "GPG_KEY", "SSH_AUTH", "PUBLIC_KEY", "CACHE_KEY", "SORT_KEY"}
)
"""`PWD` is the working directory, and `GPG_KEY` of the official Python image a public fingerprint."""
_CREDENTIAL_VARIABLES = frozenset({"AWS_BEARER_TOKEN_BEDROCK"})
"""Names that end otherwise (docs.aws.amazon.com/bedrock/latest/userguide/api-keys-use)."""

_VARIABLE_DOMAINS = (
    (Domain.LLM, ("OPENAI", "ANTHROPIC", "COHERE", "MISTRAL", "GROQ", "GEMINI", "DEEPSEEK", "TOGETHER", "FIREWORKS", "REPLICATE",
                  "PERPLEXITY", "XAI", "OPENROUTER", "LLM", "VOYAGE", "JINA")),
    (Domain.CLUSTER, ("KUBE", "K8S")),
    (Domain.DELIVERY, ("HF", "HUGGING", "ACTIONS", "GITHUB", "GH", "GITLAB", "CI", "NPM", "NODE", "PYPI", "TWINE", "DOCKER",
                       "REGISTRY", "ACR", "MLFLOW", "WANDB", "KAGGLE", "VAULT", "ARTIFACTORY", "JFROG", "NEXUS", "COMET",
                       "UV", "POETRY")),
    (Domain.CLOUD, ("AZURE", "AWS", "GOOGLE", "GCP", "GCLOUD", "ARM", "ALIBABA", "ALIYUN", "OCI", "DIGITALOCEAN", "S3",
                    "STORAGE", "DATABRICKS", "CLOUDFLARE")),
)  # fmt: skip
"""By a word of the variable's name, in this order: `AZURE_OPENAI_API_KEY` opens a model, `ACR_PASSWORD` a registry. Names
are those that the providers' SDKs document; a guess where a name is made up."""


def is_credential_variable(name: str) -> bool:
    """Tell from the name of an environment variable whether its value is probably a credential (not a path to one)."""
    if not 0 < len(name) <= 64 or not name.replace("_", "").isalnum() or not name.isascii():
        return False
    name = name.upper().rstrip("_0123456789")
    if name in _CREDENTIAL_VARIABLES:
        return True
    return name not in _HARMLESS_VARIABLES and name.endswith(_SECRET_ENDINGS)


def variable_domain(name: str) -> Domain | None:
    """What the credential in an environment variable probably opens, None where the name does not tell."""
    words = name[:64].upper().split("_")
    for domain, markers in _VARIABLE_DOMAINS:
        if any(
            word == marker or (len(marker) > 3 and word.startswith(marker))
            for word in words
            for marker in markers
        ):
            return domain
    return None
