"""`python -m eightysix` is the command `eightysix`."""

from __future__ import annotations

from eightysix.cli.main import entry

if __name__ == "__main__":
    entry()
