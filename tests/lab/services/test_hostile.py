"""What a hostile pod may send to each stand-in: never a fault, never a token in what is written."""

from __future__ import annotations

import socket
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eightysix.lab.services.arm import Arm
from eightysix.lab.services.http import Answer, Request
from eightysix.lab.services.index import Index
from eightysix.lab.services.login import Login
from eightysix.lab.services.metadata import Metadata
from eightysix.lab.services.registry import Door
from eightysix.lab.services.registry_own import OwnRegistry
from eightysix.lab.services.sink import Sink
from eightysix.lab.world import ARM_HOST, LOGIN_HOST, REGISTRY_HOST, SUBSCRIPTION, TENANT
from tests.lab.services.world import NONCE, World

NAMES = ("metadata", "login", "arm", "storage", "sink", "index", "registry", "own")
_PIECES = st.one_of(
    st.sampled_from(
        [
            *(
                "metadata",
                "identity",
                "oauth2",
                "token",
                "instance",
                "compute",
                "0",
                "attested",
                "document",
                "versions",
            ),
            *(
                TENANT,
                "v2.0",
                "common",
                "discovery",
                ".well-known",
                "openid-configuration",
                "keys",
                "exchange",
            ),
            *(
                "subscriptions",
                SUBSCRIPTION,
                "providers",
                "resources",
                "models",
                "simple",
                "files",
                "v2",
                "_catalog",
            ),
            *(
                "ml",
                "manifests",
                "blobs",
                "uploads",
                "tags",
                "list",
                "prod",
                "..",
                "",
                "%00",
                "%ff",
                "%2e%2e",
                "sha256:00",
            ),
        ]
    ),
    st.text(max_size=12),
)
_VALUES = st.one_of(
    st.sampled_from(
        [
            *(
                "2018-02-01",
                "2021-02-01",
                "https://management.azure.com/",
                "list",
                "text",
                "json",
                "true",
                "a.b.c",
                "0",
            ),
            *(
                "client_credentials",
                "refresh_token",
                "access_token",
                REGISTRY_HOST,
                "repository:ml:pull,push",
                "::",
                "é",
            ),
        ]
    ),
    st.text(max_size=30),
)
_FIELDS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *(
                    "api-version",
                    "resource",
                    "client_id",
                    "format",
                    "nonce",
                    "comp",
                    "restype",
                    "prefix",
                    "digest",
                    "mount",
                ),
                *(
                    "from",
                    "grant_type",
                    "client_secret",
                    "client_assertion",
                    "scope",
                    "service",
                    "refresh_token",
                    "access_token",
                ),
            ]
        ),
        _VALUES,
    ),
    max_size=6,
).map(lambda pairs: "&".join(f"{name}={value}" for name, value in pairs))
_HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *(
                    "metadata",
                    "authorization",
                    "host",
                    "content-type",
                    "range",
                    "x-ms-range",
                    "accept",
                    "user-agent",
                ),
                *("x-ms-blob-type", "x-forwarded-for", "x-eightysix-lab-caller", "content-length"),
            ]
        ),
        st.one_of(
            st.sampled_from(
                [
                    *(
                        "true",
                        "Bearer a.b.c",
                        "Basic !!",
                        "Basic YTpi",
                        "SharedKey a:b",
                        ARM_HOST,
                        LOGIN_HOST,
                    ),
                    *(
                        "bytes=0-",
                        "bytes=-",
                        "BlockBlob",
                        "application/x-www-form-urlencoded",
                        "text/html;q=x, */*",
                    ),
                ]
            ),
            st.text(st.characters(max_codepoint=255), max_size=40),
        ),
    ),
    max_size=6,
)
_BODIES = st.one_of(
    st.binary(max_size=80),
    _FIELDS.map(lambda text: text.encode("utf-8", "replace")),
    st.sampled_from(
        [b"{}", b'{"a":' * 200, b"[" * 5000, b'{"config":null,"layers":[{"digest":"x"}]}', b'{"layers":1}']
    ),
)
_REQUESTS = st.builds(
    Request,
    st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "get"]),
    st.lists(_PIECES, max_size=7).map(lambda steps: "/" + "/".join(steps)),
    _FIELDS,
    _HEADERS.map(tuple),
    _BODIES,
    st.just("127.0.0.1"),
    st.just(1),
)


def _handler(world: World, name: str) -> object:
    services = world.services
    directory, roster, record = services.directory, services.roster, services.record
    made = {
        "metadata": lambda: Metadata(
            directory, services.authority.server(("metadata.azure.com",)), roster, NONCE
        ),
        "login": lambda: Login(directory, roster, services.cluster.subject if services.cluster else None),
        "arm": lambda: Arm(directory, roster),
        "storage": lambda: services.storage,
        "sink": lambda: Sink(record, roster),
        "index": lambda: Index(world.index, record, roster),
        "registry": lambda: Door(directory, roster, OwnRegistry()),
        "own": OwnRegistry,
    }
    return made[name]()


@pytest.mark.parametrize("name", NAMES)
def test_whatever_is_asked_is_answered(world: World, name: str) -> None:
    handler = _handler(world, name)
    assert callable(handler)
    token = world.token() if name in ("arm", "storage") else ""

    @settings(max_examples=150, suppress_health_check=list(HealthCheck))
    @given(_REQUESTS, st.booleans())
    def run(request: Request, signed: bool) -> None:
        if signed and token:
            fields = {name: getattr(request, name) for name in Request.__struct_fields__}
            request = Request(
                **{**fields, "headers": (("authorization", f"Bearer {token}"), *request.headers)}
            )
        answer = handler(request)
        assert isinstance(answer, Answer)
        assert 200 <= answer.status < 500
        for name, value in answer.headers:
            assert (name + value).isprintable()
            assert value.isascii()

    run()


SERVED = ("metadata", "sink", "index", "arm", "storage", "registry")


@pytest.mark.parametrize("name", SERVED)
def test_on_the_wire_too(world: World, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    @settings(max_examples=40, suppress_health_check=list(HealthCheck))
    @given(_REQUESTS)
    def run(request: Request) -> None:
        target = quote(request.path, safe="/%.:") + "?" + quote(request.query, safe="=&%:/")
        lines = [f"{request.method} {target} HTTP/1.1", "host: a", "connection: close"]
        lines += [f"{name}: {value}" for name, value in request.headers if name != "content-length"]
        head = "\r\n".join([*lines, f"content-length: {len(request.body)}", "", ""]).encode("latin-1")
        said = _talk(world, name, head + request.body)
        assert said.startswith(b"HTTP/1.1 "), said[:100]
        assert said[9:10] in b"234"

    run()
    assert capfd.readouterr().err == ""


def _talk(world: World, name: str, data: bytes) -> bytes:
    ports = world.addresses[name]
    plain = "http" in ports
    with socket.create_connection((ports["ip"], ports["http" if plain else "https"]), timeout=20) as raw:
        connection = raw if plain else world.trust.wrap_socket(raw, server_hostname=ports["ip"])
        parts = []
        with connection:
            connection.sendall(data)
            while part := connection.recv(1 << 16):
                parts.append(part)
        return b"".join(parts)


def test_nothing_of_it_is_a_token(world: World) -> None:
    text = world.written()
    assert b'"mark"' in text
    assert b"eyJhbGciOi" not in text
