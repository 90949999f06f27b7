"""The pack: one folder a query, `query.kql` and what a hunter must know about it in `about.yml`.

`fires/*.jsonl` and `quiet/*.jsonl` hold rows (`{"table": ..., "row": ...}`) over which the query gives rows, or none.
docs/hunt-pack.md says what belongs into `about.yml`; what does not is refused with line and column.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType

from eightysix.hunt.interface import Query
from eightysix.hunt.limits import MAX_BYTES
from eightysix.hunt.pack.about import About
from eightysix.model.errors import QueryError
from eightysix.rules.yamlfile import Fault, RuleFileError, read_bytes

__all__ = ["load", "load_folder", "packaged_folder", "read_query"]


def packaged_folder() -> Path:
    """Where the folders of the pack lie."""
    return Path(str(files("eightysix.hunt.pack")))


@lru_cache(maxsize=1)
def load() -> Mapping[str, Query]:
    """Every query of the pack by id."""
    return load_folder(packaged_folder())


def load_folder(folder: Path) -> Mapping[str, Query]:
    """Every query whose folder lies in `folder`, by id. Raises `RuleFileError` with everything that is wrong in any."""
    try:
        found = [one for one in sorted(folder.iterdir()) if (one / "query.kql").is_file()]
    except OSError as error:
        raise QueryError(f"{folder} cannot be read: {error.strerror}", "Check the path.") from None
    queries: dict[str, Query] = {}
    faults: list[tuple[str, Fault]] = []
    for one in found:
        try:
            queries[one.name] = read_query(one)
        except RuleFileError as error:
            faults.extend(error.faults)
    if faults:
        raise RuleFileError(faults)
    return MappingProxyType(queries)


def read_query(folder: Path) -> Query:
    """The query of one folder, called as the folder is. Raises `RuleFileError` for its `about.yml`, with all its faults,
    and `QueryError` where the text cannot be read."""
    text = _text(folder / "query.kql")
    about = folder / "about.yml"
    return About(read_bytes(about), str(about), folder.name, text).query()


def _text(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise QueryError(f"{file} cannot be read: {error.strerror}", "Check the path.") from None
    if len(data) > MAX_BYTES:
        raise QueryError(f"{file} is longer than {MAX_BYTES:,} bytes", "Split it.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise QueryError(f"{file} is not UTF-8", "Save it as UTF-8.") from None
