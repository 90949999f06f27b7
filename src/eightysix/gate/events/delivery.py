"""One request of a webhook as it was understood, and the parts that all kinds of them share."""

from __future__ import annotations

from hashlib import sha256

from msgspec import Struct

from eightysix.gate.digests import is_digest
from eightysix.gate.references import is_repository, is_tag, parse_registry
from eightysix.model.errors import UsageError
from eightysix.model.gate import Channel, RegistryAction, RegistryEvent
from eightysix.model.stored import visible
from eightysix.model.timestamps import to_ns

__all__ = ["BadEventError", "Delivery", "Handshake", "Said", "as_event", "hashed_id", "time_of"]

MAX_TEXT = 512
"""Characters that are kept of a name, an address or an agent; the longest agents of Docker have some 200."""
MAX_ID = 200
"""Characters of an event's own id; of a longer one its digest is kept."""
_MOST = (1 << 63) - 1


class Handshake(Struct, frozen=True):
    """An answer that a sender wants before it sends: `body` and `headers` of a 200. Nothing that the request names is asked."""

    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


class Delivery(Struct, frozen=True, kw_only=True):
    """What one request amounts to.

    `status` is what HTTP should refuse it with, 0 where nothing is wrong; then `problems` say why and there are no events:
    a request is taken whole or not at all. `ignored` counts what means nothing for a tag: our own pulls, layers, charts,
    events of other services.
    """

    channel: Channel | None = None
    events: tuple[RegistryEvent, ...] = ()
    handshake: Handshake | None = None
    problems: tuple[str, ...] = ()
    status: int = 0
    ignored: int = 0


class BadEventError(Exception):
    """A body is none that a registry sends; the text never repeats what it holds."""


class Said(Struct, frozen=True, kw_only=True):
    """What an event says before it is checked: texts of whoever wrote it. `host` is the Host header of the request that it tells
    of, which whoever pushed chose, or the like."""

    id: str
    action: RegistryAction
    host: str = ""
    repository: str = ""
    tag: str = ""
    digest: str = ""
    media_type: str = ""
    size: int = 0
    told_ns: int = 0
    actor: str = ""
    address: str = ""
    agent: str = ""


def as_event(channel: Channel, said: Said, registry: str) -> RegistryEvent:
    """The event, checked: raises `BadEventError` for names and digests that no registry has.

    `registry` is the name that the operator gave to the sender; only where there is none the event's own host counts. One that
    is no host leaves the registry empty, so that nobody watches it: whoever pushes writes it, and must not be able to have
    an event refused for ever.
    """
    if not is_repository(said.repository):
        raise BadEventError("a repository's name is none")
    if said.tag and not is_tag(said.tag):
        raise BadEventError("a tag is none")
    if said.digest and not is_digest(said.digest):
        raise BadEventError("a digest is none: sha256 and 64 digits, or sha512 and 128, in lower case")
    if not said.digest and not (said.tag and said.action is RegistryAction.DELETE):
        raise BadEventError("a digest is missing")
    if not 0 <= said.size <= _MOST:
        raise BadEventError("a size is none")
    return RegistryEvent(
        id=_id(said.id),
        channel=channel,
        action=said.action,
        registry=registry or _registry(said.host),
        repository=said.repository,
        tag=said.tag,
        digest=said.digest,
        media_type=_text(said.media_type),
        size=said.size,
        told_ns=said.told_ns,
        actor=_text(said.actor),
        address=_text(said.address),
        agent=_text(said.agent),
    )


def time_of(text: str | None) -> int:
    """Nanoseconds of a time, 0 where it is none: the order of events then is that of their arrival."""
    try:
        return to_ns(text) if text else 0
    except ValueError:
        return 0


def hashed_id(*parts: str) -> str:
    """An id for an event that has none, from all that it says."""
    return "sha256:" + sha256("\0".join(map(visible, parts)).encode()).hexdigest()


def _id(text: str) -> str:
    if not text:
        raise BadEventError("an event has no id")
    return visible(text) if len(text) <= MAX_ID else hashed_id(text)


def _text(text: str) -> str:
    return visible(text[:MAX_TEXT])


def _registry(host: str) -> str:
    try:
        return parse_registry(host) if host else ""
    except UsageError:
        return ""
