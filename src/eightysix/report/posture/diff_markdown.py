"""What changed between two postures, as Markdown for a pull request: one table, then the ways that are new, folded."""

from __future__ import annotations

from collections.abc import Iterator

from eightysix.model.posturediff import PodChange, PostureDiff
from eightysix.report.posture.diff import counts, identity_words, pod_word, risk_word, ways_by_cause
from eightysix.report.posture.words import reached
from eightysix.report.reconstruction.marking import prose, row, span

__all__ = ["write_markdown"]

_MOST = 50
"""Rows of a table: a comment on GitHub holds 65,536 characters."""

_MOST_WAYS = 10
_MOST_STEPS = 12
_LONGEST = 160


def write_markdown(told: PostureDiff, before: str, after: str) -> Iterator[str]:
    """One piece a line."""
    yield "## What pods reach: before and after\n\n"
    yield f"From {span(before, _LONGEST)} to {span(after, _LONGEST)}\n\n"
    if told == PostureDiff():
        yield "Nothing changed: every pod reaches what it reached.\n"
        return
    yield " · ".join(counts(told)) + "\n"
    if told.pods:
        yield "\n" + row(("Workload", "Risk", "Reaches now", "Reaches no more", "By another way"))
        yield row(("---",) * 5)
        for one in told.pods[:_MOST]:
            yield row(
                (
                    span(pod_word(one), _LONGEST),
                    risk_word(one),
                    _list([way.sink for way in one.gained], one.domains_gained),
                    _list([way.sink for way in one.lost], one.domains_lost),
                    prose(reached(one.rerouted), _LONGEST),
                )
            )
        if len(told.pods) > _MOST:
            yield f"\n… and {len(told.pods) - _MOST:,} more\n"
    yield from _ways(told.pods)
    yield from _rest(told)


def _list(sinks: list[str], domains: tuple[str, ...]) -> str:
    shown = [prose(reached(sinks), 2 * _LONGEST)] if sinks else []
    if domains:
        shown.append(f"credentials of {', '.join(prose(domain) for domain in domains)}")
    return ", ".join(shown) or "–"


def _ways(pods: tuple[PodChange, ...]) -> Iterator[str]:
    found = [
        (pod, ways) for pod in pods for ways in ways_by_cause(pod.gained) if any(way.steps for way in ways)
    ]
    if not found:
        return
    yield f"\n<details><summary>How: {len(found):,} new ways</summary>\n"
    for pod, ways in found[:_MOST_WAYS]:
        sinks = prose(reached([way.sink for way in ways]), _LONGEST)
        yield f"\n**{span(pod_word(pod), _LONGEST)} reaches {sinks}** ({ways[0].severity})\n\n"
        steps, because = ways[0].steps, ways[0].because
        for step in steps[:_MOST_STEPS]:
            yield f"1. {prose(step.text, 2 * _LONGEST)}{' **(new)**' if step in because else ''}\n"
        if len(steps) > _MOST_STEPS:
            yield f"1. … and {len(steps) - _MOST_STEPS} more steps\n"
    if len(found) > _MOST_WAYS:
        yield f"\n… and {len(found) - _MOST_WAYS:,} more\n"
    yield "\n</details>\n"


def _rest(told: PostureDiff) -> Iterator[str]:
    if told.identities:
        yield "\n### Identities\n\n"
        for one in told.identities[:_MOST]:
            sign = "new" if not one.before else "gone" if not one.after else "changed"
            words = "; ".join(prose(word, _LONGEST) for word in identity_words(one))
            yield f"- {sign}: {span(one.name, _LONGEST)} {words}\n"
        if len(told.identities) > _MOST:
            yield f"- … and {len(told.identities) - _MOST:,} more\n"
    for heading, fixes in (("Fixes done", told.fixes_done), ("Fixes wanted now", told.fixes_wanted)):
        if fixes:
            yield f"\n### {heading}\n\n"
            for fix in fixes:
                yield f"- {prose(fix.what, 2 * _LONGEST)}\n"
    for heading, gaps in (
        ("Not seen any more: what seems gone may only be hidden", told.hidden),
        ("Seen now: what seems new may have been there", told.shown),
    ):
        if gaps:
            yield f"\n### {heading}\n\n"
            for gap in gaps[:_MOST]:
                yield f"- {prose(gap.what, _LONGEST)}\n"
