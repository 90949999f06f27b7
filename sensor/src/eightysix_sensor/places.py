"""Which files are told of when they are opened, and which variables when they are changed or present.

A copy of what the reader knows (`eightysix.context.credentials`, where each source is named): a test keeps both alike. The
hot question is answered by the last four letters of a path, because an import opens files by the hundred.
"""

from __future__ import annotations

from eightysix_sensor.own import BUILTINS as __builtins__  # type: ignore[no-redef]  # noqa: F401
from eightysix_sensor.own import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, Dict, List, Tuple

CREDENTIALS = """
secrets/kubernetes.io/serviceaccount/token kubernetes.io~projected/*/token kubernetes.io~secret/*/token
run/secrets/tokens/* .kube/config etc/kubernetes/admin.conf etc/kubernetes/super-admin.conf
etc/kubernetes/controller-manager.conf etc/kubernetes/scheduler.conf etc/kubernetes/kubelet.conf
etc/kubernetes/bootstrap-kubelet.conf var/lib/kubelet/kubeconfig var/lib/kubelet/bootstrap-kubeconfig
etc/rancher/k3s/k3s.yaml kubelet/pki/kubelet-client-current.pem etc/kubernetes/pki/ca.key etc/kubernetes/pki/sa.key
etc/kubernetes/pki/front-proxy-ca.key etc/kubernetes/pki/etcd/ca.key secrets/azure/tokens/azure-identity-token
secrets/azure/wi/token/azure-identity-token azure-identity-token/azure-identity-token
secrets/eks.amazonaws.com/serviceaccount/token secrets/pods.eks.amazonaws.com/serviceaccount/eks-pod-identity-token
secrets/tokens/gcp-ksa/token secrets/tokens/gcp-ksa/google-application-credentials.json
secrets/workload-spiffe-credentials/private_key.pem secrets/ack.alibabacloud.com/rrsa-tokens/token .aws/credentials
.aws/sso/cache/* .aws/cli/cache/* .azure/msal_token_cache.json .azure/msal_token_cache.bin .azure/accessTokens.json
.azure/service_principal_entries.json .azure/service_principal_entries.bin etc/kubernetes/azure.json
.config/gcloud/application_default_credentials.json .config/gcloud/credentials.db .config/gcloud/access_tokens.db
gcloud/legacy_credentials/*/adc.json .boto .oci/config .oci/oci_api_key.pem .aliyun/config.json
.config/rclone/rclone.conf .databrickscfg .docker/config.json .dockercfg containers/auth.json
.config/helm/registry/config.json var/lib/kubelet/config.json .pypirc pypoetry/auth.toml uv/credentials/credentials.toml
.npmrc .gem/credentials .cargo/credentials .cargo/credentials.toml .m2/settings.xml .m2/settings-security.xml
.composer/auth.json .nuget/NuGet/NuGet.Config .git-credentials .config/git/credentials .config/gh/hosts.yml
.config/glab-cli/config.yml .netrc .ssh/id_rsa .ssh/id_dsa .ssh/id_ecdsa .ssh/id_ecdsa_sk .ssh/id_ed25519
.ssh/id_ed25519_sk .ssh/identity huggingface/token huggingface/stored_tokens .huggingface/token .kaggle/kaggle.json
.mlflow/credentials .modelscope/credentials/* runner/.credentials runner/.credentials_rsaparams
actions-runner/.credentials actions-runner/.credentials_rsaparams etc/gitlab-runner/config.toml .vault-token
/vault/secrets/* /run/secrets/* .terraform.d/credentials.tfrc.json .pulumi/credentials.json .codex/auth.json
.claude/.credentials.json .gemini/oauth_creds.json io.datasette.llm/keys.json .config/github-copilot/hosts.json
.config/github-copilot/apps.json .local/share/opencode/auth.json .continue/config.json
""".split()

_HARMLESS = frozenset(
    """namespace ca.crt kubernetes.io azure eks.amazonaws.com pods.eks.amazonaws.com ack.alibabacloud.com tokens gcp-ksa
    workload-spiffe-credentials rhsm etc-pki-entitlement redhat.repo""".split()
)
_WILD_FOLDERS = (
    "/run/secrets/",
    "/var/run/secrets/",
    "/vault/secrets/",
    "*/secrets/tokens/",
    "*/.modelscope/credentials/",
)
_WRITES = 0o3 | 0o100 | 0o1000 | 0o2000
"""O_ACCMODE (of which O_RDONLY is 0), O_CREAT, O_TRUNC and O_APPEND of Linux."""

_SENSITIVE_ENDS = (
    "KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL", "CREDENTIALS", "PAT", "APIKEY", "DSN",
    "CONNECTION_STRING", "CONNECTIONSTRING", "CONN_STR", "SAS", "KEY_ID", "SECRET_VALUE", "AUTH", "PWD",
)  # fmt: skip
_HARMLESS_NAMES = frozenset({"PWD", "OLDPWD", "GPG_KEY", "SSH_AUTH", "PUBLIC_KEY", "CACHE_KEY", "SORT_KEY"})
_CLOUD = ("AZURE_", "AWS_", "GOOGLE_", "KUBERNETES_", "IDENTITY_", "MSI_", "EIGHTYSIX_SENSOR")
_STEERING = frozenset(
    """LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONINSPECT PYTHONUSERBASE HTTP_PROXY
    HTTPS_PROXY ALL_PROXY NO_PROXY SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE PIP_INDEX_URL
    PIP_EXTRA_INDEX_URL PIP_CONFIG_FILE UV_INDEX_URL UV_EXTRA_INDEX_URL UV_DEFAULT_INDEX HF_ENDPOINT HF_HOME
    TRANSFORMERS_CACHE AWS_BEARER_TOKEN_BEDROCK""".split()
)
"""Variables that decide whose code runs or where credentials are sent."""


def _tables() -> Tuple[Dict[str, List[List[str]]], List[List[str]]]:
    by_name: Dict[str, List[List[str]]] = {}
    wild = []
    for line in CREDENTIALS:
        parts = line.split("/")
        name = parts.pop()
        if name == "*":
            wild.append(parts)
        else:
            by_name.setdefault(name, []).append(parts)
    return by_name, wild


_BY_NAME, _WILD = _tables()
_STARTUP = ("sitecustomize", "usercustomize")
_WRITTEN = (".pth", "customize.py")
_FURTHER = "METADATA PKG-INFO environ mem session git_token cookies".split()
"""Names beside those of `CREDENTIALS`: of installs, of a process's variables and memory, and of ModelScope's folder."""

NAMES = frozenset([*_BY_NAME, *_FURTHER])
TAILS = frozenset([("/" + name)[-4:] for name in (*NAMES, *_WRITTEN)])
"""The last four letters of everything that is told of by its name. NOTE: `sitecustomize/__init__.py` and `.pyc` files are
left out, because every import opens such names; the kernel's record of the write has them."""


def path_patterns() -> Tuple[str, ...]:
    """What the filter in C lets through: beginnings, and `*` with an end."""
    ends = ["*/" + name for name in _BY_NAME] + [
        "*/environ",
        "*/mem",
        "*.pth",
        "*customize.py",
        "*.dist-info/METADATA",
        "*/PKG-INFO",
    ]
    return (*[folder for folder in _WILD_FOLDERS if folder[0] == "/"], *sorted(ends))


def skips_open(args: Tuple[Any, ...]) -> bool:
    """Whether an `open` is of no interest: the hottest question of all."""
    path = args[0]
    if type(path) is str:
        tail = path[-4:]
        if tail in TAILS:
            if tail == "e.py":
                return not path.endswith("customize.py")
            if path[path.rfind("/") + 1 :] in NAMES or tail == ".pth":
                return False
            if tail == "json" and "/cache/" in path:
                return False
        return "secrets/" not in path
    return type(path) is int


def cleaned(path: str) -> str:
    """An absolute path without `//`, `.` and `..`, as written: links are not followed."""
    if "//" not in path and "/." not in path:
        return path
    parts: List[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)


def normalised(path: str) -> str:
    """As `normalise_path` of the reader: `..`, `//`, the dated folders of projected volumes, `/proc/<pid>/root`."""
    if "//" in path or "/." in path or path.startswith("./"):
        parts: List[str] = []
        for part in path.split("/"):
            if part == "..":
                del parts[-1:]
            elif part not in ("", "."):
                parts.append(part)
        kept = [part for part in parts if not part.startswith(("..data", "..2"))]
        path = ("/" if path.startswith("/") else "") + "/".join(kept)
    while path.startswith("/proc/"):
        rest = path[6:].partition("/")[2]
        if rest.startswith("task/"):
            rest = rest[5:].partition("/")[2]
        if not rest.startswith("root/"):
            break
        path = rest[4:]
    return path[4:] if path.startswith("/var/run/") else path


def is_credential(path: str) -> bool:
    """Whether a credential lies at the absolute `path`, or the environment or the memory of a process."""
    parts = normalised(path).split("/")
    name = parts.pop()
    for folders in _BY_NAME.get(name, ()):
        if _ends_with(parts, folders):
            return True
    if name in ("environ", "mem") and parts[:2] == ["", "proc"]:
        return True
    if name in _HARMLESS or not name:
        return False
    return any([_ends_with(parts, folders) for folders in _WILD])


def _ends_with(parts: List[str], folders: List[str]) -> bool:
    if len(folders) > len(parts):
        return False
    tail = parts[len(parts) - len(folders) :]
    if folders and folders[0] == "" and len(tail) != len(parts):
        return False
    return all([wanted in (part, "*") for wanted, part in zip(folders, tail)])


def is_install(path: str) -> bool:
    """Whether writing `path` makes code run at every start, or tells that a distribution was installed."""
    folder, _, name = path.rpartition("/")
    if name.endswith(".pth"):
        return folder.endswith("-packages")
    if name.partition(".")[0] in _STARTUP:
        return name.endswith(".py")
    return (folder.endswith(".dist-info") and name == "METADATA") or (
        folder.endswith(".egg-info") and name == "PKG-INFO"
    )


def writes(mode: Any, flags: Any) -> bool:
    """Whether an open writes."""
    if type(mode) is str:
        return not frozenset("wax+").isdisjoint(mode)
    return type(flags) is int and bool(flags & _WRITES)


def is_sensitive(name: str) -> bool:
    """Whether a variable holds a credential, belongs to a cloud's identity, or decides whose code runs. By its name."""
    upper = name.upper()
    if upper in _HARMLESS_NAMES:
        return False
    if (
        upper in _STEERING
        or upper.startswith(_CLOUD)
        or upper.endswith(("_PROXY", "_BASE_URL", "_API_BASE", "_ENDPOINT"))
    ):
        return True
    return upper.endswith(_SENSITIVE_ENDS)
