"""`eightysix generate FOLDER`: telemetry of a cluster that never was, with planted attacks and the truth about them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from eightysix.cli.terminal import inert_line
from eightysix.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["add_parser", "run"]

LABELS = "labels.json"
TELEMETRY = "telemetry"

_HELD_BYTES = 65_536
"""Bytes of one file that are held before they are written: 5,000 nodes would be too many open files."""

_NUMBERS: tuple[tuple[str, type, str, str], ...] = (
    ("pods", int, "300", "pods that live at some time of it"),
    ("nodes", int, "10", "nodes of the cluster"),
    ("hours", float, "1", "hours that it covers, from 2026-11-24 09:00 UTC on"),
    ("attacks", int, "10", "attacks that are planted, every kind in turn"),
    ("look-alikes", int, "40", "benign look-alikes that are planted, every kind in turn"),
    ("rate", float, "20", "records a second over all sources, about"),
    ("lateness", float, "0", "each record is delivered up to this many seconds late, evenly distributed"),
    ("duplicates", float, "0", "share of records that are delivered twice"),
    ("drops", float, "0", "share of records that are lost"),
    ("seed", int, "86", "same seed, same bytes"),
)


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "generate",
        help="write telemetry of a made-up cluster with planted attacks",
        description="Writes telemetry of a made-up cluster with planted attacks and look-alikes: FOLDER/telemetry/NODE/"
        "SOURCE.jsonl in the order of delivery, and the truth about it in FOLDER/labels.json. All of it is text about"
        " things that never happened.",
        allow_abbrev=False,
    )
    parser.add_argument("folder", metavar="FOLDER", help="where to write; must not exist or be empty")
    for name, kind, default, told in _NUMBERS:
        parser.add_argument(
            f"--{name}", type=kind, default=kind(default), metavar="N", help=f"{told} (default {default})"
        )
    parser.add_argument(
        "--formats",
        default="tetragon,audit,sensor",
        metavar="LIST",
        help="sources that are switched on, comma separated; falco too, beside tetragon (default tetragon,audit,sensor)",
    )
    parser.add_argument(
        "--sensor-namespace",
        action="append",
        default=[],
        metavar="NS",
        help="the in-process sensor is in this namespace only, repeatable (default: in all)",
    )
    parser.add_argument(
        "--audit-hours",
        type=float,
        metavar="N",
        help="the audit log is switched off after N hours (default: never)",
    )
    parser.add_argument(
        "--blind-nodes", type=int, default=0, metavar="N", help="N of the nodes have no Tetragon (default 0)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, out: TextIO, _err: TextIO) -> int:
    """Write the folder, and say what is in it."""
    from eightysix.lab.generate.plan import Plan
    from eightysix.lab.generate.world import World

    plan = Plan(
        pods=args.pods,
        nodes=args.nodes,
        hours=args.hours,
        attacks=args.attacks,
        look_alikes=args.look_alikes,
        rate=args.rate,
        lateness_s=args.lateness,
        duplicates=args.duplicates,
        drops=args.drops,
        seed=args.seed,
        formats=tuple(name for name in args.formats.split(",") if name),
        sensor_namespaces=tuple(args.sensor_namespace),
        audit_hours=args.audit_hours,
        blind_nodes=args.blind_nodes,
    )
    folder = _empty_folder(args.folder)
    world = World(plan)
    _write(folder / TELEMETRY, world.chunks())
    labels = world.labels()
    (folder / LABELS).write_bytes(_pretty(labels))
    _tell(labels, args.folder, out)
    return 0


def _empty_folder(name: str) -> Path:
    folder = Path(name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        used = any(folder.iterdir())
    except OSError as error:
        raise UsageError(f"cannot write to {name}: {error.strerror}") from None
    if used:
        raise UsageError(f"{name} is not empty", "Name a new folder: what lies there is not overwritten.")
    return folder


def _write(folder: Path, lines: Iterable[tuple[str, bytes]]) -> None:
    held: dict[str, bytearray] = {}
    for file, line in lines:
        waiting = held.get(file)
        if waiting is None:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            waiting = held[file] = bytearray()
        waiting += line
        waiting += b"\n"
        if len(waiting) > _HELD_BYTES:
            _append(folder / file, waiting)
    for file, waiting in held.items():
        _append(folder / file, waiting)


def _append(path: Path, waiting: bytearray) -> None:
    with path.open("ab") as file:
        file.write(waiting)
    waiting.clear()


def _pretty(labels: dict[str, object]) -> bytes:
    import msgspec

    return msgspec.json.format(msgspec.json.encode(labels), indent=1) + b"\n"


def _tell(labels: dict[str, object], folder: str, out: TextIO) -> None:
    records, pods = labels["records"], labels["pods"]
    attacks, look_alikes = labels["attacks"], labels["look_alikes"]
    assert isinstance(records, dict) and isinstance(pods, dict)  # noqa: S101, PT018 - for the type checker
    assert isinstance(attacks, list) and isinstance(look_alikes, list)  # noqa: S101, PT018
    evaluable = sum(bool(told["evaluable"]) for told in attacks)
    print(
        f"{sum(records.values()):,} records of {sum(pods.values()):,} pods: "
        + " · ".join(f"{source} {count:,}" for source, count in records.items()),
        f"{len(attacks)} attacks, {evaluable} of them to be found with this telemetry, {len(look_alikes)} look-alikes",
        f"telemetry in {inert_line(folder)}/{TELEMETRY}, truth in {inert_line(folder)}/{LABELS}",
        sep="\n",
        file=out,
    )
