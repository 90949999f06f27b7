"""A registry on this machine for what the gate is tried against: Debian's docker-registry on loopback, and pushes to it.

The registry of the lab's services lies behind a door with tokens and rows; this one is as its users have it: HTTP, a port of
its own, webhooks where they are asked for. It cannot outlive its maker.
"""

from __future__ import annotations

import http.client
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import msgspec
from msgspec import Struct

from eightysix.lab.services.registry_debian import die_with_parent, find
from eightysix.model.errors import LabError

__all__ = ["EMPTY", "INDEX", "LAYER", "MANIFEST", "TITLE", "LocalRegistry", "Pushed", "Pusher", "find"]

EMPTY = "application/vnd.oci.empty.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
TITLE = "org.opencontainers.image.title"

_READY_S = 15.0
_TIMEOUT_S = 30.0
_LISTENING = b"listening on 127.0.0.1:"


class LocalRegistry:
    """docker-registry on a free port of 127.0.0.1. `host` is what references begin with. Start it from the main thread.

    `notify` are webhooks: URL and headers of each. `htpasswd` is a file of names with bcrypt. `port` is kept over a restart.
    """

    def __init__(
        self,
        folder: Path,
        *,
        notify: Mapping[str, Mapping[str, str]] | None = None,
        htpasswd: Path | None = None,
        port: int = 0,
    ) -> None:
        binary = find("docker-registry")
        if binary is None:
            raise LabError("there is no docker-registry", "install Debian's package of this name")
        self._binary = binary
        self._folder = folder
        self._config = _config(folder, notify or {}, htpasswd)
        self._child: subprocess.Popen[bytes] | None = None
        self.port = port
        self.start()

    @property
    def host(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Serve, at the port of before where there was one."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        config = {**self._config, "http": {**self._http(), "addr": f"127.0.0.1:{self.port}"}}
        (self._folder / "config.yml").write_bytes(msgspec.json.encode(config))  # JSON is YAML
        log = self._folder / "log"
        with log.open("wb") as out:
            self._child = subprocess.Popen(
                [self._binary, "serve", "config.yml"],
                cwd=self._folder,
                env={"PATH": os.defpath, "OTEL_TRACES_EXPORTER": "none"},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - nothing of ours runs in between
            )
        deadline = time.monotonic() + _READY_S
        while time.monotonic() < deadline and self._child.poll() is None:
            said = log.read_bytes()
            at = said.find(_LISTENING)
            if at >= 0:
                digits = said[at + len(_LISTENING) :].split(b'"')[0]
                self.port = int(digits)
                return
            time.sleep(0.01)
        said = log.read_bytes()[-2000:]
        self.stop()
        raise LabError(
            f"docker-registry does not serve: {said.decode('utf-8', 'replace')}", "look at its log"
        )

    def stop(self, how: int = signal.SIGTERM) -> None:
        """End it; what was pushed stays in the folder."""
        child, self._child = self._child, None
        if child is None:
            return
        with suppress(ProcessLookupError):
            child.send_signal(how)
        try:
            child.wait(5.0)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def cpu_seconds(self) -> float:
        """What it has used of the processor so far."""
        assert self._child is not None  # noqa: S101 - asked while it serves
        fields = Path(f"/proc/{self._child.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def __enter__(self) -> LocalRegistry:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _http(self) -> dict[str, object]:
        return {"secret": secrets.token_hex(16), "relativeurls": True}


class Pushed(Struct, frozen=True):
    """What a push made: `digest` of the manifest, its bytes, and digests of the layers by name."""

    digest: str
    manifest: bytes
    layers: dict[str, str]


class Pusher:
    """Pushes to a registry on this machine, as `agent`."""

    def __init__(self, host: str, *, agent: str = "oras/1.2.0", authorization: str = "") -> None:
        self._host = host
        self._headers = {"User-Agent": agent} | ({"Authorization": authorization} if authorization else {})
        self._connection = http.client.HTTPConnection(host, timeout=_TIMEOUT_S)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def __enter__(self) -> Pusher:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def push(
        self,
        repository: str,
        tag: str,
        files: Mapping[str, bytes],
        annotations: Mapping[str, str] | None = None,
        subject: Mapping[str, object] | None = None,
        *,
        artifact_type: str = "application/vnd.eightysix.lab.artifact.v1+json",
        media_types: Mapping[str, str] | None = None,
        layer_annotations: Mapping[str, Mapping[str, str]] | None = None,
        config: bytes = b"{}",
        config_type: str = EMPTY,
    ) -> Pushed:
        """An artifact of files, as oras makes one. Without a tag it is pushed by its digest."""
        layers = {name: self.blob(repository, data) for name, data in files.items()}
        manifest: dict[str, object] = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": artifact_type,
            "config": _described(config_type, self.blob(repository, config), config),
            "layers": [
                {
                    **_described((media_types or {}).get(name, LAYER), layers[name], data),
                    "annotations": {TITLE: name, **(layer_annotations or {}).get(name, {})},
                }
                for name, data in files.items()
            ],
        }
        if annotations:
            manifest["annotations"] = dict(annotations)
        if subject is not None:
            manifest["subject"] = dict(subject)
        body = msgspec.json.encode(manifest)
        return Pushed(self.manifest(repository, tag, body), body, layers)

    def index(self, repository: str, tag: str, manifests: Sequence[Mapping[str, object]]) -> Pushed:
        """An index over manifests that are there."""
        body = msgspec.json.encode({"schemaVersion": 2, "mediaType": INDEX, "manifests": list(manifests)})
        return Pushed(self.manifest(repository, tag, body, INDEX), body, {})

    def manifest(self, repository: str, tag: str, body: bytes, media_type: str = MANIFEST) -> str:
        """Put a manifest as it stands; returns its digest."""
        digest = f"sha256:{sha256(body).hexdigest()}"
        status, headers = self._ask("PUT", f"/v2/{repository}/manifests/{tag or digest}", body, media_type)
        if status != 201 or headers.get("docker-content-digest", digest) != digest:
            raise LabError(f"the registry took no manifest: {status}", "look at its log")
        return digest

    def blob(self, repository: str, body: bytes) -> str:
        """Put a blob; returns its digest."""
        digest = f"sha256:{sha256(body).hexdigest()}"
        if self._ask("HEAD", f"/v2/{repository}/blobs/{digest}")[0] == 200:
            return digest
        status, headers = self._ask("POST", f"/v2/{repository}/blobs/uploads/")
        if status != 202:
            raise LabError(f"the registry took no upload: {status}", "look at its log")
        where = urlsplit(headers["location"] or "")
        path = f"{where.path}?{where.query + '&' if where.query else ''}{urlencode({'digest': digest})}"
        if self._ask("PUT", path, body)[0] != 201:
            raise LabError("the registry took no blob", "look at its log")
        return digest

    def delete(self, repository: str, digest: str) -> None:
        """Delete a manifest, with the tags that point to it."""
        status, _ = self._ask("DELETE", f"/v2/{repository}/manifests/{digest}")
        if status != 202:
            raise LabError(f"the registry deleted nothing: {status}", "look at its log")

    def _ask(
        self, method: str, path: str, body: bytes = b"", kind: str = "application/octet-stream"
    ) -> tuple[int, http.client.HTTPMessage]:
        headers = {**self._headers, "Content-Type": kind}
        self._connection.request(method, path, body or None, headers)
        response = self._connection.getresponse()
        response.read()
        return response.status, response.headers


def _described(media_type: str, digest: str, data: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest, "size": len(data)}


def _config(
    folder: Path, notify: Mapping[str, Mapping[str, str]], htpasswd: Path | None
) -> dict[str, object]:
    """See distribution.github.io/distribution/about/configuration."""
    made: dict[str, object] = {
        "version": "0.1",
        "log": {"level": "info", "formatter": "logstash", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(folder / "data")},
            "delete": {"enabled": True},
            "cache": {"blobdescriptor": "inmemory"},
        },
    }
    if notify:
        made["notifications"] = {
            "endpoints": [
                {
                    "name": f"endpoint-{number}",
                    "url": url,
                    "headers": {name: [value] for name, value in headers.items()},
                    "timeout": "1s",
                    "threshold": 3,
                    "backoff": "100ms",
                }
                for number, (url, headers) in enumerate(notify.items())
            ]
        }
    if htpasswd is not None:
        made["auth"] = {"htpasswd": {"realm": "lab", "path": str(htpasswd)}}
    return made
