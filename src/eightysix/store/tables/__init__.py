"""The tables that rows are kept in and queries are bound against, as data: one JSON file each (`model.table.Table`).

Columns are written from the documentation page that each file names. Tables of our own are `EightySix..._CL`; a template in
`deploy/` creates them in a workspace.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType

import msgspec

from eightysix.model.table import Table

__all__ = ["load"]


@lru_cache(maxsize=1)
def load() -> Mapping[str, Table]:
    """Every table by name."""
    folder = files("eightysix.store") / "tables"
    read = [
        msgspec.json.decode(one.read_bytes(), type=Table)
        for one in folder.iterdir()
        if one.name.endswith(".json")
    ]
    return MappingProxyType({table.name: table for table in sorted(read, key=lambda table: table.name)})
