"""References to artifacts in registries: read strictly, written in one way.

Grammar: distribution/reference (`reference.go`) and the OCI distribution specification 1.1, "Workflow Categories": names of
repositories and tags. Short names mean what they mean to Docker: `python` is `docker.io/library/python`. Two spellings of one
place would be two histories, so upper case in a host, `index.docker.io` and `:443` are brought to one form. A tag is
never made up: without tag and digest a reference names a repository.
"""

from __future__ import annotations

import ipaddress

from eightysix.gate.digests import is_digest
from eightysix.model.errors import UsageError
from eightysix.model.gate import Reference

__all__ = [
    "MAX_REFERENCE",
    "api_host",
    "format_reference",
    "host_of",
    "is_loopback",
    "is_repository",
    "is_tag",
    "parse_reference",
    "parse_registry",
]

MAX_REFERENCE = 700
"""Characters: 255 of a host with its port, 255 of a repository, 128 of a tag, 136 of a digest, and what joins them, less
what no two of them need at once. Longer ones are read by nobody."""

_MAX_HOST = 253
"""RFC 1035, 2.3.4, as text; a label has 63."""
_MAX_LABEL = 63
_MAX_REPOSITORY = 255
"""distribution/reference, RepositoryNameTotalLengthMax: of the path without the host since version 0.6."""
_MAX_TAG = 128

_DOCKER = "docker.io"
_OLD_DOCKER = "index.docker.io"
_DOCKER_API = "registry-1.docker.io"
_LIBRARY = "library"

_LOWER = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_ALNUM = _LOWER | frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_LABEL = _ALNUM | {"-"}
_WORD = _ALNUM | {"_"}
_TAG = _WORD | frozenset(".-")
_DIGITS = frozenset("0123456789")
_HEX = frozenset("0123456789abcdef")
_SHOWN = 80


def parse_reference(text: str) -> Reference:
    """What `text` names. Raises `UsageError` for everything that is no reference, and nothing else."""
    if not text or len(text) > MAX_REFERENCE or not text.isascii() or not text.isprintable():
        raise _wrong(text, "is empty, too long or not plain text")
    if "://" in text:
        raise _wrong(text, "is a URL: leave out what stands before the host, with its `://`")
    name, at, digest = text.partition("@")
    if at and not is_digest(digest):
        raise _wrong(text, "has no digest behind `@`: sha256 and 64 digits, or sha512 and 128, in lower case")
    host, path = _split(name)
    path, colon, tag = path.partition(":")
    if colon and not is_tag(tag):
        raise _wrong(text, "has a tag that no registry takes")
    registry = _registry(host, text)
    if registry == _DOCKER and "/" not in path:
        if len(path) == 64 and _HEX.issuperset(path):
            raise _wrong(text, "is the id of an image, which names no place")
        path = f"{_LIBRARY}/{path}"
    if not is_repository(path):
        raise _wrong(text, "has a repository that no registry takes")
    return Reference(registry, path, tag, digest)


def parse_registry(text: str) -> str:
    """The registry that `text` names, in the one form: host and port. Raises `UsageError`."""
    if not text or len(text) > _MAX_HOST + 6 or not text.isascii() or not text.isprintable():
        raise _wrong(text, "is no host with a port")
    return _registry(text, text)


def format_reference(reference: Reference) -> str:
    """The whole name: `parse_reference` gives the same reference back."""
    tag = f":{reference.tag}" if reference.tag else ""
    digest = f"@{reference.digest}" if reference.digest else ""
    return f"{reference.registry}/{reference.repository}{tag}{digest}"


def is_repository(text: str) -> bool:
    """Whether `text` is the path of a repository."""
    return 0 < len(text) <= _MAX_REPOSITORY and all(map(_is_step, text.split("/")))


def is_tag(text: str) -> bool:
    """Whether `text` is a tag."""
    return 0 < len(text) <= _MAX_TAG and text[0] in _WORD and _TAG.issuperset(text)


def api_host(registry: str) -> str:
    """The host that answers for a registry: Docker's is called one way and reached another."""
    return _DOCKER_API if registry == _DOCKER else registry


def host_of(registry: str) -> str:
    """The host of `registry` without port and brackets."""
    if registry.startswith("["):
        return registry[1:].partition("]")[0]
    return registry.partition(":")[0]


def is_loopback(registry: str) -> bool:
    """Whether only this machine can be meant, by the name alone: `localhost`, 127.0.0.0/8, `::1`."""
    host = host_of(registry)
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _split(name: str) -> tuple[str, str]:
    """Host and path, by Docker's rule: what stands before the first slash is a host if it looks like one. That upper case alone
    makes a host is left out: in small letters, as registries are kept, it would be one no more."""
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first.lower() == "localhost"):
        return first, rest
    return _DOCKER, name


def _registry(text: str, whole: str) -> str:
    host, port = _host_and_port(text.lower(), whole)
    if host == _OLD_DOCKER and not port:
        host = _DOCKER
    joined = f"{host}:{port}" if port else host
    # NOTE: on loopback 443 may be spoken to without TLS, and is then not what is meant without a port; and a name without a
    # dot is a host by its port alone.
    return host if port == "443" and ("." in host or "[" in host) and not is_loopback(joined) else joined


def _host_and_port(text: str, whole: str) -> tuple[str, str]:
    if text.startswith("["):
        inside, bracket, behind = text[1:].partition("]")
        try:
            host = f"[{ipaddress.IPv6Address(inside).compressed}]"
        except ValueError:
            raise _wrong(whole, "has a host in brackets that is no address") from None
        if not bracket or "%" in inside or (behind and not behind.startswith(":")):
            raise _wrong(whole, "has a host in brackets that is no address")
        return host, _port(behind[1:], whole) if behind else ""
    host, colon, port = text.partition(":")
    if not host or len(host) > _MAX_HOST or not all(map(_is_label, host.split("."))):
        raise _wrong(whole, "has a host that is no name and no address")
    return host, _port(port, whole) if colon else ""


def _port(text: str, whole: str) -> str:
    if not (0 < len(text) <= 5 and _DIGITS.issuperset(text) and text[0] != "0" and int(text) < 65_536):
        raise _wrong(whole, "has a port that is none")
    return text


def _is_label(text: str) -> bool:
    return 0 < len(text) <= _MAX_LABEL and _LABEL.issuperset(text) and text[0] != "-" and text[-1] != "-"


def _is_step(text: str) -> bool:
    """Runs of small letters and digits, joined by one dot, one or two underscores, or any number of hyphens."""
    at, end = 0, len(text)
    while True:
        start = at
        while at < end and text[at] in _LOWER:
            at += 1
        if at == start:
            return False
        if at == end:
            return True
        joint = text[at]
        start = at
        while at < end and text[at] == joint:
            at += 1
        most = {".": 1, "_": 2, "-": end}.get(joint, 0)
        if at - start > most:
            return False


def _wrong(text: str, why: str) -> UsageError:
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return UsageError(
        f"the reference {shown!a} {why}",
        "write it as registry/repository:tag or registry/repository@sha256:…",
    )
