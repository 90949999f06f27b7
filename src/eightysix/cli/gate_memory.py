"""`eightysix gate history|why|approve|revoke|lint`: what the gate remembers, and what a person adds to it."""

from __future__ import annotations

import argparse
import getpass
import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from eightysix.cli.detect import write_output
from eightysix.cli.gate import add_memory, copyable, open_history, read_policy_and_trust, render_options
from eightysix.cli.options import add_writing
from eightysix.cli.terminal import inert_line
from eightysix.model.errors import UsageError

if TYPE_CHECKING:
    from eightysix.gate.approvals import Approval
    from eightysix.gate.baseline import Lesson
    from eightysix.model.gate import BaselineEntry, Decision, GateFinding
    from eightysix.store.history import GateHistory

__all__ = ["add_parsers"]

_SIGNED_BY = frozenset({"signer-drift", "signer-new-here"})
"""Rules about a way of signing, which may be remembered and not only let pass once."""


def add_parsers(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands."""
    history = actions.add_parser(
        "history", help="where a tag pointed, who moved it, what was decided", allow_abbrev=False
    )
    history.add_argument("reference", metavar="REF", help="registry/repository[:tag]")
    history.add_argument("--limit", type=int, default=50, metavar="N", help="rows (default 50)")
    add_memory(history)
    add_writing(history, ("plain", "json"))
    history.set_defaults(run=_history)

    why = actions.add_parser("why", help="a decision, explained", allow_abbrev=False)
    why.add_argument("decision", metavar="ID", help="its id, or how it begins")
    add_memory(why)
    add_writing(why, ("plain", "json"))
    why.set_defaults(run=_why)

    approve = actions.add_parser(
        "approve",
        help="let one finding about one artifact pass, or remember its signer",
        description="Whoever pushed or signed cannot approve. The approval is kept with who, why and until when.",
        allow_abbrev=False,
    )
    approve.add_argument("reference", metavar="REF@DIGEST", help="as the decision names it")
    approve.add_argument("--rule", required=True, metavar="RULE", help="the finding that may pass")
    approve.add_argument("--remember", action="store_true", help="know this way of signing from now on")
    approve.add_argument(
        "--by", default=None, metavar="NAME", help="who says so (default: the user of this machine)"
    )
    approve.add_argument("--why", required=True, metavar="REASON", help="kept with it")
    approve.add_argument(
        "--days",
        type=int,
        default=30,
        metavar="N",
        help="until when; 0 for ever, for a signer only (default 30)",
    )
    add_memory(approve)
    approve.set_defaults(run=_approve)

    revoke = actions.add_parser("revoke", help="take an entry out of a baseline", allow_abbrev=False)
    revoke.add_argument("entry", metavar="ENTRY", help="its id, as gate why tells it")
    revoke.add_argument(
        "--by", default=None, metavar="NAME", help="who says so (default: the user of this machine)"
    )
    revoke.add_argument("--why", required=True, metavar="REASON", help="kept with it")
    add_memory(revoke)
    revoke.set_defaults(run=_revoke)

    lint = actions.add_parser(
        "lint",
        help="say what is wrong in a policy, and what its rules come to on a sample",
        allow_abbrev=False,
    )
    lint.add_argument("policies", nargs="+", metavar="FILE", help="policy")
    lint.set_defaults(run=_lint)


def _history(args: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    del err
    from eightysix.gate.references import parse_reference
    from eightysix.report.gate.memory import history_json, history_lines
    from eightysix.serve.gate.history import tag_history

    if args.limit < 1:
        raise UsageError("--limit takes a number of rows", "write --limit 50")
    with _opened(args, read_only=True) as history:
        told = tag_history(history, parse_reference(args.reference), limit=args.limit)
    render = render_options(args, out)
    text = history_json(told) if args.format == "json" else "".join(history_lines(told, render))
    write_output(text, args.output, out)
    return 0


def _why(args: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    del err
    from msgspec.structs import replace

    from eightysix.report.gate.memory import why_json, why_lines
    from eightysix.serve.gate.history import why

    with _opened(args, read_only=True) as history:
        told = why(history, args.decision)
    told = replace(told, decision=copyable(told.decision, args))
    render = render_options(args, out)
    write_output(
        why_json(told) if args.format == "json" else "".join(why_lines(told, render)), args.output, out
    )
    return 0


def _approve(args: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    del err
    from eightysix.gate.approvals import approve_signer, waive
    from eightysix.gate.baseline import judge, scopes_for
    from eightysix.gate.decide import declared_entries
    from eightysix.gate.scopes import scope_of

    policy, _ = read_policy_and_trust(args)
    with _opened(args, read_only=False) as history:
        decision, finding = _held(history, args)
        scope = scope_of(decision.reference)
        approval = _approval(args, policy.approvers, _pushers(history, decision), history.now())
        if args.remember and args.rule not in _SIGNED_BY:
            raise UsageError(f"{args.rule} is about this artifact alone", "approve it without --remember")

        def edit(entries: tuple[BaselineEntry, ...]) -> Lesson:
            if not args.remember:
                tag = decision.reference.tag
                return waive(entries, scope, decision.digest, finding, approval, tag=tag)
            # Only those that the decision told of: beside them may lie signatures of anybody who could attach one.
            now_ns = approval.now_ns
            known = declared_entries(entries, policy, scope, now_ns)
            standing = judge(decision.signatures, known, scope, now_ns)
            lesson = None
            for _, signature, _ in standing.unknown:
                lesson = approve_signer(lesson.entries if lesson else entries, scope, signature, approval)
            if lesson is None:
                raise UsageError(
                    "this artifact has no valid signature of a signer that is not known",
                    "eightysix gate check it again, or approve it once, without --remember",
                )
            return lesson

        lesson = history.amend(scopes_for(scope), edit)
    for change in lesson.changes:
        what = "known from now on" if args.remember else f"{args.rule} passes for {decision.digest}"
        until = f"for {args.days} days" if args.days else "for ever"
        print(f"entry {inert_line(change.detail['entry'])}: {inert_line(what)}, {until}", file=out)
    return 0


def _revoke(args: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    del err
    from eightysix.gate.approvals import revoke

    with _opened(args, read_only=False) as history:
        known = next((entry for entry in history.entries() if entry.id == args.entry), None)
        scopes = (known.scope,) if known is not None else ()
        history.amend(
            scopes,
            lambda entries: revoke(entries, args.entry, by=_name(args), why=args.why, now_ns=time.time_ns()),
        )
    print(f"entry {inert_line(args.entry)} does not count any more", file=out)
    return 0


def _lint(args: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    from eightysix.cli.files import read_operator_file
    from eightysix.model.errors import RuleError
    from eightysix.serve.gate.evaluator import evaluate_in_child
    from eightysix.serve.gate.linting import lint, placed
    from eightysix.serve.gate.trusting import read_policy, read_trust

    worst = 0
    for path in args.policies:
        try:
            policy = read_policy(path)
            trust = read_trust(policy, Path(path).parent)
        except RuleError as error:
            for line in str(error).split("\n"):
                print(inert_line(line), file=err)
            worst = 2
            continue
        told = lint(policy, trust, evaluate_in_child, today=date.today())  # noqa: DTZ011 - days of the operator's own
        data = read_operator_file(path, "policy") if told.remarks else b""
        for remark in told.remarks:
            print(f"{inert_line(path)}: {inert_line(placed(remark, data))}", file=err)
        worst = max(worst, 2 if told.wrong else 0)
        print(f"{inert_line(path)}: {told.summary}", file=out)
    return worst


def _opened(args: argparse.Namespace, *, read_only: bool) -> GateHistory:
    history = open_history(args, read_only=read_only)
    if history is None:
        raise UsageError(
            "no history was named", "give --history FILE, the one that gate watch and gate check keep"
        )
    return history


def _held(history: GateHistory, args: argparse.Namespace) -> tuple[Decision, GateFinding]:
    """The last decision about a reference and digest, and its finding of that rule."""
    from msgspec.structs import replace

    from eightysix.gate.references import parse_reference

    reference = parse_reference(args.reference)
    if not reference.digest:
        raise UsageError(f"{args.reference} names no digest", "take the command from the decision: it has it")
    place = replace(reference, digest="")
    decisions = [
        each
        for each in history.decisions(place, limit=1_000)
        if each.digest == reference.digest and each.reference == place
    ]
    if not decisions:
        raise UsageError(f"nothing was decided about {args.reference}", "eightysix gate check it first")
    decision = decisions[-1]
    held = [each for each in decision.findings if each.rule == args.rule]
    if not held:
        rules = ", ".join(sorted({each.rule for each in decision.findings if each.holds})) or "nothing"
        raise UsageError(f"the last decision about it has no {args.rule}", f"it was held by: {rules}")
    return decision, next((each for each in held if each.holds), held[0])


def _pushers(history: GateHistory, decision: Decision) -> tuple[str, ...]:
    """Everybody who had a hand in an artifact: actors of its pushes anywhere, and who signed it."""
    actors = {move.actor for move in history.with_digest(decision.digest) if move.actor}
    strays = {
        stray.event.actor
        for stray in history.strays(decision.reference)
        if stray.event.digest == decision.digest
    }
    signers = {s.signer.subject for s in decision.signatures if s.signer is not None and s.signer.subject}
    return tuple(sorted((actors | strays | signers) - {""}))


def _approval(
    args: argparse.Namespace, approvers: tuple[str, ...], pushers: tuple[str, ...], now_ns: int
) -> Approval:
    from eightysix.gate.approvals import Approval

    return Approval(
        by=_name(args),
        why=args.why,
        days=args.days,
        now_ns=now_ns,
        approvers=approvers,
        pushers=pushers,
    )


def _name(args: argparse.Namespace) -> str:
    if args.by is not None:
        return str(args.by)
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise UsageError("this machine does not say who you are", "give --by NAME") from None
