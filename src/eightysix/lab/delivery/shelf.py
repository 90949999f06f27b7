"""A registry in memory: what docker-registry does with manifests and blobs, without a process, and lies where it is told to.

It answers an httpx client through `httpx.MockTransport(shelf.answer)`. Pushes go in by the methods of `lab/registry.Pusher`, so
that a delivery can be played against either.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from eightysix.lab.registry import MANIFEST

if TYPE_CHECKING:
    import httpx

__all__ = ["Lie", "Place", "Shelf"]


class Place(Protocol):
    """Where a delivery is pushed to."""

    def blob(self, repository: str, body: bytes) -> str:
        """Put a blob; its digest."""

    def manifest(self, repository: str, tag: str, body: bytes, media_type: str = MANIFEST) -> str:
        """Put a manifest under a tag, or without one by its digest; its digest."""


class Lie(Struct, frozen=True):
    """What is answered instead of the truth."""

    body: bytes
    media_type: str = MANIFEST
    digest: str = ""
    status: int = 200


class Shelf:
    """Manifests by repository and tag or digest, blobs by repository and digest. `lies` are by method and path; like Debian's
    it knows no referrers' API."""

    def __init__(self) -> None:
        self.manifests: dict[tuple[str, str], tuple[bytes, str]] = {}
        self.blobs: dict[tuple[str, str], bytes] = {}
        self.lies: dict[tuple[str, str], Lie] = {}

    def copy(self) -> Shelf:
        """The same again, to be changed by itself."""
        other = Shelf()
        other.manifests, other.blobs, other.lies = dict(self.manifests), dict(self.blobs), dict(self.lies)
        return other

    def blob(self, repository: str, body: bytes) -> str:
        """Put a blob; its digest."""
        digest = f"sha256:{sha256(body).hexdigest()}"
        self.blobs[repository, digest] = body
        return digest

    def manifest(self, repository: str, tag: str, body: bytes, media_type: str = MANIFEST) -> str:
        """Put a manifest under a tag, or without one by its digest; its digest."""
        digest = f"sha256:{sha256(body).hexdigest()}"
        self.manifests[repository, digest] = (body, media_type)
        if tag:
            self.manifests[repository, tag] = (body, media_type)
        return digest

    def answer(self, request: httpx.Request) -> httpx.Response:
        """What the registry answers."""
        lie = self.lies.get((request.method, request.url.path))
        if lie is not None:
            return _reply(request, lie.status, lie.body, lie.media_type, lie.digest)
        _, _, rest = request.url.path.partition("/v2/")
        for kind in ("/manifests/", "/blobs/"):
            repository, found, last = rest.rpartition(kind)
            if not found:
                continue
            if kind == "/blobs/" and (repository, last) in self.blobs:
                return _reply(request, 200, self.blobs[repository, last], "application/octet-stream")
            if kind == "/manifests/" and (repository, last) in self.manifests:
                body, media_type = self.manifests[repository, last]
                return _reply(request, 200, body, media_type, f"sha256:{sha256(body).hexdigest()}")
        return _reply(request, 404, b"{}", "application/json")


def _reply(
    request: httpx.Request, status: int, body: bytes, media_type: str, digest: str = ""
) -> httpx.Response:
    import httpx

    headers = {"content-type": media_type, "content-length": str(len(body))}
    if digest:
        headers["docker-content-digest"] = digest
    return httpx.Response(status, headers=headers, content=b"" if request.method == "HEAD" else body)
