"""The last resort: strace around a command, for an ordinary user."""

from __future__ import annotations

import shutil

__all__ = ["missing"]


def missing() -> str:
    """Why it cannot be used here; empty where it can."""
    return "" if shutil.which("strace") else "strace is missing: install it"
