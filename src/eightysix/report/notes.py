"""What stands around the incidents in the plain format: what was read, what could not be judged, the count."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from eightysix.model.incident import Coverage, Incident, Problem, Report
from eightysix.model.words import Verdict
from eightysix.report.inert import columns, inert, inert_copy, shorten_path
from eightysix.report.interface import RenderOptions
from eightysix.report.layout import Ink, Line, flow, row
from eightysix.report.story import MARGIN, heading

__all__ = ["count", "coverage", "input_read", "quiet", "silenced", "tally"]

_PLACES_SHOWN = 3
_NAMES_SHOWN = 12
_PROBLEM_KINDS = ("unreadable", "malformed", "oversized", "unrecognised")
_KIND_COLUMNS = 12
_COUNTED = ("malformed", "oversized", "unrecognised")


def count(number: int, noun: str) -> str:
    """`number` with `noun` (given as a plural) in the form that fits it: `1 install`, `2 installs`."""
    if number == 1 and noun.endswith("ies"):
        noun = noun[:-3] + "y"
    elif number == 1 and noun.endswith("s"):
        noun = noun[:-1]
    return f"{number} {noun}"


def silenced(incident: Incident) -> bool:
    """Whether an exception took `incident` out of the story; `contain` cannot be silenced."""
    return bool(incident.suppressed_by) and incident.verdict is not Verdict.CONTAIN


def input_read(report: Report, options: RenderOptions) -> Iterator[Line]:
    """The first lines: what was looked at."""
    text = count(report.counts.events, "events") + _span(report.coverage)
    done = [count(number, inert(noun, 40)) for noun, number in report.activity.items()]
    if done:
        yield from flow([f"{text}: {done[0]}", *done[1:]], options.width, separator=", ")
    else:
        yield from flow([text], options.width)
    sources = [f"{inert(item.source, 40)} {item.records}" for item in report.coverage.sources]
    baseline = report.coverage.baseline
    known = [f"baseline {inert(baseline, 40)}"] if baseline not in ("", "none") else []
    if sources:
        yield from flow([f"from {sources[0]}", *sources[1:], *known], options.width, ink=Ink.DIM)


def _span(coverage: Coverage) -> str:
    """How much time the events cover, roughly; nothing where no source says."""
    try:
        first = min(datetime.fromisoformat(item.first) for item in coverage.sources if item.first)
        last = max(datetime.fromisoformat(item.last) for item in coverage.sources if item.last)
        seconds = (last - first).total_seconds()
    except (ValueError, TypeError):
        return ""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f" over {seconds / size:.0f} {unit}"
    return f" over {seconds:.0f} s" if seconds >= 1 else ""


def quiet(report: Report, options: RenderOptions) -> Iterator[Line]:
    """What is said when no chain reached a verdict. It never sounds like an all-clear that it is not."""
    rules = report.coverage.rules
    blind = sum(1 for rule in rules if not rule.evaluable)
    if report.incidents:
        text = "Nothing is left to tell: what reached a verdict is silenced by an exception."
    elif not report.counts.events:
        text = "Nothing in this input was understood, so nothing could be judged."
    elif blind:
        text = (
            f"Nothing reached a verdict, but {blind} of {count(len(rules), 'rules')} could not be judged on this "
            "input: not seen is not clean."
        )
    elif rules:
        every = "the one rule" if len(rules) == 1 else f"all {len(rules)} rules"
        text = f"Nothing reached a verdict; {every} had the telemetry needed."
    else:
        text = "Nothing reached a verdict."
    yield from row((), text, options.width)


def coverage(report: Report, options: RenderOptions) -> Iterator[Line]:
    """What could not be judged, what could not be read, and what else bends the picture."""
    seen = report.coverage
    for section in (_not_evaluable(seen, options), _problems(report, options), _remarks(report, options)):
        lines = list(section)
        if lines:
            yield from lines
            yield ()


def _not_evaluable(seen: Coverage, options: RenderOptions) -> Iterator[Line]:
    blind: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = defaultdict(list)
    for rule in seen.rules:
        if not rule.evaluable:
            blind[(rule.missing, rule.switch_on)].append(rule.rule)
    if not blind:
        return
    yield heading("could not be judged")
    for (missing, switch_on), rules in blind.items():
        verb = "needs" if len(rules) == 1 else "need"
        needs = f" {verb} {' and '.join(_first(missing, options))}" if missing else ""
        yield from row((MARGIN, MARGIN), ", ".join(_first(rules, options)) + needs, options.width)
        for step in _first(switch_on, options):
            yield from row((MARGIN, MARGIN, MARGIN, ("→ ", Ink.PLAIN)), step, options.width, Ink.DIM)


def _first(texts: tuple[str, ...] | list[str], options: RenderOptions) -> list[str]:
    shown = [inert(text) for text in (texts if options.verbose else texts[:_NAMES_SHOWN])]
    hidden = len(texts) - len(shown)
    return [*shown, f"{hidden} more"] if hidden else shown


def _problems(report: Report, options: RenderOptions) -> Iterator[Line]:
    by_kind: dict[str, list[Problem]] = {kind: [] for kind in _PROBLEM_KINDS}
    for problem in report.coverage.problems:
        by_kind.setdefault(problem.kind, []).append(problem)
    totals = {kind: max(_counted(report, kind), len(listed)) for kind, listed in by_kind.items()}
    if not any(totals.values()):
        return
    yield heading("could not be read")
    digits = max(len(str(total)) for total in totals.values())
    kinds = max(len(inert(kind, _KIND_COLUMNS)) for kind, total in totals.items() if total)
    for kind, listed in by_kind.items():
        if totals[kind]:
            label = f"{totals[kind]:>{digits}} {inert(kind, _KIND_COLUMNS):<{kinds}}  "
            yield from _problems_of(label, totals[kind], listed, options)


def _counted(report: Report, kind: str) -> int:
    return int(getattr(report.counts, kind)) if kind in _COUNTED else 0


def _problems_of(label: str, total: int, listed: list[Problem], options: RenderOptions) -> Iterator[Line]:
    """The first places of one kind of problem, under its `label`."""
    indent = " " * columns(label)
    shown = inert_copy(tuple(listed if options.verbose else listed[:_PLACES_SHOWN]))
    room = max((options.width - 4 - columns(label)) // 2, 8)
    places = [_place(item, room) for item in shown]
    wide = max(map(columns, places), default=0)
    for index, (item, place) in enumerate(zip(shown, places, strict=True)):
        place += " " * (wide - columns(place) + 2)
        prefix: Line = (MARGIN, MARGIN, (indent if index else label, Ink.PLAIN), (place, Ink.PLAIN))
        yield from row(prefix, item.reason, options.width, Ink.DIM)
    if not shown:
        yield (MARGIN, MARGIN, (label, Ink.PLAIN))
    elif total > len(shown):
        hint = " (-v shows them)" if len(listed) == total else ""
        prefix = (MARGIN, MARGIN, (indent, Ink.PLAIN))
        yield from row(prefix, f"… {total - len(shown)} more{hint}", options.width, Ink.DIM)


def _place(item: Problem, room: int) -> str:
    line = f":{item.line}" if item.line else ""
    return shorten_path(item.file, max(room - columns(line), 4)) + line


def _remarks(report: Report, options: RenderOptions) -> Iterator[Line]:
    seen = report.coverage
    remarks = []
    if seen.unattributed:
        remarks.append(f"{count(seen.unattributed, 'events')} could not be given to a pod")
    if seen.late:
        remarks.append(f"{count(seen.late, 'events')} came late")
    # NOTE: an incident lists what it misses itself, and so does a rule that needs a baseline.
    said = report.incidents or any("baseline" in rule.missing for rule in seen.rules)
    if seen.baseline == "none" and not said:
        remarks.append("no baseline: what is new to a workload is unknown (eightysix baseline build)")
    remarks += [f"flooded, only a summary was kept: {text}" for text in _first(seen.flooded, options)]
    remarks += [f"suppressed: {text}" for text in _first(seen.suppressed, options)]
    if remarks:
        yield heading("limits")
    for text in remarks:
        yield from row((MARGIN, MARGIN, ("- ", Ink.PLAIN)), text, options.width)


def tally(report: Report, options: RenderOptions) -> Iterator[Line]:
    """The last lines, one where it fits: everything, counted."""
    told = [incident for incident in report.incidents if not silenced(incident)]
    by_verdict = dict.fromkeys(sorted(Verdict, key=lambda verdict: -verdict.rank), 0)
    for incident in told:
        by_verdict[incident.verdict] += 1
    counts, seen = report.counts, report.coverage
    blind = sum(1 for rule in seen.rules if not rule.evaluable)
    suppressed = max(len(report.incidents) - len(told), len(seen.suppressed))
    found = ", ".join(f"{number} {verdict}" for verdict, number in by_verdict.items())
    found += f" ({suppressed} suppressed)" if suppressed else ""
    parts = {
        f"{count(counts.events, 'events')}": True,
        f"{count(len(seen.sources), 'sources')}": True,
        f"{counts.malformed} malformed": True,
        f"{counts.oversized} oversized": counts.oversized,
        f"{counts.unrecognised} unrecognised": counts.unrecognised,
        f"{counts.duplicate} duplicate": counts.duplicate,
        f"{count(blind, 'rules')} not evaluable": blind,
    }
    read = [text for text, wanted in parts.items() if wanted]
    found = f"{count(len(told), 'incidents')}: {found}"
    whole = f"{found} · {', '.join(read)}"
    if columns(whole) <= options.width:
        yield ((whole, Ink.BOLD),)
        return
    yield from flow([found], options.width, ink=Ink.BOLD)
    yield from flow(read, options.width, ink=Ink.BOLD, separator=", ")
