"""A live cluster is asked over real HTTP and TLS; what it refuses is a gap, and what it is never asked for are Secrets."""

from __future__ import annotations

import base64
import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from eightysix.context.inventory import Inventory
from eightysix.lab.apiserver import ApiServer, Authority, Tls
from eightysix.lab.apiserver.pki import new_key
from eightysix.model.errors import ClusterError, UsageError
from eightysix.serve.cluster import (
    RESOURCES,
    Bounds,
    ClusterClient,
    ClusterConfig,
    Collected,
    Listed,
    Resource,
    collect_inventory,
    from_kubeconfig,
    in_cluster,
    reachable_as,
)
from tests.context.objects import account, at, node, pod

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

MANIFEST = Path(__file__).resolve().parents[2] / "deploy" / "cluster" / "reader.yaml"
PODS = RESOURCES[0]
SECRET = {
    "kind": "Secret",
    "apiVersion": "v1",
    "metadata": {"name": "acr-push-sp", "namespace": "ml"},
    "data": {"password": "Q0FOQVJZ"},
}


def manifests() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(MANIFEST.read_text()))


def objects(pods: int = 3) -> list[dict[str, Any]]:
    made = [
        pod(f"inference-{n}", f"00000000-0000-4000-8000-{n:012}", ip=f"10.244.1.{n + 5}") for n in range(pods)
    ]
    return [node(), account("inference-sa", "aaaa"), SECRET, *made]


@pytest.fixture(scope="module")
def key() -> RSAPrivateKey:
    """One for all servers: making one takes as long as a test."""
    return new_key()


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("kubernetes")


@pytest.fixture
def serve(
    authority: Authority, key: RSAPrivateKey
) -> Iterator[Callable[..., tuple[ApiServer, ClusterConfig, list[Any]]]]:
    """An API server over TLS, how the account of the manifest reaches it, and its audit events."""
    servers: list[ApiServer] = []

    def start(
        held: list[dict[str, Any]], role: list[dict[str, Any]] | None = None, **more: Any
    ) -> tuple[ApiServer, ClusterConfig, list[Any]]:
        events: list[Any] = []
        tls = Tls.made(authority, ("127.0.0.1",))
        server = ApiServer(
            [*held, *(manifests() if role is None else role)], audit=events.append, tls=tls, key=key, **more
        ).start()
        servers.append(server)
        token = server.token("eightysix", "eightysix-inventory").token
        return server, ClusterConfig(server.url, "aks", authority=tls.authority, token=token), events

    yield start
    for server in servers:
        server.close()


def collect(config: ClusterConfig, bounds: Bounds | None = None, **more: Any) -> tuple[Inventory, Collected]:
    inventory = Inventory()
    with ClusterClient(config, bounds, sleep=lambda _: None) as client:
        return inventory, collect_inventory(client, inventory, lambda: at("12:00:00"), **more)


def test_the_role_of_the_manifest_is_enough_and_nothing_else_is_asked_for(
    serve: Callable[..., Any],
) -> None:
    _, config, events = serve(objects())
    inventory, done = collect(config)
    assert done.gaps == []
    assert not done.taken.problems
    found = inventory.running_as("ml/inference-sa", at("11:00:00"))
    assert [(p.name, p.node, p.cluster) for p in found] == [
        (f"inference-{n}", node()["metadata"]["name"], "aks") for n in range(3)
    ]
    assert inventory.ids_of("ml/inference-sa", at("11:00:00")) == {"aaaa"}
    asked = {(e["verb"], e["objectRef"]["resource"]) for e in events if e["stage"] == "ResponseComplete"}
    assert asked == {("list", resource.plural) for resource in RESOURCES}
    assert "CANARY" not in repr(vars(inventory.facts))
    assert "Q0FOQVJZ" not in repr(vars(inventory.facts))


def test_the_manifest_is_valid() -> None:
    for each in manifests():
        kubernetes_validate.validate(each, kubernetes_validate.latest_version(), strict=True)


def test_the_role_has_no_more_than_is_asked_for() -> None:
    (role,) = [each for each in manifests() if each["kind"] == "ClusterRole"]
    given = {
        (group, name) for rule in role["rules"] for group in rule["apiGroups"] for name in rule["resources"]
    }
    assert given == {(resource.group, resource.plural) for resource in RESOURCES}
    assert {verb for rule in role["rules"] for verb in rule["verbs"]} == {"list"}
    assert not any("secrets" in rule["resources"] or "*" in rule["resources"] for rule in role["rules"])


@pytest.mark.parametrize("left_out", range(3))
def test_what_may_not_be_listed_is_a_gap_and_the_rest_is_known(
    serve: Callable[..., Any], left_out: int
) -> None:
    told = manifests()
    (role,) = [each for each in told if each["kind"] == "ClusterRole"]
    gone = role["rules"].pop(left_out)["resources"]
    _, config, _ = serve(objects(), told)
    inventory, done = collect(config)
    assert len(done.gaps) == len(gone)
    assert all("may not be listed (403)" in gap for gap in done.gaps)
    assert bool(inventory.pods()) is ("pods" not in gone)


def test_namespaces_are_asked_for_one_by_one(serve: Callable[..., Any]) -> None:
    elsewhere = pod("other", "00000000-0000-4000-8000-000000000099", namespace="elsewhere")
    _, config, _ = serve([*objects(), elsewhere])
    inventory, done = collect(config, namespaces=("ml",))
    assert {p.namespace for p in inventory.pods()} == {"ml"}
    assert not done.gaps
    assert inventory.nodes()  # of no namespace


def test_a_list_comes_in_pages(serve: Callable[..., Any]) -> None:
    _, config, _ = serve(objects(23))
    inventory, done = collect(config, Bounds(page=5))
    assert len(inventory.pods()) == 23
    assert (done.lists[0].items, done.lists[0].pages, done.lists[0].mixed) == (23, 5, False)


def test_a_list_that_expires_is_gone_on_with(serve: Callable[..., Any]) -> None:
    server, config, _ = serve(objects(12), history=10)
    listed = Listed(PODS)
    with ClusterClient(config, Bounds(page=5)) as client:
        found = []
        for page in client.list(PODS, listed):
            found += [json.loads(bytes(item))["metadata"]["name"] for item in page.items]
            if listed.pages == 1:
                for number in range(60):  # etcd compacts: what was begun is no longer held
                    changed = pod(
                        "inference-0", f"00000000-0000-4000-8000-{0:012}", labels={"n": str(number)}
                    )
                    server.load([changed])
    assert (listed.mixed, listed.gap) == (True, "")
    assert sorted(found) == sorted(f"inference-{n}" for n in range(12))


def test_who_is_not_known_is_an_error_and_so_is_another_authority(serve: Callable[..., Any]) -> None:
    _, config, _ = serve(objects())
    stranger = ClusterConfig(config.server, "aks", authority=config.authority, token="nobody")
    with pytest.raises(ClusterError, match="does not know who asks"):
        collect(stranger)
    other = ClusterConfig(config.server, "aks", authority=Authority("other").certificate, token=config.token)
    with pytest.raises(ClusterError, match="certificate is not valid"):
        collect(other)


def test_secrets_are_never_asked_for(serve: Callable[..., Any]) -> None:
    _, config, events = serve(objects())
    secrets = Resource("Secret", "secrets")
    with ClusterClient(config) as client, pytest.raises(UsageError):
        next(client.list(secrets, Listed(secrets)))
    assert not events


def test_a_client_certificate_of_a_kubeconfig_is_shown(
    serve: Callable[..., Any], authority: Authority, tmp_path: Path
) -> None:
    server, _, _ = serve(objects())
    mine = authority.client("mira", ("system:masters",))
    (tmp_path / "key.pem").write_bytes(mine.key)
    path = kubeconfig(
        tmp_path,
        {"server": server.url, "certificate-authority-data": _b64(authority.certificate)},
        {"client-certificate-data": _b64(mine.certificate), "client-key": "key.pem"},
    )
    inventory, done = collect(from_kubeconfig(path))
    assert (len(inventory.pods()), done.gaps) == (3, [])
    assert {p.cluster for p in inventory.pods()} == {"c"}


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def kubeconfig(folder: Path, cluster: dict[str, Any], user: dict[str, Any]) -> str:
    path = folder / "config"
    told = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path.write_text(yaml.safe_dump(told))
    return str(path)


@pytest.mark.parametrize(
    ("cluster", "user", "why"),
    [
        ({}, {"exec": {"command": "touch", "args": ["{tmp}/ran"]}}, "has a program run"),
        ({}, {"auth-provider": {"name": "gcp"}}, "plugin"),
        ({}, {"username": "a", "password": "b"}, "password"),
        ({}, {"as": "system:admin"}, "acts as somebody else"),
        ({"insecure-skip-tls-verify": True}, {}, "trusts any certificate"),
        ({"proxy-url": "http://127.0.0.1:1"}, {}, "proxy"),
        ({"server": "http://10.0.0.1:80"}, {}, "without TLS"),
        ({"server": "http://127.0.0.1:80"}, {"token": "t"}, "token of the cluster would go out"),
        ({"server": "https://user:pw@h/"}, {}, "no usable URL"),
        ({"server": "ftp://h/"}, {}, "no usable URL"),
        ({"server": "https://h:99999/"}, {}, "no usable URL"),
        ({"certificate-authority-data": "***"}, {}, "damaged"),
        ({"certificate-authority": "absent.crt"}, {}, "cannot be read"),
    ],
)
def test_a_kubeconfig_makes_nothing_run_and_nothing_unsafe(
    tmp_path: Path, cluster: dict[str, Any], user: dict[str, Any], why: str
) -> None:
    told = json.loads(json.dumps(user).replace("{tmp}", str(tmp_path)))
    path = kubeconfig(tmp_path, {"server": "https://127.0.0.1:1"} | cluster, told)
    with pytest.raises(UsageError) as raised:
        from_kubeconfig(path)
    assert why in raised.value.what
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("text", ["", "- 1", "a: [", "clusters: 7", "current-context: gone", "x: &a [*a]"])
def test_what_is_no_kubeconfig_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "config").write_text(text)
    with pytest.raises(UsageError):
        from_kubeconfig(str(tmp_path / "config"))


def test_the_account_of_the_pod_is_used_and_its_token_read_anew(
    serve: Callable[..., Any], tmp_path: Path
) -> None:
    server, config, _ = serve(objects())
    (tmp_path / "ca.crt").write_bytes(config.authority)
    (tmp_path / "token").write_text("old")
    environment = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(server.port)}
    found = in_cluster(environment, str(tmp_path))
    with pytest.raises(ClusterError):
        collect(found)
    (tmp_path / "token").write_text(config.token + "\n")
    assert len(collect(found)[0].pods()) == 3
    with pytest.raises(UsageError):
        in_cluster({}, str(tmp_path))


def test_what_is_told_of_a_configuration_holds_no_credential() -> None:
    assert "CANARY" not in repr(ClusterConfig("https://h", token="CANARY", key=b"CANARY"))
    assert reachable_as(ClusterConfig("https://h:6443/base")).server


# -- servers that mean no good


class Bad(ThreadingHTTPServer):
    """Answers as it is told: a function of the number of the request, and its handler."""

    daemon_threads = True

    def __init__(self, answer: Callable[[int, BaseHTTPRequestHandler], None]) -> None:
        self.asked = 0
        self.targets: list[str] = []
        bad = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                bad.asked += 1
                bad.targets.append(self.path)
                answer(bad.asked, self)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def config(self) -> ClusterConfig:
        return reachable_as(ClusterConfig(f"http://127.0.0.1:{self.server_address[1]}", "bad"))


@pytest.fixture
def bad() -> Iterator[Callable[..., Bad]]:
    made: list[Bad] = []

    def start(answer: Callable[[int, BaseHTTPRequestHandler], None]) -> Bad:
        made.append(Bad(answer))
        return made[-1]

    yield start
    for one in made:
        one.shutdown()
        one.server_close()


def say(handler: BaseHTTPRequestHandler, status: int, body: bytes, *headers: tuple[str, str]) -> None:
    handler.send_response(status)
    for name, value in (*headers, ("Content-Length", str(len(body)))):
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def page(*items: object, more: str = "") -> bytes:
    return json.dumps({"kind": "PodList", "metadata": {"continue": more}, "items": items}).encode()


def of_list(server: Bad, **bounds: Any) -> Listed:
    listed = Listed(PODS)
    with ClusterClient(server.config, Bounds(**bounds), sleep=lambda _: None) as client:
        for _ in client.list(PODS, listed):
            pass
    return listed


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"<html>", "no list"),
        (b"[" * 5000, "no list"),
        (b'{"items":7}', "no list"),
        (b"x" * 4096, "larger than"),
    ],
)
def test_an_answer_that_is_no_list_is_a_gap(bad: Callable[..., Bad], body: bytes, why: str) -> None:
    server = bad(lambda _, handler: say(handler, 200, body))
    assert why in of_list(server, page_bytes=4000 if why == "larger than" else 1 << 20).gap


def test_a_list_without_end_ends(bad: Callable[..., Bad]) -> None:
    server = bad(lambda number, handler: say(handler, 200, page({}, more=f"m{number}")))
    listed = of_list(server, pages=7)
    assert (listed.pages, server.asked) == (7, 7)
    assert "there are more than is read" in listed.gap
    same = bad(lambda _, handler: say(handler, 200, page({}, more="same")))
    assert "repeats itself" in of_list(same).gap
    assert same.asked == 2


def test_too_busy_is_tried_again_and_given_up_on(bad: Callable[..., Bad]) -> None:
    def once(number: int, handler: BaseHTTPRequestHandler) -> None:
        say(handler, 429 if number < 3 else 200, page({}), ("Retry-After", "99999999"))

    listed = of_list(bad(once))
    assert (listed.items, listed.gap) == (1, "")
    always = bad(lambda _, handler: say(handler, 503, b""))
    assert "answers 503" in of_list(always, tries=3).gap
    assert always.asked == 3


def test_a_redirect_is_not_followed(bad: Callable[..., Bad]) -> None:
    server = bad(lambda _, handler: say(handler, 302, b"", ("Location", "http://169.254.169.254/")))
    assert "answers 302" in of_list(server).gap
    assert server.asked == 1


def test_who_drips_is_cut_off(bad: Callable[..., Bad]) -> None:
    ended = threading.Event()

    def drip(_: int, handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        try:
            while not ended.wait(0.02):
                handler.wfile.write(b" ")
                handler.wfile.flush()
        except OSError:
            ended.set()

    with pytest.raises(ClusterError, match="no whole answer came in time"):
        of_list(bad(drip), deadline_s=0.3)
    assert ended.wait(5.0)


def test_who_falls_silent_after_the_first_page_leaves_a_gap(bad: Callable[..., Bad]) -> None:
    silent = threading.Event()

    def answer(number: int, handler: BaseHTTPRequestHandler) -> None:
        if number == 1:
            say(handler, 200, page({}, more="m"))
        else:
            silent.wait(3.0)

    listed = of_list(bad(answer), timeout_s=0.2)
    silent.set()
    assert (listed.items, "the first 1 are known" in listed.gap) == (1, True)


def test_nobody_there_is_an_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        config = ClusterConfig(f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(ClusterError, match="cannot be asked"):
            collect(config)


def test_hostile_objects_cost_themselves_alone(bad: Callable[..., Bad]) -> None:
    good = pod("a", "good")
    good.pop("kind")
    items = [7, None, {"metadata": 7}, {"metadata": {"uid": "x"}}, good]
    server = bad(lambda _, handler: say(handler, 200, page(*items)))
    inventory, done = collect(server.config, resources=(PODS,))
    assert [p.uid for p in inventory.pods()] == ["good"]
    assert done.taken.malformed == 3
