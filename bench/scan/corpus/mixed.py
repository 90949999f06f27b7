"""Pickles put together by chance: how names are written, how memo and noise are used, how the call is made, what it is in.

Each choice alone stands in another module; here they meet in combinations that nobody thought of.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from random import Random

from bench.scan.corpus import archives as z
from bench.scan.corpus import assembler as a
from bench.scan.corpus.sample import RUNNERS, Sample, chance_of

COUNT = 300
# Code runners beyond the plain ones, each with an argument that does nothing worse than print.
CALLS = (
    *RUNNERS,
    ("pty", "spawn", "echo"),
    ("timeit", "timeit", "print(1)"),
    ("pdb", "run", "print(1)"),
    ("cProfile", "run", "print(1)"),
    ("code", "InteractiveInterpreter.runcode", "print(1)"),
    ("importlib", "import_module", "pwned"),
    ("pydoc", "locate", "os.system"),
    ("pickle", "loads", "x"),
    ("marshal", "loads", "x"),
    ("shutil", "rmtree", "./pwned"),
    ("webbrowser", "open", "http://127.0.0.1:9"),
    ("ctypes", "CDLL", "./pwned.so"),
    ("asyncio", "run", "x"),
    ("multiprocessing.util", "spawnv_passfds", "x"),
    ("urllib.request", "urlopen", "http://127.0.0.1:9"),
    ("torch", "load", "./pwned.pt"),
    ("numpy.f2py.crackfortran", "myeval", "1"),
    ("distutils.spawn", "spawn", "echo"),
    ("sqlite3", "connect", "./pwned.db"),
    ("logging.config", "fileConfig", "./pwned.ini"),
)
TEXTS: tuple[Callable[[str], bytes], ...] = (
    a.short,
    a.binunicode,
    a.binunicode8,
    a.unicode_,
    a.escaped,
    a.short_binstring,
    a.binstring,
)
NOISE: tuple[bytes, ...] = (
    b"",
    b"",
    a.NONE + a.POP,
    a.EMPTY_DICT + a.POP,
    a.MARK + a.NONE + a.NEWTRUE + a.POP_MARK,
    a.short("collections") + a.short("OrderedDict") + a.STACK_GLOBAL + a.POP,
    a.binint(7) + a.MEMOIZE + a.POP,
    a.frame(b""),
    a.proto(4),
    a.int_("12") + a.POP,
    a.float_("1.5") + a.POP,
    a.tuple_(a.short("x"), a.binint1(1)) + a.POP,
    a.call(a.named("collections", "OrderedDict")) + a.POP,
)


def name(text: str, chance: Random, slots: list[int]) -> bytes:
    """A name, now and then taken from the memo instead of written where it is used."""
    written = chance.choice(TEXTS)(text)
    if chance.random() < 0.3:
        slot = 100 + len(slots)
        slots.append(slot)
        put = chance.choice((a.binput, a.long_binput, a.put))(slot)
        return (
            written
            + put
            + a.POP
            + chance.choice(NOISE)
            + chance.choice((a.binget, a.long_binget, a.get))(slot)
        )
    return written + chance.choice(NOISE)


def callable_of(module: str, attribute: str, chance: Random, slots: list[int]) -> bytes:
    """The callable on the stack."""
    way = chance.randrange(5)
    if way == 0 and "." not in attribute:
        return a.global_(module, attribute)
    if way == 1:
        first, dot, rest = attribute.partition(".")
        got = a.call(
            a.named("builtins", "getattr"),
            a.call(a.named("importlib", "import_module"), a.short(module)),
            a.short(first),
        )
        return a.call(a.named("builtins", "getattr"), got, a.short(rest)) if dot else got
    return name(module, chance, slots) + name(attribute, chance, slots) + a.STACK_GLOBAL


def body(chance: Random) -> bytes:
    """One call, somewhere in a structure."""
    module, attribute, text = chance.choice(CALLS)
    slots: list[int] = []
    what = callable_of(module, attribute, chance, slots)
    argument = chance.choice(TEXTS[:5])(text)
    way = chance.randrange(6)
    if way == 0:
        made = a.obj(what, argument)
    elif way == 1:
        made = what + a.tuple_(argument) + a.NEWOBJ
    elif way == 2:
        made = what + a.tuple_(argument) + a.EMPTY_DICT + a.NEWOBJ_EX
    elif way == 3:
        made = a.call(a.call(a.named("functools", "partial"), what), argument)
    else:
        made = what + chance.choice(NOISE) + a.tuple_(argument) + a.REDUCE
    place = chance.randrange(6)
    if place == 0:
        made = a.dict_((a.short("epoch"), a.binint1(3)), (a.short("state"), made))
    elif place == 1:
        made = a.list_(a.binfloat(0.5), made, a.short("end"))
    elif place == 2:
        made += a.POP + a.EMPTY_DICT
    elif place == 3:
        made = a.call(a.named("collections", "OrderedDict")) + a.dict_((a.short("x"), made)) + a.BUILD
    elif place == 4:
        made = a.tuple_(a.short("a"), a.tuple_(made, a.NONE))
    return chance.choice(NOISE) + made


def whole(chance: Random) -> bytes:
    """A stream, perhaps among others, perhaps with an end that does not hold."""
    one = a.proto(chance.choice((2, 3, 4, 4, 5))) + body(chance)
    way = chance.randrange(8)
    if way == 0:
        return a.whole(a.EMPTY_DICT) + one + a.STOP
    if way == 1:
        return one + chance.choice((b"", b"\xff", a.POP * 9, b"X\xff\xff\xff\x7f", a.binget(250)))
    if way == 2:
        return one + a.STOP + chance.randbytes(40)
    return one + a.STOP


WRAPS: tuple[tuple[str, Callable[[bytes], bytes]], ...] = (
    ("pkl", bytes),
    ("pkl", bytes),
    ("bin", bytes),
    ("joblib", zlib.compress),
    ("pkl.gz", z.gzip_),
    ("pkl.bz2", bz2.compress),
    ("xz", lzma.compress),
    ("pt", z.torch_zip),
    ("ckpt", z.torch_zip),
    ("zip", lambda data: z.zip_([z.Member("weights/model.pkl", data, z.DEFLATED)])),
    ("tar", lambda data: z.tar([("model.bin", data)])),
    ("tgz", lambda data: z.tar([("a/b/model", data)], "w:gz")),
    ("7z", lambda data: z.seven_zip("m.pkl", data)),
    (
        "npy",
        lambda data: (
            b"\x93NUMPY\1\0\x46\0"
            + b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(69)
            + b"\n"
            + data
        ),
    ),
    (
        "nemo",
        lambda data: z.tar([("model_config.yaml", b"a: 1\n"), ("model_weights.ckpt", z.torch_zip(data))]),
    ),
)


def samples(seed: int) -> Iterator[Sample]:
    """All of them."""
    for number in range(COUNT):
        chance = chance_of(seed, f"mixed:{number}")
        data = whole(chance)
        ending, wrap = chance.choice(WRAPS)
        data = wrap(data)
        if chance.random() < 0.15:
            ending, wrap = chance.choice(WRAPS[3:13])
            data = wrap(data)
        if chance.random() < 0.15:
            ending = chance.choice(("txt", "json", "dat", "model", "safetensors", "onnx"))
        yield Sample(f"mixed/{number:03d}.{ending}", data, f"mixed:{number}", "container")
