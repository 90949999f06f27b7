"""What an artifact is made of, by name: kinds of its layers, how they changed, and what an image's configuration tells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from msgspec import Struct

from eightysix.gate.manifests import Descriptor, Manifest
from eightysix.gate.mediatypes import RISKY, TITLE, kind_of
from eightysix.gate.strict import StrictError, check_names, load

__all__ = ["ImageConfig", "KindChange", "LayerKind", "compare_kinds", "decode_config", "kinds"]

MAX_CONFIG = 4 << 20
"""Bytes of a configuration: one with a thousand layers of history has 300 kB."""
_MAX_NAME = 255
_MAX_ENTRIES = 10_000


class LayerKind(Struct, frozen=True, kw_only=True):
    """One layer: `name` is the file that it stands for, empty for the layers of an image. `runs`: code may run when it is
    loaded or used."""

    name: str
    kind: str
    digest: str
    size: int
    runs: bool


class KindChange(Struct, frozen=True, kw_only=True):
    """What the artifact has now that it had not: `was` is empty for a file that is new. `runs`: now code may run, before
    none could, in this file or, if it is new, in any."""

    name: str
    was: str
    now: str
    runs: bool


class ImageConfig(Struct, frozen=True, kw_only=True):
    """What an image says of itself, of use for a decision. Texts are the builder's."""

    os: str = ""
    architecture: str = ""
    created: str = ""
    labels: dict[str, str] = {}
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    user: str = ""
    layers: tuple[str, ...] = ()  # digests of what is unpacked


def kinds(manifest: Manifest) -> tuple[LayerKind, ...]:
    """What each layer of a manifest is, by media type and title. Empty for an index: ask its manifests."""
    return tuple(_kind(layer) for layer in manifest.layers)


def compare_kinds(before: Sequence[LayerKind], after: Sequence[LayerKind]) -> tuple[KindChange, ...]:
    """How what an artifact is made of changed: safetensors that became a pickle under the same name, a kind that is new.

    A file of a known kind under a new name is no change: shards come and go. A pickle beside safetensors is one.
    """
    known = {each.name: each.kind for each in before if each.name}
    had = {each.kind for each in before}
    ran = any(each.runs for each in before)
    changes = []
    for each in after:
        was = known.get(each.name, "") if each.name else ""
        if was and was != each.kind:
            changes.append(
                KindChange(name=each.name, was=was, now=each.kind, runs=each.runs and was not in RISKY)
            )
        elif not was and each.kind not in had:
            changes.append(KindChange(name=each.name, was="", now=each.kind, runs=each.runs and not ran))
            had.add(each.kind)
    return tuple(changes)


def decode_config(data: bytes) -> ImageConfig:
    """The configuration of an image. Raises `StrictError` (a `ValueError`) where it is none, or one of two meanings."""
    if len(data) > MAX_CONFIG:
        raise StrictError(f"it has {len(data):,} bytes, at most {MAX_CONFIG:,} are read")
    fields = load(data)
    if not isinstance(fields, dict):
        raise StrictError("it is no object")
    check_names(fields, ("os", "architecture", "created", "config", "rootfs", "history", "variant"))
    config = _object(fields.get("config"))
    check_names(
        config, ("Labels", "Entrypoint", "Cmd", "User", "Env", "WorkingDir", "Volumes", "ExposedPorts")
    )
    root = _object(fields.get("rootfs"))
    check_names(root, ("type", "diff_ids"))
    labels = _object(config.get("Labels"))
    if not all(isinstance(each, str) for each in labels.values()):
        raise StrictError("its labels are no texts")
    return ImageConfig(
        os=_text(fields.get("os")),
        architecture=_text(fields.get("architecture")),
        created=_text(fields.get("created")),
        labels=cast("dict[str, str]", labels),
        entrypoint=_texts(config.get("Entrypoint")),
        command=_texts(config.get("Cmd")),
        user=_text(config.get("User")),
        layers=_texts(root.get("diff_ids")),
    )


def _kind(layer: Descriptor) -> LayerKind:
    name = layer.annotations.get(TITLE, "")[:_MAX_NAME]
    kind = kind_of(layer.media_type, name)
    return LayerKind(name=name, kind=kind, digest=layer.digest, size=layer.size, runs=kind in RISKY)


def _object(value: object) -> dict[str, object]:
    """An object; null and absent are an empty one, as readers in Go have it."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise StrictError("what should be an object in it is none")
    return value


def _text(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise StrictError("what should be a text in it is none")
    return value[:_MAX_NAME]


def _texts(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > _MAX_ENTRIES:
        raise StrictError("what should be a list of texts in it is none")
    return tuple(_text(each) for each in value)
