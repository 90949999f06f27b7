"""The notebooks of examples/notebooks, run in Jupyter's kernel: every cell works and gives what the file shows."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.tiers import require_tier


@pytest.fixture(scope="module")
def interpreter(root: Path) -> str:
    """A Python with what requirements/notebook.txt names; skips the tier `notebook` where there is none."""
    named = os.environ.get("EIGHTYSIX_NOTEBOOK_PYTHON")
    path = Path(named) if named else root / ".venv-notebook" / "bin" / "python"
    if not path.exists():
        require_tier("notebook", f"there is no {named or '.venv-notebook'}: make notebook-setup")
    needs = "import duckdb_kql, ipykernel, matplotlib, nbclient, pandas"
    done = subprocess.run([path, "-c", needs], capture_output=True, text=True, check=False)
    if done.returncode:
        require_tier("notebook", done.stderr.strip().rpartition("\n")[2])
    return str(path)


def ran(interpreter: str, root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {key: text for key, text in os.environ.items() if not key.startswith(("EIGHTYSIX_", "PYTEST_"))}
    env["PYTHONPATH"] = str(root / "src")
    return subprocess.run(
        [interpreter, *arguments], env=env, capture_output=True, text=True, check=False, timeout=600
    )


def test_the_notebooks_give_what_they_show(interpreter: str, root: Path) -> None:
    done = ran(interpreter, root, str(root / "tools" / "run_notebooks.py"), "--check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "hunt-a-day.ipynb: 13 cells, 0 differences" in done.stdout


def test_a_cell_that_gives_something_else_is_told(interpreter: str, root: Path) -> None:
    code = """
import sys
sys.path.insert(0, sys.argv[1])
import nbformat
from tools.run_notebooks import ROOT, differences
kept = nbformat.read(ROOT / "examples" / "notebooks" / "hunt-a-day.ipynb", as_version=4)
assert differences(kept, kept) == []
for kind in ("text/plain", "text/html", "image/png"):
    other = nbformat.read(ROOT / "examples" / "notebooks" / "hunt-a-day.ipynb", as_version=4)
    one = next(o for c in other.cells for o in c.get("outputs", ()) if kind in o.get("data", {}))
    one["data"][kind] = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"
    assert len(differences(kept, other)) == 1, kind
"""
    done = ran(interpreter, root, "-c", code, str(root))
    assert done.returncode == 0, done.stderr


def test_frames_keep_types_beside_nulls(interpreter: str, root: Path, tmp_path: Path) -> None:
    row = {"table": "AKSAudit", "row": {"TimeGenerated": "2026-11-24T09:00:00.123456Z"}}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row))
    code = """
import sys
from eightysix import notebook
day = notebook.load(sys.argv[1])
query = '''AKSAudit | take 1
| project Time = TimeGenerated, One = 1
| union (print One = long(null), Span = -26h, Real = real(null), Flag = bool(null), Bag = dynamic({"a": 1}))
| union (print Span = 1.5s, Real = 0.5, Flag = true, Time = datetime(9999-12-31))
| sort by One asc nulls first, Real asc'''
frame = day.hunt(query).frame()
assert {k: str(v) for k, v in frame.dtypes.items()} == {
    "Time": "datetime64[us, UTC]", "One": "Int64", "Span": "timedelta64[us]", "Real": "Float64", "Flag": "boolean",
    "Bag": "object"}, frame.dtypes
assert frame["Time"].max().year == 9999, frame["Time"]
assert frame["Time"].min().isoformat() == "2026-11-24T09:00:00.123456+00:00"
assert sorted(one.total_seconds() for one in frame["Span"].dropna()) == [-93600.0, 1.5]
assert frame["Flag"].dropna().tolist() == [True] and frame["Bag"].dropna().tolist() == [{"a": 1}]
empty = day.hunt("AKSAudit | where false | project TimeGenerated, Verb").frame()
assert len(empty) == 0 and list(empty.columns) == ["TimeGenerated", "Verb"]
assert str(empty["TimeGenerated"].dtype).endswith("UTC]")
"""
    done = ran(interpreter, root, "-c", code, str(tmp_path / "rows.jsonl"))
    assert done.returncode == 0, done.stderr
