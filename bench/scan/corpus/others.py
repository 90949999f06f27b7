"""Formats beside the main ones: HDF5 written by hand, Parquet with a pickled column, and what few scanners know by name."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from random import Random

from bench.scan.corpus.archives import Member, lz4, tar, zip_
from bench.scan.corpus.graphs import field, keras_configs, sequential
from bench.scan.corpus.sample import Sample, chance_of, stream

Made = Iterator[tuple[str, bytes] | tuple[str, bytes, str]]


def hdf5(attributes: dict[str, str]) -> bytes:
    """An HDF5 file (superblock 0) whose root group has these attributes and no members."""

    def padded(data: bytes) -> bytes:
        return data + b"\0" * (-len(data) % 8)

    def message(kind: int, data: bytes) -> bytes:
        return struct.pack("<HHB3x", kind, len(padded(data)), 0) + padded(data)

    # Attributes above 64 KB do not fit in a header; configs here are small.
    root, header_size = 96, 0
    messages = b""
    for key, value in attributes.items():
        raw = value.encode()
        datatype = struct.pack(
            "<B3BI", 0x13, 0, 0, 0, len(raw)
        )  # version 1, class string, null-terminated ASCII
        dataspace = struct.pack("<BBB5x", 1, 0, 0)  # scalar
        named = padded(key.encode() + b"\0")
        told = struct.pack("<BBHHH", 1, 0, len(key) + 1, len(datatype), len(dataspace))
        messages += message(0x000C, told + named + padded(datatype) + padded(dataspace) + raw)
    heap_at = 0
    count = len(attributes) + 1
    table_size = 8 + 16
    header_size = len(messages) + table_size
    tree_at = root + 16 + header_size
    tree = b"TREE" + struct.pack("<BBHQQ", 0, 0, 0, 2**64 - 1, 2**64 - 1) + b"\0" * (8 * 33 + 8 * 32)
    heap_at = tree_at + len(tree)
    heap = (
        b"HEAP"
        + struct.pack("<B3xQQQ", 0, 88, 8, heap_at + 32)
        + b"\0" * 8
        + struct.pack("<QQ", 1, 80)
        + b"\0" * 64
    )
    table = message(0x0011, struct.pack("<QQ", tree_at, heap_at))
    header = struct.pack("<BBHIII", 1, 0, count, 1, header_size, 0) + table + messages
    end = heap_at + len(heap)
    entry = struct.pack("<QQII", 0, root, 1, 0) + struct.pack("<QQ", tree_at, heap_at)
    superblock = b"\x89HDF\r\n\x1a\n" + struct.pack("<8BHHI", 0, 0, 0, 0, 0, 8, 8, 0, 4, 16, 0)
    superblock += struct.pack("<QQQQ", 0, 2**64 - 1, end, 2**64 - 1) + entry
    return superblock + header + tree + heap


def h5(chance: Random) -> Made:
    """Keras models in HDF5 whose configuration names what it must not."""
    configs = keras_configs()
    gray = {"keras-private", "bytes-pickle", "typespec", "numpy-array", "custom-registered"}
    for label in sorted(configs):
        if label in gray or (not label.startswith("lambda") and chance.random() < 0.5):
            continue
        attributes = {
            "keras_version": "2.15.0",
            "backend": "tensorflow",
            "model_config": json.dumps(sequential(configs[label])),
        }
        yield f"{label}.{chance.choice(('h5', 'hdf5', 'keras', 'model'))}", hdf5(attributes)
    lambda_ = json.dumps(sequential(configs["lambda"]))
    yield (
        "training-config.h5",
        hdf5(
            {
                "model_config": json.dumps(sequential()),
                "training_config": json.dumps({"loss": configs["lambda"]}),
            }
        ),
    )
    yield "other-attribute.h5", hdf5({"layer_config": lambda_}), "gray"
    yield "no-extension", hdf5({"model_config": lambda_})
    yield "user-block.h5", b"\0" * 512 + hdf5({"model_config": lambda_}), "gray"


def thrift(*fields: tuple[int, int, bytes]) -> bytes:
    """A struct in Thrift's compact protocol: id, kind and encoded value of each field."""
    out, last = b"", 0
    for number, kind, value in fields:
        out += bytes([(number - last) << 4 | kind]) + value
        last = number
    return out + b"\0"


def zigzag(value: int) -> bytes:
    """A signed number of Thrift's compact protocol."""
    value = value << 1 if value >= 0 else (-value << 1) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def counted(data: bytes) -> bytes:
    """A binary of Thrift's compact protocol."""
    length, out = len(data), bytearray()
    while length > 0x7F:
        out.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes([*out, length]) + data


def parquet(
    values: tuple[bytes, ...], column: bytes = b"model", metadata: tuple[tuple[bytes, bytes], ...] = ()
) -> bytes:
    """A Parquet file with one required column of byte arrays, plain and not compressed."""
    i32, i64, binary, list_, struct_ = 5, 6, 8, 9, 12
    data = b"".join(struct.pack("<I", len(value)) + value for value in values)
    page = thrift(
        (1, i32, zigzag(0)),
        (2, i32, zigzag(len(data))),
        (3, i32, zigzag(len(data))),
        (
            5,
            struct_,
            thrift(
                (1, i32, zigzag(len(values))), (2, i32, zigzag(0)), (3, i32, zigzag(3)), (4, i32, zigzag(3))
            ),
        ),
    )
    root = thrift((4, binary, counted(b"schema")), (5, i32, zigzag(1)))
    leaf = thrift((1, i32, zigzag(6)), (3, i32, zigzag(0)), (4, binary, counted(column)))
    size = len(page) + len(data)
    meta = thrift(
        (1, i32, zigzag(6)),
        (2, list_, bytes([1 << 4 | i32]) + zigzag(0)),
        (3, list_, bytes([1 << 4 | binary]) + counted(column)),
        (4, i32, zigzag(0)),
        (5, i64, zigzag(len(values))),
        (6, i64, zigzag(size)),
        (7, i64, zigzag(size)),
        (9, i64, zigzag(4)),
    )
    chunk = thrift((2, i64, zigzag(4)), (3, struct_, meta))
    group = thrift(
        (1, list_, bytes([1 << 4 | struct_]) + chunk), (2, i64, zigzag(size)), (3, i64, zigzag(len(values)))
    )
    fields = [
        (1, i32, zigzag(1)),
        (2, list_, bytes([2 << 4 | struct_]) + root + leaf),
        (3, i64, zigzag(len(values))),
        (4, list_, bytes([1 << 4 | struct_]) + group),
    ]
    if metadata:
        pairs = b"".join(
            thrift((1, binary, counted(key)), (2, binary, counted(value))) for key, value in metadata
        )
        fields.append((5, list_, bytes([len(metadata) << 4 | struct_]) + pairs))
    footer = thrift(*fields)
    return b"PAR1" + page + data + footer + struct.pack("<I", len(footer)) + b"PAR1"


def columns(chance: Random) -> Made:
    """Parquet."""
    bad = stream(chance)
    yield "pickled-column.parquet", parquet((bad,))
    yield "pickled-row-300.parquet", parquet((*[b"text"] * 299, bad))
    yield "pickled-column-no-extension", parquet((b"a", bad), b"features")
    yield "pickled-compressed.parquet", parquet((lz4(bad),)), "gray"
    yield "pickled-metadata.parquet", parquet((b"a",), metadata=((b"petastorm.unischema.v1", bad),))
    yield "length-lie.parquet", parquet((b"a",))[:-8] + struct.pack("<I", 2**31) + b"PAR1"
    yield "cut.parquet", parquet((bad,))[:-20]


def named(chance: Random) -> Made:
    """Formats that few scanners know by name."""
    bad = stream(chance)
    yield "paddle.pdparams", bad
    yield "paddle.pdopt", bad
    yield "paddle-inference.pdmodel", field(1, field(1, 0) + field(2, 0) + field(4, field(3, "py_func")))
    yield (
        "executorch.ptl",
        zip_(
            [Member("m/bytecode.pkl", bad), Member("m/data.pkl", b"\x80\x02}."), Member("m/version", b"3\n")]
        ),
    )
    yield (
        "mxnet-symbol.json",
        json.dumps(
            {
                "nodes": [{"op": "Custom", "name": "c", "attrs": {"op_type": "pwned"}, "inputs": []}],
                "arg_nodes": [],
                "heads": [[0, 0]],
            }
        ).encode(),
    )
    yield (
        "mxnet-dgl.json",
        json.dumps(
            {
                "nodes": [{"op": "_Native", "name": "c", "attrs": {"info": "0x7f"}, "inputs": []}],
                "heads": [[0, 0]],
            }
        ).encode(),
    )
    yield (
        "pmml.xml",
        b'<?xml version="1.0"?><!DOCTYPE PMML [<!ENTITY x SYSTEM "file:///etc/passwd">]><PMML version="4.4"><Header description="&x;"/></PMML>',
    )
    yield (
        "pmml-script.pmml",
        b'<?xml version="1.0"?><PMML version="4.4"><Extension name="script" value="Runtime.getRuntime().exec(\'echo pwned\')"/></PMML>',
        "gray",
    )
    yield (
        "coreml-custom.mlmodel",
        field(1, 4) + field(500, field(1, field(1, "c") + field(500, field(10, "PwnedLayer")))),
        "gray",
    )
    yield "tflite-flex.tflite", b"\x1c\0\0\0TFL3" + b"\0" * 24 + b"FlexWriteFile\0\0\0" + b"\0" * 40, "gray"
    yield (
        "openvino.xml",
        b'<?xml version="1.0"?><net name="x" version="11"><layers><layer id="0" name="a" type="Custom" version="extension"><data library="../../pwned.so"/></layer></layers></net>',
        "gray",
    )
    yield (
        "torch7.t7",
        struct.pack("<ii", 6, 1) + struct.pack("<i", 20) + b"\x1bLuaQ" + b"os.execute('echo')" + b"\0" * 10,
        "gray",
    )
    yield (
        "r-data.rds",
        b"X\n\0\0\0\3\0\4\3\0\0\3\5\0\0\0\0\5UTF-8\0\0\0\6\0\0\0\1\0\4\0\x09\0\0\0\6system\0\0\0\2\0\0\0\x10\0\0\0\1\0\4\0\x09\0\0\0\4echo",
        "gray",
    )
    yield "flax.msgpack", b"\x81\xa6params\xc7" + bytes([len(bad) % 256]) + b"\x2a" + bad[:255], "gray"
    yield "catboost.cbm", b"CBM1" + struct.pack("<I", 16) + b"\0" * 16 + bad, "gray"
    yield "cntk.model", b"B\0C\0N\0\0\0" + "NativeUserFunction pwned.so".encode("utf-16-le"), "gray"
    yield (
        "h2o-mojo.zip",
        zip_(
            [
                Member("model.ini", b"[info]\nalgorithm = gbm\n"),
                Member("experimental/modelDetails.json", b"{}"),
                Member("domains/d000.bin", bad),
            ]
        ),
    )
    yield (
        "spark-model.tar",
        tar(
            [
                ("metadata/part-00000", b'{"class":"org.apache.spark.ml.Pwned","timestamp":1}'),
                ("stages/0/data.pkl", bad),
            ]
        ),
    )
    yield "gensim.model", bad
    yield (
        "gensim.model.wv.vectors.npy",
        b"\x93NUMPY\1\0\x46\0"
        + b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(69)
        + b"\n"
        + bad,
    )
    yield "spacy/vocab/lookups.bin", bad
    yield "nltk.pickle", bad
    yield "flair.pt", bad
    yield "fastai-export.pkl", zip_([Member("export/data.pkl", bad), Member("export/version", b"3\n")])
    yield "rasa.tar.gz", tar([("components/train/model.pkl", bad)], "w:gz")
    yield "dvc.lock", b"schema: '2.0'\nstages:\n  train:\n    cmd: curl http://127.0.0.1:9 | sh\n", "gray"
    yield "Modelfile", b'FROM ./m.gguf\nTEMPLATE "{{ .Prompt }}"\nADAPTER ../../../etc/passwd\n', "gray"


def samples(seed: int) -> Iterator[Sample]:
    """All of them."""
    for group, family in ((h5, "keras"), (columns, "parquet"), (named, "misc")):
        for made in group(chance_of(seed, f"others:{group.__name__}")):
            tier = made[2] if len(made) == 3 else "core"
            yield Sample(
                f"others/{group.__name__}/{made[0]}", made[1], f"{group.__name__}:{made[0]}", family, tier
            )
