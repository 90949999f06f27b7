"""Which incidents an exception covers: they stay in the report, marked and counted, and raise nobody."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from eightysix.detect.actions import Action
from eightysix.detect.chain import Chain
from eightysix.detect.exceptions import Destination, ExceptionRule, IncidentFacts
from eightysix.model.event import Artifact
from eightysix.model.incident import Incident
from eightysix.model.words import Stage, Verdict

__all__ = ["facts_of", "suppress"]


def facts_of(chains: Sequence[Chain], incident: Incident) -> IncidentFacts:
    """What exceptions are compared with: all that landed and all that was contacted, over every chain of the incident."""
    artifacts: dict[Artifact, None] = {}
    destinations: dict[Destination, None] = {}
    for chain in chains:
        for name, found in chain.matches.items():
            stage = chain.rule.signals[name].stage
            for observation in found:
                if stage is Stage.LAND:
                    artifacts.update(dict.fromkeys(observation.artifacts))
                elif stage is Stage.LEAVE and observation.action is Action.CONNECT:
                    event = observation.event
                    destinations[Destination(event.dst_ip, observation.name, event.dst_port)] = None
    return IncidentFacts(
        rule=incident.rule,
        verdict=incident.verdict,
        workload=incident.workload,
        artifacts=tuple(artifacts),
        destinations=tuple(destinations),
    )


def suppress(
    incident: Incident, facts: IncidentFacts, exceptions: Sequence[ExceptionRule], now_ns: int
) -> Incident:
    """`incident`, marked with the first exception that applies at `now_ns`. Never `contain`, whatever the exception says."""
    if incident.verdict is Verdict.CONTAIN:
        return incident
    for exception in exceptions:
        if exception.applies(facts, now_ns):
            return msgspec.structs.replace(incident, suppressed_by=exception.name)
    return incident
