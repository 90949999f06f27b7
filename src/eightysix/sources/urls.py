"""URLs of requests that the sensor saw: host, port, as much of the path as is harmless, and whether it gives a credential."""

from __future__ import annotations

from msgspec import Struct

from eightysix.context.destinations import address, classify
from eightysix.context.packages import WITHHELD, host_name, looks_secret, url_host

__all__ = ["Target", "gives_credential", "read_target", "read_url"]

_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443, "ftp": 21}
_LONGEST_URL = 4096
_LONGEST_SEGMENT = 64
_LONGEST_WORD = 20
_MOST_SEGMENTS = 12
_WORDS = frozenset("abcdefghijklmnopqrstuvwxyz_-.")
_NAMES = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.~@:,+=")
_IDS = frozenset("0123456789abcdef-")
_PLATFORM = frozenset({"metadata", "wire-server", "api-server"})


class Target(Struct, frozen=True, gc=False):
    """Where a request goes. `kind` is the destination's class, `path` is `/...`, empty where the record has none;
    `resource` is the host that a token is asked for, `principal` the id of the identity whose token it is to be, where the
    request names one."""

    ip: str
    name: str
    port: int
    path: str
    kind: str
    credential: bool
    resource: str = ""
    principal: str = ""


def read_url(url: str) -> Target | None:
    """The target of `url`, None where it names no host. Query and user never come out."""
    url = url[:_LONGEST_URL]
    scheme, mark, rest = url.partition("://")
    if not mark or not scheme:
        return None
    end = min((place for place in map(rest.find, "/?#\\") if place >= 0), default=len(rest))
    authority, tail = rest[:end], rest[end:]
    host = url_host(f"http://{authority}")
    port = authority.rpartition("@")[2].rpartition("]")[2].rpartition(":")[2]
    number = (
        int(port)
        if 0 < len(port) < 6 and port.isdigit() and port.isascii()
        else _PORTS.get(scheme.lower(), 0)
    )
    path, _, query = tail.partition("#")[0].partition("?")
    return read_target(host, number, path or "/", query) if host else None


def read_target(host: str, port: int, path: str, query: str = "") -> Target:
    """The target of a request of which host, port and path (empty where unknown) are known apart."""
    ip = address(host)
    name = "" if ip else host_name(host)
    kind = classify(ip, port, name)
    path = _resolve(_unquote(path.partition("?")[0])) if path else ""
    credential = kind in ("metadata", "wire-server") and (not path or gives_credential(path))
    asks = kind == "metadata" and bool(query)
    resource, principal = (_resource(query), _principal(query)) if asks else ("", "")
    return Target(ip, name, port, _tell(path, kind), kind, credential, resource, principal)


def gives_credential(path: str) -> bool:
    """Tell whether a path of a metadata service hands out a credential.

    Azure `/metadata/identity/oauth2/token` (learn.microsoft.com/entra/identity/managed-identities-azure-resources/
    how-to-use-vm-token), AWS `/<version>/meta-data/iam/security-credentials/` and the instance's own identity
    (docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials), Alibaba
    `/<version>/meta-data/ram/security-credentials/`, ECS `/v2/credentials/<id>` and EKS Pod Identity `/v1/credentials`,
    Google `/computeMetadata/v1/instance/service-accounts/<account>/token` or `identity`
    (cloud.google.com/compute/docs/access/authenticate-workloads), and of Azure's wire server `/machine` (the goal state,
    with certificates and protected settings) and `/vmSettings` (github.com/Azure/WALinuxAgent, wire.py, hostplugin.py). AWS's
    `/latest/api/token` only opens a session.
    """
    parts = [part for part in path.lower().split("/") if part]
    if parts[:4] == ["metadata", "identity", "oauth2", "token"]:
        return True
    if parts[1:4] in (
        ["meta-data", "iam", "security-credentials"],
        ["meta-data", "ram", "security-credentials"],
    ):
        return True
    if parts[1:3] == ["meta-data", "identity-credentials"] and "security-credentials" in parts:
        return True
    if parts[:1] in (["machine"], ["vmsettings"]):
        return True
    if parts[:1] == ["computemetadata"]:
        return parts[2:4] == ["instance", "service-accounts"] and parts[-1] in ("token", "identity")
    return parts[:2] in (["v2", "credentials"], ["v1", "credentials"])


def _resource(query: str) -> str:
    """The host of the query's `resource`, which is the one part of a query that is harmless and says something."""
    for part in query.split("&")[:32]:
        key, _, value = part.partition("=")
        if key.lower() == "resource":
            value = _unquote(value)
            return url_host(value) if "://" in value else ""
    return ""


def _principal(query: str) -> str:
    """The query's `client_id` or `object_id` (learn.microsoft.com/entra/identity/managed-identities-azure-resources/
    how-to-use-vm-token), which is no secret; nothing that is not formed like one."""
    for part in query.split("&")[:32]:
        key, _, value = part.partition("=")
        value = _unquote(value).lower()
        if key.lower() in ("client_id", "object_id") and len(value) == 36 and _IDS.issuperset(value):
            return value if [len(piece) for piece in value.split("-")] == [8, 4, 4, 4, 12] else ""
    return ""


def _tell(path: str, kind: str) -> str:
    """`path` with every segment withheld that could be a secret: to cloud platform and Kubernetes, where paths name
    resources, what looks like one; elsewhere everything but plain words, because webhooks and bots have keys in paths."""
    segments = path.split("/")
    shown = [_segment(segment, plain=kind not in _PLATFORM) for segment in segments[: _MOST_SEGMENTS + 1]]
    return "/".join(shown) + (f"/{WITHHELD}" if len(segments) > len(shown) else "")


def _segment(segment: str, *, plain: bool) -> str:
    if plain:
        version = segment[:1] == "v" and segment[1:].isdigit() and len(segment) < 6
        harmless = version or (len(segment) <= _LONGEST_WORD and _WORDS.issuperset(segment))
    else:
        harmless = (
            len(segment) <= _LONGEST_SEGMENT and _NAMES.issuperset(segment) and not looks_secret(segment)
        )
    return segment if harmless else WITHHELD


def _resolve(path: str) -> str:
    """`path` without empty and dotted segments, which servers ignore; a slash at the end stays."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts) + ("/" if parts and path.endswith("/") else "")


def _unquote(text: str) -> str:
    """`text` with its percent escapes of ASCII resolved, others left alone."""
    if "%" not in text:
        return text
    first, *rest = text.split("%")
    out = [first]
    for piece in rest:
        digits = piece[:2]
        if (
            len(digits) == 2
            and set(digits) <= set("0123456789abcdefABCDEF")
            and 0x20 < (code := int(digits, 16)) < 0x7F
        ):
            out.append(chr(code) + piece[2:])
        else:
            out.append("%" + piece)
    return "".join(out)
