"""Microsoft's parser, for the tests that ask it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from eightysix.hunt.binder import Binder
from eightysix.hunt.binder.parser import lacking
from tests.tiers import require_tier


@pytest.fixture(scope="session")
def binder() -> Iterator[Binder]:
    """Microsoft's parser; the test is skipped where it cannot be run."""
    missing = lacking()
    if missing:
        require_tier("node", f"{missing}: make parser")
    with Binder() as running:
        yield running
