"""Short ways to write events for engine tests."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

from eightysix.model.event import Artifact, Event, EventId
from eightysix.model.words import Access, Domain, Grade, Kind, Origin, Outcome, Source

BASE_NS = 1_795_405_130_000_000_000
SECOND = 1_000_000_000
SERVER = "server"


def event(kind: Kind, at: float, **fields: Any) -> Event:
    """An event of pod `ml/inference-0`, `at` seconds after the container started; its id is its content."""
    values: dict[str, Any] = {
        "source": Source.TETRAGON,
        "origin": Origin.KERNEL,
        "grade": Grade.B,
        "file": "t.jsonl",
        "line": 1,
        "cluster": "c",
        "node": "n",
        "namespace": "ml",
        "pod": "inference-0",
        "pod_uid": "uid-0",
        "container_id": "c9eb4ebb9cee3a80",
        "container_started_ns": BASE_NS,
        "workload": "inference",
        "workload_kind": "StatefulSet",
        "image": "registry.example/inference:prod",
        "image_digest": "sha256:5e",
        "exec_id": SERVER,
        "process_started_ns": BASE_NS,
        "binary": "/usr/bin/python",
        "command": "python /app/server.py",
        "time_ns": BASE_NS + round(at * SECOND),
        "kind": kind,
    } | fields
    native = repr(sorted((k, v) for k, v in values.items() if k not in ("file", "line")))
    return Event(event_id=EventId(blake2b(native.encode(), digest_size=16).hexdigest()), **values)


def install(at: float, name: str = "torch-perf-utils", **fields: Any) -> Event:
    values = {
        "activity": "install",
        "artifacts": (Artifact("pypi", name, "1.4.3"),),
        "exec_id": f"pip-{at}",
        "command": f"pip install {name}",
        "process_started_ns": BASE_NS + round(at * SECOND),
    }
    return event(Kind.EXEC, at, **(values | fields))


def metadata(at: float, **fields: Any) -> Event:
    values = {"dst_ip": "169.254.169.254", "dst_port": 80, "domain": Domain.CLOUD, "outcome": Outcome.UNKNOWN}
    return event(Kind.CONNECT, at, **(values | fields))


def token(at: float, **fields: Any) -> Event:
    path = "/var/run/secrets/kubernetes.io/serviceaccount/token"
    return event(
        Kind.FILE, at, **({"file_path": path, "access": Access.READ, "domain": Domain.CLUSTER} | fields)
    )


def connect(at: float, ip: str = "203.0.113.10", port: int = 80, **fields: Any) -> Event:
    return event(Kind.CONNECT, at, **({"dst_ip": ip, "dst_port": port} | fields))


def api_server(at: float, **fields: Any) -> Event:
    return connect(at, "10.96.0.1", 443, **fields)


def request(at: float, verb: str, resource: str, name: str = "", **fields: Any) -> Event:
    values = {
        "source": Source.KUBERNETES_AUDIT,
        "origin": Origin.CONTROL_PLANE,
        "grade": Grade.C,
        "exec_id": "",
        "pod_uid": "",
        "container_id": "",
        "container_started_ns": 0,
        "process_started_ns": 0,
        "workload": "",
        "workload_kind": "",
        "image": "",
        "image_digest": "",
        "binary": "",
        "command": "",
        "node": "",
        "cluster": "",
        "verb": verb,
        "resource": resource,
        "object_name": name,
        "object_namespace": "ml",
        "outcome": Outcome.ALLOWED,
        "identity": "system:serviceaccount:ml:inference-sa",
        "service_account": "ml/inference-sa",
    }
    return event(Kind.API, at, **(values | fields))


def breach(land: float = 5.0) -> list[Event]:
    """The 86-second story as the kernel and the API server saw it."""
    return [
        metadata(1.7),
        install(land - 2.4, "torch-perf-utils"),
        install(land),
        metadata(land + 39.2),
        token(land + 59.9),
        api_server(land + 59.9),
        request(land + 59.9, "list", "secrets"),
        request(land + 69.2, "get", "secrets", "acr-push-sp"),
        connect(land + 86.0),
    ]
