"""`eightysix exception propose INCIDENT PATH...`: an exception that covers one incident and nothing more."""

from __future__ import annotations

import argparse
import sys
from typing import TextIO

from eightysix.cli.options import add_judging, add_reading, catalog_and_options
from eightysix.model.errors import UsageError

__all__ = ["add_parser", "run"]


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    parser = commands.add_parser("exception", help="propose an exception for an incident", allow_abbrev=False)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    propose = actions.add_parser(
        "propose",
        help="write an exception that covers one incident",
        description="Prints an exception for rules.d that covers this incident and nothing more: its workload, what "
        "landed and where it went. 'contain' cannot be silenced. Give the telemetry that the incident came from, and"
        " the options by which detect found it.",
        allow_abbrev=False,
    )
    propose.add_argument("incident", metavar="INCIDENT", help="id of the incident, or its beginning")
    propose.add_argument("paths", nargs="+", metavar="PATH", help="the telemetry that it came from")
    propose.add_argument("--reason", required=True, help="why this is harmless")
    propose.add_argument("--author", required=True, help="who says so")
    propose.add_argument("--name", default="", help="name of the exception (default: rule and workload)")
    propose.add_argument("--days", type=int, default=30, help="how long it lasts (default 30, at most 365)")
    add_reading(propose)
    add_judging(propose)
    propose.set_defaults(run=run)


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    """Print the exception; it goes to a file `<name>.exception.yml` in your rules.d."""
    from datetime import UTC, datetime

    from eightysix.detect.suppress import facts_of
    from eightysix.rules.exceptions import propose
    from eightysix.serve.replay import Replay

    catalog, options = catalog_and_options(args)
    replay = Replay(catalog.rules, options)
    replay.read(args.paths, sys.stdin.buffer)
    cases = [case for case in replay.engine.cases() if case.incident.id.startswith(args.incident)]
    if len(cases) != 1:
        raise UsageError(
            f"{len(cases)} incidents have an id that begins with {args.incident!r}",
            "'eightysix detect --format json' tells the ids",
        )
    facts = facts_of(cases[0].chains, cases[0].incident)
    name = args.name or _name(f"{facts.rule}-{facts.workload.partition('/')[2]}")
    today = datetime.now(UTC).date()
    text = propose(facts, name=name, reason=args.reason, author=args.author, today=today, days=args.days)
    err.write(f"eightysix: put this into your rules.d as {name}.exception.yml\n")
    out.write(text)
    return 0


def _name(text: str) -> str:
    """A valid name of an exception out of names from the telemetry, which may hold anything."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in text.lower())
    return plain[:64].strip("-_")
