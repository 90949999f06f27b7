"""What the lab plays: attacks, and their look-alikes. One module each; `load` finds them all by looking into two folders.

Beside them lie `cast` (what they have in common), `labels` (what detection may say of them) and `payloads` (the attacker's
code, which is data here: it is copied into pods and never imported).
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from importlib import import_module

from eightysix.lab.interface import Scenario
from eightysix.lab.scenarios import attacks, look_alikes

__all__ = ["load"]


def load() -> Mapping[str, Scenario]:
    """Every scenario by its name: the attacks first, each group in order of names."""
    found: dict[str, Scenario] = {}
    for group in (attacks, look_alikes):
        for module in sorted(pkgutil.iter_modules(group.__path__), key=lambda module: module.name):
            scenario = import_module(f"{group.__name__}.{module.name}").SCENARIO
            found[scenario.name] = scenario
    return found
