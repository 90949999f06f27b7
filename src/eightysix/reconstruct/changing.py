"""Values that have to be changed where they were issued: what a Secret, an environment or a file held.

Telemetry tells a name, never a value, so what it opens is a guess by its name, and said to be one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from eightysix.context.credentials import credential_at, variable_domain
from eightysix.context.shell import line
from eightysix.model.story import IdentityStory
from eightysix.model.words import Domain
from eightysix.reconstruct.remedies import Remedy, az, kubectl, option, other_pod, place, pod_holds, some

__all__ = [
    "change_environment",
    "change_file",
    "change_more",
    "change_secret",
    "exposed_remedy",
    "secret_kind",
]

_SECRET_WORDS: Final = (
    ("registry", ("acr", "registry", "docker", "push", "pull", "dockerconfigjson", "ghcr", "ecr", "gcr", "harbor", "quay")),
    ("service-principal", ("sp", "spn", "azure", "entra", "aad", "principal", "tenant")),
    ("git", ("git", "github", "gitlab", "gh", "deploykey", "ssh")),
    ("model-provider", ("openai", "anthropic", "llm", "mistral", "cohere", "gemini", "apikey")),
    ("model-store", ("hf", "huggingface", "wandb", "mlflow", "kaggle")),
    ("cloud", ("aws", "s3", "gcp", "gcs", "google", "storage", "blob", "sas")),
    ("database", ("db", "postgres", "postgresql", "mysql", "mongo", "mongodb", "redis", "sql", "database")),
    ("certificate", ("tls", "cert", "certificate", "ca")),
)  # fmt: skip
"""What a Secret's name suggests that it holds. A guess: the type is not in the audit log, and names are anybody's."""


def secret_kind(name: str) -> tuple[str, ...]:
    """What a Secret probably holds, by the words of its name; empty where they say nothing."""
    words = set(name.lower().replace("_", "-").replace(".", "-").split("-"))
    return tuple(kind for kind, marks in _SECRET_WORDS if not words.isdisjoint(marks))


_FOR_THAT: Final = " (the other lines are for that)"


def change_secret(identity: IdentityStory) -> Remedy:
    """A Secret of the cluster (`namespace/name`, `*` for all), read from the API."""
    namespace, _, name = identity.name.partition("/")
    if name == "*" or not name:
        return _all_secrets(namespace)
    space = namespace if namespace not in ("", "*") else place("namespace")
    shown = [
        kubectl(
            "get",
            f"secret/{name}",
            option(
                "output", "custom-columns=NAME:.metadata.name,TYPE:.type,MADE:.metadata.creationTimestamp"
            ),
            namespace=space,
        )
    ]
    kinds = secret_kind(name)
    commands = [command for kind in kinds for command in _SECRET_COMMANDS.get(kind, list)()]
    guess = f" Its name suggests: {', '.join(kinds)}{_FOR_THAT if commands else ''}." if kinds else ""
    return Remedy(
        f"change what secret {identity.name} holds, where it was issued",
        "It was read from the API. Deleting the Secret revokes nothing: the old value must stop counting at its issuer. See its"
        f" type first.{guess} Then search that service's log for the old credential since it was read.",
        (*shown, *commands),
    )


def _all_secrets(namespace: str) -> Remedy:
    where = "all namespaces" if namespace in ("", "*") else f"namespace {namespace}"
    every = () if namespace not in ("", "*") else ("--all-namespaces",)
    return Remedy(
        f"change what every secret of {where} holds",
        "A list of secrets returns their values, so each of them counts as read. Begin with those that open other systems:"
        " registries, cloud accounts, databases.",
        (
            kubectl(
                "get secrets",
                *every,
                option(
                    "output", "custom-columns=NAMESPACE:.metadata.namespace,NAME:.metadata.name,TYPE:.type"
                ),
                namespace="" if every else namespace,
            ),
        ),
    )


def _reset_principal() -> list[str]:
    app = place("application id")
    return [
        az("ad app credential list", option("id", app), option("output", "table")),
        az("ad app credential reset", option("id", app)),
    ]


def _reset_registry() -> list[str]:
    registry = option("name", place("registry"))
    return [
        az("acr show", registry, option("query", "adminUserEnabled")),
        az("acr credential renew", registry, option("password-name", "password")),
        az("acr credential renew", registry, option("password-name", "password2")),
        az("acr token list", option("registry", place("registry")), option("output", "table")),
        az(
            "acr manifest list-metadata",
            option("registry", place("registry")),
            option("name", place("repository")),
            option("orderby", "time_desc"),
            option("output", "table"),
        ),
    ]


_SECRET_COMMANDS: Final[Mapping[str, Callable[[], list[str]]]] = {
    "registry": _reset_registry,
    "service-principal": _reset_principal,
}


def change_volume(identity: IdentityStory) -> Remedy:
    """A Secret of another pod, read from the kubelet's folder on the node."""
    whose = other_pod(identity.name)
    return Remedy(
        f"change what a Secret of another pod holds: {identity.name}",
        f"It was read on the node, so the API server's log has nothing of it. {identity.revocation.how}",
        (pod_holds(whose),) if whose else (),
    )


def change_environment(identity: IdentityStory) -> Remedy:
    """A variable in a process's environment."""
    domain = variable_domain(identity.name)
    opens = {
        Domain.LLM: "a model provider",
        Domain.CLOUD: "a cloud account",
        Domain.DELIVERY: "a registry, index or store",
        Domain.CLUSTER: "a cluster",
    }
    guess = f" Its name suggests {opens[domain]}." if domain is not None else ""
    return Remedy(
        f"change what environment variable {identity.name} holds, where it was issued",
        f"A value in an environment lasts until its issuer ends it.{guess} Put the new one into its Secret, then restart every"
        " pod that has it: an environment is read once. Look at the provider's bill and log for use since.",
        (),
    )


def change_file(identity: IdentityStory) -> Remedy:
    """Credential files, and whatever else has no work of its own: what revokes it is in the table."""
    found = credential_at(identity.name)
    what = found.identity if found is not None else identity.kind.replace("-", " ")
    return Remedy(
        f"change the {what}: {identity.name}",
        identity.revocation.how or "Change it where it was issued.",
        _FILE_COMMANDS.get(identity.kind, ()),
    )


_CLUSTER: Final = (option("name", place("cluster")), option("resource-group", place("resource group")))

_FILE_COMMANDS: Final[Mapping[str, tuple[str, ...]]] = {
    "azure-cli-cache": (
        az(
            "rest",
            option("method", "POST"),
            option("url", f"https://graph.microsoft.com/v1.0/users/{place('user id')}/revokeSignInSessions"),
        ),
        *_reset_principal(),
    ),
    "azure-node-identity": (
        az("aks show", *_CLUSTER, option("query", "servicePrincipalProfile.clientId")),
        az(
            "aks update-credentials",
            *_CLUSTER,
            "--reset-service-principal",
            option("service-principal", place("application id")),
            option("client-secret", place("new secret")),
        ),
    ),
    "kubeconfig": (az("aks rotate-certs", *_CLUSTER),),
    "cluster-key": (az("aks rotate-certs", *_CLUSTER),),
    "npmrc": (line("npm", "token", "list"), line("npm", "token", "revoke", place("id of the list"))),
    "vault-token": (line("vault", "token", "revoke", "-accessor", place("accessor")),),
    "vault-secret": (line("vault", "lease", "revoke", "-prefix", place("path of the secret")),),
}
"""Lines for files of which the kind tells the tool. `az aks rotate-certs` makes every node anew and stops the API for up to half
an hour (learn.microsoft.com/azure/aks/certificate-rotation)."""


def change_more(identities: Sequence[IdentityStory]) -> Remedy | None:
    """Those that get no step of their own, because there are too many."""
    if not identities:
        return None
    return Remedy(
        f"do the same for {len(identities)} more: {some(f'{i.kind} {i.name}' for i in identities)}",
        "More credentials were taken than a list has steps for: the story's identities name them. Ask what they have in common (a"
        " node, a namespace, a vault), and change that as a whole.",
    )


def exposed_remedy(exposed: Sequence[IdentityStory]) -> Remedy | None:
    """What was only exposed: last of the credentials, in one list."""
    if not exposed:
        return None
    by_kind: dict[str, list[str]] = {}
    for identity in exposed:
        by_kind.setdefault(identity.kind.replace("-", " "), []).append(identity.name)
    told = "; ".join(
        f"{kind} {', '.join(names[:6])}{f' and {len(names) - 6} more' if len(names) > 6 else ''}"
        for kind, names in sorted(by_kind.items())
    )
    return Remedy(
        f"change what was only exposed: {told}",
        "The code that landed could reach these; that it did not is not proven (why stands with each). Those that open other"
        " systems first; a restart of the pod is part of it.",
    )
