"""All that one `watch` follows, with positions as the state database keeps them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from eightysix.model.errors import StateError
from eightysix.model.incident import Problem
from eightysix.serve.follow.files import Follower
from eightysix.serve.follow.inputs import Inputs
from eightysix.serve.follow.notify import Wake
from eightysix.serve.follow.position import Position
from eightysix.serve.follow.stdin import StdinFollower
from eightysix.sources.decompress import Limits
from eightysix.store.live import SourceRow

__all__ = ["StoredInputs", "open_inputs", "position_of"]

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Position).decode


class StoredInputs(Inputs):
    """Inputs whose positions go into the state database."""

    def sources(self) -> dict[str, SourceRow]:
        """How far each file was read. What standard input gave cannot be asked for again, so it has no place."""
        return {
            name: SourceRow(told.dev, told.ino, told.head_hash, told.offset, _encode(told))
            for name, told in self.positions().items()
            if name != "-"
        }


def open_inputs(
    paths: Sequence[str],
    stdin: int,
    stored: Mapping[str, SourceRow],
    wake: Wake,
    on_problem: Callable[[Problem], None],
    limits: Limits | None = None,
    consumed: Sequence[str] = (),
) -> StoredInputs:
    """Follow `paths`, of which `-` is the descriptor `stdin`, on from what `sources()` gave before. For `consumed` see
    `Follower`."""
    limits = limits or Limits()
    positions = {name: position_of(row) for name, row in stored.items()}
    named = [path for path in paths if path != "-"]
    files = Follower(named, positions, limits, on_problem, wake=wake, consumed=consumed) if named else None
    standard = StdinFollower(stdin, limits, on_problem, wake=wake) if "-" in paths else None
    return StoredInputs(files, standard, wake)


def position_of(row: SourceRow) -> Position:
    """The position that a row of the state database holds."""
    try:
        return _decode(row.carry)
    except msgspec.MsgspecError as error:
        raise StateError(
            f"a stored position cannot be read: {error}", "move the state away; it is rebuilt"
        ) from error
