"""Bounds of a webhook's body, checked before anything of it is built.

Depth and number of values are counted on the bytes, with a few passes of C: a decoder that skips what it does not know goes
as deep as the sender likes.
"""

from __future__ import annotations

__all__ = ["CONTENT_TYPES", "MAX_BODY_BYTES", "MAX_DEPTH", "MAX_EVENTS", "media_type", "wrong_shape"]

MAX_BODY_BYTES = 1 << 20
"""An event of distribution has 770 bytes; Event Grid's largest batch has 1 MB."""
MAX_DEPTH = 64
"""Objects and lists within each other; real events have 4."""
MAX_EVENTS = 1_000
"""Events of one request. Registries send one, Event Grid up to what was configured."""
MAX_VALUES = 64 * MAX_EVENTS
"""Values of one body: an event has some 30. It bounds the memory that decoding takes."""

CONTENT_TYPES = frozenset(
    {
        "application/json",
        "application/vnd.docker.distribution.events.v1+json",
        "application/vnd.docker.distribution.events.v2+json",
        "application/cloudevents+json",
        "application/cloudevents-batch+json",
    }
)
"""What distribution 2 and 3, ACR, Event Grid in both schemas and Harbor in both formats send."""

_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii"})
_NOT_STRUCTURE = bytes(set(range(256)) - set(b"{}[],"))
_ONE_KIND = bytes.maketrans(b"{}", b"[]")


def media_type(header: str) -> str:
    """The media type of a Content-Type header, empty where it is none that a registry sends."""
    kind, _, rest = header.partition(";")
    for parameter in rest.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset" and value.strip().strip('"').lower() not in _CHARSETS:
            return ""
    kind = kind.strip().lower()
    return kind if kind in CONTENT_TYPES else ""


def wrong_shape(body: bytes) -> str:
    """Why a body is not even decoded; empty where it may be."""
    if len(body) > MAX_BODY_BYTES:
        return f"the body is larger than {MAX_BODY_BYTES} bytes"
    # Without escaped quotes, every second part between quotes is outside of strings.
    outside = b"".join(body.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2])
    structure = outside.translate(_ONE_KIND, _NOT_STRUCTURE)
    if structure.count(b",") >= MAX_VALUES:
        return f"the body has more than {MAX_VALUES} values"
    left = structure.translate(None, b",")
    for _ in range(MAX_DEPTH):  # each pass takes off what is innermost
        if not left:
            break
        left = left.replace(b"[]", b"")
    return f"the body is nested deeper than {MAX_DEPTH}, or its brackets do not match" if left else ""
