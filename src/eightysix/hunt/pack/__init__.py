"""The pack: one folder a query, `query.kql` and what a hunter must know about it in `about.yml`.

`fires/*.jsonl` and `quiet/*.jsonl` hold rows (`{"table": ..., "row": ...}`) over which the query gives rows, or none.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from eightysix.hunt.interface import Query
from eightysix.hunt.limits import MAX_BYTES
from eightysix.model.errors import QueryError

__all__ = ["load", "load_folder", "packaged_folder", "read_query"]

_MAX_ABOUT = 64 << 10


def packaged_folder() -> Path:
    """Where the folders of the pack lie."""
    return Path(str(files("eightysix.hunt.pack")))


@lru_cache(maxsize=1)
def load() -> Mapping[str, Query]:
    """Every query of the pack by id."""
    return load_folder(packaged_folder())


def load_folder(folder: Path) -> Mapping[str, Query]:
    """Every query whose folder lies in `folder`, by id."""
    try:
        found = [one for one in sorted(folder.iterdir()) if (one / "query.kql").is_file()]
    except OSError as error:
        raise QueryError(f"{folder} cannot be read: {error.strerror}", "Check the path.") from None
    return MappingProxyType({one.name: read_query(one) for one in found})


def read_query(folder: Path) -> Query:
    """The query of one folder; `QueryError` says which file is wrong, and how."""
    about = folder / "about.yml"
    text = _text(folder / "query.kql", MAX_BYTES)
    try:
        known = _about(_text(about, _MAX_ABOUT))
        return msgspec.convert({**known, "id": folder.name, "text": text}, type=Query)
    except (ValueError, TypeError, RecursionError) as error:
        raise QueryError(
            f"{about}: {str(error)[:300]}", "docs/hunt-pack.md says what belongs there."
        ) from None


def _about(text: str) -> dict[str, Any]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        if any(isinstance(event, yaml.events.AliasEvent) for event in yaml.parse(text, Loader=loader)):
            raise ValueError("aliases are not allowed")
        known = yaml.load(text, Loader=loader)  # noqa: S506 - a safe one, in C where there is one
    except yaml.YAMLError as error:
        raise ValueError(f"no YAML: {error}") from None
    if not isinstance(known, dict):
        raise ValueError("not a mapping")
    allowed = set(Query.__struct_fields__) - {"id", "text"}
    if strange := [str(key) for key in known if key not in allowed]:
        raise ValueError(f"unknown keys: {', '.join(sorted(strange))}")
    return known


def _text(file: Path, most: int) -> str:
    try:
        with file.open("rb") as stream:
            data = stream.read(most + 1)
        if len(data) > most:
            raise QueryError(f"{file} is longer than {most:,} bytes")
        return data.decode("utf-8-sig")
    except OSError as error:
        raise QueryError(f"{file} cannot be read: {error.strerror}", "Check the path.") from None
    except UnicodeDecodeError:
        raise QueryError(f"{file} is not UTF-8") from None
