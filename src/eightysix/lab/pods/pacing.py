"""Writes a recording out again: at once, or record by record in the order of its own time, for something that follows."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

import msgspec

from eightysix.lab.interface import FOLDER, TELEMETRY, Label

__all__ = ["moment", "write_out"]

_STAMPS = (
    "t_ns",
    "time",
    "stageTimestamp",
    "requestReceivedTimestamp",
    "TimeGenerated",
    "timestamp",
    "eventTime",
)
"""Where records of the lab's telemetry tell their time, the first that is there."""


def write_out(
    files: Mapping[str, bytes],
    label: Label,
    output: Path,
    speed: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Write into the folder `output` as a run does, telemetry in a folder of its own; returns lines of telemetry.

    `speed` 0 writes all at once, N lets N recorded seconds pass in one.

    A record without a time of its own comes with the one before it in its file.
    """
    (output / "label.json").write_bytes(msgspec.json.format(msgspec.json.encode(label), indent=1) + b"\n")
    place = output / FOLDER
    place.mkdir(exist_ok=True)
    for name in files.keys() - set(TELEMETRY):
        (output / name).write_bytes(files[name])
    told = {name: text for name, text in files.items() if name in TELEMETRY}
    lines = [
        (at, number, name, line)
        for name, text in told.items()
        for number, (at, line) in enumerate(_stamped(text))
    ]
    if not speed:
        for name, text in told.items():
            (place / name).write_bytes(text)
        return len(lines)
    for name in told:
        (place / name).touch()  # all are there before somebody follows
    lines.sort(key=lambda line: (line[0], line[2], line[1]))
    began, first = clock(), next((at for at, *_ in lines if at), 0)
    for at, _, name, line in lines:
        ahead = (at - first) / 1e9 / speed - (clock() - began)
        if ahead > 0:
            sleep(ahead)
        with (place / name).open("ab") as file:
            file.write(line)
    return len(lines)


def _stamped(text: bytes) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    at = 0
    for line in text.splitlines(keepends=True):
        at = moment(line) or at
        found.append((at, line))
    return found


def moment(line: bytes) -> int:
    """Nanoseconds since the epoch at which the record happened; 0 where it does not tell."""
    try:
        record = json.loads(line)
    except ValueError:
        return 0
    if not isinstance(record, dict):
        return 0
    for name in _STAMPS:
        value = record.get(name)
        if isinstance(value, int) and value > 0:
            return value
        if isinstance(value, str):
            try:
                return int(datetime.fromisoformat(_microseconds(value)).timestamp() * 1e9)
            except ValueError:
                continue
    return 0


def _microseconds(text: str) -> str:
    """RFC 3339 with at most six digits of fraction: what `fromisoformat` is sure to read."""
    whole, dot, rest = text.partition(".")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    return f"{whole}.{digits[:6].ljust(6, '0')}{rest[len(digits) :]}" if dot else text
