"""What rules would have done on days gone by, as `backtest/v1` writes it: pages by day, what could be judged, what would help."""

from __future__ import annotations

from msgspec import Struct, field

from eightysix.model.incident import Counts, Problem, SourceCoverage
from eightysix.model.words import Verdict

__all__ = [
    "BACKTEST_SCHEMA",
    "Backtest",
    "BaselineProposal",
    "Judged",
    "Page",
    "Proposal",
    "Refusal",
    "RuleNeeds",
    "is_page",
]

BACKTEST_SCHEMA = "eightysix/backtest/v1"


class Page(Struct, frozen=True, order=True):
    """One incident, on the day (UTC) on which its chain was complete: then somebody would have been told.

    `workload` is `namespace/workload`; empty where no record names it. `silenced_by` is the exception that covers it.
    """

    day: str
    rule: str
    workload: str
    incident: str
    verdict: Verdict
    score: int
    pod: str
    silenced_by: str = ""


def is_page(page: Page) -> bool:
    """Whether somebody is woken: `suspect` or `contain`, and no exception covers it. `watch` wakes nobody."""
    return page.verdict is not Verdict.WATCH and not page.silenced_by


class RuleNeeds(Struct, frozen=True):
    """What a rule needed and had. Each need is alternatives joined by `|`; `switch_on` has one entry for each of `missing`."""

    rule: str
    needs: tuple[str, ...]
    had: tuple[str, ...]
    missing: tuple[str, ...] = ()
    switch_on: tuple[str, ...] = ()


class Judged(Struct, frozen=True):
    """One reading of the telemetry: its incidents, and what each rule needed and had."""

    pages: tuple[Page, ...]
    rules: tuple[RuleNeeds, ...]


class Proposal(Struct, frozen=True):
    """An exception that would cover the pages in `incidents` and nothing more; `text` is the file."""

    name: str
    rule: str
    workload: str
    covers: tuple[str, ...]
    incidents: tuple[str, ...]
    text: str


class Refusal(Struct, frozen=True):
    """Pages for which no exception can be written, and the reason."""

    rule: str
    workload: str
    incidents: tuple[str, ...]
    why: str


class BaselineProposal(Struct, frozen=True):
    """What the pods without an incident did. `withheld` pods had one: their behaviour is not learned as normal; of
    `watched` ones it was no more than `watch`. `unnamed` pods are left out because nothing names their workload."""

    workloads: int = 0
    digests: int = 0
    withheld: int = 0
    watched: int = 0
    unnamed: int = 0


class Backtest(Struct, frozen=True):
    """The whole of `backtest/v1`. `before` is what the telemetry gives as things stand, `with_baseline` the same with
    the proposed baseline, `after` with the proposed exceptions on top: each one judged, none computed from another."""

    first: str
    last: str
    days: tuple[str, ...]
    before: Judged
    with_baseline: Judged
    after: Judged
    baseline: BaselineProposal
    exceptions: tuple[Proposal, ...]
    refused: tuple[Refusal, ...]
    sources: tuple[SourceCoverage, ...]
    counts: Counts
    unattributed: int = 0
    flooded: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    activity: dict[str, int] = field(default_factory=dict)
    schema: str = BACKTEST_SCHEMA
