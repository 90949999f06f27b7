"""Looks at the prologue of XML (PMML, OpenVINO's IR, any other): entities are what makes a parser open files or explode.

No parser of XML runs here. Entities can only be declared in the document type declaration, in front of the first element.
"""

from __future__ import annotations

from eightysix.scan.artifact import Artifact
from eightysix.scan.interface import Scan
from eightysix.scan.weights.shown import shown

__all__ = ["prologue", "read"]

_LOOKED = 1 << 20
_DECLARED = 4_096
_EXPANDED = 1_000_000
"""Characters that one entity may come to; libexpat's own limit begins to count at 8 MB."""


def prologue(artifact: Artifact, longest: int = _LOOKED) -> str:
    """The begin of the document as text."""
    raw = artifact.head(longest)
    for mark, encoding in (
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
        (b"<\0?", "utf-16-le"),
        (b"\0<\0?", "utf-16-be"),
    ):
        if raw.startswith(mark):
            return raw[: len(raw) & ~1].decode(encoding, "replace")
    return raw.decode("utf-8", "replace").lstrip("\ufeff")


def read(artifact: Artifact, scan: Scan) -> None:
    """Report external entities, and those that expand beyond any text."""
    text = prologue(artifact)
    start = text.find("<!DOCTYPE")
    if start < 0:
        return
    lengths: dict[str, int] = {}
    place = text.find("<!ENTITY", start)
    while place >= 0:
        begun = place
        words = text[begun + 8 : begun + 8 + _DECLARED].split(None, 3)
        place = text.find("<!ENTITY", begun + 8)
        scan.budget.step(1)
        if words[:1] == ["%"]:
            words = words[1:]
        if len(words) < 2:
            continue
        name, kind = words[0], words[1]
        if kind in ("SYSTEM", "PUBLIC"):
            target = shown(words[2] if len(words) > 2 else "")
            scan.report(
                "xml-entity", artifact, f"the entity {shown(name)} is taken from {target}", offset=None
            )
            continue
        value = _quoted(text, text.find(name, begun + 8) + len(name))
        lengths[name] = min(_length(value, lengths), _EXPANDED * 10)
        if lengths[name] > _EXPANDED:
            scan.report(
                "bomb", artifact, f"the entity {shown(name)} expands to more than {_EXPANDED:,} characters"
            )
            return


def _quoted(text: str, place: int) -> str:
    """The literal that begins behind `place`."""
    while text[place : place + 1].isspace():
        place += 1
    quote = text[place : place + 1]
    if quote not in ("'", '"') or not quote:
        return ""
    end = text.find(quote, place + 1)
    return text[place + 1 : end] if end >= 0 else text[place + 1 :]


def _length(value: str, lengths: dict[str, int]) -> int:
    """Characters of a value once its references are replaced."""
    pieces = value.split("&")
    total = len(pieces[0])
    for piece in pieces[1:]:
        name, _, rest = piece.partition(";")
        total += lengths.get(name, 1) + len(rest)
    return total
