"""RFC 3339 for the sources. The code lives in the model, because detect parses times too."""

from __future__ import annotations

from eightysix.model.timestamps import to_ns

__all__ = ["to_ns"]
