"""Runs the notebooks below examples/notebooks as Jupyter does, and keeps or compares what they give.

    make notebook                                        run them, and fail where they give something else
    .venv-notebook/bin/python tools/run_notebooks.py     run them, and write what they give into them

Texts and tables are compared letter by letter. Of a chart it is compared that there is one of the same size: its pixels
depend on the fonts' renderer. A cell that raises fails the run, and so does a warning that a cell prints.
"""

from __future__ import annotations

import argparse
import base64
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "examples" / "notebooks"
SECONDS = 300
"""For one cell."""
KEPT = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
"""The metadata of a notebook: no version of what ran it last."""


def executed(path: Path) -> Any:
    """The notebook with the outputs of a run in a kernel of this interpreter."""
    import nbclient
    import nbformat

    book = nbformat.read(path, as_version=4)
    os.environ["PYTHONPATH"] = os.pathsep.join(
        filter(None, (str(ROOT / "src"), os.environ.get("PYTHONPATH", "")))
    )
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    os.environ["PYTHONWARNINGS"] = "ignore::DeprecationWarning,ignore::PendingDeprecationWarning"
    client = nbclient.NotebookClient(book, timeout=SECONDS, kernel_name="python3", record_timing=False)
    with TemporaryDirectory(prefix="notebook-") as sockets:
        # Sockets in a folder of this user's own: over TCP anybody on the machine could read along.
        manager = client.create_kernel_manager()
        manager.transport, manager.ip = "ipc", f"{sockets}/kernel"
        client.execute(cwd=str(path.parent))
    book.metadata = nbformat.from_dict(KEPT)
    return book


def outputs(book: Any) -> Iterator[tuple[int, str, str]]:
    """Number of the cell, kind of an output, and its text; of a picture its size."""
    for number, cell in enumerate(book.cells):
        for one in cell.get("outputs", ()):
            if one.output_type == "stream":
                yield number, one.name, one.text
            for kind, data in sorted(one.get("data", {}).items()):
                yield number, kind, _size(data) if kind == "image/png" else "".join(data)


def _size(data: str) -> str:
    """Width and height of a PNG: its first chunk."""
    head = base64.b64decode(data)[:24]
    return f"{int.from_bytes(head[16:20])}x{int.from_bytes(head[20:24])}"


def differences(kept: Any, found: Any) -> list[str]:
    """What the run gave otherwise, for people."""
    before, after = list(outputs(kept)), list(outputs(found))
    told = [
        f"cell {number}, {kind}:\n--- kept\n{text}\n--- given\n{now[2] if now[:2] == (number, kind) else now}"
        for (number, kind, text), now in zip(before, after, strict=False)
        if (number, kind, text) != now
    ]
    if len(before) != len(after):
        told.append(f"{len(after)} outputs instead of {len(before)}")
    told += [
        f"cell {number} prints on standard error: {text}" for number, kind, text in after if kind == "stderr"
    ]
    return told


def main(arguments: Sequence[str]) -> int:
    """Run; 1 where `--check` finds a difference."""
    import nbformat

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 where something differs")
    args = parser.parse_args(arguments)
    wrong = 0
    for path in sorted(FOLDER.glob("*.ipynb")):
        kept = nbformat.read(path, as_version=4)
        found = executed(path)
        told = differences(kept, found)
        print(
            f"{path.name}: {sum(cell.cell_type == 'code' for cell in found.cells)} cells, {len(told)} differences"
        )
        print("\n".join(told)[:20_000])
        if args.check:
            wrong += bool(told)
        else:
            nbformat.write(found, path)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
