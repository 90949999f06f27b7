"""Every scenario, registered by name when its module is imported."""

from __future__ import annotations

from tests.streams.scenarios import (
    attack_child,
    attack_dropper,
    attack_hook,
    attack_install,
    benign_operations,
    benign_platforms,
    benign_serving,
    benign_tools,
    releases,
)

__all__ = [
    "attack_child",
    "attack_dropper",
    "attack_hook",
    "attack_install",
    "benign_operations",
    "benign_platforms",
    "benign_serving",
    "benign_tools",
    "releases",
]
