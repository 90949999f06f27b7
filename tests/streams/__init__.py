"""Written telemetry: streams that look as a cluster's do, byte for byte the same every time, with the truth about each.

>>> from tests.streams import ATTACKS, FULL
>>> recording = ATTACKS["breach-86s"](FULL)
>>> sorted(recording.streams)
['kubernetes-audit.jsonl', 'sensor.jsonl', 'tetragon.jsonl']
"""

from __future__ import annotations

from eightysix.lab.generate import scenarios
from eightysix.lab.generate.label import ATTACKS, LOOK_ALIKES, Label, Recording, Scenario, recordings
from eightysix.lab.generate.scene import Scene, Streams
from eightysix.lab.generate.settings import (
    AS_RECORDED,
    FULL,
    KERNEL_AND_AUDIT,
    KERNEL_AND_SENSOR,
    KERNEL_ONLY,
    SENSOR_AND_AUDIT,
    SETTINGS,
    Setting,
)

__all__ = [
    "AS_RECORDED",
    "ATTACKS",
    "FULL",
    "KERNEL_AND_AUDIT",
    "KERNEL_AND_SENSOR",
    "KERNEL_ONLY",
    "LOOK_ALIKES",
    "SENSOR_AND_AUDIT",
    "SETTINGS",
    "Label",
    "Recording",
    "Scenario",
    "Scene",
    "Setting",
    "Streams",
    "recordings",
    "scenarios",
]
