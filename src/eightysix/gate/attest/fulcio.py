"""Certificates of a sigstore instance: the chain at the log's time, and the log of certificates that saw it (RFC 6962).

sigstore-python does this for bundles; cosign's signatures have none, so it is done here by the same rules. Tests hold the two
against each other.
"""

from __future__ import annotations

import struct
from datetime import UTC
from typing import TYPE_CHECKING

from eightysix.gate.attest.certificates import chain_of, check_signing_use, key_digest
from eightysix.gate.attest.keys import signed_by
from eightysix.gate.attest.material import Proof
from eightysix.gate.attest.signer import keyless
from eightysix.gate.attest.strict import Refusal, shown, unverifiable, wrong
from eightysix.gate.attest.trust import Opened, OpenedAuthority, OpenedRoot
from eightysix.model.gate import SigningMethod

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.x509 import Certificate

__all__ = ["authority_of", "by_roots", "not_revoked", "vouch"]


def by_roots(leaf: Certificate, trust: Opened, judge: Callable[[OpenedRoot], Proof]) -> Proof:
    """What the first root says for which `judge` finds it good, among those that have the leaf's authority.

    Which root is asked is decided by the name of the leaf's issuer alone, so a root's closed list of logs stays closed: a
    certificate of one instance with a log of another is wrong, and not somebody else's.
    """
    fitting = [root for root in trust.roots if any(a.issued(leaf) for a in root.authorities)]
    if not fitting:
        raise unverifiable(
            f"no trusted root has the authority that its certificate names: {shown(leaf.issuer.rfc4514_string())}"
        )
    refusals: list[Refusal] = []
    for root in fitting:
        try:
            return judge(root)
        except Refusal as refusal:
            refusals.append(refusal)
    raise refusals[-1]


def authority_of(leaf: Certificate, root: OpenedRoot) -> OpenedAuthority:
    """The authority of the root that issued the leaf, whose signature the caller has verified."""
    fitting = [authority for authority in root.authorities if authority.issued(leaf)]
    if len(fitting) > 1:
        fitting = [a for a in fitting if _issued_directly(leaf, a.chain[0])]
    if not fitting:
        raise wrong("none of the trusted root's authorities issued its certificate")
    return fitting[0]


def _issued_directly(leaf: Certificate, authority: Certificate) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        leaf.verify_directly_issued_by(authority)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def not_revoked(trust: Opened, *holders: object) -> None:
    """Refuse what the operator took back: certificates and digests of keys."""
    if not trust.revoked:
        return
    for holder in holders:
        digest = holder if isinstance(holder, str) else key_digest(holder)
        if digest in trust.revoked:
            raise wrong(f"the key sha256:{digest} is revoked here")


def vouch(leaf: Certificate, root: OpenedRoot, at_ns: int, trust: Opened, method: SigningMethod) -> Proof:
    """That the leaf is the root's, was valid at a time that the root's log gave, was logged, and is for signing code."""
    chain = chain_of(leaf, (), root.anchors, at_ns)
    check_signing_use(leaf)
    _logged(leaf, chain[1], root)
    authority = authority_of(leaf, root)
    if not (authority.start_ns <= at_ns and (not authority.end_ns or at_ns <= authority.end_ns)):
        raise wrong("its certificate is of an authority that was not in use at the log's time")
    not_revoked(trust, authority.key, leaf)
    return Proof(keyless(leaf, authority.key, method=method), at_ns, root.name)


def _logged(leaf: Certificate, issuer: Certificate, root: OpenedRoot) -> None:
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509 import ExtensionNotFound, PrecertificateSignedCertificateTimestamps
    from cryptography.x509.certificate_transparency import LogEntryType

    try:
        stamps = leaf.extensions.get_extension_for_class(PrecertificateSignedCertificateTimestamps).value
    except ExtensionNotFound:
        raise wrong("its certificate was never in a log of certificates") from None
    if len(stamps) != 1:
        raise wrong(f"its certificate has {len(stamps)} timestamps of logs, and one is expected")
    stamp = stamps[0]
    log = root.certificate_logs.get(stamp.log_id)
    if log is None:
        raise wrong(f"its certificate is in a log that the trusted root {shown(root.name)} does not have")
    if stamp.entry_type is not LogEntryType.PRE_CERTIFICATE or not isinstance(
        stamp.signature_hash_algorithm, hashes.SHA256
    ):
        raise wrong("the timestamp of the log of certificates is of a kind that is not taken")
    body = leaf.tbs_precertificate_bytes
    told = stamp.timestamp.replace(tzinfo=UTC)
    millis = round(told.timestamp() * 1000)
    signed = (
        struct.pack("!BBQH", stamp.version.value, 0, millis, 1)
        + bytes.fromhex(key_digest(issuer))
        + len(body).to_bytes(3)
        + body
        + struct.pack("!H", len(stamp.extension_bytes))
        + stamp.extension_bytes
    )
    if not signed_by(log.key, stamp.signature, signed):
        raise wrong("the log of certificates did not see its certificate")
    if not log.valid_at(millis * 1_000_000):
        raise wrong("the key of the log of certificates was not in use then")
