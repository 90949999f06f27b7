"""What is attached to an artifact, fetched: referrers, their fallback tag, and cosign's own tags.

What could not be fetched is material all the same, broken or missing: while there is any, nobody may say that an artifact is
unsigned.
"""

from __future__ import annotations

from collections.abc import Iterator

from eightysix.gate.attest import Material, MaterialKind, materials_of
from eightysix.gate.digests import signature_tags
from eightysix.gate.manifests import Descriptor, Unreadable, decode_manifest
from eightysix.model.errors import RegistryError
from eightysix.serve.registry.client import RegistryClient, Told

__all__ = ["MAX_BYTES", "MAX_TOTAL", "fetch_material"]

MAX_BYTES = 16 << 20
"""Of one attachment: a signature has 10 kB, the largest bills of materials some MB."""

MAX_TOTAL = 128 << 20
"""Of all attachments of a digest."""

_ITS_OWN = frozenset({"lying", "too-large", "absent", "broken"})
"""Failures that are about one attachment. Any other is about the registry, and ends the question."""


def fetch_material(client: RegistryClient, repository: str, digest: str) -> tuple[Material, ...]:
    """Everything attached to `digest` that is or may be a signature. Raises `RegistryError` where the registry cannot be
    asked."""
    found: list[Material] = []
    room = [MAX_TOTAL]
    listed = client.referrers(repository, digest)
    found += [_broken(f"referrers of {digest}", problem) for problem in listed.problems]
    for descriptor in listed.found:
        try:
            told = client.manifest(repository, descriptor.digest)
        except RegistryError as error:
            if error.kind not in _ITS_OWN:
                raise
            found.append(_broken(descriptor.digest, error.what))
            continue
        if told is None:
            found.append(_broken(descriptor.digest, "it is said to be attached, and is not there"))
            continue
        found += _read(client, repository, told, digest, told.digest, room)
    for tag in signature_tags(digest):
        if tag.endswith(".sbom"):
            continue  # a list of parts, which signs nothing
        try:
            told = client.manifest(repository, tag)
        except RegistryError as error:
            if error.kind not in _ITS_OWN:
                raise
            found.append(_broken(tag, error.what))
            continue
        if told is not None:
            found += _read(client, repository, told, digest, tag, room)
    return tuple(found)


def _read(
    client: RegistryClient, repository: str, told: Told, digest: str, source: str, room: list[int]
) -> tuple[Material, ...]:
    blobs: dict[str, bytes] = {}
    troubles: list[Material] = []
    for layer in _layers(client, told):
        if layer.digest in blobs:
            continue
        try:
            blobs[layer.digest] = client.blob_bytes(repository, layer, min(MAX_BYTES, room[0]))
        except RegistryError as error:
            if error.kind not in _ITS_OWN:
                raise
            if error.kind == "lying":
                troubles.append(_broken(source, error.what))
            continue
        room[0] -= len(blobs[layer.digest])
    return (*materials_of(told.data, blobs, source=source, subject=digest), *troubles)


def _layers(client: RegistryClient, told: Told) -> Iterator[Descriptor]:
    """The layers of a manifest; none of one that cannot be read, which `materials_of` tells."""
    manifest = decode_manifest(told.data, told.media_type, client.bounds.limits)
    if not isinstance(manifest, Unreadable):
        yield from manifest.layers


def _broken(source: str, why: str) -> Material:
    return Material(kind=MaterialKind.UNKNOWN, source=source, broken=why)
