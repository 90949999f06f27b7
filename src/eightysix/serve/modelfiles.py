"""The files of a model on disk, each read once for all its digests: what a model's signature is held against.

Links are told and not followed, special files are never opened: a signature is about files, and both can change under it.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from typing import Final, Protocol

from eightysix.gate.attest import FileKind, HashPlan, ModelFile
from eightysix.model.errors import MissingExtraError, NothingToReadError

__all__ = ["MAX_FILES", "read_model"]

MAX_FILES: Final = 100_000
"""As many as a signature may name (gate/attest/models.py)."""

_MAX_DEPTH: Final = 64
_CHUNK: Final = 1 << 20


class _Hasher(Protocol):
    def update(self, data: memoryview, /) -> object: ...

    def hexdigest(self) -> str: ...


def read_model(path: str, plan: HashPlan) -> Mapping[str, ModelFile]:
    """Every file of a folder, hidden ones too, by relative path; of a single file, that one under its name.

    SHA-256 and BLAKE3 of each, and what `plan` wants besides, in one pass. A file that cannot be read has no digests. Raises
    `NothingToReadError` where there is nothing, or more than anybody signs.
    """
    try:
        mode = os.lstat(path).st_mode
    except OSError as error:
        raise NothingToReadError(f"{path}: {error.strerror}", "give the folder of a model") from None
    if not stat.S_ISDIR(mode):
        name = os.path.basename(path)
        return {name: _file(path, name, None, plan)}
    found: dict[str, ModelFile] = {}
    for top, folders, names, descriptor in os.fwalk(path, follow_symlinks=False):
        inside = os.path.relpath(top, path)
        prefix = "" if inside == "." else inside.replace(os.sep, "/") + "/"
        deep = prefix.count("/") >= _MAX_DEPTH
        for name in sorted(folders):
            if deep or stat.S_ISLNK(os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode):
                kind = FileKind.OTHER if deep else FileKind.LINK
                found[prefix + name] = ModelFile(path=prefix + name, kind=kind)
        if deep:
            folders.clear()
        for name in sorted(names):
            found[prefix + name] = _file(name, prefix + name, descriptor, plan)
            if len(found) > MAX_FILES:
                raise NothingToReadError(
                    f"{path} holds more than {MAX_FILES:,} files", "give one model's folder"
                )
        folders.sort()
    return found


def _file(name: str, path: str, folder: int | None, plan: HashPlan) -> ModelFile:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
        if not stat.S_ISREG(mode):
            return ModelFile(path=path, kind=FileKind.LINK if stat.S_ISLNK(mode) else FileKind.OTHER)
        descriptor = os.open(name, flags, dir_fd=folder)
    except OSError:
        return ModelFile(path=path)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return ModelFile(path=path, kind=FileKind.OTHER)
        return _digested(descriptor, path, plan)
    except OSError:
        return ModelFile(path=path)
    finally:
        os.close(descriptor)


def _digested(descriptor: int, path: str, plan: HashPlan) -> ModelFile:
    hashers = {name: _new(name) for name in sorted({"sha256", "blake3", plan.algorithm})}
    buffer = memoryview(bytearray(_CHUNK))
    shards: dict[str, str] = {}
    part, start, offset = (_new(plan.algorithm), 0, 0)
    while True:
        room = min(_CHUNK, start + plan.shard_size - offset) if plan.shard_size else _CHUNK
        length = os.readv(descriptor, [buffer[:room]])
        if not length:
            break
        piece = buffer[:length]
        for hasher in hashers.values():
            hasher.update(piece)
        offset += length
        if plan.shard_size:
            part.update(piece)
            if offset == start + plan.shard_size:
                shards[f"{start}:{offset}"] = part.hexdigest()
                part, start = _new(plan.algorithm), offset
    if plan.shard_size and offset > start:
        shards[f"{start}:{offset}"] = part.hexdigest()
    digests = {name: hasher.hexdigest() for name, hasher in hashers.items()}
    return ModelFile(path=path, size=offset, digests=digests, shards=shards)


def _new(algorithm: str) -> _Hasher:
    if algorithm != "blake3":
        return hashlib.new(algorithm)
    try:
        from blake3 import blake3
    except ImportError:
        raise MissingExtraError(
            "BLAKE3 is not installed, and files are told by it", "pip install 'eightysix[gate]'"
        ) from None
    return blake3()
