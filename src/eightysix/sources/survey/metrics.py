"""Reads what Tetragon's agents say of themselves: pages of metrics, as `curl` or a scraper wrote them into a file.

The export has no word of what was lost before it, and none of policies that did not load; the metrics have both
(tetragon.io/docs/reference/metrics). A page says neither its node nor its time, so the worst of all pages is kept: the same
page twice tells no more than once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eightysix.model.words import Source
from eightysix.sources.interface import Batch
from eightysix.sources.survey.census import Census

__all__ = ["LOST", "NOT_LOADED", "MetricsSurvey"]

LOST: Mapping[str, str] = {
    "tetragon_bpf_missed_events_total": "missed in the kernel",
    "tetragon_missed_events_total": "missed in the kernel",  # before 1.2
    "tetragon_observer_ringbuf_events_lost_total": "lost between kernel and agent",
    "tetragon_ringbuf_perf_event_lost_total": "lost between kernel and agent",  # before 1.2
    "tetragon_observer_ringbuf_queue_events_lost_total": "lost in the agent's queue",
    "tetragon_notify_overflowed_events_total": "lost in the agent's queue",
    "tetragon_export_ratelimit_events_dropped_total": "dropped by the export's rate limit",
    "tetragon_ratelimit_dropped_total": "dropped by the export's rate limit",  # before 1.3
}
"""By metric, what an event that it counts came to."""

NOT_LOADED = "policies that did not load"
_POLICIES = "tetragon_tracingpolicy_loaded"
_FAILED = ('state="error"', 'state="load_error"')
_OURS = (b"# HELP tetragon_", b"# TYPE tetragon_", b"tetragon_")
_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:")
_MOST = 1 << 53


class MetricsSurvey:
    """A decoder that keeps the worst of all pages in `census.agents`; what else a page holds is passed over."""

    source = Source.TETRAGON

    def __init__(self, census: Census) -> None:
        self._census = census

    def recognises(self, record: Mapping[str, object]) -> bool:
        """No JSON is a page of metrics."""
        return False

    def recognises_text(self, line: bytes) -> bool:
        """A line about a metric of Tetragon; those of its runtime come before and after."""
        return line.startswith(_OURS)

    def decode(self, block: bytes, file: str, first_line: int, newlines: Sequence[int] = ()) -> Batch:
        """See `Decoder.decode`. A sample that is kept counts as a record."""
        batch = Batch()
        page: dict[str, int] = {}
        for number, line in enumerate(block.split(b"\n"), first_line):
            if not line.strip() or line.startswith(b"#"):
                continue
            sample = _sample(line)
            if sample is None:
                batch.records += 1
                batch.leftover.append((number, line))
                continue
            name, labels, value = sample
            failed = name == _POLICIES and any(state in labels for state in _FAILED)
            what = NOT_LOADED if failed else LOST.get(name, "")
            if not what:
                continue
            batch.records += 1
            batch.recognised += 1
            page[what] = min(page.get(what, 0) + value, _MOST)
        agents = self._census.agents
        for what, value in page.items():
            agents[what] = max(agents.get(what, 0), value)
        return batch


def _sample(line: bytes) -> tuple[str, str, int] | None:
    """Name, labels and value of a sample; None where the line is none."""
    text = line.decode("utf-8", "replace").strip()
    name = text.partition("{")[0].partition(" ")[0]
    if not name or not _NAME.issuperset(name):
        return None
    labels, brace, after = text[len(name) :].rpartition("}")
    words = (after if brace else text[len(name) :]).split()
    if not 1 <= len(words) <= 2:
        return None
    try:
        value = float(words[0])
    except ValueError:
        return None
    return name, labels, int(value) if 0 <= value < _MOST else 0
