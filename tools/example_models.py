"""Writes the example artifacts of docs/scan.md, byte by byte: nothing is pickled and nothing is loaded.

python tools/example_models.py [DIR]     default: examples/models

What the malicious ones would do is harmless: they would print a sentence.
"""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["files"]

FOLDER = Path(__file__).resolve().parent.parent / "examples" / "models"
SENTENCE = "print('this ran while the model was loaded')"


def _text(text: str) -> bytes:
    """SHORT_BINUNICODE."""
    data = text.encode()
    return b"\x8c" + bytes([len(data)]) + data


def _framed(body: bytes) -> bytes:
    """A whole pickle of protocol 4: PROTO, FRAME, `body`, STOP."""
    whole = body + b"."
    return b"\x80\x04\x95" + struct.pack("<Q", len(whole)) + whole


def reranker() -> bytes:
    """A dictionary of settings, one of which is what eval gives: it runs while the file is loaded."""
    call = _text("builtins") + _text("eval") + b"\x93" + _text(SENTENCE) + b"\x85R"
    return _framed(b"}(" + _text("layers") + b"K\x0c" + _text("bias") + call + b"u")


def ranker() -> bytes:
    """An object of a class of our own, as pickle writes it: class, NEWOBJ, state, BUILD."""
    made = _text("acme.ranking") + _text("Ranker") + b"\x93)\x81"
    return _framed(made + b"}(" + _text("depth") + b"K\x06" + _text("name") + _text("ranker") + b"ub")


def weights() -> bytes:
    """safetensors: the header's length, the header, the numbers."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}}).encode()
    return struct.pack("<Q", len(header)) + header + struct.pack("<4f", 0.1, 0.2, 0.3, 0.4)


def history() -> bytes:
    """A saved message whose metadata, which its writer controls, holds a LangChain object that reads a secret."""
    secret = {"lc": 1, "type": "secret", "id": ["OPENAI_API_KEY"]}
    message = {
        "lc": 1,
        "type": "constructor",
        "id": ["langchain", "schema", "messages", "AIMessage"],
        "kwargs": {"content": "Here is your answer.", "additional_kwargs": {"note": secret}},
    }
    return json.dumps(message, indent=2).encode() + b"\n"


def files() -> Mapping[str, bytes]:
    """Every example by its name below the folder."""
    return {
        "history.json": history(),
        "ranker.pkl": ranker(),
        "reranker.bin": reranker(),
        "weights.safetensors": weights(),
    }


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files().items():
        (folder / name).write_bytes(data)
