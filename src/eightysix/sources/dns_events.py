"""Answers and questions as events: who was told which address for which name."""

from __future__ import annotations

from hashlib import blake2b

from eightysix.model.event import Event, EventId
from eightysix.model.words import Grade, Kind, Origin, Source
from eightysix.sources.coredns import Question
from eightysix.sources.dns_flows import Flow

__all__ = ["answer_events", "question_event"]


def answer_events(flow: Flow, place: tuple[str, int]) -> list[Event]:
    """One event for each address that a pod was told, none for a flow without a name or a pod. A name that the agent put
    beside a flow itself, without the answer, is of grade F: the address alone tells whose it is."""
    if not flow.pod or not flow.names:
        return []
    answered = flow.kind == "answer"
    pairs = (
        [(ip, flow.names[0]) for ip in flow.addresses]
        if answered
        else [(ip, n) for ip in flow.addresses for n in flow.names]
    )
    return [
        Event(
            event_id=_event_id(flow.namespace, flow.pod, ip, name, str(flow.time_ns)),
            time_ns=flow.time_ns,
            source=Source.DNS,
            origin=Origin.CONTROL_PLANE,
            grade=Grade.C if answered else Grade.F,
            kind=Kind.RESOLVE,
            file=place[0],
            line=place[1],
            cluster=flow.cluster,
            node=flow.node,
            namespace=flow.namespace,
            pod=flow.pod,
            source_ip=flow.client,
            dst_ip=ip,
            dst_name=name,
            ttl_s=flow.ttl_s,
        )
        for ip, name in pairs
        if ip
    ]


def question_event(question: Question, time_ns: int, place: tuple[str, int]) -> Event:
    """What was asked for: whose question it was is known by an address alone, and what was answered is not."""
    return Event(
        event_id=_event_id(question.client, question.kind, question.name, str(time_ns)),
        time_ns=time_ns,
        source=Source.DNS,
        origin=Origin.CONTROL_PLANE,
        grade=Grade.F,
        kind=Kind.RESOLVE,
        file=place[0],
        line=place[1],
        source_ip=question.client,
        dst_name=question.name,
    )


def _event_id(*parts: str) -> EventId:
    native = "dns\0" + "\0".join(parts)
    return EventId(blake2b(native.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest())
