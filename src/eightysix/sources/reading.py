"""Files, folders and standard input to blocks of whole lines, flat in memory whatever the input does.

A damaged file costs itself only: what cannot be read is a `Problem` of kind `unreadable` and the rest goes on.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import BinaryIO

import msgspec

from eightysix.model.errors import NothingToReadError
from eightysix.model.incident import Problem
from eightysix.sources.decompress import Limits, StreamState, text_chunks
from eightysix.sources.documents import blocks_of_documents
from eightysix.sources.lines import Block, blocks_of_lines

__all__ = ["Block", "Limits", "files_of", "read_inputs", "read_stream"]

OnProblem = Callable[[Problem], None]

_MOST_ENTRIES = 1_000_000
"""Entries of one folder tree that are looked at: names are kept for sorting, so their number is bounded."""

_anything = msgspec.json.Decoder(msgspec.Raw)


def read_inputs(
    paths: Sequence[str], stdin: BinaryIO | None, limits: Limits, on_problem: OnProblem
) -> Iterator[Block]:
    """Blocks of all `paths`, one file after the other: files, folders (recursively, in sorted order), `-` for `stdin`.

    A path that is named is opened whatever it is; in folders only regular files and links to them are opened, and links
    to folders are not followed. Raises `NothingToReadError`, when the rest is done, if not one input could be opened.
    """
    opened = 0
    unreadable: list[str] = []

    def note(problem: Problem) -> None:
        if not unreadable and problem.kind == "unreadable":
            unreadable.append(f": {problem.file}: {problem.reason}")
        on_problem(problem)

    for path in paths:
        if path == "-":
            if stdin is None:
                note(Problem("-", 0, "unreadable", "there is no standard input"))
                continue
            opened += yield from read_stream(stdin, "-", limits, note)
            continue
        for file in files_of(path, note):
            opened += yield from _read_file(file, file != path, limits, note)
    if not opened:
        raise NothingToReadError(
            f"none of the inputs could be read{''.join(unreadable)}" if paths else "no input was given",
            "Name files or folders with telemetry, or - for standard input.",
        )


def read_stream(
    stream: BinaryIO, name: str, limits: Limits, on_problem: OnProblem
) -> Generator[Block, None, bool]:
    """Blocks of one stream, called `name`. The generator returns False if nothing at all could be read of it.

    How it is written is told from its beginning: if the first line is a whole JSON value, each line is a record (the
    fast way); if it begins with a bracket and is not whole, or begins with `[`, see `sources.documents`.
    """
    state = StreamState()
    chunks = text_chunks(stream, limits, state)
    head = _first_line(chunks, limits.record_bytes)
    whole = _prepended(head, chunks)
    if _over_several_lines(head, limits.record_bytes):
        blocks = blocks_of_documents(whole, name, limits, on_problem)
    else:
        blocks = blocks_of_lines(whole, name, 1, limits, on_problem)
    last = None
    for block in blocks:
        yield block
        last = block
    if state.failure:
        line = last.first_line + last.data.count(b"\n") if last else 0
        on_problem(Problem(name, line, "unreadable", state.failure))
    return not state.failure or last is not None


def _read_file(
    path: str, regular_only: bool, limits: Limits, on_problem: OnProblem
) -> Generator[Block, None, bool]:
    name = _printable(path)
    try:
        stream = _open(path, regular_only)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or str(error)
        on_problem(Problem(name, 0, "unreadable", reason))
        return False
    with stream:
        return (yield from read_stream(stream, name, limits, on_problem))


def _open(path: str, regular_only: bool) -> BinaryIO:
    """Never waits for the other end of a FIFO that somebody put into a folder, not even if it was a file just before."""
    if not regular_only and not stat.S_ISREG(os.stat(path).st_mode):
        return open(path, "rb")
    flags = os.O_RDONLY
    for name in ("O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):  # not every system has each
        flags |= getattr(os, name, 0)
    descriptor = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(0, "neither a file nor a folder")
    return open(descriptor, "rb", buffering=0)


def files_of(path: str, on_problem: OnProblem) -> list[str]:
    """The files that `path` stands for: itself, or all that lie in it, in sorted order."""
    if not os.path.isdir(path):
        return [path]
    found: list[str] = []
    seen = 0

    def unreadable(path: str, reason: str) -> None:
        on_problem(Problem(_printable(path), 0, "unreadable", reason))

    def unlisted(error: OSError) -> None:
        unreadable(str(error.filename), error.strerror or "cannot be listed")

    for folder, folders, files in os.walk(path, onerror=unlisted):
        folders.sort()
        for name in [name for name in folders if os.path.islink(os.path.join(folder, name))]:
            if not _within(os.path.join(folder, name), path):
                reason = "a link to a folder elsewhere is not followed: name that folder itself"
                unreadable(os.path.join(folder, name), reason)
        found.extend(os.path.join(folder, name) for name in files)
        seen += len(files) + len(folders)
        if seen > _MOST_ENTRIES:
            reason = f"more than {_MOST_ENTRIES} entries: the rest of the folder is left out"
            unreadable(path, reason)
            break
    return sorted(found, key=lambda name: name.split(os.sep))


def _within(path: str, folder: str) -> bool:
    """Whether what the link `path` leads to is read anyway, as a part of `folder`."""
    real, root = os.path.realpath(path), os.path.realpath(folder)
    return real == root or real.startswith(root + os.sep)


def _printable(path: str) -> str:
    """`path` as text that every output format can hold: bytes that are no UTF-8 become `\\xNN`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _first_line(chunks: Iterator[bytes], longest: int) -> bytes:
    """Chunks until the first line with something in it is whole, or is longer than `longest`."""
    head = b""
    for chunk in chunks:
        head += chunk
        begun = head.lstrip()
        if b"\n" in begun or len(head) > longest:
            break
    return head


def _prepended(head: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    if head:
        yield head
    yield from chunks


def _is_text(after: bytes) -> bool:
    """Whether a bracket is the beginning of a line of text (`[INFO] ...`) and no array: of letters, JSON begins only true,
    false and null."""
    return after.isalpha() and after not in (b"t", b"f", b"n")


def _over_several_lines(head: bytes, longest: int) -> bool:
    begun = head.lstrip()
    if begun[:1] != b"{":
        return begun[:1] == b"[" and not _is_text(begun[1:2])
    line, newline, _ = begun.partition(b"\n")
    if not newline and len(line) > longest:  # worth cutting up only if it is a list of records
        return b'"records":[' in line[:4096] or b'"items":[' in line[:4096]
    try:
        _anything.decode(line)
    except (ValueError, RecursionError):
        return True
    return False
