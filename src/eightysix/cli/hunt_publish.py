"""`eightysix hunt publish`: the pack as analytics rules, custom detections or a workbook."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from eightysix.cli.terminal import inert_line
from eightysix.model.errors import UsageError

if TYPE_CHECKING:
    from eightysix.hunt.publish import Published

__all__ = ["add_parser", "run"]

_FORMATS = (
    "sentinel",
    "defender",
    "workbook",
)  # hunt.publish.FORMATS, which costs too much to import for --help


def add_parser(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the action to `hunt`."""
    parser = actions.add_parser(
        "publish",
        help="write queries of the pack as rules of Sentinel or Defender, or as a workbook",
        description="Writes files that Sentinel and Defender take. Each query is bound by Microsoft's parser first; what a"
        " portal would not take is left out and told. Nothing is sent anywhere.",
        allow_abbrev=False,
    )
    parser.add_argument("queries", nargs="*", metavar="ID", help="queries of the pack (default: all)")
    parser.add_argument("--format", choices=_FORMATS, required=True, help="for whom")
    parser.add_argument(
        "--output", default=".", metavar="DIR", help="folder to write into (default: this one)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    """Write the files; 0 where every query that was named became one, else 10."""
    from eightysix.hunt.binder import Binder
    from eightysix.hunt.pack import load
    from eightysix.hunt.publish import publish

    pack = load()
    unknown = [one for one in args.queries if one not in pack]
    if unknown:
        raise UsageError(f"{unknown[0]} is no query of the pack", "`eightysix hunt list` lists the pack.")
    queries = [pack[name] for name in args.queries or pack]
    with Binder() as binder:
        found = publish(queries, args.format, binder)
    _write(found, Path(args.output))
    for name in found.files:
        print(inert_line(str(Path(args.output) / name)), file=out)
    for one in found.left_out:
        print(f"eightysix: {inert_line(one.query)} is left out: {inert_line(one.why)}", file=err)
    return 10 if args.queries and found.left_out else 0


def _write(found: Published, folder: Path) -> None:
    """Each file whole or not at all."""
    from eightysix.cli.files import write_private

    for name, data in found.files.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"{path.parent} cannot be made: {error.strerror}", "Name another --output."
            ) from None
        write_private(str(path), data)
