"""The table of edges in the documentation is the code's."""

from __future__ import annotations

from pathlib import Path

from eightysix.posture.edges.kinds import KINDS, table

ROOT = Path(__file__).resolve().parents[3]


def test_the_documented_table_is_what_the_code_draws() -> None:
    assert table() in (ROOT / "docs" / "posture-edges.md").read_text()


def test_every_type_that_the_code_names_is_in_the_table_and_none_else() -> None:
    folder = ROOT / "src" / "eightysix" / "posture" / "edges"
    text = "".join(path.read_text() for path in folder.glob("*.py") if path.name != "kinds.py")
    assert [kind for kind in KINDS if f'"{kind}"' not in text] == []
