"""What readers of tables share: what they make goes where the caller takes it from, beside the account that decoders keep."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct, field

from eightysix.model.event import Event
from eightysix.model.incident import Problem
from eightysix.model.table import Row
from eightysix.sources.interface import Batch
from eightysix.sources.json_text import read_value

__all__ = ["Made", "Seen", "objects_of"]


class Made(Struct):
    """What was made and not yet taken. Of events rows are made last, so that many can be made at once.

    `starts` are starts of programs with the pid of who started each, as text, where it is known: beside its row in the
    table of events, each has one in that of processes. `rows` have the name of their table.
    """

    events: list[Event] = field(default_factory=list)
    starts: list[tuple[Event, str]] = field(default_factory=list)
    rows: list[tuple[str, Row]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.events) + len(self.starts) + len(self.rows)

    def clear(self) -> None:
        """Forget them."""
        self.events.clear()
        self.starts.clear()
        self.rows.clear()


class Seen:
    """Which things were seen lately: bounded, and begun anew when full, so what it tells is `not lately` at most."""

    __slots__ = ("_most", "_seen")

    def __init__(self, most: int = 65_536) -> None:
        self._most = most
        self._seen: set[tuple[str, ...]] = set()

    def is_new(self, key: tuple[str, ...]) -> bool:
        """Whether `key` was not seen lately; from now on it was."""
        if key in self._seen:
            return False
        if len(self._seen) >= self._most:
            self._seen.clear()
        self._seen.add(key)
        return True


def objects_of(
    block: bytes, file: str, first_line: int, batch: Batch
) -> Iterator[tuple[int, bytes, dict[str, object]]]:
    """The objects of a block, each with its line and text. All lines are counted in `batch`; those that are no JSON are
    told there, and those that are JSON and no object are left over."""
    for line, text in enumerate(block.split(b"\n"), first_line):
        if not text.strip():
            continue
        batch.records += 1
        try:
            value = read_value(text)
        except ValueError as error:
            batch.problems.append(Problem(file, line, "malformed", str(error)))
            continue
        if isinstance(value, dict):
            yield line, text, value
        else:
            batch.leftover.append((line, text))
