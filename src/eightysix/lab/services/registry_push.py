"""A push as a client does it: login by an Entra token, blobs, manifest; over HTTP, through the registry's own door."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping
from hashlib import sha256
from urllib.parse import urlencode, urlsplit

import msgspec
from msgspec import Struct

from eightysix.lab.services.registry import CALLER

__all__ = ["ARTIFACT", "LAYER", "Pushing", "push"]

ARTIFACT = "application/vnd.eightysix.lab.artifact.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_TIMEOUT_S = 30.0


class Pushing(Struct, frozen=True):
    """Where and as whom. `entra` is an Entra token; `caller` is what the telemetry calls the runner's address."""

    ip: str
    port: int
    host: str
    entra: str
    caller: str
    secret: str
    agent: str
    tls: ssl.SSLContext | None = None


class _Door:
    """The registry, from outside."""

    def __init__(self, at: Pushing) -> None:
        self._at = at
        self._token = ""

    def ask(
        self, method: str, path: str, body: bytes = b"", kind: str = "application/octet-stream"
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Status, headers and body of the answer."""
        at = self._at
        connection = http.client.HTTPConnection(at.ip, at.port, timeout=_TIMEOUT_S)
        try:
            connection.connect()
            if at.tls is not None:
                connection.sock = at.tls.wrap_socket(
                    connection.sock, server_hostname=at.host.partition(":")[0]
                )
            headers = {
                "host": at.host,
                "user-agent": at.agent,
                "content-type": kind,
                CALLER: f"{at.secret} {at.caller}",
            }
            if self._token:
                headers["authorization"] = f"Bearer {self._token}"
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, response.headers, response.read(1 << 20)
        finally:
            connection.close()

    def login(self, repository: str) -> None:
        """Entra token, then the registry's refresh token, then an access token for one repository."""
        form = {"grant_type": "access_token", "service": self._at.host, "access_token": self._at.entra}
        refresh = self._form("/oauth2/exchange", form)["refresh_token"]
        scope = f"repository:{repository}:pull,push"
        form = {
            "grant_type": "refresh_token",
            "service": self._at.host,
            "scope": scope,
            "refresh_token": refresh,
        }
        self._token = self._form("/oauth2/token", form)["access_token"]

    def _form(self, path: str, form: Mapping[str, str]) -> Mapping[str, str]:
        body = urlencode(form).encode()
        status, _, answer = self.ask("POST", path, body, "application/x-www-form-urlencoded")
        if status != 200:
            raise OSError(f"the registry answered {path} with {status}")
        return msgspec.json.decode(answer, type=dict[str, str])

    def blob(self, repository: str, body: bytes) -> str:
        """Put a blob; returns its digest."""
        digest = f"sha256:{sha256(body).hexdigest()}"
        status, _, _ = self.ask("HEAD", f"/v2/{repository}/blobs/{digest}")
        if status == 200:
            return digest
        status, headers, _ = self.ask("POST", f"/v2/{repository}/blobs/uploads/")
        if status != 202:
            raise OSError(f"the registry took no upload: {status}")
        where = urlsplit(headers["location"])
        path = f"{where.path}?{where.query + '&' if where.query else ''}{urlencode({'digest': digest})}"
        status, _, _ = self.ask("PUT", path, body)
        if status != 201:
            raise OSError(f"the registry took no blob: {status}")
        return digest


def push(at: Pushing, repository: str, tag: str, content: bytes) -> str:
    """Push an artifact of one layer, and return the digest of its manifest."""
    door = _Door(at)
    door.login(repository)
    config = b"{}"
    described = [
        {"mediaType": kind, "digest": door.blob(repository, body), "size": len(body)}
        for kind, body in (("application/vnd.oci.empty.v1+json", config), (LAYER, content))
    ]
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "artifactType": ARTIFACT,
        "config": described[0],
        "layers": described[1:],
    }
    body = msgspec.json.encode(manifest)
    status, headers, _ = door.ask("PUT", f"/v2/{repository}/manifests/{tag}", body, _MANIFEST)
    digest = f"sha256:{sha256(body).hexdigest()}"
    if status != 201 or headers.get("docker-content-digest", digest) != digest:
        raise OSError(f"the registry took no manifest: {status}")
    return digest
