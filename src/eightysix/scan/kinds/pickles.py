"""How the formats of the family `pickles` are recognised.

Protocol 2 and later have a magic byte. Protocols 0 and 1 have none: the machine itself tries to read the first bytes.
"""

from __future__ import annotations

from eightysix.scan.artifact import Artifact
from eightysix.scan.interface import Kind

__all__ = ["KINDS"]

_NUMPY = b"\x93NUMPY"
_PROTO = 0x80
_TORCH_MAGIC = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""LONG1 with the magic number of torch's files from before 1.6, and STOP."""

_FIRST = frozenset(b"(]}c)iIKJMLFGNSUTVXBCP\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x95\x96\x82\x83\x84\x97")
"""Opcodes that a pickle without PROTO can begin with."""

_TORCH = ("torch", "torchscript")


def _numpy(_artifact: Artifact, head: bytes) -> bool:
    return head.startswith(_NUMPY)


def _legacy_torch(_artifact: Artifact, head: bytes) -> bool:
    return head[:1] == b"\x80" and head[2 : 2 + len(_TORCH_MAGIC)] == _TORCH_MAGIC


def _pickle(artifact: Artifact, head: bytes) -> bool:
    if len(head) > 2 and head[0] == _PROTO:
        from eightysix.scan.pickle.probe import is_magic

        return is_magic(head)
    return artifact.context in _TORCH and bool(head) and head[0] in _FIRST


def _old_pickle(artifact: Artifact, head: bytes) -> bool:
    if not head or head[0] not in _FIRST:
        return False
    from eightysix.scan.pickle.probe import begins_pickle

    return begins_pickle(artifact)


def _all_old_pickle(artifact: Artifact, head: bytes) -> bool:
    if not _old_pickle(artifact, head):
        return False
    from eightysix.scan.pickle.probe import is_all_pickle

    return is_all_pickle(artifact)


def _hidden_pickle(artifact: Artifact, head: bytes) -> bool:
    if _old_pickle(artifact, head):
        return False
    from eightysix.scan.pickle.probe import HEADER, hidden_pickles

    return any(True for _ in hidden_pickles(artifact, 1, HEADER))


KINDS: tuple[Kind, ...] = (
    Kind("numpy", _numpy, "eightysix.scan.pickle.npy:read"),
    Kind("torch-legacy", _legacy_torch, "eightysix.scan.pickle.reader:read"),
    Kind("pickle", _pickle, "eightysix.scan.pickle.reader:read"),
    Kind("pickle", _all_old_pickle, "eightysix.scan.pickle.reader:read"),
    # NOTE: these have no magic. A text may begin like one, so the search goes on, and each reader reads.
    Kind("pickle", _old_pickle, "eightysix.scan.pickle.reader:read", alone=False),
    Kind("pickle-hidden", _hidden_pickle, "eightysix.scan.pickle.reader:read_hidden", alone=False),
)
