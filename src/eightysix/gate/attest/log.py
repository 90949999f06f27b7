"""A log's promise that it took an entry (Rekor, version 1), and whether the entry is about this very signature.

cosign keeps only this promise beside an image; bundles have a proof of inclusion too, which sigstore-python verifies.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from eightysix.gate.attest.certificates import from_pem, key_digest
from eightysix.gate.attest.keys import signed_by
from eightysix.gate.attest.strict import as_list, as_map, as_text, base64_of, is_hex, load_json, shown, wrong
from eightysix.gate.attest.trust import OpenedRoot

__all__ = ["Entry", "about_digest", "about_envelope", "entry_of_annotation", "entry_of_bundle", "promised"]

_MAX_ENTRY: Final = 4 << 20
_MAX_TIME: Final = 1 << 40


class Entry(Struct, frozen=True):
    """What a log is said to have taken, when and under which number."""

    body: bytes
    seconds: int
    index: int
    log_id: bytes
    promise: bytes


def _number(value: object, what: str) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 20:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 64:
        raise wrong(f"{what} is no number")
    return value


def entry_of_annotation(text: str) -> Entry:
    """The entry in cosign's annotation `dev.sigstore.cosign/bundle`."""
    fields = as_map(
        load_json(text.encode("utf-8", "replace"), "the log's promise", max_bytes=_MAX_ENTRY),
        "the log's promise",
    )
    payload = as_map(fields.get("Payload"), "the log's entry")
    log_id = as_text(payload.get("logID"), "the log's name")
    if not is_hex(log_id, 64):
        raise wrong("the log's name is no SHA-256")
    return Entry(
        base64_of(payload.get("body"), "the log's entry"),
        _number(payload.get("integratedTime"), "the log's time"),
        _number(payload.get("logIndex"), "the entry's number"),
        bytes.fromhex(log_id),
        base64_of(fields.get("SignedEntryTimestamp"), "the log's promise"),
    )


def entry_of_bundle(value: object) -> Entry:
    """The entry in a bundle that holds a promise and no proof, as version 0.1 may."""
    fields = as_map(value, "the log's entry")
    promise = as_map(fields.get("inclusionPromise"), "the log's promise")
    return Entry(
        base64_of(fields.get("canonicalizedBody"), "the log's entry"),
        _number(fields.get("integratedTime"), "the log's time"),
        _number(fields.get("logIndex"), "the entry's number"),
        base64_of(as_map(fields.get("logId"), "the log's name").get("keyId"), "the log's name"),
        base64_of(promise.get("signedEntryTimestamp"), "the log's promise"),
    )


def promised(entry: Entry, root: OpenedRoot) -> int:
    """When the log took the entry, in nanoseconds; refuses where the log is not one of the root's, or did not promise."""
    log = root.logs.get(entry.log_id)
    if log is None:
        raise wrong(
            f"it is in the log {entry.log_id.hex()[:16]}…, which is none of the trusted root {shown(root.name)};"
            " if that log is new, the root is old"
        )
    if not 0 < entry.seconds < _MAX_TIME:
        raise wrong("the log's time is no time")
    # RFC 8785 of values that are ASCII and whole numbers is what this gives.
    told = json.dumps(
        {
            "body": _text64(entry.body),
            "integratedTime": entry.seconds,
            "logID": entry.log_id.hex(),
            "logIndex": entry.index,
        },
        sort_keys=True,
        separators=(",", ":"),
    ).encode()
    at_ns = entry.seconds * 1_000_000_000
    if not signed_by(log.key, entry.promise, told):
        raise wrong("the log did not promise this entry")
    if not log.valid_at(at_ns):
        raise wrong("the log's key was not in use at the log's time")
    return at_ns


def _text64(data: bytes) -> str:
    from base64 import b64encode

    return b64encode(data).decode("ascii")


def _spec(body: bytes, kinds: Mapping[str, tuple[str, ...]]) -> tuple[str, str, Mapping[str, object]]:
    record = as_map(load_json(body, "the log's entry", max_bytes=_MAX_ENTRY), "the log's entry")
    kind, version = record.get("kind"), record.get("apiVersion")
    if not isinstance(kind, str) or version not in kinds.get(kind, ()):
        raise wrong(f"the log's entry is of another kind: {shown(kind)} {shown(version)}")
    return kind, str(version), as_map(record.get("spec"), "the log's entry")


def _at(value: object, *path: str) -> object:
    for step in path:
        value = as_map(value, "the log's entry").get(step)
    return value


def _same_key(value: object, holder: Any) -> bool:
    """Whether base64 of PEM is the certificate or the key that `holder` is."""
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from cryptography.x509 import Certificate

    pem = base64_of(value, "the key in the log's entry")
    if isinstance(holder, Certificate):
        return from_pem(pem) == (holder,)
    try:
        return key_digest(load_pem_public_key(pem)) == key_digest(holder)
    except Exception:  # noqa: BLE001 - whatever cannot be read is not the same
        return False


def about_digest(entry: Entry, digest: bytes, signature: bytes, holder: Any) -> None:
    """Refuse an entry that is not about this signature of this SHA-256 by this certificate or key."""
    _, _, spec = _spec(entry.body, {"hashedrekord": ("0.0.1",)})
    same = (
        _at(spec, "data", "hash", "algorithm") == "sha256"
        and _at(spec, "data", "hash", "value") == digest.hex()
        and base64_of(_at(spec, "signature", "content"), "the signature in the log's entry") == signature
        and _same_key(_at(spec, "signature", "publicKey", "content"), holder)
    )
    if not same:
        raise wrong("the log's entry is about another signature")


def about_envelope(entry: Entry, blob: bytes, payload: bytes, signature: bytes, holder: Any) -> None:
    """Refuse an entry that is not about this envelope, which `blob` is the JSON of, by this certificate or key."""
    kind, version, spec = _spec(entry.body, {"dsse": ("0.0.1",), "intoto": ("0.0.1", "0.0.2")})
    content = spec if kind == "dsse" else as_map(spec.get("content"), "the log's entry")
    hashed = _at(content, "payloadHash")
    same = (
        _at(hashed, "algorithm") == "sha256" and _at(hashed, "value") == hashlib.sha256(payload).hexdigest()
    )
    if kind == "dsse":
        listed = as_list(spec.get("signatures"), "the log's entry", most=16)
        same = same and any(
            base64_of(_at(item, "signature"), "the log's entry") == signature
            and _same_key(_at(item, "verifier"), holder)
            for item in listed
        )
    elif version == "0.0.2":
        # Its signature is base64 of the base64 that the envelope has.
        listed = as_list(_at(content, "envelope", "signatures"), "the log's entry", most=16)
        same = same and any(
            base64_of(
                base64_of(_at(item, "sig"), "the log's entry").decode("ascii", "replace"), "the log's entry"
            )
            == signature
            and _same_key(_at(item, "publicKey"), holder)
            for item in listed
        )
    else:
        same = same and _same_key(spec.get("publicKey"), holder)
        whole = _at(content, "hash")
        same = same and (whole is None or _at(whole, "value") == hashlib.sha256(blob).hexdigest())
    if not same:
        raise wrong("the log's entry is about another signature")
