"""Writes the list of operators that torch and its own libraries bring, and which of them take a file or a remote call.

    python tools/mine_torchscript.py [NAMESPACE=LIBRARY.so ...] > src/eightysix/scan/containers/torchscript_ops.txt

Run it with an interpreter that has torch; name the libraries of torchvision and torchaudio beside it. An operator is said
to have an effect where a text argument of its schema is named for a file, or its name says that it is a remote call. The
order is fixed, so a run after an update shows what is new.
"""

from __future__ import annotations

import sys
from pathlib import Path

FILE_ARGUMENTS = frozenset(
    {"filename", "file", "path", "file_path", "filepath", "uri", "src", "url", "video_path"}
)
"""Names that schemas give to arguments that are opened."""

COMPUTING = frozenset(
    {
        *(
            "aten",
            "prim",
            "prims",
            "quantized",
            "_quantized",
            "mkldnn",
            "mkl",
            "mkldnn_prepacked",
            "onednn",
            "sparse",
        ),
        *("profiler", "quantization", "onnx"),
    }
)
"""Namespaces that are listed: those that saved models use. Collectives, shared memory and debug aids are left out."""


def main(libraries: list[str]) -> None:
    """Print one line a namespace and effect."""
    import torch  # type: ignore[import-not-found,unused-ignore] # no dependency of this project

    found: dict[tuple[str, str], set[str]] = {}

    def note(space: str, name: str, arguments: list[tuple[str, str]]) -> None:
        takes_file = any(one in FILE_ARGUMENTS and "str" in kind for one, kind in arguments)
        effect = "file" if takes_file else "remote" if name.startswith("rpc_") else ""
        found.setdefault((space, effect), set()).add(name)

    for schema in torch._C._jit_get_all_schemas():  # noqa: SLF001 - there is no public way to list them
        space, _, name = schema.name.partition("::")
        if space in COMPUTING:
            note(space, name, [(one.name, str(one.type)) for one in schema.arguments])
    for library in libraries:
        space, _, path = library.partition("=")
        for name, arguments in schemas_in(Path(path)):
            note(space, name, arguments)
    print(f"# Made by tools/mine_torchscript.py with torch {torch.__version__.partition('+')[0]}", end="")
    print("".join(f", {library.partition('=')[0]}" for library in libraries) + ".")
    for (space, effect), names in sorted(found.items()):
        print(f"{space}{'!' + effect if effect else ''}: {' '.join(sorted(names))}")


def schemas_in(library: Path) -> list[tuple[str, list[tuple[str, str]]]]:
    """The schemas that a native library registers its operators with: they are plain text in it."""
    found = []
    for data in library.read_bytes().split(b"\x00"):
        text = data.decode("ascii", "replace")
        name, bracket, rest = text.partition("(")
        arguments, arrow, _ = rest.partition(") ->")
        name = name.rpartition("::")[2]
        if bracket and arrow and name.isidentifier() and len(text) < 2000:
            pairs = [one.strip().partition(" ")[::2] for one in arguments.split(",") if one.strip()]
            found.append((name, [(one.partition("=")[0], kind) for kind, one in pairs]))
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
