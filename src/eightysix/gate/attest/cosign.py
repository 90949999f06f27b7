"""Signatures and attestations as cosign keeps them beside an image: a layer, and the rest in its annotations.

sigstore/cosign, specs/SIGNATURE_SPEC.md and ATTESTATION_SPEC.md; the payload: containers/image, "simple signing".
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from eightysix.gate.attest import log
from eightysix.gate.attest.certificates import from_pem
from eightysix.gate.attest.context import Spoken, Task
from eightysix.gate.attest.dsse import envelope_of, pae
from eightysix.gate.attest.fulcio import by_roots, vouch
from eightysix.gate.attest.held import by_authority, by_some_key
from eightysix.gate.attest.keys import Message, PublicKey, signed_by
from eightysix.gate.attest.material import Draft, Material, Proof
from eightysix.gate.attest.statement import COSIGN_SIGN
from eightysix.gate.attest.strict import (
    Refusal,
    as_map,
    as_text,
    base64_of,
    load_json,
    shown,
    unverifiable,
    wrong,
)
from eightysix.gate.attest.trust import OpenedRoot
from eightysix.model.gate import SignatureState, SigningMethod

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

__all__ = ["BUNDLE", "CERTIFICATE", "CHAIN", "SIGNATURE", "judge_cosign", "judge_envelope"]

Holds = Callable[[PublicKey], bool]
About = Callable[[log.Entry, Any], None]

SIGNATURE: Final = "dev.cosignproject.cosign/signature"
_FAMILIES: Final = ("dev.sigstore.cosign/", "dev.cosignproject.cosign/")
"""cosign writes the signature under the second and everything else under the first; both are read."""

CERTIFICATE: Final = "certificate"
CHAIN: Final = "chain"
BUNDLE: Final = "bundle"
_TIMESTAMP: Final = "rfc3161timestamp"
_TYPES: Final = frozenset({"cosign container image signature", COSIGN_SIGN})
_MAX_ANNOTATION: Final = 4 << 20


def _annotation(material: Material, name: str) -> str:
    found = [
        material.annotations[prefix + name] for prefix in _FAMILIES if material.annotations.get(prefix + name)
    ]
    if len(set(found)) > 1:
        raise wrong(f"its annotation {name} is there twice")
    text = found[0] if found else ""
    if len(text) > _MAX_ANNOTATION:
        raise wrong(f"its annotation {name} has {len(text):,} characters")
    return text


def judge_cosign(draft: Draft, material: Material, task: Task) -> Proof:
    """A signature of an image: the payload names the digest, the annotations hold signature, certificate and log."""
    payload = material.data
    fields = as_map(load_json(payload, "the payload"), "the payload")
    critical = as_map(fields.get("critical"), "the payload's critical part")
    image = as_map(critical.get("image"), "the payload's image")
    draft.subject = as_text(image.get("docker-manifest-digest"), "the payload's digest")[:200]
    kind = critical.get("type")
    if not isinstance(kind, str) or kind not in _TYPES:
        raise wrong(f"the payload is of the type {shown(kind)}")
    signature = base64_of(_annotation(material, "signature"), "its annotation signature")
    if not signature:
        raise wrong("its annotation signature is empty")
    if not task.subject or draft.subject != task.subject:
        raise wrong(f"it signs {shown(draft.subject)}, and not {task.subject or 'the files of a model'}")
    named = as_map(critical.get("identity"), "the payload's identity").get("docker-reference")
    if isinstance(named, str):
        draft.claims = {"reference": named[:1000]}

    def about(entry: log.Entry, holder: object) -> None:
        log.about_digest(entry, hashlib.sha256(payload).digest(), signature, holder)

    draft.proof = _proof(material, task, lambda key: signed_by(key, signature, payload), about)
    return draft.proof


def judge_envelope(draft: Draft, material: Material, task: Task) -> Spoken:
    """An attestation: an envelope, with annotations for who signed where a certificate did."""
    envelope = envelope_of(load_json(material.data, "the envelope"))
    signed = Message(pae(envelope.payload_type, envelope.payload))

    def holds(key: PublicKey) -> bool:
        return any(signed_by(key, signature, signed) for signature in envelope.signatures)

    def about(entry: log.Entry, holder: object) -> None:
        log.about_envelope(entry, material.data, envelope.payload, envelope.signatures[0], holder)

    return Spoken(draft, _proof(material, task, holds, about), envelope.payload_type, envelope.payload)


def _proof(material: Material, task: Task, holds: Holds, about: About) -> Proof:
    pem = _annotation(material, CERTIFICATE)
    promise = _annotation(material, BUNDLE)
    entry = log.entry_of_annotation(promise) if promise else None
    if not pem:
        return _by_key(task, holds, about, entry)
    certificates = from_pem(pem.encode("utf-8", "replace"))
    if len(certificates) != 1:
        raise wrong(f"its annotation certificate holds {len(certificates)} certificates")
    leaf = certificates[0]
    between = from_pem(chain.encode("utf-8", "replace")) if (chain := _annotation(material, CHAIN)) else ()
    try:
        return _keyless(task, leaf, holds, about, entry, stamped=bool(_annotation(material, _TIMESTAMP)))
    except Refusal as refusal:
        if refusal.state is not SignatureState.UNVERIFIABLE or not task.trust.authorities:
            raise
        return by_authority(task, leaf, between, holds)


def _by_key(task: Task, holds: Holds, about: About, entry: log.Entry | None) -> Proof:
    proof, public = by_some_key(task, holds)
    if entry is None:
        return proof
    # The log adds a time and nothing else; one that no root has takes nothing away from the key.
    about(entry, public.key)
    for root in task.trust.roots:
        if entry.log_id in root.logs:
            return Proof(proof.signer, log.promised(entry, root), proof.trust)
    return proof


def _keyless(
    task: Task, leaf: Certificate, holds: Holds, about: About, entry: log.Entry | None, *, stamped: bool
) -> Proof:
    def judge(root: OpenedRoot) -> Proof:
        if not holds(PublicKey("", "", leaf.public_key())):
            raise wrong("the holder of its certificate did not sign this")
        if entry is None and stamped:
            raise unverifiable(
                "only a timestamp tells when it was signed, and such timestamps are not read here yet"
            )
        if entry is None:
            raise wrong("nothing tells that it was signed while its certificate was valid")
        about(entry, leaf)
        return vouch(leaf, root, log.promised(entry, root), task.trust, SigningMethod.KEYLESS)

    return by_roots(leaf, task.trust, judge)
