"""The options that name an inventory: files of `kubectl` and `az`, or a live cluster."""

from __future__ import annotations

import argparse
import os
import time
from typing import TYPE_CHECKING, TextIO

from eightysix.cli.terminal import environment, inert_line
from eightysix.model.errors import UsageError
from eightysix.model.timestamps import to_ns

if TYPE_CHECKING:
    from eightysix.context.inventory import Inventory

__all__ = ["IN_CLUSTER", "add_inventory", "read_inventory_options"]

IN_CLUSTER = "in-cluster"
"""In place of a kubeconfig: the account of the pod that this runs in."""


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


def read_inventory_options(args: argparse.Namespace, err: TextIO) -> Inventory | None:
    """What the options name, None where they name nothing; what could not be used goes to `err`."""
    from eightysix.cli.detect import tell_problems

    paths = args.inventory or [text for text in environment("INVENTORY").split(",") if text]
    if args.context and not args.kubeconfig:
        raise UsageError("--context is of a kubeconfig, and none is named", "Name it with --kubeconfig.")
    if not paths and not args.kubeconfig:
        return None
    from eightysix.context.inventory import Inventory
    from eightysix.serve.inventory import load_inventory

    inventory = Inventory()
    problems, gaps = [], []
    if paths:
        problems += load_inventory(inventory, paths, collected_ns=_collected(args.inventory_at)).problems
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
        gaps += collected.gaps
    tell_problems(problems, args.verbose, err)
    for gap in gaps:
        print(f"eightysix: {inert_line(gap)}", file=err)
    return inventory


def _collected(text: str) -> int:
    try:
        return to_ns(text) if text else 0
    except ValueError:
        raise UsageError(
            f"--inventory-at takes a time as RFC 3339, and {text!r} is none", "As in 2026-11-23T12:00:00Z."
        ) from None
