"""The rules about where a tag points.

A finding holds where an honest release does not do such a thing without somebody knowing of it, and then it names the
command by which that somebody lets it pass. The rest informs. Nothing here lowers anything: what an artifact says of itself
was written by whoever built it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from eightysix.gate.moves.context import (
    ANY_TAG,
    FOUND,
    Case,
    MoveContext,
    case_of,
    finding,
    moves_by_itself,
    short,
)
from eightysix.gate.moves.sources import source_findings
from eightysix.gate.moves.who import many_at_once, new_pusher
from eightysix.model.finding import Severity
from eightysix.model.gate import Artifact, GateFinding, Outcome, Reference, TagMove

__all__ = ["CARRIES_CODE", "REVISION", "ROUND_NS", "findings"]

REVISION = "org.opencontainers.image.revision"
"""The commit that an artifact was built from. OCI image specification 1.1, annotations.md."""

ROUND_NS = 60 * 10**9
"""Two rounds of asking: what the reconciler found within them it found in no order that means anything."""

CARRIES_CODE = frozenset(
    {
        "elf", "joblib-zf", "keras-config", "keras-zip", "mach-o", "pe", "pickle", "pickle-hidden", "python-bytecode", "script",
        "torch-legacy", "torch-zip", "torch7", "torchscript-zip", "wheel",
    }
)  # fmt: skip
"""Kinds of the scan that are code, or run some when they are loaded. One that was not there before is another kind of
artifact."""


def findings(moves: Iterable[TagMove], context: MoveContext) -> tuple[GateFinding, ...]:
    """What is to be said of the move that `context` names. `moves` are rows of the history, in any order: those of the tag,
    of its repository, of the staging tags, and of whatever else moved shortly before. Rows after the move change nothing,
    but those of staging that the same round of asking found."""
    case = case_of(moves, context)
    found = list(source_findings(context.sources))
    if case is not None:
        for rule in _RULES:
            found.extend(rule(case))
    return tuple(sorted(found, key=lambda each: (-each.severity.rank, each.rule, each.why)))


def _moved(case: Case) -> Iterable[GateFinding]:
    if not case.before or case.before == case.move.digest:
        return
    why = f"{case.move.tag} pointed to {short(case.before)} and now points to {short(case.move.digest)}"
    if moves_by_itself(case.move.tag):
        yield finding(case, "tag-moved", Severity.LOW, "The tag points to another artifact than before", why)
        return
    yield finding(
        case,
        "tag-moved",
        Severity.HIGH,
        "A tag that names one thing for ever points to another artifact",
        why,
        holds=True,
        techniques=("T1525",),
    )


def _rolled_back(case: Case) -> Iterable[GateFinding]:
    if case.before in ("", case.move.digest):
        return
    older = [move for move in case.own[:-1] if move.digest == case.move.digest]
    if older:
        since = {move.digest for move in case.own if move.sequence > older[-1].sequence and move.digest}
        replaced = since - {case.move.digest}
        if replaced <= case.context.held:
            return  # what was kept out is taken away again: nothing was mended since
        between = len(replaced)
        yield finding(
            case,
            "tag-rollback",
            Severity.MEDIUM,
            "The tag went back to an older artifact",
            f"{short(case.move.digest)} was replaced {between} release{'s' * (between != 1)} ago: what was mended since"
            " is open again",
            holds=True,
            techniques=("T1601.002",),
        )


def _promoted(case: Case) -> Iterable[GateFinding]:
    for promotion in case.context.promotions:
        if not _is_in(case.move, promotion.production) or _is_in(case.move, promotion.staging):
            continue
        rows = (*case.rows, *(move for move in case.later if _same_round(move, case.move)))
        staged = [move for move in rows if _is_in(move, promotion.staging) and move.digest]
        if any(move.digest == case.move.digest for move in staged) or _watching_began(case):
            continue
        where = _written(promotion.staging)
        if not staged:
            yield finding(
                case,
                "never-in-staging",
                Severity.HIGH,
                "Production has an artifact that never was in staging",
                f"nothing was ever seen in {where}, where it should have been before",
                holds=True,
            )
            continue
        yield finding(
            case,
            "promotion-digest-differs",
            Severity.HIGH,
            "Production has another artifact than staging",
            f"{where} had {short(staged[-1].digest)} and never {short(case.move.digest)}: a promotion carries the same digest",
            holds=True,
            techniques=("T1525",),
        )


def _same_commit(case: Case) -> Iterable[GateFinding]:
    known = case.context.artifacts
    if case.before in ("", case.move.digest):
        return
    earlier = {move.digest for move in case.own} - {case.move.digest}
    commits = {known[digest].claims.get(REVISION, "") for digest in earlier if digest in known} - {""}
    artifact = known.get(case.move.digest)
    now = artifact.claims.get(REVISION, "") if artifact else ""
    if not commits or (not now and case.move.digest not in case.context.read):
        return
    if not now:
        why = "earlier artifacts of this tag name the commit that they were built from, this one names none"
    elif now in commits:
        why = f"an earlier artifact of this tag names commit {now[:40]!r} too: what differs does not come from the source"
    else:
        return
    title = "The tag moved without a new source commit"
    yield finding(case, "no-new-commit", Severity.MEDIUM, title, why, holds=True)


def _usual(case: Case) -> Artifact | None:
    """What an artifact's kinds are held against: the last one that a decision let land, else the oldest that was scanned. The
    last one of all would let a held artifact excuse the next."""
    known = case.context.artifacts
    scanned = [move for move in case.own[:-1] if move.digest in known and known[move.digest].kinds]
    landed = [move for move in scanned if case.accepted(move)]
    return known[(landed[-1] if landed else scanned[0]).digest] if scanned else None


def _other_types(case: Case) -> Iterable[GateFinding]:
    was, now = _usual(case), case.context.artifacts.get(case.move.digest)
    if was is None or now is None or not now.kinds or case.before == case.move.digest:
        return
    added = sorted(set(now.kinds) - set(was.kinds))
    code = [kind for kind in added if kind in CARRIES_CODE]
    if code:
        gone = sorted(set(was.kinds) - set(now.kinds))
        instead = f", and {', '.join(gone)} gone" if gone else ""
        yield finding(
            case,
            "file-types-changed",
            Severity.HIGH,
            "The artifact has files that carry code, and had none such before",
            f"{', '.join(code)} new since {short(was.digest)}{instead}",
            holds=True,
            techniques=("T1059",),
        )
    elif added:
        why = f"{', '.join(added)} new since {short(was.digest)}"
        yield finding(case, "file-types-changed", Severity.LOW, "The artifact has other kinds of files", why)


def _mutable(case: Case) -> Iterable[GateFinding]:
    ours = any(_is_in(case.move, promotion.production) for promotion in case.context.promotions)
    overwritten = {move.digest for move in case.own if move.digest}
    if ours and len(overwritten) > 1:
        yield finding(
            case,
            "promotion-tag-mutable",
            Severity.LOW,
            "The registry lets anybody who may push overwrite this production tag",
            f"it pointed to {len(overwritten)} artifacts so far: deploy by digest, or make the tag immutable",
        )


def _contradicted(case: Case) -> Iterable[GateFinding]:
    """Hints that the registry's answers did not bear out, since the row before."""
    since = case.own[-2].seen_ns if len(case.own) > 1 else 0
    told = {move.digest for move in case.overruled if move.seen_ns >= since and move.digest}
    told |= {
        stray.event.digest
        for stray in case.context.strays
        if stray.outcome is Outcome.LATE
        and stray.event.tag == case.move.tag
        and stray.event.repository == case.move.repository
        and stray.event.registry == case.move.registry
        and since <= stray.seen_ns <= case.move.seen_ns
    }
    told -= {"", *(move.digest for move in case.own)}
    if told:
        yield finding(
            case,
            "told-not-found",
            Severity.MEDIUM,
            "The tag was said to point to an artifact that the registry did not answer with",
            f"{', '.join(map(short, sorted(told)))}: moved back within seconds, or told by somebody else than the registry;"
            " what started meanwhile may run it",
        )


_RULES: tuple[Callable[[Case], Iterable[GateFinding]], ...] = (
    _moved,
    _rolled_back,
    _promoted,
    _same_commit,
    _other_types,
    _mutable,
    _contradicted,
    new_pusher,
    many_at_once,
)


def _is_in(move: TagMove, place: Reference) -> bool:
    return (move.registry, move.repository) == (place.registry, place.repository) and place.tag in (
        ANY_TAG,
        move.tag,
    )


def _written(place: Reference) -> str:
    return f"{place.registry}/{place.repository}:{place.tag}"


def _watching_began(case: Case) -> bool:
    """Whether we found the row ourselves when nothing older is known of the tag: then it says when we began to look, not
    when it was pushed."""
    return len(case.own) == 1 and case.move.channel in FOUND


def _same_round(later: TagMove, move: TagMove) -> bool:
    return later.channel in FOUND and move.channel in FOUND and later.seen_ns - move.seen_ns <= ROUND_NS
