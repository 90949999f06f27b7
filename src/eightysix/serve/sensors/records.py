"""What of a datagram is handed on: fields that a sensor may write, as one line of JSON.

Everything in it was written by code that may be the attacker's. Fields are taken by name, so that no datagram becomes a
record of another source (Tetragon's, the API server's) for who reads the lines; whose it is, the receiver alone says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import msgspec

from eightysix.sources.sensor_records import Record

__all__ = ["RECEIVERS", "SENDERS", "Admitted", "RefusedError", "admit", "as_line"]

RECEIVERS = frozenset(
    {
        "cluster",
        "container",
        "container_id",
        "gap",
        "host_pid",
        "namespace",
        "node",
        "number",
        "pod",
        "pod_uid",
        "received",
    }
)
"""Fields that only the receiver writes. Of a sender they are taken off, and that is counted."""

_PROTOTYPE = frozenset({"sensor", "time", "actor", "actor_age_s"})
"""Fields of the prototype's records, which name no version: they would be read as such."""

_FOR_PEOPLE = frozenset(
    """args capped cut died digest dropped dyn errors installing kind last method modules names native pth python reason
    repeats resource sent seq unwatched""".split()
)
SENDERS = frozenset(Record.__struct_fields__) - RECEIVERS - _PROTOTYPE | _FOR_PEOPLE
"""Fields that a sensor may write: those that are read, and what else it says for people to look at."""

_MAX_SEQ = 1 << 53
_LATEST_NS = 1 << 63
_MAX_EVENT = 64
_decode = msgspec.json.Decoder(dict[str, object]).decode
_encode = msgspec.json.Encoder().encode


class RefusedError(ValueError):
    """The datagram is no record of a sensor."""


class Admitted(msgspec.Struct):
    """A record of a sensor, with the fields that it may write."""

    fields: dict[str, object]
    event: str
    seq: int
    t_ns: int
    ns_pid: int
    start_ticks: int
    boot_id: str
    stripped: bool


def admit(data: bytes) -> Admitted:
    """The record of one datagram. Raises `RefusedError`, whatever the bytes are."""
    told = _object(data)
    fields = {name: value for name, value in told.items() if name in SENDERS}
    event = fields.get("event")
    if type(fields.get("v")) is not int or fields["v"] != 1 or not isinstance(event, str):
        raise RefusedError("no sensor record of version 1")
    if event == "gap" or not 0 < len(event) <= _MAX_EVENT:
        raise RefusedError("no event of a sensor")
    ns_pid = _whole(fields, "ns_pid", 1 << 32) or _whole(fields, "pid", 1 << 32)
    if not ns_pid:
        raise RefusedError("no pid")
    t_ns = _whole(fields, "t_ns", _LATEST_NS)
    seq = fields.get("seq")
    if not t_ns or type(seq) is not int or not 0 <= seq < _MAX_SEQ:
        raise RefusedError("no time or no number")
    # One pid in the container, said twice: another `pid` beside it would be read as the host's.
    fields["pid"] = fields["ns_pid"] = ns_pid
    boot_id = fields.get("boot_id")
    return Admitted(
        fields,
        event,
        seq,
        t_ns,
        ns_pid,
        _whole(fields, "start_ticks", _LATEST_NS),
        boot_id[:64] if isinstance(boot_id, str) else "",
        not RECEIVERS.isdisjoint(told),
    )


def as_line(fields: Mapping[str, object], ours: Mapping[str, object]) -> bytes:
    """One line: what the sender says, and what only the receiver says."""
    return _encode({**fields, **ours}) + b"\n"


def _whole(fields: Mapping[str, object], name: str, limit: int) -> int:
    """The field as a positive whole number below `limit`, 0 where it is none."""
    value = fields.get(name)
    return value if type(value) is int and 0 < value < limit else 0


def _object(data: bytes) -> dict[str, object]:
    try:
        return _decode(data)
    except (ValueError, RecursionError):
        pass
    try:
        # Names of files can be any bytes, and come as lone surrogates: what has such a name must not be invisible by it.
        text = json.dumps(
            json.loads(data.decode(errors="replace"), parse_constant=_no_number), ensure_ascii=False
        )
        return _decode(text.encode(errors="replace"))
    except (ValueError, RecursionError) as error:
        raise RefusedError("no JSON object") from error


def _no_number(name: str) -> object:
    raise ValueError(name)
