"""Pickle streams put together opcode by opcode: every opcode of protocols 0 to 5 as bytes. Nothing is ever loaded.

An opcode without an argument is a constant, one with an argument a function; both give bytes, and `+` puts them together.
Arguments are written as they are told, right or wrong: half of what is built here no pickler would write.
"""

from __future__ import annotations

import struct

MARK, STOP, POP, POP_MARK, DUP = b"(", b".", b"0", b"1", b"2"
NONE, NEWTRUE, NEWFALSE = b"N", b"\x88", b"\x89"
REDUCE, BUILD, OBJ, NEWOBJ, NEWOBJ_EX, STACK_GLOBAL = b"R", b"b", b"o", b"\x81", b"\x92", b"\x93"
APPEND, APPENDS, SETITEM, SETITEMS, ADDITEMS, FROZENSET = b"a", b"e", b"s", b"u", b"\x90", b"\x91"
EMPTY_TUPLE, TUPLE, TUPLE1, TUPLE2, TUPLE3 = b")", b"t", b"\x85", b"\x86", b"\x87"
EMPTY_LIST, LIST, EMPTY_DICT, DICT, EMPTY_SET = b"]", b"l", b"}", b"d", b"\x8f"
MEMOIZE, BINPERSID, NEXT_BUFFER, READONLY_BUFFER = b"\x94", b"Q", b"\x97", b"\x98"


def proto(version: int) -> bytes:
    return b"\x80" + bytes([version])


def frame(body: bytes, length: int | None = None) -> bytes:
    """`body` in a frame; `length` tells another length than it has."""
    return b"\x95" + struct.pack("<Q", len(body) if length is None else length) + body


def global_(module: str | bytes, name: str | bytes) -> bytes:
    return b"c" + raw(module) + b"\n" + raw(name) + b"\n"


def inst(module: str, name: str, *arguments: bytes) -> bytes:
    return MARK + b"".join(arguments) + b"i" + raw(module) + b"\n" + raw(name) + b"\n"


def obj(what: bytes, *arguments: bytes) -> bytes:
    return MARK + what + b"".join(arguments) + OBJ


def raw(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")


# --- text, as each opcode writes it ------------------------------------------------------------------------------------


def string(text: str) -> bytes:
    """STRING: a quoted Python 2 literal."""
    return b"S" + repr(text).encode() + b"\n"


def quoted(literal: bytes) -> bytes:
    """STRING with exactly this literal."""
    return b"S" + literal + b"\n"


def binstring(text: str | bytes) -> bytes:
    return b"T" + struct.pack("<i", len(raw(text))) + raw(text)


def short_binstring(text: str | bytes) -> bytes:
    return b"U" + bytes([len(raw(text))]) + raw(text)


def unicode_(text: str | bytes) -> bytes:
    """UNICODE: raw-unicode-escape up to the end of the line."""
    return b"V" + (text if isinstance(text, bytes) else text.encode("raw-unicode-escape")) + b"\n"


def escaped(text: str) -> bytes:
    """UNICODE with every character as an escape."""
    return b"V" + b"".join(b"\\u%04x" % ord(character) for character in text) + b"\n"


def binunicode(text: str | bytes) -> bytes:
    return b"X" + struct.pack("<I", len(raw(text))) + raw(text)


def short(text: str | bytes) -> bytes:
    """SHORT_BINUNICODE, what picklers write today; longer text as BINUNICODE."""
    return b"\x8c" + bytes([len(raw(text))]) + raw(text) if len(raw(text)) < 256 else binunicode(text)


def binunicode8(text: str | bytes) -> bytes:
    return b"\x8d" + struct.pack("<Q", len(raw(text))) + raw(text)


# --- bytes --------------------------------------------------------------------------------------------------------------


def short_binbytes(data: bytes) -> bytes:
    return b"C" + bytes([len(data)]) + data


def binbytes(data: bytes) -> bytes:
    return b"B" + struct.pack("<I", len(data)) + data


def binbytes8(data: bytes) -> bytes:
    return b"\x8e" + struct.pack("<Q", len(data)) + data


def bytearray8(data: bytes) -> bytes:
    return b"\x96" + struct.pack("<Q", len(data)) + data


# --- numbers ------------------------------------------------------------------------------------------------------------


def int_(text: str | bytes | int) -> bytes:
    return b"I" + (str(text).encode() if isinstance(text, int) else raw(text)) + b"\n"


def long_(text: str | bytes | int) -> bytes:
    return b"L" + (str(text).encode() + b"L" if isinstance(text, int) else raw(text)) + b"\n"


def binint(number: int) -> bytes:
    return b"J" + struct.pack("<i", number)


def binint1(number: int) -> bytes:
    return b"K" + bytes([number])


def binint2(number: int) -> bytes:
    return b"M" + struct.pack("<H", number)


def long1(data: bytes) -> bytes:
    return b"\x8a" + bytes([len(data)]) + data


def long4(data: bytes, length: int | None = None) -> bytes:
    return b"\x8b" + struct.pack("<i", len(data) if length is None else length) + data


def float_(text: str | bytes) -> bytes:
    return b"F" + raw(text) + b"\n"


def binfloat(number: float) -> bytes:
    return b"G" + struct.pack(">d", number)


# --- memo, persistent ids, extension registry ---------------------------------------------------------------------------


def put(index: int | str) -> bytes:
    return b"p" + str(index).encode() + b"\n"


def get(index: int | str) -> bytes:
    return b"g" + str(index).encode() + b"\n"


def binput(index: int) -> bytes:
    return b"q" + bytes([index])


def binget(index: int) -> bytes:
    return b"h" + bytes([index])


def long_binput(index: int) -> bytes:
    return b"r" + struct.pack("<I", index)


def long_binget(index: int) -> bytes:
    return b"j" + struct.pack("<I", index)


def persid(text: str) -> bytes:
    return b"P" + text.encode() + b"\n"


def ext1(code: int) -> bytes:
    return b"\x82" + bytes([code])


def ext2(code: int) -> bytes:
    return b"\x83" + struct.pack("<H", code)


def ext4(code: int) -> bytes:
    return b"\x84" + struct.pack("<i", code)


# --- what is written often ----------------------------------------------------------------------------------------------


def named(module: str, name: str) -> bytes:
    """STACK_GLOBAL with both names as short text."""
    return short(module) + short(name) + STACK_GLOBAL


def tuple_(*items: bytes) -> bytes:
    made = {0: EMPTY_TUPLE, 1: TUPLE1, 2: TUPLE2, 3: TUPLE3}.get(len(items))
    return b"".join(items) + made if made else MARK + b"".join(items) + TUPLE


def list_(*items: bytes) -> bytes:
    return EMPTY_LIST + MARK + b"".join(items) + APPENDS


def dict_(*pairs: tuple[bytes, bytes]) -> bytes:
    return EMPTY_DICT + MARK + b"".join(key + value for key, value in pairs) + SETITEMS


def call(what: bytes, *arguments: bytes) -> bytes:
    """`what` called by REDUCE."""
    return what + tuple_(*arguments) + REDUCE


def whole(body: bytes, version: int = 4) -> bytes:
    """A complete stream around `body`; below protocol 2 without a header."""
    return (proto(version) if version > 1 else b"") + body + STOP


def framed(body: bytes, version: int = 4) -> bytes:
    """A complete stream with `body` in one frame, as picklers write it."""
    return proto(version) + frame(body + STOP)
