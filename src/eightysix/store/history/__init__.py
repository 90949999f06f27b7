"""The gate's memory: where tags pointed, what lay there, who signed, who is known to, and what was decided."""

from __future__ import annotations

from eightysix.store.history.ends import Observation, Recorded
from eightysix.store.history.history import GateHistory
from eightysix.store.history.moves import Watched

__all__ = ["GateHistory", "Observation", "Recorded", "Watched"]
