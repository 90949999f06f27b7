"""How much one pod may send to its endpoint, and what is counted of it."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["MAX_DATAGRAM", "Counts", "Limits"]

MAX_DATAGRAM = 60_000
"""Bytes of one record, as the sensor is told to keep to. A longer datagram is counted and left out."""


class Limits(Struct, frozen=True):
    """What one endpoint may use. A sensor sends some 740 records for five whole programs, most of them within the first
    second of each; what comes beyond the budget waits in the socket's own queue, which costs other pods nothing."""

    records_s: float = 500.0
    burst: int = 4_000
    bytes_s: float = 512 * 1024.0
    burst_bytes: int = 4 << 20
    turn: int = 64
    """Datagrams of one endpoint that are read before the next one has its turn."""
    processes: int = 128
    """Processes of one pod whose numbers are followed; those that were quiet longest are forgotten."""
    endpoints: int = 512
    """Pods: more than twice what the kubelet starts on a node (110, or 250 with large nodes)."""
    look_s: float = 1.0
    """Seconds between two looks at the folder: pods that came, sockets that were taken away."""
    tell_s: float = 5.0
    """Seconds between two records that tell of the same kind of gap of one pod."""
    strangers: int = 64
    """Entries of a pod's folder that are looked at: nothing but the socket belongs there."""


class Counts(Struct):
    """What came from one pod since its endpoint was opened."""

    received: int = 0
    """Datagrams that were read."""
    passed: int = 0
    """Records that were handed on."""
    malformed: int = 0
    oversized: int = 0
    replayed: int = 0
    """Records that had come before, or are older than what came."""
    conflicting: int = 0
    """Numbers that were told twice with different content. Both are handed on: one of them may be the true one."""
    missing: int = 0
    """Numbers that never came, between others."""
    unheard: int = 0
    """Numbers before the first one that came of a process: sent before there was a socket, or before this receiver began.
    No sign of anything, and told as what it is."""
    sender_dropped: int = 0
    """What the senders themselves say that they dropped."""
    throttled: int = 0
    """Times that the pod was over its budget, and its datagrams waited."""
    repaired: int = 0
    """Times that the socket was gone from the pod's folder, or something else was in its place."""
    stripped: int = 0
    """Records that held fields which only the receiver may write."""
    strangers: int = 0
    """Entries of the pod's folder beside the socket, at the last look."""
