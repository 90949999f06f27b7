"""URLs lose everything that could be a secret, and say whether they give a credential."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.sources.urls import gives_credential, read_target, read_url

IMDS = "http://169.254.169.254"


@pytest.mark.parametrize(
    "path",
    [
        "/metadata/identity/oauth2/token",
        "/Metadata/Identity/OAuth2/Token/",
        "/latest/meta-data/iam/security-credentials/role",
        "/2021-07-15/meta-data/iam/security-credentials/",
        "/latest/meta-data/identity-credentials/ec2/security-credentials/ec2-instance",
        "/latest/meta-data/ram/security-credentials/role",
        "/computeMetadata/v1/instance/service-accounts/default/token",
        "/computeMetadata/v1beta1/instance/service-accounts/a@b.iam/identity",
        "/v2/credentials/0f6d1c",
        "/v1/credentials",
    ],
)
def test_paths_that_give_a_credential(path: str) -> None:
    assert gives_credential(path)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/metadata/instance",
        "/metadata/attested/document",
        "/latest/api/token",
        "/latest/meta-data/instance-id",
        "/computeMetadata/v1/instance/service-accounts/default/email",
        "/computeMetadata/v1/project/token",
        "/v2/metadata",
    ],
)
def test_paths_that_give_none(path: str) -> None:
    assert not gives_credential(path)


def test_an_azure_token_request_tells_for_what_the_token_is() -> None:
    target = read_url(
        f"{IMDS}/metadata/identity/oauth2/token?api-version=1&resource=https%3A%2F%2Fvault.azure.net%2Fx&client_id=c"
    )
    assert target is not None
    assert (target.ip, target.name, target.port) == ("169.254.169.254", "", 80)
    assert (target.path, target.resource, target.credential) == (
        "/metadata/identity/oauth2/token",
        "vault.azure.net",
        True,
    )


@pytest.mark.parametrize(
    "path",
    [
        "/metadata/identity/oauth2/%74oken",
        "//metadata/./identity/x/../oauth2//token",
        "/metadata/identity/oauth2/token#f",
    ],
)
def test_other_spellings_of_a_token_path(path: str) -> None:
    target = read_url(IMDS + path)
    assert target is not None
    assert target.credential


@pytest.mark.parametrize(
    ("query", "principal"),
    [
        ("client_id=CCCF9C48-048e-489c-840f-c667af447061", "cccf9c48-048e-489c-840f-c667af447061"),
        (
            "a=b&object%5Fid=x&object_id=cccf9c48-048e-489c-840f-c667af447061",
            "cccf9c48-048e-489c-840f-c667af447061",
        ),
        ("client_id=cccf9c48-048e489c-840f-c667-af447061", ""),
        ("client_id=------------------------------------", ""),
        ("client_id=c&x=cccf9c48-048e-489c-840f-c667af447061", ""),
        ("client_id=secret-secret-secret-secret-secret00", ""),
    ],
)
def test_a_token_request_may_name_its_identity(query: str, principal: str) -> None:
    target = read_url(f"{IMDS}/metadata/identity/oauth2/token?{query}")
    assert target is not None
    assert target.principal == principal
    elsewhere = read_url(f"https://example.com/token?{query}")
    assert elsewhere is not None
    assert not elsewhere.principal


def test_a_metadata_request_without_path_may_be_for_a_credential() -> None:
    assert read_target("169.254.169.254", 80, "").credential
    assert not read_target("169.254.169.254", 80, "/metadata/instance").credential
    assert not read_target("203.0.113.10", 80, "").credential


@pytest.mark.parametrize(
    ("url", "name", "port", "path"),
    [
        ("https://kubernetes.default.svc/api/v1/secrets/push-2", "kubernetes.default.svc", 443, "/api/v1/secrets/push-2"),
        ("http://telemetry.perf-utils.example/v1/collect", "telemetry.perf-utils.example", 80, "/v1/collect"),
        ("https://Host.Example:8443", "host.example", 8443, "/"),
        ("https://u:p@host.example?q=secret", "host.example", 443, "/"),
        ("https://hooks.slack.com/services/T0001/B0001/Secret", "hooks.slack.com", 443, "/services/…/…/…"),
        ("https://api.telegram.org/bot123:Secret/sendMessage", "api.telegram.org", 443, "/…/…"),
        ("https://h.example/" + "a/" * 40, "h.example", 443, "/" + "a/" * 12 + "…"),
    ],
)  # fmt: skip
def test_only_harmless_parts_of_a_path_are_told(url: str, name: str, port: int, path: str) -> None:
    target = read_url(url)
    assert target is not None
    assert (target.name, target.port, target.path) == (name, port, path)


@pytest.mark.parametrize("url", ["", "no url", "http://", "http:///x", "http://user@/x", "://x"])
def test_what_names_no_host_is_nothing(url: str) -> None:
    assert read_url(url) is None


CANARY = "Canary-Hunter2-0123456789abcdef!"


@pytest.mark.parametrize(
    "url",
    [
        f"https://{CANARY}@h.example/p",
        f"https://u:{CANARY}@h.example/p",
        f"https://h.example/{CANARY}/p",
        f"https://h.example/p?sig={CANARY}",
        f"https://h.example/p#{CANARY}",
        f"{IMDS}/metadata/identity/oauth2/token?resource={CANARY}",
        f"{IMDS}/metadata/identity/oauth2/token?resource=https://{CANARY}@vault.azure.net/",
        f"{IMDS}/latest/{CANARY}",
        f"https://kubernetes.default.svc/api/{CANARY}",
    ],
)
def test_no_canary_gets_through(url: str) -> None:
    assert "canary" not in repr(read_url(url)).lower()


@given(st.one_of(st.text(), st.text(":/@?#[]%.ab1-\\", max_size=60).map("http://".__add__)))
def test_never_raises(url: str) -> None:
    target = read_url(url)
    if target is not None:
        assert target.path.startswith("/")
        assert target.path.isprintable()
