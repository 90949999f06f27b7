"""Signatures by a key alone: ECDSA on P-256, P-384 and P-521, Ed25519, RSA from 2048 bits on. SHA-1 is never tried."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.hashes import HashAlgorithm

__all__ = ["Message", "PublicKey", "signed_by", "signed_digest_by"]

MAX_SIGNATURE: Final = 2048
"""Bytes; RSA with 8192 bits has 1024."""


class PublicKey(Struct, frozen=True):
    """A key that was read and found sound. `digest` is the SHA-256 of it as SPKI, `paddings` what an RSA key may use."""

    name: str
    digest: str
    key: Any
    paddings: tuple[str, ...] = ("pss", "pkcs1v15")


class Message:
    """Bytes that may have been signed, hashed once for any number of keys: whoever attaches much must not make much work."""

    __slots__ = ("_digests", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._digests: dict[str, bytes] = {}

    def digest(self, name: str) -> bytes:
        """Its digest by `sha256`, `sha384` or `sha512`."""
        if name not in self._digests:
            self._digests[name] = hashlib.new(name, self.data).digest()
        return self._digests[name]


def _hashes(key: Any) -> tuple[HashAlgorithm, ...]:
    """The curve's own hash first; many tools sign with SHA-256 on any curve."""
    from cryptography.hazmat.primitives import hashes

    own: dict[int, HashAlgorithm] = {384: hashes.SHA384(), 521: hashes.SHA512()}
    more = own.get(getattr(key, "key_size", 0))
    return (more, hashes.SHA256()) if more is not None else (hashes.SHA256(),)


def signed_by(public: PublicKey, signature: bytes, message: Message | bytes) -> bool:
    """Whether the holder of the key signed the message."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ed25519

    if not signature or len(signature) > MAX_SIGNATURE:
        return False
    if isinstance(message, bytes):
        message = Message(message)
    if isinstance(public.key, ed25519.Ed25519PublicKey):
        try:
            public.key.verify(signature, message.data)
        except InvalidSignature:
            return False
        return True
    return any(_holds(public, signature, message.digest(way.name), way) for way in _hashes(public.key))


def signed_digest_by(public: PublicKey, signature: bytes, digest: bytes) -> bool | None:
    """Whether the holder of the key signed what has this SHA-256; None where such keys need the bytes themselves."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ed25519

    if isinstance(public.key, ed25519.Ed25519PublicKey):
        return None
    if not signature or len(signature) > MAX_SIGNATURE:
        return False
    return _holds(public, signature, digest, hashes.SHA256())


def _holds(public: PublicKey, signature: bytes, digest: bytes, way: HashAlgorithm) -> bool:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
    from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

    algorithm = Prehashed(way)
    try:
        if isinstance(public.key, ec.EllipticCurvePublicKey):
            public.key.verify(signature, digest, ec.ECDSA(algorithm))
            return True
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    if not isinstance(public.key, rsa.RSAPublicKey) or way.digest_size != 32:
        return False
    ways: dict[str, padding.AsymmetricPadding] = {
        "pss": padding.PSS(padding.MGF1(way), padding.PSS.AUTO),
        "pkcs1v15": padding.PKCS1v15(),
    }
    for name in public.paddings:
        try:
            public.key.verify(signature, digest, ways[name], algorithm)
        except (InvalidSignature, UnsupportedAlgorithm, ValueError):
            continue
        return True
    return False
