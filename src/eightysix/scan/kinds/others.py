"""What is left: content that holds nothing to load, programs, plain text, and models that nothing here reads."""

from __future__ import annotations

from collections.abc import Callable

from eightysix.scan.artifact import Artifact
from eightysix.scan.graphs.crc import crc32c, masked
from eightysix.scan.graphs.wire import BYTES, VARINT, probe
from eightysix.scan.graphs.xml import prologue
from eightysix.scan.interface import Kind
from eightysix.scan.kinds.magic import HARMLESS, PROGRAMS, UNREAD

__all__ = ["KINDS", "printable"]

_NOTHING = "eightysix.scan.kinds.nothing:read"
_UNREAD = "eightysix.scan.graphs.unread:read"
_XML = "eightysix.scan.graphs.xml:read"
_PROGRAM = "eightysix.scan.graphs.program:read"

_TEXT_LOOKED = 1 << 16
_MARKUP = (b"<", b"\xef\xbb\xbf<", b"\xff\xfe<\0", b"\xfe\xff\0<", b"\0<\0?", b" ", b"\t", b"\r", b"\n")
_PLACES = 200
_MOST_FOREIGN = 0.3
"""Share of bytes above 127 in a text of one byte a letter: binary data has half."""


def _empty(artifact: Artifact, head: bytes) -> bool:
    return not head and not len(artifact)


def _magic(offset: int, magic: bytes) -> Callable[[Artifact, bytes], bool]:
    end = offset + len(magic)

    def sniff(_: Artifact, head: bytes) -> bool:
        return head[offset:end] == magic

    return sniff


def _portable(artifact: Artifact, head: bytes) -> bool:
    """PE: `MZ`, and the offset of `PE` at 60; or a bare MZ of the size of a DOS program; or a program for all systems."""
    if head[:2] != b"MZ":
        return False
    place = int.from_bytes(head[60:64], "little")
    return artifact.at(place, 4) == b"PE\0\0" or head[2:6] == b"qFpD" or 0 in head[:64]


def _bytecode(_: Artifact, head: bytes) -> bool:
    """A .pyc: a magic number of CPython 3.0 to 3.15 and CRLF, then flags of PEP 552."""
    number = int.from_bytes(head[:2], "little")
    return (
        head[2:4] == b"\r\n" and 3_000 <= number < 3_800 and head[4:8] in (bytes(4), b"\1\0\0\0", b"\3\0\0\0")
    )


def _script(artifact: Artifact, head: bytes) -> bool:
    return head[:2] == b"#!" and b"/" in head[:64] and printable(artifact, head)


def _bitmap(artifact: Artifact, head: bytes) -> bool:
    return (
        head[:2] == b"BM" and head[6:10] == bytes(4) and int.from_bytes(head[2:6], "little") == len(artifact)
    )


def _mp3(_: Artifact, head: bytes) -> bool:
    return (
        head[:1] == b"\xff"
        and head[1:2] in (b"\xfb", b"\xf3", b"\xf2")
        and len(head) > 400
        and head[2] >> 4 not in (0, 15)
    )


def _records(artifact: Artifact, head: bytes) -> bool:
    """TFRecord: a length with a checksum of its own in front of each record."""
    length = int.from_bytes(head[:8], "little")
    if len(head) < 16 or length > len(artifact):
        return False
    return masked(crc32c(head[:8])) == int.from_bytes(head[8:12], "little")


def _sorted_table(artifact: Artifact, _: bytes) -> bool:
    """LevelDB's table, which TensorFlow uses for the index of checkpoints: its magic is the last thing in it."""
    return len(artifact) > 48 and artifact.tail(8) == b"\x57\xfb\x80\x8b\x24\x75\x47\xdb"


def _fingerprint(artifact: Artifact, _: bytes) -> bool:
    """fingerprint.pb of a SavedModel: five hashes, a version, perhaps a UUID."""
    if not 20 < len(artifact) < 200:
        return False
    found, whole = probe(artifact.view(), 0, len(artifact))
    numbers = {number for number, wire, *_ in found if wire == VARINT}
    texts = {number for number, wire, *_ in found if wire == BYTES}
    return (
        whole
        and {1, 2, 3, 4} <= numbers <= {1, 2, 3, 4, 5}
        and texts <= {6, 7}
        and len(found) == len(numbers | texts)
    )


def _ubjson(_: Artifact, head: bytes) -> bool:
    """XGBoost's .ubj: an object whose first name has a length of eight bytes, as its writer has it."""
    if head[:2] not in (b"{L", b"{i", b"{U"):
        return False
    width = 8 if head[1:2] == b"L" else 1
    length = int.from_bytes(head[2 : 2 + width], "big")
    name = head[2 + width : 2 + width + length]
    return 0 < length < 64 and len(name) == length and all(32 < byte < 127 for byte in name)


def _flat(_: Artifact, head: bytes) -> bool:
    return head[4:8] == b"TFL3"


def _torch7(_: Artifact, head: bytes) -> bool:
    """Torch 7's binary: a type, an index, then a version (`V 1`) or the byte code of Lua."""
    kind, index = int.from_bytes(head[:4], "little"), int.from_bytes(head[4:8], "little")
    if kind not in (3, 4, 6, 7, 8) or not 0 < index < 1 << 24:
        return False
    return head[12:15] == b"V 1" or b"\x1bL" in head[8:24]


def _symbols(artifact: Artifact, head: bytes) -> bool:
    """MXNet's graph in JSON."""
    if head.lstrip()[:1] != b"{" or artifact.find(b'"arg_nodes"') < 0:
        return False
    return artifact.find(b'"nodes"') >= 0 and artifact.find(b'"heads"') >= 0


def _text_graph(artifact: Artifact, head: bytes) -> bool:
    """TensorFlow's messages as text: nodes with operators, in a graph or in the body of a function."""
    if 0 in head or not _followed(artifact, b"op", b":"):
        return False
    if not (_followed(artifact, b"node", b"{:<") or _followed(artifact, b"node_def", b"{:<")):
        return False
    return _no_program(artifact.head(_TEXT_LOOKED))


def _no_program(raw: bytes) -> bool:
    """Whether nothing but names, numbers, braces and texts stands there: source code has parentheses and equal signs."""
    for quote in (b'"', b"'"):
        raw = b"".join(raw.replace(b"\\" + quote, b"").split(quote)[::2])
    lines = [line.partition(b"#")[0] for line in raw.splitlines()]
    return not any(mark in line for line in lines for mark in (b"(", b"=", b"!", b"&", b"|", b"@", b"`"))


def _markup(element: str) -> Callable[[Artifact, bytes], bool]:
    """XML whose text begins like it; with `element`, that one stands early on."""

    def sniff(artifact: Artifact, head: bytes) -> bool:
        if not any(head.startswith(mark) for mark in _MARKUP):
            return False
        text = prologue(artifact, 4_096).lstrip()
        if not text.startswith(("<?xml", "<!DOCTYPE", "<" + element if element else "<?xml")):
            return False
        return not element or f"<{element}" in text

    return sniff


def _followed(artifact: Artifact, word: bytes, marks: bytes) -> bool:
    """Whether one of the first places of `word` as a word is followed by one of `marks`."""
    place = artifact.find(word)
    for _ in range(_PLACES):
        if place < 0:
            return False
        before = artifact.at(place - 1, 1)
        after = artifact.at(place + len(word), 64).lstrip()[:1]
        if after and after in marks and not (before.isalnum() or before == b"_"):
            return True
        place = artifact.find(word, place + 1)
    return False


def printable(artifact: Artifact, _: bytes) -> bool:
    """Printable text: UTF-8, UTF-16 with its mark, or one byte a letter."""
    looked = artifact.head(_TEXT_LOOKED)
    if looked[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return _decodes(looked[: len(looked) & ~1], "utf-16")
    if artifact.find(b"\0") >= 0:
        return False
    if len(artifact) > len(looked):
        # A cut may lie within a letter: three bytes at either end do not count.
        end = artifact.tail(_TEXT_LOOKED)
        return _one_byte(looked) and _one_byte(end)
    return _decodes(looked, "utf-8") or _one_byte(looked)


def _decodes(raw: bytes, encoding: str) -> bool:
    try:
        text = raw.decode(encoding)
    except UnicodeError:
        return False
    controls = sum(1 for letter in text if letter < " " and letter not in "\t\n\r\f\x1b\b")
    return controls * 100 <= len(text)


def _one_byte(raw: bytes) -> bool:
    controls = sum(raw.count(byte) for byte in range(32) if byte not in b"\t\n\r\f\x1b\b")
    if controls * 200 > len(raw):
        return False
    try:
        raw[3:-3].decode("utf-8")
    except UnicodeError:
        pass
    else:
        return True
    foreign = len(raw.translate(None, bytes(range(128))))
    if foreign > _MOST_FOREIGN * len(raw):
        # Text of another script in UTF-8 that was cut within a letter.
        return any(_decodes(raw[first : len(raw) - last], "utf-8") for first in range(4) for last in range(4))
    return True


KINDS: tuple[Kind, ...] = (
    Kind("empty", _empty, _NOTHING),
    *(Kind(name, _magic(offset, magic), _PROGRAM, alone=False) for name, offset, magic in PROGRAMS),
    Kind("pe", _portable, _PROGRAM, alone=False),
    Kind("python-bytecode", _bytecode, _PROGRAM, alone=False),
    Kind("script", _script, _PROGRAM, alone=False),
    *(Kind(name, _magic(offset, magic), _NOTHING) for name, offset, magic in HARMLESS),
    Kind("bitmap", _bitmap, _NOTHING),
    Kind("mp3", _mp3, _NOTHING),
    *(Kind(name, _magic(offset, magic), _UNREAD) for name, offset, magic in UNREAD),
    Kind("tflite", _flat, "eightysix.scan.graphs.tflite:read"),
    Kind("torch7", _torch7, "eightysix.scan.graphs.unread:torch7"),
    Kind("mxnet-symbol", _symbols, "eightysix.scan.graphs.unread:mxnet_symbol", alone=False),
    Kind("ubjson", _ubjson, "eightysix.scan.graphs.ubjson:read"),
    Kind("tensorflow-records", _records, _NOTHING),
    Kind("sorted-table", _sorted_table, _NOTHING),
    Kind("tensorflow-fingerprint", _fingerprint, _NOTHING),
    Kind("tensorflow-text-graph", _text_graph, "eightysix.scan.graphs.text_graph:read", alone=False),
    Kind("pmml", _markup("PMML"), _XML, alone=False),
    Kind("openvino-ir", _markup("net"), _XML, alone=False),
    Kind("xml", _markup(""), _XML, alone=False),
)
