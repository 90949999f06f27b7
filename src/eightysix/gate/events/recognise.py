"""From the body of any webhook to its events: what it is, its content says; who may send it, the caller knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Struct, field

from eightysix.gate.events import event_grid, harbor
from eightysix.gate.events.delivery import BadEventError, Delivery, Said, as_event
from eightysix.gate.events.distribution import Told, is_own, said_of
from eightysix.gate.events.event_grid import Grid
from eightysix.gate.events.harbor import Cloud, Default
from eightysix.gate.events.shape import MAX_EVENTS, media_type, wrong_shape
from eightysix.model.gate import Channel

__all__ = ["decode"]


_ABSENT = msgspec.Raw(b"")


class _Sniffed(Struct):
    """What tells one kind of body from another."""

    events: msgspec.Raw = _ABSENT
    specversion: msgspec.Raw = _ABSENT
    event_type: msgspec.Raw = field(default=_ABSENT, name="eventType")
    event_data: msgspec.Raw = _ABSENT
    occur_at: msgspec.Raw = _ABSENT
    action: msgspec.Raw = _ABSENT


_sniffed = msgspec.json.Decoder(_Sniffed)
_list = msgspec.json.Decoder(list[msgspec.Raw])
_told = msgspec.json.Decoder(Told)
_grid = msgspec.json.Decoder(Grid)
_harbor = msgspec.json.Decoder(Default)
_cloud = msgspec.json.Decoder(Cloud)


def decode(body: bytes, content_type: str, headers: Mapping[str, str], *, registry: str = "") -> Delivery:
    """What a request says; never raises. `headers` by their names in lower case; `registry` is the operator's name for the one
    that sends to this endpoint, and then what the body says of it does not count.

    The registries' own Content-Type only says that it is one of theirs: ACR's can be set to anything by its owner, and Event
    Grid sends both of its schemas under several.
    """
    if not media_type(content_type):
        return _refused(415, "the body is none of the types that registries send")
    if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        return _refused(415, "the body is compressed, which no registry does")
    wrong = wrong_shape(body)
    if wrong:
        return _refused(400, wrong)
    try:
        return _decoded(body, registry)
    except BadEventError as error:
        return _refused(400, str(error))
    except (msgspec.MsgspecError, ValueError, RecursionError):  # what was written is never repeated
        return _refused(400, "the body is no event of a registry")


def _decoded(body: bytes, registry: str) -> Delivery:
    if body.lstrip()[:1] == b"[":
        return _event_grid(_bounded(body), registry)
    sniffed = _sniffed.decode(body)
    if sniffed.events != _ABSENT:
        told = [_told.decode(event) for event in _bounded(sniffed.events)]
        return _taken(Channel.DISTRIBUTION, (said_of(event) for event in told), registry)
    if sniffed.specversion != _ABSENT:
        cloud = _cloud.decode(body)
        if cloud.type.startswith(harbor.CLOUD_PREFIX):
            return _taken(Channel.HARBOR, harbor.read_cloud(cloud), registry)
        return _event_grid([body], registry)
    if sniffed.event_type != _ABSENT:
        return _event_grid([body], registry)
    if sniffed.event_data != _ABSENT or sniffed.occur_at != _ABSENT:
        return _taken(Channel.HARBOR, harbor.read_default(_harbor.decode(body)), registry)
    if sniffed.action != _ABSENT:
        return _taken(Channel.ACR, [said_of(_told.decode(body))], registry)
    raise BadEventError("the body is no event of a registry")


def _event_grid(events: Iterable[msgspec.Raw | bytes], registry: str) -> Delivery:
    grids = [_grid.decode(event) for event in events]
    if not all(map(event_grid.is_ours, grids)):
        raise BadEventError("an event is none of Event Grid's")
    handshake = event_grid.validation(grids)
    if handshake:
        return Delivery(channel=Channel.EVENT_GRID, handshake=handshake)
    return _taken(Channel.EVENT_GRID, event_grid.read(grids), registry)


def _bounded(events: msgspec.Raw | bytes) -> list[msgspec.Raw]:
    found = _list.decode(events)
    if len(found) > MAX_EVENTS:
        raise BadEventError(f"there are more than {MAX_EVENTS} events")
    return found


def _taken(channel: Channel, said: Iterable[Said | None], registry: str) -> Delivery:
    """All events, or `BadEventError`. Which are told more often than `MAX_EVENTS` by a list within one event is refused too."""
    events = []
    ignored = 0
    for number, each in enumerate(said):
        if number >= MAX_EVENTS:
            raise BadEventError(f"there are more than {MAX_EVENTS} events")
        if each is None or is_own(each):
            ignored += 1
        else:
            events.append(as_event(channel, each, registry))
    return Delivery(channel=channel, events=tuple(events), ignored=ignored)


def _refused(status: int, why: str) -> Delivery:
    return Delivery(status=status, problems=(why,))
