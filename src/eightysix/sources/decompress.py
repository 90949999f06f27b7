"""Raw bytes to UTF-8 text in chunks: gzip, zstd, UTF-16 and UTF-32 are recognised by their first bytes, never by name.

Nothing here raises on hostile bytes: where a stream cannot be read on, what came before is kept, the chunks end, and
`StreamState.failure` says why. Memory is bounded by the chunk size and zstd's window (128 MiB at most, libzstd's own limit).
"""

from __future__ import annotations

import codecs
import importlib
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple, Protocol

from msgspec import Struct

from eightysix.sources.interface import MAX_RECORD_BYTES

__all__ = ["Limits", "StreamState", "first_bytes_tell", "text_chunks"]


class Limits(Struct, frozen=True, kw_only=True):
    """Bounds of reading, the defaults with their reasons.

    `block_bytes`: what is read at once. Cost is flat from 64 to 192 KiB; larger blocks leave the cache and make the
    allocator map and unmap memory for each (512 KiB costs a third more of reading and decoding together).
    `record_bytes`: longest record, `MAX_RECORD_BYTES`.
    `decompressed_bytes`: of one file; a day of a large node's telemetry stays below it.
    `ratio`: decompressed over compressed bytes, looked at after `ratio_from` bytes came out. Telemetry compresses 10 to
    60 times, generated and repetitive telemetry some hundred times; gzip cannot pass 1032, a zstd bomb reaches 30,000.
    """

    block_bytes: int = 1 << 17
    record_bytes: int = MAX_RECORD_BYTES
    decompressed_bytes: int = 64 << 30
    ratio: int = 1000
    ratio_from: int = 1 << 30


class StreamState(Struct):
    """What happened to one stream: `failure` is empty while all is well."""

    failure: str = ""


class _Decompressor(Protocol):
    """What `zlib.decompressobj` and `ZstdDecompressor` have in common once wrapped."""

    eof: bool
    unused_data: bytes

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


_GZIP = b"\x1f\x8b\x08"
_ZSTD = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE = b"\x2a\x4d\x18"  # after one byte 0x50 to 0x5f; pzstd starts its files with one
_NOT_TEXT = (
    (_GZIP, "gzip"),
    (_ZSTD, "zstd"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ", "xz"),
    (b"PK\x03\x04", "a zip archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"\x1f\x9d", "compress (.Z)"),
    (b"\xff\x06\x00\x00sNaPpY", "snappy"),
    (b"PAR1", "Parquet"),
    (b"Obj\x01", "Avro"),
    (b"SQLite format 3", "a SQLite database"),
    (b"\x7fELF", "a program"),
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
)
_BOMS = (  # the longer first: UTF-32-LE begins like UTF-16-LE
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
    (b"\xef\xbb\xbf", "utf-8"),
)


def text_chunks(stream: BinaryIO, limits: Limits, state: StreamState) -> Iterator[bytes]:
    """Decompressed UTF-8 of `stream` in chunks of at most about `limits.block_bytes`; no byte order mark.

    UTF-16 and UTF-32 are told by their mark or by the NUL bytes around a leading bracket. Bytes that are no UTF-8 pass
    unchanged (the decoders say which line is wrong).
    """
    raw = _raw(stream, limits.block_bytes, state)
    head = _peek(raw, 18)
    chunks: Iterator[bytes] = _prepend(head, raw)
    if head.startswith(_GZIP):
        chunks = _decompressed(chunks, "gzip", limits, state)
    elif head.startswith(_ZSTD) or (head[1:4] == _ZSTD_SKIPPABLE and 0x50 <= head[0] <= 0x5F):
        chunks = _decompressed(chunks, "zstd", limits, state)
    head = _peek(chunks, 18)
    for magic, what in _NOT_TEXT:
        if head.startswith(magic):
            state.failure = f"looks like {what}, not like JSON text: decompress or export it first"
            return
    encoding, mark = _encoding(head)
    chunks = _prepend(head[mark:], chunks)
    yield from chunks if encoding == "utf-8" else _transcoded(chunks, encoding, limits.block_bytes)


def first_bytes_tell(head: bytes) -> str:
    """What a file that begins with `head` is if not UTF-8 text: `gzip`, `zstd`, another format or encoding, else empty."""
    if head[1:4] == _ZSTD_SKIPPABLE and 0x50 <= head[0] <= 0x5F:
        return "zstd"
    for magic, what in _NOT_TEXT:
        if head.startswith(magic):
            return what
    encoding, _ = _encoding(head)
    return "" if encoding == "utf-8" else encoding.upper()


def _raw(stream: BinaryIO, size: int, state: StreamState) -> Iterator[bytes]:
    while True:
        try:
            data = stream.read(size)
        except (OSError, ValueError) as error:  # ValueError: the stream was closed
            state.failure = f"cannot be read on: {getattr(error, 'strerror', None) or 'the stream is closed'}"
            return
        if not data:
            return
        yield data


def _peek(chunks: Iterator[bytes], size: int) -> bytes:
    """Take chunks until `size` bytes are there: a pipe may give its first bytes one by one."""
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= size:
            break
    return head


def _prepend(head: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    if head:
        yield head
    yield from chunks


def _encoding(head: bytes) -> tuple[str, int]:
    """The encoding and the length of its mark."""
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name, len(mark)
    for bracket in (b"{", b"["):
        for name in ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be"):
            if head.startswith(bracket.decode().encode(name)):
                return name, 0
    return "utf-8", 0


def _transcoded(chunks: Iterator[bytes], encoding: str, size: int) -> Iterator[bytes]:
    """What is no valid text becomes U+FFFD: the line stays countable and is judged by its decoder."""
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    for chunk in chunks:
        for start in range(0, len(chunk), size):
            text = decoder.decode(chunk[start : start + size])
            if text:
                yield text.encode()
    if tail := decoder.decode(b"", final=True):
        yield tail.encode()


def _decompressed(chunks: Iterator[bytes], kind: str, limits: Limits, state: StreamState) -> Iterator[bytes]:
    """One or more members or frames, one after the other; zero padding after the last one is ignored."""
    codec = _codec(kind)
    if codec is None:
        state.failure = f"is {kind}: to read it, pip install 'eightysix[{kind}]'"
        return
    taken = given = 0
    machine: _Decompressor | None = None
    for chunk in chunks:
        data = chunk
        taken += len(chunk)
        while data or (machine is not None and not machine.eof):
            if machine is None or machine.eof:
                data = data.lstrip(b"\0") if machine is not None and kind == "gzip" else data
                if not data:
                    break
                machine = codec.open()
            try:
                out = machine.decompress(data, limits.block_bytes)
            except (codec.error, EOFError) as error:
                state.failure = _damage(kind, given, error)
                return
            data = machine.unused_data if machine.eof else b""
            if not out and not machine.eof:
                break
            given += len(out)
            if out:
                yield out
            if given > limits.decompressed_bytes or given > max(limits.ratio_from, limits.ratio * taken):
                state.failure = f"a {kind} bomb? {given} bytes from {taken}: not read further"
                return
    if not state.failure and machine is not None and not machine.eof:
        state.failure = f"the {kind} data end early: what came before is used"


def _damage(kind: str, given: int, error: Exception) -> str:
    """The libraries' messages name no content, but are capped all the same."""
    used = "what came before is used" if given else "nothing could be read"
    return f"the {kind} data are damaged ({str(error)[:80]}): {used}"


class _Gzip:
    """`zlib.decompressobj` with the interface of the zstd one: it keeps its own unconsumed input."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)
        self.eof = False
        self.unused_data = b""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        out = self._inner.decompress(self._inner.unconsumed_tail + data, max_length)
        self.eof, self.unused_data = self._inner.eof, self._inner.unused_data
        return out


class _Codec(NamedTuple):
    open: Callable[[], _Decompressor]
    error: type[Exception]


def _codec(kind: str) -> _Codec | None:
    """How to read `kind`, None where its library is not installed. `compression.zstd` is new in Python 3.14."""
    if kind == "gzip":
        return _Codec(_Gzip, zlib.error)
    for name in ("compression.zstd", "backports.zstd"):
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        return _Codec(module.ZstdDecompressor, module.ZstdError)
    return None
