"""Bounds of asking registries, and what the operator allowed."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from eightysix.gate.manifests import Limits
from eightysix.gate.references import is_loopback

__all__ = ["Bounds", "Settings"]


class Bounds(Struct, frozen=True, kw_only=True):
    """What one question may cost.

    `connect_s`: for a connection with its TLS. `silence_s`: for a pause within an answer. `deadline_s`: for a whole question
    with tokens, redirects and further tries, except blobs: those have `deadline_s` and what `blob_rate` (bytes a second) makes
    of their size. `blob_bytes`: of one blob at most. `tries` and `longest_pause_s`: for 429 and 503. `pages` and `tags`: of one
    list. `referrers`: of one subject; more is told as a problem. `small_bytes`: of tokens and lists' pages.
    """

    connect_s: float = 5.0
    silence_s: float = 10.0
    deadline_s: float = 30.0
    blob_rate: int = 256 << 10
    blob_bytes: int = 256 << 30
    tries: int = 3
    longest_pause_s: float = 10.0
    pages: int = 100
    tags: int = 100_000
    referrers: int = 200
    small_bytes: int = 4 << 20
    redirects: int = 5
    connections: int = 8
    limits: Limits = Limits()


class Settings(Struct, frozen=True, kw_only=True):
    """What the operator allowed: nothing of it ever comes from an artifact or a registry.

    `plain_http`: registries beside those on this machine that are asked without TLS; no credentials go there. `ca_file`: PEM
    certificates that are trusted instead of the system's. `auth_hosts`: by registry, further hosts that may get its
    credentials. `environment`: where HTTPS_PROXY and NO_PROXY are looked up.
    """

    plain_http: frozenset[str] = frozenset()
    ca_file: str = ""
    auth_hosts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    bounds: Bounds = Bounds()

    def scheme(self, registry: str) -> str:
        """How a registry is spoken to: without TLS only on this machine or where it was allowed."""
        return "http" if is_loopback(registry) or registry in self.plain_http else "https"
