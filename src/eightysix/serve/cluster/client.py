"""Lists of a cluster's objects as raw JSON, page by page, over verified TLS.

The standard library does what is needed: `http.client` follows no redirect and knows no proxy. The Kubernetes client for
Python is 40 MB and makes an object of every field; httpx brings six distributions and has no deadline for a whole exchange.

Nothing but lists and the version is asked for, and never a list of Secrets as they are: reading what they hold is not
needed to know who could. Their types, where somebody wants them, are asked for by `secrets`, in a form that has no data.
"""

from __future__ import annotations

import socket
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from threading import Timer
from typing import NamedTuple
from urllib.parse import quote, urlencode, urlsplit

import msgspec
from msgspec import Struct

from eightysix import __version__
from eightysix.model.errors import ClusterError, UsageError
from eightysix.serve.cluster.config import ClusterConfig

__all__ = ["Bounds", "ClusterClient", "Listed", "Page", "Refused", "Resource"]

_FORBIDDEN = frozenset({"secrets"})
_AGAIN = frozenset({429, 500, 502, 503, 504})
_MAX_STATUS = 65_536
_JSON = "application/json"


class Resource(Struct, frozen=True):
    """What is listed: `group` is empty for the core, `kind` that of one object."""

    kind: str
    plural: str
    group: str = ""
    version: str = "v1"
    namespaced: bool = True

    def path(self, namespace: str = "") -> str:
        """Where it is listed."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        return (
            f"{root}/namespaces/{quote(namespace, safe='')}/{self.plural}"
            if namespace
            else f"{root}/{self.plural}"
        )


class Bounds(Struct, frozen=True, kw_only=True):
    """Bounds of asking. `page`: objects of one answer, as many as kubectl and client-go ask for (`--chunk-size`).
    `page_bytes`: of one answer; 500 objects of 1.5 MiB, the most that etcd holds of one, would be 750 MB, real ones are
    some MB. `total_bytes`: of one list; 150,000 pods of 10 kB. `timeout_s`: for a silence, `deadline_s` for one answer."""

    page: int = 500
    page_bytes: int = 256 << 20
    total_bytes: int = 4 << 30
    pages: int = 10_000
    timeout_s: float = 10.0
    deadline_s: float = 60.0
    tries: int = 4
    longest_pause_s: float = 5.0


class Page(NamedTuple):
    """Objects of one answer, as they came: without `kind`, which API servers leave out in lists."""

    items: list[msgspec.Raw]
    version: str


class Listed(Struct):
    """What became of a list. `gap` says what is missing and why, empty where nothing is; `absent` that the cluster knows no
    such resource; `mixed` that the list had to be gone on with at a later version."""

    resource: Resource
    namespace: str = ""
    items: int = 0
    pages: int = 0
    gap: str = ""
    absent: bool = False
    mixed: bool = False


class _ListMeta(Struct, rename={"version": "resourceVersion", "more": "continue"}):
    version: str | None = None
    more: str | None = None


class _Answer(Struct):
    kind: str | None = None
    metadata: _ListMeta | None = None
    items: list[msgspec.Raw] | None = None


class _Version(Struct):
    major: str = ""
    minor: str = ""


class Refused(Exception):  # noqa: N818 - an answer that ends a list
    """Another answer than what was asked for."""

    def __init__(self, status: int, why: str, more: str = "", pause_s: float = 0.0) -> None:
        super().__init__(why)
        self.status, self.why, self.more, self.pause_s = status, why, more, pause_s


class ClusterClient:
    """Asks one API server. Not for several threads at once."""

    def __init__(
        self,
        config: ClusterConfig,
        bounds: Bounds | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.config = config
        self.bounds = bounds or Bounds()
        self._sleep = sleep
        parts = urlsplit(config.server)
        self._tls = parts.scheme == "https"
        self._host, self._port = parts.hostname or "", parts.port or (443 if self._tls else 80)
        self._root = parts.path.rstrip("/")
        self._context = _context(config) if self._tls else None
        self._connection: HTTPConnection | None = None
        self._reached = False

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> ClusterClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def list(self, resource: Resource, listed: Listed, namespace: str = "") -> Iterator[Page]:
        """The pages of a list; `listed` is told what became of it. Raises `ClusterError` where the server was never
        reached, or does not know who asks; whatever it refuses or does not answer later is a gap."""
        if resource.plural in _FORBIDDEN:
            raise UsageError("Secrets are never asked for", "ask for what refers to them")
        listed.namespace = namespace
        more, read = "", 0
        while True:
            try:
                answer, size = self._page(resource, namespace, more)
            except ClusterError as error:
                if not self._reached:
                    raise
                known = f"; the first {listed.items} are known" if listed.items else ""
                listed.gap = f"{_called(resource, namespace)}: {error.what}{known}"
                return
            except Refused as failed:
                if failed.status == 410 and failed.more and not listed.mixed:
                    # What was begun is no longer held: the rest is read as it is now. Each object is whole by itself.
                    listed.mixed, more = True, failed.more
                    continue
                listed.absent = failed.status == 404
                listed.gap = _gap(resource, namespace, failed, listed.items)
                return
            read += size
            listed.pages += 1
            items = answer.items or []
            listed.items += len(items)
            metadata = answer.metadata or _ListMeta()
            yield Page(items, metadata.version or "")
            before, more = more, metadata.more or ""
            if not more:
                return
            if read > self.bounds.total_bytes or listed.pages >= self.bounds.pages or more == before:
                what = "the server repeats itself" if more == before else "there are more than is read"
                listed.gap = f"{_called(resource, namespace)}: {what}; the first {listed.items} are known"
                return

    def _page(self, resource: Resource, namespace: str, more: str) -> tuple[_Answer, int]:
        query = {"limit": str(self.bounds.page)} | ({"continue": more} if more else {})
        data = self.ask(f"{resource.path(namespace)}?{urlencode(query)}")
        try:
            return msgspec.json.decode(data, type=_Answer), len(data)
        except (ValueError, RecursionError):
            raise Refused(200, "its answer is no list") from None

    def ask(self, path: str, accept: str = _JSON) -> bytes:
        """The body of a good answer to a request to read. Raises `Refused`, and `ClusterError` where there is no answer."""
        target = f"{self._root}{path}"
        for attempt in range(1, self.bounds.tries):
            try:
                return self._ask(target, accept)
            except Refused as failed:
                if failed.status not in _AGAIN:
                    raise
                self._sleep(min(failed.pause_s or 0.2 * 2**attempt, self.bounds.longest_pause_s))
        return self._ask(target, accept)

    def version(self) -> str:
        """Which Kubernetes the server says it is, as `1.34`; empty where it does not tell."""
        try:
            told = msgspec.json.decode(self.ask("/version"), type=_Version)
        except (Refused, ValueError, RecursionError):
            return ""
        minor = told.minor.rstrip("+")
        return (
            f"1.{int(minor)}"
            if told.major == "1" and minor.isascii() and minor.isdigit() and len(minor) < 4
            else ""
        )

    def _ask(self, target: str, accept: str) -> bytes:
        """The body of a good answer. A connection that the server closed meanwhile is opened once more."""
        fresh = self._connection is None
        try:
            return self._exchange(target, accept)
        except (ConnectionError, HTTPException) as error:
            self.close()
            if fresh:
                raise self._unreachable(error) from error
        except (OSError, ValueError) as error:
            self.close()
            raise self._unreachable(error) from error
        try:
            return self._exchange(target, accept)
        except (OSError, HTTPException, ValueError) as error:
            self.close()
            raise self._unreachable(error) from error

    def _exchange(self, target: str, accept: str) -> bytes:
        headers = {"Accept": accept, "User-Agent": f"eightysix/{__version__}"}
        token = self.config.bearer()
        if token:
            headers["Authorization"] = f"Bearer {token}"
        connection = self._connection = self._connection or self._connect()
        late: list[bool] = []
        timer = Timer(self.bounds.deadline_s, _cut, (connection, late))
        timer.daemon = True
        timer.start()
        try:
            connection.request("GET", target, headers=headers)
            response = connection.getresponse()
            if response.status != 200:
                raise self._refused(response)
            data = response.read(self.bounds.page_bytes + 1)
            if late:
                raise TimeoutError
            self._reached = True
            if len(data) > self.bounds.page_bytes:
                self.close()
                raise Refused(200, f"one answer is larger than {self.bounds.page_bytes} bytes")
            return data
        except (OSError, HTTPException):
            if late:
                raise TimeoutError from None
            raise
        finally:
            timer.cancel()

    def _connect(self) -> HTTPConnection:
        if self._context is None:
            return HTTPConnection(self._host, self._port, timeout=self.bounds.timeout_s)
        return _Tls(self._host, self._port, self.bounds.timeout_s, self._context, self.config.tls_name)

    def _refused(self, response: HTTPResponse) -> Refused:
        """What another answer than 200 says. Its text may be long and is the server's: the reason alone is told."""
        body = response.read(_MAX_STATUS)
        self.close()
        self._reached = self._reached or response.status in (403, 404)
        status, pause = response.status, response.getheader("Retry-After", "")
        if status == 401:
            raise ClusterError(
                f"{self._called} does not know who asks (401)", "look at the token or certificate"
            )
        try:
            told = msgspec.json.decode(body, type=_Answer)
            more = (told.metadata.more if told.metadata is not None else None) or ""
        except (ValueError, RecursionError):
            more = ""
        seconds = float(pause) if pause.isascii() and pause.isdigit() and len(pause) < 5 else 0.0
        return Refused(status, f"it answers {status}", more, seconds)

    @property
    def _called(self) -> str:
        return self.config.name or f"{self._host}:{self._port}"

    def _unreachable(self, error: Exception) -> ClusterError:
        if isinstance(error, TimeoutError):
            why = "no whole answer came in time"
        elif isinstance(error, ssl.SSLCertVerificationError):
            why = f"its certificate is not valid: {error.verify_message}"
        elif isinstance(error, OSError):
            why = error.strerror or type(error).__name__
        else:
            why = f"its answer is no HTTP ({type(error).__name__})"
        return ClusterError(
            f"{self._called} cannot be asked: {why}", "check address, network and certificate"
        )


def _called(resource: Resource, namespace: str) -> str:
    name = f"{resource.plural}.{resource.group}" if resource.group else resource.plural
    return f"{name} of {namespace}" if namespace else name


def _gap(resource: Resource, namespace: str, failed: Refused, known: int) -> str:
    so_far = f"; the first {known} are known" if known else ""
    if failed.status == 403:
        why = "may not be listed (403): give the role in deploy/cluster"
    elif failed.status == 404:
        why = "are not known to this cluster (404)"
    elif failed.status == 410:
        why = "changed faster than they were read (410)"
    else:
        why = failed.why
    return f"{_called(resource, namespace)}: {why}{so_far}"


class _Tls(HTTPSConnection):
    """TLS whose name may differ from the host, with a socket that can be cut during the handshake."""

    def __init__(self, host: str, port: int, timeout_s: float, context: ssl.SSLContext, name: str) -> None:
        super().__init__(host, port, timeout=timeout_s, context=context)
        self._verified, self._name = context, name or host

    def connect(self) -> None:
        """Connect, then shake hands."""
        HTTPConnection.connect(self)
        sock = self._verified.wrap_socket(
            self.sock, server_hostname=self._name, do_handshake_on_connect=False
        )
        self.sock = sock
        sock.do_handshake()


def _cut(connection: HTTPConnection, late: list[bool]) -> None:
    """Ends an exchange from another thread."""
    late.append(True)
    sock = connection.sock
    if sock is not None:
        with suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)


def _context(config: ClusterConfig) -> ssl.SSLContext:
    """Verified always: by the authority that is given, else by those of the system."""
    try:
        authority = config.authority.decode("ascii")
        context = ssl.create_default_context(cadata=authority or None)
        if config.certificate:
            # ssl reads keys from files alone.
            with tempfile.TemporaryDirectory(prefix="eightysix-cluster-") as folder:
                certificate, key = Path(folder) / "certificate", Path(folder) / "key"
                for path, data in ((certificate, config.certificate), (key, config.key)):
                    path.touch(0o600)
                    path.write_bytes(data)
                context.load_cert_chain(certificate, key)
    except (OSError, ValueError) as error:
        raise UsageError(
            "the certificates for the cluster cannot be used", "look at the authority, certificate and key"
        ) from error
    return context
