"""What a name says of a credential: of an environment variable, of a Secret, of a key in one.

Variables are judged by `context.credentials`; here stands what it leaves out because a process's environment does not need
it: names of Secrets, names that end otherwise, and which outside system a credential is for. A name is a claim of whoever
wrote the manifest, so nothing that follows from one alone is more than `assumed`.
"""

from __future__ import annotations

from functools import lru_cache

from msgspec import Struct

from eightysix.context.credentials import is_credential_variable, variable_domain
from eightysix.context.packages import starts_as_token
from eightysix.model.words import Domain

__all__ = ["Named", "is_placeholder", "of_secret", "of_value", "of_variable", "url_login"]

MAX_NAME = 253
"""Longest name of a Kubernetes object (RFC 1123 subdomain); what is longer is nobody's."""

MAX_VALUE = 65_536
"""Characters of a value that are looked at. Argument lists of one process are limited to 128 KiB a string (execve(2))."""


class Named(Struct, frozen=True, gc=False):
    """What a name says: a domain, and the system that the credential is for (`github.com`, `openai`), empty where unknown."""

    domain: Domain
    system: str = ""


_EXACT = {
    name: Named(Domain(domain), system)
    for domain, system, names in (
        ("delivery", "dev.azure.com", "SYSTEM_ACCESSTOKEN AZURE_DEVOPS_EXT_PAT AZP_TOKEN"),
        ("delivery", "registry", "DOCKER_AUTH_CONFIG REGCRED DOCKERCONFIGJSON DOCKERCFG"),
        ("delivery", "model-store", "STORAGE_CONFIG MLPIPELINE_MINIO_ARTIFACT"),
        ("delivery", "git", "GIT_CREDS GIT_CREDENTIALS"),
        ("delivery", "github.com", "ACTIONS_RUNNER_INPUT_JITCONFIG"),
        ("cloud", "azure", "AZURE_CLIENT_CERTIFICATE_PATH AZURE_CREDENTIALS AZUREWEBJOBSSTORAGE"),
        ("cloud", "aws", "AWS_SHARED_CREDENTIALS_FILE"),
        ("cloud", "gcp", "USER_GCP_SA CLOUDSDK_AUTH_ACCESS_TOKEN"),
    )
    for name in names.split()
}
"""Names that tell more, or other, than their words do. github.com/actions/runner, learn.microsoft.com/azure/devops,
docs.gitlab.com/ci/docker, github.com/kserve/kserve and github.com/kubeflow/pipelines (Secrets that both make),
learn.microsoft.com/azure/azure-functions, cloud.google.com/sdk."""

_SYSTEMS = {
    word: system
    for system, words in (
        ("huggingface.co", "HF HUGGING HUGGINGFACE HUGGINGFACEHUB"),
        ("github.com", "GITHUB GH ACTIONS ARC"),
        ("gitlab.com", "GITLAB CI"),
        ("registry.npmjs.org", "NPM NODE"),
        ("pypi.org", "PYPI TWINE UV POETRY PIP"),
        ("registry", "REGISTRY DOCKER HARBOR QUAY ECR GCR GHCR DOCKERHUB"),
        ("azurecr.io", "ACR"),
        ("nvcr.io", "NGC"),
        ("artifactory", "ARTIFACTORY JFROG NEXUS"),
        ("wandb.ai", "WANDB"),
        ("mlflow", "MLFLOW"),
        ("vault", "VAULT"),
        ("kaggle.com", "KAGGLE"),
        ("comet.com", "COMET"),
        ("minio", "MINIO"),
        ("neptune.ai", "NEPTUNE"),
        ("clear.ml", "CLEARML"),
        ("langsmith", "LANGSMITH LANGCHAIN"),
        ("langfuse", "LANGFUSE"),
        ("dagshub.com", "DAGSHUB"),
        ("modelscope.cn", "MODELSCOPE"),
        ("bitbucket.org", "BITBUCKET"),
        ("gitea", "GITEA"),
        ("azure", "AZURE ARM"),
        ("aws", "AWS S3"),
        ("gcp", "GOOGLE GCP GCLOUD"),
        ("databricks", "DATABRICKS"),
        ("openai", "OPENAI"),
        ("anthropic", "ANTHROPIC CLAUDE"),
        ("cohere", "COHERE"),
        ("mistral", "MISTRAL"),
        ("groq", "GROQ"),
        ("gemini", "GEMINI"),
        ("deepseek", "DEEPSEEK"),
        ("together", "TOGETHER TOGETHERAI"),
        ("fireworks", "FIREWORKS"),
        ("replicate", "REPLICATE"),
        ("perplexity", "PERPLEXITY"),
        ("xai", "XAI"),
        ("openrouter", "OPENROUTER"),
        ("voyage", "VOYAGE"),
        ("jina", "JINA"),
        ("nvidia", "NVIDIA NVAPI"),
        ("bedrock", "BEDROCK"),
        ("litellm", "LITELLM"),
        ("vllm", "VLLM"),
        ("tavily", "TAVILY"),
    )
    for word in words.split()
}
"""Systems by a word of the name, as each one's own SDK documents it."""

_MORE = {
    Domain.LLM: frozenset("VLLM LITELLM NVIDIA NVAPI BEDROCK TAVILY CLAUDE TOGETHERAI".split()),
    Domain.DELIVERY: frozenset(
        """NGC LANGSMITH LANGCHAIN LANGFUSE CLEARML NEPTUNE DAGSHUB MODELSCOPE MINIO GIT BITBUCKET GITEA PIP HARBOR QUAY
        ECR GCR GHCR DOCKERHUB DOCKERCONFIGJSON DOCKERCFG ARC ARGOCD IMAGEPULL""".split()
    ),
}
"""Words beside those of `context.credentials`: model servers and gateways whose keys are asked of clients
(docs.vllm.ai, docs.litellm.ai, docs.api.nvidia.com), trackers and stores of experiments, registries."""

_WEAK = frozenset("CI UV XAI GH ACR OCI VAULT NVIDIA PIP GIT".split())
"""Words that mean something else in names of Secrets, unless the name ends as one of a credential does."""

_OTHER = frozenset("NODE ARM STORAGE ACTIONS TOGETHER REPLICATE KUBE K8S KUBERNETES".split())
"""Words that mostly mean something else there: `node-exporter-token`, `storage-key`."""

_ENDINGS = frozenset(
    "SECRET SECRETS TOKEN TOKENS KEY KEYS CREDS CREDENTIAL CREDENTIALS AUTH PASSWORD PAT APIKEY CRED REGCRED".split()
)
_CERTIFICATES = frozenset("TLS CERT CERTS CERTIFICATE CERTIFICATES CA BUNDLE WEBHOOK CONFIG PUBLIC".split())
"""Last words of Secrets that hold no credential for another system: what a server shows to its clients."""

_PLACEHOLDERS = frozenset(
    """ empty none null nil dummy fake test token unused placeholder changeme change-me example xxx sk-xxx na n/a false true
    not-needed no-key-required no-key ignored your-api-key your-token todo secret password abc123 token-abc123 key
    """.split()
)
"""Values that stand where a client insists on one: `OPENAI_API_KEY=EMPTY` in front of a model server of one's own
(docs.vllm.ai, OpenAI-compatible server)."""

_ISSUERS = (
    ("github.com", Domain.DELIVERY, ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_")),
    ("gitlab.com", Domain.DELIVERY, ("glpat-",)),
    ("registry.npmjs.org", Domain.DELIVERY, ("npm_",)),
    ("huggingface.co", Domain.DELIVERY, ("hf_",)),
    ("pypi.org", Domain.DELIVERY, ("pypi-",)),
    ("registry", Domain.DELIVERY, ("dckr_pat_",)),
    ("model-provider", Domain.LLM, ("sk-",)),
    ("aws", Domain.CLOUD, ("akia", "asia")),
    ("gcp", Domain.CLOUD, ("aiza", "ya29.")),
)
"""How tokens begin (docs.github.com/code-security, supported secret scanning patterns), and what they open."""

_CUTS = str.maketrans("/=+:@,~;&?\"'()[]{}<>|`\\", " " * 23)


def _words(name: str) -> str:
    """`name` as a variable is written: `vllmApiKey` and `hf-token` as `VLLM_API_KEY` and `HF_TOKEN`."""
    text = []
    before = ""
    for character in name:
        if character.isupper() and before.islower():
            text.append("_")
        text.append(character)
        before = character
    return "".join(text).upper().replace("-", "_").replace(".", "_").replace(" ", "_").strip("_")


def _judged(name: str) -> Named | None:
    """By words: the table here first, as `context.credentials` knows none of these."""
    words = name.split("_")
    domain = next((domain for domain, more in _MORE.items() if not more.isdisjoint(words)), None)
    known = variable_domain(name)
    if known is not None and (domain is None or known is Domain.LLM):
        domain = known
    if domain is None:
        return None
    return Named(domain, _system(words))


def _system(words: list[str]) -> str:
    found = [_SYSTEMS[word] for word in words if word in _SYSTEMS]
    found += [system for word, system in _LONG for each in words if each.startswith(word)]
    return next((system for system in found if system not in _CLOUDS), found[0] if found else "")


_CLOUDS = frozenset({"azure", "aws", "gcp"})
"""`AZURE_OPENAI_API_KEY` is a key of OpenAI's models."""

_LONG = tuple((word, system) for word, system in _SYSTEMS.items() if len(word) > 4)


@lru_cache(maxsize=8192)
def of_variable(name: str) -> Named | None:
    """What a variable of this name (or a key of a Secret) holds; None where it names no credential, or one for a system that
    nobody knows."""
    if not 0 < len(name) <= MAX_NAME:
        return None
    words = _words(name)
    exact = _EXACT.get(words)
    if exact is not None:
        return exact
    ends = words[-64:].lstrip("_")
    if words.startswith(
        "POETRY_PYPI_TOKEN"
    ):  # the index's name follows (python-poetry.org/docs/repositories)
        return Named(Domain.DELIVERY, "pypi.org")
    if not is_credential_variable(ends):
        return None
    return _judged(words)


@lru_cache(maxsize=8192)
def of_secret(name: str) -> Named | None:
    """What a Secret of this name holds, as far as the name tells."""
    if not 0 < len(name) <= MAX_NAME:
        return None
    words = _words(name)
    exact = _EXACT.get(words)
    if exact is not None:
        return exact
    parts = words.split("_")
    if "KUBECONFIG" in words:
        return Named(Domain.CLUSTER, "kubeconfig")
    if parts[-1] in _CERTIFICATES:
        return None
    if "PULL" in parts and not {"IMAGE", "SECRET", "REGISTRY"}.isdisjoint(parts):
        return Named(Domain.DELIVERY, "registry")
    ends = parts[-1] in _ENDINGS
    strong = [part for part in parts if part not in _OTHER and (ends or part not in _WEAK)]
    found = _judged("_".join(strong))
    if found is None or found.domain is Domain.CLUSTER or (not ends and not found.system):
        return None
    return found


def is_placeholder(value: str) -> bool:
    """Tell whether a value stands for none: empty, a word that says so, a reference to another variable, one letter
    repeated."""
    value = value.strip()
    if len(value) < 6 or value.lower() in _PLACEHOLDERS:
        return True
    if (value.startswith("$(") and value.endswith(")")) or (value.startswith("<") and value.endswith(">")):
        return True
    return len(set(value)) < 3


def of_value(value: str) -> Named | None:
    """What a token that stands in a value opens, by how its issuer begins tokens. The value itself is never kept."""
    if len(value) > MAX_VALUE:
        value = value[:MAX_VALUE]
    if not starts_as_token(value):
        return None
    for word in value.lower().translate(_CUTS).split():
        for system, domain, beginnings in _ISSUERS:
            if word.startswith(beginnings) and starts_as_token(word):
                return Named(domain, system)
    return None


def url_login(value: str) -> str:
    """The host of the first URL with a password or token before it (`https://user:token@host/`), empty where there is none."""
    text = value[:MAX_VALUE]
    place = 0
    for _ in range(64):
        place = text.find("://", place)
        if place < 0:
            return ""
        place += 3
        authority = text[place : place + 2048].partition("/")[0].split(maxsplit=1)
        before, at, host = authority[0].rpartition("@") if authority else ("", "", "")
        password = before.partition(":")[2] or before
        if at and host and not is_placeholder(password) and "$" not in before:
            return host.partition(":")[0].strip("\"'").lower()[:MAX_NAME]
    return ""
