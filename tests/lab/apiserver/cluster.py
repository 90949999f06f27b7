"""A small cluster with one inference pod, and a client that speaks plain HTTP with the standard library."""

from __future__ import annotations

import http.client
import json
from typing import Any

from eightysix.lab.apiserver import ApiServer

Json = dict[str, Any]

SECOND = 1_000_000_000
START = 1_790_000_000 * SECOND
RBAC = "rbac.authorization.k8s.io"


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.ns = START

    def __call__(self) -> int:
        self.ns += 1000  # a microsecond a look, so that stamps are in order
        return self.ns

    def leap(self, seconds: float) -> None:
        self.ns += int(seconds * SECOND)


def pod(name: str, namespace: str = "ml", **spec: object) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"app": name.rpartition("-")[0] or name},
        },
        "spec": {
            "serviceAccountName": "default",
            "containers": [{"name": "server", "image": "registry.example/ml/inference:prod"}],
            **spec,
        },
        "status": {"phase": "Running"},
    }


def role(name: str, namespace: str, *rules: tuple[str, str, str], names: tuple[str, ...] = ()) -> Json:
    """`rules` are group, resources and verbs with blanks between."""
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "Role" if namespace else "ClusterRole",
        "metadata": {"name": name, **({"namespace": namespace} if namespace else {})},
        "rules": [
            {
                "apiGroups": [group],
                "resources": resources.split(),
                "verbs": verbs.split(),
                **({"resourceNames": list(names)} if names else {}),
            }
            for group, resources, verbs in rules
        ],
    }


def binding(name: str, namespace: str, role: str, *subjects: Json, kind: str = "Role") -> Json:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
        "metadata": {"name": name, **({"namespace": namespace} if namespace else {})},
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": role},
        "subjects": list(subjects),
    }


def account(name: str, namespace: str = "ml") -> Json:
    return {"kind": "ServiceAccount", "name": name, "namespace": namespace}


CLUSTER: list[Json] = [
    {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "aks-gpu-0"}},
    {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "inference-sa", "namespace": "ml"}},
    {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "acr-push-sp", "namespace": "ml"},
        "stringData": {"clientSecret": "lab-not-a-secret"},
    },
    pod("inference-0", nodeName="aks-gpu-0", serviceAccountName="inference-sa"),
    role("reader", "ml", ("", "secrets pods", "get list watch"), ("", "serviceaccounts/token", "create")),
    binding("reader", "ml", "reader", account("inference-sa")),
]


class Client:
    """Asks one server, as one user."""

    def __init__(self, server: ApiServer, token: str = "") -> None:
        self._server = server
        self._token = token

    def __call__(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        accept: str = "application/json",
        content: str = "application/json",
        headers: dict[str, str] | None = None,
    ) -> tuple[int, Any]:
        connection = http.client.HTTPConnection(*self._server.address, timeout=20)
        try:
            data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            told = {"Accept": accept, "User-Agent": "test/1", **(headers or {})}
            if data is not None:
                told["Content-Type"] = content
            if self._token:
                told["Authorization"] = f"Bearer {self._token}"
            connection.request(method, path, data, told)
            answer = connection.getresponse()
            text = answer.read()
            kind = answer.headers.get("content-type", "")
            return answer.status, json.loads(text) if kind == "application/json" else text
        finally:
            connection.close()

    def get(self, path: str, **more: Any) -> Any:
        status, body = self("GET", path, **more)
        assert status == 200, body
        return body

    def create(self, path: str, body: object, **more: Any) -> Any:
        status, made = self("POST", path, body, **more)
        assert status == 201, made
        return made


class Lab:
    """A running server, what it audited, and clients for it."""

    def __init__(self, server: ApiServer, events: list[Json], clock: Clock) -> None:
        self.server = server
        self.events = events
        self.clock = clock
        self.admin = Client(server, "operator-token")
        self.anonymous = Client(server)

    def account(
        self, name: str = "inference-sa", namespace: str = "ml", *, pod: str = "inference-0"
    ) -> Client:
        return Client(self.server, self.server.token(namespace, name, pod=pod).token)

    def last(self) -> Json:
        return self.events[-1]
