"""Whether bytes are a pickle, before anything is said about them: the machine reads the first of them and says how it went.

Protocol 2 and later begin with a magic byte. Protocols 0 and 1 do not, and many a text begins with `(` or `c`: such bytes
are a pickle only if they read as one to the end, or do what only a pickle does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from eightysix.scan.artifact import Artifact
from eightysix.scan.budget import Budget, Limits, OverBudgetError
from eightysix.scan.index import Role, RoleKind, role
from eightysix.scan.pickle import opcodes as op
from eightysix.scan.pickle.effects import Effects
from eightysix.scan.pickle.machine import run

__all__ = ["Probe", "begins_pickle", "hidden_pickles", "is_all_pickle", "is_magic", "padding_end", "probe"]

WINDOW: Final = 8 << 20
"""Bytes in which a pickle must show what it is; a payload before the first import may be long."""

STEPS: Final = 4_000
SURE_AFTER: Final = 24
"""Opcodes in a row that no text reads as: prose ends within the first few."""

MOST_TRIES: Final = 256
"""Places in other data at which a pickle is tried."""

LINES: Final = 2_000
"""First lines of other data at which a pickle of protocol 0 is looked for."""

LONGEST_NAME: Final = 200
_NAME_BYTES: Final = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_."

TEXT: Final = 1 << 16
"""Bytes of a whole stream that are looked at for what no text has."""

HEADER: Final = 1 << 16
"""Bytes of other data that may lie before a pickle: what a loader skips to reach it is a header, not a body."""

_STARTS = bytes(
    sorted(b"(]}c)iIJKMLFGNSUTVX.PQC\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x95\x96\x82\x83\x84\x97BpqrgdlotjhS")
)
_VALID = frozenset(
    value for name, value in vars(op).items() if name.isupper() and isinstance(value, int) and value > 5
)


class Probe:
    """How the first bytes read as a pickle."""

    __slots__ = ("acts", "broken", "calls", "end", "imports", "named", "notorious", "opcodes", "sane")

    def __init__(self, artifact: Artifact, offset: int) -> None:
        window = artifact.window("", offset, WINDOW)
        effects = Effects(window, _role)
        self.end: int | None = None
        try:
            outcome = run(window, 0, effects, Budget(Limits(steps=STEPS)))
            self.opcodes = outcome.opcodes
            self.end = None if outcome.end is None else offset + outcome.end
            self.broken = outcome.end is None and (len(window) < WINDOW or outcome.place < WINDOW - 4096)
        except OverBudgetError:
            self.opcodes, self.broken = STEPS, False
        self.calls = effects.calls
        names = [name for name in effects.heap.names if name is not None]
        self.named = bool(names)
        sane = [name for name in names if _sane(name.module) and _sane(name.qualname)]
        self.sane = len(sane) == len(names)
        # The module is imported before its attribute is looked for: a loader gets that far whatever stands for the attribute.
        self.imports = any(_sane(name.module) for name in names)
        # A loader imports and calls up to the first name that it cannot: such a name hides nothing that came before.
        known = any(
            name.role.kind == RoleKind.GADGET or (name.role.kind == RoleKind.DENIED and name.role.effect)
            for name in sane
        )
        self.acts = known or bool(sane and effects.calls)
        self.notorious = any(name.role.kind in (RoleKind.GADGET, RoleKind.DENIED) for name in sane)


def _role(module: str, name: str) -> Role:
    """Of the name that is meant: a carriage return or a space at its end does not hide it."""
    return role(module.strip(), name.strip())


def _sane(dotted: str) -> bool:
    return len(dotted) < 200 and all(part.strip().isidentifier() for part in dotted.split("."))


def probe(artifact: Artifact, offset: int = 0) -> Probe:
    """Read a little of what begins at `offset`."""
    return Probe(artifact, offset)


def is_magic(head: bytes) -> bool:
    """Whether `head` begins as protocol 2 and later do: PROTO, its number, an opcode."""
    return len(head) > 2 and head[0] == op.PROTO and head[1] <= op.HIGHEST_PROTOCOL + 1 and head[2] in _VALID


def padding_end(artifact: Artifact, offset: int) -> int:
    """The first offset from `offset` on that holds neither zero nor white space; the end where none does."""
    while offset < len(artifact):
        block = artifact.at(offset, 4096)
        left = block.lstrip(b"\0 \t\r\n")
        if left:
            return offset + len(block) - len(left)
        offset += len(block)
    return len(artifact)


def begins_pickle(artifact: Artifact, offset: int = 0) -> bool:
    """Whether a pickle begins at `offset`: by its magic, or because it reads as one."""
    head = artifact.at(offset, 3)
    if is_magic(head):
        return True
    if not head or head[0] not in _STARTS:
        return False
    if head[0] == op.PERSID and not all(32 < byte < 127 for byte in head[1:]):
        return False  # a zip begins with `PK\x03`, and nothing that a loader takes for an id does
    found = Probe(artifact, offset)
    if found.acts or (found.imports and found.calls and not artifact.at(offset, TEXT).isascii()):
        return True
    if found.end is not None:
        rest = padding_end(artifact, found.end)
        if rest >= len(
            artifact
        ):  # it reads to its last byte: with an import in it, by whatever name, that is no text
            return found.sane or found.named
        # Something else lies behind its STOP. Prose can read so (`c`, two lines, a full stop), and so does a .gitignore
        # (`coverage`, `build`, `.env`), but not with opcodes in it that no text has, nor by the name of a module that there is.
        whole = artifact.at(offset, min(found.end - offset, TEXT))
        if found.named and (found.notorious or not whole.isascii()):
            return True
        sure = found.sane or (found.named and found.opcodes >= SURE_AFTER // 2)
        return sure and is_magic(artifact.at(rest, 3))
    return found.sane and not found.broken and found.opcodes >= SURE_AFTER


def is_all_pickle(artifact: Artifact) -> bool:
    """Whether an artifact without magic is a pickle from its first byte to its last, as far as it was looked at."""
    found = Probe(artifact, 0)
    if found.end is not None:
        return found.sane and padding_end(artifact, found.end) >= len(artifact)
    return found.sane and not found.broken and found.opcodes >= SURE_AFTER


def hidden_pickles(artifact: Artifact, offset: int, length: int) -> Iterator[int]:
    """Offsets within `length` bytes from `offset` at which a pickle begins that imports something, between other data."""
    tries, last = 0, min(len(artifact), offset + length)
    place = offset
    while tries < MOST_TRIES:
        place = artifact.find(b"\x80", place, last)
        if place < 0:
            break
        if is_magic(artifact.at(place, 3)):
            tries += 1
            found = Probe(artifact, place)
            if found.acts or (found.named and found.sane and found.end is not None):
                yield place
                place = (found.end or place + 2) - 1
        place += 1
    yield from _hidden_lines(artifact, offset, last)


def _hidden_lines(artifact: Artifact, offset: int, last: int) -> Iterator[int]:
    """A GLOBAL of protocol 0 ends two lines that hold names; in front of it may stand anything."""
    end = artifact.find(b"\n", offset, last)
    tries = 0
    for _ in range(LINES):
        if end < 0 or tries >= MOST_TRIES:
            return
        following = artifact.find(b"\n", end + 1, min(last, end + LONGEST_NAME))
        if following > 0 and _sane(artifact.at(end + 1, following - end - 1).decode("latin-1")):
            begin = max(offset, end - LONGEST_NAME)
            for place in _globals_in(artifact.at(begin, end - begin), begin):
                tries += 1
                found = Probe(artifact, place)
                # Certificates and keys are lines of letters, and any two are a name: what ends at a STOP, or names what
                # is known, is more than that.
                if found.sane and found.calls and (found.notorious or found.end is not None):
                    yield place
                    return
        end = following if following > 0 else artifact.find(b"\n", end + 1, last)


def _globals_in(line: bytes, begin: int) -> Iterator[int]:
    """Where in the end of `line` the opcode GLOBAL and a name may stand."""
    run = len(line) - len(line.rstrip(_NAME_BYTES))
    for place in range(max(0, len(line) - run), len(line) - 1):
        if line[place] == op.GLOBAL:
            yield begin + place
