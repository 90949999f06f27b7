"""One set of services a module: making its keys takes most of a second."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.services.world import World, running


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Services with the lab's own registry."""
    with running(tmp_path_factory.mktemp("services")) as found:
        yield found
