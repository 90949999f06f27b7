"""The instance metadata service: what Microsoft documents, what it leaves behind, and who is refused."""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest

from eightysix.lab.interface import PodSpec
from eightysix.lab.services.metadata import VERSIONS
from eightysix.lab.services.tokens import decode_part
from eightysix.lab.world import CLIENT_ID, NODE, NONCE_PATH, OBJECT_ID, SUBSCRIPTION, TENANT
from tests.lab.services.world import ARM, NONCE, Reply, World

TOKEN = "/metadata/identity/oauth2/token?api-version=2018-02-01"


def _get(world: World, path: str, **headers: str) -> Reply:
    return world.call("metadata", "GET", path, Metadata="true", **headers)


def test_a_token_is_as_documented_and_leaves_a_sign_in_without_itself(world: World) -> None:
    answer = _get(world, f"{TOKEN}&resource={ARM}/&client_id={CLIENT_ID}", user_agent="probe/1")
    assert answer.status == 200
    told = answer.json
    assert set(told) == {
        "access_token",
        "client_id",
        "expires_in",
        "expires_on",
        "ext_expires_in",
        "not_before",
        "resource",
        "token_type",
    }
    assert all(isinstance(value, str) for value in told.values())
    assert (told["client_id"], told["resource"], told["token_type"]) == (CLIENT_ID, f"{ARM}/", "Bearer")
    head, claims = (decode_part(part) for part in told["access_token"].split(".")[:2])
    assert head is not None
    assert (head["alg"], head["typ"]) == ("RS256", "JWT")
    assert claims is not None
    assert (claims["aud"], claims["appid"], claims["oid"], claims["tid"]) == (
        f"{ARM}/",
        CLIENT_ID,
        OBJECT_ID,
        TENANT,
    )
    assert str(claims["exp"]) == told["expires_on"]
    assert "/userAssignedIdentities/" in str(claims["xms_mirid"])
    row = world.lines("managed-identity-sign-ins.jsonl")[-1]
    assert row["UniqueTokenIdentifier"] == claims["uti"] == world.marks("metadata-token")[-1]["uti"]
    assert (row["ServicePrincipalId"], row["AppId"], row["IPAddress"]) == (OBJECT_ID, CLIENT_ID, "")
    assert row["ResultType"] == "0"
    assert told["access_token"].encode() not in world.written()
    assert told["access_token"].rpartition(".")[2].encode() not in world.written()


@pytest.mark.parametrize("name", ["client_id", "object_id", "msi_res_id"])
def test_an_identity_that_the_node_has_not_is_refused(world: World, name: str) -> None:
    before = len(world.lines("managed-identity-sign-ins.jsonl"))
    answer = _get(world, f"{TOKEN}&resource={ARM}&{name}=99999999-1111-4111-8111-111111111111")
    assert (answer.status, answer.json) == (
        400,
        {"error": "invalid_request", "error_description": "Identity not found"},
    )
    assert len(world.lines("managed-identity-sign-ins.jsonl")) == before
    assert world.marks("metadata-refused")[-1]["error"] == "invalid_request"


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("", "invalid_request"),
        ("&resource=", "invalid_request"),
        ("&resource=https://nowhere.example", "invalid_resource"),
        (f"&resource={ARM}&client_id={CLIENT_ID}&object_id={OBJECT_ID}", "invalid_request"),
    ],
)
def test_a_wrong_question_has_its_documented_error(world: World, query: str, error: str) -> None:
    answer = _get(world, TOKEN + query)
    assert answer.status == 400
    assert answer.json["error"] == error


def test_it_answers_nobody_that_was_sent_by_somebody_else(world: World) -> None:
    path = f"{TOKEN}&resource={ARM}"
    answer = world.call("metadata", "GET", path)
    assert (answer.status, answer.json["error_description"]) == (
        400,
        "Required metadata header not specified",
    )
    assert _get(world, path, X_Forwarded_For="10.0.0.1").status == 400
    assert _get(world, f"{path}&resource=x").status == 400
    assert world.call("metadata", "POST", path, b"{}", Metadata="true").status == 405
    assert _get(world, f"/metadata/identity/oauth2/token?resource={ARM}").json == {
        "error": "Bad request. api-version is invalid or was not specified in the request. "
        "For more information refer to aka.ms/azureimds",
        "newest-versions": list(reversed(VERSIONS[-3:])),
    }
    assert _get(world, f"/metadata/identity/oauth2/token?api-version=2017-04-02&resource={ARM}").status == 404


def test_the_machine_and_its_parts(world: World) -> None:
    whole = _get(world, "/metadata/instance?api-version=2021-02-01").json
    assert whole["compute"]["osProfile"]["computerName"] == NODE
    assert whole["compute"]["subscriptionId"] == SUBSCRIPTION
    leaf = "/metadata/instance/compute/location?api-version=2021-02-01"
    assert _get(world, leaf).status == 400
    assert _get(world, f"{leaf}&format=text").body == b"westeurope"
    text = _get(world, "/metadata/instance/network?api-version=2021-02-01&format=text")
    assert text.body == b"interface/"
    first = _get(world, "/metadata/instance/network/interface/0/ipv4/ipAddress/0?api-version=2021-02-01").json
    assert set(first) == {"privateIpAddress", "publicIpAddress"}
    for missing in ("compute/nothing", "network/interface/7", "network/interface/x", "/".join(["a"] * 50)):
        assert _get(world, f"/metadata/instance/{missing}?api-version=2021-02-01").status == 404
    assert _get(world, "/metadata/versions").json["apiVersions"][0] == "2017-03-01"
    assert _get(world, "/metadata/scheduledevents?api-version=2020-07-01").json == {
        "DocumentIncarnation": 1,
        "Events": [],
    }
    assert _get(world, "/metadata/identity/info?api-version=2018-02-01").json == {"tenantId": TENANT}


def test_attested_data_is_signed_by_a_certificate_of_the_run(world: World, tmp_path: Path) -> None:
    told = _get(world, "/metadata/attested/document?api-version=2021-02-01&nonce=1234567890").json
    assert told["encoding"] == "pkcs7"
    assert _get(world, "/metadata/attested/document?api-version=2021-02-01&nonce=x").status == 400
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("tier openssl: there is no openssl")
    (tmp_path / "signature").write_bytes(base64.b64decode(told["signature"]))
    command = [
        openssl,
        "smime",
        "-verify",
        "-inform",
        "der",
        "-in",
        "signature",
        "-CAfile",
        world.services.ca,
        "-purpose",
        "any",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr
    assert msgspec.json.decode(done.stdout)["nonce"] == "1234567890"


def test_a_pod_that_may_not_reach_it_is_cut_off_and_still_learns_the_nonce(world: World) -> None:
    assert world.call("metadata", "GET", NONCE_PATH).body == NONCE.encode() + b"\n"
    pod = PodSpec("denied-0", ip="127.0.0.77", metadata=False)
    world.start_pod(pod, uid="8c1b0f3e-0000-4000-8000-00000000dddd")
    assert world.call("metadata", "GET", NONCE_PATH, source="127.0.0.77").status == 200
    with pytest.raises(ConnectionResetError):
        world.call("metadata", "GET", f"{TOKEN}&resource={ARM}", source="127.0.0.77", Metadata="true")
    assert world.marks("metadata-denied")[-1]["peer"] == "127.0.0.77"
    assert _get(world, f"{TOKEN}&resource={ARM}").status == 200
    world.ask("delete-pod", pod="denied-0")
    path = f"{TOKEN}&resource={ARM}"
    assert world.call("metadata", "GET", path, source="127.0.0.77", Metadata="true").status == 200


def test_at_its_own_address_the_nonce_is_told_to_who_may_not_reach_the_metadata_service(world: World) -> None:
    """And to nobody else, and nothing but the nonce."""
    pod = PodSpec("refused-0", ip="127.0.0.78", metadata=False)
    world.start_pod(pod, uid="8c1b0f3e-0000-4000-8000-00000000eeee")
    assert world.call("nonce", "GET", NONCE_PATH, source="127.0.0.78").body == NONCE.encode() + b"\n"
    assert world.marks("metadata-denied")[-1]["peer"] == "127.0.0.78"
    token = world.call("nonce", "GET", f"{TOKEN}&resource={ARM}", source="127.0.0.78", Metadata="true")
    assert token.status == 404
    assert world.call("nonce", "GET", NONCE_PATH).status == 404
    world.ask("delete-pod", pod="refused-0")
