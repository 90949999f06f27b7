"""One incident as bytes that are read again: in the outbox, and between processes."""

from __future__ import annotations

import msgspec

from eightysix.model.incident import Incident
from eightysix.model.stored import read_stored
from eightysix.report.json_text import one_line

__all__ = ["decode_incident", "encode_incident"]


def encode_incident(incident: Incident) -> bytes:
    """The incident on one line, as in the list of `incidents/v1`."""
    return one_line(incident).encode()


def decode_incident(data: bytes) -> Incident:
    """Read what `encode_incident` wrote; raises `StateError` where it is something else."""
    return read_stored(_decode, data, "a stored incident")


_decode = msgspec.json.Decoder(Incident).decode
