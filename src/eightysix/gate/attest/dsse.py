"""DSSE envelopes (secure-systems-lab/dsse 1.0): what is signed is the type of the payload together with its bytes."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from eightysix.gate.attest.strict import as_list, as_map, as_text, base64_of, wrong

__all__ = ["IN_TOTO", "Envelope", "envelope_of", "pae"]

IN_TOTO: Final = "application/vnd.in-toto+json"
_MAX_SIGNATURES: Final = 8


class Envelope(Struct, frozen=True):
    """An envelope, whose signatures nobody has verified. Key ids are left out: they are hints that anybody can write."""

    payload_type: str
    payload: bytes
    signatures: tuple[bytes, ...]


def pae(payload_type: str, payload: bytes) -> bytes:
    """The bytes that an envelope's signature is over."""
    kind = payload_type.encode("utf-8", "surrogatepass")
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def envelope_of(value: object) -> Envelope:
    """The envelope in a JSON value."""
    fields = as_map(value, "the envelope")
    listed = as_list(fields.get("signatures"), "the envelope's list of signatures", most=_MAX_SIGNATURES)
    signatures = tuple(
        base64_of(as_map(item, "a signature of the envelope").get("sig"), "a signature of the envelope")
        for item in listed
    )
    if not signatures or not all(signatures):
        raise wrong("the envelope is not signed")
    return Envelope(
        as_text(fields.get("payloadType"), "the type of the envelope's payload"),
        base64_of(fields.get("payload"), "the envelope's payload"),
        signatures,
    )
