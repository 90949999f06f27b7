"""What an observation is in words: who did it, to what, where that is written, and which identity it took."""

from __future__ import annotations

from datetime import UTC, datetime

from eightysix.context.credentials import credential_at
from eightysix.detect.actions import Action
from eightysix.detect.blast import other_volume
from eightysix.detect.gated import facts_of, gate_text, is_gated
from eightysix.detect.observe import Observation
from eightysix.detect.place import place_of
from eightysix.detect.scanned import scan_of
from eightysix.detect.view import PodView
from eightysix.model.incident import Evidence, Identity, PodRef
from eightysix.model.words import Domain, IdentityState, Kind, Outcome, Source

__all__ = [
    "MAX_EVIDENCE",
    "destination_of",
    "evidence_in_order",
    "evidence_of",
    "identity_text",
    "pod_name",
    "pod_of",
    "process_of",
    "rfc3339",
    "service_account_of",
    "taken_by",
]

MAX_EVIDENCE = 6
"""Places told of one observation."""


def rfc3339(time_ns: int) -> str:
    """RFC 3339 in UTC with microseconds."""
    return (
        datetime.fromtimestamp(time_ns // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        + f".{time_ns % 1_000_000_000 // 1000:06d}Z"
    )


def pod_of(view: PodView) -> PodRef:
    """Who the pod is, from all that its events say."""
    who = view.who

    def any_of(name: str) -> str:
        own = getattr(who, name)
        return own or next((getattr(o.event, name) for o in view.observations if getattr(o.event, name)), "")

    return PodRef(any_of("cluster"), any_of("node"), any_of("namespace"), any_of("pod"), any_of("pod_uid"))


def evidence_of(view: PodView, observation: Observation) -> tuple[Evidence, ...]:
    """Where it is written; of a file that was loaded, also where the scan's verdict is, and of a digest that
    the gate told of, where it did."""
    places = {Evidence(str(e.source), e.file, e.line) for e in observation.evidence}
    places.update(Evidence(str(Source.GATE), f.file, f.line) for f in facts_of(view, observation) if f.file)
    known = scan_of(view, observation)
    if known is not None and known.file:
        places.add(Evidence(str(Source.LEDGER), known.file, known.line))
    return tuple(sorted(places, key=lambda e: (e.source, e.file, e.line))[:MAX_EVIDENCE])


def evidence_in_order(view: PodView, observation: Observation) -> tuple[Evidence, ...]:
    """The same by time: which of many are told depends on what they say, not on where they are written."""
    events = sorted(observation.evidence, key=lambda e: (e.time_ns, e.event_id))
    places = [Evidence(str(e.source), e.file, e.line) for e in events]
    places += [Evidence(str(Source.GATE), f.file, f.line) for f in facts_of(view, observation) if f.file]
    known = scan_of(view, observation)
    if known is not None and known.file:
        places.append(Evidence(str(Source.LEDGER), known.file, known.line))
    return tuple(dict.fromkeys(places))


def process_of(view: PodView, observation: Observation) -> str:
    """What acted, for people: the command, and whose code it was where the sensor knows."""
    if observation.action is Action.INSTALL and observation.artifacts:
        what = ", ".join(str(a) for a in observation.artifacts[:3])
        more = f" and {len(observation.artifacts) - 3} more" if len(observation.artifacts) > 3 else ""
        where = f" in {observation.by}, on a volume" if observation.by else ""
        command = observation.event.command
        return f"{command}: {what}{more}{where}" if command else what + more + where
    if observation.action is Action.NEW_DIGEST:
        return f"{observation.event.image} {observation.event.image_digest[:19]}"
    if is_gated(observation):
        return gate_text(view, observation)
    told = observation.provenance
    command = observation.event.command or view.lineage.command(observation.actor)
    if observation.told_as not in ("", "made-pod"):
        return f"{command or observation.event.binary} in {observation.by}".strip()
    root = told.at_import.partition("pth:")[2] or told.at_import or told.root
    if root and not root.startswith("app:"):
        return f"{command} ({root})" if command else root
    return command


def destination_of(view: PodView, observation: Observation) -> str:
    """What it acted on: an address with its name, a file, a request."""
    event = observation.event
    if is_gated(observation):
        return ""
    if event.kind in (Kind.CONNECT, Kind.HTTP):
        place = f"{event.dst_ip or event.dst_name}:{event.dst_port}"
        if observation.name and observation.name != event.dst_ip:
            place = f"{place} ({observation.name})"
        return f"{place} (refused)" if observation.denied else place
    if event.kind is Kind.FILE:
        return event.file_path + _scanned(view, observation)
    if event.kind is Kind.API:
        target = "/".join(
            p for p in (event.object_namespace, event.resource, event.object_name, event.subresource) if p
        )
        asked = f" ({', '.join(event.host)})" if event.host else ""
        return f"{event.verb} {target}{asked}{_from(view, observation)}"
    if event.kind is Kind.CLOUD:
        return f"{event.verb} {event.object_name}".strip() + _from(view, observation)
    return event.module + _scanned(view, observation)


def _scanned(view: PodView, observation: Observation) -> str:
    """What the scan says of the file that was loaded."""
    known = scan_of(view, observation)
    return f" (scan: {known.verdict})" if known is not None else ""


def _from(view: PodView, observation: Observation) -> str:
    """Where a call came from, where that matters: beside the pod's own requests it would be noise."""
    event = observation.event
    told = event.source_ip and (
        event.kind is Kind.CLOUD or place_of(view, observation) in ("outside", "elsewhere")
    )
    return f" from {event.source_ip}" if told else ""


def identity_text(view: PodView, observation: Observation) -> str:
    """The identity that it takes or acts as, as text."""
    identity = taken_by(view, observation)
    return f"{identity.kind} {identity.name}" if identity is not None else observation.event.identity


_SERVICE_ACCOUNT = "system:serviceaccount:"


def taken_by(view: PodView, observation: Observation) -> Identity | None:
    """The identity that an observation takes, None where it takes none."""
    event = observation.event
    if observation.denied:
        return None
    if observation.told_as == "made-credential" and observation.domain is not None:
        other = other_volume(view, observation)
        return other or Identity(
            "made-pod", f"credential of pod {observation.by}", IdentityState.TAKEN, str(observation.domain)
        )
    if observation.action is Action.CREDENTIAL and observation.domain is not None:
        domain = str(observation.domain)
        if event.kind is not Kind.FILE:
            return Identity(
                "managed-identity", f"of {pod_name(view)} by metadata service", IdentityState.TAKEN, domain
            )
        other = other_volume(view, observation)
        if other is not None:
            return other
        credential = credential_at(event.file_path)
        if (
            credential is not None
            and observation.domain is Domain.CLUSTER
            and credential.kind == "service-account-token"
        ):
            return Identity("service-account", service_account_of(view), IdentityState.TAKEN, domain)
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


def pod_name(view: PodView) -> str:
    """`namespace/name`, or words where no record said."""
    pod = pod_of(view)
    return f"{pod.namespace}/{pod.name}" if pod.name else "the pod"


def service_account_of(view: PodView) -> str:
    """The pod's service account, from the audit log where it was read; else a description."""
    for observation in view.observations:
        if observation.action is Action.API and observation.event.identity.startswith(_SERVICE_ACCOUNT):
            return observation.event.identity.removeprefix(_SERVICE_ACCOUNT).replace(":", "/", 1)
    return f"of {pod_name(view)} (name not in the telemetry)"
