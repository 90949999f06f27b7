"""Text arguments and lengths."""

from __future__ import annotations

import struct
from random import Random

from bench.scan.corpus import assembler as a
from bench.scan.corpus.pickles.common import COMMAND, Made
from bench.scan.corpus.sample import payload, runner, stream


def texts(chance: Random) -> Made:
    """Text arguments of protocol 0 and lengths that readers take differently from the machine."""
    module, name, text = runner(chance)
    body = a.global_(module, name) + a.MARK + a.unicode_(text) + a.TUPLE + a.REDUCE
    before = {
        "int-underscore": a.int_("1_000"), "int-spaces": a.int_("  12  "), "int-plus": a.int_("+5"), "int-true": a.int_("01"),
        "int-false": a.int_("00"), "int-000": a.int_("007"), "int-tab": a.int_("\t3"), "int-arabic-digits": a.int_("٣"),
        "int-long-suffix": a.long_("12L"), "long-no-suffix": a.long_("12"), "long-double-suffix": a.long_("1LL"),
        "long-base": a.long_("-0L"), "long-9000-digits": a.long_("9" * 9000 + "L"), "long-4300-digits": a.long_("9" * 4300 + "L"),
        "float-nan": a.float_("nan"), "float-infinity": a.float_("-Infinity"), "float-underscore": a.float_("1_0.5"),
        "float-spaces": a.float_(" 1e5 "), "float-hex": a.float_("0x1p3"), "float-overflow": a.float_("1e999"),
        "string-double-quotes": a.quoted(b'"x"'), "string-escape-newline": a.quoted(b"'a\\nb'"),
        "string-bytes-over-127": a.quoted(b"'\xff\xfe'"), "string-bad-escape": a.quoted(b"'\\q'"),
        "string-quote-inside": a.quoted(b"'it's'"), "string-triple": a.quoted(b"'''x'''"),
        "unicode-surrogate": a.unicode_(b"\\ud800"), "unicode-wide": a.unicode_(b"\\U0001f40d"),
        "unicode-empty": a.unicode_(b""), "unicode-cr": a.unicode_(b"a\rb"), "unicode-backslash-u-cut": a.unicode_(b"\\u00"),
        "persid-empty": a.persid(""), "binunicode-surrogate": a.binunicode(b"\xed\xa0\x80"),
        "binunicode-bad-utf8": a.binunicode(b"\xff\xfe"), "long1-empty": a.long1(b""), "long1-255": a.long1(b"\x7f" * 255),
        "long4-empty": a.long4(b""), "long4-64k": a.long4(b"\x7f" * 65536), "binfloat-nan": a.binfloat(float("nan")),
    }  # fmt: skip
    # What CPython stops at comes after the payload, what it takes comes before.
    stops = {
        "int-spaces", "string-bad-escape", "string-quote-inside", "string-triple", "float-hex", "unicode-backslash-u-cut",
        "long-double-suffix", "float-overflow", "float-spaces", "float-underscore", "int-arabic-digits", "long-9000-digits", "persid-empty", "binunicode-bad-utf8", "string-bytes-over-127",
    }  # fmt: skip
    for label, noise in before.items():
        whole = body + noise + a.STOP if label in stops else noise + a.POP + body + a.STOP
        yield f"text-{label}", whole
    yield (
        "global-cr-lf",
        b"c"
        + module.encode()
        + b"\r\n"
        + name.encode()
        + b"\n"
        + a.MARK
        + a.unicode_(text)
        + a.TUPLE
        + a.REDUCE
        + a.STOP,
        "gray",
    )
    yield (
        "global-nul-in-module",
        a.whole(a.call(a.global_(module + "\0x", name), a.binunicode(text)), 2),
        "gray",
    )
    yield (
        "global-space-in-name",
        a.whole(a.call(a.global_(module, name + " "), a.binunicode(text)), 2),
        "gray",
    )
    for label, spelled in {
        "fullwidth": "ｏs",
        "cyrillic": "оs",
        "zero-width": "o\u200bs",
        "combining": "os\u0301",
        "bidi": "\u202eso",
    }.items():
        yield f"module-{label}", a.whole(a.call(a.named(spelled, "system"), COMMAND))
        yield f"name-{label}", a.whole(a.call(a.named("os", spelled), COMMAND))
    yield "module-empty", a.whole(a.call(a.named("", "system"), COMMAND))
    yield "name-empty", a.whole(a.call(a.named("os", ""), COMMAND))
    yield "name-1000-dots", a.whole(a.named("os", ".".join(["path"] * 1000)))
    yield "name-60-kilobytes", a.whole(a.named("os", "x" * 60000))
    yield "module-relative", a.whole(a.call(a.named(".os", "system"), COMMAND))
    yield "module-main", a.whole(a.call(a.named("__main__", "predict"), COMMAND)), "gray"
    yield "module-mp-main", a.whole(a.call(a.named("__mp_main__", "os"), COMMAND)), "gray"
    yield (
        "module-pickle-itself",
        a.whole(a.call(a.named("pickle", "_loads"), a.short_binbytes(stream(chance)))),
    )
    # Lengths.
    bad = payload(chance)
    for label, tail in {
        "binunicode-too-long": b"X" + struct.pack("<I", 2**31) + b"x", "binunicode8-2-63": b"\x8d" + struct.pack("<Q", 2**63) + b"x",
        "binbytes8-2-62": b"\x8e" + struct.pack("<Q", 2**62) + b"x", "bytearray8-huge": b"\x96" + struct.pack("<Q", 2**40),
        "binstring-negative": b"T" + struct.pack("<i", -1), "long4-negative": a.long4(b"", -5), "long4-2-gigabytes": a.long4(b"\1", 2**31 - 1),
        "frame-too-long": b"\x95" + struct.pack("<Q", 2**40) + a.STOP, "frame-cut": b"\x95\x01", "opcode-unknown": b"\xff" + a.STOP, "opcode-nul": b"\0" + a.STOP,
        "underflow-pop": a.POP * 3 + a.STOP, "underflow-mark": a.TUPLE + a.STOP, "memo-absent": a.binget(200) + a.STOP,
        "stop-on-empty": a.POP + a.STOP, "global-cut": b"cos\nsys", "no-newline": b"Vabc", "put-negative": a.put(-1) + a.STOP,
        "long-binput-2-32": a.NONE + a.long_binput(2**32 - 1) + a.STOP, "get-huge": a.get("9" * 40) + a.STOP, "setitems-odd": a.EMPTY_DICT + a.MARK + a.NONE + a.SETITEMS + a.STOP,
        "build-none": a.NONE + a.BUILD + a.STOP, "cut-after-payload": b"", "newobj-none": a.NONE + a.EMPTY_TUPLE + a.NEWOBJ + a.STOP,
    }.items():  # fmt: skip
        yield f"tail-{label}", a.proto(4) + bad + tail
