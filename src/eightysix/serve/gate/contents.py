"""Layers and files, scanned. What is too large, absent or changed while it was read is `unscannable`, never clean."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import replace

from eightysix.gate.manifests import Descriptor
from eightysix.gate.mediatypes import TITLE, kind_of
from eightysix.model.errors import RegistryError
from eightysix.model.finding import FileVerdict
from eightysix.model.gate import ContentVerdict
from eightysix.scan.scanner import Options, Result, scan_bytes, scan_file
from eightysix.scan.walk import Found
from eightysix.serve.registry.client import RegistryClient

__all__ = ["MAX_LAYER", "MAX_TOLD", "scan_files", "scan_layers"]

MAX_LAYER = 32 << 30
"""Largest layer that is fetched to be scanned, in bytes: a shard of a large model has 5 to 10 GB, an image's largest layer 6."""

MAX_TOLD = 10_000
"""Files that a decision tells. Those that are not clean come first."""

_SMALL = 1 << 20
_MAX_WHY = 600

Known = Mapping[str, ContentVerdict]
"""What a layer came to before, by its digest, by the same rules: it is not read again."""


def scan_layers(
    client: RegistryClient,
    repository: str,
    layers: Sequence[Descriptor],
    options: Options,
    known: Known,
    *,
    largest: int = MAX_LAYER,
    tell: Callable[[str], None] = lambda _: None,
) -> tuple[ContentVerdict, ...]:
    """One verdict for each layer. Raises `RegistryError` where the registry itself cannot be asked."""
    told = []
    for layer in layers:
        before = known.get(layer.digest)
        name = _name(layer)
        if before is not None:
            told.append(replace(before, path=name))
            continue
        tell(f"scanning {name} ({layer.size:,} bytes)")
        told.append(_layer(client, repository, layer, name, options, largest))
    return tuple(told)


def scan_files(files: Sequence[Found], root: str, options: Options) -> tuple[ContentVerdict, ...]:
    """One verdict for each file, by its path below `root`."""
    told = []
    for file in files:
        name = os.path.relpath(file.path, root) if file.path != root else os.path.basename(root)
        if file.problem:
            told.append(_unread(name, "", file.problem))
        else:
            told.append(_verdict(scan_file(file.path, options), name, ""))
    told.sort(key=lambda each: (each.verdict == FileVerdict.CLEAN.value, each.path))
    return tuple(told)


def _layer(
    client: RegistryClient, repository: str, layer: Descriptor, name: str, options: Options, largest: int
) -> ContentVerdict:
    # oras gives any file the media type of a layer, and a title: where its tar is unpacked is somebody's own folder.
    of_image = kind_of(layer.media_type) == "image" and TITLE not in layer.annotations
    options = replace(options, layer=of_image)
    try:
        if layer.size <= _SMALL:
            data = client.blob_bytes(repository, layer, _SMALL)
            return _verdict(scan_bytes(data, name, options), name, layer.digest)
        # A file without a name: whatever ends this process, nothing of the layer stays on the disk.
        with tempfile.TemporaryFile() as file:
            client.blob(repository, layer.digest, layer.size, file.write, largest)
            file.flush()
            return _verdict(scan_file(f"/proc/self/fd/{file.fileno()}", options), name, layer.digest)
    except RegistryError as error:
        if error.kind in {"unreachable", "slow", "throttled", "refused"}:
            raise
        return _unread(name, layer.digest, error.what)
    except OSError as error:
        return _unread(name, layer.digest, f"it could not be kept to be read: {error.strerror}")


def _verdict(result: Result, name: str, digest: str) -> ContentVerdict:
    """A scan's result; the reasons of the worst finding."""
    worst = sorted(result.findings, key=lambda finding: (-finding.severity.rank, finding.rule))
    why = ""
    if worst:
        where = f" in {worst[0].member}" if worst[0].member else ""
        why = f"{worst[0].title}{where}: {worst[0].why}"[:_MAX_WHY]
    formats = (result.file.format,) if result.file.format not in {"unknown", "unreadable"} else ()
    return ContentVerdict(
        path=name, digest=digest, verdict=result.file.verdict.value, formats=formats, why=why
    )


def _unread(name: str, digest: str, why: str) -> ContentVerdict:
    return ContentVerdict(path=name, digest=digest, verdict=FileVerdict.UNSCANNABLE.value, why=why[:_MAX_WHY])


def _name(layer: Descriptor) -> str:
    """The file that a layer stands for, else its digest, short."""
    return layer.annotations.get(TITLE, "")[:255] or layer.digest[:19]
