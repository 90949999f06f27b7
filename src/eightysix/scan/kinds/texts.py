"""How the formats of the family `texts` are recognised."""

from __future__ import annotations

from functools import lru_cache

from eightysix.scan.artifact import Artifact
from eightysix.scan.interface import Kind
from eightysix.scan.texts.decode import is_json, looks_text, start_of

__all__ = ["KINDS"]


@lru_cache(4)
def _sort(head: bytes) -> str:
    """What a text is, by how it begins: `json`, `script`, `yaml`, `text`, or nothing of these.

    YAML is a directive, a document mark, a tag, or a first line that is an entry of a mapping or a list. That is only a
    name: the reader of text looks for YAML in all of it.
    """
    if not looks_text(head):
        return ""
    if is_json(head):
        return "json"
    start = start_of(head)
    if start.startswith("#!"):
        return "script"
    if start.startswith(("%YAML", "%TAG", "---", "!", "- ")):
        return "yaml"
    line = next((one for one in start.split("\n") if one.strip() and not one.startswith("#")), "")
    key, colon, rest = line.partition(":")
    entry = bool(colon) and " " not in key.strip() and (not rest.strip() or rest[0] == " ")
    return "yaml" if entry else "text"


def _json(_artifact: Artifact, head: bytes) -> bool:
    return _sort(head) == "json"


def _script(_artifact: Artifact, head: bytes) -> bool:
    return _sort(head) == "script"


def _yaml(_artifact: Artifact, head: bytes) -> bool:
    return _sort(head) == "yaml"


def _text(_artifact: Artifact, head: bytes) -> bool:
    return _sort(head) == "text"


KINDS: tuple[Kind, ...] = (
    # NOTE: none of these ends the search: graphs are written as text as well, and a script may call itself a model.
    Kind("json", _json, "eightysix.scan.texts.documents:read", alone=False),
    Kind("script", _script, "eightysix.scan.texts.plain:read", alone=False),
    Kind("yaml", _yaml, "eightysix.scan.texts.plain:read", alone=False),
    Kind("text", _text, "eightysix.scan.texts.plain:read", alone=False),
)
