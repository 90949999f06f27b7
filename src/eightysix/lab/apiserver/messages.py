"""A request and its answer inside of the server, whichever way they came: over HTTP, or from the lab itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct

from eightysix.lab.apiserver.catalogue import Object

__all__ = ["Answer", "Request", "Stream", "User", "as_json", "json_answer"]

_encode = msgspec.json.Encoder().encode


class User(Struct, frozen=True):
    """Who asks. `extra` is what the authenticator knows beside."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = {}


class Request(Struct, frozen=True):
    """A request. Header names are in lower case. `certificate` is the client's, verified, in DER."""

    method: str
    target: str
    """Path with query, as on the request line."""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    peer: str = "127.0.0.1"
    certificate: bytes = b""
    subject: tuple[tuple[str, str], ...] = ()
    """Of the certificate: pairs of attribute and value."""
    user: User | None = None
    """Set for requests of the lab itself: nobody is asked for credentials."""

    @property
    def path(self) -> str:
        """Without the query."""
        return self.target.partition("?")[0]

    def query(self) -> dict[str, str]:
        """The parameters; of repeated ones the first, as the API server takes it."""
        found: dict[str, str] = {}
        for name, value in self.pairs():
            found.setdefault(name, value)
        return found

    def pairs(self) -> list[tuple[str, str]]:
        """All parameters."""
        try:
            return parse_qsl(self.target.partition("?")[2], keep_blank_values=True, max_num_fields=512)
        except ValueError:
            return []

    def header(self, name: str) -> str:
        """The first value of a header; empty where it is absent."""
        return next((value for each, value in self.headers if each == name), "")

    def all(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for each, value in self.headers if each == name]


class Stream(Struct, frozen=True):
    """An answer that goes on: `chunks` end when it does, and may be closed before. `upgrade` is the protocol that the
    connection switches to: then `chunks` is not used and `talk` gets ways to receive and to send."""

    chunks: Iterator[bytes]
    upgrade: str = ""
    talk: Callable[[Callable[[float], bytes], Callable[[bytes], None]], None] | None = None


class Answer(Struct, frozen=True):
    """What is answered. `told` is the object, where the audit wants it: a `Status` always."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    stream: Stream | None = None
    told: Object | None = None


def as_json(value: object) -> bytes:
    """JSON with a line end, as the API server writes it."""
    return _encode(value) + b"\n"


def json_answer(status: int, item: Object, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """An answer of one object."""
    return Answer(status, as_json(item), headers=headers, told=item)
