"""Where pods load from: registries of their images, storage accounts of their models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from eightysix.posture.edges.scopes import named
from eightysix.posture.holder import member_path
from eightysix.posture.lookup import text
from eightysix.posture.objects import Container
from eightysix.posture.snapshot import Snapshot, Template

__all__ = ["accounts_in", "accounts_used", "containers", "image_host", "loads_from", "pinned", "registries"]

_STORES = (".blob.core.windows.net", ".dfs.core.windows.net", ".file.core.windows.net")
_ACCOUNT = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_LONGEST_ACCOUNT = 24
"""learn.microsoft.com/azure/storage/common/storage-account-overview: 3 to 24 small letters and digits."""

_MAX_TEXT = 65_536
_MAX_FOUND = 32
_DRIVERS = frozenset({"blob.csi.azure.com", "file.csi.azure.com"})


def image_host(image: str) -> str:
    """The registry that an image is pulled from; `docker.io` where its name has none (github.com/distribution/reference)."""
    head, slash, _ = image.partition("/")
    if slash and ("." in head or ":" in head or head == "localhost"):
        return head.lower()
    return "docker.io"


def pinned(image: str) -> bool:
    """Whether a reference names its content by digest, so that nobody who writes to the registry can replace it."""
    digest = image.rpartition("@")[2] if "@" in image else ""
    return digest.startswith("sha256:") and len(digest) == 71


def containers(template: Template) -> Iterator[tuple[str, Container]]:
    """All containers of a template, with their paths below the pod's spec."""
    spec = template.spec
    for member, found in (("containers", spec.containers), ("initContainers", spec.init_containers or ())):
        for index, container in enumerate(found):
            yield member_path(template, member, index), container


def registries(snapshot: Snapshot, templates: Sequence[Template]) -> dict[str, str]:
    """Registries by host: those of the cloud with their resource ids where told, and those that images come from."""
    found: dict[str, str] = {}
    for told in snapshot.cloud.registries:
        name = named(told, "registries")
        if name:
            found[f"{name}.azurecr.io"] = told
        elif told:
            host = told.lower().removeprefix("https://").rstrip("/")
            found.setdefault(host if "." in host else f"{host}.azurecr.io", "")
    for template in templates:
        for _, container in containers(template):
            if container.image:
                found.setdefault(image_host(container.image), "")
    return found


def accounts_in(value: str) -> list[str]:
    """Storage accounts whose hosts stand in a text: `https://ACCOUNT.blob...`, `abfss://FOLDER@ACCOUNT.dfs...`."""
    low = value[:_MAX_TEXT].lower()
    found: list[str] = []
    for ending in _STORES:
        place = low.find(ending)
        while place >= 0 and len(found) < _MAX_FOUND:
            start = place
            while start > 0 and place - start <= _LONGEST_ACCOUNT and low[start - 1] in _ACCOUNT:
                start -= 1
            if 3 <= place - start <= _LONGEST_ACCOUNT:
                found.append(low[start:place])
            place = low.find(ending, place + 1)
    return list(dict.fromkeys(found))


def _account_of_volume(snapshot: Snapshot, namespace: str, claim: str) -> str:
    """The storage account behind a claim, by the volume that is bound to it (kubernetes-sigs/blob-csi-driver)."""
    for volume in snapshot.custom.get("PersistentVolume", ()):
        spec = volume.get("spec")
        bound = text(spec, "claimRef", "namespace"), text(spec, "claimRef", "name")
        if bound == (namespace, claim) and text(spec, "csi", "driver") in _DRIVERS:
            told = text(spec, "csi", "volumeAttributes", "storageAccount")
            handle = text(spec, "csi", "volumeHandle").split("#")
            return (told or (handle[1] if len(handle) > 2 else "")).lower()
    return ""


def loads_from(snapshot: Snapshot, template: Template) -> Iterator[tuple[str, str]]:
    """Storage accounts that a template's pods load from, with the path that says so."""
    for path, container in containers(template):
        for member, words in (("command", container.command), ("args", container.args)):
            for index, word in enumerate(words or ()):
                for account in accounts_in(word):
                    yield account, f"{path}.{member}[{index}]"
        for index, variable in enumerate(container.env or ()):
            for account in accounts_in(variable.value or ""):
                yield account, f"{path}.env[{index}]"
    mounted = {mount.name for _, container in containers(template) for mount in container.volume_mounts or ()}
    for index, volume in enumerate(template.spec.volumes or ()):
        if volume.name not in mounted:
            continue
        if volume.csi is not None and volume.csi.driver in _DRIVERS:
            account = (volume.csi.volume_attributes or {}).get("storageAccount", "").lower()
            if account:
                yield account, f"volumes[{index}].csi"
        claim = volume.persistent_volume_claim
        if claim is not None and claim.claim_name:
            account = _account_of_volume(snapshot, template.namespace, claim.claim_name)
            if account:
                yield account, f"volumes[{index}].persistentVolumeClaim"


def accounts_used(snapshot: Snapshot, templates: Sequence[Template]) -> Mapping[str, None]:
    """All storage accounts that templates load from, in their order."""
    return dict.fromkeys(account for template in templates for account, _ in loads_from(snapshot, template))
