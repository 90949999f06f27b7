"""An incident in a few lines for chat messages and alerts: who, what happened, what was taken, what to do.

Text from telemetry is inert on a terminal and in chat: nobody is mentioned, nothing is a link or a template. Each format
adds what its own receiver asks for.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from eightysix.model.incident import Identity, Incident, StageEntry
from eightysix.model.words import IdentityState, Verdict
from eightysix.report.inert import inert, shorten
from eightysix.report.reach import holds, worst
from eightysix.report.story import clock, owner

__all__ = ["Brief", "brief", "chat_safe", "last_at", "origin_of"]

_ACTING = ("](", "{{", "${")  # links of markdown, templates of Adaptive Cards and their like
_STEPS = (7, 5)
_ITEMS = 8
_STATES = (IdentityState.USED, IdentityState.TAKEN, IdentityState.EXPOSED)


class Brief(Struct, frozen=True):
    """The lines of a message, each of at most as many columns as was asked for; empty parts are left out."""

    headline: str
    who: str
    facts: tuple[str, ...]
    steps: tuple[str, ...]
    identities: tuple[str, ...]
    gaps: tuple[str, ...]
    next_steps: tuple[str, ...]
    footer: str


def brief(incident: Incident, width: int = 240, scale: int = 1) -> Brief:
    """`incident` in lines of at most `width` columns; a higher `scale` keeps fewer of them."""
    first, last = (max(number // scale, 1) for number in _STEPS)
    most = max(_ITEMS // scale, 1)

    def line(text: str) -> str:
        return shorten(chat_safe(inert(text, width)), width)

    identities = sorted(incident.identities, key=lambda item: _STATES.index(item.state))
    return Brief(
        headline=line(f"{incident.verdict}[{incident.rule}]: {incident.title}"),
        who=line(origin_of(incident)),
        facts=tuple(map(line, _facts(incident))),
        steps=tuple(map(line, _middle_out([_step(step) for step in _in_order(incident)], first, last))),
        identities=tuple(map(line, _start([_identity(item) for item in identities], most))),
        gaps=tuple(map(line, _start(incident.gaps, most))),
        next_steps=tuple(map(line, _start(incident.next_steps, most))),
        footer=line(f"incident {incident.id} · revision {incident.revision}"),
    )


def chat_safe(text: str) -> str:
    """`text` without what chat programs and their look-alikes act upon: mentions, schemes of links, templates, tags.

    A mention needs an `@` that does not follow a letter or digit, so `image@sha256:…` stays as it is. `<` and `>`
    begin mentions and links in Slack and tags elsewhere: they become single guillemets.
    """
    text = text.replace("<", "\u2039").replace(">", "\u203a").replace("://", "[:]//")
    pieces = text.split("@")
    told = pieces[0]
    for piece in pieces[1:]:
        told += ("@" if told[-1:].isalnum() and told[-1:].isascii() else "(at)") + piece
    for pair in _ACTING:  # last, as what is put in above could complete a pair
        while pair in told:  # twice at most: `{{{` holds two of them
            told = told.replace(pair, f"{pair[0]} {pair[1]}")
    return told


def origin_of(incident: Incident) -> str:
    """The pod, or the rollout, and where it runs."""
    pod = incident.pod
    who = owner(incident)
    if pod is None:
        return who
    where = ", ".join(
        f"{kind} {name}" for kind, name in (("node", pod.node), ("cluster", pod.cluster)) if name
    )
    return f"pod {who}" + (f" on {where}" if where else "")


def last_at(incident: Incident) -> str:
    """When the last step happened (RFC 3339), T0 where there is none; empty where the incident has no time."""
    return max((step.at for step in incident.stages), default=incident.t0)


def _facts(incident: Incident) -> list[str]:
    silenced = incident.suppressed_by and incident.verdict is not Verdict.CONTAIN
    return [
        text
        for text, wanted in (
            (f"score {incident.score}", True),
            (f"workload {incident.workload}", incident.workload),
            (f"image {incident.image}", incident.image),
            (f"T0 {clock(incident.t0)} UTC", incident.t0),
            (f"within its reach: {_reach(incident)}", incident.reach),
            (f"silenced by exception {incident.suppressed_by}", silenced),
        )
        if wanted
    ]


def _reach(incident: Incident) -> str:
    return f"{worst(incident.reach)}; {holds(incident.reach)}" if incident.reach else ""


def _in_order(incident: Incident) -> list[StageEntry]:
    return sorted(incident.stages, key=lambda step: step.offset_s)


def _step(step: StageEntry) -> str:
    actor = f"{step.process} → {step.destination}" if step.destination else step.process
    offset = f"T{step.offset_s:+.1f}" if abs(step.offset_s) < 1e7 else f"T{step.offset_s:+.2g}"
    detail = f": {actor.strip(' ')}" if actor.strip(" ") else ""
    return f"{offset} {step.stage}: {step.title}{detail} [{step.grade} {step.origin}]"


def _identity(identity: Identity) -> str:
    name = f"{identity.kind.replace('-', ' ')} {identity.name}".strip(" ")
    return f"{identity.state}: {name}" + (f" ({identity.domain})" if identity.domain else "")


def _middle_out(lines: list[str], first: int, last: int) -> list[str]:
    hidden = len(lines) - first - last
    return lines if hidden <= 1 else [*lines[:first], f"… {hidden} more steps", *lines[-last:]]


def _start(lines: Sequence[str], most: int) -> list[str]:
    hidden = len(lines) - most
    return list(lines) if hidden <= 1 else [*lines[:most], f"… {hidden} more"]
