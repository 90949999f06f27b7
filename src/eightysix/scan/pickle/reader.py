"""Reads pickles for the scan: with the index's roles, and those of TorchScript where its archive says so."""

from __future__ import annotations

from eightysix.scan.artifact import Artifact
from eightysix.scan.index import role, torchscript_role
from eightysix.scan.interface import Scan
from eightysix.scan.pickle.effects import RoleOf
from eightysix.scan.pickle.probe import HEADER, hidden_pickles
from eightysix.scan.pickle.streams import Streams

__all__ = ["read", "read_hidden", "role_for"]


def role_for(artifact: Artifact) -> RoleOf:
    """The roles that hold where `artifact` comes from."""
    return torchscript_role if artifact.context == "torchscript" else role


def read(artifact: Artifact, scan: Scan) -> None:
    """Read pickles from the start of the artifact to its end."""
    Streams(artifact, scan, role_for(artifact)).read()


def read_hidden(artifact: Artifact, scan: Scan) -> None:
    """Read the pickle that lies behind a header of other data."""
    for place in hidden_pickles(artifact, 1, HEADER):
        scan.report("pickle-hidden", artifact, "a pickle lies behind other data", offset=place)
        Streams(artifact, scan, role_for(artifact)).read(place)
        return
