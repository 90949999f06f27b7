"""`eightysix detect PATH...`: telemetry in, incidents out."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, TextIO

from eightysix.cli.options import add_judging, add_reading, catalog_and_options
from eightysix.cli.terminal import environment, inert_line, may_colour, terminal_width

if TYPE_CHECKING:
    from eightysix.model.incident import Problem, Report

__all__ = ["add_parser", "exit_code", "run"]

FORMATS = ("plain", "json", "ocsf")
MAX_TOLD_PROBLEMS = 5


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options; every option has an environment variable `EIGHTYSIX_*`."""
    parser = commands.add_parser(
        "detect",
        help="find chains in telemetry files",
        description="Reads telemetry (Tetragon JSON, Kubernetes audit, in-process sensor; JSON Lines, .gz, .zst, folders,"
        " - for standard input) and prints the incidents in it. Formats are recognised by content.",
        allow_abbrev=False,
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", help="file, folder, or - for standard input")
    add_reading(parser)
    add_judging(parser)
    writing = parser.add_argument_group("writing")
    writing.add_argument(
        "--format",
        choices=FORMATS,
        default=environment("FORMAT", "plain"),
        help="(EIGHTYSIX_FORMAT; default plain)",
    )
    writing.add_argument(
        "--output",
        default=environment("OUTPUT"),
        metavar="FILE",
        help="write there instead of standard output, mode 0600 (EIGHTYSIX_OUTPUT)",
    )
    writing.add_argument(
        "--color",
        choices=("auto", "always", "never"),
        default=environment("COLOR", "auto"),
        help="(EIGHTYSIX_COLOR; default auto)",
    )
    writing.add_argument(
        "-v", "--verbose", action="count", default=0, help="tell every incident and problem in full"
    )
    writing.add_argument("-q", "--quiet", action="store_true", help="nothing on standard error but failures")
    writing.add_argument(
        "--exit-zero",
        action="store_true",
        default=bool(environment("EXIT_ZERO")),
        help="exit 0 whatever was found (EIGHTYSIX_EXIT_ZERO)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    """Run the command; returns the exit code of DESIGN's table."""
    from eightysix.report.interface import RenderOptions, get_format
    from eightysix.serve.replay import Replay

    catalog, options = catalog_and_options(args)
    replay = Replay(catalog.rules, options)
    report = replay.read(args.paths, sys.stdin.buffer)
    if not args.quiet:
        _tell_problems(report, args.verbose, err)
    render = RenderOptions(
        width=terminal_width(), colour=not args.output and may_colour(args.color, out), verbose=args.verbose
    )
    _write("".join(get_format(args.format).write(report, render)), args.output, out)
    return 0 if args.exit_zero else exit_code(report)


def exit_code(report: Report) -> int:
    """The highest that applies: 14 contain, 13 suspect, 11 watch, 10 incomplete, 0 nothing found. An incident that an
    exception covers raises nobody; the rule of the exit codes is in `docs/output.md`."""
    worst = max((i.verdict.rank for i in report.incidents if not i.suppressed_by), default=0)
    if worst:
        return {1: 11, 2: 13, 3: 14}[worst]
    counts, coverage = report.counts, report.coverage
    unread = counts.malformed or counts.oversized or any(p.kind == "unreadable" for p in coverage.problems)
    unjudged = any(not rule.evaluable and rule.missing != ("baseline",) for rule in coverage.rules)
    return 10 if unread or unjudged or coverage.flooded else 0


def _tell_problems(report: Report, verbose: int, err: TextIO) -> None:
    """What could not be used, with place and reason, on standard error."""
    told: list[Problem] = [p for p in report.coverage.problems if p.kind != "unrecognised" or verbose]
    limit = len(told) if verbose else MAX_TOLD_PROBLEMS
    for problem in told[:limit]:
        place = f"{problem.file}:{problem.line}" if problem.line else problem.file
        print(f"eightysix: {inert_line(place)}: {problem.kind}: {inert_line(problem.reason)}", file=err)
    if len(told) > limit:
        print(f"eightysix: {len(told) - limit} more problems (-v tells all)", file=err)


def _write(text: str, path: str, out: TextIO) -> None:
    if not path:
        out.write(text)
        return
    from eightysix.cli.files import write_private

    write_private(path, text)
