"""WebSockets (RFC 6455) as far as `kubectl exec` and the Python client's `stream` speak them: channels in binary frames.

The first byte of a message is its channel: 0 standard input, 1 output, 2 errors, 3 the final `Status`
(apimachinery's `pkg/util/httpstream/wsstream`). What clients send is read and let go: there is no input.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

from eightysix.lab.apiserver.catalogue import Object
from eightysix.lab.apiserver.messages import Request, as_json

__all__ = ["Talk", "accepted", "protocol_of"]

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io", "base64.channel.k8s.io")
_PIECE = 32 << 10
_CLOSE = 8
_MOST = 1 << 20
_WAIT_S = 2.0


def protocol_of(request: Request) -> str | None:
    """Which of the offered protocols is spoken; None where the request is no WebSocket that is understood."""
    if request.header("upgrade").lower() != "websocket" or not request.header("sec-websocket-key"):
        return None
    offered = [each.strip() for value in request.all("sec-websocket-protocol") for each in value.split(",")]
    return next((each for each in _PROTOCOLS if each in offered), None)


def accepted(request: Request, protocol: str) -> tuple[tuple[str, str], ...]:
    """The headers that accept a WebSocket."""
    key = request.header("sec-websocket-key").encode("latin-1")
    digest = hashlib.sha1(key + _GUID, usedforsecurity=False).digest()
    return (
        ("sec-websocket-accept", base64.b64encode(digest).decode()),
        ("sec-websocket-protocol", protocol),
    )


class Talk:
    """The server's side of one WebSocket."""

    def __init__(
        self, protocol: str, receive: Callable[[float], bytes], send: Callable[[bytes], None]
    ) -> None:
        self._base64 = protocol.startswith("base64.")
        self._receive = receive
        self._send = send

    def write(self, channel: int, data: bytes) -> None:
        """Send `data` on a channel, in pieces."""
        for at in range(0, len(data), _PIECE) or (0,):
            piece = data[at : at + _PIECE]
            if self._base64:
                self._frame(1, str(channel).encode() + base64.b64encode(piece))
            else:
                self._frame(2, bytes((channel,)) + piece)

    def finish(self, status: Object) -> None:
        """Tell the result, close, and wait a moment for the client's own close."""
        self.write(3, as_json(status).rstrip())
        self._frame(_CLOSE, (1000).to_bytes(2, "big"))
        taken = 0
        try:
            while taken < _MOST and (data := self._receive(_WAIT_S)):
                taken += len(data)
                if data[0] & 15 == _CLOSE:
                    return
        except OSError:
            return

    def _frame(self, kind: int, data: bytes) -> None:
        size = len(data)
        if size < 126:
            head = bytes((128 | kind, size))
        elif size < 1 << 16:
            head = bytes((128 | kind, 126)) + size.to_bytes(2, "big")
        else:
            head = bytes((128 | kind, 127)) + size.to_bytes(8, "big")
        self._send(head + data)
