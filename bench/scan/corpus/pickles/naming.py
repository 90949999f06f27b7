"""Names written, moved and mixed up."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from bench.scan.corpus import assembler as a
from bench.scan.corpus.pickles.common import Made
from bench.scan.corpus.sample import runner


def names(chance: Random) -> Made:
    """The two names of STACK_GLOBAL written, moved and computed in every way."""
    module, name, text = runner(chance)
    end = a.tuple_(a.short(text)) + a.REDUCE
    ways: dict[str, Callable[[str], bytes]] = {
        "binunicode": a.binunicode,
        "binunicode8": a.binunicode8,
        "unicode": a.unicode_,
        "unicode-escapes": a.escaped,
        "string": a.string,
        "binstring": a.binstring,
        "short-binstring": a.short_binstring,
    }
    for way, write in ways.items():
        yield f"name-as-{way}", a.whole(write(module) + write(name) + a.STACK_GLOBAL + end)
    yield "names-of-two-kinds", a.whole(a.escaped(module) + a.binunicode8(name) + a.STACK_GLOBAL + end)
    yield (
        "string-octal-escapes",
        a.whole(
            a.quoted(b"'" + b"".join(b"\\%03o" % c for c in module.encode()) + b"'")
            + a.quoted(b'"' + b"".join(b"\\x%02x" % c for c in name.encode()) + b'"')
            + a.STACK_GLOBAL
            + end
        ),
    )
    pair = a.short(module) + a.short(name)
    yield "pop-between", a.whole(a.short(module) + a.NONE + a.POP + a.short(name) + a.STACK_GLOBAL + end)
    yield (
        "pop-mark-between",
        a.whole(
            a.short(module)
            + a.MARK
            + a.short("collections")
            + a.short("x")
            + a.POP_MARK
            + a.short(name)
            + a.STACK_GLOBAL
            + end
        ),
    )
    yield (
        "innocent-last-strings",
        a.whole(pair + a.short("OrderedDict") + a.POP + a.STACK_GLOBAL + end),
    )
    yield (
        "innocent-pair-in-between",
        a.whole(
            pair + a.tuple_(a.short("collections"), a.short("OrderedDict")) + a.POP + a.STACK_GLOBAL + end
        ),
    )
    yield (
        "innocent-memo-in-between",
        a.whole(
            pair
            + a.short("collections")
            + a.binput(9)
            + a.POP
            + a.MEMOIZE
            + a.POP
            + a.binget(9)
            + a.POP
            + a.short(name)
            + a.STACK_GLOBAL
            + end
        ),
    )
    yield (
        "dup-names",
        a.whole(
            a.short("code") + a.DUP + a.POP + a.short("interact") + a.STACK_GLOBAL + a.EMPTY_TUPLE + a.REDUCE
        ),
    )
    yield (
        "same-name-twice",
        a.whole(
            a.short("pdb")
            + a.POP
            + a.short("code")
            + a.short("interact")
            + a.STACK_GLOBAL
            + a.EMPTY_TUPLE
            + a.REDUCE
        ),
    )
    yield (
        "memo-both",
        a.whole(
            a.short(name)
            + a.MEMOIZE
            + a.POP
            + a.short(module)
            + a.MEMOIZE
            + a.POP
            + a.binget(1)
            + a.binget(0)
            + a.STACK_GLOBAL
            + end
        ),
    )
    yield (
        "memo-swapped",
        a.whole(
            a.short("collections")
            + a.binput(0)
            + a.POP
            + a.short("OrderedDict")
            + a.binput(1)
            + a.POP
            + a.short(module)
            + a.long_binput(0)
            + a.POP
            + a.short(name)
            + a.put(1)
            + a.POP
            + a.get(0)
            + a.long_binget(1)
            + a.STACK_GLOBAL
            + end
        ),
    )
    yield (
        "memoize-after-high-put",
        a.whole(
            a.short("collections")
            + a.long_binput(70000)
            + a.POP
            + a.short(module)
            + a.MEMOIZE
            + a.POP
            + a.binget(1)
            + a.short(name)
            + a.STACK_GLOBAL
            + end
        ),
    )
    yield (
        "memoize-collides-with-put",
        a.whole(
            a.short("x")
            + a.MEMOIZE
            + a.POP
            + a.short("collections")
            + a.binput(2)
            + a.POP
            + a.short(module)
            + a.MEMOIZE
            + a.POP
            + a.binget(2)
            + a.short(name)
            + a.STACK_GLOBAL
            + end
        ),
    )
    yield (
        "memo-text-index-odd",
        a.whole(
            a.short(module)
            + a.put("+7")
            + a.POP
            + a.get(" 7")
            + a.short(name)
            + a.put("0_8")
            + a.POP
            + a.get("8")
            + a.STACK_GLOBAL
            + end
        ),
    )
    yield (
        "memo-of-callable",
        a.whole(
            a.named(module, name) + a.MEMOIZE + a.POP + a.EMPTY_DICT + a.MEMOIZE + a.POP + a.binget(0) + end
        ),
    )
    yield (
        "memo-of-arguments",
        a.whole(
            a.tuple_(a.short(text)) + a.binput(3) + a.POP + a.named(module, name) + a.binget(3) + a.REDUCE
        ),
    )
    yield (
        "memo-self-made-list",
        a.whole(
            a.list_(a.short(module), a.short(name))
            + a.binput(0)
            + a.POP
            + a.short(module)
            + a.short(name)
            + a.STACK_GLOBAL
            + end
        ),
    )
    yield "overlong-module-path", a.whole(a.named("os", "path.os.system") + end)
    yield "leading-noise", a.whole(a.proto(4) * 6 + a.frame(b"") * 3 + pair + a.STACK_GLOBAL + end)
    yield (
        "proto-between-names",
        a.whole(a.short(module) + a.proto(2) + a.short(name) + a.proto(5) + a.STACK_GLOBAL + end),
    )
