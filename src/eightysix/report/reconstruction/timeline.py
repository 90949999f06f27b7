"""The timeline of the plain format: four lanes with a mark a line, what it is beside them, and the 86-second line.

A lane is drawn from its first mark to its last. `●` is a step of the chain, `○` something around it, `×` an attempt that
was refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from eightysix.model.story import Mark, Story
from eightysix.model.words import Outcome
from eightysix.report.inert import shorten
from eightysix.report.interface import RenderOptions
from eightysix.report.layout import Ink, Line, Span, measure, row
from eightysix.report.reconstruction.telling import LANES, SECONDS, candidates, place, sure, times
from eightysix.report.story import MARGIN, offset

__all__ = ["timeline"]

_SHOWN = (16, 8)  # first and last steps of a long chain: the landing and the leaving matter most
_AROUND = 4
"""Marks that are no part of the chain, as long as there are few."""
_LATER = 120.0
"""Seconds of silence that are said in words."""
_DETAIL_LINES = 2
_NARROW = 60
"""Columns below which a title beside time, lanes and stage would break after each word."""
_UNITS = ((86_400.0, "days"), (3600.0, "h"), (60.0, "min"))
_BAR, _BREAK, _NONE = "│", "┊", " "


def timeline(story: Story, options: RenderOptions) -> Iterator[Line]:
    """The marks of `story`, whose texts are inert already, in their order."""
    shown, hidden_at, hidden = _shown(story.marks, options)
    if not shown:
        return
    wide = max(len(offset(mark.offset_s)) for mark in shown)
    yield from _legend(wide)
    ends = _ends(shown)
    line_at = _line_at(shown)
    previous: Mark | None = None
    for index, mark in enumerate(shown):
        gap = _hidden_or_later(mark, previous, hidden if index == hidden_at else [])
        yield from (_between(wide, ends, index, text) for text in gap[:1] if text)
        if index == line_at:
            yield _the_line(wide, options)
        yield from (_between(wide, ends, index, text) for text in gap[1:] if text)
        yield from _mark(mark, index, wide, ends, options)
        previous = mark
    if line_at == len(shown):
        yield _the_line(wide, options)
    yield from _uncounted(story, shown, hidden, options)


def _hidden_or_later(mark: Mark, previous: Mark | None, hidden: list[Mark]) -> tuple[str, str]:
    """What stands above `mark`, before and after the 86-second line if that falls between the two."""
    if hidden:
        before = sum(item.offset_s <= SECONDS for item in hidden)
        told = [
            f"{number} more (-v shows them)" if number else "" for number in (before, len(hidden) - before)
        ]
        return (told[0], told[1])
    silence = mark.offset_s - previous.offset_s if previous is not None else 0.0
    return ("", _later(silence)) if silence >= _LATER else ("", "")


def _shown(marks: Sequence[Mark], options: RenderOptions) -> tuple[list[Mark], int, list[Mark]]:
    """The marks that are drawn, and before which of them others of the chain are left out."""
    around = sum(mark.stage is None for mark in marks)
    if options.verbose:
        return list(marks), 0, []
    kept = [mark for mark in marks if mark.stage is not None or around <= _AROUND]
    first, last = _SHOWN
    hidden = len(kept) - first - last
    if hidden <= 1:
        return kept, 0, []
    return [*kept[:first], *kept[-last:]], first, kept[first:-last]


def _uncounted(story: Story, shown: list[Mark], hidden: list[Mark], options: RenderOptions) -> Iterator[Line]:
    rest = len(story.marks) - len(shown) - len(hidden)
    if rest > 0:
        yield from row(
            (MARGIN, MARGIN), f"… and {rest} around the chain (-v shows them)", options.width, Ink.DIM
        )
    if story.left_out > 0:
        yield from row(
            (MARGIN, MARGIN), f"… and {story.left_out} that no report holds", options.width, Ink.DIM
        )


def _ends(marks: list[Mark]) -> dict[str, tuple[int, int]]:
    """Index of the first and the last mark of each lane."""
    ends: dict[str, tuple[int, int]] = {}
    for index, mark in enumerate(marks):
        ends[mark.lane] = (ends.get(mark.lane, (index, index))[0], index)
    return ends


def _line_at(marks: list[Mark]) -> int | None:
    """Before which mark the 86 seconds end; None where nothing landed, so that no time counts."""
    if not any(mark.stage for mark in marks):
        return None
    return next((index for index, mark in enumerate(marks) if mark.offset_s > SECONDS), len(marks))


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


def _mark(
    mark: Mark, index: int, wide: int, ends: dict[str, tuple[int, int]], options: RenderOptions
) -> Iterator[Line]:
    head: Line = (
        MARGIN,
        (f"{offset(mark.offset_s):>{wide}}  ", Ink.PLAIN),
        *_lanes(index, ends, mark),
        (f" {mark.stage or '':<5}  ", Ink.CYAN),
    )
    narrow = options.width < _NARROW
    below: Line = (
        (" " * (wide + 4), Ink.PLAIN),
        *_lanes(index, ends, None),
        (" " * (1 if narrow else 8), Ink.PLAIN),
    )
    title = " ".join(filter(None, (mark.title, times(mark.count), _refused(mark))))
    ink = Ink.DIM if mark.stage is None else Ink.PLAIN
    if narrow:  # the title below the stage, where it has some room
        yield head
        yield from _hung(row(((" " * measure(below), Ink.PLAIN),), title, options.width, ink), below)
    else:
        yield from _hung(row(head, title, options.width, ink, right=sure(mark)), below)
    yield from _hung(_under(mark, below, options), below)


def _refused(mark: Mark) -> str:
    return "(refused)" if mark.outcome is Outcome.DENIED else ""


def _hung(lines: Iterator[Line], below: Line) -> Iterator[Line]:
    """`lines` whose indent of blanks becomes the lanes that go on."""
    indent = " " * measure(below)
    for line in lines:
        yield (*below, *line[1:]) if line and line[0][0] == indent else line


def _under(mark: Mark, below: Line, options: RenderOptions) -> Iterator[Line]:
    """Who did it to what and whose it was; the proof takes lines of its own and is shown on request."""
    indent: Line = ((" " * measure(below), Ink.PLAIN),)
    whose = candidates(mark.attribution) if mark.attribution and not mark.attribution.certain else ""
    if options.verbose:
        facts = [mark.detail, whose, " · ".join(filter(None, (mark.signal, *mark.techniques)))]
        for text in filter(None, (*facts, *map(place, mark.evidence))):
            yield from row(indent, text, options.width, Ink.DIM)
        return
    room = options.width - measure(indent)
    grade = sure(mark) if options.width < _NARROW else ""
    for text in filter(None, (shorten(mark.detail, _DETAIL_LINES * room), whose, grade)):
        yield from row(indent, text, options.width, Ink.DIM)


def _the_line(wide: int, options: RenderOptions) -> Line:
    label = f"{offset(SECONDS):>{wide}}  "
    drawn = "┄" * max(options.width - wide - 4, 0)
    return (MARGIN, (label, Ink.BOLD), (drawn, Ink.BOLD))


def _between(wide: int, ends: dict[str, tuple[int, int]], index: int, text: str) -> Line:
    lanes = _lanes(index - 1, ends, None, _BREAK)
    return ((" " * (wide + 4), Ink.PLAIN), *lanes, (f" {text}", Ink.DIM))


def _later(seconds: float) -> str:
    for size, unit in _UNITS:
        if 2 * size <= seconds < float("inf"):
            return f"{seconds / size:.0f} {unit} later"
    return "much later"
