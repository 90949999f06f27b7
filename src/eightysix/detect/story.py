"""From a chain to an incident: stages with T+seconds, identities, reasons, gaps and what to do next."""

from __future__ import annotations

from datetime import UTC, datetime

from eightysix.context.credentials import credential_at
from eightysix.context.kubelet import volume_at
from eightysix.detect.actions import Action
from eightysix.detect.blast import node_identities, node_reason, node_step, other_volume
from eightysix.detect.chain import Chain
from eightysix.detect.digests import digest
from eightysix.detect.facts import grade_of
from eightysix.detect.observe import Observation
from eightysix.detect.place import place_of
from eightysix.detect.rule import By
from eightysix.detect.scanned import file_of, scan_gaps, scan_of
from eightysix.detect.view import PodView
from eightysix.model.incident import Evidence, Identity, Incident, PodRef, Reason, StageEntry
from eightysix.model.words import Basis, Domain, Grade, IdentityState, Kind, Outcome, Source, Stage, Verdict

__all__ = ["incident_of", "rfc3339"]

MAX_ENTRIES = 4
"""Observations told of one signal: the first of each distinct thing."""

MAX_EVIDENCE = 6


def rfc3339(time_ns: int) -> str:
    """RFC 3339 in UTC with microseconds."""
    return (
        datetime.fromtimestamp(time_ns // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        + f".{time_ns % 1_000_000_000 // 1000:06d}Z"
    )


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


def pod_of(view: PodView) -> PodRef:
    """Who the pod is, from all that its events say."""
    who = view.who

    def any_of(name: str) -> str:
        own = getattr(who, name)
        return own or next((getattr(o.event, name) for o in view.observations if getattr(o.event, name)), "")

    return PodRef(any_of("cluster"), any_of("node"), any_of("namespace"), any_of("pod"), any_of("pod_uid"))


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
    order.sort(key=lambda item: item[:2])
    return tuple(entry for _, _, entry in order)


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
        title=title,
        grade=Grade(grade_of(observation)),
        origin=event.origin,
        evidence=_evidence(chain.view, observation),
        signal=signal,
        process=_process(chain, observation),
        destination=_destination(chain, observation),
        identity=_identity_text(chain, observation),
    )


def _evidence(view: PodView, observation: Observation) -> tuple[Evidence, ...]:
    """Where it is written; of a file that was loaded, also where the scan's verdict is."""
    places = {Evidence(str(e.source), e.file, e.line) for e in observation.evidence}
    known = scan_of(view, observation)
    if known is not None and known.file:
        places.add(Evidence(str(Source.LEDGER), known.file, known.line))
    return tuple(sorted(places, key=lambda e: (e.source, e.file, e.line))[:MAX_EVIDENCE])


def _process(chain: Chain, observation: Observation) -> str:
    """What acted, for people: the command, and whose code it was where the sensor knows."""
    if observation.action is Action.INSTALL and observation.artifacts:
        what = ", ".join(str(a) for a in observation.artifacts[:3])
        more = f" and {len(observation.artifacts) - 3} more" if len(observation.artifacts) > 3 else ""
        where = f" in {observation.by}, on a volume" if observation.by else ""
        command = observation.event.command
        return f"{command}: {what}{more}{where}" if command else what + more + where
    if observation.action is Action.NEW_DIGEST:
        return f"{observation.event.image} {observation.event.image_digest[:19]}"
    told = observation.provenance
    command = observation.event.command or chain.view.lineage.command(observation.actor)
    if observation.told_as not in ("", "made-pod"):
        return f"{command or observation.event.binary} in {observation.by}".strip()
    root = told.at_import.partition("pth:")[2] or told.at_import or told.root
    if root and not root.startswith("app:"):
        return f"{command} ({root})" if command else root
    return command


def _destination(chain: Chain, observation: Observation) -> str:
    event = observation.event
    if event.kind in (Kind.CONNECT, Kind.HTTP):
        place = f"{event.dst_ip or event.dst_name}:{event.dst_port}"
        if observation.name and observation.name != event.dst_ip:
            place = f"{place} ({observation.name})"
        return f"{place} (refused)" if observation.denied else place
    if event.kind is Kind.FILE:
        return event.file_path + _scanned(chain.view, observation)
    if event.kind is Kind.API:
        target = "/".join(
            p for p in (event.object_namespace, event.resource, event.object_name, event.subresource) if p
        )
        asked = f" ({', '.join(event.host)})" if event.host else ""
        return f"{event.verb} {target}{asked}{_from(chain, observation)}"
    if event.kind is Kind.CLOUD:
        return f"{event.verb} {event.object_name}".strip() + _from(chain, observation)
    return event.module + _scanned(chain.view, observation)


def _scanned(view: PodView, observation: Observation) -> str:
    """What the scan says of the file that was loaded."""
    known = scan_of(view, observation)
    return f" (scan: {known.verdict})" if known is not None else ""


def _from(chain: Chain, observation: Observation) -> str:
    """Where a call came from, where that matters: beside the pod's own requests it would be noise."""
    event = observation.event
    told = event.source_ip and (
        event.kind is Kind.CLOUD or place_of(chain.view, observation) in ("outside", "elsewhere")
    )
    return f" from {event.source_ip}" if told else ""


def _identity_text(chain: Chain, observation: Observation) -> str:
    identity = _taken(chain, observation)
    return f"{identity.kind} {identity.name}" if identity is not None else observation.event.identity


_SERVICE_ACCOUNT = "system:serviceaccount:"


def _taken(chain: Chain, observation: Observation) -> Identity | None:
    """The identity that an observation takes, None where it takes none."""
    event, view = observation.event, chain.view
    if observation.denied:
        return None
    if observation.told_as == "made-credential" and observation.domain is not None:
        other = other_volume(chain, observation)
        return other or Identity(
            "made-pod", f"credential of pod {observation.by}", IdentityState.TAKEN, str(observation.domain)
        )
    if observation.action is Action.CREDENTIAL and observation.domain is not None:
        domain = str(observation.domain)
        if event.kind is not Kind.FILE:
            return Identity(
                "managed-identity", f"of {_pod_name(view)} by metadata service", IdentityState.TAKEN, domain
            )
        other = other_volume(chain, observation)
        if other is not None:
            return other
        credential = credential_at(event.file_path)
        if (
            credential is not None
            and observation.domain is Domain.CLUSTER
            and credential.kind == "service-account-token"
        ):
            return Identity("service-account", _service_account(view), IdentityState.TAKEN, domain)
        kind = credential.kind if credential is not None else "file"
        return Identity(kind, event.file_path, IdentityState.TAKEN, domain)
    if observation.action is Action.API and event.outcome is not Outcome.DENIED:
        if event.resource == "secrets" and event.verb in ("get", "list", "watch"):
            return Identity(
                "secret",
                f"{event.object_namespace or '*'}/{event.object_name or '*'}",
                IdentityState.TAKEN,
                "",
            )
        if event.resource == "serviceaccounts" and event.subresource == "token" and event.verb == "create":
            return Identity(
                "service-account",
                f"{event.object_namespace}/{event.object_name}",
                IdentityState.TAKEN,
                "cluster",
            )
    return None


def _pod_name(view: PodView) -> str:
    pod = pod_of(view)
    return f"{pod.namespace}/{pod.name}" if pod.name else "the pod"


def _service_account(view: PodView) -> str:
    """The pod's service account, from the audit log where it was read; else a description."""
    for observation in view.observations:
        if observation.action is Action.API and observation.event.identity.startswith(_SERVICE_ACCOUNT):
            return observation.event.identity.removeprefix(_SERVICE_ACCOUNT).replace(":", "/", 1)
    return f"of {_pod_name(view)} (name not in the telemetry)"


def _identities(chain: Chain) -> tuple[Identity, ...]:
    """All identities of the chain, strongest state of each."""
    states: dict[tuple[str, str], Identity] = {}

    def note(identity: Identity) -> None:
        key = (identity.kind, identity.name)
        before = states.get(key)
        if before is None or _STRENGTH[identity.state] > _STRENGTH[before.state]:
            states[key] = identity

    used_api = False
    for found in chain.matches.values():
        for observation in found:
            identity = _taken(chain, observation)
            if identity is not None:
                note(identity)
            if observation.action in (Action.API, Action.API_CONNECT) and not observation.denied:
                used_api = True
            for name in observation.provenance.exposes:
                note(Identity("environment", name, IdentityState.EXPOSED))
    for (kind, name), identity in list(states.items()):
        if kind == "service-account" and used_api and name == _service_account(chain.view):
            note(Identity(kind, name, IdentityState.USED, identity.domain))
    for identity in node_identities(chain):
        note(identity)
    for name in _exposed(chain):
        note(Identity("environment", name, IdentityState.EXPOSED))
    return tuple(sorted(states.values(), key=lambda i: (-_STRENGTH[i.state], i.kind, i.name)))


_STRENGTH = {IdentityState.EXPOSED: 0, IdentityState.TAKEN: 1, IdentityState.USED: 2}


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
        return f"{what}: cloud logs tell of one that is declared, not whether it was this one"
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
