"""JSON Web Tokens of the run (RFC 7515, RFC 7519): RS256 with a key that exists as long as the run does."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from hashlib import sha256

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from eightysix.lab.services.clock import Clock

__all__ = ["LONGEST", "Signer", "check", "decode_part", "encode_part", "key_of"]

LONGEST = 16 << 10
"""A token that is longer is none: Entra's have about 1.5 kB."""

_PADDING = padding.PKCS1v15()
_HASH = hashes.SHA256()
_DEPTH = 16


class Signer:
    """Signs and checks tokens. Another signer's tokens are refused, and so are expired ones by the run's clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._public = self._key.public_key()
        numbers = self._public.public_numbers()
        modulus, exponent = numbers.n.to_bytes(256, "big"), numbers.e.to_bytes(3, "big")
        self.key_id = _base64url(sha256(modulus).digest()[:20])
        self.jwk = {
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": self.key_id,
            "n": _base64url(modulus),
            "e": _base64url(exponent),
        }

    def sign(self, claims: Mapping[str, object], **header: str) -> str:
        """A token with these claims."""
        head = encode_part({"typ": "JWT", "alg": "RS256", "kid": self.key_id, **header})
        text = f"{head}.{encode_part(claims)}"
        return f"{text}.{_base64url(self._key.sign(text.encode(), _PADDING, _HASH))}"

    def check(self, token: str) -> dict[str, object] | None:
        """The claims of a token that this signer signed and that is valid now; None for anything else."""
        return check(token, self._public, self._clock.now())


def check(token: str, key: rsa.RSAPublicKey, now: int) -> dict[str, object] | None:
    """The claims of a token that `key` proves and that is valid at `now`; None for anything else."""
    parts = token.split(".") if 0 < len(token) <= LONGEST and token.isascii() else []
    if len(parts) != 3:
        return None
    header, claims, signature = (decode_part(parts[0]), decode_part(parts[1]), _raw(parts[2]))
    if header is None or claims is None or signature is None or header.get("alg") != "RS256":
        return None
    try:
        key.verify(signature, f"{parts[0]}.{parts[1]}".encode(), _PADDING, _HASH)
    except InvalidSignature:
        return None
    starts, ends = claims.get("nbf", 0), claims.get("exp")
    if not isinstance(starts, int) or not isinstance(ends, int) or not starts <= now < ends:
        return None
    return claims


def key_of(jwk: Mapping[str, object]) -> rsa.RSAPublicKey:
    """The public key that a JSON Web Key (RFC 7517) holds. Raises ValueError."""
    modulus, exponent = _raw(str(jwk.get("n", ""))), _raw(str(jwk.get("e", "")))
    if not modulus or not exponent:
        raise ValueError("the key is no RSA key")
    return rsa.RSAPublicNumbers(int.from_bytes(exponent), int.from_bytes(modulus)).public_key()


def encode_part(value: Mapping[str, object]) -> str:
    """A part of a token."""
    return _base64url(msgspec.json.encode(value))


def decode_part(text: str) -> dict[str, object] | None:
    """The object that a part of a token holds."""
    raw = _raw(text)
    if raw is None or raw.count(b"{") + raw.count(b"[") > _DEPTH:
        return None
    try:
        return msgspec.json.decode(raw, type=dict[str, object])
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _raw(text: str) -> bytes | None:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return None
