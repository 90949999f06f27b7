"""Digests as registries write them: an algorithm, a colon, lower-case hex.

Source: OCI image specification 1.1, descriptor.md, "Digests": sha256 with 64 digits and sha512 with 128 are registered; others
may be, and nobody could verify them, so they are no digests here.
"""

from __future__ import annotations

import hashlib
from typing import Protocol

__all__ = [
    "DIGITS",
    "Hash",
    "digest_of",
    "hasher",
    "is_attachment_tag",
    "is_digest",
    "signature_tags",
    "subject_tag",
]

DIGITS = {"sha256": 64, "sha512": 128}
"""Hex digits of each algorithm."""

_HEX = frozenset("0123456789abcdef")
_COSIGN = ("sig", "att", "sbom")


class Hash(Protocol):
    """What hashlib makes."""

    def update(self, data: bytes, /) -> None:
        """Take more bytes."""
        ...

    def hexdigest(self) -> str:
        """The digits."""
        ...


def is_digest(text: str) -> bool:
    """Whether `text` is a digest that can be verified, spelled in the one way that there is."""
    algorithm, colon, digits = text.partition(":")
    return bool(colon) and len(digits) == DIGITS.get(algorithm) and _HEX.issuperset(digits)


def hasher(digest: str) -> Hash:
    """What computes digests like this one, which must be one."""
    return hashlib.sha512() if digest.startswith("sha512:") else hashlib.sha256()


def digest_of(data: bytes, like: str = "sha256:") -> str:
    """The digest of `data`, by the algorithm of `like`."""
    made = hasher(like)
    made.update(data)
    return f"{'sha512' if like.startswith('sha512:') else 'sha256'}:{made.hexdigest()}"


def subject_tag(digest: str) -> str:
    """The tag under which registries without a referrers API list what refers to `digest`.

    OCI distribution specification 1.1, "Referrers Tag Schema": algorithm and digits joined by a hyphen, each cut to its bound.
    """
    algorithm, _, digits = digest.partition(":")
    return f"{algorithm[:32]}-{digits[:64]}"


def signature_tags(digest: str) -> tuple[str, ...]:
    """The tags under which cosign keeps signatures, attestations and bills of materials of `digest`.

    sigstore/cosign, specs/SIGNATURE_SPEC.md, "Tag-based discovery": the digest with a hyphen for its colon, and a suffix.
    """
    base = digest.replace(":", "-")
    return tuple(f"{base}.{suffix}" for suffix in _COSIGN)


def is_attachment_tag(tag: str) -> bool:
    """Whether a tag is one of those above, of any digest: it moves whenever something is attached."""
    algorithm, _, rest = tag.partition("-")
    digits = rest.partition(".")[0]
    return algorithm in DIGITS and len(digits) in (64, 128) and _HEX.issuperset(digits)
