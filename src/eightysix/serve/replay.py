"""A run over files: inputs to events to incidents, with an account of everything that was read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import BinaryIO

import msgspec

from eightysix.context.addresses import Ranges
from eightysix.context.baseline import Baseline
from eightysix.context.pods import is_alias
from eightysix.detect.actions import Action, action_of
from eightysix.detect.engine import Engine, Judged
from eightysix.detect.exceptions import ExceptionRule
from eightysix.detect.needs import account, met_needs
from eightysix.detect.profile import add_to_baseline
from eightysix.detect.rule import Need, Rule
from eightysix.detect.state import PodState
from eightysix.detect.view import Knowledge
from eightysix.detect.wording import rfc3339
from eightysix.model.event import Event
from eightysix.model.incident import Coverage, Incident, Report, SourceCoverage
from eightysix.model.words import Kind, Source
from eightysix.serve.ledger import LedgerReader
from eightysix.sources.azure import AzureDecoder
from eightysix.sources.dns import DnsDecoder
from eightysix.sources.falco import FalcoDecoder
from eightysix.sources.gate import GateDecoder
from eightysix.sources.interface import Decoder
from eightysix.sources.kubernetes_audit import KubernetesAuditDecoder
from eightysix.sources.ledger import LedgerDecoder
from eightysix.sources.reading import Block, Limits, read_inputs
from eightysix.sources.recognise import Recogniser
from eightysix.sources.sensor import ABSENT, SensorDecoder
from eightysix.sources.tetragon import TetragonDecoder

__all__ = ["Replay", "ReplayOptions"]

TRIM_EVERY = 64
"""Blocks between two looks at how many process facts are kept."""


@dataclass(frozen=True)
class ReplayOptions:
    """What a run is asked to do. `source` forces one format; `pod` says whose sensor records without a pod are; `egress`
    and `identities` are what the operator declares (see `Knowledge`); `ledger` is the file that scans write;
    `first_programs` asks for an event at the first start of each program, which only baselines need."""

    source: str = "auto"
    pod: str = ""
    ledger: str = ""
    api_servers: frozenset[str] = frozenset()
    egress: Ranges = field(default_factory=Ranges)
    identities: Mapping[str, frozenset[str]] = field(default_factory=dict)
    baseline: Baseline | None = None
    exceptions: tuple[ExceptionRule, ...] = ()
    first_programs: bool = False


class Replay:
    """One run over some inputs."""

    def __init__(self, rules: Sequence[Rule], options: ReplayOptions) -> None:
        self._options = options
        knowledge = Knowledge(
            baseline=options.baseline,
            api_servers=options.api_servers,
            egress=options.egress,
            identities=options.identities,
        )
        self.engine = Engine(rules, knowledge)
        self.engine.pod_hint = options.pod
        first_execs = options.first_programs or not rules or _asks_for_execs(rules, options.baseline)
        self.tetragon = TetragonDecoder(self.engine.trees, self.engine.contacts, first_execs=first_execs)
        self.falco = FalcoDecoder(self.engine.trees, first_execs=first_execs, grown=self.tetragon.grown)
        self.sensor = SensorDecoder()
        decoders: list[Decoder] = [
            self.tetragon,
            KubernetesAuditDecoder(knowledge.learnt),
            self.sensor,
            self.falco,
            DnsDecoder(),
            AzureDecoder(),
            LedgerDecoder(),
            GateDecoder(),
        ]
        forced = None if options.source == "auto" else Source(options.source)
        self.recogniser = Recogniser(decoders, forced=forced)
        self._ledger = LedgerReader(options.ledger) if options.ledger else None
        self.activity: dict[Source, Counter[str]] = {}

    @property
    def ledger(self) -> str:
        """The ledger that the options name, empty where they name none."""
        return self._options.ledger

    @property
    def has_baseline(self) -> bool:
        """Whether it is known what workloads normally do."""
        return self._options.baseline is not None

    def events(self, paths: Sequence[str], stdin: BinaryIO | None) -> Iterator[list[Event]]:
        """The events of all inputs, block by block; process facts go to the engine's trees on the way."""
        yield from self.scanned()
        yield from self.events_of(read_inputs(paths, stdin, Limits(), self.recogniser.note))

    def events_of(self, blocks: Iterable[Block]) -> Iterator[list[Event]]:
        """The events of blocks, those of one file one after the other."""
        recogniser = self.recogniser
        for number, block in enumerate(blocks):
            yield recogniser.read(block)
            if number % TRIM_EVERY == TRIM_EVERY - 1:
                self.engine.trim()
        self.tetragon.flush()

    def scanned(self) -> Iterator[list[Event]]:
        """What is new in the ledger that the options name. Raises `StateError` where that cannot be read."""
        if self._ledger is None:
            return
        decoder = LedgerDecoder()
        for block in self._ledger.news():
            # A row has no place in a file.
            yield [
                msgspec.structs.replace(event, line=0) for event in self.recogniser.read_as(decoder, block)
            ]

    def read(self, paths: Sequence[str], stdin: BinaryIO | None) -> Report:
        """Read everything and judge it; raises `NothingToReadError` when no input can be opened."""
        self.take(paths, stdin)
        return self.report()

    def take(
        self,
        paths: Sequence[str],
        stdin: BinaryIO | None,
        also: Callable[[Sequence[Event]], None] | None = None,
    ) -> None:
        """Read everything, and hand it to `also` beside the engine; raises `NothingToReadError` when no input can be
        opened."""
        self._take(self.events(paths, stdin), also)

    def take_blocks(self, blocks: Iterable[Block], also: Callable[[Sequence[Event]], None]) -> None:
        """Read what was chosen from the inputs, and hand it to `also` beside the engine."""
        self._take(self.events_of(blocks), also)

    def _take(self, events_of: Iterable[list[Event]], also: Callable[[Sequence[Event]], None] | None) -> None:
        for events in events_of:
            self.take_events(events, also)
        self.engine.knowledge = replace(self.engine.knowledge, sources=frozenset(self.recogniser.sources))

    def take_events(
        self, events: Sequence[Event], also: Callable[[Sequence[Event]], None] | None = None
    ) -> None:
        """Take events, and hand them to `also` beside the engine."""
        self.engine.feed(events)
        if also is not None:
            also(events)
        self._count(events)

    def judged(self, wanted: Callable[[PodState], bool] | None = None) -> Judged:
        """What the engine makes of the events so far; of pods that are not `wanted` only what concerns others."""
        engine = self.engine
        engine.knowledge = replace(engine.knowledge, sources=frozenset(self.recogniser.sources))
        return engine.judged(wanted)

    def report(self) -> Report:
        """What the events so far amount to."""
        engine = self.engine
        engine.knowledge = replace(engine.knowledge, sources=frozenset(self.recogniser.sources))
        return self.account(engine.incidents(self._options.exceptions))

    def account(self, incidents: Sequence[Incident]) -> Report:
        """The report on what was read, with `incidents` that the engine found in it."""
        counts = self.recogniser.counts
        counts.duplicate = self.engine.duplicates
        return Report(
            tuple(map(self._with_absence, incidents)),
            self.coverage([i.suppressed_by for i in incidents if i.suppressed_by]),
            counts,
            self._activity(),
        )

    def _with_absence(self, incident: Incident) -> Incident:
        """`incident` with what the pod's sensor says of its own absence."""
        lost = self.sensor.lost.get(incident.pod.uid, {}) if incident.pod is not None else {}
        gaps = tuple(_ABSENCE[kind].format(lost[kind]) for kind in ABSENT if kind in lost)
        return msgspec.structs.replace(incident, gaps=(*incident.gaps, *gaps)) if gaps else incident

    def build_baseline(self) -> tuple[Baseline, int]:
        """What the pods of this run did, and how many pods were left out because nothing names their workload."""
        baseline, without = Baseline(), 0
        for state in self.engine.resolved():
            if not add_to_baseline(baseline, state, self.engine.names):
                without += not is_alias(state.key)
        return baseline, without

    def _count(self, events: Sequence[Event]) -> None:
        for event in events:
            action = action_of(event)
            if event.activity == "install" and event.kind in (Kind.EXEC, Kind.START):
                what = "installs"
            elif action is Action.CREDENTIAL and event.kind is Kind.CONNECT:
                what = "metadata calls"
            else:
                continue
            self.activity.setdefault(event.source, Counter())[what] += 1

    def _activity(self) -> dict[str, int]:
        """Installs and metadata calls, as the source tells them that saw most: two that saw the same are not added up."""
        return {
            what: max((told[what] for told in self.activity.values()), default=0)
            for what in ("installs", "metadata calls")
        }

    def coverage(self, suppressed: Sequence[str] = ()) -> Coverage:
        """What could be seen so far, and what could not."""
        sources = self.recogniser.sources
        kinds = {source: told.kinds for source, told in sources.items()}
        engine = self.engine
        return Coverage(
            sources=tuple(
                SourceCoverage(
                    str(source),
                    told.records,
                    dict(sorted(told.kinds.items())),
                    _time(told.first_ns),
                    _time(told.last_ns),
                )
                for source, told in sorted(sources.items())
            ),
            rules=account(engine.rules, met_needs(kinds, baseline=self._options.baseline is not None)),
            unattributed=engine.unattributed,
            flooded=tuple(
                sorted(
                    engine.flooded
                    | {f"{state.key}: {what}" for state in engine.states.values() for what in state.flooded}
                    | {
                        f"{uid}: gaps in the sensor's records: {gap} {number}"
                        for uid, gaps in self.sensor.lost.items()
                        for gap, number in gaps.items()
                    }
                )
            ),
            suppressed=tuple(suppressed),
            baseline="none"
            if self._options.baseline is None
            else f"{len(self._options.baseline.workloads)} workloads",
            problems=self.recogniser.problems,
        )


_ABSENCE = {
    "withdrawn": "the sensor was withdrawn from this pod, as its programs kept dying: {} starts without it, by its own word",
    "start_failed": "the sensor could not start in processes of this pod: {} by its own word",
}


def _time(time_ns: int) -> str:
    return rfc3339(time_ns) if time_ns else ""


def _asks_for_execs(rules: Sequence[Rule], baseline: Baseline | None) -> bool:
    """Whether any rule that can be judged counts program starts (baselines do, and a run without rules builds one)."""
    return any(
        not signal.detection.actions or "exec" in signal.detection.actions
        for rule in rules
        for signal in rule.signals.values()
        if baseline is not None or not any(Need.BASELINE in need for need in rule.needs)
    )
