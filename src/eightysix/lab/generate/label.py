"""What is true of a written recording, for tests to hold the product against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from eightysix.lab.generate.scene import Streams
from eightysix.lab.generate.settings import FULL, Setting

__all__ = [
    "ATTACKS",
    "LOOK_ALIKES",
    "STAGES",
    "VERDICTS",
    "Label",
    "Recording",
    "Scenario",
    "attack",
    "look_alike",
    "recordings",
]

VERDICTS = ("none", "watch", "suspect", "contain")
STAGES = ("land", "run", "reach", "pivot", "leave", "use")


@dataclass(frozen=True)
class Label:
    """Ground truth of one recording.

    `at_least` and `at_most` bound the verdict about `pod_uid` (the workload, for a rollout) with the telemetry of
    the recording's setting; everything else in the recording is `none` or `watch`. `stages` are those that this telemetry
    shows. `t0_s` and `leaves_s` are offsets of the landing and of the last step, in seconds from the base.
    `telling` is the one fact that separates it from `twin`.
    """

    malicious: bool
    at_least: str
    at_most: str
    telling: str
    twin: str = ""
    stages: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    identities: tuple[str, ...] = ()
    t0_s: float | None = None
    leaves_s: float | None = None
    pod_uid: str = ""
    notes: str = ""


@dataclass(frozen=True)
class Recording:
    """The streams of one scenario in one setting; `baseline` are those of the time before, where novelty matters, and
    `declared` is what the operator of that cluster says (`egress`, `identity`)."""

    name: str
    setting: Setting
    streams: Streams
    label: Label
    baseline: Streams = field(default_factory=dict)
    declared: dict[str, list[str]] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """`scenario@setting`."""
        return f"{self.name}@{self.setting.name}"


@dataclass(frozen=True)
class Scenario:
    """A way to write a recording in any of its `settings`."""

    name: str
    write: Callable[[Setting], Recording]
    settings: tuple[Setting, ...]
    summary: str

    def __call__(self, setting: Setting = FULL) -> Recording:
        """Write it."""
        return self.write(setting)


ATTACKS: dict[str, Scenario] = {}
LOOK_ALIKES: dict[str, Scenario] = {}

Declared = dict[str, list[str]]

Writer = Callable[
    [Setting],
    tuple[Streams, Label] | tuple[Streams, Label, Streams] | tuple[Streams, Label, Streams, Declared],
]


def attack(name: str, *settings: Setting) -> Callable[[Writer], Scenario]:
    """Register a function as the writer of an attack."""
    return _register(ATTACKS, name, settings)


def look_alike(name: str, *settings: Setting) -> Callable[[Writer], Scenario]:
    """Register a function as the writer of something benign that resembles one."""
    return _register(LOOK_ALIKES, name, settings)


def recordings(group: dict[str, Scenario]) -> list[tuple[str, Scenario, Setting]]:
    """Every scenario of a group in each of its settings, with the id of the recording: what tests parametrise over."""
    return [
        (f"{scenario.name}@{setting.name}", scenario, setting)
        for scenario in group.values()
        for setting in scenario.settings
    ]


def _register(
    group: dict[str, Scenario], name: str, settings: tuple[Setting, ...]
) -> Callable[[Writer], Scenario]:
    def register(writer: Writer) -> Scenario:
        def write(setting: Setting) -> Recording:
            streams, label, *rest = writer(setting)
            return Recording(name, setting, streams, label, *rest)

        summary = (writer.__doc__ or "").strip().partition("\n")[0]
        scenario = Scenario(name, write, settings or (FULL,), summary)
        group[name] = scenario
        return scenario

    return register
