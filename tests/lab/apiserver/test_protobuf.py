"""Bodies in protobuf, written by hand as the description of the encoding has them (protobuf.dev/programming-guides)."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.lab.apiserver.protobuf import Unreadable, decode
from tests.lab.apiserver.cluster import Lab

KIND = "application/vnd.kubernetes.protobuf"


def varint(value: int) -> bytes:
    parts = []
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def field(number: int, value: bytes | str | int) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def enveloped(api_version: str, kind: str, raw: bytes) -> bytes:
    return (
        b"k8s\x00"
        + field(1, field(1, api_version) + field(2, kind))
        + field(2, raw)
        + field(3, "")
        + field(4, "")
    )


SECRET = enveloped(
    "v1",
    "Secret",
    field(1, field(1, "made") + field(3, "") + field(8, b"") + field(11, field(1, "a") + field(2, "b")))
    + field(2, field(1, "k") + field(2, b"\x00\xff"))
    + field(3, "Opaque"),
)


def test_a_secret_is_read() -> None:
    assert decode(SECRET) == {
        "kind": "Secret",
        "apiVersion": "v1",
        "metadata": {"name": "made", "labels": {"a": "b"}},
        "data": {"k": "AP8="},
        "type": "Opaque",
    }


def test_a_token_request_is_read_with_its_numbers() -> None:
    bound = field(1, "Pod") + field(2, "v1") + field(3, "inference-0") + field(4, "")
    spec = field(1, "one") + field(1, "two") + field(3, bound) + field(4, 7200)
    found = decode(enveloped("authentication.k8s.io/v1", "TokenRequest", field(2, spec)))
    assert found["spec"] == {
        "audiences": ["one", "two"],
        "boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "inference-0"},
        "expirationSeconds": 7200,
    }


def test_a_review_is_read_with_lists_in_a_map() -> None:
    values = field(1, "x") + field(1, "y")
    resource = field(1, "ml") + field(2, "get") + field(5, "pods")
    spec = field(1, resource) + field(3, "dev") + field(5, field(1, "scopes") + field(2, values))
    found = decode(enveloped("authorization.k8s.io/v1", "SubjectAccessReview", field(2, spec)))
    assert found["spec"] == {
        "resourceAttributes": {"namespace": "ml", "verb": "get", "resource": "pods"},
        "user": "dev",
        "extra": {"scopes": ["x", "y"]},
    }


def test_a_written_secret_is_held(lab: Lab) -> None:
    made = lab.admin.create("/api/v1/namespaces/ml/secrets", SECRET, content=KIND)
    assert made["data"] == {"k": "AP8="}
    assert lab.last()["objectRef"]["name"] == "made"


def test_a_kind_that_is_not_read_is_refused_by_name(lab: Lab) -> None:
    body = enveloped("v1", "Pod", b"")
    status, answer = lab.admin("POST", "/api/v1/namespaces/ml/pods", body, content=KIND)
    assert (status, answer["reason"]) == (415, "UnsupportedMediaType")
    assert "protobuf of Pod in v1 is not read" in answer["message"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"k8s\x00\xff",
        b"k8s\x00" + varint(2 << 3 | 2) + varint(1 << 40),
        b"k8s\x00" + varint(1 << 3 | 3),
        enveloped("v1", "Secret", field(1, 5)),
        enveloped("v1", "Secret", field(3, b"\xff")),
        enveloped("v1", "Namespace", field(1, field(7, b"text"))),
    ],
)
def test_what_is_no_message_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        decode(body)


@given(st.binary(max_size=64), st.sampled_from(["Secret", "Namespace", "Role", "ServiceAccount"]))
def test_any_bytes_are_read_or_refused(data: bytes, kind: str) -> None:
    with suppress(Unreadable):
        assert isinstance(decode(enveloped("v1", kind, data)), dict)


@given(st.integers(0, len(SECRET)), st.integers(0, 255))
def test_a_changed_byte_breaks_nothing(at: int, byte: int) -> None:
    with suppress(Unreadable):
        assert isinstance(decode(SECRET[:at] + bytes([byte]) + SECRET[at + 1 :]), dict)
