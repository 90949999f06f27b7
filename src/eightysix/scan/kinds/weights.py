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
    length = int.from_bytes(head[:8], "little")
    start = head[8:].lstrip(b" \t\r\n")[:2]
    if length >= _HEADER:
        return start == b'{"' and 0 in head[:8]
    return start[:1] == b"{" or (start[:1] == b"[" and 0 < length <= len(artifact) - 8)


def _gguf(_: Artifact, head: bytes) -> bool:
    return head[:4] == b"GGUF" and len(head) >= 8


KINDS: tuple[Kind, ...] = (
    Kind("safetensors", _safetensors, "eightysix.scan.weights.safetensors:read", alone=False),
    Kind("gguf", _gguf, "eightysix.scan.weights.gguf:read", alone=False),
)
