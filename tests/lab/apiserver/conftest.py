"""Servers for the tests of a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from eightysix.lab.apiserver import ApiServer, User
from eightysix.lab.apiserver.pki import new_key
from tests.lab.apiserver.cluster import CLUSTER, Clock, Json, Lab

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey


@pytest.fixture(scope="session")
def key() -> RSAPrivateKey:
    return new_key()


@pytest.fixture
def build(key: RSAPrivateKey) -> Iterator[Callable[..., Lab]]:
    """Builds a lab from objects and the arguments of `ApiServer`; it is closed at the end."""
    made: list[ApiServer] = []

    def start(objects: list[Json] | None = None, **more: Any) -> Lab:
        events: list[Json] = []
        clock = Clock()
        tokens = {
            "operator-token": User("mira", "u-1", ("system:masters",)),
            "dev-token": User("dev", "u-2", ("devs",)),
        }
        told = {"audit": events.append, "clock": clock, "tokens": tokens, "key": key, **more}
        server = ApiServer(CLUSTER if objects is None else objects, **told).start()
        made.append(server)
        return Lab(server, events, clock)

    yield start
    for server in made:
        server.close()


@pytest.fixture
def lab(build: Callable[..., Lab]) -> Lab:
    return build()
