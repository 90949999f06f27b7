"""Who is known, by what, for how long; and who may ask for others."""

from __future__ import annotations

import base64
import json
import ssl
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from eightysix.lab.apiserver import Authority, Tls
from tests.lab.apiserver.cluster import CLUSTER, RBAC, Client, Json, Lab, binding, pod, role

WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
PODS = "/api/v1/namespaces/ml/pods"
TOKEN = "/api/v1/namespaces/ml/serviceaccounts/inference-sa/token"


def who(client: Client, headers: dict[str, str] | None = None) -> Json:
    made: Json = client.create(WHO, {}, headers=headers)["status"]["userInfo"]
    return made


def claims(token: str) -> Json:
    part = token.split(".")[1]
    found: Json = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def request(**spec: object) -> Json:
    return {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}


BOUND = {"apiVersion": "v1", "kind": "Pod", "name": "inference-0"}


def test_a_bound_token_says_which_pod_and_node_it_is_for(lab: Lab) -> None:
    made = lab.admin.create(TOKEN, request(boundObjectRef=BOUND, expirationSeconds=3600))
    told = claims(made["status"]["token"])
    held = lab.admin.get(f"{PODS}/inference-0")["metadata"]
    assert told["sub"] == "system:serviceaccount:ml:inference-sa"
    assert told["kubernetes.io"]["pod"] == {"name": "inference-0", "uid": held["uid"]}
    assert told["kubernetes.io"]["node"]["name"] == "aks-gpu-0"
    assert told["exp"] - told["iat"] == 3600
    user = who(Client(lab.server, made["status"]["token"]))
    assert user["username"] == "system:serviceaccount:ml:inference-sa"
    assert user["groups"] == ["system:serviceaccounts", "system:serviceaccounts:ml", "system:authenticated"]
    assert user["extra"] == {
        "authentication.kubernetes.io/credential-id": [f"JTI={told['jti']}"],
        "authentication.kubernetes.io/node-name": ["aks-gpu-0"],
        "authentication.kubernetes.io/node-uid": [told["kubernetes.io"]["node"]["uid"]],
        "authentication.kubernetes.io/pod-name": ["inference-0"],
        "authentication.kubernetes.io/pod-uid": [held["uid"]],
    }


def test_a_token_without_a_pod_has_a_credential_id_alone(lab: Lab) -> None:
    made = lab.admin.create(TOKEN, request())
    assert set(who(Client(lab.server, made["status"]["token"]))["extra"]) == {
        "authentication.kubernetes.io/credential-id"
    }


def test_a_kubelets_token_lives_a_year_and_says_when_to_warn(lab: Lab) -> None:
    told = claims(lab.server.token("ml", "inference-sa", pod="inference-0").token)
    assert told["exp"] - told["iat"] == 365 * 86400
    assert told["kubernetes.io"]["warnafter"] - told["iat"] == 3607


def test_a_token_ends_with_its_time(lab: Lab) -> None:
    client = Client(lab.server, lab.admin.create(TOKEN, request(expirationSeconds=600))["status"]["token"])
    assert client("GET", PODS)[0] == 200
    lab.clock.leap(601)
    assert client("GET", PODS)[0] == 401


def test_a_token_ends_with_its_pod_and_another_of_the_same_name_does_not_revive_it(lab: Lab) -> None:
    client = lab.account()
    assert client("GET", PODS)[0] == 200
    lab.admin("DELETE", f"{PODS}/inference-0")
    assert client("GET", PODS)[0] == 401
    lab.admin.create(PODS, pod("inference-0", serviceAccountName="inference-sa"))
    assert client("GET", PODS)[0] == 401


def test_a_token_ends_with_its_account(lab: Lab) -> None:
    client = Client(lab.server, lab.server.token("ml", "inference-sa").token)
    lab.admin("DELETE", "/api/v1/namespaces/ml/serviceaccounts/inference-sa")
    lab.admin.create("/api/v1/namespaces/ml/serviceaccounts", {"metadata": {"name": "inference-sa"}})
    assert client("GET", PODS)[0] == 401


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_token_that_was_changed_is_nobodys(lab: Lab, part: int) -> None:
    parts = lab.server.token("ml", "inference-sa").token.split(".")
    parts[part] = parts[part][:-2] + ("AA" if parts[part][-2:] != "AA" else "BB")
    assert Client(lab.server, ".".join(parts))("GET", PODS)[0] == 401


def test_an_unsigned_token_is_nobodys(lab: Lab) -> None:
    token = lab.server.token("ml", "inference-sa").token
    head = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    assert Client(lab.server, f"{head}.{token.split('.')[1]}.")("GET", PODS)[0] == 401


def test_a_token_of_another_cluster_is_nobodys(lab: Lab, build: Callable[..., Lab]) -> None:
    from eightysix.lab.apiserver.pki import new_key

    other = build(key=new_key())
    assert Client(lab.server, other.server.token("ml", "inference-sa").token)("GET", PODS)[0] == 401


@pytest.mark.parametrize(
    ("spec", "status", "message"),
    [
        ({"expirationSeconds": 60}, 422, "may not specify a duration less than 10 minutes"),
        ({"boundObjectRef": {**BOUND, "name": "absent"}}, 404, 'pods "absent" not found'),
        ({"boundObjectRef": {**BOUND, "uid": "another"}}, 409, "does not match the UID in record"),
        (
            {"boundObjectRef": {**BOUND, "kind": "ConfigMap"}},
            400,
            "cannot bind token to object of type v1, Kind=ConfigMap",
        ),
        ({"boundObjectRef": {**BOUND, "name": "stranger"}}, 400, "running with different serviceaccount"),
    ],
)
def test_a_token_is_not_bound_to_what_it_cannot_be(lab: Lab, spec: Json, status: int, message: str) -> None:
    lab.server.load([pod("stranger")])
    code, answer = lab.admin("POST", TOKEN, request(**spec))
    assert code == status
    assert message in answer["message"]


def test_a_token_review_knows_whose_a_token_is(lab: Lab) -> None:
    reviews = "/apis/authentication.k8s.io/v1/tokenreviews"
    token = lab.server.token("ml", "inference-sa", pod="inference-0").token
    status = lab.admin.create(reviews, {"spec": {"token": token}})["status"]
    assert status["authenticated"] is True
    assert status["user"]["username"] == "system:serviceaccount:ml:inference-sa"
    status = lab.admin.create(reviews, {"spec": {"token": token, "audiences": ["vault"]}})["status"]
    assert "authenticated" not in status
    assert "audiences" in status["error"]
    aimed = lab.admin.create(TOKEN, request(audiences=["vault"]))["status"]["token"]
    assert Client(lab.server, aimed)("GET", PODS)[0] == 401
    assert lab.admin.create(reviews, {"spec": {"token": aimed, "audiences": ["vault"]}})["status"][
        "audiences"
    ] == ["vault"]


def test_the_keys_of_the_issuer_verify_its_tokens(lab: Lab) -> None:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    def raw(text: str) -> bytes:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

    told = lab.admin.get("/openid/v1/jwks")["keys"][0]
    public = rsa.RSAPublicNumbers(
        int.from_bytes(raw(told["e"]), "big"), int.from_bytes(raw(told["n"]), "big")
    ).public_key()
    head, body, signature = lab.server.token("ml", "inference-sa").token.split(".")
    public.verify(raw(signature), f"{head}.{body}".encode(), padding.PKCS1v15(), hashes.SHA256())
    assert json.loads(raw(head))["kid"] == told["kid"]


def test_nobody_may_look_at_the_version_and_no_more(lab: Lab) -> None:
    assert lab.anonymous("GET", "/version")[0] == 200
    status, answer = lab.anonymous("GET", PODS)
    assert status == 403
    assert answer["message"] == (
        'pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" in the namespace "ml"'
    )


def test_a_wrong_token_is_worse_than_none(lab: Lab) -> None:
    status, answer = Client(lab.server, "wrong")("GET", "/version")
    assert (status, answer["reason"], answer["message"]) == (401, "Unauthorized", "Unauthorized")


IMPERSONATOR = [
    role(
        "imp", "", ("", "users groups serviceaccounts", "impersonate"), names=("dev2", "devs", "inference-sa")
    ),
    binding("imp", "", "imp", {"kind": "User", "apiGroup": RBAC, "name": "dev"}, kind="ClusterRole"),
]


def test_somebody_else_is_asked_for_with_the_right_to(build: Callable[..., Lab]) -> None:
    lab = build([*CLUSTER, *IMPERSONATOR])
    dev = Client(lab.server, "dev-token")
    assert who(dev, {"Impersonate-User": "dev2", "Impersonate-Group": "devs"}) == {
        "username": "dev2",
        "groups": ["devs", "system:authenticated"],
    }
    status, answer = dev("POST", WHO, {}, headers={"Impersonate-User": "root"})
    assert status == 403
    assert (
        answer["message"]
        == 'users "root" is forbidden: User "dev" cannot impersonate resource "users" in API group "" at the cluster scope'
    )
    assert (
        dev("POST", WHO, {}, headers={"Impersonate-User": "dev2", "Impersonate-Group": "system:masters"})[0]
        == 403
    )


def test_the_audit_names_both(build: Callable[..., Lab]) -> None:
    lab = build([*CLUSTER, *IMPERSONATOR])
    dev = Client(lab.server, "dev-token")
    dev("GET", PODS, headers={"Impersonate-User": "system:serviceaccount:ml:inference-sa"})
    event = lab.last()
    assert event["user"]["username"] == "dev"
    assert event["impersonatedUser"] == {
        "username": "system:serviceaccount:ml:inference-sa",
        "groups": ["system:serviceaccounts", "system:serviceaccounts:ml", "system:authenticated"],
    }


def test_a_client_certificate_is_a_user(build: Callable[..., Lab], tmp_path: Path) -> None:
    authority = Authority()
    lab = build(tls=Tls.made(authority))
    context = ssl.create_default_context(cadata=authority.certificate.decode())
    context.load_cert_chain(*authority.client("alice", ["devs"]).write(tmp_path, "client"))
    asked = urllib.request.Request(f"{lab.server.url}{WHO}", b"{}", {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(asked, context=context) as answer:  # noqa: S310
        user = json.load(answer)["status"]["userInfo"]
    assert (user["username"], user["groups"]) == ("alice", ["devs", "system:authenticated"])
    assert user["extra"]["authentication.kubernetes.io/credential-id"][0].startswith("X509SHA256=")


def test_a_certificate_of_another_authority_is_refused(build: Callable[..., Lab], tmp_path: Path) -> None:
    authority = Authority()
    lab = build(tls=Tls.made(authority))
    context = ssl.create_default_context(cadata=authority.certificate.decode())
    context.load_cert_chain(*Authority().client("alice", ["system:masters"]).write(tmp_path, "client"))
    with pytest.raises(OSError), urllib.request.urlopen(f"{lab.server.url}/version", context=context):  # noqa: PT011, S310
        pass


def test_the_key_of_a_certificate_is_for_its_owner_alone(tmp_path: Path) -> None:
    _, key = Authority().client("alice").write(tmp_path, "client")
    assert key.stat().st_mode & 0o077 == 0
