"""What was found beside an artifact, and what one judgement of it is being made of."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct, field

from eightysix.model.gate import SignatureKind, Signer

__all__ = ["Draft", "FileKind", "Material", "MaterialKind", "ModelFile", "Proof"]


class MaterialKind(StrEnum):
    """What the finder takes it for."""

    BUNDLE = "bundle"  # a sigstore bundle, JSON
    COSIGN = "cosign"  # a simple signing payload, the rest in annotations
    ENVELOPE = "envelope"  # a DSSE envelope, alone or with cosign's annotations
    PYPI = "pypi"  # an attestation or provenance object of PEP 740
    DETACHED = "detached"  # bytes of a signature over the artifact
    NOTATION = "notation"  # a JWS or COSE envelope of the Notary Project
    UNKNOWN = "unknown"


class Material(Struct, frozen=True, kw_only=True):
    """One thing that is or may be a signature, as bytes.

    `source` says where it was found. `annotations` are those of its layer. `name` is the file that a PyPI attestation must be
    about. `certificates` (PEM, leaf first) go with a detached signature, `signed` are the bytes that it is over, where they
    are at hand. `broken` says what its finder saw wrong with it, `missing` what its finder could not get.
    """

    kind: MaterialKind
    data: bytes = b""
    source: str = ""
    media_type: str = ""
    annotations: Mapping[str, str] = {}
    name: str = ""
    certificates: bytes = b""
    signed: bytes | None = None
    broken: str = ""
    missing: str = ""


class FileKind(StrEnum):
    """What lies at a path of a model."""

    FILE = "file"
    LINK = "link"
    OTHER = "other"  # a device, a pipe, a socket


class ModelFile(Struct, frozen=True, kw_only=True):
    """One file of a model. `path` is relative, with `/`; `digests` by algorithm in hex; `shards` by `start:end`, as signed."""

    path: str
    kind: FileKind = FileKind.FILE
    size: int = 0
    digests: Mapping[str, str] = {}
    shards: Mapping[str, str] = {}


class Proof(Struct, frozen=True):
    """Somebody signed: who, when (0 where nobody trusted says), and which root of ours vouches."""

    signer: Signer
    at_ns: int
    trust: str


class Draft(Struct, kw_only=True):
    """A judgement in the making: what was learned before something was found wrong is told with it."""

    kind: SignatureKind
    subject: str = ""
    predicate_type: str = ""
    claims: dict[str, str] = field(default_factory=dict)
    proof: Proof | None = None
    extra: Any = None
