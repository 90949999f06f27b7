"""What is told at /metrics is read by Prometheus's own parser, and /healthz says why it fails."""

from __future__ import annotations

import http.client
import json
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from eightysix import __version__
from eightysix.serve.metrics import _METRICS, CONTENT_TYPE, MAX_SERIES, Gauges, Histogram, render
from eightysix.serve.monitor import STALE_S, Health, Monitor

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(text: str) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def filled() -> Gauges:
    gauges = Gauges()
    gauges.records = {"tetragon": 3, "falco": 2}
    gauges.lag_bytes = {"/var/run/tetragon.log": 17}
    gauges.lag_seconds = {"tetragon": 0.25}
    gauges.incidents = {("poisoned-install", "contain"): 1}
    gauges.rule_evaluable = {"release-drift": False}
    gauges.late = 4
    gauges.commit_duration.observe(0.003)
    gauges.commit_duration.observe(99)
    return gauges


def test_values_arrive_at_prometheus() -> None:
    found = samples(render(filled()))
    assert found["eightysix_records_total", (("source", "tetragon"),)] == 3
    assert found["eightysix_input_lag_bytes", (("input", "/var/run/tetragon.log"),)] == 17
    assert found["eightysix_lag_seconds", (("source", "tetragon"),)] == 0.25
    assert found["eightysix_incidents", (("rule", "poisoned-install"), ("verdict", "contain"))] == 1
    assert found["eightysix_rule_evaluable", (("rule", "release-drift"),)] == 0
    assert found["eightysix_late_events_total", ()] == 4
    assert found["eightysix_state_commit_duration_seconds_count", ()] == 2
    assert found["eightysix_state_commit_duration_seconds_sum", ()] == pytest.approx(99.003)
    assert found["eightysix_state_commit_duration_seconds_bucket", (("le", "0.0025"),)] == 0
    assert found["eightysix_state_commit_duration_seconds_bucket", (("le", "0.005"),)] == 1
    assert found["eightysix_state_commit_duration_seconds_bucket", (("le", "+Inf"),)] == 2
    labels = dict(next(labels for name, labels in found if name == "eightysix_build_info"))
    assert labels["version"] == __version__
    assert found["process_cpu_seconds_total", ()] > 0


def test_every_field_is_told_by_a_name_that_follows_the_conventions() -> None:
    assert {metric.field for metric in _METRICS} == set(Gauges.__struct_fields__)
    assert len({metric.name for metric in _METRICS}) == len(_METRICS)
    for metric in _METRICS:
        assert metric.name.endswith("_total") == (metric.kind == "counter"), metric.name
        assert metric.help.endswith(".")
    families = {family.name: family for family in text_string_to_metric_families(render(filled()))}
    assert {family.type for family in families.values()} == {"counter", "gauge", "histogram"}
    assert all(family.documentation for family in families.values())


@given(st.text(st.characters(codec=None), max_size=30))
def test_any_text_is_a_label(text: str) -> None:
    found = samples(render(Gauges(input_up={text: True})))
    (labels,) = (labels for name, labels in found if name == "eightysix_input_up")
    assert dict(labels)["input"] == text.encode("utf-8", "replace").decode()


def test_series_are_bounded_and_nothing_is_lost_of_the_sum() -> None:
    found = samples(render(Gauges(lag_bytes={f"{number:05}": 1 for number in range(MAX_SERIES + 7)})))
    told = {labels: value for (name, labels), value in found.items() if name == "eightysix_input_lag_bytes"}
    assert len(told) == MAX_SERIES + 1
    assert told[(("input", "other"),)] == 7


@given(st.lists(st.floats(0, 1000)))
def test_buckets_count_what_is_not_above_their_bound(values: list[float]) -> None:
    gauges = Gauges(event_latency=Histogram((0.1, 1.0, 10.0)))
    for value in values:
        gauges.event_latency.observe(value)
    found = samples(render(gauges))
    for bound in (0.1, 1.0, 10.0):
        told = found["eightysix_event_latency_seconds_bucket", (("le", str(bound)),)]
        assert told == sum(value <= bound for value in values)
    assert found["eightysix_event_latency_seconds_count", ()] == len(values)


def test_it_may_be_asked_while_values_come_and_go() -> None:
    gauges = Gauges()
    stop = threading.Event()

    def work() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            gauges.lag_bytes[f"{number % 3000}"] = number
            gauges.lag_bytes.pop(f"{(number * 7) % 3000}", None)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        for _ in range(15):
            assert samples(render(gauges))
    finally:
        stop.set()
        worker.join()


# --- pages


def get(port: int, path: str, method: str = "GET") -> tuple[int, bytes, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.getheader("content-type") or ""
    finally:
        connection.close()


def test_both_pages_are_served() -> None:
    gauges, health = filled(), Health(ticked=100.0)
    now = [101.0]
    monitor = Monitor(gauges, health, clock=lambda: now[0], refresh=lambda: setattr(gauges, "pods", 42))
    with monitor.listen("127.0.0.1", 0) as listener:
        status, body, kind = get(listener.port, "/metrics")
        assert (status, kind) == (200, CONTENT_TYPE)
        assert samples(body.decode())["eightysix_pods", ()] == 42
        status, body, _ = get(listener.port, "/healthz")
        assert (status, json.loads(body)) == (200, {"status": "ok", "reasons": [], "version": __version__})
        assert get(listener.port, "/healthz", "HEAD")[:2] == (200, b"")
        assert get(listener.port, "/")[0] == 404
        assert get(listener.port, "/metrics", "POST")[0] == 405
        now[0] += STALE_S
        status, body, _ = get(listener.port, "/healthz")
        assert status == 503
        assert "main loop" in json.loads(body)["reasons"][0]


def test_what_makes_it_unhealthy() -> None:
    health = Health(
        ticked=0.0, commit_failure="disk full", dead_inputs={"-": "ended"}, failures={"sink x": "gone"}
    )
    assert health.reasons(STALE_S) == [
        "the state cannot be committed: disk full",
        "the input - is dead: ended",
        "sink x: gone",
    ]
    assert Health(ticked=0.0).reasons(STALE_S) == []
    assert Health(ticked=0.0).reasons(STALE_S + 1) == ["the main loop did not come round for 31 s"]


def test_the_page_of_watch_lists_every_metric(root: Path) -> None:
    told = (root / "docs" / "watch.md").read_text(encoding="utf-8")
    for metric in _METRICS:
        row = f"| `eightysix_{metric.name}` | {metric.kind} | {', '.join(metric.labels)} | {metric.help} |"
        assert row.replace("|  |", "| |") in told
