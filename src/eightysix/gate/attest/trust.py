"""What an operator trusts: roots of sigstore instances, keys, authorities. All of it is given as bytes; nothing is fetched.

A wrong file of the operator's is an error of the operator's (`RuleError`), never a state of a signature.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from eightysix.gate.attest.certificates import from_pem, key_digest, sound_key
from eightysix.gate.attest.keys import PublicKey
from eightysix.gate.attest.strict import Refusal, load_json, shown
from eightysix.model.errors import MissingExtraError, RuleError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from sigstore.verify import Verifier

__all__ = [
    "Authority",
    "Key",
    "LogKey",
    "Opened",
    "OpenedAuthority",
    "OpenedRoot",
    "Root",
    "Trust",
    "opened",
    "public_good",
]

_MAX_KEYS: Final = 64
"""Keys and authorities each: every one is tried."""

_PUBLIC_GOOD: Final = "https%3A%2F%2Ftuf-repo-cdn.sigstore.dev"
"""Folder of sigstore's package with the trusted root of the public instance, as of its release."""


class Root(Struct, frozen=True):
    """A sigstore instance: `trusted_root.json` as its TUF repository has it."""

    name: str
    data: bytes


class Key(Struct, frozen=True):
    """A public key, PEM or DER. `paddings` are those that an RSA key may use."""

    name: str
    data: bytes
    paddings: tuple[str, ...] = ("pss", "pkcs1v15")


class Authority(Struct, frozen=True):
    """A certificate authority of the operator's, PEM. `subjects`, where given, are the only names that may sign under it."""

    name: str
    data: bytes
    subjects: tuple[str, ...] = ()


class Trust(Struct, frozen=True, kw_only=True):
    """Everything that is believed.

    `authorities` may sign anything, `model_authorities` only models. `ignore_paths` are files and folders of a model
    that need no signature: its own and nobody else's choice. `revoked` are SHA-256 of public keys (as SPKI) that nothing is
    believed from any more.
    """

    roots: tuple[Root, ...] = ()
    keys: tuple[Key, ...] = ()
    authorities: tuple[Authority, ...] = ()
    model_authorities: tuple[Authority, ...] = ()
    ignore_paths: tuple[str, ...] = ()
    revoked: frozenset[str] = frozenset()


class LogKey(Struct, frozen=True):
    """The key of a log and when it was in use, in nanoseconds; an end of 0 is open."""

    key: PublicKey
    start_ns: int
    end_ns: int

    def valid_at(self, at_ns: int) -> bool:
        """Whether it was in use then."""
        return self.start_ns <= at_ns and (not self.end_ns or at_ns <= self.end_ns)


class OpenedAuthority(Struct, frozen=True):
    """An authority of a sigstore instance: its chain, the nearest to the leaf first; `key` is the digest of the last one's."""

    chain: tuple[Any, ...]
    key: str
    start_ns: int
    end_ns: int

    def issued(self, leaf: Certificate) -> bool:
        """Whether the leaf says that it comes from here."""
        return bool(self.chain[0].subject == leaf.issuer)


class OpenedRoot(Struct, frozen=True):
    """A sigstore instance, read."""

    name: str
    verifier: Any
    authorities: tuple[OpenedAuthority, ...]
    logs: Mapping[bytes, LogKey]
    certificate_logs: Mapping[bytes, LogKey]

    @property
    def anchors(self) -> list[Any]:
        """All certificates of its authorities."""
        return [certificate for authority in self.authorities for certificate in authority.chain]


class Opened(Struct, frozen=True):
    """Everything that is believed, read."""

    roots: tuple[OpenedRoot, ...]
    keys: tuple[PublicKey, ...]
    authorities: tuple[tuple[Authority, tuple[Any, ...]], ...]
    model_authorities: tuple[tuple[Authority, tuple[Any, ...]], ...]
    ignore_paths: tuple[str, ...]
    revoked: frozenset[str]


def public_good() -> Root:
    """The root of sigstore's public instance that came with the package `sigstore`, as old as its release."""
    try:
        data = resources.files("sigstore._store").joinpath(_PUBLIC_GOOD, "trusted_root.json").read_bytes()
    except (ImportError, OSError):
        raise MissingExtraError(
            "the trusted root of sigstore's public instance is not here",
            "install it with `pip install 'eightysix[gate]'`, or give a trusted_root.json",
        ) from None
    return Root("sigstore-public", data)


@lru_cache(maxsize=8)
def opened(trust: Trust) -> Opened:
    """`trust`, read and checked once. Raises `RuleError` for what the operator gave wrong, `MissingExtraError`."""
    if find_spec("cryptography") is None:
        raise MissingExtraError(
            "signatures need packages that are not installed", "pip install 'eightysix[gate]'"
        )
    for what, given in (
        ("roots", trust.roots),
        ("keys", trust.keys),
        ("authorities", trust.authorities + trust.model_authorities),
    ):
        if len(given) > _MAX_KEYS:
            raise RuleError(
                f"{len(given)} {what} are given, more than {_MAX_KEYS}", "keep those that are in use"
            )
    return Opened(
        roots=tuple(_root(root) for root in trust.roots),
        keys=tuple(_key(key) for key in trust.keys),
        authorities=tuple((a, _anchors(a)) for a in trust.authorities),
        model_authorities=tuple((a, _anchors(a)) for a in trust.model_authorities),
        ignore_paths=trust.ignore_paths,
        revoked=frozenset(digest.lower() for digest in trust.revoked),
    )


def _key(given: Key) -> PublicKey:
    from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

    advice = (
        "give a public key as PEM (`openssl pkey -pubout`): EC P-256 or P-384, Ed25519, RSA from 2048 bits on"
    )
    try:
        pem = b"-----BEGIN" in given.data
        key = load_pem_public_key(given.data) if pem else load_der_public_key(given.data)
    except Exception as error:  # noqa: BLE001 - its reader fails in many ways
        raise RuleError(f"the key {shown(given.name)} cannot be read: {shown(error)}", advice) from None
    if reason := sound_key(key):
        raise RuleError(f"the key {shown(given.name)} is not taken: {reason}", advice)
    if not set(given.paddings) <= {"pss", "pkcs1v15"}:
        raise RuleError(f"the key {shown(given.name)} has an unknown padding", "use pss, pkcs1v15 or both")
    return PublicKey(given.name, key_digest(key), key, given.paddings)


def _anchors(given: Authority) -> tuple[Certificate, ...]:
    advice = "give the certificates of the authority as PEM"
    try:
        found = from_pem(given.data)
    except Refusal as refusal:
        raise RuleError(f"the authority {shown(given.name)} cannot be read: {refusal.why}", advice) from None
    for certificate in found:
        if reason := sound_key(certificate.public_key()):
            raise RuleError(f"the authority {shown(given.name)} is not taken: {reason}", advice)
    return found


def _root(given: Root) -> OpenedRoot:
    advice = "give the trusted_root.json of a sigstore instance, version 0.1"
    try:
        load_json(given.data, "it")
        return _read_root(given)
    except MissingExtraError:
        raise
    except Exception as error:  # noqa: BLE001 - sigstore, pydantic and cryptography fail in many ways
        raise RuleError(
            f"the trusted root {shown(given.name)} cannot be used: {shown(error)}", advice
        ) from None


def _read_root(given: Root) -> OpenedRoot:
    try:
        from sigstore.models import TrustedRoot
        from sigstore.verify import Verifier
        from sigstore_models.trustroot.v1 import TrustedRoot as Document
    except ImportError:
        raise MissingExtraError(
            "signatures of sigstore need packages that are not installed", "pip install 'eightysix[gate]'"
        ) from None
    # It logs what it thinks of bundles; without a handler Python would write that to the terminal.
    logging.getLogger("sigstore").addHandler(logging.NullHandler())
    document = Document.from_json(given.data)
    verifier: Verifier = Verifier(
        trusted_root=TrustedRoot(document)
    )  # opens no connection: every proof is in the bundle
    authorities = []
    for authority in document.certificate_authorities:
        chain = tuple(_der(item.raw_bytes) for item in authority.cert_chain.certificates)
        start, end = _window(authority.valid_for)
        authorities.append(OpenedAuthority(chain, key_digest(chain[-1]), start, end))
    return OpenedRoot(
        given.name, verifier, tuple(authorities), _log_keys(document.tlogs), _log_keys(document.ctlogs)
    )


def _der(data: bytes) -> Certificate:
    from cryptography.x509 import load_der_x509_certificate

    return load_der_x509_certificate(data)


def _log_keys(instances: Any) -> dict[bytes, LogKey]:
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    found = {}
    for instance in instances:
        key = load_der_public_key(instance.public_key.raw_bytes)
        digest = key_digest(key)
        start, end = _window(instance.public_key.valid_for)
        log_key = LogKey(PublicKey(instance.base_url, digest, key, ("pkcs1v15",)), start, end)
        # Logs of version 2 are called by a digest of their name and key, the others by that of the key alone.
        found[bytes.fromhex(digest)] = log_key
        if instance.log_id is not None:
            found[instance.log_id.key_id] = log_key
    return found


def _window(valid: Any) -> tuple[int, int]:
    start = int(valid.start.timestamp()) * 1_000_000_000 if valid and valid.start else 0
    end = (int(valid.end.timestamp()) + 1) * 1_000_000_000 if valid and valid.end else 0
    return start, end
