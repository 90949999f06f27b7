"""State and items put into what was imported."""

from __future__ import annotations

from random import Random

from bench.scan.corpus import assembler as a
from bench.scan.corpus.pickles.common import CODE, COMMAND, OS, Made
from bench.scan.corpus.sample import payload, runner


def effects(chance: Random) -> Made:
    """State and items put into what was imported: nothing is called, and yet it changes what runs later."""
    module, name, _ = runner(chance)
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
    yield (
        "build-then-call",
        a.whole(
            a.named("numpy", "size")
            + a.dict_((a.short("__code__"), a.NONE))
            + a.BUILD
            + a.tuple_(CODE)
            + a.REDUCE
        ),
    )
    yield (
        "build-setstate-planted",
        a.whole(
            a.call(a.named("types", "SimpleNamespace"))
            + a.dict_((a.short("__setstate__"), OS))
            + a.BUILD
            + COMMAND
            + a.BUILD
        ),
    )
    yield (
        "build-setstate-exception",
        a.whole(
            a.call(a.named("builtins", "Exception"))
            + a.dict_((a.short("__setstate__"), a.named("subprocess", "getoutput")))
            + a.BUILD
            + COMMAND
            + a.BUILD
        ),
    )
    yield (
        "append-planted",
        a.whole(
            a.call(a.named("types", "SimpleNamespace"))
            + a.dict_((a.short("append"), OS))
            + a.BUILD
            + COMMAND
            + a.APPEND
        ),
    )
    yield (
        "extend-planted",
        a.whole(
            a.call(a.named("argparse", "Namespace"))
            + a.dict_((a.short("extend"), OS), (a.short("append"), OS))
            + a.BUILD
            + a.MARK
            + COMMAND
            + a.APPENDS
        ),
    )
    yield (
        "additems-planted-add",
        a.whole(
            a.call(a.named("types", "SimpleNamespace"))
            + a.dict_((a.short("add"), OS))
            + a.BUILD
            + a.MARK
            + COMMAND
            + a.ADDITEMS
        ),
    )
    for label, target in {"sys-modules": a.named("sys", "modules"), "environ": a.named("os", "environ"), "dispatch-table": a.named("copyreg", "dispatch_table"), "extension-registry": a.named("copyreg", "_inverted_registry"), "importer-cache": a.named("sys", "path_importer_cache"), "builtins-dict": a.named("builtins", "__dict__"), "codecs-cache": a.named("encodings", "_cache"), "numpy-sctype": a.named("numpy", "sctypeDict")}.items():  # fmt: skip
        yield f"setitem-on-{label}", a.whole(target + a.short("json") + a.named(module, name) + a.SETITEM)
        yield (
            f"setitems-on-{label}",
            a.whole(target + a.MARK + a.short("PATH") + a.short("/pwned") + a.SETITEMS),
        )
    for label, target in {"sys-path": a.named("sys", "path"), "meta-path": a.named("sys", "meta_path"), "path-hooks": a.named("sys", "path_hooks"), "warnings-filters": a.named("warnings", "filters"), "atexit-list": a.named("gc", "callbacks"), "site-prefixes": a.named("site", "PREFIXES"), "loader-suffixes": a.named("importlib.machinery", "SOURCE_SUFFIXES")}.items():  # fmt: skip
        yield f"append-on-{label}", a.whole(target + a.short("/pwned") + a.APPEND)
        yield f"appends-on-{label}", a.whole(target + a.MARK + a.named(module, name) + a.APPENDS)
    yield (
        "additems-on-imported-set",
        a.whole(a.named("keyword", "kwlist") + a.MARK + a.short("x") + a.ADDITEMS),
    )
    yield "setitem-with-computed-key", a.whole(a.EMPTY_DICT + payload(chance) + a.NONE + a.SETITEM)
    key = a.call(a.named("types", "SimpleNamespace")) + a.dict_((a.short("__hash__"), OS)) + a.BUILD
    yield (
        "dict-key-with-hash",
        a.whole(
            a.EMPTY_DICT
            + a.call(
                a.named("builtins", "type"), a.short("K"), a.EMPTY_TUPLE, a.dict_((a.short("__hash__"), OS))
            )
            + a.EMPTY_TUPLE
            + a.NEWOBJ
            + a.NONE
            + a.SETITEM
        ),
    )
    yield (
        "set-member-with-hash",
        a.whole(
            a.EMPTY_SET
            + a.MARK
            + key
            + a.call(
                a.named("builtins", "type"),
                a.short("K"),
                a.EMPTY_TUPLE,
                a.dict_((a.short("__eq__"), OS), (a.short("__hash__"), a.named("builtins", "len"))),
            )
            + a.ADDITEMS
        ),
    )
    yield "frozenset-of-payload", a.whole(a.MARK + payload(chance) + a.FROZENSET)
    yield (
        "payload-as-state",
        a.whole(
            a.call(a.named("collections", "OrderedDict")) + a.dict_((a.short("x"), payload(chance))) + a.BUILD
        ),
    )
    yield "payload-as-key", a.whole(a.dict_((payload(chance), a.binint1(1))))
    yield (
        "payload-as-argument",
        a.whole(
            a.call(a.named("collections", "OrderedDict"), a.list_(a.tuple_(a.short("k"), payload(chance))))
        ),
    )
    yield "payload-as-persistent-id", a.whole(a.tuple_(a.short("storage"), payload(chance)) + a.BINPERSID)
    yield "payload-under-mark-dropped", a.whole(a.MARK + payload(chance) + a.POP_MARK + a.EMPTY_DICT)
    yield "payload-left-on-stack", a.whole(payload(chance) + a.EMPTY_DICT)
    yield (
        "payload-in-name-operands",
        a.whole(
            a.short("collections")
            + payload(chance)
            + a.POP
            + a.short("OrderedDict")
            + a.STACK_GLOBAL
            + a.EMPTY_TUPLE
            + a.REDUCE
        ),
    )
