"""Reads artifacts before anything loads them: models, serialized state, and what lies around them.

One folder a family of formats. `recognise` says by content what a file is, `scanner` leads each part of it to its
reader, `catalog` holds the rules, and `pickle/` is the abstract interpreter that most of them need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eightysix.scan.api import (
        Options,
        Result,
        default_options,
        guard,
        scan_bytes,
        scan_file,
        scan_paths,
    )

__all__ = ["Options", "Result", "default_options", "guard", "scan_bytes", "scan_file", "scan_paths"]


def __getattr__(name: str) -> object:
    """The public names, loaded when somebody asks: modules of this package are imported without all of it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from eightysix.scan import api

    return getattr(api, name)
