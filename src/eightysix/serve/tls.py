"""TLS of a listener: certificate and key from files that may be renewed while it runs, clients checked if asked."""

from __future__ import annotations

import os
import ssl
import threading
import time
from contextlib import suppress

from eightysix.model.errors import UsageError

__all__ = ["RELOAD_S", "ServerTls"]

RELOAD_S = 10.0
"""Seconds between two looks whether the certificate was renewed; cert-manager and the kubelet replace the files."""


class ServerTls:
    """`certificate` and `key` in PEM; with `client_ca` only clients with a certificate of it get through."""

    def __init__(self, certificate: str, key: str, client_ca: str = "") -> None:
        self.verifies_clients = bool(client_ca)
        self._files = certificate, key, client_ca
        self._lock = threading.Lock()
        self._stamp = self._times()
        self._looked_at = time.monotonic()
        self._context = self._load()

    def context(self) -> ssl.SSLContext:
        """The context for a new connection. A renewal that cannot be read keeps the old one."""
        with self._lock:
            if time.monotonic() - self._looked_at >= RELOAD_S:
                self._looked_at = time.monotonic()
                stamp = self._times()
                if stamp != self._stamp:
                    with suppress(UsageError):  # half written: the next look finds it whole
                        self._context = self._load()
                        self._stamp = stamp
            return self._context

    def _load(self) -> ssl.SSLContext:
        certificate, key, client_ca = self._files
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(certificate, key, password=_no_password)
            if client_ca:
                context.load_verify_locations(client_ca)
                context.verify_mode = ssl.CERT_REQUIRED
        except (OSError, ValueError) as error:  # SSLError is an OSError; ValueError: the key has a password
            reason = getattr(error, "strerror", None) or str(error)
            raise UsageError(
                f"the certificate {certificate}, its key or the client CA cannot be used: {reason}",
                "give PEM files, the key without a password",
            ) from error
        return context

    def _times(self) -> tuple[int, ...]:
        times = []
        for path in self._files:
            with suppress(OSError):
                times.append(os.stat(path).st_mtime_ns if path else 0)
        return tuple(times)


def _no_password() -> str:
    raise ValueError("the key has a password")
