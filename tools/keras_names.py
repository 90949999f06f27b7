"""Writes `scan/graphs/data/keras-names.json`: the classes and functions that a Keras configuration may name.

    python tools/keras_names.py KERAS.whl TF_KERAS.whl > src/eightysix/scan/graphs/data/keras-names.json

It reads the sources inside of the wheels and runs none of them. Classes are those that say how they are saved
(`get_config`, or a base that is one of them) below the folders that hold layers, losses and the like; functions are the
public ones of activations, losses, metrics, initializers and regularizers. Review the difference before it is committed.
"""

from __future__ import annotations

import ast
import json
import sys
import zipfile

FOLDERS = (
    "activations", "applications", "constraints", "dtype_policies", "feature_column", "engine", "initializers", "layers",
    "losses", "metrics", "mixed_precision", "models", "ops", "optimizers", "quantizers", "regularizers", "legacy_tf_layers",
    "premade_models", "random", "distribution", "backend", "tree",
)  # fmt: skip
"""Below these lie what models are built from. Not `utils`, `saving`, `datasets`, `callbacks`, `export`, `trainers`."""

FUNCTIONS = ("activations", "losses", "metrics", "initializers", "regularizers", "constraints")

BUILDERS = {"get", "serialize", "deserialize"}
"""Public functions of those modules that make objects out of configurations: no model computes with them."""


def read(wheel: str) -> tuple[dict[str, tuple[set[str], bool]], set[str]]:
    """The classes with their bases and whether they have `get_config`, and the functions."""
    classes: dict[str, tuple[set[str], bool]] = {}
    functions: set[str] = set()
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            parts = name.split("/")
            if len(parts) < 3 or parts[1] != "src" or not name.endswith(".py") or "test" in parts[-1]:
                continue
            if parts[2].removesuffix(".py") not in FOLDERS:
                continue
            tree = ast.parse(archive.read(name))
            for node in tree.body:
                if isinstance(node, ast.ClassDef):
                    bases = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
                    own = any(
                        isinstance(one, ast.FunctionDef) and one.name == "get_config" for one in node.body
                    )
                    known = classes.get(node.name, (set(), False))
                    classes[node.name] = (known[0] | bases, known[1] or own)
                elif isinstance(node, ast.FunctionDef) and parts[2].removesuffix(".py") in FUNCTIONS:
                    exported = any("keras_export" in ast.unparse(one) for one in node.decorator_list)
                    if exported and node.name not in BUILDERS:
                        functions.add(node.name)
    return classes, functions


def saved(classes: dict[str, tuple[set[str], bool]]) -> set[str]:
    """Those with `get_config`, and what inherits from them."""
    found = {name for name, (_, own) in classes.items() if own}
    grew = True
    while grew:
        more = {name for name, (bases, _) in classes.items() if bases & found} - found
        found |= more
        grew = bool(more)
    return {name for name in found if not name.startswith("_")}


def main() -> None:
    """Print the index."""
    classes: set[str] = set()
    functions: set[str] = set()
    for wheel in sys.argv[1:]:
        some, more = read(wheel)
        classes |= saved(some)
        functions |= more
    source = ", ".join(sorted(wheel.rpartition("/")[2] for wheel in sys.argv[1:])) + "; tools/keras_names.py"
    index = {"source": source, "classes": " ".join(sorted(classes)), "functions": " ".join(sorted(functions))}
    print(json.dumps(index, indent=1))


if __name__ == "__main__":
    main()
