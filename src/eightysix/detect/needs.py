"""What telemetry a rule needs, whether it was there, and what to switch on where it was not: not seen is not clean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eightysix.detect.rule import Need, Rule
from eightysix.model.incident import RuleCoverage
from eightysix.model.words import Source

__all__ = ["OPTIONAL", "SWITCH_ON", "account", "met_needs"]

OPTIONAL = frozenset({Need.BASELINE, Need.PROVENANCE, Need.API_AUDIT, Need.CLOUD_LOGS, Need.GATE})
"""What a cluster may simply not have: no baseline was built, the sensor is not installed, a log is not exported, no gate
watches the registries. That is told for each rule that needs it, and is no fault of this input."""

SWITCH_ON: Mapping[Need, str] = {
    Need.CONNECTIONS: "connections: a Tetragon policy on tcp_connect (or security_socket_connect), or the in-process sensor",
    Need.FILES: "files: a Tetragon policy on security_file_permission for credential and site-packages paths, or the sensor",
    Need.PROCESSES: "processes: Tetragon's process_exec events (on by default), or the sensor",
    Need.PROVENANCE: "provenance: the in-process sensor",
    Need.API_AUDIT: "api-audit: the Kubernetes audit log (AKS: kube-audit; kube-audit-admin lacks get and list)",
    Need.CLOUD_LOGS: "cloud-logs: Azure's activity, sign-in, Key Vault, storage and registry logs (diagnostic settings)",
    Need.GATE: "gate: the events that eightysix gate watch --events FILE writes",
    Need.BASELINE: "baseline: eightysix baseline build over telemetry of a time that you trust",
}
"""By need, the one thing to switch on."""

_MET_BY: Mapping[Need, Mapping[Source, tuple[str, ...]]] = {
    Need.CONNECTIONS: {
        Source.TETRAGON: ("connect",),
        Source.FALCO: ("connect",),
        Source.SENSOR: ("connect", "http", "start", "import"),
    },
    Need.FILES: {
        Source.TETRAGON: ("probe", "file"),
        Source.FALCO: ("file",),
        Source.SENSOR: ("file", "start"),
    },
    Need.PROCESSES: {Source.TETRAGON: ("exec",), Source.FALCO: ("exec",), Source.SENSOR: ("start",)},
    Need.PROVENANCE: {Source.SENSOR: ("start", "connect", "import", "http", "file", "exec", "spawn")},
    Need.API_AUDIT: {Source.KUBERNETES_AUDIT: ("api",), Source.AZURE: ("audit",)},
    Need.GATE: {Source.GATE: ("move", "decision")},
    Need.CLOUD_LOGS: {Source.AZURE: ("activity", "sign-in", "key-vault", "storage", "registry")},
}


def met_needs(kinds: Mapping[Source, Mapping[str, int]], *, baseline: bool) -> frozenset[Need]:
    """The needs that the telemetry meets: by source and kind of record, any one that was read."""
    met = {
        need
        for need, sources in _MET_BY.items()
        if any(kinds.get(source, {}).get(kind, 0) for source, wanted in sources.items() for kind in wanted)
    }
    return frozenset(met | {Need.BASELINE} if baseline else met)


def account(rules: Sequence[Rule], met: frozenset[Need]) -> tuple[RuleCoverage, ...]:
    """For each rule whether it could be judged, and what to switch on where not."""
    told: list[RuleCoverage] = []
    for rule in rules:
        missing = [need for need in rule.needs if not any(alternative in met for alternative in need)]
        told.append(
            RuleCoverage(
                rule=rule.id,
                evaluable=not missing,
                missing=tuple("|".join(_asked(need)) for need in missing),
                switch_on=tuple(SWITCH_ON[need[0]] for need in missing),
            )
        )
    return tuple(told)


def _asked(need: Sequence[Need]) -> Sequence[Need]:
    """What is asked for: not every cluster has a gate, so where something else would do, that is named alone."""
    return [alternative for alternative in need if alternative is not Need.GATE] or need
