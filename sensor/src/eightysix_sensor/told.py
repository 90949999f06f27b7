"""What of a text may be told: nothing that looks like a secret. Text comes from the host's calls, so it is of any kind.

The same judgement as in the reader (`eightysix.context.packages`, `eightysix.sources.urls`), made before anything leaves
the process. Linear in the length of the input; no code of the given objects is run.
"""

from __future__ import annotations

from eightysix_sensor.own import BUILTINS as __builtins__  # type: ignore[no-redef]  # noqa: F401
from eightysix_sensor.own import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, Optional

WITHHELD = "\u2026"
"""Stands for something that was there and is not told."""

MAX_TEXT = 1024

_PREFIXES = (
    "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "npm_", "hf_", "pypi-", "dckr_pat_", "xox", "sk-",
    "akia", "asia", "aiza", "ya29.", "eyj", "shpat_", "dop_v1_", "atatt",
)  # fmt: skip
"""How tokens begin, in lower case; the sources are named in `eightysix.context.packages`."""
_TAIL = 16
_LONG_RUN = 40
_MIXED_RUN = 24
_CUTS = str.maketrans("/=+:@,~;&?", " " * 10)
_SEPARATORS = str.maketrans("-_./=+:@,~", " " * 10)
_DIGITS = frozenset("0123456789")
_HOST = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-_:")
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyz_-.")
_NAMES = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.~@:,+=")
_ID = frozenset("0123456789abcdef-")
_DOTTED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.")
_MAX_SEGMENTS = 12

PLATFORM = frozenset(
    """169.254.169.254 169.254.170.2 169.254.170.23 fd00:ec2::254 fd00:ec2::23 fd20:ce::254 fe80::a9fe:a9fe 100.100.100.200
    168.63.129.16 metadata metadata.google.internal metadata.goog instance-data instance-data.ec2.internal kubernetes
    kubernetes.default kubernetes.default.svc kubernetes.default.svc.cluster.local 10.96.0.1 10.0.0.1 10.43.0.1 10.100.0.1
    172.20.0.1 172.30.0.1 34.118.224.1 10.152.183.1""".split()
)
"""Metadata services and the API server (`eightysix.context.destinations`): paths there name resources, not secrets."""


def text(value: Any, most: int = MAX_TEXT) -> str:
    """`value` as valid text where it is text or bytes, else empty. Runs no method of a derived class."""
    kind = type(value)
    if kind is not str:
        if kind is bytes:
            value = value[: most + 1].decode("utf-8", "replace")
        elif issubclass(kind, str):
            value = str.__str__(value)
        elif issubclass(kind, bytes):
            value = bytes.__getitem__(value, slice(0, most + 1)).decode("utf-8", "replace")
        else:
            return ""
    if len(value) > most:
        value = value[:most] + WITHHELD
    if not value.isascii():
        value = value.encode("utf-8", "replace").decode("utf-8")
    return value  # type: ignore[no-any-return]


def looks_secret(word: str) -> bool:
    """Whether `word`, or a part of it, looks like a token or a key: known beginnings, and long random runs."""
    if len(word) < _TAIL:
        return False
    for part in word.lower().translate(_CUTS).split():
        if part.startswith(_PREFIXES) and not _DIGITS.isdisjoint(part):
            longest = max([len(prefix) for prefix in _PREFIXES if part.startswith(prefix)])
            if len(part) - longest >= _TAIL:
                return True
    if len(word) < _MIXED_RUN:
        return False
    for run in word.translate(_SEPARATORS).split():
        size = len(run)
        if size >= _MIXED_RUN and not _DIGITS.isdisjoint(run) and not run.isdigit():
            if size >= _LONG_RUN or (run != run.lower() and run != run.upper()):
                return True
    return False


def told_path(path: str) -> str:
    """`path` without parts that may be secret."""
    if "?" not in path and "&" not in path and ";" not in path and "#" not in path and not looks_secret(path):
        return path
    return "/".join([_told_part(part) for part in path.split("/")])


def _told_part(part: str) -> str:
    ends = [place for place in [part.find(mark) for mark in "?&;#"] if place >= 0]
    if ends:
        part = part[: min(ends) + 1] + WITHHELD
    return WITHHELD if looks_secret(part) else part


def told_name(name: str, most: int = 200) -> str:
    """A dotted name of Python, withheld where it is none or looks like a token."""
    if 0 < len(name) <= most and _DOTTED.issuperset(name) and not looks_secret(name):
        return name
    return WITHHELD if name else ""


def told_host(value: Any) -> str:
    """A host's name or address in lower case; labels that look secret are withheld, because data leaves in them."""
    host = text(value, 253).rstrip(".").lower().partition("%")[0]
    if not host or not _HOST.issuperset(host):
        return WITHHELD if host else ""
    if ":" in host or not looks_secret(host):
        return host
    labels = host.split(".")
    hidden = [looks_secret(label) for label in labels]
    for place, label in enumerate(labels):
        if hidden[place] and label.startswith("eyj"):  # the head of a JWT: body and signature follow
            hidden[place : place + 3] = [True] * len(hidden[place : place + 3])
    shown = [WITHHELD if hide else label for label, hide in zip(labels, hidden)]
    return ".".join(shown) if not all(hidden) else WITHHELD


def is_platform(host: str, api_server: str = "") -> bool:
    """Whether `host` hands out credentials or is the API server."""
    return host in PLATFORM or host.startswith("169.254.") or (host != "" and host == api_server)


def told_url(url: str, api_server: str = "") -> str:
    """Scheme, host, port, and as much of the path as is harmless. Users, queries and fragments stay out, except for what a
    metadata service is asked for: the host of `resource`, and the id of an identity."""
    scheme, mark, rest = url[:4096].partition("://")
    if not mark or not scheme.isalnum() or len(scheme) > 12:
        return WITHHELD
    ends = [place for place in [rest.find(stop) for stop in "/?#\\"] if place >= 0]
    end = min(ends) if ends else len(rest)
    authority, tail = rest[:end].rpartition("@")[2], rest[end:]
    if "@" in tail.partition("/")[2] and "." not in authority:
        return WITHHELD  # a password with a slash in it: what looks like the host is its beginning
    host, port = split_port(authority)
    if not host or host == WITHHELD:
        return scheme.lower() + "://" + (host or WITHHELD)
    path, _, query = tail.partition("#")[0].partition("?")
    shown = "[" + host + "]" if ":" in host else host
    return (
        scheme.lower()
        + "://"
        + shown
        + (":" + port if port else "")
        + told_target(path, query, is_platform(host, api_server))
    )


def split_port(authority: str) -> tuple[str, str]:
    """Host and port of the end of an authority; a port that is no number is dropped."""
    if authority.startswith("["):
        host, _, port = authority[1:].partition("]")
        port = port[1:]
    else:
        host, _, port = authority.partition(":")
    return told_host(host), port if port.isdigit() and len(port) < 6 else ""


def told_target(path: str, query: str, platform: bool) -> str:
    """Path and query of a request, as far as they may be told."""
    shown = [_segment(segment, platform) for segment in path.split("/")[: _MAX_SEGMENTS + 1]]
    told = "/".join(shown)
    if not platform or not query:
        return told
    kept = []
    for part in query.split("&")[:32]:
        key, _, value = part.partition("=")
        value = _unquoted(value)
        if key.lower() == "resource":
            kept.append("resource=" + _origin(value))
        elif key.lower() in ("client_id", "object_id") and len(value) == 36 and _ID.issuperset(value.lower()):
            kept.append(key.lower() + "=" + value.lower())
    return told + "?" + "&".join(kept) if kept else told


def _segment(segment: str, platform: bool) -> str:
    if platform:
        fine = len(segment) <= 64 and _NAMES.issuperset(segment) and not looks_secret(segment)
    else:
        version = segment[:1] == "v" and segment[1:].isdigit() and len(segment) < 6
        fine = version or (len(segment) <= 20 and _PLAIN.issuperset(segment))
    return segment if fine else WITHHELD


def _origin(url: str) -> str:
    scheme, mark, rest = url.partition("://")
    host = told_host(rest.partition("/")[0].rpartition("@")[2].partition(":")[0]) if mark else ""
    return scheme + "://" + host if host and scheme.isalnum() else WITHHELD


def _unquoted(value: str) -> str:
    """The two escapes that stand in a metadata query, resolved."""
    for escape, character in (("%3A", ":"), ("%3a", ":"), ("%2F", "/"), ("%2f", "/")):
        value = value.replace(escape, character)
    return value


def optional(value: Any) -> Optional[str]:
    """Text, None where there is none."""
    return text(value) or None
