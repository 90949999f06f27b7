"""Frames, and streams beside and inside each other."""

from __future__ import annotations

import base64
import bz2
import lzma
import zlib
from random import Random

from bench.scan.corpus import assembler as a
from bench.scan.corpus.pickles.common import Made
from bench.scan.corpus.sample import payload, runner, stream


def frames(chance: Random) -> Made:
    """Frames that do not end where opcodes do. CPython refuses those that are gray before it comes to the payload."""
    module, name, text = runner(chance)
    body = a.call(a.named(module, name), a.short(text)) + a.STOP
    yield "frame-short", a.proto(4) + a.frame(body, len(body) - 5)
    yield "frame-long", a.proto(4) + a.frame(body, len(body) + 9), "gray"
    yield (
        "frame-per-opcode",
        a.proto(4)
        + b"".join(
            a.frame(part)
            for part in (
                a.short(module),
                a.short(name),
                a.STACK_GLOBAL,
                a.short(text),
                a.TUPLE1,
                a.REDUCE,
                a.STOP,
            )
        ),
    )
    yield "frame-empty-many", a.proto(4) + a.frame(b"") * 500 + body
    yield "frame-in-protocol-2", a.proto(2) + a.frame(body)
    yield "frame-nested", a.proto(4) + a.frame(a.frame(body))
    yield "frame-two-streams", a.proto(4) + a.frame(a.NONE + a.STOP + a.proto(4) + body), "gray"
    cut = a.short(module)
    yield (
        "frame-splits-name",
        a.proto(4)
        + a.frame(cut[:3])
        + cut[3:]
        + a.short(name)
        + a.STACK_GLOBAL
        + a.short(text)
        + a.TUPLE1
        + a.REDUCE
        + a.STOP,
        "gray",
    )
    yield (
        "frame-splits-argument",
        a.proto(4)
        + a.frame(a.short(module) + b"\x8c" + bytes([len(name)]))
        + a.frame(name.encode() + a.STACK_GLOBAL)
        + a.short(text)
        + a.TUPLE1
        + a.REDUCE
        + a.STOP,
        "gray",
    )
    hidden = a.binunicode(a.frame(b"").ljust(12, b"x"))
    yield "frame-inside-string", a.proto(4) + hidden + a.POP + body, "gray"
    for at in (1, 4, 7):
        yield (
            f"frame-ends-inside-opcode-{at}",
            a.proto(4)
            + a.frame(a.short("collections") + a.short("OrderedDict")[:at], None)
            + a.short("OrderedDict")[at:]
            + a.STACK_GLOBAL
            + body,
            "core" if at == 1 else "gray",
        )


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
    yield (
        "payload-after-8-megabytes",
        a.proto(4) + a.binbytes(b"\0" * 8_000_000) + a.POP + payload(chance) + a.STOP,
    )
    yield (
        "payload-after-200-blobs",
        a.proto(4)
        + a.list_(*(a.binbytes(bytes(9000)) for _ in range(200)))
        + a.POP
        + payload(chance)
        + a.STOP,
    )
    yield "payload-after-400000-opcodes", a.proto(4) + (a.NONE + a.POP) * 200_000 + payload(chance) + a.STOP
    yield (
        "payload-after-70000-memos",
        a.proto(4) + (a.NONE + a.MEMOIZE + a.POP) * 70_000 + payload(chance) + a.STOP,
    )
    yield (
        "payload-below-2000-lists",
        a.proto(4) + a.EMPTY_LIST * 2000 + payload(chance) + a.APPEND * 2000 + a.STOP,
    )
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
        gray = (
            name in ("_clearExistingHandlers", "loads")
            and module in ("xmlrpc.client", "plistlib", "logging.config")
            or module in ("xgboost", "skops.io", "h5py")
        )
        yield (
            f"loader-{module}.{name}",
            a.whole(a.call(a.named(module, name), a.binbytes(bad))),
            "gray" if gray else "core",
        )
    yield "dormant-in-dict", a.whole(a.dict_((a.short("blob"), a.binbytes(bad)))), "gray"
    yield (
        "dormant-base64",
        a.whole(a.dict_((a.short("blob"), a.short(base64.b64encode(bad).decode())))),
        "gray",
    )
    yield "import-only", a.whole(a.named("pwned_module", "weights"))
    yield "import-only-below-package", a.whole(a.named("numpy.pwned", "ndarray"))
    yield "import-only-inst", a.whole(a.inst("pwned_module", "Weights"), 0)
    yield "import-side-effect-stdlib", a.whole(a.named("this", "s")), "gray"
    yield "import-side-effect-idlelib", a.whole(a.named("idlelib.idle", "idlelib"))
    yield "import-main-module", a.whole(a.named("json.__main__", "main")), "gray"
    yield (
        "billion-laughs",
        a.whole(
            a.list_(a.short("lol"))
            + b"".join(
                a.MEMOIZE + a.POP + a.EMPTY_LIST + a.MARK + a.binget(level) * 10 + a.APPENDS
                for level in range(40)
            )
        ),
        "gray",
    )
    yield (
        "tuple-doubling",
        a.whole(a.short("x") + (a.DUP + a.TUPLE2) * 64 + a.EMPTY_DICT + a.DUP + a.POP),
        "gray",
    )
    yield (
        "hash-doubling-key",
        a.whole(a.EMPTY_DICT + a.short("x") + (a.DUP + a.TUPLE2) * 64 + a.NONE + a.SETITEM),
        "gray",
    )
