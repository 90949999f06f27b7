"""What a workload normally does: a versioned snapshot, keyed by workload template and image digest.

Built from telemetry of a time that the operator trusts (`eightysix baseline build`). Without one, novelty is unknown:
it gives no points and is listed among the gaps.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct, field

from eightysix.context.destinations import address
from eightysix.model.errors import StateError

__all__ = [
    "BASELINE_SCHEMA",
    "KINDS",
    "MAX_VALUES",
    "Baseline",
    "Profile",
    "WorkloadKey",
    "decode_baseline",
    "encode_baseline",
    "workload_key",
]

BASELINE_SCHEMA = "eightysix/baseline/v1"

MAX_VALUES = 10_000
"""Values kept of one kind for one digest. A workload that has more destinations than this has no stable ones: then
nothing is new to it (see `Profile.full`)."""

KINDS = frozenset({"credentials", "publishes"})
"""Kinds of value that later releases added: in a snapshot that was built before, they are not known to be absent."""

WorkloadKey = str
"""`namespace/kind/workload`, as Tetragon names the workload template."""


def workload_key(namespace: str, kind: str, workload: str) -> WorkloadKey:
    """The key of a workload template; empty when the workload is unknown."""
    return f"{namespace}/{kind}/{workload}" if workload else ""


class Profile(Struct, omit_defaults=True):
    """What pods of one image digest did. `full` names the kinds of which there were too many to tell what is new."""

    pods: int = 0
    domains: set[str] = field(default_factory=set)
    destinations: set[str] = field(default_factory=set)
    programs: set[str] = field(default_factory=set)
    requests: set[str] = field(default_factory=set)
    startup_files: set[str] = field(default_factory=set)
    credentials: set[str] = field(default_factory=set)
    publishes: set[str] = field(default_factory=set)
    full: set[str] = field(default_factory=set)

    def add(self, kind: str, value: str) -> None:
        """Add one value of `kind` (a field name), within `MAX_VALUES`."""
        values: set[str] = getattr(self, kind)
        if len(values) < MAX_VALUES:
            values.add(value)
        elif value not in values:
            self.full.add(kind)


class Baseline(Struct):
    """All workloads of a snapshot. `kinds` names which of `KINDS` its builder recorded."""

    schema: str = BASELINE_SCHEMA
    workloads: dict[WorkloadKey, dict[str, Profile]] = field(default_factory=dict)
    kinds: set[str] = field(default_factory=set)

    def profile(self, workload: WorkloadKey, digest: str) -> Profile:
        """The profile to add to, made when absent."""
        return self.workloads.setdefault(workload, {}).setdefault(digest, Profile())

    def knows(self, workload: WorkloadKey) -> bool:
        """Whether anything was recorded of the workload."""
        return bool(workload) and workload in self.workloads

    def knows_digest(self, workload: WorkloadKey, digest: str) -> bool:
        """Whether the digest was seen in the workload."""
        return digest in self.workloads.get(workload, {})

    def has_names(self, workload: WorkloadKey) -> bool:
        """Whether any destination of the workload is known by name: then one that is not there is new, whatever address it
        shares."""
        return any(
            not address(value.rpartition(":")[0])
            for profile in self.workloads.get(workload, {}).values()
            for value in profile.destinations
        )

    def novelty(self, workload: WorkloadKey, kind: str, value: str) -> str:
        """`new`, `known` or `unknown`: whether any digest of the workload had `value` among its values of `kind`."""
        profiles = self.workloads.get(workload)
        if not profiles or not workload:
            return "unknown"
        if any(value in getattr(profile, kind) for profile in profiles.values()):
            return "known"
        if kind in KINDS and kind not in self.kinds:
            return "unknown"
        return "unknown" if any(kind in profile.full for profile in profiles.values()) else "new"

    def has_any(self, workload: WorkloadKey, kind: str) -> str:
        """`known` where any digest of the workload had any value of `kind`, `new` where none had, `unknown` where nobody
        looked."""
        profiles = self.workloads.get(workload)
        if not profiles or not workload:
            return "unknown"
        if any(getattr(profile, kind) for profile in profiles.values()):
            return "known"
        return "unknown" if kind in KINDS and kind not in self.kinds else "new"


def encode_baseline(baseline: Baseline) -> bytes:
    """The snapshot as JSON: same content, same bytes."""
    return msgspec.json.format(msgspec.json.encode(baseline, order="sorted"), indent=1) + b"\n"


def decode_baseline(data: bytes) -> Baseline:
    """Read what `encode_baseline` wrote; raises `StateError` when it is something else."""
    try:
        baseline = msgspec.json.decode(data, type=Baseline)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise StateError(
            f"the baseline cannot be read: {error}", "build it again: eightysix baseline build"
        ) from error
    if baseline.schema != BASELINE_SCHEMA:
        raise StateError(
            f"the baseline has schema {baseline.schema!r}, not {BASELINE_SCHEMA!r}", "build it again"
        )
    return baseline
