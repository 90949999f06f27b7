"""Pages of Tetragon's metrics: what was lost, which policies did not load, and nothing else of them."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from eightysix.model.visibility import Visibility
from eightysix.rules.catalog import load_packaged
from eightysix.serve.coverage import of_files
from eightysix.sources.survey.census import Census
from eightysix.sources.survey.metrics import NOT_LOADED, MetricsSurvey
from tests.reconstruct.coverage.records import everything, write

PAGE = """\
# HELP go_goroutines Number of goroutines that currently exist.
# TYPE go_goroutines gauge
go_goroutines 86
process_start_time_seconds 1.79542e+09
# HELP tetragon_bpf_missed_events_total Number of Tetragon perf events that are failed to be sent from the kernel.
# TYPE tetragon_bpf_missed_events_total counter
tetragon_bpf_missed_events_total{error="EAGAIN",msg_op="14"} 5
tetragon_bpf_missed_events_total{error="ENOSPC",msg_op="7"} 2
tetragon_events_total{binary="/bin/a b",type="PROCESS_EXEC"} 12
tetragon_export_ratelimit_events_dropped_total LIMITED
tetragon_observer_ringbuf_events_lost_total 0
tetragon_tracingpolicy_loaded{state="disabled"} 0
tetragon_tracingpolicy_loaded{state="enabled"} 2
tetragon_tracingpolicy_loaded{state="load_error"} FAILED
"""


def page(limited: int = 0, failed: int = 0) -> str:
    return PAGE.replace("LIMITED", str(limited)).replace("FAILED", str(failed))


def seen(folder: Path, **pages: str) -> Visibility:
    telemetry = write(folder / "telemetry", everything(5))
    for name, text in pages.items():
        (folder / "telemetry" / f"{name}.prom").write_text(text)
    return of_files([telemetry], None, load_packaged(), baseline=True, ledger=True)


def test_what_was_lost_before_the_export_is_told(tmp_path: Path) -> None:
    found = seen(tmp_path, one=page(limited=80), same=page(limited=80), less=page(limited=3))
    (gap,) = found.gaps
    assert (gap.id, gap.title) == ("agents-lost", "an agent of Tetragon lost 87 events")
    assert "dropped by the export's rate limit 80, missed in the kernel 7" in gap.detail
    assert found.counts.malformed == found.counts.unrecognised == 0


def test_policies_that_did_not_load_are_told(tmp_path: Path) -> None:
    found = seen(tmp_path, one=page(failed=1).replace("} 5", "} 0").replace("} 2", "} 0"))
    (gap,) = found.gaps
    assert (gap.id, gap.title) == ("policies-failed", "1 policy of Tetragon did not load")


def test_a_healthy_agent_is_no_gap(tmp_path: Path) -> None:
    found = seen(tmp_path, one=page().replace("} 5", "} 0").replace('op="7"} 2', 'op="7"} 0'))
    assert found.gaps == ()


def test_what_is_no_sample_is_left_over() -> None:
    census = Census()
    batch = MetricsSurvey(census).decode(b"tetragon_bpf_missed_events_total 1\nnot a sample at all\n", "a", 1)
    assert [line for line, _ in batch.leftover] == [2]
    assert census.agents == {"missed in the kernel": 1}


@given(st.binary(max_size=200))
def test_no_bytes_break_it(noise: bytes) -> None:
    census = Census()
    MetricsSurvey(census).decode(b"tetragon_bpf_missed_events_total " + noise, "a", 1)
    assert all(0 <= number <= 1 << 53 for number in census.agents.values())
    assert NOT_LOADED not in census.agents or b"tracingpolicy" in noise
