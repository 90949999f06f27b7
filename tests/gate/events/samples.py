"""Bodies of webhooks, written after the documents and, for distribution, after what a real 2.8.2 sent."""

from __future__ import annotations

import json
from typing import Any

__all__ = [
    "A",
    "B",
    "acr",
    "cloud",
    "distribution",
    "grid",
    "grid_data",
    "harbor",
    "harbor_cloud",
    "push",
    "validation",
]

A = "sha256:" + "a" * 64
B = "sha256:" + "b" * 64
_RESOURCE = "/subscriptions/0/resourceGroups/ml/providers/Microsoft.ContainerRegistry/registries/acme"


def push(tag: str = "prod", digest: str = A, **changes: Any) -> dict[str, Any]:
    told: dict[str, Any] = {
        "id": "1087e3d6-0001",
        "timestamp": "2026-11-23T03:15:55.626522556Z",
        "action": "push",
        "target": {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "size": 771,
            "digest": digest,
            "length": 771,
            "repository": "ml/llm",
            "url": f"http://127.0.0.1:15000/v2/ml/llm/manifests/{digest}",
            "tag": tag,
        },
        "request": {
            "id": "e1",
            "addr": "10.0.0.7:39350",
            "host": "127.0.0.1:15000",
            "method": "PUT",
            "useragent": "docker/24.0.7 go/go1.20",
        },
        "actor": {"name": "ci"},
        "source": {"addr": "registry-0:15000", "instanceID": "5f"},
    }
    return {**told, **changes}


def distribution(*events: dict[str, Any]) -> bytes:
    return json.dumps({"events": list(events) or [push()]}).encode()


def acr(action: str = "push") -> bytes:
    told = push(action=action)
    told["request"] = {
        "id": "3c",
        "host": "acme.azurecr.io",
        "method": "PUT",
        "useragent": "docker/24.0.7",
    }
    del told["actor"], told["source"]
    return json.dumps(told).encode()


def grid_data() -> dict[str, Any]:
    data = json.loads(acr())
    data |= {
        "actor": {"name": "ci@acme"},
        "location": "westeurope",
        "connectedRegistry": {"name": "edge1"},
        "source": {"addr": "edge1:443", "instanceID": "7"},
    }
    return dict(data)


def grid(kind: str = "Microsoft.ContainerRegistry.ImagePushed", **data: Any) -> dict[str, Any]:
    return {
        "id": "831e1650",
        "topic": _RESOURCE,
        "subject": "ml/llm:prod",
        "eventType": kind,
        "eventTime": "2026-11-23T03:15:56.6549614Z",
        "data": {**grid_data(), **data},
        "dataVersion": "2.0",
        "metadataVersion": "1",
    }


def cloud(kind: str = "Microsoft.ContainerRegistry.ImagePushed", **data: Any) -> dict[str, Any]:
    return {
        "id": "831e1650",
        "source": _RESOURCE,
        "subject": "ml/llm:prod",
        "type": kind,
        "time": "2026-11-23T03:15:56.6549614Z",
        "data": {**grid_data(), **data},
        "specversion": "1.0",
    }


def validation() -> dict[str, Any]:
    return {
        "id": "2d17",
        "topic": "/subscriptions/0",
        "subject": "",
        "data": {
            "validationCode": "512d38b6-c7b8-40c8-89fe-f46f9e9622b6",
            "validationUrl": "https://rp-eastus.eventgrid.example/validate?id=1",
        },
        "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
        "eventTime": "2026-11-23T03:15:56.65Z",
        "metadataVersion": "1",
        "dataVersion": "1",
    }


def _harbor_data(tag: str, digest: str) -> dict[str, Any]:
    return {
        "resources": [{"digest": digest, "tag": tag, "resource_url": f"harbor.example:8443/ml/llm:{tag}"}],
        "repository": {
            "date_created": 1795403700,
            "name": "llm",
            "namespace": "ml",
            "repo_full_name": "ml/llm",
            "repo_type": "private",
        },
    }


def harbor(kind: str = "PUSH_ARTIFACT", tag: str = "prod", digest: str = A) -> dict[str, Any]:
    return {
        "type": kind,
        "occur_at": 1795403755,
        "operator": "robot$ci",
        "event_data": _harbor_data(tag, digest),
    }


def harbor_cloud(kind: str = "harbor.artifact.pushed", tag: str = "prod", digest: str = A) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": "4b2f89a6",
        "requestid": "2eedfab8",
        "source": "/projects/1/webhook/policies/3",
        "type": kind,
        "datacontenttype": "application/json",
        "time": "2026-11-23T03:15:55Z",
        "data": _harbor_data(tag, digest),
        "operator": "robot$ci",
    }
