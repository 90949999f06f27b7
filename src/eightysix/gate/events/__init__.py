"""What registries tell by webhook, as events of ours: bytes in, events out, nothing else happens.

The body of a webhook is a hint from whoever could reach the endpoint. It is read within fixed bounds, recognised by its content,
and taken whole or not at all.
"""

from __future__ import annotations

from eightysix.gate.events.delivery import Delivery, Handshake
from eightysix.gate.events.event_grid import consent
from eightysix.gate.events.recognise import decode
from eightysix.gate.events.shape import MAX_BODY_BYTES, MAX_DEPTH, MAX_EVENTS

__all__ = [
    "MAX_BODY_BYTES",
    "MAX_DEPTH",
    "MAX_EVENTS",
    "Delivery",
    "Handshake",
    "consent",
    "decode",
]
