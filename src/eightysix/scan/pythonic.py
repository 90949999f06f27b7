"""Source and escapes as Python reads them, without its warnings: about `"\\d"` it would speak on somebody's terminal, and where
warnings are errors a file with one could not be read."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ast

__all__ = ["parsed", "unescaped"]


def parsed(text: str) -> ast.Module:
    """The tree of Python source. Raises what `ast.parse` raises: `SyntaxError`, `ValueError`, `RecursionError`, `MemoryError`."""
    import ast  # most files give no reason to load it

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)


def unescaped(data: bytes, codec: str = "unicode-escape") -> str:
    """`data` decoded by one of the codecs of escapes. Raises `UnicodeDecodeError`."""
    if b"\\" not in data:
        return data.decode("latin-1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return data.decode(codec)
