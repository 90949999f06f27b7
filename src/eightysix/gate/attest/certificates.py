"""X.509: from bytes to certificates, and from a leaf to an authority that somebody here trusts, at a moment."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from eightysix.gate.attest.strict import shown, wrong

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from cryptography.x509.verification import ExtensionPolicy

__all__ = [
    "MAX_CHAIN",
    "chain_of",
    "check_signing_use",
    "from_der",
    "from_pem",
    "key_digest",
    "moment_of",
    "sound_key",
]

MAX_CHAIN: Final = 10
"""Certificates beside one signature. Sigstore has two authorities, enterprises three or four."""

_MAX_CERTIFICATE: Final = 64 << 10
_MIN_RSA: Final = 2048
"""NIST SP 800-57: less than 112 bits of strength below it."""

_PEM_BEGIN: Final = b"-----BEGIN CERTIFICATE-----"


def from_der(data: bytes) -> Certificate:
    """One certificate; its extensions are read too, so that none fails later."""
    from cryptography import x509

    if len(data) > _MAX_CERTIFICATE:
        raise wrong(f"a certificate has {len(data):,} bytes, more than {_MAX_CERTIFICATE:,}")
    try:
        certificate = x509.load_der_x509_certificate(data)
        _ = certificate.extensions, certificate.issuer, certificate.subject
    except Exception as error:  # noqa: BLE001 - its reader fails in many ways on hostile bytes
        raise wrong(f"a certificate cannot be read: {shown(error)}") from None
    return certificate


def from_pem(data: bytes) -> tuple[Certificate, ...]:
    """The certificates of a PEM text, leaf first."""
    from cryptography import x509

    count = data.count(_PEM_BEGIN)
    if count > MAX_CHAIN:
        raise wrong(f"{count:,} certificates are given, more than {MAX_CHAIN}")
    if len(data) > MAX_CHAIN * _MAX_CERTIFICATE:
        raise wrong(f"the certificates have {len(data):,} bytes")
    try:
        found = x509.load_pem_x509_certificates(data)
        for certificate in found:
            _ = certificate.extensions, certificate.issuer, certificate.subject
    except Exception as error:  # noqa: BLE001 - its reader fails in many ways on hostile bytes
        raise wrong(f"the certificates cannot be read: {shown(error)}") from None
    return tuple(found)


def key_digest(holder: object) -> str:
    """SHA-256 of the public key of a certificate, or of a public key, as SubjectPublicKeyInfo."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    from cryptography.x509 import Certificate

    key = holder.public_key() if isinstance(holder, Certificate) else holder
    data: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]
    return hashlib.sha256(data).hexdigest()


def moment_of(ns: int) -> datetime:
    """A time in nanoseconds, as the readers of certificates want it."""
    try:
        return datetime.fromtimestamp(ns // 1_000_000_000, tz=UTC)
    except (OverflowError, ValueError, OSError):
        raise wrong("it was signed at a time that no calendar has") from None


def sound_key(key: object) -> str:
    """Why nobody should sign with such a key; empty where it is sound."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(key, rsa.RSAPublicKey):
        return "" if key.key_size >= _MIN_RSA else f"an RSA key of {key.key_size} bits is too short"
    if isinstance(key, ec.EllipticCurvePublicKey):
        sound = key.curve.name in {"secp256r1", "secp384r1", "secp521r1"}
        return "" if sound else f"keys on the curve {key.curve.name} are not taken"
    if isinstance(key, ed25519.Ed25519PublicKey):
        return ""
    return "keys of this kind are not taken"


def chain_of(
    leaf: Certificate, between: Sequence[Certificate], anchors: Sequence[Certificate], at_ns: int
) -> tuple[Certificate, ...]:
    """The leaf, what lies between, and the anchor, each valid at `at_ns`; refuses where there is no such chain.

    Extensions that are critical and unknown, path lengths and name constraints are judged by cryptography's verifier.
    What the leaf may be used for is not judged here.
    """
    from cryptography.x509 import UnsupportedGeneralNameType
    from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

    of_authorities, of_leaf = _policies()
    verifier = (
        PolicyBuilder()
        .store(Store(list(anchors)))
        .time(moment_of(at_ns))
        .max_chain_depth(MAX_CHAIN)
        .extension_policies(ca_policy=of_authorities, ee_policy=of_leaf)
        .build_client_verifier()
    )
    try:
        chain = tuple(verifier.verify(leaf, list(between)).chain)
    except (VerificationError, UnsupportedGeneralNameType, ValueError) as error:
        reason = str(error).removeprefix("validation failed: ").partition(" (encountered")[0]
        raise wrong(
            f"its certificate does not hold at {moment_of(at_ns):%Y-%m-%dT%H:%M:%SZ}: {shown(reason)}"
        ) from None
    for certificate in chain:
        if reason := sound_key(certificate.public_key()):
            raise wrong(f"in its chain of certificates {reason}")
    return chain


def _policies() -> tuple[ExtensionPolicy, ExtensionPolicy]:
    from cryptography.x509 import ExtendedKeyUsage
    from cryptography.x509.verification import Criticality, ExtensionPolicy

    # Authorities must say that they are, and may be for code signing alone, which the rules of the web do not know.
    of_authorities = ExtensionPolicy.webpki_defaults_ca().may_be_present(
        ExtendedKeyUsage, Criticality.AGNOSTIC, None
    )
    return of_authorities, ExtensionPolicy.permit_all()


def check_signing_use(leaf: Certificate, *, code_signing: bool = True) -> None:
    """Refuse a certificate that is not for signing: an authority's own, a server's, one of another use."""
    from cryptography.x509 import BasicConstraints, ExtendedKeyUsage, ExtensionNotFound, KeyUsage
    from cryptography.x509.oid import ExtendedKeyUsageOID

    extensions = leaf.extensions
    try:
        if extensions.get_extension_for_class(BasicConstraints).value.ca:
            raise wrong("it is signed with an authority's own certificate")
    except ExtensionNotFound:
        pass
    try:
        if not extensions.get_extension_for_class(KeyUsage).value.digital_signature:
            raise wrong("its certificate is not for signatures")
    except ExtensionNotFound:
        if code_signing:
            raise wrong("its certificate does not say that it is for signatures") from None
    try:
        uses = extensions.get_extension_for_class(ExtendedKeyUsage).value
        if ExtendedKeyUsageOID.CODE_SIGNING not in uses:
            raise wrong("its certificate is not for signing code")
    except ExtensionNotFound:
        if code_signing:
            raise wrong("its certificate does not say that it is for signing code") from None
