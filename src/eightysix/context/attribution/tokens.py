"""Ids of tokens: which sign-in issued one, which pod showed one, which pod had one issued.

Entra writes the id of one token in three forms: as a GUID (`id` of the sign-in), as the 22 characters of the claim `uti`
(its 16 bytes, little-endian, base64url), and, in rows of resource logs, as the base64 of the GUID's text (48 characters).
"""

from __future__ import annotations

import base64
import binascii
from functools import lru_cache

from eightysix.context.inventory.observing import NODE_USER, key_of_pod
from eightysix.model.event import Event
from eightysix.model.words import Kind, Outcome

__all__ = ["MAX_TOKENS", "Tokens", "token_key"]

MAX_TOKENS = 500_000
"""Token ids that are kept: a day of one sign-in every 0.2 s."""


@lru_cache(maxsize=4096)
def token_key(text: str) -> str:
    """One form for all ways of writing a token's id. Text in no such form stays as it is, cut to 128 characters."""
    size = len(text)
    try:
        if size == 36 and text.count("-") == 4:
            return _guid(bytes.fromhex(text.replace("-", "")))
        if size == 22:
            raw = base64.urlsafe_b64decode(text + "==")
            return _guid(raw[3::-1] + raw[5:3:-1] + raw[7:5:-1] + raw[8:])
        if size == 48:
            inner = base64.b64decode(text, validate=True).decode("ascii")
            return _guid(bytes.fromhex(inner.replace("-", ""))) if inner.count("-") == 4 else text
    except (ValueError, binascii.Error, UnicodeDecodeError):
        pass
    return text[:128]


def _guid(raw: bytes) -> str:
    if len(raw) != 16:
        raise ValueError("not 16 bytes")
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


class Tokens:
    """Where token ids were seen."""

    def __init__(self) -> None:
        self.sign_ins: dict[str, dict[str, Event]] = {}
        self.shown: dict[str, set[tuple[str, str]]] = {}
        self.bound: dict[str, tuple[str, ...]] = {}
        self.minted: dict[str, dict[str, Event]] = {}
        self._by_account: dict[str, list[Event]] | None = None
        self.full = False

    def observe(self, event: Event) -> None:
        """Take what an event tells of token ids."""
        if event.kind is Kind.CLOUD:
            if event.resource == "sign-in" and event.credential_id:
                self._keep(self.sign_ins, token_key(event.credential_id), event)
            return
        if event.kind is not Kind.API:
            return
        if event.issued_credential_id and event.outcome is not Outcome.DENIED:
            self._keep(self.minted, event.issued_credential_id, event)
            self._by_account = None
        key = key_of_pod(event)
        if event.credential_id and key:
            if event.credential_id in self.shown or len(self.shown) < MAX_TOKENS:
                held = self.shown.setdefault(event.credential_id, set())
                if len(held) < 16:
                    held.add((key, event.node))
            else:
                self.full = True

    def _keep(self, table: dict[str, dict[str, Event]], key: str, event: Event) -> None:
        held = table.get(key)
        if held is None:
            if len(table) >= MAX_TOKENS:
                self.full = True
                return
            held = table[key] = {}
        known = held.get(event.event_id)
        if (
            known is None
            and len(held) < 8
            or known is not None
            and (event.file, event.line) < (known.file, known.line)
        ):
            held[event.event_id] = event

    def sign_in(self, credential_id: str) -> Event | None:
        """The sign-in that issued a token; the first where several rows have its id."""
        return _first(self.sign_ins.get(token_key(credential_id))) if credential_id else None

    def mint(self, credential_id: str) -> Event | None:
        """The request that had a service account's token issued."""
        return _first(self.minted.get(credential_id)) if credential_id else None

    def mints_for(self, account: str) -> list[Event]:
        """Requests that had tokens of a service account (`namespace/name`) issued, by time."""
        if self._by_account is None:
            self._by_account = {}
            for told in self.minted.values():
                for event in told.values():
                    name = f"{event.object_namespace}/{event.object_name}"
                    self._by_account.setdefault(name, []).append(event)
            for events in self._by_account.values():
                events.sort(key=lambda e: (e.time_ns, e.event_id))
        return self._by_account.get(account, [])

    def showed(self, credential_id: str) -> frozenset[str]:
        """Keys of the pods that the API server names for this token: when it was used, and when it was issued."""
        found = {key for key, _ in self.shown.get(credential_id, ())}
        return frozenset(found.union(self.bound.get(credential_id, ())))


def _first(events: dict[str, Event] | None) -> Event | None:
    return min(events.values(), key=lambda e: (e.time_ns, e.event_id)) if events else None


def minted_by_node(event: Event) -> str:
    """The node whose kubelet had a token issued, empty where somebody else did."""
    return event.identity[len(NODE_USER) :] if event.identity.startswith(NODE_USER) else ""
