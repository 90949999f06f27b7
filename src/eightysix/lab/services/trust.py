"""What the run's services prove themselves with: certificates of the run's one authority, which its pods trust and nobody else.

Validity is by the machine's own clock, as pods check it by theirs; the injected clock has no part in it.
"""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import pkcs7

from eightysix.lab.apiserver import Authority, Issued

__all__ = ["client_context", "server_context", "sign_document"]


def server_context(issued: Issued) -> ssl.SSLContext:
    """What a server speaks TLS with. The key is in a file only while OpenSSL reads it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    with tempfile.TemporaryDirectory(prefix="eightysix-lab-") as folder:  # 0700
        context.load_cert_chain(*issued.write(Path(folder), "server"))
    return context


def client_context(authority: Authority) -> ssl.SSLContext:
    """What the run's own clients trust."""
    return ssl.create_default_context(cadata=authority.certificate.decode("ascii"))


def sign_document(issued: Issued, document: Mapping[str, object]) -> bytes:
    """`document` as JSON inside of a PKCS#7 signature in DER, as attested data of the metadata service comes."""
    key = serialization.load_pem_private_key(issued.key, password=None)
    if not isinstance(key, RSAPrivateKey):
        raise TypeError("the run's authority gives RSA keys")
    certificate = x509.load_pem_x509_certificate(issued.certificate)
    builder = pkcs7.PKCS7SignatureBuilder().set_data(msgspec.json.encode(document))
    builder = builder.add_signer(certificate, key, hashes.SHA256())
    return builder.sign(serialization.Encoding.DER, [pkcs7.PKCS7Options.Binary])
