"""`eightysix hunt run | list | show | test | tables`: KQL over files or a store, and the pack of queries."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, TextIO

from eightysix.cli import hunt_pack, hunt_publish, hunt_validate
from eightysix.cli.terminal import environment, inert_line, terminal_width
from eightysix.model.errors import UsageError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from eightysix.hunt.interface import Result
    from eightysix.hunt.local import Tally

__all__ = ["add_parser", "run"]

FORMATS = (
    "table",
    "json",
    "jsonl",
    "csv",
    "parquet",
)  # hunt.output.FORMATS, which costs too much to import for --help
LIMIT = 1_000
"""Rows that are told; Defender shows 100,000 and the Azure portal 30,000, which no terminal should."""
_DAY = 86_400_000_000_000
_MAX_TOLD = 5
"""Problems of the input that are told one by one."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its actions."""
    parser = commands.add_parser(
        "hunt", help="run KQL over files or a store; list, show and test the pack", allow_abbrev=False
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    _add_run(actions)
    hunt_pack.add_actions(actions)
    parser.set_defaults(run=run)
    hunt_validate.add_parser(actions)
    hunt_publish.add_parser(actions)


def _add_run(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser(
        "run",
        help="run a query",
        description="Runs a query of the pack, of a file, or as it stands on the command line, over telemetry or exported"
        " rows. Only reads.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "query",
        metavar="QUERY",
        help="id of a query of the pack, a file with KQL, or KQL (- for standard input)",
    )
    parser.add_argument("paths", nargs="*", metavar="PATH", help="files and folders (- for standard input)")
    parser.add_argument(
        "--store", default=environment("STORE"), metavar="DIR", help="a store instead (EIGHTYSIX_STORE)"
    )
    parser.add_argument(
        "--now",
        default="",
        metavar="T",
        help="what now() and ago() count from (default: the newest row; for a store, now)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        dest="values",
        help="the value of a let statement",
    )
    parser.add_argument(
        "--limit", type=int, default=LIMIT, metavar="N", help=f"most rows (default {LIMIT:,})"
    )
    parser.add_argument("--timeout", type=float, default=60.0, metavar="S", help="most seconds (default 60)")
    parser.add_argument("--memory", type=int, default=1024, metavar="MB", help="most memory (default 1024)")
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default=environment("FORMAT", "table"),
        help="(EIGHTYSIX_FORMAT; default table)",
    )
    parser.add_argument(
        "--output",
        default=environment("OUTPUT"),
        metavar="FILE",
        help="write there, mode 0600 (EIGHTYSIX_OUTPUT)",
    )
    parser.add_argument("--exit-code", action="store_true", help="exit 11 where the query gives rows")
    parser.add_argument("-q", "--quiet", action="store_true", help="nothing on standard error but failures")


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    """Run one action; its exit code."""
    if args.action == "list":
        return hunt_pack.list_queries(args.format, out)
    if args.action == "show":
        return hunt_pack.show(args.id, args.format, out)
    if args.action == "test":
        return hunt_pack.test(args.names, args.verbose, out)
    if args.action == "tables":
        return hunt_pack.tables(args.name, args.format, out)
    return _run(args, out, err)


def _run(args: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    from eightysix.hunt.engine import run as run_query
    from eightysix.hunt.local import Tally
    from eightysix.hunt.output import rendered

    _check(args)
    text = _text_of(args.query)
    values = _values(args.values)
    pinned = _moment(args.now)
    tally = Tally()
    now = pinned or time.time_ns()
    result = _asked(args, text, now, values) if args.store else None
    if result is None:
        source = _source(args, tally)
        try:
            now = pinned or (tally.now if tally.newest else now)
            result = run_query(
                text, source, now=now, limit=args.limit, parameters=values, timeout_s=args.timeout
            )
        finally:
            source.close()
            del source
    data = rendered(result, args.format, terminal_width())
    if args.output:
        from eightysix.cli.files import write_private

        write_private(args.output, data)
    else:
        _write(data, out)
    if not args.quiet:
        _tell(result, tally, now, bool(pinned), err)
    if tally.problems:
        return 10
    return 11 if args.exit_code and result.rows else 0


def _check(args: argparse.Namespace) -> None:
    if args.store and args.paths:
        raise UsageError("files and a store were given", "Hunt in one or the other: PATH... or --store DIR")
    if not args.store and not args.paths:
        raise UsageError("there is nothing to hunt in", "Name files or folders, or --store DIR")
    if args.query == "-" and "-" in args.paths:
        raise UsageError("standard input is both the query and the rows", "Put one of them into a file.")
    if not 0 < args.limit <= 1_000_000:
        raise UsageError("--limit takes 1 to 1,000,000 rows", "Summarize in the query instead.")
    if not 0 < args.timeout <= 86_400:
        raise UsageError("--timeout takes seconds, up to a day", "Leave it out for 60.")
    if not 64 <= args.memory <= 1 << 20:
        raise UsageError("--memory takes 64 to 1,048,576 MB", "Leave it out for 1024.")
    if args.format == "parquet" and not args.output and sys.stdout.isatty():
        raise UsageError("Parquet is not for terminals", "Name a file: --output FILE")


def _text_of(query: str) -> str:
    """The text of the query: of the pack, of a file, or itself."""
    import os.path

    if query == "-":
        return sys.stdin.read(1 << 20)
    if query and all(character.isalnum() or character in "-_" for character in query):
        from eightysix.hunt.pack import load

        if query in load():
            return load()[query].text
    if any(character in query for character in "|\n;") or " " in query.strip():
        if not os.path.isfile(query[:4096]):
            return query
    if os.path.isfile(query):
        from eightysix.cli.files import read_operator_file

        return read_operator_file(query, "query").decode("utf-8-sig", "replace")
    from eightysix.store import tables

    if query in tables.load():
        return query
    raise UsageError(f"there is no query {query!r}, neither in the pack nor as a file", "eightysix hunt list")


def _values(texts: list[str]) -> Mapping[str, str]:
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"--set takes NAME=VALUE, and {text!r} is not", "For example --set window=5m")
        found[name] = value
    return found


def _moment(text: str) -> int:
    if not text:
        return 0
    from eightysix.model.timestamps import to_ns

    try:
        return to_ns(text if len(text) > 10 else f"{text}T00:00:00Z")
    except ValueError:
        raise UsageError(
            f"--now takes a moment, and {text!r} is none", "For example 2026-11-23T12:00:00Z"
        ) from None


def _asked(args: argparse.Namespace, text: str, now: int, values: Mapping[str, str]) -> Result | None:
    """What the owner of the store answers; None where nobody does: then its files are read."""
    from eightysix.hunt.interface import Result
    from eightysix.model.errors import StateError
    from eightysix.store.events.asking import Question, ask
    from eightysix.store.events.layout import Layout

    if not Layout(args.store).socket.exists():
        return None
    question = Question(text=text, now_ns=now, limit=args.limit, timeout_s=args.timeout, parameters=values)
    try:
        answer = ask(args.store, question)
    except StateError:
        return None
    return Result(answer.columns, answer.rows, answer.truncated)


def _source(args: argparse.Namespace, tally: Tally) -> DuckDBPyConnection:
    if args.store:
        from eightysix.store.events.view import open_view

        return open_view(args.store, memory=f"{args.memory}MB", on_problem=tally.note)
    from eightysix.hunt.local import source_of

    return source_of(args.paths, stdin=sys.stdin.buffer, tally=tally, memory_mb=args.memory)


def _write(data: bytes, out: TextIO) -> None:
    buffer = getattr(out, "buffer", None)
    if buffer is None:
        out.write(data.decode("utf-8", "backslashreplace"))
        return
    out.flush()
    buffer.write(data)
    buffer.flush()


def _tell(result: Result, tally: Tally, now: int, pinned: bool, err: TextIO) -> None:
    from eightysix.report.notes import count

    said = "as told" if pinned else "just after the newest row" if tally.newest else "by the clock"
    more = "; there are more, see --limit" if result.truncated else ""
    read = ""
    if tally.rows:
        read = f" from {count(sum(tally.rows.values()), 'rows')}"
    if tally.newest:
        read += f" of {_stamp(tally.oldest)} to {_stamp(tally.newest)}"
    err.write(f"{count(len(result.rows), 'rows')}{read}{more}\n")
    err.write(f"  now is {_stamp(now)}, {said}\n")
    if not pinned and now > time.time_ns() + _DAY:
        err.write("  that is in the future: where one record is wrong, --now sets the time\n")
    for problem in tally.problems[:_MAX_TOLD]:
        where = f"{problem.file}:{problem.line}" if problem.line else problem.file
        err.write(f"  {inert_line(f'{where}: {problem.kind}: {problem.reason}')}\n")
    left = len(tally.problems) + tally.more_problems - _MAX_TOLD
    if left > 0:
        err.write(f"  and {left:,} more problems\n")
    err.writelines(
        f"  {inert_line(name)}: no table that is known here; {count(rows, 'rows')} left out\n"
        for name, rows in sorted(tally.strangers.items())
    )


def _stamp(moment: int) -> str:
    from datetime import UTC, datetime, timedelta

    text = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=moment // 1_000_000_000)
    return text.strftime("%Y-%m-%dT%H:%M:%SZ")
