"""Files of an inventory: folders of `kubectl get ... -o json` and `az` answers, compressed or not, in any order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

from eightysix.context.inventory import Inventory, Taken, read_inventory
from eightysix.context.inventory.reading import MAX_PROBLEMS
from eightysix.model.incident import Problem
from eightysix.sources.decompress import Limits
from eightysix.sources.reading import read_inputs

__all__ = ["LIMITS", "load_inventory"]

LIMITS = Limits(record_bytes=64 << 20, decompressed_bytes=4 << 30)
"""A list on one line is one record, and the pods of 5,000 nodes as one list are about 1 GB; over several lines, as kubectl
writes them, each object is a record of its own and there is no such bound."""


def load_inventory(
    inventory: Inventory,
    paths: Sequence[str],
    *,
    stdin: BinaryIO | None = None,
    cluster: str = "",
    collected_ns: int = 0,
) -> Taken:
    """Take files and folders into `inventory`. `collected_ns` is when all of them were asked for, 0 where nobody knows: the
    age of a file says nothing, as copies are younger. Raises `NothingToReadError` where not one could be opened."""
    taken = Taken()

    def note(problem: Problem) -> None:
        taken.malformed += 1
        if len(taken.problems) < MAX_PROBLEMS:
            taken.problems.append(problem)

    for block in read_inputs(paths, stdin, LIMITS, note):
        read_inventory(
            inventory,
            block.data,
            block.file,
            block.first_line,
            cluster=cluster,
            collected_ns=collected_ns,
            taken=taken,
        )
    return taken
