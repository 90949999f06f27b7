"""`eightysix backtest PATH...`: the last days replayed, before anybody is woken."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from eightysix.cli.options import add_judging, add_reading, add_writing, catalog_and_options
from eightysix.cli.terminal import environment, inert_line, may_colour, terminal_width
from eightysix.model.errors import UsageError

if TYPE_CHECKING:
    from eightysix.model.backtest import Backtest
    from eightysix.serve.backtest import Backtested

__all__ = ["add_parser", "run"]

BASELINE_FILE = "baseline.json"
EXCEPTIONS_FOLDER = "rules.d"


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options; what it shares with `detect` is written there."""
    parser = commands.add_parser(
        "backtest",
        help="replay days gone by: pages by day, and what would help",
        description="Replays telemetry of days gone by and tells what would have woken whom, by day, rule and workload; "
        "what each rule needed and had; and which exceptions and which baseline would help, with what would remain, "
        "judged anew. The input is read twice.",
        allow_abbrev=False,
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", help="file or folder")
    add_reading(parser)
    add_judging(parser)
    learning = parser.add_argument_group("learning")
    learning.add_argument(
        "--learn-watched",
        action="store_true",
        help="you looked at the incidents at watch: the proposed baseline learns from their pods too",
    )
    learning.add_argument(
        "--exception-days",
        type=int,
        default=30,
        help="how long proposed exceptions last (default 30, at most 365)",
    )
    writing = add_writing(parser, ("plain", "json"))
    writing.add_argument(
        "--write-proposals",
        default=environment("WRITE_PROPOSALS"),
        metavar="DIR",
        help=f"write {EXCEPTIONS_FOLDER}/*.exception.yml and {BASELINE_FILE} there, mode 0600; never over a file that is"
        " there (EIGHTYSIX_WRITE_PROPOSALS)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    """Run the command: 0, or 10 where something could not be read or judged. Pages of days gone by are no alarm, so no
    verdict has a code here."""
    from eightysix.cli.detect import tell_problems, write_output
    from eightysix.report.backtest import write_json, write_plain
    from eightysix.report.interface import RenderOptions
    from eightysix.rules.exceptions import MAX_DAYS
    from eightysix.serve.backtest import backtest

    if "-" in args.paths:
        raise UsageError(
            "a backtest reads its input twice, and standard input cannot be", "name files or folders"
        )
    if not 1 <= args.exception_days <= MAX_DAYS:
        raise UsageError(f"an exception lasts 1 to {MAX_DAYS} days", "choose a shorter time")
    catalog, options = catalog_and_options(args)
    found = backtest(
        catalog.rules,
        options,
        args.paths,
        lasting=args.exception_days,
        learn_watched=args.learn_watched,
    )
    if not args.quiet:
        tell_problems(found.told.problems, args.verbose, err)
    if args.write_proposals:
        _write_proposals(found, Path(args.write_proposals), None if args.quiet else err)
    render = RenderOptions(
        width=terminal_width(), colour=not args.output and may_colour(args.color, out), verbose=args.verbose
    )
    told = found.told
    lines = write_json(told) if args.format == "json" else write_plain(told, render, args.write_proposals)
    write_output("".join(lines), args.output, out)
    return 0 if args.exit_zero or _complete(told) else 10


def _complete(told: Backtest) -> bool:
    from eightysix.detect.needs import OPTIONAL

    counts = told.counts
    unread = counts.malformed or counts.oversized or any(p.kind == "unreadable" for p in told.problems)
    unjudged = any(not set(rule.missing) <= OPTIONAL for rule in told.before.rules)
    return not (unread or unjudged or told.flooded)


def _write_proposals(found: Backtested, folder: Path, err: TextIO | None) -> None:
    """All files, or none where one of them is there already."""
    from eightysix.cli.files import write_new
    from eightysix.context.baseline import encode_baseline

    files = {folder / BASELINE_FILE: encode_baseline(found.baseline)}
    for proposal in found.told.exceptions:
        files[folder / EXCEPTIONS_FOLDER / f"{proposal.name}.exception.yml"] = proposal.text.encode()
    write_new(files)
    if err is not None:
        for path in files:
            print(f"eightysix: wrote {inert_line(str(path))}", file=err)
