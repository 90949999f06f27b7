"""How the formats of the family `texts` are recognised."""

from __future__ import annotations

from eightysix.scan.artifact import Artifact
from eightysix.scan.interface import Kind
from eightysix.scan.texts.decode import looks_text, start_of
from eightysix.scan.texts.documents import is_json

__all__ = ["KINDS"]


def _json(_artifact: Artifact, head: bytes) -> bool:
    return is_json(head)


def _script(_artifact: Artifact, head: bytes) -> bool:
    return start_of(head).startswith("#!")


def _yaml(_artifact: Artifact, head: bytes) -> bool:
    """A directive, a document mark, a tag, or a first line that is an entry of a mapping or a list. Only a name: the
    reader of text looks for YAML in all of it."""
    start = start_of(head)
    if start.startswith(("%YAML", "%TAG", "---", "!", "- ")):
        return True
    line = next((one for one in start.split("\n") if one.strip() and not one.startswith("#")), "")
    key, colon, rest = line.partition(":")
    return bool(colon) and " " not in key.strip() and (not rest.strip() or rest[0] == " ")


def _text(_artifact: Artifact, head: bytes) -> bool:
    return looks_text(head)


def _parquet(artifact: Artifact, head: bytes) -> bool:
    """The mark at either end: readers look at the one behind, with the footer's length before it."""
    tail = artifact.tail(8)
    if head.startswith(b"PAR1"):
        return True
    return tail[4:] in (b"PAR1", b"PARE") and int.from_bytes(tail[:4], "little") <= len(artifact) - 8


KINDS: tuple[Kind, ...] = (
    Kind("parquet", _parquet, "eightysix.scan.texts.parquet:read"),
    Kind("json", _json, "eightysix.scan.texts.documents:read"),
    Kind("script", _script, "eightysix.scan.texts.plain:read"),
    Kind("yaml", _yaml, "eightysix.scan.texts.plain:read"),
    Kind("text", _text, "eightysix.scan.texts.plain:read"),
)
