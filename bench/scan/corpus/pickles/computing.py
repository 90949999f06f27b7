"""Names, callables and arguments that are results of calls."""

from __future__ import annotations

import codecs
from random import Random

from bench.scan.corpus import assembler as a
from bench.scan.corpus.pickles.common import CODE, COMMAND, OS, Made
from bench.scan.corpus.sample import runner


def reversed_text(word: str) -> bytes:
    """Characters in reverse."""
    return a.call(
        a.named("builtins", "str.join"),
        a.short(""),
        a.call(a.named("builtins", "reversed"), a.short(word[::-1])),
    )


def replaced(word: str) -> bytes:
    """With dashes taken out."""
    return a.call(a.named("builtins", "str.replace"), a.short("-".join(word)), a.short("-"), a.short(""))


def formatted(word: str) -> bytes:
    """Put together by format."""
    return a.call(a.named("builtins", "str.format"), a.short("{}{}"), a.short(word[:1]), a.short(word[1:]))


def from_bytes(word: str) -> bytes:
    """Decoded bytes."""
    return a.call(a.named("builtins", "str"), a.short_binbytes(word.encode()), a.short("ascii"))


def rot(word: str) -> bytes:
    """Rotated by 13."""
    return a.call(a.named("_codecs", "decode"), a.short(codecs.encode(word, "rot13")), a.short("rot13"))


def hexed(word: str) -> bytes:
    """From hexadecimal."""
    raw = a.call(a.named("binascii", "unhexlify"), a.short_binbytes(word.encode().hex().encode()))
    return a.call(a.named("_codecs", "decode"), raw, a.short("ascii"))


def characters(word: str) -> bytes:
    """From numbers."""
    made = [a.call(a.named("builtins", "chr"), a.binint1(ord(character))) for character in word]
    return a.call(a.named("builtins", "str.join"), a.short(""), a.list_(*made))


def concatenated(word: str) -> bytes:
    """Two halves."""
    return a.call(a.named("_operator", "concat"), a.short(word[:2]), a.short(word[2:]))


def encoded(word: str) -> bytes:
    """There and back."""
    raw = a.call(a.named("_codecs", "encode"), a.short(word), a.short("latin1"))
    return a.call(a.named("_codecs", "decode"), raw, a.short("latin1"))


def from_dict(word: str) -> bytes:
    """Looked up."""
    return a.call(a.named("builtins", "dict.get"), a.dict_((a.short("k"), a.short(word))), a.short("k"))


MAKERS = (
    reversed_text, replaced, formatted, from_bytes, rot, hexed, characters, concatenated, encoded, from_dict,
)  # fmt: skip


def computed_names(chance: Random) -> Made:
    """Module or name as the result of calls."""
    module, name, text = runner(chance)
    end = a.tuple_(a.short(text)) + a.REDUCE
    for maker in MAKERS:
        label = maker.__name__.replace("_", "-")
        yield f"module-{label}", a.whole(maker(module) + a.short(name) + a.STACK_GLOBAL + end)
        yield f"name-{label}", a.whole(a.short(module) + maker(name) + a.STACK_GLOBAL + end)


def computed_callables(_: Random) -> Made:
    """What is called is the result of calls."""
    get = a.named("builtins", "getattr")
    imported = a.call(a.named("importlib", "import_module"), a.short("os"))
    modules = a.named("sys", "modules")
    taken = a.call(a.named("operator", "getitem"), modules, a.short("os"))
    alias = a.call(a.global_("posixpath", "os"), a.binunicode("x"))
    made = {
        "getattr-of-import": a.whole(a.call(a.call(get, imported, a.short("system")), COMMAND)),
        "getattr-twice": a.whole(
            a.call(
                a.call(get, a.call(get, a.global_("shutil", "os"), a.short("path")), a.short("join")), COMMAND
            )
            + a.POP
            + a.call(a.call(get, a.global_("shutil", "os"), a.short("system")), COMMAND)
        ),
        "operator-attrgetter": a.whole(
            a.call(
                a.call(
                    a.call(a.named("operator", "attrgetter"), a.short("os.system")), a.named("shutil", "os")
                ),
                COMMAND,
            )
        ),
        "_operator-attrgetter": a.whole(
            a.call(
                a.call(
                    a.call(a.named("_operator", "attrgetter"), a.short("os.system")), a.named("shutil", "os")
                ),
                COMMAND,
            )
        ),
        "sys-modules-getitem": a.whole(a.call(a.call(get, taken, a.short("system")), COMMAND)),
        "sys-modules-dict-get": a.whole(
            a.call(
                a.call(
                    get, a.call(a.named("builtins", "dict.get"), modules, a.short("os")), a.short("system")
                ),
                COMMAND,
            )
        ),
        "globals-of-function": a.whole(
            a.call(a.named("operator", "getitem"), a.named("shutil", "copyfile.__globals__"), a.short("os"))
        ),
        "builtins-of-module": a.whole(
            a.call(
                a.call(
                    a.named("operator", "getitem"), a.named("collections", "__builtins__"), a.short("eval")
                ),
                CODE,
            )
        ),
        "loader-load-module": a.whole(
            a.call(
                a.call(
                    a.named("builtins", "getattr"),
                    a.named("collections", "__loader__"),
                    a.short("load_module"),
                ),
                a.short("os"),
            )
        ),
        "subclasses-walk": a.whole(
            a.call(
                a.named("builtins", "list.__getitem__"),
                a.call(a.named("builtins", "type.__subclasses__"), a.named("builtins", "object")),
                a.binint2(140),
            )
        ),
        "class-mro-init-globals": a.whole(
            a.named("argparse", "ArgumentParser.__init__.__globals__") + a.EMPTY_TUPLE + a.REDUCE
        ),
        "dotted-spec-loader": a.whole(
            a.call(a.named("decimal", "__spec__.loader.exec_module"), a.named("os", "path"))
        ),
        "dotted-through-method": a.whole(
            a.call(a.named("collections", "OrderedDict.__init__.__self__"), COMMAND)
        ),
        "dotted-reexport": a.whole(a.call(a.named("random", "_os.system"), COMMAND)),
        "global-dotted-module-attr": a.whole(a.call(a.named("pathlib", "os.system"), COMMAND)),
        "reexport-proto2": a.whole(
            a.call(a.global_("random", "_urandom"), a.binint1(8))
            + a.POP
            + a.call(a.global_("tempfile", "_os"), COMMAND),
            2,
        ),
        "module-object-called": a.whole(alias, 2),
        "functools-partial": a.whole(a.call(a.call(a.named("functools", "partial"), OS, COMMAND))),
        "_functools-partial": a.whole(a.call(a.call(a.named("_functools", "partial"), OS, COMMAND))),
        "partial-of-partial": a.whole(
            a.call(
                a.call(a.named("functools", "partial"), a.call(a.named("functools", "partial"), OS), COMMAND)
            )
        ),
        "partial-by-build": a.whole(
            a.call(a.named("functools", "partial"), a.named("builtins", "len"))
            + a.tuple_(OS, a.tuple_(COMMAND), a.EMPTY_DICT, a.NONE)
            + a.BUILD
            + a.EMPTY_TUPLE
            + a.REDUCE
        ),
        "map-drained-by-list": a.whole(
            a.call(a.named("builtins", "list"), a.call(a.named("builtins", "map"), OS, a.list_(COMMAND)))
        ),
        "map-drained-by-bytes": a.whole(
            a.call(a.named("builtins", "bytes"), a.call(a.named("builtins", "map"), OS, a.list_(COMMAND)))
        ),
        "filter-drained-by-deque": a.whole(
            a.call(
                a.named("collections", "deque"), a.call(a.named("builtins", "filter"), OS, a.list_(COMMAND))
            )
        ),
        "starmap-drained-by-set": a.whole(
            a.call(
                a.named("builtins", "set"),
                a.call(a.named("itertools", "starmap"), OS, a.list_(a.tuple_(COMMAND))),
            )
        ),
        "accumulate": a.whole(
            a.call(
                a.named("builtins", "tuple"),
                a.call(
                    a.named("itertools", "accumulate"),
                    a.list_(COMMAND, COMMAND),
                    a.named("subprocess", "getoutput"),
                ),
            )
        ),
        "groupby-key": a.whole(
            a.call(a.named("builtins", "dict"), a.call(a.named("itertools", "groupby"), a.list_(COMMAND), OS))
        ),
        "max-key": a.whole(
            a.call(a.named("functools", "partial"), a.named("builtins", "max"))
            + a.tuple_(
                a.named("builtins", "max"),
                a.tuple_(a.list_(COMMAND, COMMAND)),
                a.dict_((a.short("key"), OS)),
                a.NONE,
            )
            + a.BUILD
            + a.EMPTY_TUPLE
            + a.REDUCE
        ),
        "iter-sentinel": a.whole(
            a.call(
                a.named("builtins", "next"),
                a.call(
                    a.named("builtins", "iter"),
                    a.call(a.named("functools", "partial"), OS, COMMAND),
                    a.binint1(9),
                ),
            )
        ),
        "defaultdict-factory": a.whole(
            a.call(
                a.named("operator", "getitem"),
                a.call(
                    a.named("collections", "defaultdict"),
                    a.call(a.named("functools", "partial"), OS, COMMAND),
                ),
                a.short("k"),
            )
        ),
        "methodcaller-system": a.whole(
            a.call(
                a.call(a.named("operator", "methodcaller"), a.short("system"), COMMAND),
                a.named("shutil", "os"),
            )
        ),
        "operator-call": a.whole(a.call(a.named("operator", "call"), OS, COMMAND)),
        "weakref-finalize": a.whole(
            a.call(a.named("weakref", "finalize"), a.named("collections", "OrderedDict"), OS, COMMAND)
        ),
        "re-sub-callback": a.whole(a.call(a.named("re", "sub"), a.short("."), OS, COMMAND)),
        "ctypes-cfunctype": a.whole(a.call(a.call(a.named("ctypes", "CFUNCTYPE"), a.NONE), OS)),
        "cached-property": a.whole(
            a.call(
                a.named("functools", "cached_property.__get__"),
                a.call(a.named("functools", "cached_property"), OS),
                COMMAND,
            )
        ),
        "singledispatch": a.whole(a.call(a.call(a.named("functools", "singledispatch"), OS), COMMAND)),
        "lru-cache-wraps": a.whole(a.call(a.call(a.named("functools", "lru_cache"), OS), COMMAND)),
        "simplequeue-thread": a.whole(a.call(a.named("_thread", "start_new_thread"), OS, a.tuple_(COMMAND))),
        "exitstack-callback": a.whole(
            a.call(
                a.named("contextlib", "ExitStack.callback"),
                a.call(a.named("contextlib", "ExitStack")),
                OS,
                COMMAND,
            )
        ),
        "ast-compile-eval": a.whole(
            a.call(
                a.named("builtins", "eval"),
                a.call(a.named("builtins", "compile"), CODE, a.short("x"), a.short("eval")),
            )
        ),
        "functiontype-of-codetype": a.whole(
            a.call(
                a.call(
                    a.named("types", "FunctionType"),
                    a.call(a.named("builtins", "compile"), CODE, a.short("m"), a.short("exec")),
                    a.EMPTY_DICT,
                )
            )
        ),
        "methodtype-bound": a.whole(a.call(a.call(a.named("types", "MethodType"), OS, COMMAND))),
        "builtin-type-class": a.whole(
            a.call(
                a.named("builtins", "type"),
                a.short("X"),
                a.tuple_(a.named("builtins", "object")),
                a.dict_((a.short("__reduce__"), OS)),
            )
        ),
        "build-class-set-name": a.whole(
            a.call(
                a.named("builtins", "type"),
                a.short("X"),
                a.EMPTY_TUPLE,
                a.dict_(
                    (
                        a.short("a"),
                        a.call(a.named("types", "SimpleNamespace"))
                        + a.dict_((a.short("__set_name__"), OS))
                        + a.BUILD,
                    )
                ),
            )
        ),
        "types-new-class-body": a.whole(
            a.call(
                a.named("types", "new_class"),
                a.short("X"),
                a.EMPTY_TUPLE,
                a.NONE,
                a.named("builtins", "print"),
            )
        ),
    }
    yield from made.items()
