"""What may be expected of a planted scenario, given the telemetry that there is of its pod."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from eightysix.lab.generate.label import VERDICTS, Label, Scenario
from eightysix.lab.generate.settings import (
    CURRENT,
    FULL,
    KERNEL_AND_AUDIT,
    KERNEL_AND_SENSOR,
    KERNEL_ONLY,
    SENSOR_AND_AUDIT,
    Setting,
)

__all__ = ["Bounds", "bounds_of", "setting_of"]

_IN_PROCESS = (
    "to the kernel alone, a server that updates itself and then takes two credentials is a notebook that does"
)
_AT_START = "to the kernel alone it is a pod that installs its dependencies, identifies itself and works"
_NO_PYTHON = "what acts is no Python, so the sensor is not in it, and nobody else saw the landing"
_VOLUME = "that the package came with a volume takes the audit log for the claim and the sensor for the package at work"
_REFUSED = "the attempt was refused, and nothing followed"

_NOT_SEEN: Mapping[tuple[str, str], str] = {
    ("breach-86s", "kernel"): _IN_PROCESS,
    ("breach-fast", "kernel"): _IN_PROCESS,
    ("breach-at-import", "kernel"): _IN_PROCESS,
    ("breach-sdk", "kernel"): _IN_PROCESS,
    ("breach-forked-worker", "kernel"): _IN_PROCESS,
    ("breach-forked-worker-bare", "kernel"): _IN_PROCESS,
    (
        "breach-forked-worker-unknown",
        "kernel",
    ): "the agent never heard of the worker: its records name no pod",
    (
        "breach-forked-worker-unknown",
        "kernel-audit",
    ): "the agent never heard of the worker: its records name no pod",
    ("poisoned-at-start", "kernel"): _AT_START,
    ("dropper", "sensor-audit"): _NO_PYTHON,
    (
        "dropped-script",
        "sensor-audit",
    ): "a script that something else than pip wrote: only the kernel sees it written",
    ("build-shell", "sensor-audit"): _NO_PYTHON,
    ("volume-replaced-pod", "kernel-audit"): _VOLUME,
    ("volume-replaced-pod", "kernel-sensor"): _VOLUME,
    ("volume-replaced-pod-pth", "kernel-audit"): _VOLUME,
    ("volume-replaced-pod-pth", "kernel-sensor"): _VOLUME,
}
"""By scenario and telemetry, why nothing at `suspect` can be asked for."""

_HARMLESS: Mapping[str, str] = {"metadata-denied": _REFUSED, "metadata-denied-tcp": _REFUSED}
"""Attempts that came to nothing."""

_ASKED_BEYOND_TESTS = frozenset(
    "breach-86s breach-fast breach-at-import breach-sdk breach-forked-worker breach-forked-worker-bare "
    "breach-forked-worker-unknown build-backend build-shell dropper dropped-script hook-pth hook-pth-session "
    "hook-sitecustomize poisoned-at-start poisoned-exec-session sleeper-minutes sleeper-hour sleeper-day".split()
)
"""Scenarios of which `suspect` is asked for with telemetry, too, that their own tests do not cover, but for `_NOT_SEEN`."""

_BY_SOURCES: Mapping[tuple[bool, bool, bool], Setting] = {
    (True, True, True): FULL,
    (True, True, False): KERNEL_AND_AUDIT,
    (True, False, True): KERNEL_AND_SENSOR,
    (True, False, False): KERNEL_ONLY,
    (False, True, True): SENSOR_AND_AUDIT,
}


@dataclass(frozen=True)
class Bounds:
    """`at_least` and `at_most` of the verdict; `why_not` says why an attack cannot be asked for, empty where it can, and `gap`
    what that is a gap of: `telemetry`, `rules`, or `attempt` where there was nothing but an attempt."""

    at_least: str
    at_most: str
    why_not: str = ""
    gap: str = ""


def setting_of(*, kernel: bool, audit: bool, sensor: bool) -> Setting:
    """The setting of a pod of which these sources tell, in today's dialect. Without kernel there is no better than the
    sensor's: `name` is empty where no rule can be judged."""
    known = _BY_SOURCES.get((kernel, audit, sensor))
    if known is None:
        return replace(SENSOR_AND_AUDIT, name="", sensor=SENSOR_AND_AUDIT.sensor if sensor else None)
    return replace(known, kernel=CURRENT if kernel else None)


def bounds_of(scenario: Scenario, label: Label, setting: Setting) -> Bounds:
    """What the verdict about the scenario's pod may be. Where the scenario's own tests do not cover the telemetry, no more than
    `suspect` is asked for."""
    if not label.malicious:
        return Bounds("none", "watch")
    for gap, why_not in (
        ("attempt", _HARMLESS.get(scenario.name)),
        (
            "telemetry",
            "" if setting.name else "no Tetragon on the node, and not both of sensor and audit log",
        ),
        ("telemetry", _NOT_SEEN.get((scenario.name, setting.name))),
    ):
        if why_not:
            return Bounds("none", label.at_most, why_not, gap)
    tested = any(setting.name == covered.name for covered in scenario.settings)
    if not tested and scenario.name not in _ASKED_BEYOND_TESTS:
        return Bounds("none", label.at_most, "no test of the scenario covers this telemetry", "telemetry")
    least = label.at_least if tested else min(label.at_least, "suspect", key=VERDICTS.index)
    if VERDICTS.index(least) < VERDICTS.index("suspect"):
        return Bounds(least, label.at_most, "its own label asks for no more than that", "rules")
    return Bounds(least, label.at_most)
