"""Sigstore bundles (sigstore/protobuf-specs, 0.1 to 0.3): over a digest, or with an envelope inside.

What a sigstore instance vouches for is verified by sigstore-python, offline: every proof is in the bundle. It refuses what has
no log entry, so bundles by a key or by an authority of the operator's, and those of 0.1 that hold a promise of the log and
no proof, are verified here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from eightysix.gate.attest import log
from eightysix.gate.attest.certificates import MAX_CHAIN, from_der
from eightysix.gate.attest.context import Spoken, Task
from eightysix.gate.attest.dsse import Envelope, envelope_of, pae
from eightysix.gate.attest.fulcio import authority_of, by_roots, not_revoked, vouch
from eightysix.gate.attest.held import by_authority, by_some_key
from eightysix.gate.attest.keys import Message, PublicKey, signed_by, signed_digest_by
from eightysix.gate.attest.material import Draft, Proof
from eightysix.gate.attest.signer import keyless
from eightysix.gate.attest.statement import MODEL_PREDICATES
from eightysix.gate.attest.strict import (
    Refusal,
    as_list,
    as_map,
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

__all__ = ["judge_bundle", "proved_by_sigstore"]

_PREFIX: Final = "application/vnd.dev.sigstore.bundle"
_KNOWN: Final = frozenset(
    {
        "application/vnd.dev.sigstore.bundle+json;version=0.1",
        "application/vnd.dev.sigstore.bundle+json;version=0.2",
        "application/vnd.dev.sigstore.bundle+json;version=0.3",
        "application/vnd.dev.sigstore.bundle.v0.3+json",
    }
)
_FIELDS: Final = frozenset({"mediaType", "verificationMaterial", "messageSignature", "dsseEnvelope"})
_MESSAGE_FIELDS: Final = frozenset({"messageDigest", "signature"})
_MATERIAL_FIELDS: Final = frozenset(
    {"publicKey", "x509CertificateChain", "certificate", "tlogEntries", "timestampVerificationData"}
)


class _NoPolicy:
    """Who may sign is decided by the baseline, not here."""

    def verify(self, cert: Certificate) -> None:
        """Any signer."""


def judge_bundle(draft: Draft, data: bytes, task: Task) -> Spoken | Proof:
    """The proof that a bundle holds, for the artifact where it is over a digest; with the payload where it has one."""
    bundle = as_map(load_json(data, "the bundle"), "the bundle")
    media_type = bundle.get("mediaType")
    if not isinstance(media_type, str) or not media_type.startswith(_PREFIX):
        raise wrong(f"it says that it is {shown(media_type)}, and no bundle")
    if media_type not in _KNOWN:
        raise unverifiable(f"bundles of the format {shown(media_type)} are not read here yet")
    material = as_map(bundle.get("verificationMaterial"), "the bundle's verificationMaterial")
    _known_only(bundle, _FIELDS, "the bundle")
    _known_only(material, _MATERIAL_FIELDS, "the bundle's verificationMaterial")
    message, envelope = bundle.get("messageSignature"), bundle.get("dsseEnvelope")
    if (message is None) == (envelope is None):
        raise wrong("a bundle holds one of a signature and an envelope")
    if message is not None:
        _check_digest(draft, as_map(message, "the bundle's signature"), task)
    chain = _chain(material)
    entries = as_list(material.get("tlogEntries", []), "the bundle's log entries", most=8)
    if not chain:
        return _by_key(draft, material, message, envelope, task)
    if entries:
        try:
            # Those of 0.1 may hold a promise alone, or a proof of a tree that no log signed.
            version_1 = media_type.endswith("=0.1")
            return _by_sigstore(draft, data, chain[0], message, envelope, entries, task, version_1=version_1)
        except Refusal as refusal:
            if refusal.state is not SignatureState.UNVERIFIABLE:
                raise
            if not any(_named(chain, anchors) for _, anchors in task.trust.authorities):
                raise
    elif any(authority.issued(chain[0]) for root in task.trust.roots for authority in root.authorities):
        raise wrong("its certificate is of minutes, and no log tells when it signed")
    return _by_own_authority(draft, chain, message, envelope, task)


def _known_only(fields: Mapping[str, object], known: frozenset[str], what: str) -> None:
    if unknown := set(fields) - known:
        raise wrong(f"{what} has a field {shown(min(unknown))}, which such bundles do not have")


def _check_digest(draft: Draft, message: Mapping[str, object], task: Task) -> None:
    """A bundle that says which digest it is over must say ours; sigstore-python does not look at the algorithm's name."""
    _known_only(message, _MESSAGE_FIELDS, "the bundle's signature")
    told = message.get("messageDigest")
    if told is None:
        return
    fields = as_map(told, "the bundle's digest")
    if fields.get("algorithm") != "SHA2_256":
        raise wrong(f"it signs a digest by {shown(fields.get('algorithm'))}, which nobody here takes")
    draft.subject = "sha256:" + base64_of(fields.get("digest"), "the bundle's digest").hex()
    if draft.subject != task.subject:
        raise wrong(f"it signs {draft.subject[:80]}, and not {task.subject}")


def _chain(material: Mapping[str, object]) -> tuple[Certificate, ...]:
    """The certificates of the bundle, the signer's first; none where a key signed."""
    one, many = material.get("certificate"), material.get("x509CertificateChain")
    if one is not None:
        listed = [one]
    elif many is not None:
        fields = as_map(many, "the bundle's chain of certificates")
        listed = as_list(fields.get("certificates"), "the bundle's chain of certificates", most=MAX_CHAIN)
        if not listed:
            raise wrong("the bundle's chain of certificates is empty")
    else:
        return ()
    return tuple(
        from_der(
            base64_of(
                as_map(item, "a certificate of the bundle").get("rawBytes"), "a certificate of the bundle"
            )
        )
        for item in listed
    )


def _named(chain: tuple[Certificate, ...], anchors: tuple[Any, ...]) -> bool:
    return any(certificate.issuer == anchor.subject for certificate in chain for anchor in anchors)


def _is_signed(message: object, envelope: object, task: Task) -> tuple[Any, Envelope | None]:
    """A test of a key against the signature in the bundle, and the envelope where there is one."""
    if envelope is not None:
        read = envelope_of(envelope)
        signed = Message(pae(read.payload_type, read.payload))
        return lambda key: any(signed_by(key, signature, signed) for signature in read.signatures), read
    signature = base64_of(
        as_map(message, "the bundle's signature").get("signature"), "the bundle's signature"
    )
    if not task.digest:
        raise unverifiable(f"a bundle cannot be about {task.subject}")
    return lambda key: signed_digest_by(key, signature, task.digest), None


def _by_key(
    draft: Draft, material: Mapping[str, object], message: object, envelope: object, task: Task
) -> Spoken | Proof:
    named = as_map(material.get("publicKey"), "the bundle's key")
    hint = named.get("hint")
    holds, read = _is_signed(message, envelope, task)
    proof, _ = by_some_key(task, holds, hint if isinstance(hint, str) else "")
    return _spoken(draft, proof, read)


def _by_own_authority(
    draft: Draft, chain: tuple[Certificate, ...], message: object, envelope: object, task: Task
) -> Spoken | Proof:
    holds, read = _is_signed(message, envelope, task)
    model = read is not None and _claims_model(read.payload)
    return _spoken(draft, by_authority(task, chain[0], chain[1:], holds, model=model), read)


def _claims_model(payload: bytes) -> bool:
    """Whether the payload says that it is a model's; what it says is judged only after its signature."""
    try:
        fields = load_json(payload, "the statement")
    except Refusal:
        return False
    told = fields.get("predicateType") if isinstance(fields, dict) else None
    return isinstance(told, str) and told in MODEL_PREDICATES


def _spoken(draft: Draft, proof: Proof, envelope: Envelope | None) -> Spoken | Proof:
    if envelope is None:
        draft.proof = proof
        return proof
    return Spoken(draft, proof, envelope.payload_type, envelope.payload)


def _by_sigstore(
    draft: Draft,
    data: bytes,
    leaf: Certificate,
    message: object,
    envelope: object,
    entries: list[object],
    task: Task,
    *,
    version_1: bool,
) -> Spoken | Proof:
    first = as_map(entries[0], "the log's entry")
    proof = first.get("inclusionProof")
    sealed = isinstance(proof, dict) and proof.get("checkpoint") is not None
    if len(entries) == 1 and version_1 and not sealed:
        entry = log.entry_of_bundle(first)
        return by_promise(draft, leaf, entry, message, envelope, task)
    from sigstore.models import Bundle

    try:
        bundle = Bundle.from_json(data)
    except Exception as error:  # noqa: BLE001 - pydantic and sigstore fail in many ways on hostile bytes
        raise wrong(f"the bundle cannot be used: {shown(error)}") from None
    return proved_by_sigstore(draft, bundle, leaf, task, over_digest=message is not None)


def proved_by_sigstore(
    draft: Draft,
    bundle: Any,
    leaf: Certificate,
    task: Task,
    *,
    over_digest: bool,
    method: SigningMethod = SigningMethod.KEYLESS,
) -> Spoken | Proof:
    """What sigstore-python says of a bundle, by the roots that know the leaf's authority."""
    if over_digest and not task.digest:
        raise unverifiable(f"a bundle cannot be about {task.subject}")
    content: list[tuple[str, bytes]] = []

    def judge(root: OpenedRoot) -> Proof:
        entry = bundle.log_entry._inner  # noqa: SLF001 - it has no public reader
        log_key = root.logs.get(entry.log_id.key_id)
        if log_key is None:
            raise wrong(
                f"it is in the log {entry.log_id.key_id.hex()[:16]}…, which is none of the trusted root"
                f" {shown(root.name)}; if that log is new, the root is old"
            )
        content[:] = [_verified(root, bundle, task.digest if over_digest else None)]
        _check_checkpoint(entry)
        at_ns = _trusted_time(bundle, leaf)
        if not log_key.valid_at(at_ns):
            raise wrong("the log's key was not in use at the log's time")
        authority = authority_of(leaf, root)
        if not (authority.start_ns <= at_ns and (not authority.end_ns or at_ns <= authority.end_ns)):
            raise wrong("its certificate is of an authority that was not in use at the log's time")
        not_revoked(task.trust, authority.key, leaf)
        return Proof(keyless(leaf, authority.key, method=method), at_ns, root.name)

    proof = by_roots(leaf, task.trust, judge)
    if over_digest:
        draft.proof = proof
        return proof
    return Spoken(draft, proof, *content[0])


def _verified(root: OpenedRoot, bundle: Any, digest: bytes | None) -> tuple[str, bytes]:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from sigstore.hashes import Hashed
    from sigstore_models.common.v1 import HashAlgorithm

    try:
        if digest is None:
            return root.verifier.verify_dsse(bundle, _NoPolicy())  # type: ignore[no-any-return]
        root.verifier.verify_artifact(
            Hashed(algorithm=HashAlgorithm.SHA2_256, digest=digest), bundle, _NoPolicy()
        )
    except Exception as error:  # noqa: BLE001 - it fails in many ways on hostile bytes, and each is a no
        if not isinstance(bundle.signing_certificate.public_key(), EllipticCurvePublicKey):
            raise unverifiable("its certificate holds a key that sigstore-python does not verify") from None
        raise wrong(f"sigstore refuses it: {shown(error)}") from None
    return "", b""


def _check_checkpoint(entry: Any) -> None:
    """The size that the log signed is the size that the proof is for; sigstore-python compares the tops of the trees alone."""
    lines = entry.inclusion_proof.checkpoint.envelope.split("\n", 2)
    if len(lines) < 3 or lines[1] != str(entry.inclusion_proof.tree_size):
        raise wrong("the log signed a tree of another size")


def _trusted_time(bundle: Any, leaf: Certificate) -> int:
    """The log's time where it promised the entry, else that of the timestamp, in nanoseconds.

    Of several timestamps nobody tells which one held, so the start of the certificate's minutes is taken.
    """
    entry = bundle.log_entry._inner  # noqa: SLF001 - as above
    if entry.integrated_time and entry.inclusion_promise:
        return int(entry.integrated_time) * 1_000_000_000
    stamps = bundle.verification_material.timestamp_verification_data
    told = stamps.rfc3161_timestamps if stamps else []
    moment = told[0].tst_info.gen_time if len(told) == 1 else leaf.not_valid_before_utc
    return int(moment.timestamp()) * 1_000_000_000


def by_promise(
    draft: Draft, leaf: Certificate, entry: log.Entry, message: object, envelope: object, task: Task
) -> Spoken | Proof:
    """As above for an entry with the log's promise alone."""
    holds, read = _is_signed(message, envelope, task)
    if not holds(PublicKey("", "", leaf.public_key())):
        raise wrong("the holder of its certificate did not sign this")
    if read is None:
        signature = base64_of(as_map(message, "").get("signature"), "the bundle's signature")
        log.about_digest(entry, task.digest, signature, leaf)
    else:
        log.about_envelope(entry, b"", read.payload, read.signatures[0], leaf)

    def judge(root: OpenedRoot) -> Proof:
        return vouch(leaf, root, log.promised(entry, root), task.trust, SigningMethod.KEYLESS)

    return _spoken(draft, by_roots(leaf, task.trust, judge), read)
