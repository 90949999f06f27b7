"""The story, reviewed as whole texts; EIGHTYSIX_UPDATE_SNAPSHOTS=1 writes them anew."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from eightysix.model.incident import Counts, Coverage, Evidence, Incident, PodRef, Report, SourceCoverage
from eightysix.model.words import Verdict
from eightysix.report.interface import RenderOptions, get_format
from tests.report.hostile import assert_inert, columns_of, hostile_text, poison
from tests.report.sample import (
    breach,
    breach_report,
    broken_report,
    crowd_report,
    hostile_report,
    quiet_report,
)

SNAPSHOTS = Path(__file__).parent / "snapshots"
REPORTS: list[Callable[[], Report]] = [
    breach_report,
    broken_report,
    crowd_report,
    hostile_report,
    quiet_report,
]


def rendered(report: Report, width: int = 80, colour: bool = False, verbose: int = 0) -> str:
    return "".join(get_format("plain").write(report, RenderOptions(width, colour, verbose)))


def only(incident: Incident) -> Report:
    return replace(breach_report(), incidents=(incident,))


def uncoloured(text: str) -> str:
    for code in ("0", "1", "2", "1;31", "1;33", "1;34", "36"):
        text = text.replace(f"\x1b[{code}m", "")
    return "\n".join(line.rstrip(" ") for line in text.split("\n"))


def check_snapshot(name: str, text: str) -> None:
    file = SNAPSHOTS / f"{name}.txt"
    if os.environ.get("EIGHTYSIX_UPDATE_SNAPSHOTS") == "1":
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "make", "width", "verbose"),
    [
        ("breach", breach_report, 80, 0),
        ("breach-verbose", breach_report, 80, 1),
        ("breach-narrow", breach_report, 40, 0),
        ("quiet", quiet_report, 80, 0),
        ("hostile", hostile_report, 80, 0),
        ("crowd", crowd_report, 80, 0),
        ("broken", broken_report, 80, 0),
        ("broken-verbose", broken_report, 80, 1),
    ],
)
def test_the_whole_text(name: str, make: Callable[[], Report], width: int, verbose: int) -> None:
    check_snapshot(name, rendered(make(), width, verbose=verbose))


def test_the_colours_of_the_breach() -> None:
    text = rendered(breach_report(), colour=True)
    check_snapshot("breach-colour", text.replace("\x1b", "␛"))


@pytest.mark.parametrize("make", REPORTS)
def test_colour_adds_nothing_but_colour(make: Callable[[], Report]) -> None:
    assert uncoloured(rendered(make(), colour=True)) == rendered(make())


@pytest.mark.parametrize("width", [1, 40, 57, 80, 100, 300])
@pytest.mark.parametrize("make", REPORTS)
def test_lines_keep_to_the_width(make: Callable[[], Report], width: int) -> None:
    lines = rendered(make(), width=width).split("\n")
    assert max(map(columns_of, lines)) <= min(max(width, 40), 100)


@given(st.data(), st.integers(40, 110), st.integers(0, 1))
def test_no_text_in_any_field_breaks_the_page(data: st.DataObject, width: int, verbose: int) -> None:
    make = data.draw(st.sampled_from([hostile_report, broken_report, breach_report]))
    report = poison(make(), lambda: data.draw(hostile_text))
    offsets = st.floats() | st.sampled_from([-0.04, 86400.0, 1e308])
    report = replace(
        report,
        incidents=tuple(
            replace(
                incident,
                score=data.draw(st.integers(-(10**9), 10**9)),
                stages=tuple(replace(stage, offset_s=data.draw(offsets)) for stage in incident.stages),
            )
            for incident in report.incidents
        ),
    )
    text = rendered(report, width=width, verbose=verbose)
    assert text.endswith("\n")
    for line in text[:-1].split("\n"):
        assert_inert(line)
        assert columns_of(line) <= width
        assert line == line.rstrip(" ")


@given(hostile_text)
def test_no_text_can_start_a_line_like_a_verdict_of_ours(text: str) -> None:
    incident = replace(breach(), title=f"{text}\ncontain[x]: y", gaps=(f"{text}\r\n0 incidents: 0 contain",))
    lines = rendered(only(incident)).split("\n")
    assert [line for line in lines if line.startswith("contain[")] == lines[3:4]
    assert [line for line in lines if line.startswith("0 incidents")] == []


def test_the_worst_five_are_told_and_the_rest_listed() -> None:
    text = rendered(crowd_report())
    assert text.count("  what to do next\n") == 5
    assert "  59 more (-v tells each story)\n" in text
    assert rendered(crowd_report(), verbose=1).count("  what to do next\n") == 64


def test_six_incidents_are_all_told() -> None:
    report = crowd_report()
    text = rendered(replace(report, incidents=report.incidents[:6]))
    assert text.count("  what to do next\n") == 6
    assert "more (-v" not in text


def test_an_exception_cannot_silence_contain() -> None:
    text = rendered(only(replace(breach(), suppressed_by="rebuild-notebooks")))
    assert "  exception rebuild-notebooks matches and cannot silence it\n" in text
    assert text.splitlines()[-2] == "1 incident: 1 contain, 0 suspect, 0 watch"


def test_a_silenced_incident_is_listed_and_counted() -> None:
    silenced = replace(breach(), verdict=Verdict.SUSPECT, suppressed_by="rebuild-notebooks")
    text = rendered(only(silenced))
    assert "Nothing is left to tell" in text
    assert "  1 silenced by an exception\n  suspect    115  ml/inference-0" in text
    assert "0 incidents: 0 contain, 0 suspect, 0 watch (1 suppressed)\n" in text


def test_a_rollout_is_named_by_its_workload() -> None:
    assert "  rollout of ml/inference · score 115\n" in rendered(only(replace(breach(), pod=None)))
    nameless = replace(breach(), pod=PodRef("", "node-1", "", "", ""))
    assert "  unknown pod on node-1 · score 115\n" in rendered(only(nameless))


def test_offsets_before_t0_and_far_away_stay_aligned() -> None:
    stages = tuple(replace(breach().stages[0], offset_s=offset) for offset in (12345.06, -2.46, -0.04, 1e9))
    text = rendered(only(replace(breach(), stages=stages)))
    told = [line[:11] for line in text.split("\n") if "  land   " in line]
    assert told == ["      T-2.5", "      T+0.0", "  T+12345.1", "    T+1e+09"]


def test_a_long_timeline_keeps_its_start_and_its_end() -> None:
    stages = tuple(replace(breach().stages[0], offset_s=float(second)) for second in range(100))
    text = rendered(only(replace(breach(), stages=stages)))
    assert "… 80 more steps (-v shows them)\n" in text
    assert " T+11.0  land" in text
    assert " T+12.0  land" not in text
    assert " T+92.0  land" in text
    assert "more steps" not in rendered(only(replace(breach(), stages=stages)), verbose=1)


def test_a_program_in_an_odd_place_keeps_its_path() -> None:
    stages = tuple(
        replace(breach().stages[0], process=process)
        for process in ("/usr/bin/curl", "/tmp/.x/bin/curl", "/opt/model/loader", "/usr/../tmp/bin/curl")
    )
    lines = rendered(only(replace(breach(), stages=stages))).split("\n")
    shown = [line.split()[0] for line in lines if "tetragon.jsonl:38" in line]
    assert shown == ["curl", "/tmp/.x/bin/curl", "/opt/model/loader", "/usr/../tmp/bin/curl"]


def test_files_of_one_name_in_two_folders_stay_apart() -> None:
    stages = tuple(
        replace(breach().stages[0], evidence=(Evidence("tetragon", f"logs/{node}/tetragon.jsonl", 7),))
        for node in ("node-a", "node-b")
    )
    text = rendered(only(replace(breach(), stages=stages)))
    assert "logs/node-a/tetragon.jsonl:7\n" in text
    assert "logs/node-b/tetragon.jsonl:7\n" in text


def test_nothing_understood_is_no_all_clear() -> None:
    text = rendered(Report((), Coverage(), Counts(records=3, unrecognised=3)))
    assert "Nothing in this input was understood, so nothing could be judged.\n" in text
    assert text.endswith("0 events, 0 sources, 0 malformed, 3 unrecognised\n")


def test_times_that_are_no_times_are_left_out() -> None:
    source = SourceCoverage("tetragon", 2, {}, "yesterday", "2026-11-23T03:38:50Z")
    report = replace(quiet_report(), coverage=replace(quiet_report().coverage, sources=(source,)))
    assert rendered(report).startswith("69 events: 1 install, 12 metadata calls\n")


def test_the_identity_gives_way_to_the_proof_and_the_proof_to_the_actor() -> None:
    stage = replace(
        breach().stages[3], process="python", destination="", identity="system:serviceaccount:ml:sa"
    )

    def second_line(**changes: object) -> list[str]:
        incident = replace(breach(), stages=(replace(stage, **changes),))
        lines = rendered(only(incident)).split("\n")
        start = next(index for index, line in enumerate(lines) if "  pivot  " in line)
        return [" ".join(line.split()) for line in lines[start + 1 : lines.index("", start)]]

    proof = "tetragon.jsonl:63 +1"
    assert second_line() == [f"python · ml/sa {proof}"]
    assert second_line(identity="i" * 50) == [f"python {proof}"]
    assert second_line(destination="d" * 50) == [f"python → {'d' * 50}", proof]
    assert second_line(process="", destination="host:80", identity="") == [f"→ host:80 {proof}"]
    assert second_line(process="", identity="") == [proof]
    assert second_line(process="", identity="", evidence=()) == []


def test_who_did_it_is_told_once_in_a_row() -> None:
    reach, pivot = breach().stages[2:4]
    text = rendered(only(replace(breach(), stages=(reach, pivot, replace(pivot, process="curl")))))
    assert text.count("python (torch-perf-utils==1.4.3) → 169.254.169.254:80") == 1
    assert "                 → …/serviceaccount/token  " in text
    assert "                 curl → …/serviceaccount/token  " in text


def test_the_proof_shown_first_is_from_the_source_that_the_origin_names() -> None:
    reach = breach().stages[2]
    assert reach.evidence[0].source == "sensor"
    assert "tetragon.jsonl:62 +2" in rendered(only(replace(breach(), stages=(reach,))))
