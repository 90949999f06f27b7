"""The numbers of docs/limits.md are those of the code."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "limits.md"


def rows() -> list[tuple[str, str]]:
    """Constant and value of each row that names a constant."""
    found = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        name = cells[1].strip("`") if len(cells) > 3 else ""
        if name.rpartition(".")[2].isupper() and "." in name:
            found.append((name, cells[2]))
    return found


def test_page_names_constants() -> None:
    assert len(rows()) > 20


@pytest.mark.parametrize(("name", "told"), rows(), ids=[name for name, _ in rows()])
def test_number_is_that_of_the_code(name: str, told: str) -> None:
    module, _, constant = name.rpartition(".")
    value = getattr(import_module(f"eightysix.{module}"), constant)
    bounds = sorted(value.values()) if isinstance(value, dict) else [value]
    wanted = " to ".join(f"{bound:,.0f}" for bound in dict.fromkeys((bounds[0], bounds[-1])))
    assert told == wanted, f"docs/limits.md tells {told} for {name}, the code has {wanted}"
