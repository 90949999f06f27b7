"""One incident as bytes that are read again: in the outbox, and between processes."""

from __future__ import annotations

import msgspec

from eightysix.model.errors import StateError
from eightysix.model.incident import Incident
from eightysix.report.json_text import one_line

__all__ = ["decode_incident", "encode_incident"]


def encode_incident(incident: Incident) -> bytes:
    """The incident on one line, as in the list of `incidents/v1`."""
    return one_line(incident).encode()


def decode_incident(data: bytes) -> Incident:
    """Read what `encode_incident` wrote; raises `StateError` where it is something else."""
    try:
        return _decode(data)
    except msgspec.MsgspecError as error:
        raise StateError(
            f"a stored incident cannot be read: {error}", "move the state away; it is rebuilt"
        ) from error


_decode = msgspec.json.Decoder(Incident).decode
