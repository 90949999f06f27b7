"""The proxy of the environment, as everybody spells it: HTTPS_PROXY and NO_PROXY. For https alone, by CONNECT, so that the
proxy sees host and port and nothing else; the metadata service and receivers without TLS are never asked through it.
"""

from __future__ import annotations

import ipaddress
from base64 import b64encode
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from eightysix.model.errors import UsageError

__all__ = ["Proxy", "proxy_for"]


class Proxy(NamedTuple):
    """Where the proxy is, and what it is told beside the name of the receiver."""

    host: str
    port: int
    headers: dict[str, str]


def proxy_for(host: str, environment: Mapping[str, str]) -> Proxy | None:
    """The proxy for `host`; None where there is none, or where NO_PROXY names the host."""
    text = environment.get("https_proxy") or environment.get("HTTPS_PROXY") or ""
    exempt = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    if not text or _is_exempt(host, exempt):
        return None
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        port = parts.port or 80
    except ValueError:
        parts, port = urlsplit(""), 0
    if parts.scheme != "http" or not parts.hostname or not text.isascii() or not text.isprintable():
        raise UsageError("HTTPS_PROXY is no address of a proxy", "write it as http://HOST:PORT")
    headers = {}
    if parts.username:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
    return Proxy(parts.hostname, port, headers)


def _is_exempt(host: str, names: str) -> bool:
    """Whether NO_PROXY's `names` hold `host`: `*`, a name and what is below it, an address, a network."""
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        ip = None
    if host == "localhost" or (ip is not None and ip.is_loopback):
        return True
    for name in (part.strip().lower().lstrip(".") for part in names.split(",")):
        if name == "*" or (name and (host == name or host.endswith(f".{name}"))):
            return True
        if ip is not None and _holds(name, ip):
            return True
    return False


def _holds(name: str, ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    try:
        return ip in ipaddress.ip_network(name, strict=False)
    except ValueError:
        return False
