"""A scan that writes down what a reader tells it: what was reported, and which parts were handed on."""

from __future__ import annotations

from collections.abc import Sequence

from eightysix.scan.artifact import Artifact
from eightysix.scan.budget import Budget, Limits, OverBudgetError
from eightysix.scan.catalog import rule
from eightysix.scan.interface import Reader, SecondEngine
from eightysix.scan.kinds.containers import KINDS
from eightysix.scan.recognise import reader_of

__all__ = ["Deep", "Recorder", "read"]


class Recorder:
    """Implements `interface.Scan`; goes down into nothing."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._budget = Budget(limits or Limits())
        self.told: list[tuple[str, str, str]] = []
        self.parts: list[Artifact] = []
        self.storages: dict[str, int] = {}

    @property
    def budget(self) -> Budget:
        return self._budget

    @property
    def second(self) -> SecondEngine | None:
        return None

    @property
    def rules(self) -> list[str]:
        """The rules that were reported, in order."""
        return [name for name, _, _ in self.told]

    @property
    def contents(self) -> dict[str, bytes]:
        """The parts handed on, by the last step of their way."""
        return {part.member.rsplit("!", 1)[-1]: part.head(len(part)) for part in self.parts}

    def report(
        self, name: str, artifact: Artifact, why: str, *, offset: int | None = None, names: Sequence[str] = ()
    ) -> None:
        rule(name)
        self.told.append((name, artifact.member, why))

    def descend(self, artifact: Artifact) -> None:
        self._budget.enter(artifact.depth)
        self._budget.member()
        self.parts.append(artifact)

    def note_second(self, word: str) -> None:
        """Nothing is kept: which streams the second engine reads is told where pickles are tested."""


def read(reader: Reader, data: bytes, limits: Limits | None = None) -> Recorder:
    """What `reader` makes of `data`."""
    scan = Recorder(limits)
    reader(Artifact(data, "given"), scan)
    return scan


class Deep(Recorder):
    """Goes down into what the containers themselves can read, and keeps the rest as leaves in `parts`."""

    def descend(self, artifact: Artifact) -> None:
        try:
            self._budget.enter(artifact.depth)
            self._budget.member()
            head = artifact.head(512)
            known = [kind for kind in KINDS if kind.sniff(artifact, head)]
            for kind in known:
                reader_of(kind)(artifact, self)
            if not known:
                self.parts.append(artifact)
        except OverBudgetError as over:
            self.report("expansion" if over.limit == "depth" else "too-much", artifact, str(over))
