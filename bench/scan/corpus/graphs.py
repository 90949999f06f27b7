"""ONNX, TensorFlow SavedModel and Keras files, their protocol buffers written field by field."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator
from random import Random
from typing import Any

from bench.scan.corpus.archives import DEFLATED, Member, zip_
from bench.scan.corpus.sample import Sample, chance_of, stream

Made = Iterator[tuple[str, bytes] | tuple[str, bytes, str]]


def varint(value: int) -> bytes:
    """A base-128 number."""
    out = bytearray()
    value &= 2**64 - 1
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number: int, value: int | str | bytes) -> bytes:
    """A field: a number as varint, anything else with its length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


# --- ONNX -----------------------------------------------------------------------------------------------------------


def onnx_tensor(location: str, offset: str = "0", length: str = "16", name: str = "W") -> bytes:
    """A TensorProto whose data lie in another file."""
    entries = b"".join(
        field(13, field(1, key) + field(2, value))
        for key, value in (("location", location), ("offset", offset), ("length", length))
    )
    return field(1, 2) + field(1, 2) + field(2, 1) + field(8, name) + entries + field(14, 1)


def onnx_node(op: str = "Relu", domain: str = "", attributes: bytes = b"") -> bytes:
    """A NodeProto."""
    return (
        field(1, "x")
        + field(2, "y")
        + field(3, "n")
        + field(4, op)
        + attributes
        + (field(7, domain) if domain else b"")
    )


def onnx_model(
    nodes: tuple[bytes, ...] = (onnx_node(),),
    initializers: tuple[bytes, ...] = (),
    more: bytes = b"",
    opsets: tuple[str, ...] = ("",),
) -> bytes:
    """A ModelProto."""
    info = field(1, "x") + field(2, field(1, field(1, 1) + field(2, field(1, field(1, 2)))))
    graph = (
        b"".join(field(1, node) for node in nodes)
        + field(2, "g")
        + b"".join(field(5, one) for one in initializers)
    )
    graph += field(11, info) + field(12, info)
    versions = b"".join(field(8, (field(1, domain) if domain else b"") + field(2, 17)) for domain in opsets)
    return field(1, 8) + field(2, "writer") + versions + field(7, graph) + more


def onnx(chance: Random) -> Made:
    """External data outside the model's folder, operators that are native code or Python, data that are not."""
    places = {
        "parent": "../weights.bin", "deep-parent": "a/../../../../etc/passwd", "absolute": "/etc/shadow", "token": "/var/run/secrets/kubernetes.io/serviceaccount/token",
        "proc-environ": "/proc/self/environ", "dot-parent": "./../w.bin", "double-slash": "a//..//..//w.bin", "backslash": "..\\..\\w.bin", "drive": "C:\\Windows\\win.ini",
        "unc": "\\\\127.0.0.1\\share\\w", "url": "http://127.0.0.1:9/w.bin", "file-url": "file:///etc/passwd", "home": "~/.ssh/id_rsa", "nul": "w.bin\0../../x", "device": "/dev/zero",
        "percent": "%2e%2e/w.bin", "environment": "$HOME/.aws/credentials", "many-parents": "../" * 60 + "etc/passwd", "space-parent": " ../w.bin", "unicode-dots": "\u2025/w.bin",
    }  # fmt: skip
    gray = {"percent", "environment", "unicode-dots", "home", "space-parent"}
    for label, place in places.items():
        yield (
            f"external-{label}",
            onnx_model(initializers=(onnx_tensor(place),)),
            "gray" if label in gray else "core",
        )
    yield (
        "external-in-attribute",
        onnx_model(
            (
                onnx_node(
                    "Constant",
                    attributes=field(5, field(1, "value") + field(5, onnx_tensor("../../x")) + field(20, 4)),
                ),
            )
        ),
    )
    inner = field(1, onnx_node()) + field(2, "then") + field(5, onnx_tensor("/etc/passwd"))
    yield (
        "external-in-subgraph",
        onnx_model(
            (onnx_node("If", attributes=field(5, field(1, "then_branch") + field(6, inner) + field(20, 5))),)
        ),
    )
    sparse = (
        field(1, onnx_tensor("../x", name="values"))
        + field(2, onnx_tensor("w.bin", name="indices"))
        + field(3, 4)
    )
    yield (
        "external-in-sparse",
        onnx_model(
            more=b"",
            nodes=(
                onnx_node(
                    "Constant",
                    attributes=field(5, field(1, "sparse_value") + field(22, sparse) + field(20, 11)),
                ),
            ),
        ),
    )
    yield "external-offset-negative", onnx_model(initializers=(onnx_tensor("w.bin", "-1"),))
    yield "external-length-huge", onnx_model(initializers=(onnx_tensor("w.bin", "0", str(2**70)),)), "gray"
    functions = field(25, field(1, "f") + field(7, onnx_node("PyOp", "ai.onnx.contrib")) + field(10, "pwned"))
    yield (
        "custom-in-function",
        onnx_model((onnx_node("f", "pwned"),), more=functions, opsets=("", "pwned", "ai.onnx.contrib")),
    )
    for label, (op, domain) in {
        "pyop": ("PyOp", "ai.onnx.contrib"), "pyfunc": ("PyCustomOp", "ai.onnx.contrib"), "unknown-domain": ("Load", "com.pwned"), "aten": ("ATen", "org.pytorch.aten"),
        "torchscript": ("PythonOp", "prim"), "com-microsoft-pythonop": ("PythonOp", "com.microsoft"), "trt-plugin": ("TRT_PluginV2", "trt.plugins"), "lookalike-domain": ("Relu", "ai.onnх"),
    }.items():  # fmt: skip
        yield (
            f"operator-{label}",
            onnx_model((onnx_node(op, domain),), opsets=("", domain)),
            "gray" if label in ("aten", "trt-plugin") else "core",
        )
    yield "truncated", onnx_model(initializers=(onnx_tensor("w"),))[:-30]
    yield "length-beyond-file", onnx_model() + varint(7 << 3 | 2) + varint(2**40) + b"x"
    deep = onnx_node()
    for _ in range(300):
        deep = onnx_node("If", attributes=field(5, field(1, "t") + field(6, field(1, deep)) + field(20, 5)))
    yield "subgraphs-300-deep", onnx_model((deep,))
    yield "trailing-pickle", onnx_model() + stream(chance)
    yield (
        "raw-data-short",
        onnx_model(initializers=(field(1, 10**6) + field(2, 1) + field(8, "W") + field(9, b"\0" * 8),)),
    )
    yield (
        "dimension-negative",
        onnx_model(initializers=(field(1, -4) + field(2, 1) + field(8, "W") + field(9, b"\0" * 8),)),
    )


# --- TensorFlow -------------------------------------------------------------------------------------------------------


def tf_node(op: str, name: str = "n", value: str = "./pwned") -> bytes:
    """A NodeDef with a string constant in an attribute."""
    attribute = field(1, "value") + field(2, field(2, value))
    return field(1, name) + field(2, op) + field(5, attribute)


def saved_model(
    nodes: tuple[bytes, ...], functions: tuple[tuple[str, tuple[bytes, ...]], ...] = (), more: bytes = b""
) -> bytes:
    """saved_model.pb."""
    library = b""
    for name, body in functions:
        signature = field(1, field(1, name))
        library += field(1, signature + b"".join(field(3, node) for node in body))
    graph = b"".join(field(1, node) for node in nodes) + (field(2, library) if library else b"")
    meta = field(1, field(4, "serve") + field(5, "2.15.0")) + field(2, graph)
    return field(1, 1) + field(2, meta) + more


def tensorflow(chance: Random) -> Made:
    """Operations that read, write, connect or call Python; at the top, in functions, under other names."""
    operations = (
        "PyFunc", "PyFuncStateless", "EagerPyFunc", "ReadFile", "WriteFile", "MatchingFiles", "Save", "SaveV2", "SaveSlices", "ShardedFilename", "MergeV2Checkpoints", "WholeFileReaderV2",
        "TextLineDataset", "TFRecordDataset", "FixedLengthRecordDatasetV2", "TextLineReaderV2", "PrintV2", "DebugIdentity", "DebugIdentityV3", "DebugNumericSummaryV2", "RemoteCall", "RemoteFusedGraphExecute",
        "DataServiceDatasetV4", "RpcServerStart", "RpcCall", "SqlDataset", "CSVDatasetV2", "BigQueryReader", "Dawsonop", "_Send", "_Recv", "GeneratorDataset", "LoadDataset", "SnapshotDatasetV2", "SaveDatasetV2",
        "CollectiveBcastSend", "InitializeTableFromTextFileV2", "SummaryWriter", "CreateSummaryFileWriter", "LMDBReader", "XlaLaunchV2", "XlaHostCompute", "CustomPwnedOp", "TPUExecute", "AudioSummary", "TensorArrayWriteV3",
        "Assert", "FileSystemSetConfiguration", "IgniteDataset", "KafkaDataset", "S3Read", "TryRpc", "Rpc", "ComputeBatchSize", "OpaqueTpuExecute",
    )  # fmt: skip
    gray = {"PrintV2", "AudioSummary", "TensorArrayWriteV3", "Assert", "_Send", "_Recv", "ComputeBatchSize", "CollectiveBcastSend", "TextLineDataset", "TFRecordDataset", "GeneratorDataset", "XlaLaunchV2", "TPUExecute", "OpaqueTpuExecute", "SummaryWriter", "InitializeTableFromTextFileV2", "FixedLengthRecordDatasetV2", "TextLineReaderV2", "WholeFileReaderV2", "CSVDatasetV2", "ShardedFilename"}  # fmt: skip
    for op in operations:
        node = tf_node(op)
        inside = chance.random() < 0.4
        data = (
            saved_model((tf_node("PartitionedCall"),), (("f", (tf_node("Identity"), node)),))
            if inside
            else saved_model((tf_node("Const"), node))
        )
        yield f"{op}/saved_model.pb", data, "gray" if op in gray else "core"
    yield (
        "function-of-function/saved_model.pb",
        saved_model((), (("a", (tf_node("PartitionedCall"),)), ("b", (tf_node("WriteFile"),)))),
    )
    yield "frozen-graph.pb", field(1, tf_node("Const")) + field(1, tf_node("WriteFile"))
    yield (
        "second-metagraph/saved_model.pb",
        saved_model((tf_node("Const"),), more=field(2, field(2, field(1, tf_node("ReadFile"))))),
    )
    yield (
        "asset-traversal/saved_model.pb",
        saved_model((tf_node("Const"),), more=field(2, field(6, field(2, "../../../../etc/passwd")))),
    )
    yield "truncated/saved_model.pb", saved_model((tf_node("WriteFile"),))[:-9]
    yield (
        "length-lie/saved_model.pb",
        saved_model((tf_node("WriteFile"),)) + varint(2 << 3 | 2) + varint(2**50),
    )
    metadata = json.dumps(
        {
            "class_name": "Lambda",
            "config": {
                "name": "l",
                "function": {
                    "class_name": "__tuple__",
                    "items": [base64.b64encode(b"\xe3" + b"pwned").decode() + "\n", None, None],
                },
            },
        }
    )
    yield (
        "lambda-metadata/keras_metadata.pb",
        field(1, field(2, 1) + field(3, "root") + field(4, "_tf_keras_layer") + field(5, metadata)),
    )
    yield "lambda-metadata/saved_model.pb", saved_model((tf_node("Const"),)), "gray"


# --- Keras --------------------------------------------------------------------------------------------------------------


def keras_file(
    config: Any, weights: bytes = b"\x89HDF\r\n\x1a\n" + b"\0" * 88, more: tuple[Member, ...] = ()
) -> bytes:
    """A .keras file."""
    return zip_([
        Member("metadata.json", json.dumps({"keras_version": "3.9.0", "date_saved": "2026-01-01@00:00:00"}).encode()),
        Member("config.json", config if isinstance(config, bytes) else json.dumps(config).encode(), DEFLATED),
        Member("model.weights.h5", weights),
        *more,
    ])  # fmt: skip


def sequential(*layers: Any) -> dict[str, Any]:
    """A Sequential model's config."""
    first = {
        "module": "keras.layers",
        "class_name": "InputLayer",
        "config": {"batch_shape": [None, 4], "name": "i"},
        "registered_name": None,
    }
    return {
        "module": "keras",
        "class_name": "Sequential",
        "config": {"name": "s", "layers": [first, *layers]},
        "registered_name": None,
    }


def layer(module: str, name: str, config: Any) -> dict[str, Any]:
    """A serialized object."""
    return {"module": module, "class_name": name, "config": config, "registered_name": None}


def keras_configs() -> dict[str, Any]:
    """Configs that make Keras import, call or read what they name."""
    code = {
        "class_name": "__lambda__",
        "config": {"code": base64.b64encode(b"\xe3pwned").decode(), "defaults": None, "closure": None},
    }
    function = layer("os", "function", "system")
    return {
        "lambda": layer("keras.layers", "Lambda", {"name": "l", "function": code}),
        "lambda-tuple": layer("keras.layers", "Lambda", {"function": {"class_name": "__tuple__", "items": ["4wEAAAA=\n", None, None]}, "function_type": "lambda"}),
        "lambda-list": layer("keras.layers", "Lambda", {"function": ["4wEAAAA=\n", None, None], "function_type": "lambda", "module": "__main__"}),
        "lambda-named-function": layer("keras.layers", "Lambda", {"function": "system", "function_type": "function", "module": "os"}),
        "lambda-legacy-module": layer("keras.src.layers.core.lambda_layer", "Lambda", {"function": code}),
        "lambda-output-shape": layer("keras.layers", "Lambda", {"function": "identity", "output_shape": code}),
        "lambda-in-bidirectional": layer("keras.layers", "Bidirectional", {"layer": layer("keras.layers", "Lambda", {"function": code})}),
        "lambda-in-time-distributed": layer("keras.layers", "TimeDistributed", {"layer": layer("keras.layers", "Lambda", {"function": code})}),
        "lambda-in-nested-model": sequential(layer("keras.layers", "Lambda", {"function": code})),
        "lambda-as-activation": layer("keras.layers", "Dense", {"units": 1, "activation": code}),
        "lambda-as-initializer": layer("keras.layers", "Dense", {"units": 1, "kernel_initializer": code}),
        "cve-2025-1550-class": layer("subprocess", "Popen", {"args": ["echo", "pwned"]}),
        "cve-2025-1550-function": layer("builtins", "function", "eval"),
        "cve-2025-1550-inbound": {**layer("keras.layers", "Dense", {"units": 1}), "inbound_nodes": [{"args": [function], "kwargs": {}}]},
        "cve-2025-8747-get-file": layer("keras.utils", "get_file", {"fname": "x", "origin": "http://127.0.0.1:9/x"}),
        "cve-2025-8747-function": layer("keras.src.utils.file_utils", "function", "get_file"),
        "cve-2025-8747-unsafe": layer("keras.config", "function", "enable_unsafe_deserialization"),
        "cve-2025-9906-unsafe": layer("keras.src.saving.serialization_lib", "function", "enable_unsafe_deserialization"),
        "cve-2025-9906-config-path": layer("keras.config", "enable_unsafe_deserialization", {}),
        "cve-2025-12058-string-lookup": layer("keras.layers", "StringLookup", {"vocabulary": "/etc/passwd"}),
        "cve-2025-12058-url": layer("keras.layers", "IndexLookup", {"vocabulary": "http://169.254.169.254/latest"}),
        "cve-2025-12058-vectorization": layer("keras.layers", "TextVectorization", {"vocabulary": "/proc/self/environ"}),
        "cve-2025-49655-torch-module": layer("keras.src.utils.torch_utils", "TorchModuleWrapper", {"module": base64.b64encode(b"\x80\x02cos\nsystem\nX\x04\0\0\0echo\x85R.").decode()}),
        "cve-2025-49655-public": layer("keras.layers", "TorchModuleWrapper", {"module": "gAJjb3MKc3lzdGVtClgEAAAAZWNob4VSLg=="}),
        "tfsm-layer": layer("keras.layers", "TFSMLayer", {"filepath": "../../pwned", "call_endpoint": "serve"}),
        "jax-layer": layer("keras.src.utils.jax_layer", "JaxLayer", {"call_fn": function}),
        "flax-layer": layer("keras.src.utils.jax_layer", "FlaxLayer", {"module": function}),
        "custom-registered": {**layer("pwned", "Layer", {}), "registered_name": "pwned>Layer"},
        "custom-module": layer("pwned.layers", "Attention", {"units": 4}),
        "numpy-function": layer("numpy", "function", "load"),
        "keras-src-function": layer("keras.src.saving.saving_lib", "function", "load_model"),
        "keras-models-load": layer("keras.models", "load_model", {"filepath": "http://127.0.0.1:9/x"}),
        "keras-lookalike": layer("keras_pwned.layers", "Dense", {"units": 1}),
        "keras-private": layer("keras.src.utils.io_utils", "function", "set_logging_verbosity"),
        "typespec": {"class_name": "TypeSpec", "spec_name": "pwned.Spec", "serialized": []},
        "numpy-array": {"class_name": "__numpy__", "config": {"value": [1], "dtype": "object"}},
        "bytes-pickle": {"class_name": "__bytes__", "config": {"value": "gASVIQAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOULg=="}},
    }  # fmt: skip


def keras(chance: Random) -> Made:
    """.keras files whose config names what must not be named, or that carry something along."""
    gray = {"keras-private", "bytes-pickle", "typespec", "numpy-array", "custom-registered"}
    for label, config in keras_configs().items():
        yield f"{label}.keras", keras_file(sequential(config)), "gray" if label in gray else "core"
    code = keras_configs()["lambda"]
    yield "top-level.keras", keras_file(keras_configs()["cve-2025-1550-class"])
    yield (
        "in-compile-config.keras",
        keras_file({**sequential(), "compile_config": {"loss": code, "optimizer": "adam"}}),
    )
    yield "in-build-config.keras", keras_file({**sequential(), "build_config": {"shape_dict": code}})
    yield (
        "config-twice.keras",
        zip_(
            [
                Member("config.json", json.dumps(sequential()).encode()),
                Member("config.json", json.dumps(sequential(code)).encode()),
                Member("metadata.json", b"{}"),
                Member("model.weights.h5", b""),
            ]
        ),
    )
    yield (
        "config-key-twice.keras",
        keras_file(
            json.dumps(sequential()).encode()[:-1]
            + b', "config": '
            + json.dumps(sequential(code)["config"]).encode()
            + b"}"
        ),
    )
    yield (
        "config-escaped.keras",
        keras_file(json.dumps(sequential(code)).replace("Lambda", "L\\u0061mbda").encode()),
    )
    yield "config-utf16.keras", keras_file(json.dumps(sequential(code)).encode("utf-16"))
    yield "config-broken.keras", keras_file(b'{"module": "keras", "class_name": "Sequential", ')
    yield "config-depth.keras", keras_file(b'{"a":' * 50_000 + b"1" + b"}" * 50_000)
    yield "pickle-along.keras", keras_file(sequential(), more=(Member("assets/vocab.bin", stream(chance)),))
    yield "npz-weights.keras", keras_file(sequential(), weights=stream(chance))
    yield "asset-traversal.keras", keras_file(sequential(), more=(Member("../../assets/x.txt", b"x"),))
    yield "renamed.h5", keras_file(sequential(code))
    yield "renamed.bin", keras_file(sequential(keras_configs()["cve-2025-1550-class"]))
    yield "model.json", json.dumps(sequential(code)).encode()
    yield "architecture.json", json.dumps(sequential(keras_configs()["lambda-list"])).encode()
    yield "architecture.yaml", b"!!python/object/apply:os.system ['echo pwned']\n"
    fake = struct.pack("<Q", 8) + b"\0" * 8
    yield "h5-broken.h5", b"\x89HDF\r\n\x1a\n" + fake, "gray"


def samples(seed: int) -> Iterator[Sample]:
    """Every graph."""
    for group, family, extension in ((onnx, "onnx", ".onnx"), (tensorflow, "tf", ""), (keras, "keras", "")):
        for made in group(chance_of(seed, f"graphs:{family}")):
            tier = made[2] if len(made) == 3 else "core"
            yield Sample(
                f"graphs/{family}/{made[0]}{extension}", made[1], f"{family}:{made[0]}", family, tier
            )
