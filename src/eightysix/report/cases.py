"""Cases for people and for programs: a table of all, the whole of one, `eightysix/cases/v1` as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import msgspec

from eightysix.context.shell import fold, option
from eightysix.context.shell import line as shell_line
from eightysix.model.case import SCHEMA, Act, Case, CaseState, Entry
from eightysix.report.inert import columns, inert, inert_copy, shorten
from eightysix.report.interface import RenderOptions
from eightysix.report.json_text import indented
from eightysix.report.layout import Ink, Line, flow, paint, row
from eightysix.report.notes import count
from eightysix.report.story import MARGIN, VERDICT_INK, clock, heading, owner, tell

__all__ = ["case_text", "cases_json", "cases_table"]

_ID = 8
_NARROWEST, _WIDEST = 40, 120
_ACTS = {
    Act.ACK: "acknowledged by",
    Act.CLOSE: "closed by",
    Act.NOTE: "note by",
    Act.REOPEN: "opened again by",
}


def cases_table(
    cases: Sequence[Case], counts: Mapping[CaseState, int], every: bool, options: RenderOptions
) -> Iterator[str]:
    """One line a case, and below it what was said last. `every` tells that closed ones are among them."""
    width = min(max(options.width, _NARROWEST), _WIDEST)
    for line in _table([inert_copy(case) for case in cases], counts, every, width):
        yield paint(line, options.colour) + "\n"


def case_text(case: Case, options: RenderOptions) -> Iterator[str]:
    """The story of one case, everything that was said, and the command that tells more."""
    width = min(max(options.width, _NARROWEST), 100)
    lines = tell(case.incident, msgspec.structs.replace(options, width=width))
    for line in (*lines, *_said(inert_copy(case, 4 * 480), width), *_next(case, width)):
        yield paint(line, options.colour) + "\n"


def cases_json(cases: Sequence[Case]) -> str:
    """`eightysix/cases/v1`: every case with its whole incident and its entries."""
    return indented({"schema": SCHEMA, "cases": list(cases)})


def _table(cases: list[Case], counts: Mapping[CaseState, int], every: bool, width: int) -> Iterator[Line]:
    shown = sum(number for state, number in counts.items() if every or state is not CaseState.CLOSED)
    parts = [
        f"{number} {state}" for state, number in counts.items() if every or state is not CaseState.CLOSED
    ]
    text = f"{count(shown, 'incidents')}: {', '.join(parts)}"
    if not every and counts[CaseState.CLOSED]:
        text += f" · {counts[CaseState.CLOSED]} closed (--all lists them)"
    yield from flow([text], width, ink=Ink.BOLD)
    if not cases:
        return
    yield ()
    ids = _ids([case.incident.id for case in cases])
    id_columns = max(map(columns, ids))
    rules = max(columns(case.incident.rule) for case in cases)
    for case, shown_id in zip(cases, ids, strict=True):
        yield _line(case, shown_id, id_columns, rules, width)
        if case.entries:
            indent: Line = (MARGIN, (" " * (id_columns + 2), Ink.PLAIN))
            yield (*indent, (_entry(case.entries[-1], width - id_columns - 4), Ink.DIM))
    if shown > len(cases):
        rest = f"… and {shown - len(cases)} more (--format json with --limit has all of them)"
        yield from row((MARGIN,), rest, width, Ink.DIM)


def _line(case: Case, shown_id: str, id_columns: int, rules: int, width: int) -> Line:
    incident = case.incident
    when = "  " + clock(case.last_seen)[5:16] if width >= 64 else ""
    room = width - id_columns - 20 - columns(when)
    rule = shorten(incident.rule, min(rules, room // 2))
    where = shorten(owner(incident), room - columns(rule) - 2)
    gap = " " * (room - columns(where) - min(rules, room // 2))
    pad = " " * (min(rules, room // 2) - columns(rule))
    ink = Ink.DIM if case.state is CaseState.CLOSED else VERDICT_INK[incident.verdict]
    return (
        MARGIN,
        (f"{shown_id}{' ' * (id_columns - columns(shown_id))}  ", Ink.PLAIN),
        (f"{incident.verdict:<7}", ink),
        (f" {shorten(str(incident.score), 5):>5}  ", Ink.PLAIN),
        (where + gap + rule + pad, Ink.PLAIN),
        (when, Ink.DIM),
    )


def _ids(ids: Sequence[str]) -> list[str]:
    """The beginning of each id, as long as it must be to name it, and at least 8 characters."""
    ordered = sorted(set(ids))
    needed = dict.fromkeys(ids, _ID)
    for one, other in pairwise(ordered):
        same = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))
        needed[one] = max(needed[one], same + 1)
        needed[other] = max(needed[other], same + 1)
    return [shorten(one[: needed[one]], 20) for one in ids]


def _entry(entry: Entry, room: int) -> str:
    """The last that was said, of its text as much as fits."""
    head = f"{_ACTS[entry.what]} {shorten(entry.who, 24)}, {clock(entry.at)[5:16]}"
    left = room - columns(head) - 2
    return f"{head}: {shorten(entry.text, left)}" if entry.text and left > 8 else shorten(head, room)


def _said(case: Case, width: int) -> Iterator[Line]:
    yield heading(f"case: {case.state}")
    seen = f"first seen {clock(case.first_seen)[:16]}, last seen {clock(case.last_seen)[:16]} UTC"
    yield from row((MARGIN, MARGIN), seen, width, Ink.DIM)
    for entry in case.entries:
        head = f"{_ACTS[entry.what]} {inert(entry.who, 40)}"
        then = f"{clock(entry.at)[:16]} · was {entry.verdict}"
        yield from row((MARGIN, MARGIN), head, width, right=then)
        if entry.text:
            yield from row((MARGIN, MARGIN, MARGIN), entry.text, width, Ink.DIM)
    if not case.entries:
        yield from row(
            (MARGIN, MARGIN), "nobody said anything yet (eightysix incident ack, note, close)", width
        )


def _next(case: Case, width: int) -> Iterator[Line]:
    """Where the taken identities were used afterwards is no part of an incident: the command that tells it."""
    pod = case.incident.pod
    if pod is None or not pod.name:
        return
    name = f"{pod.namespace}/{pod.name}" if pod.namespace else pod.name
    command = shell_line("eightysix", "reconstruct", "<folder with telemetry>", option("--pod", name))
    folded = fold(command, width - 4)
    if not command or any(len(text) > width - 4 for text in folded):
        folded = ["eightysix reconstruct PATH... \\", "    --pod NS/NAME"]
    yield heading("where its identities were used")
    yield from ((MARGIN, MARGIN, (text, Ink.PLAIN)) for text in folded)
