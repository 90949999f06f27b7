"""`eightysix incident list | show | ack | close | note | reopen`: what became of incidents, in the words of those who looked."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, TextIO

from eightysix.cli.options import add_color, add_format
from eightysix.cli.terminal import environment, inert_line, may_colour, terminal_width
from eightysix.model.errors import UsageError

if TYPE_CHECKING:
    from eightysix.model.case import Case
    from eightysix.report.interface import RenderOptions
    from eightysix.store.casebook import Casebook

__all__ = ["add_parser", "run"]

LIMIT = 200
"""Incidents that a list tells unless `--limit` says otherwise."""

_SAYING = {
    "ack": ("say that you look at it", "what you think"),
    "close": ("say that it is dealt with; a higher verdict opens it again", "how it ended"),
    "reopen": ("open a closed one again", "why"),
    "note": ("keep a sentence with it", "the sentence"),
}


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its actions."""
    parser = commands.add_parser(
        "incident", help="list and show incidents, and keep what you said about them", allow_abbrev=False
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="incidents as a table, worst first", allow_abbrev=False)
    listing.add_argument("--all", action="store_true", help="closed ones too")
    listing.add_argument(
        "--limit", type=int, default=LIMIT, metavar="N", help=f"how many at most (default {LIMIT})"
    )
    show = actions.add_parser("show", help="one incident and what was said about it", allow_abbrev=False)
    show.add_argument("-v", "--verbose", action="count", default=0, help="tell it in full")
    for reading in (listing, show):
        _reading(reading)
    for action, (help_text, text_help) in _SAYING.items():
        saying = actions.add_parser(action, help=help_text, allow_abbrev=False)
        _id(saying)
        saying.add_argument("text", nargs="+" if action == "note" else "*", metavar="TEXT", help=text_help)
        saying.add_argument(
            "--by",
            default=environment("BY"),
            metavar="NAME",
            help="who you are (EIGHTYSIX_BY; default your login)",
        )
        _state(saying)
    _id(show)
    parser.set_defaults(run=run)


def _id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="id of the incident, or its beginning")


def _state(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--state",
        default=environment("STATE"),
        metavar="DIR",
        help="folder that eightysix watch keeps its state in (EIGHTYSIX_STATE)",
    )


def _reading(parser: argparse.ArgumentParser) -> None:
    _state(parser)
    add_format(parser, ("plain", "json"))
    add_color(parser)


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    """Run one action; 0 unless it could not be done."""
    from time import time

    from eightysix.store.casebook import Casebook

    if not args.state:
        raise UsageError(
            "where the casebook is was not said",
            "--state DIR, or EIGHTYSIX_STATE: the folder of eightysix watch",
        )
    casebook = Casebook(args.state, time)
    try:
        if args.action == "list":
            _list(casebook, args, out)
        elif args.action == "show":
            _show(casebook.case(args.id), args, out)
        else:
            _say(casebook, args, err)
    finally:
        casebook.close()
    return 0


def _list(casebook: Casebook, args: argparse.Namespace, out: TextIO) -> None:
    from eightysix.report.cases import cases_json, cases_table

    if args.limit < 1:
        raise UsageError("--limit takes a number from 1", "leave it out for the first 200")
    cases = casebook.cases(closed=args.all, limit=args.limit)
    if args.format == "json":
        out.write(cases_json(cases))
        return
    out.writelines(cases_table(cases, casebook.counts(), args.all, _options(args, out)))


def _show(case: Case, args: argparse.Namespace, out: TextIO) -> None:
    from eightysix.report.cases import case_text, cases_json

    if args.format == "json":
        out.write(cases_json([case]))
        return
    out.writelines(case_text(case, _options(args, out)))


def _say(casebook: Casebook, args: argparse.Namespace, err: TextIO) -> None:
    from eightysix.model.case import Act

    case = casebook.say(args.id, Act(args.action), args.by or _login(), " ".join(args.text).strip())
    incident = case.incident
    line = f"incident {incident.id} ({incident.verdict}, {incident.rule}) is {case.state}"
    err.write(f"eightysix: {inert_line(line)}\n")


def _options(args: argparse.Namespace, out: TextIO) -> RenderOptions:
    from eightysix.report.interface import RenderOptions

    verbose = getattr(args, "verbose", 0)
    return RenderOptions(width=terminal_width(), colour=may_colour(args.color, out), verbose=verbose)


def _login() -> str:
    """The name of who runs this; the number where the system has none, as in many containers."""
    import getpass
    import os

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
