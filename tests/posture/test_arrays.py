"""Without numpy there is an error that says what to install."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["graph", "paths", "risk", "remedies", "fixes"])
def test_what_is_missing_is_told(module: str) -> None:
    program = (
        "import sys; sys.modules['numpy'] = None\n"
        "from eightysix.model.errors import MissingExtraError\n"
        f"try: import eightysix.posture.{module}\n"
        "except MissingExtraError as error: print(error.advice)\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "Install it: pip install 'eightysix[posture]'\n"
