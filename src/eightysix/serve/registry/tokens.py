"""What a registry is shown: Basic, or tokens of distribution's protocol, asked for `pull` of one repository and nothing else.

Sources: distribution's spec/auth/token and spec/auth/oauth; Azure/acr, docs/AAD-OAuth.md (`/oauth2/exchange`). The scope that a
challenge asks for is not believed: a registry could ask for a token that is good elsewhere.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec
from msgspec import Struct

from eightysix.gate.references import api_host, is_loopback
from eightysix.model.errors import RegistryError
from eightysix.serve.registry.bounds import Settings
from eightysix.serve.registry.challenge import Challenge, Realm, find_realm, parse_challenges
from eightysix.serve.registry.credentials import Credentials, Login

__all__ = ["Authorizer", "Reply"]

EARLY_S = 10.0
"""A token is asked for anew that long before it ends."""
SHORTEST_S = 60.0
"""What a token without a duration is good for (spec/auth/token: 60 s, and no less for any)."""
LONGEST_S = 3_600.0
"""No token is kept longer, whatever it says: rights that were taken away end."""
_MAX_TOKEN = 16 << 10
_MAX_ENTRIES = 1_000
_CLIENT = "eightysix"


class Reply(NamedTuple):
    """A whole small answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Send(Protocol):
    """Sends a request for a token: no redirect is followed, and nothing is shown but what is given."""

    def __call__(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, *, foreign: bool
    ) -> Reply:
        """The answer, whatever its status; `RegistryError` where there is none."""
        ...


class _Held(NamedTuple):
    header: str
    ends: float


class _Token(Struct):
    token: str | None = None
    access_token: str | None = None
    refresh_token: str | None = None
    expires_in: float | None = None


class Authorizer:
    """For one registry, and several threads: who asks for what others already asked waits for their token."""

    def __init__(
        self, registry: str, credentials: Credentials, settings: Settings, clock: Callable[[], float]
    ) -> None:
        self._registry = registry
        self._credentials = credentials
        self._settings = settings
        self._clock = clock
        self._held: dict[str, _Held] = {}
        self._lock = threading.Lock()

    def header(self, repository: str) -> str:
        """What is shown with the next request; empty where nothing was asked for yet."""
        held = self._held.get(repository)
        return held.header if held is not None and held.ends - EARLY_S > self._clock() else ""

    def answer(self, challenge: str, repository: str, shown: str, send: Send) -> str:
        """What to show after a 401; `shown` is what was not enough. Raises `RegistryError`."""
        with self._lock:
            now = self.header(repository)
            if now and now != shown:
                return now
            held = self._ask(challenge, repository, send)
            if held.header == shown and not held.header.startswith("Bearer"):
                raise self._refused(repository, "it does not take the name and password")
            if len(self._held) >= _MAX_ENTRIES:
                self._held.clear()
            self._held[repository] = held
            return held.header

    def refused(self, repository: str, status: int) -> RegistryError:
        """The error for an answer of 401 or 403 that is final."""
        self._held.pop(repository, None)
        return self._refused(repository, f"it answers {status}")

    def _ask(self, text: str, repository: str, send: Send) -> _Held:
        try:
            challenges = {each.scheme: each for each in reversed(parse_challenges(text))}
        except ValueError as error:
            raise self._broken(f"its challenge is none: {error}") from None
        login = self._credentials.find(self._registry, repository)
        if "bearer" in challenges:
            return self._bearer(challenges["bearer"], repository, login, send)
        if "basic" in challenges:
            if login is None or not login.user:
                raise self._refused(repository, "it asks for a name and a password")
            self._must_be_private()
            return _Held(f"Basic {_pair(login)}", self._clock() + SHORTEST_S)
        raise self._broken("it asks for a login of a kind that is not known here")

    def _bearer(self, challenge: Challenge, repository: str, login: Login | None, send: Send) -> _Held:
        realm = find_realm(challenge.parameters.get("realm", ""), self._registry, self._settings)
        if login is not None and not realm.trusted:
            raise RegistryError(
                f"{self._registry} sends to {realm.host} for tokens, which may not get its credentials",
                "name this host as one that may, if it is the registry's own",
                kind="refused",
            )
        service = challenge.parameters.get("service", "")[:255]
        scope = f"repository:{repository}:pull"
        if login is not None:
            self._must_be_private()
        refresh = ""
        if login is not None:
            refresh = login.refresh or (self._exchange(login.entra, send) if login.entra else "")
        reply = (
            self._post(realm, service, scope, refresh, send)
            if refresh
            else self._get(realm, service, scope, login, send)
        )
        token = self._token(reply, repository, realm)
        value = token.token or token.access_token or ""
        if not _is_token(value):
            raise self._broken("what should be a token is none")
        seconds = token.expires_in or 0.0
        return _Held(f"Bearer {value}", self._clock() + min(max(seconds, SHORTEST_S), LONGEST_S))

    def _get(self, realm: Realm, service: str, scope: str, login: Login | None, send: Send) -> Reply:
        parts = urlsplit(realm.url)
        query = parse_qsl(parts.query, keep_blank_values=True, max_num_fields=32) if parts.query else []
        query += [("service", service)] if service else []
        query += [("scope", scope), ("client_id", _CLIENT)]
        url = urlunsplit((parts.scheme, parts.netloc, parts.path or "/", urlencode(query), ""))
        headers = {"Authorization": f"Basic {_pair(login)}"} if login is not None else {}
        return send("GET", url, headers, b"", foreign=realm.foreign)

    def _post(self, realm: Realm, service: str, scope: str, refresh: str, send: Send) -> Reply:
        form = {"grant_type": "refresh_token", "service": service, "scope": scope, "client_id": _CLIENT}
        return _form(send, realm.url, {**form, "refresh_token": refresh}, foreign=realm.foreign)

    def _exchange(self, entra: str, send: Send) -> str:
        """The registry's refresh token for a token of Entra. Only ever asked of the registry itself."""
        url = f"{self._settings.scheme(self._registry)}://{api_host(self._registry)}/oauth2/exchange"
        form = {"grant_type": "access_token", "service": self._registry, "access_token": entra}
        reply = _form(send, url, form, foreign=False)
        token = self._token(reply, "", None).refresh_token or ""
        if not _is_token(token):
            raise self._broken("what should be a refresh token is none")
        return token

    def _token(self, reply: Reply, repository: str, realm: Realm | None) -> _Token:
        if reply.status in (400, 401, 403):
            where = f" at {realm.host}" if realm is not None and realm.foreign else ""
            raise self._refused(repository, f"no token is given{where} ({reply.status})")
        if reply.status == 429:
            raise RegistryError(f"{self._registry} gives no token now (429)", "wait", kind="throttled")
        if reply.status != 200:
            kind = "unreachable" if reply.status >= 500 else "broken"
            raise RegistryError(
                f"{self._registry} gives no token: {reply.status}",
                "look at where it has its tokens",
                kind=kind,
            )
        try:
            return msgspec.json.decode(reply.body, type=_Token)
        except (ValueError, RecursionError):
            raise self._broken("its answer with a token is none") from None

    def _must_be_private(self) -> None:
        if self._settings.scheme(self._registry) == "http" and not is_loopback(self._registry):
            raise RegistryError(
                f"{self._registry} is asked without TLS: credentials would be read on the way",
                "give it a certificate, or ask it as nobody",
                kind="refused",
            )

    def _refused(self, repository: str, why: str) -> RegistryError:
        what = f"{self._registry}/{repository}" if repository else self._registry
        return RegistryError(
            f"{what} may not be read: {why}", self._credentials.hint(self._registry), kind="refused"
        )

    def _broken(self, why: str) -> RegistryError:
        return RegistryError(
            f"{self._registry} cannot be logged in to: {why}", "look at its configuration", kind="broken"
        )


def _form(send: Send, url: str, form: Mapping[str, str], *, foreign: bool) -> Reply:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return send("POST", url, headers, urlencode(form).encode(), foreign=foreign)


def _pair(login: Login) -> str:
    return base64.b64encode(f"{login.user}:{login.password}".encode()).decode()


def _is_token(text: str) -> bool:
    return 0 < len(text) <= _MAX_TOKEN and text.isascii() and text.isprintable() and " " not in text
