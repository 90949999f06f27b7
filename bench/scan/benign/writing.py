"""A folder that real libraries write benign files into, with what each file is. Runs in other environments: Python 3.8 up."""

from __future__ import annotations

import csv
import importlib
import json
import sys
from pathlib import Path
from typing import Any, Callable


def library(name: str) -> Any:
    """The named module, untyped: it belongs to another environment."""
    return importlib.import_module(name)


class Folder:
    """Where files go; `index.csv` in it tells what was written."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.rows: list[tuple[str, str, str, str]] = []

    def file(self, path: str, technique: str, family: str, tier: str = "core") -> Path:
        """A place for one file, noted."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        self.rows.append((path, technique, family, tier))
        return target

    def attempt(self, what: Callable[..., object], label: str) -> None:
        """Do `what`; a library that cannot is told about and costs only its own files."""
        try:
            what()
        except Exception as problem:  # noqa: BLE001  whatever a library throws: its files are missing, and that is said
            print(f"{label}: {type(problem).__name__}: {str(problem)[:120]}", file=sys.stderr)

    def text(self, path: str, content: str, technique: str, family: str) -> None:
        """One text file."""
        self.file(path, technique, family).write_text(content, encoding="utf-8")

    def json(self, path: str, content: Any, technique: str, family: str) -> None:
        """One JSON file."""
        self.text(path, json.dumps(content, indent=2), technique, family)

    def close(self) -> None:
        """Write the index, without what was noted and then not written."""
        with (self.root / "index.csv").open("w", newline="", encoding="utf-8") as file:
            out = csv.writer(file, lineterminator="\n")
            out.writerows(row for row in self.rows if (self.root / row[0]).is_file())


def main(write: Callable[[Folder], None]) -> None:
    """Run a generator: its one argument is the folder."""
    folder = Folder(Path(sys.argv[1]))
    write(folder)
    folder.close()
