"""A backtest for people: a table of pages by day, rule and workload, what each rule had, what would help, what to do next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from eightysix.model.backtest import Backtest, Judged, Page, Proposal, is_page
from eightysix.model.words import Verdict
from eightysix.report.inert import columns, inert_copy, shorten
from eightysix.report.interface import RenderOptions
from eightysix.report.json_text import indented
from eightysix.report.layout import Ink, Line, flow, measure, paint, row
from eightysix.report.notes import count
from eightysix.report.story import MARGIN, heading

__all__ = ["write_json", "write_plain"]

_NARROWEST, _WIDEST = 40, 100
_DAY_COLUMNS = 6  # ` 11-24`
_TOTAL_COLUMNS = 7
_LABEL_SHARE = 36  # hundredths of the width that names of rules and workloads may take
_WORKLOADS_SHOWN = 6  # of one rule; the others are one row
_PROPOSALS_SHOWN = 12
_UNKNOWN = "workload unknown"
_BEFORE = "before"
_INDENT: Line = (MARGIN, MARGIN)


def write_json(told: Backtest) -> Iterator[str]:
    """`backtest/v1`: the same bytes for the same backtest."""
    yield indented(told)


def write_plain(told: Backtest, options: RenderOptions, written: str = "") -> Iterator[str]:
    """The text, one piece a line; `written` is the folder where the proposals are, empty where they were not written."""
    options = replace(options, width=min(max(options.width, _NARROWEST), _WIDEST))
    for line in _lines(inert_copy(told), options, written):
        yield paint(line, options.colour) + "\n"


def _lines(told: Backtest, options: RenderOptions, written: str) -> Iterator[Line]:
    yield from _read(told, options)
    yield ()
    yield from _pages(told, options)
    yield from _rules(told, options)
    if any(is_page(page) for page in told.before.pages + told.with_baseline.pages):
        yield from _measured(told, options)
        yield from _exceptions(told, options)
        yield from _refused(told, options)
    yield from _next_steps(told, options, written)
    yield from _tally(told, options)


def _read(told: Backtest, options: RenderOptions) -> Iterator[Line]:
    span = f", {told.first[:16]} to {told.last[:16]}".replace("T", " ") + " UTC" if told.first else ""
    yield from flow([f"{count(told.counts.events, 'events')}{span}"], options.width)
    sources = [f"{item.source} {item.records}" for item in told.sources]
    if sources:
        yield from flow([f"from {sources[0]}", *sources[1:]], options.width, ink=Ink.DIM)


# --- the table -------------------------------------------------------------------------------------------------------


class _Table:
    """Columns of days: all that fit, the latest first to stay; what is older is one column."""

    def __init__(self, days: Sequence[str], options: RenderOptions) -> None:
        self.width = options.width
        self.label = max(options.width * _LABEL_SHARE // 100, 16)
        room = (options.width - self.label - _TOTAL_COLUMNS) // _DAY_COLUMNS
        self.older: frozenset[str] = frozenset()
        self.shown = tuple(days)
        if len(days) > room:
            self.shown = tuple(days[-(room - 1) :])
            self.older = frozenset(days[: -(room - 1)])

    def head(self) -> Line:
        names = ([_BEFORE] if self.older else []) + [shorten(day[5:], 5) for day in self.shown]
        cells = "".join(" " * (_DAY_COLUMNS - columns(name)) + name for name in names)
        return (*self._name("pages", Ink.BOLD), (f"{cells}{'total':>{_TOTAL_COLUMNS}}", Ink.DIM))

    def line(self, name: Line, pages: Iterable[Page], ink: Ink = Ink.PLAIN) -> Line:
        by_day = Counter(page.day for page in pages)
        numbers = [by_day[day] for day in self.shown]
        if self.older:
            numbers.insert(0, sum(by_day[day] for day in self.older))
        cells = "".join(f"{_number(number):>{_DAY_COLUMNS}}" for number in numbers)
        total = f"{by_day.total():>{_TOTAL_COLUMNS}}"
        pad = " " * max(self.label - measure(name), 0)
        return (*name, (pad, Ink.PLAIN), (cells, ink), (total, ink))

    def _name(self, text: str, ink: Ink = Ink.PLAIN, indent: int = 1) -> Line:
        margin = "  " * indent
        short = shorten(text, self.label - len(margin))
        return (
            (margin, Ink.PLAIN),
            (short, ink),
            (" " * (self.label - len(margin) - columns(short)), Ink.PLAIN),
        )

    def row(self, text: str, pages: Iterable[Page], ink: Ink = Ink.PLAIN, indent: int = 1) -> Line:
        return self.line(self._name(text, ink, indent), pages, ink)


def _number(number: int) -> str:
    return str(number) if number else "·"


def _pages(told: Backtest, options: RenderOptions) -> Iterator[Line]:
    pages = [page for page in told.before.pages if is_page(page)]
    quiet = [page for page in told.before.pages if page.verdict is Verdict.WATCH and not page.silenced_by]
    silenced = [page for page in told.before.pages if page.silenced_by]
    if not told.before.pages:
        text = "No page: nothing in this telemetry reached a verdict."
        if not told.counts.events:
            text = "Nothing in this input was understood, so nothing could be judged."
        yield from row((), text, options.width)
        yield ()
        return
    table = _Table(told.days, options)
    yield table.head()
    for rule, by_workload in _by_rule(pages):
        yield table.row(rule, [page for same in by_workload.values() for page in same], Ink.BOLD)
        rows = list(by_workload.items())
        hidden = 0 if options.verbose or len(rows) <= _WORKLOADS_SHOWN + 1 else len(rows) - _WORKLOADS_SHOWN
        for workload, same in rows[: len(rows) - hidden]:
            yield table.row(workload or _UNKNOWN, same, indent=2)
        if hidden:
            rest = [page for _, same in rows[-hidden:] for page in same]
            yield table.row(f"… {hidden} more (-v)", rest, Ink.DIM, 2)
    yield table.row("all pages", pages, Ink.BOLD)
    contain = [page for page in pages if page.verdict is Verdict.CONTAIN]
    for text, some in (("contain", contain), ("silenced", silenced), ("watch, wakes nobody", quiet)):
        if some:
            yield table.row(
                text, some, Ink.RED if text == "contain" else Ink.DIM, 2 if text == "contain" else 1
            )
    yield ()


def _by_rule(pages: Sequence[Page]) -> Iterator[tuple[str, dict[str, list[Page]]]]:
    """Pages by rule and workload: the noisiest rule first, and in it the noisiest workload."""
    rules: dict[str, dict[str, list[Page]]] = {}
    for page in pages:
        rules.setdefault(page.rule, {}).setdefault(page.workload, []).append(page)
    totals = {rule: sum(map(len, found.values())) for rule, found in rules.items()}
    for rule in sorted(rules, key=lambda rule: (-totals[rule], rule)):
        found = rules[rule]
        yield rule, {name: found[name] for name in sorted(found, key=lambda name: (-len(found[name]), name))}


# --- what could be judged --------------------------------------------------------------------------------------------


def _rules(told: Backtest, options: RenderOptions) -> Iterator[Line]:
    if not told.before.rules:
        return
    yield heading("what each rule needed and had")
    wide = min(max(columns(rule.rule) for rule in told.before.rules), options.width // 3)
    switch_on: dict[str, None] = {}
    for rule in told.before.rules:
        name = shorten(rule.rule, wide)
        prefix: Line = (*_INDENT, (f"{name}{' ' * (wide - columns(name))}  ", Ink.PLAIN))
        text = "had " + (", ".join(rule.had) or "nothing of it")
        if rule.missing:
            text += f"; lacked {', '.join(rule.missing)}, so it was not judged"
        yield from row(prefix, text, options.width)
        switch_on.update(dict.fromkeys(rule.switch_on))
    for step in switch_on:
        yield from row((*_INDENT, ("→ ", Ink.PLAIN)), step, options.width, Ink.DIM)
    yield ()


# --- what would help -------------------------------------------------------------------------------------------------


def _measured(told: Backtest, options: RenderOptions) -> Iterator[Line]:
    yield heading("pages with the proposals, replayed")
    learned = told.baseline
    baseline = f"with the baseline ({count(learned.workloads, 'workloads')}, {count(learned.digests, 'image digests')})"
    steps = [("as it is", told.before), (baseline, told.with_baseline)]
    if told.exceptions:
        steps.append((f"and with {count(len(told.exceptions), 'exceptions')}", told.after))
    for text, judged in steps:
        yield from row(_INDENT, text, options.width, right=_counted(judged), right_ink=Ink.PLAIN)
    woke = {_owner(page) for page in told.before.pages if is_page(page)}
    added = sum(_owner(page) not in woke for page in told.with_baseline.pages if is_page(page))
    notes = []
    if added:
        notes.append(
            f"{count(added, 'pages')} where there was none: now something counts as new to its workload"
        )
    if learned.withheld:
        watched = f", {learned.watched} of them only watched (--learn-watched)" if learned.watched else ""
        notes.append(
            f"the baseline learned nothing from {count(learned.withheld, 'pods')} with an incident{watched}"
        )
    if learned.unnamed:
        notes.append(f"nor from {count(learned.unnamed, 'pods')} whose workload no record names")
    for text in notes:
        yield from row((*_INDENT, ("- ", Ink.PLAIN)), text, options.width, Ink.DIM)
    yield ()


def _owner(page: Page) -> str:
    """Whose page it is, whatever rule tells it: the pod, or the workload of a rollout."""
    return page.pod or f"{page.workload}:{page.rule}"


def _counted(judged: Judged) -> str:
    pages = [page for page in judged.pages if is_page(page)]
    contain = sum(page.verdict is Verdict.CONTAIN for page in pages)
    return f"{len(pages)} ({contain} contain)" if contain else str(len(pages))


def _exceptions(told: Backtest, options: RenderOptions) -> Iterator[Line]:
    if not told.exceptions:
        return
    yield heading("proposed exceptions")
    shown = told.exceptions if options.verbose else told.exceptions[:_PROPOSALS_SHOWN]
    for proposal in shown:
        yield from row(_INDENT, proposal.name, options.width, right=count(len(proposal.incidents), "pages"))
        yield from row((*_INDENT, MARGIN), _covers(proposal), options.width, Ink.DIM)
    if len(told.exceptions) > len(shown):
        rest = f"… {len(told.exceptions) - len(shown)} more (-v shows them)"
        yield from row(_INDENT, rest, options.width, Ink.DIM)
    yield ()


def _covers(proposal: Proposal) -> str:
    covers = ", ".join(map(_short_digest, proposal.covers))
    return f"{proposal.workload}: {covers} (incident {proposal.incidents[0]})"


def _short_digest(text: str) -> str:
    before, mark, digest = text.partition("@sha256:")
    return f"{before}{mark}{digest[:12]}…" if len(digest) > 12 else text


def _refused(told: Backtest, options: RenderOptions) -> Iterator[Line]:
    if not told.refused:
        return
    yield heading("no exception can be proposed")
    shown = told.refused if options.verbose else told.refused[:_PROPOSALS_SHOWN]
    for refusal in shown:
        who = f"{refusal.rule}, {refusal.workload or _UNKNOWN}"
        yield from row(_INDENT, who, options.width, right=count(len(refusal.incidents), "pages"))
        text = f"{refusal.why} (incident {refusal.incidents[0]})"
        yield from row((*_INDENT, MARGIN), text, options.width, Ink.DIM)
    if len(told.refused) > len(shown):
        rest = f"… {len(told.refused) - len(shown)} more (-v shows them)"
        yield from row(_INDENT, rest, options.width, Ink.DIM)
    yield ()


# --- what to do ------------------------------------------------------------------------------------------------------


def _next_steps(told: Backtest, options: RenderOptions, written: str) -> Iterator[Line]:
    steps = list(_steps(told, written))
    if not steps:
        return
    yield heading("what to do next")
    for number, text in enumerate(steps, 1):
        yield from row((*_INDENT, (f"{number}. ", Ink.PLAIN)), text, options.width)
    yield ()


def _steps(told: Backtest, written: str) -> Iterator[str]:
    contain = [p for p in told.after.pages if is_page(p) and p.verdict is Verdict.CONTAIN]
    if contain:
        yield (
            f"respond to {count(len(contain), 'incidents')} at contain, first {contain[0].incident}: "
            "no exception silences them"
        )
    if told.exceptions:
        yield (
            "look at each incident (eightysix detect tells its story) before you keep its exception: "
            "a breach pages too"
        )
        where = f"move what you keep from {written}/rules.d into your rules.d" if written else ""
        yield where or "have the proposals written: --write-proposals DIR"
    elif told.baseline.workloads and not written and told.before.pages:
        yield "have the baseline written: --write-proposals DIR"
    if written and told.baseline.workloads:
        yield f"try it: eightysix detect --baseline {written}/baseline.json PATH..."
    lacking = [rule.rule for rule in told.with_baseline.rules if rule.missing]
    if lacking:
        yield f"switch on what {', '.join(lacking)} lacked, and run this again: not judged is not quiet"


def _tally(told: Backtest, options: RenderOptions) -> Iterator[Line]:
    before = sum(map(is_page, told.before.pages))
    after = sum(map(is_page, told.after.pages))
    days = count(len(told.days), "days") if told.days else "no day"
    remain = f", {after} with the proposals" if before or after else ""
    counts = told.counts
    unread = {
        f"{counts.malformed} malformed": True,
        f"{counts.oversized} oversized": counts.oversized,
        f"{counts.unrecognised} unrecognised": counts.unrecognised,
        f"{count(told.unattributed, 'events')} of no pod": told.unattributed,
        f"{count(len(told.flooded), 'bounds')} hit": told.flooded,
    }
    parts = [
        f"{count(before, 'pages')} on {days}{remain}",
        *(text for text, wanted in unread.items() if wanted),
    ]
    yield from flow(parts, options.width, ink=Ink.BOLD)
