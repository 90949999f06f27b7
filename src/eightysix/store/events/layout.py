"""What lies where in a store, which layout it has, and what the operator set: `store.json`.

Files have mode 0600 and folders 0700, and links inside a store are not followed: what is not a plain file there is no
part of it.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from eightysix.model.errors import StateError, UsageError

__all__ = ["VERSION", "Layout", "Settings", "is_plain", "sync_folder", "write_whole"]

VERSION = 1
"""Of the layout: files, manifest, and our own tables in the hot file. Columns of tables may come and go without it."""

_MARKS = frozenset("*?[]{}\0\n")
"""Characters that DuckDB reads as a pattern of paths."""


class Settings(Struct, kw_only=True, omit_defaults=True):
    """`store.json`. `key` is what row ids are made with, so that nobody who writes rows can aim at the id of another;
    `shares` is how much of the budget a table may have before it is the first to give way (0 to 1)."""

    version: int
    key: str = ""
    retention_days: float = 0.0
    """0 keeps rows until the budget is used."""
    budget_bytes: int = 20 << 30
    """Of all sealed segments together: some 500 million rows."""
    shares: Mapping[str, float] = {}


class Layout:
    """The paths of one store. `folder` is resolved once: what it is called by may be a link, what is inside may not."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(os.path.realpath(folder))
        if _MARKS & set(str(self.folder)):
            raise UsageError(
                f"the path of the store {self.folder} has a character that stands for other paths",
                "name a folder without * ? [ ] { }",
            )
        self.settings = self.folder / "store.json"
        self.lock = self.folder / "owner.lock"
        self.hot = self.folder / "hot.duckdb"
        self.manifest = self.folder / "manifest.json"
        self.segments = self.folder / "segments"
        self.work = self.folder / "work"
        """Rows on their way into the hot file, Parquet that is not whole yet, and what DuckDB spills."""
        self.socket = self.folder / "owner.sock"

    def make(self) -> None:
        """Make the folders, and `store.json` where there is none."""
        try:
            for folder in (self.folder, self.segments, self.work):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                if not stat.S_ISDIR(folder.lstat().st_mode):
                    raise StateError(f"{folder} is a link and no folder", "a store follows no links")
            if not os.path.lexists(self.settings):
                if os.path.lexists(self.hot):
                    raise StateError(
                        f"{self.folder} has a hot file and no store.json", "name the folder of a whole store"
                    )
                self.write_settings(Settings(version=VERSION, key=secrets.token_hex(16)))
        except OSError as error:
            raise StateError(
                f"the store {self.folder} cannot be made: {error.strerror}",
                "check the folder, its rights and its room",
            ) from error

    def read_settings(self) -> Settings:
        """`store.json`; raises `StateError` where it is damaged or of a newer release, `UsageError` where there is none."""
        if not is_plain(self.settings):
            raise UsageError(
                f"there is no store in {self.folder}", "eightysix store ingest --store DIR makes one"
            )
        try:
            settings = msgspec.json.decode(_bounded(self.settings), type=Settings)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise StateError(
                f"{self.settings} cannot be read: {error}",
                "put back a copy; the rows beside it are not touched",
            ) from error
        if settings.version > VERSION:
            raise StateError(
                f"the store {self.folder} is from a newer eightysix (version {settings.version}, this one knows {VERSION})",
                "use that one; nothing was changed",
            )
        if settings.version < 1 or len(settings.key) != 32 or not _is_hex(settings.key):
            raise StateError(
                f"{self.settings} is no store's", "put back a copy; the rows beside it are not touched"
            )
        return settings

    def write_settings(self, settings: Settings) -> None:
        """Put `store.json` in its place, whole or not at all."""
        write_whole(self.settings, msgspec.json.encode(settings))

    def inside(self, relative: str) -> Path | None:
        """The file at a relative path, None where it is none, or where a link is on the way."""
        parts = Path(relative).parts
        if not parts or ".." in parts or Path(relative).is_absolute():
            return None
        path = self.folder
        for part in parts[:-1]:
            path /= part
            if path.is_symlink():
                return None
        path /= parts[-1]
        return path if is_plain(path) else None


def is_plain(path: Path) -> bool:
    """Whether a file is there that is no link."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def write_whole(path: Path, data: bytes) -> None:
    """Put a file in its place that others read while we write; on the disk when it returns."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Let names in a folder outlast a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _bounded(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(1 << 20)


def _is_hex(text: str) -> bool:
    return all(letter in "0123456789abcdef" for letter in text)
