"""How an identity is cut, by its kind: what it may do is taken away where its tokens cannot be, secrets are changed where
they were issued."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from eightysix.context.credentials import credential_at, variable_domain
from eightysix.context.shell import line
from eightysix.model.story import IdentityStory
from eightysix.model.words import Domain
from eightysix.reconstruct.remedies import (
    Remedy,
    az,
    is_guid,
    is_name,
    kubectl,
    option,
    piped,
    place,
    redirected,
)

__all__ = ["cut", "exposed_remedy", "secret_kind", "used_from_outside"]

_GROUP: Final = option("resource-group", place("resource group"))
_NODE_GROUP: Final = option("resource-group", place("node resource group"))


def used_from_outside(identity: IdentityStory) -> bool:
    """Whether it was used after it was taken from an address that is none of the cluster's."""
    return any(use.foreign and use.after for use in identity.uses)


def cut(identity: IdentityStory, *, service_account: str, node: str) -> Remedy:
    """What to do about one identity that was taken or used."""
    remedy = _WORK.get(identity.kind, _by_file)(_Case(identity, service_account, node))
    why = remedy.why
    if used_from_outside(identity):
        places = sorted({use.source_ip for use in identity.uses if use.foreign and use.after})
        why = f"It is in use from outside the cluster ({', '.join(places[:4])}). {why}"
    if identity.revocation.until:
        why += f" The last of its tokens runs out at {identity.revocation.until} at the latest."
    if any("<" in command for command in remedy.commands):
        why += f" Fill in what stands in <...>: the telemetry does not say it{_HINTS.get(identity.kind, '')}."
    return replace(remedy, why=why, for_entity=identity.entity)


class _Case(Struct, frozen=True):
    """What is known beside the identity: the pod's service account (`namespace/name`) and its node."""

    identity: IdentityStory
    service_account: str
    node: str


_HINTS: Final[Mapping[str, str]] = {
    "managed-identity": " (az aks show --query identityProfile tells the nodes' identity and nodeResourceGroup their group)",
    "federated-token": " (the service account's annotation azure.workload.identity/client-id tells the client id)",
}


def _principal(identity: IdentityStory) -> str:
    """The id that `az` knows it by; a placeholder where no record told a well-formed one."""
    known = next((text for text in identity.ids if is_guid(text)), "")
    return known or place("client id or object id of the identity")


def _roles(principal: str) -> list[str]:
    """Its role assignments: keep them, to give back what is needed, then delete them."""
    listing = ("role assignment list", option("assignee", principal), "--all")
    return [
        redirected(az(*listing, "--include-groups", option("output", "json")), "role-assignments.json"),
        piped(
            az(*listing, option("query", "[].id"), option("output", "tsv")),
            line("xargs", "-I", "{}", "az", "role", "assignment", "delete", "--ids", "{}"),
        ),
    ]


def _managed(case: _Case) -> Remedy:
    identity = case.identity
    principal = _principal(identity)
    scale_set = _scale_set(case.node)
    return Remedy(
        f"cut the role assignments of managed identity {identity.name}",
        "Its tokens cannot be revoked, so only what it may do can be taken away; that counts within about 10 minutes. Keep the"
        " list to give back what is needed. What it has by a group or an app role stays in a token until it runs out; Key Vault"
        " access policies and database users are not in the list. If it is the nodes' (kubelet) identity, all pods share it"
        " and images cannot be pulled without AcrPull: give that back at once, on the registry alone. If it is another one of"
        " the node pool, the last line takes it off the machines, which stops new tokens.",
        (
            *_roles(principal),
            az(
                "vmss identity remove",
                option("identities", place("resource id of the identity")),
                option("name", scale_set or place("scale set of the node pool")),
                _NODE_GROUP,
            ),
        ),
    )


_BASE36: Final = frozenset("0123456789abcdefghijklmnopqrstuvwxyz")


def _scale_set(node: str) -> str:
    """The scale set that an AKS node is of: its name ends in six digits of base 36 (learn.microsoft.com/azure/
    virtual-machine-scale-sets, instance ids)."""
    name, number = node[:-6], node[-6:]
    aks = is_name(node) and name.startswith("aks-") and name.endswith("vmss") and _BASE36.issuperset(number)
    return name if aks else ""


def _federated(case: _Case) -> Remedy:
    identity = case.identity
    if identity.kind == "federated-token":
        found = credential_at(identity.name)
        if found is not None and not found.identity.startswith("Azure"):
            return _foreign_cloud(identity, found.identity, case.service_account)
    namespace, _, account = case.service_account.partition("/")
    subject = f"system:serviceaccount:{namespace}:{account}"
    known = is_name(namespace) and is_name(account)
    query = [option("query", f"[?subject=='{subject}']")] if known else []
    which = option("identity-name", place("name of the identity"))
    return Remedy(
        f"remove the trust of {identity.name}, then cut its role assignments",
        "The projected token is exchanged for new access tokens from anywhere, also when the pod is gone: without the federated"
        " credential it is worth nothing. Access tokens that were issued cannot be revoked, so the roles go too.",
        (
            az("identity federated-credential list", which, _GROUP, *query, option("output", "json")),
            az(
                "identity federated-credential delete",
                which,
                _GROUP,
                option("name", place("name of the federated credential")),
                "--yes",
            ),
            *_roles(_principal(identity)),
        ),
    )


def _foreign_cloud(identity: IdentityStory, whose: str, service_account: str) -> Remedy:
    who = f" of service account {service_account}" if service_account else ""
    return Remedy(
        f"end the trust of {whose}: {identity.name}",
        f"The token{who} is exchanged for access from anywhere until it runs out. AWS: deny all sessions before now"
        " (AWSRevokeOlderSessions) and take the service account from the role's trust policy. Google: remove the service account"
        " from the workload identity binding. Then cut what it may do.",
        (),
    )


def _service_account(case: _Case) -> Remedy:
    identity = case.identity
    namespace, slash, account = identity.name.partition("/")
    if not slash or not is_name(namespace) or not is_name(account):
        namespace, _, account = (case.service_account if identity.name.startswith("of ") else "").partition(
            "/"
        )
    namespace, account = namespace or place("namespace"), account or place("service account")
    user = f"system:serviceaccount:{namespace}:{account}"
    return Remedy(
        f"cut what service account {identity.name} may do",
        "Taking its bindings away counts at once and for every token of it, wherever it is used from; a bound token itself ends"
        " only with its pod (below), one from a Secret with that Secret. Tokens that were asked for by name (TokenRequest) end"
        " when the service account is deleted and made anew.",
        (
            kubectl("auth can-i", "--list", option("as", user), namespace=namespace),
            kubectl(
                "get rolebindings,clusterrolebindings",
                "--all-namespaces",
                option("output", "wide"),
            ),
            kubectl("delete", f"rolebinding/{place('a binding that names it')}", namespace=namespace),
            kubectl(
                "get secrets",
                option("field-selector", "type=kubernetes.io/service-account-token"),
                namespace=namespace,
            ),
        ),
    )


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


def _secret(case: _Case) -> Remedy:
    identity = case.identity
    namespace, _, name = identity.name.partition("/")
    if name == "*" or not name:
        return _all_secrets(namespace)
    shown = [
        kubectl(
            "get",
            f"secret/{name}",
            option(
                "output", "custom-columns=NAME:.metadata.name,TYPE:.type,MADE:.metadata.creationTimestamp"
            ),
            namespace=namespace,
        )
    ]
    kinds = secret_kind(name)
    commands = [command for kind in kinds for command in _SECRET_COMMANDS.get(kind, list)()]
    guess = f" Its name suggests: {', '.join(kinds)}." if kinds else ""
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


def _service_principal(case: _Case) -> Remedy:
    identity = case.identity
    principal = _principal(identity)
    app = next((text for text in identity.ids if is_guid(text)), place("application id"))
    return Remedy(
        f"reset the secrets of service principal {identity.name}, then cut its roles until the old tokens are gone",
        "The reset replaces every secret of the application and prints the new one: run it where no log keeps it. Look for"
        " secrets and federated credentials that were added. Access tokens that were got before cannot be revoked.",
        (
            az("ad app credential list", option("id", app), option("output", "table")),
            az("ad app federated-credential list", option("id", app), option("output", "table")),
            az("ad app credential reset", option("id", app)),
            *_roles(principal),
        ),
    )


def _environment(case: _Case) -> Remedy:
    identity = case.identity
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


def _made(case: _Case) -> Remedy:
    identity = case.identity
    return Remedy(
        f"treat as taken: {identity.name}",
        "A pod that was made with the stolen identity took it. Its bound tokens end when that pod is deleted, after its evidence"
        " is taken; the identity that it ran as has to be cut like the others.",
        (),
    )


def _node(case: _Case) -> Remedy:
    identity = case.identity
    return Remedy(
        f"change what the pods of the node held: {identity.name}",
        "Who is on the node reads the tokens and secrets of every pod on it. Delete these pods and replace the machine (its"
        " kubelet certificate cannot be revoked), then change every secret that they mounted.",
        (),
    )


def _by_file(case: _Case) -> Remedy:
    """Credential files, and whatever else has no work of its own: what revokes it is in the table."""
    identity = case.identity
    found = credential_at(identity.name)
    what = found.identity if found is not None else identity.kind.replace("-", " ")
    return Remedy(
        f"change the {what}: {identity.name}",
        identity.revocation.how or "Change it where it was issued.",
        (),
    )


_Work = Callable[[_Case], Remedy]

_WORK: Final[Mapping[str, _Work]] = {
    "managed-identity": _managed,
    "user-assigned-identity": _managed,
    "system-assigned-identity": _managed,
    "federated-identity": _federated,
    "workload-identity": _federated,
    "federated-token": _federated,
    "service-principal": _service_principal,
    "service-account": _service_account,
    "service-account-token": _service_account,
    "secret": _secret,
    "environment": _environment,
    "made-pod": _made,
    "node": _node,
}


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
