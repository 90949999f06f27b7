"""The timeline of the plain format: four lanes with a mark a line, what it is beside them, and the 86-second line.

A lane is drawn from its first mark to its last. `●` is a step of the chain, `○` something around it, `×` an attempt that
was refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from eightysix.model.story import Mark, Story
from eightysix.model.words import Outcome
from eightysix.report.inert import inert_copy, shorten, shorten_path
from eightysix.report.interface import RenderOptions
from eightysix.report.layout import Ink, Line, Span, measure, row
from eightysix.report.reconstruction.telling import LANES, SECONDS, candidates, chain_of, place, sure, times
from eightysix.report.story import MARGIN, offset

__all__ = ["Act", "acts", "timeline"]

_SHOWN = (16, 8)  # first and last steps of a long chain: the landing and the leaving matter most
_AT_ONCE = 0.1
"""Seconds between what two sources tell of one act on one node: one clock, and their own time to notice."""
_LATER = 120.0
"""Seconds of silence that are said in words."""
_DETAIL_LINES = 2
_NARROW = 60
"""Columns below which a title beside time, lanes and stage would break after each word."""
_UNITS = ((86_400.0, "days"), (3600.0, "h"), (60.0, "min"))
_ARROW = " → "
_TARGET = 20
_BAR, _BREAK, _NONE = "│", "┊", " "


def timeline(story: Story, options: RenderOptions) -> Iterator[Line]:
    """The marks of `story` in their order. Those that are drawn are made inert here, as there may be many others."""
    drawn, hidden_at, hidden = _shown(story.marks, options)
    shown = [Act(inert_copy(act.marks)) for act in drawn]
    if not shown:
        return
    wide = max(len(offset(seconds)) for seconds in (SECONDS, *(act.mark.offset_s for act in shown)))
    yield from _legend(wide)
    ends = _ends(shown)
    line_at = _line_at(shown)
    previous: Act | None = None
    for index, act in enumerate(shown):
        above = _hidden_or_later(act, previous, hidden if index == hidden_at else [])
        yield from (_between((wide, index), ends, text, options) for text in above[:1] if text)
        if index == line_at:
            yield _the_line(wide, options)
        yield from (_between((wide, index), ends, text, options) for text in above[1:] if text)
        broken = index == line_at or any(above)
        yield from _act(act, None if broken else previous, (wide, index), ends, options)
        previous = act
    if line_at == len(shown):
        yield _the_line(wide, options)
    yield from _uncounted(story, shown, hidden, options)


class Act(NamedTuple):
    """What stands on one line: a mark, and those of other sources that tell of the same."""

    marks: tuple[Mark, ...]

    @property
    def mark(self) -> Mark:
        """The first of them, which speaks for all."""
        return self.marks[0]

    @property
    def sure(self) -> str:
        """Grades and origins, each once."""
        first, *others = dict.fromkeys(map(sure, self.marks))
        return ", ".join((first, *(text.removeprefix(f"{self.mark.grade} ") for text in others)))


def acts(marks: Sequence[Mark]) -> Iterator[Act]:
    """Marks of the same thing at the same time, which the kernel and the sensor tell one after the other, are one."""
    several: list[Mark] = []
    for mark in marks:
        if several and not (
            _same(several[0], mark) and all(mark.origin != other.origin for other in several)
        ):
            yield Act(tuple(several))
            several = []
        several.append(mark)
    if several:
        yield Act(tuple(several))


def _same(one: Mark, other: Mark) -> bool:
    return (
        (one.lane, one.stage, one.title, one.subject, one.outcome)
        == (other.lane, other.stage, other.title, other.subject, other.outcome)
    ) and abs(one.offset_s - other.offset_s) < _AT_ONCE


def _hidden_or_later(act: Act, previous: Act | None, hidden: list[Act]) -> tuple[str, str]:
    """What stands above `act`, before and after the 86-second line if that falls between the two."""
    if hidden:
        before = sum(item.mark.offset_s <= SECONDS for item in hidden)
        told = [
            f"{number} more (-v shows them)" if number else "" for number in (before, len(hidden) - before)
        ]
        return (told[0], told[1])
    silence = act.mark.offset_s - previous.mark.offset_s if previous is not None else 0.0
    return ("", _later(silence)) if silence >= _LATER else ("", "")


def _shown(marks: Sequence[Mark], options: RenderOptions) -> tuple[list[Act], int, list[Act]]:
    """What is drawn, and before which of it what else of the chain is left out."""
    if options.verbose:
        return [Act((mark,)) for mark in marks], 0, []
    kept = list(acts(chain_of(marks)))
    first, last = _SHOWN
    hidden = len(kept) - first - last
    if hidden <= 1:
        return kept, 0, []
    return [*kept[:first], *kept[-last:]], first, kept[first:-last]


def _uncounted(story: Story, shown: list[Act], hidden: list[Act], options: RenderOptions) -> Iterator[Line]:
    rest = len(story.marks) - sum(len(act.marks) for act in (*shown, *hidden))
    if rest > 0:
        yield from row(
            (MARGIN, MARGIN), f"… and {rest} around the chain (-v shows them)", options.width, Ink.DIM
        )
    if story.left_out > 0:
        yield from row(
            (MARGIN, MARGIN), f"… and {story.left_out} that no report holds", options.width, Ink.DIM
        )


def _ends(acts: list[Act]) -> dict[str, tuple[int, int]]:
    """Index of the first and the last act of each lane."""
    ends: dict[str, tuple[int, int]] = {}
    for index, act in enumerate(acts):
        ends[act.mark.lane] = (ends.get(act.mark.lane, (index, index))[0], index)
    return ends


def _line_at(acts: list[Act]) -> int | None:
    """Before which act the 86 seconds end; None where nothing landed, so that no time counts."""
    if not any(act.mark.stage for act in acts):
        return None
    return next((index for index, act in enumerate(acts) if act.mark.offset_s > SECONDS), len(acts))


def _legend(wide: int) -> Iterator[Line]:
    for at, name in enumerate(LANES.values()):
        corner = "╭" + "──" * (len(LANES) - at - 1)
        yield ((" " * (wide + 4), Ink.PLAIN), ("│ " * at + corner, Ink.DIM), (f" {name}", Ink.DIM))


def _lanes(index: int, ends: dict[str, tuple[int, int]], own: Mark | None, bar: str = _BAR) -> list[Span]:
    """One line of the lanes: those that are between their ends, and the mark in its own. `own` None is a line below
    (a lane that ended at `index` does not go on)."""
    spans: list[Span] = []
    for lane in LANES:
        first, last = ends.get(lane, (1, 0))
        if own is not None and own.lane is lane:
            spans.append(_symbol(own))
        elif first <= index < last or (own is not None and first < index <= last):
            spans.append((bar, Ink.DIM))
        else:
            spans.append((_NONE, Ink.PLAIN))
        spans.append((" ", Ink.PLAIN))
    return spans


def _symbol(mark: Mark) -> Span:
    if mark.outcome is Outcome.DENIED:
        return ("×", Ink.YELLOW)
    return ("○", Ink.DIM) if mark.stage is None else ("●", Ink.RED)


def _act(
    act: Act,
    previous: Act | None,
    at: tuple[int, int],
    ends: dict[str, tuple[int, int]],
    options: RenderOptions,
) -> Iterator[Line]:
    """One act; its time is left out where it is that of `previous`, right above. `at` is the width of times and its index."""
    mark, (wide, index) = act.mark, at
    time = offset(mark.offset_s)
    if previous is not None and offset(previous.mark.offset_s) == time and not options.verbose:
        time = ""
    head: Line = (
        MARGIN,
        (f"{time:>{wide}}  ", Ink.PLAIN),
        *_lanes(index, ends, mark),
        (f" {mark.stage or '':<5}  ", Ink.CYAN),
    )
    narrow = options.width < _NARROW
    stage = (" " * (1 if narrow else 8), Ink.PLAIN)
    below: Line = ((" " * (wide + 4), Ink.PLAIN), *_lanes(index, ends, None), stage)
    count = max(item.count for item in act.marks)
    title = " ".join(filter(None, (mark.title, times(count), _refused(mark))))
    ink = Ink.DIM if mark.stage is None else Ink.PLAIN
    if narrow:  # the title below the stage, where it has some room
        yield head
        yield from _hung(row(((" " * measure(below), Ink.PLAIN),), title, options.width, ink), below)
    else:
        yield from _hung(row(head, title, options.width, ink, right=act.sure), below)
    yield from _hung(_under(act, previous, below, options), below)


def _refused(mark: Mark) -> str:
    return "(refused)" if mark.outcome is Outcome.DENIED else ""


def _hung(lines: Iterator[Line], below: Line) -> Iterator[Line]:
    """`lines` whose indent of blanks becomes the lanes that go on."""
    indent = " " * measure(below)
    for line in lines:
        yield (*below, *line[1:]) if line and line[0][0] == indent else line


def _under(act: Act, previous: Act | None, below: Line, options: RenderOptions) -> Iterator[Line]:
    """Who did it to what and whose it was; the proof takes lines of its own and is shown on request."""
    indent: Line = ((" " * measure(below), Ink.PLAIN),)
    mark = act.mark
    whose = candidates(mark.attribution) if mark.attribution and not mark.attribution.certain else ""
    if options.verbose:
        facts = [mark.detail, whose, " · ".join(filter(None, (mark.signal, *mark.techniques)))]
        for text in filter(None, (*facts, *map(place, mark.evidence))):
            yield from row(indent, text, options.width, Ink.DIM)
        return
    room = options.width - measure(indent)
    told = _detail(mark, previous.mark if previous else None, room)
    grade = act.sure if options.width < _NARROW else ""
    for text in filter(None, (shorten(told, _DETAIL_LINES * room), whose, grade)):
        yield from row(indent, text, options.width, Ink.DIM)


def _detail(mark: Mark, above: Mark | None, room: int) -> str:
    """Who did it to what; who is left out where the line above told it, and of a long path the end is kept."""
    actor, arrow, target = mark.detail.rpartition(_ARROW)
    if not arrow:
        return mark.detail
    if above is not None and above.detail.rpartition(_ARROW)[0] == actor:
        actor = ""
    if target.startswith("/"):
        # the dated folder of a projected volume says nothing and is long
        parts = ("…" if part.startswith("..2") else part for part in target.split("/"))
        target = shorten_path("/".join(parts), max(room - len(_ARROW), _TARGET))
    return f"{actor}{_ARROW}{target}".strip(" ")


def _the_line(wide: int, options: RenderOptions) -> Line:
    label = f"{offset(SECONDS):>{wide}}  "
    drawn = "┄" * max(options.width - wide - 4, 0)
    return (MARGIN, (label, Ink.BOLD), (drawn, Ink.BOLD))


def _between(
    at: tuple[int, int], ends: dict[str, tuple[int, int]], text: str, options: RenderOptions
) -> Line:
    wide, index = at
    line: Line = ((" " * (wide + 4), Ink.PLAIN), *_lanes(index - 1, ends, None, _BREAK), (" ", Ink.PLAIN))
    return (*line, (shorten(text, options.width - measure(line)), Ink.DIM))


def _later(seconds: float) -> str:
    for size, unit in _UNITS:
        if 2 * size <= seconds < float("inf"):
            return f"{seconds / size:.0f} {unit} later"
    return "much later"
