"""Which files a scan reads: those given, and everything in the folders given."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator

from msgspec import Struct

__all__ = ["Found", "walk"]


class Found(Struct, frozen=True):
    """A file to scan; or, with a `problem`, something that was found and cannot be scanned, and why."""

    path: str
    problem: str = ""


def walk(paths: Iterable[str]) -> Iterator[Found]:
    """The files in the order given, folders in the order of their names, hidden ones too.

    A link to a file is followed, as loaders follow it (the cache of the Hugging Face hub is made of links). A link to
    a folder inside of a folder is not: it could lead anywhere, or round and round. Nothing is opened.
    """
    for path in paths:
        yield from _one(path)


def _one(path: str) -> Iterator[Found]:
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:
        yield Found(path, _reason(error))
        return
    if stat.S_ISDIR(mode):
        yield from _folder(path)
    else:
        yield _judged(path, mode)


def _folder(top: str) -> Iterator[Found]:
    waiting = [top]
    while waiting:
        path = waiting.pop()
        if path != top and not stat.S_ISDIR(_mode(path)):
            yield _leaf(path)
            continue
        entries = _entries(path)
        if isinstance(entries, Found):
            yield entries
        else:
            waiting.extend(reversed(entries))


def _entries(folder: str) -> list[str] | Found:
    try:
        names = sorted(os.listdir(folder), key=os.fsencode)
    except OSError as error:
        return Found(folder, _reason(error))
    return [os.path.join(folder, name) for name in names]


def _mode(path: str) -> int:
    try:
        return os.lstat(path).st_mode
    except OSError:
        return 0


def _leaf(path: str) -> Found:
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        return Found(path, _reason(error))
    if stat.S_ISDIR(mode):
        return Found(path, "a link to a folder is not followed: name the folder itself")
    return _judged(path, mode)


def _judged(path: str, mode: int) -> Found:
    return Found(path, "" if stat.S_ISREG(mode) else "it is no regular file")


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return "the path holds a character that no path can"
