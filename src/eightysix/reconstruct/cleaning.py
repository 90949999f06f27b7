"""The artifact itself: block it where it comes from, rebuild without it, and see afterwards that nothing was left behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from eightysix.context.shell import line
from eightysix.model.event import Artifact
from eightysix.model.incident import PodRef
from eightysix.model.story import EntityKind, IdentityStory
from eightysix.reconstruct.names import entity_id
from eightysix.reconstruct.remedies import (
    Remedy,
    az,
    is_guid,
    is_name,
    kubectl,
    option,
    piped,
    place,
    some,
    split_account,
)

__all__ = ["artifact_remedies", "rechecks", "told_anew"]

MAX_ARTIFACTS: Final = 8
"""Artifacts that have lines of their own."""

MAX_CALLERS: Final = 6
"""Principals whose activity is asked for. The log knows a caller by one of its ids, and not always by the same."""

_REGISTRY: Final = ".azurecr.io"


def artifact_remedies(artifacts: Sequence[Artifact]) -> list[Remedy]:
    """Block what landed, then rebuild what had it."""
    told = sorted({a for a in artifacts if a.name}, key=lambda a: (a.kind, a.name, a.version))
    told = [
        a for a in told if a.kind != "file" or a.version
    ] or told  # a file's name alone comes from nowhere
    if not told:
        return []
    entity = entity_id(EntityKind.PACKAGE, told[0].kind, told[0].name, told[0].version)
    commands = [command for artifact in told[:MAX_ARTIFACTS] for command in _block(artifact)]
    names = some(map(str, told))
    kinds = {_FAMILY.get(artifact.kind, "package") for artifact in told}
    return [
        Remedy(
            f"block the artifact where it comes from: {names}",
            "Every pod that starts takes it again. " + " ".join(_BLOCKED[kind] for kind in sorted(kinds)),
            tuple(commands),
            entity,
        ),
        Remedy(
            f"rebuild and pin: nothing with {names}",
            " ".join(_REBUILT[kind] for kind in sorted(kinds))
            + " What it wrote to volumes and caches stays: clean those too.",
            for_entity=entity,
        ),
    ]


_FAMILY: Final[Mapping[str, str]] = {"oci": "image", "model": "model", "file": "model", "url": "model"}

_BLOCKED: Final[Mapping[str, str]] = {
    "package": (
        "Package: quarantine it in the index proxy that pods use; until then a constraint (PIP_CONSTRAINT) keeps pip from it."
        " Report it to the public index."
    ),
    "image": "Image: lock it in the registry, where it stays for evidence; look at who pushed it.",
    "model": "Model or file: take it out of the store and its caches by digest, for names say nothing; look at who uploaded it.",
}

_REBUILT: Final[Mapping[str, str]] = {
    "package": (
        "Package: install by exact version and hash (pip install --require-hashes) from a lock file made before it landed, into"
        " an image built anew."
    ),
    "image": "Image: start workloads by a digest from before the push.",
    "model": "Model or file: load by revision or digest, in a format that runs no code, after eightysix scan.",
}


def _block(artifact: Artifact) -> list[str]:
    if artifact.kind == "pypi" and artifact.version:
        shun = line("printf", "%s\\n", f"{artifact.name}!={artifact.version}")
        return [f"{shun} >> constraints.txt" if shun else ""]
    if artifact.kind == "oci":
        return _block_image(artifact)
    return []


def _block_image(artifact: Artifact) -> list[str]:
    """Nobody can pull it any more, and it stays for evidence."""
    name = artifact.name.partition("@")[0]
    host, slash, path = name.partition("/")
    repository = path.partition(":")[0]
    digest = artifact.version
    known = (
        slash
        and host.endswith(_REGISTRY)
        and is_name(host.removesuffix(_REGISTRY))
        and all(is_name(part) for part in repository.split("/"))
        and digest.startswith("sha256:")
        and digest[7:].isalnum()
    )
    return [
        az(
            "acr repository update",
            option("name", host.removesuffix(_REGISTRY) if known else place("registry")),
            option("image", f"{repository}@{digest}" if known else place("repository@digest")),
            option("read-enabled", "false"),
            option("write-enabled", "false"),
            option("delete-enabled", "false"),
        )
    ]


_MADE: Final = (
    "pods,jobs,cronjobs,daemonsets,deployments,statefulsets,secrets,serviceaccounts,"
    "roles,rolebindings,clusterroles,clusterrolebindings"
)
"""Where an intruder stays."""


def rechecks(
    pod: PodRef | None, service_account: str, lost: Sequence[IdentityStory], artifacts: Sequence[Artifact]
) -> list[Remedy]:
    """See what the identities left behind, then tell the story again."""
    columns = "MADE:.metadata.creationTimestamp,KIND:.kind,NAMESPACE:.metadata.namespace,NAME:.metadata.name"
    commands = [
        piped(
            kubectl(
                f"get {_MADE}",
                "--all-namespaces",
                "--no-headers",
                option("output", f"custom-columns={columns}"),
            ),
            line("sort"),
            line("tail", "-n", "50"),
        )
    ]
    namespace, account = split_account(service_account)
    if account:
        user = f"system:serviceaccount:{namespace}:{account}"
        commands.append(kubectl("auth can-i", "--list", option("as", user), namespace=namespace))
    principals = sorted({text for identity in lost for text in identity.ids if is_guid(text)})
    commands += [
        az(
            "monitor activity-log list",
            option("caller", principal),
            option("offset", "7d"),
            option("max-events", "1000"),
            option("output", "table"),
        )
        for principal in principals[:MAX_CALLERS]
    ]
    asked = [option("artifact", a.name) for a in sorted(artifacts, key=str)[:1] if a.name]
    if not asked and pod is not None and pod.name:
        asked = [option("pod", f"{pod.namespace}/{pod.name}")]
    if asked:
        commands.append(_told_anew(*asked))
    return [
        Remedy(
            "look for what they left behind, and tell the story again with later telemetry",
            "Whoever had these identities may have made others: pods, bindings, tokens, application secrets, federated"
            " credentials, pushed images. Cloud logs come minutes to a day late, so look again after 24 h; a missing row"
            " clears nobody.",
            tuple(commands),
        )
    ]


def told_anew(account: str) -> str:
    """The line that tells where a service account (`namespace/name`) was used, of later telemetry."""
    return _told_anew(option("identity", account))


def _told_anew(asked: str, *more: str) -> str:
    return line("eightysix", "reconstruct", place("folder with newer telemetry"), asked, *more)
