"""What a registry answers is held against its digest, within one deadline; every failure says what it is."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from eightysix import __version__
from eightysix.gate.digests import digest_of
from eightysix.gate.mediatypes import ACCEPTED, EMPTY, OCI_INDEX, OCI_MANIFEST
from eightysix.lab.apiserver import Authority, Tls
from eightysix.model.errors import RegistryError, UsageError
from eightysix.serve.registry import Bounds, RegistryClient, Settings
from eightysix.serve.registry.client import Head
from tests.serve.registry.liar import Asked, Handler, Liar, Out

REPO = "ml/llm"
A = "sha256:" + "a" * 64
BODY = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": EMPTY, "digest": A, "size": 2},
        "layers": [],
    }
).encode()
DIGEST = digest_of(BODY)
QUICK = Bounds(deadline_s=0.7, silence_s=0.4, connect_s=0.4, tries=1)

Made = Callable[..., tuple[RegistryClient, Liar]]


@pytest.fixture
def made() -> Iterator[Made]:
    """A client and the registry that it asks."""
    open_: list[tuple[RegistryClient, Liar]] = []

    def start(handler: Handler, bounds: Bounds | None = None, **more: Any) -> tuple[RegistryClient, Liar]:
        liar = Liar(handler).__enter__()
        settings = Settings(bounds=bounds or Bounds(), **more.pop("settings", {}))
        client = RegistryClient(liar.host, settings=settings, **more)
        open_.append((client, liar))
        return client, liar

    yield start
    for client, liar in open_:
        client.close()
        liar.__exit__()


def failure(call: Callable[..., object], *arguments: object) -> RegistryError:
    with pytest.raises(RegistryError) as error:
        call(*arguments)
    assert error.value.advice
    assert error.value.what.isprintable()
    return error.value


def test_head_and_get_ask_for_every_kind_unpacked_and_say_who_asks(made: Made) -> None:
    client, liar = made(lambda asked, out: out.manifest(BODY, OCI_MANIFEST))
    assert client.head(REPO, "prod") == Head(DIGEST, OCI_MANIFEST, len(BODY))
    told = client.manifest(REPO, "prod")
    assert told is not None
    assert (told.digest, told.media_type, told.data) == (DIGEST, OCI_MANIFEST, BODY)
    assert liar.paths() == [f"{method} /v2/{REPO}/manifests/prod" for method in ("HEAD", "GET")]
    for asked in liar.asked:
        assert asked.headers["accept"] == ACCEPTED
        assert asked.headers["accept-encoding"] == "identity"
        assert asked.headers["user-agent"] == f"eightysix/{__version__} gate"
        assert "authorization" not in asked.headers
    assert liar.connections == 1, "one connection is kept"


def test_head_without_a_digest_is_made_up_for_by_get(made: Made) -> None:
    client, liar = made(lambda asked, out: out.manifest(BODY, OCI_MANIFEST, ""))
    assert client.head(REPO, "prod") == Head(DIGEST, OCI_MANIFEST, len(BODY), computed=True)
    assert [asked.method for asked in liar.asked] == ["HEAD", "GET"]


def test_what_is_not_there_is_none(made: Made) -> None:
    client, _ = made(lambda asked, out: out.reply(404, b"{}"))
    assert client.head(REPO, "prod") is None
    assert client.manifest(REPO, A) is None
    assert failure(client.tags, REPO).kind == "absent"
    assert failure(client.blob, REPO, A, 5, list).kind == "absent"


@pytest.mark.parametrize(
    ("reference", "told", "kind"),
    [
        (A, None, "lying"),  # the truth about other bytes
        (A, A, "lying"),  # a lie about them
        (A, "", "lying"),
        ("prod", A, "lying"),
        (DIGEST, A, "lying"),
        ("prod", "sha256:xyz", "broken"),
        ("prod", f"{DIGEST}\r\nDocker-Content-Digest: {DIGEST}", "broken"),
        ("prod", "../../x", "broken"),
    ],
)
def test_a_manifest_that_does_not_have_its_digest_is_a_lie(
    made: Made, reference: str, told: str | None, kind: str
) -> None:
    client, _ = made(lambda asked, out: out.manifest(BODY, OCI_MANIFEST, told))
    assert failure(client.manifest, REPO, reference).kind == kind


def test_a_registry_may_tell_sha512(made: Made) -> None:
    digest = digest_of(BODY, "sha512:")
    client, _ = made(lambda asked, out: out.manifest(BODY, OCI_MANIFEST, digest))
    told = client.manifest(REPO, "prod")
    assert told is not None
    assert told.digest == digest


def test_head_that_names_another_digest_than_was_asked_for_is_a_lie(made: Made) -> None:
    client, _ = made(lambda asked, out: out.manifest(BODY, OCI_MANIFEST))
    assert failure(client.head, REPO, A).kind == "lying"


def test_a_blob_is_given_piece_by_piece_and_held_against_digest_and_size(made: Made) -> None:
    data = bytes(range(256)) * 1_000
    client, _ = made(lambda asked, out: out.reply(200, data))
    pieces: list[bytes] = []
    assert client.blob(REPO, digest_of(data), len(data), pieces.append) == len(data)
    assert b"".join(pieces) == data
    assert client.blob(REPO, digest_of(data, "sha512:"), len(data), pieces.append) == len(data)


@pytest.mark.parametrize(
    ("data", "size", "kind"),
    [(b"other", 5, "lying"), (b"rightx", 5, "lying"), (b"righ", 5, "broken"), (b"", 5, "broken")],
)
def test_a_blob_of_other_bytes_is_a_lie_and_a_cut_one_is_broken(
    made: Made, data: bytes, size: int, kind: str
) -> None:
    client, _ = made(lambda asked, out: out.reply(200, data))
    assert failure(client.blob, REPO, digest_of(b"right"), size, list).kind == kind


def test_a_blob_that_is_cut_on_the_way_is_broken(made: Made) -> None:
    client, _ = made(lambda asked, out: out.reply(200, b"rig", length=5))
    assert failure(client.blob, REPO, digest_of(b"right"), 5, list).kind == "broken"


def test_a_blob_that_never_ends_is_left_at_its_size(made: Made) -> None:
    def endless(asked: Asked, out: Out) -> None:
        out.raw(b"HTTP/1.1 200 OK\r\n\r\n")
        out.for_ever(b"x" * 65_536)

    client, _ = made(endless)
    got: list[int] = []
    error = failure(client.blob, REPO, A, 100_000, lambda piece: got.append(len(piece)))
    assert error.kind == "lying"
    assert sum(got) <= 100_000


def test_a_blob_that_says_it_is_too_large_is_not_asked_for(made: Made) -> None:
    client, liar = made(lambda asked, out: out.reply(200, b"x"))
    assert failure(client.blob, REPO, A, 1_001, list, 1_000).kind == "too-large"
    assert liar.asked == []


def endless_body(asked: Asked, out: Out) -> None:
    out.raw(b"HTTP/1.1 200 OK\r\ncontent-type: x/y\r\n\r\n")
    out.for_ever(b"x" * 65_536)


def endless_chunks(asked: Asked, out: Out) -> None:
    out.raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    out.for_ever(b"2710\r\n" + b"x" * 10_000 + b"\r\n")


def packed(asked: Asked, out: Out) -> None:
    out.reply(
        200, gzip.compress(b" " * 10_000_000), {"content-encoding": "gzip", "content-type": OCI_MANIFEST}
    )


def endless_head(asked: Asked, out: Out) -> None:
    out.raw(b"HTTP/1.1 200 OK\r\n")
    out.for_ever(b"x-header: " + b"x" * 4_000 + b"\r\n")


def endless_promises(asked: Asked, out: Out) -> None:
    out.for_ever(b"HTTP/1.1 103 Early Hints\r\n\r\n", 0.01)


def dripping_head(asked: Asked, out: Out) -> None:
    out.raw(b"HTTP/1.1 200 OK\r\nx-header: ")
    out.for_ever(b"x", 0.05)


def dripping_body(asked: Asked, out: Out) -> None:
    out.raw(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
    out.for_ever(b"x", 0.05)


HOSTILE: list[tuple[Handler, str]] = [
    (endless_body, "too-large"),
    (endless_chunks, "too-large"),
    (packed, "broken"),
    (endless_head, "broken"),
    (endless_promises, "slow"),
    (dripping_head, "slow"),
    (dripping_body, "slow"),
    (lambda asked, out: out.silence(), "slow"),
    (lambda asked, out: out.raw(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), "broken"),
    (lambda asked, out: out.raw(b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n"), "broken"),
    (lambda asked, out: out.reply(500, b"{}"), "unreachable"),
    (lambda asked, out: out.reply(418, b"{}"), "broken"),
    (lambda asked, out: out.reply(204), "broken"),
    (lambda asked, out: out.reply(206, BODY), "broken"),
    (lambda asked, out: out.reply(503), "unreachable"),
    (lambda asked, out: out.reply(429), "throttled"),
    (lambda asked, out: out.reply(401), "refused"),
    (lambda asked, out: out.reply(403), "refused"),
    (lambda asked, out: out.reply(401, headers={"www-authenticate": "Negotiate"}), "broken"),
    (lambda asked, out: out.reply(401, headers={"www-authenticate": 'Bearer realm="'}), "broken"),
    (lambda asked, out: out.reply(401, headers={"www-authenticate": 'Basic realm="x"'}), "refused"),
    (lambda asked, out: out.reply(302, headers={"location": "https://elsewhere.example/x"}), "broken"),
    (lambda asked, out: out.reply(302), "broken"),
    (lambda asked, out: out.reply(302, headers={"location": "http://[::1"}), "broken"),
    (lambda asked, out: out.reply(307, headers={"location": asked.path}), "broken"),
]


@pytest.mark.parametrize(
    ("handler", "kind"), HOSTILE, ids=[f"{n}-{case[1]}" for n, case in enumerate(HOSTILE)]
)
def test_every_hostile_answer_is_an_error_that_says_which(made: Made, handler: Handler, kind: str) -> None:
    client, _ = made(handler, QUICK)
    assert failure(client.manifest, REPO, "prod").kind == kind


@pytest.mark.parametrize("handler", [endless_head, dripping_head, endless_promises])
def test_head_alone_has_the_same_deadline(made: Made, handler: Handler) -> None:
    client, _ = made(handler, QUICK)
    assert failure(client.head, REPO, "prod").kind in ("slow", "broken")


def test_nobody_there_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with RegistryClient(f"127.0.0.1:{port}") as client:
        assert failure(client.head, REPO, "prod").kind == "unreachable"


def test_a_kept_connection_that_ended_is_opened_anew(made: Made) -> None:
    def once(asked: Asked, out: Out) -> None:
        out.manifest(BODY, OCI_MANIFEST)
        out.keep = False

    client, liar = made(once)
    assert [client.head(REPO, "prod") is not None for _ in range(5)] == [True] * 5
    assert liar.connections >= 5


def test_a_registry_that_asks_for_time_gets_it_within_bounds(made: Made) -> None:
    answers = iter([(429, "2"), (503, "1"), (200, "")])
    pauses: list[float] = []

    def busy(asked: Asked, out: Out) -> None:
        status, after = next(answers)
        if status == 200:
            out.manifest(BODY, OCI_MANIFEST)
        else:
            out.reply(status, b'{"errors": [{"code": "TOOMANYREQUESTS"}]}', {"retry-after": after})

    client, _ = made(busy, sleep=pauses.append)
    assert client.manifest(REPO, "prod") is not None
    assert pauses == [2.0, 1.0]


@pytest.mark.parametrize(
    ("after", "told"),
    [("99999999999", 3600.0), ("600", 600.0), ("Fri, 31 Dec 2199 23:59:59 GMT", 3600.0), ("soon", None)],
)
def test_a_long_pause_is_told_and_not_taken(made: Made, after: str, told: float | None) -> None:
    pauses: list[float] = []
    body = b'{"errors": [{"code": "TOOMANYREQUESTS", "message": "CANARY"}]}'
    client, _ = made(
        lambda asked, out: out.reply(429, body, {"retry-after": after}), Bounds(tries=1), sleep=pauses.append
    )
    error = failure(client.head, REPO, "prod")
    assert (error.kind, error.retry_after_s, pauses) == ("throttled", told, [])
    error = failure(client.manifest, REPO, "prod")
    assert "TOOMANYREQUESTS" in error.what
    assert "CANARY" not in error.what, "what a registry says is anybody's text"


def test_blobs_may_lie_elsewhere_and_nothing_is_shown_there(made: Made) -> None:
    data = b"a blob"
    with Liar(lambda asked, out: out.reply(200, data)) as store:
        client, _ = made(lambda asked, out: out.reply(307, headers={"location": f"{store.url}/signed?key=1"}))
        assert client.blob(REPO, digest_of(data), len(data), list) == len(data)
        assert "authorization" not in store.asked[0].headers
        assert failure(client.manifest, REPO, "prod").kind == "broken", "only blobs may"
        assert len(store.asked) == 1


@pytest.mark.parametrize(
    "place",
    [
        "http://elsewhere.example/x",
        "ftp://elsewhere.example/x",
        "file:///etc/passwd",
        "https://user:secret@elsewhere.example/x",
        "https://elsewhere.example/" + "x" * 9_000,
        "",
    ],
)
def test_blobs_are_not_looked_for_just_anywhere(made: Made, place: str) -> None:
    client, liar = made(lambda asked, out: out.reply(302, headers={"location": place}))
    assert failure(client.blob, REPO, A, 5, list).kind == "broken"
    assert len(liar.asked) == 1


def test_tags_are_listed_page_by_page(made: Made) -> None:
    def pages(asked: Asked, out: Out) -> None:
        last = asked.query.get("last", "")
        more = {"link": f'</v2/{REPO}/tags/list?n=1000&last=b>; rel="next"'} if not last else {}
        tags = ["c", "../x", "b"] if last else ["a", "b", 'x"\n']
        out.reply(200, json.dumps({"name": REPO, "tags": tags}).encode(), more)

    client, _ = made(pages)
    listing = client.tags(REPO)
    assert (listing.tags, listing.cut, listing.odd) == (("a", "b", "c"), "", 2)


@pytest.mark.parametrize(
    ("link", "cut"),
    [
        ("<https://elsewhere.example/v2/ml/llm/tags/list>", "the registry sends elsewhere for the rest"),
        ("</v2/other/tags/list>", "the registry sends elsewhere for the rest"),
        ("</v2/ml/llm/tags/list?n=1000>", "the registry does not end its list"),
        ("", ""),
        ("<" + "x" * 9_000 + ">", ""),
    ],
)
def test_a_list_that_leads_elsewhere_or_never_ends_is_cut(made: Made, link: str, cut: str) -> None:
    headers = {"link": f'{link}; rel="next"'} if link else {}
    client, _ = made(lambda asked, out: out.reply(200, b'{"tags": ["a"]}', headers))
    assert client.tags(REPO).cut == cut


def test_pages_and_tags_of_a_list_are_bounded(made: Made) -> None:
    number = iter(range(10_000))

    def more(asked: Asked, out: Out) -> None:
        at = next(number)
        link = {"link": f'</v2/{REPO}/tags/list?last={at}>; rel="next"'}
        out.reply(200, json.dumps({"tags": [f"t{at}-{n}" for n in range(10)]}).encode(), link)

    client, liar = made(more, Bounds(pages=5))
    assert client.tags(REPO).cut == "the registry does not end its list"
    assert len(liar.asked) == 5
    client, _ = made(more, Bounds(tags=25))
    assert client.tags(REPO).cut == "there are more than 25"


@pytest.mark.parametrize("body", [b"<html>", b'{"tags": 5}', b'{"tags": ["a", 5]}', b"", b"[" * 100_000])
def test_a_list_that_is_none_is_broken(made: Made, body: bytes) -> None:
    client, _ = made(lambda asked, out: out.reply(200, body))
    assert failure(client.tags, REPO).kind == "broken"


def test_no_name_leads_to_another_path(made: Made) -> None:
    client, liar = made(lambda asked, out: out.reply(200, b"{}"))
    for repository, reference in (
        (REPO, "../x"),
        ("../x", "a"),
        ("ml/llm/manifests/x", "a b"),
        (REPO, "a?b=c"),
        (REPO, ""),
    ):
        with pytest.raises(UsageError):
            client.head(repository, reference)
    with pytest.raises(UsageError):
        client.referrers(REPO, "prod")
    with pytest.raises(UsageError):
        client.blob(REPO, "prod", 5, list)
    assert liar.asked == []


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Names that resolve to what a test wants."""
    known: dict[str, str] = {}
    real = socket.getaddrinfo

    def resolve(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        return real(known.get(host, host), port, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return known


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, str]:
    """A server's TLS, and the file of its authority."""
    tls = Tls.made(Authority("registry"), ("registry.test", "evil.test"))
    folder = tmp_path_factory.mktemp("tls")
    for name, data in (("ca.pem", tls.authority), ("cert.pem", tls.certificate), ("key.pem", tls.key)):
        (folder / name).write_bytes(data)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context, str(folder / "ca.pem")


def test_tls_with_an_authority_of_ones_own(
    authority: tuple[ssl.SSLContext, str], names: dict[str, str]
) -> None:
    context, ca_file = authority
    names["registry.test"] = names["wrong.test"] = "127.0.0.1"
    with Liar(lambda asked, out: out.manifest(BODY, OCI_MANIFEST), context) as liar:
        registry = f"registry.test:{liar.port}"
        with RegistryClient(registry, settings=Settings(ca_file=ca_file)) as client:
            assert client.head(REPO, "prod") == Head(DIGEST, OCI_MANIFEST, len(BODY))
        with RegistryClient(registry) as client:
            error = failure(client.head, REPO, "prod")
            assert (error.kind, "certificate" in error.what) == ("unreachable", True)
        with RegistryClient(f"wrong.test:{liar.port}", settings=Settings(ca_file=ca_file)) as client:
            assert "certificate" in failure(client.head, REPO, "prod").what
        assert len(liar.asked) == 1
    with pytest.raises(UsageError):
        RegistryClient("registry.test", settings=Settings(ca_file="/nowhere.pem"))


def test_without_tls_only_this_machine_or_what_was_named_is_asked(names: dict[str, str]) -> None:
    names["registry.test"] = "127.0.0.1"
    with Liar(lambda asked, out: out.manifest(BODY, OCI_MANIFEST)) as liar:
        registry = f"registry.test:{liar.port}"
        with RegistryClient(registry, settings=Settings(bounds=QUICK)) as client:
            assert failure(client.head, REPO, "prod").kind in ("unreachable", "slow")
        assert liar.asked == []
        with RegistryClient(registry, settings=Settings(plain_http=frozenset({registry}))) as client:
            assert client.head(REPO, "prod") is not None


def test_a_handshake_that_never_ends_is_slow(names: dict[str, str]) -> None:
    names["registry.test"] = "127.0.0.1"
    with socket.create_server(("127.0.0.1", 0)) as server:
        registry = f"registry.test:{server.getsockname()[1]}"
        with RegistryClient(registry, settings=Settings(bounds=QUICK)) as client:
            assert failure(client.head, REPO, "prod").kind == "slow"


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "0.0.0.0", "::1", "::ffff:127.0.0.1"])
def test_a_registry_elsewhere_sends_us_to_no_address_of_this_machine_or_its_link(
    authority: tuple[ssl.SSLContext, str], names: dict[str, str], address: str
) -> None:
    context, ca_file = authority
    names["registry.test"] = "127.0.0.1"
    names["evil.test"] = address
    with Liar(lambda asked, out: out.reply(200, b"x"), context) as inside:
        place = f"https://evil.test:{inside.port}/x"
        with Liar(lambda asked, out: out.reply(302, headers={"location": place}), context) as liar:
            settings = Settings(ca_file=ca_file, bounds=QUICK)
            with RegistryClient(f"registry.test:{liar.port}", settings=settings) as client:
                error = failure(client.blob, REPO, A, 5, list)
        assert (error.kind, inside.connections) == ("broken", 0)


@pytest.mark.parametrize(
    "place",
    [
        "https://127.0.0.1:1/x",
        "https://localhost/x",
        "http://127.0.0.1/x",
        "https://[::1]/x",
        "https://127.1/x",
    ],
)
def test_a_registry_elsewhere_sends_us_to_this_machine_by_no_spelling(
    authority: tuple[ssl.SSLContext, str], names: dict[str, str], place: str
) -> None:
    context, ca_file = authority
    names["registry.test"] = "127.0.0.1"
    settings = Settings(ca_file=ca_file, bounds=QUICK)
    with (
        Liar(lambda asked, out: out.reply(302, headers={"location": place}), context) as liar,
        RegistryClient(f"registry.test:{liar.port}", settings=settings) as client,
    ):
        assert failure(client.blob, REPO, A, 5, list).kind == "broken"


def test_the_referrers_api_is_read_and_bounded(made: Made) -> None:
    entries = [{"mediaType": OCI_MANIFEST, "digest": A, "size": 5, "artifactType": "a/b"}] * 3
    body = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()
    client, liar = made(
        lambda asked, out: out.reply(200, body, {"content-type": OCI_INDEX}), Bounds(referrers=2)
    )
    listed = client.referrers(REPO, DIGEST)
    assert [each.artifact_type for each in listed.found] == ["a/b"] * 2
    assert (listed.tagged, listed.problems) == (
        False,
        ("more than 2 things refer to it: the first are read",),
    )
    assert liar.paths() == [f"GET /v2/{REPO}/referrers/{DIGEST}"]


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (500, b"", "unreachable"),
        (200, b"<html>", "broken"),
        (200, BODY, "broken"),
        (403, b"", "refused"),
        (429, b"", "throttled"),
    ],
)
def test_a_registry_that_does_not_say_what_refers_is_no_registry_where_nothing_does(
    made: Made, status: int, body: bytes, kind: str
) -> None:
    client, _ = made(lambda asked, out: out.reply(status, body, {"content-type": OCI_MANIFEST}), QUICK)
    assert failure(client.referrers, REPO, DIGEST).kind == kind


def test_referrers_that_never_end_are_told(made: Made) -> None:
    body = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}).encode()
    for link in (f"</v2/{REPO}/referrers/{DIGEST}>", "<https://elsewhere.example/x>"):
        headers = {"content-type": OCI_INDEX, "link": f'{link}; rel="next"'}
        client, liar = made(lambda asked, out, headers=headers: out.reply(200, body, headers))
        assert client.referrers(REPO, DIGEST).problems == (
            "the registry does not end its list of what refers to it",
        )
        assert len(liar.asked) == 1


def test_a_tag_that_should_list_referrers_and_does_not_is_a_problem_and_not_nothing(made: Made) -> None:
    def old(asked: Asked, out: Out) -> None:
        if "/referrers/" in asked.path:
            out.reply(404, b"404 page not found")
        else:
            out.manifest(BODY, OCI_MANIFEST)

    client, liar = made(old)
    listed = client.referrers(REPO, DIGEST)
    assert (listed.found, listed.tagged, len(listed.problems)) == ((), True, 1)
    assert liar.paths()[1] == f"GET /v2/{REPO}/manifests/sha256-{DIGEST[7:]}"
