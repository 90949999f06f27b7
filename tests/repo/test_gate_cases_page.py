"""docs/gate-cases.md says what the cases say."""

from __future__ import annotations

import pytest

from tools import gate_cases


def test_the_page_is_what_the_cases_say(capsys: pytest.CaptureFixture[str]) -> None:
    assert gate_cases.main(["--check"]) == 0, f"run python -m tools.gate_cases: {capsys.readouterr().out}"
