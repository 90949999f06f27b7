"""Files that tools write: which are out of date, and writing them anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["out_of_date", "write_or_check"]


def out_of_date(root: Path, wanted: Mapping[str, str], folder: str = "") -> list[str]:
    """Files under `root` that differ from `wanted`, and pages of `folder` that nobody wants any more."""
    stale = [
        name
        for name, text in wanted.items()
        if not (root / name).is_file() or (root / name).read_text(encoding="utf-8") != text
    ]
    left = [f"{folder}/{file.name}" for file in sorted((root / folder).glob("*.md"))] if folder else []
    return [*stale, *(name for name in left if name not in wanted)]


def write_or_check(
    root: Path, wanted: Mapping[str, str], arguments: Sequence[str], *, tool: str, folder: str = ""
) -> int:
    """Write what is out of date, or only tell it (`--check`); the exit code."""
    stale = out_of_date(root, wanted, folder)
    for name in stale:
        file = root / name
        if "--check" in arguments:
            print(f"{name} is out of date: run python -m tools.{tool}")
        elif name in wanted:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(wanted[name], encoding="utf-8")
            print(f"wrote {name}")
        else:
            file.unlink()
            print(f"removed {name}: nothing is behind it any more")
    return 1 if stale and "--check" in arguments else 0
