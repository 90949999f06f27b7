"""Manifests, indexes and configurations of images and artifacts: bytes of whoever could push, decoded within bounds.

What is read: OCI image manifests and indexes 1.0 and 1.1, Docker's schema 2 and its lists. What breaks its format, or what
two readers would understand in two ways (CVE-2021-41190: one body that is a manifest and an index), is `malformed`; what
nobody here can look into (Docker's schema 1, more than a thousand layers) is `unscannable`. Neither is ever `clean`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from msgspec import Struct

from eightysix.gate.digests import digest_of, is_digest
from eightysix.gate.mediatypes import INDEXES, MANIFESTS, OCI_INDEX, OCI_MANIFEST, REFUSED, bare
from eightysix.gate.strict import StrictError, check_names, load
from eightysix.model.finding import FileVerdict

__all__ = ["Descriptor", "Limits", "Manifest", "Unreadable", "decode_manifest"]

_MOST = (1 << 63) - 1
_MAX_TYPE = 255  # RFC 6838, 4.2: 127 on each side of the slash


class Limits(Struct, frozen=True, kw_only=True):
    """Bounds of one artifact. `bytes`: of a manifest, what the distribution specification tells registries to take. `layers`,
    also of manifests in an index: Docker itself builds at most 127 layers, a model in shards has some hundred files.
    `depth`: indexes within each other. `layer_bytes`: of one layer by its own word; the largest models have files of 50 GB."""

    bytes: int = 4 << 20
    layers: int = 1_000
    depth: int = 3
    annotations: int = 1_000
    layer_bytes: int = 1 << 40


class Descriptor(Struct, frozen=True, kw_only=True):
    """What a manifest says of content elsewhere. All of it was written by whoever pushed, only `digest` can be verified.

    `platform` is `linux/arm64/v8`, empty where none is told. `elsewhere` says that it names URLs outside of the registry,
    which are never asked. `inline` is what the descriptor has of its content within itself: verified.
    """

    media_type: str
    digest: str
    size: int
    artifact_type: str = ""
    annotations: dict[str, str] = {}
    platform: str = ""
    elsewhere: bool = False
    inline: bytes | None = None


class Manifest(Struct, frozen=True, kw_only=True):
    """A manifest (`config`, `layers`) or an index (`manifests`). `artifact_type` is that of the artifact: its own, else its
    configuration's media type, as the referrers API has it. `remarks` are what is allowed and odd."""

    media_type: str
    index: bool
    artifact_type: str = ""
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] = ()
    manifests: tuple[Descriptor, ...] = ()
    subject: Descriptor | None = None
    annotations: dict[str, str] = {}
    remarks: tuple[str, ...] = ()

    def needs(self) -> tuple[Descriptor, ...]:
        """Everything that it refers to and consists of: not `subject`, which it only speaks about."""
        return (*self.manifests, *((self.config,) if self.config else ()), *self.layers)


class Unreadable(Struct, frozen=True):
    """Why a body is no manifest that could be judged: `verdict` is `malformed` or `unscannable`."""

    verdict: FileVerdict
    reasons: tuple[str, ...]


class _Unreadable(Exception):  # noqa: N818 - carries a result
    def __init__(self, why: str, verdict: FileVerdict = FileVerdict.MALFORMED) -> None:
        super().__init__(why)
        self.why, self.verdict = why, verdict


_COMMON = ("schemaVersion", "mediaType", "artifactType", "subject", "annotations")
_OF_MANIFEST = ("config", "layers")
_OF_INDEX = ("manifests",)
_OF_OTHERS = ("fsLayers", "history", "signatures", "blobs")
_TOP = (*_COMMON, *_OF_MANIFEST, *_OF_INDEX, *_OF_OTHERS)
_DESCRIPTOR = ("mediaType", "digest", "size", "urls", "annotations", "data", "artifactType", "platform")
_PLATFORM = ("architecture", "os", "os.version", "os.features", "variant")
_SAYS_NOTHING = frozenset({"", "application/octet-stream"})


def decode_manifest(
    data: bytes, content_type: str = "", limits: Limits | None = None
) -> Manifest | Unreadable:
    """What `data` is. `content_type` is what the registry called it; empty where nobody did (a file, a layout on a disk)."""
    try:
        return _Reader(limits or Limits()).manifest(data, bare(content_type))
    except _Unreadable as error:
        return Unreadable(error.verdict, (error.why,))
    except StrictError as error:
        return Unreadable(FileVerdict.MALFORMED, (str(error),))


class _Reader:
    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._remarks: list[str] = []

    def manifest(self, data: bytes, content_type: str) -> Manifest:
        if len(data) > self._limits.bytes:
            raise _Unreadable(
                f"the manifest has {len(data):,} bytes, at most {self._limits.bytes:,} are read",
                FileVerdict.UNSCANNABLE,
            )
        fields = load(data, max_depth=16)
        if not isinstance(fields, dict):
            raise _Unreadable("the manifest is no JSON object")
        check_names(fields, _TOP)
        media_type = self._media_type(fields, content_type)
        index = media_type in INDEXES
        self._one_thing(fields, index)
        config = None if index else self._config(fields)
        layers = self._list(fields, "layers") if not index else ()
        manifests = self._list(fields, "manifests") if index else ()
        subject = fields.get("subject")
        told = _text(fields, "artifactType", "the manifest")
        return Manifest(
            media_type=media_type,
            index=index,
            artifact_type=told or (config.media_type if config else ""),
            config=config,
            layers=layers,
            manifests=manifests,
            subject=None if subject is None else self._descriptor(subject, "subject"),
            annotations=self._annotations(fields, "the manifest"),
            remarks=tuple(self._remarks),
        )

    def _media_type(self, fields: Mapping[str, object], content_type: str) -> str:
        """The one thing that it is: the header, the body and its schema must say the same."""
        told = _text(fields, "mediaType", "the manifest")
        version = fields.get("schemaVersion")
        for each in (told, content_type):
            if each in REFUSED:
                raise _Unreadable(f"it is {REFUSED[each]}: not read", FileVerdict.UNSCANNABLE)
        if version == 1 and version is not True:
            raise _Unreadable(
                f"it is {REFUSED['application/vnd.docker.distribution.manifest.v1+json']}: not read",
                FileVerdict.UNSCANNABLE,
            )
        if version != 2 or isinstance(version, bool | float):
            raise _Unreadable("its schemaVersion is not 2")
        if told and content_type not in _SAYS_NOTHING and told != content_type:
            raise _Unreadable(
                f"the registry calls it {content_type[:80]!a}, it calls itself {told[:80]!a}: readers differ in whom to believe"
            )
        media_type = told or ("" if content_type in _SAYS_NOTHING else content_type)
        if not media_type:
            # OCI 1.0 let a body go without: then its fields say what it is, and `_one_thing` that they say one thing.
            media_type = OCI_INDEX if fields.get("manifests") is not None else OCI_MANIFEST
            self._remarks.append("it has no mediaType: taken by its fields")
        if media_type not in MANIFESTS | INDEXES:
            raise _Unreadable(f"{media_type[:80]!a} is no manifest that is read here")
        return media_type

    def _one_thing(self, fields: Mapping[str, object], index: bool) -> None:
        foreign = (*(_OF_MANIFEST if index else _OF_INDEX), *_OF_OTHERS)
        found = [name for name in foreign if fields.get(name) is not None]
        if found:
            kind = "an index" if index else "a manifest"
            raise _Unreadable(f"it is {kind} and has {', '.join(found)} too: one body for two readers")

    def _config(self, fields: Mapping[str, object]) -> Descriptor:
        if fields.get("config") is None:
            raise _Unreadable("it has no config")
        return self._descriptor(fields["config"], "config")

    def _list(self, fields: Mapping[str, object], name: str) -> tuple[Descriptor, ...]:
        entries = fields.get(name)
        if not isinstance(entries, list):
            raise _Unreadable(f"its {name} are no list")
        if len(entries) > self._limits.layers:
            raise _Unreadable(
                f"it has {len(entries):,} {name}, at most {self._limits.layers:,} are read",
                FileVerdict.UNSCANNABLE,
            )
        return tuple(self._descriptor(each, f"{name}[{at}]") for at, each in enumerate(entries))

    def _descriptor(self, value: object, where: str) -> Descriptor:
        if not isinstance(value, dict):
            raise _Unreadable(f"{where} is no descriptor")
        check_names(value, _DESCRIPTOR)
        media_type = _text(value, "mediaType", where)
        if not media_type or "/" not in media_type:
            raise _Unreadable(f"{where} has no media type")
        digest = value.get("digest")
        if not isinstance(digest, str) or not is_digest(digest):
            raise _Unreadable(f"{where} has no digest that can be verified (sha256 or sha512, in lower case)")
        size = value.get("size")
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= _MOST:
            raise _Unreadable(f"{where} has a size that is none")
        if size > self._limits.layer_bytes:
            raise _Unreadable(f"{where} says that it has {size:,} bytes", FileVerdict.UNSCANNABLE)
        elsewhere = bool(_texts(value, "urls", where))
        if elsewhere:
            self._remarks.append(f"{where} names a place outside of the registry, which is not asked")
        return Descriptor(
            media_type=media_type,
            digest=digest,
            size=size,
            artifact_type=_text(value, "artifactType", where),
            annotations=self._annotations(value, where),
            platform=self._platform(value, where),
            elsewhere=elsewhere,
            inline=_inline(value, digest, size, where),
        )

    def _annotations(self, fields: Mapping[str, object], where: str) -> dict[str, str]:
        value = fields.get("annotations")
        if value is None:
            return {}
        if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
            raise _Unreadable(f"the annotations of {where} are no texts by name")
        if len(value) > self._limits.annotations:
            raise _Unreadable(
                f"{where} has {len(value):,} annotations, at most {self._limits.annotations:,} are read",
                FileVerdict.UNSCANNABLE,
            )
        return value

    def _platform(self, fields: Mapping[str, object], where: str) -> str:
        value = fields.get("platform")
        if value is None:
            return ""
        if not isinstance(value, dict):
            raise _Unreadable(f"the platform of {where} is no object")
        check_names(value, _PLATFORM)
        parts = [_text(value, name, where) for name in ("os", "architecture", "variant")]
        return "/".join(part for part in parts if part)


def _text(fields: Mapping[str, object], name: str, where: str) -> str:
    """A short text of printable ASCII; empty where it is absent or null, as readers in Go have it."""
    value = fields.get(name)
    if value is None:
        return ""
    if (
        not isinstance(value, str)
        or len(value) > _MAX_TYPE
        or not (value.isascii() and (value.isprintable()))
    ):
        raise _Unreadable(f"the {name} of {where} is no short text")
    return value


def _texts(fields: Mapping[str, object], name: str, where: str) -> list[str]:
    value = fields.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise _Unreadable(f"the {name} of {where} are no texts")
    return value


def _inline(fields: Mapping[str, object], digest: str, size: int, where: str) -> bytes | None:
    """Content within the descriptor (OCI 1.1, "Embedded Content"): it must be what the digest says, or readers that take it
    and readers that fetch see two things."""
    value = fields.get("data")
    if value is None:
        return None
    try:
        data = base64.b64decode(value, validate=True) if isinstance(value, str) else None
    except (binascii.Error, ValueError):
        data = None
    if data is None or len(data) != size or digest_of(data, digest) != digest:
        raise _Unreadable(f"the content within {where} does not have its digest and size")
    return data
