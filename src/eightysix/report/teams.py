"""An incident as an Adaptive Card in the envelope that a Teams workflow ("when a webhook request is received") takes.

Teams refuses messages over 28 KB (learn.microsoft.com, "Create an Incoming Webhook", limits). Text from telemetry stands
in `TextRun` alone, which knows no markdown (adaptivecards.io, TextRun); a mention would need an entity in the card, and
there is none.
"""

from __future__ import annotations

from collections.abc import Sequence

from eightysix.model.incident import Incident
from eightysix.model.words import Verdict
from eightysix.report.brief import Brief, brief
from eightysix.report.json_text import one_line

__all__ = ["MAX_BYTES", "teams_message"]

MAX_BYTES = 28 * 1024
_SIZES = ((240, 1), (120, 1), (80, 2), (40, 4))
_COLOURS = {Verdict.CONTAIN: "attention", Verdict.SUSPECT: "warning", Verdict.WATCH: "accent"}

Json = dict[str, object]


def teams_message(incident: Incident) -> str:
    """The body of the request, in at most `MAX_BYTES` of UTF-8: lines get shorter and fewer until it fits."""
    text = ""
    for width, scale in _SIZES:
        text = one_line(_envelope(_card(brief(incident, width, scale), incident.verdict)))
        if len(text.encode()) <= MAX_BYTES:
            break
    return text


def _envelope(card: Json) -> Json:
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": card,
    }
    return {"type": "message", "attachments": [attachment]}


def _card(told: Brief, verdict: Verdict) -> Json:
    numbered = [f"{number}. {text}" for number, text in enumerate(told.next_steps, 1)]
    body = [
        _line(told.headline, size="large", weight="bolder", color=_COLOURS[verdict]),
        _line(told.who, weight="bolder"),
        *_lines("", told.facts),
        *_lines("What happened", told.steps),
        *_lines("Identities", told.identities),
        *_lines("Could not be seen", told.gaps),
        *_lines("What to do next", numbered),
        {**_line(told.footer, isSubtle=True), "separator": True},
    ]
    return {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": body,
    }


def _lines(title: str, lines: Sequence[str]) -> list[Json]:
    if not lines:
        return []
    head = [{**_line(title, weight="bolder"), "spacing": "medium"}] if title else []
    return [*head, *({**_line(line), "spacing": "none"} for line in lines)]


def _line(text: str, **style: object) -> Json:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text or "·", **style}]}
