"""The place where stolen credentials go. It takes anything up to 1 MiB, and keeps nothing of it.

Recorded are the size, the SHA-256 of the whole, names of members where it is JSON or a form, and the SHA-256 of those names:
never a value.
"""

from __future__ import annotations

from hashlib import sha256
from urllib.parse import parse_qsl

import msgspec

from eightysix.lab.services.http import Answer, Request, json_answer
from eightysix.lab.services.roster import Roster
from eightysix.lab.services.truth import Record

__all__ = ["Sink"]

_KEYS = 32
_LONGEST_KEY = 40
_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.")
_DEPTH = 64


class Sink:
    """Answers every request as a friendly collector does."""

    def __init__(self, record: Record, roster: Roster) -> None:
        self._record = record
        self._roster = roster

    def __call__(self, request: Request) -> Answer:
        """Take what is sent."""
        keys = _keys(request)
        sent = request.body or request.query.encode("utf-8", "replace")
        self._record.mark(
            "sink",
            method=request.method,
            size=len(sent),
            sha256=sha256(sent).hexdigest(),
            keys=[key for key in keys if len(key) <= _LONGEST_KEY and _WORD.issuperset(key)],
            key_sha256=[sha256(key.encode()).hexdigest() for key in keys],
            peer=request.peer,
            port=request.port,
            pod=self._roster.name_at(request.peer),
            user_agent=request.header("user-agent")[:256],
        )
        return json_answer(200, {"ok": True})


def _keys(request: Request) -> list[str]:
    """Names of the members that were sent, at most 32: a name that looks like no word is told by its hash alone."""
    body = request.body
    if body[:1] == b"{" and body.count(b"[") + body.count(b"{") < _DEPTH:
        try:
            return sorted(msgspec.json.decode(body, type=dict[str, msgspec.Raw]))[:_KEYS]
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return []
    text = request.query
    if request.header("content-type").startswith("application/x-www-form-urlencoded"):
        text = body[: 64 << 10].decode("utf-8", "replace")
    try:
        return sorted({name for name, _ in parse_qsl(text, keep_blank_values=True, max_num_fields=200)})[
            :_KEYS
        ]
    except ValueError:
        return []
