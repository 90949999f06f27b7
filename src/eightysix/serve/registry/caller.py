"""One question to a registry, with what it takes: a login, a further try, a redirect; all within one deadline."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin, urlsplit

import httpcore
import httpx
import msgspec
from msgspec import Struct, field

from eightysix.gate.agent import USER_AGENT
from eightysix.gate.references import api_host, host_of, is_loopback
from eightysix.model.errors import RegistryError
from eightysix.serve.registry.bounds import Settings
from eightysix.serve.registry.credentials import Anonymous, Credentials
from eightysix.serve.registry.tokens import Authorizer, Reply
from eightysix.serve.registry.wire import FOREIGN, SECONDS, Wire, as_registry_error

__all__ = ["Answer", "Caller"]

_AGAIN = frozenset({429, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_URL = 8 << 10  # signed addresses of blob stores have some 2,000
_MAX_RETRY_AFTER_S = 3_600.0
_MAX_ERROR = 16 << 10
_CODE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ_")
_FAILURES = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, httpcore.UnsupportedProtocol,
    httpx.TransportError, httpx.InvalidURL, OSError)  # fmt: skip
_STALE = (httpcore.RemoteProtocolError, httpcore.ReadError, httpcore.WriteError)
"""A kept connection that the other side closed meanwhile ends in one of these before any answer."""


class Answer:
    """An open answer: head, and a body to be read once. `code` is the registry's own word for an error."""

    def __init__(self, response: httpx.Response, who: str, method: str, url: str) -> None:
        self._response = response
        self._who = who
        self.url = url
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self._empty = method == "HEAD"
        self._begun = False

    def header(self, name: str) -> str:
        """A header's value, empty where it is absent. One that comes twice is joined by a comma, and then is nothing useful."""
        return self.headers.get(name, "").strip()

    def chunks(self) -> Iterator[bytes]:
        """The body as it was sent: nothing is unpacked. Raises `RegistryError`."""
        assert isinstance(self._response.stream, httpx.SyncByteStream)  # noqa: S101 - of a synchronous transport
        self._begun = True
        try:
            yield from self._response.stream
        except _FAILURES as error:
            raise as_registry_error(error, self._who) from error

    def read(self, most: int) -> bytes:
        """The whole body, of at most `most` bytes. Raises `RegistryError`."""
        coding = self.header("content-encoding").lower()
        if coding not in ("", "identity"):
            raise RegistryError(
                f"{self._who} packs its answer, though it was asked not to",
                "look at proxies before it",
                kind="broken",
            )
        data = bytearray()
        for chunk in self.chunks():
            data += chunk
            if len(data) > most:
                raise RegistryError(
                    f"{self._who} answers with more than {most:,} bytes",
                    "nothing of it is used",
                    kind="too-large",
                )
        return bytes(data)

    def close(self) -> None:
        """End it, read or not. What is short is read to its end, so that the connection can be kept."""
        length = self.header("content-length")
        if not self._begun and (self._empty or (length.isdigit() and len(length) < 6)):
            with suppress(RegistryError):
                for _ in self.chunks():
                    pass
        self._response.close()


class _Error(Struct):
    code: str = ""


class _Errors(Struct):
    errors: list[_Error] = field(default_factory=list)


class Caller:
    """Asks one registry. For several threads.

    `transport` replaces the network, `clock` (seconds that only grow) and `sleep` the time between tries.
    """

    def __init__(
        self,
        registry: str,
        credentials: Credentials | None = None,
        settings: Settings | None = None,
        *,
        transport: httpx.BaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.registry = registry
        self.settings = settings or Settings()
        self.bounds = self.settings.bounds
        self._transport = transport or Wire(self.settings)
        self._clock = clock
        self._sleep = sleep
        self._base = f"{self.settings.scheme(registry)}://{api_host(registry)}"
        self._authorizer = Authorizer(registry, credentials or Anonymous(), self.settings, clock)

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    @contextmanager
    def asked(
        self,
        method: str,
        target: str,
        repository: str,
        *,
        accept: str = "*/*",
        deadline_s: float | None = None,
        elsewhere: bool = False,
    ) -> Iterator[Answer]:
        """The answer to a question about a repository: of status 200 to 299, 404, or another that is no failure of asking.

        `target` is a path with its query, or a URL of the registry's own. `elsewhere` lets it be redirected to other hosts,
        as blobs are. Raises `RegistryError`.
        """
        until = self._clock() + (deadline_s or self.bounds.deadline_s)
        answer = self._tries(method, self.url(target), repository, accept, until, elsewhere=elsewhere)
        try:
            yield answer
        finally:
            answer.close()

    def url(self, target: str) -> str:
        """The whole address of a path of the registry's."""
        return urljoin(self._base, target)

    def same_origin(self, url: str) -> bool:
        """Whether a URL is the registry's own."""
        return _origin(url) == _origin(self._base)

    def _tries(
        self, method: str, url: str, repository: str, accept: str, until: float, *, elsewhere: bool
    ) -> Answer:
        for attempt in range(1, self.bounds.tries + 1):
            answer = self._redirected(method, url, repository, accept, until, elsewhere=elsewhere)
            if answer.status in (401, 403):
                answer.close()
                raise self._authorizer.refused(repository, answer.status)
            if answer.status not in _AGAIN:
                return answer
            asked = _retry_after(answer.header("retry-after"))
            error = self._later(answer, asked)
            answer.close()
            pause = asked if asked is not None else 0.5 * 2 ** (attempt - 1)
            if (
                attempt == self.bounds.tries
                or pause > self.bounds.longest_pause_s
                or self._clock() + pause >= until
            ):
                raise error
            self._sleep(pause)
        raise AssertionError(url)

    def _redirected(
        self, method: str, url: str, repository: str, accept: str, until: float, *, elsewhere: bool
    ) -> Answer:
        answer = self._authorized(method, url, repository, accept, until)
        for _ in range(self.bounds.redirects):
            if answer.status not in _REDIRECTS:
                return answer
            place = answer.header("location")
            answer.close()
            url = self._next(answer.url, place, elsewhere=elsewhere)
            if self.same_origin(url):
                answer = self._authorized(method, url, repository, accept, until)
            else:
                # To another host: no login, whatever it asks for.
                answer = self._send(method, url, {"Accept": accept}, b"", until, foreign=True)
        if answer.status in _REDIRECTS:
            answer.close()
            raise self._broken("it redirects without end")
        return answer

    def _next(self, url: str, place: str, *, elsewhere: bool) -> str:
        """Where a redirect leads, if we may go there."""
        if not place or len(place) > _MAX_URL or not place.isascii() or not place.isprintable():
            raise self._broken("it redirects to nowhere")
        try:
            joined = urljoin(url, place)
            parts = urlsplit(joined)
            host, user = parts.hostname or "", parts.username
            shown = f"[{host}]" if ":" in host else host
        except ValueError:
            raise self._broken("it redirects to nowhere") from None
        if not host or user is not None:
            raise self._broken("it redirects to nowhere")
        if self.same_origin(joined):
            return joined
        if not elsewhere:
            raise self._broken(f"it redirects to {host[:80]}, which only blobs may be")
        local = is_loopback(shown)
        if local and not is_loopback(self.registry):
            raise self._broken("it redirects to this machine")
        if parts.scheme != "https" and not (parts.scheme == "http" and local):
            raise self._broken(f"it redirects to {host[:80]} without TLS")
        return joined

    def _authorized(self, method: str, url: str, repository: str, accept: str, until: float) -> Answer:
        """The answer with a login, where one is asked for: at most two, as a token that was good may have ended."""
        shown = self._authorizer.header(repository)
        answer = self._own(method, url, accept, shown, until)
        for _ in range(2 if shown else 1):
            if answer.status != 401:
                break
            challenge = answer.header("www-authenticate")
            answer.close()
            if not challenge:
                raise self._authorizer.refused(repository, 401)

            def send(
                method: str, url: str, headers: Mapping[str, str], body: bytes, *, foreign: bool
            ) -> Reply:
                reply = self._send(method, url, headers, body, until, foreign=foreign)
                try:
                    return Reply(reply.status, reply.headers, reply.read(64 << 10))
                finally:
                    reply.close()

            shown = self._authorizer.answer(challenge, repository, shown, send)
            answer = self._own(method, url, accept, shown, until)
        return answer

    def _own(self, method: str, url: str, accept: str, authorization: str, until: float) -> Answer:
        headers = {"Accept": accept}
        if authorization:
            headers["Authorization"] = authorization
        return self._send(method, url, headers, b"", until, foreign=False)

    def _send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, until: float, *, foreign: bool
    ) -> Answer:
        """One exchange; once more on a new connection where a kept one had ended."""
        who = host_of(urlsplit(url).netloc.rpartition("@")[2]) if foreign else self.registry
        foreign = foreign and not is_loopback(self.registry)
        told = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **headers}
        for attempt in (1, 2):
            left = until - self._clock()
            if left <= 0:
                raise RegistryError(
                    f"{who} is too slow", "look at the registry and the way to it", kind="slow"
                )
            try:
                request = httpx.Request(
                    method,
                    url,
                    headers=told,
                    content=body or None,
                    extensions={SECONDS: left, FOREIGN: foreign},
                )
                return Answer(self._transport.handle_request(request), who, method, url)
            except _FAILURES as error:
                if attempt == 1 and isinstance(error, _STALE):
                    continue
                raise as_registry_error(error, who) from error
        raise AssertionError(url)

    def _later(self, answer: Answer, asked: float | None) -> RegistryError:
        code = _code(answer)
        if answer.status == 429:
            return RegistryError(
                f"{self.registry} asks for fewer questions (429{code})",
                "wait, or ask it with a login",
                kind="throttled",
                retry_after_s=asked,
            )
        return RegistryError(
            f"{self.registry} does not answer now ({answer.status}{code})",
            "look at the registry",
            kind="unreachable",
            retry_after_s=asked,
        )

    def _broken(self, why: str) -> RegistryError:
        return RegistryError(
            f"{self.registry} gives no usable answer: {why}",
            "look at the registry and what is before it",
            kind="broken",
        )

    def unexpected(self, answer: Answer, what: str) -> RegistryError:
        """The error for a status that is none of those that a question has."""
        kind = "unreachable" if answer.status >= 500 else "broken"
        return RegistryError(
            f"{self.registry} answers {answer.status}{_code(answer)} to {what}",
            "look at the registry",
            kind=kind,
        )


def _origin(url: str) -> tuple[str, str, int]:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return "", "", 0


def _code(answer: Answer) -> str:
    """The registry's word for the error, if it is one: its messages are left out, they may hold anything."""
    try:
        told = msgspec.json.decode(answer.read(_MAX_ERROR), type=_Errors)
    except (RegistryError, ValueError, RecursionError):
        return ""
    code = told.errors[0].code if told.errors else ""
    return f" {code}" if code and len(code) <= 40 and _CODE.issuperset(code) else ""


def _retry_after(text: str) -> float | None:
    """Seconds of `Retry-After`: a number or a date (RFC 9110, 10.2.3)."""
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), _MAX_RETRY_AFTER_S)
    try:
        seconds = parsedate_to_datetime(text).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return min(max(seconds, 0.0), _MAX_RETRY_AFTER_S)
