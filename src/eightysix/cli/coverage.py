"""`eightysix coverage [PATH...|--store DIR]`: who can see what, what arrives, and what closes each gap."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, TextIO

from eightysix.cli.detect import tell_problems, write_output
from eightysix.cli.options import SOURCES, add_writing
from eightysix.cli.terminal import environment, may_colour, terminal_width
from eightysix.model.errors import UsageError

if TYPE_CHECKING:
    from eightysix.model.visibility import Visibility

__all__ = ["add_parser", "exit_code", "run"]

FORMATS = ("plain", "json", "markdown")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options; every option has an environment variable `EIGHTYSIX_*`."""
    parser = commands.add_parser(
        "coverage",
        help="who can see which stage, what arrives, and what closes each gap",
        description="Reads what detect reads, or a store, and tells for each cluster and stage who can see it, whether that"
        " arrives, how late, how much of it is lost or belongs to no pod; and for each gap what closes it, from deploy/."
        " Nothing is called seen that no record shows.",
        allow_abbrev=False,
    )
    parser.add_argument("paths", nargs="*", metavar="PATH", help="file, folder, or - for standard input")
    reading = parser.add_argument_group("reading")
    reading.add_argument(
        "--store",
        default=environment("STORE"),
        metavar="DIR",
        help="a store instead of files (EIGHTYSIX_STORE)",
    )
    reading.add_argument(
        "--source",
        choices=SOURCES,
        default=environment("SOURCE", "auto"),
        help="format of all inputs (EIGHTYSIX_SOURCE; default auto)",
    )
    having = parser.add_argument_group("having")
    having.add_argument(
        "--baseline",
        default=environment("BASELINE"),
        metavar="FILE",
        help="what workloads normally do, as detect takes it (EIGHTYSIX_BASELINE)",
    )
    having.add_argument(
        "--ledger",
        default=environment("LEDGER"),
        metavar="FILE",
        help="what scans know, as detect takes it (EIGHTYSIX_LEDGER)",
    )
    having.add_argument(
        "--rules",
        default=environment("RULES"),
        metavar="DIR",
        help="folder rules.d with your rules (EIGHTYSIX_RULES)",
    )
    add_writing(parser, FORMATS)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    """Run the command; 10 where there is a gap that is more than a note, else 0."""
    from eightysix.report.coverage.interface import get_coverage_format
    from eightysix.report.interface import RenderOptions

    visibility = _read(args)
    if not args.quiet:
        tell_problems(visibility.problems, args.verbose, err)
    options = RenderOptions(
        width=terminal_width(), colour=not args.output and may_colour(args.color, out), verbose=args.verbose
    )
    write_output("".join(get_coverage_format(args.format).write(visibility, options)), args.output, out)
    return 0 if args.exit_zero else exit_code(visibility)


def _read(args: argparse.Namespace) -> Visibility:
    from eightysix.cli.options import load_baseline
    from eightysix.rules.catalog import load_all
    from eightysix.serve.coverage import has_scans, of_files, of_store

    # A store that the environment names is what is meant where no files are.
    if args.store and args.paths and args.store != environment("STORE"):
        raise UsageError("files and a store were given", "Look at one or the other: PATH... or --store DIR")
    if not args.store and not args.paths:
        raise UsageError(
            "there is nothing to look at", "Name files or folders with telemetry, or --store DIR"
        )
    rules = load_all(args.rules).rules
    baseline = load_baseline(args.baseline) is not None
    ledger = has_scans(args.ledger)
    if args.paths:
        return of_files(
            args.paths, sys.stdin.buffer, rules, source=args.source, baseline=baseline, ledger=ledger
        )
    return of_store(args.store, rules, baseline=baseline, ledger=ledger)


def exit_code(visibility: Visibility) -> int:
    """10 incomplete, 0 where every stage is seen as well as it can be."""
    from eightysix.model.visibility import Importance

    return 10 if any(gap.importance is not Importance.NOTE for gap in visibility.gaps) else 0
