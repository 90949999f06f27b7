"""`eightysix posture diff A B`: what a change does to what pods reach, for who reviews it."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, TextIO

from eightysix.cli.detect import tell_problems, write_output
from eightysix.cli.posture_store import STORED
from eightysix.cli.terminal import environment, may_colour, terminal_width
from eightysix.model.errors import UsageError

if TYPE_CHECKING:
    from eightysix.model.posture import Posture

__all__ = ["FORMATS", "run_diff"]

FORMATS = ("plain", "json", "markdown")
_EXIT = {"none": 0, "unseen": 10, "low": 11, "medium": 12, "high": 13}
_HEAD = 4_096


def run_diff(args: argparse.Namespace, sides: list[str], out: TextIO, err: TextIO) -> int:
    """Compare; the exit code tells what came, as that of `posture` tells what is there."""
    from eightysix.posture.diff import diff, worst_change
    from eightysix.report.interface import RenderOptions

    if len(sides) != 2:
        raise UsageError("diff takes two: before and after", "As in: posture diff before/ after/")
    if args.format not in FORMATS:
        raise UsageError(f"diff has no format {args.format!r}", f"Choose one of: {', '.join(FORMATS)}")
    if args.save_to:
        raise UsageError("diff keeps nothing", "Leave out --save-to.")
    before, after = sides
    told = diff(_side(args, before, err), _side(args, after, err))
    if args.format == "json":
        from eightysix.report.posture.diff import as_json

        text = as_json(told, before, after)
    elif args.format == "markdown":
        from eightysix.report.posture.diff_markdown import write_markdown

        text = "".join(write_markdown(told, before, after))
    else:
        from eightysix.report.posture.diff import write_plain

        colour = not args.output and may_colour(args.color, out)
        options = RenderOptions(width=terminal_width(), colour=colour, verbose=args.verbose)
        text = "".join(write_plain(told, before, after, options))
    write_output(text, args.output, out)
    return 0 if args.exit_zero else _EXIT[worst_change(told)]


def _side(args: argparse.Namespace, side: str, err: TextIO) -> Posture:
    """One of the two: a file or folder of objects, a posture that was saved as JSON, or (`@`) a stored snapshot."""
    if side.startswith(STORED):
        from eightysix.serve.posturestore import load

        if not args.store:
            raise UsageError(
                f"{side} is in a store, and which was not said", "--store DIR, or EIGHTYSIX_STORE"
            )
        return load(args.store, side.removeprefix(STORED)).posture
    saved = _saved(side)
    return saved if saved is not None else _judged(args, side, err)


def _saved(side: str) -> Posture | None:
    """The posture that a file holds; nothing for files of other things, and for folders."""
    from eightysix.posture.saved import MAX_BYTES, is_saved, read_saved

    if side == "-" or not os.path.isfile(side):
        return None
    with open(side, "rb") as file:
        head = file.read(_HEAD)
        if not is_saved(head):
            return None
        data = head + file.read(MAX_BYTES + 1 - len(head))
    if len(data) > MAX_BYTES:
        raise UsageError(f"{side} is larger than {MAX_BYTES >> 20} MiB", "Keep snapshots in a store instead.")
    return read_saved(data, side)


def _judged(args: argparse.Namespace, side: str, err: TextIO) -> Posture:
    from eightysix.cli.posture import namespace_of
    from eightysix.posture.judge import World, judge
    from eightysix.posture.reading import SnapshotBuilder
    from eightysix.serve.posture import read_paths
    from eightysix.serve.posturelogs import LogReader

    builder = SnapshotBuilder(
        args.cluster, args.taken_at, args.server_version, args.manifests, namespace_of(args)
    )
    logs = LogReader()
    clouds = args.cloud or [text for text in environment("CLOUD").split(",") if text]
    problems = read_paths(builder, [side], logs=logs)
    if clouds:
        problems += read_paths(builder, clouds, logs=logs)
    if args.logs:
        logs.read(args.logs)
    if not args.quiet:
        tell_problems([*problems, *builder.problems, *logs.end()], args.verbose, err)
    world = World(builder.snapshot(), args.rules)
    log = None if args.manifests and not logs.found else logs.uses
    return judge(
        world.snapshot, rules=args.rules, log=log, changes=logs.changes(builder.cluster), world=world
    )
