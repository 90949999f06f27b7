"""`eightysix store`: keep rows, tidy them up, check them, and tell what there is."""

from __future__ import annotations

import argparse
import sys
import time
from itertools import chain
from typing import TYPE_CHECKING, TextIO

from eightysix.cli.options import add_format, add_judging, add_reading, catalog_and_options
from eightysix.cli.terminal import environment, inert_line
from eightysix.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eightysix.model.incident import Problem
    from eightysix.serve.judging import Judging
    from eightysix.store.events.hot import Hot
    from eightysix.store.events.ownership import StoreOwnedError

__all__ = ["add_parser", "run", "tell_deletions"]

MAX_TOLD = 20
"""Problems that are told one by one."""

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command, its actions and their options."""
    parser = commands.add_parser(
        "store",
        help="keep events and incidents for hunting",
        description="Keeps rows of tables in a folder: recent ones in one file, hours that are over as Parquet.",
        allow_abbrev=False,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    take = actions.add_parser(
        "ingest",
        help="keep what files hold; the same file twice is kept once",
        description="Reads telemetry in any format that detection reads, and rows of tables as JSON Lines"
        ' ({"table": NAME, "row": {...}}, or rows in files called NAME.jsonl). Makes the store where there is none.',
        allow_abbrev=False,
    )
    take.add_argument("paths", nargs="+", metavar="PATH", help="file, folder, or - for standard input")
    take.add_argument(
        "--incidents",
        action="store_true",
        help="judge what is read as detect does, and keep incidents and the raw records that they rest on",
    )
    add_reading(take)
    add_judging(take)
    tidy = actions.add_parser(
        "compact",
        help="seal hours that are over, join small segments, delete what is too old or too much",
        allow_abbrev=False,
    )
    check = actions.add_parser("verify", help="read everything, and name what is damaged", allow_abbrev=False)
    tell = actions.add_parser(
        "stats", help="tables, rows, bytes, times, and what was deleted", allow_abbrev=False
    )
    for each in (take, tidy, check, tell):
        each.add_argument(
            "--store",
            default=environment("STORE"),
            metavar="DIR",
            help="folder of the store (EIGHTYSIX_STORE)",
        )
    for each in (take, tidy):
        each.add_argument(
            "--retention", metavar="DAYS", help="delete what is older, from now on (0: nothing)"
        )
        each.add_argument("--budget", metavar="SIZE", help="of all segments, from now on, as 500M or 20G")
        each.add_argument(
            "--share", action="append", default=[], metavar="TABLE=PART",
            help="of the budget (0 to 1), beyond which this table gives way first, from now on; repeatable",
        )  # fmt: skip
        each.add_argument("-q", "--quiet", action="store_true", help="nothing on standard error but failures")
    for each in (check, tell):
        add_format(each, ("plain", "json"))
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    """Run one action; 10 where something could not be read, else 0."""
    if not args.store:
        raise UsageError("which store was not said", "--store DIR, or EIGHTYSIX_STORE")
    if args.action == "ingest":
        return _ingest(args, err)
    if args.action == "compact":
        return _compact(args, err)
    return _verify(args, out) if args.action == "verify" else _stats(args, out)


def _ingest(args: argparse.Namespace, err: TextIO) -> int:
    from eightysix.hunt.rows import packed_of
    from eightysix.model.words import Source
    from eightysix.report.notes import count
    from eightysix.serve.crew import Crew
    from eightysix.serve.ingest import Writer, fill_from
    from eightysix.sources.tables import Tabulator

    problems = _Problems(err)
    with _own(args, problems, create=True) as hot, Writer(hot) as writer, Crew(hot, writer) as crew:
        _set(args, hot)
        judging = _judging(args, hot) if args.incidents else None
        forced = None if args.source == "auto" else Source(args.source)
        tabulator = Tabulator(hot.tables, forced=forced)
        alone = judging.take if judging is not None else (lambda block: False) if forced else crew.take
        rows = packed_of(args.paths, sys.stdin.buffer, problems, tabulator=tabulator, taken=alone)
        if judging is not None:
            rows = chain(rows, judging.rows(args.paths, Tabulator(hot.tables)))
        fill_from(hot, rows, writer)
        crew.finish()
        done = writer.finish()
        for problem in crew.problems:
            problems(problem)
        hot.total.misfits += sum(tabulator.misfits.values()) + crew.misfits
        tell_deletions(hot, err)
        total = hot.total
        if not args.quiet:
            sealed = f"; {done.sealed.rows:,} sealed" if done.sealed.rows else ""
            again = f", {total.again:,} were there already" if total.again else ""
            err.write(f"eightysix: {total.kept:,} rows kept{again}{sealed}\n")
            if judging is not None:
                err.write(f"eightysix: {count(len(judging.incidents), 'incidents')} kept\n")
        if judging is not None and judging.missing:
            err.write(
                f"eightysix: not at hand any more: {count(judging.missing, 'raw records')} that incidents rest on\n"
            )
        problems.tell_counts(hot, done.strangers)
    return 10 if problems.any else 0


def _judging(args: argparse.Namespace, hot: Hot) -> Judging:
    from eightysix.serve.judging import Judging
    from eightysix.serve.replay import Replay
    from eightysix.sources.raw import Redactor

    catalog, options = catalog_and_options(args)
    judging = Judging(Replay(catalog.rules, options), Redactor(bytes.fromhex(hot.settings.key)))
    judging.begin()
    return judging


def _compact(args: argparse.Namespace, err: TextIO) -> int:
    from eightysix.store.events.compacting import compact
    from eightysix.store.events.sealing import seal

    problems = _Problems(err)
    with _own(args, problems) as hot:
        _set(args, hot)
        now = time.time_ns()
        sealed = seal(hot, now)
        done = compact(hot, now)
        if not args.quiet:
            err.write(
                f"eightysix: {sealed.rows:,} rows sealed; {done.before:,} segments joined to {done.after:,}\n"
            )
        tell_deletions(hot, err)
    return 10 if problems.any else 0


def _verify(args: argparse.Namespace, out: TextIO) -> int:
    from eightysix.cli.store_text import checked_text
    from eightysix.store.events.accounts import verify, verify_sealed
    from eightysix.store.events.ownership import StoreOwnedError

    try:
        with _own(args, _Problems(None)) as hot:
            checked = verify(hot)
    except StoreOwnedError as error:
        checked = verify_sealed(args.store, _owner(error))
    out.write(checked_text(checked, args.format))
    return 10 if checked.faults else 0


def _stats(args: argparse.Namespace, out: TextIO) -> int:
    from eightysix.cli.store_text import stats_text
    from eightysix.store.events.accounts import stats, stats_of_sealed
    from eightysix.store.events.ownership import StoreOwnedError

    try:
        with _own(args, _Problems(None)) as hot:
            found = stats(hot)
    except StoreOwnedError as error:
        found = stats_of_sealed(args.store, _owner(error))
    out.write(stats_text(found, args.format))
    return 10 if any(table.faults for table in found.tables) else 0


def _own(args: argparse.Namespace, problems: _Problems, *, create: bool = False) -> Hot:
    from eightysix.store.events.hot import Hot

    return Hot(args.store, create=create, name=f"eightysix store {args.action}", on_problem=problems)


def _owner(error: StoreOwnedError) -> int:
    return error.pid or -1


class _Problems:
    """Tells the first of them, and counts."""

    def __init__(self, err: TextIO | None) -> None:
        self._err = err
        self._seen: set[Problem] = set()
        self.any = 0

    def __call__(self, problem: Problem) -> None:
        if problem in self._seen:
            return  # a damaged segment is met again whenever the views are made
        if len(self._seen) < 10_000:
            self._seen.add(problem)
        self.any += 1
        if self._err is not None and self.any <= MAX_TOLD:
            place = f"{problem.file}:{problem.line}" if problem.line else problem.file
            self._err.write(f"eightysix: {inert_line(f'{place}: {problem.kind}: {problem.reason}')}\n")

    def tell_counts(self, hot: Hot, strangers: Mapping[str, int]) -> None:
        """What of the rows could not be kept."""
        from eightysix.report.notes import count

        told = []
        if hot.total.refused:
            told.append(
                f"left out, as they have no usable time or are too large: {count(hot.total.refused, 'rows')}"
            )
        if hot.total.misfits:
            told.append(f"left empty, as they do not fit their column: {count(hot.total.misfits, 'values')}")
        told += [
            f"left out, as no table is called {name!r}: {count(rows, 'rows')}"
            for name, rows in strangers.items()
        ]
        self.any += len(told)
        if self._err is not None:
            self._err.writelines(f"eightysix: {inert_line(text)}\n" for text in told)


def _set(args: argparse.Namespace, hot: Hot) -> None:
    """Write into `store.json` what the command line says of retention and budget."""
    settings = hot.settings
    if args.retention is not None:
        settings.retention_days = _number(args.retention, "--retention", 0, 36_500)
    if args.budget is not None:
        settings.budget_bytes = _bytes(args.budget)
    shares = dict(settings.shares)
    for text in args.share:
        table, equals, part = text.partition("=")
        if not equals or table not in hot.tables:
            raise UsageError(
                f"--share takes TABLE=PART, and {text!r} is not", "For example CloudProcessEvents=0.5"
            )
        shares[table] = _number(part, "--share", 0, 1)
    settings.shares = shares
    if args.retention is not None or args.budget is not None or args.share:
        hot.layout.write_settings(settings)


def _number(text: str, option: str, least: float, most: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not least <= value <= most:
        raise UsageError(f"{option} takes a number from {least:g} to {most:,g}, and {text!r} is none")
    return value


def _bytes(text: str) -> int:
    unit = text[-1:].upper()
    digits = text[:-1] if unit in _UNITS and unit else text
    if not digits.isascii() or not digits.isdigit() or len(digits) > 15:
        raise UsageError(f"--budget takes a size, and {text!r} is none", "For example 500M or 20G")
    return int(digits) * _UNITS.get(unit, 1)


def tell_deletions(hot: Hot, err: TextIO) -> None:
    """Delete what must go; that is told also to who asked for quiet."""
    from eightysix.cli.store_text import moment, size
    from eightysix.store.events.retention import trim

    err.writelines(
        f"eightysix: deleted of {one.table}: {one.rows:,} rows ({size(one.bytes)}) from {moment(one.first_us)}"
        f" to {moment(one.last_us)}, {one.why}\n"
        for one in trim(hot, time.time_ns())
    )
