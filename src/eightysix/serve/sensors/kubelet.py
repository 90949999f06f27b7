"""The kubelet's list of its pods (`/pods`) over HTTP, asked in a thread of its own: nobody who receives waits for it."""

from __future__ import annotations

import os
import ssl
import threading
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from eightysix.model.errors import UsageError
from eightysix.serve.sensors.pods import MAX_BYTES, PodDirectory

__all__ = ["directory_of"]

EVERY_S = 10.0
TIMEOUT_S = 10.0
_MAX_TOKEN = 16 << 10
_AS = "write it as https://127.0.0.1:10250/pods"


def directory_of(
    place: str, clock: Callable[[], float], *, token_file: str = "", ca_file: str = ""
) -> PodDirectory:
    """The pods that a file or an `http(s)` URL lists. The token is read anew each time, because it is renewed; it goes out
    over TLS alone."""
    if not place.startswith(("http://", "https://")):
        return PodDirectory.of_file(place, clock=clock)
    return PodDirectory(_Url(place, token_file, ca_file), clock=clock, every_s=1.0, least_s=1.0)


class _Url:
    """What the URL gave last."""

    def __init__(self, url: str, token_file: str, ca_file: str) -> None:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise UsageError("the list of pods has no usable URL", _AS) from error
        if not host or parts.username is not None or not url.isascii() or not url.isprintable():
            raise UsageError("the list of pods has no usable URL", _AS)
        if parts.scheme == "http" and token_file:
            raise UsageError(
                "the token for the list of pods would go out without TLS", "use https, or give no token"
            )
        self._host, self._port = host, port or (443 if parts.scheme == "https" else 80)
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._tls = parts.scheme == "https"
        self._token_file, self._ca_file = token_file, ca_file
        self._lock = threading.Lock()
        self._fresh: bytes | None = None
        self._error: OSError | None = OSError(0, "was not answered yet")
        self._ended = threading.Event()
        threading.Thread(target=self._run, name="pods", daemon=True).start()

    def __call__(self) -> bytes | None:
        with self._lock:
            if self._error is not None:
                raise self._error
            fresh, self._fresh = self._fresh, None
            return fresh

    def _run(self) -> None:
        while not self._ended.wait(0):
            try:
                data = self._ask()
            except (OSError, HTTPException, ValueError) as error:
                with self._lock:
                    self._error = OSError(0, _reason(error))
            else:
                with self._lock:
                    self._fresh, self._error = data, None
            self._ended.wait(EVERY_S)

    def _ask(self) -> bytes:
        headers = {"Accept": "application/json", "Connection": "close"}
        if self._token_file:
            with open(self._token_file, "rb") as file:
                headers["Authorization"] = f"Bearer {file.read(_MAX_TOKEN).decode('ascii').strip()}"
        connection: HTTPConnection
        if self._tls:
            context = ssl.create_default_context(cafile=self._ca_file or None)
            connection = HTTPSConnection(self._host, self._port, timeout=TIMEOUT_S, context=context)
        else:
            connection = HTTPConnection(self._host, self._port, timeout=TIMEOUT_S)
        try:
            connection.request("GET", self._path, headers=headers)
            answer = connection.getresponse()
            data = answer.read(MAX_BYTES + 1)
        finally:
            connection.close()
        if answer.status != 200:
            raise OSError(0, f"the kubelet answers {answer.status}")
        if len(data) > MAX_BYTES:
            raise OSError(0, f"the answer is larger than {MAX_BYTES} bytes")
        return data


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {error.verify_message}"
    if isinstance(error, OSError):
        return error.strerror or os.strerror(error.errno or 0)
    return type(error).__name__
