"""From events to incidents: pure, with no I/O and no clock. The engine's contract is `step`, `expire` and `merge`."""

from __future__ import annotations

from eightysix.detect.engine import Engine, judge
from eightysix.detect.state import PodState, decode_state, encode_state, expire, merge, step
from eightysix.detect.view import Knowledge

__all__ = [
    "Engine",
    "Knowledge",
    "PodState",
    "decode_state",
    "encode_state",
    "expire",
    "judge",
    "merge",
    "step",
]
