"""What is true of a replayed breach, and with which parts of its telemetry it is judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from eightysix.lab.generate.scene import Streams
from eightysix.lab.generate.settings import FULL, LEAN, Setting

__all__ = ["LEAN_FULL", "REPLAYS", "SUBSETS", "Replayed", "Story", "replay"]

LEAN_FULL = replace(FULL, kernel=LEAN)
"""All three sources in the forms of any cluster; the kernel's with the field filters of `deploy/tetragon`."""

SUBSETS: Mapping[str, tuple[str, ...]] = {
    "kernel": ("tetragon.jsonl",),
    "kernel, audit": ("tetragon.jsonl", "kubernetes-audit.jsonl"),
    "kernel, sensor": ("tetragon.jsonl", "sensor.jsonl"),
    "sensor, audit": ("sensor.jsonl", "kubernetes-audit.jsonl"),
    "all": ("tetragon.jsonl", "sensor.jsonl", "kubernetes-audit.jsonl"),
    "all, baseline": ("tetragon.jsonl", "sensor.jsonl", "kubernetes-audit.jsonl"),
}
"""The parts of a recording that it is judged with; only the last one knows the time before."""


@dataclass(frozen=True)
class Story:
    """Ground truth of one breach. `verdicts` is the verdict that each subset must reach, no more and no less; where it is
    below what the project wants (`suspect` from the kernel alone, `contain` with more), `short` says why. `stages` are
    those that everything together tells, `leaves_s` is when what was taken leaves.
    """

    landed: str
    pod_uid: str
    t0_s: float
    leaves_s: float
    rules: tuple[str, ...]
    stages: tuple[str, ...]
    verdicts: Mapping[str, str]
    short: str = ""


@dataclass(frozen=True)
class Replayed:
    """The streams of one breach, those of the time before it, and the truth about them."""

    name: str
    streams: Streams
    baseline: Streams
    story: Story


@dataclass(frozen=True)
class Replay:
    """A way to write a breach in any setting."""

    name: str
    write: Callable[[Setting], tuple[Streams, Streams, Story]]
    summary: str = field(default="")

    def __call__(self, setting: Setting = LEAN_FULL) -> Replayed:
        """Write it."""
        return Replayed(self.name, *self.write(setting))


REPLAYS: dict[str, Replay] = {}


def replay(name: str) -> Callable[[Callable[[Setting], tuple[Streams, Streams, Story]]], Replay]:
    """Register a function as the writer of a breach; it gives the streams, those of the time before, and the truth."""

    def register(write: Callable[[Setting], tuple[Streams, Streams, Story]]) -> Replay:
        summary = (write.__doc__ or "").strip().partition("\n")[0]
        REPLAYS[name] = Replay(name, write, summary)
        return REPLAYS[name]

    return register
