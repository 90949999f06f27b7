"""An incident as a message for a Slack incoming webhook, in Block Kit.

Limits of Slack (docs.slack.dev, block kit reference): 50 blocks, 3,000 characters in a section's text, 150 in a
header. Text from telemetry stands in `plain_text` alone, where Slack reads no formatting, and `&`, `<` and `>` are
written as entities, as Slack asks for in every text.
"""

from __future__ import annotations

from collections.abc import Sequence

from eightysix.model.incident import Incident
from eightysix.report.brief import Brief, brief
from eightysix.report.json_text import one_line

__all__ = ["MAX_BLOCKS", "MAX_HEADER", "MAX_TEXT", "slack_message"]

MAX_BLOCKS = 50
MAX_TEXT = 3_000
MAX_HEADER = 150
_FALLBACK = 300

Json = dict[str, object]


def slack_message(incident: Incident) -> str:
    """The body of the request."""
    told = brief(incident)
    blocks = [_block("header", [told.headline], MAX_HEADER), _block("section", [told.who, *told.facts])]
    for title, lines in _parts(told):
        blocks += [_title(title), _block("section", lines)]
    blocks.append(_context(told.footer))
    return one_line(
        {
            "text": _cut(f"{_escape(told.headline)} · {_escape(told.who)}", _FALLBACK),
            "mrkdwn": False,
            "link_names": False,
            "unfurl_links": False,
            "unfurl_media": False,
            "blocks": blocks[:MAX_BLOCKS],
        }
    )


def _parts(told: Brief) -> list[tuple[str, Sequence[str]]]:
    numbered = [f"{number}. {text}" for number, text in enumerate(told.next_steps, 1)]
    parts: list[tuple[str, Sequence[str]]] = [
        ("What happened", told.steps),
        ("Identities", told.identities),
        ("Could not be seen", told.gaps),
        ("What to do next", numbered),
    ]
    return [(title, lines) for title, lines in parts if lines]


def _block(kind: str, lines: Sequence[str], most: int = MAX_TEXT) -> Json:
    return {"type": kind, "text": _plain("\n".join(_fitting([_escape(line) for line in lines], most)))}


def _plain(text: str) -> Json:
    return {"type": "plain_text", "text": text or "·", "emoji": False}


def _title(text: str) -> Json:
    """One of our own words, bold."""
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": f"*{text}*", "verbatim": True}]}


def _context(text: str) -> Json:
    return {"type": "context", "elements": [_plain(_escape(text))]}


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _fitting(lines: list[str], most: int) -> list[str]:
    """`lines` as far as they fit into `most` characters; what is cut is said."""
    if sum(map(len, lines)) + len(lines) - 1 <= most:
        return lines
    if len(lines) == 1:
        return [_cut(lines[0], most)]
    room = most - len("\n… 99 more")
    kept: list[str] = []
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            break
        kept.append(line)
    return [*kept, f"… {len(lines) - len(kept)} more"] if kept else [_cut(lines[0], most)]


def _cut(text: str, most: int) -> str:
    """`text` in at most `most` characters, never in the middle of an entity."""
    if len(text) <= most:
        return text
    cut = text[: most - 1]
    start = cut.rfind("&", max(len(cut) - 5, 0))
    if start >= 0 and ";" not in cut[start:]:
        cut = cut[:start]
    return cut + "…"
