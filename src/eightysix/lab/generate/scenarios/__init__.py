"""Every scenario, registered by name when its module is imported."""

from __future__ import annotations

from eightysix.lab.generate.scenarios import (
    agents,
    attack_beyond,
    attack_child,
    attack_dropper,
    attack_hook,
    attack_install,
    attack_patient,
    benign_beyond,
    benign_operations,
    benign_platforms,
    benign_serving,
    benign_tools,
    model_loads,
    past_the_sensor,
    publishing,
    releases,
)

__all__ = [
    "agents",
    "attack_beyond",
    "attack_child",
    "attack_dropper",
    "attack_hook",
    "attack_install",
    "attack_patient",
    "benign_beyond",
    "benign_operations",
    "benign_platforms",
    "benign_serving",
    "benign_tools",
    "model_loads",
    "past_the_sensor",
    "publishing",
    "releases",
]
