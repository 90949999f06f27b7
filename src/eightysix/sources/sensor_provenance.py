"""Whose code acts, as a sensor record tells it: the stack's distributions and files, tidied and bounded."""

from __future__ import annotations

from functools import lru_cache

from eightysix.context.packages import WITHHELD, is_version, looks_secret, normalise_name
from eightysix.model.event import Distribution
from eightysix.sources.sensor_records import Record

__all__ = ["MAX_CHAIN", "MAX_ENTRY", "MAX_PATH", "chain_of", "cut", "dists_of", "entry_of", "text_of", "tidy"]

_MAX_NAME = 253  # of Kubernetes objects: kubernetes.io/docs/concepts/overview/working-with-objects/names
MAX_PATH = 1024
MAX_ENTRY = 200
_UNKNOWN = "<unknown>"
"""Stands for a chain entry that is no distribution, application file or `.pth`."""

MAX_CHAIN = 32
"""Entries of a chain that are kept, the outermost always among them; real ones have up to eight."""

MAX_DISTS = 32


def text_of(value: str | None) -> str:
    """A name, as long as Kubernetes has any."""
    return value[:_MAX_NAME] if value else ""


def cut(value: str | None) -> str:
    """A path or an entry of a chain, bounded."""
    return value[:MAX_PATH] if value else ""


def chain_of(record: Record) -> tuple[str, ...]:
    """Whose code is on the stack, innermost first."""
    entries = record.chain or []
    if len(entries) > MAX_CHAIN:
        entries = [*entries[: MAX_CHAIN - 1], entries[-1]]
    named = (entry_of(cut(entry)) for entry in entries)
    return tuple(entry for entry in named if entry)


@lru_cache(maxsize=2048)
def entry_of(text: str) -> str:
    """A chain entry: `name==version`, `app:/file`, `pth:/file`, `unowned:name` (in a site folder, of no distribution), or
    `<unknown>`. Of code that pretends another file's name (`SPOOF(...)by:`) it is who pretends."""
    if not text:
        return ""
    if text.startswith("SPOOF("):
        return entry_of(text.rpartition(")by:")[2]) if ")by:" in text else _UNKNOWN
    prefix, colon, rest = text.partition(":")
    if colon and prefix in ("app", "pth", "unowned"):
        return f"{prefix}:{tidy(rest)}"
    if text.endswith(".pth"):
        return f"pth:{tidy(text)}"
    name, _, version = text.partition("==")
    name = normalise_name(name)
    if not name:
        return _UNKNOWN
    return f"{name}=={version}" if is_version(version) else name


def tidy(path: str) -> str:
    """A path of code, with parts that look like secrets withheld."""
    path = "/".join(WITHHELD if looks_secret(part) else part for part in path.split("/"))
    return path if len(path) <= MAX_ENTRY else WITHHELD + path[1 - MAX_ENTRY :]


def dists_of(record: Record) -> tuple[Distribution, ...]:
    """The distributions on the stack; of a prototype's record only the acting one is told with its age."""
    if record.dists is None:
        entry = entry_of(cut(record.actor))
        if entry.startswith(("app:", "pth:", "unowned:", "<")) or record.actor_age_s is None:
            return ()
        name, _, version = entry.partition("==")
        return (Distribution(name, version, _age(record.actor_age_s)),) if name else ()
    found: list[Distribution] = []
    for dist in record.dists[:MAX_DISTS]:
        name = normalise_name(text_of(dist.name))
        if name:
            version = text_of(dist.version)
            version = version if is_version(version) else ""
            found.append(Distribution(name, version, _age(dist.age_s), dist.record_ok))
    return tuple(found)


def _age(seconds: float | None) -> float | None:
    return seconds if seconds is not None and 0 <= seconds < 1e10 else None
