"""What the tests of signatures share: a box, its trusted root, an artifact, and how bytes become material."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from eightysix.gate.attest import Material, MaterialKind, ModelFile, Root, Trust, collect
from eightysix.lab.signing import Attached, Box
from eightysix.model.gate import Signature, SignatureState

ARTIFACT = b"an image's manifest"
DIGEST = "sha256:" + hashlib.sha256(ARTIFACT).hexdigest()
OTHER = "sha256:" + hashlib.sha256(b"another image's manifest").hexdigest()
BOX = Box("acme", seed="tests")
STRANGER = Box("stranger", seed="tests")
TRUST = Trust(roots=(Root("acme", BOX.trusted_root()),))
NOW = datetime(2026, 11, 23, tzinfo=UTC)
VALID, INVALID = SignatureState.VALID, SignatureState.INVALID
UNVERIFIABLE, UNSIGNED = SignatureState.UNVERIFIABLE, SignatureState.UNSIGNED


def ns(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000_000


def statement(
    digest: str = DIGEST,
    predicate_type: str = "https://slsa.dev/provenance/v1",
    predicate: Mapping[str, object] | None = None,
    *,
    kind: str = "https://in-toto.io/Statement/v1",
    more: Sequence[Mapping[str, object]] = (),
) -> dict[str, object]:
    algorithm, _, digits = digest.partition(":")
    return {
        "_type": kind,
        "subject": [{"name": "registry.example/ml/llm", "digest": {algorithm: digits}}, *more],
        "predicateType": predicate_type,
        "predicate": predicate or {},
    }


def bundle(data: bytes) -> Material:
    return Material(kind=MaterialKind.BUNDLE, data=data, source="here")


def cosign(attached: Attached) -> Material:
    return Material(kind=MaterialKind.COSIGN, data=attached.blob, annotations=attached.annotations)


def envelope(attached: Attached) -> Material:
    return Material(kind=MaterialKind.ENVELOPE, data=attached.blob, annotations=attached.annotations)


def pypi(data: bytes, name: str = "") -> Material:
    return Material(kind=MaterialKind.PYPI, data=data, name=name)


def judge(
    *material: Material,
    trust: Trust = TRUST,
    subject: str = DIGEST,
    now: datetime = NOW,
    files: Mapping[str, ModelFile] | None = None,
) -> tuple[Signature, ...]:
    return collect(subject, material, trust, now_ns=ns(now), files=files)


def one(
    material: Material,
    *,
    trust: Trust = TRUST,
    subject: str = DIGEST,
    now: datetime = NOW,
    files: Mapping[str, ModelFile] | None = None,
) -> Signature:
    (found,) = judge(material, trust=trust, subject=subject, now=now, files=files)
    return found


def state_and_why(
    material: Material,
    *,
    trust: Trust = TRUST,
    subject: str = DIGEST,
    now: datetime = NOW,
    files: Mapping[str, ModelFile] | None = None,
) -> tuple[SignatureState, str]:
    found = one(material, trust=trust, subject=subject, now=now, files=files)
    assert (found.state is VALID) == (found.signer is not None)
    assert found.state is VALID or (found.why and not found.claims)
    return found.state, found.why
