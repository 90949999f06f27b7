"""The event of CNCF's distribution, which ACR took over and Event Grid carries as its data.

Sources: distribution/distribution, notifications/event.go (versions 2 and 3); Azure Container Registry webhook reference; the
type `ContainerRegistryEventData` of Azure's SDKs, which has `actor`, `location`, `connectedRegistry` and `source` beside what
the documents show. Events of distribution 2.8.2 were recorded from a real one.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct, field

from eightysix.gate.agent import OWN_AGENT
from eightysix.gate.events.delivery import Said, hashed_id, time_of
from eightysix.model.gate import RegistryAction

__all__ = ["Told", "is_own", "said_of"]

_ACTIONS = {"push": RegistryAction.PUSH, "delete": RegistryAction.DELETE, "pull": RegistryAction.PULL}
"""All others mean nothing for a tag: `mount`, ACR's `chart_push`, `chart_delete`, `quarantine` and `ping`."""


class Target(Struct):
    """What it is about. `length` repeats `size`."""

    media_type: str | None = field(default=None, name="mediaType")
    size: int | None = None
    digest: str | None = None
    repository: str | None = None
    tag: str | None = None


class Asked(Struct):
    """The request that made it. ACR's and Event Grid's have no `addr` in the documents."""

    addr: str | None = None
    host: str | None = None
    useragent: str | None = None


class Actor(Struct):
    """Who asked; empty without authentication."""

    name: str | None = None


class Told(Struct):
    """One event. Everything may be absent."""

    id: str | None = None
    timestamp: str | None = None
    action: str | None = None
    target: Target | None = None
    request: Asked | None = None
    actor: Actor | None = None


def said_of(told: Told, *, id: str = "", action: str = "", host: str = "") -> Said | None:  # noqa: A002
    """What an event says, None where it means nothing for a tag. `id`, `action` and `host` are of an envelope."""
    target, asked = told.target or Target(), told.request or Asked()
    what = _ACTIONS.get(action or told.action or "", RegistryAction.OTHER)
    if what is RegistryAction.OTHER or (what is RegistryAction.PUSH and not _is_manifest(target)):
        return None
    return Said(
        id=id or told.id or hashed_id(msgspec.json.encode(told).decode()),
        action=what,
        host=asked.host or host,
        repository=target.repository or "",
        tag=target.tag or "",
        digest=target.digest or "",
        media_type=target.media_type or "",
        size=target.size or 0,
        told_ns=time_of(told.timestamp),
        actor=(told.actor.name if told.actor else None) or "",
        address=asked.addr or "",
        agent=asked.useragent or "",
    )


def is_own(said: Said) -> bool:
    """Whether this is one of our own pulls."""
    return said.action is RegistryAction.PULL and said.agent.startswith(OWN_AGENT)


def _is_manifest(target: Target) -> bool:
    """Layers come as pushes too, without a tag and as `application/octet-stream`."""
    kind = target.media_type or ""
    return bool(target.tag) or "manifest" in kind or "image.index" in kind
