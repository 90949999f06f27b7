"""`eightysix detect PATH...`: telemetry in, incidents out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from eightysix.cli.options import (
    add_judging,
    add_posture,
    add_reading,
    add_writing,
    catalog_and_options,
)
from eightysix.cli.terminal import inert_line, may_colour, terminal_width

if TYPE_CHECKING:
    from eightysix.context.reach import Reaches
    from eightysix.model.incident import Problem, Report

__all__ = ["add_parser", "exit_code", "read_posture_option", "run", "tell_problems", "write_output"]

FORMATS = ("plain", "json", "ocsf")
MAX_TOLD_PROBLEMS = 5


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options; every option has an environment variable `EIGHTYSIX_*`."""
    parser = commands.add_parser(
        "detect",
        help="find chains in telemetry files",
        description="Reads telemetry (Tetragon, Falco, Kubernetes audit, in-process sensor, DNS, Azure logs; JSON Lines, .gz,"
        " .zst, folders, - for standard input) and prints the incidents in it. Formats are recognised by content.",
        allow_abbrev=False,
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", help="file, folder, or - for standard input")
    add_reading(parser)
    add_posture(parser.add_argument_group("knowing what is within reach"))
    add_judging(parser)
    add_writing(parser, FORMATS)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    """Run the command; returns the exit code of DESIGN's table."""
    from eightysix.report.interface import RenderOptions, get_format
    from eightysix.serve.replay import Replay

    catalog, options = catalog_and_options(args)
    reaches = read_posture_option(args)
    replay = Replay(catalog.rules, options)
    report = replay.read(args.paths, sys.stdin.buffer)
    if reaches is not None:
        from eightysix.serve.reaching import reported

        report = reported(report, reaches)
    if not args.quiet:
        tell_problems(report.coverage.problems, args.verbose, err)
    render = RenderOptions(
        width=terminal_width(), colour=not args.output and may_colour(args.color, out), verbose=args.verbose
    )
    write_output("".join(get_format(args.format).write(report, render)), args.output, out)
    return 0 if args.exit_zero else exit_code(report)


def read_posture_option(args: argparse.Namespace, *, edges: bool = False) -> Reaches | None:
    """The posture that `--posture` names, None where it names none."""
    if not args.posture:
        return None
    from eightysix.serve.reaching import read_reaches

    return read_reaches(args.posture, edges=edges)


def exit_code(report: Report) -> int:
    """The highest that applies: 14 contain, 13 suspect, 11 watch, 10 incomplete, 0 nothing found. An incident that an
    exception covers raises nobody; the rule of the exit codes is in `docs/output.md`."""
    worst = max((i.verdict.rank for i in report.incidents if not i.suppressed_by), default=0)
    if worst:
        return {1: 11, 2: 13, 3: 14}[worst]
    from eightysix.detect.needs import OPTIONAL

    counts, coverage = report.counts, report.coverage
    unread = counts.malformed or counts.oversized or any(p.kind == "unreadable" for p in coverage.problems)
    unjudged = any(not rule.evaluable and not set(rule.missing) <= OPTIONAL for rule in coverage.rules)
    return 10 if unread or unjudged or coverage.flooded else 0


def tell_problems(problems: Sequence[Problem], verbose: int, err: TextIO) -> None:
    """What could not be used, with place and reason, on standard error."""
    told: list[Problem] = [p for p in problems if p.kind != "unrecognised" or verbose]
    limit = len(told) if verbose else MAX_TOLD_PROBLEMS
    for problem in told[:limit]:
        place = f"{problem.file}:{problem.line}" if problem.line else problem.file
        print(f"eightysix: {inert_line(place)}: {problem.kind}: {inert_line(problem.reason)}", file=err)
    if len(told) > limit:
        print(f"eightysix: {len(told) - limit} more problems (-v tells all)", file=err)


def write_output(text: str, path: str, out: TextIO) -> None:
    """Write `text` to the file `path`, mode 0600, or to `out` where there is none."""
    if not path:
        out.write(text)
        return
    from eightysix.cli.files import write_private

    write_private(path, text)
