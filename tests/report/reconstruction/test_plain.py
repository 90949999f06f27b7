"""The story on a terminal, reviewed as whole texts; EIGHTYSIX_UPDATE_SNAPSHOTS=1 writes them anew."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from eightysix.context.shell import fold, line
from eightysix.model.story import Lane, Reconstruction, Rotation
from eightysix.model.words import Origin
from eightysix.report.interface import RenderOptions
from eightysix.report.reconstruction.interface import get_reconstruction_format
from tests.report.hostile import HARMS, assert_inert, columns_of, hostile_text, plant, poison
from tests.report.reconstruction.sample import asked_about, breach, breach_story, crowd, hostile, nothing

SNAPSHOTS = Path(__file__).parent / "snapshots"
SAMPLES: list[Callable[[], Reconstruction]] = [breach, asked_about, nothing, crowd, hostile]


def rendered(told: Reconstruction, width: int = 80, colour: bool = False, verbose: int = 0) -> str:
    return "".join(get_reconstruction_format("plain").write(told, RenderOptions(width, colour, verbose)))


def check_snapshot(name: str, text: str) -> None:
    file = SNAPSHOTS / f"{name}.txt"
    if os.environ.get("EIGHTYSIX_UPDATE_SNAPSHOTS") == "1":
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


def rows(text: str) -> list[str]:
    return text.split("\n")


@pytest.mark.parametrize(
    ("name", "make", "width", "verbose"),
    [
        ("plain-breach", breach, 80, 0),
        ("plain-breach-wide", breach, 100, 0),
        ("plain-breach-narrow", breach, 48, 0),
        ("plain-breach-verbose", breach, 80, 1),
        ("plain-asked", asked_about, 80, 0),
        ("plain-nothing", nothing, 80, 0),
        ("plain-crowd", crowd, 80, 0),
        ("plain-hostile", hostile, 80, 0),
    ],
)
def test_the_whole_text(name: str, make: Callable[[], Reconstruction], width: int, verbose: int) -> None:
    check_snapshot(name, rendered(make(), width, verbose=verbose))


def test_the_colours_of_the_breach() -> None:
    check_snapshot("plain-breach-colour", rendered(breach(), colour=True).replace("\x1b", "␛"))


@pytest.mark.parametrize("make", SAMPLES)
def test_colour_adds_nothing_but_colour(make: Callable[[], Reconstruction]) -> None:
    text = rendered(make(), colour=True)
    for code in ("0", "1", "2", "1;31", "1;33", "1;34", "36"):
        text = text.replace(f"\x1b[{code}m", "")
    assert [row.rstrip(" ") for row in rows(text)] == rows(rendered(make()))


@settings(max_examples=10, deadline=None)
@given(st.data(), st.integers(30, 110), st.integers(0, 1))
def test_no_text_in_any_field_breaks_the_page(data: st.DataObject, width: int, verbose: int) -> None:
    pool = data.draw(st.lists(hostile_text, min_size=1, max_size=9))
    count = iter(range(10**9))
    told = poison(data.draw(st.sampled_from([breach, asked_about]))(), lambda: pool[next(count) % len(pool)])
    offsets = st.floats() | st.sampled_from([-0.04, 86.0, 86400.0, 1e308])
    story = told.stories[0]
    story = replace(
        story,
        score=data.draw(st.integers(-(10**9), 10**9)),
        left_out=data.draw(st.integers(-3, 10**9)),
        marks=tuple(replace(mark, offset_s=data.draw(offsets)) for mark in story.marks),
        rotate=(Rotation(1, "x", "", (line("kubectl", operands=["a b"]),)),),  # lines of ours may be longer
    )
    text = rendered(replace(told, stories=(story,)), width, verbose=verbose)
    assert text.endswith("\n")
    for row in rows(text[:-1]):
        assert_inert(row)
        # What a log of a CI system would take for a command is broken after the line is laid out.
        assert columns_of(row) - 3 * row.count("#\\x23") <= max(width, 40)
        assert row == row.rstrip(" ")
        assert "##" not in row


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS)
def test_harm_in_every_field_stays_text(harm: str) -> None:
    told, _ = plant(breach(), harm)
    for row in rows(rendered(told, verbose=1)):
        assert_inert(row)
        assert "##" not in row
        assert not row.lstrip(" ").startswith("::")


def test_a_command_stays_the_command_that_it_was() -> None:
    command = line(
        "kubectl", "delete", "pod", "--namespace=" + "n" * 70, operands=["a  b", "\x1b]52;c;x\x07", "é" * 30]
    )
    story = replace(breach_story(), rotate=(Rotation(1, "delete it", "", (command,)),))
    text = rendered(replace(breach(), stories=(story,)))
    shown = "\n".join(row[7:] for row in rows(text) if row.startswith("       "))
    assert "\n".join(fold(command, 80 - 7)) in shown


def test_the_86_second_line_falls_between_what_was_before_and_after() -> None:
    text = rendered(breach())
    lines = rows(text)
    (at,) = (number for number, row in enumerate(lines) if row.startswith("    T+86.0  ┄"))
    assert any("T+85.7" in row for row in lines[:at])
    assert any("T+2014.3" in row for row in lines[at:])
    short = replace(breach_story(), marks=breach_story().marks[2:6])
    lines = rows(rendered(replace(breach(), stories=(short,))))
    (at,) = (number for number, row in enumerate(lines) if "T+86.0  ┄" in row)
    assert lines[at + 1] == ""
    around = replace(breach_story(), marks=breach_story().marks[:2])
    assert "T+86.0  ┄" not in rendered(replace(breach(), stories=(around,)))


def test_each_mark_stands_in_the_column_of_its_lane() -> None:
    story = breach_story()
    marks = tuple(
        replace(story.marks[3], id=str(number), lane=lane, offset_s=float(number), title=f"on {lane}")
        for number, lane in enumerate(Lane)
    )
    lines = rows(rendered(replace(breach(), stories=(replace(story, marks=marks),))))
    columns = [next(row for row in lines if f"on {lane}" in row).index("●") for lane in Lane]
    legend = [
        next(row for row in lines if "╭" in row and row.endswith(f" {name}"))
        for name in ("package", "process")
    ]
    assert columns == [columns[0] + 2 * number for number in range(4)]
    assert [row.index("╭") for row in legend] == columns[:2]


def test_one_act_that_two_sources_tell_is_one_line() -> None:
    story = breach_story()
    kernel = story.marks[3]
    sensor = replace(kernel, id="other", origin=Origin.KERNEL, offset_s=kernel.offset_s + 0.003)
    told = replace(breach(), stories=(replace(story, marks=(kernel, sensor)),))
    assert rendered(told).count("code that landed runs") == 1
    assert "A suspect, kernel" in rendered(told)
    assert rendered(told, verbose=1).count("code that landed runs") == 2
    later = replace(sensor, offset_s=kernel.offset_s + 0.2)
    told = replace(breach(), stories=(replace(story, marks=(kernel, later)),))
    assert rendered(told).count("code that landed runs") == 2


def test_what_is_hidden_is_counted_on_its_side_of_the_line() -> None:
    text = rendered(crowd())
    before, after = text.split("┄" * 20, 1)
    assert "… " not in before.split("control plane\n")[1]
    assert "19 more (-v shows them)" in before
    assert "more (-v shows them)" in after.split("T+980.0")[0]
    assert "more (-v shows them)" not in rendered(crowd(), verbose=1)


def test_stories_come_worst_first_and_all_with_v() -> None:
    text = rendered(crowd())
    assert text.index("contain: ") < text.index("watch: ")
    many = replace(crowd(), stories=crowd().stories * 3)
    assert "9 more (-v tells each story)" in rendered(many)
    assert "tells each story" not in rendered(many, verbose=1)


def test_records_are_not_told_here() -> None:
    for verbose in (0, 1):
        assert "RECORD-TEXT" not in rendered(breach(), verbose=verbose)
