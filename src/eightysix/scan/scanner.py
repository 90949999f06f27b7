"""Scans bytes and files: the public way in."""

from __future__ import annotations

import errno
import mmap
import os
import stat

from msgspec import Struct

from eightysix.model.finding import FileVerdict, Finding, ScannedFile
from eightysix.scan.artifact import Artifact
from eightysix.scan.budget import Limits
from eightysix.scan.catalog import rule
from eightysix.scan.interface import SecondEngine
from eightysix.scan.session import Session
from eightysix.scan.verdict import verdict_of

__all__ = ["Options", "Result", "scan_bytes", "scan_file"]

MAPPED_FROM = 1 << 20
"""Files of this size in bytes and more are mapped, smaller ones are read: a map costs more than a copy below."""


class Options(Struct, frozen=True, kw_only=True):
    """How to scan. `second` is the second engine, None where it is switched off."""

    limits: Limits = Limits()
    second: SecondEngine | None = None


class Result(Struct, frozen=True, kw_only=True):
    """What one file came to."""

    file: ScannedFile
    findings: tuple[Finding, ...]


def scan_bytes(data: bytes | mmap.mmap, path: str = "-", options: Options = Options()) -> Result:  # noqa: B008 - frozen
    """Scan `data`. `path` is what the findings call it, and decides nothing. Never raises because of what `data` holds."""
    session = Session(options.limits, options.second)
    name = session.read(Artifact(data, path))
    return Result(
        file=ScannedFile(
            path=path,
            format=name,
            verdict=verdict_of(session.findings),
            size=len(data),
            second=session.second_word,
        ),
        findings=session.findings,
    )


def scan_file(path: str, options: Options = Options()) -> Result:  # noqa: B008 - frozen
    """Scan the file at `path`. What cannot be opened or read is a result (`unscannable`), not an error.

    A file that is cut short by somebody else while it is mapped ends the process by SIGBUS, as it does every reader of
    maps: scan copies, or in a child, where others may write.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except (OSError, ValueError) as error:
        return _unread(path, _reason(error))
    try:
        return _scan_open(path, descriptor, options)
    except OSError as error:
        return _unread(path, _reason(error))
    finally:
        os.close(descriptor)


def _scan_open(path: str, descriptor: int, options: Options) -> Result:
    told = os.fstat(descriptor)
    if not stat.S_ISREG(told.st_mode):
        return _unread(path, "it is no regular file")
    if told.st_size < MAPPED_FROM:
        with os.fdopen(os.dup(descriptor), "rb") as stream:
            return scan_bytes(stream.read(MAPPED_FROM), path, options)
    return scan_bytes(mmap.mmap(descriptor, told.st_size, prot=mmap.PROT_READ), path, options)


def _unread(path: str, why: str) -> Result:
    found = rule("unreadable")
    finding = Finding(rule=found.id, severity=found.severity, path=path, title=found.title, why=why)
    file = ScannedFile(path=path, format="unknown", verdict=FileVerdict.UNSCANNABLE)
    return Result(file=file, findings=(finding,))


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, OSError) and error.errno is not None:
        return f"{errno.errorcode.get(error.errno, 'error')}: {os.strerror(error.errno)}"
    return "the path holds a character that no path can"
