"""docs/scenarios.md says what the scenarios say."""

from __future__ import annotations

import pytest

from tools import scenario_pages


def test_the_page_is_what_the_scenarios_say(capsys: pytest.CaptureFixture[str]) -> None:
    assert scenario_pages.main(["--check"]) == 0, (
        f"run python -m tools.scenario_pages: {capsys.readouterr().out}"
    )
