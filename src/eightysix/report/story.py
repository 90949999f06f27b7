"""One incident as a story for the plain format: what happened, why it counts, what nobody saw, what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from eightysix.model.incident import Evidence, Identity, Incident, Reason, StageEntry
from eightysix.model.words import IdentityState, Origin, Source, Verdict
from eightysix.report.inert import LIMIT, columns, inert_copy, shorten, shorten_path, wrap
from eightysix.report.interface import RenderOptions
from eightysix.report.layout import Ink, Line, Span, flow, measure, row
from eightysix.report.reach import collected, holds, worst

__all__ = [
    "MARGIN",
    "VERDICT_INK",
    "clock",
    "heading",
    "offset",
    "one_line",
    "owner",
    "short_digest",
    "some",
    "tell",
    "why",
]

MARGIN: Span = ("  ", Ink.PLAIN)
VERDICT_INK = {Verdict.CONTAIN: Ink.RED, Verdict.SUSPECT: Ink.YELLOW, Verdict.WATCH: Ink.BLUE}

_STEPS_SHOWN = (12, 8)  # first and last of a long timeline: the landing and the leaving matter most
_ITEMS_SHOWN = 12
_WIDE_ENOUGH_FOR_TIME = 64
_PROCESS_COLUMNS = 40
_PATH_COLUMNS = 32
_PROOF_COLUMNS = 30
_PROOF_COLUMNS_NARROW = 21
_SYSTEM_FOLDERS = ("/usr/", "/bin/", "/sbin/", "/opt/")
_SPEAKS_FOR: Mapping[Origin, tuple[str, ...]] = {
    Origin.KERNEL: (Source.TETRAGON, Source.FALCO),
    Origin.CONTROL_PLANE: (Source.KUBERNETES_AUDIT,),
    Origin.SUSPECT: (Source.SENSOR,),
    Origin.PROVIDER: (),
}
_BY_STATE = {IdentityState.USED: 0, IdentityState.TAKEN: 1, IdentityState.EXPOSED: 2}
_KIND_WORDS = {"environment": "environment variable"}

T = TypeVar("T")
BLANK: Line = ()


def tell(incident: Incident, options: RenderOptions) -> Iterator[Line]:
    """The whole story of `incident`. Long lists show their start unless `options.verbose`."""
    incident = inert_copy(incident)
    yield from _header(incident, options)
    yield BLANK
    yield from _timeline(incident, options)
    yield from _identities(incident, options)
    yield from _reach(incident, options)
    yield from why(incident.why, options)
    yield from _list("could not be seen", incident.gaps, options, "-")
    yield from _list("what to do next", incident.next_steps, options, "")


def one_line(incident: Incident, rule_columns: int, options: RenderOptions) -> Line:
    """`incident` as one line of a table; its rule id takes `rule_columns` where the width allows that."""
    incident = inert_copy(incident)
    note = "  " + clock(incident.t0)[:16]
    if incident.suppressed_by:
        note = "  " + shorten(incident.suppressed_by, options.width // 3)
    elif options.width < _WIDE_ENOUGH_FOR_TIME:
        note = ""
    room = options.width - 18 - columns(note)
    rule_columns = min(rule_columns, room // 2 - 1)
    rule = shorten(incident.rule, rule_columns)
    pod = shorten(owner(incident), room - rule_columns - 2)
    rule = " " * (room - rule_columns - columns(pod)) + rule + " " * (rule_columns - columns(rule))
    return (
        MARGIN,
        (f"{incident.verdict:<9}", VERDICT_INK[incident.verdict]),
        (f"{shorten(str(incident.score), 5):>5}  ", Ink.PLAIN),
        (pod + rule, Ink.PLAIN),
        (note, Ink.DIM),
    )


def heading(text: str) -> Line:
    """The line over a section."""
    return (MARGIN, (text, Ink.BOLD))


def clock(moment: str) -> str:
    """RFC 3339 `moment` as a person writes it, in UTC to the millisecond; as it is where it is no time."""
    try:
        parsed = datetime.fromisoformat(moment).astimezone(UTC)
    except (ValueError, OverflowError):
        return moment
    return parsed.strftime("%Y-%m-%d %H:%M:%S.") + f"{parsed.microsecond // 1000:03d}"


def owner(incident: Incident) -> str:
    """Who the chain belongs to, in as few words as name it."""
    pod = incident.pod
    if pod is None:
        return f"rollout of {incident.workload}" if incident.workload else "no single pod"
    if pod.name:
        return f"{pod.namespace}/{pod.name}" if pod.namespace else pod.name
    return f"unknown pod on {pod.node}" if pod.node else "unknown pod"


def _header(incident: Incident, options: RenderOptions) -> Iterator[Line]:
    name = f"{incident.verdict}[{shorten(incident.rule, options.width // 2)}]:"
    title = wrap(incident.title or incident.rule, options.width - 2)
    head = (name, VERDICT_INK[incident.verdict])
    if columns(name) + 1 + columns(title[0]) <= options.width and len(title) == 1:
        yield (head, (f" {title[0]}", Ink.BOLD))
    else:
        yield (head,)
        yield from ((MARGIN, (piece, Ink.BOLD)) for piece in title)
    pod = incident.pod
    who = owner(incident) if pod is None or not pod.name else f"pod {owner(incident)}"
    yield from flow([who, f"score {incident.score}"], options.width, 2)
    facts = (
        f"workload {incident.workload}" if incident.workload and pod else "",
        f"node {pod.node}" if pod and pod.node and pod.name else "",
        f"cluster {pod.cluster}" if pod and pod.cluster else "",
        f"image {short_digest(incident.image)}" if incident.image else "",
        f"T0 {clock(incident.t0)} UTC" if incident.t0 else "",
        f"incident {incident.id}",
        f"revision {incident.revision}" if options.verbose else "",
        f"also {', '.join(incident.aliases)}" if options.verbose and incident.aliases else "",
    )
    longest = LIMIT if options.verbose else options.width - 2
    yield from flow([shorten(fact, longest) for fact in facts], options.width, 2, Ink.DIM)
    if incident.suppressed_by:
        yield from row(
            (MARGIN,), f"exception {incident.suppressed_by} matches and cannot silence it", options.width
        )


def short_digest(image: str) -> str:
    """`image` with as much of its digest as tells it from others."""
    before, mark, digest = image.partition("@sha256:")
    return f"{before}{mark}{digest[:12]}{'…' if len(digest) > 12 else ''}"


def _timeline(incident: Incident, options: RenderOptions) -> Iterator[Line]:
    steps = sorted(incident.stages, key=lambda step: step.offset_s)
    first, last = _STEPS_SHOWN
    hidden = 0 if options.verbose else max(len(steps) - first - last, 0)
    shown = steps[:first] + steps[first + hidden :]
    if not shown:
        return
    wide = max(len(offset(step.offset_s)) for step in shown)
    proofs = _proofs([_lead_first(step) for step in shown], _proof_columns(options.width))
    for index, (step, proof) in enumerate(zip(shown, proofs, strict=True)):
        if hidden and index == first:
            indent = (" " * (wide + 4), Ink.PLAIN)
            yield from row((indent,), f"… {hidden} more steps (-v shows them)", options.width, Ink.DIM)
        above = shown[index - 1].process if index and not (hidden and index == first) else None
        told = above == step.process
        yield from _step(step, wide, proof, told, options)
    yield BLANK


def offset(seconds: float) -> str:
    """Seconds since T0 as a person reads them: `T+85.7`."""
    if not abs(seconds) < 1e7:  # also what is not a number
        return f"T{seconds:+.2g}"
    return f"T{round(seconds, 1) + 0.0:+.1f}"


def _step(step: StageEntry, wide: int, proof: str, told: bool, options: RenderOptions) -> Iterator[Line]:
    """Two lines: what happened and how sure that is; who did it to what, and the proof.

    Who did it is left out where the line above `told` it and there is something else to say.
    """
    prefix: Line = (
        MARGIN,
        (f"{offset(step.offset_s):>{wide}}  ", Ink.PLAIN),
        (f"{step.stage:<5}  ", Ink.CYAN),
    )
    indent: Line = ((" " * measure(prefix), Ink.PLAIN),)
    yield from row(prefix, step.title, options.width, right=f"{step.grade} {step.origin}")
    if options.verbose:
        facts = (_actor(step.process, step.destination), _account(step.identity), step.signal)
        places = [_place(item.file or item.source, item.line) for item in step.evidence]
        for text in filter(None, (" · ".join(filter(None, facts)), *places)):
            yield from row(indent, text, options.width, Ink.DIM)
        return
    identity = _account(step.identity)
    process = "" if told and (step.destination or identity) else _short_process(step.process)
    actor = _actor(process, _short_destination(step.destination))
    yield from _detail(indent, actor, identity, proof, options.width)


def _detail(indent: Line, actor: str, identity: str, proof: str, width: int) -> Iterator[Line]:
    """The second line of a step. The identity gives way first (it is listed below), then the proof moves down."""
    full = " · ".join(filter(None, (actor, identity)))
    actor = actor or full
    room = width - measure(indent)
    beside = room - columns(proof) - 2
    if actor and columns(proof) <= room // 2 and columns(actor) <= beside:
        text = full if columns(full) <= beside else actor
        yield from row(indent, text, width, Ink.DIM, right=proof)
        return
    if actor:
        yield from row(indent, full if columns(full) <= room else actor, width, Ink.DIM)
    if proof:
        yield from row(indent, "", width, right=proof)


def _actor(process: str, destination: str) -> str:
    return f"{process} → {destination}".strip(" ") if destination else process


def _account(identity: str) -> str:
    """The API's long name of a service account in the form `namespace/name`."""
    short = identity.removeprefix("system:serviceaccount:")
    return identity if short == identity else short.replace(":", "/", 1)


def _short_process(process: str) -> str:
    """A program in a system directory by its name alone; the path of any other place says something."""
    if " " in process:
        return shorten(process, 2 * _PROCESS_COLUMNS)
    folder, _, name = process.rpartition("/")
    usual = (
        process.startswith(_SYSTEM_FOLDERS) and folder.endswith(("/bin", "/sbin")) and "/../" not in process
    )
    return name if usual and name else shorten_path(process, _PROCESS_COLUMNS)


def _short_destination(destination: str) -> str:
    """Of a path the end, which says what it is; of anything else all."""
    return shorten_path(destination, _PATH_COLUMNS) if destination.startswith("/") else destination


def _lead_first(step: StageEntry) -> tuple[Evidence, ...]:
    """The step's evidence, beginning with the source that its origin speaks of."""
    sources = _SPEAKS_FOR[step.origin]
    return tuple(sorted(step.evidence, key=lambda item: item.source not in sources))


def _proofs(evidence: Sequence[tuple[Evidence, ...]], room: int) -> list[str]:
    """Where each step can be read up: its first place and how many more; paths shortened alike to fit `room`."""
    files = {places[0].file or places[0].source for places in evidence if places}
    for keep in (99, 2, 1):
        short = {file: _last_parts(file, keep) for file in files}
        proofs = [_proof(places, short) for places in evidence]
        if len(set(short.values())) == len(files) and all(columns(proof) <= room for proof in proofs):
            return proofs
    return [shorten_path(_proof(places, {file: file for file in files}), room) for places in evidence]


def _proof_columns(width: int) -> int:
    return min(max(width * 3 // 8, _PROOF_COLUMNS_NARROW), _PROOF_COLUMNS)


def _last_parts(file: str, keep: int) -> str:
    parts = file.split("/")
    if len(parts) <= keep:
        return file
    return ("" if keep == 1 else "…/") + "/".join(parts[-keep:])


def _proof(places: tuple[Evidence, ...], short: Mapping[str, str]) -> str:
    if not places:
        return ""
    more = f" +{len(places) - 1}" if len(places) > 1 else ""
    return _place(short[places[0].file or places[0].source], places[0].line) + more


def _place(file: str, line: int) -> str:
    return f"{file}:{line}" if line else file


def _identities(incident: Incident, options: RenderOptions) -> Iterator[Line]:
    identities = sorted(incident.identities, key=lambda item: _BY_STATE[item.state])
    if not identities:
        return
    yield heading("identities")
    shown, more = some(identities, options)
    for item in shown:
        prefix: Line = (MARGIN, MARGIN, (f"{item.state:<9}", Ink.PLAIN))
        yield from row(prefix, _name(item), options.width, right=item.domain)
    yield from more
    yield BLANK


def _reach(incident: Incident, options: RenderOptions) -> Iterator[Line]:
    """What was possible, in a few lines: it is no sign of what happened, and no score looks at it."""
    reach = incident.reach
    if not reach:
        return
    yield heading("within its reach, by the posture")
    yield from row((MARGIN, MARGIN), holds(reach), options.width)
    yield from row((MARGIN, MARGIN), worst(reach), options.width)
    yield from row((MARGIN, MARGIN), collected(reach), options.width, Ink.DIM)
    yield BLANK


def _name(item: Identity) -> str:
    return f"{_KIND_WORDS.get(item.kind, item.kind.replace('-', ' '))} {item.name}".strip(" ")


def why(reasons: Sequence[Reason], options: RenderOptions) -> Iterator[Line]:
    """What the score is made of; nothing where there is none. Texts are inert already."""
    if not reasons:
        return
    yield heading("why")
    shown, more = some(reasons, options)
    wide = max(len(_points(reason)) for reason in shown)
    for reason in shown:
        points = f"{_points(reason):>{wide}}  "
        yield from row((MARGIN, MARGIN, (points, Ink.PLAIN)), reason.text, options.width, right=reason.basis)
    yield from more
    yield BLANK


def _points(reason: Reason) -> str:
    return f"{reason.points:+d}" if reason.points else "·"


def _list(title: str, items: Sequence[str], options: RenderOptions, bullet: str) -> Iterator[Line]:
    if not items:
        return
    yield heading(title)
    shown, more = some(items, options)
    wide = len(str(len(shown)))
    for number, text in enumerate(shown, 1):
        mark = bullet or f"{number:>{wide}}."
        yield from row((MARGIN, MARGIN, (f"{mark} ", Ink.PLAIN)), text, options.width)
    yield from more
    yield BLANK


def some(
    items: Sequence[T], options: RenderOptions, most: int = _ITEMS_SHOWN
) -> tuple[Sequence[T], list[Line]]:
    """The start of `items`, and the line that says how many are left out."""
    hidden = 0 if options.verbose else len(items) - most
    if hidden <= 1:  # a line that says "1 more" is no shorter than the one
        return items, []
    return items[:most], [(MARGIN, MARGIN, (f"… {hidden} more (-v shows them)", Ink.DIM))]
