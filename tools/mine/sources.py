"""Where sources come from: members of wheels and the running interpreter's standard library, read as text."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

__all__ = ["Source", "standard_library", "wheel"]

#: A generated table of some libraries is 5 to 20 MB of literals; no code of interest was found in one.
_MOST_BYTES = 3_000_000
_SKIPPED = ("site-packages", "__pycache__", "turtledemo")
#: Test suites that lie in a wheel are importable too, but their names would be half of the index. A name of theirs is
#: answered as any other that the index does not know.
_TESTS = frozenset({"tests", "test", "_tests", "testdata", "benchmarks"})


class Source(NamedTuple):
    """One module: `kind` is "py", "pyi", or "native" for a compiled one, whose text is its binary."""

    name: str
    package: bool
    kind: str
    text: bytes


def _named(path: str) -> tuple[str, bool, str] | None:
    """Module name, whether it is a package, and kind, by a path relative to a folder of sys.path."""
    pure = PurePosixPath(path)
    kind = {".py": "py", ".pyi": "pyi", ".so": "native", ".pyd": "native", ".dylib": ""}.get(pure.suffix, "")
    parts = [*pure.parts[:-1], pure.name.split(".")[0]]
    if not kind or not all(part.isidentifier() for part in parts):
        return None
    if parts[-1] == "__init__":
        return ".".join(parts[:-1]), True, kind
    return ".".join(parts), False, kind


def wheel(path: Path, wanted: tuple[str, ...]) -> Iterator[Source]:
    """Modules of a wheel that are of a `wanted` kind, without test suites."""
    with zipfile.ZipFile(path) as archive:
        for info in sorted(archive.infolist(), key=lambda one: one.filename):
            inner = info.filename
            if ".data/" in inner:  # NAME.data/purelib/... is unpacked into site-packages
                inner = inner.partition(".data/")[2].partition("lib/")[2]
            named = _named(inner)
            if named is None or not named[0]:
                continue
            if named[2] not in wanted or not _TESTS.isdisjoint(named[0].split(".")[1:]):
                continue
            if named[2] != "native" and info.file_size > _MOST_BYTES:
                continue
            yield Source(*named, archive.read(info))


def standard_library(root: Path) -> Iterator[Source]:
    """Modules of the standard library in folder `root`, without its test suite's test cases."""
    for path in sorted(root.rglob("*.py")):
        relative = path.relative_to(root)
        if any(part in _SKIPPED for part in relative.parts) or relative.parts[0].startswith("config-"):
            continue
        if relative.parts[0] == "test" and relative.parts[1:2] != ("support",) and len(relative.parts) > 2:
            continue
        named = _named(relative.as_posix())
        if named is not None and named[0]:
            yield Source(*named, path.read_bytes())
