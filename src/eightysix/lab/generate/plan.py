"""What is asked of a generated cluster."""

from __future__ import annotations

from dataclasses import dataclass

from eightysix.model.errors import UsageError

__all__ = ["FORMATS", "Plan"]

FORMATS = ("tetragon", "audit", "sensor", "falco")

MAX_HOURS = 24.0 * 31
MAX_NODES = 5_000
"""As many as Kubernetes supports (kubernetes.io, considerations for large clusters)."""


@dataclass(frozen=True)
class Plan:
    """A cluster of `nodes` on which `pods` pods live at some time of `hours` hours, `rate` records a second in all.

    `look_alikes` and `attacks` count scenarios that are planted; each takes at least one of the pods. The in-process
    sensor is in the pods of `sensor_namespaces` (empty: all), the audit log ends after `audit_hours` (None: never), and
    the last `blind_nodes` nodes have no Tetragon.
    """

    pods: int = 300
    nodes: int = 10
    hours: float = 1.0
    attacks: int = 10
    look_alikes: int = 40
    rate: float = 20.0
    lateness_s: float = 0.0
    duplicates: float = 0.0
    drops: float = 0.0
    seed: int = 86
    formats: tuple[str, ...] = ("tetragon", "audit", "sensor")
    sensor_namespaces: tuple[str, ...] = ()
    audit_hours: float | None = None
    blind_nodes: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        unknown = [name for name in self.formats if name not in FORMATS]
        if unknown or not self.formats:
            raise UsageError(
                f"no such format: {', '.join(unknown) or 'none named'}", f"Formats: {', '.join(FORMATS)}"
            )
        if "falco" in self.formats and "tetragon" not in self.formats:
            raise UsageError(
                "falco is written beside tetragon only", "Formats: tetragon,falco and any others"
            )
        for name, low, value, high in (
            ("nodes", 1, self.nodes, MAX_NODES),
            ("hours", 0.1, self.hours, MAX_HOURS),
            ("pods", 1, self.pods, 10_000_000),
            ("rate", 0.01, self.rate, 1_000_000),
            ("lateness", 0, self.lateness_s, 86_400),
            ("duplicates", 0, self.duplicates, 0.9),
            ("drops", 0, self.drops, 0.9),
            ("attacks", 0, self.attacks, self.pods),
            ("look-alikes", 0, self.look_alikes, self.pods),
            ("blind nodes", 0, self.blind_nodes, self.nodes),
        ):
            if not low <= value <= high:
                raise UsageError(f"{name} must be from {low} to {high}, and {value} is not")
        if self.attacks + self.look_alikes > self.pods:
            raise UsageError(
                f"{self.attacks} attacks and {self.look_alikes} look-alikes do not fit into {self.pods} pods",
                "Ask for more --pods",
            )

    @property
    def seconds(self) -> float:
        """How long the telemetry is."""
        return self.hours * 3_600.0
