"""Where a workload loads its model from when it starts: what names no fixed bytes can be replaced under it, and no registry
tells.

Hubs: a commit of 40 digits is fixed, a branch or a tag is not (huggingface_hub, "revision"). Buckets: an object's version
(S3 and Azure `versionId`, Google's generation), where the bucket keeps versions. Images: a digest. git: a commit. Paths on
a volume are judged by what fills the volume, not here.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import parse_qsl, urlsplit

from eightysix.model.finding import Severity
from eightysix.model.gate import GateFinding

__all__ = ["MAX_SOURCES", "fixed_by", "source_findings"]

MAX_SOURCES = 1_000
_MAX_LENGTH = 2_048
_SHOWN = 200
_HEX = frozenset("0123456789abcdef")
_HUB_HOSTS = frozenset({"huggingface.co", "hf.co", "www.huggingface.co"})
_VERSIONS = frozenset({"versionid", "versionId", "snapshot", "generation"})
_BUCKETS = frozenset({"s3", "gs", "az", "abfs", "abfss", "wasb", "wasbs", "adl"})
_IMAGES = frozenset({"oci", "docker", "oras"})
_TECHNIQUES = ("T1195.002", "MS-TA9002")


def source_findings(sources: Iterable[str]) -> tuple[GateFinding, ...]:
    """One finding for each source that can be replaced without its name changing."""
    wanted = sorted({source for source in sources if source})[:MAX_SOURCES]
    return tuple(
        GateFinding(
            rule="runtime-source-mutable",
            severity=Severity.MEDIUM,
            holds=False,
            title="A model is loaded at start from a place where it can be replaced",
            why=f"{_without_secrets(source)} has {missing}",
            techniques=_TECHNIQUES,
        )
        for source in wanted
        if (missing := fixed_by(source))
    )


def fixed_by(source: str) -> str:
    """What a source lacks to name fixed bytes; empty where nothing, or where it is no source that could be judged."""
    source = source.strip()[:_MAX_LENGTH]
    scheme, separator, rest = source.partition("://")
    scheme = scheme.lower() if separator else ""
    try:
        parts = urlsplit(source) if separator else None
    except ValueError:
        return "an address that cannot be read"
    if scheme == "hf":
        return _of_hub(rest.partition("?")[0].partition("@")[2].partition("/")[0])
    if scheme in ("http", "https") and parts is not None:
        return _of_web(parts.hostname or "", parts.path, parts.query)
    if scheme in _BUCKETS and parts is not None:
        versioned = _has_version(parts.query) or (scheme == "gs" and parts.fragment.isdecimal())
        return "" if versioned else "no version of the object"
    if scheme in _IMAGES:
        return "" if "@sha256:" in rest or "@sha512:" in rest else "no digest"
    if scheme.startswith("git+"):
        return "" if _is_commit(rest.rpartition("@")[2].partition("#")[0]) else "no commit"
    if not separator and _is_hub_name(source):
        return _of_hub(source.partition("@")[2])
    return ""


def _of_web(host: str, path: str, query: str) -> str:
    steps = path.strip("/").split("/")
    if host.lower() in _HUB_HOSTS:
        at = next((n for n, step in enumerate(steps) if step in ("resolve", "raw", "blob", "tree")), -1)
        return _of_hub(steps[at + 1] if 0 <= at < len(steps) - 1 else "")
    if host.lower().endswith((".blob.core.windows.net", ".amazonaws.com", "storage.googleapis.com")):
        return "" if _has_version(query) else "no version of the object"
    return ""


def _of_hub(revision: str) -> str:
    if _is_commit(revision):
        return ""
    return (
        f"no commit but {revision[:64]!r}, which can be moved"
        if revision
        else "no commit: what main points to"
    )


def _is_commit(text: str) -> bool:
    return len(text) in (40, 64) and _HEX.issuperset(text)


def _is_hub_name(text: str) -> bool:
    """`org/model` or `org/model@revision`: what model servers take for a name in the hub."""
    organisation, slash, model = text.partition("@")[0].partition("/")
    return bool(
        slash and organisation and model and "/" not in model and text[0].isalnum() and " " not in text
    ) and not model.endswith((".py", ".json", ".yaml", ".yml", ".txt"))


def _has_version(query: str) -> bool:
    try:
        return any(name in _VERSIONS and value for name, value in parse_qsl(query, max_num_fields=64))
    except ValueError:
        return False


def _without_secrets(source: str) -> str:
    """The source without what may let somebody in: a user with a password, and the query, which may be a signature."""
    told = source.strip()[:_MAX_LENGTH].partition("?")[0]
    scheme, separator, rest = told.partition("://")
    if separator:
        place, slash, path = rest.partition("/")
        if scheme.lower() != "hf":
            place = place.rpartition("@")[2]
        told = f"{scheme}://{place}{slash}{path}"
    return repr(told[:_SHOWN])
