"""Blob storage of one account: list, get, put and delete with a bearer token.

Source: learn.microsoft.com/rest/api/storageservices (List Containers, List Blobs, Get Blob, Put Blob, Delete Blob, error codes).
Blobs live in memory. Account keys open nothing: shared key signatures are refused.
"""

from __future__ import annotations

import base64
import threading
from datetime import UTC, datetime
from email.utils import format_datetime
from hashlib import md5
from urllib.parse import unquote
from uuid import uuid4
from xml.sax.saxutils import escape

from msgspec import Struct

from eightysix.lab.services.directory import Directory, Presented
from eightysix.lab.services.http import Answer, Request
from eightysix.lab.services.roster import Roster
from eightysix.lab.world import STORAGE_HOST, TENANT

__all__ = ["MOST_BLOB_BYTES", "Storage"]

MOST_BLOB_BYTES = 64 << 20
_MOST_BYTES = 512 << 20
_MOST_BLOBS = 10_000
_AUDIENCES = ("https://storage.azure.com", f"https://{STORAGE_HOST}")
_DATA_ROLES = frozenset({"Storage Blob Data Contributor"})
_VERSION = "2025-11-05"


class _Blob(Struct, frozen=True):
    body: bytes
    kind: str
    etag: str
    changed: str


class Storage:
    """Answers for the account's blob endpoint."""

    def __init__(self, directory: Directory, roster: Roster) -> None:
        self._directory = directory
        self._roster = roster
        self._lock = threading.Lock()
        self._blobs: dict[tuple[str, str], _Blob] = {}
        self._containers = {"models"}

    def put(self, container: str, name: str, body: bytes, kind: str = "application/octet-stream") -> str:
        """Put a blob; returns its ETag. ValueError where a bound is hit."""
        now = datetime.fromtimestamp(self._directory.clock.now(), UTC)
        etag = f'"0x{uuid4().hex[:15].upper()}"'
        with self._lock:
            used = sum(len(each.body) for each in self._blobs.values())
            if (
                len(body) > MOST_BLOB_BYTES
                or used + len(body) > _MOST_BYTES
                or len(self._blobs) >= _MOST_BLOBS
            ):
                raise ValueError("the account is full")
            self._containers.add(container)
            self._blobs[container, name] = _Blob(body, kind, etag, format_datetime(now, usegmt=True))
        return etag

    def __call__(self, request: Request) -> Answer:
        """Answer a request."""
        who = self._directory.presented(request.bearer(), *_AUDIENCES) if request.bearer() else None
        container, _, name = unquote(request.path).strip("/").partition("/")
        if who is None:
            answer = self._unauthenticated(request)
        elif not who.principal.roles & _DATA_ROLES:
            why = "This request is not authorized to perform this operation using this permission."
            answer = _error(403, "AuthorizationPermissionMismatch", why)
        else:
            answer = self._act(request, container, name)
        self._mark(request, _operation(request, container, name), f"{container}/{name}", answer, who)
        return answer

    def _act(self, request: Request, container: str, name: str) -> Answer:
        fields = request.fields()
        if not container:
            return (
                self._list_containers()
                if fields.get("comp") == "list"
                else _error(400, "InvalidUri", "Bad URI.")
            )
        if container not in self._containers:
            return _error(404, "ContainerNotFound", "The specified container does not exist.")
        if not name:
            if fields.get("comp") == "list" and request.method == "GET":
                return self._list_blobs(container, fields.get("prefix", ""))
            return Answer(200, headers=_common()) if request.method in ("GET", "HEAD") else _unsupported()
        if request.method == "PUT" and "comp" not in fields:
            return self._put(request, container, name)
        with self._lock:
            blob = self._blobs.get((container, name))
            if blob is not None and request.method == "DELETE":
                del self._blobs[container, name]
        if blob is None:
            return _error(404, "BlobNotFound", "The specified blob does not exist.")
        if request.method == "DELETE":
            return Answer(202, headers=_common())
        return _sent(blob, request) if request.method in ("GET", "HEAD") else _unsupported()

    def _put(self, request: Request, container: str, name: str) -> Answer:
        if request.header("x-ms-blob-type") != "BlockBlob":
            why = "An HTTP header that's mandatory for this request is not specified."
            return _error(400, "MissingRequiredHeader", why)
        kind = request.header("x-ms-blob-content-type") or request.header("content-type")
        try:
            etag = self.put(container, name, request.body, _plain(kind) or "application/octet-stream")
        except ValueError:
            return _error(413, "RequestBodyTooLarge", "The request body is too large.")
        digest = base64.b64encode(md5(request.body, usedforsecurity=False).digest()).decode()
        headers = (
            *_common(),
            ("etag", etag),
            ("content-md5", digest),
            ("x-ms-request-server-encrypted", "true"),
        )
        return Answer(201, headers=headers)

    def _list_containers(self) -> Answer:
        with self._lock:
            names = sorted(self._containers)
        text = "".join(f"<Container><Name>{escape(name)}</Name><Properties /></Container>" for name in names)
        return _xml(
            f'<EnumerationResults ServiceEndpoint="https://{STORAGE_HOST}/"><Containers>{text}</Containers>'
            "<NextMarker /></EnumerationResults>"
        )

    def _list_blobs(self, container: str, prefix: str) -> Answer:
        with self._lock:
            found = sorted(
                (name, blob) for (holder, name), blob in self._blobs.items() if holder == container
            )
        text = "".join(
            f"<Blob><Name>{escape(_clean(name))}</Name><Properties><Last-Modified>{blob.changed}</Last-Modified>"
            f"<Etag>{blob.etag.strip(chr(34))}</Etag><Content-Length>{len(blob.body)}</Content-Length>"
            f"<Content-Type>{escape(blob.kind)}</Content-Type><BlobType>BlockBlob</BlobType></Properties></Blob>"
            for name, blob in found
            if name.startswith(prefix)
        )
        return _xml(
            f'<EnumerationResults ServiceEndpoint="https://{STORAGE_HOST}/" ContainerName="{escape(container)}">'
            f"<Blobs>{text}</Blobs><NextMarker /></EnumerationResults>"
        )

    def _unauthenticated(self, request: Request) -> Answer:
        if request.header("authorization"):
            why = "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly."
            return _error(
                401 if request.bearer() else 403,
                _FAILED if not request.bearer() else "InvalidAuthenticationInfo",
                why,
            )
        challenge = (
            f"Bearer authorization_uri=https://login.microsoftonline.com/{TENANT}/oauth2/authorize "
            "resource_id=https://storage.azure.com"
        )
        why = "Server failed to authenticate the request. Please refer to the information in the www-authenticate header."
        return _error(401, "NoAuthenticationInformation", why, (("www-authenticate", challenge),))

    def _mark(
        self, request: Request, operation: str, name: str, answer: Answer, who: Presented | None
    ) -> None:
        self._directory.record.mark(
            "storage",
            operation=operation,
            object=name[:512],
            status=answer.status,
            size=len(request.body) if operation == "PutBlob" else len(answer.body),
            uti=who.uti if who else "",
            peer=request.peer,
            port=request.port,
            pod=self._roster.name_at(request.peer),
        )


_FAILED = "AuthenticationFailed"


def _operation(request: Request, container: str, name: str) -> str:
    """What storage's own logs call it."""
    if not container:
        return "ListContainers"
    if not name:
        return "ListBlobs" if request.fields().get("comp") == "list" else "GetContainerProperties"
    named = {"GET": "GetBlob", "HEAD": "GetBlobProperties", "PUT": "PutBlob", "DELETE": "DeleteBlob"}
    return named.get(request.method, "Unknown")


def _sent(blob: _Blob, request: Request) -> Answer:
    headers = [
        *_common(),
        ("etag", blob.etag),
        ("last-modified", blob.changed),
        ("x-ms-blob-type", "BlockBlob"),
        ("accept-ranges", "bytes"),
    ]
    size = len(blob.body)
    if request.method == "HEAD":
        return Answer(200, content_type=blob.kind, headers=tuple(headers), length=size)
    first, last = _range(request.header("x-ms-range") or request.header("range"), size)
    if first is None:
        return Answer(200, blob.body, blob.kind, headers=tuple(headers))
    if first >= size:
        return _error(
            416, "InvalidRange", "The range specified is invalid for the current size of the resource."
        )
    last = min(last, size - 1)
    headers.append(("content-range", f"bytes {first}-{last}/{size}"))
    return Answer(206, blob.body[first : last + 1], blob.kind, headers=tuple(headers))


def _range(text: str, size: int) -> tuple[int | None, int]:
    unit, _, span = text.partition("=")
    first, _, last = span.partition("-")
    if unit.strip() != "bytes" or not _number(first) or not (_number(last) or not last):
        return None, 0
    return int(first), int(last) if last else size


def _number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 16


def _common() -> tuple[tuple[str, str], ...]:
    return (
        ("x-ms-request-id", str(uuid4())),
        ("x-ms-version", _VERSION),
        ("server", "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0"),
    )


def _unsupported() -> Answer:
    return _error(405, "UnsupportedHttpVerb", "The resource doesn't support specified Http Verb.")


def _error(status: int, code: str, why: str, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    text = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{why}</Message></Error>'
    more = (*_common(), ("x-ms-error-code", code), *headers)
    return Answer(status, text.encode(), "application/xml", headers=more)


def _xml(text: str) -> Answer:
    whole = f'<?xml version="1.0" encoding="utf-8"?>{text}'
    return Answer(200, whole.encode("utf-8", "replace"), "application/xml", headers=_common())


def _plain(text: str) -> str:
    """A content type that may be sent again: visible ASCII alone."""
    return text if text.isascii() and text.isprintable() and len(text) <= 128 else ""


def _clean(name: str) -> str:
    """A name without what XML 1.0 cannot hold."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)
