"""The plain format: which pods reach what, which identities nobody uses, which changes gain the most. 80 columns.

The first screen answers all three; what could not be seen comes last. Names are inert; without colour nothing is lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from eightysix.model.posture import Architectural, Fix, IdentityUse, PodReach, Posture
from eightysix.report.inert import columns, inert, inert_copy, shorten_path
from eightysix.report.interface import RenderOptions
from eightysix.report.layout import Ink, Line, flow, measure, paint, row
from eightysix.report.posture.past import past_lines
from eightysix.report.posture.words import plural, reached, sink_word, summary, workload

__all__ = ["FORMAT", "PlainFormat"]

_NARROWEST, _WIDEST = 66, 100
_LIMIT = 2_000
_PODS = 8
_IDENTITIES = 5
_POOLS = 3
_NOT_SEEN = 6
_COMMAND = 240
"""Columns of a command or patch before its middle is left out; JSON has all of it."""

_NAME = 34
_HIGH, _MIDDLE = 8.0, 4.0
_MARGIN: Line = (("  ", Ink.PLAIN),)
_LETTERS = (("cluster", "K"), ("delivery", "D"), ("cloud", "C"), ("llm", "L"))


class PlainFormat:
    """Plain text, laid out for at least 66 columns and at most 100."""

    name = "plain"

    def write(self, posture: Posture, options: RenderOptions) -> Iterator[str]:
        """One piece a line."""
        options = replace(options, width=min(max(options.width, _NARROWEST), _WIDEST))
        past = replace(posture.past, edges=())
        shown = replace(posture, edges=(), vertices=(), paths=(), cuts=(), places=(), past=past)
        counted = [inert(one) for one in summary(posture)]
        for line in _lines(inert_copy(shown, _LIMIT), counted, options):
            yield paint(line, options.colour) + "\n"


FORMAT = PlainFormat()


def _lines(posture: Posture, counted: Sequence[str], options: RenderOptions) -> Iterator[Line]:
    yield from row(
        (),
        f"Posture of {posture.cluster}" if posture.cluster else "Posture",
        options.width,
        Ink.BOLD,
        posture.taken_at,
    )
    yield from flow(counted, options.width, ink=Ink.DIM)
    yield from _reach(posture.pods, posture.rules, options)
    yield ()
    yield from _pods(posture.pods, posture.architectural, options)
    yield from _identities(posture.identities, options)
    yield from _fixes(posture.fixes, posture, options)
    yield from past_lines(posture.past, options)
    yield from _not_seen(posture, options)


def _reach(pods: Sequence[PodReach], rules: str, options: RenderOptions) -> Iterator[Line]:
    """How many pods reach each kind of sink."""
    counts: Counter[str] = Counter()
    order: dict[str, None] = {}
    for pod in pods:
        for family in dict.fromkeys(sink.partition("/")[0] for sink in pod.sinks):
            counts[family] += max(pod.pods, 1)
            order[family] = None
    if not counts:
        text = "No pod reaches anything that matters, as far as is seen."
        if not pods:
            text = "No pod and no workload was read, so nothing can be said of what one reaches."
        elif rules != "default":
            text = f"The rules of {rules} know nothing that is worth reaching; --format json has their edges."
        yield from row((), text, options.width)
        return
    told = [
        f"{counts[family]:,} reach{'es' if counts[family] == 1 else ''} {sink_word(family)}".replace(
            "all of ", "all of a "
        )
        for family in order
    ]
    yield from flow(told, options.width)


def _pods(pods: Sequence[PodReach], pools: Sequence[Architectural], options: RenderOptions) -> Iterator[Line]:
    shown = [pod for pod in pods if pod.sinks and not pod.architectural]
    needed = [pod for pod in pods if pod.architectural]
    quiet = len(pods) - len(shown) - len(needed)
    if shown:
        yield from _heading("which pods", "the worst first", options)
        yield (("  risk  pods  " + "workload".ljust(_NAME) + "  holds  reaches", Ink.DIM),)
    for pod in shown if options.verbose else shown[:_PODS]:
        yield from _pod(pod, options)
    if not options.verbose and len(shown) > _PODS:
        yield from row(
            (), f"  … and {plural(len(shown) - _PODS, 'workload')} more (-v)", options.width, Ink.DIM
        )
    yield from _pools(pools, options)
    if quiet and (shown or needed):
        rest = f"{plural(quiet, 'more workload')}: nothing known within reach."
        yield from row(_MARGIN, rest, options.width, Ink.DIM)
    if shown or needed:
        yield from row(
            _MARGIN,
            "holds: credentials of K the cluster, D delivery, C the cloud, L models",
            options.width,
            Ink.DIM,
        )
        yield ()


def _pools(pools: Sequence[Architectural], options: RenderOptions) -> Iterator[Line]:
    """Once for each node pool: no fix takes away what its GPUs need, so what its nodes hold is told."""
    for pool in pools if options.verbose else pools[:_POOLS]:
        where = f"node pool {pool.pool}" if pool.pool else "a node pool that nobody named"
        nodes = f" ({plural(len(pool.nodes), 'node')})" if pool.nodes else ""
        held = []
        if pool.identities:
            held.append(
                plural(len(pool.identities), "identity").replace("identitys", "identities") + " of the cloud"
            )
        if pool.pods:
            others = plural(len(pool.neighbours), "other workload")
            held.append(f"what {plural(pool.pods, 'pod')} of {others} there hold")
        further = [sink for sink in pool.sinks if sink.partition("/")[0] != "sink:node"]
        what = (
            f"{plural(len(pool.operands), 'workload')} of {where}{nodes} must be privileged for its GPUs: whoever breaks into"
            " one is root on its node"
        )
        what += f", with {' and '.join(held)}" if held else ""
        what += f", and reaches {reached(further)}." if further else "."
        yield from row((("  architectural  ", Ink.BLUE),), what, options.width)
    if not options.verbose and len(pools) > _POOLS:
        yield from row(
            _MARGIN, f"… and {plural(len(pools) - _POOLS, 'node pool')} more (-v)", options.width, Ink.DIM
        )
    if pools:
        advice = "No fix changes that: keep identities and other pods off such nodes."
        yield from row(((" " * 17, Ink.PLAIN),), advice, options.width, Ink.DIM)


def _heading(what: str, rest: str, options: RenderOptions) -> Iterator[Line]:
    yield from row(((f"{what.upper()}  ", Ink.BOLD),), rest, options.width, Ink.DIM)


def _pod(pod: PodReach, options: RenderOptions) -> Iterator[Line]:
    ink = Ink.RED if pod.risk >= _HIGH else Ink.YELLOW if pod.risk >= _MIDDLE else Ink.PLAIN
    held = "".join(letter if domain in pod.domains else "·" for domain, letter in _LETTERS)
    name = shorten_path(workload(pod), _NAME)
    prefix: Line = (
        (f"{pod.risk:6.1f}", ink),
        (f"{max(pod.pods, 0):6,}  ", Ink.PLAIN),
        (name + " " * (_NAME - columns(name)), Ink.BOLD),
        (f"  {held}   ", Ink.PLAIN),
    )
    yield from row(prefix, reached(pod.sinks), options.width)
    if options.verbose:
        for reason in pod.why:
            yield from row(((" " * 8, Ink.PLAIN),), reason, options.width, Ink.DIM)


def _identities(found: Sequence[IdentityUse], options: RenderOptions) -> Iterator[Line]:
    """Those that nobody uses and a pod can reach come first: removing one costs nothing."""
    if not found:
        return
    unused = [one for one in found if one.unused and one.pods]
    unknown = [one for one in found if one.unused is None and one.pods and one.roles]
    idle = sum(1 for one in found if one.unused and not one.pods)
    yield from _heading(
        "which identities", "unused ones that a pod reaches first: removal costs nothing", options
    )
    told = [*unused, *unknown]
    for one in told if options.verbose else told[:_IDENTITIES]:
        yield from _identity(one, options)
    if not options.verbose and len(told) > _IDENTITIES:
        yield from row(_MARGIN, f"… and {len(told) - _IDENTITIES:,} more (-v)", options.width, Ink.DIM)
    if not unused:
        why = "none is known to be unused"
        if unknown:
            short = any(one.since for one in unknown)
            why += (
                ": the logs do not reach back far enough"
                if short
                else ": no records of sign-ins and audit were given"
            )
        yield from row(_MARGIN, why, options.width, Ink.DIM)
    if idle:
        yield from row(_MARGIN, f"{idle:,} more are unused, and no pod reaches them", options.width, Ink.DIM)
    yield ()


def _identity(one: IdentityUse, options: RenderOptions) -> Iterator[Line]:
    state, ink = ("unused", Ink.YELLOW) if one.unused else ("unknown", Ink.BLUE)
    name = shorten_path(one.name, _NAME)
    prefix: Line = (
        (f"  {state:<8}", ink),
        (f"{one.pods:>4,}  ", Ink.PLAIN),
        (name + " " * (_NAME - columns(name)), Ink.BOLD),
        ("  ", Ink.PLAIN),
    )
    told = [one.kind.replace("-", " "), plural(len(one.roles), "role")]
    if one.last_used:
        told.append(f"last {one.last_used[:10]}" + (f" by {one.used_by[0]}" if len(one.used_by) == 1 else ""))
    elif one.since:
        told.append(f"never since {one.since[:10]}")
    yield from row(prefix, ", ".join(told), options.width)
    if options.verbose:
        for role in one.roles:
            yield from row(((" " * 16, Ink.PLAIN),), role, options.width, Ink.DIM)


def _fixes(fixes: Sequence[Fix], posture: Posture, options: RenderOptions) -> Iterator[Line]:
    if not fixes:
        if any(pod.sinks for pod in posture.pods):
            yield from row((), "No single change takes a way from many pods.", options.width, Ink.DIM)
            yield ()
        return
    yield from _heading(
        "which fixes" if len(fixes) > 1 else "which fix", "each counted after the ones before it", options
    )
    for fix in fixes:
        prefix: Line = ((f"{fix.order:3}  ", Ink.BOLD),)
        yield from row(prefix, fix.what if options.verbose else _begin(fix.what), options.width)
        indent: Line = ((" " * measure(prefix), Ink.PLAIN),)
        yield from row(indent, fix.why, options.width, Ink.DIM)
        for text, sign in ((fix.command, "$ "), ("" if fix.command else fix.patch, "patch ")):
            lines = text.split("\\n") if text else []
            for line in lines if options.verbose else lines[:1]:
                shown = line if options.verbose else _begin(line)
                yield from row((*indent, (sign, Ink.DIM)), shown, options.width, Ink.CYAN)
            if not options.verbose and len(lines) > 1:
                yield from row(indent, f"… and {len(lines) - 1} more (-v)", options.width, Ink.DIM)
    yield ()


def _begin(text: str) -> str:
    """The beginning of a long text: what is done says more than to what else."""
    return text if columns(text) <= _COMMAND else f"{text[: _COMMAND - 1]}…"


def _not_seen(posture: Posture, options: RenderOptions) -> Iterator[Line]:
    found = posture.not_seen
    if not found:
        return
    yield from _heading("not seen", "what that leaves unknown, and what closes it", options)
    for one in found if options.verbose else found[:_NOT_SEEN]:
        yield from row((("  ", Ink.PLAIN), ("? ", Ink.YELLOW)), f"{one.what}: {one.why}", options.width)
        if one.close:
            yield from row(((" " * 4, Ink.PLAIN), ("→ ", Ink.DIM)), one.close, options.width, Ink.DIM)
    if not options.verbose and len(found) > _NOT_SEEN:
        yield from row(_MARGIN, f"… and {len(found) - _NOT_SEEN} more (-v)", options.width, Ink.DIM)
