"""Writes `scan/graphs/data/tensorflow-ops.json`: every operator that TensorFlow registers, by what it can reach.

Run it with the Python of a virtual environment that holds the release to index, from the root of this repository:

    VENV/bin/python tools/tensorflow_ops.py > src/eightysix/scan/graphs/data/tensorflow-ops.json

It asks TensorFlow itself (`TF_GetAllOpList`); which file of its source registers an operator follows from the module of
its generated wrapper. Review the difference before it is committed: the roles come from those modules and from the names
and types of arguments, and a new release may bring others.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

PYTHON_MODULES = {"script"}
"""Registered in script_ops.cc: they call Python."""
EFFECT_MODULES = {"io", "filesystem", "debug", "summary", "rpc"}
"""What these files register reads, writes, lists or sends."""
CHECKPOINT_ARGUMENTS = {"tensor_names", "checkpoint_prefixes", "basename", "tensor_name"}
"""Arguments of the operators from which savers are made, within `io`."""
FILE_WORDS = {
    "filename", "filenames", "file_pattern", "patterns", "pattern", "path", "paths", "prefix", "ckpt_path", "directory",
    "log_dir_path", "snapshot_path", "chunk_file", "shard_dir", "server_address", "address", "debug_urls",
    "output_file_path", "old_vocab_file", "new_vocab_file", "vocab_file", "target_address", "host_mlir_module",
    "logdir", "data_source_name", "shape_inference_graph",
    "reader_path_prefix", "writer_path_prefix", "send_device", "recv_device", "target", "server", "send_key", "recv_key",
    "client", "method_name",
}  # fmt: skip
"""Arguments that name a file, a server or another device."""
VALUE_ATTRIBUTES = {"output_stream", "vocab_file", "descriptor_source"}
"""Attributes that name a file only if they are set: the value decides."""


def modules() -> dict[str, str]:
    """The source file of each operator, by the module of its wrapper."""
    import tensorflow as tf  # type: ignore[import-untyped]

    found: dict[str, str] = {}
    for path in sorted(Path(tf.__file__).parent.glob("python/ops/gen_*_ops*.py")):
        module = path.stem.removeprefix("gen_").partition("_ops")[0]
        for piece in path.read_text().split("_op_def_library._apply_op_helper(")[1:]:
            found[piece.split('"')[1]] = module
    return found


def role(operator: Any, module: str) -> str:
    """What an operator can reach."""
    inputs = {argument.name for argument in operator.input_arg}
    attributes = {attribute.name for attribute in operator.attr}
    if module in PYTHON_MODULES or operator.name.endswith("PyFunc") or operator.name.startswith("PyFunc"):
        return "python"
    if module == "io" and inputs & CHECKPOINT_ARGUMENTS:
        return "checkpoint"
    if module == "lookup" and "filename" in inputs | attributes:
        return "asset"
    gated = (attributes & VALUE_ATTRIBUTES) and not inputs & FILE_WORDS
    if gated:
        return "attribute"
    named = (inputs | attributes) & FILE_WORDS
    if "key" in attributes and operator.is_stateful:
        return "effect"  # a transfer between devices or hosts, put in by TensorFlow itself and only while it runs
    if named <= {"pattern"} and module not in ("io", "dataset", "experimental_dataset"):
        named = set()  # a regular expression
    if named <= {"prefix"} and module not in ("io", "dataset", "experimental_dataset", "array"):
        named = named if operator.is_stateful else set()
    if module in EFFECT_MODULES or named:
        return "effect"
    return "plain"


def main() -> None:
    """Print the index."""
    import tensorflow as tf
    from tensorflow.core.framework import op_def_pb2  # type: ignore[import-untyped]
    from tensorflow.python.client import pywrap_tf_session as session  # type: ignore[import-untyped]

    listed = op_def_pb2.OpList.FromString(session.TF_GetBuffer(session.TF_GetAllOpList()))
    where = modules()
    roles: dict[str, list[str]] = {}
    attributes: dict[str, str] = {}
    for operator in sorted(listed.op, key=lambda one: one.name):
        found = role(operator, where.get(operator.name, ""))
        if found == "attribute":
            attributes[operator.name] = min({one.name for one in operator.attr} & VALUE_ATTRIBUTES)
        else:
            roles.setdefault(found, []).append(operator.name)
    source = (
        f"tensorflow {tf.__version__}, TF_GetAllOpList, {len(listed.op)} operators; tools/tensorflow_ops.py"
    )
    index = {
        "source": source,
        "attribute": attributes,
        **{key: " ".join(value) for key, value in sorted(roles.items())},
    }
    print(json.dumps(index, indent=1, sort_keys=False))


if __name__ == "__main__":
    main()
