"""Judges the configuration of a Keras model: JSON that names classes and functions, which loading imports and calls.

Default deny: what Keras builds models from is known by an index of its own sources (`tools/keras_names.py`); everything
else is a name that somebody must vouch for, or one that runs code. Both formats are read: Keras 3 (`module`,
`class_name`, `registered_name`) and Keras 2 (`class_name` alone).
"""

from __future__ import annotations

import builtins
import json
import sys
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from eightysix.scan.artifact import Artifact
from eightysix.scan.graphs.location import leaves
from eightysix.scan.interface import Scan
from eightysix.scan.weights.shown import shown

__all__ = ["is_config", "judge", "judge_text", "read"]

LARGEST = 64 << 20
"""Bytes of a configuration that is read; those of public models have a few MB."""

DEPTH = 120
"""Models in models, with arguments of calls in lists: below 40 in practice."""

_KERAS = ("keras", "tf_keras", "tensorflow.keras", "tensorflow.python.keras")

_VALUES = frozenset(
    "__keras_tensor__ __tensor__ __numpy__ __bytes__ __ellipsis__ __complex__ __tuple__ __slice__ __set__ __dtype__".split()
)
"""Markers of plain values in keras/src/saving/serialization_lib.py and of Keras 2's json_utils."""

_BUILTIN = frozenset(
    "function tuple list dict set slice int float str bool complex range bytes NoneType type".split()
)

_OPERATIONS = frozenset(
    "bitwise dtypes experimental image linalg math nn quantization ragged random sets signal sparse strings".split()
)
"""Namespaces of TensorFlow without files, network or Python calls, for layers that wrap a function of it."""

_PLAIN_OPERATIONS = frozenset(
    "abs add add_n argmax argmin argsort boolean_mask broadcast_to cast clip_by_norm clip_by_value concat constant "
    "convert_to_tensor cos cumsum divide dynamic_partition dynamic_stitch einsum equal exp expand_dims eye fill floor "
    "gather gather_nd greater greater_equal identity less less_equal linspace logical_and logical_not logical_or matmul "
    "maximum meshgrid minimum multiply negative norm not_equal one_hot ones ones_like pad pow range rank reduce_all "
    "reduce_any reduce_logsumexp reduce_max reduce_mean reduce_min reduce_prod reduce_sum repeat reshape reverse roll round "
    "scatter_nd searchsorted sequence_mask shape sigmoid sign sin size slice sort split sqrt square squeeze stack "
    "stop_gradient strided_slice subtract tan tanh tensordot tile transpose truediv unique unstack where zeros zeros_like".split()
)
"""TensorFlow's functions of the same kind at its top level."""

_PATH_WORDS = ("path", "file", "vocabulary", "url", "origin", "directory", "folder")


class _Names(msgspec.Struct):
    source: str
    classes: str
    functions: str


@cache
def _known() -> tuple[frozenset[str], frozenset[str]]:
    data = files("eightysix.scan.graphs").joinpath("data", "keras-names.json").read_bytes()
    names = msgspec.json.decode(data, type=_Names)
    return frozenset(names.classes.split()), frozenset(names.functions.split())


def read(artifact: Artifact, scan: Scan) -> None:
    """A file or member that holds a configuration; anything else in JSON is left to others."""
    if len(artifact) > LARGEST:
        scan.report("too-much", artifact, f"a configuration of {len(artifact):,} bytes; {LARGEST:,} are read")
        return
    value = _parsed(bytes(artifact.view()), artifact, scan, strict=artifact.context == "keras")
    if isinstance(value, dict) and (artifact.context == "keras" or is_config(value)):
        judge(value, artifact, scan)


def judge_text(text: str | bytes, artifact: Artifact, scan: Scan, imports: bool = True) -> None:
    """A configuration that stands in another format (an attribute of HDF5, a field of a SavedModel).

    `imports` is False where a loader does without a class that it does not know, as that of SavedModel.
    """
    value = _parsed(text, artifact, scan)
    if value is not None:
        judge(value, artifact, scan, imports)


def _parsed(text: str | bytes, artifact: Artifact, scan: Scan, strict: bool = True) -> Any:
    """The value of a text in JSON; None where it is none. `strict` where it is known to be a configuration."""
    twice: list[str] = []

    def pairs(given: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(given)
        if len(table) != len(given) and not twice:
            twice.append(_twice([name for name, _ in given]))
        return table

    value = None
    try:
        # Bytes are decoded as Keras' own json.loads does: UTF-16 and UTF-32 pass, too.
        value = json.loads(text, object_pairs_hook=pairs)
    except RecursionError:
        scan.report("bomb", artifact, "the configuration nests deeper than any does")
    except ValueError:
        if strict:
            scan.report("keras-broken", artifact, "the configuration is no JSON")
    if strict and twice:
        scan.report("keras-broken", artifact, f"the name {shown(twice[0])} occurs twice in one object")
    return value


def _twice(names: list[str]) -> str:
    """The first name that stands there a second time: loaders differ in which of them counts."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return ""


def is_config(value: dict[str, Any]) -> bool:
    """Whether a JSON object is a Keras configuration: by the classes and modules that it names."""
    name = value.get("class_name")
    if not isinstance(name, str) or "config" not in value:
        return False
    module = value.get("module")
    if isinstance(module, str) and _of_keras(module):
        return True
    return name in _known()[0] or "keras_version" in value or "backend" in value


def judge(value: Any, artifact: Artifact, scan: Scan, imports: bool = True) -> None:
    """Walk a parsed configuration. Never raises because of what it holds, but `OverBudgetError`."""
    _Walk(artifact, scan, imports).walk(value)


class _Walk:
    def __init__(self, artifact: Artifact, scan: Scan, imports: bool) -> None:
        self.imports = imports
        self.artifact = artifact
        self.scan = scan
        self.unknown: set[str] = set()

    def walk(self, root: Any) -> None:
        stack: list[tuple[Any, int]] = [(root, 0)]
        while stack:
            value, depth = stack.pop()
            self.scan.budget.step(1)
            if depth > DEPTH:
                self.scan.report("bomb", self.artifact, "the configuration nests deeper than any does")
                return
            if isinstance(value, list):
                stack.extend((one, depth + 1) for one in value if isinstance(one, (dict, list)))
            elif isinstance(value, dict):
                self.object(value)
                stack.extend((one, depth + 1) for one in value.values() if isinstance(one, (dict, list)))
        if self.unknown and self.imports:
            names = sorted(self.unknown)
            why = f"names that Keras does not bring: {', '.join(shown(name) for name in names[:8])}"
            self.scan.report(
                "keras-unknown", self.artifact, why, names=[shown(name, 160) for name in names[:100]]
            )

    def code(self, why: str) -> None:
        self.scan.report("keras-code", self.artifact, why)

    def path(self, why: str) -> None:
        self.scan.report("keras-path", self.artifact, why)

    def object(self, value: dict[str, Any]) -> None:
        for key, one in value.items():
            if isinstance(one, str):
                self.text(key, one)
        name = value.get("class_name")
        if name is None:
            return
        if not isinstance(name, str):
            self.code("a class is named by something that is no text")
            return
        module = value.get("module")
        config = value.get("config")
        if name == "__lambda__":
            self.code("it carries a marshalled function")
        elif name == "__typespec__":
            self.spec(value)
        elif name.startswith("__"):
            if name not in _VALUES:
                self.unknown.add(name)
        else:
            self.named(name, module if isinstance(module, str) else "", value.get("registered_name"), config)
        if isinstance(config, dict):
            self.details(name, config)

    def text(self, key: str, text: str) -> None:
        """Texts under keys that speak of files."""
        word = key.lower()
        if any(one in word for one in _PATH_WORDS):
            why = leaves(text)
            if why:
                self.path(f"{shown(key)} {shown(text, 120)} {why}")
            elif word == "vocabulary" and text:
                self.path(f"the vocabulary is the file {shown(text, 120)}, not a part of the model")

    def spec(self, value: dict[str, Any]) -> None:
        module, name = value.get("module"), value.get("spec_name")
        if isinstance(module, str) and isinstance(name, str):
            if (
                module.partition(".")[0] in ("tensorflow", "keras")
                and name.endswith("Spec")
                and name.isidentifier()
            ):
                return
        self.code(f"a type is made by {shown(str(module))}.{shown(str(name))}")

    def named(self, name: str, module: str, registered: Any, config: Any) -> None:
        classes, functions = _known()
        if name == "function":
            called = config if isinstance(config, str) else name
            if module not in ("", "builtins") and not _of_keras(module):
                self.foreign(f"{module}.{called}", module)
            elif called in functions:
                pass
            elif _of_keras(module) or hasattr(builtins, called):
                # Keras writes `builtins` for every function; one that is really there is no layer's.
                self.code(f"it calls {shown(module or 'builtins')}.{shown(called)}")
            else:
                self.unknown.add(f"{module or 'custom'}.{called}")
        elif module == "builtins":
            if name not in _BUILTIN:
                self.code(f"it calls builtins.{shown(name)}")
        elif module and not _of_keras(module):
            self.foreign(f"{module}.{name}", module)
        elif isinstance(registered, str) and ">" in registered and registered.rpartition(">")[0] != "keras":
            self.unknown.add(registered)
        elif name not in classes:
            self.of_keras(name, module)

    def foreign(self, full: str, module: str) -> None:
        """Of a module that is not Keras': Python's own modules hold no layers."""
        if module.partition(".")[0] in sys.stdlib_module_names:
            self.code(f"it names {shown(full)}")
        else:
            self.unknown.add(full)

    def of_keras(self, name: str, module: str) -> None:
        full = f"{module}.{name}" if module else name
        if name == "TorchModuleWrapper":
            self.code("TorchModuleWrapper unpickles what it holds")
        elif name == "TFSMLayer":
            self.path("TFSMLayer loads another model from a path")
        elif module and name[:1].islower():
            self.code(f"it calls {shown(full)}, which is no layer")
        else:
            self.unknown.add(full)

    def details(self, name: str, config: dict[str, Any]) -> None:
        """Layers that hold functions."""
        if name == "Lambda":
            for side in ("function", "mask", "output_shape"):
                self.function(config.get(side), config.get(f"{side}_type"), config.get("module"))
        elif name in ("TFOpLambda", "SlicingOpLambda"):
            called = config.get("function")
            if isinstance(called, str) and not _harmless_operation(called):
                self.unknown.add(f"tensorflow.{called}")
        elif name == "TensorFlowOpLayer":
            self.unknown.add("tensorflow.TensorFlowOpLayer")
        elif name in ("ClassMethod", "InstanceMethod", "InstanceProperty"):
            for key in ("class", "function", "method", "attr_name"):
                called = config.get(key)
                if isinstance(called, str) and "__" in called.replace("__operators__", ""):
                    self.code(f"{name} reaches for {shown(called)}")

    def function(self, value: Any, kind: Any, module: Any) -> None:
        """What a Lambda calls: code in the model, or a name."""
        if isinstance(value, dict) and value.get("class_name") == "__tuple__":
            value, kind = value.get("items"), None
        if (
            (
                isinstance(value, list)
                and value
                and kind in ("lambda", None)
                and any(isinstance(x, str) for x in value)
            )
            or isinstance(value, str)
            and kind == "lambda"
        ):
            self.code("a Lambda layer carries a marshalled function")
        elif isinstance(value, str) and kind != "raw" and value not in _known()[1]:
            where = module if isinstance(module, str) else "custom"
            self.foreign(f"{where}.{value}", where)


def _harmless_operation(name: str) -> bool:
    first, dot, rest = name.partition(".")
    if first == "compat" and rest.startswith(("v1.", "v2.")):
        return _harmless_operation(rest[3:])
    if dot:
        return first in _OPERATIONS or first == "__operators__" or name.startswith("keras.backend.")
    return name in _PLAIN_OPERATIONS


def _of_keras(module: str) -> bool:
    return any(module == one or module.startswith(one + ".") for one in _KERAS)
