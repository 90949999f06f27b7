"""`eightysix hunt validate`: do queries bind in Log Analytics and Defender, by Microsoft's own parser."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from eightysix.cli.options import add_format
from eightysix.cli.terminal import inert_line
from eightysix.model.errors import UsageError

if TYPE_CHECKING:
    from eightysix.hunt.binder import Binder
    from eightysix.hunt.validate import Verdict
    from eightysix.model.table import Environment

__all__ = ["add_parser", "run"]

_ENVIRONMENTS = ("log-analytics", "defender-xdr", "local")
_MAX_FILES = 10_000


def add_parser(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the action to `hunt`."""
    parser = actions.add_parser(
        "validate",
        help="bind queries with Microsoft's own parser",
        description="Parses and binds queries with Microsoft's own parser against the documented columns of Log Analytics"
        " and Defender. Nothing is run or sent. Needs Node.js and, once, --setup.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "queries",
        nargs="*",
        metavar="QUERY",
        help="ids of queries of the pack, .kql files, or folders of them (default: the whole pack)",
    )
    parser.add_argument(
        "--environment",
        action="append",
        choices=_ENVIRONMENTS,
        help="where, repeatable (default: what the query names; for a file, wherever its tables are)",
    )
    parser.add_argument("--setup", action="store_true", help="fetch the parser by npm first, 6 MB")
    add_format(parser, ("plain", "json"))
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    """Validate; 0 where every query binds, else 2."""
    from eightysix.hunt.binder import Binder
    from eightysix.hunt.binder.parser import install

    if args.setup:
        print(f"eightysix: Microsoft's parser lies in {inert_line(str(install()))}", file=err)
    with Binder() as binder:
        found = list(_verdicts(args, binder))
    if args.format == "json":
        print(json.dumps([_as_json(one) for one in found], indent=2), file=out)
    else:
        _tell(found, out)
    return 0 if all(one.ok for one in found) else 2


def _verdicts(args: argparse.Namespace, binder: Binder) -> Iterator[Verdict]:
    from eightysix.hunt.pack import load
    from eightysix.hunt.validate import environments_of, validate, validate_text
    from eightysix.model.table import Environment

    wanted = tuple(Environment(one) for one in args.environment or ())
    pack = load()
    for name in args.queries or pack:
        if name in pack:
            query = pack[name]
            if wanted:
                yield from validate_text(name, query.text, wanted, binder)
            else:
                yield from validate(query, binder)
            continue
        for path in _files(name):
            text = _text(path)
            yield from validate_text(str(path), text, wanted or environments_of(text), binder)


def _files(name: str) -> list[Path]:
    path = Path(name)
    if path.is_dir():
        found = sorted(path.rglob("*.kql"))
        if not found:
            raise UsageError(f"there is no .kql file in {name}", "Name a folder that has some.")
        if len(found) > _MAX_FILES:
            raise UsageError(f"{name} has more than {_MAX_FILES:,} queries", "Name a smaller folder.")
        return found
    if not path.exists():
        raise UsageError(
            f"{name} is no query of the pack and no file", "`eightysix hunt list` lists the pack."
        )
    return [path]


def _text(path: Path) -> str:
    from eightysix.hunt.limits import MAX_BYTES

    try:
        with path.open("rb") as file:
            data = file.read(4 * MAX_BYTES)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", "Check the path.") from None
    return data.decode("utf-8-sig", "replace")


def _tell(found: list[Verdict], out: TextIO) -> None:
    width = max((len(one.query) for one in found), default=0)
    for one in found:
        told = f"{len(one.bound.columns)} columns" if one.ok else "does not bind"
        twin = ", as its twin" if one.twin else ""
        where: Environment = one.environment
        print(f"{inert_line(one.query):{width}}  {where.value:13}  {told}{twin}", file=out)
        for problem in one.bound.problems:
            place = f"{problem.line}:{problem.column}"
            print(f"  {place} {problem.code} {inert_line(problem.message)}", file=out)
    bad = sum(not one.ok for one in found)
    print(f"{len(found) - bad} bind, {bad} do not", file=out)


def _as_json(one: Verdict) -> dict[str, object]:
    return {
        "query": one.query,
        "environment": one.environment.value,
        "ok": one.ok,
        "twin": one.twin,
        "columns": [{"name": column.name, "type": column.type.value} for column in one.bound.columns],
        "problems": [
            {
                "severity": problem.severity,
                "code": problem.code,
                "message": problem.message,
                "line": problem.line,
                "column": problem.column,
            }
            for problem in one.bound.problems
        ],
    }
