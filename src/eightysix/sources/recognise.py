"""Which source a file is of, told from its records; and an account of what nobody could use.

A file's first record that a decoder knows decides who reads it. Lines that this decoder leaves over are offered to the
others, so files of mixed origin lose nothing; a file that nobody knows is counted and changes nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct, field

from eightysix.model.errors import UsageError
from eightysix.model.event import Event
from eightysix.model.incident import Counts, Problem
from eightysix.model.words import Source
from eightysix.sources.interface import Batch, Decoder, ReadsText
from eightysix.sources.json_text import read_value
from eightysix.sources.lines import Block

__all__ = ["MAX_PROBLEMS", "MAX_PROBLEMS_OF_FILE", "MAX_PROBLEMS_OF_STRANGER", "Recogniser", "SourceAccount"]

MAX_PROBLEMS_OF_FILE = 1000
"""Problems of one file that are listed one by one. All are counted."""

MAX_PROBLEMS_OF_STRANGER = 20
"""The same while no line of the file was recognised: that it is not ours is said once, not for each line of a picture."""

MAX_PROBLEMS = 20_000
"""The same for all files together."""

_AZURE = frozenset(
    {
        "AuditLogs",
        "NonInteractiveUserSignInLogs",
        "SignInLogs",
        "cloud-controller-manager",
        "cluster-autoscaler",
        "guard",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
    }
)


class SourceAccount(Struct):
    """What one source brought: records understood, of which kinds, between which times (0 where none had one)."""

    records: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    first_ns: int = 0
    last_ns: int = 0


class Recogniser:
    """Feeds blocks to decoders, and keeps the account.

    `counts.records` is the sum of `events` (understood), `malformed`, `oversized` and `unrecognised`; duplicates are
    for the engine to tell. `forced` names the one source that all input is of.
    """

    def __init__(self, decoders: Sequence[Decoder], *, forced: Source | None = None) -> None:
        self.counts = Counts()
        self.sources: dict[Source, SourceAccount] = {}
        self._decoders = [decoder for decoder in decoders if forced in (None, decoder.source)]
        if not self._decoders:
            raise UsageError(f"no decoder for the source {forced}", "Choose another source, or auto.")
        self._readers = [decoder for decoder in self._decoders if isinstance(decoder, ReadsText)]
        self._forced = self._decoders[0] if forced is not None else None
        self._chosen: Decoder | None = None
        self._file: str | None = None
        self._problems = _Problems()

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What could not be used, in the order of reading, at most about `MAX_PROBLEMS`; the rest is summed up."""
        return self._problems.listed()

    def note(self, problem: Problem) -> None:
        """Take a problem from the reader: a record that no decoder ever sees, or a file that cannot be read."""
        self.counts.records += problem.kind != "unreadable"
        self._add(problem)

    def read(self, block: Block) -> list[Event]:
        """The events of `block`. Blocks of one file must come one after the other."""
        if block.file != self._file:
            self._file, self._chosen = block.file, self._forced
        self._problems.enter(block.file)
        decoder = self._chosen or self._recognise(block)
        if decoder is None:
            return []
        batch = decoder.decode(block.data, block.file, block.first_line, block.newlines)
        self.counts.records += batch.records
        self._account(decoder, batch)
        self._chosen = decoder
        if batch.leftover:
            self._offer(decoder, batch, block.file)
        return batch.events

    def read_as(self, decoder: Decoder, block: Block) -> list[Event]:
        """The events of `block`, which is known to be `decoder`'s: it changes nothing of how other files are read."""
        self._problems.enter(block.file)
        batch = decoder.decode(block.data, block.file, block.first_line, block.newlines)
        self.counts.records += batch.records
        self._account(decoder, batch)
        return batch.events

    def _recognise(self, block: Block) -> Decoder | None:
        """Find the decoder of the first line that one knows; if none does, the lines are told as they are."""
        problems: list[Problem] = []
        for line, data in _lines(block):
            try:
                value = read_value(data)
            except ValueError as error:
                reader = self._who_reads(data)
                if reader is not None:
                    return reader
                problems.append(Problem(block.file, line, "malformed", str(error)))
                continue
            decoder = self._who(value)
            if decoder is not None:
                return decoder
            problems.append(Problem(block.file, line, "unrecognised", _what(value)))
        self.counts.records += len(problems)
        for problem in problems:
            self._add(problem)
        return None

    def _offer(self, decoder: Decoder, batch: Batch, file: str) -> None:
        """Give lines that `decoder` left over to whoever knows them; who knows most of them reads on in this file."""
        taken: dict[int, int] = {}
        for other, first_line, data in self._grouped(decoder, batch.leftover, file):
            more = other.decode(data, file, first_line)
            # They were counted as lines; one line may be a list of records.
            self.counts.records += more.records - data.count(b"\n") - 1
            self._account(other, more)
            batch.events += more.events
            taken[id(other)] = taken.get(id(other), 0) + more.recognised
            for line, left in more.leftover:
                self._stranger(file, line, left)
            if self._forced is None and 2 * taken[id(other)] > batch.records:
                self._chosen = other

    def _grouped(
        self, decoder: Decoder, leftover: Sequence[tuple[int, bytes]], file: str
    ) -> Iterator[tuple[Decoder, int, bytes]]:
        """Neighbouring lines of the same kind together."""
        group: list[bytes] = []
        owner: Decoder | None = None
        first = following = 0
        for line, data in leftover:
            other = self._who_else(decoder, data)
            if other is None:
                self._stranger(file, line, data)
                continue
            if owner is not other or line != following:
                if owner is not None:
                    yield owner, first, b"\n".join(group)
                owner, first, group = other, line, []
            group.append(data.rstrip(b"\n"))
            following = line + 1
        if owner is not None:
            yield owner, first, b"\n".join(group)

    def _who_else(self, decoder: Decoder, data: bytes) -> Decoder | None:
        try:
            other = self._who(read_value(data))
        except ValueError:
            other = self._who_reads(data)
        return other if other is not decoder else None

    def _who_reads(self, line: bytes) -> Decoder | None:
        """Whose line of text this is."""
        return next((reader for reader in self._readers if reader.recognises_text(line)), None)

    def _who(self, value: object) -> Decoder | None:
        if not isinstance(value, dict):
            return None
        return next((decoder for decoder in self._decoders if decoder.recognises(value)), None)

    def _stranger(self, file: str, line: int, data: bytes) -> None:
        """A line that everybody left over."""
        try:
            problem = Problem(file, line, "unrecognised", _what(read_value(data)))
        except ValueError as error:
            problem = Problem(file, line, "malformed", str(error))
        self._add(problem)

    def _account(self, decoder: Decoder, batch: Batch) -> None:
        """Everything of `batch` but its records, which count for the block they came in."""
        self.counts.events += batch.recognised
        self._problems.recognised |= batch.recognised > 0
        for problem in batch.problems:
            self._add(problem)
        if not batch.recognised:
            return
        account = self.sources.setdefault(decoder.source, SourceAccount())
        account.records += batch.recognised
        for kind, number in batch.kinds.items():
            if number:
                account.kinds[kind] = account.kinds.get(kind, 0) + number
        if batch.first_ns:
            account.first_ns = min(account.first_ns or batch.first_ns, batch.first_ns)
        account.last_ns = max(account.last_ns, batch.last_ns)

    def note_events(self, events: Iterable[Event]) -> None:
        """Take the account of events that come out of a store, where they were understood long ago."""
        for event in events:
            self.counts.records += 1
            self.counts.events += 1
            account = self.sources.setdefault(event.source, SourceAccount())
            account.records += 1
            account.kinds[event.kind] = account.kinds.get(event.kind, 0) + 1
            account.first_ns = min(account.first_ns or event.time_ns, event.time_ns)
            account.last_ns = max(account.last_ns, event.time_ns)

    def _add(self, problem: Problem) -> None:
        match problem.kind:
            case "malformed":
                self.counts.malformed += 1
            case "oversized":
                self.counts.oversized += 1
            case "unrecognised":
                self.counts.unrecognised += 1
        self._problems.add(problem)


class _Problems:
    """Problems in bounded memory: the first of each file, and how many more there were."""

    def __init__(self) -> None:
        self.recognised = False  # whether any line of the current file was
        self._file = ""
        self._kept: list[Problem] = []
        self._of_file = 0
        self._more: dict[str, tuple[Problem, int]] = {}  # of this file, by kind: the first not kept, how many
        self._beyond: dict[str, int] = {}  # of all files, by kind, beyond what may be kept at all

    def enter(self, file: str) -> None:
        """From here on it is about `file`, perhaps another one."""
        if file != self._file:
            self._kept += self._summary()
            self._file, self._of_file, self._more, self.recognised = file, 0, {}, False

    def add(self, problem: Problem) -> None:
        if len(self._kept) >= MAX_PROBLEMS:
            self._beyond[problem.kind] = self._beyond.get(problem.kind, 0) + 1
            return
        if problem.kind == "unreadable":  # perhaps of another file or folder, and one a file at most
            self._kept.append(problem)
            return
        self.enter(problem.file)
        if self._of_file < (MAX_PROBLEMS_OF_FILE if self.recognised else MAX_PROBLEMS_OF_STRANGER):
            self._kept.append(problem)
            self._of_file += 1
            return
        first, number = self._more.get(problem.kind, (problem, 0))
        self._more[problem.kind] = first, number + 1

    def listed(self) -> tuple[Problem, ...]:
        rest = [
            Problem("", 0, kind, f"{number} more {kind}: not listed one by one")
            for kind, number in sorted(self._beyond.items())
        ]
        return (*self._kept, *self._summary(), *rest)

    def _summary(self) -> list[Problem]:
        return [
            Problem(first.file, first.line, kind, f"{number} {kind} from here on: not listed one by one")
            for kind, (first, number) in sorted(self._more.items())
        ]


def _lines(block: Block) -> Iterator[tuple[int, bytes]]:
    for line, data in enumerate(block.data.split(b"\n"), block.first_line):
        if data.strip():
            yield line, data


def _is_flow_log(value: dict[str, object]) -> bool:
    """Flow logs of network security groups and virtual networks (learn.microsoft.com/azure/network-watcher): behind the
    address translation of a node, nothing in them tells one pod from another."""
    if value.get("category") in ("NetworkSecurityGroupFlowEvent", "FlowLogFlowEvent"):
        return True
    return (
        "flowRecords" in value
        or "flowTuples" in value
        or value.get("Type") in ("NTANetAnalytics", "AzureNetworkAnalytics_CL")
    )


def _what(value: object) -> str:
    """What the record seems to be: only names that we know ourselves, nothing that the record says."""
    if not isinstance(value, dict):
        return "JSON, but no object"
    listed = value.get("records")
    if isinstance(listed, list) and listed and isinstance(listed[0], dict):
        value = listed[0]
    if _is_flow_log(value):
        return "Azure's flow logs of networks hold addresses of nodes, neither pods nor names: export flows of the cluster"
    for key in ("category", "Category", "Type"):
        name = value.get(key)
        if isinstance(name, str) and name in _AZURE:
            return f"no source reads Azure's {name} yet"
    if {"eventSource", "eventName", "eventTime"} <= value.keys():
        return "no source reads CloudTrail yet"
    if value.keys() & {"log", "message", "MESSAGE"}:
        return "no source knows this record: if it wraps another one as text, export that one"
    return "no source knows this record"
