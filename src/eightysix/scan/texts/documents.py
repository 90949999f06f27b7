"""Reads JSON: one document, or one a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from eightysix.scan.artifact import Artifact
from eightysix.scan.interface import Scan
from eightysix.scan.texts import long
from eightysix.scan.texts.decode import as_utf8
from eightysix.scan.texts.judge import NEEDLES, judge_document
from eightysix.scan.texts.parse import ESCAPES, INNER, is_worth, parse
from eightysix.scan.texts.tree import walk

__all__ = ["judge_json", "read"]

WHOLE = 64 << 20
"""Bytes of text that are looked at in one piece; longer ones are read line by line."""

PARSED = 6 << 20
"""Bytes of a document that are parsed in one piece: Python's objects take about ten times as much memory."""


def read(artifact: Artifact, scan: Scan) -> None:
    """Judge what a JSON text holds; what is none after all is read as plain text."""
    if len(artifact) > WHOLE:
        _long(artifact, scan)
        return
    body = as_utf8(artifact.head(len(artifact)))
    if body is None:
        scan.report("text-broken", artifact, "begins as text and goes on as something else")
        return
    if not judge_json(body, artifact, scan):
        from eightysix.scan.texts import plain  # it reads JSON as well

        plain.read_text(body, artifact, scan, json=True)


def judge_json(body: bytes, artifact: Artifact, scan: Scan) -> bool:
    """Judge UTF-8 text as one document or one a line. False where it is neither."""
    if not is_worth(body):
        return _valid(body) or all(_valid(line) for line in _lines(body))
    if len(body) > PARSED:
        if not _valid(body):
            return _judge_lines(body, artifact, scan)
        long.judge_parts(body, artifact, scan, PARSED)
        return True
    try:
        root = parse(body)
    except RecursionError:
        scan.report("bomb", artifact, "nests deeper than any parser follows")
        return True
    except ValueError:
        return _judge_lines(body, artifact, scan)
    judge_document(root, artifact, scan)
    if any(needle in body for needle in INNER):
        _inner(root, artifact, scan, 0)
    return True


TEXT_LEVELS = 3


def _inner(root: Any, artifact: Artifact, scan: Scan, level: int) -> None:
    """Judge texts that are JSON themselves. What a message says is data, whatever it looks like: fields of users are
    passed over."""
    for place in walk(root, scan.budget):
        if isinstance(place.node, dict):
            pairs = [(key, value) for key, value in place.node.items() if key not in SPOKEN]
        elif isinstance(place.node, list):
            pairs = list(enumerate(place.node))
        else:
            continue
        for key, value in pairs:
            if (
                isinstance(value, str)
                and value[:1] in ("{", "[")
                and is_worth(value.encode("utf-8", "replace"))
            ):
                try:
                    inner = parse(value.encode("utf-8", "replace"))
                except (ValueError, RecursionError):
                    continue
                judge_document({f"{place.way}.{key}".strip("."): inner}, artifact, scan)
                if level < TEXT_LEVELS:
                    _inner(inner, artifact, scan, level + 1)


SPOKEN = frozenset(("content", "text", "page_content", "source", "arguments", "repr", "description"))
"""Where messages, documents and notebooks hold what somebody said."""


def _valid(body: bytes) -> bool:
    """Whether it is one JSON value, as lenient as Python's own parser."""
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
        return True
    except RecursionError:
        return True
    except (msgspec.MsgspecError, ValueError):
        pass
    if len(body) > PARSED:
        return False
    try:
        json.loads(body)
    except RecursionError:
        return True
    except ValueError:
        return False
    return True


def _lines(body: bytes) -> list[bytes]:
    lines = [line for line in body.split(b"\n") if line.strip()]
    return lines if len(lines) > 1 else [b"!"]


def _judge_lines(body: bytes, artifact: Artifact, scan: Scan) -> bool:
    """Judge JSON Lines; False where a line is none. Nothing is reported before all lines are known to be JSON."""
    lines = _lines(body)
    if not all(line.lstrip()[:1] in b'{["-0123456789tfn' and _valid(line) for line in lines):
        return False
    for at, line in enumerate(lines):
        _judge_line(at, line, artifact, scan)
    return True


def _judge_line(at: int, line: bytes, artifact: Artifact, scan: Scan) -> None:
    if not is_worth(line):
        return
    try:
        root = parse(line)
    except RecursionError:
        scan.report("bomb", artifact, f"line {at + 1}: nests deeper than any parser follows")
        return
    except ValueError:
        scan.report("json-broken", artifact, f"line {at + 1}: no JSON")
        return
    judge_document({f"line {at + 1}": root}, artifact, scan)


def _long(artifact: Artifact, scan: Scan) -> None:
    """A text too long for one piece: only lines that hold a needle are parsed."""
    if all(artifact.find(needle) < 0 for needle in (*NEEDLES, *INNER, *ESCAPES)):
        return
    for at, line in enumerate(_stream(artifact)):
        if line is None:
            scan.report("too-much", artifact, f"line {at + 1} has more than {PARSED:,} bytes")
            return
        _judge_line(at, line, artifact, scan)


def _stream(artifact: Artifact) -> Iterator[bytes | None]:
    """Its lines one after the other; None for one that is too long, and nothing after it."""
    place = 0
    while place < len(artifact):
        end = artifact.find(b"\n", place, min(place + PARSED, len(artifact)))
        if end < 0:
            if len(artifact) - place >= PARSED:
                yield None
                return
            end = len(artifact)
        yield artifact.at(place, end - place)
        place = end + 1
