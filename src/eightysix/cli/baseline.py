"""`eightysix baseline build PATH...`: what workloads normally do, from telemetry of a time that the operator trusts."""

from __future__ import annotations

import argparse
import sys
from typing import TextIO

from eightysix.cli.terminal import environment

__all__ = ["add_parser", "run"]


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    parser = commands.add_parser("baseline", help="record what workloads normally do", allow_abbrev=False)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    build = actions.add_parser(
        "build",
        help="build a snapshot from telemetry",
        description="Builds a baseline from telemetry of a time that you trust, keyed by workload template and image digest.",
        allow_abbrev=False,
    )
    build.add_argument("paths", nargs="+", metavar="PATH", help="file, folder, or - for standard input")
    build.add_argument(
        "--output",
        "-o",
        default=environment("BASELINE"),
        metavar="FILE",
        help="where to write it (EIGHTYSIX_BASELINE; default standard output)",
    )
    build.set_defaults(run=run)


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    """Build the snapshot; the account of what was read goes to standard error."""
    from eightysix.context.baseline import encode_baseline
    from eightysix.serve.replay import Replay, ReplayOptions

    replay = Replay((), ReplayOptions())
    replay.read(args.paths, sys.stdin.buffer)
    baseline, without = replay.build_baseline()
    data = encode_baseline(baseline)
    if args.output:
        from eightysix.cli.files import write_private

        write_private(args.output, data)
    else:
        out.write(data.decode())
    digests = sum(len(by_digest) for by_digest in baseline.workloads.values())
    print(f"eightysix: {len(baseline.workloads)} workloads, {digests} image digests", file=err)
    if without:
        print(f"eightysix: {without} pods left out: the telemetry does not name their workload", file=err)
    return 0
