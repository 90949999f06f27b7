"""What is known of operators that TorchScript code may call: those that torch and its libraries bring, and their effects."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from msgspec import Struct

__all__ = ["CLASSES", "Operators", "operators"]

CLASSES = frozenset(
    {
        "quantized",
        "rnn",
        "mkldnn",
        "xnnpack",
        "sparse",
        "profiler",
        "metal",
        "vulkan",
        "_nnapi",
        "torchvision",
    }
)
"""Namespaces of native classes that hold packed weights or count time: `TORCH_LIBRARY(..., class_)` in torch's source.
Classes for processes and sockets (`c10d`, `dist_rpc`) and of other libraries are not among them."""


class Operators(Struct, frozen=True):
    """`known` are operators without effect outside of torch; `effects` says which effect the others have."""

    known: frozenset[tuple[str, str]]
    effects: dict[tuple[str, str], str]

    def methods(self) -> dict[str, str]:
        """Names with an effect that any value can be asked for as a method: torch tries `aten` for those."""
        return {name: effect for (space, name), effect in self.effects.items() if space == "aten"}


@cache
def operators() -> Operators:
    """The packaged list; how it was made stands in its first line."""
    known: set[tuple[str, str]] = set()
    effects: dict[tuple[str, str], str] = {}
    text = files("eightysix.scan.containers").joinpath("torchscript_ops.txt").read_text("ascii")
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        head, _, names = line.partition(": ")
        space, _, effect = head.partition("!")
        for name in names.split():
            if effect:
                effects[space, name] = effect
            else:
                known.add((space, name))
    return Operators(frozenset(known), effects)
