"""The extra `posture`, imported on use: numpy takes 30 MB and a tenth of a second that no other command should pay."""

from __future__ import annotations

from eightysix.model.errors import MissingExtraError

try:
    import numpy as np
except ImportError:
    raise MissingExtraError(
        "the graph of what pods reach needs numpy", "Install it: pip install 'eightysix[posture]'"
    ) from None

__all__ = ["np"]
