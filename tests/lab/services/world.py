"""Services of a run on loopback, and a client that asks them as anybody on the wire could."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from eightysix.lab.interface import PodSpec
from eightysix.lab.services.assembly import Services
from eightysix.lab.services.control import ask
from eightysix.lab.services.spec import OFF, Bind, Spec
from eightysix.lab.world import POD_IP

UID = "8c1b0f3e-0000-4000-8000-000000000001"
NONCE = "n0nceOfThisRun"
ARM = "https://management.azure.com"


class Reply:
    """What came back."""

    def __init__(self, status: int, headers: http.client.HTTPMessage, body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class World:
    """Services with their addresses."""

    def __init__(self, services: Services, out: Path, index: Path) -> None:
        self.services, self.out, self.index = services, out, index
        self.addresses: Mapping[str, Any] = services.told["addresses"]  # type: ignore[assignment]
        self.trust = ssl.create_default_context(cafile=services.ca)

    def call(
        self,
        service: str,
        method: str,
        path: str,
        body: bytes | None = None,
        /,
        *,
        host: str = "",
        source: str = "127.0.0.1",
        **headers: str,
    ) -> Reply:
        """Ask a service; `_` in the names of headers stands for `-`."""
        ports = self.addresses[service]
        secure = "https" in ports and "http" not in ports
        port = ports["https" if secure else "http"]
        connection = http.client.HTTPConnection(ports["ip"], port, timeout=20, source_address=(source, 0))
        try:
            connection.connect()
            if secure:
                connection.sock = self.trust.wrap_socket(connection.sock, server_hostname=host or ports["ip"])
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            if host:
                sent["Host"] = host
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            return Reply(response.status, response.headers, response.read())
        finally:
            connection.close()

    def ask(self, op: str, **members: Any) -> dict[str, Any]:
        """Ask the control socket."""
        return ask(self.out / "control.sock", op, **members)

    def start_pod(self, spec: PodSpec | None = None, uid: str = UID) -> dict[str, Any]:
        """Tell the services of a pod."""
        return self.ask(
            "pod", pod=msgspec.to_builtins(spec or PodSpec("inference-0")), uid=uid, container_id="ab" * 32
        )

    def token(self, resource: str = f"{ARM}/") -> str:
        """A token of the managed identity."""
        path = f"/metadata/identity/oauth2/token?api-version=2018-02-01&resource={resource}"
        return str(self.call("metadata", "GET", path, Metadata="true").json["access_token"])

    def lines(self, file: str) -> list[dict[str, Any]]:
        """The records of a file."""
        return [json.loads(line) for line in (self.out / file).read_bytes().splitlines()]

    def marks(self, mark: str) -> list[dict[str, Any]]:
        """Marks of one kind."""
        return [line for line in self.lines("truth.jsonl") if line["mark"] == mark]

    def written(self) -> bytes:
        """Everything that was written for people and detection to read."""
        return b"".join(path.read_bytes() for path in sorted(self.out.glob("*.jsonl")))


@contextmanager
def running(folder: Path, *, registry: str = "own", tls: bool = True) -> Iterator[World]:
    """Services on loopback addresses and free ports."""
    out, index = folder / "out", folder / "index"
    out.mkdir(parents=True)
    free = OFF if tls else 0
    spec = Spec(
        nonce=NONCE,
        out=str(out),
        index=str(index),
        tls=tls,
        registry=registry,
        metadata=Bind("127.0.0.1", 0, OFF),
        nonce_server=Bind("127.0.0.1", 0, OFF),
        api_server=Bind("127.0.0.1", OFF, 0),
        sink=Bind("127.0.0.1", 0, 0),
        arm=Bind("127.0.0.1", free, 0),
        index_server=Bind("127.0.0.1", 0, 0),
        registry_server=Bind("127.0.0.1", free, 0),
        storage=Bind("127.0.0.1", free, 0),
    )
    services = Services(spec)
    services.start()
    try:
        yield World(services, out, index)
    finally:
        services.stop()


LOCAL = PodSpec("inference-0", ip="127.0.0.1")
"""A pod that has the address from which the tests ask."""
assert LOCAL.ip != POD_IP
