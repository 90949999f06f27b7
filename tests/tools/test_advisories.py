"""The snapshot of advisories is what its table says, and faults in the table are told."""

from __future__ import annotations

from typing import Any

import pytest

from tools import advisories
from tools.advisories import __main__ as build

GOOD: dict[str, Any] = {
    "package": "some-package",
    "ids": ["CVE-2026-1"],
    "affected": ["<2.0"],
    "fixed": ["2.0"],
    "what": "x",
    "source": "https://example.org",
}


def test_a_sound_entry_has_no_fault() -> None:
    assert advisories.__doc__
    assert build.faults(GOOD) == []


@pytest.mark.parametrize(
    "change",
    [
        {"package": "Some_Package"},
        {"ids": []},
        {"ids": ["X-1"]},
        {"affected": []},
        {"fixed": ["1.9"]},
        {"source": "memory"},
    ],
)
def test_faults_are_told(change: dict[str, Any]) -> None:
    assert len(build.faults({**GOOD, **change})) == 1


def test_what_is_shipped_is_made_of_the_table(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = build.TARGET.read_text()
    monkeypatch.setattr(build, "TARGET", tmp_path / "made.json")
    assert build.main() == 0
    assert (tmp_path / "made.json").read_text() == shipped
