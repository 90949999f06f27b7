"""All services of one run, put together from a spec."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from eightysix.lab.interface import PodSpec
from eightysix.lab.services.authority import Authority
from eightysix.lab.services.clock import Clock
from eightysix.lab.services.control import Control, ControlError
from eightysix.lab.services.directory import Directory
from eightysix.lab.services.http import Handler, Limits, Listener
from eightysix.lab.services.index import Index
from eightysix.lab.services.metadata import Metadata
from eightysix.lab.services.roster import Pod, Roster
from eightysix.lab.services.sink import Sink
from eightysix.lab.services.spec import OFF, Bind, Spec
from eightysix.lab.services.truth import Record
from eightysix.lab.world import INDEX_HOST, SINK_HOST

__all__ = ["CONTROL", "FOLDER", "Services"]

CONTROL = "control.sock"
FOLDER = "services"
"""What the services keep for themselves in the run's folder."""


class _Pod(Struct):
    pod: PodSpec
    uid: str
    container_id: str = ""


class _Named(Struct):
    pod: str
    namespace: str = "ml"


class _Exec(Struct):
    pod: str
    argv: tuple[str, ...]
    namespace: str = "ml"
    user: str = "operator@contoso.example"


class _Leap(Struct):
    seconds: float


class Services:
    """Everything outside of the pods. `start` listens, `stop` ends it all; `told` is what the ready line says."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._out = Path(spec.out)
        self._folder = self._out / FOLDER
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        Path(spec.index).mkdir(parents=True, exist_ok=True)
        self.clock = Clock()
        self.record = Record(self._out, self.clock)
        self.roster = Roster()
        self.authority = Authority()
        self.directory = Directory(self.record)
        self._ca = self._folder / "ca.crt"
        self._ca.write_bytes(self.authority.certificate)
        self._listeners: list[Listener] = []
        self._addresses: dict[str, dict[str, object]] = {}
        self._listen()
        self._control = Control(self._out / CONTROL, self._operations())

    @property
    def told(self) -> dict[str, object]:
        """Addresses with the ports that were bound, and the paths of what the run needs."""
        return {
            "ready": True,
            "addresses": self._addresses,
            "ca": str(self._ca),
            "control": str(self._out / CONTROL),
        }

    def start(self) -> None:
        """Serve."""
        for listener in self._listeners:
            listener.start()
        self._control.start()

    def stop(self) -> None:
        """End everything, in the order in which nothing is asked of what ended before."""
        self._control.stop()
        for listener in self._listeners:
            listener.stop()
        self.record.close()

    def _listen(self) -> None:
        spec = self._spec
        metadata = Metadata(self.directory, self.authority, self.roster, spec.nonce)
        self._serve("metadata", spec.metadata, metadata, plain=True)
        self._serve("sink", spec.sink, Sink(self.record, self.roster), hosts=(SINK_HOST,), plain=True)
        index = Index(Path(spec.index), self.record, self.roster)
        self._serve("index", spec.index_server, index, hosts=(INDEX_HOST,), plain=True)

    def _serve(
        self,
        name: str,
        bind: Bind,
        handler: Handler,
        *,
        hosts: tuple[str, ...] = (),
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
            context = self.authority.context(hosts, (bind.ip,))
            listener = Listener(bind.ip, bind.https, handler, tls=context, limits=limits)
            self._listeners.append(listener)
            ports["https"] = listener.port
        self._addresses[name] = ports

    def _operations(self) -> Mapping[str, Callable[[msgspec.Raw], Mapping[str, object]]]:
        return {
            "pod": self._pod,
            "delete-pod": self._delete_pod,
            "exec": self._exec,
            "leap": self._leap,
        }

    def _pod(self, request: msgspec.Raw) -> Mapping[str, object]:
        asked = msgspec.json.decode(request, type=_Pod)
        pod = Pod(asked.pod, asked.uid, asked.container_id)
        self.roster.add(pod)
        self.record.mark(
            "pod-started",
            pod=pod.spec.name,
            namespace=pod.spec.namespace,
            uid=pod.uid,
            container_id=pod.container_id,
            ip=pod.spec.ip,
        )
        return {"ca": str(self._ca)}

    def _delete_pod(self, request: msgspec.Raw) -> Mapping[str, object]:
        asked = msgspec.json.decode(request, type=_Named)
        pod = self.roster.remove(asked.namespace, asked.pod)
        if pod is None:
            raise ControlError(f"no pod is called {asked.namespace}/{asked.pod}")
        self.record.mark("pod-ended", pod=asked.pod, namespace=asked.namespace, uid=pod.uid)
        return {}

    def _exec(self, request: msgspec.Raw) -> Mapping[str, object]:
        asked = msgspec.json.decode(request, type=_Exec)
        self.record.mark(
            "exec", pod=asked.pod, namespace=asked.namespace, argv=list(asked.argv), user=asked.user
        )
        return {}

    def _leap(self, request: msgspec.Raw) -> Mapping[str, object]:
        seconds = msgspec.json.decode(request, type=_Leap).seconds
        ahead = self.clock.leap(seconds)
        self.record.mark("leap", seconds=seconds)
        return {"ahead_ns": ahead, "now_ns": self.clock.now_ns()}
