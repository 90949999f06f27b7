"""The snapshot of advisories that is shipped: about loading files and state that others wrote, and nothing else."""

from __future__ import annotations

from datetime import date
from functools import cache
from importlib.resources import files

import msgspec

__all__ = ["Advisory", "Snapshot", "snapshot"]


class Advisory(msgspec.Struct, frozen=True):
    """One hole in one package. `affected` are alternatives of PEP 440, any of which is enough; `fixed` are the versions
    that mend it. `source` is the public page or database entry that the range was taken from.
    """

    package: str
    ids: tuple[str, ...]
    affected: tuple[str, ...]
    fixed: tuple[str, ...]
    what: str
    source: str


class Snapshot(msgspec.Struct, frozen=True):
    """`made` is the day on which the ranges were last compared with their sources. `loaders` says by package what of
    it can run code from a file."""

    made: date
    advisories: tuple[Advisory, ...]
    loaders: dict[str, str]


@cache
def snapshot() -> Snapshot:
    """The shipped snapshot, read on first use."""
    data = files("eightysix.scan.environment").joinpath("advisories.json").read_bytes()
    return msgspec.json.decode(data, type=Snapshot)
