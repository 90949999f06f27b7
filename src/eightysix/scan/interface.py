"""What a reader of a format is, and what it may ask of the scan that calls it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from eightysix.scan.artifact import Artifact
from eightysix.scan.budget import Budget

__all__ = ["Kind", "Reader", "Scan", "SecondEngine", "SecondOpinion"]


class SecondOpinion(Struct, frozen=True, kw_only=True):
    """What CPython's own unpickler made of a stream with inert stand-ins for everything it imports.

    `names` are the globals it asked for, as (module, qualname) before any renaming of old modules; what it asked for by
    a code of the extension registry is `("copyreg extension", "any")`. `end` is the offset after the stream's STOP, None
    where it did not get there. `not_run` says why it did not run, or not to its end, empty where it did: `names` are then
    those until there. `error` is the kind of error that ended it, empty where none did. `differs` says how CPython
    disagrees with itself about the stream, read from a file, from memory or by its unpickler written in Python; empty
    where it does not, as with all that any pickler wrote.
    """

    names: frozenset[tuple[str, str]] = frozenset()
    end: int | None = None
    error: str = ""
    not_run: str = ""
    differs: str = ""


class SecondEngine(Protocol):
    """Runs a pickle in a child without rights. One engine serves many scans."""

    def load(self, stream: memoryview) -> SecondOpinion:
        """What CPython makes of the pickle at the start of `stream`. Never raises because of what the bytes hold."""


class Scan(Protocol):
    """The scan of one file, as its readers see it."""

    @property
    def budget(self) -> Budget:
        """What is left for this file."""

    @property
    def second(self) -> SecondEngine | None:
        """The second engine; None where it is switched off or cannot run here."""

    def report(
        self, rule: str, artifact: Artifact, why: str, *, offset: int | None = None, names: Sequence[str] = ()
    ) -> None:
        """Add a finding by `rule` (an id of the catalogue) about `artifact`.

        The same rule and `why` in the same part are kept once. `offset` counts from the start of the artifact.
        """

    def descend(self, artifact: Artifact) -> None:
        """Recognise a part and have it read. Depth, members and errors are the scan's business, not the caller's."""

    @property
    def storages(self) -> dict[str, int]:
        """Bytes that the pickle of a torch archive says each storage has, by key. Whoever reads the archive empties it
        before the pickle, and compares after."""

    def note_second(self, word: str) -> None:
        """What the second engine did in one stream: `agreed`, `disagreed` or `not run: ` and why; the worst is kept."""


Reader = Callable[[Artifact, Scan], None]
"""Reads one artifact and reports. Raises `OverBudgetError` from the budget, and nothing else on purpose; any other error
is caught at the one boundary in `scanner` and reported as `reader-failed`, never as clean."""


class Kind(Struct, frozen=True):
    """One format: its name, how it is recognised, who reads it.

    `sniff` gets the artifact and its first 512 bytes and answers whether this could be the format, by content alone.
    It must be cheap: it runs for every file. `reader` is `module:function`, imported on use. A kind with `alone` False
    does not end the search: a file can be two things at once (a pickle with a zip behind it), and each is read.
    """

    name: str
    sniff: Callable[[Artifact, bytes], bool]
    reader: str
    alone: bool = True
