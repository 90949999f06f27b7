"""A registry that holds what a test gives it, honest as long as nobody makes it lie: manifests and blobs by digest and tag."""

from __future__ import annotations

import json
from typing import Any

from eightysix.gate.digests import digest_of
from eightysix.gate.mediatypes import EMPTY, OCI_INDEX, OCI_MANIFEST
from tests.serve.registry.liar import Asked, Out

__all__ = ["Stock"]


class Stock:
    """A handler for a `Liar`. `lies` are bytes that are given for a reference or digest instead; `referrers` answers the API."""

    def __init__(self) -> None:
        self.manifests: dict[str, tuple[bytes, str]] = {}
        self.blobs: dict[str, bytes] = {}
        self.lies: dict[str, bytes] = {}
        self.referrers: dict[str, bytes] | None = None

    def blob(self, data: bytes, media_type: str = "application/octet-stream", **more: Any) -> dict[str, Any]:
        """Keep a blob; its descriptor."""
        digest = digest_of(data)
        self.blobs[digest] = data
        return {"mediaType": media_type, "digest": digest, "size": len(data), **more}

    def image(self, tag: str, *layers: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Keep a manifest; its descriptor."""
        body = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": self.blob(b"{}", EMPTY),
            "layers": list(layers),
            **more,
        }
        return self.put(tag, body, OCI_MANIFEST)

    def index(self, tag: str, *manifests: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Keep an index; its descriptor."""
        return self.put(
            tag, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(manifests), **more}, OCI_INDEX
        )

    def put(self, tag: str, body: object, media_type: str) -> dict[str, Any]:
        """Keep any body under its digest and a tag."""
        data = json.dumps(body).encode()
        digest = digest_of(data)
        self.manifests[digest] = self.manifests[tag or digest] = (data, media_type)
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    def __call__(self, asked: Asked, out: Out) -> None:
        last = asked.path.rpartition("/")[2]
        if "/referrers/" in asked.path:
            if self.referrers is None:
                out.reply(404)
            else:
                out.reply(
                    200,
                    self.referrers.get(last, b'{"schemaVersion": 2, "manifests": []}'),
                    {"content-type": OCI_INDEX},
                )
        elif "/blobs/" in asked.path:
            if last in self.lies:
                out.reply(200, self.lies[last])
            elif last in self.blobs:
                out.reply(200, self.blobs[last])
            else:
                out.reply(404)
        elif last in self.manifests:
            data, media_type = self.manifests[last]
            told = digest_of(data)
            out.manifest(self.lies.get(last, data), media_type, told)
        else:
            out.reply(404)
