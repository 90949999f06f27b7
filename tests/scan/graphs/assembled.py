"""Models that are messages of protocol buffers, flatbuffers or HDF5, written byte by byte."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "CODE",
    "attribute",
    "code_layer",
    "f",
    "flat",
    "function",
    "graph",
    "hdf5",
    "keras",
    "message",
    "meta",
    "node",
    "onnx",
]


def varint(value: int) -> bytes:
    """Base 128."""
    out = bytearray()
    value &= 0xFFFFFFFFFFFFFFFF
    while True:
        out.append(value & 0x7F | (0x80 if value > 0x7F else 0))
        value >>= 7
        if not value:
            return bytes(out)


def f(number: int, value: int | bytes | str) -> bytes:
    """One field."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    raw = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def message(*fields: bytes) -> bytes:
    """Fields one behind the other."""
    return b"".join(fields)


# --- ONNX


def onnx(nodes: Sequence[bytes] = (), initializers: Sequence[bytes] = (), *more: bytes) -> bytes:
    """A model with one graph."""
    inner = message(*(f(1, one) for one in nodes), f(2, "g"), *(f(5, one) for one in initializers))
    return message(f(1, 8), f(7, inner), f(8, message(f(1, ""), f(2, 17))), *more)


def node(kind: str, domain: str = "", *more: bytes) -> bytes:
    """A NodeProto."""
    return message(f(1, "x"), f(2, "y"), f(4, kind), f(7, domain) if domain else b"", *more)


# --- TensorFlow


def operation(
    name: str, kind: str, inputs: Sequence[str] = (), attributes: Mapping[str, bytes] | None = None
) -> bytes:
    """A NodeDef; attributes are AttrValues."""
    told = [f(5, message(f(1, key), f(2, value))) for key, value in (attributes or {}).items()]
    return message(f(1, name), f(2, kind), *(f(3, one) for one in inputs), *told)


def calls(name: str) -> bytes:
    """An AttrValue that names a function."""
    return f(10, f(1, name))


def constant(text: str) -> bytes:
    """An AttrValue that is a tensor of one text."""
    return f(8, f(8, text))


def function(name: str, *nodes: bytes) -> bytes:
    """A FunctionDef."""
    return message(f(1, f(1, name)), *(f(3, one) for one in nodes))


def graph(nodes: Sequence[bytes], functions: Sequence[bytes] = ()) -> bytes:
    """A GraphDef."""
    library = f(2, message(*(f(1, one) for one in functions))) if functions else b""
    return message(*(f(1, one) for one in nodes), library)


def meta(
    nodes: Sequence[bytes],
    functions: Sequence[bytes] = (),
    *,
    outputs: Sequence[str] = (),
    saver: Sequence[str] = (),
    assets: Sequence[str] = (),
) -> bytes:
    """A saved_model.pb with one MetaGraphDef."""
    told = [f(1, message(f(1, "o"), f(2, f(1, one)))) for one in outputs]
    signature = message(f(1, "serving_default"), f(2, message(*(f(2, one[2:]) for one in told))))
    saving = message(*(f(number, one) for number, one in enumerate(saver, 1)))
    inner = message(
        f(1, f(4, "serve")),
        f(2, graph(nodes, functions)),
        f(3, saving) if saver else b"",
        f(5, signature) if outputs else b"",
        *(f(6, message(f(1, f(1, "c:0")), f(2, one))) for one in assets),
    )
    return message(f(1, 1), f(2, inner))


def attribute(text: str) -> bytes:
    """An AttrValue that is a text."""
    return f(2, text)


# --- Keras and HDF5

CODE = "4wAAAAAAAAAA\n"
"""The begin of a marshalled code object in base 64, cut off."""


def keras(*layers: Any, **more: Any) -> dict[str, Any]:
    """A Sequential model as Keras 3 writes it."""
    config = {"name": "s", "trainable": True, "layers": list(layers)}
    return {"module": "keras", "class_name": "Sequential", "config": config, "registered_name": None, **more}


def layer(
    name: str, module: str | None = "keras.layers", registered: str | None = None, **config: Any
) -> dict[str, Any]:
    """A layer of it."""
    return {
        "module": module,
        "class_name": name,
        "config": {"name": "l", **config},
        "registered_name": registered,
    }


def code_layer() -> dict[str, Any]:
    """A Lambda layer with code."""
    code = {"class_name": "__lambda__", "config": {"code": CODE, "defaults": None, "closure": None}}
    return layer("Lambda", function=code)


def hdf5(attributes: Mapping[str, bytes], *, shared: bool = False) -> bytes:
    """A file with a superblock of version 0 whose root group has attributes of fixed length."""
    messages = b""
    for name, value in attributes.items():
        key = name.encode() + b"\0"
        kind = struct.pack("<BBBBI", 0x13, 0, 0, 0, len(value))
        space = bytes([1, 0, 0, 0, 0, 0, 0, 0])
        padded = [part + bytes(-len(part) % 8) for part in (key, kind, space)]
        body = struct.pack("<BBHHH", 1, 0, len(key), len(kind), len(space)) + b"".join(padded) + value
        body += bytes(-len(body) % 8)
        messages += struct.pack("<HHB3x", 0x0C, len(body), 2 if shared else 0) + body
    head = struct.pack("<BBHII4x", 1, 0, len(attributes), 1, len(messages)) + messages
    undefined = b"\xff" * 8
    start = b"\x89HDF\r\n\x1a\n" + bytes([0, 0, 0, 0, 0, 8, 8, 0]) + struct.pack("<HHI", 4, 16, 0)
    start += bytes(8) + undefined + struct.pack("<Q", 96 + len(head)) + undefined
    start += bytes(8) + struct.pack("<QII16x", 96, 0, 0)
    return start + head


def json_bytes(value: object) -> bytes:
    """For `hdf5`."""
    return json.dumps(value).encode()


# --- flatbuffers


def flat(*custom: str) -> bytes:
    """A TensorFlow Lite model that holds nothing but operator codes."""
    out = bytearray(b"\0\0\0\0TFL3")
    # The model's table: one field (operator_codes) of index 1; its entries stand in front of it.
    entries = struct.pack("<HHHH", 8, 8, 0, 4)
    out += entries
    table = len(out)
    out += struct.pack("<iI", table - 8, 0)
    out[0:4] = struct.pack("<I", table)
    vector = len(out)
    out[table + 4 : table + 8] = struct.pack("<I", vector - (table + 4))
    out += struct.pack("<I", len(custom)) + bytes(4 * len(custom))
    for number, name in enumerate(custom):
        entry = len(out)
        out += struct.pack("<HHHH", 8, 8, 0, 4)
        code = len(out)
        out += struct.pack("<iI", code - entry, 4) + struct.pack("<I", len(name)) + name.encode() + b"\0"
        out += bytes(-len(out) % 4)
        place = vector + 4 + 4 * number
        out[place : place + 4] = struct.pack("<I", code - place)
    return bytes(out)
