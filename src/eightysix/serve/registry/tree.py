"""A whole artifact: its manifest, or an index with all that is below it, without the layers' bytes."""

from __future__ import annotations

from msgspec import Struct, field

from eightysix.gate.manifests import Descriptor, Manifest, Unreadable, decode_manifest
from eightysix.model.errors import RegistryError
from eightysix.model.finding import FileVerdict
from eightysix.serve.registry.client import RegistryClient

__all__ = ["ArtifactTree", "Part", "read_tree"]

MAX_MANIFESTS = 1_000
"""Below one index: an image for every platform that there is has some 40, with attestations beside each."""


class Part(Struct, frozen=True):
    """One manifest of an artifact. `way` are the digests of the indexes above it."""

    digest: str
    manifest: Manifest
    platform: str = ""
    way: tuple[str, ...] = ()


class ArtifactTree(Struct):
    """`root` is what the reference named, `parts` everything below that has layers, the root itself if it has. `problems` say
    why it is `verdict`: not all of it could be read, so none of it is clean."""

    digest: str
    media_type: str
    root: Manifest | None = None
    parts: list[Part] = field(default_factory=list)
    verdict: FileVerdict | None = None
    problems: list[str] = field(default_factory=list)

    def layers(self) -> list[Descriptor]:
        """Every layer and configuration, each digest once."""
        found: dict[str, Descriptor] = {}
        for part in self.parts:
            for each in part.manifest.needs():
                found.setdefault(each.digest, each)
        return list(found.values())

    def fail(self, verdict: FileVerdict, why: str) -> None:
        """Not all of it could be read."""
        # Malformed says more than unscannable, and is kept.
        if self.verdict is not FileVerdict.MALFORMED:
            self.verdict = verdict
        self.problems.append(why)


def read_tree(client: RegistryClient, repository: str, reference: str) -> ArtifactTree:
    """The artifact behind a tag or digest, all platforms of it: which one runs is the node's choice. Raises `RegistryError`
    where the reference is absent, where a manifest of the registry's does not have its digest, or where it cannot be asked."""
    told = client.manifest(repository, reference)
    if told is None:
        raise RegistryError(
            f"{client.registry}/{repository} has no {reference}", "look at the reference", kind="absent"
        )
    artifact = ArtifactTree(told.digest, told.media_type)
    decoded = decode_manifest(told.data, told.media_type, client.bounds.limits)
    if isinstance(decoded, Unreadable):
        artifact.fail(decoded.verdict, decoded.reasons[0])
        return artifact
    artifact.root = decoded
    _below(client, repository, artifact, Part(told.digest, decoded), {told.digest})
    return artifact


def _below(
    client: RegistryClient, repository: str, artifact: ArtifactTree, part: Part, seen: set[str]
) -> None:
    limits = client.bounds.limits
    waiting = [part]
    while waiting:
        at = waiting.pop(0)
        if not at.manifest.index:
            artifact.parts.append(at)
            continue
        way = (*at.way, at.digest)
        if len(way) > limits.depth:
            artifact.fail(FileVerdict.UNSCANNABLE, f"more than {limits.depth} indexes are within each other")
            continue
        for each in at.manifest.manifests:
            if each.digest in seen:
                continue
            if len(seen) > MAX_MANIFESTS:
                artifact.fail(FileVerdict.UNSCANNABLE, f"it has more than {MAX_MANIFESTS:,} manifests")
                return
            seen.add(each.digest)
            manifest = _one(client, repository, artifact, each)
            if manifest is not None:
                waiting.append(Part(each.digest, manifest, each.platform or at.platform, way))


def _one(
    client: RegistryClient, repository: str, artifact: ArtifactTree, descriptor: Descriptor
) -> Manifest | None:
    told = client.manifest(repository, descriptor.digest)
    if told is None:
        artifact.fail(
            FileVerdict.UNSCANNABLE, f"{descriptor.digest} is in its index, and not in the registry"
        )
        return None
    if len(told.data) != descriptor.size:
        artifact.fail(FileVerdict.MALFORMED, f"{descriptor.digest} has another size than its index says")
        return None
    # The index's own word is one of those that must agree.
    decoded = decode_manifest(told.data, told.media_type, client.bounds.limits)
    if isinstance(decoded, Unreadable):
        artifact.fail(decoded.verdict, f"{descriptor.digest}: {decoded.reasons[0]}")
        return None
    if decoded.media_type != descriptor.media_type:
        artifact.fail(
            FileVerdict.MALFORMED,
            f"{descriptor.digest} is {decoded.media_type}, its index calls it {descriptor.media_type[:80]!a}",
        )
        return None
    return decoded
