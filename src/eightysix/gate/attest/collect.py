"""All signatures of one artifact, each judged: unsigned, invalid, unverifiable and valid are four different things.

Whatever is there and cannot be used is invalid or unverifiable, never absent: who can corrupt a signature must not be able to
make an artifact look as if it had none. Nothing here raises on what was found.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

import msgspec

from eightysix.gate.attest.bundles import judge_bundle
from eightysix.gate.attest.certificates import from_pem
from eightysix.gate.attest.claims import claims_of
from eightysix.gate.attest.context import Spoken, Task
from eightysix.gate.attest.cosign import judge_cosign, judge_envelope
from eightysix.gate.attest.held import by_authority, by_some_key
from eightysix.gate.attest.keys import PublicKey, signed_by, signed_digest_by
from eightysix.gate.attest.material import Draft, Material, MaterialKind, ModelFile, Proof
from eightysix.gate.attest.models import check_model
from eightysix.gate.attest.pypi import attestations_of, check_distribution, check_publisher, judge_attestation
from eightysix.gate.attest.statement import (
    COSIGN_SIGN,
    MODEL_PREDICATES,
    PROVENANCE,
    check_subject,
    statement_of,
)
from eightysix.gate.attest.strict import Refusal, is_hex, shown, unverifiable, wrong
from eightysix.gate.attest.trust import Trust, opened
from eightysix.model.errors import MissingExtraError
from eightysix.model.gate import Signature, SignatureKind, SignatureState

__all__ = ["MAX_MATERIAL", "MAX_TOTAL", "collect"]

MAX_MATERIAL: Final = 256
"""Signatures of one artifact that are judged. Anybody who may push can attach more; those beyond are told as not judged."""

MAX_TOTAL: Final = 64 << 20
"""Bytes of all signatures of one artifact that are judged."""

_KINDS: Final = {
    MaterialKind.BUNDLE: SignatureKind.SIGSTORE_BUNDLE,
    MaterialKind.COSIGN: SignatureKind.COSIGN,
    MaterialKind.ENVELOPE: SignatureKind.ATTESTATION,
    MaterialKind.PYPI: SignatureKind.PYPI,
    MaterialKind.DETACHED: SignatureKind.RAW,
    MaterialKind.NOTATION: SignatureKind.NOTATION,
    MaterialKind.UNKNOWN: SignatureKind.RAW,
}
_MAX_DETACHED: Final = 16 << 10


def collect(
    subject: str,
    material: Sequence[Material],
    trust: Trust,
    *,
    now_ns: int,
    files: Mapping[str, ModelFile] | None = None,
    signature_files: frozenset[str] = frozenset(),
) -> tuple[Signature, ...]:
    """Every signature in `material`, judged for the artifact `subject` (`sha256:...`); one `UNSIGNED` where there is none.

    `now_ns` is the time for certificates that no log dates. `files` are those of a model; `signature_files` those of them
    that hold its signatures and cannot be signed themselves. A model that is nothing but a folder has no `subject`.
    Raises `RuleError` where `trust` itself is wrong, `MissingExtraError` where a package is not installed.
    """
    known = opened(trust)
    if not material:
        return (
            Signature(
                kind=SignatureKind.RAW,
                state=SignatureState.UNSIGNED,
                subject=subject,
                why="nothing is attached",
            ),
        )
    # cryptography warns of oddities in certificates: they are judged, and nobody who attaches one writes to a terminal of ours.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        task = Task(subject=subject, trust=known, now_ns=now_ns, files=files, signature_files=signature_files)
        found: list[Signature] = []
        seen: set[str] = set()
        total = 0
        for item in material:
            digest = _digest(item)
            if digest in seen:
                continue
            total += len(item.data)
            if len(seen) == MAX_MATERIAL or total > MAX_TOTAL:
                bound = f"{MAX_TOTAL:,} bytes of" if total > MAX_TOTAL else f"{MAX_MATERIAL}"
                why = f"more than {bound} signatures are attached, and this and what follows were not judged"
                found.append(_answer(item, Draft(kind=_KINDS[item.kind]), digest, unverifiable(why)))
                break
            seen.add(digest)
            found.extend(_judged(item, digest, task))
        return tuple(found)


def _digest(item: Material) -> str:
    """SHA-256 of the signature's own bytes; where annotations belong to it, of them too."""
    if item.kind not in {MaterialKind.COSIGN, MaterialKind.ENVELOPE, MaterialKind.DETACHED}:
        whole = item.data
    else:
        parts = (item.data, sorted(item.annotations.items()), item.certificates)
        whole = msgspec.msgpack.encode(tuple(repr(part) for part in parts))
    if item.broken or item.missing:
        whole += repr((item.source, item.broken, item.missing)).encode("utf-8", "surrogatepass")
    return "sha256:" + hashlib.sha256(whole).hexdigest()


def _judged(item: Material, digest: str, task: Task) -> list[Signature]:
    if item.kind is not MaterialKind.PYPI or item.broken or item.missing:
        return [_one(item, digest, lambda draft: _judge(draft, item, task))]
    try:
        attestations = attestations_of(item.data)
    except Refusal as refusal:
        return [_answer(item, Draft(kind=SignatureKind.PYPI), digest, refusal)]

    def judge(value: object, publisher: Mapping[str, object] | None, draft: Draft) -> None:
        spoken = judge_attestation(draft, value, task)
        statement = statement_of(spoken.payload_type, spoken.payload)
        draft.predicate_type = statement.predicate_type[:1000]
        draft.subject = _told(statement.subjects[0].digests)
        check_distribution(statement, task, item.name)
        draft.claims = claims_of(statement, check_subject(statement, task.subject))
        if publisher is not None:
            draft.claims |= check_publisher(publisher, spoken.proof.signer)
        draft.proof = spoken.proof

    return [_one(item, digest, partial(judge, *one)) for one in attestations]


def _one(item: Material, digest: str, judge: Callable[[Draft], None]) -> Signature:
    draft = Draft(kind=_KINDS[item.kind])
    try:
        judge(draft)
    except Refusal as refusal:
        return _answer(item, draft, digest, refusal)
    except ImportError as error:
        # Who lacks a package is not told that signatures are wrong.
        raise MissingExtraError(
            f"signatures need a package that is not installed: {error.name}", "pip install 'eightysix[gate]'"
        ) from None
    except BaseException as error:
        # Code in Rust that gives up raises what is no Exception. Whatever else ends a program must end it.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        return _answer(item, draft, digest, wrong(f"it cannot be judged: {shown(type(error).__name__)}"))
    return _answer(item, draft, digest, None)


def _answer(item: Material, draft: Draft, digest: str, refusal: Refusal | None) -> Signature:
    proof = draft.proof if refusal is None else None
    if proof is None and refusal is None:
        refusal = wrong("nothing was proved")
    return Signature(
        kind=draft.kind,
        state=refusal.state if refusal is not None else SignatureState.VALID,
        subject=draft.subject,
        source=item.source,
        why=refusal.why if refusal is not None else "",
        signer=proof.signer if proof is not None else None,
        predicate_type=draft.predicate_type,
        claims=draft.claims if proof is not None else {},
        at_ns=proof.at_ns if proof is not None else 0,
        trust=proof.trust if proof is not None else "",
        digest=digest,
    )


def _judge(draft: Draft, item: Material, task: Task) -> None:
    if item.missing:
        raise unverifiable(item.missing)
    if item.broken:
        raise wrong(item.broken)
    if not item.data:
        raise wrong("it is empty")
    _check_artifact(task)
    if item.kind is MaterialKind.BUNDLE:
        _heard(draft, judge_bundle(draft, item.data, task), task)
    elif item.kind is MaterialKind.COSIGN:
        judge_cosign(draft, item, task)
    elif item.kind is MaterialKind.ENVELOPE:
        _heard(draft, judge_envelope(draft, item, task), task)
    elif item.kind is MaterialKind.DETACHED:
        _detached(draft, item, task)
    elif item.kind is MaterialKind.NOTATION:
        raise unverifiable("signatures of the Notary Project are recognised, and not verified here")
    else:
        raise unverifiable(f"what {shown(item.media_type or item.source)} is, nobody here knows")


def _check_artifact(task: Task) -> None:
    algorithm, _, digits = task.subject.partition(":")
    if not task.subject and task.files is not None:
        return
    if not is_hex(digits, {"sha256": 64, "sha512": 128}.get(algorithm, -1)):
        raise wrong(f"the artifact has no digest in {shown(task.subject)}")


def _told(digests: Mapping[str, str]) -> str:
    algorithm = "sha256" if "sha256" in digests else min(digests)
    return f"{algorithm}:{digests[algorithm]}"[:200]


def _heard(draft: Draft, result: Spoken | Proof, task: Task) -> None:
    """What an envelope says, whose signature holds."""
    if not isinstance(result, Spoken):
        draft.subject = draft.subject or task.subject
        draft.proof = result
        return
    statement = statement_of(result.payload_type, result.payload)
    draft.predicate_type = statement.predicate_type[:1000]
    if statement.predicate_type in MODEL_PREDICATES:
        draft.kind = SignatureKind.MODEL
        check_model(draft, statement, task)
    else:
        if statement.predicate_type.startswith(PROVENANCE):
            draft.kind = SignatureKind.PROVENANCE
        elif statement.predicate_type != COSIGN_SIGN:
            draft.kind = SignatureKind.ATTESTATION
        draft.subject = _told(statement.subjects[0].digests)
        subject = check_subject(statement, task.subject)
        draft.subject = task.subject
        draft.claims = claims_of(statement, subject)
    draft.proof = result.proof


def _detached(draft: Draft, item: Material, task: Task) -> None:
    """A signature over the artifact's bytes, raw or as base64, by a key or by a certificate that is given with it."""
    if len(item.data) > _MAX_DETACHED:
        raise wrong(f"a signature has {len(item.data):,} bytes")
    if item.signed is not None and hashlib.sha256(item.signed).digest() != task.digest:
        raise wrong(f"the bytes that are given with it are not {task.subject}")
    if not task.digest:
        raise unverifiable(f"a signature alone cannot be about {task.subject}")
    signature = _raw(item.data)

    def holds(key: PublicKey) -> bool | None:
        if item.signed is not None:
            return signed_by(key, signature, item.signed)
        return signed_digest_by(key, signature, task.digest)

    if item.certificates:
        leaf, *between = from_pem(item.certificates)
        draft.proof = by_authority(task, leaf, between, holds)
    else:
        draft.proof, _ = by_some_key(task, holds)
    draft.subject = task.subject


def _raw(data: bytes) -> bytes:
    """Tools write signatures as bytes (openssl) or as a line of base64 (cosign)."""
    import base64
    import binascii

    try:
        return base64.b64decode(data.strip(), validate=True)
    except (binascii.Error, ValueError):
        return data
