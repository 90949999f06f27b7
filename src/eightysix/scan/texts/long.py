"""Judges JSON documents that are too long to be held as Python objects at once: tokenizers, long histories.

They are taken apart at their outer levels. What is plain throughout, as a vocabulary is, is decoded to that and no more;
what holds nothing for the judges is dropped as bytes; the rest is judged part by part.
"""

from __future__ import annotations

from typing import Any

import msgspec

from eightysix.scan.artifact import Artifact
from eightysix.scan.interface import Scan
from eightysix.scan.texts.judge import NEEDLES, judge_document
from eightysix.scan.texts.parse import is_worth, parse
from eightysix.scan.texts.tree import shown

__all__ = ["judge_parts"]

SMALL = 64 << 10
"""Bytes of a part that is kept whatever it holds."""

HELD = 1 << 20
"""Bytes of parts that are held to be judged together: an object's own small fields belong to each other."""

BRACES = 100_000
"""Braces in texts that are passed over."""

LEVELS = 6
"""Outer levels that are taken apart."""

_Plain = int | float | str | bool | None
_PLAIN = dict[str, _Plain] | list[_Plain | list[str]]
_RAW = dict[str, msgspec.Raw] | list[msgspec.Raw]


def judge_parts(body: bytes, artifact: Artifact, scan: Scan, parsed: int, way: tuple[str, ...] = ()) -> None:
    """Judge valid JSON in UTF-8. `parsed` bytes may be parsed in one piece; `way` leads to this part."""
    if not _objects(body):
        return  # lists of texts, such as merges: every trigger is a key
    try:
        _judge(msgspec.json.decode(body, type=_PLAIN), way, artifact, scan)
        return
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass
    try:
        root = msgspec.json.decode(body, type=_RAW)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return  # a text or a number alone
    if len(way) > LEVELS:
        scan.report(
            "too-much", artifact, f"{'.'.join(way)}: more than {parsed:,} bytes that need to be read whole"
        )
        return
    pairs = root.items() if isinstance(root, dict) else ((f"[{at}]", one) for at, one in enumerate(root))
    left = {needle: body.count(needle) for needle in NEEDLES if needle in body}
    held: dict[str, Any] = {}
    size = 0
    for key, raw in pairs:
        part = bytes(raw)
        for needle in left:
            left[needle] -= part.count(needle) + (needle.strip(b'"').decode() in key)
        if len(part) > SMALL and not is_worth(part):
            continue
        if len(part) > parsed:
            judge_parts(part, artifact, scan, parsed, (*way, shown(key, 40)))
        elif len(part) > SMALL:
            _judge({key: _parsed(part, artifact, scan)}, way, artifact, scan)
        elif part[:1] in b"{[" and size > HELD and not is_worth(part):
            continue
        else:
            held[key] = _parsed(part, artifact, scan)
            size += len(part)
            if size > parsed:
                _judge(held, way, artifact, scan)
                held, size = {}, 0
    # The decoder keeps the last of two equal keys: what the other one held is missing in the parts.
    if isinstance(root, dict) and any(count > 0 for count in left.values()):
        why = f"{'.'.join(way) or 'the document'}: a key is written twice, and one of its values is hidden"
        scan.report("duplicate-keys", artifact, why)
    _judge(held, way, artifact, scan)


def _objects(body: bytes) -> bool:
    """Whether an object may begin in a JSON text: a brace behind white space or a sign, not in the middle of a text."""
    place = body.find(b"{")
    for _ in range(BRACES):
        if place < 0:
            return False
        if place == 0 or body[place - 1] in b" \t\r\n[,:":
            return True
        place = body.find(b"{", place + 1)
    return True


def _parsed(part: bytes, artifact: Artifact, scan: Scan) -> Any:
    try:
        return parse(part)
    except RecursionError:
        scan.report("bomb", artifact, "nests deeper than any parser follows")
        return None


def _judge(tree: Any, way: tuple[str, ...], artifact: Artifact, scan: Scan) -> None:
    for key in reversed(way):
        tree = {key: tree}
    judge_document(tree, artifact, scan)
