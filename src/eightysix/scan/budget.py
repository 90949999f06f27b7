"""How much one file may cost: bytes unpacked, depth, members, steps. A spent budget is a finding, never an end without one."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["Budget", "Limits", "OverBudgetError"]


class Limits(Struct, frozen=True, kw_only=True):
    """The bounds of one file's scan, all of them ours.

    `unpacked` bytes may come out of decompressors in all, of which `member` at once in memory. `ratio` is the most that
    a decompressor may give back for each byte it took, judged once `ratio_from` bytes came out (deflate cannot exceed
    1,032: RFC 1951 codes 258 bytes in 2 bits). `depth` containers may lie within each other. `members` parts may be
    looked at. `steps` opcodes, tokens or nodes may be interpreted. `findings` are kept; more of them are counted.
    """

    unpacked: int = 1 << 30
    member: int = 64 << 20
    ratio: int = 2_000
    ratio_from: int = 64 << 20
    depth: int = 8
    members: int = 100_000
    steps: int = 100_000_000
    findings: int = 200


class OverBudgetError(Exception):
    """One of the limits of a file was reached. `limit` is its name in `Limits`; the scanner turns it into a finding."""

    def __init__(self, limit: str, allowed: int) -> None:
        super().__init__(f"more than {allowed:,} {limit}")
        self.limit = limit
        self.allowed = allowed


class Budget:
    """What is left of the limits of one file. Each method raises `OverBudgetError` when it is spent."""

    __slots__ = ("limits", "members", "steps", "unpacked")

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.unpacked = 0
        self.members = 0
        self.steps = 0

    def unpack(self, length: int) -> None:
        """`length` more bytes came out of a decompressor."""
        self.unpacked += length
        if self.unpacked > self.limits.unpacked:
            raise OverBudgetError("unpacked", self.limits.unpacked)

    def member(self) -> None:
        """One more part is looked at."""
        self.members += 1
        if self.members > self.limits.members:
            raise OverBudgetError("members", self.limits.members)

    def step(self, count: int) -> None:
        """`count` more opcodes, tokens or nodes were interpreted. Tell it in batches: it is called from hot loops."""
        self.steps += count
        if self.steps > self.limits.steps:
            raise OverBudgetError("steps", self.limits.steps)

    @property
    def steps_left(self) -> int:
        """How many steps may still be made: for hot loops that count on their own."""
        return max(0, self.limits.steps - self.steps)

    def enter(self, depth: int) -> None:
        """A part at `depth` is about to be read."""
        if depth > self.limits.depth:
            raise OverBudgetError("depth", self.limits.depth)
