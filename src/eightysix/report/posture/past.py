"""What was and is no more, in the plain format: short-lived bindings, and what pods reached by them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from eightysix.model.posture import Past, PastBinding, Path
from eightysix.report.interface import RenderOptions
from eightysix.report.layout import Ink, Line, row
from eightysix.report.posture.words import plural, sink_word

__all__ = ["past_lines"]

_MOST = 5
_MARGIN: Line = (("  ", Ink.PLAIN),)


def past_lines(past: Past, options: RenderOptions) -> Iterator[Line]:
    """The latest first; nothing where nothing was."""
    if not past.bindings:
        return
    yield from row(
        (("WHAT WAS  ", Ink.BOLD),),
        "bindings that came and went; none of it is so now",
        options.width,
        Ink.DIM,
    )
    shown = past.bindings if options.verbose else past.bindings[:_MOST]
    for one in shown:
        yield from _binding(one, options)
    if len(past.bindings) > len(shown):
        more = plural(len(past.bindings) - len(shown), "binding")
        yield from row(_MARGIN, f"… and {more} more (-v)", options.width, Ink.DIM)
    yield from _paths(past.paths, options)
    yield ()


def _binding(one: PastBinding, options: RenderOptions) -> Iterator[Line]:
    until = f"until {_moment(one.until)}" if one.until else "until nobody saw when"
    yield from row((("  gone  ", Ink.BLUE),), one.object, options.width, Ink.BOLD)
    indent: Line = ((" " * 8, Ink.PLAIN),)
    whom = ", ".join(one.subjects[:3]) + (
        f" and {len(one.subjects) - 3} more" if len(one.subjects) > 3 else ""
    )
    yield from row(indent, f"gave {one.role} to {whom or 'nobody'}", options.width)
    told = f"existed from {_moment(one.since)} {until}"
    if one.times > 1:
        told += f", {one.times:,} times in all"
    if one.maker:
        told += f"; made by {one.maker}"
    yield from row(indent, told, options.width, Ink.DIM)


def _paths(paths: Sequence[Path], options: RenderOptions) -> Iterator[Line]:
    """What pods reached then and do not reach now."""
    shown = paths if options.verbose else paths[:_MOST]
    for path in shown:
        name = path.pod.removeprefix("pod:")
        until = _moment(path.until) if path.until else "nobody saw when"
        yield from row(
            (("  then  ", Ink.BLUE),),
            f"{name} reached {sink_word(path.sink)} from {_moment(path.since)} until {until}, and does not now",
            options.width,
        )
    if len(paths) > len(shown):
        yield from row(
            _MARGIN, f"… and {plural(len(paths) - len(shown), 'way')} more (-v)", options.width, Ink.DIM
        )


def _moment(text: str) -> str:
    """To the second."""
    return f"{text[:19]}Z" if len(text) > 19 else text
