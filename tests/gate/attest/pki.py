"""An enterprise's certificates and keys, made for a test."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

START = datetime(2026, 11, 1, tzinfo=UTC)
CODE = ExtendedKeyUsageOID.CODE_SIGNING
SERVER = ExtendedKeyUsageOID.SERVER_AUTH


def name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def pem_of(*certificates: x509.Certificate) -> bytes:
    return b"".join(c.public_bytes(serialization.Encoding.PEM) for c in certificates)


def public_pem(key: CertificateIssuerPrivateKeyTypes) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def private_pem(key: CertificateIssuerPrivateKeyTypes) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def p256() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def certificate(
    common: str,
    key: CertificateIssuerPrivateKeyTypes,
    issuer: str,
    by: CertificateIssuerPrivateKeyTypes,
    *,
    authority: bool = False,
    san: str = "",
    usage: x509.ObjectIdentifier | None = CODE,
    begin: datetime = START,
    days: int = 90,
    critical: str = "",
    path_length: int | None = None,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(common))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=days))
        .add_extension(x509.BasicConstraints(authority, path_length), critical=True)
        .add_extension(
            x509.KeyUsage(not authority, False, False, False, False, authority, authority, False, False),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
    )
    if san:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(san)]), critical=False
        )
    if usage is not None and not authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    if critical:
        unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier(critical), b"\x05\x00")
        builder = builder.add_extension(unknown, critical=True)
    return builder.sign(by, hashes.SHA256())


class Enterprise:
    """A root, an authority below it, and leaves."""

    def __init__(self, common: str = "Acme") -> None:
        self.root_key, self.authority_key = p256(), p256()
        self.common = common
        self.root = certificate(
            common, self.root_key, common, self.root_key, authority=True, days=3650, path_length=1
        )
        self.authority = certificate(
            f"{common} signing",
            self.authority_key,
            common,
            self.root_key,
            authority=True,
            days=1000,
            path_length=0,
        )

    def leaf(
        self,
        common: str,
        key: CertificateIssuerPrivateKeyTypes,
        *,
        san: str = "",
        usage: x509.ObjectIdentifier | None = CODE,
        begin: datetime = START,
        days: int = 90,
        critical: str = "",
    ) -> x509.Certificate:
        return certificate(
            common,
            key,
            f"{self.common} signing",
            self.authority_key,
            san=san,
            usage=usage,
            begin=begin,
            days=days,
            critical=critical,
        )
