"""`eightysix reconstruct PATH...`: the whole story, from the artifact to the last use of the stolen identity."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, TextIO

from eightysix.cli.detect import exit_code as report_exit_code
from eightysix.cli.detect import tell_problems, write_output
from eightysix.cli.inventory import add_inventory, reaches_options, read_inventory_options
from eightysix.cli.options import add_judging, add_reading, add_writing, catalog_and_options
from eightysix.cli.terminal import environment, inert_line, may_colour, terminal_width
from eightysix.model.errors import UsageError

if TYPE_CHECKING:
    from eightysix.model.story import Reconstruction
    from eightysix.reconstruct.selection import Selection

__all__ = ["add_parser", "exit_code", "run"]

FORMATS = ("plain", "json", "html", "markdown", "sarif", "ocsf", "navigator", "timesketch", "csv")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "reconstruct",
        help="tell the whole story of a breach",
        description="Reads everything there is (kernel, audit, sensor and cloud logs, in any order) and tells what happened:"
        " what landed, which identities were taken, where they were used afterwards, where else the artifact is, what to"
        " rotate, and what nobody could see. Needs no incident: name a pod, an identity or an artifact.",
        allow_abbrev=False,
    )
    parser.add_argument("paths", nargs="*", metavar="PATH", help="file, folder, or - for standard input")
    parser.add_argument(
        "--store", default=environment("STORE"), metavar="DIR", help="a store instead (EIGHTYSIX_STORE)"
    )
    asking = parser.add_argument_group("asking")
    asking.add_argument(
        "--artifact",
        default=environment("ARTIFACT"),
        metavar="NAME|DIGEST",
        help="stories of this artifact (EIGHTYSIX_ARTIFACT)",
    )
    asking.add_argument(
        "--since",
        default=environment("SINCE"),
        metavar="TIME",
        help="stories that reach beyond this time, RFC 3339 (EIGHTYSIX_SINCE)",
    )
    asking.add_argument(
        "--until",
        default=environment("UNTIL"),
        metavar="TIME",
        help="stories that began before this time (EIGHTYSIX_UNTIL)",
    )
    asking.add_argument(
        "--read-all",
        action="store_true",
        default=bool(environment("READ_ALL")),
        help="with --pod: read what all nodes wrote, not only search it for what landed (EIGHTYSIX_READ_ALL)",
    )
    add_reading(parser, asks=True)
    add_inventory(parser)
    add_judging(parser)
    add_writing(parser, FORMATS)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    """Run the command; returns the exit code of DESIGN's table."""
    from eightysix.report.interface import RenderOptions
    from eightysix.report.reconstruction.interface import get_reconstruction_format
    from eightysix.serve.reconstruction import Reconstructing

    # A store that the environment names is what is meant where no files are.
    if args.paths and args.store == environment("STORE"):
        args.store = ""
    if args.paths and args.store:
        raise UsageError("files and a store were given", "Read one or the other: PATH... or --store DIR")
    if not args.paths and not args.store:
        raise UsageError("there is nothing to read", "Name files or folders with telemetry, - or --store DIR")
    asked = _asked(args)
    catalog, options = catalog_and_options(args)
    reaches = reaches_options(args, err)
    inventory, gaps = read_inventory_options(args, err)
    run = Reconstructing(catalog.rules, options, inventory, reaches, gaps)
    if args.store:
        told = run.read_store(args.store, asked)
    else:
        told = run.read(args.paths, sys.stdin.buffer, asked, everything=args.read_all)
    unanswered = "" if told.stories or asked.is_open else asked.words
    if not args.quiet:
        tell_problems(told.coverage.problems, args.verbose, err)
        if unanswered:
            _tell_unanswered(unanswered, args, err)
        elif not told.stories and (args.since or args.until):
            err.write(
                "eightysix: no story reaches into the time that was asked for; without --since and --until all are told\n"
            )
    render = RenderOptions(
        width=terminal_width(), colour=not args.output and may_colour(args.color, out), verbose=args.verbose
    )
    write_output("".join(get_reconstruction_format(args.format).write(told, render)), args.output, out)
    if args.exit_zero:
        return 0
    return exit_code(told) or (_INCOMPLETE if unanswered else 0)


_INCOMPLETE = 10
"""Where nothing that was read knows the pod, the identity or the artifact that was asked for: not seen is not clean. Which
packages a pod has, only their installation or their use tells."""


def _tell_unanswered(told: str, args: argparse.Namespace, err: TextIO) -> None:
    times = " at the time that was asked for" if args.since or args.until else ""
    err.write(
        f"eightysix: nothing that was read tells of {inert_line(told)}{times}\n"
        "           Without --pod, --identity and --artifact every incident is told; 'eightysix coverage' tells what is"
        " not seen.\n"
    )
    if told.startswith("identity"):
        err.write(
            "           An identity of the cloud has a client id and an object id; its resource id needs an --inventory that"
            " names it.\n"
        )


def _asked(args: argparse.Namespace) -> Selection:
    """The question; takes what `--identity` asks for out of what it declares."""
    from eightysix.model.timestamps import to_ns
    from eightysix.reconstruct.selection import selection

    told = args.identity or [text for text in environment("IDENTITY").split(",") if text]
    names = [text for text in told if "=" not in text]
    if len(names) > 1:
        raise UsageError(
            "--identity asks for one identity, and several were named", "Ask for one after the other."
        )
    args.identity = [text for text in told if "=" in text]
    times = []
    for option, text in (("--since", args.since), ("--until", args.until)):
        try:
            times.append(max(1, to_ns(text)) if text else 0)  # 0: none is asked for
        except ValueError:
            raise UsageError(
                f"{option} takes a time as RFC 3339, 1970 to 2261, and {text!r} is none",
                "As in 2026-11-23T03:38:00Z.",
            ) from None
    return selection(
        pod=args.pod,
        identity=names[0] if names else "",
        artifact=args.artifact,
        since_ns=times[0],
        until_ns=times[1],
    )


def exit_code(told: Reconstruction) -> int:
    """The highest verdict of a story that no exception covers; else as `detect` has it."""
    from eightysix.model.incident import Report

    verdicts = [story.verdict for story in told.stories if not story.suppressed_by]
    worst = max((verdict.rank for verdict in verdicts if verdict is not None), default=0)
    if worst:
        return {1: 11, 2: 13, 3: 14}[worst]
    return report_exit_code(Report((), told.coverage, told.counts))
