"""Writes random pickles: every opcode, in an order that an unpickler mostly takes, with names worth asking for."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

__all__ = ["Writer", "random_pickle"]

HARMLESS = (
    ("collections", "OrderedDict"),
    ("datetime", "date"),
    ("datetime", "datetime"),
    ("decimal", "Decimal"),
    ("builtins", "set"),
    ("builtins", "complex"),
    ("builtins", "bytearray"),
    ("__builtin__", "set"),
    ("copy_reg", "_reconstructor"),
    ("copyreg", "_reconstructor"),
    ("_codecs", "encode"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
    ("torch._utils", "_rebuild_tensor_v2"),
    ("torch", "FloatStorage"),
    ("torch", "float32"),
    ("sklearn.linear_model._logistic", "LogisticRegression"),
    ("pandas.core.frame", "DataFrame"),
)
HOSTILE = (
    ("os", "system"),
    ("posix", "system"),
    ("nt", "system"),
    ("builtins", "eval"),
    ("builtins", "getattr"),
    ("__builtin__", "apply"),
    ("subprocess", "Popen"),
    ("importlib", "import_module"),
    ("operator", "attrgetter"),
    ("functools", "partial"),
    ("types", "FunctionType"),
    ("marshal", "loads"),
    ("runpy", "_run_code"),
    ("torch", "load"),
    ("numpy", "load"),
    ("joblib", "load"),
    ("pandas", "read_pickle"),
    ("commands", "getoutput"),
    ("collections", "namedtuple"),
    ("logging.config", "listen"),
)
STRANGE = (
    ("", ""),
    ("os", ""),
    ("", "system"),
    ("collections", "OrderedDict.__class__"),
    ("collections", "_sys.modules"),
    ("numpy", "dtype.__new__"),
    ("builtins", "__import__"),
    ("os\r", "system"),
    (" os", "system "),
    ("оs", "system"),  # noqa: RUF001 - the first letter is Cyrillic
    ("collections.", "OrderedDict"),
    ("numpy\x00", "dtype"),
    ("a" * 300, "b"),
    ("acme.models", "Ranker"),
    ("copyreg", "__reduce_ex__"),
    ("\ud800", "x"),
)
WORDS = (
    "x",
    "__setstate__",
    "__class__",
    "__dict__",
    "os",
    "system",
    "builtins",
    "eval",
    "latin1",
    "f4",
    "O8",
    "i4",
    "|",
    "",
)
MARK = "mark"
IMPORTED = frozenset({"name", "any"})
UNHASHABLE = frozenset({"list", "dict", "set", "tuple"})
"""Tuples too: what they hold is not remembered."""

STEPS = (3, 60)
SIZES_THAT_LIE = (0, 1, 2, 0x7F, 0xFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


class Writer:
    """A pickle in the making, and the stack that an unpickler would have at its end."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.out: list[bytes] = []
        self.stack: list[str] = []
        self.memo: dict[int, str] = {}

    # --- what lies on the stack --------------------------------------------------------------------------------------

    def depth(self) -> int:
        """Values above the last mark."""
        for at, kind in enumerate(reversed(self.stack)):
            if kind == MARK:
                return at
        return len(self.stack)

    def marked(self) -> bool:
        return MARK in self.stack

    def cut(self, count: int) -> None:
        if count:
            del self.stack[-count:]

    def cut_to_mark(self) -> int:
        count = self.depth()
        del self.stack[len(self.stack) - count - 1 :]
        return count

    def put(self, code: bytes, *kinds: str) -> None:
        self.out.append(code)
        self.stack += kinds

    # --- values ------------------------------------------------------------------------------------------------------

    def text(self, words: str) -> None:
        """A string by any of the opcodes that make one."""
        body = words.encode("utf-8", "surrogatepass")
        ways = [
            b"X" + struct.pack("<I", len(body)) + body,
            b"\x8d" + struct.pack("<Q", len(body)) + body,
            b"V" + words.encode("raw-unicode-escape", "surrogatepass").replace(b"\n", b"\\u000a") + b"\n",
        ]
        if len(body) < 256:
            ways.append(b"\x8c" + bytes([len(body)]) + body)
            ways.append(b"U" + bytes([len(body)]) + body)
        ways.append(b"T" + struct.pack("<i", len(body)) + body)
        if words.isascii() and words.isprintable():
            ways.append(b"S" + repr(words).encode() + b"\n")
            ways.append(b"V" + b"".join(b"\\u%04x" % ord(one) for one in words) + b"\n")
        self.put(self.chance.choice(ways), "text")

    def atom(self) -> None:
        number = self.chance.choice((0, 1, 255, 256, 65535, 2**31 - 1, -1, 7))
        long = number.to_bytes((number.bit_length() + 8) // 8, "little", signed=True)
        self.put(
            self.chance.choice(
                (
                    b"N",
                    b"\x88",
                    b"\x89",
                    b"I01\n",
                    b"I%d\n" % number,
                    b"L%dL\n" % number,
                    b"F1.5\n",
                    b"G" + struct.pack(">d", 0.5),
                    b"J" + struct.pack("<i", number),
                    b"K" + bytes([number & 255]),
                    b"M" + struct.pack("<H", number & 65535),
                    b"\x8a" + bytes([len(long)]) + long,
                    b"\x8b" + struct.pack("<i", len(long)) + long,
                    b"C\x03abc",
                    b"B" + struct.pack("<I", 3) + b"\x80\x04.",
                    b"\x8e" + struct.pack("<Q", 2) + b"cd",
                    b"\x96" + struct.pack("<Q", 2) + b"ef",
                )
            ),
            "atom",
        )

    def words(self) -> None:
        self.text(self.chance.choice(WORDS))

    def empty(self) -> None:
        code, kind = self.chance.choice(((b"]", "list"), (b"}", "dict"), (b")", "tuple"), (b"\x8f", "set")))
        self.put(code, kind)

    # --- names -------------------------------------------------------------------------------------------------------

    def name(self) -> None:
        pool = self.chance.choices((HARMLESS, HOSTILE, STRANGE), (6, 2, 1))[0]
        module, name = self.chance.choice(pool)
        way = self.chance.random()
        if way < 0.35 and "\n" not in module + name:
            line = f"{module}\n{name}\n".encode("utf-8", "surrogatepass")
            self.put(b"c" + line, "name")
        elif way < 0.45:
            self.put(b"(", MARK)
            for _ in range(self.chance.randrange(3)):
                self.atom()
            self.cut_to_mark()
            self.put(b"i" + f"{module}\n{name}\n".encode("utf-8", "surrogatepass"), "any")
        elif way < 0.75:
            self.text(module)
            self.noise()
            self.text(name)
            self.noise()
            self.cut(2)
            self.put(b"\x93", "name")
        else:
            self.remembered_name(module, name)

    def remembered_name(self, module: str, name: str) -> None:
        """Both halves by way of the memo, in either order."""
        slots = []
        for words in (name, module):
            self.text(words)
            slots.append(self.remember())
            self.put(b"0")
            self.cut(1)
        self.noise()
        self.get(slots[1])
        self.get(slots[0])
        self.cut(2)
        self.put(b"\x93", "name")

    def noise(self) -> None:
        """What changes nothing, or seems to."""
        for _ in range(self.chance.choice((0, 0, 0, 1, 2))):
            self.out.append(
                self.chance.choice(
                    (
                        b"N0",
                        b"(1",
                        b"(NN1",
                        b"20" if self.depth() else b"N0",
                        b"\x80\x04",
                        b"]0",
                        b"K\x050",
                        b"(K\x01l0",
                    )
                )
            )

    # --- memo --------------------------------------------------------------------------------------------------------

    def remember(self) -> int:
        """Put the top into the memo."""
        kind = self.stack[-1]
        if self.chance.random() < 0.3:
            slot = len(self.memo)
            self.out.append(b"\x94")
            self.memo[slot] = kind
            return slot
        slot = self.chance.choice((*list(self.memo)[-3:], len(self.memo), len(self.memo), 200, 255, 300))
        code = self.chance.choice((b"p%d\n" % slot, b"r" + struct.pack("<I", slot)))
        if slot < 256 and self.chance.random() < 0.7:
            code = b"q" + bytes([slot])
        self.out.append(code)
        self.memo[slot] = kind
        return slot

    def get(self, slot: int) -> None:
        """Take from the memo what is there."""
        code = self.chance.choice((b"g%d\n" % slot, b"j" + struct.pack("<I", slot)))
        if slot < 256 and self.chance.random() < 0.7:
            code = b"h" + bytes([slot])
        self.put(code, self.memo.get(slot, "any"))

    # --- steps -------------------------------------------------------------------------------------------------------

    def step(self) -> None:
        """One more thing that the stack allows; now and then, one that it does not."""
        if self.chance.random() < 0.004:
            self.out.append(bytes([self.chance.randrange(256)]))
            return
        depth, top = self.depth(), self.stack[-1:]
        ways: list[tuple[int, Callable[[], None]]] = [
            (8, self.atom),
            (5, self.words),
            (5, self.empty),
            (9, self.name),
            (3, lambda: self.put(b"(", MARK)),
            (1, self.persistent),
            (1, self.noise),
        ]
        if self.memo:
            ways.append((3, lambda: self.get(self.chance.choice(list(self.memo)))))
        if depth:
            ways += [
                (3, lambda: void(self.remember())),
                (2, lambda: self.put(b"2", *top)),
                (2, lambda: self.taken(b"0", 1)),
                (3, lambda: self.taken(b"\x85", 1, "tuple")),
            ]
        if depth > 1:
            self.with_two(ways, self.stack[-2], self.stack[-1])
        if depth > 2:
            self.with_three(ways, *self.stack[-3:])
        if self.marked():
            self.with_mark(ways, depth)
        self.chance.choices([way for _, way in ways], [weight for weight, _ in ways])[0]()

    def with_two(self, ways: list[tuple[int, Callable[[], None]]], below: str, top: str) -> None:
        imported = below in IMPORTED or self.careless()
        ways.append((3, lambda: self.taken(b"\x86", 2, "tuple")))
        if imported:
            ways.append((4, lambda: self.taken(b"b", 1)))
        if top == "tuple" and imported:
            ways += [(20, lambda: self.taken(b"R", 2, "any")), (12, lambda: self.taken(b"\x81", 2, "any"))]
        if below == "list" or imported:
            ways.append((8, lambda: self.taken(b"a", 1)))

    def with_three(
        self, ways: list[tuple[int, Callable[[], None]]], third: str, below: str, top: str
    ) -> None:
        imported = third in IMPORTED or self.careless()
        ways.append((2, lambda: self.taken(b"\x87", 3, "tuple")))
        if imported or (third == "dict" and below not in UNHASHABLE):
            ways.append((8, lambda: self.taken(b"s", 2)))
        if imported and below == "tuple" and top == "dict":
            ways.append((20, lambda: self.taken(b"\x92", 3, "any")))

    def with_mark(self, ways: list[tuple[int, Callable[[], None]]], depth: int) -> None:
        kinds = self.stack[len(self.stack) - depth :]
        hashable = not UNHASHABLE & set(kinds)
        target = self.stack[-depth - 2] if len(self.stack) > depth + 1 else MARK
        imported = target in IMPORTED
        ways += [
            (4, lambda: self.closed(b"t", "tuple")),
            (3, lambda: self.closed(b"l", "list")),
            (2, lambda: self.closed(b"1")),
        ]
        if hashable:
            ways.append((2, lambda: self.closed(b"\x91", "frozenset")))
        if depth % 2 == 0 and hashable:
            ways.append((2, lambda: self.closed(b"d", "dict")))
        if depth and kinds[0] in IMPORTED:
            ways.append((8, lambda: self.closed(b"o", "any")))
        if target == "list" or imported:
            ways.append((8, lambda: self.closed(b"e")))
        if depth % 2 == 0 and (imported or (target == "dict" and hashable)):
            ways.append((8, lambda: self.closed(b"u")))
        if imported or (target == "set" and hashable):
            ways.append((8, lambda: self.closed(b"\x90")))

    def careless(self) -> bool:
        """Now and then, what stands there is not asked."""
        return self.chance.random() < 0.03

    def persistent(self) -> None:
        """Something from outside: by an identity, from a registry, or a buffer."""
        code = self.chance.choice(
            (b"Pwords\n", b"NQ", b"NQ", b"\x82\x07", b"\x83\x07\x01", b"\x84\x07\x00\x01\x00", b"\x97\x98")
        )
        self.put(code, "any" if code[:1] in b"PN\x82\x83\x84" else "atom")

    def taken(self, code: bytes, count: int, *kinds: str) -> None:
        self.cut(count)
        self.put(code, *kinds)

    def closed(self, code: bytes, *kinds: str) -> None:
        self.cut_to_mark()
        self.put(code, *kinds)

    def finish(self) -> list[bytes]:
        """The opcodes, with a STOP."""
        if not self.depth():
            self.atom()
        self.out.append(b".")
        return self.out


def void(_value: object) -> None:
    """For the sake of a lambda."""


def random_pickle(chance: random.Random) -> bytes:
    """A pickle of any protocol, framed or not, sometimes with frames that lie."""
    writer = Writer(chance)
    for _ in range(chance.randint(*STEPS)):
        writer.step()
    opcodes = writer.finish()
    protocol = chance.choice((0, 1, 2, 3, 4, 4, 5))
    head = b"\x80" + bytes([protocol]) if protocol > 1 or chance.random() < 0.2 else b""
    if protocol >= 4 and chance.random() < 0.6:
        return head + _framed(chance, opcodes)
    return head + b"".join(opcodes)


def _framed(chance: random.Random, opcodes: list[bytes]) -> bytes:
    parts = []
    at = 0
    while at < len(opcodes):
        count = chance.randint(1, len(opcodes))
        body = b"".join(opcodes[at : at + count])
        size = len(body)
        if chance.random() < 0.05:
            size = chance.choice((*SIZES_THAT_LIE, max(0, size - 1), size + 1))
        parts.append(b"\x95" + struct.pack("<Q", size) + body)
        at += count
    return b"".join(parts)
