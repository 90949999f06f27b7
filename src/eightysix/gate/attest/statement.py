"""in-toto statements (in-toto/attestation, v0.1 and v1): what is said, and about which digests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from eightysix.gate.attest.dsse import IN_TOTO
from eightysix.gate.attest.strict import as_list, as_map, as_text, is_hex, load_json, shown, wrong

__all__ = [
    "COSIGN_SIGN",
    "MODEL_PREDICATES",
    "PROVENANCE",
    "Statement",
    "Subject",
    "check_subject",
    "statement_of",
]

_TYPES: Final = frozenset({"https://in-toto.io/Statement/v0.1", "https://in-toto.io/Statement/v1"})
PROVENANCE: Final = "https://slsa.dev/provenance/"
COSIGN_SIGN: Final = "https://sigstore.dev/cosign/sign/v1"
"""A plain signature of an image by cosign 3, as a statement without a predicate of its own."""

MODEL_PREDICATES: Final = frozenset(
    {"https://model_signing/signature/v1.0", "https://model_signing/Digests/v0.1"}
)
_MAX_SUBJECTS: Final = 100_000
_DIGITS: Final = {"sha256": 64, "sha512": 128}


class Subject(Struct, frozen=True):
    """What a statement is about: a name that nobody checks, and digests by algorithm, in lower case."""

    name: str
    digests: Mapping[str, str]


class Statement(Struct, frozen=True):
    """A statement whose signature was verified elsewhere."""

    subjects: tuple[Subject, ...]
    predicate_type: str
    predicate: Mapping[str, object]


def statement_of(payload_type: str, payload: bytes) -> Statement:
    """The statement in the payload of an envelope; the type is part of what was signed and must be right."""
    if payload_type != IN_TOTO:
        raise wrong(
            f"its payload is of the type {shown(payload_type)}, which is no statement about an artifact"
        )
    fields = as_map(load_json(payload, "the statement"), "the statement")
    kind = fields.get("_type")
    if not isinstance(kind, str) or kind not in _TYPES:
        raise wrong(f"the statement is of the type {shown(kind)}, which nobody here knows")
    listed = as_list(fields.get("subject"), "the statement's list of subjects", most=_MAX_SUBJECTS)
    if not listed:
        raise wrong("the statement is about nothing")
    predicate = fields.get("predicate")
    return Statement(
        tuple(_subject(item) for item in listed),
        as_text(fields.get("predicateType"), "the statement's predicateType"),
        as_map(predicate, "the statement's predicate") if predicate is not None else {},
    )


def _subject(value: object) -> Subject:
    fields = as_map(value, "a subject of the statement")
    name = fields.get("name")
    digests = as_map(fields.get("digest"), "the digest of a subject")
    if not digests:
        raise wrong("a subject of the statement has no digest")
    found = {}
    for algorithm, digest in digests.items():
        text = as_text(digest, "the digest of a subject").lower()
        if algorithm in _DIGITS and not is_hex(text, _DIGITS[algorithm]):
            raise wrong(f"the statement has no digest in {shown(digest)}")
        found[algorithm] = text
    return Subject(name if isinstance(name, str) else "", found)


def check_subject(statement: Statement, subject: str) -> Subject:
    """The statement's subject with this digest (`sha256:...`); refuses, and says what it is about, where there is none."""
    algorithm, _, digest = subject.partition(":")
    for found in statement.subjects:
        if digest and found.digests.get(algorithm) == digest:
            return found
    first = statement.subjects[0]
    more = f" and {len(statement.subjects) - 1} more" if len(statement.subjects) > 1 else ""
    told = ", ".join(f"{name}:{value}" for name, value in sorted(first.digests.items())[:2])
    raise wrong(f"it is about {shown(told)} ({shown(first.name)}){more}, and not about {subject}")
