"""`WWW-Authenticate`, as a registry sends it: who is to be asked for a token, and whether that may be.

RFC 9110, 11.6.1, and distribution's token authentication (spec/auth/token). A registry that is hostile, or that somebody
answers for, names a realm of its own to be given credentials: see `Realm`.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from msgspec import Struct

from eightysix.gate.references import api_host, host_of, is_loopback
from eightysix.model.errors import RegistryError
from eightysix.serve.registry.bounds import Settings

__all__ = ["Challenge", "Realm", "find_realm", "parse_challenges"]

MAX_HEADER = 8 << 10
_MAX_REALM = 2_048
_MAX_CHALLENGES = 8

_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_KNOWN: Mapping[str, tuple[str, ...]] = {
    "docker.io": ("auth.docker.io",),
    "registry.gitlab.com": ("gitlab.com",),
}
"""Registries whose tokens come from another host by their own documentation. All others: their own host, or the operator's
word."""


class Challenge(Struct, frozen=True):
    """One scheme, in lower case, with its parameters."""

    scheme: str
    parameters: dict[str, str]


class Realm(Struct, frozen=True):
    """Where to ask for a token. `trusted`: the registry's credentials may go there."""

    url: str
    host: str
    trusted: bool
    foreign: bool


def parse_challenges(text: str) -> list[Challenge]:
    """The challenges of a header. Raises `ValueError` for what is none."""
    if len(text) > MAX_HEADER or not text.isascii():
        raise ValueError("it is too long, or no text")
    found: list[Challenge] = []
    at = 0
    while True:
        at = _skip(text, at, " \t,")
        if at >= len(text):
            return found
        word, at = _word(text, at)
        after = _skip(text, at, " \t")
        if after < len(text) and text[after] == "=" and found:
            value, at = _value(text, _skip(text, after + 1, " \t"))
            name = word.lower()
            if name in found[-1].parameters:
                raise ValueError(f"{name} is there twice")
            found[-1].parameters[name] = value
        elif len(found) < _MAX_CHALLENGES:
            found.append(Challenge(word.lower(), {}))
        else:
            raise ValueError("there are too many")


def find_realm(text: str, registry: str, settings: Settings) -> Realm:
    """What a realm amounts to. Raises `RegistryError` for one that nobody may be sent to."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    host = (parts.hostname or "").rstrip(".")
    odd = len(text) > _MAX_REALM or not text.isascii() or not text.isprintable() or " " in text
    if odd or not host or parts.username is not None or parts.password is not None or parts.fragment:
        raise _refused(registry, "names no usable place for tokens")
    own = {host_of(registry), host_of(api_host(registry))}
    ours = host in own
    secure = parts.scheme == "https"
    shown = f"[{host}]" if ":" in host else host
    local = is_loopback(shown)
    if local and not is_loopback(registry):
        raise _refused(registry, "sends for tokens to this machine")
    plain = parts.scheme == "http" and (local or (ours and registry in settings.plain_http))
    if not (secure or plain):
        raise _refused(registry, "sends for tokens without TLS")
    named = f"{shown}:{port}" if port else shown
    allowed = {*_KNOWN.get(registry, ()), *settings.auth_hosts.get(registry, ())}
    trusted = (ours or host in allowed or named in allowed) and (secure or local)
    return Realm(text, host, trusted, foreign=not ours and not local)


def _refused(registry: str, why: str) -> RegistryError:
    return RegistryError(
        f"{registry} {why}",
        "look at its configuration; it may be that another one answers for it",
        kind="broken",
    )


def _skip(text: str, at: int, what: str) -> int:
    while at < len(text) and text[at] in what:
        at += 1
    return at


def _word(text: str, at: int) -> tuple[str, int]:
    start = at
    while at < len(text) and text[at] in _TOKEN:
        at += 1
    if at == start:
        raise ValueError(f"{text[at]!a} begins no word")
    return text[start:at], at


def _value(text: str, at: int) -> tuple[str, int]:
    if at >= len(text) or text[at] != '"':
        return _word(text, at) if at < len(text) else ("", at)
    made: list[str] = []
    at += 1
    while at < len(text) and text[at] != '"':
        if text[at] == "\\":
            at += 1
        made.append(text[at : at + 1])
        at += 1
    if at >= len(text):
        raise ValueError("a quotation does not end")
    return "".join(made), at + 1
