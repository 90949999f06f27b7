"""One pod template as the readers of `posture.domains` see it: its object, its paths, its account, what it mounts."""

from __future__ import annotations

from collections.abc import Iterator

from eightysix.model.posture import Confidence, Credential
from eightysix.model.words import Domain
from eightysix.posture.lookup import Lookup
from eightysix.posture.objects import Container, ServiceAccount, Volume
from eightysix.posture.snapshot import Template
from eightysix.posture.vertices import pod_id

__all__ = ["Holder", "member_path", "object_name", "spec_path"]

_SHOWN = 253
"""Characters of a name that are told: the longest that Kubernetes takes."""


def object_name(template: Template) -> str:
    """The object that a template is written in, as evidence names objects."""
    return f"{template.kind or 'Pod'}/{template.namespace}/{template.owner or template.name}"


def spec_path(template: Template) -> str:
    """Where in that object the pod's `spec` is."""
    if template.at:
        return template.at
    if template.kind in ("", "Pod"):
        return "spec"
    if template.kind == "CronJob":
        return "spec.jobTemplate.spec.template.spec"
    return "spec.template.spec"


def member_path(template: Template, member: str, index: int) -> str:
    """Where a container stands in the pod's `spec`: custom resources call the list of them by other names."""
    named = member == "containers" and index < len(template.paths)
    return template.paths[index] if named else f"{member}[{index}]"


class Holder:
    """A template with all that is asked of it."""

    def __init__(self, template: Template, known: Lookup) -> None:
        self.template = template
        self.spec = template.spec
        self.known = known
        self.namespace = template.namespace
        self.object = object_name(template)
        self.at = spec_path(template)
        self.vertex = pod_id(template.namespace, template.kind, template.name)
        self.account = self.spec.service_account_name or self.spec.service_account or "default"
        self.labels = template.meta.labels or {}
        self.annotations = template.meta.annotations or {}
        self._mounts: dict[str, list[str]] | None = None

    @property
    def service_account(self) -> ServiceAccount | None:
        """The account, where the snapshot has it."""
        return self.known.account(self.namespace, self.account)

    @property
    def account_object(self) -> str:
        """The account, as evidence names objects."""
        return f"ServiceAccount/{self.namespace}/{self.account}"

    def containers(self) -> Iterator[tuple[str, Container]]:
        """All containers with their paths: an init container's image can take what it is given as well."""
        for member, found in (
            ("containers", self.spec.containers),
            ("initContainers", self.spec.init_containers or ()),
            ("ephemeralContainers", self.spec.ephemeral_containers or ()),
        ):
            for index, container in enumerate(found):
                yield f"{self.at}.{member_path(self.template, member, index)}", container

    def volumes(self) -> Iterator[tuple[str, Volume, list[str]]]:
        """Volumes that a container mounts, with their paths and the sub-paths of the mounts (empty: the whole volume). What
        nobody mounts is in no container."""
        if self._mounts is None:
            self._mounts = {}
            for _, container in self.containers():
                for mount in container.volume_mounts or ():
                    self._mounts.setdefault(mount.name, []).append(mount.sub_path)
        for index, volume in enumerate(self.spec.volumes or ()):
            mounted = self._mounts.get(volume.name)
            if mounted is not None:
                yield f"{self.at}.volumes[{index}]", volume, list(dict.fromkeys(mounted))

    def secret_type(self, name: str) -> str | None:
        """The type of a Secret of this namespace, None where the snapshot has none of this name."""
        found = self.known.snapshot.secrets.get(f"{self.namespace}/{name}")
        return found.type if found is not None else None

    def credential(
        self,
        domain: Domain,
        name: str,
        signal: str,
        path: str,
        confidence: Confidence,
        target: str = "",
        where: str = "",
    ) -> Credential:
        """A credential of this pod. `where` is the object that tells, the pod's own where empty."""
        return Credential(
            domain=domain.value,
            name=name[:_SHOWN],
            signal=signal,
            object=where or self.object,
            path=path,
            confidence=confidence,
            target=target,
        )
