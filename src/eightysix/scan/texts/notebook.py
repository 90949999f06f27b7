"""Notebooks: code is what they are for, and nobody runs it by opening one. Active output is another thing."""

from __future__ import annotations

from typing import Any

from eightysix.scan.artifact import Artifact
from eightysix.scan.interface import Scan
from eightysix.scan.texts.programs import judge_cell

__all__ = ["judge_notebook"]

CELLS = 20_000
"""Cells that are looked at."""

ACTIVE = ("<script", "javascript:", "onerror=", "onload=", "<iframe")
"""What makes HTML output act in a browser that trusts the notebook."""


def judge_notebook(root: Any, artifact: Artifact, scan: Scan) -> None:
    """Note the cells of a notebook whose stored output would run in a browser."""
    if not isinstance(root, dict) or not isinstance(root.get("cells"), list) or "nbformat" not in root:
        return
    for at, cell in enumerate(root["cells"][:CELLS]):
        if isinstance(cell, dict) and cell.get("cell_type") == "code":
            judge_cell(_joined(cell.get("source")), f"cells[{at}]", artifact, scan)
        outputs = cell.get("outputs") if isinstance(cell, dict) else None
        for output in outputs if isinstance(outputs, list) else ():
            data = output.get("data") if isinstance(output, dict) else None
            if isinstance(data, dict) and _acts(data):
                scan.report("notebook-output", artifact, f"cells[{at}]: stored output that runs in a browser")


def _acts(data: dict[str, Any]) -> bool:
    if "application/javascript" in data:
        return True
    text = (_joined(data.get("text/html")) + _joined(data.get("image/svg+xml"))).lower()
    return any(word in text for word in ACTIVE)


def _joined(value: Any) -> str:
    """A notebook's text: one string, or a list of lines."""
    if isinstance(value, list):
        return "".join(part for part in value if isinstance(part, str))
    return value if isinstance(value, str) else ""
