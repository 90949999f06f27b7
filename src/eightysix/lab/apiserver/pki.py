"""A certificate authority made for one run, and what it signs: the API server's certificate, those of clients.

Also used by other services of the lab that speak TLS. Keys live in memory and in the folder that they are written to; the
authority is trusted by the pods of its run alone.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from eightysix.model.errors import MissingExtraError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.x509 import Certificate, DNSName, IPAddress, Name

__all__ = ["Authority", "Issued", "new_key"]

_LIFE = dt.timedelta(days=30)
_BITS = 2048


class Issued(Struct, frozen=True):
    """A certificate with its key, both as PEM."""

    certificate: bytes
    key: bytes

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Write both, the key for its owner alone; the paths of certificate and key."""
        certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
        certificate.write_bytes(self.certificate)
        key.touch(mode=0o600)
        key.write_bytes(self.key)
        return certificate, key


def new_key() -> RSAPrivateKey:
    """An RSA key; it takes about a tenth of a second."""
    try:
        from cryptography.hazmat.primitives.asymmetric import rsa
    except ImportError as error:
        raise MissingExtraError(
            "certificates need the package cryptography", "pip install 'eightysix[lab]'"
        ) from error
    return rsa.generate_private_key(public_exponent=65537, key_size=_BITS)


def _pem(key: RSAPrivateKey) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


class Authority:
    """Signs certificates. They are valid from a day ago for 30 days, by the real clock: clients have no other."""

    def __init__(self, name: str = "kubernetes") -> None:
        self._key = new_key()
        self._name = _named(name, ())
        self._certificate = self._sign(self._name, self._key, authority=True)

    @property
    def certificate(self) -> bytes:
        """The authority's own certificate as PEM: what clients trust (`ca.crt`)."""
        return _cert_pem(self._certificate)

    def server(self, hosts: Sequence[str]) -> Issued:
        """A certificate for names and addresses."""
        key = new_key()
        return Issued(_cert_pem(self._sign(_named(hosts[0], ()), key, hosts=hosts)), _pem(key))

    def client(self, user: str, groups: Sequence[str] = ()) -> Issued:
        """A certificate that makes its holder `user` in `groups` (common name and organizations)."""
        key = new_key()
        return Issued(_cert_pem(self._sign(_named(user, groups), key)), _pem(key))

    def _sign(
        self, subject: Name, key: RSAPrivateKey, *, hosts: Sequence[str] = (), authority: bool = False
    ) -> Certificate:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes
        from cryptography.x509.oid import ExtendedKeyUsageOID

        now = dt.datetime.now(dt.UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + _LIFE)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
            .add_extension(
                x509.KeyUsage(
                    digital_signature=True,
                    content_commitment=False,
                    key_encipherment=not authority,
                    data_encipherment=False,
                    key_agreement=False,
                    key_cert_sign=authority,
                    crl_sign=authority,
                    encipher_only=False,
                    decipher_only=False,
                ),
                critical=True,
            )
        )
        if not authority:
            use = ExtendedKeyUsageOID.SERVER_AUTH if hosts else ExtendedKeyUsageOID.CLIENT_AUTH
            made = made.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        if hosts:
            names = x509.SubjectAlternativeName([_host(host) for host in hosts])
            made = made.add_extension(names, critical=False)
        return made.sign(self._key, hashes.SHA256())


def _host(host: str) -> DNSName | IPAddress:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _named(name: str, groups: Sequence[str]) -> Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    organizations = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*organizations, x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _cert_pem(certificate: Certificate) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return certificate.public_bytes(serialization.Encoding.PEM)
