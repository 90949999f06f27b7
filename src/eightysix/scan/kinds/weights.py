"""How the formats of the family `weights` are recognised.

None of them ends the search: a GGUF file begins with a letter that is an opcode of pickle, and other readers may find
more in the same bytes.
"""

from __future__ import annotations

from eightysix.scan.artifact import Artifact
from eightysix.scan.interface import Kind

__all__ = ["KINDS"]

_HEADER = 1 << 40
"""A first word above this is no length of a header: text and other magic have letters in its upper bytes."""


def _safetensors(artifact: Artifact, head: bytes) -> bool:
    if len(head) < 9 or int.from_bytes(head[:8], "little") >= _HEADER:
        return False
    start = head[8:].lstrip(b" \t\r\n")[:2]
    return start[:1] == b"{" or start == b"[["


def _gguf(artifact: Artifact, head: bytes) -> bool:
    return head[:4] == b"GGUF" and len(head) >= 8


KINDS: tuple[Kind, ...] = (
    Kind("safetensors", _safetensors, "eightysix.scan.weights.safetensors:read", alone=False),
    Kind("gguf", _gguf, "eightysix.scan.weights.gguf:read", alone=False),
)
