"""Several chains about one thing become one incident: the worst leads, the others are its aliases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from eightysix.detect.chain import Chain
from eightysix.detect.rule import By
from eightysix.detect.story import STRENGTH, incident_id, incident_of
from eightysix.model.incident import Identity, Incident, Reason, StageEntry
from eightysix.model.words import Basis

__all__ = ["Case", "combine"]

MAX_ROLLOUT_PODS = 5
"""Pods of a rollout that are named; the others are counted."""


@dataclass(frozen=True)
class Case:
    """An incident with the chains that it is made of, and when its last record was made."""

    incident: Incident
    chains: tuple[Chain, ...]

    @property
    def last_ns(self) -> int:
        """The time of the last record of its chains."""
        return max(o.time_ns for chain in self.chains for found in chain.matches.values() for o in found)


def combine(chains: Sequence[Chain]) -> list[Case]:
    """The incidents of `chains`: one for each pod and story, one for each rollout; worst first, then oldest."""
    rollouts: dict[str, list[Chain]] = {}
    pods: dict[str, list[Chain]] = {}
    for chain in chains:
        if chain.rule.by is By.WORKLOAD:
            rollouts.setdefault(incident_id(chain), []).append(chain)
        else:
            pods.setdefault(chain.view.key, []).append(chain)
    cases = [_rollout(same) for same in rollouts.values()]
    for same in pods.values():
        cases += _pod(same)
    cases.sort(key=lambda c: (-c.incident.verdict.rank, -c.incident.score, c.incident.t0, c.incident.id))
    return cases


def _worst_first(chain: Chain) -> tuple[int, int, int, str]:
    return (-chain.verdict.rank, -chain.score, chain.complete_ns, chain.rule.id)


def _pod(chains: list[Chain]) -> list[Case]:
    """Chains of one pod that share evidence are one incident."""
    groups: list[tuple[set[str], list[Chain]]] = []
    for chain in sorted(chains, key=_worst_first):
        events = _events(chain)
        for known, group in groups:
            if known & events:
                known |= events
                group.append(chain)
                break
        else:
            groups.append((events, [chain]))
    return [Case(_joined(group), tuple(group)) for _, group in groups]


def _events(chain: Chain) -> set[str]:
    return {o.event.event_id for found in chain.matches.values() for o in found}


def _joined(chains: list[Chain]) -> Incident:
    """One incident for chains that share evidence: the worst tells it, the others add what only they know. It goes by the
    id of the chain that was complete first, so that it keeps its id when a worse one joins."""
    lead = incident_of(chains[0])
    if len(chains) == 1:
        return lead
    known = _events(chains[0])
    extra: list[Incident] = []
    for chain in chains[1:]:
        if not _events(chain) <= known:
            known |= _events(chain)
            extra.append(incident_of(chain))
    also = tuple(
        Reason(0, f"also: {c.rule.title} ({c.rule.id}), {c.verdict} with {c.score} points", Basis.JUDGED)
        for c in chains[1:]
    )
    gaps = [gap for other in extra for gap in other.gaps if not gap.startswith("not contained")]
    oldest, *others = [
        incident_id(chain) for chain in sorted(chains, key=lambda chain: (chain.complete_ns, chain.rule.id))
    ]
    return msgspec.structs.replace(
        lead,
        id=oldest,
        aliases=tuple(others),
        stages=_stages(lead, extra),
        identities=_identities(lead, extra),
        why=lead.why + also,
        gaps=tuple(dict.fromkeys((*lead.gaps, *gaps))),
        next_steps=tuple(
            dict.fromkeys((*lead.next_steps, *(step for other in extra for step in other.next_steps)))
        ),
    )


def _stages(lead: Incident, extra: list[Incident]) -> tuple[StageEntry, ...]:
    stages = list(lead.stages)
    told = {(entry.at, entry.destination) for entry in stages}
    for other in extra:
        stages += [
            _shifted(entry, lead) for entry in other.stages if (entry.at, entry.destination) not in told
        ]
        told |= {(entry.at, entry.destination) for entry in other.stages}
    return tuple(sorted(stages, key=lambda entry: (entry.at, entry.stage, entry.title)))


def _identities(lead: Incident, extra: list[Incident]) -> tuple[Identity, ...]:
    identities = {(identity.kind, identity.name): identity for identity in lead.identities}
    for other in extra:
        for identity in other.identities:
            known = identities.setdefault((identity.kind, identity.name), identity)
            if STRENGTH[identity.state] > STRENGTH[known.state]:
                identities[identity.kind, identity.name] = identity
    return tuple(identities.values())


def _shifted(entry: StageEntry, lead: Incident) -> StageEntry:
    """The entry with its offset counted from the leading chain's T0."""
    offset = (datetime.fromisoformat(entry.at) - datetime.fromisoformat(lead.t0)).total_seconds()
    return msgspec.structs.replace(entry, offset_s=round(offset, 3))


def _rollout(chains: list[Chain]) -> Case:
    """One incident for all pods of a rollout: told once, by the first pod, with the others named."""
    chains.sort(key=lambda chain: (-chain.verdict.rank, chain.complete_ns, chain.view.key))
    incident = incident_of(chains[0])
    names = sorted({f"{c.view.who.namespace}/{c.view.who.pod}" for c in chains})
    more = f" and {len(names) - MAX_ROLLOUT_PODS} more" if len(names) > MAX_ROLLOUT_PODS else ""
    told = Reason(
        0, f"{len(names)} pod(s) of this digest: {', '.join(names[:MAX_ROLLOUT_PODS])}{more}", Basis.MEASURED
    )
    return Case(msgspec.structs.replace(incident, why=(*incident.why, told)), tuple(chains))
