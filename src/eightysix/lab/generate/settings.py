"""What a cluster has switched on, and in which form it writes it: the variants of every scenario."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eightysix.lab.generate.stage import Stage

from eightysix.lab.generate.falco_form import FalcoForm

__all__ = [
    "AS_RECORDED",
    "CURRENT",
    "EVERY_EXPORT",
    "FULL",
    "KERNEL_AND_AUDIT",
    "KERNEL_AND_SENSOR",
    "KERNEL_ONLY",
    "LAB",
    "LEAN",
    "LEGACY",
    "SENSOR_AND_AUDIT",
    "SETTINGS",
    "WITHOUT_INIT_TREE",
    "AuditForm",
    "Dialect",
    "SensorForm",
    "Setting",
]


@dataclass(frozen=True)
class Dialect:
    """How one version and configuration of Tetragon writes records.

    `boot_relative` exec ids count nanoseconds since the node booted, as the kernel does (the lab's count from 1970).
    `runtime_parents` gives the first process of a container the runtime that started it as parent; without it such a
    process has none. `clone_events` gives a forked child an exec id of its own; without it the child's exit
    carries the exec id of its living parent. `real_paths` are what the kernel's `d_path` returns: through
    the links of a projected volume. `returns` adds the return value of a hook, which a policy asks for.
    `lean` leaves out fields and files by filters.
    """

    name: str
    boot_relative: bool = True
    init_tree: bool = True
    runtime_parents: bool = True
    clone_events: bool = True
    real_paths: bool = True
    returns: bool = True
    container_digits: int = 0
    time_digits: int = 9
    legacy: bool = False
    lean: bool = False


LAB = Dialect(
    "lab",
    boot_relative=False,
    init_tree=False,
    runtime_parents=False,
    clone_events=False,
    real_paths=False,
    returns=False,
    container_digits=9,
)
"""As the recorded lab runs: an eBPF program's records in the shape of Tetragon's export."""

CURRENT = Dialect("current")
"""Tetragon 1.x with its defaults and the project's policies."""

LEAN = Dialect("lean", lean=True)
"""As `CURRENT`, with field filters and a file policy that leave out what no detection needs: see `tetragon.py`."""

WITHOUT_INIT_TREE = Dialect("no-init-tree", init_tree=False, boot_relative=True)
"""As `CURRENT`, from a version before `in_init_tree`."""

LEGACY = Dialect("legacy", init_tree=False, clone_events=False, returns=False, time_digits=3, legacy=True)
"""As in 2022: no pod uid, workload, cluster name or thread id."""


class SensorForm(StrEnum):
    """How the in-process sensor's records are written."""

    PROTOTYPE = "prototype"
    V1 = "v1"


class AuditForm(StrEnum):
    """How API server audit events reach the reader."""

    PLAIN = "plain"
    """One `audit.k8s.io/v1` event a line."""
    EVENT_HUB = "event-hub"
    """AKS diagnostic settings: batches of envelopes with the event as text."""
    AKS_AUDIT = "aks-audit"
    """Rows of the Log Analytics table AKSAudit."""
    AKS_AUDIT_TEXT = "aks-audit-text"
    """The same as queries give them: dynamic columns as text."""
    AZURE_DIAGNOSTICS = "azure-diagnostics"
    """Rows of the Log Analytics table AzureDiagnostics, with the event as text in `log_s`."""


@dataclass(frozen=True)
class Setting:
    """Which telemetry a cluster has; None or an empty tuple: not switched on."""

    name: str
    kernel: Dialect | None = CURRENT
    sensor: SensorForm | None = None
    audit: tuple[AuditForm, ...] = ()
    falco: FalcoForm | None = None
    """Whether Falco runs beside Tetragon (it is written only where that is), and what its rules tell."""
    first_node: int = 0
    """Where the recording's first node stands in the pool: recordings to be merged must not share nodes."""
    shift_s: float = 0.0
    """Seconds by which the recording begins after the base."""
    instance: str = ""
    """What tells the scenario's workloads from those of its other instances in one cluster."""
    namespace: str = ""
    """Where the scenario's pods of namespace `ml` run instead."""
    stage: Stage | None = field(default=None, compare=False)
    """The cluster that the scenario is played in; None: one of its own, that nothing else happens in."""


FULL = Setting("full", CURRENT, SensorForm.V1, (AuditForm.PLAIN,))
KERNEL_AND_AUDIT = Setting("kernel-audit", CURRENT, None, (AuditForm.EVENT_HUB,))
KERNEL_AND_SENSOR = Setting("kernel-sensor", CURRENT, SensorForm.V1)
SENSOR_AND_AUDIT = Setting("sensor-audit", None, SensorForm.V1, (AuditForm.AKS_AUDIT,))
KERNEL_ONLY = Setting("kernel", WITHOUT_INIT_TREE)
AS_RECORDED = Setting("as-recorded", LAB, SensorForm.PROTOTYPE, (AuditForm.PLAIN, AuditForm.EVENT_HUB))
"""Everything as the lab writes it; each audit event is there twice, in two exports."""

EVERY_EXPORT = Setting("every-export", CURRENT, SensorForm.V1, tuple(AuditForm))
"""One audit log read from every place that it was sent to."""

SETTINGS: tuple[Setting, ...] = (
    FULL,
    KERNEL_AND_AUDIT,
    KERNEL_AND_SENSOR,
    SENSOR_AND_AUDIT,
    KERNEL_ONLY,
    AS_RECORDED,
)
