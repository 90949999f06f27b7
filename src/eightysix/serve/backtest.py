"""The last days replayed: what would have woken whom, and what would remain with a baseline and exceptions.

The telemetry is read twice. The first reading gives the pages as things stand, and a baseline of the pods without an
incident. The second is judged with that baseline; for the pages that remain exceptions are proposed, and its incidents
are compared with them. So what is told to remain was judged, not subtracted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import msgspec

from eightysix.context.baseline import Baseline
from eightysix.context.names import Names
from eightysix.context.pods import is_alias
from eightysix.detect.combine import Case
from eightysix.detect.exceptions import ExceptionRule, IncidentFacts
from eightysix.detect.profile import add_to_baseline
from eightysix.detect.rule import Rule
from eightysix.detect.state import PodState
from eightysix.detect.suppress import facts_of, suppress
from eightysix.model.backtest import (
    Backtest,
    BaselineProposal,
    Judged,
    Page,
    Proposal,
    Refusal,
    RuleNeeds,
    is_page,
)
from eightysix.model.errors import UsageError
from eightysix.model.incident import Incident, RuleCoverage
from eightysix.model.words import Verdict
from eightysix.rules.exceptions import MAX_DAYS, parse_exception, propose
from eightysix.serve.replay import Replay, ReplayOptions

__all__ = ["MAX_DAYS_TOLD", "Backtested", "backtest", "days_between", "learn", "proposals", "tell_pages"]

MAX_DAYS_TOLD = 366
"""Days that are listed one by one between the first and the last page: one record with a forged time makes no million of
them."""

AUTHOR = "nobody yet (eightysix backtest)"
"""Author of a proposal: whoever keeps the file puts a name there."""


@dataclass(frozen=True)
class Backtested:
    """What a backtest found, and the baseline that it proposes."""

    told: Backtest
    baseline: Baseline


def backtest(
    rules: Sequence[Rule],
    options: ReplayOptions,
    paths: Sequence[str],
    *,
    lasting: int = 30,
    learn_watched: bool = False,
) -> Backtested:
    """Read `paths` twice and judge them three times; proposed exceptions last `lasting` days. `learn_watched` says that
    pods at `watch` were looked at, and what they did is normal.

    Raises `NothingToReadError` when no input can be opened.
    """
    first = Replay(rules, replace(options, first_programs=True))
    first.take(paths, None)
    cases = first.engine.cases()
    report = first.account(())
    before = tell_pages(cases, options.exceptions)
    taught = {page.incident for page in before if page.silenced_by or (learn_watched and not _woken(page))}
    baseline, learned = learn(first.engine.resolved(), cases, taught, options.baseline, first.engine.names)
    del first, cases  # the second reading needs as much memory again

    second = Replay(rules, replace(options, baseline=baseline, first_programs=True))
    second.take(paths, None)
    cases = second.engine.cases()
    known = second.account(())
    between = tell_pages(cases, options.exceptions)
    found, refused = proposals(cases, between, lasting, {e.name for e in options.exceptions})
    # Proposals are dated at the last page, and replayed on days before that.
    early = tuple(_dated_back(parse_exception(p.text.encode(), p.name), cases) for p in found)
    after = tell_pages(cases, (*options.exceptions, *early))

    needs = _needs(rules, known.coverage.rules)
    sources = report.coverage.sources
    told = Backtest(
        first=min((source.first for source in sources if source.first), default=""),
        last=max((source.last for source in sources if source.last), default=""),
        days=days_between(page.day for page in before + between),
        before=Judged(before, _needs(rules, report.coverage.rules)),
        with_baseline=Judged(between, needs),
        after=Judged(after, needs),
        baseline=learned,
        exceptions=found,
        refused=refused,
        sources=sources,
        counts=report.counts,
        unattributed=report.coverage.unattributed,
        flooded=report.coverage.flooded,
        problems=report.coverage.problems,
        activity=report.activity,
    )
    return Backtested(told, baseline)


def tell_pages(cases: Sequence[Case], exceptions: Sequence[ExceptionRule]) -> tuple[Page, ...]:
    """Every incident on its day, those that an exception covers marked, in the order of days."""
    pages = []
    for case in cases:
        facts = facts_of(case.chains, case.incident)
        incident = suppress(case.incident, facts, exceptions, case.last_ns)
        pages.append(
            Page(
                day=_day(case.chains[0].complete_ns).isoformat(),
                rule=incident.rule,
                workload=incident.workload,
                incident=incident.id,
                verdict=incident.verdict,
                score=incident.score,
                pod=_pod(incident),
                silenced_by=incident.suppressed_by,
            )
        )
    return tuple(sorted(pages))


def learn(
    states: Sequence[PodState],
    cases: Sequence[Case],
    looked_at: Collection[str],
    known: Baseline | None,
    told_names: Names | None = None,
) -> tuple[Baseline, BaselineProposal]:
    """A baseline of the pods without an incident, or with one that somebody `looked_at`, on top of what was `known`.

    `watch` is no reason to learn from a pod: a breach of which only a part was seen is a `watch`.
    """
    suspected: dict[str, bool] = {}
    for case in cases:
        if case.incident.id not in looked_at:
            for chain in case.chains:
                paged = suspected.get(chain.view.key, False) or case.incident.verdict is not Verdict.WATCH
                suspected[chain.view.key] = paged
    baseline = _copy(known) if known is not None else Baseline()
    withheld = watched = unnamed = 0
    for state in states:
        if state.key in suspected:
            withheld += 1
            watched += not suspected[state.key]
        elif not add_to_baseline(baseline, state, told_names):
            unnamed += not is_alias(state.key)
    digests = sum(len(by_digest) for by_digest in baseline.workloads.values())
    return baseline, BaselineProposal(len(baseline.workloads), digests, withheld, watched, unnamed)


def proposals(
    cases: Sequence[Case], pages: Sequence[Page], lasting: int, taken: set[str]
) -> tuple[tuple[Proposal, ...], tuple[Refusal, ...]]:
    """An exception for each set of facts that woke somebody, and the reason where none can be written.

    `taken` are names of exceptions that are there already.
    """
    woke = {(page.incident, page.rule) for page in pages if is_page(page)}
    groups: dict[IncidentFacts, list[Case]] = {}
    for case in cases:
        if (case.incident.id, case.incident.rule) in woke:
            groups.setdefault(_comparable(facts_of(case.chains, case.incident)), []).append(case)
    today = max((_day(case.last_ns) for same in groups.values() for case in same), default=date.min)
    today = min(today, date.max - timedelta(days=MAX_DAYS))  # a forged time is no reason to fail
    found: list[Proposal] = []
    refused: dict[tuple[str, str, str], list[str]] = {}
    names = set(taken)
    for facts, same in sorted(groups.items(), key=lambda item: _facts_order(item[0])):
        incidents = tuple(sorted(case.incident.id for case in same))
        name = _name(facts, names)
        try:
            text = propose(facts, name=name, reason=_reason(same), author=AUTHOR, today=today, days=lasting)
        except UsageError as error:
            refused.setdefault((facts.rule, facts.workload, error.what), []).extend(incidents)
            continue
        names.add(name)
        exception = parse_exception(text.encode(), name)
        covers = (*(f"{a.kind}:{a}" for a in exception.artifacts), *map(str, exception.destinations))
        found.append(Proposal(name, facts.rule, facts.workload, covers, incidents, text))
    told = (Refusal(rule, workload, tuple(ids), why) for (rule, workload, why), ids in refused.items())
    return tuple(found), tuple(told)


def _woken(page: Page) -> bool:
    return page.verdict is not Verdict.WATCH


def _comparable(facts: IncidentFacts) -> IncidentFacts:
    """Facts without the order in which they happened: two pods that did the same share an exception."""
    return msgspec.structs.replace(
        facts,
        artifacts=tuple(sorted(set(facts.artifacts), key=str)),
        destinations=tuple(sorted(set(facts.destinations), key=str)),
    )


def _facts_order(facts: IncidentFacts) -> tuple[str, str, str, str]:
    return (facts.rule, facts.workload, str(facts.artifacts), str(facts.destinations))


def _reason(same: Sequence[Case]) -> str:
    days = len({_day(case.chains[0].complete_ns) for case in same})
    pages = f"{len(same)} page{'s' * (len(same) > 1)} on {days} day{'s' * (days > 1)}"
    return f"proposed for {pages}; say here why this is harmless"


def _name(facts: IncidentFacts, taken: set[str]) -> str:
    """A name that is free, out of names from the telemetry, which may hold anything."""
    text = f"{facts.rule}-{facts.workload.replace('/', '-')}".lower()
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in text)[:56].strip("-_")
    name, number = plain, 2
    while name in taken:
        name, number = f"{plain}-{number}", number + 1
    return name


def _dated_back(exception: ExceptionRule, cases: Sequence[Case]) -> ExceptionRule:
    """`exception` as if it had been there since the first incident."""
    first = min((_day(case.last_ns) for case in cases), default=exception.created)
    return msgspec.structs.replace(exception, created=min(first, exception.created))


def _needs(rules: Sequence[Rule], coverage: Sequence[RuleCoverage]) -> tuple[RuleNeeds, ...]:
    by_rule: Mapping[str, RuleCoverage] = {told.rule: told for told in coverage}
    needs = []
    for rule in rules:
        wanted = tuple("|".join(need) for need in rule.needs)
        told = by_rule[rule.id]
        had = tuple(need for need in wanted if need not in told.missing)
        needs.append(RuleNeeds(rule.id, wanted, had, told.missing, told.switch_on))
    return tuple(needs)


def days_between(days: Iterable[str]) -> tuple[str, ...]:
    """Every day from the first of `days` to the last; `days` alone where that would be too many."""
    with_pages = sorted(set(days))
    if not with_pages:
        return ()
    first, last = date.fromisoformat(with_pages[0]), date.fromisoformat(with_pages[-1])
    between = (last - first).days
    if between >= MAX_DAYS_TOLD:
        return tuple(with_pages)
    return tuple((first + timedelta(days=number)).isoformat() for number in range(between + 1))


def _day(time_ns: int) -> date:
    return datetime.fromtimestamp(time_ns // 1_000_000_000, UTC).date()


def _pod(incident: Incident) -> str:
    if incident.pod is None:
        return ""
    return f"{incident.pod.namespace}/{incident.pod.name}".strip("/")


def _copy(baseline: Baseline) -> Baseline:
    """A copy that can grow without changing the operator's."""
    return msgspec.convert(msgspec.to_builtins(baseline), type(baseline))
