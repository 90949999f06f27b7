"""Which stories somebody asks for: of a pod, of an identity, of an artifact, of a time."""

from __future__ import annotations

from msgspec import Struct

from eightysix.context.packages import normalise_name
from eightysix.model.errors import UsageError
from eightysix.model.event import Artifact

__all__ = ["Selection", "selection"]


class Selection(Struct, frozen=True):
    """What is asked. Empty texts ask for nothing in particular; `since_ns` and `until_ns` bound what surrounds a story and
    which stories are told (any part of them lies between)."""

    namespace: str = ""
    pod: str = ""
    identity: str = ""
    artifact: str = ""
    version: str = ""
    since_ns: int = 0
    until_ns: int = (1 << 63) - 1

    @property
    def words(self) -> str:
        """The question in words."""
        parts = []
        if self.pod:
            parts.append(f"pod {self.namespace}/{self.pod}")
        if self.identity:
            parts.append(f"identity {self.identity}")
        if self.artifact:
            parts.append(f"artifact {self.artifact}{'==' + self.version if self.version else ''}")
        return ", ".join(parts) or "everything"

    @property
    def is_open(self) -> bool:
        """Whether nothing in particular is asked for, times aside."""
        return not (self.pod or self.identity or self.artifact)

    def names_pod(self, namespace: str, name: str, uid: str) -> bool:
        """Whether this pod is asked for, by name or uid."""
        if not self.pod:
            return True
        return self.pod in (name, uid) and (not self.namespace or namespace == self.namespace)

    def names_artifact(self, artifact: Artifact) -> bool:
        """Whether this artifact is asked for: a name, a name with a version, or a digest."""
        if not self.artifact:
            return True
        if self.artifact in (artifact.version, artifact.version.removeprefix("sha256:")):
            return True
        same = artifact.name == self.artifact or (
            artifact.kind == "pypi" and normalise_name(artifact.name) == normalise_name(self.artifact)
        )
        return same and (not self.version or artifact.version == self.version)

    def overlaps(self, first_ns: int, last_ns: int) -> bool:
        """Whether any part of a story lies in the time that is asked for."""
        return first_ns <= self.until_ns and last_ns >= self.since_ns


def selection(
    *, pod: str = "", identity: str = "", artifact: str = "", since_ns: int = 0, until_ns: int = 0
) -> Selection:
    """A question from the texts of options. Raises `UsageError` for what names nothing."""
    namespace, name = "", ""
    if pod:
        namespace, slash, name = pod.partition("/")
        if not slash:
            namespace, name = "", pod
        if not name or "/" in name:
            raise UsageError(
                f"--pod takes NAMESPACE/NAME or a uid, and {pod!r} is neither", "As in ml/inference-0."
            )
    version = ""
    if artifact and not artifact.startswith("sha256:"):
        artifact, _, version = artifact.partition("==")
        if not artifact:
            raise UsageError(
                "--artifact takes NAME, NAME==VERSION or a digest", "As in torch-perf-utils==1.4.3."
            )
    if until_ns and until_ns < since_ns:
        raise UsageError("--until is before --since", "Nothing happened in between: change one of them.")
    return Selection(
        namespace=namespace,
        pod=name,
        identity=identity.strip().lower() if identity.count("-") == 4 else identity.strip(),
        artifact=artifact,
        version=version,
        since_ns=since_ns,
        until_ns=until_ns or (1 << 63) - 1,
    )
