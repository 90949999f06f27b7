"""From the manifests that are attached to an image to what may be signatures: the referrers of OCI 1.1, and cosign's tags.

A manifest that cannot be used is a broken signature, not none. Media types decide nothing alone: anybody who may push
chooses them, so what a layer holds is looked at too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

from eightysix.gate.attest.cosign import SIGNATURE
from eightysix.gate.attest.material import Material, MaterialKind
from eightysix.gate.attest.strict import Refusal, as_list, as_map, is_hex, load_json, shown

__all__ = ["MAX_LAYERS", "materials_of"]

MAX_LAYERS: Final = 256
_MAX_MANIFEST: Final = 4 << 20
"""As registries have it (distribution-spec: a manifest of 4 MiB must be taken)."""

_BUNDLE: Final = "application/vnd.dev.sigstore.bundle"
_BY_MEDIA_TYPE: Final = {
    "application/vnd.dev.cosign.simplesigning.v1+json": MaterialKind.COSIGN,
    "application/vnd.dsse.envelope.v1+json": MaterialKind.ENVELOPE,
    "application/jose+json": MaterialKind.NOTATION,
    "application/cose": MaterialKind.NOTATION,
}
_NO_SIGNATURES: Final = frozenset(
    {
        "application/spdx+json",
        "application/vnd.cyclonedx",
        "application/vnd.cyclonedx+json",
        "application/vnd.cyclonedx+xml",
        "application/sarif+json",
        "text/spdx",
        "text/spdx+json",
    }
)
"""Lists of parts and reports, which sign nothing; anything else that nobody knows is told."""


def materials_of(
    manifest: bytes, blobs: Mapping[str, bytes], *, source: str, subject: str
) -> tuple[Material, ...]:
    """What is in a manifest that is attached to the artifact `subject`. `source` is the manifest's digest, or its tag.

    `blobs` are its layers by digest, as far as they could be had.
    """
    try:
        fields = as_map(
            load_json(manifest, "the attached manifest", max_bytes=_MAX_MANIFEST), "the attached manifest"
        )
        if source.startswith("sha256:") and hashlib.sha256(manifest).hexdigest() != source[7:]:
            return (_broken(source, "the registry gave another manifest than was asked for"),)
        about = fields.get("subject")
        if about is not None:
            told = as_map(about, "the manifest's subject").get("digest")
            if told != subject:
                return (_broken(source, f"it is attached to {shown(told)}, and not to {subject}"),)
        if "manifests" in fields:
            return (_broken(source, "an index is attached where a signature should be"),)
        layers = as_list(fields.get("layers"), "the attached manifest's list of layers", most=MAX_LAYERS)
        if not layers:
            return (_broken(source, "the attached manifest has no layer"),)
        found = [_layer(item, blobs, source) for item in layers]
    except Refusal as refusal:
        return (_broken(source, refusal.why),)
    kind = fields.get("artifactType")
    harmless = isinstance(kind, str) and kind in _NO_SIGNATURES
    if harmless and all(item.kind is MaterialKind.UNKNOWN and not item.broken for item in found):
        return ()
    return tuple(found)


def _broken(source: str, why: str) -> Material:
    return Material(kind=MaterialKind.UNKNOWN, source=source, broken=why)


def _layer(value: object, blobs: Mapping[str, bytes], source: str) -> Material:
    fields = as_map(value, "a layer")
    digest, media_type = fields.get("digest"), fields.get("mediaType")
    if not isinstance(digest, str) or not digest.startswith("sha256:") or not is_hex(digest[7:], 64):
        return _broken(source, f"a layer has no digest in {shown(digest)}")
    told = fields.get("annotations")
    annotations = as_map(told, "a layer's annotations") if told is not None else {}
    texts = {name: text for name, text in annotations.items() if isinstance(text, str)}
    media = media_type if isinstance(media_type, str) else ""
    blob = blobs.get(digest)
    broken = missing = ""
    if blob is None:
        missing = f"its layer {digest} could not be had"
    elif hashlib.sha256(blob).hexdigest() != digest[7:]:
        broken = "the registry gave other bytes than its layer has"
    elif not blob:
        broken = "its layer is empty"
    kind = _kind(media, texts, blob or b"")
    return Material(
        kind=kind,
        data=blob or b"",
        source=source,
        media_type=media,
        annotations=texts,
        broken=broken,
        missing=missing,
    )


def _kind(media_type: str, annotations: Mapping[str, str], blob: bytes) -> MaterialKind:
    if media_type.startswith(_BUNDLE):
        return MaterialKind.BUNDLE
    if media_type in _BY_MEDIA_TYPE:
        return _BY_MEDIA_TYPE[media_type]
    try:
        fields = load_json(blob, "the layer") if blob[:1] == b"{" else None
    except Refusal:
        fields = None
    if isinstance(fields, dict):
        if str(fields.get("mediaType", "")).startswith(_BUNDLE):
            return MaterialKind.BUNDLE
        if "payloadType" in fields:
            return MaterialKind.ENVELOPE
        if "critical" in fields:
            return MaterialKind.COSIGN
    return MaterialKind.COSIGN if SIGNATURE in annotations else MaterialKind.UNKNOWN
