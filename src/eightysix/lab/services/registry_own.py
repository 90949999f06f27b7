"""A small registry for machines without docker-registry: what pushing and pulling an artifact needs, in memory.

Source: the OCI distribution specification 1.1 (pull, push monolithic and in chunks, mount, tags, deletion, catalog of
Docker's). Not there: the referrers index, resuming an upload after a restart.
"""

from __future__ import annotations

import threading
from hashlib import sha256
from uuid import uuid4

import msgspec

from eightysix.lab.services.http import Answer, Request, json_answer
from eightysix.lab.services.registry import Target, target_of

__all__ = ["OwnRegistry"]

_MOST_BYTES = 512 << 20
_MOST_THINGS = 10_000
_MOST_MANIFEST = 4 << 20
_MOST_UPLOADS = 64
_API = ("docker-distribution-api-version", "registry/2.0")
_TAG = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
_DIGEST = "docker-content-digest"


class OwnRegistry:
    """A backend."""

    version = "the lab's own"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blobs: dict[tuple[str, str], bytes] = {}
        self._manifests: dict[tuple[str, str], tuple[bytes, str]] = {}
        self._tags: dict[tuple[str, str], str] = {}
        self._uploads: dict[str, tuple[str, bytes]] = {}
        self._used = 0

    def stop(self) -> None:
        """Nothing is to be ended."""

    def __call__(self, request: Request) -> Answer:
        """Answer a request whose path is one of the distribution API."""
        target = target_of(request.path)
        if target is None:
            return _error(404, "NAME_UNKNOWN")
        with self._lock:
            if target.kind == "base":
                return json_answer(200, {}, (_API,))
            if target.kind == "catalog":
                names = {name for name, _ in (*self._manifests, *self._tags)}
                return json_answer(200, {"repositories": sorted(names)}, (_API,))
            if target.kind == "tags":
                return self._list(target.repository)
            if target.kind == "manifests":
                return self._manifest(request, target)
            if target.kind == "blobs" and target.reference.startswith("uploads"):
                return self._upload(request, target)
            return self._blob(request, target) if target.kind == "blobs" else _error(404, "UNSUPPORTED")

    def _list(self, name: str) -> Answer:
        tags = sorted(tag for repository, tag in self._tags if repository == name)
        if not tags and not any(repository == name for repository, _ in self._manifests):
            return _error(404, "NAME_UNKNOWN")
        return json_answer(200, {"name": name, "tags": tags}, (_API,))

    def _manifest(self, request: Request, target: Target) -> Answer:
        name, reference = target.repository, target.reference
        if request.method == "PUT":
            return self._put_manifest(request, name, reference)
        digest = reference if ":" in reference else self._tags.get((name, reference), "")
        held = self._manifests.get((name, digest))
        if held is None:
            return _error(404, "MANIFEST_UNKNOWN")
        if request.method == "DELETE":
            if ":" not in reference:
                del self._tags[name, reference]
            else:
                del self._manifests[name, digest]
                self._tags = {
                    key: held for key, held in self._tags.items() if (key[0], held) != (name, digest)
                }
            return Answer(202, headers=(_API,))
        body, media = held
        headers = (_API, (_DIGEST, digest), ("etag", f'"{digest}"'))
        return _sent(request, body, media, headers)

    def _put_manifest(self, request: Request, name: str, reference: str) -> Answer:
        body = request.body
        if len(body) > _MOST_MANIFEST:
            return _error(413, "MANIFEST_INVALID")
        try:
            manifest = msgspec.json.decode(body, type=_Manifest)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return _error(400, "MANIFEST_INVALID")
        digest = f"sha256:{sha256(body).hexdigest()}"
        if ":" in reference and reference != digest:
            return _error(400, "DIGEST_INVALID")
        if ":" not in reference and not (0 < len(reference) <= 128 and _TAG.issuperset(reference)):
            return _error(400, "TAG_INVALID")
        wanted = [each.digest for each in (manifest.config, *manifest.layers) if each is not None]
        if any((name, each) not in self._blobs for each in wanted) or any(
            (name, each.digest) not in self._manifests for each in manifest.manifests
        ):
            return _error(404, "MANIFEST_BLOB_UNKNOWN")
        if not self._room(len(body)):
            return _error(413, "TOOMANYREQUESTS")
        media = request.header("content-type")
        self._manifests[name, digest] = (
            body,
            media if media.isascii() and media.isprintable() else "application/json",
        )
        if ":" not in reference:
            self._tags[name, reference] = digest
        where = ("location", f"/v2/{name}/manifests/{digest}")
        return Answer(201, headers=(_API, (_DIGEST, digest), where))

    def _upload(self, request: Request, target: Target) -> Answer:
        name, fields = target.repository, request.fields()
        _, _, session = target.reference.partition("/")
        if request.method == "POST" and not session:
            mounted = self._blobs.get((fields.get("from", ""), fields.get("mount", "")))
            if mounted is not None:
                return self._keep(name, mounted, fields["mount"])
            if "digest" in fields:
                return self._keep(name, request.body, fields["digest"])
            if len(self._uploads) >= _MOST_UPLOADS:
                self._uploads.pop(next(iter(self._uploads)))
            session = uuid4().hex
            self._uploads[session] = (name, b"")
            return _progress(name, session, 0, 202)
        held = self._uploads.get(session)
        if held is None or held[0] != name:
            return _error(404, "BLOB_UPLOAD_UNKNOWN")
        if request.method == "GET":
            return _progress(name, session, len(held[1]), 204)
        if request.method == "DELETE":
            del self._uploads[session]
            return Answer(204, headers=(_API,))
        whole = held[1] + request.body
        waiting = sum(len(body) for _, body in self._uploads.values())
        if self._used + waiting + len(request.body) > _MOST_BYTES:
            del self._uploads[session]
            return _error(413, "SIZE_INVALID")
        if request.method == "PATCH":
            self._uploads[session] = (name, whole)
            return _progress(name, session, len(whole), 202)
        if request.method != "PUT":
            return _error(405, "UNSUPPORTED")
        del self._uploads[session]
        return self._keep(name, whole, fields.get("digest", ""))

    def _keep(self, name: str, body: bytes, digest: str) -> Answer:
        if digest != f"sha256:{sha256(body).hexdigest()}":
            return _error(400, "DIGEST_INVALID")
        if not self._room(len(body)):
            return _error(413, "SIZE_INVALID")
        self._blobs[name, digest] = body
        return Answer(201, headers=(_API, (_DIGEST, digest), ("location", f"/v2/{name}/blobs/{digest}")))

    def _blob(self, request: Request, target: Target) -> Answer:
        key = (target.repository, target.reference)
        body = self._blobs.get(key)
        if body is None:
            return _error(404, "BLOB_UNKNOWN")
        if request.method == "DELETE":
            self._used -= len(self._blobs.pop(key))
            return Answer(202, headers=(_API,))
        return _sent(request, body, "application/octet-stream", (_API, (_DIGEST, target.reference)))

    def _room(self, size: int) -> bool:
        if self._used + size > _MOST_BYTES or len(self._blobs) + len(self._manifests) >= _MOST_THINGS:
            return False
        self._used += size
        return True


class _Descriptor(msgspec.Struct):
    digest: str


class _Manifest(msgspec.Struct):
    """An image's manifest, or an index of them."""

    config: _Descriptor | None = None
    layers: list[_Descriptor] = []
    manifests: list[_Descriptor] = []


def _sent(request: Request, body: bytes, media: str, headers: tuple[tuple[str, str], ...]) -> Answer:
    if request.method == "HEAD":
        return Answer(200, content_type=media, headers=headers, length=len(body))
    return Answer(200, body, media, headers) if request.method == "GET" else _error(405, "UNSUPPORTED")


def _progress(name: str, session: str, size: int, status: int) -> Answer:
    where = ("location", f"/v2/{name}/blobs/uploads/{session}")
    return Answer(
        status, headers=(_API, where, ("range", f"0-{max(0, size - 1)}"), ("docker-upload-uuid", session))
    )


def _error(status: int, code: str) -> Answer:
    return json_answer(
        status, {"errors": [{"code": code, "message": code.lower().replace("_", " ")}]}, (_API,)
    )
