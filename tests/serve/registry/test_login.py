"""Who gets told what: tokens are asked for where a registry may send us, for reading alone; secrets go nowhere else."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.gate.digests import digest_of
from eightysix.model.errors import RegistryError, UsageError
from eightysix.serve.registry import DockerConfig, EntraLogin, Login, RegistryClient, Settings
from eightysix.serve.registry.challenge import find_realm, parse_challenges
from tests.serve.registry.liar import Asked, Liar, Out, bearer

REPO = "ml/llm"
BODY = b"{}"
USER = "reader"
SECRET = "CANARY-password"
BASIC = "Basic " + base64.b64encode(f"{USER}:{SECRET}".encode()).decode()


class Fixed:
    """The same login for every registry."""

    def __init__(self, login: Login | None) -> None:
        self.login = login

    def find(self, registry: str, repository: str) -> Login | None:
        return self.login

    def hint(self, registry: str) -> str:
        return "a hint"


NAMED = Fixed(Login(user=USER, password=SECRET))


class World:
    """Registries and token servers by host name, without a network: `shown` is who was asked what, with which login."""

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response]) -> None:
        self.shown: list[tuple[str, str]] = []
        self.requests: list[httpx.Request] = []
        self._answer = answer

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._note)

    def _note(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        url = request.url
        place = f"{url.scheme}://{url.netloc.decode()}{url.path}"
        self.shown.append((f"{request.method} {place}", request.headers.get("authorization", "")))
        return self._answer(request)


def registry_with(realm: str, token: Mapping[str, Any] | None = None, **more: str) -> World:
    """A registry `r.example` that takes the token `good`."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith("/v2/"):
            if request.headers.get("authorization") == "Bearer good":
                return httpx.Response(200, content=BODY, headers={"docker-content-digest": digest_of(BODY)})
            return httpx.Response(401, headers=bearer(realm, **{"service": "r.example", **more}))
        return httpx.Response(200, json=dict(token or {"token": "good"}))

    return World(answer)


def client(world: World, login: Any = NAMED, registry: str = "r.example", **more: Any) -> RegistryClient:
    settings = Settings(**more.pop("settings", {}))
    return RegistryClient(registry, login, settings, transport=world.transport(), **more)


def failure(call: Callable[..., object], *arguments: object) -> RegistryError:
    with pytest.raises(RegistryError) as error:
        call(*arguments)
    assert "CANARY" not in f"{error.value.what} {error.value.advice}"
    assert error.value.advice
    return error.value


def test_a_token_is_asked_for_where_the_registry_says_for_reading_alone() -> None:
    world = registry_with(
        "https://r.example/token?account=x", scope="repository:other/secret:push,pull registry:catalog:*"
    )
    asked = client(world)
    assert asked.head(REPO, "prod") is not None
    assert world.shown == [
        (f"HEAD https://r.example/v2/{REPO}/manifests/prod", ""),
        ("GET https://r.example/token", BASIC),
        (f"HEAD https://r.example/v2/{REPO}/manifests/prod", "Bearer good"),
    ]
    query = world.requests[1].url.params
    assert (query["scope"], query["service"], query["account"]) == (
        f"repository:{REPO}:pull",
        "r.example",
        "x",
    )
    asked.head(REPO, "prod")
    assert len(world.shown) == 4, "the token is kept"


def test_each_repository_has_a_token_of_its_own() -> None:
    world = registry_with("https://r.example/token")
    asked = client(world)
    asked.head(REPO, "prod")
    asked.head("ml/other", "prod")
    assert [request.url.params["scope"] for request in world.requests if request.url.path == "/token"] == [
        f"repository:{REPO}:pull",
        "repository:ml/other:pull",
    ]


def test_a_token_that_ended_is_asked_for_anew_before_it_is_refused() -> None:
    now = [0.0]
    world = registry_with("https://r.example/token", {"access_token": "good", "expires_in": 300})
    asked = client(world, clock=lambda: now[0])
    for second in (0, 200, 289):
        now[0] = float(second)
        asked.head(REPO, "prod")
    assert len(world.shown) == 5
    now[0] = 291.0
    asked.head(REPO, "prod")
    assert len(world.shown) == 8


@pytest.mark.parametrize("seconds", [-5, 0, 1, 1e300, None])
def test_no_token_is_kept_shorter_than_a_minute_or_longer_than_an_hour(seconds: float | None) -> None:
    now = [0.0]
    world = registry_with("https://r.example/token", {"token": "good", "expires_in": seconds})
    asked = client(world, clock=lambda: now[0])
    asked.head(REPO, "prod")
    now[0] = 45.0
    asked.head(REPO, "prod")
    assert len(world.shown) == 4
    now[0] = 3_700.0
    asked.head(REPO, "prod")
    assert len(world.shown) == 7


def test_a_token_that_was_taken_back_is_replaced_once() -> None:
    good = ["one"]

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/token":
            return httpx.Response(200, json={"token": good[0]})
        if request.headers.get("authorization") == f"Bearer {good[0]}":
            return httpx.Response(200, headers={"docker-content-digest": digest_of(BODY)})
        return httpx.Response(401, headers=bearer("https://r.example/token"))

    world = World(answer)
    asked = client(world)
    asked.head(REPO, "prod")
    good[0] = "two"
    asked.head(REPO, "prod")
    assert [shown for _, shown in world.shown] == ["", BASIC, "Bearer one", "Bearer one", BASIC, "Bearer two"]


def test_a_registry_that_never_takes_its_own_token_is_refused_and_not_asked_for_ever() -> None:
    world = registry_with("https://r.example/token", {"token": "bad"})
    error = failure(client(world).head, REPO, "prod")
    assert (error.kind, error.advice, len(world.shown)) == ("refused", "a hint", 3)


@pytest.mark.parametrize(
    "realm",
    [
        "https://evil.example/token",
        "https://r.example.evil.example/token",
        "https://xr.example/token",
        "https://auth.docker.io/token",
    ],
)
def test_credentials_go_to_no_host_that_a_registry_makes_up(realm: str) -> None:
    world = registry_with(realm)
    error = failure(client(world).head, REPO, "prod")
    assert error.kind == "refused"
    assert len(world.shown) == 1, "nobody was asked"
    host = realm.split("/")[2]
    assert client(world, settings={"auth_hosts": {"r.example": (host,)}}).head(REPO, "prod") is not None
    anonymous = registry_with(realm)
    assert client(anonymous, None).head(REPO, "prod") is not None, "nobody's token may be asked for there"
    assert [shown for _, shown in anonymous.shown] == ["", "", "Bearer good"]


@pytest.mark.parametrize(
    "realm",
    [
        "http://r.example/token",
        "http://127.0.0.1:8001/token",
        "https://127.0.0.1/token",
        "https://localhost./token",
        "https://[::1]/token",
        "http://169.254.169.254/metadata",
        "https://r.example@evil.example/token",
        "https://user:pass@r.example/token",
        "https://r.example/token#x",
        "https://r.example/to ken",
        "https://r.example:99999/",
        "https://[::1",
        "file:///etc/passwd",
        "//r.example/token",
        "",
        "https://r.example/" + "x" * 3_000,
    ],
)
@pytest.mark.parametrize("login", [NAMED, None])
def test_a_realm_that_nobody_may_be_sent_to_is_not_asked(realm: str, login: Any) -> None:
    world = registry_with(realm)
    assert failure(client(world, login).head, REPO, "prod").kind == "broken"
    assert len(world.shown) == 1


@pytest.mark.parametrize(
    ("status", "content", "kind"),
    [
        (200, b"<html>", "broken"),
        (200, b"{}", "broken"),
        (200, b'{"token": "a b"}', "broken"),
        (200, b'{"token": "a\\r\\nHost: evil"}', "broken"),
        (200, b'{"token": 5}', "broken"),
        (200, json.dumps({"token": "x" * 20_000}).encode(), "broken"),
        (200, b'{"token": "' + b"x" * 70_000, "too-large"),
        (302, b"", "broken"),
        (400, b"", "refused"),
        (401, b"", "refused"),
        (403, b"", "refused"),
        (429, b"", "throttled"),
        (500, b"", "unreachable"),
    ],
)
def test_what_is_no_token_is_not_shown(status: int, content: bytes, kind: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/token":
            return httpx.Response(status, content=content, headers={"location": "https://evil.example/"})
        return httpx.Response(401, headers=bearer("https://r.example/token"))

    world = World(answer)
    assert failure(client(world).head, REPO, "prod").kind == kind
    assert [url.split("/")[2] for url, _ in world.shown] == ["r.example"] * 2


def test_basic_is_shown_where_it_is_asked_for_and_to_nobody_without_tls() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.headers.get("authorization") == BASIC:
            return httpx.Response(200, headers={"docker-content-digest": digest_of(BODY)})
        return httpx.Response(401, headers={"www-authenticate": 'Basic realm="r", charset="UTF-8"'})

    world = World(answer)
    assert client(world).head(REPO, "prod") is not None
    wrong = World(lambda request: httpx.Response(401, headers={"www-authenticate": "Basic"}))
    assert failure(client(wrong).head, REPO, "prod").kind == "refused"
    plain = World(answer)
    error = failure(client(plain, settings={"plain_http": frozenset({"r.example"})}).head, REPO, "prod")
    assert error.kind == "refused"
    assert [shown for _, shown in plain.shown] == [""]
    assert plain.requests[0].url.scheme == "http"


def test_bearer_is_taken_before_basic_and_what_is_no_challenge_is_an_error() -> None:
    found = parse_challenges('Negotiate, Basic realm="a, b=c", Bearer realm="x\\"y" , service=z')
    assert [(each.scheme, each.parameters) for each in found] == [
        ("negotiate", {}),
        ("basic", {"realm": "a, b=c"}),
        ("bearer", {"realm": 'x"y', "service": "z"}),
    ]
    for text in ('Bearer realm="x', "Bearer realm=x,realm=y", '"', "=", "x" * 9_000, "Bearer é", "a," * 50):
        with pytest.raises(ValueError, match=r"."):
            parse_challenges(text)


@given(st.text(max_size=60) | st.text('Bearer realm="x",=\\ ', max_size=60))
def test_any_text_is_challenges_or_an_error(text: str) -> None:
    try:
        found = parse_challenges(text)
    except ValueError:
        return
    assert all(each.scheme for each in found)


@given(st.text(max_size=60) | st.text("https://r.example@[]:/127.0.0.1", max_size=40))
def test_no_realm_outside_of_the_registry_gets_credentials(text: str) -> None:
    try:
        realm = find_realm(text, "r.example", Settings())
    except RegistryError:
        return
    assert realm.url.startswith("https://")
    assert realm.trusted == (realm.host == "r.example")
    assert httpx.URL(realm.url).host.rstrip(".") == realm.host, "both read the same host"


def test_a_refresh_token_is_posted_and_never_part_of_an_address() -> None:
    world = registry_with("https://r.example/oauth2/token", {"access_token": "good"})
    assert client(world, Fixed(Login(refresh="CANARY-refresh"))).head(REPO, "prod") is not None
    request = world.requests[1]
    form = dict(httpx.QueryParams(request.content.decode()))
    assert request.method == "POST"
    assert form["grant_type"] == "refresh_token"
    assert form["refresh_token"] == "CANARY-refresh"
    assert form["scope"] == f"repository:{REPO}:pull"
    assert not any("CANARY" in str(each.url) for each in world.requests)


def test_a_token_of_entra_is_exchanged_at_the_registry_itself() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        form = dict(httpx.QueryParams(request.content.decode()))
        if request.url.path == "/oauth2/exchange":
            assert form == {
                "grant_type": "access_token",
                "service": "acme.azurecr.io",
                "access_token": "CANARY-entra",
            }
            return httpx.Response(200, json={"refresh_token": "acr-refresh"})
        if request.url.path == "/oauth2/token":
            assert (form["refresh_token"], form["grant_type"]) == ("acr-refresh", "refresh_token")
            return httpx.Response(200, json={"access_token": "good"})
        if request.headers.get("authorization") == "Bearer good":
            return httpx.Response(200, headers={"docker-content-digest": digest_of(BODY)})
        return httpx.Response(
            401, headers=bearer("https://acme.azurecr.io/oauth2/token", service="acme.azurecr.io")
        )

    world = World(answer)
    assert client(world, Fixed(Login(entra="CANARY-entra")), "acme.azurecr.io").head(REPO, "prod") is not None
    assert [url for url, _ in world.shown][1:3] == [
        "POST https://acme.azurecr.io/oauth2/exchange",
        "POST https://acme.azurecr.io/oauth2/token",
    ]


def test_an_identity_in_azure_is_shown_to_registries_of_azure_alone() -> None:
    def entra(asked: Asked, out: Out) -> None:
        assert asked.query["resource"] == "https://containerregistry.azure.net"
        out.reply(200, b'{"access_token": "CANARY-entra", "expires_in": "3600"}')

    with Liar(entra) as metadata:
        environment = {"AZURE_POD_IDENTITY_AUTHORITY_HOST": metadata.url}
        source = EntraLogin(environment, lambda: 0.0, hosts=frozenset({"mirror.example"}))
        for registry in ("acme.azurecr.io", "mirror.example"):
            login = source.find(registry, REPO)
            assert login is not None
            assert login.entra == "CANARY-entra"
            assert "CANARY" not in repr(login)
        for registry in (
            "acme.azurecr.io.evil.example",
            "azurecr.io.example",
            "r.example",
            "acme.azurecr.io:5000",
        ):
            assert source.find(registry, REPO) is None
    with pytest.raises(RegistryError) as error:
        EntraLogin(environment, lambda: 0.0).find("acme.azurecr.io", REPO)
    assert error.value.kind == "refused"


def test_threads_that_want_the_same_token_ask_once() -> None:
    asked_for = []
    gate = threading.Event()

    def answer(asked: Asked, out: Out) -> None:
        if asked.path == "/token":
            asked_for.append(1)
            gate.wait(5.0)
            out.reply(200, b'{"token": "good"}')
        elif asked.headers.get("authorization") == "Bearer good":
            out.reply(200, headers={"docker-content-digest": digest_of(BODY)})
        else:
            out.reply(401, headers=bearer(f"http://{asked.headers['host']}/token"))
            if len(liar.asked) >= 4:
                gate.set()

    with Liar(answer) as liar, RegistryClient(liar.host, NAMED) as one:
        found: list[object] = []
        threads = [threading.Thread(target=lambda: found.append(one.head(REPO, "prod"))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10.0)
    assert len(found) == 4
    assert None not in found
    assert len(asked_for) == 1


def config(folder: Path, told: object) -> str:
    path = folder / "config.json"
    path.write_text(told if isinstance(told, str) else json.dumps(told))
    return str(path)


def auth(user: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def test_a_config_json_is_read_as_docker_and_podman_write_it(tmp_path: Path) -> None:
    path = config(
        tmp_path,
        {
            "auths": {
                "https://index.docker.io/v1/": auth("hub", "h"),
                "Acme.azurecr.io": {
                    "identitytoken": "CANARY-refresh",
                    **auth("00000000-0000-0000-0000-000000000000", ""),
                },
                "q.example": auth("all", "p:w"),
                "q.example/ml": auth("team", "t"),
                "q.example/ml/llm": {"username": "one", "password": "o"},
                "broken.example": {"auth": "%%%"},
                "empty.example": {},
                "not a host": auth("x", "y"),
                "robot.example": auth("<token>", "CANARY-token"),
            },
            "HttpHeaders": {"X": "y"},
            "credsStore": "",
        },
    )
    read = DockerConfig(path)

    def found(registry: str, repository: str) -> tuple[str, str, str] | None:
        login = read.find(registry, repository)
        return None if login is None else (login.user, login.password, login.refresh)

    assert found("docker.io", "library/python") == ("hub", "h", "")
    assert found("acme.azurecr.io", REPO) == ("", "", "CANARY-refresh")
    assert found("q.example", "other") == ("all", "p:w", "")
    assert found("q.example", "ml/x") == ("team", "t", "")
    assert found("q.example", "mlx") == ("all", "p:w", "")
    assert found("q.example", "ml/llm") == ("one", "o", "")
    assert found("robot.example", "x") == ("", "", "CANARY-token")
    assert [found(name, "x") for name in ("broken.example", "empty.example", "unknown.example")] == [None] * 3
    assert "CANARY" not in repr(read.find("acme.azurecr.io", "x"))
    assert "nothing for it" in read.hint("unknown.example")
    assert "still good" in read.hint("q.example")
    config(tmp_path, {"auths": {"q.example": auth("new", "n")}})
    assert found("q.example", "ml/llm") == ("new", "n", ""), "secrets are renewed while it runs"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"auths": {"a.b": {"auth": "CANARY',
        '{"auths": {"a.b": {"auth": 5}}}',
        "x" * 2_000_000,
    ],
)
def test_a_file_that_is_no_config_is_told_without_a_word_of_it(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError) as error:
        DockerConfig(config(tmp_path, text))
    assert "CANARY" not in f"{error.value.what}{error.value.__cause__}"
    with pytest.raises(UsageError):
        DockerConfig(str(tmp_path / "absent.json"))


def test_no_program_is_run_for_credentials_unless_it_was_allowed(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    program = tmp_path / "docker-credential-tool"
    program.write_text(
        f"#!/bin/sh\nread server\necho $server >> {ran}\n"
        'case $server in h.example) echo \'{"ServerURL":"x","Username":"<token>","Secret":"CANARY-id"}\';;\n'
        "bad.example) echo CANARY;; *) exit 1;; esac\n"
    )
    program.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    path = config(
        tmp_path,
        {
            "credHelpers": {"h.example": "tool", "bad.example": "tool", "evil.example": "../../evil"},
            "credsStore": "tool",
        },
    )
    careful = DockerConfig(path, environment=environment)
    assert careful.find("h.example", REPO) is None
    assert "docker-credential-tool" in careful.hint("h.example")
    assert not ran.exists()
    allowed = DockerConfig(path, frozenset({"tool", "../../evil"}), environment=environment)
    login = allowed.find("h.example", REPO)
    assert login is not None
    assert login.refresh == "CANARY-id"
    assert allowed.find("docker.io", REPO) is None
    assert ran.read_text().split() == ["h.example", "https://index.docker.io/v1/"]
    with pytest.raises(RegistryError) as error:
        allowed.find("bad.example", REPO)
    assert "CANARY" not in error.value.what
    with pytest.raises(UsageError):
        allowed.find("evil.example", REPO)
