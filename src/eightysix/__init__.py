"""eightysix: finds the chain from a poisoned artifact to stolen credentials in AI pods on Kubernetes."""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
