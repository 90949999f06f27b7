"""From attached manifests to material: nothing that is attached gets lost on the way."""

from __future__ import annotations

import hashlib
import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eightysix.gate.attest import MaterialKind, materials_of
from eightysix.gate.attest.attached import MAX_LAYERS
from eightysix.lab.signers import github
from eightysix.lab.signing import BUNDLE_TYPES, canonical
from tests.gate.attest.box import BOX, DIGEST, INVALID, OTHER, UNVERIFIABLE, VALID, judge, statement

SIMPLE = "application/vnd.dev.cosign.simplesigning.v1+json"
ENVELOPE = "application/vnd.dsse.envelope.v1+json"
BUNDLE = BUNDLE_TYPES["0.3"]


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def layer(media_type: str, blob: bytes, annotations: dict[str, str] | None = None) -> dict[str, object]:
    found: dict[str, object] = {"mediaType": media_type, "digest": digest_of(blob), "size": len(blob)}
    return found | ({"annotations": annotations} if annotations else {})


def manifest(*layers: object, **fields: object) -> bytes:
    return canonical(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "layers": list(layers),
            **fields,
        }
    )


SIGNED = BOX.cosign(DIGEST, github())
ATTESTED = BOX.cosign_attestation(statement(), github())
NEW = BOX.sign(DIGEST, github())
BLOBS = {digest_of(b): b for b in (SIGNED.blob, ATTESTED.blob, NEW, b"", b"{}", b"\x01\x02")}
SUBJECT = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": DIGEST, "size": 1}


def states(data: bytes, source: str = "", blobs: dict[str, bytes] = BLOBS) -> list[tuple[str, str]]:
    found = materials_of(data, blobs, source=source or digest_of(data), subject=DIGEST)
    return [(s.state.value, s.why) for s in judge(*found)] if found else []


def test_the_tags_and_referrers_that_cosign_makes() -> None:
    by_tag = manifest(
        layer(SIMPLE, SIGNED.blob, SIGNED.annotations), layer(ENVELOPE, ATTESTED.blob, ATTESTED.annotations)
    )
    assert states(by_tag, "sha256-abc.sig") == [("valid", ""), ("valid", "")]
    referrer = manifest(layer(BUNDLE, NEW), artifactType=BUNDLE, subject=SUBJECT)
    assert states(referrer) == [("valid", "")]
    found = materials_of(referrer, BLOBS, source=digest_of(referrer), subject=DIGEST)
    assert [m.source for m in found] == [digest_of(referrer)]


@pytest.mark.parametrize("media_type", ["", "text/plain", "application/octet-stream", "application/json"])
def test_a_wrong_media_type_hides_nothing(media_type: str) -> None:
    odd = manifest(
        layer(media_type, SIGNED.blob, SIGNED.annotations),
        layer(media_type, ATTESTED.blob, ATTESTED.annotations),
        layer(media_type, NEW),
        layer(media_type, b"\x01\x02"),
        artifactType="application/spdx+json",
    )
    assert [state for state, _ in states(odd)] == ["valid", "valid", "valid", "unverifiable"]


def test_lists_of_parts_are_no_signatures_and_the_unknown_is_told() -> None:
    assert states(manifest(layer("text/spdx+json", b"{}"), artifactType="text/spdx+json")) == []
    ((state, why),) = states(manifest(layer("x/y", b"\x01\x02"), artifactType="x/y"))
    assert (state, why) == ("unverifiable", "what “x/y” is, nobody here knows")
    notation = manifest(
        layer("application/jose+json", b"{}"), artifactType="application/vnd.cncf.notary.signature"
    )
    ((state, _),) = states(notation)
    assert state == "unverifiable"


BROKEN = {
    "no layers": (manifest(), "the attached manifest has no layer"),
    "layers are none": (canonical({"layers": None}), "the attached manifest's list of layers is no list"),
    "no json": (b"<html>", "the attached manifest cannot be read as JSON"),
    "empty": (b"", "the attached manifest cannot be read as JSON"),
    "a list": (b"[]", "the attached manifest is no object"),
    "another's": (
        manifest(layer(BUNDLE, NEW), subject=SUBJECT | {"digest": OTHER}),
        f"it is attached to “{OTHER}”, and not to {DIGEST}",
    ),
    "subject without digest": (manifest(layer(BUNDLE, NEW), subject={}), "it is attached to “None”"),
    "an index": (canonical({"manifests": [], "layers": []}), "an index is attached"),
    "an empty layer": (manifest(layer(BUNDLE, b"")), "its layer is empty"),
    "a layer without digest": (manifest({"mediaType": BUNDLE}), "a layer has no digest"),
    "a layer that is none": (manifest(7), "a layer is no object"),
    "annotations that are none": (
        manifest(layer(SIMPLE, SIGNED.blob) | {"annotations": 7}),
        "a layer's annotations",
    ),
    "no annotations": (manifest(layer(SIMPLE, SIGNED.blob)), "its annotation signature is empty"),
    "too many": (manifest(*[layer(BUNDLE, NEW)] * (MAX_LAYERS + 1)), "257 items, more than 256"),
    "twice": (b'{"layers":[],"layers":[]}', "stands twice"),
    "too large": (b" " * (4 << 20) + b"{}", "more than 4,194,304"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_attached_and_broken_is_invalid(name: str) -> None:
    data, why = BROKEN[name]
    found = states(data)
    assert [state for state, _ in found] == ["invalid"]
    assert why in found[0][1]


def test_a_registry_that_lies_or_does_not_answer() -> None:
    data = manifest(layer(BUNDLE, NEW))
    assert states(data, digest_of(b"another")) == [
        ("invalid", "the registry gave another manifest than was asked for")
    ]
    key = digest_of(NEW)
    assert states(data, blobs={key: NEW + b" "}) == [
        ("invalid", "the registry gave other bytes than its layer has")
    ]
    assert states(data, blobs={}) == [("unverifiable", f"its layer {key} could not be had")]


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_any_manifest(data: st.DataObject) -> None:
    good = manifest(layer(BUNDLE, NEW), layer(SIMPLE, SIGNED.blob, SIGNED.annotations), subject=SUBJECT)
    index = data.draw(st.integers(0, len(good) - 1))
    changed = bytearray(good)
    changed[index] ^= 1 << data.draw(st.integers(0, 7))
    found = materials_of(bytes(changed), BLOBS, source="a tag", subject=DIGEST)
    assert found, "something is attached"
    assert {s.state for s in judge(*found)} <= {VALID, INVALID, UNVERIFIABLE}


def test_material_of_broken_things_keeps_its_kind_where_it_is_known() -> None:
    found = materials_of(manifest(layer(BUNDLE, b"")), BLOBS, source="t", subject=DIGEST)
    assert [m.kind for m in found] == [MaterialKind.BUNDLE]
    document = json.loads(NEW)
    document["mediaType"] = "application/vnd.dev.sigstore.bundle.v9+json"
    newer = canonical(document)
    ((state, why),) = states(manifest(layer("x", newer)), blobs={digest_of(newer): newer})
    assert (state, "are not read here yet" in why) == ("unverifiable", True)
    assert msgspec.structs.asdict(found[0])["broken"] == "its layer is empty"
