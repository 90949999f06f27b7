"""The certificates of a sigstore of one's own (`lab/signing.py`): its authority, its log of certificates, what goes wrong.

RFC 6962 for the log's timestamp inside of a certificate; sigstore/fulcio, docs/certificate-specification.md for the rest.
"""

from __future__ import annotations

import hashlib
import struct
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from msgspec import Struct

from eightysix.lab.signers import FULCIO, Identity

if TYPE_CHECKING:
    from eightysix.lab.signing import Box

__all__ = ["SOUND", "Credential", "Flaws", "Issuing", "spki"]

SCT_LIST = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_ORDER_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_ECDSA = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)


class Flaws(Struct, frozen=True, kw_only=True):
    """What goes wrong while it signs. `log` and `certificate_log` are others, whose keys are used instead."""

    no_sct: bool = False
    certificate_log: Issuing | None = None
    log: Box | None = None
    log_delay_s: int = 5
    """From the certificate's first second to the log's time."""
    extra_extension: tuple[str, bytes, bool] | None = None
    no_code_signing: bool = False


SOUND = Flaws()
"""Nothing goes wrong."""


class Credential(Struct, frozen=True):
    """A key of minutes and the certificate for it."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> str:
        """The certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def spki(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The public key as certificates hold it."""
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


class Issuing:
    """An authority with a root above it, and its log of certificates. `seed` makes its keys."""

    def __init__(
        self, name: str, *, seed: str = "", start: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    ) -> None:
        self.name = name
        self.start = start.replace(microsecond=0)
        self._seed = f"{name}/{seed}"
        self._made = 0
        self._root = self.key("root")
        self._authority = self.key("authority")
        self.certificate_log = self.key("ct")
        self.root_certificate = self._authority_certificate("root", self._root, None)
        self.authority_certificate = self._authority_certificate("authority", self._authority, self._root)

    def key(self, label: str) -> ec.EllipticCurvePrivateKey:
        """The key on P-256 that belongs to the label."""
        digest = hashlib.sha512(f"{self._seed}/{label}".encode()).digest()
        return ec.derive_private_key(int.from_bytes(digest) % (_ORDER_P256 - 1) + 1, ec.SECP256R1())

    def certify(
        self,
        identity: Identity,
        *,
        at: datetime | None = None,
        flaws: Flaws = SOUND,
        key: ec.EllipticCurvePrivateKey | None = None,
    ) -> Credential:
        """A certificate of ten minutes for the identity, with the timestamp of the log of certificates inside."""
        self._made += 1
        key = key or self.key(f"leaf/{self._made}")
        begin = (at or self.start + timedelta(days=1)).replace(microsecond=0)
        precertificate = self._leaf(identity, key, begin, flaws)
        signed = precertificate.sign(self._authority, hashes.SHA256(), ecdsa_deterministic=True)
        if flaws.no_sct:
            return Credential(key, signed)
        sct = self._certificate_timestamp(signed.tbs_certificate_bytes, begin, flaws.certificate_log or self)
        full = precertificate.add_extension(x509.UnrecognizedExtension(SCT_LIST, sct), critical=False)
        return Credential(key, full.sign(self._authority, hashes.SHA256(), ecdsa_deterministic=True))

    def _name(self, common: str) -> x509.Name:
        return x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, self.name),
                x509.NameAttribute(NameOID.COMMON_NAME, common),
            ]
        )

    def _authority_certificate(
        self, common: str, key: ec.EllipticCurvePrivateKey, issuer: ec.EllipticCurvePrivateKey | None
    ) -> x509.Certificate:
        signer = issuer or key
        builder = (
            x509.CertificateBuilder()
            .subject_name(self._name(common))
            .issuer_name(self._name("root"))
            .public_key(key.public_key())
            .serial_number(len(common))
            .not_valid_before(self.start)
            .not_valid_after(self.start + timedelta(days=3650))
            .add_extension(
                x509.BasicConstraints(ca=True, path_length=1 if issuer is None else 0), critical=True
            )
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        if issuer is not None:
            identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key())
            builder = builder.add_extension(identifier, critical=False)
        return builder.sign(signer, hashes.SHA256(), ecdsa_deterministic=True)

    def _leaf(
        self, identity: Identity, key: ec.EllipticCurvePrivateKey, begin: datetime, flaws: Flaws
    ) -> x509.CertificateBuilder:
        usage = ExtendedKeyUsageOID.CLIENT_AUTH if flaws.no_code_signing else ExtendedKeyUsageOID.CODE_SIGNING
        authority = self._authority.public_key()
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self._name("authority"))
            .public_key(key.public_key())
            .serial_number(1000 + self._made)
            .not_valid_before(begin)
            .not_valid_after(begin + timedelta(minutes=10))
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority), critical=False)
            .add_extension(x509.SubjectAlternativeName([identity.general_name()]), critical=True)
        )
        for number, value in identity.extensions().items():
            extension = x509.UnrecognizedExtension(x509.ObjectIdentifier(f"{FULCIO}.{number}"), value)
            builder = builder.add_extension(extension, critical=False)
        if flaws.extra_extension is not None:
            oid, value, critical = flaws.extra_extension
            unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value)
            builder = builder.add_extension(unknown, critical=critical)
        return builder

    def _certificate_timestamp(self, tbs: bytes, begin: datetime, log: Issuing) -> bytes:
        stamp = int(begin.timestamp()) * 1000
        issuer = hashlib.sha256(spki(self._authority)).digest()
        told = struct.pack("!BBQH", 0, 0, stamp, 1) + issuer + len(tbs).to_bytes(3) + tbs + b"\0\0"
        signature = log.certificate_log.sign(told, _ECDSA)
        identifier = hashlib.sha256(spki(log.certificate_log)).digest()
        sct = b"\0" + identifier + struct.pack("!Q", stamp) + b"\0\0\4\3"
        sct += struct.pack("!H", len(signature)) + signature
        listed = struct.pack("!HH", len(sct) + 2, len(sct)) + sct
        length = bytes([len(listed)]) if len(listed) < 128 else bytes([0x81, len(listed)])
        return b"\4" + length + listed


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
