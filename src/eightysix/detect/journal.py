"""What came to a pod between two writes of its whole state: small enough to be written each second, complete enough that
a snapshot and its deltas, put together in any order, are the state."""

from __future__ import annotations

import msgspec
from msgspec import Struct, field

from eightysix.detect.state import Fact, PodState, bound_contacts, step
from eightysix.model.event import Contact, Event
from eightysix.model.stored import read_versioned

__all__ = ["DELTA_VERSION", "Delta", "apply_delta", "decode_delta", "encode_delta"]

DELTA_VERSION = 1


class Delta(Struct, array_like=True):
    """New events, process facts by exec id, and plain connections that are new or moved."""

    version: int = DELTA_VERSION
    events: list[Event] = field(default_factory=list)
    processes: dict[str, Fact] = field(default_factory=dict)
    contacts: dict[str, Contact] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.events or self.processes or self.contacts)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Delta)


def encode_delta(delta: Delta) -> bytes:
    """The delta as msgpack."""
    return _encoder.encode(delta)


def decode_delta(data: bytes) -> Delta:
    """Read what `encode_delta` wrote; raises `StateError` for another version or damage."""
    return read_versioned(_decoder.decode, data, "a stored delta", DELTA_VERSION)


def apply_delta(state: PodState, delta: Delta) -> None:
    """Take a delta into `state`; again is harmless."""
    state.processes.update(delta.processes)
    for name, contact in delta.contacts.items():
        known = state.contacts.get(name, contact)
        state.contacts[name] = (min(contact[0], known[0]), max(contact[1], known[1]))
    if bound_contacts(state.contacts):
        state.flooded.add("too many different: connect")
    for event in delta.events:
        step(state, event)
