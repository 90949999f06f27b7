"""Whatever is changed in a signature, it is invalid or unverifiable, or says exactly the same: never unsigned, never an error."""

from __future__ import annotations

import json
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eightysix.gate.attest import Material, MaterialKind, Trust
from eightysix.lab.signers import github
from eightysix.model.gate import Signature
from tests.gate.attest.box import (
    BOX,
    DIGEST,
    INVALID,
    UNVERIFIABLE,
    VALID,
    bundle,
    cosign,
    envelope,
    judge,
    one,
    pypi,
    statement,
)

KINDS = {
    "bundle": bundle(BOX.sign(DIGEST, github())),
    "bundle-0.2": bundle(BOX.sign(DIGEST, github(), version="0.2")),
    "bundle-0.1": bundle(BOX.sign(DIGEST, github(), version="0.1")),
    "attested": bundle(BOX.attest(statement(), github())),
    "attested-0.1": bundle(BOX.attest(statement(), github(), version="0.1")),
    "cosign": cosign(BOX.cosign(DIGEST, github())),
    "cosign-attested": envelope(BOX.cosign_attestation(statement(), github())),
    "pypi": pypi(BOX.pep740("acme_ml-1.tar.gz", DIGEST, github())),
}
STEP = 23
"""Every so many bytes one is changed, each time at another place of base64's groups of four: all of them take 20 s."""


def same(found: Signature, reference: Signature) -> bool:
    """Whether it says the same: everything but the digest of its own bytes."""
    return msgspec.structs.replace(found, digest="") == msgspec.structs.replace(reference, digest="")


def hold(material: Material, reference: Signature) -> Signature:
    found = judge(material)
    assert len(found) == 1
    assert found[0].state in {INVALID, UNVERIFIABLE} or same(found[0], reference), found
    assert found[0].state is VALID or (found[0].signer is None and found[0].why)
    return found[0]


@pytest.mark.parametrize("name", KINDS)
def test_flipped_bits(name: str) -> None:
    material = KINDS[name]
    reference = one(material)
    assert reference.state is VALID
    states = []
    for index in range(len(name), len(material.data), STEP):
        data = bytearray(material.data)
        data[index] ^= 1 << index % 8
        states.append(hold(msgspec.structs.replace(material, data=bytes(data)), reference).state)
    for key, text in material.annotations.items():
        for index in range(0, len(text), STEP * 2):
            changed = text[:index] + chr(ord(text[index]) ^ (1 << index % 7)) + text[index + 1 :]
            annotations = {**material.annotations, key: changed}
            states.append(hold(msgspec.structs.replace(material, annotations=annotations), reference).state)
    assert states.count(INVALID) > len(states) * 3 // 4


def _without(value: object) -> Iterator[object]:
    """`value` with one thing less, at each place."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield {k: v for k, v in value.items() if k != key}
            for smaller in _without(inner):
                yield {**value, key: smaller}
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield value[:index] + value[index + 1 :]
            for smaller in _without(inner):
                yield [*value[:index], smaller, *value[index + 1 :]]


def _replaced(value: object) -> Iterator[object]:
    """`value` with something else at each place."""
    if isinstance(value, dict):
        for key, inner in value.items():
            for other in _replaced(inner):
                yield {**value, key: other}
    elif isinstance(value, list):
        yield value * 2
        for index, inner in enumerate(value):
            for other in _replaced(inner):
                yield [*value[:index], other, *value[index + 1 :]]
    yield from (None, "", 0, -1, [], {}, True, 10**30, "\ud800", "A" * 5000)


@pytest.mark.parametrize("name", KINDS)
def test_fields_taken_away_or_replaced(name: str) -> None:
    material = KINDS[name]
    reference = one(material)
    document = json.loads(material.data)
    for change in (_without, _replaced):
        for changed in change(document):
            hold(msgspec.structs.replace(material, data=json.dumps(changed).encode()), reference)
    for key in material.annotations:
        fewer = {k: v for k, v in material.annotations.items() if k != key}
        for other in (fewer, {**material.annotations, key: ""}, {**material.annotations, key: "{}"}):
            hold(msgspec.structs.replace(material, annotations=other), reference)


@pytest.mark.parametrize("name", KINDS)
def test_cut_short(name: str) -> None:
    material = KINDS[name]
    for length in range(0, len(material.data), 97):
        assert one(msgspec.structs.replace(material, data=material.data[:length])).state is INVALID


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("kind", MaterialKind)
def test_taken_for_another_kind(name: str, kind: MaterialKind) -> None:
    material = KINDS[name]
    if kind is not material.kind:
        found = judge(msgspec.structs.replace(material, kind=kind))
        assert [s.state for s in found if s.state not in {INVALID, UNVERIFIABLE}] == []


@given(st.binary(max_size=300), st.sampled_from(list(MaterialKind)))
@settings(max_examples=150, deadline=None)
def test_any_bytes(data: bytes, kind: MaterialKind) -> None:
    (found,) = judge(Material(kind=kind, data=data))
    assert found.state in {INVALID, UNVERIFIABLE}
    assert judge(Material(kind=kind, data=data), trust=Trust())[0].state in {INVALID, UNVERIFIABLE}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = [
    "mediaType",
    "verificationMaterial",
    "messageSignature",
    "dsseEnvelope",
    "critical",
    "payload",
    "payloadType",
    "signatures",
    "version",
    "attestation_bundles",
    "verification_material",
    "envelope",
]


@given(st.dictionaries(st.sampled_from(NAMES), JSON), st.sampled_from(list(MaterialKind)))
@settings(max_examples=150, deadline=None)
def test_any_document(document: dict[str, object], kind: MaterialKind) -> None:
    document.setdefault("mediaType", "application/vnd.dev.sigstore.bundle.v0.3+json")
    found = judge(Material(kind=kind, data=json.dumps(document).encode()))
    assert found
    assert {s.state for s in found} <= {INVALID, UNVERIFIABLE}


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a":' * 400 + b"1" + b"}" * 400,
        b"[" + b"1," * 700_000 + b"1]",
        b'{"mediaType":' + b"9" * 5000 + b"}",
        b'{"mediaType":NaN}',
        b'{"mediaType":"x","mediaType":"y"}',
        b"x" * (16 << 20) + b"x",
        "\N{BYTE ORDER MARK}{}".encode(),
        "{}".encode("utf-16"),
    ],
    ids=["lists", "objects", "deep", "many", "digits", "nan", "twice", "large", "bom", "utf-16"],
)
@pytest.mark.parametrize("kind", [MaterialKind.BUNDLE, MaterialKind.COSIGN, MaterialKind.PYPI])
def test_hostile_json(data: bytes, kind: MaterialKind) -> None:
    found = one(Material(kind=kind, data=data))
    assert found.state is INVALID
    assert len(found.why) < 400
    assert found.why.isprintable()
