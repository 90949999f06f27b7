"""Documented breaches as inert streams, written from public reports: what landed, what ran, what it took, where it went.

>>> from tests.replays import REPLAYS
>>> sorted(REPLAYS)[0]
'lightning-2.6.2'
"""

from __future__ import annotations

from tests.replays import miner, shai_hulud, teampcp
from tests.replays.label import REPLAYS, SUBSETS, Replayed, Story

__all__ = ["REPLAYS", "SUBSETS", "Replayed", "Story", "miner", "shai_hulud", "teampcp"]
