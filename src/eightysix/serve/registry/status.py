"""How asking registries goes: for metrics, readiness and people."""

from __future__ import annotations

from msgspec import Struct, field

__all__ = ["RegistryStatus", "Status", "Tally"]

PROMISE_S = 30.0
"""Nobody is to be further behind than this."""


class Tally(Struct):
    """Counts of one registry since the start. `untold`: answers that the sink did not keep. `problem` is the last one."""

    answered: int = 0
    events: int = 0
    untold: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    problem: str = ""

    def fail(self, kind: str, why: str) -> None:
        """Note a failure."""
        self.failures[kind] = self.failures.get(kind, 0) + 1
        self.problem = why


class RegistryStatus(Struct, frozen=True, kw_only=True):
    """One registry. `behind_s`: since the tag that waits longest was answered. `unseen_since_ns`: when the registry was first
    asked in vain, 0 while it answers. `paused_s`: until it is asked again. `troubles`: repository, tag and why of tags whose
    last question failed, at most 20. `not_watched`: repositories that are watched as a whole, and what is missing of them.
    """

    registry: str
    tags: int
    answered: int
    events: int
    untold: int
    failures: dict[str, int]
    behind_s: float
    unseen_since_ns: int
    paused_s: float
    problem: str
    troubles: tuple[tuple[str, str, str], ...]
    not_watched: tuple[tuple[str, str], ...]

    @property
    def keeps_up(self) -> bool:
        """Whether every tag was answered within 30 s."""
        return self.behind_s <= PROMISE_S


class Status(Struct, frozen=True):
    """All registries."""

    registries: tuple[RegistryStatus, ...]

    @property
    def behind_s(self) -> float:
        """Of the one that is furthest behind."""
        return max((each.behind_s for each in self.registries), default=0.0)

    @property
    def keeps_up(self) -> bool:
        """Whether every tag of every registry was answered within 30 s."""
        return all(each.keeps_up for each in self.registries)
