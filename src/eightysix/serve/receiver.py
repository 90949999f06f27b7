"""Takes records over HTTP: Falco's http_output, falcosidekick's webhook, and JSON Lines of any source.

`POST /v1/records` answers 202 only after `take` returned, that is when the records are in a durable place; anything else
means that nothing is promised and the sender should come again. Falco itself never looks at the answer.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import stat
import threading
import zlib
from collections.abc import Callable, Mapping
from hashlib import sha256

import msgspec
from msgspec import Struct, field

from eightysix.model.errors import UsageError
from eightysix.serve.listener import Answer, HttpLimits, Listener, Request, is_loopback
from eightysix.serve.spool import SpoolFullError
from eightysix.serve.tls import ServerTls
from eightysix.sources.interface import MAX_RECORD_BYTES

__all__ = [
    "MAX_BODY_BYTES",
    "MIN_TOKEN",
    "PATH",
    "RETRY_S",
    "TOKEN_VARIABLE",
    "BadBodyError",
    "Received",
    "Receiver",
    "Token",
    "as_lines",
    "read_token",
]

MAX_BODY_BYTES = 8 << 20
"""Bytes of one request, before and after it is decompressed."""

MIN_TOKEN = 16
"""Characters of the shortest token: 16 of base64 are 96 bits."""

MAX_TOKEN = 4096

RETRY_S = 5
"""Seconds after which a sender may come again when the spool is full."""

TOKEN_VARIABLE = "EIGHTYSIX_RECEIVER_TOKEN"  # noqa: S105 - the name of a variable

PATH = "/v1/records"

_any = msgspec.json.Decoder(msgspec.Raw)
_list = msgspec.json.Decoder(list[msgspec.Raw])


class Token:
    """The secret that senders show. It is kept as a hash, which also makes comparing independent of its length."""

    def __init__(self, text: str) -> None:
        if (
            not MIN_TOKEN <= len(text) <= MAX_TOKEN
            or not text.isascii()
            or not text.isprintable()
            or " " in text
        ):
            raise UsageError(
                f"the receiver's token must have {MIN_TOKEN} to {MAX_TOKEN} printable characters without spaces",
                "make one with: openssl rand -hex 32",
            )
        self._hash = sha256(text.encode()).digest()

    def matches(self, told: bytes) -> bool:
        """Whether `told` is the token; takes as long for every wrong one."""
        return hmac.compare_digest(sha256(told).digest(), self._hash)


class Received(Struct):
    """What came so far, for the metrics: requests by status code, records that were taken."""

    requests: dict[int, int] = field(default_factory=dict)
    records: int = 0


class Receiver:
    """The endpoint. `take` puts whole lines into a durable place or raises `SpoolFullError`; it is called from many
    threads. Start it with `with receiver.listen(...)`."""

    def __init__(self, take: Callable[[bytes], None], token: Token | None) -> None:
        self.received = Received()
        self._take = take
        self._token = token
        self._lock = threading.Lock()

    def listen(
        self, host: str, port: int, *, tls: ServerTls | None = None, limits: HttpLimits | None = None
    ) -> Listener:
        """A listener, to be started with `with`. Refuses to let others than this machine in without proof of who they
        are: a token, or certificates of clients."""
        if self._token is None and not is_loopback(host) and not (tls is not None and tls.verifies_clients):
            raise UsageError(
                f"the receiver would let anybody who reaches {host} write telemetry",
                f"set {TOKEN_VARIABLE} or give a token file, ask for client certificates, or listen at 127.0.0.1",
            )
        return Listener(host, port, self, tls=tls, limits=limits)

    def admit(self, request: Request) -> Answer | int:
        """Who may send, before anything of the body is read."""
        if request.path != PATH:
            return self._refused(404, "there is only " + PATH)
        if request.method not in ("POST", "PUT"):  # falcosidekick can be told to use PUT
            return self._refused(405, "send records with POST", ("allow", "POST, PUT"))
        if self._token is not None and not self._may(request):
            return self._refused(
                401, "a valid token is missing", ("www-authenticate", 'Bearer realm="eightysix"')
            )
        if (request.header("content-encoding") or "identity").lower() not in ("identity", "gzip"):
            return self._refused(415, "only gzip can be decompressed", ("accept-encoding", "gzip"))
        return MAX_BODY_BYTES

    def answer(self, request: Request, body: bytes) -> Answer:
        """Take the records of an admitted request."""
        try:
            if (request.header("content-encoding") or "").lower() == "gzip":
                body = _gunzip(body)
            lines, number = as_lines(body)
            if number:
                self._take(lines)
        except SpoolFullError as error:
            return self._refused(503, error.what, ("retry-after", str(RETRY_S)))
        except BadBodyError as error:
            return self._refused(error.status, str(error))
        with self._lock:
            self.received.records += number
            self._count(202)
        return Answer(202, b'{"accepted": %d}\n' % number)

    def _may(self, request: Request) -> bool:
        """By `Bearer`, or by `Basic` with the token as password: Falco can send no header of its own, but libcurl makes
        one of `http://falco:TOKEN@host/`."""
        scheme, _, told = (request.header("authorization") or "").strip().partition(" ")
        shown = told.strip().encode("latin-1")
        if scheme.lower() == "basic":
            try:
                shown = base64.b64decode(shown, validate=True).partition(b":")[2]
            except binascii.Error:
                return False
        elif scheme.lower() != "bearer":
            return False
        return self._token is not None and self._token.matches(shown)

    def _refused(self, status: int, reason: str, *headers: tuple[str, str]) -> Answer:
        with self._lock:
            self._count(status)
        return Answer(status, msgspec.json.encode({"error": reason}) + b"\n", headers=headers)

    def _count(self, status: int) -> None:
        self.received.requests[status] = self.received.requests.get(status, 0) + 1


def read_token(environment: Mapping[str, str], path: str = "") -> Token | None:
    """The token of a file that nobody else can read, or else of the environment; None where neither is given. It is
    never taken from the command line, which every process on the machine can read."""
    if not path:
        text = environment.get(TOKEN_VARIABLE, "")
        return Token(text.strip()) if text else None
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            data = file.read(MAX_TOKEN + 3) if stat.S_ISREG(status.st_mode) else b""
    except OSError as error:
        raise UsageError(
            f"the token file {path} cannot be read: {error.strerror}", "check the path"
        ) from error
    if not stat.S_ISREG(status.st_mode):
        raise UsageError(f"the token file {path} is no file", "check the path")
    if status.st_mode & 0o077:
        raise UsageError(
            f"the token file {path} can be read by others than its owner",
            f"chmod 600 {path} (of a Secret: defaultMode: 0400)",
        )
    return Token(data.decode("utf-8", "replace").strip())


def as_lines(body: bytes) -> tuple[bytes, int]:
    """The records of a body as lines each ended by a newline, and how many; all of them or, with an error, none.

    JSON Lines pass as they are. One value over several lines, or a list of records, is put on lines.
    """
    lines = [line for line in body.split(b"\n") if line.strip()]
    if not lines:
        return b"", 0
    try:
        for line in lines:
            if not line.lstrip().startswith(b"{"):
                raise ValueError
            _any.decode(line)
    except (ValueError, RecursionError):
        lines = _unfolded(body)
    if any(len(line) > MAX_RECORD_BYTES for line in lines):
        raise BadBodyError(413, f"a record is larger than {MAX_RECORD_BYTES} bytes")
    return b"".join(line.rstrip(b"\r") + b"\n" for line in lines), len(lines)


def _unfolded(body: bytes) -> list[bytes]:
    try:
        begun = body.lstrip()[:1]
        records = _list.decode(body) if begun == b"[" else [_any.decode(body)]
        lines = [msgspec.json.format(bytes(record), indent=-1) for record in records]
    except (ValueError, RecursionError) as error:
        raise BadBodyError(
            400, "the body is not JSON: send JSON Lines, one record or a list of records"
        ) from error
    if not all(line.startswith(b"{") for line in lines):
        raise BadBodyError(400, "a record is no JSON object")
    return lines


def _gunzip(data: bytes) -> bytes:
    """Never more than `MAX_BODY_BYTES`, whatever it claims to be."""
    machine = zlib.decompressobj(wbits=31)
    try:
        text = machine.decompress(data, MAX_BODY_BYTES + 1)
    except zlib.error as error:
        raise BadBodyError(400, "the body is no gzip") from error
    if len(text) > MAX_BODY_BYTES:
        raise BadBodyError(413, f"the body is larger than {MAX_BODY_BYTES} bytes when decompressed")
    if not machine.eof or machine.unused_data:
        raise BadBodyError(400, "the gzip of the body is damaged")
    return text


class BadBodyError(Exception):
    """Nothing of a body is taken; `status` says why in HTTP's words."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
