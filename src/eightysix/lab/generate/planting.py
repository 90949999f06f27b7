"""Which attacks and look-alikes are planted, and when."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cache
from random import Random

import eightysix.lab.generate.scenarios  # noqa: F401 - importing them registers them
from eightysix.lab.generate.clock import SECOND, epoch_ns
from eightysix.lab.generate.cluster import Node
from eightysix.lab.generate.ids import hex_id
from eightysix.lab.generate.label import ATTACKS, LOOK_ALIKES, Scenario
from eightysix.lab.generate.plan import Plan
from eightysix.lab.generate.scene import Process
from eightysix.lab.generate.settings import FULL, Setting

__all__ = ["Planted", "plantable", "planted_scenarios"]

_NAMESPACES = ("", "research")
"""Where scenarios of namespace `ml` run: there, or in one that may have other telemetry."""

_MARGIN_S = 5.0
_ENOUGH = ("name", "setting", "streams", "label")
"""Fields of a recording that a generated cluster has, too."""


@dataclass(frozen=True)
class Planted:
    """One scenario of the cluster. `begins_s` is before its first record, `ends_s` after its last; `shift_s` is its own
    offset 0. `before` tells that it lands before the telemetry begins; `home` is the namespace of its first pod."""

    scenario: Scenario
    instance: str
    namespace: str
    home: str
    shift_s: float
    begins_s: float
    ends_s: float
    before: bool


@dataclass
class _Extent:
    """A stage that only measures: when a scenario's first and last records are."""

    first_ns: int = 0
    last_ns: int = 0
    home: str = ""

    def node(self, index: int) -> Node:
        return Node(f"measure-{index}")

    def noted(self, file: str, time_ns: int, record: dict[str, object]) -> None:
        self.first_ns = min(self.first_ns or time_ns, time_ns)
        self.last_ns = max(self.last_ns, time_ns)

    def entered(self, process: Process) -> None:
        self.home = self.home or process.container.pod.namespace

    def left(self, process: Process, time_ns: int) -> None:
        """Nothing to measure."""

    def marked(self, stage: str, time_ns: int, process: Process) -> None:
        """Nothing to measure."""


@cache
def _extent(name: str, *, malicious: bool) -> tuple[float, float, float, str]:
    """Offsets of a scenario's first and last record and of its landing, and its namespace."""
    extent = _Extent()
    setting = Setting("measure", FULL.kernel, FULL.sensor, FULL.audit, stage=extent)
    label = (ATTACKS if malicious else LOOK_ALIKES)[name](setting).label
    base = epoch_ns(0.0)
    first, last = (extent.first_ns - base) / SECOND, (extent.last_ns - base) / SECOND
    return first, last, label.t0_s if label.t0_s is not None else first, extent.home


@cache
def plantable(name: str, *, malicious: bool) -> bool:
    """Whether a scenario can be judged in a generated cluster: by streams that scenes note (no lines that it writes by
    itself) of what happens in pods, and nothing besides: no baseline of the time before, no option of `detect`."""
    scenario = (ATTACKS if malicious else LOOK_ALIKES)[name]
    extent = _Extent()
    by_itself = scenario(replace(FULL, stage=extent)).streams
    alone = scenario(FULL)
    besides = [getattr(alone, field.name) for field in fields(alone) if field.name not in _ENOUGH]
    return bool(extent.home) and not by_itself and not any(besides)


def planted_scenarios(plan: Plan, random: Random) -> list[Planted]:
    """Every kind in turn, so that as many are planted of each as can be; times, nodes and namespaces are drawn."""
    found: list[Planted] = []
    for group, count, malicious in ((ATTACKS, plan.attacks, True), (LOOK_ALIKES, plan.look_alikes, False)):
        names = [name for name in group if plantable(name, malicious=malicious)]
        for turn in range(count):
            name = names[turn % len(names)]
            first, last, lands, home = _extent(name, malicious=malicious)
            length = last - max(first, 0.0) + _MARGIN_S
            if length < plan.seconds:
                shift = random.random() * (plan.seconds - length) - max(first, 0.0)
            else:
                # Longer than the telemetry: its end is in it, its landing was before.
                shift = (0.2 + 0.7 * random.random()) * plan.seconds - last
            # By turns of the whole list, so that every kind is seen with each kind of telemetry.
            namespace = _NAMESPACES[turn // len(names) % len(_NAMESPACES)] if home == "ml" else ""
            found.append(
                Planted(
                    group[name],
                    hex_id(6, "instance", plan.seed, malicious, turn),
                    namespace,
                    home,
                    shift,
                    shift + first - _MARGIN_S,
                    shift + last + _MARGIN_S,
                    shift + lands < 0,
                )
            )
    return found
