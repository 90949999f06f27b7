"""Looks through TensorFlow graphs in protocol buffers' text format (.pbtxt): loaders take them as they take binary ones.

The operators of all nodes are judged by the same index. Who reaches them is not followed: operators of savers pass,
all others that reach something do not.
"""

from __future__ import annotations

from collections.abc import Iterator

from eightysix.scan.artifact import Artifact
from eightysix.scan.graphs.tf_index import Role, role_of
from eightysix.scan.interface import Scan
from eightysix.scan.pythonic import unescaped
from eightysix.scan.weights.shown import shown

__all__ = ["read"]

_LARGEST = 64 << 20


def read(artifact: Artifact, scan: Scan) -> None:
    """Judge every `op`."""
    if len(artifact) > _LARGEST:
        scan.report("too-much", artifact, f"a graph of {len(artifact):,} bytes; {_LARGEST:,} are read")
        return
    text = str(artifact.view(), "utf-8", "replace")
    own = {name for _, name in _values(text, "name")}
    unknown: set[str] = set()
    for place, operator in _values(text, "op"):
        scan.budget.step(1)
        role = role_of(operator)
        if role is Role.PYTHON:
            scan.report("graph-python", artifact, f"{operator} calls Python", offset=place)
        elif role is Role.EFFECT:
            why = f"{operator} reaches files, the network or other machines"
            scan.report("graph-effect", artifact, why, offset=place)
        elif role is Role.UNKNOWN and operator not in own:
            unknown.add(shown(operator))
    if unknown:
        names = sorted(unknown)
        why = f"operators that TensorFlow does not have: {', '.join(names[:8])}"
        scan.report("unknown-operator", artifact, why, names=names[:100])


def _values(text: str, key: str) -> Iterator[tuple[int, str]]:
    """The texts of all fields called `key`, with or without a space behind the colon, in either quotes."""
    place = text.find(key)
    while place >= 0:
        end = place + len(key)
        before = text[place - 1] if place else " "
        rest = end
        while text[rest : rest + 1].isspace():
            rest += 1
        if text[rest : rest + 1] == ":" and not (before.isalnum() or before == "_"):
            yield from _quoted(text, rest + 1)
        place = text.find(key, end)


def _quoted(text: str, place: int) -> Iterator[tuple[int, str]]:
    """A text, which may consist of several pieces, with its escapes resolved."""
    pieces: list[str] = []
    start = place
    while True:
        while text[place : place + 1].isspace():
            place += 1
        quote = text[place : place + 1]
        if quote not in ("'", '"') or not quote:
            break
        end = text.find(quote, place + 1, place + 4_096)
        if end < 0:
            break
        pieces.append(_unescaped(text[place + 1 : end]))
        place = end + 1
    if pieces:
        yield start, "".join(pieces)


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    try:
        return unescaped(text.encode("ascii", "backslashreplace"))
    except UnicodeError:
        return text
