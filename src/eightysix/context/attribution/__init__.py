"""Whose use of an identity it was: the ladder A to F (`model.attribution`) over an inventory and what telemetry told."""

from __future__ import annotations

from eightysix.context.attribution.attributor import Attributor

__all__ = ["Attributor"]
