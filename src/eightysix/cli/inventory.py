"""The options that name an inventory: files of `kubectl` and `az`, or a live cluster."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, TextIO

from eightysix.cli.options import add_posture
from eightysix.cli.terminal import environment, inert_line
from eightysix.model.errors import UsageError
from eightysix.model.timestamps import to_ns

if TYPE_CHECKING:
    from eightysix.context.inventory import Inventory
    from eightysix.context.reach import Reaches
    from eightysix.model.incident import Problem
    from eightysix.model.story import Gap

__all__ = ["IN_CLUSTER", "add_inventory", "reaches_options", "read_inventory_options"]

IN_CLUSTER = "in-cluster"
"""In place of a kubeconfig: the account of the pod that this runs in."""


_OF_CLUSTER = "the live cluster was not asked for everything: "
"""How the gap of a list that was refused begins."""


def add_inventory(parser: argparse.ArgumentParser) -> None:
    """Add the group."""
    group = parser.add_argument_group("knowing who is who")
    group.add_argument(
        "--inventory",
        action="append",
        metavar="PATH",
        default=None,
        help="file or folder of `kubectl get ... -o json` and `az` answers, repeatable (EIGHTYSIX_INVENTORY, comma separated;"
        " docs/attribution.md)",
    )
    group.add_argument(
        "--inventory-at",
        default=environment("INVENTORY_AT"),
        metavar="TIME",
        help="when these files were collected, RFC 3339 (EIGHTYSIX_INVENTORY_AT)",
    )
    group.add_argument(
        "--kubeconfig",
        default=environment("KUBECONFIG"),
        metavar=f"FILE|{IN_CLUSTER}",
        help="ask this cluster for its pods, nodes and service accounts, never for Secrets (EIGHTYSIX_KUBECONFIG)",
    )
    group.add_argument(
        "--context",
        default=environment("CONTEXT"),
        metavar="NAME",
        help="context of the kubeconfig (EIGHTYSIX_CONTEXT)",
    )
    add_posture(group, "; without it the inventory is judged, where it has roles and bindings")


def reaches_options(args: argparse.Namespace, err: TextIO) -> Callable[[], Reaches | None]:
    """What gives the posture by which pods' reach is told: that of `--posture`, else of the inventory, judged when a story asks
    for it. What stands in the way of the latter is said once, and everything else goes on."""
    from eightysix.model.errors import EightysixError

    if args.posture:
        from eightysix.serve.reaching import read_reaches

        reaches = read_reaches(args.posture, edges=True)
        return lambda: reaches

    @cache
    def judged() -> Reaches | None:
        try:
            return _judged(args)
        except EightysixError as error:
            if not args.quiet:
                told = inert_line(f"what pods could reach is not told: {error.what}. {error.advice}".rstrip())
                print(f"eightysix: {told}", file=err)
            return None

    return judged if _paths(args) or args.kubeconfig else lambda: None


def _paths(args: argparse.Namespace) -> list[str]:
    told: list[str] = args.inventory or [text for text in environment("INVENTORY").split(",") if text]
    return told


def _judged(args: argparse.Namespace) -> Reaches:
    """The posture of the inventory."""
    from eightysix.posture.reading import SnapshotBuilder
    from eightysix.serve.posture import collect, read_paths
    from eightysix.serve.reaching import judged

    builder = SnapshotBuilder(taken_at=args.inventory_at)
    if args.kubeconfig:
        from eightysix.serve import cluster

        config = (
            cluster.in_cluster(os.environ)
            if args.kubeconfig == IN_CLUSTER
            else cluster.from_kubeconfig(args.kubeconfig, args.context)
        )
        # What a kubeconfig calls a cluster is its owner's own name, and no record's: it is not held against them.
        builder.taken_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        with cluster.ClusterClient(config) as client:
            collect(builder, client)
    if paths := _paths(args):
        read_paths(builder, paths)
    return judged(builder.snapshot())


def read_inventory_options(args: argparse.Namespace, err: TextIO) -> tuple[Inventory | None, list[Gap]]:
    """What the options name, None where they name nothing, and what of it could not be known. The problems of each file and
    each list go to `err`, too."""
    from eightysix.cli.detect import tell_problems

    paths = _paths(args)
    if args.context and not args.kubeconfig:
        raise UsageError("--context is of a kubeconfig, and none is named", "Name it with --kubeconfig.")
    if not paths and not args.kubeconfig:
        return None, []
    from eightysix.context.inventory import Inventory
    from eightysix.model.story import Gap
    from eightysix.serve.inventory import load_inventory

    inventory = Inventory()
    problems: list[Problem] = []
    gaps: list[Gap] = []
    unread = 0
    if paths:
        taken = load_inventory(inventory, paths, collected_ns=_collected(args.inventory_at))
        problems += taken.problems
        unread = taken.malformed
    if args.kubeconfig:
        from eightysix.serve import cluster

        config = (
            cluster.in_cluster(os.environ)
            if args.kubeconfig == IN_CLUSTER
            else cluster.from_kubeconfig(args.kubeconfig, args.context)
        )
        with cluster.ClusterClient(config) as client:
            collected = cluster.collect_inventory(client, inventory, time.time_ns)
        problems += collected.taken.problems
        unread += collected.taken.malformed
        role = "the role of deploy/cluster/reader.yaml (docs/attribution.md)"
        gaps += [Gap("", f"{_OF_CLUSTER}{text}", role) for text in collected.gaps]
    tell_problems(problems, args.verbose, err)
    for gap in gaps:
        print(f"eightysix: {inert_line(gap.text)}", file=err)
    if unread:
        many = f"{unread} objects" if unread > 1 else "one object"
        gaps.append(Gap("", f"who is who: {many} of the inventory could not be read, and may be candidates"))
    return inventory, gaps


def _collected(text: str) -> int:
    try:
        return to_ns(text) if text else 0
    except ValueError:
        raise UsageError(
            f"--inventory-at takes a time as RFC 3339, and {text!r} is none", "As in 2026-11-23T12:00:00Z."
        ) from None
