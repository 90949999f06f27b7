"""Snapshots of `eightysix posture` in a store: kept, listed, shown with their age."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, TextIO

from eightysix.cli.detect import write_output
from eightysix.cli.store import tell_deletions
from eightysix.cli.terminal import inert_line, may_colour, terminal_width
from eightysix.model.errors import UsageError

if TYPE_CHECKING:
    from eightysix.model.incident import Problem
    from eightysix.model.posture import Posture

__all__ = ["STORED", "keep", "list_snapshots", "show"]

STORED = "@"
"""What a snapshot's name begins with on the command line; a file of such a name is `./@name`."""


def keep(args: argparse.Namespace, told: Posture, err: TextIO) -> None:
    """Save what was told."""
    from eightysix.serve.posturestore import save

    kept = save(
        args.save_to, told, on_problem=lambda one: _tell(one, err), then=lambda hot: tell_deletions(hot, err)
    )
    if not args.quiet:
        what = "was there already" if kept.again else f"kept, {kept.rows:,} rows"
        err.write(f"eightysix: snapshot {kept.id} {what}\n")


def list_snapshots(args: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    """Tell which snapshots a store has, the latest first."""
    from eightysix.report.json_text import indented
    from eightysix.serve.posturestore import age_word, snapshots

    if not args.store:
        raise UsageError("which store was not said", "--store DIR, or EIGHTYSIX_STORE")
    heads = snapshots(args.store, on_problem=lambda one: _tell(one, err))
    if args.format == "json":
        rows = [
            {
                "id": one.id,
                "cluster": one.cluster,
                "taken_at": one.taken_at,
                "rules": one.rules,
                "counts": one.counts,
            }
            for one in heads
        ]
        write_output(indented({"snapshots": rows}), args.output, out)
        return 0
    now = time.time_ns()
    text = "".join(
        f"{inert_line(one.id)}  {inert_line(one.taken_at)}  {age_word(one, now):>14}  {one.counts.get('pod', 0):>7,} workloads"
        f"  {inert_line(one.cluster)}".rstrip()
        + "\n"
        for one in heads
    )
    write_output(text or "no snapshots\n", args.output, out)
    return 0


def show(args: argparse.Namespace, which: str, out: TextIO, err: TextIO) -> Posture:
    """Tell a stored snapshot as it was, with how old it is."""
    from eightysix.report.interface import RenderOptions
    from eightysix.report.posture.interface import get_posture_format
    from eightysix.serve.posturestore import OLD_NS, age_word, load

    if not args.store:
        raise UsageError(f"@{which} is in a store, and which was not said", "--store DIR, or EIGHTYSIX_STORE")
    found = load(args.store, which, on_problem=lambda one: _tell(one, err))
    told, now = found.posture, time.time_ns()
    age = age_word(found.head, now)
    if not args.quiet:
        from eightysix.model.timestamps import to_ns

        old = now - to_ns(found.head.taken_at) > OLD_NS
        advice = ": pods change daily, so collect it again" if old else ""
        err.write(f"eightysix: snapshot {found.head.id} is {age}{advice}\n")
    if args.format == "plain":
        from msgspec.structs import replace

        told = replace(told, taken_at=f"{told.taken_at[:19]}Z, {age}")
    colour = not args.output and may_colour(args.color, out)
    render = RenderOptions(width=terminal_width(), colour=colour, verbose=args.verbose)
    write_output("".join(get_posture_format(args.format).write(told, render)), args.output, out)
    return found.posture


def _tell(problem: Problem, err: TextIO) -> None:
    err.write(f"eightysix: {inert_line(f'{problem.file}: {problem.reason}')}\n")
