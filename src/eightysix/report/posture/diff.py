"""What changed between two postures, in the plain format and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from eightysix.model.posture import Step
from eightysix.model.posturediff import IdentityChange, PodChange, PostureDiff, Way
from eightysix.report.inert import inert_copy
from eightysix.report.interface import RenderOptions
from eightysix.report.json_text import indented
from eightysix.report.layout import Ink, Line, paint, row
from eightysix.report.posture.words import plural, reached

__all__ = ["as_json", "counts", "identity_words", "pod_word", "risk_word", "ways_by_cause", "write_plain"]

_NARROWEST, _WIDEST = 66, 100
_LIMIT = 2_000
_MOST = 20
_WEIGHT = {"high": 3, "medium": 2, "low": 1}
_MARGIN: Line = (("  ", Ink.PLAIN),)


def as_json(told: PostureDiff, before: str, after: str) -> str:
    """Everything, the same bytes for the same change."""
    document = {"schema": told.schema, "before": before, "after": after}
    rest = msgspec.to_builtins(told)
    rest.pop("schema")
    for pod in rest["pods"]:
        for way in (*pod["gained"], *pod["lost"]):
            for step in (*way["steps"], *way["because"]):
                step["evidence"] = [{"object": one, "path": path} for one, path in step["evidence"]]
    return indented({**document, **rest})


def counts(told: PostureDiff) -> list[str]:
    """What changed, in numbers."""
    grew = sum(1 for one in told.pods if _grew(one))
    shrank = sum(1 for one in told.pods if _shrank(one))
    new = sum(1 for one in told.identities if not one.before)
    gone = sum(1 for one in told.identities if not one.after)
    found = [
        f"{plural(grew, 'workload')} {'reaches' if grew == 1 else 'reach'} more",
        f"{plural(shrank, 'workload')} {'reaches' if shrank == 1 else 'reach'} less",
    ]
    if new:
        found.append(f"{plural(new, 'new identity')}".replace("identitys", "identities"))
    if gone:
        found.append(f"{plural(gone, 'identity')} gone".replace("identitys", "identities"))
    if told.fixes_done:
        found.append(f"{plural(len(told.fixes_done), 'fix')} done".replace("fixs", "fixes"))
    return found


def _grew(one: PodChange) -> bool:
    return bool(one.gained or one.domains_gained or one.risk_after > one.risk_before)


def _shrank(one: PodChange) -> bool:
    return bool(one.lost or one.domains_lost or one.risk_after < one.risk_before)


def pod_word(one: PodChange) -> str:
    """What people call it, and whether it came or went."""
    state = " (new)" if one.before is None else " (gone)" if one.after is None else ""
    return f"{one.namespace}/{one.name}{state}"


def risk_word(one: PodChange) -> str:
    """Its risk before and after."""
    if one.before is None:
        return f"{one.risk_after:.1f}"
    if one.after is None:
        return f"{one.risk_before:.1f}"
    if one.risk_before == one.risk_after:
        return f"{one.risk_after:.1f}"
    return f"{one.risk_before:.1f} → {one.risk_after:.1f}"


def write_plain(told: PostureDiff, before: str, after: str, options: RenderOptions) -> Iterator[str]:
    """One piece a line."""
    width = min(max(options.width, _NARROWEST), _WIDEST)
    options = msgspec.structs.replace(options, width=width)
    before, after = inert_copy(before, 200), inert_copy(after, 200)
    for line in _lines(inert_copy(told, _LIMIT), before, after, options):
        yield paint(line, options.colour) + "\n"


def _lines(told: PostureDiff, before: str, after: str, options: RenderOptions) -> Iterator[Line]:
    yield from row((), f"From {before} to {after}", options.width, Ink.BOLD)
    if told == PostureDiff():
        yield from row((), "Nothing changed: every pod reaches what it reached.", options.width)
        return
    yield from row((), " · ".join(counts(told)), options.width, Ink.DIM)
    grew = [one for one in told.pods if _grew(one)]
    shrank = [one for one in told.pods if _shrank(one) and not _grew(one)]
    other = [one for one in told.pods if not _grew(one) and not _shrank(one)]
    for heading, pods in (("REACHES MORE", grew), ("REACHES LESS", shrank), ("ANOTHER WAY", other)):
        if pods:
            yield ()
            yield ((heading, Ink.BOLD),)
            yield from _pods(pods, options)
    yield from _identities(told.identities, options)
    yield from _rest(told, options)


def _pods(pods: list[PodChange], options: RenderOptions) -> Iterator[Line]:
    shown = pods if options.verbose else pods[:_MOST]
    for one in shown:
        yield from row(_MARGIN, pod_word(one), options.width, Ink.BOLD, f"risk {risk_word(one)}")
        for sign, ink, ways in (("+", Ink.RED, one.gained), ("-", Ink.CYAN, one.lost)):
            for alike in ways_by_cause(ways):
                yield from _ways(sign, ink, alike, options)
        if one.rerouted:
            told = f"{reached(one.rerouted)}, by another way"
            yield from row((("    ~ ", Ink.DIM),), told, options.width, Ink.DIM)
        for sign, domains in (("+", one.domains_gained), ("-", one.domains_lost)):
            if domains:
                told = f"credentials of {', '.join(domains)}"
                yield from row(((f"    {sign} ", Ink.PLAIN),), told, options.width)
    if len(pods) > len(shown):
        yield from row(
            _MARGIN, f"… and {plural(len(pods) - len(shown), 'workload')} more (-v)", options.width, Ink.DIM
        )


def ways_by_cause(ways: Iterable[Way]) -> list[tuple[Way, ...]]:
    """Ways that come or go by the same steps, together, in the order of the first of each."""
    found: dict[tuple[Step, ...], list[Way]] = {}
    for way in sorted(ways, key=lambda one: (-_WEIGHT[one.severity], one.sink)):
        found.setdefault(way.because, []).append(way)
    return [tuple(one) for one in found.values()]


def _ways(sign: str, ink: Ink, ways: Sequence[Way], options: RenderOptions) -> Iterator[Line]:
    yield from row(((f"    {sign} ", ink),), reached([way.sink for way in ways]), options.width)
    first = ways[0]
    shown = first.steps if options.verbose else first.because[:3]
    for step in shown:
        yield from row(((" " * 8, Ink.PLAIN),), step.text, options.width, Ink.DIM)
    if not options.verbose and len(first.because) > len(shown):
        more = plural(len(first.because) - len(shown), "step")
        yield from row(((" " * 8, Ink.PLAIN),), f"… and {more} more (-v)", options.width, Ink.DIM)


def _identities(found: tuple[IdentityChange, ...], options: RenderOptions) -> Iterator[Line]:
    if not found:
        return
    yield ()
    yield (("IDENTITIES", Ink.BOLD),)
    shown = found if options.verbose else found[:_MOST]
    for one in shown:
        sign = "+" if not one.before else "-" if not one.after else "~"
        yield from row(
            ((f"  {sign} ", Ink.PLAIN),), ", ".join([one.name, *identity_words(one)]), options.width
        )
    if len(found) > len(shown):
        yield from row(_MARGIN, f"… and {len(found) - len(shown):,} more (-v)", options.width, Ink.DIM)


def identity_words(one: IdentityChange) -> list[str]:
    """What changed of an identity."""
    told = [one.kind.replace("-", " ")]
    told += [f"holds now {role}" for role in one.roles_gained]
    told += [f"holds no more {role}" for role in one.roles_lost]
    for what, pods in (("reached by", one.reached_gained), ("no more reached by", one.reached_lost)):
        if pods:
            names = ", ".join(pod.removeprefix("pod:") for pod in pods[:3])
            told.append(f"{what} {names}" + (f" and {len(pods) - 3} more" if len(pods) > 3 else ""))
    if one.before and one.after and one.unused_before != one.unused_after:
        told.append({True: "unused now", False: "in use now", None: "use now unknown"}[one.unused_after])
    return told


def _rest(told: PostureDiff, options: RenderOptions) -> Iterator[Line]:
    for heading, fixes in (("FIXES DONE", told.fixes_done), ("FIXES WANTED NOW", told.fixes_wanted)):
        if fixes:
            yield ()
            yield ((heading, Ink.BOLD),)
            for fix in fixes:
                yield from row(
                    (("  ✓ " if heading == "FIXES DONE" else "  ✗ ", Ink.PLAIN),), fix.what, options.width
                )
    if told.hidden:
        yield ()
        yield from row(
            (("NOT SEEN ANY MORE  ", Ink.BOLD),), "what seems gone may only be hidden", options.width, Ink.DIM
        )
        for one in told.hidden:
            yield from row((("  ? ", Ink.YELLOW),), f"{one.what}: {one.why}", options.width)
    if told.shown:
        yield ()
        yield from row(
            (("SEEN NOW  ", Ink.BOLD),), "what seems new may have been there", options.width, Ink.DIM
        )
        for one in told.shown:
            yield from row((("  ! ", Ink.PLAIN),), one.what, options.width)
