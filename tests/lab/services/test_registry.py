"""The registry by its own door: real docker-registry where it is, and the lab's small one."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from hashlib import sha256
from urllib.parse import urlencode, urlsplit

import pytest

from eightysix.lab.services.directory import PUSHER
from eightysix.lab.services.registry import CALLER, target_of
from eightysix.lab.services.registry_debian import find
from eightysix.lab.world import OBJECT_ID, PUSH_CLIENT_ID, PUSH_SECRET, REGISTRY_HOST
from tests.lab.services.world import Reply, World, running
from tests.tiers import require_tier

MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@pytest.fixture(scope="module", params=["own", pytest.param("debian", marks=pytest.mark.tier("registry"))])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    if request.param == "debian" and find("docker-registry") is None:
        require_tier("registry", "there is no docker-registry (Debian's package of this name)")
    with running(tmp_path_factory.mktemp("registry"), registry=request.param) as found:
        yield found


def _call(
    world: World, method: str, path: str, body: bytes | None = None, *, token: str = "", **headers: str
) -> Reply:
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return world.call("registry", method, path, body, host=REGISTRY_HOST, **headers)


def _form(world: World, path: str, **fields: str) -> Reply:
    body = urlencode({"service": REGISTRY_HOST, **fields}).encode()
    return _call(world, "POST", path, body, content_type="application/x-www-form-urlencoded")


def _access(world: World, scope: str) -> str:
    """An access token of the managed identity, by way of Entra and the exchange."""
    refresh = _form(world, "/oauth2/exchange", grant_type="access_token", access_token=world.token()).json[
        "refresh_token"
    ]
    return str(
        _form(world, "/oauth2/token", grant_type="refresh_token", scope=scope, refresh_token=refresh).json[
            "access_token"
        ]
    )


def _push_access(world: World, repository: str) -> str:
    """An access token of the stolen principal, as `docker login` gets one."""
    coded = base64.b64encode(f"{PUSH_CLIENT_ID}:{PUSH_SECRET}".encode()).decode()
    path = f"/oauth2/token?service={REGISTRY_HOST}&scope=repository:{repository}:pull,push"
    return str(_call(world, "GET", path, Authorization=f"Basic {coded}").json["access_token"])


def _push(world: World, repository: str, tag: str, content: bytes) -> str:
    return str(
        world.ask(
            "push",
            repository=repository,
            tag=tag,
            content_b64=base64.b64encode(content).decode(),
            by="acr-push-sp",
        )["digest"]
    )


def test_nobody_is_let_in_without_a_token(world: World) -> None:
    answer = _call(world, "GET", "/v2/")
    assert (answer.status, answer.headers["docker-distribution-api-version"]) == (401, "registry/2.0")
    assert (
        answer.headers["www-authenticate"]
        == f'Bearer realm="https://{REGISTRY_HOST}/oauth2/token",service="{REGISTRY_HOST}"'
    )
    answer = _call(world, "PUT", "/v2/ml/inference/manifests/prod", b"{}")
    assert answer.headers["www-authenticate"].endswith(',scope="repository:ml/inference:pull,push"')
    assert (
        _call(world, "GET", "/v2/_catalog")
        .headers["www-authenticate"]
        .endswith(',scope="registry:catalog:*"')
    )
    for path in ("/v2/_catalog", "/v2/ml/inference/tags/list", "/v2/ml/inference/blobs/sha256:00"):
        assert _call(world, "GET", path, token="a.b.c").status == 401
    assert _call(world, "GET", "/other").status == 404
    assert _form(world, "/oauth2/exchange", grant_type="access_token", access_token="a.b.c").status == 401
    storage = world.token("https://storage.azure.com")
    assert _form(world, "/oauth2/exchange", grant_type="access_token", access_token=storage).status == 401


def test_a_push_by_the_run_is_told_with_digest_identity_and_address(world: World) -> None:
    content = b"weights" * 1000
    digest = _push(world, "models/intent", "prod", content)
    rows = world.lines("registry.jsonl")
    login, pushed = rows[-2:]
    assert (login["Type"], login["OperationName"], login["Identity"]) == (
        "ContainerRegistryLoginEvents",
        "Login",
        PUSHER.object_id,
    )
    assert (pushed["Type"], pushed["OperationName"]) == ("ContainerRegistryRepositoryEvents", "Push")
    assert (pushed["Repository"], pushed["Tag"], pushed["Digest"]) == ("models/intent", "prod", digest)
    assert (pushed["Identity"], pushed["CallerIpAddress"]) == (PUSHER.object_id, "198.51.100.20")
    assert pushed["UserAgent"].startswith("docker/")
    assert world.marks("registry-push")[-1]["digest"] == digest
    again = _push(world, "models/intent", "prod", content + b"!")
    assert again != digest  # the same tag, another digest

    token = _access(world, "repository:models/intent:pull,push")
    manifest = _call(world, "GET", "/v2/models/intent/manifests/prod", token=token, Accept=MANIFEST)
    assert manifest.headers["docker-content-digest"] == again
    assert f"sha256:{sha256(manifest.body).hexdigest()}" == again
    layer = manifest.json["layers"][0]["digest"]
    assert _call(world, "GET", f"/v2/models/intent/blobs/{layer}", token=token).body == content + b"!"
    pulled = world.lines("registry.jsonl")[-1]
    assert (pulled["OperationName"], pulled["Digest"], pulled["Identity"]) == ("Pull", again, OBJECT_ID)
    assert pulled["CallerIpAddress"] == "127.0.0.1"
    assert (
        _call(world, "GET", f"/v2/models/intent/manifests/{digest}", token=token, Accept=MANIFEST).status
        == 200
    )
    assert world.marks("registry-pull")[-1]["tag"] == ""
    count = len(world.marks("registry-pull"))
    head = _call(world, "HEAD", "/v2/models/intent/manifests/prod", token=token, Accept=MANIFEST)
    assert (head.status, head.headers["content-length"]) == (200, str(len(manifest.body)))
    assert len(world.marks("registry-pull")) == count  # to ask whether is no pull


def test_a_client_pushes_step_by_step_and_rights_end_at_the_repository(world: World) -> None:
    token = _push_access(world, "ml/step")
    body = b"layer of the step"
    digest = f"sha256:{sha256(body).hexdigest()}"
    assert _call(world, "HEAD", f"/v2/ml/step/blobs/{digest}", token=token).status == 404
    begun = _call(world, "POST", "/v2/ml/step/blobs/uploads/", b"", token=token)
    assert begun.status == 202
    where = begun.headers["location"]
    patched = _call(world, "PATCH", where, body, token=token, content_type="application/octet-stream")
    assert (patched.status, patched.headers["range"]) == (202, f"0-{len(body) - 1}")
    split = urlsplit(patched.headers["location"])
    target = f"{split.path}?{split.query}{'&' if split.query else ''}digest={digest}"
    assert _call(world, "PUT", target, b"", token=token).status == 201
    described = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": len(body)}
    manifest = json.dumps(
        {"schemaVersion": 2, "mediaType": MANIFEST, "config": described, "layers": []}
    ).encode()
    put = _call(world, "PUT", "/v2/ml/step/manifests/v1", manifest, token=token, content_type=MANIFEST)
    assert (put.status, put.headers["docker-content-digest"]) == (
        201,
        f"sha256:{sha256(manifest).hexdigest()}",
    )
    missing = manifest.replace(digest.encode(), b"sha256:" + b"0" * 64)
    assert _call(
        world, "PUT", "/v2/ml/step/manifests/v2", missing, token=token, content_type=MANIFEST
    ).status in (400, 404)
    assert _call(world, "GET", "/v2/ml/step/tags/list", token=token).json == {
        "name": "ml/step",
        "tags": ["v1"],
    }
    assert _call(world, "GET", "/v2/ml/other/tags/list", token=token).status == 401
    mount = f"/v2/ml/step/blobs/uploads/?mount={digest}&from=ml/other"
    assert _call(world, "POST", mount, b"", token=token).status == 401
    reads = _access(
        world, "repository:ml/step:pull,push"
    )  # the managed identity may pull: the rest is left out
    assert _call(world, "GET", "/v2/ml/step/tags/list", token=reads).status == 200
    assert (
        _call(world, "PUT", "/v2/ml/step/manifests/v1", manifest, token=reads, content_type=MANIFEST).status
        == 401
    )
    assert _call(world, "DELETE", "/v2/ml/step/manifests/v1", token=token).status == 401
    catalog = _access(world, "registry:catalog:*")
    assert "ml/step" in _call(world, "GET", "/v2/_catalog", token=catalog).json["repositories"]


def test_wrong_credentials_get_no_token_and_leave_a_login(world: World) -> None:
    path = f"/oauth2/token?service={REGISTRY_HOST}&scope=repository:a:pull"
    for text in (
        f"{PUSH_CLIENT_ID}:wrong",
        "nobody:x",
        f"{'0' * 8}-0000-0000-0000-{'0' * 12}:a.b.c",
        "é:é",
        "",
    ):
        coded = base64.b64encode(text.encode()).decode()
        assert _call(world, "GET", path, Authorization=f"Basic {coded}").status == 401
        assert world.lines("registry.jsonl")[-1]["ResultDescription"] == "401"
    assert _call(world, "GET", path, Authorization="Basic !").status == 401
    assert _form(world, "/oauth2/token", service="other", grant_type="refresh_token").status == 400
    access = _access(world, "repository:a:pull")  # an access token is no refresh token
    assert (
        _form(world, "/oauth2/token", grant_type="refresh_token", scope="x", refresh_token=access).status
        == 401
    )


def test_nobody_else_tells_another_address(world: World) -> None:
    for proof in ("", "wrong", "0" * 32):
        _call(world, "GET", f"/oauth2/token?service={REGISTRY_HOST}", None, **{CALLER: f"{proof} 192.0.2.1"})
        assert world.lines("registry.jsonl")[-1]["CallerIpAddress"] == "127.0.0.1"


def test_no_token_and_no_secret_is_written(world: World) -> None:
    tokens = [
        world.token(),
        _access(world, "repository:models/intent:pull"),
        _push_access(world, "models/intent"),
    ]
    written = world.written()
    for secret in (*tokens, PUSH_SECRET):
        assert secret.encode() not in written
    assert b"eyJ" not in written


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/v2/", ("base", "", "")),
        ("/v2/a/manifests/x", ("manifests", "a", "x")),
        ("/v2/a/b/c/manifests/sha256:00", ("manifests", "a/b/c", "sha256:00")),
        ("/v2/a/blobs/uploads/", ("blobs", "a", "uploads/")),
        ("/v2/a/blobs/uploads/id", ("blobs", "a", "uploads/id")),
        ("/v2/a/tags/list", ("tags", "a", "list")),
        ("/v2/_catalog", ("catalog", "", "")),
        ("/v2/../manifests/x", None),
        ("/v2/A/manifests/x", None),
        ("/v2//manifests/x", None),
        ("/v2/manifests/x", None),
        ("/v3/a/manifests/x", None),
    ],
)
def test_paths_are_taken_apart(path: str, told: tuple[str, str, str] | None) -> None:
    found = target_of(path)
    assert (found and (found.kind, found.repository, found.reference)) == told
