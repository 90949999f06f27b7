"""Whether the sensor inside a process told of a metadata call that the kernel saw: the twin of the kernel's record.

A call without one was made past Python's audit hooks: by native code (uvloop, gRPC, Rust clients do it every day), or by
code that silenced the sensor. So a missing twin says little alone and adds to what else is there. Whether one could be
there is asked first: without a word of the sensor from this very process before, it is `unknown`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eightysix.context.destinations import classify
from eightysix.model.words import Kind, Origin, Source

if TYPE_CHECKING:
    from eightysix.detect.observe import Observation
    from eightysix.detect.view import PodView

__all__ = ["Heard", "twin_of"]


class Heard:
    """When the sensor was first heard from each process: by the kernel's id of it, and by its host pid."""

    def __init__(self, view: PodView) -> None:
        self._actors: dict[str, int] = {}
        self._pids: dict[tuple[str, int], list[int]] = {}
        for o in view.observations:
            told = o.provenance
            if told.source is not Source.SENSOR:
                continue
            if o.actor:
                first = self._actors.get(o.actor, told.time_ns)
                self._actors[o.actor] = min(first, told.time_ns)
            if told.pid:
                self._pids.setdefault((told.container_id[:12], told.pid), []).append(told.time_ns)

    def before(self, observation: Observation, started_ns: int) -> bool:
        """Whether the sensor had spoken from the acting process by then."""
        first = self._actors.get(observation.actor)
        if first is not None and first <= observation.time_ns:
            return True
        event = observation.event
        times = self._pids.get((event.container_id[:12], event.pid), ()) if event.pid else ()
        return bool(started_ns) and any(started_ns <= time <= observation.time_ns for time in times)


def twin_of(view: PodView, observation: Observation) -> str | None:
    """`seen`, `missing` or `unknown` for a metadata call that the kernel saw, None for anything else."""
    event = observation.event
    if event.kind is not Kind.CONNECT or event.origin is not Origin.KERNEL:
        return None
    if classify(event.dst_ip, event.dst_port) != "metadata":
        return None
    if observation.twin is not None:
        return "seen"
    if view.flooded:
        return "unknown"  # the sensor's record may be among those that were let go
    if view.heard is None:
        view.heard = Heard(view)
    covered = view.heard.before(observation, view.lineage.started_ns(observation.actor))
    return "missing" if covered else "unknown"
