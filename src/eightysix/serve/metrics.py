"""What `watch` tells about itself: counters and gauges that the main loop updates, as Prometheus text.

The text format (0.0.4) is a page of rules, so it is written here and read by Prometheus's own parser in the tests; its
client library would be one more dependency, with a registry of its own that every counter had to live in.
"""

from __future__ import annotations

import math
import os
import sys
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from msgspec import Struct, field

from eightysix import __version__

__all__ = ["CONTENT_TYPE", "MAX_SERIES", "Gauges", "Histogram", "family", "render"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

MAX_SERIES = 500
"""Label values of one metric that are told; the rest is summed up as `other`. Names of files and rules are the
operator's, but a folder may hold thousands."""

_COMMIT_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Seconds. A commit with a flush takes some milliseconds on an SSD, 30 to 65 ms where the disk is busy."""

_LATENCY_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 60.0, 300.0)
"""Seconds from a record's own time to its being judged: milliseconds from a file, up to half a minute because
Tetragon may hold an event that long, minutes from the cloud."""


class Histogram(Struct):
    """Observations by upper bound, without the sum over smaller bounds that Prometheus wants: `render` adds up."""

    bounds: tuple[float, ...]
    counts: list[int] = field(default_factory=list)
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = self.counts or [0] * (len(self.bounds) + 1)

    def observe(self, value: float, number: int = 1) -> None:
        """Note `number` observations of `value`."""
        self.counts[bisect_left(self.bounds, value)] += number
        self.total += value * number


class Gauges(Struct):
    """Everything that is told, by the thread that runs the main loop; other threads only read.

    Names of counters say what is counted since the process started; the others are of this moment. Keys of the
    mappings are label values, in the order of `_METRICS`.
    """

    # what came in, by source (tetragon, falco, ...)
    records: dict[str, int] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)
    source_dropped: dict[str, int] = field(default_factory=dict)
    lag_seconds: dict[str, float] = field(default_factory=dict)
    last_event_timestamp_seconds: dict[str, float] = field(default_factory=dict)
    # by input (a file, -)
    lag_bytes: dict[str, int] = field(default_factory=dict)
    input_up: dict[str, bool] = field(default_factory=dict)
    # what could not be used
    malformed: int = 0
    oversized: int = 0
    unrecognised: int = 0
    unreadable: int = 0
    duplicate: int = 0
    late: int = 0
    unattributed: int = 0
    # what is known and judged
    pods: int = 0
    flooded: int = 0
    rule_evaluable: dict[str, bool] = field(default_factory=dict)
    incidents: dict[tuple[str, str], int] = field(default_factory=dict)  # rule, verdict
    revisions: dict[str, int] = field(default_factory=dict)  # verdict
    event_latency: Histogram = field(default_factory=lambda: Histogram(_LATENCY_BUCKETS))
    # delivery, by sink
    delivered: dict[str, int] = field(default_factory=dict)
    retried: dict[str, int] = field(default_factory=dict)
    dead: dict[str, int] = field(default_factory=dict)
    outbox: dict[str, int] = field(default_factory=dict)
    # state
    commits: int = 0
    commit_failures: int = 0
    commit_duration: Histogram = field(default_factory=lambda: Histogram(_COMMIT_BUCKETS))
    state_bytes: int = 0
    # the receiver and its spool
    received_requests: dict[str, int] = field(default_factory=dict)  # status code
    received_records: int = 0
    receiver_connections: int = 0
    spool_bytes: int = 0
    spool_refused: int = 0
    # the receiver of sensor records, by pod
    sensor_endpoints: int = 0
    sensor_records: dict[str, int] = field(default_factory=dict)
    sensor_refused: dict[tuple[str, str], int] = field(default_factory=dict)  # pod, reason
    sensor_lost: dict[tuple[str, str], int] = field(default_factory=dict)  # pod, who says so
    sensor_throttled: dict[str, int] = field(default_factory=dict)
    sensor_repaired: dict[str, int] = field(default_factory=dict)


class _Metric(NamedTuple):
    field: str
    name: str
    kind: str
    help: str
    labels: tuple[str, ...] = ()


_METRICS = (
    _Metric("records", "records_total", "counter", "Records read, by source.", ("source",)),
    _Metric("events", "events_total", "counter", "Records that a source understood.", ("source",)),
    _Metric(
        "source_dropped",
        "source_dropped_events_total",
        "counter",
        "Events that the source says it lost before anybody could read them.",
        ("source",),
    ),
    _Metric(
        "lag_seconds",
        "lag_seconds",
        "gauge",
        "Age of the latest event when it was read, by source.",
        ("source",),
    ),
    _Metric(
        "last_event_timestamp_seconds",
        "last_event_timestamp_seconds",
        "gauge",
        "Time of the latest event, by source: silence shows as its age.",
        ("source",),
    ),
    _Metric("lag_bytes", "input_lag_bytes", "gauge", "Bytes that are there and were not read.", ("input",)),
    _Metric("input_up", "input_up", "gauge", "1 while the input can be read.", ("input",)),
    _Metric("malformed", "malformed_records_total", "counter", "Records that are no valid JSON."),
    _Metric("oversized", "oversized_records_total", "counter", "Records over the limit of size, left out."),
    _Metric("unrecognised", "unrecognised_records_total", "counter", "Records of no known source."),
    _Metric("unreadable", "unreadable_total", "counter", "Inputs or parts of them that could not be read."),
    _Metric("duplicate", "duplicate_events_total", "counter", "Events that had come before."),
    _Metric(
        "late", "late_events_total", "counter", "Events that came after their pod's state had been let go."
    ),
    _Metric("unattributed", "unattributed_events_total", "counter", "Events of no pod that could be told."),
    _Metric("pods", "pods", "gauge", "Pods with state."),
    _Metric("flooded", "flooded_pods", "gauge", "Pods of which a bound was hit."),
    _Metric(
        "rule_evaluable",
        "rule_evaluable",
        "gauge",
        "1 while the telemetry that the rule needs is there, 0 while it cannot be judged.",
        ("rule",),
    ),
    _Metric(
        "incidents", "incidents", "gauge", "Open incidents by rule and verdict of now.", ("rule", "verdict")
    ),
    _Metric(
        "revisions",
        "incident_revisions_total",
        "counter",
        "Revisions of incidents, by the verdict that each came to.",
        ("verdict",),
    ),
    _Metric(
        "event_latency",
        "event_latency_seconds",
        "histogram",
        "From the time of an event to its being judged.",
    ),
    _Metric("delivered", "deliveries_total", "counter", "Revisions that a sink took.", ("sink",)),
    _Metric(
        "retried", "delivery_retries_total", "counter", "Attempts that failed and are made again.", ("sink",)
    ),
    _Metric(
        "dead",
        "dead_letters_total",
        "counter",
        "Revisions that were given up, in the dead-letter file.",
        ("sink",),
    ),
    _Metric("outbox", "outbox_pending", "gauge", "Revisions that wait to be delivered.", ("sink",)),
    _Metric("commits", "state_commits_total", "counter", "Commits of state, positions and outbox."),
    _Metric("commit_failures", "state_commit_failures_total", "counter", "Commits that failed."),
    _Metric("commit_duration", "state_commit_duration_seconds", "histogram", "How long a commit took."),
    _Metric("state_bytes", "state_bytes", "gauge", "Size of the state on the disk."),
    _Metric(
        "received_requests",
        "receiver_requests_total",
        "counter",
        "Requests to the receiver, by status.",
        ("code",),
    ),
    _Metric("received_records", "receiver_records_total", "counter", "Records that the receiver took."),
    _Metric("receiver_connections", "receiver_connections", "gauge", "Connections that are open."),
    _Metric("spool_bytes", "spool_bytes", "gauge", "Size of what the receiver took, on the disk."),
    _Metric(
        "spool_refused",
        "spool_refused_total",
        "counter",
        "Requests that were refused because the spool was full or could not be written.",
    ),
    _Metric("sensor_endpoints", "sensor_endpoints", "gauge", "Pods that have a socket for their sensors."),
    _Metric(
        "sensor_records", "sensor_records_total", "counter", "Records of sensors that were taken.", ("pod",)
    ),
    _Metric(
        "sensor_refused",
        "sensor_refused_total",
        "counter",
        "Datagrams that are no record, are too long, or came before.",
        ("pod", "reason"),
    ),
    _Metric(
        "sensor_lost",
        "sensor_lost_total",
        "counter",
        "Records that never came: by their numbers between others (missing), by those before the first one (unheard),"
        " by what senders say (sender).",
        ("pod", "reason"),
    ),
    _Metric(
        "sensor_throttled",
        "sensor_throttled_total",
        "counter",
        "Times that a pod sent more than its budget, and had to wait.",
        ("pod",),
    ),
    _Metric(
        "sensor_repaired",
        "sensor_repaired_total",
        "counter",
        "Times that a pod's socket was gone or replaced, and was put back.",
        ("pod",),
    ),
)

_Labels = tuple[tuple[str, str], ...]


def render(gauges: Gauges) -> str:
    """The page at /metrics. Any thread may ask while the main loop goes on: each value is right at some moment."""
    lines: list[str] = []
    for metric in _METRICS:
        name = f"eightysix_{metric.name}"
        _head(lines, name, metric.kind, metric.help)
        value = getattr(gauges, metric.field)
        if isinstance(value, Histogram):
            lines.extend(_histogram(name, value))
        elif isinstance(value, dict):
            lines.extend(_series(name, metric.labels, value))
        else:
            lines.append(f"{name} {_number(value)}")
    _head(lines, "eightysix_build_info", "gauge", "Always 1; the labels tell what runs.")
    python = ".".join(map(str, sys.version_info[:3]))
    lines.append(_line("eightysix_build_info", (("version", __version__), ("python", python)), 1))
    lines.extend(_process())
    return "\n".join(lines) + "\n"


def family(
    name: str, kind: str, text: str, labels: tuple[str, ...], values: Mapping[Any, float]
) -> list[str]:
    """The lines of one metric (`kind` is `counter` or `gauge`) with a value for each combination of labels."""
    lines: list[str] = []
    _head(lines, f"eightysix_{name}", kind, text)
    lines.extend(_series(f"eightysix_{name}", labels, values))
    return lines


def _head(lines: list[str], name: str, kind: str, text: str) -> None:
    lines.append(f"# HELP {name} {text}")
    lines.append(f"# TYPE {name} {kind}")


def _series(name: str, labels: tuple[str, ...], values: Mapping[object, float]) -> Iterator[str]:
    rest: float = 0
    # One step of the interpreter for keys of text: the main loop may add a key meanwhile.
    for number, (key, value) in enumerate(sorted(dict(values).items(), key=_by_name)):
        if number >= MAX_SERIES:
            rest += value
            continue
        texts = key if isinstance(key, tuple) else (key,)
        yield _line(name, tuple(zip(labels, map(str, texts), strict=True)), value)
    if rest:
        yield _line(name, tuple((label, "other") for label in labels), rest)


def _by_name(item: tuple[object, float]) -> tuple[str, ...]:
    return tuple(map(str, item[0])) if isinstance(item[0], tuple) else (str(item[0]),)


def _histogram(name: str, told: Histogram) -> Iterator[str]:
    counts, total = list(told.counts), told.total
    below = 0
    for bound, count in zip((*told.bounds, math.inf), counts, strict=True):
        below += count
        yield _line(f"{name}_bucket", (("le", _number(bound)),), below)
    yield f"{name}_sum {_number(total)}"
    yield f"{name}_count {below}"


def _line(name: str, labels: _Labels, value: float) -> str:
    inside = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
    return f"{name}{{{inside}}} {_number(value)}"


def _escaped(text: str) -> str:
    """As the format has it; lone surrogates, which no UTF-8 can hold, become question marks."""
    clean = text.encode("utf-8", "replace").decode()
    return clean.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    if value == math.inf:
        return "+Inf"
    if isinstance(value, bool | int):
        return str(int(value))
    return repr(float(value))


def _process() -> Iterator[str]:
    """What Prometheus's clients call it in every language, from /proc; nothing where there is none."""
    times = os.times()
    told: list[tuple[str, str, str, float]] = [
        (
            "process_cpu_seconds_total",
            "counter",
            "User and system CPU time in seconds.",
            times.user + times.system,
        )
    ]
    with suppress(OSError, ValueError, IndexError):
        with open("/proc/self/statm", encoding="ascii") as file:
            pages = int(file.read().split()[1])
        resident = pages * os.sysconf("SC_PAGE_SIZE")
        told.append(("process_resident_memory_bytes", "gauge", "Resident memory in bytes.", resident))
        told.append(("process_open_fds", "gauge", "Open descriptors.", len(os.listdir("/proc/self/fd"))))
    for name, kind, text, value in told:
        yield f"# HELP {name} {text}"
        yield f"# TYPE {name} {kind}"
        yield f"{name} {_number(value)}"
