"""What each operator of TensorFlow can reach, from the index that `tools/tensorflow_ops.py` writes."""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from importlib.resources import files

import msgspec

__all__ = ["Role", "guarded_attribute", "role_of"]


class Role(StrEnum):
    """`CHECKPOINT` are what savers are made of, `ASSET` fills a table from a file, `ATTRIBUTE` reaches a file only if
    one of its attributes says so, `UNKNOWN` is no operator of TensorFlow.
    """

    PLAIN = "plain"
    PYTHON = "python"
    EFFECT = "effect"
    CHECKPOINT = "checkpoint"
    ASSET = "asset"
    ATTRIBUTE = "attribute"
    UNKNOWN = "unknown"


class _Index(msgspec.Struct):
    source: str
    attribute: dict[str, str]
    asset: str
    checkpoint: str
    effect: str
    plain: str
    python: str


@cache
def _index() -> _Index:
    data = files("eightysix.scan.graphs").joinpath("data", "tensorflow-ops.json").read_bytes()
    return msgspec.json.decode(data, type=_Index)


@cache
def _roles() -> dict[str, Role]:
    index = _index()
    table = dict.fromkeys(index.attribute, Role.ATTRIBUTE)
    for role in (Role.PLAIN, Role.PYTHON, Role.EFFECT, Role.CHECKPOINT, Role.ASSET):
        table.update(dict.fromkeys(getattr(index, role.value).split(), role))
    return table


def role_of(operator: str) -> Role:
    """What `operator` can reach."""
    return _roles().get(operator, Role.UNKNOWN)


def guarded_attribute(operator: str) -> str:
    """The attribute that decides for an operator of the role `ATTRIBUTE`."""
    return _index().attribute[operator]
