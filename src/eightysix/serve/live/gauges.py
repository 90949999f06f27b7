"""The numbers of `watch`, brought up to date from what its parts count."""

from __future__ import annotations

from collections import Counter

from eightysix.detect.needs import account, met_needs
from eightysix.serve.deliver.courier import Courier
from eightysix.serve.follow.inputs import Inputs
from eightysix.serve.live.loop import Watch
from eightysix.serve.metrics import Gauges
from eightysix.serve.monitor import Health
from eightysix.serve.receiver import Received
from eightysix.serve.spool import Spool

__all__ = ["update", "update_receiver"]


def update(
    gauges: Gauges, health: Health, watch: Watch, inputs: Inputs, courier: Courier, now: float, now_ns: int
) -> None:
    """Bring everything but the receiver up to date. `now` is of the courier's clock."""
    _sources(gauges, watch, now_ns)
    stats, engine = watch.stats, watch.replay.engine
    counts = watch.replay.recogniser.counts
    gauges.lag_bytes = dict(inputs.lags())
    gauges.malformed, gauges.oversized = counts.malformed, counts.oversized
    gauges.unrecognised, gauges.unreadable = counts.unrecognised, stats.unreadable
    gauges.duplicate = engine.duplicates
    gauges.late = stats.late
    gauges.unattributed = engine.unattributed
    gauges.pods = len(engine.states)
    gauges.flooded = sum(bool(state.flooded) for state in engine.states.values())
    standing = [incident for incident in watch.told.latest.values() if not incident.suppressed_by]
    gauges.incidents = dict(Counter((incident.rule, str(incident.verdict)) for incident in standing))
    gauges.revisions = dict(stats.revisions)
    gauges.commits, gauges.commit_failures = stats.commits, stats.failed_commits
    measured, stats.commit_times = stats.commit_times, []
    for seconds in measured:
        gauges.commit_duration.observe(seconds)
    measured, stats.event_ages = stats.event_ages, []
    for seconds in measured:
        gauges.event_latency.observe(seconds)
    gauges.input_up = {
        name: name not in watch.silent and name not in health.dead_inputs
        for name in (*gauges.lag_bytes, *health.dead_inputs)
    }
    told = courier.counters(now)
    gauges.delivered = {name: each.sent for name, each in told.items()}
    gauges.retried = {name: each.retried for name, each in told.items()}
    gauges.dead = {name: each.dead for name, each in told.items()}
    gauges.outbox = {name: each.pending for name, each in told.items()}
    health.ticked = now
    health.commit_failure = stats.trouble


def _sources(gauges: Gauges, watch: Watch, now_ns: int) -> None:
    told = watch.replay.recogniser.sources
    gauges.records = {str(source): each.records for source, each in told.items()}
    gauges.events = dict(gauges.records)
    gauges.source_dropped = {str(source): each.kinds.get("dropped", 0) for source, each in told.items()}
    gauges.last_event_timestamp_seconds = {str(source): each.last_ns / 1e9 for source, each in told.items()}
    gauges.lag_seconds = {
        str(source): max(0.0, (now_ns - each.last_ns) / 1e9) for source, each in told.items() if each.last_ns
    }
    replay = watch.replay
    met = met_needs({source: each.kinds for source, each in told.items()}, baseline=replay.has_baseline)
    gauges.rule_evaluable = {each.rule: each.evaluable for each in account(replay.engine.rules, met)}


def update_receiver(gauges: Gauges, received: Received, spool: Spool, connections: int) -> None:
    """Bring the numbers of the receiver up to date."""
    gauges.received_requests = {str(status): number for status, number in dict(received.requests).items()}
    gauges.received_records = received.records
    gauges.receiver_connections = connections
    gauges.spool_bytes = spool.size_bytes
    gauges.spool_refused = spool.refused
