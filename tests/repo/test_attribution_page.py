"""The numbers of docs/attribution.md are those that were measured."""

from __future__ import annotations

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_tells_what_was_measured() -> None:
    measured = json.loads((ROOT / "bench" / "results" / "attribution.json").read_text())["answers"]
    rows = {}
    for line in (ROOT / "docs" / "attribution.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0] in measured:
            rows[cells[0]] = [int(cell) for cell in cells[1:]]
    wanted = {}
    for name, kinds in measured.items():
        counts = [
            kinds["managed identity"].get(answer, 0) for answer in ("certain", "among", "absent", "wrong")
        ]
        wanted[name] = [sum(counts), *counts]
    assert rows == wanted
    assert not any(counts.get("wrong") for kinds in measured.values() for counts in kinds.values())
