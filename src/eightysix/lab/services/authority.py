"""Certificates of one run: a CA that the run's pods trust and nobody else, and a certificate for each service.

Validity is by the machine's own clock, as pods check it by theirs; the injected clock has no part in it. Keys stay in
this process, but for the moment in which OpenSSL reads one from a file that only this user can read.
"""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["Authority"]

_LIFE = timedelta(days=7)
_PEM = serialization.Encoding.PEM


class Authority:
    """The CA. `certificate` is it in PEM."""

    def __init__(self, name: str = "eightysix lab CA") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        self._attests: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None = None
        now = datetime.now(UTC)
        usage = _usage(signs_certificates=True)
        self._certificate = (
            _builder(self._name, self._name, self._key.public_key(), now)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.certificate = self._certificate.public_bytes(_PEM)

    def issue(self, hosts: Iterable[str], ips: Iterable[str]) -> tuple[bytes, bytes]:
        """Certificate (with the CA behind it) and key in PEM for a server of these names and addresses."""
        names: list[x509.GeneralName] = [x509.DNSName(host) for host in hosts]
        names += [x509.IPAddress(ip_address(ip)) for ip in ips]
        certificate, key = self._leaf(x509.SubjectAlternativeName(names))
        private = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return certificate.public_bytes(_PEM) + self.certificate, private

    def _leaf(
        self, names: x509.SubjectAlternativeName
    ) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        key = ec.generate_private_key(ec.SECP256R1())
        identifier = self._certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        authority = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
        certificate = (
            _builder(_name("eightysix lab"), self._name, key.public_key(), datetime.now(UTC))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(authority, critical=False)
            .add_extension(names, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return certificate, key

    def context(self, hosts: Iterable[str], ips: Iterable[str]) -> ssl.SSLContext:
        """What a server of these names and addresses speaks TLS with."""
        certificate, key = self.issue(hosts, ips)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        with tempfile.TemporaryDirectory(prefix="eightysix-lab-") as folder:  # 0700
            file = Path(folder, "pair.pem")
            file.touch(mode=0o600)
            file.write_bytes(certificate + key)
            context.load_cert_chain(file)
        return context

    def sign_document(self, document: Mapping[str, object]) -> bytes:
        """`document` as JSON inside of a PKCS#7 signature (DER) by a certificate of its own, as attested data comes."""
        if self._attests is None:
            names = x509.SubjectAlternativeName([x509.DNSName("metadata.azure.com")])
            self._attests = self._leaf(names)
        certificate, key = self._attests
        builder = pkcs7.PKCS7SignatureBuilder().set_data(msgspec.json.encode(document))
        builder = builder.add_signer(certificate, key, hashes.SHA256())
        return builder.sign(serialization.Encoding.DER, [pkcs7.PKCS7Options.Binary])


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _LIFE)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    """OpenSSL's strict checks, which Python 3.13 switches on, want it in both kinds."""
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
