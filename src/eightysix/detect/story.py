"""From a chain to an incident: stages with T+seconds, identities, reasons, gaps and what to do next."""

from __future__ import annotations

import msgspec

from eightysix.context.kubelet import volume_at
from eightysix.detect.actions import Action
from eightysix.detect.blast import node_identities, node_reason, node_step
from eightysix.detect.chain import Chain
from eightysix.detect.digests import digest
from eightysix.detect.facts import grade_of
from eightysix.detect.gated import gate_gaps, gate_title, held_starts, held_words
from eightysix.detect.observe import Observation
from eightysix.detect.place import place_of
from eightysix.detect.rule import By
from eightysix.detect.scanned import file_of, scan_gaps, scan_of
from eightysix.detect.view import PodView
from eightysix.detect.wording import (
    destination_of,
    evidence_of,
    identity_text,
    pod_of,
    process_of,
    rfc3339,
    service_account_of,
    taken_by,
)
from eightysix.model.incident import Identity, Incident, Reason, StageEntry
from eightysix.model.words import Basis, Grade, IdentityState, Kind, Source, Stage, Verdict

__all__ = ["STRENGTH", "incident_id", "incident_of"]

MAX_ENTRIES = 4
"""Observations told of one signal: the first of each distinct thing."""


def incident_of(chain: Chain) -> Incident:
    """The incident that a chain tells."""
    view, rule = chain.view, chain.rule
    identity = incident_id(chain)
    stages = _stages(chain)
    identities = _identities(chain)
    return Incident(
        id=identity,
        revision=digest(
            *sorted({e.event_id for found in chain.matches.values() for o in found for e in o.evidence})
        ),
        aliases=(),
        rule=rule.id,
        title=rule.title,
        verdict=chain.verdict,
        score=chain.score,
        pod=None if rule.by is By.WORKLOAD else pod_of(view),
        workload=f"{view.who.namespace}/{view.who.workload}" if view.who.workload else "",
        image=f"{view.who.image}@{view.who.image_digest}" if view.who.image_digest else view.who.image,
        t0=rfc3339(chain.t0_ns),
        stages=stages,
        identities=identities,
        why=_why(chain),
        gaps=_gaps(chain),
        next_steps=_next_steps(chain, identities),
    )


def incident_id(chain: Chain) -> str:
    """From cluster, pod uid (or container, or workload and digest) and rule, never from time."""
    who, rule = chain.view.who, chain.rule
    if rule.by is By.WORKLOAD:
        return digest(who.cluster, who.namespace, who.workload_kind, who.workload, who.image_digest, rule.id)
    return digest(who.cluster, who.pod_uid or who.container_id or chain.view.key, rule.id)


def _stages(chain: Chain) -> tuple[StageEntry, ...]:
    """The timeline: each observation once, under the first of its signals (those of the chain's steps first)."""
    told: dict[int, StageEntry] = {}
    order: list[tuple[int, str, StageEntry]] = []
    for name in _signal_order(chain):
        signal = chain.rule.signals[name]
        by_file = "artifact.scan" in signal.detection.source  # of what its globals are, other signals tell
        things: set[str] = set()
        for observation in chain.matches[name]:
            thing = (by_file and file_of(observation)) or _thing(chain.view, observation)
            if id(observation) in told or thing in things or len(things) >= MAX_ENTRIES:
                continue
            things.add(thing)
            entry = _entry(chain, observation, signal.stage, signal.title, name)
            told[id(observation)] = entry
            order.append((observation.time_ns, observation.event.event_id, entry))
    for observation in _untold_holds(chain):
        entry = _entry(chain, observation, Stage.LAND, held_words(chain.view, observation), "")
        order.append((observation.time_ns, observation.event.event_id, entry))
    order.sort(key=lambda item: item[:2])
    return tuple(entry for _, _, entry in order)


def _untold_holds(chain: Chain) -> list[Observation]:
    """Starts of digests that the gate held, of which no signal of the chain tells: whatever the rule asks, a reader wants to
    know that the pod runs one."""
    told = {id(o) for found in chain.matches.values() for o in found}
    return [o for o in held_starts(chain.view) if id(o) not in told]


def _signal_order(chain: Chain) -> list[str]:
    steps = [name for step in chain.rule.chain for name in step.names if name in chain.matches]
    others = [name for name in chain.rule.signals if name in chain.matches and name not in steps]
    return steps + sorted(others, key=lambda name: -chain.rule.signals[name].points)


def _thing(view: PodView, observation: Observation) -> str:
    event = observation.event
    if event.kind is Kind.API:
        thing = f"{event.verb} {event.resource} {event.object_namespace}/{event.object_name}"
        return f"{observation.by} {thing} {event.source_ip}"
    if event.kind is Kind.CLOUD:
        return f"{event.resource} {event.verb} {event.object_name} {event.source_ip}"
    if observation.by or volume_at(event.file_path) is not None:
        return f"{observation.by} {event.file_path or view.thing(observation)}"
    return (
        view.thing(observation)
        or event.file_path
        or event.module
        or " ".join(map(str, observation.artifacts))
    )


def _entry(chain: Chain, observation: Observation, stage: Stage, title: str, signal: str) -> StageEntry:
    event = observation.event
    return StageEntry(
        stage=stage,
        at=rfc3339(observation.time_ns),
        offset_s=round((observation.time_ns - chain.t0_ns) / 1e9, 3),
        title=title + gate_title(chain.view, observation),
        grade=Grade(grade_of(observation)),
        origin=event.origin,
        evidence=evidence_of(chain.view, observation),
        signal=signal,
        process=process_of(chain.view, observation),
        destination=destination_of(chain.view, observation),
        identity=identity_text(chain.view, observation),
    )


def _identities(chain: Chain) -> tuple[Identity, ...]:
    """All identities of the chain, strongest state of each."""
    states: dict[tuple[str, str], Identity] = {}

    def note(identity: Identity) -> None:
        key = (identity.kind, identity.name)
        before = states.get(key)
        if before is None or STRENGTH[identity.state] > STRENGTH[before.state]:
            states[key] = identity

    used_api = False
    for found in chain.matches.values():
        for observation in found:
            identity = taken_by(chain.view, observation)
            if identity is not None:
                note(identity)
            if observation.action in (Action.API, Action.API_CONNECT) and not observation.denied:
                used_api = True
            for name in observation.provenance.exposes:
                note(Identity("environment", name, IdentityState.EXPOSED))
    for (kind, name), identity in list(states.items()):
        if kind == "service-account" and used_api and name == service_account_of(chain.view):
            note(Identity(kind, name, IdentityState.USED, identity.domain))
    if _is_used_in_the_cloud(chain):
        cloud = [
            one for one in states.values() if one.kind in _HANDED_OUT and one.state is IdentityState.TAKEN
        ]
        if len(cloud) == 1:  # of two nobody tells which of them it was
            note(msgspec.structs.replace(cloud[0], state=IdentityState.USED))
    for identity in node_identities(chain):
        note(identity)
    for name in _exposed(chain):
        note(Identity("environment", name, IdentityState.EXPOSED))
    return tuple(sorted(states.values(), key=lambda i: (-STRENGTH[i.state], i.kind, i.name)))


_HANDED_OUT = ("managed-identity", "federated-token")
"""Kinds of credentials whose use cloud logs tell by principal."""


def _is_used_in_the_cloud(chain: Chain) -> bool:
    """Whether the chain rests on a use of the pod's cloud identity: more than a sign-in, which hands it out, and from outside, or
    of a principal that is no other pod's, too."""
    return any(
        o.action is Action.CLOUD
        and not o.denied
        and o.event.resource != "sign-in"
        and (place_of(chain.view, o) == "outside" or grade_of(o) <= Grade.D)
        for found in chain.matches.values()
        for o in found
    )


STRENGTH = {IdentityState.EXPOSED: 0, IdentityState.TAKEN: 1, IdentityState.USED: 2}
"""How much worse one state is than another."""


def _exposed(chain: Chain) -> list[str]:
    """Names of credentials in the environment of the process that ran what landed."""
    actors = {o.actor for found in chain.matches.values() for o in found if o.actor}
    return sorted(
        {
            name
            for o in chain.view.observations
            if o.event.source is Source.SENSOR and o.event.exposes and (o.actor in actors)
            for name in o.event.exposes
        }
    )


def _why(chain: Chain) -> tuple[Reason, ...]:
    rule = chain.rule
    reasons = [
        Reason(rule.signals[name].points, rule.signals[name].title, rule.signals[name].basis)
        for name in rule.signals
        if name in chain.matches
    ]
    reasons += [
        Reason(rule.benign[place].points, rule.benign[place].why, Basis.JUDGED) for place in chain.benign
    ]
    reasons += node_reason(chain)
    reasons += [
        Reason(0, held_words(chain.view, o) + gate_title(chain.view, o), Basis.MEASURED)
        for o in _untold_holds(chain)
    ]
    return tuple(sorted(reasons, key=lambda reason: (-reason.points, reason.text)))


def _gaps(chain: Chain) -> tuple[str, ...]:
    """What could not be seen, in plain words."""
    view, knowledge = chain.view, chain.view.knowledge
    gaps: list[str] = []
    stages = {chain.rule.signals[name].stage for name in chain.matches}
    if Stage.RUN not in stages and Source.SENSOR not in knowledge.sources:
        gaps.append(
            "run: code imported inside a running process is invisible to the kernel; the in-process sensor sees it"
        )
    if knowledge.baseline is None:
        gaps.append("novelty per workload is unknown: no baseline (eightysix baseline build)")
    elif not knowledge.baseline.knows(view.workload):
        gaps.append("novelty per workload is unknown: the baseline does not know this workload")
    if Source.KUBERNETES_AUDIT not in knowledge.sources:
        gaps.append("what the service account did at the API server: no Kubernetes audit log was read")
    if not knowledge.sources & {Source.TETRAGON, Source.FALCO}:
        gaps.append(
            "what the kernel saw: neither a Tetragon export nor Falco's alerts were read,"
            " so the pod's own word stands alone for its processes"
        )
    credentials = [o for found in chain.matches.values() for o in found if o.action is Action.CREDENTIAL]
    metadata = [o for o in credentials if o.event.kind is not Kind.FILE and not o.denied]
    if metadata and not any(e.url_path for o in metadata for e in o.evidence):
        gaps.append("which metadata path was asked for: the kernel sees the address only")
    if metadata:
        gaps.append(_cloud_gap(chain))
    gaps += _place_gaps(chain)
    gaps += _nameless(chain)
    gaps += scan_gaps(view)
    gaps += gate_gaps(view)
    gaps += [f"flooded: {what}; a taint summary was kept" for what in sorted(view.flooded)]
    if chain.verdict is not Verdict.CONTAIN and chain.gate is not None:
        gaps += [f"not contained: {what}" for what in chain.gate.missing if chain.verdict is Verdict.SUSPECT]
    return tuple(gaps)


def _nameless(chain: Chain) -> list[str]:
    """Destinations that are judged by their address: who is behind one, only an answer of the cluster's resolver tells."""
    names = chain.view.destination_names
    unknown: set[str] = set()
    asked: set[str] = set()
    for name, found in chain.matches.items():
        for o in found if chain.rule.signals[name].stage is Stage.LEAVE else ():
            if o.action is Action.CONNECT and o.event.dst_ip and not o.known_as:
                unknown.add(o.event.dst_ip)
                asked.update(names.asked(o.time_ns))
    if not unknown:
        return []
    before = f"; asked for just before: {_some(sorted(asked))}" if asked else ""
    return [
        f"who is behind {_some(sorted(unknown))}: no DNS answer was read, so the address is judged{before}"
    ]


def _cloud_gap(chain: Chain) -> str:
    """Why it is not known which identity the metadata service handed out, and what that did."""
    what = "which identity the metadata service handed out"
    if Source.AZURE not in chain.view.knowledge.sources:
        return f"{what}: no cloud log was read"
    if any(o.action is Action.CLOUD for o in chain.view.observations):
        return f"{what}: cloud logs tell of one that is declared, or that its own code names, not whether it was this one"
    return f"{what}: no row of the cloud logs is known to be this pod's (--identity)"


def _place_gaps(chain: Chain) -> list[str]:
    """Calls of which nobody can say whether they came from the pod."""
    calls = [o for found in chain.matches.values() for o in found if o.event.source_ip]
    unknown = {o.action for o in calls if place_of(chain.view, o) == "unknown"}
    gaps = []
    if Action.API in unknown:
        gaps.append(
            "where the token was used from: neither egress (--egress) nor the node's address is known"
        )
    if Action.CLOUD in unknown:
        gaps.append(
            "where the cloud identity was used from: no egress is declared (--egress) for such an address"
        )
    return gaps


def _next_steps(chain: Chain, identities: tuple[Identity, ...]) -> tuple[str, ...]:
    """What to do, the incident's own names first."""
    lost = [
        f"{i.kind.replace('-', ' ')} {i.name}" for i in identities if i.state is not IdentityState.EXPOSED
    ]
    landed = sorted(
        {str(a) for found in chain.matches.values() for o in found for a in o.artifacts if a.kind != "file"}
    )
    steps = list(node_step(chain))
    if lost:
        steps.append(f"take back: {_some(lost)}")
    if landed:
        steps.append(f"look for it elsewhere: {_some(landed)}")
    scanned = [scan_of(chain.view, o) for found in chain.matches.values() for o in found]
    digests = sorted({known.digest for known in scanned if known is not None and known.digest})
    if digests:
        steps.append(f"look for these bytes elsewhere, by their BLAKE3: {_some(digests)}")
    return (*chain.rule.respond, *steps)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - MAX_ENTRIES} more" if len(names) > MAX_ENTRIES else ""
    return ", ".join(names[:MAX_ENTRIES]) + more
