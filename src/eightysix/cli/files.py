"""Files of the operator: read with a bound, written so that nobody else can read them."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from eightysix.model.errors import UsageError

__all__ = ["MAX_OPERATOR_FILE", "read_operator_file", "write_new", "write_private"]

MAX_OPERATOR_FILE = 256 << 20
"""Bytes of the largest baseline that is read: ten thousand workloads with their destinations."""


def read_operator_file(path: str, what: str) -> bytes:
    """The bytes of a file that the operator named; `UsageError` with the reason where it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_OPERATOR_FILE + 1)
    except OSError as error:
        raise UsageError(f"the {what} {path} cannot be read: {error.strerror}", "check the path") from error
    if len(data) > MAX_OPERATOR_FILE:
        raise UsageError(
            f"the {what} {path} is larger than {MAX_OPERATOR_FILE >> 20} MiB", "split it by namespace"
        )
    return data


def write_private(path: str, text: str | bytes) -> None:
    """Write `path` with mode 0600, whole or not at all. What is there and no file (a pipe, a terminal, `/dev/null`) is
    written to: putting a file in its place would take the device from everybody."""
    data = text.encode("utf-8", "backslashreplace") if isinstance(text, str) else text
    target = Path(os.path.realpath(path))  # /dev/stdout is a link, and stays one
    if _is_device(target):
        try:
            with target.open("wb") as stream:
                stream.write(data)
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror}", "name another output") from error
        return
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        temporary.replace(target)
    except OSError as error:
        with suppress(OSError):  # what could not be made cannot be removed either
            temporary.unlink(missing_ok=True)
        raise UsageError(
            f"{path} cannot be written: {error.strerror}", "check the folder and its rights"
        ) from error


def _is_device(path: Path) -> bool:
    """Whether something is there that is neither a file nor a folder, behind any links."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def write_new(files: Mapping[Path, bytes]) -> None:
    """Write files with mode 0600 where none are; folders are made with mode 0700. Nothing that is there is touched: where
    one of the files is, none is written, and where writing fails, those already written go."""
    there = [path for path in files if os.path.lexists(path)]
    if there:
        raise UsageError(f"{there[0]} is there already", "name another folder, or move it away")
    written: list[Path] = []
    for path, data in files.items():
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            written.append(path)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
        except OSError as error:
            for mine in written:
                with suppress(OSError):
                    mine.unlink()
            raise UsageError(
                f"{path} cannot be written: {error.strerror}", "check the folder and its rights"
            ) from error
