"""Where a URL in state leads: here, into the cluster, out into the world, or to the cloud's metadata service."""

from __future__ import annotations

from enum import Enum
from ipaddress import ip_address
from urllib.parse import urlsplit

__all__ = ["Reach", "reach"]

METADATA = frozenset(
    ("metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal")
)
METADATA_ADDRESSES = frozenset(
    ("169.254.169.254", "169.254.170.2", "169.254.170.23", "fd00:ec2::254", "100.100.100.200")
)
"""Published endpoints of AWS (also ECS and EKS credentials), Azure, Google Cloud and Alibaba Cloud."""


class Reach(Enum):
    """How far a URL reaches."""

    NOWHERE = "nowhere"
    NEAR = "near"
    METADATA = "metadata"
    PUBLIC = "public"


def reach(url: str) -> Reach:
    """Of the host in `url`. Names without a dot, private addresses and cluster names are near."""
    try:
        host = (urlsplit(url.strip()[:2048]).hostname or "").rstrip(".")
    except ValueError:
        return Reach.PUBLIC
    if not host:
        return Reach.NOWHERE
    if host in METADATA or _address(host) in METADATA_ADDRESSES:
        return Reach.METADATA
    address = _address(host)
    if address:
        near = ip_address(address)
        return Reach.NEAR if near.is_private or near.is_loopback or near.is_link_local else Reach.PUBLIC
    if "." not in host or host.endswith((".local", ".internal", ".svc", ".localhost", ".lan")):
        return Reach.NEAR
    return Reach.PUBLIC


def _address(host: str) -> str:
    """The address that `host` spells, also as one number or in octal or hexadecimal parts as `inet_aton` reads it."""
    try:
        return str(ip_address(host))
    except ValueError:
        pass
    parts = host.split(".")
    if len(parts) > 4:
        return ""
    numbers: list[int] = []
    for part in parts:
        try:
            numbers.append(
                int(part, 16) if part[:2].lower() == "0x" else int(part, 8 if part.startswith("0") else 10)
            )
        except ValueError:
            return ""
    *bytes_, last = numbers
    if any(not 0 <= one < 256 for one in bytes_) or not 0 <= last < 256 ** (5 - len(parts)):
        return ""
    total = last
    for at, one in enumerate(bytes_):
        total += one << (8 * (3 - at))
    return str(ip_address(total))
