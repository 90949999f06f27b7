"""Login, Resource Manager, storage and the sink."""

from __future__ import annotations

import base64
from hashlib import sha256
from urllib.parse import urlencode

import pytest

from eightysix.lab.services.directory import PUSHER
from eightysix.lab.world import (
    ARM_HOST,
    LOGIN_HOST,
    OBJECT_ID,
    PUSH_CLIENT_ID,
    PUSH_SECRET,
    STORAGE_HOST,
    SUBSCRIPTION,
    TENANT,
)
from tests.lab.services.world import ARM, LOCAL, Reply, World

SCOPE = f"{ARM}/.default"
_GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-ml"
KEYS = f"{_GROUP}/providers/Microsoft.Storage/storageAccounts/mlmodels/listKeys?api-version=2023-05-01"


def _login(world: World, tenant: str = TENANT, path: str = "oauth2/v2.0/token", **fields: str) -> Reply:
    form = {"grant_type": "client_credentials", "client_id": PUSH_CLIENT_ID, "scope": SCOPE, **fields}
    body = urlencode(form).encode()
    return world.call(
        "arm",
        "POST",
        f"/{tenant}/{path}",
        body,
        host=LOGIN_HOST,
        content_type="application/x-www-form-urlencoded",
    )


def _arm(world: World, method: str, path: str, token: str = "") -> Reply:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return world.call("arm", method, path, host=ARM_HOST, **headers)


def test_the_stolen_secret_signs_in_with_its_address(world: World) -> None:
    answer = _login(world, client_secret=PUSH_SECRET)
    assert answer.status == 200
    told = answer.json
    assert (told["token_type"], told["expires_in"]) == ("Bearer", 3599)
    row = world.lines("service-principal-sign-ins.jsonl")[-1]
    assert (row["IPAddress"], row["AppId"], row["ServicePrincipalId"]) == (
        "127.0.0.1",
        PUSH_CLIENT_ID,
        PUSHER.object_id,
    )
    assert (row["ResultType"], row["ClientCredentialType"]) == ("0", "clientSecret")
    assert row["UniqueTokenIdentifier"] == world.marks("entra-token")[-1]["uti"]
    assert PUSH_SECRET.encode() not in world.written()
    assert told["access_token"].encode() not in world.written()
    old = _login(world, path="oauth2/token", resource=ARM, client_secret=PUSH_SECRET).json
    assert old["resource"] == ARM
    assert isinstance(old["expires_in"], str)


@pytest.mark.parametrize(
    ("fields", "status", "error", "code"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({}, 401, "invalid_client", 7000218),
        ({"client_secret": PUSH_SECRET, "client_id": "9" * 8}, 400, "unauthorized_client", 700016),
        ({"client_secret": PUSH_SECRET, "client_id": ""}, 400, "invalid_request", 900144),
        ({"client_secret": PUSH_SECRET, "scope": ARM}, 400, "invalid_scope", 1002012),
        (
            {"client_secret": PUSH_SECRET, "scope": "https://x.example/.default"},
            400,
            "invalid_resource",
            500011,
        ),
        ({"client_secret": PUSH_SECRET, "grant_type": "password"}, 400, "unsupported_grant_type", 70003),
        ({"client_assertion": "a.b.c", "client_assertion_type": "x"}, 401, "invalid_client", 700027),
    ],
)
def test_errors_of_the_login_have_entras_words_and_codes(
    world: World, fields: dict[str, str], status: int, error: str, code: int
) -> None:
    answer = _login(world, **fields)
    assert (answer.status, answer.json["error"], answer.json["error_codes"]) == (status, error, [code])
    assert answer.json["error_description"].startswith(f"AADSTS{code}: ")
    assert world.marks("entra-refused")[-1]["error"] == code


def test_a_failed_sign_in_of_a_known_principal_has_a_row(world: World) -> None:
    _login(world, client_secret="wrong")
    row = world.lines("service-principal-sign-ins.jsonl")[-1]
    assert (row["ResultType"], row["ResultSignature"], row["UniqueTokenIdentifier"]) == (
        "7000215",
        "FAILURE",
        "",
    )
    assert _login(world, tenant="other", client_secret=PUSH_SECRET).json["error_codes"] == [90002]


def test_discovery_names_where_tokens_are(world: World) -> None:
    def get(path: str) -> Reply:
        return world.call("arm", "GET", path, host=LOGIN_HOST)

    told = get(f"/{TENANT}/v2.0/.well-known/openid-configuration").json
    assert told["issuer"] == f"https://{LOGIN_HOST}/{TENANT}/v2.0"
    assert told["token_endpoint"] == f"https://{LOGIN_HOST}/{TENANT}/oauth2/v2.0/token"
    assert (
        get("/common/discovery/instance?api-version=1.1").json["metadata"][0]["preferred_network"]
        == LOGIN_HOST
    )
    assert get(f"/{TENANT}/discovery/v2.0/keys").json["keys"] == [world.services.directory.signer.jwk]
    assert get("/unknown/v2.0/.well-known/openid-configuration").status == 400
    assert get("/").status == 400
    assert get(f"/{TENANT}/other").status == 404


def test_a_service_account_token_is_exchanged_for_the_pods_identity_alone(world: World) -> None:
    told = world.start_pod(LOCAL)
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    fields = {"client_assertion": told["federated_token"], "client_assertion_type": kind}
    identity = world.services.directory.named("inference-mi").client_id
    assert _login(world, client_id=identity, **fields).status == 200
    assert (
        world.lines("service-principal-sign-ins.jsonl")[-1]["ClientCredentialType"]
        == "federatedIdentityCredential"
    )
    assert world.marks("entra-token")[-1]["pod"] == "ml/inference-0"
    assert _login(world, **fields).json["error_codes"] == [700213]
    fields["client_assertion"] = told["token"]  # meant for the API server, not for Entra
    assert _login(world, client_id=identity, **fields).json["error_codes"] == [700027]
    world.ask("delete-pod", pod="inference-0")


def test_resource_manager_refuses_whoever_has_no_right_token(world: World) -> None:
    path = "/subscriptions?api-version=2022-12-01"
    assert _arm(world, "GET", path).json["error"]["code"] == "AuthenticationFailed"
    answer = _arm(world, "GET", path, "a.b.c")
    assert (answer.status, answer.json["error"]["code"]) == (401, "InvalidAuthenticationToken")
    assert answer.headers["www-authenticate"].startswith("Bearer authorization_uri=")
    assert _arm(world, "GET", path, world.token("https://storage.azure.com/")).status == 401
    token = _login(world, client_secret=PUSH_SECRET).json["access_token"]
    assert _arm(world, "GET", path, token).json["value"] == []
    answer = _arm(world, "POST", KEYS, token)
    assert (answer.status, answer.json["error"]["code"]) == (403, "AuthorizationFailed")
    row = world.lines("azure-activity.jsonl")[-1]
    assert (row["ActivityStatusValue"], row["Caller"]) == ("Failure", PUSHER.object_id)


def test_reads_leave_no_activity_and_listing_keys_leaves_two_rows(world: World) -> None:
    token = world.token()
    before = world.lines("azure-activity.jsonl")
    root = f"/subscriptions/{SUBSCRIPTION}"
    assert [
        each["subscriptionId"]
        for each in _arm(world, "GET", "/subscriptions?api-version=1", token).json["value"]
    ] == [SUBSCRIPTION]
    for path in ("", "/resourceGroups", "/resources", "/providers/Microsoft.Storage/storageAccounts"):
        assert _arm(world, "GET", f"{root}{path}?api-version=1", token).status == 200
    roles = _arm(
        world,
        "GET",
        f"{root}/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01",
        token,
    ).json
    assert {each["properties"]["principalId"] for each in roles["value"]} == {OBJECT_ID, PUSHER.object_id}
    assert len({each["name"] for each in roles["value"]}) == len(roles["value"])
    assert _arm(world, "GET", root, token).json["error"]["code"] == "MissingApiVersionParameter"
    assert (
        _arm(world, "GET", f"{root}/nothing?api-version=1", token).json["error"]["code"] == "ResourceNotFound"
    )
    assert (
        _arm(world, "GET", "/subscriptions/other?api-version=1", token).json["error"]["code"]
        == "SubscriptionNotFound"
    )
    assert world.lines("azure-activity.jsonl") == before
    keys = _arm(world, "POST", KEYS, token).json["keys"]
    rows = world.lines("azure-activity.jsonl")[len(before) :]
    assert [row["ActivityStatusValue"] for row in rows] == ["Start", "Success"]
    assert len({row["CorrelationId"] for row in rows}) == 1
    assert {row["OperationNameValue"] for row in rows} == {
        "MICROSOFT.STORAGE/STORAGEACCOUNTS/LISTKEYS/ACTION"
    }
    assert rows[0]["Claims_d"]["uti"] == world.marks("arm-call")[-1]["uti"]
    for secret in (token, *(key["value"] for key in keys)):
        assert secret.encode() not in world.written()


def test_blobs_with_a_bearer_token(world: World) -> None:
    token = world.token("https://storage.azure.com/")

    def blob(method: str, path: str, body: bytes | None = None, **headers: str) -> Reply:
        return world.call(
            "storage", method, path, body, host=STORAGE_HOST, Authorization=f"Bearer {token}", **headers
        )

    assert blob("PUT", "/models/a%20b/x.bin", b"0123456789", x_ms_blob_type="BlockBlob").status == 201
    assert blob("PUT", "/models/y", b"0").status == 400
    answer = blob("GET", "/models/a%20b/x.bin")
    assert (answer.status, answer.body) == (200, b"0123456789")
    part = blob("GET", "/models/a%20b/x.bin", x_ms_range="bytes=2-4")
    assert (part.status, part.body, part.headers["content-range"]) == (206, b"234", "bytes 2-4/10")
    assert blob("GET", "/models/a%20b/x.bin", x_ms_range="bytes=99-").status == 416
    assert blob("HEAD", "/models/a%20b/x.bin").headers["content-length"] == "10"
    assert b"<Name>a b/x.bin</Name>" in blob("GET", "/models?restype=container&comp=list&prefix=a").body
    assert b"<Blobs></Blobs>" in blob("GET", "/models?restype=container&comp=list&prefix=zz").body
    assert b"<Name>models</Name>" in blob("GET", "/?comp=list").body
    assert world.ask(
        "blob", container="models", name="intent.json", content_b64=base64.b64encode(b"{}").decode()
    )["etag"]
    assert blob("GET", "/models/intent.json").body == b"{}"
    assert blob("DELETE", "/models/intent.json").status == 202
    assert blob("GET", "/models/intent.json").headers["x-ms-error-code"] == "BlobNotFound"
    assert blob("GET", "/nothing/intent.json").headers["x-ms-error-code"] == "ContainerNotFound"
    names = {mark["operation"] for mark in world.marks("storage")}
    assert names >= {"PutBlob", "GetBlob", "GetBlobProperties", "ListBlobs", "ListContainers", "DeleteBlob"}


def test_blobs_for_nobody_else(world: World) -> None:
    answer = world.call("storage", "GET", "/models/x", host=STORAGE_HOST)
    assert (answer.status, answer.headers["x-ms-error-code"]) == (401, "NoAuthenticationInformation")
    assert "resource_id=https://storage.azure.com" in answer.headers["www-authenticate"]
    signed = world.call(
        "storage", "GET", "/models/x", host=STORAGE_HOST, Authorization="SharedKey mlmodels:abc="
    )
    assert (signed.status, signed.headers["x-ms-error-code"]) == (403, "AuthenticationFailed")
    token = _login(world, scope="https://storage.azure.com/.default", client_secret=PUSH_SECRET).json[
        "access_token"
    ]
    refused = world.call("storage", "GET", "/models/x", host=STORAGE_HOST, Authorization=f"Bearer {token}")
    assert (refused.status, refused.headers["x-ms-error-code"]) == (403, "AuthorizationPermissionMismatch")


def test_the_sink_takes_everything_and_keeps_names_alone(world: World) -> None:
    body = b'{"identities": ["eyJhbGciOiJSUzI1NiJ9.c2VjcmV0"], "host": "value-of-host", "eyJ hidden name": 1}'
    assert world.call("sink", "POST", "/v1/collect", body).json == {"ok": True}
    mark = world.marks("sink")[-1]
    assert (mark["size"], mark["sha256"]) == (len(body), sha256(body).hexdigest())
    assert mark["keys"] == ["host", "identities"]
    assert len(mark["key_sha256"]) == 3
    written = world.written()
    assert b"c2VjcmV0" not in written
    assert b"value-of-host" not in written
    world.call("sink", "PUT", "/x", b"\x00\xff" * 500_000)
    assert world.marks("sink")[-1]["size"] == 1_000_000
    world.call("sink", "GET", "/p.gif?who=me&what=it")
    assert world.marks("sink")[-1]["keys"] == ["what", "who"]
    assert world.call("sink", "POST", "/", b"x" * ((1 << 20) + 1)).status == 413
    world.call("sink", "POST", "/", b"a=1&b=2", content_type="application/x-www-form-urlencoded")
    assert world.marks("sink")[-1]["keys"] == ["a", "b"]
