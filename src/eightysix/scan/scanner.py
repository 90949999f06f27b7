"""Scans bytes and files: the public way in."""

from __future__ import annotations

import mmap
import os
import stat
from collections.abc import Callable

from msgspec import Struct, structs

from eightysix.model.finding import FileVerdict, Finding, ScannedFile
from eightysix.model.stored import visible
from eightysix.scan.artifact import LAYER, Artifact
from eightysix.scan.budget import Limits
from eightysix.scan.catalog import rule
from eightysix.scan.digest import digest_bytes, digest_descriptor
from eightysix.scan.interface import SecondEngine
from eightysix.scan.session import Session
from eightysix.scan.verdict import verdict_of

__all__ = ["Options", "Result", "Stamp", "scan_bytes", "scan_file", "unscanned"]

MAPPED_FROM = 1 << 20
"""Files of this size in bytes and more are mapped, smaller ones are read: a map costs more than a copy below."""


class Options(Struct, frozen=True, kw_only=True):
    """How to scan. `second` is the second engine, None where it is switched off. `digest` has every file's digest worked
    out; without, only what is not clean gets one, where BLAKE3 is installed. `recall` gives what bytes with a digest came
    to before, by the same rules, or None; it is not for layers. `layer` says that it is the layer of an image, whose root is the
    container's."""

    limits: Limits = Limits()
    second: SecondEngine | None = None
    digest: bool = False
    recall: Callable[[str], Result | None] | None = None
    layer: bool = False


class Stamp(Struct, frozen=True):
    """Which file it was on its machine, and when it was changed last."""

    dev: int
    ino: int
    size: int
    mtime_ns: int


class Result(Struct, frozen=True, kw_only=True):
    """What one file came to. `stamp` is None for what was no file; `recalled` says that it was not read again."""

    file: ScannedFile
    findings: tuple[Finding, ...]
    stamp: Stamp | None = None
    recalled: bool = False


def scan_bytes(data: bytes | mmap.mmap, path: str = "-", options: Options = Options()) -> Result:  # noqa: B008 - frozen
    """Scan `data`. `path` is what the findings call it, and decides nothing. Never raises because of what `data` holds."""
    result = _judge(data, path, options)
    return _with_digest(result, digest_bytes(data)) if _wants_digest(result, options) else result


def scan_file(path: str, options: Options = Options()) -> Result:  # noqa: B008 - frozen
    """Scan the file at `path`. What cannot be opened or read is a result (`unscannable`), not an error.

    A file that is cut short by somebody else while it is mapped ends the process by SIGBUS, as it does every reader of
    maps: scan copies, or in a child (`pool`), where others may write.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except (OSError, ValueError) as error:
        return unscanned(path, _reason(error))
    try:
        return _scan_open(path, descriptor, options)
    except OSError as error:
        return unscanned(path, _reason(error))
    finally:
        os.close(descriptor)


def unscanned(path: str, why: str, name: str = "unreadable") -> Result:
    """The result of a file that was never read to its end; `name` is the rule that says so."""
    finding = _finding(name, path, why)
    file = ScannedFile(path=finding.path, format="unknown", verdict=FileVerdict.UNSCANNABLE)
    return Result(file=file, findings=(finding,))


def _scan_open(path: str, descriptor: int, options: Options) -> Result:
    before = os.fstat(descriptor)
    if not stat.S_ISREG(before.st_mode):
        return unscanned(path, "it is no regular file")
    digest = digest_descriptor(descriptor) if options.digest or options.recall is not None else ""
    known = options.recall(digest) if options.recall is not None and digest else None
    result = (
        _judge(_content(descriptor, before.st_size), path, options)
        if known is None
        else _renamed(known, path)
    )
    if not digest and _wants_digest(result, options):
        digest = digest_descriptor(descriptor)
    result = _with_digest(result, digest)
    after = os.fstat(descriptor)
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        findings = (
            *result.findings,
            _finding("changed", path, "its size or its time of change is another than before"),
        )
        file = structs.replace(result.file, verdict=verdict_of(findings), digest="")
        return Result(file=file, findings=findings)
    stamp = Stamp(after.st_dev, after.st_ino, after.st_size, after.st_mtime_ns)
    return structs.replace(result, stamp=stamp, recalled=known is not None)


def _renamed(known: Result, path: str) -> Result:
    """What the same bytes came to under another path."""
    told = visible(path)
    return Result(
        file=structs.replace(known.file, path=told),
        findings=tuple(structs.replace(finding, path=told) for finding in known.findings),
    )


def _content(descriptor: int, size: int) -> bytes | mmap.mmap:
    if size >= MAPPED_FROM:
        return mmap.mmap(descriptor, size, prot=mmap.PROT_READ)
    data = bytearray()
    while len(data) <= size and (part := os.pread(descriptor, size + 1 - len(data), len(data))):
        data += part
    if (
        len(data) > size
    ):  # as files of /proc do, which tell no size; what lies behind it would be judged unread
        raise OSError(0, "it holds more than the size that it tells")
    return bytes(data)


def _judge(data: bytes | mmap.mmap, path: str, options: Options) -> Result:
    session = Session(options.limits, options.second)
    name = session.read(Artifact(data, visible(path), context=LAYER if options.layer else ""))
    findings = session.findings
    file = ScannedFile(
        path=visible(path),
        format=name,
        verdict=verdict_of(findings),
        size=len(data),
        second=session.second_word,
    )
    return Result(file=file, findings=findings)


def _wants_digest(result: Result, options: Options) -> bool:
    return options.digest or result.file.verdict is not FileVerdict.CLEAN


def _with_digest(result: Result, digest: str) -> Result:
    return structs.replace(result, file=structs.replace(result.file, digest=digest)) if digest else result


def _finding(name: str, path: str, why: str) -> Finding:
    found = rule(name)
    return Finding(rule=found.id, severity=found.severity, path=visible(path), title=found.title, why=why)


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return "the path holds a character that no path can"
