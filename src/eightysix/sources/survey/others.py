"""Counts names of destinations, what scans wrote, and what a gate told: their own decoders tell all that is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eightysix.model.visibility import Witness
from eightysix.model.words import Source
from eightysix.sources.dns import DnsDecoder
from eightysix.sources.gate import GateDecoder
from eightysix.sources.interface import Batch
from eightysix.sources.ledger import LedgerDecoder
from eightysix.sources.survey.census import Census, Place, count, short

__all__ = ["GateSurvey", "LedgerSurvey", "NamesSurvey"]


class NamesSurvey:
    """Counts flows with names and CoreDNS's log into `census`. What is said of one place is said by events, so flows that
    give none are counted without a place."""

    source = Source.DNS

    def __init__(self, census: Census) -> None:
        self._census = census
        self._decoder = DnsDecoder()

    def recognises(self, record: Mapping[str, object]) -> bool:
        """See `Decoder.recognises`."""
        return self._decoder.recognises(record)

    def recognises_text(self, line: bytes) -> bool:
        """See `ReadsText`."""
        return self._decoder.recognises_text(line)

    def decode(self, block: bytes, file: str, first_line: int, newlines: Sequence[int] = ()) -> Batch:
        """See `Decoder.decode`."""
        batch = self._decoder.decode(block, file, first_line, newlines)
        for event in batch.events:
            place = Place("dns", short(event.cluster), short(event.node))
            tally = self._census.tally(place, Witness.NAMES, "dns")
            if not self._census.is_new(hash(event.event_id)):
                tally.duplicates += 1
                continue
            tally.records += 1
            tally.at(event.time_ns)
            count(tally.kinds, "answer" if event.dst_ip else "question")
            tally.of += 1
            tally.unattributed += not event.pod
        batch.events = []
        return batch


class LedgerSurvey:
    """Counts what scans wrote into `census`."""

    source = Source.LEDGER

    def __init__(self, census: Census) -> None:
        self._census = census
        self._decoder = LedgerDecoder()

    def recognises(self, record: Mapping[str, object]) -> bool:
        """See `Decoder.recognises`."""
        return self._decoder.recognises(record)

    def decode(self, block: bytes, file: str, first_line: int, newlines: Sequence[int] = ()) -> Batch:
        """See `Decoder.decode`."""
        batch = self._decoder.decode(block, file, first_line, newlines)
        self._census.ledger |= batch.recognised > 0
        batch.events = []
        return batch


class GateSurvey:
    """Counts what a gate told into `census`."""

    source = Source.GATE

    def __init__(self, census: Census) -> None:
        self._census = census
        self._decoder = GateDecoder()

    def recognises(self, record: Mapping[str, object]) -> bool:
        """See `Decoder.recognises`."""
        return self._decoder.recognises(record)

    def decode(self, block: bytes, file: str, first_line: int, newlines: Sequence[int] = ()) -> Batch:
        """See `Decoder.decode`."""
        batch = self._decoder.decode(block, file, first_line, newlines)
        self._census.gate |= batch.recognised > 0
        batch.events = []
        return batch
