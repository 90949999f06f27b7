"""How the gate calls itself when it asks registries, so that webhooks about its own questions can be told from others.

NOTE: anybody can call themselves so. Only a `pull` under this name may be left out of a history, never a push or a delete.
"""

from __future__ import annotations

from eightysix import __version__

__all__ = ["OWN_AGENT", "USER_AGENT"]

OWN_AGENT = "eightysix/"
"""How it begins, in every version."""

USER_AGENT = f"{OWN_AGENT}{__version__} gate"
