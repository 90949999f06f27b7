"""What commands share: colour, environment defaults, inert error text, opened outputs."""

from __future__ import annotations

import os
from typing import TextIO

__all__ = ["environment", "inert_line", "may_colour", "terminal_width"]


def environment(name: str, default: str = "") -> str:
    """The value of `EIGHTYSIX_<name>`: every option can be given that way."""
    return os.environ.get(f"EIGHTYSIX_{name}", default)


def may_colour(choice: str, stream: TextIO) -> bool:
    """Whether to colour: `always`, `never`, or on a terminal unless `NO_COLOR` is set (no-color.org); `FORCE_COLOR` wins."""
    if choice != "auto":
        return choice == "always"
    if os.environ.get("FORCE_COLOR"):
        return True
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and stream.isatty()


def terminal_width() -> int:
    """Columns to write in: 80 unless the terminal is narrower or the operator says otherwise by `COLUMNS`."""
    text = os.environ.get("COLUMNS", "")
    return min(max(int(text), 40), 200) if text.isdigit() and len(text) < 5 else 80


def inert_line(text: str) -> str:
    """`text` safe for a terminal, on one line."""
    from eightysix.report.inert import inert

    return inert(text, 400)
