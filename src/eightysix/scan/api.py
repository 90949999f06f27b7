"""The scan for programs: what `eightysix scan` does, as functions.

from eightysix.scan import scan_file, guard

result = scan_file("model.pt")
if result.file.verdict is not FileVerdict.CLEAN: ...
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from eightysix.scan import scanner
from eightysix.scan.guard import guard
from eightysix.scan.pool import scan_all
from eightysix.scan.scanner import Options, Result
from eightysix.scan.second.engine import shared_engine
from eightysix.scan.walk import walk

__all__ = ["Options", "Result", "default_options", "guard", "scan_bytes", "scan_file", "scan_paths"]


def default_options() -> Options:
    """What the command line uses without options: both engines, digests of what is not clean."""
    return Options(second=shared_engine())


def scan_file(path: str, options: Options | None = None) -> Result:
    """Scan the file at `path`. What cannot be opened or read is a result (`unscannable`), not an error."""
    return scanner.scan_file(path, options or default_options())


def scan_bytes(data: bytes, path: str = "-", options: Options | None = None) -> Result:
    """Scan `data`; `path` is what the findings call it. Never raises because of what `data` holds."""
    return scanner.scan_bytes(data, path, options or default_options())


def scan_paths(paths: Iterable[str], options: Options | None = None, *, jobs: int = 1) -> Iterator[Result]:
    """Scan files and folders, one result a file, in order. `jobs` above 1 forks: only where this process has one thread."""
    return scan_all(list(walk(paths)), lambda: options or default_options(), jobs)
