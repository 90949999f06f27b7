"""How the formats of the family `graphs` are recognised.

Messages of protocol buffers have no magic: their shape decides, and none of these kinds ends the search, so that a
pickle made to look like a message is read as a pickle all the same.
"""

from __future__ import annotations

from eightysix.scan.artifact import Artifact
from eightysix.scan.graphs.shape import SHAPES, shape_of
from eightysix.scan.interface import Kind

__all__ = ["KINDS"]

_HDF5 = b"\x89HDF\r\n\x1a\n"


def _is(shape: str) -> Kind:
    reader = {
        "onnx": "onnx:read",
        "keras-metadata": "keras_metadata:read",
        "coreml": "unread:coreml",
        "paddle": "unread:paddle",
    }.get(shape, f"tensorflow:{shape.removeprefix('tensorflow-').replace('-', '_')}")

    def sniff(artifact: Artifact, head: bytes) -> bool:
        return len(head) > 3 and shape_of(artifact, shape) == shape

    return Kind(shape, sniff, f"eightysix.scan.graphs.{reader}", alone=False)


def _hdf5(artifact: Artifact, head: bytes) -> bool:
    if head.startswith(_HDF5):
        return True
    # A user block in front of the superblock: it begins at 512, 1024, 2048 and so on.
    place = 512
    while place < min(len(artifact), 1 << 20):
        if artifact.at(place, 8) == _HDF5:
            return True
        place *= 2
    return False


_LOOKED = 1 << 16


def _keras(artifact: Artifact, head: bytes) -> bool:
    """JSON that says `class_name` and `config` early on; in a Keras archive any object, in any encoding."""
    start = head[:64].lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n")[:1]
    if start != b"{":
        return False
    if artifact.context == "keras":
        return True
    if any(artifact.find(escape, 0, _LOOKED) >= 0 for escape in (b"\\u006", b"\\u007")):
        return True  # nobody escapes plain letters: the reader looks whether they spell those names
    return artifact.find(b'"class_name"', 0, _LOOKED) >= 0 and artifact.find(b'"config"', 0, _LOOKED) >= 0


KINDS: tuple[Kind, ...] = (
    Kind("keras-config", _keras, "eightysix.scan.graphs.keras_config:read", alone=False),
    Kind("hdf5", _hdf5, "eightysix.scan.graphs.hdf5_model:read", alone=False),
    *(_is(shape) for shape in SHAPES),
)
