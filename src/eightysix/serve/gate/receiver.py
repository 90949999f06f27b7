"""Takes the webhooks of registries, at `/v1/webhooks/distribution`, `acr`, `event-grid` and `harbor`.

A delivery is acknowledged when its events are on the disk, all of them; any other answer means that nothing of it was
taken. Nobody gets beyond a refusal without the secret of an endpoint, except to `/healthz`, which says yes or no. Which
registry an event is of says the secret that it came with, where the operator named one: the body's own word for it is the
Host header that whoever pushed chose.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from contextlib import suppress
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct

from eightysix.gate.events import MAX_BODY_BYTES, Handshake, consent, decode
from eightysix.model.errors import StateError, UsageError
from eightysix.model.gate import Channel, Outcome, Reference, RegistryAction, RegistryEvent
from eightysix.serve.gate.counts import WebhookCounts
from eightysix.serve.listener import Answer, HttpLimits, Listener, Request
from eightysix.serve.receiver import Token
from eightysix.serve.tls import ServerTls
from eightysix.store.history import Recorded

__all__ = ["HEALTH", "PATHS", "QUERY", "RETRY_S", "SECRET_HEADER", "Endpoint", "WebhookReceiver"]

PATHS = {
    f"/v1/webhooks/{channel.value}": channel
    for channel in (Channel.DISTRIBUTION, Channel.ACR, Channel.EVENT_GRID, Channel.HARBOR)
}
HEALTH = "/healthz"

SECRET_HEADER = "x-eightysix-token"  # noqa: S105 - the name of a header
"""For senders that can set a header but have another use for `Authorization`; Event Grid's delivery properties, for one."""

QUERY = "token"
"""The parameter of the address that may hold the secret, for Event Grid alone: that comes with its handshakes too, and of headers
the documents do not say so."""

RETRY_S = 5
"""Seconds after which a sender may come again when the history cannot be written."""

_MAX_PARAMETERS = 8


class Endpoint(Struct, frozen=True):
    """Who may send to one of the paths. `registry` is the name by which the gate knows the sender
    (`registry.acme.example`); empty, the events' own word counts, and a sender speaks for any registry."""

    channel: Channel
    token: Token
    registry: str = ""


class WebhookReceiver:
    """The endpoints. Start it with `with receiver.listen(...)`; its methods are called from many threads.

    `take` records events durably, or raises `StateError`: `GateHistory.take`. `watches` says which events are of something
    that is watched. `ask` is told the tags that should be asked for soon, because what was told of them is only a hint; it
    must not wait.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        take: Callable[[Sequence[RegistryEvent]], Sequence[Recorded]],
        watches: Callable[[RegistryEvent], bool],
        ask: Callable[[Reference], object] | None = None,
    ) -> None:
        if not endpoints:
            raise UsageError("no webhook has a secret", "give at least one endpoint a secret of its own")
        self.counts = WebhookCounts()
        self._endpoints = tuple(endpoints)
        self._take = take
        self._watches = watches
        self._ask = ask
        self._well = True

    def listen(
        self, host: str, port: int, *, tls: ServerTls | None = None, limits: HttpLimits | None = None
    ) -> Listener:
        """A listener, to be started with `with`."""
        return Listener(host, port, self, tls=tls, limits=limits)

    def admit(self, request: Request) -> Answer | int:
        """Who may send, before anything of the body is read."""
        if request.path == HEALTH and request.method in ("GET", "HEAD"):
            return 0
        channel = PATHS.get(request.path)
        if channel is None:
            return self._refused(None, 404, "there is nothing here")
        if self._endpoint(channel, request) is None:
            return self._refused(
                channel, 401, "a valid secret is missing", ("www-authenticate", 'Bearer realm="eightysix"')
            )
        if request.method == "OPTIONS" and channel is Channel.EVENT_GRID:
            return 0
        if request.method != "POST":
            return self._refused(channel, 405, "send events with POST", ("allow", "POST"))
        told = request.header("content-length") or "0"
        if len(told) > 9 or int(told) > MAX_BODY_BYTES:  # h11 let only digits through
            self.counts.refuse(channel, "body")
            return self._refused(channel, 400, f"the body is larger than {MAX_BODY_BYTES} bytes")
        return MAX_BODY_BYTES

    def answer(self, request: Request, body: bytes) -> Answer:
        """Take the events of an admitted request."""
        channel = PATHS.get(request.path)
        endpoint = self._endpoint(channel, request) if channel else None
        if channel is None or endpoint is None:
            return Answer(200 if self._well else 503, b"ok\n" if self._well else b"", "text/plain")
        headers = dict(request.headers)
        if request.method == "OPTIONS":
            agreed = consent(headers)
            return self._shaken(channel, agreed) if agreed else self._refused(channel, 403, "who are you?")
        delivery = decode(body, headers.get("content-type", ""), headers, registry=endpoint.registry)
        if delivery.status:
            self.counts.refuse(channel, "body")
            return self._refused(channel, delivery.status, delivery.problems[0])
        if delivery.channel is not channel:
            self.counts.refuse(channel, "channel")
            return self._refused(channel, 400, "these events belong to another path")
        if delivery.handshake:
            return self._shaken(channel, delivery.handshake)
        return self._taken(channel, delivery.events, delivery.ignored)

    def _taken(self, channel: Channel, events: Sequence[RegistryEvent], ignored: int) -> Answer:
        watched: list[RegistryEvent] = []
        became: list[str] = []
        for event in events:
            if event.action is RegistryAction.PULL:
                became.append("pull")
            elif self._watches(event):
                watched.append(event)
            else:
                became.append("unwatched")
        try:
            recorded = self._take(watched) if watched else ()
        except StateError:
            self._well = False
            self.counts.refuse(channel, "store")
            return self._refused(channel, 503, "nothing can be written now", ("retry-after", str(RETRY_S)))
        self._well = self._well or bool(watched)
        self.counts.became(channel, [*became, *(each.outcome.value for each in recorded)], ignored)
        self._to_be_asked(watched, recorded)
        status = 202 if "unwatched" in became else 200
        self.counts.request(channel, status)
        moved = sum(len(each.moves) for each in recorded)
        told = {"taken": len(watched), "moved": moved, "dropped": became.count("unwatched")}
        return Answer(status, msgspec.json.encode(told) + b"\n")

    def _to_be_asked(self, events: Sequence[RegistryEvent], recorded: Sequence[Recorded]) -> None:
        """Have everything asked for that was told and is not known for sure."""
        if self._ask is None:
            return
        for event, each in zip(events, recorded, strict=True):
            tags = {move.tag for move in each.moves}
            if each.outcome in (Outcome.LATE, Outcome.CONFLICT) and event.tag:
                tags.add(event.tag)
            for tag in sorted(tags):
                self._ask(Reference(event.registry, event.repository, tag))

    def _endpoint(self, channel: Channel, request: Request) -> Endpoint | None:
        """The endpoint whose secret was shown. All are compared, so that time tells nothing of which was nearly right."""
        shown = _shown(channel, request)
        found = None
        for endpoint in self._endpoints:
            matches = [endpoint.token.matches(each) for each in shown]
            if any(matches) and endpoint.channel is channel:
                found = endpoint
        return found

    def _shaken(self, channel: Channel, handshake: Handshake) -> Answer:
        self.counts.shaken()
        self.counts.request(channel, 200)
        return Answer(200, handshake.body, headers=handshake.headers)

    def _refused(
        self, channel: Channel | None, status: int, reason: str, *headers: tuple[str, str]
    ) -> Answer:
        self.counts.request(channel, status)
        return Answer(status, msgspec.json.encode({"error": reason}) + b"\n", headers=headers)


def _shown(channel: Channel, request: Request) -> list[bytes]:
    """What a request shows as its secret: a bearer, the password of `Basic`, a header alone (Harbor sends what it was
    given), ours, or for Event Grid the address's parameter."""
    shown = []
    whole = (request.header("authorization") or "").strip()
    scheme, _, told = whole.partition(" ")
    if scheme.lower() == "basic":
        with suppress(binascii.Error):
            shown.append(base64.b64decode(told.strip(), validate=True).partition(b":")[2])
    elif whole:
        shown.append((told.strip() if scheme.lower() == "bearer" else whole).encode("latin-1"))
    own = request.header(SECRET_HEADER)
    if own:
        shown.append(own.strip().encode("latin-1"))
    if channel is Channel.EVENT_GRID:
        shown += _of_query(request.query)
    return shown


def _of_query(query: str) -> list[bytes]:
    try:
        told = [value for name, value in parse_qsl(query, max_num_fields=_MAX_PARAMETERS) if name == QUERY]
    except ValueError:
        return []
    return [told[0].encode("utf-8", "replace")] if len(told) == 1 else []
