"""Judges programs: native code is no model, unless it goes under the name of one or carries one."""

from __future__ import annotations

from eightysix.scan.artifact import Artifact
from eightysix.scan.interface import Scan

__all__ = ["MODEL_NAMES", "read"]

MODEL_NAMES = frozenset(
    "bin ckpt cbm dill ggml ggjt gguf h5 hdf5 joblib keras llamafile mar mlmodel model mnn msgpack nemo npy npz onnx ort params "
    "pb pdiparams pdmodel pdparams pickle pkl ptl pt pte pth rknn safetensors sav skops t7 tflite ubj weights".split()
)
"""Endings under which loaders of models look. A name decides nothing about what a file is; here it is the disguise."""

SURE_NAMES = frozenset(
    "ckpt gguf h5 joblib keras npy npz onnx pickle pkl pt pte pth safetensors skops tflite".split()
)
"""Those that nothing but a model or its data has. `.bin` and the like are names of firmware and installers as well."""

_LOOKED = 64 << 20
_PORTABLE_MODEL = (b"MZqFpD='", b"jartsr='")
"""First bytes of programs for all systems at once (Actually Portable Executable): what a llamafile is."""


def read(artifact: Artifact, scan: Scan) -> None:
    """Report a program that pretends to be a model, or holds one."""
    name = artifact.name.lower()
    ending = name.rpartition(".")[2] if "." in name else ""
    if artifact.head(8) in _PORTABLE_MODEL:
        scan.report("disguised-program", artifact, "it is a program for every system, as llamafiles are")
    elif ending in SURE_NAMES:
        scan.report("program-as-model", artifact, f"it is a program or a script and is called .{ending}")
    elif ending in MODEL_NAMES:
        scan.report("disguised-program", artifact, f"it is a program or a script and is called .{ending}")
    place = artifact.find(b"GGUF\x03\0\0\0", 0, _LOOKED)
    if (
        place > 0
        and int.from_bytes(artifact.at(place + 8, 8), "little") < 1 << 24
        and ending not in ("so", "dll", "dylib")
    ):
        scan.descend(artifact.window("embedded GGUF", place, len(artifact) - place))
