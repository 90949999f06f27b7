"""The wire below httpx: connections, TLS, and one deadline over a whole exchange, however slowly it drips.

httpx and httpcore have a timeout for each single read. A server that sends a byte every nine seconds is inside of that for
ever, so the network backend here cuts every read, write and connection to what is left of the exchange. It is also where a
name has become an address, and the place to keep a registry from sending us to this machine or to a metadata service.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

import httpcore
import httpx

from eightysix.model.errors import RegistryError, UsageError
from eightysix.serve.deliver.proxy import proxy_for
from eightysix.serve.registry.bounds import Settings

__all__ = ["FOREIGN", "SECONDS", "Wire", "as_registry_error"]

SECONDS = "eightysix_seconds"
"""Extension of a request: seconds that are left for it."""
FOREIGN = "eightysix_foreign"
"""Extension of a request: the host was named by the registry, not by the operator."""

_ADDRESSES = 4
"""Addresses of one name that are tried."""
_IDLE_S = 15.0
_NEVER = 1e9


class Wire(httpx.BaseTransport):
    """A transport with pooled connections, for several threads."""

    def __init__(self, settings: Settings) -> None:
        bounds = settings.bounds
        self._bounds = bounds
        self._environment = settings.environment
        self._state = _State()
        self._tls = _context(settings.ca_file)
        self._common: dict[str, Any] = {
            "ssl_context": self._tls,
            "max_connections": bounds.connections,
            "keepalive_expiry": _IDLE_S,
            "network_backend": _Backend(self._state),
        }
        self._direct = httpcore.ConnectionPool(**self._common)
        self._proxied: dict[str, httpcore.ConnectionPool] = {}
        self._lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One exchange up to the head of the answer; the body is read within the same deadline."""
        until = time.monotonic() + float(request.extensions.get(SECONDS, self._bounds.deadline_s))
        foreign = bool(request.extensions.get(FOREIGN))
        self._state.begin(until, foreign)
        bounds = self._bounds
        timeout = {
            "connect": bounds.connect_s,
            "read": bounds.silence_s,
            "write": bounds.silence_s,
            "pool": max(0.001, until - time.monotonic()),
        }
        url = request.url
        inner = httpcore.Request(
            method=request.method,
            url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.content or None,
            extensions={"timeout": timeout},
        )
        response = self._pool(url).handle_request(inner)
        assert isinstance(response.stream, Iterable)  # noqa: S101 - of the synchronous pool
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_Body(response, self._state, until, foreign),
            extensions={"reason_phrase": b""},
        )

    def close(self) -> None:
        """Close all connections."""
        self._direct.close()
        for pool in self._proxied.values():
            pool.close()

    def _pool(self, url: httpx.URL) -> httpcore.ConnectionPool:
        proxy = proxy_for(url.host, self._environment) if url.scheme == "https" else None
        if proxy is None:
            return self._direct
        with self._lock:
            key = f"{proxy.host}:{proxy.port}"
            if key not in self._proxied:
                host = f"[{proxy.host}]" if ":" in proxy.host else proxy.host
                self._proxied[key] = httpcore.HTTPProxy(
                    proxy_url=f"http://{host}:{proxy.port}",
                    proxy_headers=list(proxy.headers.items()),
                    **self._common | {"network_backend": _Backend(self._state, checked=False)},
                )
            return self._proxied[key]


def as_registry_error(error: Exception, who: str) -> RegistryError:
    """What a failed exchange is, told of `who`."""
    if isinstance(error, httpcore.TimeoutException | httpx.TimeoutException):
        return RegistryError(f"{who} is too slow", "look at the registry and the way to it", kind="slow")
    if isinstance(error, _ForbiddenError):
        return RegistryError(
            f"{who} sent us to an address that is none of a registry's: {error}",
            "it may be hostile: ask who runs it",
            kind="broken",
        )
    if isinstance(error, httpcore.ProtocolError | httpx.ProtocolError | httpx.InvalidURL):
        return RegistryError(
            f"{who} does not answer with HTTP", "look whether the address is a registry's", kind="broken"
        )
    cause = error.__cause__ or error.__context__ or error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return RegistryError(
            f"the certificate of {who} is not valid: {cause.verify_message}",
            "name the file of its authority's certificate",
            kind="unreachable",
        )
    if isinstance(cause, ssl.SSLError):
        return RegistryError(
            f"{who} does not speak TLS as it should", "allow plain HTTP for it by name, if it has none",
            kind="unreachable",
        )  # fmt: skip
    reason = getattr(cause, "strerror", None) or type(cause).__name__
    return RegistryError(
        f"{who} cannot be reached: {reason}",
        "look at its name, the network and the proxy",
        kind="unreachable",
    )


class _State(threading.local):
    """Of the exchange that the running thread is in."""

    until = _NEVER
    foreign = False

    def begin(self, until: float, foreign: bool) -> None:
        self.until, self.foreign = until, foreign

    def left(self, timeout: float | None, error: type[Exception]) -> float:
        left = self.until - time.monotonic()
        if left <= 0:
            raise error("the time is over")
        return left if timeout is None else min(timeout, left)


class _ForbiddenError(httpcore.ConnectError):
    """An address that nobody but the operator may name."""


class _Body(httpx.SyncByteStream):
    def __init__(self, response: httpcore.Response, state: _State, until: float, foreign: bool) -> None:
        self._response, self._state, self._until, self._foreign = response, state, until, foreign

    def __iter__(self) -> Iterator[bytes]:
        chunks = iter(self._response.iter_stream())
        while True:
            self._state.begin(
                self._until, self._foreign
            )  # another exchange may have been made between two reads
            chunk = next(chunks, None)
            if chunk is None:
                return
            yield chunk

    def close(self) -> None:
        with suppress(httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError):
            self._response.close()


class _Backend(httpcore.NetworkBackend):
    """Connects by address, after the address was looked at."""

    def __init__(self, state: _State, *, checked: bool = True) -> None:
        self._inner = httpcore.SyncBackend()
        self._state = state
        self._checked = checked

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """A connection to the first address of `host` that takes one."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(str(error)) from error
        last: Exception = httpcore.ConnectError("it has no address")
        for address in list(dict.fromkeys(str(each[4][0]) for each in found))[:_ADDRESSES]:
            if self._checked and self._state.foreign and _inside(address):
                raise _ForbiddenError(address)
            left = self._state.left(timeout, httpcore.ConnectTimeout)
            try:
                inner = self._inner.connect_tcp(address, port, left, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
                continue
            return _Stream(inner, self._state)
        raise last


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream, state: _State) -> None:
        self._inner = inner
        self._state = state

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._state.left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._state.left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = self._state.left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, left), self._state)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _inside(address: str) -> bool:
    """Whether an address is this machine, its link (metadata services are there) or nobody's."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return True
    mapped = getattr(ip, "ipv4_mapped", None)
    ip = mapped or ip
    return ip.is_loopback or ip.is_link_local or ip.is_unspecified or ip.is_multicast


def _context(ca_file: str) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:
        raise UsageError(
            f"the certificates {ca_file} cannot be used", "name a file of PEM certificates"
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
