"""All cases, in the order in which they are told."""

from __future__ import annotations

from eightysix.lab.delivery import attacks_artifact, attacks_signer, changes

__all__ = ["ATTACKS", "CHANGES"]

ATTACKS = (*attacks_signer.ATTACKS, *attacks_artifact.ATTACKS)
CHANGES = tuple(changes.CHANGES)
