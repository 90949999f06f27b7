"""One file's scan: leads each part to its reader, keeps the findings, and lets no error become a clean verdict."""

from __future__ import annotations

from collections.abc import Sequence

from eightysix.model.errors import MissingExtraError
from eightysix.model.finding import Finding
from eightysix.model.stored import visible
from eightysix.scan.artifact import Artifact
from eightysix.scan.budget import Budget, Limits, OverBudgetError
from eightysix.scan.catalog import rule
from eightysix.scan.interface import Kind, SecondEngine
from eightysix.scan.recognise import reader_of, recognise

__all__ = ["Session"]

_SECOND_RANK = {"not needed": 0, "agreed": 1, "not run": 2, "disagreed": 3}


class Session:
    """Implements `interface.Scan` for one file. Not for several threads."""

    def __init__(self, limits: Limits, second: SecondEngine | None) -> None:
        self._budget = Budget(limits)
        self._second = second
        self._kept: dict[tuple[str, str, str], Finding] = {}
        self.dropped = 0
        self._storages: dict[str, int] = {}
        self.second_word = "not needed"

    @property
    def budget(self) -> Budget:
        """See `interface.Scan`."""
        return self._budget

    @property
    def second(self) -> SecondEngine | None:
        """See `interface.Scan`."""
        return self._second

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found, in the order in which it was found."""
        return tuple(self._kept.values())

    def report(
        self, name: str, artifact: Artifact, why: str, *, offset: int | None = None, names: Sequence[str] = ()
    ) -> None:
        """See `interface.Scan`. Beyond the limit only a finding worse than all that are kept is added."""
        found = rule(name)
        why = visible(why)
        key = (name, artifact.member, why)
        if key in self._kept:
            return
        if len(self._kept) >= self._budget.limits.findings and any(
            one.severity.rank >= found.severity.rank for one in self._kept.values()
        ):
            self.dropped += 1
            return
        self._kept[key] = Finding(
            rule=name,
            severity=found.severity,
            path=artifact.path,
            member=visible(artifact.member),
            offset=offset,
            title=found.title,
            why=why,
            names=tuple(visible(one) for one in names),
        )

    @property
    def storages(self) -> dict[str, int]:
        """See `interface.Scan`."""
        return self._storages

    def note_second(self, word: str) -> None:
        """See `interface.Scan`."""
        if _SECOND_RANK[word.partition(":")[0]] > _SECOND_RANK[self.second_word.partition(":")[0]]:
            self.second_word = word

    def read(self, artifact: Artifact) -> str:
        """Read the file itself; the name of its format, `unknown` where nothing recognised it."""
        kinds = self._recognised(artifact)
        self._read_as(artifact, kinds)
        if not kinds:
            self.report("unknown-format", artifact, "the content matches no format that is known here")
        sure = next((kind.name for kind in kinds if kind.alone), "")
        return sure or (kinds[0].name if kinds else "unknown")

    def descend(self, artifact: Artifact) -> None:
        """See `interface.Scan`. A part that nothing recognises is data of its container, and no finding."""
        try:
            self._budget.enter(artifact.depth)
            self._budget.member()
        except OverBudgetError as over:
            self._over(artifact, over)
            return
        self._read_as(artifact, self._recognised(artifact))

    def _recognised(self, artifact: Artifact) -> list[Kind]:
        try:
            return recognise(artifact)
        except Exception as error:  # noqa: BLE001 - the boundary: whatever a sniffer does, the file stays judged
            self._failed(artifact, error)
            return []

    def _read_as(self, artifact: Artifact, kinds: Sequence[Kind]) -> None:
        for kind in kinds:
            try:
                reader_of(kind)(artifact, self)
            except OverBudgetError as over:
                self._over(artifact, over)
            except MissingExtraError as missing:
                self.report("missing-extra", artifact, f"{kind.name}: {missing.what}. {missing.advice}")
            except (Exception, RecursionError) as error:  # noqa: BLE001 - the boundary: attackers write these bytes
                self._failed(artifact, error)

    def _over(self, artifact: Artifact, over: OverBudgetError) -> None:
        self.report("expansion" if over.limit == "depth" else "too-much", artifact, str(over))

    def _failed(self, artifact: Artifact, error: Exception) -> None:
        # The text of an error may hold bytes of the file: its kind alone is told.
        self.report("reader-failed", artifact, f"{type(error).__name__} in the reader")
