"""Values as bytes that are kept and read again, by us or by others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import msgspec

from eightysix.model.errors import StateError

__all__ = ["REBUILT", "Versioned", "as_json", "read_stored", "read_versioned", "visible"]

REBUILT = "it is built anew from the telemetry that is still there"
"""What becomes of live state that is moved away."""

_T = TypeVar("_T")


class Versioned(Protocol):
    """What says which release's layout it has."""

    version: int


_V = TypeVar("_V", bound=Versioned)


def as_json(value: object) -> bytes:
    """`value` (Structs, dictionaries, lists) as compact JSON; the same value gives the same bytes."""
    # NOTE: "deterministic" sorts dictionaries and leaves the fields of structs in the order of the contract.
    try:
        return msgspec.json.encode(value, order="deterministic")
    except UnicodeEncodeError:
        return msgspec.json.encode(_visible(msgspec.to_builtins(value, order="deterministic")))


def visible(text: str) -> str:
    """`text` with lone surrogates, which no UTF-8 can hold, as the visible text `\\udc80`."""
    return text.encode("utf-8", "backslashreplace").decode()


def _visible(value: object) -> object:
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, list | tuple):
        return [_visible(item) for item in value]
    if isinstance(value, dict):
        return {_visible(key): _visible(item) for key, item in value.items()}
    return value


def read_stored(decode: Callable[[bytes], _T], data: bytes, what: str, rescue: str = REBUILT) -> _T:
    """What `decode` makes of stored `data`; raises `StateError` where it is something else. `what` names it, `rescue` says
    what becomes of it when it is moved away."""
    try:
        return decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise StateError(f"{what} cannot be read: {error}", f"move the state away: {rescue}") from error


def read_versioned(decode: Callable[[bytes], _V], data: bytes, what: str, version: int) -> _V:
    """As `read_stored`, of a value that says its version; raises `StateError` for another one."""
    value = read_stored(decode, data, what)
    if value.version != version:
        raise StateError(
            f"{what} has version {value.version}, this release writes {version}",
            f"move the state away: {REBUILT}",
        )
    return value
