"""Which stories somebody asks for: of a pod, of an identity, of an artifact, of a time."""

from __future__ import annotations

from urllib.parse import unquote

from msgspec import Struct

from eightysix.context.packages import normalise_name, same_release
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
            parts.append(f"pod {self.namespace}/{self.pod}" if self.namespace else f"pod {self.pod}")
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
        if self.artifact.removeprefix("sha256:") == artifact.version.removeprefix("sha256:"):
            return True
        same = artifact.name == self.artifact or (
            artifact.kind == "pypi" and normalise_name(artifact.name) == normalise_name(self.artifact)
        )
        return same and (not self.version or same_release(artifact.version) == same_release(self.version))

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
        namespace, name = namespace.strip(), name.strip()
        if not name or "/" in name or (slash and not namespace):
            raise UsageError(
                f"--pod takes NAMESPACE/NAME or a uid, and {pod!r} is neither", "As in ml/inference-0."
            )
    version = ""
    if artifact:
        artifact, version = _artifact(artifact.strip())
    if until_ns and until_ns < since_ns:
        raise UsageError("--until is before --since", "Nothing happened in between: change one of them.")
    return Selection(
        namespace=namespace,
        pod=name,
        identity=_identity(identity.strip()),
        artifact=artifact,
        version=version,
        since_ns=since_ns,
        until_ns=until_ns or (1 << 63) - 1,
    )


_ACCOUNT = "system:serviceaccount:"
_PURL = "pkg:"
_DIGEST = "sha256:"


def _identity(text: str) -> str:
    """An id in small letters and without braces; a service account as `namespace/name`, however it is written."""
    if text.startswith(_ACCOUNT):
        return text.removeprefix(_ACCOUNT).replace(":", "/", 1)
    if text.count("-") == 4 or text.lower().startswith("/subscriptions/"):
        return text.removeprefix("{").removesuffix("}").lower()
    return text


def _artifact(text: str) -> tuple[str, str]:
    """Name and version of `NAME`, `NAME==VERSION`, `NAME@VERSION`, a digest, an image with its digest, or a package URL
    (github.com/package-url/purl-spec). Raises `UsageError` for what has no name."""
    if text.startswith(_PURL):
        text = text.partition("#")[0].partition("?")[0].removeprefix(_PURL).partition("/")[2]
        text = unquote(text).strip("/")
    name, digest, version = text.partition(_DIGEST)
    if digest and version:
        return _DIGEST + version, ""
    name, _, version = text.partition("==")
    if not version and "@" in name[1:]:
        name, _, version = name.rpartition("@")
    if not name.strip("=@"):
        raise UsageError(
            "--artifact takes NAME, NAME==VERSION, a digest or a package URL",
            "As in torch-perf-utils==1.4.3 or pkg:pypi/torch-perf-utils@1.4.3.",
        )
    return name, version
