"""Signatures by keys and by certificates of the operator's own authorities: no log, so no time but that of the check."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from eightysix.gate.attest.certificates import chain_of, check_signing_use, key_digest
from eightysix.gate.attest.context import Task
from eightysix.gate.attest.fulcio import not_revoked
from eightysix.gate.attest.keys import PublicKey
from eightysix.gate.attest.material import Proof
from eightysix.gate.attest.signer import by_certificate, by_key, names_of
from eightysix.gate.attest.strict import Refusal, shown, unverifiable, wrong
from eightysix.gate.attest.trust import Authority, Opened

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

__all__ = ["by_authority", "by_some_key", "has_authority"]

Check = Callable[[PublicKey], bool | None]


def by_some_key(task: Task, holds: Check, hint: str = "") -> tuple[Proof, PublicKey]:
    """Which of the operator's keys made it. The hint in a signature decides nothing: every key is tried."""
    trust = task.trust
    if not trust.keys:
        raise unverifiable("it is signed with a key, and no key is given to verify it with")
    unable = False
    for public in trust.keys:
        answer = holds(public)
        unable |= answer is None
        if answer:
            not_revoked(trust, public.digest)
            return Proof(by_key(public.digest), 0, public.name), public
    if unable:
        raise unverifiable(
            "an Ed25519 signature is over the bytes of the artifact, and only its digest is here"
        )
    if hint and not any(hint in _hints(public) for public in trust.keys):
        raise unverifiable(f"it is signed with the key {shown(hint)}, which is not given here")
    raise wrong(f"none of the {len(trust.keys)} keys that are given made it")


def _hints(public: PublicKey) -> tuple[str, ...]:
    """How tools call a key: by the digest of its SPKI, or of its PEM, as model-signing does."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    pem: bytes = public.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return public.digest, hashlib.sha256(pem).hexdigest(), public.name


def has_authority(trust: Opened, *, model: bool = False) -> bool:
    """Whether any authority of the operator's is given for such signatures."""
    return bool(trust.authorities or (model and trust.model_authorities))


def by_authority(
    task: Task, leaf: Certificate, between: Sequence[Certificate], holds: Check, *, model: bool = False
) -> Proof:
    """That the leaf is of one of the operator's authorities, valid now, for signing code, allowed by name, and signed."""
    known = task.trust.authorities + (task.trust.model_authorities if model else ())
    if not known:
        raise unverifiable("it is signed with a certificate, and no authority is given to verify it with")
    refusals = []
    for authority, anchors in known:
        try:
            return _under(task, authority, anchors, (leaf, *between), holds)
        except Refusal as refusal:
            refusals.append((any(_leads(c, anchors) for c in (leaf, *between)), refusal))
    for leads, why in refusals:
        if leads:
            raise why
    raise unverifiable(
        f"no authority that is given issued its certificate: {shown(leaf.issuer.rfc4514_string())}"
    )


def _leads(certificate: Certificate, anchors: Sequence[Certificate]) -> bool:
    return any(certificate.issuer == anchor.subject for anchor in anchors)


def _under(
    task: Task,
    authority: Authority,
    anchors: Sequence[Certificate],
    given: tuple[Certificate, ...],
    holds: Check,
) -> Proof:
    leaf, *between = given
    chain = chain_of(leaf, between, anchors, task.now_ns)
    check_signing_use(leaf)
    not_revoked(task.trust, *chain)
    if not holds(PublicKey("", key_digest(leaf), leaf.public_key())):
        raise wrong("the holder of its certificate did not sign this")
    if authority.subjects:
        names = names_of(leaf) or (leaf.subject.rfc4514_string(),)
        if not set(names) <= set(authority.subjects):
            raise wrong(f"{shown(', '.join(names))} may not sign under the authority {shown(authority.name)}")
    return Proof(by_certificate(leaf, chain[-1]), 0, authority.name)
