"""The injected clock for what the kernel and the sensor recorded: their records come stamped with real time.

A leap says that from this moment on everything is so much later. The services stamp by the moved clock themselves; records
of the two sensors are moved here when the run is over, so that all of a run's files tell one time:

- `time`, and `start_time` of processes, parents and containers, each by the leaps before it (Tetragon);
- `t_ns`, and ages of distributions: what was installed before a leap is older after it (sensor).

Nothing else in a record depends on the clock: exec ids and start ticks are names.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec import Struct

__all__ = ["Leap", "Leaps", "finish_file"]

_SECOND = 1_000_000_000


class Leap(Struct, frozen=True):
    """At the real time `at_ns` the clock jumped by `seconds`."""

    at_ns: int
    seconds: float


class Leaps:
    """Maps real time to the time of the run."""

    def __init__(self, leaps: Sequence[Leap]) -> None:
        self._at: list[int] = []
        self._ahead: list[int] = [0]
        for leap in sorted(leaps, key=lambda leap: leap.at_ns):
            self._at.append(leap.at_ns)
            self._ahead.append(self._ahead[-1] + int(leap.seconds * _SECOND))

    def __bool__(self) -> bool:
        return bool(self._at)

    def ahead_ns(self, real_ns: int) -> int:
        """How far the clock was ahead at this real time. A record stamped at the very moment of a leap lies before it."""
        return self._ahead[bisect_right(self._at, real_ns - 1)]

    def tetragon(self, record: dict[str, Any]) -> None:
        """Move a record of Tetragon's export."""
        self._stamp(record, "time")
        for kind, told in record.items():
            if kind.startswith("process_") and isinstance(told, dict):
                for who in ("process", "parent"):
                    self._process(told.get(who))
                for ancestor in told.get("ancestors") or ():
                    self._process(ancestor)

    def _process(self, process: object) -> None:
        if not isinstance(process, dict):
            return
        self._stamp(process, "start_time")
        pod = process.get("pod")
        if isinstance(pod, dict) and isinstance(pod.get("container"), dict):
            self._stamp(pod["container"], "start_time")

    def _stamp(self, holder: dict[str, Any], name: str) -> None:
        text = holder.get(name)
        if isinstance(text, str) and (real := _nanoseconds(text)):
            holder[name] = _rfc3339(real + self.ahead_ns(real))

    def sensor(self, record: dict[str, Any]) -> None:
        """Move a record of the sensor."""
        real = record.get("t_ns")
        if not isinstance(real, int):
            return
        ahead = self.ahead_ns(real)
        record["t_ns"] = real + ahead
        if isinstance(record.get("received"), int):
            record["received"] += self.ahead_ns(record["received"])
        for dist in record.get("dists") or ():
            age = dist.get("age_s") if isinstance(dist, dict) else None
            if isinstance(age, int | float):
                installed = real - int(age * _SECOND)
                dist["age_s"] = round(age + (ahead - self.ahead_ns(installed)) / _SECOND, 3)


def finish_file(path: Path, leaps: Leaps, runtime: str = "") -> int:
    """Move every record of a file of telemetry, and leave out those of the container runtime itself, which has entered a pod's
    cgroup and not yet become its program: its arguments begin with `runtime`. Returns how many were left out.

    What is no object stays as it is, and without leaps so does every byte that is kept.
    """
    if not path.exists() or not (leaps or runtime):
        return 0
    move = leaps.tetragon if path.name == "tetragon.jsonl" else leaps.sensor
    fresh = path.with_name(path.name + ".new")
    left_out = 0
    with path.open("rb") as old, fresh.open("wb") as new:
        for line in old:
            try:
                record = json.loads(line)
            except ValueError:
                record = None
            if isinstance(record, dict):
                if runtime and _arguments(record).startswith(runtime):
                    left_out += 1
                    continue
                if leaps:
                    move(record)
                    text = json.dumps(record, separators=(",", ":"), ensure_ascii=False)
                    line = text.encode(errors="replace") + b"\n"
            new.write(line)
    fresh.replace(path)
    return left_out


def _arguments(record: dict[str, Any]) -> str:
    """Of the process that a record of Tetragon's export is about."""
    for told in record.values():
        if isinstance(told, dict) and isinstance(told.get("process"), dict):
            return str(told["process"].get("arguments", ""))
    return ""


def _nanoseconds(text: str) -> int:
    """Nanoseconds since the epoch of an RFC 3339 time in UTC; 0 where it is none."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    try:
        seconds = datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0
    return int(seconds) * _SECOND + (int(fraction[:9].ljust(9, "0")) if fraction.isdigit() else 0)


def _rfc3339(time_ns: int) -> str:
    seconds, rest = divmod(time_ns, _SECOND)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
