"""What is installed below a path, from the metadata that installers write. Nothing is imported and no code is read."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from email.parser import HeaderParser

from msgspec import Struct

__all__ = ["Installed", "Unread", "installed", "normal"]

METADATA = 256 << 10
"""Bytes of a metadata file that are read: its headers come first, and the longest real ones take 60 kB."""

FOLDERS = 200_000
"""Folders that are looked into."""

DEPTH = 12
"""Levels below the path: `/var/lib/.../rootfs/opt/venv/lib/python3.12/site-packages` has fewer."""

_SKIPPED = frozenset(("proc", "sys", "dev", "node_modules", ".git"))


class Installed(Struct, frozen=True):
    """One distribution. `path` is its metadata folder or file."""

    name: str
    version: str
    path: str


class Unread(Struct, frozen=True):
    """A place that could not be read, and why."""

    path: str
    why: str


def normal(name: str) -> str:
    """The one spelling of a name (PEP 503)."""
    return "-".join(part for part in name.lower().replace("_", "-").replace(".", "-").split("-") if part)


def installed(root: str) -> Iterator[Installed | Unread]:
    """Every distribution below `root`: a site-packages folder, a virtual environment, or a whole file system."""
    if not os.path.isdir(root):
        yield Unread(root, "it is no folder")
        return
    stack = [(root, 0)]
    looked = 0
    while stack:
        folder, depth = stack.pop()
        looked += 1
        if looked > FOLDERS:
            yield Unread(root, f"more than {FOLDERS:,} folders")
            return
        try:
            with os.scandir(folder) as entries:
                inside = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            yield Unread(folder, type(error).__name__)
            continue
        packages = os.path.basename(folder) in ("site-packages", "dist-packages")
        packages = packages or any(entry.name.endswith((".dist-info", ".egg-info")) for entry in inside)
        for entry in inside:
            if entry.name.endswith((".dist-info", ".egg-info")):
                yield _read(entry)
            elif _folder(entry) and not packages and depth < DEPTH and entry.name not in _SKIPPED:
                stack.append((entry.path, depth + 1))


def _folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _read(entry: os.DirEntry[str]) -> Installed | Unread:
    places = (os.path.join(entry.path, "METADATA"), os.path.join(entry.path, "PKG-INFO"), entry.path)
    for place in places:
        try:
            descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                continue
            text = os.read(descriptor, METADATA).decode("utf-8", "replace")
        finally:
            os.close(descriptor)
        headers = HeaderParser().parsestr(text)
        name, version = headers.get("Name", ""), headers.get("Version", "")
        if name and version:
            return Installed(normal(str(name).strip()), str(version).strip(), entry.path)
        return Unread(entry.path, "its metadata hold no name and version")
    return Unread(entry.path, "there are no metadata in it")
