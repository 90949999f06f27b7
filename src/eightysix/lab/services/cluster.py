"""The lab's cluster: the API server with the world's objects, and what kubelet, controllers and operators do in it.

What they do goes through the API server as they are, so it is authorized and audited; nothing else writes audit events. Marks of
what pods asked are made from those events.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec

from eightysix.lab.apiserver import ADMIN, Answer, ApiServer, Tls, User
from eightysix.lab.apiserver.catalogue import Resource
from eightysix.lab.interface import PodSpec
from eightysix.lab.services import objects
from eightysix.lab.services.clock import Clock
from eightysix.lab.services.control import ControlError
from eightysix.lab.services.login import EXCHANGE_AUDIENCE
from eightysix.lab.services.roster import Pod, Roster
from eightysix.lab.services.tokens import check, key_of
from eightysix.lab.services.truth import Record
from eightysix.lab.world import NODE, POD_NETWORK

__all__ = ["Cluster"]

Object = dict[str, Any]

_OPERATOR_IP = "198.51.100.30"
"""Where people are: outside of the cluster (RFC 5737)."""
_NODE_IP = "10.224.0.4"
_MASTER_IP = "10.0.0.7"
"""Where controllers are, as an API server sees those that run beside it."""
_KUBECTL = "kubectl/v1.34.1 (linux/amd64) kubernetes/93248f9"
_KUBELET = "kubelet/v1.34.1 (linux/amd64) kubernetes/93248f9"
_MANAGER = (
    "kube-controller-manager/v1.34.1 (linux/amd64) kubernetes/93248f9/system:serviceaccount:kube-system:"
)
_KUBELET_USER = User(f"system:node:{NODE}", "", ("system:nodes", "system:authenticated"))
_SCHEDULER = "kube-scheduler/v1.34.1 (linux/amd64) kubernetes/93248f9/scheduler"
_SCHEDULER_USER = User(objects.SCHEDULER, "", ("system:authenticated",))
_TOKEN_S = 3607
"""What a kubelet asks for (`expirationSeconds` of the projected volume)."""
_FEDERATED_S = 3600
_UPGRADE = (
    ("upgrade", "websocket"),
    ("connection", "Upgrade"),
    ("sec-websocket-protocol", "v5.channel.k8s.io"),
)
_LAB_USERS = (
    "system:node:",
    "system:kube-scheduler",
    "system:serviceaccount:kube-system:",
    "kubernetes-admin",
)
_MOST_CREATED = 100
_FIRST_GUEST = 6
"""Last part of the address of the first pod that a pod makes: `SECOND_POD_IP`."""


class Cluster:
    """The API server of a run, at `address`."""

    def __init__(
        self, record: Record, roster: Roster, clock: Clock, tls: Tls | None, address: tuple[str, int]
    ) -> None:
        self._record = record
        self._roster = roster
        self._clock = clock
        self._ours: set[str] = set()
        self._told: set[str] = set()
        self._silent = True
        self._api = ApiServer(objects.world(), audit=self._audited, clock=clock, tls=tls, address=address)
        self._pods, self._accounts = self._resource("pods"), self._resource("serviceaccounts")
        keys = msgspec.json.decode(self._api.ask("GET", "/openid/v1/jwks").body)["keys"]
        self._key = key_of(keys[0])
        self._silent = False
        self.port = self._api.port

    def start(self) -> None:
        """Serve."""
        self._api.start()

    def stop(self) -> None:
        """Close the API server."""
        self._api.close()

    # --- what the lab tells it --------------------------------------------------------------------------------------

    def add(self, pod: Pod) -> dict[str, object]:
        """Let the pod be there as its workload's controller makes it and its kubelet runs it; its tokens."""
        spec = pod.spec
        path = f"/api/v1/namespaces/{spec.namespace}/pods"
        if pod.uid not in self._told:
            self._ensure(spec)
            controller = objects.controller_of(spec.workload_kind)
            new = objects.pod_object(spec)
            answer = self._must("POST", path, _manager(controller), new, _MASTER_IP, _MANAGER + controller)
            self._bind(path, spec.name)
            self._ours.add(pod.uid)
            self._api.load(
                [objects.running(msgspec.json.decode(answer.body), spec, pod.uid, pod.container_id)]
            )
        else:
            self._bind(path, spec.name)
            status = {"status": objects.status(spec, pod.container_id)}
            self._must("PATCH", f"{path}/{spec.name}/status", _KUBELET_USER, status, _NODE_IP, _KUBELET)
        return {"token": self._token(pod), "federated_token": self._token(pod, EXCHANGE_AUDIENCE)}

    def remove(self, pod: Pod) -> None:
        """Take the pod away, as its controller or its kubelet does."""
        spec = pod.spec
        controller = objects.controller_of(spec.workload_kind)
        user = _manager(controller) if controller else _KUBELET_USER
        peer, agent = (_MASTER_IP, _MANAGER + controller) if controller else (_NODE_IP, _KUBELET)
        path = f"/api/v1/namespaces/{spec.namespace}/pods/{spec.name}?gracePeriodSeconds=0"
        answer = self._api.ask("DELETE", path, user=user, peer=peer, agent=agent)
        if answer.status not in (200, 202, 404):  # 404: a pod took it away
            raise ControlError(f"the API server answered {answer.status} to the end of {spec.name}")

    def exec(self, pod: Pod, argv: tuple[str, ...], user: str) -> None:
        """Tell of a `kubectl exec` that the lab carries out itself."""
        words = [("command", word) for word in argv]
        query = urlencode([*words, ("container", pod.spec.container), ("stderr", "true"), ("stdout", "true")])
        path = f"/api/v1/namespaces/{pod.spec.namespace}/pods/{pod.spec.name}/exec?{query}"
        who = User(user, "", (objects.OPERATORS, "system:authenticated"))
        answer = self._api.ask("GET", path, user=who, peer=_OPERATOR_IP, agent=_KUBECTL, headers=_UPGRADE)
        if answer.stream is None or answer.stream.talk is None:
            raise ControlError(f"the API server answered {answer.status} to exec in {pod.spec.name}")
        answer.stream.talk(_nothing, _no_more)  # its end is audited too

    def secret(self, namespace: str, name: str, data: Mapping[str, str]) -> None:
        """Put a secret there, unaudited: it was there before."""
        self._api.load(
            [
                {
                    "apiVersion": "v1",
                    "kind": "Secret",
                    "metadata": {"name": name, "namespace": namespace},
                    "stringData": dict(data),
                }
            ]
        )

    def load(self, items: list[Object]) -> None:
        """Put any objects there, unaudited."""
        self._api.load(items)

    def created(self) -> list[dict[str, object]]:
        """Pods that pods made, each told once: a `PodSpec` and the uid."""
        found: list[dict[str, object]] = []
        for stored in self._api.store.all(self._pods):
            if stored.uid in self._ours or stored.uid in self._told or len(self._told) >= _MOST_CREATED:
                continue
            self._told.add(stored.uid)
            taken = {str(each["ip"]) for each in found}
            guest = self._guest(stored.read(), taken)
            found.append({"pod": msgspec.to_builtins(guest), "uid": stored.uid, "ip": guest.ip})
        return found

    def subject(self, token: str) -> str | None:
        """Whose service account token this is, as Entra finds out: by the issuer's published keys, without asking it."""
        claims = check(token, self._key, self._clock.now())
        if claims is None:
            return None
        audiences, subject = claims.get("aud"), claims.get("sub")
        meant = audiences if isinstance(audiences, list) else [audiences]
        return subject if EXCHANGE_AUDIENCE in meant and isinstance(subject, str) else None

    # --- inside -----------------------------------------------------------------------------------------------------

    def _resource(self, plural: str) -> Resource:
        found = self._api.catalogue.named("", plural)
        if found is None:
            raise AssertionError(plural)
        return found

    def _ensure(self, spec: PodSpec) -> None:
        """Account and workload of a pod, where the world has none: they were there before."""
        if self._api.store.get(self._accounts, spec.namespace, spec.service_account) is None:
            metadata = {"name": spec.service_account, "namespace": spec.namespace}
            self._api.load([{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}])

    def _bind(self, path: str, name: str) -> None:
        """What the scheduler does with a new pod."""
        body = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": name},
            "target": {"kind": "Node", "name": NODE},
        }
        self._must("POST", f"{path}/{name}/binding", _SCHEDULER_USER, body, _MASTER_IP, _SCHEDULER)

    def _token(self, pod: Pod, audience: str = "") -> str:
        """A token that the kubelet asks for: it is audited, without the token."""
        spec: Object = {
            "audiences": [audience] if audience else [],
            "expirationSeconds": _FEDERATED_S if audience else _TOKEN_S,
            "boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": pod.spec.name, "uid": pod.uid},
        }
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        path = f"/api/v1/namespaces/{pod.spec.namespace}/serviceaccounts/{pod.spec.service_account}/token"
        answer = self._must("POST", path, _KUBELET_USER, body, _NODE_IP, _KUBELET)
        return str(msgspec.json.decode(answer.body)["status"]["token"])

    def _must(self, method: str, path: str, user: User, body: Object, peer: str, agent: str) -> Answer:
        answer = self._api.ask(method, path, body, user=user, peer=peer, agent=agent)
        if answer.status >= 300:
            said = msgspec.json.decode(answer.body, type=dict[str, Any]).get("message", "")
            raise ControlError(f"the API server answered {method} {path} with {answer.status}: {said}")
        return answer

    def _audited(self, event: Object) -> None:
        if self._silent:
            return
        self._record.telemetry("kubernetes-audit.jsonl", event)
        user = str(event.get("user", {}).get("username", ""))
        if event.get("stage") != "ResponseComplete" or user.startswith(_LAB_USERS):
            return
        mark, members = _mark_of(event)
        peer = str(next(iter(event.get("sourceIPs") or ()), ""))
        code = event.get("responseStatus", {}).get("code", 0)
        self._record.mark(
            mark, user=user[:256], **members, code=code, peer=peer, pod=self._roster.name_at(peer)
        )

    def _guest(self, item: Object, taken: set[str]) -> PodSpec:
        """A pod that was made through the API, as the lab starts it: its first container, with the next free address."""
        spec, metadata = item["spec"], item["metadata"]
        container = spec["containers"][0]
        words = [*_texts(container.get("command")), *_texts(container.get("args"))]
        listed = container.get("env") if isinstance(container.get("env"), list) else []
        pairs = [(each.get("name"), each.get("value")) for each in listed if isinstance(each, dict)]
        ports = container.get("ports")
        port = (
            ports[0].get("containerPort")
            if isinstance(ports, list) and ports and isinstance(ports[0], dict)
            else 0
        )
        return PodSpec(
            name=metadata["name"],
            namespace=metadata["namespace"],
            argv=tuple(words) or PodSpec("").argv,
            env={name: value for name, value in pairs if isinstance(name, str) and isinstance(value, str)},
            workload=metadata["name"],
            workload_kind="Pod",
            container=container["name"],
            image=container["image"],
            service_account=spec["serviceAccountName"],
            labels={name: str(value) for name, value in (metadata.get("labels") or {}).items()},
            sensor=False,
            ip=self._free_ip(taken),
            port=port if isinstance(port, int) and 0 < port < 65_536 else 0,
        )

    def _free_ip(self, taken: set[str]) -> str:
        network = POD_NETWORK.rpartition(".")[0]
        for last in range(_FIRST_GUEST, 250):
            ip = f"{network}.{last}"
            if ip not in taken and self._roster.at(ip) is None:
                return ip
        raise ControlError("no address is free for another pod")


def _mark_of(event: Object) -> tuple[str, dict[str, object]]:
    """The mark that tells of a request, with what it is about."""
    ref, verb = event.get("objectRef") or {}, str(event.get("verb", ""))
    resource, part = str(ref.get("resource", "")), str(ref.get("subresource", ""))
    about: dict[str, object] = {"namespace": str(ref.get("namespace", ""))[:256]}
    if resource == "secrets" and verb in ("list", "watch"):
        return "api-list-secrets", about
    about["name"] = str(ref.get("name", ""))[:256]
    if resource == "secrets" and verb == "get":
        return "api-secret", about
    if resource == "serviceaccounts" and part == "token":
        return "api-token-request", about
    if resource == "pods" and verb == "create" and not part:
        return "api-pod-created", about
    return "api-call", {"verb": verb[:32], "resource": f"{resource}/{part}".strip("/")[:256], **about}


def _manager(controller: str) -> User:
    """A controller, by its own service account; the lab's administrator for pods that nobody's controller makes."""
    if not controller:
        return ADMIN
    groups = ("system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated")
    return User(f"system:serviceaccount:kube-system:{controller}", "", groups)


def _texts(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []


def _nothing(seconds: float) -> bytes:
    """What a client that is gone sends."""
    del seconds
    return b""


def _no_more(data: bytes) -> None:
    """Where what is sent to a client that is gone goes."""
    del data
