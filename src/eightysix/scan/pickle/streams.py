"""Reads every pickle of an artifact: stacked ones, those behind padding and other data, and what lies inside of them."""

from __future__ import annotations

import binascii
from collections.abc import Iterable
from typing import Final

from eightysix.model.finding import FileVerdict
from eightysix.scan.artifact import Artifact
from eightysix.scan.budget import Budget, Limits, OverBudgetError
from eightysix.scan.catalog import rule
from eightysix.scan.index import RoleKind
from eightysix.scan.interface import Scan
from eightysix.scan.pickle.effects import Effects, RoleOf
from eightysix.scan.pickle.legacy import MAGIC, PICKLES, bytes_of, storages_end
from eightysix.scan.pickle.machine import Memo, Outcome, run
from eightysix.scan.pickle.probe import begins_pickle, hidden_pickles, padding_end
from eightysix.scan.pickle.second import compare
from eightysix.scan.pickle.seen import Encoded, Observation

__all__ = ["Streams"]

MOST_STREAMS: Final = 100_000
MOST_COMPARED: Final = 64
"""Streams of one artifact that the second engine reads as well."""

DEEPEST: Final = 3
LONGEST_ENCODED: Final = 16 << 20
NESTED_STEPS: Final = 1_000_000
HUNT: Final = 64 << 20
"""Bytes behind the last pickle that are searched for another."""


class Streams:
    """The pickles of one artifact. `role` answers for names; `level` counts the pickles that this one lies in."""

    def __init__(self, artifact: Artifact, scan: Scan, role: RoleOf, *, level: int = 0) -> None:
        self.artifact = artifact
        self.scan = scan
        self.role = role
        self.level = level
        self.count = 0
        self.compared = 0

    def read(self, start: int = 0) -> None:
        """Read from `start` to the end of the artifact."""
        legacy, memo, storages = False, Memo(), []
        offset: int = start
        while self.count < MOST_STREAMS:
            outcome, effects = self._one(offset, memo)
            self.count += 1
            if outcome.end is None:
                self._broke(outcome, effects)
                self._hunt(offset + 1)
                return
            if self.count == 1:
                legacy = effects.heap.value(outcome.result) == MAGIC
            storages += effects.storages
            if self.artifact.context == "torch":
                self.scan.storages.update(
                    (one.key, length) for one in effects.storages if (length := bytes_of(one))
                )
            offset = outcome.end
            if legacy and self.count == PICKLES:
                self._storages(offset, storages_end(offset, storages))
                return
            following = padding_end(self.artifact, offset)
            if following >= len(self.artifact):
                return
            if begins_pickle(self.artifact, offset):
                continue
            if not begins_pickle(self.artifact, following):
                self._hunt(offset)
                return
            offset = following

    def _storages(self, offset: int, end: int | None) -> None:
        if end is not None and end > len(self.artifact):
            why = f"the tensors need {end - len(self.artifact):,} bytes more than the file has"
            self.scan.report("pickle-broken", self.artifact, why, offset=offset)
        elif end is None or end < len(self.artifact):
            self._hunt(offset if end is None else end)

    def _broke(self, outcome: Outcome, effects: Effects) -> None:
        if self.count > 1 and not effects.globals:
            why = f"{len(self.artifact) - outcome.place:,} bytes follow that are no pickle"
            self.scan.report("pickle-trailing", self.artifact, why, offset=outcome.place)
            return
        done = f" after {effects.calls:,} calls" if effects.calls else ""
        self.scan.report("pickle-broken", self.artifact, f"{outcome.broken}{done}", offset=outcome.place)

    def _hunt(self, offset: int) -> None:
        """Other data follows: nothing reads it as a pickle, unless somebody skips to one inside of it."""
        for place in hidden_pickles(self.artifact, offset, HUNT):
            self.scan.report("pickle-hidden", self.artifact, "a pickle lies behind other data", offset=place)
            self._one(place, Memo())
            return
        if self.count and offset < len(self.artifact):
            why = f"{len(self.artifact) - offset:,} bytes follow that are no pickle"
            self.scan.report("pickle-trailing", self.artifact, why, offset=offset)

    def read_one(self, start: int = 0) -> int | None:
        """Read the one pickle at `start`, judge it, and answer where it ends."""
        outcome, effects = self._one(start, Memo())
        self.count += 1
        if outcome.end is None:
            self._broke(outcome, effects)
        return outcome.end

    # --- one stream ---

    def _one(self, start: int, memo: Memo) -> tuple[Outcome, Effects]:
        shared = Memo()
        outcome, effects, children = self._run(start, shared)
        if outcome.missing_slot and self.count:
            # NOTE: one Pickler that dumped several times goes on with its memo (documented: Pickler.clear_memo).
            outcome, again, children = self._run(start, memo)
            shared, effects = memo, again
        memo.dense, memo.sparse, memo.gaps = shared.dense, shared.sparse, shared.gaps
        self._report(effects.observations())
        for child in children:
            self._report(child.observations())
        if effects.jumped:
            seen = effects.globals.union(*(child.globals for child in children))
            self._plain(start, seen)
        self._compare(start, outcome, effects)
        self._inside(effects)
        for child in children:
            self._inside(child)
        return outcome, effects

    def _run(self, start: int, memo: Memo, *, jump: bool = True) -> tuple[Outcome, Effects, list[Effects]]:
        effects = Effects(self.artifact, self.role, jump=jump)
        children: list[Effects] = []

        def nested(place: int) -> int:
            child = Effects(self.artifact, self.role, jump=False)
            children.append(child)
            end = run(self.artifact, place, child, self.scan.budget).end
            return -1 if end is None else end

        effects.nested = nested
        try:
            outcome = run(self.artifact, start, effects, self.scan.budget, memo)
        except OverBudgetError:
            self._report(effects.observations())
            raise
        return outcome, effects, children

    def _report(self, seen: Iterable[Observation]) -> None:
        for one in seen:
            self.scan.report(one.rule, self.artifact, one.why, offset=one.place, names=one.names)

    def _plain(self, start: int, seen: set[tuple[str, str]]) -> None:
        """The same bytes as `pickle.load` reads them, which does not know of joblib's arrays."""
        plain = Effects(self.artifact, self.role, jump=False)
        try:
            run(
                self.artifact,
                start,
                plain,
                Budget(Limits(steps=max(1, min(NESTED_STEPS, self.scan.budget.steps_left)))),
            )
        except OverBudgetError:
            return
        for module, name in sorted(plain.globals - seen):
            if all(part.isidentifier() for part in f"{module}.{name}".split(".")):
                why = f"joblib reads an array where pickle.load would import {module}.{name}"
                self.scan.report("pickle-two-readings", self.artifact, why, offset=start)

    def _compare(self, start: int, outcome: Outcome, effects: Effects) -> None:
        if self.level:
            return
        if effects.jumped:
            self.scan.note_second("not run: arrays lie inside of the stream")
            return
        if self.compared >= MOST_COMPARED:
            self.scan.note_second(f"not run: more than {MOST_COMPARED} streams")
            return
        self.compared += 1
        compare(self.scan, self.artifact, start, outcome, effects.globals)

    # --- inside of a stream ---

    def _inside(self, effects: Effects) -> None:
        for part in effects.inner:
            if isinstance(part, bytes):
                self.scan.descend(self.artifact.unpacked("loaded", part))
            else:
                begin, length = effects.heap.extent(part)
                self.scan.descend(self.artifact.window("loaded", begin, length))
        if self.level >= DEEPEST:
            return
        for one in effects.encoded:
            self._dormant(self._decoded(one), one.start)
        for data in effects.made_bytes:
            self._dormant(self.artifact.unpacked("", data), 0)

    def _decoded(self, one: Encoded) -> Artifact | None:
        if one.coding == "raw":
            return self.artifact.window("", one.start, one.length)
        text = self.artifact.at(one.start, min(one.length, LONGEST_ENCODED))
        try:
            if one.coding == "hex":
                return self.artifact.unpacked("", binascii.unhexlify(text[: len(text) // 2 * 2]))
            plain = text.translate(_URLSAFE, b"\n=")
            return self.artifact.unpacked("", binascii.a2b_base64(plain + b"=" * (-len(plain) % 4)))
        except (binascii.Error, ValueError):
            return None

    def _dormant(self, part: Artifact | None, place: int) -> None:
        """A pickle in data: nothing loads it by itself, so it is worth a word only if it would do harm."""
        if part is None or not begins_pickle(part):
            return
        effects = Effects(part, self.role)
        try:
            outcome = run(
                part, 0, effects, Budget(Limits(steps=max(1, min(NESTED_STEPS, self.scan.budget.steps_left))))
            )
        except OverBudgetError:
            return
        if outcome.end is None and not effects.calls:
            return
        for seen in effects.observations():
            if rule(seen.rule).verdict is FileVerdict.MALICIOUS and _certain(effects, seen):
                why = f"data in it is a pickle that {seen.why}"
                self.scan.report("pickle-nested", self.artifact, why, offset=place)
                return
        if self.level + 1 < DEEPEST and effects.encoded:
            inner = Streams(part, self.scan, self.role, level=self.level + 1)
            inner._inside(effects)


def _certain(effects: Effects, seen: Observation) -> bool:
    """A few bytes of any data read as a pickle; only real names tell that it is one."""
    del seen
    names = [name for name in effects.heap.names if name is not None]
    return any(name.role.kind is not RoleKind.UNKNOWN for name in names) and all(
        name.full.isprintable() and name.full.isascii() for name in names
    )


_URLSAFE = bytes.maketrans(b"-_", b"+/")
