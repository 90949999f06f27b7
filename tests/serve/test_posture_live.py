"""A cluster that is hostile, slow, changing or half closed, asked over real HTTP: what can be known is, and the rest is named."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from eightysix.lab.apiserver import ApiServer, User
from eightysix.posture.judge import World, judge
from eightysix.posture.reading import SnapshotBuilder
from eightysix.posture.snapshot import Snapshot
from eightysix.serve.cluster import Bounds, ClusterClient, ClusterConfig
from eightysix.serve.posture import RESOURCES, collect

ROOT = Path(__file__).resolve().parents[2]
ROLE = list(yaml.safe_load_all((ROOT / "deploy" / "cluster" / "posture.yaml").read_text()))
CANARY = "Q0FOQVJZ"
ADMIN = {"admin-token": User("mira", groups=("system:masters",))}
RBAC = "rbac.authorization.k8s.io/v1"


def pod(name: str, namespace: str = "ml", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"containers": [{"name": "c", "image": "i"}], "nodeName": "n", **spec},
        "status": {"phase": "Running"},
    }


def secret(name: str, type_: str = "Opaque", **annotations: str) -> dict[str, Any]:
    applied = {"kubectl.kubernetes.io/last-applied-configuration": f'{{"data":{{"x":"{CANARY}"}}}}'}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": type_,
        "metadata": {
            "name": name,
            "namespace": "ml",
            "annotations": annotations if type_ != "Opaque" else applied,
        },
        "data": {"x": CANARY},
    }


class Tap(ClusterClient):
    """Keeps what was answered, and does something before each request."""

    def __init__(self, config: ClusterConfig, bounds: Bounds | None = None) -> None:
        super().__init__(config, bounds, sleep=lambda _: None)
        self.bodies: list[bytes] = []
        self.before: Callable[[str], None] = lambda path: None

    def ask(self, path: str, accept: str = "application/json") -> bytes:
        self.before(path)
        self.bodies.append(super().ask(path, accept))
        return self.bodies[-1]


def asked(config: ClusterConfig, bounds: Bounds | None = None, **more: Any) -> tuple[SnapshotBuilder, Tap]:
    builder = SnapshotBuilder(cluster="aks")
    client = Tap(config, bounds)
    with client:
        collect(builder, client, **more)
    return builder, client


@pytest.fixture
def server() -> Iterator[Callable[..., ApiServer]]:
    """API servers of the lab over plain HTTP."""
    made: list[ApiServer] = []

    def start(*held: dict[str, Any], **more: Any) -> ApiServer:
        made.append(ApiServer([*held, *ROLE], tokens=ADMIN, **more).start())
        return made[-1]

    yield start
    for one in made:
        one.close()


def as_reader(one: ApiServer) -> ClusterConfig:
    return ClusterConfig(one.url, "aks", token=one.token("eightysix", "eightysix-posture").token)


def as_admin(one: ApiServer) -> ClusterConfig:
    return ClusterConfig(one.url, "aks", token="admin-token")


def test_the_version_is_asked_for_and_a_given_one_stays(server: Callable[..., ApiServer]) -> None:
    config = as_reader(server(pod("p")))
    assert asked(config)[0].snapshot().server == "1.34"
    builder = SnapshotBuilder(server="1.22")
    with ClusterClient(config) as client:
        collect(builder, client)
    assert builder.snapshot().server == "1.22"


def test_types_of_secrets_without_what_they_hold(server: Callable[..., ApiServer]) -> None:
    token = "kubernetes.io/service-account-token"
    one = server(
        pod("p"),
        secret("hub"),
        secret("t", token, **{"kubernetes.io/service-account.name": "robot"}),
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot", "namespace": "ml"}},
    )
    builder, client = asked(as_admin(one), Bounds(page=1), secrets=True)
    snapshot = builder.snapshot()
    assert {name: held.type for name, held in snapshot.secrets.items()} == {"ml/hub": "Opaque", "ml/t": token}
    assert [*(snapshot.secrets["ml/t"].metadata.annotations or {}).values()] == ["robot"]
    assert any(b'"Table"' in body for body in client.bodies)
    assert not any(CANARY.encode() in body for body in client.bodies), "no data came over the wire"
    assert not [gap for gap in snapshot.not_seen if "Secret" in gap.what]
    edges = {(edge.type, edge.source, edge.target) for edge in World(snapshot).edges}
    assert ("SECRET_OF_ACCOUNT", "secret:ml/t", "service-account:ml/robot") in edges


def test_the_shipped_role_may_not_see_secrets_and_that_is_told(server: Callable[..., ApiServer]) -> None:
    one = server(pod("p"), secret("hub"))
    builder, client = asked(as_reader(one), secrets=True)
    snapshot = builder.snapshot()
    assert snapshot.secrets == {}
    assert set(snapshot.pods) == {"ml/p"}
    told = [gap.what for gap in snapshot.not_seen if gap.what.startswith("Secrets of")]
    assert len(told) == 1
    assert "403" in told[0]
    assert not any(CANARY.encode() in body for body in client.bodies)


@pytest.mark.parametrize(
    "refused", [one.plural for one in RESOURCES if not one.group or "k8s.io" in one.group]
)
def test_each_resource_that_is_refused_is_named_and_alone(
    server: Callable[..., ApiServer], refused: str
) -> None:
    one = server(pod("p"), pod("q", "other"))
    client = Tap(as_reader(one))
    original = client.ask

    def ask(path: str, accept: str = "application/json") -> bytes:
        if urlsplit(path).path.endswith(f"/{refused}"):
            path = path.replace(refused, "secrets")  # which the account may not list: a real 403
        return original(path, accept)

    client.ask = ask  # type: ignore[method-assign]
    builder = SnapshotBuilder()
    with client:
        collect(builder, client)
    gaps = {gap.what for gap in builder.snapshot().not_seen}
    named = [gap for gap in gaps if "(403)" in gap]
    optional = {"secretproviderclasses", "azureidentities", "azureidentitybindings"}
    assert len(named) == (refused not in optional)
    assert all(gap.startswith(refused) for gap in named)
    judge(builder.snapshot())


def test_a_list_that_expires_half_way_is_gone_on_with(server: Callable[..., ApiServer]) -> None:
    one = server(*(pod(f"p{number}") for number in range(9)), history=4)
    client = Tap(as_reader(one), Bounds(page=2))
    pages: list[str] = []

    def write(path: str) -> None:
        if "/pods?" in path:
            pages.append(path)
            for number in range(5 if len(pages) == 2 else 0):
                meta = {"name": f"late{number}", "namespace": "ml"}
                one.ask("POST", "/api/v1/namespaces/ml/serviceaccounts", {"metadata": meta})

    client.before = write
    builder = SnapshotBuilder()
    with client:
        done = collect(builder, client)
    (pods,) = [listed for listed in done.lists if listed.resource.kind == "Pod"]
    assert (pods.mixed, pods.gap) == (True, "")
    assert set(builder.snapshot().pods) == {f"ml/p{number}" for number in range(9)}


def test_of_an_object_that_changes_the_latest_stays_in_whatever_order(
    server: Callable[..., ApiServer],
) -> None:
    one = server(*(pod(f"p{number}") for number in range(4)))
    client = Tap(as_reader(one), Bounds(page=2))
    pages: list[str] = []

    def change(path: str) -> None:
        if "/pods?" in path:
            pages.append(path)
            if len(pages) == 2:  # p0 and p1 were told, and p1 and p3 change
                for name in ("p1", "p3"):
                    body = {"metadata": {"labels": {"now": "two"}}}
                    one.ask("PATCH", f"/api/v1/namespaces/ml/pods/{name}", body)

    client.before = change
    builder = SnapshotBuilder()
    with client:
        collect(builder, client)
    assert len(pages) == 2
    labels = {name: held.metadata.labels for name, held in builder.snapshot().pods.items()}
    assert not any(labels.values()), "a list is of one moment"
    older = [json.loads(body)["items"] for body in client.bodies if b'"PodList"' in body]
    again, _ = asked(as_reader(one))
    assert (again.snapshot().pods["ml/p1"].metadata.labels or {}) == {"now": "two"}
    for page in older:
        again.take_items("Pod", "", [json.dumps(item).encode() for item in page], "older")
    assert (again.snapshot().pods["ml/p1"].metadata.labels or {}) == {"now": "two"}


# -- a server that says whatever it likes


class Raw(ThreadingHTTPServer):
    """Answers each list with what it is told to, everything else with an empty list."""

    daemon_threads = True

    def __init__(self, lists: Mapping[str, Callable[[dict[str, list[str]]], tuple[int, bytes]]]) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body in one piece

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                answer = lists.get(parts.path.rpartition("/")[2])
                status, body = answer(parse_qs(parts.query)) if answer else (200, b'{"items":[]}')
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def config(self) -> ClusterConfig:
        return ClusterConfig(f"http://127.0.0.1:{self.server_address[1]}", "raw")


@pytest.fixture
def raw() -> Iterator[Callable[..., ClusterConfig]]:
    made: list[Raw] = []

    def start(**lists: Any) -> ClusterConfig:
        told = {
            name: value if callable(value) else (lambda _, value=value: (200, items(*value)))
            for name, value in lists.items()
        }
        made.append(Raw(told))
        return made[-1].config

    yield start
    for one in made:
        one.shutdown()
        one.server_close()


def items(*held: object, more: str = "") -> bytes:
    return json.dumps({"metadata": {"continue": more}, "items": held}).encode()


def taken(config: ClusterConfig, **bounds: Any) -> tuple[Snapshot, SnapshotBuilder]:
    builder, _ = asked(config, Bounds(**bounds))
    return builder.snapshot(), builder


def owner(kind: str, name: str) -> dict[str, Any]:
    return {"ownerReferences": [{"kind": kind, "name": name, "controller": True}]}


def test_owners_in_a_circle_and_roles_that_gather_each_other(raw: Callable[..., ClusterConfig]) -> None:
    circle = [
        {"metadata": {"name": name, "namespace": "ml", **owner("ReplicaSet", other)}, "spec": {}}
        for name, other in (("a", "b"), ("b", "a"))
    ]
    mine = pod("p")
    mine["metadata"] |= owner("ReplicaSet", "a")
    gather = [
        {
            "metadata": {"name": name, "labels": {"is": name}},
            "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"is": other}}]},
            "rules": [],
        }
        for name, other in (("one", "two"), ("two", "one"))
    ]
    bound = {
        "metadata": {"name": "b"},
        "roleRef": {"kind": "ClusterRole", "name": "one"},
        "subjects": [{"kind": "ServiceAccount", "namespace": "ml", "name": "default"}],
    }
    snapshot, builder = taken(
        raw(pods=[mine], replicasets=circle, clusterroles=gather, clusterrolebindings=[bound])
    )
    assert builder.problems == []
    told = judge(snapshot)
    assert [(one.kind, one.name) for one in told.pods] == [("ReplicaSet", "a")]
    assert told.paths == ()


def test_what_is_malformed_costs_itself_alone(raw: Callable[..., ClusterConfig]) -> None:
    long = "n" * (1 << 20)
    bad: list[Any] = [
        pod(long),
        {**pod("wrong"), "spec": 7},
        {"metadata": {"name": 5}, "spec": {}},
        "text",
        None,
        {
            "metadata": {"name": "x\u0000y", "namespace": "ml"},
            "spec": {"containers": []},
        },
        {**pod("deep"), "spec": json.loads('{"containers":' + "[" * 200 + "]" * 200 + "}")},
        {},
    ]
    snapshot, builder = taken(raw(pods=[*bad, pod("good"), pod("good"), pod("good")]))
    assert "ml/good" in snapshot.pods
    assert len(snapshot.pods) == 2
    assert len(builder.problems) == builder.malformed == 7
    assert all(len(problem.reason) < 600 for problem in builder.problems)
    assert any(gap.what.startswith("7 records") for gap in snapshot.not_seen)
    judge(snapshot)


def test_a_great_number_of_bindings_is_bounded_work(raw: Callable[..., ClusterConfig]) -> None:
    """Of a million: `bench/results/posture_hostile.json`. Here as many as show that pages and order do not matter."""
    count, size = 20_000, 5_000

    def bindings(query: dict[str, list[str]]) -> tuple[int, bytes]:
        start = int(query.get("continue", ["0"])[0])
        held = [
            {
                "metadata": {"name": f"b{number}", "namespace": f"n{number % 50}"},
                "roleRef": {"kind": "ClusterRole", "name": "edit"},
                "subjects": [{"kind": "ServiceAccount", "namespace": "ml", "name": f"s{number % 100}"}],
            }
            for number in range(start, min(start + size, count))
        ]
        return 200, items(*held, more=str(start + size) if start + size < count else "")

    snapshot, builder = taken(raw(pods=[pod("p", serviceAccountName="s1")], rolebindings=bindings))
    assert builder.problems == []
    assert len(snapshot.role_bindings) == count
    world = World(snapshot)
    assert len([edge for edge in world.edges if edge.type == "HOLDS"]) == count
    assert "sink:ns-admin/n1" not in {sink for one in judge(snapshot, world=world).pods for sink in one.sinks}


def test_answers_that_break_off_or_are_none_leave_gaps(raw: Callable[..., ClusterConfig]) -> None:
    config = raw(
        pods=[pod("p")],
        roles=lambda _: (200, b"<html>"),
        rolebindings=lambda _: (500, b"{}"),
        nodes=lambda _: (200, b'{"items":[{"metadata":'),
        clusterroles=lambda query: (200, items({"metadata": {"name": "r"}}, more="again")),
        version=lambda _: (200, b'{"major":"1","minor":"9999999999"}'),
    )
    snapshot, _ = taken(config)
    gaps = {gap.what for gap in snapshot.not_seen}
    for what in (
        "roles.rbac",
        "rolebindings.rbac",
        "nodes: its answer is no list",
        "the server repeats itself",
    ):
        assert any(what in gap for gap in gaps), what
    assert snapshot.server == ""
    assert "the version of the API server" in gaps
    assert set(snapshot.pods) == {"ml/p"}


def test_who_is_slow_is_cut_off_and_the_rest_is_told() -> None:
    """The first list comes whole, the second never ends."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        stop = threading.Event()

        def serve() -> None:
            while not stop.is_set():
                try:
                    peer, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=talk, args=(peer,), daemon=True).start()

        def talk(peer: socket.socket) -> None:
            with peer:
                while data := peer.recv(65_536):
                    if b"/namespaces?" in data:
                        body = items({"metadata": {"name": "ml"}})
                        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
                    else:
                        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n{")
                        stop.wait(5)
                        return

        threading.Thread(target=serve, daemon=True).start()
        config = ClusterConfig(f"http://127.0.0.1:{listening.getsockname()[1]}", "slow")
        builder = SnapshotBuilder()
        with ClusterClient(config, Bounds(timeout_s=0.05, deadline_s=0.1), sleep=lambda _: None) as client:
            client.version = lambda: "1.34"  # type: ignore[method-assign]
            collect(builder, client)
        stop.set()
    gaps = [gap.what for gap in builder.snapshot().not_seen if "no whole answer came in time" in gap.what]
    assert len(gaps) == len(RESOURCES) - 1
    assert set(builder.snapshot().namespaces) == {"ml"}
