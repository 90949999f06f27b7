"""What is asked of a pod itself: log, exec, eviction, binding, and scales of workloads. There is no kubelet behind this.

The lab may give functions that stand in for one (`Kubelet`); without them a request that is allowed ends as it does when
the kubelet cannot be reached. Attach, port forwarding and proxying end so always.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from eightysix.lab.apiserver import patches
from eightysix.lab.apiserver.catalogue import Object
from eightysix.lab.apiserver.messages import Answer, Stream, json_answer
from eightysix.lab.apiserver.rest import Call, Rest, read_body
from eightysix.lab.apiserver.status import ApiError, bad_request, conflict, not_found, refused_method
from eightysix.lab.apiserver.store import Store, Stored
from eightysix.lab.apiserver.websocket import Talk, accepted, protocol_of

__all__ = ["Command", "Kubelet", "Subresources"]

_MOST_WORDS = 1024


class Command(Struct, frozen=True):
    """A command that somebody wants to run in a container of a pod."""

    namespace: str
    pod: str
    uid: str
    container: str
    argv: tuple[str, ...]


class Kubelet(Protocol):
    """What stands in for the kubelets. Called from the threads of requests."""

    def run(self, command: Command) -> tuple[int, bytes, bytes]:
        """Run a command to its end: exit code, output, errors. Raises OSError where it cannot be started."""

    def log(self, namespace: str, pod: str, container: str) -> bytes:
        """What a container has written so far. Raises OSError where there is none."""


class Subresources:
    """Answers them."""

    def __init__(self, store: Store, rest: Rest, kubelet: Kubelet | None) -> None:
        self._store = store
        self._rest = rest
        self._kubelet = kubelet

    def serve(self, call: Call) -> Answer:
        """Answer a subresource."""
        held = self._held(call)
        serve: Callable[[Call, Stored], Answer] | None = {
            "exec": self._exec,
            "attach": self._dial,
            "portforward": self._dial,
            "log": self._log,
            "eviction": self._evict,
            "binding": self._bind,
            "scale": self._scale,
        }.get(call.asked.subresource)
        if serve is None:
            raise _unreachable(held)
        return serve(call, held)

    def _held(self, call: Call) -> Stored:
        namespace = call.asked.namespace if call.resource.namespaced else ""
        held = self._store.get(call.resource, namespace, call.asked.name)
        if held is None:
            raise not_found(call.resource, call.asked.name)
        return held

    def _dial(self, call: Call, held: Stored) -> Answer:
        if call.asked.verb not in ("create", "get"):
            raise refused_method()
        if not call.request.header("upgrade"):
            raise bad_request("Upgrade request required")
        raise _unreachable(held)

    def _exec(self, call: Call, held: Stored) -> Answer:
        words = tuple(value for name, value in call.request.pairs() if name == "command")
        if call.asked.verb not in ("create", "get"):
            raise refused_method()
        if not call.request.header("upgrade"):
            raise bad_request("Upgrade request required")
        if not words or len(words) > _MOST_WORDS:
            raise bad_request("you must specify at least 1 command for the container")
        command = Command(held.namespace, held.name, held.uid, _container(call, held), words)
        if call.request.user is not None:  # of the lab itself, which has run it already
            return Answer(101, stream=Stream(iter(()), "websocket", _nothing))
        kubelet, protocol = self._kubelet, protocol_of(call.request)
        if kubelet is None or protocol is None:
            raise _unreachable(held)

        def talk(receive: Callable[[float], bytes], send: Callable[[bytes], None]) -> None:
            _run(kubelet, command, Talk(protocol, receive, send))

        headers = accepted(call.request, protocol)
        return Answer(101, headers=headers, stream=Stream(iter(()), "websocket", talk))

    def _log(self, call: Call, held: Stored) -> Answer:
        if call.asked.verb != "get":
            raise refused_method()
        container = _container(call, held)
        if self._kubelet is None:
            raise _unreachable(held)
        try:
            text = self._kubelet.log(held.namespace, held.name, container)
        except OSError as error:
            raise bad_request(f'container "{container}" in pod "{held.name}" is not available') from error
        lines = call.query.get("tailLines", "")
        if lines.isascii() and lines.isdigit() and len(lines) < 10:
            kept = text.splitlines(keepends=True)
            text = b"".join(kept[len(kept) - min(int(lines), len(kept)) :])
        return Answer(200, text, "text/plain")

    def _evict(self, call: Call, held: Stored) -> Answer:
        if call.asked.verb != "create":
            raise refused_method()
        call.trail.took(read_body(call.request))
        self._rest.end(call, held)
        status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
        return json_answer(201, status)

    def _bind(self, call: Call, held: Stored) -> Answer:
        """What a scheduler does: the pod has a node from now on."""
        if call.asked.verb != "create":
            raise refused_method()
        sent = read_body(call.request)
        call.trail.took(sent)
        target = sent.get("target")
        node = target.get("name") if isinstance(target, dict) else None
        if not isinstance(node, str) or not node:
            raise bad_request("target.name is required")
        with self._store.lock:
            pod = self._held(call).read()
            if pod["spec"].get("nodeName"):
                why = f'pod {held.name} is already assigned to node "{pod["spec"]["nodeName"]}"'
                raise conflict(call.resource, held.name, why)
            pod["spec"]["nodeName"] = node
            self._store.put(call.resource, pod)
        return json_answer(
            201, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
        )

    def _scale(self, call: Call, held: Stored) -> Answer:
        if call.asked.verb == "get":
            return json_answer(200, _scale_of(held))
        if call.asked.verb not in ("update", "patch"):
            raise refused_method()
        if call.asked.verb == "update":
            sent = read_body(call.request)
            call.trail.took(sent)
        else:
            change = patches.reader(call.request)
            call.trail.took_patch(change.told)
            sent = change.apply(_scale_of(held))
        spec = sent.get("spec")
        replicas = spec.get("replicas", 0) if isinstance(spec, dict) else None
        if not isinstance(replicas, int) or isinstance(replicas, bool) or replicas < 0:
            raise bad_request("spec.replicas must be a number of at least 0")
        with self._store.lock:
            item = self._held(call).read()
            if not isinstance(item.get("spec"), dict):
                item["spec"] = {}
            item["spec"]["replicas"] = replicas
            return json_answer(200, _scale_of(self._store.put(call.resource, item)))


def _nothing(receive: Callable[[float], bytes], send: Callable[[bytes], None]) -> None:
    del receive, send


def _run(kubelet: Kubelet, command: Command, talk: Talk) -> None:
    try:
        code, output, errors = kubelet.run(command)
    except OSError as error:
        message = f"error executing command in container: {error.strerror or 'failed'}"
        talk.finish(
            {"metadata": {}, "status": "Failure", "message": message, "reason": "InternalError", "code": 500}
        )
        return
    if output:
        talk.write(1, output)
    if errors:
        talk.write(2, errors)
    if not code:
        talk.finish({"metadata": {}, "status": "Success"})
        return
    causes = [{"reason": "ExitCode", "message": str(code)}]
    talk.finish(
        {
            "metadata": {},
            "status": "Failure",
            "message": f"command terminated with non-zero exit code: exit status {code}",
            "reason": "NonZeroExitCode",
            "details": {"causes": causes},
        }
    )


def _container(call: Call, held: Stored) -> str:
    """The container that is asked for: the only one, where none is named."""
    spec = held.read().get("spec")
    spec = spec if isinstance(spec, dict) else {}
    named = [
        each["name"]
        for part in ("containers", "initContainers", "ephemeralContainers")
        for each in (spec.get(part) or ())
        if isinstance(each, dict) and isinstance(each.get("name"), str)
    ]
    wanted = call.query.get("container") or (named[0] if named else "")
    if wanted not in named:
        raise bad_request(f"container {wanted[:80]} is not valid for pod {held.name}")
    return wanted


def _unreachable(held: Stored) -> ApiError:
    spec = held.read().get("spec")
    node = spec.get("nodeName") if isinstance(spec, dict) else None
    if not node:
        return bad_request(f"pod {held.name} does not have a host assigned")
    text = f"error dialing backend: no kubelet answers for {node}"
    return ApiError(500, "InternalError", text, {"causes": [{"message": text}]})


def _scale_of(stored: Stored) -> Object:
    item = stored.read()
    spec, status = item.get("spec"), item.get("status")
    spec, status = (part if isinstance(part, dict) else {} for part in (spec, status))
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    metadata = {key: item["metadata"][key] for key in kept if key in item["metadata"]}
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": metadata,
        "spec": {"replicas": spec.get("replicas", 1)},
        "status": {"replicas": status.get("replicas", 0)},
    }
