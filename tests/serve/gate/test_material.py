"""What is attached to a digest is fetched; what claims to be and is not is material all the same, and never nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from eightysix.gate.attest import MaterialKind
from eightysix.gate.digests import digest_of, subject_tag
from eightysix.gate.mediatypes import OCI_INDEX, OCI_MANIFEST
from eightysix.serve.gate.material import fetch_material
from eightysix.serve.registry import Bounds, RegistryClient, Settings
from tests.serve.registry.liar import Liar
from tests.serve.registry.stock import Stock

REPO = "ml/llm"
A = "sha256:" + "a" * 64


@pytest.fixture
def stock() -> Stock:
    return Stock()


@pytest.fixture
def client(stock: Stock) -> Iterator[RegistryClient]:
    with Liar(stock) as liar, RegistryClient(liar.host, settings=Settings(bounds=Bounds(tries=1))) as made:
        yield made


def signed(stock: Stock, subject: dict[str, Any], name: str, data: bytes) -> dict[str, Any]:
    return stock.image(
        "",
        stock.blob(data, "application/x.sig", annotations={"n": name}),
        subject=subject,
        annotations={"m": name},
    )


def test_what_refers_to_a_digest_is_fetched_by_api_tag_and_cosigns_tags(
    stock: Stock, client: RegistryClient
) -> None:
    subject = stock.image("prod", stock.blob(b"x"))
    assert fetch_material(client, REPO, subject["digest"]) == ()
    base = subject_tag(subject["digest"])
    stock.index(base, signed(stock, subject, "one", b"sig-1"))
    same = stock.blob(b"payload", "application/vnd.dev.cosign.simplesigning.v1+json")
    first, second = ({**same, "annotations": {"s": number}} for number in "12")
    stock.image(f"{base}.sig", first, second)
    stock.image(f"{base}.att", stock.blob(b"attestation", "application/vnd.dsse.envelope.v1+json"))
    found = fetch_material(client, REPO, subject["digest"])
    assert [(each.data, dict(each.annotations), each.broken) for each in found] == [
        (b"sig-1", {"n": "one"}, ""),
        (b"payload", {"s": "1"}, ""),
        (b"payload", {"s": "2"}, ""),
        (b"attestation", {}, ""),
    ]
    body = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [signed(stock, subject, "two", b"sig-2")],
    }
    stock.referrers = {subject["digest"]: json.dumps(body).encode()}
    found = fetch_material(client, REPO, subject["digest"])
    assert [each.data for each in found][:2] == [b"sig-2", b"payload"], "the API, not the tag"


def lying_layer(stock: Stock, subject: dict[str, Any]) -> dict[str, Any]:
    made = signed(stock, subject, "lie", b"right")
    stock.lies[digest_of(b"right")] = b"wrong"
    return made


def lying_manifest(stock: Stock, subject: dict[str, Any]) -> dict[str, Any]:
    made = signed(stock, subject, "lie", b"right")
    stock.lies[made["digest"]] = b"{}"
    return made


FALSE: dict[str, Callable[[Stock, dict[str, Any]], dict[str, Any]]] = {
    "about another": lambda stock, subject: signed(
        stock, stock.image("other", stock.blob(b"y")), "other", b"sig-other"
    ),
    "an index": lambda stock, subject: stock.index("", signed(stock, subject, "good", b"sig")),
    "no manifest": lambda stock, subject: stock.put("", {"schemaVersion": 2, "layers": 5}, OCI_MANIFEST),
    "not there": lambda stock, subject: {"mediaType": OCI_MANIFEST, "digest": A, "size": 5},
    "without its layer": lambda stock, subject: stock.image(
        "", {"mediaType": "a/b", "digest": A, "size": 5}, subject=subject
    ),
    "too large": lambda stock, subject: stock.image(
        "", {"mediaType": "a/b", "digest": A, "size": 1 << 30}, subject=subject
    ),
    "of other bytes": lying_layer,
    "itself of other bytes": lying_manifest,
}


@pytest.mark.parametrize("name", FALSE)
def test_what_claims_to_be_attached_and_is_not_is_never_nothing(
    stock: Stock, client: RegistryClient, name: str
) -> None:
    subject = stock.image("prod", stock.blob(b"x"))
    stock.index(subject_tag(subject["digest"]), FALSE[name](stock, subject))
    found = fetch_material(client, REPO, subject["digest"])
    assert found
    assert all(each.broken or each.missing for each in found), found


def test_a_list_or_a_signature_tag_that_is_none_is_never_nothing(
    stock: Stock, client: RegistryClient
) -> None:
    subject = stock.image("prod", stock.blob(b"x"))
    for tag in (subject_tag(subject["digest"]), f"{subject_tag(subject['digest'])}.sig"):
        stock.put(tag, "no manifest", OCI_MANIFEST)
        found = fetch_material(client, REPO, subject["digest"])
        assert found
        assert all(each.broken or each.missing for each in found)
        del stock.manifests[tag]


def test_what_names_no_subject_is_judged_by_what_it_signs(stock: Stock, client: RegistryClient) -> None:
    subject = stock.image("prod", stock.blob(b"x"))
    stock.index(subject_tag(subject["digest"]), stock.image("", stock.blob(b"unrelated")))
    (found,) = fetch_material(client, REPO, subject["digest"])
    assert (found.kind, found.data) == (MaterialKind.UNKNOWN, b"unrelated")
