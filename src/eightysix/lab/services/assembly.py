"""All services of one run, put together from a spec."""

from __future__ import annotations

import ssl
from contextlib import ExitStack
from pathlib import Path

from eightysix.lab.apiserver import Authority, Tls
from eightysix.lab.services.arm import Arm
from eightysix.lab.services.clock import Clock
from eightysix.lab.services.cluster import Cluster
from eightysix.lab.services.control import Control
from eightysix.lab.services.directory import Directory
from eightysix.lab.services.http import Answer, Handler, Limits, Listener, Request
from eightysix.lab.services.index import Index
from eightysix.lab.services.login import Login
from eightysix.lab.services.metadata import Metadata
from eightysix.lab.services.operations import Operations
from eightysix.lab.services.registry import Door
from eightysix.lab.services.registry_debian import DebianRegistry, find
from eightysix.lab.services.registry_own import OwnRegistry
from eightysix.lab.services.roster import Roster
from eightysix.lab.services.sink import Sink
from eightysix.lab.services.spec import OFF, Bind, Spec
from eightysix.lab.services.storage import MOST_BLOB_BYTES, Storage
from eightysix.lab.services.trust import client_context, server_context
from eightysix.lab.services.truth import Record
from eightysix.lab.world import ARM_HOST, INDEX_HOST, LOGIN_HOST, REGISTRY_HOST, SINK_HOST, STORAGE_HOST

__all__ = ["CONTROL", "FOLDER", "Services"]

CONTROL = "control.sock"
FOLDER = "services"
"""What the services keep for themselves in the run's folder: the CA's certificate, the registry's data."""

_NAMES = (SINK_HOST, INDEX_HOST, ARM_HOST, LOGIN_HOST, STORAGE_HOST, REGISTRY_HOST)


class Services:
    """Everything outside of the pods. `start` listens, `stop` ends it all; `told` is what the ready line says.

    Make it in the main thread, before there are others: see `DebianRegistry`.
    """

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._out = Path(spec.out)
        self._folder = self._out / FOLDER
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        Path(spec.index).mkdir(parents=True, exist_ok=True)
        self._listeners: list[Listener] = []
        self._addresses: dict[str, dict[str, object]] = {}
        self._tls: ssl.SSLContext | None = None
        with ExitStack() as undo:
            self.clock = Clock()
            self.record = Record(self._out, self.clock)
            undo.callback(self.record.close)
            self.roster = Roster()
            self.authority = Authority()
            self.directory = Directory(self.record)
            self.storage = Storage(self.directory, self.roster)
            self._ca = self._folder / "ca.crt"
            self._ca.write_bytes(self.authority.certificate)
            self._registry = self._choose_registry()
            undo.callback(self._registry.stop)
            self.door = Door(self.directory, self.roster, self._registry)
            self.cluster = self._make_cluster()
            if self.cluster is not None:
                undo.callback(self.cluster.stop)
            undo.callback(self._stop_listeners)
            self._listen()
            self._control = Control(self._out / CONTROL, Operations(self).by_name())
            undo.pop_all()

    @property
    def told(self) -> dict[str, object]:
        """Addresses with the ports that were bound, and the paths of what the run needs."""
        return {
            "ready": True,
            "addresses": self._addresses,
            "ca": self.ca,
            "control": str(self._out / CONTROL),
            "registry": self._registry.version,
        }

    @property
    def ca(self) -> str:
        """Path of the certificate that the run's pods trust."""
        return str(self._ca)

    def start(self) -> None:
        """Serve."""
        for listener in self._listeners:
            listener.start()
        if self.cluster is not None:
            self.cluster.start()
        self._control.start()

    def stop(self) -> None:
        """End everything, in the order in which nothing is asked of what ended before."""
        self._control.stop()
        if self.cluster is not None:
            self.cluster.stop()
        self._stop_listeners()
        self._registry.stop()
        self.record.close()

    def where(self, name: str) -> tuple[str, int, ssl.SSLContext | None]:
        """Address and port of a service, with what trusts it where it speaks TLS: for the run's own clients."""
        ports = self._addresses[name]
        ip, https = str(ports["ip"]), ports.get("https")
        if isinstance(https, int):
            return ip, https, client_context(self.authority)
        http = ports.get("http")
        if not isinstance(http, int):
            raise ValueError(f"{name} does not listen in this run")
        return ip, http, None

    def _choose_registry(self) -> DebianRegistry | OwnRegistry:
        wanted = self._spec.registry
        binary = find(self._spec.registry_binary) if wanted != "own" else None
        if binary is not None:
            return DebianRegistry(binary, self._folder)
        if wanted == "debian":
            raise OSError(
                f"there is no {self._spec.registry_binary} here: install Debian's package docker-registry"
            )
        return OwnRegistry()

    def _make_cluster(self) -> Cluster | None:
        """The API server, where this run has TLS: pods talk to it in no other way."""
        bind = self._spec.api_server
        if not self._spec.tls or bind.https == OFF:
            return None
        tls = Tls.made(self.authority, (bind.ip,))
        cluster = Cluster(self.record, self.roster, self.clock, tls, (bind.ip, bind.https))
        self._addresses["api_server"] = {"ip": bind.ip, "https": cluster.port}
        return cluster

    def _listen(self) -> None:
        spec, record, roster, directory = self._spec, self.record, self.roster, self.directory
        if spec.tls:
            ips = (
                each.ip
                for each in (spec.sink, spec.arm, spec.index_server, spec.registry_server, spec.storage)
            )
            self._tls = server_context(self.authority.server((*_NAMES, *dict.fromkeys(ips))))
        metadata = Metadata(directory, self.authority.server(("metadata.azure.com",)), roster, spec.nonce)
        self._serve("metadata", spec.metadata, metadata, plain=True)
        self._serve("nonce", spec.nonce_server, metadata.tell_refused, plain=True)
        self._serve("sink", spec.sink, Sink(record, roster), plain=True)
        index = Index(Path(spec.index), record, roster)
        self._serve("index", spec.index_server, index, plain=True)
        federation = self.cluster.subject if self.cluster is not None else None
        cloud = _Cloud(Login(directory, roster, federation), Arm(directory, roster))
        self._serve("arm", spec.arm, cloud)
        self._serve("storage", spec.storage, self.storage, body_bytes=MOST_BLOB_BYTES)
        self._serve("registry", spec.registry_server, self.door, body_bytes=MOST_BLOB_BYTES)

    def _serve(
        self,
        name: str,
        bind: Bind,
        handler: Handler,
        *,
        plain: bool = False,
        body_bytes: int = 1 << 20,
    ) -> None:
        """Listen for a service: over HTTP where the real one does, or where there is no TLS in this run."""
        limits = Limits(body_bytes=body_bytes)
        ports: dict[str, object] = {"ip": bind.ip}
        if bind.http != OFF and (plain or not self._spec.tls):
            listener = Listener(bind.ip, bind.http, handler, limits=limits)
            self._listeners.append(listener)
            ports["http"] = listener.port
        if bind.https != OFF and self._spec.tls:
            listener = Listener(bind.ip, bind.https, handler, tls=self._tls, limits=limits)
            self._listeners.append(listener)
            ports["https"] = listener.port
        self._addresses[name] = ports

    def _stop_listeners(self) -> None:
        for listener in self._listeners:
            listener.stop()


class _Cloud:
    """Login and Resource Manager share an address in the lab's world; the host that is asked for tells them apart."""

    def __init__(self, login: Login, arm: Arm) -> None:
        self._login = login
        self._arm = arm

    def __call__(self, request: Request) -> Answer:
        """Answer a request."""
        if request.host == LOGIN_HOST:
            return self._login(request)
        if request.host == ARM_HOST or request.path.lower().startswith("/subscriptions"):
            return self._arm(request)
        return self._login(request)
