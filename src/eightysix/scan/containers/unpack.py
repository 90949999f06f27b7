"""Takes packed bytes apart piece by piece, within the budget of the file, and keeps what comes out in little memory.

What comes out stays in memory up to `IN_MEMORY`, beyond it in an anonymous temporary file that is mapped: several levels
of nested archives stay far below 200 MB that way, and a large array in a compressed archive is still read. The whole of
it is bounded by `Limits.unpacked`. Where the budget ends, or the data break, what came out until then is judged all the
same: an attacker's payload may stand before the damage.
"""

from __future__ import annotations

import bz2
import importlib
import lzma
import mmap
import zlib
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO, Protocol

from msgspec import Struct

from eightysix.model.errors import MissingExtraError
from eightysix.scan.artifact import Artifact
from eightysix.scan.budget import OverBudgetError
from eightysix.scan.interface import Scan

__all__ = [
    "LZMA_MEMORY",
    "Decoder",
    "Sink",
    "Unpacked",
    "bzip2",
    "deflate",
    "lzma_filter",
    "lzma_raw",
    "lzma_stream",
    "unpack",
    "zstandard",
]

IN_MEMORY = 8 << 20
"""Unpacked bytes of one part that stay in memory; ours. Eight levels of it are 64 MiB."""

BLOCK_IN = 1 << 16
BLOCK_OUT = 1 << 18
"""Bytes given to and taken from a decoder at a time; ours."""

LZMA_MEMORY = 96 << 20
"""Memory that liblzma may take for one stream: `xz -9` needs 65 MiB (its manual), and dictionaries may be 4 GiB."""

_ZSTD_WINDOW_LOG = 26
"""64 MiB of window. zstd's own limit without --long is 27; the levels 1 to 19 stay at 23 and below (its manual)."""


_HUNGRY = "its decoder asks for more memory than the scan gives"


class Decoder(Protocol):
    """The incremental decompressors of the standard library, brought to one shape."""

    @property
    def eof(self) -> bool:
        """Whether the end of the stream was met."""

    @property
    def unused_data(self) -> bytes:
        """What was given and lies behind that end."""

    @property
    def needs_input(self) -> bool:
        """Whether it must be given more before more comes out."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Up to `max_length` bytes more."""


class _Deflate:
    """`zlib.decompressobj` keeps no input of its own; this does."""

    def __init__(self, wbits: int) -> None:
        self._inner = zlib.decompressobj(wbits)
        self._full = False

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail and not self._full

    def decompress(self, data: bytes, max_length: int) -> bytes:
        out = self._inner.decompress(self._inner.unconsumed_tail + data, max_length)
        self._full = len(out) == max_length  # more may lie in the window even where no input is left
        return out


def deflate(wbits: int) -> Decoder:
    """Deflate: `wbits` as for zlib (-15 raw, 31 gzip, 15 zlib)."""
    return _Deflate(wbits)


def bzip2() -> Decoder:
    """One bzip2 stream."""
    return bz2.BZ2Decompressor()


def lzma_stream() -> Decoder:
    """One .xz or .lzma stream."""
    return lzma.LZMADecompressor(lzma.FORMAT_AUTO, memlimit=LZMA_MEMORY)


def lzma_raw(filters: Sequence[dict[str, Any]]) -> Decoder:
    """Bare LZMA as zip and 7z have it. The caller bounds `dict_size`: raw streams know no memory limit."""
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters)


def lzma_filter(properties: bytes, size: int) -> dict[str, int]:
    """The filter that 5 bytes of LZMA properties describe (LZMA SDK, lzma.txt).

    The dictionary may be said to have 4 GiB; it need not be larger than `size`, what comes out of it in all.
    """
    lc = properties[0] % 9
    lp, pb = properties[0] // 9 % 5, properties[0] // 45
    dictionary = min(int.from_bytes(properties[1:5], "little"), max(size, 4096), LZMA_MEMORY)
    return {"id": lzma.FILTER_LZMA1, "dict_size": max(dictionary, 4096), "lc": lc, "lp": lp, "pb": pb}


def zstandard() -> Decoder:
    """One zstd frame; raises `MissingExtraError` where nothing here reads zstd."""
    for name in ("compression.zstd", "backports.zstd"):
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        options = {module.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG}
        decoder: Decoder = module.ZstdDecompressor(options=options)
        return decoder
    raise MissingExtraError("zstd data need the extra zstd", "Install it: pip install 'eightysix[zstd]'.")


class Sink:
    """Collects what comes out of a decoder: memory first, then an anonymous file. Bounded by the scan's budget."""

    def __init__(self, scan: Scan) -> None:
        self._scan = scan
        self._parts: list[bytes] = []
        self._file: BinaryIO | None = None
        self.size = 0
        self.crc = 0

    def add(self, data: bytes) -> None:
        """Keep `data`. Raises `OverBudgetError` when the budget is spent; what was kept before stays."""
        self._scan.budget.unpack(len(data))
        if self._file is None and self.size + len(data) > min(IN_MEMORY, self._scan.budget.limits.member):
            self._spill()
        if self._file is None:
            self._parts.append(data)
        else:
            self._write(self._file, data)
        self.size += len(data)
        self.crc = zlib.crc32(
            data, self.crc
        )  # on the way through: later, a map would be read into memory for it

    def close(self) -> bytes | mmap.mmap:
        """All that was kept."""
        if self._file is None:
            return b"".join(self._parts)
        with self._file as file:
            file.flush()
            return mmap.mmap(file.fileno(), self.size, prot=mmap.PROT_READ)

    def _spill(self) -> None:
        import tempfile  # most files need none, and it brings half of the standard library

        self._file = tempfile.TemporaryFile(prefix="eightysix-")  # noqa: SIM115 - closed in close()
        for part in self._parts:
            self._write(self._file, part)
        self._parts.clear()

    def _write(self, file: BinaryIO, data: bytes) -> None:
        try:
            file.write(data)
        except OSError as error:  # no room is left: the rest was not read, and that is said
            raise OverBudgetError("unpacked", self.size) from error


class Unpacked(Struct, frozen=True, kw_only=True):
    """What unpacking came to.

    `data` is what came out. `taken` bytes of the input were used. `whole` says that the stream's own end was met and
    nothing stopped it. `stopped` says why it ended before, empty where it did not: `damaged`, `truncated`, or `budget`
    (which is reported already). `crc` is the CRC-32 of `data`.
    """

    data: bytes | mmap.mmap
    taken: int
    stopped: str = ""
    crc: int = 0

    @property
    def whole(self) -> bool:
        """Nothing ended it before its own end."""
        return not self.stopped


def unpack(
    make: Callable[[], Decoder],
    artifact: Artifact,
    scan: Scan,
    *,
    offset: int = 0,
    length: int | None = None,
    expected: int | None = None,
    again: tuple[bytes, ...] = (),
    about: Artifact | None = None,
) -> Unpacked:
    """Unpack `length` bytes of `artifact` from `offset` on; one stream, the rest is left.

    Further streams that begin with one of `again` are part of the content, over padding with zeros.

    `expected` ends it once so many bytes came out: for formats that say it and have no end mark. Spent budgets and
    absurd ratios are reported here, about `about` or the artifact. What a hostile input can raise in a decoder ends as
    `damaged`.
    """
    size = len(artifact) - offset if length is None else min(length, len(artifact) - offset)
    sink = Sink(scan)
    run = _Run(make, artifact, offset, max(0, size), again, expected)
    return _guarded(run, sink, scan, about or artifact)


def _guarded(run: _Run, sink: Sink, scan: Scan, about: Artifact) -> Unpacked:
    stopped = "budget"
    try:
        stopped = run.run(sink, scan)
    except OverBudgetError as over:
        scan.report("too-much", about, str(over))
    except _RatioError as ratio:
        scan.report("expansion", about, str(ratio))
    except MemoryError:
        scan.report("too-much", about, _HUNGRY)
    except (zlib.error, OSError, EOFError, ValueError, lzma.LZMAError) as error:
        if isinstance(error, lzma.LZMAError) and "emory" in str(
            error
        ):  # liblzma's only sign of its own limit
            scan.report("too-much", about, _HUNGRY)
        else:
            stopped = "damaged"
    except Exception as error:
        if type(error).__name__ != "ZstdError":  # its module may be absent, so it cannot be named above
            raise
        stopped = "damaged"
    return Unpacked(data=sink.close(), taken=run.taken, stopped=stopped, crc=sink.crc)


class _RatioError(Exception):
    pass


class _Run:
    def __init__(
        self,
        make: Callable[[], Decoder],
        artifact: Artifact,
        offset: int,
        size: int,
        again: tuple[bytes, ...],
        expected: int | None,
    ) -> None:
        self._make = make
        self._decoder: Decoder | None = None
        self._artifact = artifact
        self._offset = offset
        self._size = size
        self._again = again
        self._expected = expected
        self._fed = 0

    @property
    def taken(self) -> int:
        """Bytes of input that belong to the streams."""
        return self._fed - (len(self._decoder.unused_data) if self._decoder else 0)

    def run(self, sink: Sink, scan: Scan) -> str:
        """Unpack into `sink`; why it ended before its end, empty where it did not."""
        while True:
            # Made here, not before: a hostile description of a coder makes its making fail.
            self._decoder = self._make()
            stopped = self._stream(self._decoder, sink, scan)
            if stopped or not self._again or self._expected is not None or not self._next():
                return stopped

    def _next(self) -> bool:
        """Go on to the next stream, over padding with zeros; False where none follows."""
        place = self.taken
        head = self._at(place, BLOCK_IN)
        padding = len(head) - len(head.lstrip(b"\x00"))
        if padding == len(head) or not head.startswith(self._again, padding):
            return False
        self._fed = place + padding
        return True

    def _at(self, place: int, length: int) -> bytes:
        return self._artifact.at(self._offset + place, min(length, self._size - place))

    def _stream(self, decoder: Decoder, sink: Sink, scan: Scan) -> str:
        limits, expected = scan.budget.limits, self._expected
        while not decoder.eof:
            if expected is not None and sink.size >= expected:
                return ""
            data = b""
            if decoder.needs_input:
                data = self._at(self._fed, BLOCK_IN)
                if not data:
                    return "truncated"
                self._fed += len(data)
            most = BLOCK_OUT if expected is None else max(1, min(BLOCK_OUT, expected - sink.size))
            sink.add(decoder.decompress(data, most))
            if sink.size >= limits.ratio_from and sink.size > limits.ratio * self._fed:
                raise _RatioError(f"{sink.size:,} bytes came out of {self._fed:,}")
        return ""
