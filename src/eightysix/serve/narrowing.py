"""One pod out of a whole cluster's telemetry: which files are read, and which are only searched for what landed.

A pod lives on one node, so of what nodes wrote (Tetragon, Falco, the sensor) only files that name the pod are read.
What control planes and clouds wrote is read as it is: an identity is used from anywhere.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

import msgspec

from eightysix.detect.wording import rfc3339
from eightysix.model.incident import Problem
from eightysix.model.story import Reconstruction
from eightysix.model.timestamps import to_ns
from eightysix.reconstruct.identities import HANDED_OUT_NS, SKEW_NS
from eightysix.reconstruct.selection import Selection
from eightysix.serve.searching import files_with, lines_with
from eightysix.sources.falco import FalcoDecoder
from eightysix.sources.interface import MAX_RECORD_BYTES
from eightysix.sources.json_text import read_value
from eightysix.sources.lines import Block
from eightysix.sources.reading import files_of
from eightysix.sources.sensor import SensorDecoder
from eightysix.sources.tetragon import TetragonDecoder

__all__ = ["MAX_MORE", "WORTH", "Narrowed", "blocks_with", "moments_of_sign_ins", "narrow", "needles_of"]

WORTH: Final = 64 << 20
"""Bytes of node telemetry from which it pays to search first: less is read within a second or two."""

MAX_MORE: Final = 16
"""Files of other nodes that are read whole because the artifact is in them; of further ones the lines alone."""

MAX_SIGN_INS: Final = 8
"""Sign-ins of one identity of the nodes for which other nodes are searched."""

ASKED_NS: Final = HANDED_OUT_NS + SKEW_NS
TEN_NS: Final = 10_000_000_000

_HEAD: Final = MAX_RECORD_BYTES


class Narrowed(msgspec.Struct, frozen=True):
    """What is read whole, and what is only searched."""

    whole: tuple[str, ...]
    rest: tuple[str, ...]


def narrow(paths: Sequence[str], asked: Selection, *, worth: int = WORTH) -> Narrowed | None:
    """How to read `paths` for one pod; None where everything is to be read (another question, or little to read)."""
    if not asked.pod:
        return None
    files = [file for path in paths for file in _files(path)]
    nodes = [file for file in files if file != "-" and _is_of_a_node(file)]
    if sum(os.path.getsize(file) for file in nodes) < worth:
        return None
    with_pod = set(files_with(nodes, [_as_json(asked.pod)]))
    rest = frozenset(nodes) - with_pod
    return Narrowed(tuple(f for f in files if f not in rest), tuple(f for f in files if f in rest))


def _files(path: str) -> list[str]:
    """What `path` stands for; of a folder regular files alone, as nothing else in one is ever opened."""
    if path == "-" or not os.path.isdir(path):
        return [path]
    return [file for file in files_of(path, _ignore) if os.path.isfile(file)]


def needles_of(names: Sequence[str]) -> list[bytes]:
    """How names of artifacts are written: as a distribution, and as the file or folder of one (PEP 427, 491)."""
    spelled = {text for name in names for text in (name, name.replace("-", "_")) if len(text) > 2}
    return sorted(map(_as_json, spelled))


def moments_of_sign_ins(told: Reconstruction) -> list[bytes]:
    """The tens of seconds in which somebody may have asked for what was signed in, as agents write time (RFC 3339); of each
    identity for its first sign-ins."""
    found: set[bytes] = set()
    for story in told.stories:
        for identity in story.identities:
            if identity.kind != "managed-identity":
                continue
            for use in [use for use in identity.uses if use.service == "sign-in"][:MAX_SIGN_INS]:
                at = to_ns(use.at)
                for time_ns in range(at - ASKED_NS, at + SKEW_NS + TEN_NS, TEN_NS):
                    found.add(rfc3339(min(time_ns, at + SKEW_NS))[: len("2026-11-23T16:56:1")].encode())
    return sorted(found)


def blocks_with(files: Sequence[str], needles: Sequence[bytes]) -> Iterator[Block]:
    """The lines of `files` that hold any of `needles`, each with its place."""
    for file in files:
        for line, text in lines_with(file, needles):
            if len(text) <= MAX_RECORD_BYTES:
                yield Block(os.fsencode(file).decode("utf-8", "backslashreplace"), line, text + b"\n")


def _is_of_a_node(file: str) -> bool:
    """Whether a file is plain text whose first record an agent on a node wrote."""
    decoders = (TetragonDecoder({}, {}), FalcoDecoder({}), SensorDecoder())
    try:
        with open(file, "rb") as stream:
            for text in islice(iter(lambda: stream.readline(_HEAD), b""), 3):
                if text.strip():
                    record = read_value(text)
                    return isinstance(record, dict) and any(d.recognises(record) for d in decoders)
    except (OSError, ValueError, RecursionError):
        return False
    return False


def _as_json(text: str) -> bytes:
    """`text` as it stands within a JSON string."""
    return msgspec.json.encode(text)[1:-1]


def _ignore(problem: Problem) -> None:
    """Reading tells it again."""
