"""Debian's docker-registry on loopback, with a webhook, and a push that needs no client."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from tests.tiers import require_tier

__all__ = ["Registry", "registry"]

MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class Registry:
    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, {"user-agent": "builder/1.0", **named})
            answer = connection.getresponse()
            answer.read()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}
        finally:
            connection.close()

    def push(self, repository: str, tag: str, content: bytes) -> str:
        """Push one artifact of one layer; gives the digest of its manifest."""
        layer, config = self._blob(repository, content), self._blob(repository, b"{}")
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **config},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", **layer}],
        }
        body = json.dumps(manifest).encode()
        status, _ = self.ask("PUT", f"/v2/{repository}/manifests/{tag}", body, content_type=MANIFEST)
        assert status == 201
        return "sha256:" + sha256(body).hexdigest()

    def head(self, repository: str, tag: str, agent: str) -> str:
        _, headers = self.ask("HEAD", f"/v2/{repository}/manifests/{tag}", accept=MANIFEST, user_agent=agent)
        return headers.get("docker-content-digest", "")

    def _blob(self, repository: str, content: bytes) -> dict[str, object]:
        digest = "sha256:" + sha256(content).hexdigest()
        status, headers = self.ask("POST", f"/v2/{repository}/blobs/uploads/")
        assert status == 202
        place = headers["location"].partition(f"127.0.0.1:{self.port}")[2] or headers["location"]
        joined = "&" if "?" in place else "?"
        status, _ = self.ask(
            "PUT", f"{place}{joined}digest={digest}", content, content_type="application/octet-stream"
        )
        assert status == 201
        return {"digest": digest, "size": len(content)}


@contextmanager
def registry(folder: Path, hook: str, secret: str) -> Iterator[Registry]:
    """A registry that tells `hook` of everything."""
    binary = shutil.which("docker-registry")
    if binary is None:
        require_tier("registry", "docker-registry is not installed (Debian: apt install docker-registry)")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    endpoint = {
        "name": "eightysix",
        "url": hook,
        "headers": {"Authorization": [f"Bearer {secret}"]},
        "timeout": "5s",
        "threshold": 5,
        "backoff": "100ms",
    }
    config = {
        "version": "0.1",
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}},
        "http": {"addr": f"127.0.0.1:{port}", "secret": "for-one-test"},
        "notifications": {"endpoints": [endpoint]},
    }
    (folder / "config.yml").write_text(json.dumps(config))  # JSON is YAML
    with (folder / "log").open("wb") as log:
        child = subprocess.Popen(
            [binary, "serve", str(folder / "config.yml")],
            env={"PATH": "/usr/bin:/bin", "OTEL_TRACES_EXPORTER": "none"},
            stdout=log,
            stderr=log,
        )
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert child.poll() is None, (folder / "log").read_text()
                time.sleep(0.02)
        yield Registry(port)
    finally:
        child.kill()
        child.wait()
